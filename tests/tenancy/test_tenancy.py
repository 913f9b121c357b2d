"""The database is the guard: what a role sees and changes by raw SQL, whatever the code above forgets."""

import pytest
from django.db import DatabaseError, connection, transaction

from registry.models import Assessment, Patient
from registry.services.entry.assessments import ITEMS, save_assessment
from sites.backend import Backend
from sites.models import AuditEvent, Membership, User
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import Scope, entered

CLINICAL = ("registry_patient", "registry_assessment", "registry_adverseevent", "registry_identity")


def rows(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def test_raw_sql_without_scope_sees_no_row(enrolled, alice):
    enrolled(alice)
    assert [rows(f"SELECT count(*) FROM {table}") for table in CLINICAL] == [[(0,)]] * 4


@pytest.mark.parametrize(("reader", "count"), [("alice", 1), ("charlie", 0), ("bob", 1), ("ada", 0)])
def test_raw_sql_sees_the_rows_of_the_scope(enrolled, alice, as_person, request, reader, count):
    enrolled(alice)
    with as_person(request.getfixturevalue(reader)):
        assert rows("SELECT count(*) FROM registry_patient") == [(count,)]


@pytest.mark.parametrize(("reader", "count"), [("alice", 1), ("mona", 0), ("bob", 0), ("dana", 0)])
def test_identifiers_are_for_the_sites_own_people(enrolled, alice, as_person, request, reader, count):
    enrolled(alice)
    with as_person(request.getfixturevalue(reader)):
        assert rows("SELECT count(*) FROM registry_identity") == [(count,)]


@pytest.mark.parametrize("writer", ["bob", "charlie", "ada"])
def test_a_write_outside_the_scope_changes_nothing(enrolled, alice, as_person, request, writer):
    patient = enrolled(alice)
    with as_person(request.getfixturevalue(writer)):
        assert Patient.objects.filter(pk=patient.pk).update(sex="female") == 0
    with as_person(alice):
        assert Patient.objects.filter(pk=patient.pk).update(sex="female") == 1


def test_a_row_cannot_be_written_for_another_site(alice, south, as_person):
    with as_person(alice), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        Patient.objects.create(patient_id="S01-0001", site=south)


def test_a_childs_site_is_its_patients(enrolled, alice, south, as_system):
    patient = enrolled(alice)
    with pytest.raises(DatabaseError, match="same_site"), transaction.atomic(), as_system():
        Assessment.objects.create(patient=patient, site=south, timepoint_id="preop")
        rows("SET CONSTRAINTS ALL IMMEDIATE")


def test_policies_are_forced_on_every_table_with_a_site(db):
    unguarded = rows(
        """
        SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'site_id' AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND c.relname <> 'study_sites_membership'  -- who works where: read to compute the scope itself
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """
    )
    assert unguarded == []


def test_the_application_role_owns_nothing_and_bypasses_nothing(db):
    assert rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [(False, False)]
    assert rows("SELECT count(*) FROM pg_tables WHERE tableowner = current_user") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO study_sites_auditevent (table_name, row_id, action, "
            "transaction_id, request_id, reason) VALUES ('x', 'x', 'x', 1, '', '')"
        ),
        "UPDATE study_sites_auditevent SET reason = 'x'",
        "DELETE FROM study_sites_auditevent",
        "TRUNCATE study_sites_auditevent",
    ],
)
def test_the_application_cannot_write_the_trail(enrolled, alice, as_system, statement):
    enrolled(alice)
    with as_system(), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        rows(statement)


def test_a_change_is_on_record_with_who_and_why(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        Patient.objects.filter(pk=patient.pk).update(sex="female")
        with entered(Scope(read=access.scope().read, write=access.scope().write, user_id=alice.pk, reason="typo")):
            Patient.objects.filter(pk=patient.pk).update(sex="male")
        events = AuditEvent.objects.filter(table_name="registry_patient", row_id=patient.pk).order_by("pk")
        assert [(e.action, e.user_id, e.reason, (e.old or {}).get("sex"), e.new.get("sex")) for e in events] == [
            ("insert", alice.pk, "", None, "male"),
            ("update", alice.pk, "", "male", "female"),
            ("update", alice.pk, "typo", "female", "male"),
        ]


def test_a_completed_form_changes_only_with_a_reason_even_by_raw_sql(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice) as access:
        answers = {"assessment_date": "2026-01-11", "frankel": "C"}
        missing = {item.name: "not_done" for item in ITEMS if item.name != "frankel"}
        saved = save_assessment(
            access=access, patient=patient, timepoint="preop", raw=answers, missing=missing, complete=True
        )
        with pytest.raises(DatabaseError, match="only with a reason"), transaction.atomic():
            Assessment.objects.filter(pk=saved.pk).update(frankel="D")
        with entered(Scope(access.scope().read, access.scope().write, user_id=alice.pk, reason="misread the chart")):
            assert Assessment.objects.filter(pk=saved.pk).update(frankel="D") == 1


@pytest.mark.parametrize("day", ["2017-12-31", "2018-01-01", "2026-01-01", "2026-01-02"])
def test_a_membership_counts_from_its_first_day_to_its_last(alice, north, day):
    Membership.objects.filter(user=alice).update(ends_on="2026-01-01")
    Membership.objects.create(user=alice, role=Role.MONITOR, site=north, starts_on="2026-01-02")
    running = Membership.objects.running(day).order_by("pk").values_list("role", "site_id")
    granted = access_of(alice, day).grants
    assert [(grant.role, grant.site_id) for grant in granted] == list(running)
    assert len(granted) == (day != "2017-12-31")


@pytest.mark.parametrize("person", ["alice", "bob"])
def test_the_person_of_a_session_comes_with_their_roles_once(request, person, django_assert_num_queries):
    user = request.getfixturevalue(person)
    known = access_of(user)
    result = Backend().get_user(user.pk)
    with django_assert_num_queries(bool(known.all_site_ids)):  # who reaches all sites has them looked up
        assert access_of(result) == known
    assert known.grants
    Membership.objects.filter(user=user).update(ends_on="2018-01-01")
    assert access_of(result).grants == ()
    late = Backend().get_user(user.pk)
    assert access_of(late, "2018-01-01") == known  # another day than that of the session's request
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Backend().get_user(user.pk) is None is Backend().get_user(0)
