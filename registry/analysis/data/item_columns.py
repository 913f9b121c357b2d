"""Columns of anything that is declared, read only where a plan or a cohort names it.

A name says what is read, and of which record:

    =kps@1w              the value of an item or derived value of the visit; without “@”, of the patient
    =symptoms:pain       one code of an item with several: 1 where it is among them
    ?kps@1w              why there is no value: a place in REASONS
    =assessment_date@1w  the day of the visit
    !{"of": "events", …} what a patient's events or repeating forms tell together (`gathered`)

Own items are those of the protocol as it is now (`catalogue.current`). KeyError for what nobody declared.
"""

import json
import math
import re

from registry.analysis.data.columns import EPOCH, NO_NUMBER, Column
from registry.instruments import catalogue
from registry.instruments.base import MISSING_REASONS, Bands, Total
from registry.instruments.core import adverse_events
from registry.protocol import sql
from registry.protocol.definitions import Calculated

VALUE, REASON, GATHERED = "=", "?", "!"
MARKS = (VALUE, REASON, GATHERED)
REASONS = MISSING_REASONS
VISIT = re.compile(r"[a-z0-9]{1,8}")
# What is of a record though no instrument asks it.
OF_ROWS = {"patient": {"age_at_surgery": "number"}, "visit": {"assessment_date": "date"}}
GRADES = tuple(choice.code for choice in adverse_events.CLAVIEN_DINDO)


def value(item, visit="", code=""):
    """The name of the column of an item's values."""
    return f"{VALUE}{item}{':' if code else ''}{code}{'@' if visit else ''}{visit}"


def reason(item, visit=""):
    """The name of the column that says why an item has no value."""
    return f"{REASON}{item}{'@' if visit else ''}{visit}"


def gathered(**spec):
    """The name of a column that is gathered from several rows of a patient.

    of      `events`: kinds (codes, all where empty), grade (the least; "" for any), first, last (days from surgery,
            inclusive, or None); `repeat`: form, item
    give    `count`, `day` (days from surgery to the first), and of a repeating form's item `first`, `last` (by `dated`,
            an item of the form), `sum`, `least`, `most`
    """
    return GATHERED + json.dumps(spec, sort_keys=True, separators=(",", ":"))


def item_of(name):
    """The item that a column's name speaks of; "" for a gathered one."""
    return "" if name[0] == GATHERED else name[1:].partition("@")[0].partition(":")[0]


def column(name):
    """The Column of a name that begins with one of MARKS. KeyError for one that nobody declared."""
    if name[0] == GATHERED:
        return _gathered(name, json.loads(name[1:]))
    asked, _, visit = name[1:].partition("@")
    if visit and not VISIT.fullmatch(visit):
        raise KeyError(name)
    item, _, code = asked.partition(":")
    record, alias = ("visit", "a") if visit else ("patient", "p")
    if item in OF_ROWS[record]:
        return _number_or_day(name, f"{alias}.{item}", OF_ROWS[record][item])
    part = parts_of(record).get(item)
    if part is None:
        raise KeyError(name)
    if name[0] == REASON:
        return Column(name, f"{alias}.missing ->> '{item}'", codes=REASONS)
    return _of_part(name, part, alias, code)


def parts_of(record):
    """Name to Item or derived value of all that is asked of a `patient` or at a `visit`, identifiers left out."""
    known = catalogue.current()
    instruments = known.of_patient if record == "patient" else known.of_assessment
    return {
        part.name: part
        for instrument in instruments
        for part in (*instrument.items, *instrument.derived)
        if not getattr(part, "identifying", False)
    }


def _of_part(name, part, alias, code=""):
    stored = f"{alias}.{part.name}"
    if isinstance(part, Calculated):
        return _calculated(name, part, alias)
    if isinstance(part, Bands):
        return Column(name, f"{stored}::text", codes=tuple(choice.code for choice in part.choices))
    if isinstance(part, Total):
        return _number_or_day(name, stored, "number")
    return _of_item(name, part, stored, code)


def _of_item(name, item, stored, code):
    if item.kind == "codes":
        if code not in item.codes:
            raise KeyError(name)
        has = f"{sql.quoted(code)} = ANY (string_to_array({stored}, ';'))"
        return Column(name, f"CASE WHEN {has} THEN 1 WHEN {stored} IS NOT NULL THEN 0 END")
    if getattr(item, "choices", ()) and item.kind != "levels":
        return Column(name, f"{stored}::text", codes=tuple(str(choice.code) for choice in item.choices))
    if item.kind not in _KINDS:
        raise KeyError(name)
    return _number_or_day(name, stored, _KINDS[item.kind])


