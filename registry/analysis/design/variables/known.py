"""How many patients have a value of everything that was collected: what a plan can be made of, seen at once.

In a registry of ordinary size it is counted whenever a page asks; in a large one the worker counts it (`keep`).
"""

import hashlib

from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from registry.analysis.design.variables import sources
from registry.instruments import catalogue
from registry.services import watermarks
from registry.services.operations.site_counts import KEPT, is_large
from sites.tenancy.scope import current

# Of the product's own variables, the item or derived value whose being known makes theirs.
_MADE_OF = {"hsuv": "eq5d_state", "frankel_abc": "frankel", "ecog_ps_over_2": "ecog_ps", "died": "vital_status"}
_OF_ALL = ("ssi_or_wound", "neurological")


READ = ("registry_patient", "registry_assessment")


def counts():
    """((name, visit) to how many patients in scope have a value, when that was so or None for now); the visit is ""
    for what is of the patient."""
    if not is_large():
        return _counted(), None
    return cache.get(_key()) or _store()


def keep():
    """Count for everybody in scope what a large registry does not count on its pages, unless nothing changed since."""
    if is_large():
        with watermarks.since_last("known values", _fingerprint(), READ, often=True) as changed:
            cached = cache.get(_key())
            if changed or cached is None:
                _store()
            else:
                cache.set(_key(), (cached[0], timezone.now()), KEPT)  # it is so still


def _key():
    return f"known_values:{_asked()}"


def _asked():
    """A hash of the sites in scope, and of what is asked there."""
    return hashlib.sha256(f"{sorted(current().read)} {sorted(sources.offered())}".encode()).hexdigest()


def _fingerprint():
    """A hash of the same, and of how many rows are gone."""
    return hashlib.sha256(f"{_asked()} {watermarks.deleted(READ)}".encode()).hexdigest()


def _store():
    cached = _counted(), timezone.now()
    cache.set(_key(), cached, KEPT)
    return cached


def _counted():
    offered = sources.offered()
    of_patient = {name: _column(name) for name, source in offered.items() if not source.at_visit}
    of_visit = {name: _column(name) for name, source in offered.items() if source.at_visit}
    with transaction.atomic(), connection.cursor() as cursor:
        known_values = {}
        for name, n in zip(of_patient, _row(cursor, "registry_patient", of_patient.values()), strict=True):
            known_values[name, ""] = n
        cursor.execute(
            f"SELECT timepoint_id, {_selected(of_visit.values())} FROM registry_assessment GROUP BY timepoint_id"
        )
        for visit, *numbers in cursor.fetchall():
            known_values |= {(name, visit): n for name, n in zip(of_visit, numbers, strict=True)}
    return known_values


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
