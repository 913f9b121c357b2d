"""The columns of a snapshot, packed when it is frozen, so that a comparison reads arrays instead of restoring tables.

Beside its CSV a snapshot holds for each site: the columns of the patients in the order of their keys (`frame`), those
of each timepoint at which somebody was assessed (`frame@1m`), and the patients' IDs in the same order (`frame ids`).
Each part starts with the hash of how its columns are computed. A frame whose columns are computed otherwise by now, and
one of a snapshot frozen without them, is read from the restored tables.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from django.db import connection, transaction

from registry.analysis.data import frame as frames
from registry.instruments.timepoints import SCHEDULE
from registry.models import SnapshotPart
from registry.services.files import snapshots
from registry.services.study import screening
from sites.database.copying import one_moment
from sites.tenancy.scope import everything

PATIENTS, IDS = "frame", "frame ids"
TIMEPOINTS = tuple(timepoint.code for timepoint in SCHEDULE)
BASE = (frames.KEY_COLUMN, *frames.PATIENT_COLUMNS, *frames.EVENT_COLUMNS)
TABLES = 0.7  # about the share of the time that the tables take
DIGEST = hashlib.sha256().digest_size


def freeze(*, access, label, note="", pk=None, tell=lambda share, stage: None):
    """`snapshots.freeze`, with the packed columns beside the tables; both of one moment.

    tell  called with the share done (0 to 1) and the name of the stage; may raise, and nothing is frozen then
    """
    at = snapshots.moment()
    with one_moment(), transaction.atomic():
        snapshot = snapshots.freeze(
            access=access, label=label, note=note, pk=pk, at=at, tell=lambda share: tell(TABLES * share, "tables")
        )
        with everything(reason=f"snapshot {snapshot.label}"), transaction.atomic():
            _pack(snapshot, lambda share: tell(TABLES + (1 - TABLES) * share, "columns"))
    return snapshot


def read(snapshot, wanted, on_rows=None, keep_key=False):
    """`frame.read` of a Snapshot, or of the registry as it is (None). Raises NotIntact.

    Single items and further visits of the schedule are not packed: they are read from the tables, and what is read with
    them too.
    """
    if snapshot is None:
        return frames.read(wanted, on_rows, keep_key)
    require(snapshot, wanted)
    checked = frames.checked(wanted)
    with transaction.atomic():
        apart = checked.singles or not set(checked.timepoints) <= set(TIMEPOINTS)
        packed = None if apart else _packed(snapshot, (PATIENTS, *map(_of, checked.timepoints)))
        if packed is None:
            return frames.read(wanted, on_rows, keep_key, snapshots.source_of(snapshot))
        data = packed.columns(PATIENTS, on_rows)
        for timepoint in checked.timepoints:
            data |= packed.columns(_of(timepoint), on_rows)
        frame = frames.frame_of(data, checked, frames.site_places(), keep_key)
        return replace(frame, screening=screening.by_site(snapshots.table_of(snapshot, "screening")))


def require(snapshot, wanted):
    """snapshots.Lacking, if a Snapshot (None: the registry as it is) is from before an item that is wanted."""
    if snapshot is not None:
        frames.require(frames.checked(wanted), snapshots.lacking(snapshot))


def patient_ids(snapshot, keys):
    """`frame.patient_ids` of a Snapshot, or of the registry as it is (None). Raises NotIntact."""
    if snapshot is None:
        return frames.patient_ids(keys)
    with transaction.atomic():
        packed = _packed(snapshot, (PATIENTS, IDS))
        if packed is None:
            return frames.patient_ids(keys, snapshots.source_of(snapshot))
        return sorted(packed.ids(np.asarray(keys, np.uint64)))


def verify(snapshot):
    """Whether every cell is what was frozen, and so is every packed column. Needs every site in scope."""
    if not snapshots.verify(snapshot):
        return False
    with transaction.atomic():
        restored = frames.read(TIMEPOINTS, source=snapshots.source_of(snapshot))
        return restored.snapshot == read(snapshot, TIMEPOINTS).snapshot


def _of(timepoint):
    return f"{PATIENTS}@{timepoint}"


def _declared(table):
    """The columns of a part, in order."""
    return BASE if table == PATIENTS else frames.at_timepoint(table.partition("@")[2])


@cache
def _declaration(table):
    """What stands before a part's columns: the hash of how they are computed."""
    if table == IDS:
        return hashlib.sha256(frames.KEY.encode()).digest()
    if table == PATIENTS:
        sql = frames.patients_sql() + frames.events_sql()
    else:
        sql = frames.assessments_sql(table.partition("@")[2])
    columns = [(column.name, column.dtype, column.codes, column.empty) for column in _declared(table)]
    return hashlib.sha256(repr((sql, columns)).encode()).digest()


