"""CDISC ODM-XML 1.3.2: the metadata of what is exported, then each patient, written as they are read.

A study event for the patient's own forms, one for each timepoint, one for each adverse event, one for the end of
follow-up, one for each record of a repeating form of the study's own; a form and an item group for each instrument; an
item for each column. A missing value is an item that is null, with its reason as a flag.
"""

import re
from itertools import groupby

from django.conf import settings
from django.db import connection
from django.utils import timezone
from lxml import etree
from lxml.builder import ElementMaker

from registry.analysis.running.versions import product_version
from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, Choice, Label
from registry.instruments.core import follow_up_end
from registry.instruments.keys import TIMEPOINT
from registry.instruments.timepoints import unscheduled_number
from registry.services.files.file_formats import FOLLOW_UP_ENDS, OWN
from registry.services.protocol import branding

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no character of XML 1.0

STUDY, VERSION = "ST.METASPINE", "MDV.1"
PATIENT_EVENT, ADVERSE_EVENT, FOLLOW_UP_END = "SE.patient", "SE.adverse_event", "SE.follow_up_end"
VISIT = "visit"  # the form that holds when an assessment took place, which belongs to no instrument
KEYS = ("patient_id", "site_code", "timepoint", "record")  # these name a row: they are not items
MISSING_LIST = "CL.missing"
ENDS = FOLLOW_UP_ENDS.name  # not there in the oldest snapshots
DATA_TYPES = {"integer": "integer", "number": "float", "code": "text", "date": "date", "text": "text"}
OF_KINDS = {"partial_date": "partialDate", "time": "partialTime"}  # by kind of item, where ODM knows more than ours
EVERY = 500  # patients between two signs of progress


def _writable(text):
    """A text without what XML 1.0 has no character for: U+FFFD stands there."""
    return text if text.isprintable() else UNWRITABLE.sub("\ufffd", text)


def _set_text(element, text):
    element.text = _writable(text)


def _set_attributes(element, attributes):
    for name, value in attributes.items():
        element.set(name, _writable(value))


E = ElementMaker(typemap={str: _set_text, dict: _set_attributes})  # labels and units are what somebody typed


def odm(archive, part):
    """The file `metaspine.odm.xml` of the archive, as UTF-8."""
    tables = {dataset.name: _Table(dataset, written, sql) for dataset, written, sql in part.tables}
    with (
        archive.entry(f"{part.folder}metaspine.odm.xml", table="all") as stream,
        etree.xmlfile(stream, "UTF-8") as file,
    ):
        file.write_declaration()
        with file.element(f"{{{NAMESPACE}}}ODM", _about_file(), {None: NAMESPACE}):
            for element in (_study(tables), _locations(part.sites)):
                _write(file, element)
            with file.element("ClinicalData", StudyOID=STUDY, MetaDataVersionOID=VERSION):
                return _clinical_data(file, tables, part.tick)


def _write(file, element):
    """Elements are made without the namespace, and are in it by standing below the root."""
    element.tail = "\n"
    file.write(element)


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


def _about_file():
    now = timezone.localtime()
    made_at = now.isoformat(timespec="seconds")
    described = {"Description": "SYNTHETIC DATA: these patients do not exist"} if settings.SYNTHETIC else {}
    return {
        "ODMVersion": "1.3.2",
        "FileType": "Snapshot",
        "Granularity": "All",
        "FileOID": f"metaspine.{now:%Y%m%d%H%M%S}",
        "CreationDateTime": made_at,
        "AsOfDateTime": made_at,
        "SourceSystem": branding.PRODUCT,
        "SourceSystemVersion": product_version(),
        **described,
    }


def _study(tables):
    items = [item for table in tables.values() for item in table.items]
    units = sorted({item.variable.unit for item in items if item.variable.unit})
    brand = branding.current()
    return E.Study(
        E.GlobalVariables(
            E.StudyName(brand.name("en") or brand.called),
            E.StudyDescription("Registry of surgery for spinal metastases"),
            E.ProtocolName(brand.called),
        ),
        *_units(units),
        E.MetaDataVersion(
            _protocol(tables),
            *_events(tables),
            *_forms(tables),
            *_item_groups(tables),
            *(_item_def(item) for item in items),
            *(_code_list(f"CL.{item.name}", item.label, item.choices) for item in items if item.choices),
            _code_list(MISSING_LIST, Label("Reasons for missing values", "欠測理由"), _REASONS),
            OID=VERSION,
            Name=f"{branding.PRODUCT} {product_version()}",
        ),
        OID=STUDY,
    )


_REASONS = tuple(Choice(code, label) for code, label in MISSING_LABELS.items())


def _units(units):
    if units:
        symbols = ((unit, E.Symbol(_said(unit))) for unit in units)
        yield E.BasicDefinitions(*(E.MeasurementUnit(symbol, OID=f"MU.{unit}", Name=unit) for unit, symbol in symbols))


def _said(text, language="en"):
    return E.TranslatedText(text, {LANGUAGE: language})


def _description(label):
    return E.Description(_said(label.en), _said(label.ja, "ja"))


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
    return E.Protocol(*_references("StudyEventRef", "StudyEventOID", _event_oids(tables)))


def _references(tag, attribute, oids):
    for place, oid in enumerate(oids, 1):
        yield E(tag, {attribute: oid, "OrderNumber": str(place), "Mandatory": "No"})


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
    references = _references("FormRef", "FormOID", (f"F.{form}" for form in forms))
    about = {"OID": oid, "Name": label.en, "Repeating": repeating, "Type": kind}
    return E.StudyEventDef(_description(label), *references, about)


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
        group = E.ItemGroupRef(ItemGroupOID=f"IG.{form}", OrderNumber="1", Mandatory="Yes")
        yield E.FormDef(_description(title), group, OID=f"F.{form}", Name=title.en, Repeating="No")


