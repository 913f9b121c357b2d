"""The plan's page: choices become a plan and come back, what fits is seen at once, plans are saved, locked and run."""

import copy
import datetime as dt
import json
from uuid import uuid4

import pytest
from django.urls import reverse
from lxml import html

from registry.analysis.design import plans
from registry.analysis.design.variables import known
from registry.management.demo.demonstration import PLANS
from registry.models import ComparisonRun, SavedPlan
from registry.web.comparison.planning import plan_builder, repeated
from registry.web.comparison.planning.plan_choices import choices_of, same
from registry.web.shared import wording
from tests.analysis.plans import test_plan_comparisons
from tests.analysis.plans.test_plan_comparisons import GROUPS
from tests.analysis.plans.test_plan_verification import random_plan
from tests.analysis.sections import test_in_a_run, test_verification

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


def test_choices_make_a_plan_and_come_back(random_patients, monkeypatch):
    plan = plans.from_json(plan_builder.compiled(CHOICES | {"name_3": ""}))
    assert [group.code for group in plan.named.groups] == ["group_1", "group_2"]
    assert [entry.code for entry in plan.entries("comparisons")] == ["baseline", "outcomes", "events", "changes"]
    given = choices_of(plan.to_json())
    assert given is not None
    assert plans.from_json(plan_builder.compiled(given)) == plan
    row = {"row_what_1": "pain_vas_mm", "row_visits_1": ["1m"], "row_pairwise_1": "welch_t"}
    outcomes = plan_builder.compiled(CHOICES | row)["comparisons"][1]["rows"]
    at_1m = {"variable": "pain_vas_mm", "visit": "1m", "test": "mann_whitney", "pairwise": "welch_t"}
    assert outcomes[0] == at_1m
    monkeypatch.setattr(repeated, "codes", lambda: ["courses:any", "courses:count"])  # in the order of the page
    ticked = plan_builder.compiled(CHOICES | {"repeats": ["courses:count", "courses:any"]})
    records = [row["variable"] for row in ticked["comparisons"][3]["rows"]]
    assert (
        records
        == ["rec_courses_any", "rec_courses_count"]
        == [variable["name"] for variable in ticked["variables"]][-2:]
    )


@pytest.mark.parametrize("template", [template.code for template in plan_builder.TEMPLATES])
def test_each_template_opens(opened, template):
    for whole in ("", "1"):  # with a script, and without one
        page = opened.get(reverse("comparison_plan_new"), {"template": template, "whole": whole})
        content = page.content.decode()
        assert ('value="pain_vas_mm@1m"' in content) == ("Pain (VAS), 1m" in content) == bool(whole)
    assert len(opened.get(reverse("comparison_plan_new"), {"template": template}).content) < 60_000


def test_lists_and_tables_are_fetched_once(opened, monkeypatch):
    lists = opened.get(reverse("comparison_plan_lists"))
    data = lists.json()
    titles = dict(data["lists"]["scales"])
    assert [name for some in titles.values() for name in some if name in ("hsuv", "pain_vas_mm")] == [
        "pain_vas_mm",
        "hsuv",
    ]
    assert data["summaries"]["frankel"].startswith("ordinal · known: Before surgery ")
    assert "A: " in data["summaries"]["frankel"] and data["labels"]["pain_vas_mm"] == "Pain (VAS)"
    assert opened.get(reverse("comparison_plan_lists"), headers={"If-None-Match": lists["ETag"]}).status_code == 304
    counts, at = known.counts, dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    with monkeypatch.context() as large:  # numbers that the worker keeps have their time
        large.setattr(known, "counts", lambda: (counts()[0], at))
        summary = opened.get(reverse("comparison_plan_lists")).json()["summaries"]["frankel"]
        assert summary.startswith(f"ordinal · known on {wording.moment(at)}: Before surgery ")
    year = {"grouping": "named", "visit_what_1": "nearest", "visit_day_1": "365", "visit_within_1": "60"}
    page = html.fromstring(opened.get(reverse("comparison_plan_new")).content.decode())
    parts = [details.get("hx-post") for details in page.iter("details") if details.get("hx-post")]
    summary = {part: opened.post(part, year).content.decode() for part in parts}
    assert len(summary) > 20 and all("name=" in content for content in summary.values())
    table = next(content for content in summary.values() if 'value="pain_vas_mm@1m"' in content)
    assert 'value="pain_vas_mm@visit_1"' in table and "Day 365 ± 60" in table
    for part in ("grid&of=Astrology", "astrology"):
        assert opened.post(f"{reverse('comparison_plan_new')}?part={part}", year).status_code == 404


