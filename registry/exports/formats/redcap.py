"""REDCap project: data to import, data dictionary, events, instruments of each event, repeating instruments, groups.

A patient is a record with an event for the patient's own forms and one for each timepoint; adverse events and repeating
forms of the study's own are repeating instruments; a site is a data access group. A list is a tick box for each choice.
Why a value lacks stands in its place, as REDCap's missing data codes do (`reason___code` of tick boxes). What REDCap
calculates itself, as blanks make it do here (a total of all items or none), is in the dictionary and not in the data.
"""

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from registry.exports.formats import dictionary
from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, Label
from registry.instruments.keys import PATIENT_ID, SITE_CODE, TIMEPOINT
from registry.protocol.redcap import tick_column
from registry.services.files.file_formats import ADVERSE_EVENTS, OWN, RECORD

# These name a row: REDCap has columns of its own for them.
KEYS = (PATIENT_ID.name, SITE_CODE.name, TIMEPOINT.name, RECORD)
ENROLMENT, VISIT = "enrolment", "visit"
ROW = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group")
LONGEST_EVENT = 18  # characters of an event's name in its unique name
COMPLETE, INCOMPLETE = "2", "0"
MOST_DP = 4  # decimals of REDCap's validations; a number with more is `number`, which shows what was typed
EVERY = 2_000  # rows between two signs of progress

README = """How to make a REDCap project of these files
1. New project; Project Setup: use longitudinal data collection. Additional customizations, Missing Data Codes:
{codes}
2. Designer: upload dictionary.csv.
3. Define My Events: upload arms.csv and events.csv. Designate Instruments: upload event_instruments.csv.
4. Repeating instruments: as in repeating_instruments.csv. Data Access Groups: upload groups.csv.
5. Data Import Tool: import data.csv (dates YYYY-MM-DD, blank values ignored).
6. Data Quality, rule H: REDCap calculates the totals.
"""


@dataclass(frozen=True)
class _Field:
    """One column of a table: its places in a row of the query, and the columns of data.csv that it fills."""

    output: object
    form: str
    place: int
    reason: int | None
    codes: tuple  # of a list, whose choices are columns

    @property
    def columns(self):
        if not self.codes:
            return (self.output.name,)
        return tuple(tick_column(self.output.name, code) for code in (*self.codes, *self._reasons))

    @property
    def _reasons(self):
        return tuple(MISSING_LABELS) if self.reason is not None else ()

    def cells(self, row):
        """The cells of one row, and whether it says anything: a value, or why there is none."""
        value, reason = row[self.place], row[self.reason] if self.reason is not None else None
        if not self.codes:
            text = reason or "" if value is None else _text(value)
            return [text], bool(text)
        chosen = set() if value is None else set(str(value).split(";"))
        ticks = [str(int(str(code) in chosen)) for code in self.codes]
        return ticks + [str(int(code == reason)) for code in self._reasons], bool(chosen or reason)


def _text(value):
    """A value as REDCap has it: of decimals as many as there are, or as `number_2dp` shows."""
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return text.rstrip("0").rstrip(".") if isinstance(value, Decimal) and -value.as_tuple().exponent > MOST_DP else text


class _Table:
    """A dataset: which forms it has, and which event a row is of."""

    def __init__(self, dataset, written, sql):
        self.name, self.sql = dataset.name, sql
        self.places = {output.name: place for place, output in enumerate(written)}
        reasons = {output.reason_for: place for place, output in enumerate(written) if output.reason_for}
        self.fields, self.calculated = [], []
        for output in written:
            if output.reason_for or output.name in KEYS:
                continue
            instrument = output.variable.instrument
            form = instrument.code if instrument else VISIT if self.name == "assessments" else ENROLMENT
            if dictionary.formula_of(output.variable):
                self.calculated.append((output, form))
                continue
            item = _item_of(output)
            codes = item.codes if item and item.takes_several else ()
            place, why = self.places[output.name], reasons.get(output.name)
            self.fields.append(_Field(output, form, place, why, codes))
        self.choices = next((output.variable.choices for output in written if output.name == TIMEPOINT.name), ())

    @property
    def forms(self):
        """Codes of its forms, in order."""
        return list(dict.fromkeys(form for _, form in self.lines))

    @property
    def lines(self):
        """(Output, form) of everything that the dictionary has, form after form."""
        every = [(field.output, field.form) for field in self.fields] + self.calculated
        forms = list(dict.fromkeys(form for _, form in every))
        return sorted(every, key=lambda line: forms.index(line[1]))

    @property
    def repeats(self):
        return self.name == ADVERSE_EVENTS.name or self.name.startswith(OWN)


def _item_of(output):
    try:
        item = catalogue.item(output.variable.of)
    except KeyError:
        return None
    return item if (output.kind == "date") == (item.kind == "date") else None  # a date may leave as days