_KINDS = {"integer": "number", "decimal": "decimal", "date": "date", "partial_date": "partial_date", "time": "time"}
_DAYS = "{}::date - date '" + EPOCH + "'"
_WRITTEN = {
    "number": ("{}", "i4"),
    "decimal": ("({})::float8", "f8"),
    "date": (_DAYS, "i4"),
    "partial_date": ("CASE WHEN length({0}) = 10 THEN " + _DAYS.replace("{}", "{0}") + " END", "i4"),
    "time": ("(extract(epoch from {}) / 60)::int4", "i4"),
}


def _number_or_day(name, stored, kind):
    text, dtype = _WRITTEN[kind]
    return Column(name, text.format(stored), dtype, empty=math.nan if dtype == "f8" else NO_NUMBER)


def _calculated(name, part, alias):
    """A value that the protocol calculates is nowhere stored: PostgreSQL works it out as the browser does."""
    here = parts_of("visit" if alias == "a" else "patient")
    written = sql.expression(part.tree, lambda item: f"{alias if item in here else 'p'}.{item}")
    if part.kind == "boolean":
        return Column(name, f"({written})::int")
    if part.kind == "date":
        return Column(name, f"({written})::int4 - (date '{EPOCH}' - date '1970-01-01')", "i4", empty=NO_NUMBER)
    if part.kind != "number":
        raise KeyError(name)
    return Column(name, f"round(({written})::numeric, {part.places})::float8", "f8", empty=math.nan)


# What several rows of a patient tell together


def _gathered(name, spec):
    if spec["of"] == "events":
        return _of_events(name, spec)
    instrument = next((form for form in catalogue.current().repeats if form.code == spec["form"]), None)
    if instrument is None:
        raise KeyError(name)
    return _of_repeats(name, spec, {part.name: part for part in (*instrument.items, *instrument.derived)})


def _of_events(name, spec):
    asked = [f"e.kind IN ({', '.join(map(sql.quoted, spec['kinds']))})"] if spec.get("kinds") else ["true"]
    if spec.get("grade"):
        grades = GRADES[GRADES.index(spec["grade"]) :]
        asked.append(f"e.clavien_dindo IN ({', '.join(map(sql.quoted, grades))})")
    day = "(e.onset_date - p.surgery_date)"
    if spec.get("first") is not None:
        asked.append(f"{day} >= {int(spec['first'])}")
    if spec.get("last") is not None:
        asked.append(f"{day} <= {int(spec['last'])}")
    chosen = f"FILTER (WHERE {' AND '.join(asked)})"
    if spec["give"] == "day":
        return Column(name, f"min({day}) {chosen}", "i4", empty=NO_NUMBER)
    return Column(name, f"count(*) {chosen}", "i4", empty=0)


def _of_repeats(name, spec, parts):
    chosen = f"FILTER (WHERE e.form = {sql.quoted(spec['form'])}"
    if spec["give"] == "count":
        return Column(name, f"count(*) {chosen})", "i4", empty=0)
    part = parts[spec["item"]]
    part_column = _of_part(name, part, "e", spec.get("code", ""))
    inner = part_column._code_sql
    if spec["give"] == "day":
        return Column(name, f"min(e.{part.name} - p.surgery_date) {chosen})", "i4", empty=NO_NUMBER)
    if spec["give"] in ("first", "last"):
        order = "DESC" if spec["give"] == "last" else "ASC"
        dated = f"e.{parts[spec['dated']].name} {order} NULLS LAST, " if spec.get("dated") else ""
        gathered_sql = f"(array_agg({inner} ORDER BY {dated}e.id {order}) {chosen} AND e.{part.name} IS NOT NULL))[1]"
    else:
        how = {"sum": "sum", "least": "min", "most": "max"}[spec["give"]]
        gathered_sql = f"{how}({inner}) {chosen})"
    return _Gathered(name, gathered_sql, part_column.dtype, part_column.codes, part_column.empty)


class _Gathered(Column):
    """A column whose codes are places already when rows are gathered."""

    @property
    def _code_sql(self):
        return self.sql