def test_what_fits_and_how_many_are_seen_at_once(opened):
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "check"})
    content = answer.content.decode()
    assert answer.status_code == 200
    assert "Patients in each group" in content and '<th scope="row">Lung</th><td>60</td>' in content
    known = {(name, visit): n for name, _kind, visit, n in answer.context["checked"]["known"]}
    assert 60 < known["Sex", ""] < 200 and known["Pain (VAS)", "1 month"] < known["Sex", ""]
    assert 0 < known["EQ-5D-5L value (HSUV)", "Last visit"] < known["Sex", ""]
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
    for gone in ("abc", str(uuid4())):
        answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "run", "snapshot": gone})
        assert answer.status_code == 422 and f'value="{gone}" selected' in answer.content.decode()
        answer = opened.post(reverse("comparison_plan_run", args=[saved.pk]), {"snapshot": gone}, follow=True)
        assert "is not here any more" in answer.content.decode()
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


RECODED = CHOICES | {
    "var_what_1": "item", "var_item_1": "frankel", "var_title_en_1": "Frankel A–C", "var_title_ja_1": "Frankel A〜C",
    "var_categories_1": "A–C | A〜C: A, B, C\nD or E: D, E",
    "var_what_2": "item", "var_item_2": "age_at_surgery", "var_title_en_2": "Age group", "var_title_ja_2": "年齢層",
    "var_categories_2": "under 60: <60\n60 to 74: 60-75\nold = 75 and over: >=75",
    "cells": ["var_1@1m", "var_2", "sex"],
}  # fmt: skip


def test_variables_are_cut_and_collapsed_on_the_page(opened):
    plan = plans.from_json(plan_builder.compiled(RECODED))
    frankel, age = plan.variables[:2]
    assert (frankel.kind, [step.holds for step in frankel.cut]) == ("binary", [("A", "B", "C"), ("D", "E")])
    assert (age.kind, [(step.low, step.high) for step in age.cut]) == ("ordinal", [(None, 60), (60, 75), (75, None)])
    given = choices_of(plan.to_json())
    assert given is not None and plans.from_json(plan_builder.compiled(given)) == plan
    page = opened.post(reverse("comparison_plan_new"), RECODED | {"act": "check"}).content.decode()
    assert 'value="var_1@1m" checked' in page and "Variables of this plan" in page


@pytest.mark.parametrize(
    ("lines", "said"), [("A–C", "a colon and what it holds"), ("low: A, Z", "Z"), ("low: 1-2", "1-2")]
)
def test_a_category_that_does_not_fit_says_which_line(opened, lines, said):
    answer = opened.post(reverse("comparison_plan_new"), RECODED | {"var_categories_1": lines, "act": "check"})
    assert answer.status_code == 422 and said in answer.content.decode()


def test_more_groups_and_variables_are_asked_one_by_one(opened):
    content = opened.post(
        reverse("comparison_plan_new"), CHOICES | {"more": "name", "shown_name": "4"}
    ).content.decode()
    assert 'name="name_5"' in content and 'name="name_6"' not in content and 'value="Lung"' in content
    five = {f"name_{n}": f"G{n}" for n in range(1, 6)}
    tumours = ("lung", "breast", "renal", "prostate", "other")
    five |= {f"levels_{n}": [f"primary_tumour={code}"] for n, code in enumerate(tumours, 1)}
    plan = plans.from_json(plan_builder.compiled(CHOICES | {"test_continuous": ""} | five))
    assert len(plan.named.groups) == 5
    assert choices_of(plan.to_json()) is not None


def test_tables_of_matched_patients_are_a_tick(opened):
    score = {"ps_what_1": "matching", "ps_covariates_1": ["age_at_surgery", "sex"]}
    matched = CHOICES | score | {"pairs": "1"}
    plan = plans.from_json(plan_builder.compiled(matched))
    assert plan.entries("comparisons")[-1].matched == "ps_1"
    assert "comparisons" not in plan_builder.compiled({"grouping": "named", "pairs": "1", **score})
    assert choices_of(plan.to_json())["pairs"] == "1"


