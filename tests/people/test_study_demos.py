"""The demonstrations of further studies: loaded through the product, with the margins that the papers print."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from registry.analysis.data import frame as frames
from registry.analysis.design import plans
from registry.analysis.documents import bundle
from registry.analysis.reports import published_study
from registry.analysis.running import runner
from registry.management.demo import demonstration
from registry.models import Assessment, Patient
from registry.web.comparison.planning import plan_builder, plan_choices
from sites.models import User
from sites.tenancy.scope import everything
from tests.analysis.running.test_bundle import needs_r, unpacked, verify, wrong

pytestmark = pytest.mark.long


def call(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module", params=["wang2025", "zheng2021"])
def study(request, django_db_setup, django_db_blocker):
    """One study's demonstration, loaded in a transaction around those of all tests here."""
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(SYNTHETIC=True):
            call("load_demo", "--study", request.param)
        yield request.param
        transaction.set_rollback(True)


@pytest.fixture
def demo(study, db, settings):
    settings.SYNTHETIC = True
    return study


def test_it_loads_the_study_by_its_own_protocol(demo, as_system):
    with as_system():
        assert Patient.objects.count() == {"wang2025": 86, "zheng2021": 157}[demo]
        assert not Patient.objects.exclude(baseline_state="complete").exists()
        assert not Patient.objects.exclude(surgery_state="complete").exists()
        assert not Assessment.objects.exclude(state="complete").exists()


def test_another_study_does_not_mix_with_it(demo):
    with pytest.raises(CommandError, match=f"is the demonstration of {demo}"):
        call("load_demo")


@pytest.fixture(scope="module")
def lines(study):
    with transaction.atomic(), everything():
        return {line.id: line for line in published_study.lines(study)}


# What these patients cannot have, as docs/demonstration-data.md says: everything else prints as in the paper.
CANNOT = {
    "wang2025": {"frankel_final"},
    "zheng2021": {
        *("tokuhashi", "pain", "age_matched", "histology_matched", "tokuhashi_matched", "ecog_matched", "escc_matched"),
        *("pain_matched", "sins_matched", "ais_matched", "sosg_matched", "srs", "pain_after", "sosg_after"),
        "sins_after",
    },
}


def test_each_number_of_the_paper_prints_as_there_or_says_why_not(demo, lines):
    differing = {
        line.id: (line.printed, line.ours, line.p_printed, line.p_ours) for line in lines.values() if not line.agrees
    }
    assert set(differing) == CANNOT[demo], differing
    assert all(line.reason for line in lines.values() if not line.agrees)
    assert all(line.reason.en != published_study.ELSE.en for line in lines.values() if line.reason)


def test_the_summary_and_the_page_put_them_beside_each_other(demo, lines, client):
    agreeing, compared = published_study.agreement(lines.values())
    said = call("demo_summary", "--url", "http://127.0.0.1:8000/")
    assert f"{agreeing} of {compared} numbers print as in the paper" in said
    client.force_login(User.objects.get(email=demonstration.STATISTICIAN))
    page = client.get("/comparison/published/").content.decode()
    assert f"{agreeing} of {compared} numbers print as in the paper" in page
    assert "synthetic" in page


def test_its_plan_opens_on_the_plans_page_in_fields(demo):
    plan, _cohort = demonstration.question(demo)
    given = plan_choices.choices_of(plan.to_json())
    assert plan_choices.same(plans.from_json(plan_builder.compiled(given)), plan)


# What the study's plan computes, beside what the page *Beside the paper* counts by itself.


@pytest.fixture(scope="module")
def compared(study):
    """(result, bundle) of the study's plan on these patients."""
    plan, cohort = demonstration.question(study)
    with transaction.atomic(), everything():
        frame = frames.read(runner.timepoints_needed(plan, cohort))
        with override_settings(SYNTHETIC=True):
            result = runner.run(plan, cohort, frame)
            return result, bundle.bundle(result, frame, plan)


