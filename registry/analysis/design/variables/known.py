"""How many patients have a value of everything that was collected: what a plan can be made of, seen at once."""

from django.db import connection, transaction

from registry.analysis.design.variables import sources
from registry.instruments import catalogue

# Of the product's own variables, the item or derived value whose being known makes theirs.
_MADE_OF = {"hsuv": "eq5d_state", "frankel_abc": "frankel", "ecog_ps_over_2": "ecog_ps", "died": "vital_status"}
_OF_ALL = ("ssi_or_wound", "neurological")


def counts():
    """(name, visit) to how many patients in scope have a value; the visit is "" for what is of the patient."""
    offered = sources.offered()
    of_patient = {name: _column(name) for name, source in offered.items() if not source.at_visit}
    of_visit = {name: _column(name) for name, source in offered.items() if source.at_visit}
    with transaction.atomic(), connection.cursor() as cursor:
        found = {}
        for name, n in zip(of_patient, _row(cursor, "registry_patient", of_patient.values()), strict=True):
            found[name, ""] = n
        cursor.execute(
            f"SELECT timepoint_id, {_selected(of_visit.values())} FROM registry_assessment GROUP BY timepoint_id"
        )
        for visit, *numbers in cursor.fetchall():
            found |= {(name, visit): n for name, n in zip(of_visit, numbers, strict=True)}
    return found


def _column(name):
    """The SQL of what must be there; a value that is calculated is where its items are."""
    if name in _OF_ALL or name == "followup_months":
        return "surgery_date" if name == "followup_months" else "patient_id"
    item = _MADE_OF.get(name, name.partition(":")[0])
    derived = catalogue.current()._derived.get(item)
    if derived is not None and hasattr(derived, "tree"):
        return derived.items[0] if derived.items else "patient_id"
    return item


def _selected(columns):
    return ", ".join(f'count("{column}")' for column in columns)


def _row(cursor, table, columns):
    cursor.execute(f"SELECT {_selected(columns)} FROM {table}")
    return cursor.fetchone()
