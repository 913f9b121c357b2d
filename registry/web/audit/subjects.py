"""Whom an event of the trail is about: a patient and a timepoint, or a person; the row's key is often a mere number."""

from dataclasses import dataclass
from functools import cache

from django.db import connection

from registry.models import (
    AdverseEvent,
    Assessment,
    Attachment,
    Consent,
    ConsentWithdrawal,
    EnteredInError,
    OwnRecord,
    PatientLink,
    Query,
    QueryMessage,
    SafetyNotice,
    ScreeningEntry,
    Signature,
)
from registry.services.follow_up import schedule
from registry.web.shared import wording
from registry.web.shared.lookup import names_of
from sites.models import Membership
from sites.tenancy.scope import with_errors

# Rows of a patient's that have a number of their own, with where their patient and timepoint stand.
NUMBERED = {
    AdverseEvent: ("patient_id", None),
    Assessment: ("patient_id", "timepoint_id"),
    Attachment: ("patient_id", None),
    Consent: ("patient_id", None),
    ConsentWithdrawal: ("patient_id", None),
    EnteredInError: ("patient_id", None),
    OwnRecord: ("patient_id", None),
    PatientLink: ("patient_id", "timepoint"),
    Query: ("patient_id", "timepoint_id"),
    ScreeningEntry: ("patient_id", None),
    QueryMessage: ("query__patient_id", "query__timepoint_id"),
    SafetyNotice: ("patient_id", None),
    Signature: ("patient_id", None),
}
TABLES = {model._meta.db_table: model for model in NUMBERED}
OF_PATIENT = ("registry_patient", "registry_identity", "registry_followupend")  # their key is the patient's number
MEMBERSHIPS, PEOPLE = Membership._meta.db_table, "study_sites_user"


@dataclass(frozen=True)
class Subject:
    patient_id: str = ""
    timepoint: str = ""  # its code
    label: str = ""  # of the timepoint
    name: str = ""  # of a person


NOBODY = Subject()


def subjects_of(events):
    """(table, row id) of each event to its Subject, in as many statements as there are kinds of rows."""
    if not any(event.table_name in TABLES for event in events):
        return _subjects_of(events)
    with with_errors():  # the trail tells of what was entered in error too
        return _subjects_of(events)


def _subjects_of(events):
    keys = {}
    for event in events:
        keys.setdefault(event.table_name, set()).add(event.row_id)
    subjects = {(table, row_id): Subject(row_id) for table in OF_PATIENT for row_id in keys.get(table, ())}
    labels = schedule.labels() if keys.keys() & TABLES.keys() else {}
    for table, model in TABLES.items():
        if numbers := _numbers(keys.get(table, ())):
            patient, timepoint = NUMBERED[model]
            rows = model.objects.filter(pk__in=numbers).values_list("pk", patient, timepoint or patient)
            for number, patient_id, code in rows:
                label = labels.get(code) if timepoint else None
                subjects[table, str(number)] = (
                    Subject(patient_id, code, wording.words(label)) if label else Subject(patient_id)
                )
    return subjects | _people(keys)


def _numbers(row_ids):
    return [int(row_id) for row_id in row_ids if row_id.isdecimal() and len(row_id) < 18]


def _people(keys):
    own = dict.fromkeys(_numbers(keys.get(PEOPLE, ())))
    held = dict(Membership.objects.filter(pk__in=_numbers(keys.get(MEMBERSHIPS, ()))).values_list("pk", "user_id"))
    names = names_of([*own, *held.values()]) if own or held else {}
    return {(PEOPLE, str(pk)): Subject(name=names.get(pk, "")) for pk in own} | {
        (MEMBERSHIPS, str(pk)): Subject(name=names.get(user_id, "")) for pk, user_id in held.items()
    }


@cache
def _keys_of_patient():
    """SQL of (table, key as text) of each of a patient's rows that have a number of their own: all in one statement."""
    return " UNION ALL ".join(_keys_in(model, column) for model, (column, _timepoint) in NUMBERED.items())


def _keys_in(model, column):
    table, of_patient = model._meta.db_table, "site_id = %(site)s AND patient_id = %(patient)s"
    if through := column.rpartition("__")[0]:
        by = model._meta.get_field(through)
        of_patient = f"{by.column} IN (SELECT id FROM {by.related_model._meta.db_table} WHERE {of_patient})"
    return f"SELECT '{table}', id::text FROM {table} WHERE {of_patient}"


def rows_of(patient_id, site_id):
    """Table to the keys (text) of a patient's rows, with those that were entered in error in their scope."""
    keys = {table: [patient_id] for table in OF_PATIENT}
    with connection.cursor() as cursor:
        cursor.execute(_keys_of_patient(), {"site": site_id, "patient": patient_id})
        for table, key in cursor.fetchall():
            keys.setdefault(table, []).append(key)
    return keys
