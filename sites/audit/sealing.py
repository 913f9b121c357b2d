"""Sealing of the audit trail in batches, so that a change of what is sealed is found whoever made it.

A seal names the ids of its events and keeps a hash over them and over the seal before. A chain from row to row would
make every save wait for the one before; a batch is sealed after its transactions have ended, and nobody waits.

Ids are taken in one order and committed in another, so a batch is the set of visible events that no seal has yet, not
a range: an event committed late is in the next seal. Its transaction tells it from one put there afterwards.

The hashes are signed with a key that the database does not have (derived from METASPINE_FIELD_KEYS): who owns the
database cannot seal a changed trail anew. What nobody can see from inside is that the newest events and seals are gone
together: so each seal's number and hash are kept outside the database (`sites.audit.journal`), and nothing is sealed in
a database that lacks what is kept. The SQL that hashes is in `registry/guards/sql/seals.sql`.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from sites.audit import journal
from sites.moments import minute_of

SEALS = "study_sites_auditseal"
AT_MOST = 10_000  # events in a seal: how closely a change is located
TOLD = 10  # ranges of ids that a finding names


@dataclass(frozen=True)
class Seal:
    number: int
    count: int
    hash: bytes


class HistoryLost(Exception):
    """The database is not the one that was sealed: it lacks seals that are kept outside. The text says which.

    Nothing is sealed until somebody has restored it, or accepted the loss (`accept_loss`).
    """


@dataclass(frozen=True)
class Finding:
    """One place where the trail is not what was sealed. `seal` is None where no single seal is concerned."""

    kind: str  # one of MEANING
    seal: int | None
    ids: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    detail: str = ""

    def __str__(self) -> str:
        where = f"seal {self.seal}" if self.seal is not None else "the trail"
        if self.ids:
            where += f", events {_in_words(self.ids)}"
        if self.detail:
            where += f", {self.detail}"
        if self.first_at and self.last_at:
            where += f", {self.first_at.isoformat(timespec='seconds')} to {self.last_at.isoformat(timespec='seconds')}"
        return f"{where}: {MEANING[self.kind]}"


def _in_words(ids: Any) -> str:
    """A multirange of ids as PostgreSQL writes it, as people do: `{[5,6),[8,11)}` is 5, 8 to 10."""
    pairs = [(int(first), int(beyond) - 1) for first, beyond in re.findall(r"(\d+),(\d+)", ids)]
    ranges = [str(first) if first == last else f"{first} to {last}" for first, last in pairs]
    more = f" and {len(ranges) - TOLD} more ranges until {pairs[-1][1]}" if len(ranges) > TOLD else ""
    return ", ".join(ranges[:TOLD]) + more


MEANING = {
    "changed": "events were changed or reordered after they were sealed",
    "removed": "events that were sealed are not there any more; the others of this seal can no longer be checked",
    "added": "events were added that were not there when their time was sealed",
    "seal_changed": "the seal itself was changed",
    "seal_missing": "the seal is not there any more",
    "signature": "the seal was not made with this deployment's key",
    "lacking": "kept outside the database and not in it: a backup from before was restored, or the newest were cut off",
    "replaced": "the seal is another than the one that is kept outside the database: the trail was sealed anew",
    "journal": "the journal of seals outside the database was changed",
}


OF_LATER = ("lacking", "replaced")  # of a database that is older than what is kept outside


@dataclass(frozen=True)
class Report:
    findings: list
    seals: int  # that were looked at
    sealed: int  # events in them
    unsealed: int  # newest events that no seal has yet
    last_hash: str  # of the newest seal, "" where there is none
    since: int = 0  # number of the seal up to which the trail was taken as verified before; 0 where all was looked at
    journaled: int = 0  # seals that are kept outside the database
    given_up: list = field(default_factory=list)  # sentences about seals whose loss was accepted


def _signing_keys() -> list[bytes]:
    return [
        hmac.digest(urlsafe_b64decode(key), b"metaspine audit seal", "sha256") for key in settings.FIELD_KEYS
    ]  # a key of its own, so that a signature says nothing about the ciphertexts


def tokens() -> list[bytes]:
    """What the database's sealing functions ask for; it knows their hashes alone."""
    return [hmac.digest(urlsafe_b64decode(key), b"metaspine may seal", "sha256") for key in settings.FIELD_KEYS]


