"""A pooled connection never carries a scope on: to the next request, task, thread or part of a streamed answer."""

import threading
from contextlib import suppress

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory

from registry.models import Patient
from registry.services.entry.assessments import save_assessment
from registry.tasks import AWAITED, compute_all_outcomes, compute_awaited_outcomes
from sites.middleware import ScopeMiddleware
from sites.models import AuditEvent, Site
from sites.tenancy import scope
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import TODAY, person
from tests.guard.conftest import enrol


@pytest.fixture
def two_sites(committed):
    """(Alice, Charlie): coordinators of North and South, each with one patient, all committed."""
    cast = []
    for code, name in (("N01", "Alice"), ("S01", "Charlie")):
        site = Site.objects.create(code=code, name=code)
        user = person(name, Role.COORDINATOR, site)
        enrol(user, site, TODAY)
        cast.append(user)
    connection.close()
    return cast


SETTINGS = (*(f"{site}_sites" for site in scope.SITES), "user_id", "reason", "administers")


def backend_and_settings():
    """The server process of this connection, and every setting of a scope outside any transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid(), "
            + ", ".join(f"coalesce(current_setting('app.{name}', true), '')" for name in SETTINGS)
        )
        backend, *settings = cursor.fetchone()
        return backend, settings


def nothing_is_left():
    _backend, settings = backend_and_settings()
    return settings == [""] * len(SETTINGS) and scope.current() is scope.NOTHING and Patient.objects.count() == 0


def as_person(user):
    return entered(access_of(user).scope())


def test_the_same_connection_serves_one_site_then_nobody_then_the_other(two_sites):
    alice, charlie = two_sites
    seen, backends = [], set()
    for user in (alice, charlie, alice):
        with as_person(user), transaction.atomic():
            seen += Patient.objects.values_list("pk", flat=True)
        backends.add(backend_and_settings()[0])
        assert nothing_is_left()
    assert seen == ["N01-0001", "S01-0001", "N01-0001"]
    assert len(backends) == 1


class Surprise(Exception):
    pass


@pytest.mark.parametrize("error", [Surprise, DatabaseError, PermissionDenied, KeyboardInterrupt, GeneratorExit])
def test_nothing_is_left_after_an_exception(two_sites, error):
    alice, _charlie = two_sites
    with pytest.raises(error), as_person(alice), transaction.atomic():
        assert Patient.objects.count() == 1
        raise error
    assert nothing_is_left()


def test_nothing_is_left_after_the_database_refused_a_statement(two_sites):
    alice, _charlie = two_sites
    with suppress(DatabaseError), as_person(alice), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert nothing_is_left()


def test_a_scope_inside_another_ends_with_its_block(two_sites):
    alice, charlie = two_sites
    with as_person(alice), transaction.atomic():
        with as_person(charlie):
            assert list(Patient.objects.values_list("pk", flat=True)) == ["S01-0001"]
        assert list(Patient.objects.values_list("pk", flat=True)) == ["N01-0001"]
        with suppress(Surprise), transaction.atomic(), as_person(charlie):
            raise Surprise
        assert list(Patient.objects.values_list("pk", flat=True)) == ["N01-0001"]
    assert nothing_is_left()


def test_a_statement_outside_a_transaction_sees_nothing_even_inside_a_scope(two_sites):
    """The scope is given to transactions only: a forgotten one fails closed."""
    with as_person(two_sites[0]):
        assert Patient.objects.count() == 0
        with transaction.atomic():
            assert Patient.objects.count() == 1


def test_a_closed_and_reopened_connection_gets_the_scope_again(two_sites):
    with as_person(two_sites[0]):
        for _ in range(2):
            with transaction.atomic():
                assert Patient.objects.count() == 1
            connection.close()


def test_a_streamed_answer_is_read_without_the_requests_scope(two_sites):
    """What is read after the view has ended sees nothing, unless it enters a scope of its own."""
    alice, _charlie = two_sites

    def lines(own_scope):
        if own_scope is None:
            yield Patient.objects.count()
        else:
            with entered(own_scope), transaction.atomic():
                count = Patient.objects.count()
            yield count

    def view(own_scope):
        def respond(request):
            return lines(request.access.scope() if own_scope else None)

        return respond

    for own_scope, expected in ((False, [0]), (True, [1])):
        request = RequestFactory().get("/")
        request.user = alice
        assert list(ScopeMiddleware(view(own_scope))(request)) == expected
        assert nothing_is_left()


def test_an_abandoned_download_leaves_nothing(two_sites, client):
    """The reader goes away after the first bytes: what the export had open is closed."""
    alice, _charlie = two_sites
    client.force_login(alice)
    for address, sent in (("/export/download/", {"what": "zip"}), ("/audit/csv/", {})):
        response = client.post(address, sent)
        assert next(iter(response.streaming_content))
        response.close()
        connection.close_if_unusable_or_obsolete()
        assert nothing_is_left()


def test_requests_one_after_the_other_on_one_connection(two_sites, client):
    alice, charlie = two_sites
    for user, own, other in ((alice, "N01-0001", "S01-0001"), (charlie, "S01-0001", "N01-0001")):
        client.force_login(user)
        assert client.get(f"/patients/{own}/").status_code == 200
        assert client.get(f"/patients/{other}/").status_code == 404
        assert nothing_is_left()
    client.logout()
    assert client.get("/patients/").status_code == 302
    assert nothing_is_left()


def test_tasks_reach_their_patient_and_leave_nothing(two_sites):
    alice, _charlie = two_sites
    with as_person(alice), transaction.atomic():
        answers = dict.fromkeys(EQ5D, 2) | {"assessment_date": "2026-01-11"}
        patient = Patient.objects.get()
        save_assessment(access=access_of(alice), patient=patient, timepoint="preop", raw=answers, today=TODAY)
    cache.push(AWAITED, patient.pk)
    for task in (compute_awaited_outcomes, compute_all_outcomes):
        task()
        assert nothing_is_left()
    with as_person(alice), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM registry_utility")
        assert cursor.fetchone() == (1,)


EQ5D = (
    "eq5d_mobility", "eq5d_self_care", "eq5d_usual_activities", "eq5d_pain_discomfort", "eq5d_anxiety_depression",
)  # fmt: skip


def test_each_thread_has_its_own_scope(two_sites):
    alice, _charlie = two_sites
    seen = {}

    def look():
        try:
            with transaction.atomic():
                seen["patients"] = Patient.objects.count()
            seen["scope"] = scope.current()
        finally:
            connection.close()

    with as_person(alice), transaction.atomic():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert Patient.objects.count() == 1
    assert seen == {"patients": 0, "scope": scope.NOTHING}


def test_who_left_sees_nothing_from_the_next_request_on(two_sites, client):
    alice, _charlie = two_sites
    client.force_login(alice)
    assert client.get("/patients/N01-0001/").status_code == 200
    alice.memberships.update(ends_on=TODAY.replace(year=2019))
    assert client.get("/patients/N01-0001/").status_code == 404
    alice.is_active = False
    alice.save(update_fields=["is_active"])
    assert client.get("/patients/N01-0001/").status_code == 302


def test_the_trail_names_the_person_and_the_request_of_each_change(two_sites):
    alice, _charlie = two_sites
    with entered(access_of(alice).scope("r1")), transaction.atomic():
        Patient.objects.update(sex="female")
    with everything(reason="outcomes computed"), transaction.atomic():
        Patient.objects.filter(pk="N01-0001").update(sex="male")
        events = AuditEvent.objects.filter(table_name="registry_patient", action="update").order_by("pk")
        assert [(event.row_id, event.user_id, event.request_id, event.reason) for event in events] == [
            ("N01-0001", alice.pk, "r1", ""),
            ("N01-0001", None, "", "outcomes computed"),
        ]


def test_defaults_that_a_role_gives_itself_change_nothing(two_sites):
    """Any role may do that to itself, and it would outlive whoever slipped it in."""
    alter = f'ALTER ROLE CURRENT_USER IN DATABASE "{connection.settings_dict["NAME"]}"'
    with connection.cursor() as cursor:
        cursor.execute(f"{alter} SET search_path = 'pg_temp, public'")
    connection.close()
    try:
        assert nothing_is_left()
        with connection.cursor() as cursor:
            cursor.execute("SHOW search_path")
            assert cursor.fetchone() == ("public, pg_temp",)
            with pytest.raises(DatabaseError, match="permission denied to set parameter"):
                cursor.execute(f"{alter} SET app.read_sites = '{{1}}'")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"{alter} RESET ALL")
