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
# What is added to and never changed, and what is never removed; a patient's rows go with the patient.
APPEND_ONLY = {
    "registry_querymessage": "UPDATE, DELETE",
    "registry_signature": "UPDATE, DELETE",
    "registry_query": "DELETE",
}


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
            withheld = dict.fromkeys(READ_ONLY, "INSERT, UPDATE, DELETE") | APPEND_ONLY
            tables = set(connection.introspection.table_names(cursor)).intersection(withheld)
            if "study_sites_auditevent" in tables:
                revoke = "".join(f"REVOKE {withheld[one]} ON {one} FROM {app_role()};" for one in sorted(tables))
                cursor.execute(GRANTS.format(role=app_role()) + revoke)  # one statement: there is no moment between
