"""Patients of North and South, with their forms, and the wishes of some of them."""

import pytest

from registry.models import Patient
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.follow_up import ends
from sites.tenancy.scope import everything
from tests.conftest import TODAY
from tests.review.conftest import FINE, TUMOUR_AGREES
from tests.web.conftest import BASELINE, SURGERY, browse, text  # noqa: F401 - fixtures

END = {"end_kind": "withdrawn", "end_date": "2026-05-02", "end_reason": "privacy", "end_data_use": "stop"}


@pytest.fixture
def followed(enrolled, as_person):
    """`followed(alice)` is a patient of that person's site with baseline, surgery, an assessment and an event."""

    def fill(user):
        patient = enrolled(user)
        with as_person(user) as access:
            asked = {"access": access, "patient": patient, "today": TODAY}
            born = {"birth_date": "1955-04-03"}
            patients.save_form(form="baseline", raw=BASELINE | TUMOUR_AGREES | born, complete=True, **asked)
            patients.save_form(form="surgery", raw=SURGERY, complete=True, **asked)
            save_assessment(timepoint="preop", raw=FINE, complete=True, **asked)
            patients.save_adverse_event(raw={"kind": "pneumonia", "onset_date": "2026-02-01"}, **asked)
            return Patient.objects.get(pk=patient.pk)

    return fill


@pytest.fixture
def withdraw(as_person):
    """`withdraw(alice, patient)` records that the patient withdrew; by default the data must no longer be used."""

    def record(user, patient, **changes):
        with as_person(user) as access:
            return ends.end_follow_up(access=access, patient=patient, raw=END | changes, today=TODAY)

    return record


@pytest.fixture
def stored():
    """`stored(Model, **filters)` is every row there is."""

    def read(model, **filters):
        with everything():
            return list(model.objects.filter(**filters).order_by("pk"))

    return read
