"""What the application's role may do: everything with the rows that policies show it, less what is only added to."""

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS

# What the application reads and never writes; functions of the owner's write the trail and its seals.
READ_ONLY = (
    "study_sites_auditevent",
    "study_sites_auditseal",
    "registry_guard",
    "registry_owncolumn",
    "registry_transfer",
    "django_migrations",
)
# What is added to and never changed, and what is never removed; a patient's rows go with the patient.
APPEND_ONLY = {
    "registry_querymessage": "UPDATE, DELETE",
    "registry_signature": "UPDATE, DELETE",
    "registry_query": "DELETE",
    "registry_enteredinerror": "DELETE",
    "registry_merge": "DELETE",
    "registry_safetynotice": "DELETE",
    "registry_screeningentry": "DELETE",
    "registry_consent": "DELETE",
    "registry_consentwithdrawal": "DELETE",
    "registry_protocolversion": "UPDATE, DELETE",
    "registry_studylogo": "UPDATE, DELETE",
}


# A trigger function runs for whoever changes the table; who may create a trigger with it could forge events, on a
# temporary table of a clinical table's name for instance.
WITHHELD_FROM_ALL = "REVOKE EXECUTE ON FUNCTION audit_rows(), audit_update(), signature_recorded() FROM PUBLIC;"


def app_role(owner):
    """The name of the role that the application connects as; None where it is the one of the connection `owner`."""
    name = settings.DATABASES[DEFAULT_DB_ALIAS]["USER"]
    return None if name == owner.settings_dict["USER"] else name


def quoted(role):
    return '"' + role.replace('"', '""') + '"'


def granted(role):
    """SQL statements that give `role` its rights, and nothing more than these."""
    if role is None:
        return []
    name = quoted(role)
    withheld = dict.fromkeys(READ_ONLY, "INSERT, UPDATE, DELETE") | APPEND_ONLY
    return [
        f"GRANT USAGE ON SCHEMA public TO {name};",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name};",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name};",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name};",
        *(f"REVOKE {rights} ON {table} FROM {name};" for table, rights in withheld.items()),
    ]
