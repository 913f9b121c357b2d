"""The database and the declarations say the same: generated columns, constraints, missing reasons."""

import itertools
import random

import pytest
from django.db import DatabaseError, connection, transaction

from registry.exports.data.scores import sql as score_sql
from registry.instruments import catalogue, levels, scores
from registry.models import Assessment, Patient
from registry.models.records.clinical import (
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


@pytest.mark.parametrize(
    "instrument", [i for i in catalogue.INSTRUMENTS if i.derived], ids=lambda instrument: instrument.code
)
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
        columns = {"patient": patient, "site_id": patient.site_id}
        with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
            Assessment.objects.create(timepoint_id="preop", **columns, **values)
        Assessment.objects.create(timepoint_id="preop", missing={"frankel": "unknown"}, **columns)
        with pytest.raises(DatabaseError, match="once_a_timepoint"), transaction.atomic():
            Assessment.objects.create(timepoint_id="preop", **columns)


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


def _random_answer(chance, item):
    if item.choices:
        return chance.choice(item.codes)
    value = chance.choice((item.minimum, item.maximum, *range(item.minimum, min(item.maximum, item.minimum + 12))))
    return item.clean(str(value))


@pytest.mark.parametrize("score", scores.SCORES, ids=lambda score: score.code)
def test_a_score_in_a_query_equals_the_declared_one(db, score):
    """Random answers, some unknown, and laboratory values on both sides of each limit."""
    chance = random.Random(11)
    names = [name for name in score.inputs if name not in ("cci_full", "age_at_surgery")]
    near = {
        "platelets_1000_ul": (99, 100), "calcium_mg_dl": ("10.2", "10.3"), "bilirubin_mg_dl": ("1.3", "1.4"),
        "crp_mg_dl": ("0.39", "0.4"), "ldh_iu_l": (249, 250), "albumin_g_dl": ("3.4", "3.5", "3.6", "3.7"),
    }  # fmt: skip
    known = 0
    with connection.cursor() as cursor:
        for attempt in range(300):
            answers = {
                name: catalogue.item(name).clean(chance.choice(near[name]))
                if name in near
                else _random_answer(chance, catalogue.item(name))
                for name in names
            }
            answers |= {"cci_full": chance.randint(0, 33), "age_at_surgery": chance.randint(30, 95)}
            if attempt % 3 == 0:
                answers[chance.choice(score.inputs)] = None
            sql = score_sql(score, lambda name: f"%({name})s::{_type_of(name)}")
            cursor.execute(f"SELECT {sql}", answers)
            (stored,) = cursor.fetchone()
            assert stored == score.compute(answers), answers
            known += stored is not None
    assert known > 100


def _type_of(name):
    kind = catalogue.item(name).kind if name not in ("cci_full", "age_at_surgery") else "integer"
    return {"integer": "integer", "decimal": "numeric", "code": "varchar"}[kind]
