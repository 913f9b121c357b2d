"""The plan's page: choices become a plan and come back, what fits is seen at once, plans are saved, locked and run."""

import json

import pytest
from django.urls import reverse

from registry.analysis.design import plans
from registry.models import ComparisonRun, SavedPlan
from registry.web.comparison import plan_builder

CHOICES = {
    "name": "Two arms",
    "cohort_name": "all",
    "grouping": "named",
    "name_1": "Lung", "ja_1": "肺", "levels_1": ["primary_tumour=lung"],
    "name_2": "Others", "ja_2": "その他", "levels_2": ["primary_tumour=breast", "primary_tumour=renal"],
    "cells": ["age_at_surgery", "sex", "frankel@preop", "pain_vas_mm@1m", "hsuv@last"],
    "events": ["any", "pneumonia"], "within_days": "30", "within": "1",
    "adjust": "holm", "family": "section", "sensitivity": ["worst_rank"], "test_continuous": "mann_whitney",
    "survival": "1", "times": "6, 12",
}  # fmt: skip


@pytest.fixture
def opened(client, bob, random_patients):
    client.force_login(bob)
    return client


def test_choices_make_a_plan_and_come_back(random_patients):
    plan = plans.from_json(plan_builder.compiled(CHOICES | {"name_3": ""}))
    assert [group.code for group in plan.named.groups] == ["group_1", "group_2"]
    assert [entry.code for entry in plan.entries("comparisons")] == ["baseline", "outcomes", "events", "changes"]
    given = plan_builder.choices_of(plan.to_json())
    assert given is not None
    assert plans.from_json(plan_builder.compiled(given)) == plan


@pytest.mark.parametrize("template", [template.code for template in plan_builder.TEMPLATES])
def test_each_template_opens(opened, template):
    content = opened.get(reverse("comparison_plan_new"), {"template": template}).content.decode()
    assert "Pain (VAS)" in content and 'value="pain_vas_mm@1m"' in content


def test_what_fits_and_how_many_are_seen_at_once(opened):
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "check"})
    content = answer.content.decode()
    assert answer.status_code == 200
    assert "Patients in each group" in content and '<th scope="row">Lung</th><td>60</td>' in content
    wrong = CHOICES | {"levels_2": ["primary_tumour=lung"], "act": "check"}
    answer = opened.post(reverse("comparison_plan_new"), wrong)
    assert answer.status_code == 422 and "groups must not share patients" in answer.content.decode()
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "check", "use_json": "1", "json": "{"})
    assert answer.status_code == 422 and "the plan is no JSON" in answer.content.decode()


def test_a_plan_is_saved_locked_and_carried_out(opened):
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "lock"})
    saved = SavedPlan.objects.get()
    assert answer["Location"] == reverse("comparison_plan", args=[saved.pk]) and saved.locked
    page = opened.get(answer["Location"]).content.decode()
    assert "Nobody can change this version" in page
    again = opened.get(reverse("comparison_plan_new"), {"from": saved.pk}).content.decode()
    assert 'value="hsuv@last" checked' in again
    assert json.loads(opened.get(answer["Location"], {"format": "json"}).content)["name"] == "Two arms"
    started = opened.post(reverse("comparison_plan_run", args=[saved.pk]))
    run = ComparisonRun.objects.get()
    assert started["Location"] == reverse("comparison_run", args=[run.pk]) and run.plan["name"] == "Two arms"
    assert opened.get(reverse("comparison_plans")).status_code == opened.get(reverse("comparison")).status_code == 200


def test_one_group_before_and_after(opened):
    choices = {"name": "Own control", "grouping": "everybody", "cells": ["pain_vas_mm@1m"], "within": "1", "act": "run"}
    assert opened.post(reverse("comparison_plan_new"), choices).status_code == 302
    plan = plans.from_json(ComparisonRun.objects.get().plan)
    assert [entry.kind for entry in plan.entries("comparisons")] == ["within"]


def test_a_run_of_sections_is_asked_again_on_the_plans_page(opened):
    opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "run"})
    run = ComparisonRun.objects.get()
    answer = opened.get(reverse("comparison_new"), {"from": run.pk})
    assert answer["Location"] == f"{reverse('comparison_plan_new')}?run={run.pk}"
    content = opened.get(answer["Location"]).content.decode()
    assert 'value="hsuv@last" checked' in content and 'value="Two arms"' in content
