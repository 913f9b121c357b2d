"""Columns, constraints and generated columns from the instruments' declarations.

A column is named after its item, so that a form, a file and a query speak of the same thing.
"""

from functools import reduce
from operator import add
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Cast
from django.db.models.lookups import LessThanOrEqual

from registry.instruments import levels
from registry.instruments.base import Bands, Digits, Total
from registry.instruments.checks import DateOrder, OnlyWith

EARLIEST = "1900-01-01"


def person_field(verbose_name: Any = None, *, null: bool = True) -> models.ForeignKey:
    """Who did something: a person on record is never deleted."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=null, related_name="+", verbose_name=verbose_name
    )


class LevelsField(models.IntegerField):
    """A set of vertebral levels: a tuple such as ("C7", "T1") in Python, a bit mask in the database."""

    def deconstruct(self):
        """To migrations it is the integer that it is stored as: they import nothing of ours."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.IntegerField", args, kwargs

    def from_db_value(self, value, expression, connection):
        return None if value is None else levels.from_mask(value)

    def to_python(self, value):
        if value is None or isinstance(value, tuple):
            return value
        if isinstance(value, int):
            return levels.from_mask(value)
        try:
            return tuple(sorted(value, key=levels.LEVELS.index))
        except (TypeError, ValueError) as error:
            raise ValidationError(str(error)) from error

    def get_prep_value(self, value):
        return value if value is None or isinstance(value, int) else levels.mask(value)

    def value_to_string(self, obj):
        value: Any = self.value_from_object(obj)
        return ";".join(value or ())


def field_for(item):
    """The nullable model field that stores one item. Labels stay with the item: rewording one is no migration."""
    common: dict[str, Any] = {"null": True, "blank": True}
    if item.kind == "integer":
        big = item.maximum is not None and item.maximum > 32_767
        return (models.IntegerField if big else models.SmallIntegerField)(**common)
    if item.kind == "decimal":
        digits = len(str(max(abs(item.minimum), abs(item.maximum)))) + item.places
        return models.DecimalField(max_digits=digits, decimal_places=item.places, **common)
    if item.kind == "code":
        return models.CharField(max_length=max(len(str(code)) for code in item.codes), **common)
    if item.kind == "date":
        return models.DateField(**common)
    if item.kind == "levels":
        return LevelsField(**common)
    return models.CharField(max_length=item.max_length, **common)


def generated_for(derived):
    """The stored generated column of a derived value: null unless every item is there."""
    output: models.Field
    expression: Any
    items = [F(name) for name in derived.items]
    total = reduce(add, items)
    if isinstance(derived, Bands):
        # A comparison with null is not true, so an unknown total falls through every branch to null.
        expression = Case(
            *(When(LessThanOrEqual(total, upper), then=Value(choice.code)) for upper, choice in derived.bands),
            default=Value(None),
        )
        output = models.CharField(max_length=max(len(str(choice.code)) for choice in derived.choices), null=True)
    elif isinstance(derived, Digits):
        places = reversed(range(len(items)))
        # A smallint times a literal stays a smallint and would overflow.
        expression = reduce(
            add, (Cast(item, models.IntegerField()) * 10**place for item, place in zip(items, places, strict=True))
        )
        output = models.IntegerField(null=True)
    elif isinstance(derived, Total):
        expression, output = total, models.SmallIntegerField(null=True)
    else:
        raise TypeError(f"no column for {type(derived).__name__}")
    return models.GeneratedField(expression=expression, output_field=output, db_persist=True)


def stored_items(instruments):
    """The items that are columns of their record's own table: all but direct identifiers, which live encrypted."""
    return tuple(item for instrument in instruments for item in instrument.items if not item.identifying)


def columns(instruments):
    """Name to field, for the items and the derived values of some instruments, in order."""
    fields = {item.name: field_for(item) for item in stored_items(instruments)}
    fields |= {derived.name: generated_for(derived) for instrument in instruments for derived in instrument.derived}
    return fields


def among(name, codes):
    """SQL condition that a column, where it has a value, has one of some codes.

    PostgreSQL reads the constraints of a table anew for each statement that writes it: a list it makes an array of each
    time, and casts text by text; one constant it takes as it is.
    """
    listed = ",".join(map(str, codes))
    kind = "smallint" if all(isinstance(code, int) for code in codes) else "text"
    template = f"%(expressions)s = ANY ('{{{listed}}}'::{kind}[])"
    return models.Func(F(name), template=template, output_field=models.BooleanField())


def value_constraint(prefix, item):
    """What one item accepts, as a check constraint; None where its type says it all."""
    name = item.name
    if item.kind == "levels":
        accepted = Q(**{f"{name}__gte": 1, f"{name}__lt": 1 << len(levels.LEVELS)})
    elif item.choices:
        accepted = among(name, item.codes)
    elif item.kind == "date":
        accepted = Q(**{f"{name}__gte": EARLIEST})
    elif item.minimum is not None or item.maximum is not None:
        accepted = Q()
        if item.minimum is not None:
            accepted &= Q(**{f"{name}__gte": item.minimum})
        if item.maximum is not None:
            accepted &= Q(**{f"{name}__lte": item.maximum})
    else:
        return None
    return models.CheckConstraint(condition=accepted, name=f"{prefix}_{name}_accepted")


def check_constraints(prefix, checks, items):
    """The declared hard checks between columns of one row; those on an encrypted identifier are the services' alone."""
    names = {item.name for item in items}
    return [
        models.CheckConstraint(condition=_condition(check), name=f"{prefix}_{check.name}")
        for check in checks
        if names.issuperset(check.items)
    ]


def _condition(check):
    match check:
        case DateOrder():  # an unknown date makes a comparison unknown, which passes
            return Q(**{f"{check.later}__{'gt' if check.strict else 'gte'}": F(check.earlier)})
        case OnlyWith():
            with_it = Q(**{f"{check.other}__isnull": False, check.other: check.value})
            return Q(**{f"{check.item}__isnull": True}) | with_it
    raise TypeError(f"no constraint for {type(check).__name__}")


def missing_constraints(prefix, items, name="value_or_reason"):
    """No item has both a value and a reason for having none."""
    names = [item.name for item in items]
    return [
        models.CheckConstraint(
            condition=reduce(
                lambda left, right: left & right,
                (Q(**{f"{name}__isnull": True}) | ~Q(missing__has_key=name) for name in names),
            ),
            name=f"{prefix}_{name}",
        ),
    ]


def complete_constraint(prefix, items, state="state", asked_by="asked_by"):
    """A form that is not a draft has a value or a reason for each required item.

    What a version of the protocol asks, the trigger `complete_as_asked` looks after.
    """
    answered = reduce(
        lambda left, right: left & right,
        (Q(**{f"{item.name}__isnull": False}) | Q(missing__has_key=item.name) for item in items if item.required),
    )
    return models.CheckConstraint(
        condition=Q(**{state: "draft"}) | Q(**{f"{asked_by}__isnull": False}) | answered, name=f"{prefix}_complete"
    )
