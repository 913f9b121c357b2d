"""Fields, JSON schemas and filters from the instruments' declarations: the one place that says it."""

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.timezone import is_aware
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from registry.instruments import catalogue
from registry.instruments.base import MISSING_REASONS, Bands, InvalidValue, Item, Label
from registry.protocol.calculated import calculated


def _types(kind, nullable):
    return [kind, "null"] if nullable else kind


def choices_in_words(choices):
    return "; ".join(f"{choice.code}: {choice.label.en}" for choice in choices)


def item_schema(item, *, nullable=True):
    """The JSON schema (OpenAPI 3.1) of an item's value."""
    schema = {"title": item.label.en, "description": _description(item)}
    if item.takes_several:
        member = {"type": "string", "enum": list(item.codes)}
        return schema | {"type": _types("array", nullable), "items": member, "uniqueItems": True}
    if item.choices:
        codes = list(item.codes)
        kind = "integer" if isinstance(codes[0], int) else "string"
        return schema | {"type": _types(kind, nullable), "enum": [*codes, None] if nullable else codes}
    if item.kind == "integer":
        limits = {"minimum": item.minimum, "maximum": item.maximum}
        return schema | {"type": _types("integer", nullable)} | {k: v for k, v in limits.items() if v is not None}
    if item.kind == "decimal":
        limits = {"minimum": item.minimum, "maximum": item.maximum, "multipleOf": 1 / 10**item.places}
        return schema | {"type": _types("number", nullable)} | {k: float(v) for k, v in limits.items() if v is not None}
    if item.kind == "date":
        return schema | {"type": _types("string", nullable), "format": "date"}
    if item.kind in _PATTERNS:
        return schema | {"type": _types("string", nullable), "pattern": _PATTERNS[item.kind]}
    return schema | {"type": _types("string", nullable), "maxLength": item.max_length}


_PATTERNS = {"partial_date": r"^\d{4}(-\d{2}(-\d{2})?)?$", "time": r"^\d{2}:\d{2}$"}


def _description(item):
    parts = [
        item.label.en + (f", in {item.unit}" if item.unit else ""),
        item.hint.en.rstrip(".") if item.hint else "",
        choices_in_words(item.choices) if item.choices and not item.takes_several else "",
        "A direct identifier" if item.identifying else "",
    ]
    return ". ".join(filter(None, parts)) + "."


def derived_schema(derived):
    """The JSON schema of a derived value."""
    schema = {"title": derived.label.en, "description": f"{derived.label.en}, computed.", "readOnly": True}
    if getattr(derived, "formula", ""):
        kinds = {"number": "number", "boolean": "integer"}
        return schema | {"type": [kinds.get(derived.kind, "string"), "null"]}
    if isinstance(derived, Bands):
        return schema | {"type": ["string", "null"], "enum": [*(choice.code for choice in derived.choices), None]}
    limits = {"minimum": derived.minimum, "maximum": derived.maximum}
    return schema | {"type": ["integer", "null"]} | {k: v for k, v in limits.items() if v is not None}


AS_STORED = frozenset({type(None), bool, float, int, str})  # what most values are, which JSON holds as they are


def as_json(value):
    """A stored value as JSON holds it."""
    if type(value) in AS_STORED:
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if isinstance(value, Decimal):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def own_shown(row, *forms):
    """What a record holds of the study's own instruments of `forms`: items, and what is calculated of them."""
    current = catalogue.current()
    return own_shown_of(row, [instrument for form in forms for instrument in current.own.get(form, ())])


def own_shown_of(row, instruments):
    """What a record holds of some own instruments: items, and what is calculated of them."""
    shown = {}
    for instrument in instruments:
        values = {item.name: getattr(row, item.name, None) for item in instrument.items} | calculated(instrument, row)
        shown |= {name: as_json(value) for name, value in values.items()}
    return shown


def names_shown(of, *forms):
    """Names of all fields that the serializer class `of` and the study's own instruments of `forms` show."""
    current = catalogue.current()
    own = [instrument for form in forms for instrument in current.own.get(form, ())]
    return {*_made(of).fields, *(name for instrument in own for name in instrument.part_names)}


class Declared(serializers.Field):
    """One value with the schema that its declaration gives; shown as stored, dates as ISO 8601."""

    def __init__(self, schema, **options):
        self.schema = schema
        super().__init__(required=False, **options)

    def to_representation(self, value):
        return as_json(value)


class DeclaredSchema(OpenApiSerializerFieldExtension):
    target_class = Declared

    def map_serializer_field(self, auto_schema, direction):
        return dict(self.target.schema)


MISSING_SCHEMA = {
    "type": "object",
    "description": "Why a value is missing: name of the field to the reason.",
    "additionalProperties": {"type": "string", "enum": list(MISSING_REASONS)},
}


def whole(name, label, **more):
    """A declared field of a request that belongs to no instrument."""
    return Item(name=name, label=Label(label, more.pop("ja", label)), kind="text", required=False, **more)


def serializer(name, fields, description=""):
    """A serializer class with these fields (name to Field), called `name` in the schema."""
    return type(name, (serializers.Serializer,), {**fields, "__doc__": description or None, "__module__": __name__})


@cache
def _made(of):
    return of()


