"""Tasks as a worker runs them: outside of any transaction, with everything committed."""

import pytest
from django.db import transaction

from registry import tasks
from registry.instruments.eq5d5l import DIMENSIONS
from registry.models import Change, Utility
from registry.services import patients
from registry.services.assessments import save_assessment
from sites.access import Role, access_of
from sites.models import Site
from sites.scope import entered, everything
from tests.conftest import TODAY, person


@pytest.fixture
def patient(committed):
    north = Site.objects.create(code="N01", name="North Hospital")
    access = access_of(person("Alice", Role.COORDINATOR, north))
    raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
    with entered(access.scope()), transaction.atomic():
        patient = patients.enrol(access=access, site=north, raw=raw, consented=True, today=TODAY)
        for timepoint, date, state in (("preop", "2026-01-11", "45344"), ("1m", "2026-02-12", "13315")):
            raw = {"assessment_date": date} | {item.name: x for item, x in zip(DIMENSIONS, state, strict=True)}
            save_assessment(access=access, patient=patient, timepoint=timepoint, raw=raw)
    return patient


def outcomes():
    with everything(), transaction.atomic():
        return sorted(round(one.hsuv, 3) for one in Utility.objects.all()), Change.objects.count()


@pytest.mark.parametrize("task", ["compute_patient_outcomes", "compute_all_outcomes", "sweep"])
def test_a_task_computes_what_was_saved(patient, task):
    assert outcomes() == ([], 0)
    arguments = [patient.pk] if task == "compute_patient_outcomes" else []
    getattr(tasks, task)(*arguments)
    assert outcomes() == ([0.210, 0.575], 1)
    getattr(tasks, task)(*arguments)
    assert outcomes() == ([0.210, 0.575], 1)


def test_a_task_about_a_patient_that_is_gone_does_nothing(patient):
    tasks.compute_patient_outcomes("N01-9999")
    assert outcomes() == ([], 0)
