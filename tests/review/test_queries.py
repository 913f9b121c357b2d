"""Queries: what rules raise, what people raise, and who may take which step."""

import pytest
from django.core.exceptions import PermissionDenied

from registry.models import Assessment, Patient, Query
from registry.services.entry.assessments import save_assessment
from registry.services.records import extras
from registry.services.records.cleaning import InvalidAnswers
from registry.services.review import queries
from registry.services.review.queries import Said, Unlikely, Wanted, WrongState
from registry.services.review.soft_checks import Form
from registry.services.review.soft_checks_bulk import sweep
from registry.tasks import check_all_forms
from tests.conftest import TODAY
from tests.review.conftest import FINE, PREOP, WALKS

RULE = "severe_palsy_but_walks"
KEY = f"preop:{RULE}"


def rule_queries(stored):
    return [(row.form, row.timepoint_id, row.rule, row.state) for row in stored(rule__isnull=False)]


def test_what_is_unlikely_is_asked_about_before_it_is_stored(save, stored):
    with pytest.raises(Unlikely) as asked:
        save(WALKS, said=Said())
    assert [finding.key for finding in asked.value.findings] == [KEY]
    assert stored(Assessment) == []
    save(said=Said())
    assert stored() == []


def test_asked_and_left_it_becomes_an_open_query(save, stored, steps):
    save(WALKS, said=Said(asked=frozenset([KEY])))
    (query,) = stored()
    assert (query.state, query.field, query.raised_by_id) == ("open", "barthel_mobility", None)
    assert query.seen == {"frankel": "A", "barthel_mobility": 15}
    assert steps(query) == [("raised", None, "")]


def test_confirmed_it_is_an_answered_query(save, stored, steps, alice):
    save(WALKS, said=Said(right={KEY: "with an exoskeleton"}))
    (query,) = stored()
    assert query.state == "answered"
    assert steps(query) == [("raised", None, ""), ("confirmed", alice.pk, "with an exoskeleton")]
    save(WALKS, said=Said(), eq_vas="61")  # nothing new: not asked again
    assert rule_queries(stored) == [("assessment", "preop", RULE, "answered")]


def test_mended_data_close_it_and_spoilt_ones_raise_it_again(save, stored, steps):
    save(WALKS)
    save()
    assert rule_queries(stored) == [("assessment", "preop", RULE, "closed")]
    save(WALKS)
    (query,) = stored()
    assert (query.state, query.mended) == ("open", False)
    assert [kind for kind, *_ in steps(query)] == ["raised", "mended", "reopened"]


def test_what_a_monitor_closed_stays_closed_for_the_same_answers(save, own_form, stored, mona, as_person, as_system):
    save(WALKS)
    (query,) = stored()
    with as_person(mona) as access:
        queries.close(access=access, query=query)
    save(WALKS, said=Said(), eq_vas="61")
    assert stored()[0].state == "closed"
    with pytest.raises(Unlikely):
        save(WALKS | {"frankel": "B"}, said=Said())
    save(WALKS | {"frankel": "B"})
    assert stored()[0].state == "open"
    own_form("baseline")
    own_form("surgery")
    early = {"timepoint": "1m", "assessment_date": "2026-01-10"}
    save(**early)
    of_visit = Query.objects.filter(timepoint_id="1m")
    with as_system():  # closed when its rule had another name
        assert [row.rule for row in of_visit] == ["follow_up_before_surgery"]
        of_visit.update(rule="outside_visit_window", state="closed")
        sweep()
    save(**early, said=Said())
    before = ("assessment", "1m", "outside_visit_window", "closed")
    assert rule_queries(stored)[2:] == [before]
    save(**early | {"assessment_date": "2026-01-11"})
    assert rule_queries(stored)[2:] == [before, ("assessment", "1m", "follow_up_before_surgery", "open")]


def test_a_draft_is_not_asked_about(save, stored):
    save(WALKS, complete=False, said=Said())
    assert stored() == []
    with pytest.raises(Unlikely):
        save(WALKS, said=Said())


