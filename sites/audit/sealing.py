"""Sealing of the audit trail in batches, so that a change of what is sealed is found whoever made it.

A seal names the ids of its events and keeps a hash over them and over the seal before. A chain from row to row would
make every save wait for the one before; a batch is sealed after its transactions have ended, and nobody waits.

Ids are taken in one order and committed in another, so a batch is the set of visible events that no seal has yet, not
a range: an event committed late is in the next seal. Its transaction tells it from one put there afterwards.

The hashes are signed with a key that the database does not have (derived from METASPINE_FIELD_KEYS): who owns the
database cannot seal a changed trail anew. What nobody can see from inside is that the newest events and seals are gone
together; keep the last seal's hash elsewhere (the worker logs it) and give it to `verify_audit --expect`.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

TRAIL = "study_sites_auditevent"
SEALS = "study_sites_auditseal"
AT_MOST = 10_000  # events in a seal: how closely a change is located
TOLD = 10  # ranges of ids that a finding names

# One event as text that depends on no setting of the session; the functions that seal have it from here.
EVENT = """jsonb_build_array(e.id, extract(epoch FROM e.at), e.site_id, e.table_name, e.row_id,
    e.action, e.user_id, e.request_id, e.reason, e.transaction_id, e.old, e.new)::text"""
CONTENT = f"sha256(string_agg(sha256(convert_to({EVENT}, 'UTF8')), ''::bytea ORDER BY e.id))"
# What a seal's hash covers beside the content of its events.
HEAD = """jsonb_build_array(s.number, encode(s.previous, 'hex'), s.ids::text, s.last_id, s.settled_id, s.snapshot,
    s.ceiling, s.events, extract(epoch FROM s.first_at), extract(epoch FROM s.last_at),
    extract(epoch FROM s.made_at))::text"""
HASH = f"sha256(convert_to({HEAD}, 'UTF8') || s.content)"
# The events of a range `r` of ids. OFFSET keeps the planner from one join of all with all.
OF_RANGE = f"""LATERAL (
    SELECT * FROM {TRAIL} WHERE id >= r.first AND id < r.beyond ORDER BY id OFFSET 0
) AS e"""


def ranges(ids):
    """SQL for the ranges of a multirange as `r (first, beyond)`.

    Taken apart here and not in the condition: with row-level security PostgreSQL uses an index only for conditions
    that cannot leak, and lower() and upper() are not known not to.
    """
    return f"""(
        SELECT coalesce(lower(one), -9223372036854775808) AS first, coalesce(upper(one), 9223372036854775807) AS beyond
        FROM unnest({ids}) AS one OFFSET 0
    ) AS r"""


@dataclass(frozen=True)
class Seal:
    number: int
    count: int
    hash: bytes


@dataclass(frozen=True)
class Finding:
    """One place where the trail is not what was sealed. `seal` is None where no single seal is concerned."""

    kind: str  # changed, removed, added, seal_changed, seal_missing, signature
    seal: int | None
    ids: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None

    def __str__(self):
        where = f"seal {self.seal}" if self.seal is not None else "the trail"
        if self.ids:
            where += f", events {_in_words(self.ids)}"
        if self.first_at:
            where += f", {self.first_at.isoformat(timespec='seconds')} to {self.last_at.isoformat(timespec='seconds')}"
        return f"{where}: {MEANING[self.kind]}"


def _in_words(ids):
    """A multirange of ids as PostgreSQL writes it, as people do: `{[5,6),[8,11)}` is 5, 8 to 10."""
    pairs = [(int(first), int(beyond) - 1) for first, beyond in re.findall(r"(\d+),(\d+)", ids)]
    said = [str(first) if first == last else f"{first} to {last}" for first, last in pairs]
    more = f" and {len(said) - TOLD} more ranges until {pairs[-1][1]}" if len(said) > TOLD else ""
    return ", ".join(said[:TOLD]) + more


MEANING = {
    "changed": "events were changed or reordered after they were sealed",
    "removed": "events that were sealed are not there any more; the others of this seal can no longer be checked",
    "added": "events were added that were not there when their time was sealed",
    "seal_changed": "the seal itself was changed",
    "seal_missing": "the seal is not there any more",
    "signature": "the seal was not made with this deployment's key",
}


@dataclass(frozen=True)
class Report:
    findings: list
    seals: int
    sealed: int  # events in seals
    unsealed: int  # newest events that no seal has yet
    last_hash: str  # of the newest seal, "" where there is none


def _signing_keys():
    return [
        hmac.digest(urlsafe_b64decode(key), b"metaspine audit seal", "sha256") for key in settings.FIELD_KEYS
    ]  # a key of its own, so that a signature says nothing about the ciphertexts


def _signature(key, seal_hash):
    return hmac.digest(key, seal_hash, hashlib.sha256)


def _is_signed(seal_hash, signature):
    return signature is not None and any(
        hmac.compare_digest(_signature(key, seal_hash), signature) for key in _signing_keys()
    )


def seal(using=DEFAULT_DB_ALIAS, at_most=AT_MOST):
    """Seal every event that is committed and in no seal yet; returns the new seals, each of at most `at_most` events.

    Two at once wait for each other. Nothing happens where the only new events tell of seals.
    """
    seals = []
    while True:
        with transaction.atomic(using), connections[using].cursor() as cursor:
            cursor.execute("SELECT number, events, hash FROM audit_seal(%s)", [at_most])
            row = cursor.fetchone()
            if row is None:
                return seals
            number, count, seal_hash = row[0], row[1], bytes(row[2])
            cursor.execute("SELECT audit_sign(%s, %s)", [number, _signature(_signing_keys()[0], seal_hash)])
        seals.append(Seal(number, count, seal_hash))


@contextmanager
def _whole_trail(using):
    """A cursor in a transaction that reads events of every site, and of sites that are gone."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('app.sealing', 'on', true)")
        yield cursor
        cursor.execute("SELECT set_config('app.sealing', '', true)")


