"""Whoever changes the sealed trail, even the owner of the database, is found out: which seal, which events."""

import time

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from registry.tasks import seal_audit
from sites import audit
from sites.audit import sealing
from tests.guard.conftest import as_owner, tamper

OF_OUR_OWN = "table_name = 'study_sites_auditseal'"


def act(count=3, name="noted"):
    for index in range(count):
        audit.record(name, table="t", row_id=index)


def ids():
    """Ids of the events, in order, without those that tell of seals."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.sealing', 'on', true)")
        cursor.execute(f"SELECT id FROM study_sites_auditevent WHERE NOT ({OF_OUR_OWN}) ORDER BY id")
        return [one for (one,) in cursor.fetchall()]


def found():
    return [(finding.kind, finding.seal, finding.ids) for finding in sealing.verify().findings]


@pytest.fixture
def sealed(committed):
    """Three seals over three events each; the later two hold one more, which tells of the seal before."""
    for _ in range(3):
        act()
        sealing.seal()
    return ids()


def test_an_untouched_trail_verifies_and_new_events_are_counted(sealed, capsys):
    act(2)
    report = sealing.verify()
    # The last seal is on record too, and that event is not sealed yet.
    assert (report.findings, report.seals, report.sealed, report.unsealed) == ([], 3, 11, 3)
    call_command("verify_audit")
    assert "3 newest events are not sealed yet" in capsys.readouterr().out


def test_sealing_again_without_news_makes_no_seal(sealed):
    assert sealing.seal() == []
    act(1)
    assert [one.count for one in sealing.seal()] == [2]


def test_a_backlog_is_sealed_in_batches(committed):
    act(7)
    assert [one.count for one in sealing.seal(at_most=3)] == [3, 3, 3]  # with the events that tell of two seals
    assert sealing.verify(using="default").findings == []


def test_the_task_seals(committed):
    act(1)
    seal_audit()
    assert sealing.verify().seals == 1


EDITS = {
    "another person": "UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s",
    "another time": "UPDATE study_sites_auditevent SET at = at - interval '1 microsecond' WHERE id = %(id)s",
    "another reason": "UPDATE study_sites_auditevent SET reason = 'x' WHERE id = %(id)s",
    "another value": """UPDATE study_sites_auditevent SET new = '{"a": 1}' WHERE id = %(id)s""",
    "a site that never was": "UPDATE study_sites_auditevent SET site_id = 424242 WHERE id = %(id)s",
    "two events exchanged": """
        UPDATE study_sites_auditevent AS e SET row_id = o.row_id FROM study_sites_auditevent AS o
        WHERE (e.id = %(id)s AND o.id = %(id)s + 1) OR (e.id = %(id)s + 1 AND o.id = %(id)s)
    """,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_changed_event_is_found_in_its_seal(sealed, edit):
    tamper(edit, params={"id": sealed[4]})
    ((kind, seal, events),) = found()
    assert (kind, seal) == ("changed", 2)
    assert str(sealed[3] - 1) in events  # the seal's events from the first on


def test_a_removed_event_is_named(sealed):
    tamper("DELETE FROM study_sites_auditevent WHERE id = %(id)s", params={"id": sealed[4]})
    assert found() == [("removed", 2, f"{{[{sealed[4]},{sealed[4] + 1})}}")]


def test_an_event_put_into_a_gap_is_named_before_and_after_it_is_sealed(committed):
    act(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        act(1)
        1 / 0  # noqa: B018
    act(1)
    sealing.seal()
    first, last = ids()
    assert last == first + 2
    tamper(
        """INSERT INTO study_sites_auditevent (id, at, table_name, row_id, action, request_id, reason, transaction_id)
           SELECT id + 1, at, 't', 'forged', 'noted', '', '', transaction_id
           FROM study_sites_auditevent WHERE id = %(id)s""",
        params={"id": first},
    )
    events = f"{{[{first + 1},{first + 2})}}"
    assert found() == [("added", None, events)]
    act(1)
    sealing.seal()
    assert found() == [("added", 2, events)]


@pytest.fixture
def slow(committed):
    """A transaction that has written its event and does not end."""
    act(1)
    parameters = connections["default"].get_connection_params()
    with psycopg.connect(**{key: parameters[key] for key in ("dbname", "user", "password", "host", "port")}) as other:
        other.execute("SELECT audit_act('slow', NULL, 't', 'slow', '{}')")
        yield other


def test_an_event_committed_late_is_no_forgery(slow):
    """Its id is lower than ids that are sealed already: the next seal has it."""
    act(1)
    assert [one.count for one in sealing.seal()] == [2]
    slow.commit()
    act(1)
    assert [one.count for one in sealing.seal()] == [3]  # the slow one, the newest, and the one that tells of a seal
    report = sealing.verify()
    assert (report.findings, report.sealed, report.unsealed) == ([], 5, 1)


def others_are_in_a_transaction():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname <> current_database() "
            "AND (backend_xid IS NOT NULL OR state LIKE 'idle in transaction%')"
        )
        return cursor.fetchone()[0] > 0


def test_a_slow_transaction_is_sealed_hours_later(slow):
    """Ids that may still turn up are kept in mind as long as their transaction can be running."""

    def seal_and_let_hours_pass(times):
        for _ in range(times):
            act(1)
            sealing.seal()
            as_owner(
                "ALTER TABLE study_sites_auditseal DISABLE TRIGGER USER",
                "UPDATE study_sites_auditseal SET made_at = made_at - interval '2 hours'",
                "ALTER TABLE study_sites_auditseal ENABLE TRIGGER USER",
            )

    def settled_id():
        with connection.cursor() as cursor:
            cursor.execute("SELECT settled_id FROM study_sites_auditseal ORDER BY number DESC LIMIT 1")
            return cursor.fetchone()[0]

    seal_and_let_hours_pass(3)
    assert settled_id() == 0
    slow.commit()
    for _ in range(50):  # another database's transactions on the same server may hold it back for a moment
        seal_and_let_hours_pass(1)
        if settled_id() > 0:
            break
        time.sleep(0.2)
    if settled_id() == 0 and others_are_in_a_transaction():
        pytest.skip("other databases of this server are in long transactions")
    assert settled_id() > 0
    report = sealing.verify()
    assert report.unsealed == 1
    assert {finding.kind for finding in report.findings} == {"seal_changed"}  # the hands of the clock


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        ("DELETE FROM study_sites_auditseal WHERE number = 1", [("seal_missing", 1)]),
        ("DELETE FROM study_sites_auditseal WHERE number = 2", [("seal_missing", 2)]),
        ("DELETE FROM study_sites_auditseal WHERE number = 3", [("seal_missing", 3)]),
        (
            "UPDATE study_sites_auditseal SET made_at = now() - interval '1 day' WHERE number = 2",
            [("seal_changed", 2)],
        ),
        ("UPDATE study_sites_auditseal SET signature = hash WHERE number = 2", [("signature", 2)]),
    ],
    ids=["the first taken away", "one taken away", "the newest taken away", "dated back", "signed anew"],
)
def test_a_seal_that_is_changed_or_gone_is_named(sealed, harm, expected):
    tamper(harm)
    assert [(kind, seal) for kind, seal, _ in found() if kind != "added"] == expected


def test_who_rebuilds_the_chain_lacks_the_key(sealed, settings):
    """Events changed, seals removed, and everything sealed again by the database's owner: the signature tells."""
    tamper("UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s", params={"id": sealed[4]})
    tamper("DELETE FROM study_sites_auditseal", f"DELETE FROM study_sites_auditevent WHERE {OF_OUR_OWN}")
    settings.FIELD_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    sealing.seal()
    assert found() == []
    settings.FIELD_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="]
    assert [(kind, seal) for kind, seal, _ in found()] == [("signature", 1)]