SECTIONED = CHOICES | {
    "ps_what_1": "matching", "ps_covariates_1": ["age_at_surgery", "sex"], "ps_caliper_1": "0.2", "ps_ratio_1": "2",
    "ps_caliper_unit_1": "sd", "ps_on_1": "logit", "ps_order_1": "random", "ps_seed_1": "7", "ps_exact_1": ["sex"],
    "endpoint_what_1": "adverse_event", "endpoint_events_1": ["pneumonia"], "endpoint_grade_1": "IIIa",
    "endpoint_competing_1": "1", "endpoint_times_1": "1, 3", "endpoint_horizon_1": "6", "endpoint_matched_1": "ps_1",
    "endpoint_what_2": "reached", "endpoint_variable_2": "ecog_ps", "endpoint_visits_2": ["1m", "3m"],
    "endpoint_at_least_2": "3", "endpoint_tests_2": ["stratified"], "endpoint_strata_2": ["sex"],
    "model_what_1": "ancova", "model_outcome_1": "pain_vas_mm", "model_visits_1": ["1m"], "model_baseline_1": "preop",
    "model_covariates_1": ["age_at_surgery", "kps@preop"], "model_adjust_1": "holm",
    "model_structure_1": "unstructured",
    "model_what_2": "logistic", "model_outcome_2": "frankel", "model_visits_2": ["last"], "model_event_2": "D, E",
    "model_what_3": "repeated", "model_outcome_3": "hsuv", "model_visits_3": ["1m", "3m"],
    "model_structure_3": "compound_symmetry", "model_degrees_3": "residual",
    "qol_what_1": "qaly", "qol_variable_1": "hsuv", "qol_visits_1": ["preop", "3m"], "qol_horizon_1": "3",
    "qol_gaps_1": "carried",
    "qol_what_2": "responders", "qol_variable_2": "pain_vas_mm", "qol_visits_2": ["preop", "1m"],
    "qol_threshold_2": "20", "qol_title_en_2": "Relief", "qol_title_ja_2": "疼痛軽減",
    "transition_what_1": "frankel", "transition_before_1": "preop", "transition_after_1": "1m",
    "transition_matched_1": "ps_1",
}  # fmt: skip


def test_every_section_is_asked_by_fields_and_comes_back(opened):
    plan = plans.from_json(plan_builder.compiled(SECTIONED))
    document = plan.to_json()
    assert [entry.code for entry in plan.entries("endpoints")] == ["survival", "endpoint_1", "endpoint_2"]
    assert document["endpoints"][1]["event"] == [{"kind": "adverse_event", "of": ["pneumonia"], "grade": "IIIa"}]
    assert document["endpoints"][2]["event"][0]["at_least"] == 3
    assert [entry["model"] for entry in document["models"]] == ["ancova", "logistic", "repeated"]
    logistic = {"code": "model_2", "model": "logistic", "outcome": "frankel", "visits": ["last"], "event": ["D", "E"]}
    assert document["models"][1] == logistic | {"title": document["models"][1]["title"]}
    assert document["models"][1]["title"]["en"].startswith("Logistic regression: Frankel")
    assert [entry["title"]["en"] for entry in document["qol"]][1] == "Relief"
    assert document["propensity"][0]["ratio"] == 2 and document["propensity"][0]["exact"] == ["sex"]
    given = choices_of(document)
    assert given is not None and plans.from_json(plan_builder.compiled(given)) == plan
    answer = opened.post(reverse("comparison_plan_new"), SECTIONED | {"act": "save"})
    saved = SavedPlan.objects.get()
    assert answer["Location"] == reverse("comparison_plan", args=[saved.pk])
    again = opened.get(reverse("comparison_plan_new"), {"from": saved.pk})
    assert again.context["as_json"] == ""
    assert 'name="qol_threshold_2" value="20"' in again.content.decode()


def saved_and_opened(opened, plan):
    """The page of a plan's JSON that was saved."""
    given = {"name": plan["name"], "cohort_name": "all", "use_json": "1", "json": json.dumps(plan), "act": "save"}
    answer = opened.post(reverse("comparison_plan_new"), given)
    assert answer.status_code == 302, answer.context["error"]
    return opened.get(reverse("comparison_plan_new"), {"from": SavedPlan.objects.latest("pk").pk})


def sent_back(page):
    """What a browser sends of the fields of a page, as it stands."""
    (form,) = (form for form in html.fromstring(page.content.decode()).forms if "plan-form" in form.get("class", ""))
    given = {}
    for name, value in form.form_values():
        given.setdefault(name, []).append(value)
    return given


