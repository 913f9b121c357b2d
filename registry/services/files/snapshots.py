"""Freezing the registry's data, reading a frozen state back, and comparing two.

A snapshot holds what an analysis can see: no identifiers, no free text. Its rows are CSV, compressed, in parts of one
site each, so that row-level security guards them as it guards the tables. To be read they are put into temporary tables
of the transaction, whose columns are called as the registry's own: every query then takes one state or the other.
"""

import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Model

from registry.instruments import catalogue, levels
from registry.instruments.base import Explained, Label
from registry.models import (
    AdverseEvent,
    Assessment,
    Consent,
    ConsentWithdrawal,
    FollowUpEnd,
    OwnRecord,
    Patient,
    ScreeningEntry,
    Snapshot,
    SnapshotPart,
)
from registry.services.current_protocol import hidden_names
from registry.services.files.data_source import LIVE, Source
from registry.services.files.data_use import WITHDRAWN
from registry.services.files.file_formats import FILES
from sites import audit
from sites.database.copying import one_moment
from sites.database.longest import longest
from sites.models import Site
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import everything

PART = 8_000_000  # bytes of CSV in one part, about
LONGEST_LABEL = longest(Snapshot, "label")
# How a row came to be stored is not what was found: two registries with the same answers freeze to the same hash.
NOT_FROZEN = {"id", "site_id", "version", "updated_at", "updated_by_id", "in_error"}


@dataclass(frozen=True)
class Table:
    """A table that is frozen: its name in a snapshot, its model, what names a row."""

    name: str
    model: type[Model]
    key: tuple[str, ...]

    @property
    def live(self) -> str:
        return self.model._meta.db_table


TABLES = (
    Table("patients", Patient, ("patient_id",)),
    Table("assessments", Assessment, ("patient_id", "timepoint_id")),
    Table("events", AdverseEvent, ("patient_id", "kind", "onset_date")),
    Table("ends", FollowUpEnd, ("patient_id",)),
    # Nothing but its number tells a record of a repeating form from the patient's others.
    Table("own_records", OwnRecord, ("patient_id", "form", "id")),
    Table("consents", Consent, ("patient_id", "agreed_version")),
    Table("withdrawals", ConsentWithdrawal, ("patient_id", "id")),
    Table("screening", ScreeningEntry, ("id",)),
)
LATER = ("own_records", "consents", "withdrawals", "screening")  # frozen where there are any, so that hashes stay
_IDENTIFYING = {item.name for file in FILES for item in file.items if item.identifying}
# Who took or recorded a consent, and what was written about a correction, is no finding either.
_OF_STAFF = {"agreed_taken_by", "recorded_by_id", "recorded_at", "corrected_by_id", "correction"}
UNWANTED = NOT_FROZEN | _IDENTIFYING | _OF_STAFF
ALTERED = Label(
    "The snapshot is not what it was when it was made. Tell the operator.",
    "スナップショットの内容が作成時と一致しません。管理者に連絡してください。",
)


TAKEN = Label("There is a snapshot “{label}” already.", "スナップショット「{label}」はすでにあります。")


class NotIntact(Explained):
    """A snapshot that is not there, or not what it was when it was made; `reason` (a Label) says which."""


class Lacking(NotIntact):
    """A snapshot from before something was recorded that is asked of it; `reason` (a Label) says what."""


class InvalidLabel(Explained, ValueError):
    """A label that is empty, too long or taken; `reason` (a Label) says which."""


# Freezing


def free_label(label: str) -> str:
    """The label as it is kept. InvalidLabel where it is empty, too long or a snapshot's already."""
    label = " ".join(label.split())
    if not 0 < len(label) <= LONGEST_LABEL:
        raise InvalidLabel(
            Label("A label has 1 to {n} characters.", "名称は1～{n}文字で入力してください。").format(n=LONGEST_LABEL)
        )
    if Snapshot.objects.filter(label=label).exists():
        raise InvalidLabel(TAKEN.format(label=label))
    return label


