"""Checks of the database: versions, migrations, guards, roles, connections, time limits, pooler, replica."""

import platform

import django
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils.translation import gettext as _

from registry import __version__
from registry.guards import checking
from registry.health.checkup.findings import FAILED, LIMITS, NOTE, OFF, OK, WARNING, Finding
from registry.health.waiting import known
from sites.database import replica
from sites.moments import minute_of
from sites.tenancy import checks

SUPPORTED = range(checks.OLDEST, 19)  # major versions of PostgreSQL
CROWDED = 0.8  # of the connections that the server allows


def answers(looking):
    if looking.away:
        return Finding(FAILED, looking.away)
    if looking.server.read_only:
        return Finding(
            FAILED,
            _("It takes no changes: it is a standby, or was made one. DATABASE_URL is to name the primary."),
        )
    return Finding(OK, _("It answers, and holds %(size)s GB.") % {"size": f"{looking.server.size / 1e9:.1f}"})


def versions(looking):
    major, minor = divmod(looking.server.version, 10_000)
    lines = (
        f"Metaspine {__version__}",
        f"Python {platform.python_version()}, Django {django.get_version()}",
        f"PostgreSQL {major}.{minor}",
        f"Redis {cache.version_of_server() or '–'}",
    )
    if major not in SUPPORTED:
        said = _("PostgreSQL %(major)s is not one of %(first)s to %(last)s, which are tested.")
        words = said % {"major": major, "first": SUPPORTED[0], "last": SUPPORTED[-1]}
        return Finding(FAILED if major < SUPPORTED[0] else WARNING, words, lines)
    return Finding(OK, ", ".join(lines))


def migrations(looking):
    applied = {tuple(row) for row in looking.rows("SELECT app, name FROM django_migrations")}
    lacking = sorted(".".join(migration) for migration in known() - applied)
    if lacking:
        return Finding(
            FAILED, _("%(n)s migrations are not applied: run migrate.") % {"n": len(lacking)}, tuple(lacking)
        )
    return Finding(OK, _("All %(n)s are applied.") % {"n": len(known())})


def guards(looking):
    """Compared now for the command; on the page as the worker compared them in the last minutes, unless asked anew."""
    differing, at = checking.lately() if looking.takes_what_is_kept else (checking.looked(), None)
    if differing:
        return Finding(FAILED, checking.sentence(differing), tuple(differing))
    words = _("Policies, triggers, functions and rights are as declared.")
    return Finding(OK, f"{words} {_('Compared %(at)s.') % {'at': minute_of(at)}}" if at else words)


def roles(looking):
    errors = checks.faults()
    if errors:
        return Finding(FAILED, errors[0].msg, tuple(f"{error.id}: {error.hint}" for error in errors))
    return Finding(OK, _("%(role)s owns nothing and bypasses nothing.") % {"role": looking.server.role})


def connections(looking):
    used, allowed = looking.server.used, looking.server.allowed
    words = _("%(used)s of %(allowed)s connections are in use.") % {"used": used, "allowed": allowed}
    return Finding(WARNING if used > CROWDED * allowed else OK, words)


def time_limits(looking):
    values = looking.server.limits
    lines = tuple(f"{name} = {value}" for name, value in zip(LIMITS, values, strict=True))
    without = [name for name, value in zip(LIMITS, values, strict=True) if value in ("0", "-1")]
    if without:
        return Finding(NOTE, _("Not limited: %(names)s.") % {"names": ", ".join(without)}, lines)
    return Finding(OK, "; ".join(lines))


def pooler(looking):
    """A pooler gives its clients numbers of its own, so that the one which cancels is another than the server's."""
    between = looking.server.pid != connection.connection.info.backend_pid
    if between and not settings.DATABASE_POOLER:
        return Finding(FAILED, _("A pooler stands before the database: set METASPINE_DATABASE_POOLER=1."))
    if between:
        return Finding(OK, _("In transaction mode, without prepared statements."))
    if settings.DATABASE_POOLER:
        return Finding(NOTE, _("METASPINE_DATABASE_POOLER is set, and there is none: saves are slower than need be."))
    return Finding(OFF, _("None."))


def read_replica(looking):
    """A standby of this very primary, and how far it is behind."""
    if not replica.exists():
        return Finding(OFF, _("None: the primary does all of it."))
    state = replica.state()
    if not state.follows:
        words = _(
            "REPLICA_DATABASE_URL names no standby of this database, or a role that row-level security does not bind; "
            "the primary does all of it."
        )
        return Finding(FAILED, words)
    words = _("It is %(seconds)s s behind; what it is to do waits up to %(most)s s for it, then the primary does it.")
    words %= {"seconds": f"{state.behind:.1f}", "most": f"{settings.REPLICA_SECONDS:.0f}"}
    return Finding(WARNING if state.behind > settings.REPLICA_SECONDS else OK, words)
