"""Two comparisons side by side: every difference is told, nothing else is, and the patients only to some."""

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from registry.analysis.design import cohorts, plans
from registry.analysis.design.cohorts import Cohort, Step
from registry.analysis.presentation import tables
from registry.analysis.running import differences, runner, runs
from registry.instruments.base import Label
from registry.models import ComparisonRun, Patient
from tests.analysis.conftest import store
from tests.analysis.running.test_comparison_pages import a_run

FOLLOWED = Cohort("followed", "1", Label("followed", "followed"), (Step("followed_at_least", {"days": 100}),))


@pytest.fixture
def finished(random_patients, as_system, bob):
    def finish(plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024):
        with as_system():
            result, ids = runner.compare_and_tell(plan, cohort)
        return a_run(
            bob, plan, cohort, status="done", result=result, snapshot=result["method"]["snapshot"], patients=ids
        )

    return finish


def test_the_same_run_twice_differs_in_nothing(finished):
    item, two = finished(), finished()
    results = [runs.result_of(run) for run in (item, two)]
    assert differences.of_plans(item.plan, two.plan) == []
    assert differences.of_versions(*results) == []
    assert differences.of_numbers(*results) == {}
    assert differences.of_patients(item.patients, two.patients) == ([], [])


def test_another_correction_changes_p_and_nothing_else(finished):
    old, new = finished(), finished(plans.segment_comparison(adjust="holm"))
    assert [change.name for change in differences.of_plans(old.plan, new.plan)] == ["adjust"]
    changes = differences.of_numbers(runs.result_of(old), runs.result_of(new))
    names = {change.name[-1] for table in changes.values() for change in table}
    assert names == {"p"}
    p = {name: value for *name, value in tables.numbers(runs.result_of(new)) for name in [tuple(name)]}
    for table, changed in changes.items():
        for change in changed:
            assert p[table, *change.name] == change.new != change.old


def test_the_patients_of_a_run_are_those_of_its_cohort(finished, as_system):
    old, new = finished(), finished(cohort=FOLLOWED)
    with as_system():
        surgery = dict(Patient.objects.values_list("patient_id", "procedure"))
    came, left = differences.of_patients(old.patients, new.patients)
    assert len(old.patients) == old.result["cohort"]["n"]
    assert set(new.patients) == (set(old.patients) | set(came)) - set(left)
    assert came and left
    assert any(surgery[patient_id] == "tes" for patient_id in came)
    assert not any(surgery[patient_id] == "tes" for patient_id in left)
    assert differences.of_patients(None, new.patients) is None


def test_two_steps_of_a_kind_are_told_apart(finished):
    known = [Step("measured", {"variable": "hsuv", "timepoint": when}) for when in ("preop", "1m")]
    old, new = (finished(cohort=Cohort("known", "1", Label("known", "known"), tuple(known[:n]))) for n in (1, 2))
    cohort = differences.of_numbers(runs.result_of(old), runs.result_of(new))["cohort"]
    last = new.result["cohort"]["flow"][-1]
    assert [(change.name[0], change.name[-1], change.old, change.new) for change in cohort] == [
        (known[1].label.en, "n", None, last["n"]),
        (known[1].label.en, "excluded", None, last["excluded"]),
    ]


def test_a_run_keeps_its_patients(bob, as_person, random_patients):
    with as_person(bob) as access:
        run = runs.request(access=access, plan=plans.segment_comparison(domains=()), cohort=FOLLOWED)
    assert runs.perform(run.pk)
    stored = ComparisonRun.objects.get(pk=run.pk)
    assert len(stored.patients) == stored.result["cohort"]["n"] > 0
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        ComparisonRun.objects.filter(pk=run.pk).update(patients=[])


# Pages


def side_by_side(client, old, new):
    return client.get(reverse("comparison_compare"), {"a": old.pk, "b": new.pk})


def test_the_page_tells_request_numbers_and_patients(client, bob, finished, north):
    client.force_login(bob)
    old = finished()
    store(north, [{"patient_id": "N01-9999", "visits": {}, "events": (), "sex": "male"}])
    new = finished(plans.segment_comparison(adjust="holm"), FOLLOWED)
    response = side_by_side(client, old, new)
    page = response.content.decode()
    assert response.status_code == 200
    (came, listed), (left, _ids) = response.context["patients"]
    assert (came, left) == (len(set(new.patients) - set(old.patients)), len(set(old.patients) - set(new.patients)))
    assert listed[0] in page
    assert [name for name, *_ in response.context["versions"]] == ["Data"]
    phrases = ("Correction for several pairs", "Benjamini–Hochberg correction", "Holm correction")
    assert [tuple(map(str, timepoint)) for timepoint in response.context["plan"]] == [phrases]
    assert response.context["steps_came"] == ["followed for at least 100 days"]
    assert "Before and after surgery, within each group" in page


def test_the_page_of_the_same_run_says_so(client, bob, finished):
    client.force_login(bob)
    run = finished()
    page = side_by_side(client, run, run).content.decode()
    assert "Every number is the same" in page and "Plan, cohort, versions and data are the same" in page


def test_without_a_result_only_the_request_is_told(client, bob, finished):
    client.force_login(bob)
    response = side_by_side(client, finished(), a_run(bob, cohort=FOLLOWED))
    assert response.status_code == 200 and "has no result" in response.content.decode()
    assert "patients" not in response.context


def test_runs_from_before_patients_were_kept_are_said_to_be(client, bob, finished):
    client.force_login(bob)
    new = finished()
    old = a_run(bob, status="done", result=new.result, snapshot=new.snapshot)
    assert "it was run before that was kept" in side_by_side(client, old, new).content.decode()


def test_two_are_chosen_in_the_list(client, bob):
    client.force_login(bob)
    old, new = a_run(bob), a_run(bob)
    address = reverse("comparison_compare")
    chosen = client.get(address, {"run": [new.pk, old.pk]})
    first, second = sorted([old, new], key=lambda run: ComparisonRun.objects.get(pk=run.pk).requested_at)
    assert chosen["Location"] == f"{address}?a={first.pk}&b={second.pk}" or first.requested_at == second.requested_at
    for too_few in ({"run": [old.pk]}, {"run": [old.pk, old.pk]}, {}):
        response = client.get(address, too_few)
        assert (response.status_code, response["Location"]) == (302, reverse("comparison"))
    for odd in ({"a": old.pk}, {"a": "x", "b": "y"}, {"run": ["x", "y"]}):
        assert client.get(address, odd).status_code == 404


@pytest.mark.parametrize("who", ["alice", "mona", "ada"])
def test_others_do_not_know_the_page(client, bob, request, who):
    run = a_run(bob)
    client.force_login(request.getfixturevalue(who))
    assert side_by_side(client, run, run).status_code == 404