def moment() -> Any:
    """The server's clock, to be read before what is frozen: by it a plan that was locked meanwhile came later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]


def freeze(
    *,
    access: Access,
    label: Any,
    note: str = "",
    pk: Any = None,
    at: Any = None,
    tell: Callable[[float], None] = lambda share: None,
) -> Snapshot:
    """The Snapshot of the registry as it is at this moment. Raises PermissionDenied and InvalidLabel.

    access  None for the system itself
    pk      the key that it gets
    at      its `moment`, where the caller's transaction began before
    tell    called with the share done (0 to 1); may raise, and nothing is frozen then
    """
    if access is not None:
        access.require(Can.FREEZE)
    label = free_label(label)
    user_id = access.user_id if access is not None else None
    snapshot = Snapshot(label=label, note=note.strip(), created_by_id=user_id, created_at=at or moment())
    snapshot.pk = pk or snapshot.pk
    with everything(user_id=user_id, reason=f"snapshot {label}"), one_moment():
        try:
            with transaction.atomic():
                _freeze(snapshot, tell)
        except IntegrityError:
            raise InvalidLabel(TAKEN.format(label=label)) from None
    return snapshot


def _to_freeze() -> list[Table]:
    """Every table, without those that not every registry has where this one has nothing in them."""
    return [table for table in TABLES if table.name not in LATER or _is_kept(table)]


def hold_writers_off(tries: int = 40) -> bool:
    """Let nobody write what is frozen until the transaction ends: for one that began too early to be of one moment.

    False where somebody was writing all the while. It never waits for a lock while it holds others, so that nobody who
    saves meets a deadlock.
    """
    tables = [table.live for table in TABLES]
    with connection.cursor() as cursor:
        # Of the others, such as consents, nobody changes a row; SHARE needs the right to.
        may = "SELECT name FROM unnest(%s::text[]) AS name WHERE has_table_privilege(name, 'UPDATE, DELETE')"
        cursor.execute(may, [tables])
        lock = f"LOCK TABLE {', '.join(name for (name,) in cursor.fetchall())} IN SHARE MODE NOWAIT"
        for _try in range(tries):
            try:
                with transaction.atomic():
                    cursor.execute(lock)
            except OperationalError:
                time.sleep(0.05)
            else:
                return True
    return False


def _is_kept(table: Table) -> bool:
    if table.model is OwnRecord:
        return bool(catalogue.current().repeats)
    return table.model._default_manager.exists()


def _freeze(snapshot: Snapshot, tell: Callable[[float], None]) -> None:
    tables, sites = _to_freeze(), list(Site.objects.order_by("code"))
    snapshot.columns = columns = {table.name: _columns(table) for table in tables}
    digest, rows, parts = hashlib.sha256(), {}, []
    for done, table in enumerate(tables):
        rows[table.name] = 0
        names = [name for name, _ in columns[table.name]]
        digest.update(f"{table.name}:{','.join(names)}\n".encode())
        for number, site in enumerate(sites):
            tell((done + number / len(sites)) / len(tables))
            digest.update(f"{site.code}\n".encode())
            for position, text in enumerate(_texts(table, names, site.pk)):
                digest.update(text)
                rows[table.name] += text.count(b"\n")
                parts.append(_part(snapshot, table, site, position, text))
    snapshot.hash, snapshot.rows = f"sha256:{digest.hexdigest()}", rows
    snapshot.save(force_insert=True)
    SnapshotPart.objects.bulk_create(parts, batch_size=20)
    about = {"table": Snapshot._meta.db_table, "row_id": snapshot.pk, "detail": {"rows": rows}}
    audit.record_for_sites("snapshot", [site.pk for site in sites], **about)


def _part(snapshot: Any, table: Any, site: Any, position: Any, text: Any) -> SnapshotPart:
    return SnapshotPart(
        snapshot=snapshot,
        site=site,
        table=table.name,
        position=position,
        hash=hashlib.sha256(text).hexdigest(),
        data=zlib.compress(text, 1),
    )


def _columns(table: Any) -> list[list[Any]]:
    """[name, type] of each column that is frozen, in the order of the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [table.live],
        )
        return [[name, kind] for name, kind in cursor.fetchall() if name in table.key or name not in UNWANTED]


