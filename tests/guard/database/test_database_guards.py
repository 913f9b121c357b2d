"""Guards that the database keeps for itself, read from its catalogue and tried as the application's role.

In a new database, and in one of each release that was upgraded (and emptied: the guards are of the tables).
"""

import pytest
from django.db import DatabaseError, connection, connections, transaction

from registry.models import Assessment, Patient
from sites.models import AuditEvent
from sites.tenancy.scope import everything
from tests import conftest
from tests.releases import restored

# Tables that need no audit trigger, each with the reason.
NOT_AUDITED = {
    "study_sites_apianswer": "a copy of an answer for a day; what was stored is on record where it is stored",
    "registry_draft": "what its author alone is typing and has not saved: no record yet; saving is on record",
    "registry_utility": "derived from assessments, rebuilt at any time",
    "registry_importpart": "encrypted pieces of undecided imports; what is stored of them is audited row by row",
    "registry_change": "derived from assessments, rebuilt at any time",
    "registry_comparisonrun": "a job and its result, which a trigger keeps from changing; it holds no patient",
    "registry_freezing": "a job without patients; the snapshot that comes of it is audited, and freezing is on record",
    "registry_export": "a job and where its file lies; it holds no patient, and asking and fetching are on record",
    "registry_snapshotpart": "copies of audited rows, which a trigger keeps from changing; freezing is on record",
    "study_sites_digest": "the day of the last daily e-mail to a person: no patient, and nothing that anybody decides",
    "study_sites_auditevent": "the trail itself",
    "registry_watermark": "how far jobs have come that look only at what changed: no patient, and rebuilt at any time",
    "registry_heartbeat": "when a process last showed life: no patient, and nothing that anybody decides",
    "registry_backuprecord": "when backups were made and tried: no patient; the files are outside of the database",
    "registry_postponed": "messages to the workers, encrypted, while the broker is away",
    "registry_durable_cache": "which forms were sent already, for an hour or a day; what they stored is on record",
    "study_sites_attempt": "guesses at a secret for as long as they count: no patient; failures are on record as acts",
    "study_sites_alert": "until which event administrators were told: no patient, and nothing that anybody decides",
    "registry_suspectedpair": "a question to the centre that no site's trail may tell of; the decision is an act",
    "registry_guard": "what `migrate` wrote down of the guards, signed; the application cannot write it",
}
# Made by Django's own permission classes, which mean nothing here: access comes from memberships alone.
UNUSED = {"study_sites_user_groups", "study_sites_user_user_permissions"}
NOT_GUARDED = {"study_sites_membership": "who works where: read to compute the scope itself; it holds no patient"}
# Rows that stay: the trail and what is added to; of a query the state alone changes.
KEPT = {
    "study_sites_auditevent": "ar",
    "registry_query": "arw",
    "registry_querymessage": "ar",
    "registry_signature": "ar",
    "registry_enteredinerror": "arw",
    "registry_safetynotice": "arw",
    "registry_patientlink": "arw",
    "registry_screeningentry": "arw",
    "registry_consent": "arw",
    "registry_consentwithdrawal": "arw",
    "registry_erasure": "ar",
    "registry_transfer": "ar",
    "registry_merge": "arw",
    "registry_suspectedpair": "*",  # the centre alone
    "study_sites_invitation": "*",  # administrators alone
}
READ_ONLY = {
    "study_sites_auditevent",
    "study_sites_auditseal",
    "registry_guard",
    "registry_transfer",
    "django_migrations",
}


@pytest.fixture(scope="module", autouse=True, params=["new", *restored.RELEASES])
def of_version(request, django_db_setup, django_db_blocker, alone):
    """Which database the tests of this module are about."""
    if request.param == "new":
        yield
        return
    with django_db_blocker.unblock(), restored.upgraded(request.param, alone, drifted=True):
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(conftest.FILLED_BY_TESTS)} CASCADE")
        connections["owner"].close()
        yield


def rows(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def tables(condition="true"):
    return {
        name
        for (name,) in rows(
            "SELECT relname FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            f"AND (relname LIKE 'registry\\_%%' OR relname LIKE 'study\\_sites\\_%%') AND {condition}"
        )
    }


HAS_SITE = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'site_id' AND NOT attisdropped)"