def represent(of, row):
    """What the serializer class `of` shows of a row. Its fields are made once for all rows: they hold no state."""
    return _made(of).to_representation(row)


@cache
def _shown_by(of):
    fields = _made(of).fields.values()
    return [(field.field_name, attrgetter(field.source), _shows(field)) for field in fields]


def _shows(field):
    """The function by which a field shows a value; what is declared needs no field for it."""
    return as_json if type(field) is Declared else field.to_representation


def represent_record(of, row):
    """The same of a stored record, which has every value: without asking of each field where it is to be looked for."""
    values = ((name, read(row), show) for name, read, show in _shown_by(of))
    return {name: None if value is None else show(value) for name, value, show in values}


def shown_fields(items, derived=(), **sources):
    """Fields that show items and derived values; `sources` maps a name to the attribute that holds it."""
    pairs = [(item.name, item_schema(item)) for item in items] + [
        (value.name, derived_schema(value)) for value in derived
    ]
    return {name: Declared(schema, **_source(name, sources)) for name, schema in pairs}


def _source(name, sources):
    return {"source": sources[name]} if name in sources else {}


# Filters


class BadFilter(ValueError):
    """Why a filter's text is not understood, as a Label or text at `reason`."""

    def __init__(self, reason):
        self.reason = reason
        super().__init__(str(reason))


@dataclass(frozen=True)
class Filter:
    """One parameter of a list: which lookup of the query it becomes. `read` turns its text into the lookup's value."""

    name: str
    lookup: str
    schema: dict
    description: str
    read: Any

    def parameter(self):
        return OpenApiParameter(self.name, self.schema, OpenApiParameter.QUERY, description=self.description)


def filters_of(items):
    """Filters for items: codes by one or several of them, numbers and dates by their limits. Identifiers have none."""
    for item in items:
        if item.identifying or item.kind in ("levels", "text", "codes", "partial_date", "time"):
            continue
        if item.choices:
            description = (
                f"{capfirst(item.label.en)}: one or several codes with commas. {choices_in_words(item.choices)}"
            )
            schema = {"type": "string", "examples": [",".join(str(code) for code in item.codes[:2])]}
            yield Filter(item.name, f"{item.name}__in", schema, description, _codes(item))
        else:
            low, high = ("from", "until") if item.kind == "date" else ("min", "max")
            schema = {k: v for k, v in item_schema(item, nullable=False).items() if k in ("type", "format")}
            for end, lookup in ((low, "gte"), (high, "lte")):
                description = f"{capfirst(item.label.en)}, {'at least' if lookup == 'gte' else 'at most'} (inclusive)."
                yield Filter(f"{item.name}_{end}", f"{item.name}__{lookup}", schema, description, _limit(item))


def _codes(item):
    def read(text):
        values = [_cleaned(item, part, today=None) for part in text.split(",")]
        if None in values:
            raise BadFilter(Label("needs a code", "コードを指定してください"))
        return values

    return read


def _limit(item):
    bare = Item(name=item.name, label=item.label, kind=item.kind, not_future=False)

    def read(text):
        value = _cleaned(bare, text, today=None)
        if value is None:
            raise BadFilter(Label("needs a value", "値を指定してください"))
        # Beyond what a column holds, every limit means the same.
        return max(min(value, 32_767), -32_768) if isinstance(value, int) else value

    return read


def _cleaned(item, text, today):
    try:
        return item.clean(text, today=today)
    except InvalidValue as error:
        raise BadFilter(error.reason) from error


def text_filter(name, lookup, description, pattern):
    """A filter by one or several texts of a shape that a regular expression says, which takes no comma."""
    import re

    def read(text):
        parts = text.split(",")
        if not all(re.fullmatch(pattern, part) for part in parts):
            raise BadFilter(Label("must match {pattern}", "{pattern} に一致させてください").format(pattern=pattern))
        return parts

    schema = {"type": "string", "pattern": f"^{pattern}(,{pattern})*$"}
    return Filter(name, f"{lookup}__in", schema, f"{description} Several with commas.", read)


def only_code(text, codes):
    """`text`, which must be one of these codes."""
    if text not in codes:
        raise BadFilter(
            Label(
                f"must be from {', '.join(codes)}; got “{text[:40]}”",
                f"{', '.join(codes)} から指定してください（入力値「{text[:40]}」）",
            )
        )
    return text


def code_filter(name, lookup, codes, description):
    """A filter by one or several of these codes."""
    codes = tuple(str(code) for code in codes)

    def read(text):
        return [only_code(part, codes) for part in text.split(",")]

    return Filter(name, f"{lookup}__in", {"type": "string", "examples": [",".join(codes[:2])]}, description, read)


def _moment(text):
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or not is_aware(moment) or not 1900 < moment.year < 9000:
        raise BadFilter(
            Label(
                "must be a moment with its time zone, such as 2026-03-01T00:00:00Z",
                "2026-03-01T00:00:00Z のように時間帯つきの日時で指定してください",
            )
        )
    return moment


def moment_filter(name, column, description):
    """A filter by what happened at a moment or later."""
    return Filter(name, f"{column}__gte", {"type": "string", "format": "date-time"}, description, _moment)


UPDATED_SINCE = moment_filter("updated_since", "updated_at", "Stored or changed at that moment or later.")
