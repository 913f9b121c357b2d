"""The forms on a patient's own row (baseline, surgery, follow-up): what each asks and where its state stands."""

from dataclasses import dataclass
from functools import cached_property

from registry.instruments.base import Instrument, Item, Label
from registry.instruments.core.patient import DISEASE, ENROLMENT, FOLLOW_UP, SURGERY
from registry.instruments.core.sins import SINS
from registry.instruments.core.tokuhashi import TOKUHASHI


@dataclass(frozen=True)
class PatientForm:
    """One of a patient's own forms: there is exactly one of it, and its answers are columns of the patient.

    code         the word for it in addresses, files and the protocol; `QueryForm` has what people call it
    instruments  of the core, in the order in which they are asked; extras and own instruments come after them
    is_finished  whether it is completed, verified and signed; a form that is asked as long as the patient lives is not
    """

    code: str
    instruments: tuple[Instrument, ...]
    is_finished: bool = True

    @property
    def state_column(self) -> str | None:
        """Column of its state; None where it is never finished."""
        return f"{self.code}_state" if self.is_finished else None

    @property
    def asked_by_column(self) -> str | None:
        """Column of the protocol's version by which it was completed; None where it is never finished."""
        return f"{self.code}_asked_by" if self.is_finished else None

    @cached_property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for instrument in self.instruments for item in instrument.items)

    @cached_property
    def first_items(self) -> tuple[Item, ...]:
        """What is left to ask once a patient is enrolled."""
        return tuple(item for item in self.items if item not in ENROLMENT.items)


BASELINE = PatientForm("baseline", (ENROLMENT, DISEASE, TOKUHASHI, SINS))
SURGERY_FORM = PatientForm("surgery", (SURGERY,))
FOLLOW_UP_FORM = PatientForm("follow_up", (FOLLOW_UP,), is_finished=False)

# In the order of the study, by code.
PATIENT_FORMS = {form.code: form for form in (BASELINE, SURGERY_FORM, FOLLOW_UP_FORM)}
FINISHED_FORMS = {code: form for code, form in PATIENT_FORMS.items() if form.is_finished}
# What the state of a stored form is called on paper and in files.
STATES = {
    "draft": Label("draft", "下書き"),
    "complete": Label("complete", "完了"),
    "verified": Label("verified", "照合済み"),
    "locked": Label("signed", "署名済み"),
}
STATE_COLUMNS = {code: form.state_column for code, form in PATIENT_FORMS.items() if form.state_column}
