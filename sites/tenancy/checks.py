"""System checks that fail a deployment whose database would not guard the tenancy."""

from typing import Any

from django.core.checks import Error, Tags, register
from django.db import connections


@register(Tags.database)
def application_role_is_bound_by_policies(app_configs: Any, databases: Any = None, **kwargs: Any) -> list | list[Error]:
    """The application's role must neither be a superuser nor bypass row-level security."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        (bypasses,) = cursor.fetchone()
    if not bypasses:
        return []
    return [
        Error(
            "The application's database role bypasses row-level security.",
            hint="Give DATABASE_URL a role created with NOSUPERUSER NOBYPASSRLS; docs/operations.md shows how.",
            id="study_sites.E001",
        )
    ]


OLDEST = 16  # major version of PostgreSQL that the tests run on


@register(Tags.database)
def database_is_new_enough(app_configs: Any, databases: Any = None, **kwargs: Any) -> list:
    """PostgreSQL 15 and older are refused: no test runs on them."""
    return [error for alias in databases or () for error in _too_old(alias)]


def _too_old(alias: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        (major,) = cursor.fetchone()
    if major < OLDEST:
        yield Error(
            f"PostgreSQL {major} is too old: {OLDEST} or newer is needed.",
            hint="Upgrade the server (pg_upgrade, or a backup restored into a newer one), then run migrate.",
            id="study_sites.E003",
        )


@register(Tags.database)
def application_role_owns_no_table(app_configs: Any, databases: Any = None, **kwargs: Any) -> list | list[Error]:
    """Whoever owns a table, also as a member of another role, may switch its policies off and rewrite the trail."""
    if not databases or "default" not in databases:
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND pg_has_role(current_user, relowner, 'MEMBER')"
        )
        (owned,) = cursor.fetchone()
    if not owned:
        return []
    return [
        Error(
            f"The application's database role owns {owned} tables, so their policies and the trail do not bind it.",
            hint="OWNER_DATABASE_URL is for migrations, DATABASE_URL for the application; docker/roles.sql makes both.",
            id="study_sites.E002",
        )
    ]


def faults() -> list:
    """Every Error of these checks, for servers to refuse to serve."""
    every = (application_role_is_bound_by_policies, database_is_new_enough, application_role_owns_no_table)
    return [error for check in every for error in check(None, ["default"])]
