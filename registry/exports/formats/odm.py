"""CDISC ODM-XML 1.3.2: the metadata of what is exported, then each patient, written as they are read.

A study event for the patient's own forms, one for each timepoint, one for each adverse event, one for the end of
follow-up, one for each record of a repeating form of the study's own; a form and an item group for each instrument; an
item for each column. A missing value is an item that is null, with its reason as a flag.
"""

from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings
from django.db import connection
from django.utils import timezone

from registry.analysis.running.versions import product_version
from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, Choice, Label
from registry.instruments.core import follow_up_end
from registry.instruments.keys import TIMEPOINT
from registry.instruments.timepoints import unscheduled_number
from registry.services.files.file_formats import FOLLOW_UP_ENDS, OWN

STUDY, VERSION = "ST.METASPINE", "MDV.1"
PATIENT_EVENT, ADVERSE_EVENT, FOLLOW_UP_END = "SE.patient", "SE.adverse_event", "SE.follow_up_end"
VISIT = "visit"  # the form that holds when an assessment took place, which belongs to no instrument
KEYS = ("patient_id", "site_code", "timepoint", "record")  # these name a row: they are not items
MISSING_LIST = "CL.missing"
ENDS = FOLLOW_UP_ENDS.name  # not there in the oldest snapshots
DATA_TYPES = {"integer": "integer", "number": "float", "code": "text", "date": "date", "text": "text"}
OF_KINDS = {"partial_date": "partialDate", "time": "partialTime"}  # by kind of item, where ODM knows more than ours
EVERY = 500  # patients between two signs of progress


def odm(archive, part):
    """The file `metaspine.odm.xml` of the archive, as UTF-8."""
    tables = {dataset.name: _Table(dataset, written, sql) for dataset, written, sql in part.tables}
    with archive.entry(f"{part.folder}metaspine.odm.xml", table="all") as stream:
        stream.write(_head(part.sites, tables).encode())
        counts = _clinical_data(stream, tables, part.tick)
        stream.write(b"</ClinicalData></ODM>\n")
    return counts


class _Table:
    """A dataset's items by form, each with the column of its reasons where it has one."""

    def __init__(self, dataset, written, sql):
        self.dataset, self.sql = dataset, sql
        self.places = {variable.name: place for place, variable in enumerate(written)}
        reasons = {variable.reason_for: place for place, variable in enumerate(written) if variable.reason_for}
        self.items = [variable for variable in written if not variable.reason_for and variable.name not in KEYS]
        self.forms = {}
        for variable in self.items:
            form = variable.variable.instrument.code if variable.variable.instrument else VISIT
            self.forms.setdefault(form, []).append((variable, self.places[variable.name], reasons.get(variable.name)))

    def rows(self):
        with connection.chunked_cursor() as cursor:
            cursor.execute(self.sql)
            yield from cursor


# Metadata


def _head(sites, tables):
    now = timezone.localtime()
    made_at = now.isoformat(timespec="seconds")
    synthetic = ' Description="SYNTHETIC DATA: these patients do not exist"' if settings.SYNTHETIC else ""
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" Granularity="All" ',
            f'FileOID="metaspine.{now:%Y%m%d%H%M%S}" CreationDateTime="{made_at}" AsOfDateTime="{made_at}" ',
            f'SourceSystem="Metaspine" SourceSystemVersion="{product_version()}"{synthetic}>\n',
            _study(tables),
            _locations(sites),
            f'<ClinicalData StudyOID="{STUDY}" MetaDataVersionOID="{VERSION}">\n',
        )
    )


def _study(tables):
    items = [item for table in tables.values() for item in table.items]
    units = sorted({item.variable.unit for item in items if item.variable.unit})
    return "".join(
        (
            f'<Study OID="{STUDY}"><GlobalVariables><StudyName>Metaspine</StudyName>',
            "<StudyDescription>Registry of surgery for spinal metastases</StudyDescription>",
            "<ProtocolName>Metaspine</ProtocolName></GlobalVariables>\n",
            _units(units),
            f'<MetaDataVersion OID="{VERSION}" Name="Metaspine {product_version()}">\n',
            _protocol(tables),
            *_events(tables),
            *_forms(tables),
            *_item_groups(tables),
            *(_item_def(item) for item in items),
            *(_code_list(f"CL.{item.name}", item.label, item.choices) for item in items if item.choices),
            _code_list(MISSING_LIST, Label("Reasons for missing values", "欠測理由"), _REASONS),
            "</MetaDataVersion></Study>\n",
        )
    )


_REASONS = tuple(Choice(code, label) for code, label in MISSING_LABELS.items())


def _units(units):
    if not units:
        return ""
    definitions = (
        f'<MeasurementUnit OID="MU.{unit}" Name="{unit}"><Symbol>{_said(unit)}</Symbol></MeasurementUnit>'
        for unit in units
    )
    return f"<BasicDefinitions>{''.join(definitions)}</BasicDefinitions>\n"