STUDY = plans.SEGMENT_COMPARISON.to_json() | {"name": "study"}
EVERY_RULE = {
    "name": "rules", "grouping": "named", "alpha": 0.01, "as_of": "2026-06-30",
    "named": [GROUPS[0] | {"steps": [*GROUPS[0]["steps"], {"step": "at_least", "variable": "pain_vas_mm", "minimum": 30,
                                                           "timepoint": "preop"}]},
              GROUPS[1] | {"steps": [{"step": "operated_from", "first": "2020-01-01"}, *GROUPS[1]["steps"]]}],
    "visits": [{"code": "last", "label": {"en": "Last", "ja": "最終"}, "take": "last"},
               {"code": "early", "take": "last_before", "day": 100},
               {"code": "year", "label": {"en": "One year", "ja": "1年"}, "take": "nearest", "day": 365, "within": 60}],
    "variables": [
        {"name": "wait", "of": {"days": {"from": "consent_date", "to": "surgery_date"}, "unit": "months"}},
        {"name": "gain", "label": {"en": "Gain", "ja": "改善"}, "of": {"change": "eq_vas", "from": "early"}},
        {"name": "great", "of": {"change": "pain_vas_mm"}, "decimals": 0,
         "categories": [{"code": "yes", "below": -20}, {"code": "no", "from": -20}]},
        {"name": "early_grave", "of": {"events": ["pneumonia"], "grade": "IIIa", "last_day": 30, "give": "count"}},
    ],
    "comparisons": [
        {"code": "first", "title": "All", "adjust": "holm", "confidence": 0.9, "interval": "clopper_pearson",
         "sensitivity": ["worst_rank", "complete_cases"], "exploratory": True,
         "rows": [{"variable": "gain", "visits": ["year", "last"], "test": "mann_whitney"}, "sex", "wait",
                  {"variable": "assessment_date", "visit": "1m"}, {"variable": "great", "visit": "1m",
                                                                   "pairwise": "fisher_exact", "effect": "none"}]},
        {"code": "second", "kind": "within", "title": {"en": "Within", "ja": "前後"},
         "rows": [{"variable": "eq_vas", "visit": "year", "from": "early", "test": "paired_t"}]},
    ],
    "propensity": [
                   {"code": "ps", "title": {"en": "Weights", "ja": "重み"}, "treated": "others", "control": "lung",
                    "method": "weighting", "estimand": "overlap",
                    "covariates": ["age_at_surgery", {"variable": "eq_vas", "visit": "1m"}],
                    "outcomes": [{"variable": "eq_vas", "visit": "3m"}, {"variable": "sex"}]},
                   {"code": "near", "title": {"en": "Near", "ja": "近"}, "treated": "lung", "control": "others",
                    "covariates": ["sex"], "caliper": 0.2, "denominator": "treated",
                    "continuous": "signed_rank_exact"},
    ],
    "endpoints": [
        {"code": "fail", "title": {"en": "Failure", "ja": "不成功"}, "matched": "near",
         "event": [{"kind": "death"}, {"kind": "adverse_event", "of": ["hardware_failure"], "grade": "IIIa"},
                   {"kind": "reached", "variable": "frankel", "visits": ["1m", "3m"], "in": ["A", "B"]},
                   {"kind": "date", "variable": "last_contact_date"}]},
        {"code": "grave", "title": {"en": "Grave", "ja": "重篤"}, "event": [{"kind": "adverse_event"}],
         "competing": [{"kind": "death"}, {"kind": "days", "variable": "blood_loss_ml"}]},
    ],
}  # fmt: skip
WRITTEN = {
    "rules": EVERY_RULE, "study": STUDY, "sections": test_in_a_run.PLAN,
    "seed 1": random_plan(1), "seed 2": random_plan(2),
    "arms": STUDY | {"grouping": "arms", "overall_continuous": "t_test", "value_sets": ["NL", "UK"],
                     "followups": ["3m", "1m"], "second_overall_categorical": "",
                     "segment_rule": {"tl_starts_at": "T10"}, "reports": ["survival"],
                     "arms": {"variable": "procedure", "a": ["psf", "pps"], "b": ["bkp"]}},
    "of regions": {"name": "r", "grouping": "region",
                   "comparisons": [{"code": "a", "rows": ["sex", "age_at_surgery"]}]},
    "three": test_verification.of_three(), "weights": test_verification.of_weights(),
    "comparisons": test_plan_comparisons.PLAN,
}  # fmt: skip


