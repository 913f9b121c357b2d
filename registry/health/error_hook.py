"""Error reports to a Sentry-compatible service (METASPINE_SENTRY_DSN): where and what, never with whose data.

Local variables, bodies, cookies, query strings and addresses stay here: they may hold a patient or a secret.
"""

import logging

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from registry import __version__
from sites.logs import request_id
from sites.logs.redaction import redacted


def install(**options):
    """Send errors from now on; nothing without an address."""
    if not settings.SENTRY_DSN:
        return
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=f"metaspine@{__version__}",
        # What is logged as an error is sent, from pages and workers alike; nothing of Django or Celery is patched.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            AtexitIntegration(),
        ],
        include_local_variables=False,
        include_source_context=False,  # the release names the source
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=without_data,
        **options,
    )


def without_data(event, hint):
    """The event, with what may be of a person taken out."""
    for name in ("request", "user", "breadcrumbs", "extra", "server_name"):
        event.pop(name, None)
    event["tags"] = {"request_id": request_id.current(), "task": request_id.current_task()}
    if "logentry" in event:  # what is put into the message stays here: addresses are among it
        event["logentry"] = {"message": redacted(str(event["logentry"].get("message", "")))}
    for error in event.get("exception", {}).get("values", ()):
        error["value"] = _said(error)
    return event


def _said(error):
    """The text of an exception; none of a database's error, which quotes the row that it is about."""
    if (error.get("module") or "").startswith(("psycopg", "django.db")):
        return ""
    return redacted(error.get("value") or "")