def _said(text):
    return f'<TranslatedText xml:lang="en">{escape(text)}</TranslatedText>'


def _both(label):
    return f'{_said(label.en)}<TranslatedText xml:lang="ja">{escape(label.ja)}</TranslatedText>'


def _visits(tables):
    """The timepoints of the assessments, as Choices."""
    return next(
        variable.choices for variable in tables["assessments"].dataset.variables if variable.name == TIMEPOINT.name
    )


def _event_oids(tables):
    ends = [FOLLOW_UP_END] if ENDS in tables else []
    own = [f"SE.{name}" for name in _repeating(tables)]
    return [PATIENT_EVENT, *(f"SE.{visit.code}" for visit in _visits(tables)), ADVERSE_EVENT, *ends, *own]


def _repeating(tables):
    """Names of the tables of repeating forms of the study's own."""
    return [name for name in tables if name.startswith(OWN)]


def _protocol(tables):
    references = (
        f'<StudyEventRef StudyEventOID="{oid}" OrderNumber="{place}" Mandatory="No"/>'
        for place, oid in enumerate(_event_oids(tables), 1)
    )
    return f"<Protocol>{''.join(references)}</Protocol>\n"


def _events(tables):
    yield _event(PATIENT_EVENT, Label("Patient", "患者"), "No", "Common", tables["patients"].forms)
    for visit in _visits(tables):
        kind = "Unscheduled" if unscheduled_number(visit.code) else "Scheduled"
        yield _event(f"SE.{visit.code}", visit.label, "No", kind, tables["assessments"].forms)
    yield _event(
        ADVERSE_EVENT, Label("Adverse event", "有害事象"), "Yes", "Unscheduled", tables["adverse_events"].forms
    )
    if ENDS in tables:
        yield _event(FOLLOW_UP_END, follow_up_end.FOLLOW_UP_END.title, "No", "Common", tables[ENDS].forms)
    for name in _repeating(tables):
        title = tables[name].dataset.variables[1].instrument.title
        yield _event(f"SE.{name}", title, "Yes", "Unscheduled", tables[name].forms)


def _event(oid, label, repeating, kind, forms):
    references = "".join(
        f'<FormRef FormOID="F.{form}" OrderNumber="{place}" Mandatory="No"/>' for place, form in enumerate(forms, 1)
    )
    return (
        f'<StudyEventDef OID="{oid}" Name={quoteattr(label.en)} Repeating="{repeating}" Type="{kind}">'
        f"<Description>{_both(label)}</Description>{references}</StudyEventDef>\n"
    )


def _titles(tables):
    """Form code to title, each form once."""
    titles = {VISIT: Label("Visit", "来院")}
    for table in tables.values():
        for form, items in table.forms.items():
            instrument = items[0][0].variable.instrument
            titles.setdefault(form, instrument.title if instrument else titles[VISIT])
    return titles


def _forms(tables):
    for form, title in _titles(tables).items():
        yield (
            f'<FormDef OID="F.{form}" Name={quoteattr(title.en)} Repeating="No">'
            f"<Description>{_both(title)}</Description>"
            f'<ItemGroupRef ItemGroupOID="IG.{form}" OrderNumber="1" Mandatory="Yes"/></FormDef>\n'
        )


def _item_groups(tables):
    items = {}
    for table in tables.values():
        for form, columns in table.forms.items():
            items.setdefault(form, []).extend(item for item, *_ in columns)
    for form, title in _titles(tables).items():
        references = "".join(
            f'<ItemRef ItemOID="I.{item.name}" OrderNumber="{place}" Mandatory="No"/>'
            for place, item in enumerate(items.get(form, ()), 1)
        )
        yield (
            f'<ItemGroupDef OID="IG.{form}" Name={quoteattr(title.en)} Repeating="No">'
            f"<Description>{_both(title)}</Description>{references}</ItemGroupDef>\n"
        )


def _item_def(item):
    variable = item.variable
    unit = f'<MeasurementUnitRef MeasurementUnitOID="MU.{variable.unit}"/>' if variable.unit else ""
    checks = "" if item.choices else _checks(variable)
    codes = f'<CodeListRef CodeListOID="CL.{item.name}"/>' if item.choices else ""
    return (
        f'<ItemDef OID="I.{item.name}" Name="{item.name}" DataType="{_data_type(item)}"{_length(item)}>'
        f"<Description>{_both(item.label)}</Description>{unit}{checks}{codes}</ItemDef>\n"
    )


def _declared(item):
    """The item that a column shows as it was answered; None for a derived one."""
    try:
        return catalogue.item(item.variable.of)
    except KeyError:
        return None


def _data_type(item):
    declared = _declared(item)
    return OF_KINDS.get(declared.kind if declared else "") or DATA_TYPES[item.kind]


def _length(item):
    declared = _declared(item)
    if declared and declared.kind in OF_KINDS:
        return ""
    if item.kind == "text":
        return f' Length="{max(declared.max_length if declared else 0, 200)}"'
    if item.kind == "code":
        return f' Length="{max(len(str(choice.code)) for choice in item.choices)}"'
    return ' Length="20" SignificantDigits="17"' if item.kind == "number" else ""


