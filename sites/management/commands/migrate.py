"""`migrate`, as the owner role, with the application's role given its rights on what is created."""

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections

from sites.protection import app_role

GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
REVOKE INSERT, UPDATE, DELETE ON study_sites_auditevent FROM {role};
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role};
"""


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
            if "study_sites_auditevent" in connection.introspection.table_names(cursor):
                cursor.execute(GRANTS.format(role=app_role()))
