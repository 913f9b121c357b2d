"""System check of the database: `manage.py check --deploy --database default`, and before a server starts."""

import logging
import sys
import time

from django.core.checks import Error, Tags, register
from django.db import OperationalError, connections

from registry.guards import checking
from sites.tenancy import checks

log = logging.getLogger(__name__)

AWAY = 0.5  # seconds between two tries to reach the database


@register(Tags.database, deploy=True)  # `migrate` runs the others, and is what mends this one
def database_has_its_guards(app_configs, databases=None, **kwargs):
    """Policies, triggers, functions, rights and tables are what is declared."""
    if not databases or "default" not in databases or not _is_migrated():
        return []
    differences = checking.differences("default")
    return [Error(checking.sentence(differences), id="registry.E001")] if differences else []


def _is_migrated():
    """Whether there is anything to guard: `migrate` checks an empty database too."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.registry_patient') IS NOT NULL")
        return cursor.fetchone()[0]


def serve_guarded():
    """End the process, with a sentence in the log, unless the database has its guards. Servers begin with it.

    A database that is away is waited for: a web process is renewed now and then, and must not end the server with it.
    """
    while True:
        try:
            checking.require()
            if faults := checks.faults():
                raise checking.Unguarded(f"{faults[0].msg} {faults[0].hint}")
        except checking.Unguarded as error:
            log.critical("Not serving. %s", str(error).strip())
            sys.exit(3)  # what gunicorn takes for "do not try again"
        except OperationalError as error:
            log.warning("Waiting for the database. %s", str(error).strip())
            time.sleep(AWAY)
        else:
            return
        finally:
            connections["default"].close()