def project(archive, part):
    """The files of a project in the archive; returns {name of a dataset: rows}."""
    tables = [_Table(dataset, written, sql) for dataset, written, sql in part.tables]
    events = _Events(tables, part.choices.language)
    folder = part.folder
    archive.add(f"{folder}dictionary.csv", _csv(_dictionary(tables, events, part.choices.language)))
    archive.add(f"{folder}arms.csv", _csv([("arm_num", "name"), (1, "Arm 1")]))
    archive.add(f"{folder}events.csv", _csv(events.rows))
    archive.add(f"{folder}event_instruments.csv", _csv(events.instruments))
    archive.add(f"{folder}repeating_instruments.csv", _csv(events.repeating))
    groups = [(code, code.lower()) for code in part.sites.values()]
    archive.add(f"{folder}groups.csv", _csv([("data_access_group_name", "unique_group_name"), *groups]))
    codes = "\n".join(
        f"   {code}, {label.in_language(part.choices.language)}" for code, label in MISSING_LABELS.items()
    )
    archive.add(f"{folder}HOW_TO_IMPORT.txt", f"{part.note}\n\n{README.format(codes=codes)}".encode())
    with archive.entry(f"{folder}data.csv", table="all") as stream:
        return _Data(stream, tables, events, part.tick).write()


class _Events:
    """The events: `of_patient`, and the unique name of each timepoint's."""

    def __init__(self, tables, language):
        visits = next((table.choices for table in tables if table.name == "assessments"), ())
        labels = [(None, Label("Patient", "患者")), *((visit.code, visit.label) for visit in visits)]
        self.unique, taken = {}, set()
        for code, label in labels:
            self.unique[code] = _unique(label.en, taken)
        self.rows = [("event_name", "arm_num", "unique_event_name", "custom_event_label")]
        # The unique name follows from the English one.
        self.rows += [(label.en, 1, self.unique[code], _beside(label, language)) for code, label in labels]
        self.instruments = [("arm_num", "unique_event_name", "form")]
        self.repeating = [("event_name", "form_name", "custom_form_label")]
        self.forms_of_patient = set()
        for table in tables:
            visited = [code for code, _ in labels[1:]] if table.name == "assessments" else [None]
            self.instruments += [(1, self.unique[code], form) for code in visited for form in table.forms]
            if table.repeats:
                self.repeating += [(self.of_patient, form, "") for form in table.forms]
            if table.name != "assessments":
                self.forms_of_patient.update(table.forms)

    @property
    def of_patient(self):
        return self.unique[None]


def _beside(label, language):
    return "" if language == "en" else label.in_language(language)


def _unique(name, taken):
    """The unique name that REDCap gives an event of arm 1."""
    plain = re.sub(r"[^a-z0-9 ]", "", name.lower()).strip().replace(" ", "_")[:LONGEST_EVENT]
    unique, letter = f"{plain}_arm_1", ord("a")
    while unique in taken:
        unique, letter = f"{plain}_arm_1{chr(letter)}", letter + 1
    taken.add(unique)
    return unique


def _dictionary(tables, events, language):
    record = catalogue.item(PATIENT_ID.name)
    yield dictionary.HEADER
    yield dictionary.line_of(record, ENROLMENT, language, {})
    of_patient = {
        output.name: f"{events.of_patient}][{output.name}"
        for table in tables
        if table.name != "assessments"
        for output, _ in table.lines
    }
    for table in tables:
        elsewhere = of_patient if table.name == "assessments" else {}
        for output, form in table.lines:
            item = _item_of(output)
            if item is not None:
                yield dictionary.line_of(item, form, language, elsewhere)
            else:
                yield dictionary.derived_line(output, form, language)


def _csv(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


class _Data:
    """data.csv: every table's rows under one header."""

    def __init__(self, stream, tables, events, tick):
        self.stream, self.tables, self.events, self.tick = stream, tables, events, tick
        self.header = [PATIENT_ID.name, *ROW]
        self.place_of, self.status_of = {}, {}
        for table in tables:
            for form in table.forms:
                for field in (field for field in table.fields if field.form == form):
                    self.place_of[field] = len(self.header)
                    self.header += field.columns
                self.status_of[table.name, form] = len(self.header)
                self.header.append(f"{form}_complete")

    def write(self):
        self.stream.write(_csv([self.header]))
        counts, self.sites, self.done = {}, {}, 0
        for table in self.tables:
            counts[table.name] = self._table(table)
        return counts

    def _table(self, table):
        rows, numbers, batch = 0, {}, []
        with connection.chunked_cursor() as cursor:
            cursor.execute(table.sql)
            for row in cursor:
                batch.append(self._row(table, row, numbers))
                rows += 1
                if len(batch) == EVERY:
                    self._send(batch)
        self._send(batch)
        return rows

    def _send(self, batch):
        self.stream.write(_csv(batch))
        self.done += len(batch)
        self.tick(self.done)
        batch.clear()

    def _row(self, table, row, numbers):
        cells = [""] * len(self.header)
        patient = row[table.places[PATIENT_ID.name]]
        if SITE_CODE.name in table.places:
            self.sites[patient] = row[table.places[SITE_CODE.name]].lower()
        event = self.events.unique[row[table.places[TIMEPOINT.name]] if TIMEPOINT.name in table.places else None]
        cells[:2] = patient, event
        cells[4] = self.sites.get(patient, "")
        if table.repeats:
            numbers[patient] = numbers.get(patient, 0) + 1
            cells[2:4] = table.forms[0], str(numbers[patient])
        said = {}
        for field in table.fields:
            place = self.place_of[field]
            texts, says = field.cells(row)
            cells[place : place + len(texts)] = texts
            said.setdefault(field.form, []).append(says or not _needed(field))
        for form, every in said.items():
            cells[self.status_of[table.name, form]] = COMPLETE if all(every) else INCOMPLETE
        return cells


def _needed(field):
    item = _item_of(field.output)
    return item is not None and item.required and not item.show_if
