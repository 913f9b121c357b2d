"""Forms in every state, as each of the cast brings them there."""

import pytest

from registry.models import Assessment, Patient, Query
from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.review.forms import form_row
from registry.services.review.soft_checks import Form
from tests.conftest import TODAY
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY, browse, text  # noqa: F401 - fixtures

PREOP = Form("assessment", timepoint="preop")
FINE = {name: value for name, value in ASSESSMENT.items() if name != "version"}
WALKS = FINE | {"frankel": "A", "barthel_mobility": "15"}  # meets severe_palsy_but_walks; other answers agree
TUMOUR_AGREES = {"tokuhashi_palsy": "1", "sins_pain": "1"}


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice)


@pytest.fixture
def save(alice, patient, as_person):
    """`save(**changes)` saves the preoperative assessment as Alice does, completing it."""

    def saving(answers=FINE, *, complete=True, timepoint="preop", reason="corrected", said=None, **changes):
        with as_person(alice) as access:
            patient.refresh_from_db()
            row = Assessment.objects.filter(patient_id=patient.pk, timepoint_id=timepoint).first()
            return save_assessment(
                access=access,
                patient=patient,
                timepoint=timepoint,
                raw=answers | changes,
                complete=complete,
                version=row.version if row else None,
                reason=reason,
                said=said,
                today=TODAY,
            )

    return saving


@pytest.fixture
def own_form(alice, patient, as_person):
    """`own_form("surgery", **changes)` completes one of the patient's own forms as Alice does."""
    given = {"baseline": BASELINE | TUMOUR_AGREES | {"birth_date": "1955-04-03"}, "surgery": SURGERY, "follow_up": {}}

    def saving(form, *, said=None, **changes):
        with as_person(alice) as access:
            return patients.save_form(
                access=access,
                patient=patient,
                form=form,
                raw=given[form] | changes,
                complete=True,
                reason="corrected",
                said=said,
                today=TODAY,
            )

    return saving


@pytest.fixture
def finished(own_form, save, patient):
    """The patient with every form complete and nothing unlikely in them."""
    own_form("baseline")
    own_form("surgery")
    save()
    return patient


@pytest.fixture
def stored(as_system):
    """`stored(Query)` is every row there is, in the order of their making."""

    def read(model=Query, **filters):
        with as_system():
            return list(model.objects.filter(**filters).order_by("pk"))

    return read


@pytest.fixture
def steps(as_system):
    """`steps(query)` is what happened to a query: (kind, who, text) each."""

    def read(query):
        with as_system():
            return [(message.kind, message.by_id, message.text) for message in query.messages.order_by("pk")]

    return read


@pytest.fixture
def row_of(as_system):
    def read(patient, form=PREOP):
        with as_system():
            return form_row(Patient.objects.get(pk=patient.pk), form)

    return read
