"""The demonstration: loaded once, into nothing else, computed, summed up."""

import io
import subprocess
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from registry import tasks
from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.documents import bundle
from registry.analysis.presentation import tables
from registry.analysis.running import runner
from registry.demo.recent import WAITING, with_recent_patients
from registry.instruments import levels
from registry.management.demo import demonstration
from registry.management.demo.management.commands import load_demo
from registry.models import Assessment, ComparisonRun, Patient
from sites.models import AuditEvent, Membership, Site, User
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import everything
from tests.analysis.running.test_bundle import VERIFY, needs_r, unpacked, wrong

pytestmark = pytest.mark.long


def call(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def loaded(django_db_setup, django_db_blocker, cohort_of):
    """The demonstration, loaded once in a transaction around those of all tests here; its cohort is made once a run."""
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(SYNTHETIC=True), pytest.MonkeyPatch.context() as patch:
            patch.setattr(load_demo, "make_cohort", cohort_of)
            call("load_demo")
        yield
        transaction.set_rollback(True)


@pytest.fixture
def demo(loaded, db, settings):
    settings.SYNTHETIC = True


@pytest.fixture
def computed(demo):
    """What the worker does, but for the claim and the heartbeat, which another connection would not see from here."""
    tasks.compute_all_outcomes()
    with everything():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
    ComparisonRun.objects.update(status=ComparisonRun.Status.DONE, result=result)


def stored():
    """How much is stored, of everything that a second load might touch."""
    return [model.objects.count() for model in (Patient, Site, User, Membership, AuditEvent, ComparisonRun)]


def test_it_loads_the_studys_registry(demo, as_system):
    with as_system():
        assert Patient.objects.count() == 413
        assert Patient.objects.exclude(site__code__regex=r"^S\d\d$").count() == 0
    assert Site.objects.count() == 38
    assert all(site.name and site.name_ja for site in Site.objects.all())


def test_the_coordinator_finds_work_and_the_study_is_as_published(demo, client, as_system):
    client.force_login(User.objects.get(email="coordinator@demo.example"))
    context = client.get("/").context
    assert {name: context["work"][name] for name in ("due", "overdue", "closing", "total")} == {
        "due": 5,
        "overdue": 2,
        "closing": 4,
        "total": 7,
    }
    assert [query["text"] for query in context["queries"]] == [demonstration.QUESTION]
    assert "/assessments/1m/#query-" in context["queries"][0]["address"]  # where it is corrected or explained
    with as_system():
        assert Patient.objects.filter(surgery_date__gt=date(2021, 12, 31)).count() == len(WAITING)
        flow = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)["cohort"]["flow"]
    assert [step["n"] for step in flow] == [413, 257, 230, 203]


def test_the_patients_moved_to_now_are_those_whom_the_study_leaves_out(cohort_of):
    cohort, today = cohort_of(), date(2026, 7, 1)
    changed, recent = with_recent_patients(cohort, today, "S01")
    assert (changed, recent) == with_recent_patients(cohort, today, "S01")
    assert set(recent) == {days for days, _kept in WAITING}
    of_site = [patient for patient in changed.patients if patient["site_code"] == "S01"]
    assert [patient["patient_id"] for patient in of_site] == [f"S01-{n:04d}" for n in range(1, len(of_site) + 1)]
    assert [patient["consent_date"] for patient in of_site] == sorted(patient["consent_date"] for patient in of_site)
    by_id = {patient["patient_id"]: patient for patient in changed.patients}
    for days, patient_id in recent.items():
        patient = by_id[patient_id]
        assert patient["surgery_date"] == today - timedelta(days=days)
        assert patient["last_contact_date"] <= today
        assert not levels.is_consecutive(lesions := patient["lesion_levels"].split(";")) or len(lesions) > 3

    def clinical(of):
        dated = ("patient_id", "birth_date", "consent_date", "surgery_date", "last_contact_date")
        return sorted(
            str({k: v for k, v in row.items() if k not in (*dated, "vital_status", "death_date")}) for row in of
        )

    assert clinical(changed.patients) == clinical(cohort.patients)


def test_a_second_load_changes_nothing(demo, as_system):
    with as_system():
        before = stored()
    call("load_demo")
    with as_system():
        assert stored() == before


def test_one_login_for_each_role_and_two_coordinators(demo, client):
    assert {login.role for login in demonstration.LOGINS} == set(Role)
    for login in demonstration.LOGINS:
        user = User.objects.get(email=login.email)
        assert access_of(user).roles == {login.role}
        assert client.login(username=login.email, password=demonstration.password())


def test_a_password_that_was_tried_out_is_set_back(demo, client):
    user = User.objects.get(email="coordinator@demo.example")
    user.set_password("something else 123")
    user.save()
    call("load_demo")
    assert client.login(username=user.email, password=demonstration.password())


def test_not_ready_without_a_worker(demo):
    with pytest.raises(CommandError, match="Is a worker running") as refusal:
        call("demo_ready", "--wait", "0.1")
    assert refusal.value.returncode == 1


def test_a_failed_comparison_is_the_reason(demo):
    ComparisonRun.objects.update(status=ComparisonRun.Status.FAILED, error="no space left")
    with pytest.raises(CommandError, match="The comparison is failed: no space left") as refusal:
        call("demo_ready", "--wait", "60")
    assert refusal.value.returncode == 1


def test_a_failed_comparison_is_asked_for_again_by_the_next_load(demo):
    ComparisonRun.objects.update(status=ComparisonRun.Status.FAILED)
    call("load_demo")
    assert list(ComparisonRun.objects.order_by("requested_at").values_list("status", flat=True)) == ["failed", "queued"]


def test_once_computed_it_is_ready_and_the_summary_compares_with_the_study(computed):
    with everything(), transaction.atomic():
        valued = Assessment.objects.exclude(eq5d_state=None).count()
    assert call("demo_ready") == f"Utilities: {valued} of {valued}\nComparison: done\n"
    # Somebody compared at three months since: that is no Table 6 of the study.
    first = ComparisonRun.objects.values("cohort", "plan", "requested_by_id").get()
    first["plan"] |= {"followups": ["3m"]}
    ComparisonRun.objects.create(**first, status=ComparisonRun.Status.DONE, result={"between_groups": []})
    said = call("demo_summary", "--url", "http://127.0.0.1:8000/")
    assert said.startswith("http://127.0.0.1:8000/\n413 synthetic patients at 38 sites.\n")
    assert demonstration.password() in said
    assert all(login.email in said for login in demonstration.LOGINS)
    assert "All 45 P-values print as in the study." in said


@pytest.mark.r
@needs_r
def test_r_computes_the_study_again(computed, tmp_path):
    with everything():
        frame = frames.read(runner.timepoints_needed(plans.SEGMENT_COMPARISON, cohorts.SEGI2024))
        result = ComparisonRun.objects.first().result
    content = bundle.bundle(tables.in_order(result), frame, plans.SEGMENT_COMPARISON)
    checked = subprocess.run(  # the quick way: an exact test of a large table takes R minutes
        ["Rscript", "--vanilla", VERIFY, "--quick", unpacked(tmp_path, content)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, "\n".join(wrong(checked))
    assert "0 differ, 0 on one side alone" in checked.stdout


def test_the_summary_before_the_comparison_says_what_to_do(demo):
    assert "demo_ready --wait" in call("demo_summary")
