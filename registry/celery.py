"""The Celery application: `celery -A registry worker`."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")

app = Celery("registry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def refuse_unguarded(**kwargs):
    """A worker does nothing in a database that does not guard itself."""
    from registry.guards.checks import serve_guarded

    serve_guarded()
