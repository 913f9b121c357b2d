"""The Celery application: `celery -A registry worker`."""

import os

from celery import Celery
from celery.signals import setup_logging, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")

app = Celery("registry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**kwargs):
    """Worker and beat log as settings.LOGGING says, secrets taken out, and not in Celery's own way."""


@worker_init.connect
def refuse_unguarded(**kwargs):
    """A worker does nothing in a database that does not guard itself."""
    from registry.guards.checks import serve_guarded

    serve_guarded()
