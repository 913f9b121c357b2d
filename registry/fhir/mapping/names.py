"""Identifiers, code systems and extensions: what the resources call things."""

import re

from registry.instruments import catalogue

VERSION = "4.0.1"
URN = "urn:metaspine:"
PATIENT_ID = URN + "patient-id"
SITE_CODE = URN + "site-code"
HOSPITAL_NUMBER = URN + "hospital-number"  # stays with the site, encrypted; never in an answer
TIMEPOINT = URN + "timepoint"  # extensions
MISSING = URN + "missing-reason"
REASON = URN + "reason-for-change"
CONSENT = URN + "consent-date"
ANOTHER_PERSON = URN + "another-person"
WHOLE_FORM = URN + "whole-form"

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
MASKED = "masked"
# Too ill and dead have no code of their own in FHIR: the extension MISSING says which it is.
ABSENT_CODES = {
    "not_applicable": "not-applicable",
    "not_done": "not-performed",
    "unknown": "unknown",
    "refused": "asked-declined",
    "too_ill": "not-performed",
    "dead": "not-performed",
}
# LOINC's codes of what is certainly the same (LOINC is free to use: https://loinc.org/license): mCODE's profiles of the
# two performance statuses name theirs; Barthel's total is that of 0 to 100. For EQ-5D-5L, Frankel, SINS and Tokuhashi
# none could be shown to be the same, and SNOMED CT needs a licence of the country.
LOINC = "http://loinc.org"
LOINC_CODES = {"ecog_ps": "89247-1", "kps": "89243-0", "barthel_total": "96761-2"}
REASON_OF = {code: reason for reason, code in reversed(ABSENT_CODES.items())}

# The first part of a response's id where it belongs to no timepoint.
OF_PATIENT = "patient"
OF_EVENT = "event-"
OF_RECORD = "record-"  # of a repeating form of the study's own


def code_system(name):
    """The code system of an item's or a derived value's codes."""
    return f"{URN}item:{name}"


def codings(name, display):
    """The codings of what an item or a derived value is: our own, and LOINC's where it has one for the same."""
    coded = [{"system": code_system(name), "code": name, "display": display}]
    if name in LOINC_CODES:
        coded.append({"system": LOINC, "code": LOINC_CODES[name]})
    return coded


def resource_id(code):
    """A FHIR id for one of our codes: ids have no underscore."""
    return code.replace("_", "-")


def instruments():
    """Every instrument by its FHIR id."""
    return {resource_id(instrument.code): instrument for instrument in catalogue.current().instruments}


def encoded(patient_id):
    """A patient ID as a FHIR id, which knows letters, digits, “-” and “.” only."""
    return patient_id.replace(".", "..").replace("_", ".u")


def decoded(text):
    """The patient ID of a FHIR id; ValueError for what `encoded` never writes."""
    if re.fullmatch(r"(?:[A-Za-z0-9-]|\.\.|\.u)+", text) is None:
        raise ValueError(text)
    return re.sub(r"\.([.u])", lambda match: "." if match[1] == "." else "_", text)


def response_id(instrument, patient_id, *, timepoint=None, event=None):
    """`1m.eq5d5l.S07-0012`, `patient.sins.S07-0012`, `event-7.adverse-event.S07-0012`, `record-5.rt-courses.S07-0012`.

    event  the number of the event, or of the record of a repeating form
    """
    first = timepoint or (f"{_numbered(instrument)}{event}" if event is not None else OF_PATIENT)
    return f"{first}.{resource_id(instrument.code)}.{encoded(patient_id)}"


def _numbered(instrument):
    """How the id of a response begins where a patient has several of them; "" where not."""
    if instrument in catalogue.ADVERSE_EVENTS:
        return OF_EVENT
    return OF_RECORD if instrument in catalogue.current().repeats else ""


def parts_of(response):
    """(instrument, patient ID, timepoint or None, number of the event or record or None) of a response's id.

    ValueError for what is no such id.
    """
    first, _, rest = response.partition(".")
    code, _, patient = rest.partition(".")
    known = instruments()
    if code not in known or not patient:
        raise ValueError(response)
    instrument, patient_id = known[code], decoded(patient)
    if instrument in catalogue.current().of_patient:
        fits, timepoint, event = first == OF_PATIENT, None, None
    elif prefix := _numbered(instrument):
        number = first.removeprefix(prefix)
        fits = first.startswith(prefix) and number.isascii() and number.isdigit() and len(number) < 19
        timepoint, event = None, int(number) if fits else None
    else:
        fits, timepoint, event = bool(re.fullmatch(r"[A-Za-z0-9-]{1,8}", first)), first, None
    if not fits:
        raise ValueError(response)
    return instrument, patient_id, timepoint, event
