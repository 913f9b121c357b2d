"""Plans under a name: versions that never change, locked ones, and whether a run follows its locked plan."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.urls import reverse

from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts, plans, saved_plans
from registry.analysis.documents import files
from registry.analysis.figures import drawings
from registry.analysis.presentation import narrative
from registry.analysis.running import runner, runs
from registry.models import ComparisonRun, SavedCohort, SavedPlan
from tests.analysis.conftest import typed
from tests.analysis.plans.test_plan_comparisons import PLAN
from tests.api.conftest import program  # noqa: F401  a fixture


@pytest.fixture
def plan(db):
    return plans.from_json(PLAN)


@pytest.fixture
def locked(bob, as_person, plan):
    with as_person(bob) as access:
        return saved_plans.save(access=access, name="sap", plan=plan, cohort=cohorts.ALL, note="main", locked=True)


def test_a_version_never_changes(bob, as_person, plan, locked):
    with as_person(bob) as access:
        again = saved_plans.save(access=access, name="sap", plan=plan, cohort=cohorts.ALL, note="main", locked=True)
        changed = saved_plans.save(access=access, name="sap", plan=plan, cohort=cohorts.SEGI2024)
    assert (again.pk, changed.version, changed.locked) == (locked.pk, 2, False)
    assert saved_plans.named("sap").pk == changed.pk and saved_plans.named("sap:1").pk == locked.pk
    for act in (lambda: SavedPlan.objects.update(note="x"), lambda: SavedPlan.objects.all().delete()):
        with pytest.raises(DatabaseError, match="a saved plan never changes"), transaction.atomic():
            act()


def test_a_run_says_whether_it_follows_the_locked_plan(random_patients, as_system, locked, plan, client, bob):
    with as_system():
        before = packed_snapshots.freeze(access=None, label="after the lock")
        follows = runner.compare(saved_plans.plan_of(locked), cohorts.ALL, snapshot=before)
        elsewhere = runner.compare(saved_plans.plan_of(locked), cohorts.SEGI2024)
        unnamed = runner.compare(plan, cohorts.ALL)
    assert (follows["method"]["locked_plan"]["follows"], follows["method"]["locked_plan"]["before"]) == (True, True)
    assert any("follows the locked plan “sap”, version 1" in sentence for sentence in narrative.answer(typed(follows)))
    assert elsewhere["method"]["locked_plan"]["follows"] is False
    assert any("every number here is exploratory" in sentence for sentence in narrative.answer(typed(elsewhere)))
    assert any("すべての数値は探索的" in sentence for sentence in narrative.answer(typed(elsewhere), "ja"))
    assert any("No plan of this name was locked" in sentence for sentence in narrative.answer(typed(unnamed)))
    assert follows["comparisons"] == unnamed["comparisons"]
    client.force_login(bob)
    for more in ({"act": "check"}, {"more": "name"}):  # the data that were chosen stay chosen
        page = client.post(reverse("comparison_plan_new"), {"snapshot": str(before.pk)} | more)
        assert f'<option value="{before.pk}" selected>' in page.content.decode()


def test_the_command_takes_a_file_or_a_name(random_patients, locked, tmp_path, capsys):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN), encoding="utf-8")
    for plan in (str(path), "sap", "sap:1"):
        target = tmp_path / "result.json"
        call_command("compare", plan=plan, output=str(target))
        result = json.loads(target.read_text(encoding="utf-8"))
        assert [entry["code"] for entry in result["comparisons"]] == ["before", "after", "within"]
    with pytest.raises(CommandError, match="neither a file nor a saved plan; there are: sap"):
        call_command("compare", plan="spa")
    path.write_text('{"name": "x", "variables": [{"name": "y", "of": {"item": "karnofsky_pct"}}]}', encoding="utf-8")
    with pytest.raises(CommandError, match="this registry collects no “karnofsky_pct”"):
        call_command("compare", plan=str(path))


@pytest.fixture
def done(random_patients, bob, as_system, locked):
    with as_system():
        run = ComparisonRun.objects.create(plan=locked.plan, cohort=locked.cohort, requested_by=bob)
        assert runs.perform(run.pk)
        run.refresh_from_db()
    assert run.status == "done", run.error
    return run


def test_every_file_of_a_plan_with_sections_can_be_had(done, as_system):
    result = runs.result_of(done)
    for language in ("en", "ja"):
        for render in files.FORMATS.values():
            assert render(result, language, drawings.drawn)
    text = files.to_csv(result).decode()
    assert "comparisons/before/rows,age_at_surgery,,,,effects/lung_vs_others/p," in text


def test_the_page_shows_the_sections_and_nothing_of_the_study(client, bob, done):
    client.force_login(bob)
    content = client.get(reverse("comparison_run", args=[done.pk])).content.decode()
    assert "Before surgery" in content and "EQ-5D report" not in content and "follows the locked plan" in content
    assert client.get(reverse("comparison")).status_code == 200
    again = client.post(reverse("comparison_again", args=[done.pk]))
    assert again.status_code == 302
    compared = client.get(reverse("comparison_compare"), {"a": done.pk, "b": done.pk})
    assert compared.status_code in (200, 302)


def test_the_api_takes_the_same_plan(bob, random_patients, program):  # noqa: F811
    answer = program(bob).post("comparisons", {"plan": {k: v for k, v in PLAN.items() if k != "name"}, "cohort": "all"})
    assert answer.status_code == 202, answer.content
    wrong = {"comparisons": [{"code": "x", "rows": ["karnofsky_pct"]}]}
    answer = program(bob).post("comparisons", {"plan": wrong, "cohort": "all"})
    assert answer.status_code == 422 and "collects no" in answer.content.decode()


def test_the_api_lists_saved_plans_and_carries_them_out_by_name(bob, random_patients, locked, program):  # noqa: F811
    api = program(bob)
    (shown,) = api.get("plans").json()["items"]
    assert (shown["name"], shown["version"], shown["locked"]) == ("sap", 1, True)
    assert api.get(f"plans/{shown['id']}").json()["plan"] == shown["plan"]
    assert api.get("plans/999999").status_code == 404
    run = api.post("comparisons", {"plan": "sap:1"}).json()
    assert (run["plan"]["name"], run["cohort"]["name"]) == ("sap", "all")
    refused = api.post("comparisons", {"plan": "another"})
    assert refused.status_code == 422 and "there is no such plan" in refused.content.decode()


def test_what_is_no_longer_collected_is_named_on_every_page_and_fails_none(bob, client, as_person):
    client.force_login(bob)
    steps = [{"step": "category", "variable": "gone_item", "values": ["a"]}]
    asked = {"name": "Gone", "version": "1", "steps": steps}
    with as_person(bob) as access:
        of = {"name": "Gone", "version": 1, "created_by_id": access.user_id}
        cohort, plan = (
            SavedCohort.objects.create(steps=steps, **of),
            SavedPlan.objects.create(plan=PLAN, cohort=asked, **of),
        )
        whole = plans.SEGMENT_COMPARISON.to_json()
        run = ComparisonRun.objects.create(plan=whole, cohort=asked, requested_by_id=access.user_id, status="failed")
    for page in (
        reverse("cohorts"), reverse("cohort", args=[cohort.pk]), reverse("comparison_plan", args=[plan.pk]),
        f"{reverse('comparison_new')}?from={run.pk}",
    ):  # fmt: skip
        answer = client.get(page)
        assert (answer.status_code, "gone_item" in answer.content.decode()) == (200, True), page
    of_cohort = dict.fromkeys(("cohort_name", "cohort"), f"saved:{cohort.pk}")
    chosen = of_cohort | {"grouping": "sex", "followups": "1m", "cells": "age_at_surgery"}
    for page, post in (("comparison_new", "comparison_new"), ("export", "export_start"), ("", "comparison_plan_new")):
        form = client.get(reverse(page)).context["form"] if page else {}
        given = {name: form[name].initial for name in getattr(form, "fields", ()) if form[name].initial}
        answer = client.post(reverse(post), given | chosen)
        assert (answer.status_code, "gone_item" in answer.content.decode()) == (422, True), post
    flow = client.get(f"/api/v1/cohorts/{cohort.pk}/flow")
    assert flow.status_code == 409 and "gone_item" in flow.json()["detail"]
    refused = client.post("/api/v1/comparisons", {"plan": "Gone"}, content_type="application/json")
    assert refused.status_code == 422 and "gone_item" in refused.json()["errors"]["cohort"][0]