def _texts(table: Any, names: Any, site_id: Any) -> Iterator[bytes]:
    """The rows of one site as CSV, ordered by what names them, in texts of whole lines."""
    columns, order = ", ".join(f'"{name}"' for name in names), ", ".join(table.key)
    sql = f"SELECT {columns} FROM {table.live} WHERE site_id = {int(site_id)} ORDER BY {order}"
    lines, size = [], 0
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT WITH (FORMAT csv)") as copy:
        for line in copy:
            lines.append(bytes(line))
            size += len(line)
            if size > PART:
                yield b"".join(lines)
                lines, size = [], 0
    if lines:
        yield b"".join(lines)


# Reading


def get(snapshot_id: Any) -> Snapshot:
    """The Snapshot with this id, which may be any text; NotIntact if there is none."""
    try:
        snapshot = Snapshot.objects.filter(pk=snapshot_id).first()
    except ValidationError:  # no id at all
        snapshot = None
    if snapshot is None:
        raise NotIntact(Label("There is no such snapshot.", "そのスナップショットはありません。"))
    return snapshot


@contextmanager
def opened(snapshot: Any) -> Any:
    """The Source of a snapshot, until the end of the transaction: the rows of the sites in scope.

    Needs a transaction. NotIntact if a part is not what was frozen.
    """
    with transaction.atomic():
        yield _source(snapshot)


def source_of(snapshot: Any) -> Source:
    """The Source of a Snapshot, or of the registry as it is (None). As `opened`, within the caller's transaction."""
    return LIVE if snapshot is None else _source(snapshot)


def _tables(snapshot: Any) -> list[Table]:
    """What a snapshot froze: one from before a table was frozen does without it."""
    return [table for table in TABLES if table.name in snapshot.columns]


def _source(snapshot: Any) -> Source:
    names = {table.name: _name(snapshot, table) for table in _tables(snapshot)}
    for table in _tables(snapshot):
        _restored(snapshot, table)
    return Source(**{"ends": ""} | dict.fromkeys(LATER, "") | names, lacking=lacking(snapshot))


def _name(snapshot: Any, table: Table) -> str:
    return f"frozen_{snapshot.pk.hex}_{table.name}"


def table_of(snapshot: Any, name: str) -> str:
    """The temporary table of one table of a Snapshot alone; "" where it did not freeze it."""
    table = next((table for table in _tables(snapshot) if table.name == name), None)
    return _restored(snapshot, table) if table else ""


def _restored(snapshot: Any, table: Table) -> str:
    name = _name(snapshot, table)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"pg_temp.{name}"])
        if cursor.fetchone()[0] is None:
            _restore(cursor, snapshot, table, name)
    return name


def _restore(cursor: Any, snapshot: Any, table: Any, name: str) -> None:
    columns = snapshot.columns[table.name]
    declared = ", ".join(f'"{column}" {kind}{_collation(column)}' for column, kind in columns)
    cursor.execute(f"CREATE TEMPORARY TABLE {name} ({declared}, site_id bigint) ON COMMIT DROP")
    listed = ", ".join(f'"{column}"' for column, _ in columns)
    parts = snapshot.parts.filter(table=table.name).order_by("site_id", "position")
    for part in parts.iterator(chunk_size=1):
        text = zlib.decompress(part.data)
        if hashlib.sha256(text).hexdigest() != part.hash:
            raise NotIntact(ALTERED)
        cursor.execute(f"ALTER TABLE {name} ALTER site_id SET DEFAULT {int(part.site_id)}")
        with cursor.copy(f"COPY {name} ({listed}) FROM STDIN WITH (FORMAT csv)") as copy:
            copy.write(text)
    for column, kind in _newer_columns(table, columns).items():  # today's queries then read yesterday's data
        cursor.execute(f'ALTER TABLE {name} ADD "{column}" {kind}')
    cursor.execute(f"CREATE INDEX ON {name} ({', '.join(table.key)})")
    cursor.execute(f"ANALYZE {name}")


def _collation(column: Any) -> str:
    return ' COLLATE "C"' if column == "patient_id" else ""


def lacking(snapshot: Any) -> frozenset[Any]:
    """The columns that the registry has got since a Snapshot was frozen."""
    return frozenset(
        column for table in _tables(snapshot) for column in _newer_columns(table, snapshot.columns[table.name])
    )


def _newer_columns(table: Any, frozen: Any) -> dict[Any, Any]:
    """Column to type: what the registry has got since these columns ([name, type], …) were frozen."""
    present = {column for column, _ in frozen}
    return {column: kind for column, kind in _columns(table) if column not in present}