def test_checks_reach_across_the_patient_and_its_assessments(save, own_form, stored):
    own_form("baseline")
    own_form("surgery")
    save()
    with pytest.raises(Unlikely) as asked:
        own_form("baseline", tokuhashi_palsy="2", said=Said())
    assert [finding.key for finding in asked.value.findings] == ["preop:tokuhashi_palsy_against_frankel"]
    own_form("baseline", tokuhashi_palsy="2")
    assert rule_queries(stored) == [("assessment", "preop", "tokuhashi_palsy_against_frankel", "open")]
    own_form("baseline")
    assert stored()[0].mended
    save(timepoint="1m", assessment_date="2026-05-30")
    assert rule_queries(stored)[1:] == [("assessment", "1m", "outside_visit_window", "open")]
    own_form("surgery", surgery_date="2026-04-30")
    assert {(row.rule, row.timepoint_id): row.state for row in stored()}["outside_visit_window", "1m"] == "closed"


def test_an_unusual_age_is_found_without_keeping_the_date_of_birth(own_form, stored):
    own_form("baseline", birth_date="1921-04-03")
    own_form("surgery")
    (query,) = stored()
    assert (query.rule, query.seen) == ("unusual_age", {"surgery_date": "2026-01-15"})


def test_the_sweep_says_the_same_as_saving(save, own_form, stored, as_system):
    with as_system():
        for code in ("tomita", "radiotherapy", "local_recurrence"):
            extras.switch(access=None, code=code, on=True)
    tomita = {"primary_detail": "lung", "tomita_growth": "1", "visceral_treatability": "0", "skeletal_metastases": "2"}
    own_form("baseline", sins_location="3", birth_date="1921-04-03", **tomita)
    own_form("surgery", blood_loss_ml="6000")
    save(WALKS | {"eq_vas": "90", "pain_vas_mm": "95", "frankel": "B"})
    save(timepoint="1m", assessment_date="2026-05-30")
    radiotherapy = {"rt_before": "none", "rt_before_date": "2026-01-01", "rt_after": "none", "rt_after_dose_gy": "30.0"}
    end = {"vital_status": "dead", "death_date": "2026-05-01", "last_contact_date": "2026-05-01"}
    own_form("follow_up", local_recurrence="absent", **radiotherapy, **end)
    before = [(row.rule, row.form, row.timepoint_id, row.field, row.seen, row.state) for row in stored()]
    assert len(before) >= 9
    extra = {"tomita_growth_against_primary", "date_without_radiotherapy_before", "dose_without_radiotherapy_after"}
    assert extra <= {rule for rule, *_ in before}
    with as_system():
        assert sweep() == (0, 0, 0)
    assert [(row.rule, row.form, row.timepoint_id, row.field, row.seen, row.state) for row in stored()] == before


def test_the_sweep_after_an_import_raises_closes_and_raises_again(save, stored, steps, as_system):
    row = save()

    def bring_in(**values):
        with as_system(reason="import"):
            Assessment.objects.filter(pk=row.pk).update(**values)
        with as_system():
            return sweep()

    assert bring_in(frankel="A", barthel_mobility=15) == (1, 0, 0)
    assert check_all_forms() == (0, 0, 0)
    assert bring_in(frankel="D") == (0, 0, 1)
    assert bring_in(frankel="A") == (0, 1, 0)
    assert [kind for kind, *_ in steps(stored()[0])] == ["raised", "mended", "reopened"]


