"""What is missing of a patient, in the order in which it is asked for: the first is the next step."""

from dataclasses import dataclass

from django.urls import reverse

from registry.models import State

UNFINISHED = ("empty", State.DRAFT)
WAITING = (State.DRAFT, "due", "overdue")


@dataclass(frozen=True)
class Step:
    """A form that waits to be filled in or finished: what it is called, its state, and where it is."""

    label: str
    state: str
    address: str


def missing(patient, own_forms, planned):
    """The `Step`s of a patient: baseline, the visit before surgery, surgery, then each visit that waits.

    own_forms  as the patient's page lists them: form, label, state
    planned    the patient's `Visit`s in order
    """
    before = [visit for visit in planned if visit.timepoint.day <= 0]
    steps = [_own(patient, own_forms, "baseline")]
    steps += [_visit(patient, visit) for visit in before if visit.state in WAITING or _not_dated(patient, visit)]
    steps += [_own(patient, own_forms, "surgery")]
    steps += [_visit(patient, visit) for visit in planned if visit not in before and visit.state in WAITING]
    return [step for step in steps if step is not None]


def _not_dated(patient, visit):
    return patient.surgery_date is None and visit.state == "empty"


def _own(patient, own_forms, code):
    form = next(own_form for own_form in own_forms if own_form["form"] == code)
    if form["state"] not in UNFINISHED:
        return None
    return Step(form["label"], form["state"], reverse(f"patient_{code}", args=[patient.pk]))


def _visit(patient, visit):
    return Step(visit.label, visit.state, reverse("assessment", args=[patient.pk, visit.code]))
