"""System checks that fail a deployment whose database would not guard the tenancy."""

from django.core.checks import Error, Tags, register
from django.db import connections


@register(Tags.database)
def application_role_is_bound_by_policies(app_configs, databases=None, **kwargs):
    """The application's role must neither be a superuser nor bypass row-level security nor own the tables."""
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