def _checks(variable):
    bounds = (("GE", variable.minimum), ("LE", variable.maximum))
    return "".join(
        f'<RangeCheck Comparator="{comparator}" SoftHard="Hard"><CheckValue>{value}</CheckValue></RangeCheck>'
        for comparator, value in bounds
        if value is not None
    )


def _code_list(oid, label, choices):
    kind = "integer" if choices and isinstance(choices[0].code, int) else "text"
    items = "".join(
        f"<CodeListItem CodedValue={quoteattr(str(choice.code))}><Decode>{_both(choice.label)}</Decode></CodeListItem>"
        for choice in choices
    )
    return f'<CodeList OID="{oid}" Name={quoteattr(label.en)} DataType="{kind}">{items}</CodeList>\n'


def _locations(sites):
    today = timezone.localdate()
    sites = "".join(
        f'<Location OID="L.{code}" Name="{code}" LocationType="Site"><MetaDataVersionRef StudyOID="{STUDY}" '
        f'MetaDataVersionOID="{VERSION}" EffectiveDate="{today}"/></Location>'
        for code in sites.values()
    )
    return f'<AdminData StudyOID="{STUDY}">{sites}</AdminData>\n'


# Data


def _clinical_data(stream, tables, tick):
    """A cursor for each table side by side, each ordered by patient: nothing is kept but the patient being written."""
    patients, assessments, events = (tables[name] for name in ("patients", "assessments", "adverse_events"))
    of_visits, of_events = _ByPatient(assessments), _ByPatient(events)
    of_ends = _ByPatient(tables[ENDS]) if ENDS in tables else None
    of_own = {name: _ByPatient(tables[name]) for name in _repeating(tables)}
    counts = dict.fromkeys(tables, 0)
    for row in patients.rows():
        patient_id, site = row[patients.places["patient_id"]], row[patients.places["site_code"]]
        visits, adverse = of_visits.of(patient_id), of_events.of(patient_id)
        parts = [f'<SubjectData SubjectKey="{patient_id}"><SiteRef LocationOID="L.{site}"/>']
        parts.append(_event_data(PATIENT_EVENT, "", patients, row))
        for visit in visits:
            parts.append(_event_data(f"SE.{visit[assessments.places['timepoint']]}", "", assessments, visit))
        for number, event in enumerate(adverse, 1):
            parts.append(_event_data(ADVERSE_EVENT, f' StudyEventRepeatKey="{number}"', events, event))
        ends = of_ends.of(patient_id) if of_ends else []
        parts += [_event_data(FOLLOW_UP_END, "", tables[ENDS], end) for end in ends]
        for name, rows in of_own.items():
            own = rows.of(patient_id)
            parts += _own_data(name, tables[name], own)
            counts[name] += len(own)
        parts.append("</SubjectData>\n")
        stream.write("".join(parts).encode())
        counts["patients"] += 1
        counts["assessments"] += len(visits)
        counts["adverse_events"] += len(adverse)
        if ends:
            counts[ENDS] += len(ends)
        if counts["patients"] % EVERY == 0:
            tick(sum(counts.values()))
    return counts


def _own_data(name, table, rows):
    """The records of a repeating form of a patient, each known by its number."""
    place = table.places["record"]
    return [_event_data(f"SE.{name}", f' StudyEventRepeatKey="{row[place]}"', table, row) for row in rows]


class _ByPatient:
    """The rows of a table by patient, asked for in the order of the patients."""

    def __init__(self, table):
        place = table.places["patient_id"]
        self.groups = groupby(table.rows(), key=lambda row: row[place])
        self.next = self._taken()

    def _taken(self):
        rows = next(self.groups, None)
        return rows and (rows[0], list(rows[1]))

    def of(self, patient_id):
        if self.next is None or self.next[0] != patient_id:
            return []
        rows, self.next = self.next[1], self._taken()
        return rows


def _event_data(oid, repeat, table, row):
    forms = "".join(
        f'<FormData FormOID="F.{form}"><ItemGroupData ItemGroupOID="IG.{form}">{items}</ItemGroupData></FormData>'
        for form, columns in table.forms.items()
        if (
            items := "".join(
                _item_data(item, row[place], row[why] if why is not None else None) for item, place, why in columns
            )
        )
    )
    return f'<StudyEventData StudyEventOID="{oid}"{repeat}>{forms}</StudyEventData>'


def _item_data(item, value, reason):
    if value is not None:
        text = repr(value) if isinstance(value, float) else str(value)
        return f'<ItemData ItemOID="I.{item.name}" Value={quoteattr(text)}/>'
    if reason is None:
        return ""
    flag = f'<Flag><FlagValue CodeListOID="{MISSING_LIST}">{reason}</FlagValue></Flag>'
    return f'<ItemData ItemOID="I.{item.name}" IsNull="Yes"><Annotation SeqNum="1">{flag}</Annotation></ItemData>'