def test_every_table_is_audited_unless_there_is_a_reason(db):
    audited = {
        name
        for (name,) in rows(
            """
            SELECT c.relname FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgenabled = 'O'
            JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname IN ('audit_rows', 'audit_update')
            GROUP BY c.relname HAVING bit_or(t.tgtype::int & 28) = 28  -- insert, delete and update
            """
        )
    }
    assert tables() - audited - UNUSED == set(NOT_AUDITED)


def test_every_table_with_a_site_has_a_forced_policy_for_each_command(db):
    assert tables(f"{HAS_SITE} AND NOT (relrowsecurity AND relforcerowsecurity)") == set(NOT_GUARDED)
    commands = dict(
        rows(
            """
            SELECT c.relname, string_agg(DISTINCT p.polcmd::text, '' ORDER BY p.polcmd::text)
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid GROUP BY c.relname
            """
        )
    )
    # r: select, a: insert, w: update, d: delete. The trail can be read and appended to, by nobody else's power.
    expected = dict.fromkeys(tables(HAS_SITE), "adrw") | KEPT
    # Of no site: everybody's, but for those that name an arm and whoever must not know it.
    expected |= dict.fromkeys(("registry_comparisonrun", "registry_savedcohort", "registry_savedplan"), "*r")
    expected |= {"study_sites_apianswer": "*dr"}  # of no site: a person's own, and the job that forgets old ones
    assert commands == {name: letters for name, letters in expected.items() if name not in NOT_GUARDED}


def test_every_child_is_tied_to_its_patients_site(db):
    """A row with patient and site refers to both at once, so that neither can be another's."""
    children = tables(f"{HAS_SITE} AND {HAS_SITE.replace('site_id', 'patient_id')} AND relname <> 'registry_patient'")
    tied = {
        name
        for (name,) in rows(
            """
            SELECT conrelid::regclass::text FROM pg_constraint
            WHERE contype = 'f' AND confrelid = 'registry_patient'::regclass AND cardinality(conkey) = 2
            """
        )
    }
    # They name patients who are gone or going, or elsewhere; a log stays where it is when its patient moves or goes.
    assert children - tied == {"registry_erasing", "registry_erasure", "registry_screeningentry", "registry_transfer"}
    assert len(children) >= 3


def test_the_application_may_truncate_nothing_and_write_no_trail(db):
    for right, expected in (("TRUNCATE", set()), ("TRIGGER", set()), ("REFERENCES", set())):
        assert tables(f"has_table_privilege(c.oid, '{right}')") == expected
    for right in ("INSERT", "UPDATE", "DELETE"):
        allowed = {
            name
            for (name,) in rows(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
                "AND has_table_privilege(oid, %s)",
                right,
            )
        }
        assert not allowed & READ_ONLY
        assert "registry_patient" in allowed


def test_truncate_is_refused(enrolled, alice, as_system):
    enrolled(alice)
    for table in sorted(tables()):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            rows(f"TRUNCATE {table} CASCADE")
    with as_system():
        assert Patient.objects.count() == 1


ESCAPES = {
    "become the owner": "SET ROLE metaspine_owner",
    "switch the policies off": "ALTER TABLE registry_patient DISABLE ROW LEVEL SECURITY",
    "add a policy": "CREATE POLICY mine ON registry_patient USING (true)",
    "switch the triggers off": "ALTER TABLE registry_patient DISABLE TRIGGER ALL",
    "act as a replica, which fires no trigger": "SET session_replication_role = replica",
    "replace a function": "CREATE OR REPLACE FUNCTION audit_shown(r jsonb, arguments text[]) RETURNS jsonb "
    "LANGUAGE sql AS 'SELECT r'",
    "drop a trigger": "DROP TRIGGER audit_insert ON registry_patient",
    "put a table into the schema": "CREATE TABLE public.mine (id int)",
    "read the server's files": "SELECT pg_read_file('/etc/passwd')",
    "run a program": "COPY registry_timepoint TO PROGRAM 'true'",
}


