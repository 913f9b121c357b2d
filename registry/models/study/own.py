"""Fields of own items on the models of patients, assessments and own records: as many as the protocol has columns.

A column is added when an instrument is published, and never removed; a process adds the field once it reads a protocol
that has it. A statement names its columns, so a process that has not read it yet works on without.
"""

from threading import Lock
from typing import Any

from django.db import models

from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models.records.clinical import Assessment, Patient
from registry.models.study.protocol import OwnRecord

MODELS = {**dict.fromkeys(PATIENT_FORMS, Patient), "assessment": Assessment, "repeat": OwnRecord}
_changing = Lock()


class CodesField(models.TextField):
    """Several codes of an item: a tuple of texts in Python, joined by “;” in its column, in declared order."""

    def from_db_value(self, value, expression, connection):
        return None if value is None else tuple(value.split(";"))

    def to_python(self, value):
        if value is None or isinstance(value, tuple):
            return value
        return tuple(value.split(";")) if isinstance(value, str) else tuple(value)

    def get_prep_value(self, value):
        return value if value is None or isinstance(value, str) else ";".join(value)

    def value_to_string(self, obj):
        return self.get_prep_value(self.value_from_object(obj)) or ""


def field_for(item):
    """The model field of an own item. What it accepts is a constraint that publishing makes of the declaration."""
    common: dict[str, Any] = {"null": True, "blank": True}
    kinds = {
        "integer": models.IntegerField,
        "date": models.DateField,
        "time": models.TimeField,
        "codes": CodesField,
    }
    if item.kind == "decimal":
        return models.DecimalField(max_digits=24, decimal_places=max(item.places, 0), **common)
    return kinds.get(item.kind, models.TextField)(**common)


def sync(wanted):
    """Have each model the fields of `wanted`, {model: items}, and no other own ones."""
    with _changing:
        for model in (Patient, Assessment, OwnRecord):
            items = {item.name: item for item in wanted.get(model, ())}
            for field in [field for field in model._meta.local_fields if getattr(field, "is_own", False)]:
                if field.name not in items:
                    _remove(model, field)
            have = {field.name for field in model._meta.local_fields}
            for name in sorted(items.keys() - have):
                _add(model, items[name])


def _add(model, item):
    field = field_for(item)
    field.is_own = True
    field.contribute_to_class(model, item.name)


def _remove(model, field):
    model._meta.local_fields.remove(field)
    model._meta._expire_cache()
    if field.attname in vars(model):
        delattr(model, field.attname)
