"""The web entry: `gunicorn registry.wsgi`."""

import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.cache import caches
from django.core.wsgi import get_wsgi_application
from django.urls import reverse
from django.utils import translation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
# Nobody waits longer for a page: a statement that hangs must not hold one of the few threads. Workers have no limit.
os.environ.setdefault("METASPINE_STATEMENT_SECONDS", "300")
os.environ.setdefault("METASPINE_LOCK_SECONDS", "30")

application = get_wsgi_application()

from registry.guards.checks import serve_guarded  # noqa: E402  once the apps are loaded

serve_guarded()


def load():
    """Load what the first requests of a process would: pages, addresses and words of each language, Redis's library.

    No connection is opened: processes that gunicorn makes of this one would share it.
    """
    import_module(settings.ROOT_URLCONF)
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            reverse("login")
            translation.gettext("yes")
    caches["default"].close()
    import_module("registry.celery").app.connection_for_write().get_transport_cls()


load()
# What is loaded is no garbage to be looked for again and again.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