@pytest.mark.parametrize("statement", ESCAPES.values(), ids=ESCAPES)
def test_the_application_cannot(db, statement):
    refusal = "permission denied|must be owner|must be able|must be superuser"
    with pytest.raises(DatabaseError, match=refusal), transaction.atomic():
        rows(statement)
    assert rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize("function", ["audit_rows", "audit_update"])
def test_events_cannot_be_forged_through_a_table_of_ones_own(db, function):
    """The trail's functions write for whoever fires them; only the owner may hang them on a table."""
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        rows("CREATE TEMPORARY TABLE registry_patient_ (patient_id text, site_id bigint)")
        rows(
            f"CREATE TRIGGER mine AFTER UPDATE ON registry_patient_ FOR EACH ROW "
            f"EXECUTE FUNCTION {function}('patient_id', 'site_id')"
        )


@pytest.mark.parametrize("action", ["insert", "update", "delete", "signed"])
def test_an_act_cannot_pass_for_a_change(db, action):
    with pytest.raises(DatabaseError, match="by triggers only"), transaction.atomic():
        rows("SELECT audit_act(%s, NULL, 't', 'r', '{}')", action)
    rows("SELECT audit_act('noted', NULL, 't', 'r', '{}')")


@pytest.mark.parametrize(
    "action", ["Signed", "signed ", "s\u0131gned", "signed\u200b", "ｓｉｇｎｅｄ", "un\u00adlocked", ""]
)
def test_an_act_has_one_spelling(db, action):
    with pytest.raises(DatabaseError, match="small letters"), transaction.atomic():
        rows("SELECT audit_act(%s, NULL, 't', 'r', '{}')", action)


MANY = 1000  # from here on the trail keeps the rows of one statement as text
RECORDED = {
    "registry_patient": """INSERT INTO registry_patient (patient_id, site_id, sex, lesion_levels, missing)
        SELECT 'T' || i, %s, 'male', 7, '{"blood_loss_ml": "unknown"}' FROM generate_series(%s::int, %s::int) AS i""",
    "registry_identity": """INSERT INTO registry_identity (patient_id, site_id, key, birth_date)
        SELECT 'T' || i, %s, '\\x01', '\\xff' FROM generate_series(%s::int, %s::int) AS i""",
    "registry_assessment": """INSERT INTO registry_assessment (patient_id, site_id, timepoint_id, frankel, eq_vas)
        SELECT 'T' || i, %s, 'preop', 'D', 70 FROM generate_series(%s::int, %s::int) AS i""",
    "registry_adverseevent": """INSERT INTO registry_adverseevent (patient_id, site_id, onset_date, kind, detail)
        SELECT 'T' || i, %s, '2026-02-01', 'other', E'said "no"\\n\\\\ 術後, 1'
        FROM generate_series(%s::int, %s::int) AS i""",
}


def test_many_rows_at_once_are_on_record_as_each_alone_would_be(alice, as_person):
    with as_person(alice) as access:
        site = access.scope().write[0]
        for first, last in ((0, 0), (1, MANY)):
            for statement in RECORDED.values():
                rows(statement, site, first, last)
        for table in reversed(RECORDED):
            rows(f"DELETE FROM {table}")
        kinds = dict(
            rows("SELECT jsonb_typeof(new), count(*) FROM study_sites_auditevent WHERE new IS NOT NULL GROUP BY 1")
        )
        assert kinds["string"] == MANY * len(RECORDED), "the test is not about what it says"
        for table in RECORDED:
            events = AuditEvent.objects.filter(table_name=table).order_by("pk")
            # By row: the order within one statement is that of pages, which need not be that of coming.
            came, gone = ({event.row_id: event for event in events.filter(action=act)} for act in ("insert", "delete"))
            assert len(came) == len(gone) == events.count() / 2 == MANY + 1
            assert {name: event.new for name, event in came.items()} == {
                name: event.old for name, event in gone.items()
            }
            assert {event.user_id for event in came.values()} == {alice.pk}
            assert {event.site_id for event in came.values()} == {site}
            (alone,), others = (
                [event for event in came.values() if (event.new["patient_id"] == "T0") is first]
                for first in (True, False)
            )
            among_many = others[0]
            own = {name for name in alone.new if alone.new[name] != among_many.new.get(name)}
            assert alone.new.keys() == among_many.new.keys() and own <= {"id", "patient_id"}
            assert all(other.row_id == str(other.new.get("id", other.new["patient_id"])) for other in others)
        assert among_many.new["detail"] == 'said "no"\n\\ 術後, 1'


