"""Responses with the status `entered-in-error`: the form that holds one is marked, by the registry's own rules.

The registry marks a whole form. A visit's form may hold the answers to several questionnaires: these go along only
where the extension names.WHOLE_FORM says that this is meant. What is marked still answers by its id, without content.
"""

from registry.fhir.mapping import elements, names, responses
from registry.fhir.mapping.faults import InvalidResource
from registry.fhir.server import answers
from registry.fhir.server.resource import Refused
from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.models import Assessment, Patient
from registry.services.entry import entered_in_error
from registry.services.records.storing import Conflict
from registry.tasks import start_patient_outcomes
from sites.tenancy.scope import with_errors

STATUS = "entered-in-error"
KEPT = ("resourceType", "id", "meta", "extension", "questionnaire", "subject", "code", "derivedFrom")
OF_A_PATIENT = Label(
    "is said of a visit, an event or a repeating form. Correct these answers, or mark the patient on the pages or by "
    "/api/v1.",
    "は来院・有害事象・繰り返し調査票にのみ指定できます。回答を訂正するか、画面または/api/v1で患者を取り消してください。",
)
WHOLE_FORM = Label(
    "The same form answers {v} too: all of it goes. Send the extension {w} with valueBoolean true if this is meant, or "
    "correct the answers.",
    "同じ調査票に{v}の回答もあり、すべて取り消されます。取り消す場合は拡張{w}をvalueBoolean trueで送り、"
    "そうでなければ回答を訂正してください。",
)


def says(sent):
    return sent.get("status") == STATUS


def mark(access, row, instrument, sent, *, version, base):
    """Mark the row of a response, for the reason that `sent` has; returns the response as it is from now on.

    Raises InvalidResource, Refused, Conflict, Locked, ReasonRequired, PermissionDenied.
    """
    if faults := [*elements.misplaced(sent, elements.RESPONSE, "QuestionnaireResponse")]:
        raise InvalidResource(faults)
    if isinstance(row, Patient):
        raise Refused(422, OF_A_PATIENT, "not-supported", "QuestionnaireResponse.status")
    if row.version != version:
        raise Conflict(row)
    others = [names.resource_id(other.code) for other in _others(row, instrument)]
    if others and responses.extension_of(sent, names.WHOLE_FORM, "valueBoolean") is not True:
        reason = WHOLE_FORM.format(v=", ".join(others), w=names.WHOLE_FORM)
        raise Refused(422, reason, "business-rule", "QuestionnaireResponse.extension")
    reason = str(responses.extension_of(sent, names.REASON, "valueString") or "")
    entered_in_error.mark(access=access, row=row, version=version, reason=reason)
    start_patient_outcomes(row.patient_id)
    with with_errors():
        row.refresh_from_db()
    return without_content(answers.shown_of(row, instrument, base))


def _others(row, instrument):
    """The other questionnaires of a visit that have answers in its form."""
    if not isinstance(row, Assessment):
        return []
    return [
        other
        for other in catalogue.current().of_assessment
        if other.code != instrument.code and answers.has_answers(row, other)
    ]


def marked(rows):
    """The row that was marked last, of a query; None where none was."""
    with with_errors():
        return rows.exclude(in_error=None).order_by("-in_error").first()


def without_content(resource):
    """A resource of a marked row: that it was entered in error, and nothing that it said."""
    return {name: value for name, value in resource.items() if name in KEPT} | {"status": STATUS}