def test_every_plan_opens_in_fields_and_is_saved_unchanged(opened):
    """What a browser sends back of a plan's page, untouched, is the plan: no new version is kept."""
    for name, written in (WRITTEN | {"ticks": plan_builder.compiled(SECTIONED)}).items():
        page = saved_and_opened(opened, copy.deepcopy(written) | {"name": name})
        assert page.context["as_json"] == "", name
        answer = opened.post(reverse("comparison_plan_new"), sent_back(page) | {"act": "save"})
        assert answer.status_code == 302, (name, answer.context["error"])
        (saved,) = SavedPlan.objects.filter(name=name)
        assert same(plans.from_json(plan_builder.compiled(page.context["given"])), plans.from_json(saved.plan)), name


def test_a_plan_of_another_study_is_told_and_left_as_json(opened):
    """A plan of items that are not collected here opens as JSON, with what fits."""
    for path in PLANS.glob("*.json"):
        plan = json.loads(path.read_text(encoding="utf-8"))
        assert choices_of(plan) is None
    page = opened.post(reverse("comparison_plan_new"), CHOICES | {"cohort_name": "of_elsewhere", "act": "check"})
    assert page.status_code == 422 and ("of_elsewhere", "of_elsewhere", True) in page.context["cohorts"]


def test_what_is_chosen_and_not_offered_is_kept(opened):
    """Covariates at a visit after surgery, or of the plan's own variables, of which no list tells."""
    plan = plan_builder.compiled(SECTIONED)
    plan["models"][0]["covariates"] = [{"variable": "frankel", "visit": "1m"}]
    plan["propensity"][0]["covariates"] = [{"variable": "kps", "visit": "1m"}, "ae_any"]
    content = saved_and_opened(opened, plan).content.decode()
    for code in ("frankel@1m", "kps@1m", "ae_any"):
        assert f'<option value="{code}" selected>' in content or f'value="{code}" checked' in content


def test_numbers_and_codes_of_entries_come_back(opened):
    seed = {"ps_seed_1": "20261130", "qol_threshold_2": "0.1234567"}
    plan = plans.from_json(plan_builder.compiled(SECTIONED | seed))
    given = choices_of(plan.to_json())
    assert given.items() >= seed.items()
    # The second model alone is filled in, opened again (now the first) and joined by another.
    alone = CHOICES | {
        "model_what_2": "logistic", "model_outcome_2": "frankel", "model_visits_2": ["1m"], "model_event_2": "D, E"
    }  # fmt: skip
    given = choices_of(plans.from_json(plan_builder.compiled(alone)).to_json())
    assert given["model_code_1"] == "model_2"
    two = plan_builder.compiled(given | {name: alone[name] for name in alone if name.startswith("model_")})
    assert [entry["code"] for entry in two["models"]] == ["model_2", "model_3"]


def test_a_field_of_another_kind_is_not_read(random_patients):
    typed = {"qol_what_1": "course", "qol_horizon_1": "12m", "qol_variable_1": "hsuv", "qol_visits_1": ["preop", "1m"]}
    (entry,) = plan_builder.compiled(CHOICES | typed)["qol"]
    assert "horizon" not in entry


@pytest.mark.parametrize("part", ["model", "name", "var"])
def test_how_many_are_shown_is_no_endless_number(opened, part):
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"act": "check", f"shown_{part}": "9" * 5000})
    assert answer.status_code == 200


def test_weights_are_chosen_and_tables_are_of_the_weighted(random_patients):
    given = {"pairs": "1", "ps_covariates_1": ["sex"], "ps_what_1": "weighting", "ps_estimand_1": "overlap"}
    plan = plans.from_json(plan_builder.compiled(CHOICES | given | {"ps_ratio_1": "3"}))
    (entry,) = plan.entries("propensity")
    assert (entry.method, entry.estimand, entry.ratio) == ("weighting", "overlap", 1)
    assert choices_of(plan.to_json())["ps_estimand_1"] == "overlap"


def test_entries_are_added_and_removed_by_buttons(opened):
    page = opened.post(reverse("comparison_plan_new"), SECTIONED | {"more": "model", "shown_model": "3"})
    content = page.content.decode()
    assert 'name="model_what_4" autofocus' in content and 'name="model_what_5"' not in content
    page = opened.post(reverse("comparison_plan_new"), SECTIONED | {"remove": "model_2"})
    left = plan_builder.compiled(page.context["given"])["models"]
    assert [entry["model"] for entry in left] == ["ancova", "repeated"]
    assert 'value="model" autofocus' in page.content.decode()


