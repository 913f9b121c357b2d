"""The demonstration: loaded once, into nothing else, computed, summed up."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from registry import tasks
from registry.management import demonstration
from registry.models import ComparisonRun, Patient
from sites.access import Role, access_of
from sites.models import AuditEvent, Membership, Site, User

synthetic = override_settings(SYNTHETIC=True)


def call(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def demo(db):
    with synthetic:
        call("load_demo")
        yield


@pytest.fixture
def computed(demo):
    """What the worker does."""
    tasks.compute_all_outcomes()
    tasks.run_comparison(str(ComparisonRun.objects.get().pk))


def stored():
    """How much is stored, of everything that a second load might touch."""
    return [model.objects.count() for model in (Patient, Site, User, Membership, AuditEvent, ComparisonRun)]


def test_it_loads_the_studys_registry(demo, as_system):
    with as_system():
        assert Patient.objects.count() == 413
        assert Patient.objects.exclude(site__code__regex=r"^S\d\d$").count() == 0
    assert Site.objects.count() == 38
    assert all(site.name and site.name_ja for site in Site.objects.all())


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


def test_the_password_is_the_installations_own(settings):
    mine = demonstration.password()
    assert demonstration.password() == mine
    settings.SECRET_KEY = "another secret key 0123456789 0123456789"
    assert demonstration.password() != mine


@pytest.mark.parametrize("command", ["load_demo", "demo_summary"])
def test_a_registry_for_real_patients_is_left_alone(db, command):
    with override_settings(SYNTHETIC=False), pytest.raises(CommandError, match="METASPINE_SYNTHETIC") as refusal:
        call(command)
    assert (refusal.value.returncode, User.objects.count(), Site.objects.count()) == (2, 0, 0)


def test_a_registry_with_other_sites_is_left_alone(north):
    with synthetic, pytest.raises(CommandError, match="has sites already") as refusal:
        call("load_demo")
    assert (refusal.value.returncode, Site.objects.get(), User.objects.count()) == (2, north, 0)


def test_ready_when_outcomes_and_comparison_are_there(computed):
    said = call("demo_ready")
    assert "Comparison: done" in said


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


def test_the_summary_says_how_to_sign_in_and_compares_with_the_study(computed):
    said = call("demo_summary", "--url", "http://127.0.0.1:8000/")
    assert said.startswith("http://127.0.0.1:8000/\n413 synthetic patients at 38 sites.\n")
    assert demonstration.password() in said
    assert all(login.email in said for login in demonstration.LOGINS)
    assert "All 45 P-values print as in the study." in said


def test_the_summary_before_the_comparison_says_what_to_do(demo):
    assert "demo_ready --wait" in call("demo_summary")


def test_there_is_no_summary_of_nothing(db):
    with synthetic, pytest.raises(CommandError, match="load_demo") as refusal:
        call("demo_summary")
    assert refusal.value.returncode == 2
