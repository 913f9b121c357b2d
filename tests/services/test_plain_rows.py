"""Rows that are read by plain SQL are the instances that the ORM makes of them, and a soft check sees no less."""

import pytest
from django.db.models.signals import post_init

from registry.models import Assessment, Patient
from registry.services.entry.assessments import looked_at, save_assessment
from registry.services.follow_up import schedule
from registry.services.review import soft_checks
from sites.database.fast_rows import rows_of
from sites.models import Site, User
from tests.conftest import TODAY

ANSWERS = {"assessment_date": "2026-02-01", "frankel": "A", "barthel_mobility": "15"}


@pytest.fixture
def stored(enrolled, alice, as_person):
    """Alice's patient with an assessment that a soft check has something to say of."""
    patient = enrolled(alice)
    with as_person(alice) as access:
        save_assessment(access=access, patient=patient, timepoint="preop", raw=ANSWERS, today=TODAY)
        yield patient


def whole(instance):
    """Everything that an instance has, its state too."""
    state = instance._state
    return {**vars(instance), "_state": (state.adding, state.db, state.fields_cache)}


@pytest.mark.parametrize("model", [Patient, Assessment, Site, User])
def test_a_plain_row_is_the_instance_that_the_orm_reads(stored, model):
    (plain,) = rows_of(model).where(f"TRUE ORDER BY {model._meta.pk.column} LIMIT 1", [])
    assert whole(plain) == whole(model.objects.order_by("pk")[0])


def test_who_asks_to_be_told_of_instances_is_told_of_plain_ones(stored):
    heard = []

    def hear(instance, **_more):
        heard.append(instance)

    post_init.connect(hear, sender=Patient)
    try:
        rows_of(Patient).where("TRUE", [])
    finally:
        post_init.disconnect(hear, sender=Patient)
    assert [patient.pk for patient in heard] == [stored.pk]


def test_a_check_is_given_every_answer_that_it_names(stored):
    """Of a patient's hundred answers those are read that some check of the form looks at."""
    row = Assessment.objects.get()
    every = soft_checks.checks_asked(schedule.plans())
    known = soft_checks.patient_answers(stored) | {name: getattr(row, name, None) for name in soft_checks._ASSESSMENT}
    known["timepoint"] = row.timepoint_id
    met = [check.name for check in every if soft_checks.kind_of(check) == "assessment" and check.applies(known)]
    assert [finding.check.name for finding in soft_checks.findings_of(stored, [row])] == met
    assert "severe_palsy_but_walks" in met


def test_a_patient_of_whom_few_columns_were_read_has_them_all(stored, alice, as_person, django_assert_num_queries):
    """What saving an assessment looks at comes at once; the rest together, when somebody asks for any of it."""
    with as_person(alice) as access:
        names = looked_at()
        assert len(names) < 20
        with django_assert_num_queries(1):
            few = Patient.objects.one_visible_to(access, stored.pk, names)
            assert [getattr(few, name) for name in names] == [getattr(stored, name) for name in names]
        with django_assert_num_queries(1):
            every = Patient.objects.get(pk=stored.pk)
        fields = [field.attname for field in Patient._meta.concrete_fields]
        with django_assert_num_queries(1):
            assert [getattr(few, name) for name in fields] == [getattr(every, name) for name in fields]