WRONG = (
    ({"qol_threshold_2": "a lot"}, "is no number"), ({"model_visits_1": ["1m", "3m"]}, "ancova takes 1 to 1 visits"),
    ({"qol_horizon_1": ""}, "horizon"), ({"model_outcome_1": "frankel"}, "frankel"),
    ({"model_event_2": "X"}, "event"), ({"transition_what_1": "pain_vas_mm"}, "pain_vas_mm"),
    ({"endpoint_variable_2": "no_such"}, "no_such"),
    ({"ps_what_1": "", "pairs": ""}, "matched"), ({"times": "soon"}, "is no number"),
    ({"within_days": "x"}, "is no number"), ({"within_days": "30.7"}, "is no whole number"),
    ({"ps_caliper_1": "-1"}, "caliper"),
    ({"visit_what_1": "nearest", "visit_day_1": "365"}, "needs `within`"),
    ({"var_what_1": "days", "var_first_1": "surgery_date", "var_last_1": "sex"}, "“sex” is binary"),
    ({"var_what_1": "change", "var_change_1": "age_at_surgery"}, "has no change"),
    ({"row_what_1": "frankel", "row_visits_1": ["1m"], "row_test_1": "welch_t"}, "frankel: test"),
    ({"row_what_1": "frankel", "row_visits_1": ["1m"], "row_table_1": "table_3"}, "a row is of table 3"),
    ({"row_what_1": "sex", "row_what_2": "sex"}, "in two rows without a table"),
    ({"event_what_1": "death", "event_endpoint_1": "9"}, "an event is of endpoint 9"),
    ({"step_what_1": "aged_at_least", "step_group_1": "7", "step_minimum_1": "60"}, "a step is of group 7"),
    ({"table_what_1": "between"}, "name at least one row"), ({"grouping": "arms"}, "levels of both arms"),
    ({"plan_alpha": "0,05x"}, "is no number"),
    ({"grouping": "everybody", "within": ""}, "one group has nothing to compare after surgery"),
    ({"grouping": "everybody", "cells": ["assessment_date@1m"]}, "of a date after surgery"),
    ({"pairs": "1", "ps_what_1": ""}, "need a score"),
    ({"model_what_1": "nonsense"}, "model_what_1: “nonsense” does not fit; one of ancova"),
    ({"repeats": ["nonsense"]}, "“nonsense” says nothing of records"),
    ({"var_what_1": "repeat", "var_repeat_1": "nonsense"}, "“nonsense” says nothing of records"),
    ({"cohort_name": "saved:abc"}, "saved cohort that was chosen is not here"),
    ({"use_json": "1", "json": '{"name": "a\\u0000b"}'}, "a null byte"),
    ({"use_json": "1", "json": '{"name": "a\\ud800b"}'}, "half a character"),
    ({"use_json": "1", "json": "[" * 20_000}, "nested too deeply"),
    ({"cells": ["sex", "pain_vas_mm@gone"]}, "gone"),
)  # fmt: skip


def test_what_does_not_fit_says_so_before_anything_is_run(opened):
    for wrong, said in WRONG:
        answer = opened.post(reverse("comparison_plan_new"), SECTIONED | wrong | {"act": "check"})
        assert answer.status_code == 422 and said in answer.context["error"], (said, answer.context["error"])
    page = answer.content.decode()  # of the last: what is ticked and in no table
    assert 'name="cells" value="pain_vas_mm@gone" checked' in page and page.count('value="sex" checked') == 1
    odd = {"step_what_01": "sex", "step_what_\uff11": "sex", "name_01": "Third", "levels_01": "sex=male"}
    assert opened.post(reverse("comparison_plan_new"), CHOICES | odd | {"act": "check"}).status_code == 200
    assert opened.post(reverse("comparison_plan_new") + "?part=step", CHOICES | odd).status_code == 200
    page = opened.post(reverse("comparison_plan_new"), {"grouping": "arms", "lists": "1"})
    first, *_others = html.fromstring(page.content.decode()).xpath("//form[contains(@class, 'plan-form')]//button")
    assert page.status_code == 200 and page.context["whole"] and first.get("value") == "check"
    answer = opened.post(reverse("comparison_plan_new"), CHOICES | {"plan_alpha": "0,05", "act": "save"})
    assert answer.status_code == 422 and 'value="0,05"' in answer.content.decode()
    nothing = {"grouping": "everybody", "name": "Nothing"}
    assert opened.post(reverse("comparison_plan_new"), nothing | {"act": "check"}).status_code == 200
    answer = opened.post(reverse("comparison_plan_new"), nothing | {"act": "save"})
    assert answer.status_code == 422 and "nothing is compared yet" in answer.context["error"]