def verify(snapshot: Any) -> Any:
    """Whether every cell is what was frozen: the hash of all parts again. Needs every site in scope."""
    digest = hashlib.sha256()
    codes = dict(Site.objects.order_by("code").values_list("pk", "code"))
    with transaction.atomic():
        for table in _tables(snapshot):
            names = [name for name, _ in snapshot.columns[table.name]]
            digest.update(f"{table.name}:{','.join(names)}\n".encode())
            for pk, code in codes.items():
                digest.update(f"{code}\n".encode())
                for part in snapshot.parts.filter(table=table.name, site_id=pk).order_by("position"):
                    digest.update(zlib.decompress(part.data))
    return snapshot.hash == f"sha256:{digest.hexdigest()}"


# Comparing


@dataclass(frozen=True)
class TableDifference:
    """How one table differs: rows added, removed and changed; by column what cells got, changed and lost a value.

    cells  the first changed cells: (what names the row, column, value before, value after), as text
    """

    table: str
    added: int
    removed: int
    changed: int
    columns: dict
    cells: tuple

    @property
    def differs(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def differences(before: Any, after: Any, most_cells: int = 200) -> list[TableDifference]:
    """What changed between two Sources: a TableDifference for each table, for the sites in scope.

    Patients whose data must no longer be used are in none of them; a table that one of them did not freeze is left out,
    and so is what tells the arm of the study to whoever must not know it.
    """
    both = [table for table in TABLES if getattr(before, table.name) and getattr(after, table.name)]
    return [_difference(table, before, after, most_cells) for table in both]


def _difference(table: Any, before: Any, after: Any, most: Any) -> TableDifference:
    first, second = getattr(before, table.name), getattr(after, table.name)
    hidden = hidden_names()
    columns = [name for name, _ in _columns(table) if name not in table.key and name not in hidden]
    using = ", ".join(table.key)
    # Nobody reads, either, what had changed in data that must no longer be used.
    usable = f"WHERE NOT EXISTS (SELECT FROM ({WITHDRAWN}) AS w WHERE w.patient_id = s.patient_id)"
    joined = (
        f"(SELECT s.*, true AS here FROM {first} AS s {usable}) AS a "
        f"FULL JOIN (SELECT s.*, true AS here FROM {second} AS s {usable}) AS b USING ({using})"
    )
    differing = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in columns)
    both = "a.here AND b.here"
    counts = ["count(*) FILTER (WHERE a.here IS NULL)", "count(*) FILTER (WHERE b.here IS NULL)"]
    counts.append(f"count(*) FILTER (WHERE {both} AND ({differing}))")
    for name in columns:
        counts += [
            f"count(*) FILTER (WHERE {both} AND a.{name} IS NULL AND b.{name} IS NOT NULL)",
            f"count(*) FILTER (WHERE {both} AND a.{name} <> b.{name})",
            f"count(*) FILTER (WHERE {both} AND a.{name} IS NOT NULL AND b.{name} IS NULL)",
        ]
    cells = ", ".join(f"('{name}', a.{name}::text, b.{name}::text)" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)} FROM {joined}")
        added, removed, changed, *each = cursor.fetchone()
        cursor.execute(
            f"SELECT {using}, cell.name, cell.old, cell.new FROM {joined} "
            f"CROSS JOIN LATERAL (VALUES {cells}) AS cell (name, old, new) "
            f"WHERE {both} AND cell.old IS DISTINCT FROM cell.new ORDER BY {using}, cell.name LIMIT {int(most)}"
        )
        rows = cursor.fetchall()
    by_column = {
        name: {"added": got, "changed": other, "removed": lost}
        for name, got, other, lost in zip(columns, each[0::3], each[1::3], each[2::3], strict=True)
        if got or other or lost
    }
    return TableDifference(table.name, added, removed, changed, by_column, tuple(_told(row, table) for row in rows))


def _told(row: Any, table: Any) -> tuple[tuple[str, ...], Any, str | Any | None, str | Any | None]:
    *key, name, old, new = row
    return tuple(str(part) for part in key), name, _shown(name, old), _shown(name, new)


def _shown(name: str, text: Any) -> Any:
    if text is not None and name == "lesion_levels":
        return ";".join(levels.from_mask(int(text)))
    return text