# Packing


def _pack(snapshot, tell):
    frame = frames.read(TIMEPOINTS, lambda count: tell(0), keep_key=True)
    order = np.lexsort((frame["key"], frame["site"]))
    sites, starts = np.unique(frame["site"][order], return_index=True)
    ids = _ids_by_site()
    for number, (site, rows) in enumerate(zip(sites.tolist(), np.split(order, starts[1:]), strict=True)):
        tell(number / len(sites))
        if ids[site].count("\n") + 1 != len(rows):
            raise RuntimeError(
                "patients came while the registry was frozen: their values would stand beside others' IDs"
            )
        parts = {PATIENTS: _content(frame, BASE, rows), IDS: ids[site].encode()}
        for timepoint in TIMEPOINTS:
            declared = frames.at_timepoint(timepoint)
            if any((frame[column.name][rows] != column.empty).any() for column in declared):
                parts[_of(timepoint)] = _content(frame, declared, rows)
        for table, content in parts.items():
            content = _declaration(table) + content
            SnapshotPart.objects.create(
                snapshot=snapshot,
                site_id=site,
                table=table,
                position=0,
                hash=hashlib.sha256(content).hexdigest(),
                data=content,
            )


def _content(frame, declared, rows):
    """The columns one after the other, little-endian."""
    return b"".join(frame[column.name][rows].astype(f"<{column.dtype}").tobytes() for column in declared)


def _ids_by_site():
    """Site id to the IDs of its patients, a line each, in the order of their keys."""
    with connection.cursor() as cursor:
        lines = f"string_agg(patient_id, E'\\n' ORDER BY {frames.KEY})"
        cursor.execute(f"SELECT site_id, {lines} FROM registry_patient AS p GROUP BY site_id")
        return dict(cursor.fetchall())


# Unpacking


def _packed(snapshot, tables):
    """The Packed of a snapshot; None where one of these parts is computed otherwise by now, or nothing was packed."""
    rows, n = {}, 0
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "table", site_id, octet_length(data), substring(data FOR %s) FROM registry_snapshotpart '
            'WHERE snapshot_id = %s AND "table" = ANY(%s) ORDER BY site_id',
            [DIGEST, snapshot.pk, list(tables)],
        )
        for table, site, size, declaration in cursor.fetchall():
            if bytes(declaration) != _declaration(table):
                return None
            if table == PATIENTS:
                count = (size - DIGEST) // sum(np.dtype(column.dtype).itemsize for column in BASE)
                rows[site] = slice(n, n + count)
                n += count
    return Packed(snapshot, rows, n) if n else None


@dataclass(frozen=True)
class Packed:
    """The packed columns of the sites in scope: `rows`, site id to its slice of the n patients."""

    snapshot: object
    rows: dict
    n: int

    def columns(self, table, on_rows=None):
        """Column name to (n,) array; a site without this part has no values."""
        declared = _declared(table)
        data = {column.name: np.empty(self.n, column.dtype) for column in declared}
        without = dict(self.rows)
        for site, content in self._parts(table):
            rows, start = without.pop(site), 0
            for column in declared:
                kind = np.dtype(f"<{column.dtype}")
                size = self._count(site) * kind.itemsize
                data[column.name][rows] = np.frombuffer(content[start : start + size], kind)
                start += size
            if on_rows:
                on_rows(rows.stop)
        for rows in without.values():
            for column in declared:
                data[column.name][rows] = column.empty
        return data

    def ids(self, wanted):
        """The IDs of the patients with these keys (m,)."""
        keys = {site: np.frombuffer(content, "<u8", self._count(site)) for site, content in self._parts(PATIENTS)}
        for site, content in self._parts(IDS):
            here = np.isin(keys[site], wanted, assume_unique=True).tolist()
            ids = bytes(content).decode().split("\n")
            yield from (part for part, is_here in zip(ids, here, strict=True) if is_here)

    def _count(self, site):
        return self.rows[site].stop - self.rows[site].start

    def _parts(self, table):
        """(site id, content) of each part, checked; one at a time, as bytes and not as hexadecimal digits."""
        with connection.connection.cursor(binary=True) as cursor:
            sql = (
                'SELECT site_id, hash, data FROM registry_snapshotpart WHERE snapshot_id = %s AND "table" = %s '
                "ORDER BY site_id"
            )
            for site, known, content in cursor.stream(sql, [self.snapshot.pk, table]):
                if hashlib.sha256(content).hexdigest() != known:
                    raise snapshots.NotIntact(snapshots.ALTERED)
                yield site, memoryview(content)[DIGEST:]
