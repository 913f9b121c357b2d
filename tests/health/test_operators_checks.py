"""What `check` refuses, and whom a request is counted for behind proxies."""

import pytest
from django.core.checks.registry import registry
from django.db import connection, connections
from django.test import RequestFactory

from registry.api.shared.throttles import address_of
from registry.guards import checks as guards
from sites.tenancy import checks
from sites.tenancy.checks import application_role_owns_no_table


def test_a_role_that_owns_the_tables_is_refused_and_the_applications_is_not(committed, monkeypatch):
    assert application_role_owns_no_table(None, ["default"]) == []
    assert application_role_owns_no_table(None, ["owner"]) == []
    monkeypatch.setattr("sites.tenancy.checks.connections", {"default": connections["owner"]})
    assert connections["owner"].settings_dict["NAME"] == connection.settings_dict["NAME"]
    assert [warning.id for warning in application_role_owns_no_table(None, ["default"])] == ["study_sites.E002"]


def test_every_check_is_one_that_django_knows():
    """A check that nothing imports is never asked."""
    known = {(check.__module__, check.__name__) for check in registry.get_checks(include_deployment_checks=True)}
    for module in (checks, guards):
        declared = {name for name, check in vars(module).items() if hasattr(check, "tags")}
        assert declared and {(module.__name__, name) for name in declared} <= known


def test_a_server_that_does_not_bind_its_role_does_not_serve(committed, monkeypatch):
    guards.serve_guarded()
    monkeypatch.setattr(checks, "connections", {"default": connections["owner"]})
    with pytest.raises(SystemExit):
        guards.serve_guarded()


def test_a_server_that_is_too_old_is_refused(db, monkeypatch):
    assert checks.database_is_new_enough(None, ["default"]) == []
    monkeypatch.setattr(checks, "OLDEST", 99)
    assert [error.id for error in checks.database_is_new_enough(None, ["default"])] == ["study_sites.E003"]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.9", "10.0.0.1"),  # nobody's word is taken
        (1, "192.0.2.9, 198.51.100.1", "198.51.100.1"),
        (2, "192.0.2.9, 198.51.100.1, 10.0.0.7", "198.51.100.1"),  # what was there before is the client's own word
        (2, "198.51.100.1", "10.0.0.1"),  # not by way of both
        (1, "", "10.0.0.1"),
    ],
)
def test_a_request_is_counted_for_the_address_that_the_outermost_proxy_added(settings, proxies, forwarded, address):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert address_of(request) == address
