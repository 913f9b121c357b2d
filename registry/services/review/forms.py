"""The forms of a patient as rows: which record and columns a form is, and what it is called in an address."""

from dataclasses import dataclass
from typing import Any

from registry.instruments import catalogue
from registry.instruments.patient_forms import FINISHED_FORMS, PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient, QueryForm, State
from registry.services import current_protocol as protocol
from registry.services.review.soft_checks import Form


def _stored(instruments: Any) -> tuple[str, ...]:
    return tuple(item.name for item in catalogue.items(instruments) if not item.identifying or item.kind == "text")


COLUMNS: dict[str, tuple[str, ...]] = {
    **{code: _stored(form.instruments) for code, form in PATIENT_FORMS.items()},
    QueryForm.ASSESSMENT: ("assessment_date", *_stored(catalogue.ASSESSMENT)),
    QueryForm.ADVERSE_EVENT: _stored(catalogue.ADVERSE_EVENTS),
    QueryForm.OWN_RECORD: (),
}


def _extra_columns(form: Form) -> tuple[str, ...]:
    """Columns of extras and own instruments; those of a record of a repeating form are its own form's alone.

    Of everything that the protocol asks: what was signed is the same for whoever must not know the arms.
    """
    whole = protocol.at(protocol.version())
    if form.kind == QueryForm.OWN_RECORD:
        return _stored(tuple(repeat for repeat in whole.repeats if repeat.code == form.own))
    return _stored(whole.extras.get(str(form.kind), ()))


@dataclass(frozen=True)
class FormRow:
    """A form with the row that stores it. `state_column` is None for follow-up, which is never finished."""

    form: Form
    row: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """What the form is made of: its core, and those extras that it answers, whatever is switched on now."""
        extras = _extra_columns(self.form)
        return COLUMNS[self.form.kind] + tuple(
            name for name in extras if getattr(self.row, name) is not None or name in self.row.missing
        )

    @property
    def comparable(self) -> tuple[str, ...]:
        """Columns that a monitor compares with the source: those that name nobody, and no arm that is to be hidden."""
        hidden = protocol.hidden_names()
        return tuple(name for name in self.columns if name not in hidden and not _is_identifying(name))

    @property
    def state_column(self) -> str | None:
        own = PATIENT_FORMS.get(self.form.kind)
        return own.state_column if own else "state"

    @property
    def state(self) -> Any:
        return getattr(self.row, self.state_column) if self.state_column else None

    @property
    def is_begun(self) -> bool:
        """Whether anything was answered; an assessment or event exists only once it was begun."""
        if self.form.kind not in PATIENT_FORMS:
            return True
        names = [name for name in self.columns if name not in ENROLMENT]
        return any(getattr(self.row, name) is not None or name in self.row.missing for name in names)

    @property
    def is_finished(self) -> bool:
        return self.state in (State.COMPLETE, State.VERIFIED, State.LOCKED)


def _is_identifying(name: str) -> Any:
    return name != "assessment_date" and catalogue.item(name).identifying


ENROLMENT = frozenset(item.name for item in catalogue.ENROLMENT.items)


def own_records_of(patient: Patient) -> list[OwnRecord]:
    """A patient's records of repeating forms, as they were begun; asks nothing where the protocol has no such form."""
    if not catalogue.current().repeats:
        return []
    return list(OwnRecord.objects.filter(site_id=patient.site_id, patient_id=patient.pk).order_by("form", "pk"))


def forms_of(patient: Patient, assessments: Any = None, events: Any = None, records: Any = None) -> list[FormRow]:
    """Every form of a patient that can be finished, in the order of the protocol. Rows may be given where known."""
    of_patient = {"site_id": patient.site_id, "patient_id": patient.pk}
    if assessments is None:
        assessments = Assessment.objects.filter(**of_patient).select_related("timepoint")
        assessments = sorted(assessments, key=lambda assessment: assessment.timepoint.position)
    if events is None:
        events = AdverseEvent.objects.filter(**of_patient).order_by("pk")
    if records is None:
        records = own_records_of(patient)
    return [
        *(FormRow(Form(code), patient) for code in FINISHED_FORMS),
        *(FormRow(Form("assessment", timepoint=assessment.timepoint_id), assessment) for assessment in assessments),
        *(FormRow(Form("adverse_event", event=event.pk), event) for event in events),
        *(FormRow(Form("own_record", own=record.form, record=record.pk), record) for record in records),
    ]


def form_row(patient: Patient, form: Any) -> FormRow | None:
    """The `FormRow` of a form, or None where the patient has no such form yet."""
    if form.kind in PATIENT_FORMS:
        return FormRow(form, patient)
    of_patient = {"site_id": patient.site_id, "patient_id": patient.pk}
    if form.kind == QueryForm.ASSESSMENT:
        row: Assessment | AdverseEvent | OwnRecord | None = Assessment.objects.filter(
            **of_patient, timepoint_id=form.timepoint
        ).first()
    elif form.kind == QueryForm.OWN_RECORD:
        row = OwnRecord.objects.filter(**of_patient, form=form.own, pk=form.record).first()
    else:
        row = AdverseEvent.objects.filter(**of_patient, pk=form.event).first()
    return FormRow(form, row) if row else None