def test_a_rotated_key_still_verifies(sealed, settings):
    settings.FIELD_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=", *settings.FIELD_KEYS]
    act(1)
    sealing.seal()
    assert found() == []


def test_the_end_cut_off_shows_against_a_hash_noted_outside(sealed, capsys):
    noted = sealing.verify().last_hash
    act(1)
    sealing.seal()
    call_command("verify_audit", expect=noted)
    tamper(
        "DELETE FROM study_sites_auditseal WHERE number >= 3",
        "DELETE FROM study_sites_auditevent WHERE id >= %(id)s",
        params={"id": sealed[6] - 1},
    )
    call_command("verify_audit")  # nothing inside the database shows it
    with pytest.raises(SystemExit) as exit_:
        call_command("verify_audit", expect=noted)
    assert exit_.value.code == 1
    assert "the seal is not there any more" in capsys.readouterr().err


def test_the_command_fails_and_says_where(sealed, capsys):
    tamper("DELETE FROM study_sites_auditevent WHERE id = %(id)s", params={"id": sealed[4]})
    with pytest.raises(SystemExit) as exit_:
        call_command("verify_audit")
    assert exit_.value.code == 1
    assert f"seal 2, events {sealed[4]}, 20" in capsys.readouterr().err


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM study_sites_auditseal",
        "UPDATE study_sites_auditseal SET events = 0",
        "INSERT INTO study_sites_auditseal SELECT * FROM study_sites_auditseal",
        "TRUNCATE study_sites_auditseal",
    ],
)
def test_the_application_cannot_write_seals(sealed, statement):
    with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert found() == []