def _signature(key: Any, seal_hash: Any) -> bytes:
    return hmac.digest(key, seal_hash, hashlib.sha256)


def _is_signed(seal_hash: Any, signature: Any) -> bool:
    return signature is not None and any(
        hmac.compare_digest(_signature(key, seal_hash), signature) for key in _signing_keys()
    )


def seal(using: str = DEFAULT_DB_ALIAS, at_most: Any = AT_MOST) -> list:
    """Seal every event that is committed and in no seal yet; returns the new seals, each of at most `at_most` events.

    Two at once wait for each other. Nothing happens where the only new events tell of seals. Raises HistoryLost where
    the database lacks what is kept outside, and OSError where nothing can be kept there.
    """
    seals = []
    with journal.opened(using) as journal_file:
        try:
            _catch_up(journal_file, using)
        except journal.Damaged as error:
            raise HistoryLost(str(error)) from None
        while sealed := _seal_once(using, at_most):
            seals.append(sealed)
            _keep(journal_file, using, sealed.number)
    return seals


def _seal_once(using: str, at_most: Any) -> Seal | None:
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '60s'")  # whoever holds the lock for ever must not stop us unnoticed
        cursor.execute("SELECT number, events, hash FROM audit_seal(%s, %s)", [at_most, tokens()])
        row = cursor.fetchone()
        if row is None:
            return None
        number, count, seal_hash = row[0], row[1], bytes(row[2])
        cursor.execute("SELECT audit_sign(%s, %s, %s)", [number, _signature(_signing_keys()[0], seal_hash), tokens()])
    return Seal(number, count, seal_hash)


ROW = f"""SELECT number, events, previous, content, hash, signature, first_at, last_at, settled_id, ids::text AS ids
FROM {SEALS}"""


def _row(using: str, condition: Any, *values: Any) -> Any:
    with connections[using].cursor() as cursor:
        cursor.execute(f"{ROW} WHERE {condition} ORDER BY number DESC LIMIT 1", values)
        return next(iter(_dicts(cursor)), None)


def _keep(journal_file: Any, using: str, number: Any) -> None:
    seal = _row(using, "number = %s", number)
    journal_file.append(
        "seal",
        number=number,
        hash=seal["hash"].hex(),
        events=seal["events"],
        first_at=seal["first_at"].isoformat(timespec="seconds"),
        last_at=seal["last_at"].isoformat(timespec="seconds"),
    )


def _catch_up(journal_file: Any, using: str) -> None:
    """Keep seals that were made and not kept yet, if they are ours. Raises HistoryLost where kept ones are lacking."""
    last = journal_file.last_seal()
    newest = _row(using, "true")
    if last is None and newest is None:
        return
    begins = last["number"] if last else newest["number"] - 1  # the first that is kept stands for all before it
    if last and last["number"]:
        same = _row(using, "number = %s", last["number"])
        if same is None or same["hash"].hex() != last["hash"]:
            raise HistoryLost(_lost(last, newest, same))
    for number in range(begins + 1, (newest["number"] if newest else 0) + 1):
        seal = _row(using, "number = %s", number)
        if seal is None or not _is_signed(seal["hash"], seal["signature"]):
            raise HistoryLost(f"Seal {number} is in the database and was not made with this deployment's key.")
        _keep(journal_file, using, number)


def _lost(last: Any, newest: Any, same: Any) -> str:
    ends = f"ends at seal {newest['number']} of {minute_of(newest['last_at'])}" if newest else "has no seal"
    what = "has another" if same else "lacks it"
    return (
        f"Seal {last['number']} was made on {last['at']} and is kept outside the database, which {what}: the database "
        f"{ends}. Either a backup from before was restored, or somebody cut off or rewrote the audit trail. Nothing is "
        "sealed until a newer backup is restored, or `seal_audit --accept-loss REASON` says why this one stays."
    )