def _item_groups(tables):
    items = {}
    for table in tables.values():
        for form, columns in table.forms.items():
            items.setdefault(form, []).extend(item for item, *_ in columns)
    for form, title in _titles(tables).items():
        references = _references("ItemRef", "ItemOID", (f"I.{item.name}" for item in items.get(form, ())))
        yield E.ItemGroupDef(_description(title), *references, OID=f"IG.{form}", Name=title.en, Repeating="No")


def _item_def(item):
    variable = item.variable
    unit = [E.MeasurementUnitRef(MeasurementUnitOID=f"MU.{variable.unit}")] if variable.unit else []
    checks = [] if item.choices else _checks(variable)
    codes = [E.CodeListRef(CodeListOID=f"CL.{item.name}")] if item.choices else []
    about = {"OID": f"I.{item.name}", "Name": item.name, "DataType": _data_type(item), **_length(item)}
    return E.ItemDef(_description(item.label), *unit, *checks, *codes, about)


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
        return {}
    if item.kind == "text":
        return {"Length": str(max(declared.max_length if declared else 0, 200))}
    if item.kind == "code":
        return {"Length": str(max(len(str(choice.code)) for choice in item.choices))}
    return {"Length": "20", "SignificantDigits": "17"} if item.kind == "number" else {}


def _checks(variable):
    for comparator, bound in (("GE", variable.minimum), ("LE", variable.maximum)):
        if bound is not None:
            yield E.RangeCheck(E.CheckValue(str(bound)), Comparator=comparator, SoftHard="Hard")


def _code_list(oid, label, choices):
    kind = "integer" if choices and isinstance(choices[0].code, int) else "text"
    decoded = ((choice.code, E.Decode(_said(choice.label.en), _said(choice.label.ja, "ja"))) for choice in choices)
    items = (E.CodeListItem(decode, CodedValue=str(code)) for code, decode in decoded)
    return E.CodeList(*items, OID=oid, Name=label.en, DataType=kind)


def _locations(sites):
    version = {"StudyOID": STUDY, "MetaDataVersionOID": VERSION, "EffectiveDate": str(timezone.localdate())}
    return E.AdminData(
        *(
            E.Location(E.MetaDataVersionRef(version), OID=f"L.{code}", Name=code, LocationType="Site")
            for code in sites.values()
        ),
        StudyOID=STUDY,
    )


# Data


def _clinical_data(file, tables, tick):
    """A cursor for each table side by side, each ordered by patient: nothing is kept but the patient being written."""
    patients, assessments, events = (tables[name] for name in ("patients", "assessments", "adverse_events"))
    of_visits, of_events = _ByPatient(assessments), _ByPatient(events)
    of_ends = _ByPatient(tables[ENDS]) if ENDS in tables else None
    of_own = {name: _ByPatient(tables[name]) for name in _repeating(tables)}
    counts = dict.fromkeys(tables, 0)
    for row in patients.rows():
        patient_id, site = row[patients.places["patient_id"]], row[patients.places["site_code"]]
        visits, adverse = of_visits.of(patient_id), of_events.of(patient_id)
        subject = etree.Element("SubjectData", SubjectKey=patient_id)
        etree.SubElement(subject, "SiteRef", LocationOID=f"L.{site}")
        _add_event(subject, patients, row, PATIENT_EVENT)
        for visit in visits:
            _add_event(subject, assessments, visit, f"SE.{visit[assessments.places['timepoint']]}")
        for number, event in enumerate(adverse, 1):
            _add_event(subject, events, event, ADVERSE_EVENT, number)
        ends = of_ends.of(patient_id) if of_ends else []
        for end in ends:
            _add_event(subject, tables[ENDS], end, FOLLOW_UP_END)
        for name, rows in of_own.items():
            own = rows.of(patient_id)
            for record in own:
                _add_event(subject, tables[name], record, f"SE.{name}", record[tables[name].places["record"]])
            counts[name] += len(own)
        _write(file, subject)
        counts["patients"] += 1
        counts["assessments"] += len(visits)
        counts["adverse_events"] += len(adverse)
        if ends:
            counts[ENDS] += len(ends)
        if counts["patients"] % EVERY == 0:
            tick(sum(counts.values()))
    return counts


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


def _add_event(subject, table, row, oid, number=None):
    """Add a row of `table`; a repeating event's is known by its number."""
    event = etree.SubElement(subject, "StudyEventData", StudyEventOID=oid)
    if number is not None:
        event.set("StudyEventRepeatKey", str(number))
    for form, columns in table.forms.items():
        answered = [(item, row[place], row[why] if why is not None else None) for item, place, why in columns]
        if answered := [answer for answer in answered if answer[1:] != (None, None)]:
            form_data = etree.SubElement(event, "FormData", FormOID=f"F.{form}")
            group = etree.SubElement(form_data, "ItemGroupData", ItemGroupOID=f"IG.{form}")
            for item, value, reason in answered:
                _add_item(group, item, value, reason)


def _add_item(group, item, value, reason):
    oid = f"I.{item.name}"
    if value is not None:
        etree.SubElement(group, "ItemData", ItemOID=oid, Value=_written(value))
    else:
        data = etree.SubElement(group, "ItemData", ItemOID=oid, IsNull="Yes")
        flag = etree.SubElement(etree.SubElement(data, "Annotation", SeqNum="1"), "Flag")
        etree.SubElement(flag, "FlagValue", CodeListOID=MISSING_LIST).text = reason


def _written(value):
    return _writable(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