def verify(using=DEFAULT_DB_ALIAS, expect=""):
    """Recompute every seal and return a Report; `expect` is the hash of a seal that must be there (hexadecimal)."""
    with _whole_trail(using) as cursor:
        seals = _recomputed(cursor)
        findings = list(_broken_chain(seals))
        blamed = {finding.seal for finding in findings}
        findings += [
            Finding("seal_missing", number) for number in _seals_on_record_only(cursor) if number not in blamed
        ]
        findings += [finding for one in seals for finding in _broken_batch(cursor, one)]
        findings += _added(cursor)
        unsealed = _unsealed(cursor)
    if expect and expect not in {one["hash"].hex() for one in seals}:
        findings.append(Finding("seal_missing", None))
    return Report(
        findings,
        len(seals),
        sum(one["found"] for one in seals),
        unsealed,
        seals[-1]["hash"].hex() if seals else "",
    )


def _dicts(cursor):
    names = [column.name for column in cursor.description]
    return [
        {name: bytes(value) if isinstance(value, memoryview) else value for name, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def _recomputed(cursor):
    """Every seal with what its events and it hash to now."""
    cursor.execute(
        f"""
        SELECT s.number, s.events, s.previous, s.content, s.hash, s.signature, s.first_at, s.last_at,
               s.ids::text AS ids, {HASH} AS hash_now, now.found, now.content AS content_now
        FROM {SEALS} AS s CROSS JOIN LATERAL (
            SELECT count(*) AS found, {CONTENT} AS content
            FROM {ranges("s.ids")} CROSS JOIN {OF_RANGE}
        ) AS now
        ORDER BY s.number
        """
    )
    return _dicts(cursor)


def _broken_chain(seals):
    expected, previous = 1, b""
    for one in seals:
        number = one["number"]
        for missing in range(expected, number):
            yield Finding("seal_missing", missing)
        if number == expected and one["previous"] != previous or one["hash"] != one["hash_now"]:
            yield Finding("seal_changed", number, one["ids"], one["first_at"], one["last_at"])
        elif not _is_signed(one["hash"], one["signature"]):
            yield Finding("signature", number, one["ids"], one["first_at"], one["last_at"])
        expected, previous = number + 1, one["hash"]


def _broken_batch(cursor, one):
    if one["content_now"] == one["content"]:
        return
    when = one["first_at"], one["last_at"]
    cursor.execute(
        f"""
        SELECT (s.ids - coalesce(range_agg(int8range(e.id, e.id + 1)), '{{}}'))::text
        FROM {SEALS} AS s CROSS JOIN LATERAL {ranges("s.ids")} LEFT JOIN {OF_RANGE} ON true
        WHERE s.number = %s GROUP BY s.ids
        """,
        [one["number"]],
    )
    (missing,) = cursor.fetchone()
    if missing != "{}":
        yield Finding("removed", one["number"], missing, *when)
    else:
        yield Finding("changed", one["number"], one["ids"], *when)


def _seals_on_record_only(cursor):
    """Numbers of seals that the trail tells of and that are gone: the newest one too."""
    cursor.execute(
        f"""
        SELECT DISTINCT e.row_id::bigint FROM {TRAIL} AS e
        LEFT JOIN {SEALS} AS s ON s.number::text = e.row_id AND '\\x' || encode(s.hash, 'hex') = e.new ->> 'hash'
        WHERE e.site_id IS NULL AND e.table_name = '{SEALS}' AND e.action = 'insert' AND s.number IS NULL
        ORDER BY 1
        """
    )
    return [number for (number,) in cursor.fetchall()]


# Events below the last id of an earlier seal: committed late, or put there afterwards. `seal` is null for unsealed.
_LATE = f"""
    SELECT s.number AS seal, e.id, e.at, e.transaction_id
    FROM (SELECT number, ids, lag(last_id) OVER (ORDER BY number) AS before FROM {SEALS}) AS s
    CROSS JOIN LATERAL {ranges("s.ids * int8multirange(int8range(NULL, s.before, '[]'))")} CROSS JOIN {OF_RANGE}
    WHERE s.before IS NOT NULL
"""
_GAPS = f"int8multirange(int8range(NULL, NULL)) - (SELECT coalesce(range_agg(ids), '{{}}') FROM {SEALS})"
_UNSEALED = f"FROM {ranges(_GAPS)} CROSS JOIN {OF_RANGE}"


def _added(cursor):
    """Events whose transaction had ended when greater ids were sealed, and which yet were not there."""
    cursor.execute(
        f"""
        SELECT late.seal, range_agg(int8range(late.id, late.id + 1))::text, min(late.at), max(late.at)
        FROM ({_LATE} UNION ALL SELECT NULL, e.id, e.at, e.transaction_id {_UNSEALED}) AS late
        WHERE EXISTS (
            SELECT FROM {SEALS} AS s
            WHERE s.last_id >= late.id AND (late.seal IS NULL OR s.number < late.seal)
              AND pg_visible_in_snapshot(late.transaction_id::text::xid8, s.snapshot::pg_snapshot)
        )
        GROUP BY late.seal ORDER BY late.seal
        """
    )
    return [Finding("added", *row) for row in cursor.fetchall()]


def _unsealed(cursor):
    cursor.execute(f"SELECT count(*) {_UNSEALED}")
    return cursor.fetchone()[0]
