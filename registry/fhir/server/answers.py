"""Answers between a QuestionnaireResponse and the registry's forms, by the registry's own services.

A response is about one instrument; the form that holds it may have several. What the response does not speak of stays
as it is, and the form is completed once every part of it is.
"""

from registry.fhir.mapping import responses
from registry.fhir.server.resource import Refused
from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, State, Timepoint
from registry.protocol.calculated import calculated
from registry.services.entry.assessments import save_assessment
from registry.services.entry.own_records import save_own_record
from registry.services.entry.patients import items_of, save_adverse_event, save_form
from registry.services.records import extras, identity
from registry.services.records.cleaning import REQUIRED, Asked, InvalidAnswers, clean
from registry.services.records.storing import Conflict
from registry.tasks import start_patient_outcomes

EXISTS = Label(
    "There are answers already: update them with PUT and If-Match.",
    "すでに回答があります。PUTとIf-Matchで更新してください。",
)
NO_TIMEPOINT = Label("There is no timepoint “{v}”.", "時期「{v}」はありません。")


def instruments_of(kind):
    """Instruments by what holds their answers: patient, assessment, event or record (of repeating forms)."""
    current = catalogue.current()
    held = {
        "patient": current.of_patient,
        "assessment": current.of_assessment,
        "event": catalogue.ADVERSE_EVENTS,
        "record": current.repeats,
    }
    return held[kind]


def shown_of(row, instrument, base):
    """The QuestionnaireResponse of a stored row (Patient, Assessment, AdverseEvent, OwnRecord) for one instrument."""
    parts = {}
    if isinstance(row, Assessment):
        parts = {"timepoint": row.timepoint_id, "day": row.assessment_date}
    elif isinstance(row, (AdverseEvent, OwnRecord)):
        parts = {"event": row.pk}
    names = instrument.part_names
    identifying = {item.name for item in instrument.items if item.identifying}
    values = {name: getattr(row, name, None) for name in names if name not in identifying}
    values |= calculated(instrument, row) if instrument.own else {}
    masked = {name for name in identifying if getattr(row, name, None)}
    if "birth_date" in identifying and getattr(row, "age_at_surgery", None) is not None:
        masked.add("birth_date")
    return responses.written(
        instrument, row.patient_id, values, row.missing, base,
        version=row.version, updated_at=row.updated_at, masked=masked, **parts,
    )  # fmt: skip


def has_answers(row, instrument):
    return any(
        getattr(row, item.name, None) is not None or item.name in row.missing
        for item in instrument.items
        if not item.identifying
    )


def store(access, patient, response, *, version=None, event=None):
    """Store a `responses.Response` of `patient`; returns the row. version: of If-Match, None for a new response.

    Raises what the services raise, and Refused.
    """
    if response.instrument in catalogue.current().of_patient:
        row = _store_form(access, patient, response, version)
    elif response.instrument in catalogue.ADVERSE_EVENTS:
        row = _store_event(access, patient, response, version, event)
    elif response.instrument in catalogue.current().repeats:
        row = _store_record(access, patient, response, version, event)
    else:
        row = _store_assessment(access, patient, response, version)
    start_patient_outcomes(patient.pk)
    return row


def _checked(row, response, version):
    """Refuse a new response where there are answers, and a change of what has changed since."""
    if version is None and has_answers(row, response.instrument):
        raise Refused(409, EXISTS, "conflict")
    if version is not None and row.version != version:
        raise Conflict(row)


def _merged(row, items, response, known=None):
    """(raw, missing) of a whole form: what is stored, with what the response says of its own instrument."""
    own = {item.name for item in response.instrument.items} - response.masked
    stored = {item.name: (known or {}).get(item.name, getattr(row, item.name, None)) for item in items}
    raw = {name: None if name in own else value for name, value in stored.items()} | response.raw
    missing = {name: reason for name, reason in row.missing.items() if name not in own and name in stored}
    return raw, missing | response.missing


def _completes(items, raw, missing, response):
    return response.completed and all(
        raw.get(item.name) is not None or item.name in missing for item in _asked(items, raw, missing)
    )


def _asked(items, raw, missing):
    """The items that a complete form must answer beside these answers: what enableWhen hides is not asked."""
    try:
        values = clean(items, raw, missing, complete=False).values
    except InvalidAnswers as error:
        values = error.readable.values
    asked = Asked(values)
    return [item for item in items if asked.is_shown(item) and asked.is_required(item)]


def _require_own(response, items):
    """A response that says it is complete needs every answer of its own instrument that is asked, of `items`."""
    if response.completed:
        answered = response.raw.keys() | response.missing.keys() | response.masked
        asked = {item.name for item in _asked(items, response.raw, response.missing)}
        lacking = [item.name for item in response.instrument.items if item.name in asked - answered]
        if lacking:
            raise InvalidAnswers({name: [REQUIRED] for name in lacking})


def _store_form(access, patient, response, version):
    form = next(name for name in PATIENT_FORMS if set(response.instrument.items) <= set(items_of(name)))
    items = catalogue.items(PATIENT_FORMS[form].instruments + extras.shown(form))
    _require_own(response, items)
    _checked(patient, response, version)
    raw, missing = _merged(patient, items, response, identity.read(patient) or {})
    own = {item.name: raw.get(item.name) for item in response.instrument.items if item.name not in response.masked}
    completes = _completes(items, raw, missing, response)
    return save_form(
        access=access, patient=patient, form=form, version=patient.version, complete=completes, reason=response.reason,
        raw=raw if completes else own,
        missing=missing if completes else response.missing,
    )  # fmt: skip


def _store_assessment(access, patient, response, version):
    visit = response.timepoint
    items = catalogue.items(extras.core("assessment", visit) + extras.shown("assessment", visit))
    _require_own(response, items)
    if not Timepoint.objects.filter(pk=response.timepoint).exists():
        raise Refused(422, NO_TIMEPOINT.format(v=response.timepoint), "not-found", "QuestionnaireResponse.extension")
    row = Assessment.objects.filter(patient_id=patient.pk, timepoint_id=response.timepoint).first()
    if row is None and version is not None:
        raise Conflict(None)
    if row is not None:
        _checked(row, response, version)
    blank = row or Assessment(patient=patient, site_id=patient.site_id, timepoint_id=response.timepoint)
    raw, missing = _merged(blank, items, response)
    raw[ASSESSMENT_DATE.name] = response.day
    return save_assessment(
        access=access, patient=patient, timepoint=response.timepoint, raw=raw, missing=missing,
        complete=_completes(items, raw, missing, response) and (row is None or row.state == State.DRAFT),
        version=row.version if row else None, reason=response.reason,
    )  # fmt: skip


def _store_record(access, patient, response, version, record):
    """A new record of a repeating form, or a change of one."""
    items = response.instrument.items
    _require_own(response, items)
    blank = record or OwnRecord(patient=patient, site_id=patient.site_id, form=response.instrument.code)
    raw, missing = _merged(blank, items, response)
    complete = _completes(items, raw, missing, response) and (record is None or record.state == State.DRAFT)
    return save_own_record(
        access=access, patient=patient, form=response.instrument.code, raw=raw, missing=missing, complete=complete,
        record=record.pk if record else None, version=version, reason=response.reason,
    )  # fmt: skip


def _store_event(access, patient, response, version, event):
    if event is not None and event.version != version:
        raise Conflict(event)
    raw = dict(response.raw)
    for name in response.masked:
        raw[name] = getattr(event, name, None)
    return save_adverse_event(access=access, patient=patient, raw=raw, event=event, reason=response.reason)
