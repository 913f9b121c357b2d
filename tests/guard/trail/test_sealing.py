"""Whoever changes the sealed trail, even the owner of the database, is found out: which seal, which events."""

import json
import time
from shutil import rmtree

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from registry.tasks import seal_audit
from sites import audit
from sites.audit import journal, sealing
from tests.guard.conftest import as_owner, tamper
from tests.working import every_earlier_transaction_ended

OF_OUR_OWN = "table_name = 'study_sites_auditseal'"


def act(count=3, name="noted"):
    for index in range(count):
        audit.record(name, table="t", row_id=index)


def ids():
    """Ids of the events, in order, without those that tell of seals."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT id FROM study_sites_auditevent WHERE NOT ({OF_OUR_OWN}) ORDER BY id")
        return [row_id for (row_id,) in cursor.fetchall()]


def findings():
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
    assert [seal.count for seal in sealing.seal()] == [2]


def test_a_backlog_is_sealed_in_batches(committed):
    act(7)
    assert [seal.count for seal in sealing.seal(at_most=3)] == [3, 3, 3]  # with the events that tell of two seals
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
    ((kind, seal, events),) = findings()
    assert (kind, seal) == ("changed", 2)
    assert str(sealed[3] - 1) in events  # the seal's events from the first on


def test_a_removed_event_is_named(sealed):
    tamper("DELETE FROM study_sites_auditevent WHERE id = %(id)s", params={"id": sealed[4]})
    assert findings() == [("removed", 2, f"{{[{sealed[4]},{sealed[4] + 1})}}")]


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
    assert findings() == [("added", None, events)]
    act(1)
    sealing.seal()
    assert findings() == [("added", 2, events)]


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
    assert [seal.count for seal in sealing.seal()] == [2]
    slow.commit()
    act(1)
    assert [seal.count for seal in sealing.seal()] == [3]  # the slow one, the newest, and the one that tells of a seal
    report = sealing.verify()
    assert (report.findings, report.sealed, report.unsealed) == ([], 5, 1)


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
    seal_and_let_hours_pass(1)
    every_earlier_transaction_ended()
    seal_and_let_hours_pass(1)
    assert settled_id() > 0
    report = sealing.verify()
    assert report.unsealed == 1
    assert {finding.kind for finding in report.findings} == {"seal_changed"}  # the hands of the clock


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        ("DELETE FROM study_sites_auditseal WHERE number = 1", [("seal_missing", 1), ("lacking", 1)]),
        ("DELETE FROM study_sites_auditseal WHERE number = 2", [("seal_missing", 2), ("lacking", 2)]),
        ("DELETE FROM study_sites_auditseal WHERE number = 3", [("seal_missing", 3), ("lacking", 3)]),
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
    assert [(kind, seal) for kind, seal, _ in findings() if kind != "added"] == expected


def test_who_rebuilds_the_chain_lacks_the_key(sealed, settings, kept_outside, monkeypatch):
    """Events changed, seals removed, and everything sealed again by the database's owner: the signature tells."""
    rmtree(kept_outside)  # even where nothing were kept outside
    tamper("UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s", params={"id": sealed[4]})
    tamper("DELETE FROM study_sites_auditseal", f"DELETE FROM study_sites_auditevent WHERE {OF_OUR_OWN}")
    own = sealing.tokens()
    monkeypatch.setattr(sealing, "tokens", lambda: own)  # what the owner of the database takes out of its function
    settings.FIELD_KEYS = ["MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    sealing.seal()
    assert findings() == []
    settings.FIELD_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="]
    assert [(kind, seal) for kind, seal, _ in findings() if kind != "journal"] == [("signature", 1)]


def test_a_rotated_key_still_verifies(sealed, settings):
    settings.FIELD_KEYS = ["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=", *settings.FIELD_KEYS]
    act(1)
    sealing.seal()
    assert findings() == []


def test_the_end_cut_off_shows_against_a_hash_noted_outside(sealed, capsys, kept_outside):
    noted = sealing.verify().last_hash
    act(1)
    sealing.seal()
    call_command("verify_audit", expect=noted)
    tamper(
        "DELETE FROM study_sites_auditseal WHERE number >= 3",
        "DELETE FROM study_sites_auditevent WHERE id >= %(id)s",
        params={"id": sealed[6] - 1},
    )
    with pytest.raises(SystemExit):
        call_command("verify_audit")
    assert "kept outside the database and not in it" in capsys.readouterr().err
    rmtree(kept_outside)
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
    assert findings() == []


# What is kept outside the database


FORGERIES = {
    "an event changed": "UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s",
    "an event deleted": "DELETE FROM study_sites_auditevent WHERE id = %(id)s",
    "an event inserted": """INSERT INTO study_sites_auditevent
        (at, table_name, row_id, action, request_id, reason, transaction_id)
        SELECT at, 't', 'forged', 'noted', '', '', transaction_id FROM study_sites_auditevent WHERE id = %(id)s""",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_the_product_seals_nothing_anew(sealed, forgery, capsys):
    """All seals truncated with the events that tell of them: what the product's own sealer once signed."""
    tamper(forgery, params={"id": sealed[4]})
    tamper("TRUNCATE study_sites_auditseal", f"DELETE FROM study_sites_auditevent WHERE {OF_OUR_OWN}")
    with pytest.raises(sealing.HistoryLost, match="has no seal"):
        sealing.seal()
    seal_audit()  # the worker says so and goes on with its other work
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM study_sites_auditseal")
        assert cursor.fetchone() == (0,)
    assert [(kind, seal) for kind, seal, _ in findings()] == [("lacking", 1)]
    with pytest.raises(SystemExit):
        call_command("verify_audit")
    assert "3 seals, 1 to 3, with 11 events" in capsys.readouterr().err


def test_seals_removed_from_among_their_events_are_no_older_backup(committed):
    for _ in range(3):
        act()
        time.sleep(1.1)  # the journal keeps whole seconds
        sealing.seal()
    tamper("TRUNCATE study_sites_auditseal", f"DELETE FROM study_sites_auditevent WHERE {OF_OUR_OWN}")
    with pytest.raises(CommandError, match="seals 2 to 3 cover, and the seals are not: they were removed"):
        call_command("seal_audit", accept_loss="nothing to see here")
    with pytest.raises(sealing.HistoryLost):
        sealing.seal()


def roll_back_to_the_first_seal(first_id_beyond):
    tamper(
        "DELETE FROM study_sites_auditseal WHERE number > 1",
        "DELETE FROM study_sites_auditevent WHERE id >= %(id)s",
        params={"id": first_id_beyond},
    )


def test_an_older_backup_says_what_it_lacks_and_goes_on_once_somebody_says_why(sealed, capsys):
    roll_back_to_the_first_seal(sealed[3] - 1)
    act(1)
    with pytest.raises(sealing.HistoryLost, match="ends at seal 1"):
        sealing.seal()
    with pytest.raises(CommandError, match="with a reason"):
        call_command("seal_audit", accept_loss=" ")
    call_command("seal_audit", accept_loss="the disk of 1 May was lost")
    assert findings() == []
    call_command("verify_audit")
    output = capsys.readouterr().out
    assert "2 seals, 2 to 3, with 8 events" in output and "accepted: the disk of 1 May was lost" in output
    act(1)
    assert [seal.number for seal in sealing.seal()] == [3]
    assert (findings(), sealing.verify().journaled) == ([], 3)
    with pytest.raises(CommandError, match="nothing that is kept"):
        call_command("seal_audit", accept_loss="again")


def test_a_loss_is_not_accepted_where_what_stays_is_not_sound(sealed):
    roll_back_to_the_first_seal(sealed[3] - 1)
    tamper("UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s", params={"id": sealed[1]})
    with pytest.raises(ValueError, match="not sound: seal 1"):
        sealing.accept_loss("never mind")


def test_a_seal_that_was_made_and_not_kept_is_kept_next_time(sealed):
    lines = journal.path().read_text().splitlines(keepends=True)
    journal.path().write_text("".join(lines[:-1]) + lines[-1][:40])  # the power went while the line was written
    assert (findings(), sealing.verify().journaled) == ([], 2)
    act(1)
    sealing.seal()
    assert (findings(), sealing.verify().journaled) == ([], 4)


def test_a_seal_beyond_those_kept_is_ours_or_nothing_is_sealed(sealed):
    lines = journal.path().read_text().splitlines(keepends=True)
    journal.path().write_text("".join(line for line in lines if json.loads(line)["number"] < 3))
    tamper("UPDATE study_sites_auditseal SET signature = hash WHERE number = 3")
    act(1)
    with pytest.raises(sealing.HistoryLost, match="Seal 3 is in the database and was not made with"):
        sealing.seal()


SPOILED = {
    "a line changed": lambda lines: [lines[0], lines[1].replace('"events": 4', '"events": 5'), *lines[2:]],
    "a line taken out": lambda lines: [lines[0], *lines[2:]],
    "the first lines cut off": lambda lines: lines[1:],
    "a line of somebody's": lambda lines: [*lines, '{"kind": "accepted", "number": 0, "hash": "", "mac": "00"}\n'],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_journal_that_was_changed_is_told(sealed, spoil):
    lines = journal.path().read_text().splitlines(keepends=True)
    journal.path().write_text("".join(spoil(lines)))
    assert "journal" in [kind for kind, _, _ in findings()]


def test_a_forged_acceptance_lets_nothing_be_sealed(sealed):
    with journal.path().open("a") as file:
        file.write(SPOILED["a line of somebody's"]([])[-1])
    tamper("TRUNCATE study_sites_auditseal")
    with pytest.raises(sealing.HistoryLost, match="a line was changed"):
        sealing.seal()


def test_where_nothing_can_be_kept_nothing_is_sealed(committed, kept_outside, capsys):
    kept_outside.write_text("a file where the folder should be")
    act(1)
    with pytest.raises(CommandError, match="Nothing was sealed"):
        call_command("seal_audit")
    assert sealing.verify().unsealed == 1


def test_a_registry_from_before_there_was_a_journal_goes_on(sealed):
    journal.path().unlink()
    act(1)
    sealing.seal()
    assert (findings(), sealing.verify().journaled) == ([], 2)


def test_what_is_new_is_verified_alone_and_the_whole_on_demand(sealed, capsys):
    assert sealing.verify(new_only=True).seals == 3  # nothing was verified before
    act(1)
    sealing.seal()
    report = sealing.verify(new_only=True)
    assert (report.since, report.seals, report.sealed, report.findings) == (3, 1, 2, [])
    call_command("verify_audit", "--new")
    assert "0 seals since seal 4" in capsys.readouterr().out
    act(2)
    sealing.seal()
    newest = ids()[-1]
    tamper("UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s", params={"id": newest})
    assert [(finding.kind, finding.seal) for finding in sealing.verify(new_only=True).findings] == [("changed", 5)]
    assert [(finding.kind, finding.seal) for finding in sealing.verify(new_only=True).findings] == [("changed", 5)]
    tamper("UPDATE study_sites_auditevent SET user_id = NULL WHERE id = %(id)s", params={"id": newest})
    assert sealing.verify(new_only=True).findings == []
    tamper("UPDATE study_sites_auditevent SET user_id = 77 WHERE id = %(id)s", params={"id": sealed[4]})
    assert sealing.verify(new_only=True).findings == []
    assert [(finding.kind, finding.seal) for finding in sealing.verify().findings] == [("changed", 2)]


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM audit_seal(10, ARRAY[]::bytea[])", "SELECT * FROM audit_seal(10, NULL)"],
    ids=["without a key", "with nothing"],
)
def test_the_application_alone_leaves_no_seal(sealed, statement):
    act(1)
    with pytest.raises(DatabaseError, match="by who has a key"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert findings() == []
    assert [seal.number for seal in sealing.seal()] == [4]


def test_no_setting_opens_the_trail(sealed):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.sealing', 'on', true)")
        cursor.execute("SELECT count(*) FROM study_sites_auditevent")
        assert cursor.fetchone() == (0,)
