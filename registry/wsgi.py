"""The web entry: `gunicorn registry.wsgi`."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
# Nobody waits longer for a page: a statement that hangs must not hold one of the few threads. Workers have no limit.
os.environ.setdefault("METASPINE_STATEMENT_SECONDS", "300")
os.environ.setdefault("METASPINE_LOCK_SECONDS", "30")

application = get_wsgi_application()

from registry.guards.checks import serve_guarded  # noqa: E402  once the apps are loaded

serve_guarded()

# Every page is loaded before the first request, and what is loaded is no garbage to be looked for again and again.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 50)