def test_a_person_asks_answers_reopens_and_closes(save, mona, alice, as_person, stored, steps, patient):
    save()
    with as_person(mona) as access:
        query = queries.raise_query(access=access, patient=patient, form=PREOP, field="frankel", text="Source says C")
        assert (
            queries.raise_query(access=access, patient=patient, form=PREOP, field="frankel", text="Source says C")
            == query
        )
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="Chart says D")
        queries.answer(access=access, query=query, text="Chart says D")  # sent twice
        with pytest.raises(WrongState):
            queries.answer(access=access, query=query, text="Something else")
    with as_person(mona) as access:
        queries.reopen(access=access, query=query, text="Which page?")
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="Page 3")
    with as_person(mona) as access:
        queries.close(access=access, query=query, text="Thank you")
        with pytest.raises(WrongState):
            queries.close(access=access, query=query, text="Again")
    (query,) = stored()
    assert (query.state, query.raised_by_id, query.rule) == ("closed", mona.pk, None)
    assert steps(query) == [
        ("raised", mona.pk, ""),
        ("answered", alice.pk, "Chart says D"),
        ("reopened", mona.pk, "Which page?"),
        ("answered", alice.pk, "Page 3"),
        ("closed", mona.pk, "Thank you"),
    ]


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "bell\x07"])
def test_words_that_cannot_be_kept(mona, as_person, patient, text):
    with as_person(mona) as access:
        with pytest.raises(InvalidAnswers):
            queries.raise_query(access=access, patient=patient, form=PREOP, text=text)
        assert queries.raise_query(access=access, patient=patient, form=PREOP, text="x" * 2000).pk


@pytest.mark.parametrize("who", ["alice", "ivo", "bob", "ada", "charlie"])
def test_others_raise_no_query(who, mona, as_person, patient, request):
    with as_person(request.getfixturevalue(who)) as access, pytest.raises(PermissionDenied):
        queries.raise_query(access=access, patient=patient, form=PREOP, text="Why?")
    with as_person(mona) as access:
        query = queries.raise_query(access=access, patient=patient, form=PREOP, text="Why?")
    with as_person(request.getfixturevalue(who)) as access, pytest.raises(PermissionDenied):
        queries.close(access=access, query=query)


def test_a_monitor_does_not_answer(mona, ivo, dana, as_person, patient):
    with as_person(dana) as access:
        query = queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Why?")
    with as_person(mona) as access, pytest.raises(PermissionDenied):
        queries.answer(access=access, query=query, text="Because")
    with as_person(ivo) as access:
        assert queries.answer(access=access, query=query, text="Because").state == "answered"


def test_many_are_asked_at_once_and_nobody_twice(enrolled, alice, charlie, dana, mona, as_person, stored):
    unknown = {"eq_vas": "unknown"}
    for user in (alice, alice, charlie):
        patient = enrolled(user)
        with as_person(user) as access:
            raw = {name: value for name, value in FINE.items() if name != "eq_vas"}
            save_assessment(
                access=access, patient=patient, timepoint="1m", raw=raw, missing=unknown, complete=True, today=TODAY
            )
    wanted = Wanted("assessment", "eq_vas", "unknown", timepoint="1m")
    with as_person(mona) as access:
        sites = access.sites_for("query")
        assert queries.raise_many(access=access, wanted=wanted, text="Ask by telephone?", site_ids=sites) == 2
        assert queries.raise_many(access=access, wanted=wanted, text="Ask by telephone?", site_ids=sites) == 0
    with as_person(dana) as access:
        every = access.sites_for("query")
        assert len(list(queries.matching(access, wanted, every))) == 1
        assert queries.raise_many(access=access, wanted=wanted, text="Ask by telephone?", site_ids=every) == 1
        for has, expected in (("missing", 0), ("refused", 0), ("empty", 0)):
            assert (
                len(list(queries.matching(access, Wanted("assessment", "eq_vas", has, timepoint="1m"), every)))
                == expected
            )
        assert len(list(queries.matching(access, Wanted("assessment", "ecog_ps", "value", "1m", 2), every))) == 3
        assert len(list(queries.matching(access, Wanted("baseline", "sex", "value", value="male"), every))) == 3
    assert {(row.patient_id, row.raised_by_id) for row in stored()} == {
        ("N01-0001", mona.pk), ("N01-0002", mona.pk), ("S01-0001", dana.pk)
    }  # fmt: skip


def test_queries_go_with_their_patient(save, mona, alice, as_person, as_system, patient, stored):
    save(WALKS)
    with as_person(mona) as access:
        queries.raise_query(access=access, patient=patient, form=PREOP, text="Why?")
    with as_system(reason="withdrawn"):
        Patient.objects.filter(pk=patient.pk).delete()
    assert stored(Query) == []