def accept_loss(reason: Any, using: str = DEFAULT_DB_ALIAS) -> tuple[Any | int, list]:
    """Go on from what the database has, though it lacks what is kept outside: the journal says so for ever.

    Returns (number of the seal from which it goes on, numbers of seals that are given up). ValueError without a reason,
    or where nothing is lacking.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("a loss is accepted with a reason")
    report = verify(using)
    if not any(finding.kind in OF_LATER for finding in report.findings):
        raise ValueError("nothing that is kept outside the database is lacking in it")
    # What stays must be sound by itself.
    if others := [finding for finding in report.findings if finding.kind not in (*OF_LATER, "seal_missing")]:
        raise ValueError(f"what is there is not sound: {others[0]}")
    with journal.opened(using) as journal_file:
        contents = journal.read(using)
        common = [n for n, line in contents.seals.items() if _has(using, line)]
        number = max(common, default=0)
        # Seals that the database has beyond the common ones stay, if they are ours: they are kept from now on.
        line = contents.seals.get(number)
        _refuse_removed_seals([contents.seals[n] for n in sorted(contents.seals) if n > number], using)
        journal_file.append("accepted", number=number, hash=line["hash"] if line else "", reason=reason[:300])
        given_up = sorted(n for n in contents.seals if n > number)
        _catch_up(journal_file, using)
    return number, given_up


def _refuse_removed_seals(lost: Any, using: str) -> None:
    """ValueError where events are there that seals were made of, and the seals are not: that is no older backup.

    A backup that was made while events waited for the first of the `lost` seals has events of that one's time.
    """
    if len(lost) < 2 or "last_at" not in lost[0] or "last_at" not in lost[-1]:
        return
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT audit_unsealed_between(%s::timestamptz + interval '1 second', %s)",
            [lost[0]["last_at"], lost[-1]["last_at"]],
        )
        (count,) = cursor.fetchone()
    if count:
        raise ValueError(
            f"{count} events are there of the time that seals {lost[1]['number']} to {lost[-1]['number']} cover, and "
            "the seals are not: they were removed. That is no older backup; restore one"
        )


def _has(using: str, line: Any) -> Any:
    seal = _row(using, "number = %s", line["number"])
    return seal is not None and seal["hash"].hex() == line["hash"]


def verify(using: str = DEFAULT_DB_ALIAS, expect: str = "", new_only: bool = False) -> Report:
    """Recompute seals and return a Report.

    expect    the hash of a seal that must be there (hexadecimal), beside those that are kept outside
    new_only  only what came since the trail held last, by what is kept outside; that it held is kept there then
    """
    contents = journal.read(using)
    start: Any = _row(using, "number = %s", contents.verified["number"]) if new_only and contents.verified else None
    if start is not None and contents.verified and start["hash"].hex() != contents.verified["hash"]:
        start = None  # the seal from which to begin is another: look at everything
    since, settled = (start["number"], start["settled_id"]) if start else (0, 0)
    with transaction.atomic(using), connections[using].cursor() as cursor:
        seals = _recomputed(cursor, since)
        findings = list(_broken_chain(seals, since + 1, start["hash"] if start else b""))
        blamed = {finding.seal for finding in findings}
        cursor.execute("SELECT * FROM audit_lost_seals(%s)", [since])
        findings += [Finding("seal_missing", number) for (number,) in cursor.fetchall() if number not in blamed]
        findings += [finding for seal in seals for finding in _broken_batch(cursor, seal)]
        cursor.execute("SELECT * FROM audit_added(%s, %s)", [since, settled])
        findings += [Finding("added", *row) for row in cursor.fetchall()]
        cursor.execute("SELECT audit_unsealed(%s)", [settled])
        (unsealed,) = cursor.fetchone()
        hashes = _hashes(cursor, [line["number"] for line in contents.seals.values()])
    findings += [Finding("journal", None, detail=clause) for clause in contents.damage]
    findings += _against_journal(contents.seals, hashes)
    if expect and not _expected(using, expect):
        findings.append(Finding("seal_missing", None))
    report = Report(
        findings,
        len(seals),
        sum(seal["found"] for seal in seals),
        unsealed,
        seals[-1]["hash"].hex() if seals else start["hash"].hex() if start else "",
        since,
        len(contents.seals),
        [_given_up(acceptance, lost) for acceptance, lost in contents.given_up],
    )
    if not findings and seals:
        _keep_verified(using, seals[-1], whole=not since)
    return report


def _keep_verified(using: str, newest: Any, whole: Any) -> None:
    try:
        with journal.opened(using) as journal_file:
            journal_file.append("verified", number=newest["number"], hash=newest["hash"].hex(), whole=whole)
    except OSError:
        pass  # who may only look does not need to write: the next one looks at more


def _expected(using: str, expect: Any) -> Any:
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {SEALS} WHERE encode(hash, 'hex') = %s)", [expect.lower()])
        return cursor.fetchone()[0]


def _hashes(cursor: Any, numbers: Any) -> dict:
    cursor.execute(f"SELECT number, encode(hash, 'hex') FROM {SEALS} WHERE number = ANY (%s)", [numbers])
    return dict(cursor.fetchall())


def _against_journal(journal_file: Any, hashes: Any) -> Iterator[Finding]:
    """What the database lacks of what is kept: one finding for the seals at its end, one for each other."""
    for number in sorted(journal_file.keys() & hashes.keys()):
        if journal_file[number]["hash"] != hashes[number]:
            yield Finding("replaced", number)
    if lacking := sorted(journal_file.keys() - hashes.keys()):
        yield Finding("lacking", lacking[0], detail=_said(lacking, [journal_file[number] for number in lacking]))


def _said(numbers: Any, lines: Any) -> str:
    known = [line for line in lines if "events" in line]
    text = f"{len(numbers)} seals, {numbers[0]} to {numbers[-1]}"
    if known:
        events = sum(line["events"] for line in known)
        text += f", with {events} events of {known[0]['first_at']} to {known[-1]['last_at']}"
    return text


def _given_up(acceptance: Any, lost: Any) -> str:
    what = _said([line["number"] for line in lost], lost) if lost else "no seals"
    return f"{acceptance['at']}: {what} are not in the database; accepted: {acceptance.get('reason', '')}"


def _dicts(cursor: Any) -> list[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return [
        {name: bytes(value) if isinstance(value, memoryview) else value for name, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def _recomputed(cursor: Any, beyond: Any) -> Any:
    """Every seal after `beyond` with what its events and it hash to now."""
    cursor.execute(
        f"""SELECT s.*, now.hash_now, now.found, now.content_now FROM ({ROW} WHERE number > %s) AS s
        JOIN audit_recomputed(%s) AS now ON now.seal = s.number ORDER BY s.number""",
        [beyond, beyond],
    )
    return _dicts(cursor)


def _broken_chain(seals: Any, expected: Any, previous: Any) -> Iterator[Finding]:
    """Findings of seals whose first should be number `expected` and refer to the hash `previous`."""
    for seal in seals:
        number = seal["number"]
        for missing in range(expected, number):
            yield Finding("seal_missing", missing)
        if (number == expected and seal["previous"] != previous) or seal["hash"] != seal["hash_now"]:
            yield Finding("seal_changed", number, seal["ids"], seal["first_at"], seal["last_at"])
        elif not _is_signed(seal["hash"], seal["signature"]):
            yield Finding("signature", number, seal["ids"], seal["first_at"], seal["last_at"])
        expected, previous = number + 1, seal["hash"]


def _broken_batch(cursor: Any, seal: Any) -> Iterator[Finding]:
    if seal["content_now"] == seal["content"]:
        return
    when = seal["first_at"], seal["last_at"]
    cursor.execute("SELECT audit_removed(%s)", [seal["number"]])
    (missing,) = cursor.fetchone()
    if missing != "{}":
        yield Finding("removed", seal["number"], missing, *when)
    else:
        yield Finding("changed", seal["number"], seal["ids"], *when)
