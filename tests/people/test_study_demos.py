"""The demonstrations of further studies: loaded through the product, with the margins that the papers print."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from registry.analysis.reports import published_study
from registry.management import demonstration
from registry.models import Assessment, Patient
from sites.models import User
from sites.tenancy.scope import everything

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
