"""`migrate`, as the owner role, with the application's role given its rights on what is created."""

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections

from sites.protection import app_role

GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
"""
# What the application reads and never writes; functions of the owner's write the trail and its seals.
READ_ONLY = ("study_sites_auditevent", "study_sites_auditseal", "django_migrations")


class Command(migrate.Command):
    help = migrate.Command.help + " Runs as the owner role."

    def handle(self, *args, **options):
        if options["database"] == DEFAULT_DB_ALIAS:
            options["database"] = "owner"
        super().handle(*args, **options)
        connection = connections[options["database"]]
        if connection.settings_dict["USER"] == connections[DEFAULT_DB_ALIAS].settings_dict["USER"]:
            return
        with connection.cursor() as cursor:
            tables = set(connection.introspection.table_names(cursor)).intersection(READ_ONLY)
            if "study_sites_auditevent" in tables:
                revoke = f"REVOKE INSERT, UPDATE, DELETE ON {', '.join(sorted(tables))} FROM {app_role()}"
                cursor.execute(GRANTS.format(role=app_role()) + revoke)  # one statement: there is no moment between
