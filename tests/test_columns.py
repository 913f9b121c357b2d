"""The database and the declarations say the same: generated columns, constraints, missing reasons."""

import itertools
import random

import pytest
from django.db import DatabaseError, connection, transaction

from registry.instruments import catalogue, levels
from registry.models import Assessment, Patient
from registry.models.clinical import (
    ADVERSE_EVENT_ITEMS,
    ASSESSMENT_EXTRAS,
    ASSESSMENT_ITEMS,
    PATIENT_EXTRAS,
    PATIENT_ITEMS,
)

MODELS = {Patient: PATIENT_ITEMS, Assessment: ASSESSMENT_ITEMS}


def wrong_values(item):
    """Values that fit the column's type and that the item refuses."""
    if item.choices and item.kind == "code":
        return ["x"]
    if item.kind == "levels":
        return [0, 1 << len(levels.LEVELS)]
    if item.choices:
        return [max(item.codes) + 1, min(item.codes) - 1]
    return [bound + step for bound, step in ((item.minimum, -1), (item.maximum, 1)) if bound is not None]


@pytest.mark.parametrize("item", PATIENT_ITEMS + PATIENT_EXTRAS, ids=lambda item: item.name)
def test_a_patients_column_refuses_what_its_item_refuses(enrolled, alice, as_system, item):
    patient = enrolled(alice)
    with as_system():
        for wrong in wrong_values(item):
            with pytest.raises(DatabaseError, match=f"{item.name}_accepted"), transaction.atomic():
                Patient.objects.filter(pk=patient.pk).update(**{item.name: wrong})


@pytest.mark.parametrize("item", ASSESSMENT_ITEMS + ASSESSMENT_EXTRAS, ids=lambda item: item.name)
def test_an_assessments_column_takes_every_code_and_no_other(enrolled, alice, as_system, item):
    patient = enrolled(alice)
    with as_system():
        assessment = Assessment.objects.create(patient=patient, site_id=patient.site_id, timepoint_id="preop")
        rows = Assessment.objects.filter(pk=assessment.pk)
        for right in item.codes or (item.minimum, item.maximum):
            assert rows.update(**{item.name: right}) == 1
        for wrong in wrong_values(item):
            with pytest.raises(DatabaseError, match=f"{item.name}_accepted"), transaction.atomic():
                rows.update(**{item.name: wrong})


@pytest.mark.parametrize("instrument", [i for i in catalogue.INSTRUMENTS if i.derived], ids=lambda one: one.code)
def test_generated_columns_equal_the_declared_derivation(enrolled, alice, as_system, instrument):
    chance = random.Random(5)
    model = Patient if instrument in catalogue.OF_PATIENT else Assessment
    patient = enrolled(alice)
    with as_system():
        Assessment.objects.create(patient=patient, site_id=patient.site_id, timepoint_id="preop")
        for attempt in range(40):
            answers = {item.name: chance.choice(item.codes) for item in instrument.items}
            if attempt % 4 == 0:
                answers[chance.choice(list(answers))] = None
            model.objects.update(**answers)
            stored = model.objects.get()
            for derived in instrument.derived:
                assert getattr(stored, derived.name) == derived.compute(answers), (derived.name, answers)


def test_the_segment_group_equals_the_default_rule(db):
    """Every lesion of one to three levels, and random ones of more."""
    chance = random.Random(7)
    lesions = [set(c) for n in (1, 2, 3) for c in itertools.combinations(levels.LEVELS, n)]
    lesions += [set(chance.sample(levels.LEVELS, chance.randint(4, 25))) for _ in range(300)]
    masks = [levels.mask(lesion) for lesion in lesions]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid "
            "AND a.attnum = d.adnum WHERE a.attname = 'segment_group'"
        )
        (expression,) = cursor.fetchone()
        cursor.execute(
            f"SELECT {expression} FROM unnest(%s) WITH ORDINALITY AS t (lesion_levels, n) ORDER BY n", [masks]
        )
        stored = [group for (group,) in cursor.fetchall()]
    assert stored == [levels.DEFAULT_RULE.group(lesion) for lesion in lesions]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"missing": {"frankel": "lost"}}, "reasons_known"),
        ({"missing": ["frankel"]}, "reasons_known"),
        ({"missing": {"frankel": "unknown"}, "frankel": "A"}, "value_or_reason"),
        ({"state": "complete"}, "assessment_complete"),
        ({"state": "finished"}, "state_known|assessment_complete"),
    ],
)
def test_what_no_form_may_hold_cannot_be_stored(enrolled, alice, as_system, values, constraint):
    patient = enrolled(alice)
    with as_system():
        kept = {"patient": patient, "site_id": patient.site_id}
        with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
            Assessment.objects.create(timepoint_id="preop", **kept, **values)
        Assessment.objects.create(timepoint_id="preop", missing={"frankel": "unknown"}, **kept)
        with pytest.raises(DatabaseError, match="once_a_timepoint"), transaction.atomic():
            Assessment.objects.create(timepoint_id="preop", **kept)


def test_every_item_of_an_event_has_a_column():
    from registry.models import AdverseEvent

    names = {field.name for field in AdverseEvent._meta.get_fields()}
    assert names.issuperset(item.name for item in ADVERSE_EVENT_ITEMS)


@pytest.mark.parametrize("table", ["registry_patient", "registry_assessment", "registry_adverseevent"])
def test_a_row_written_by_sql_alone_starts_without_reasons(db, table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_default FROM information_schema.columns WHERE table_name = %s AND column_name = 'missing'",
            [table],
        )
        assert cursor.fetchone() == ("'{}'::jsonb",)
