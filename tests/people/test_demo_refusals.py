"""The demonstration goes nowhere but into an empty registry for synthetic patients."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from registry.management.demo import demonstration
from sites.models import Site, User

synthetic = override_settings(SYNTHETIC=True)


def call(name, *arguments):
    call_command(name, *arguments, stdout=io.StringIO())


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


def test_there_is_no_summary_of_nothing(db):
    with synthetic, pytest.raises(CommandError, match="load_demo") as refusal:
        call("demo_summary")
    assert refusal.value.returncode == 2


def test_nothing_is_ready_where_nothing_was_requested(db):
    with pytest.raises(CommandError, match="load_demo") as refusal:
        call("demo_ready", "--wait", "60")
    assert refusal.value.returncode == 1