def test_a_new_row_cannot_claim_another_time_or_person(alice, as_person):
    with as_person(alice) as access:
        patient = (
            "INSERT INTO registry_patient (patient_id, site_id, updated_at, updated_by_id) VALUES (%s, %s, {}, {})"
        )
        site = access.scope().write[0]
        rows(patient.format("'2020-01-01'", alice.pk), "T1", site)
        rows(patient.format("statement_timestamp()", 0), "T2", site)
        rows(patient.format("statement_timestamp()", alice.pk), "T3", site)
        stored = rows("SELECT updated_by_id, updated_at > now() - interval '1 hour' FROM registry_patient")
    assert stored == [(alice.pk, True)] * 3


def test_an_assessment_is_of_a_timepoint_that_exists_and_stays(enrolled, alice, as_person):
    patient = enrolled(alice)
    insert = "INSERT INTO registry_assessment (patient_id, site_id, timepoint_id) VALUES (%s, %s, %s), (%s, %s, %s)"
    known, unknown = ((patient.pk, patient.site_id, timepoint) for timepoint in ("preop", "never"))
    with everything():
        with pytest.raises(DatabaseError, match="no timepoint never"), transaction.atomic():
            rows(insert, *known, *unknown)
        rows(insert, *known, patient.pk, patient.site_id, "1m")
        for refused in (
            "UPDATE registry_assessment SET timepoint_id = 'never' WHERE timepoint_id = '1m'",
            "UPDATE registry_timepoint SET code = 'never' WHERE code = '1m'",
            "DELETE FROM registry_timepoint WHERE code = '1m'",
        ):
            with pytest.raises(DatabaseError, match="no timepoint|a timepoint stays"), transaction.atomic():
                rows(refused)
        rows("UPDATE registry_assessment SET timepoint_id = '3m' WHERE timepoint_id = '1m'")
        rows("UPDATE registry_timepoint SET label = 'one month' WHERE code = '1m'")
        assert rows("SELECT timepoint_id FROM registry_assessment ORDER BY 1") == [("3m",), ("preop",)]


def test_bulk_writes_and_raw_sql_are_on_record_row_by_row(enrolled, alice, as_person):
    patients = [enrolled(alice) for _ in range(3)]
    with as_person(alice) as access:
        site = access.scope().write[0]
        Assessment.objects.bulk_create(
            Assessment(patient=patient, site_id=site, timepoint_id="preop", assessment_date="2026-01-11")
            for patient in patients
        )
        rows("UPDATE registry_assessment SET ecog_ps = 2")
        Assessment.objects.all().delete()
        events = AuditEvent.objects.filter(table_name="registry_assessment").order_by("pk")
        assert [event.action for event in events] == ["insert"] * 3 + ["update"] * 3 + ["delete"] * 3
        assert {event.user_id for event in events} == {alice.pk}


def test_an_error_tells_nothing_of_a_row_out_of_sight(enrolled, alice, charlie, north, south, as_person):
    """A filter with a side effect runs after the policy, so that it never meets another site's row."""
    hidden = enrolled(charlie)
    with as_person(alice):
        assert rows("SELECT 1 / (site_id - site_id) FROM registry_patient") == []
        assert rows("SELECT FROM registry_patient WHERE 1 / (site_id - %s) = 7", south.pk) == []
        assert rows("UPDATE registry_patient SET sex = 'x' WHERE patient_id = %s", hidden.pk) == []
        with pytest.raises(DatabaseError, match="duplicate key") as caught, transaction.atomic():
            rows("INSERT INTO registry_patient (patient_id, site_id) VALUES (%s, %s)", hidden.pk, north.pk)
        # That a number is taken does show to whoever can run SQL; whose it is and what is stored does not.
        assert hidden.pk not in str(caught.value)
    with as_person(charlie), pytest.raises(DatabaseError, match="division by zero"), transaction.atomic():
        rows("SELECT 1 / (site_id - site_id) FROM registry_patient")
