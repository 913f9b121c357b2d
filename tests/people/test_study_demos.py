"""The demonstrations of further studies: loaded through the product, with the margins that the papers print."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings

from registry.models import Assessment, Patient
from sites.tenancy.scope import everything

pytestmark = pytest.mark.long


def call(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module", params=["wang2025"])
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