SAME_TEST = {
    "student_t": "t_test", "paired_t": "paired_t", "mann_whitney": "mann_whitney_uncorrected",
    "chi_square": "chi_square", "fisher": "fisher_exact", "mcnemar_exact": "mcnemar_exact", "bowker": "bowker",
    "signed_rank": "signed_rank_uncorrected",
}  # fmt: skip
CALLED = {"psins_total": "sins_after", "kps": "kps_points", "adverse_event": "any_complication"}
ANSWERED = {"1": "yes", "0": "no"}


def rows_of_plan(result, printed):
    """The plan's row of each row of the paper that has one: its variable, visit and patients."""
    rows = {
        (row["variable"], row["timepoint"], bool(entry.get("matched"))): row
        for entry in result["comparisons"]
        if entry["comparison"] == "between"
        for row in entry["rows"]
    }
    for row in printed["rows"]:
        if row["kind"] in ("mean_sd", "counts", "any_event") and "score" not in row:
            name = CALLED.get(row["variable"], row["variable"])
            at = (name, row.get("visit", ""), row.get("set") == "matched")
            if at in rows:
                yield row, rows[at]


def as_printed(row, group, place):
    """What a row of the plan says of a group, as the paper prints it."""
    if row["kind"] != "mean_sd":
        codes = [str(code) for code in row.get("codes", ("yes", "no"))]
        names = group["counts"].keys()
        return " / ".join(str(group["counts"][code if code in names else ANSWERED[code]]) for code in codes)
    spread = row.get("spread", "sd")
    wide = (spread if isinstance(spread, str) else spread[place]) == "se"
    decimals = len(row["printed"][place].split(" ± ")[0].partition(".")[2])
    parts = (group["mean"], group["sd"] / (group["n"] ** 0.5 if wide else 1))
    return " ± ".join(f"{part / row.get('unit', 1) + 1e-9:.{decimals}f}" for part in parts)


def test_the_plan_comes_to_the_numbers_beside_the_paper(demo, lines, compared):
    result, printed = compared[0], published_study.document(demo)
    checked, tested = 0, 0
    for row, ours in rows_of_plan(result, printed):
        line = lines[row["id"]]
        groups = [ours["groups"][group["code"].lower()] for group in printed["groups"]]
        assert [as_printed(row, group, place) for place, group in enumerate(groups)] == list(line.ours), row["id"]
        checked += 1
        if SAME_TEST.get(row.get("test")) == ours["test"] and line.p_ours:
            assert f"{ours['p']:.{printed['places']}f}" == line.p_ours, row["id"]
            tested += 1
    assert (checked, tested) == {"wang2025": (16, 13), "zheng2021": (33, 30)}[demo]


def test_the_plans_curves_come_to_the_rates_beside_the_paper(demo, lines, compared):
    endpoints = {entry["code"]: entry for entry in compared[0]["endpoints"]}
    names = {"survival": "survival", "local_recurrence": "local_control" if demo == "zheng2021" else "recurrence"}
    compared_rates = 0
    for row in published_study.document(demo)["rows"]:
        if row["kind"] not in ("survival_at", "median"):
            continue
        entry, line = endpoints[names[row["variable"]]], lines[row["id"]]
        for place, group in enumerate(published_study.document(demo)["groups"]):
            code = group["code"].lower()
            if row["kind"] == "median":
                ours = next(group["median"] for group in entry["followed"] if group["group"] == code)
                assert f"{ours:.0f}" == line.ours[place]
                continue
            months = [row["months"]] if isinstance(row["months"], int) else row["months"]
            rates = {
                rate["time"]: 100 * rate["estimate"]
                for rate in entry["rates"]
                if rate["group"] == code and rate["estimator"] == "survival" and rate["estimate"] is not None
            }
            for month, text in zip(months, line.ours[place].split(" / "), strict=True):
                decimals = len(text.rstrip("%").partition(".")[2])
                assert f"{rates[month] + 1e-9:.{decimals}f}" == text.rstrip("%")
                compared_rates += 1
    assert compared_rates >= 2


@pytest.mark.r
@needs_r
def test_r_computes_the_study_again(demo, compared, tmp_path):
    checked = verify(unpacked(tmp_path, compared[1]))
    assert checked.returncode == 0, "\n".join(wrong(checked)) + checked.stderr
