"""The data of an analysis: one row a patient, compact integer columns, read by binary COPY.

Every scale of the registry is discrete, so a column is small integers and MISSING where there is no value. The
five EQ-5D answers travel as one number in base 6 (digit 0: no answer), so that any value set can be applied, and
any dimension counted, without another scan.

Patients, assessments and events come each in a scan of its own, of one moment, and meet here by a 64-bit hash of the
patient ID: PostgreSQL would take as long to join them as to read them.
"""

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from threading import Lock

import numpy as np
from django.db import connection, transaction

from registry.analysis.data import item_columns
from registry.analysis.data.columns import EPOCH, MISSING, Column
from registry.instruments import catalogue, levels, timepoints, variables
from registry.instruments.base import Label
from registry.instruments.core import adverse_events, eq5d5l
from registry.services.entry import entered_in_error
from registry.services.files import snapshots
from registry.services.files.data_source import LIVE
from registry.services.files.data_use import WITHDRAWN
from registry.services.study import screening
from sites.database.copying import blocks, one_moment
from sites.models import Site

PREOP = "preop"
OWN_RECORDS = "registry_ownrecord"
GATHERED = item_columns.GATHERED
EVENTS = tuple(choice.code for choice in adverse_events.KINDS)  # bit i of the column `events` stands for EVENTS[i]
EQ5D_BASE = 6
EQ5D_CODES = EQ5D_BASE ** len(eq5d5l.DIMENSIONS)


def _codes(name):
    try:
        return tuple(choice.code for choice in catalogue.derived(name).choices)
    except KeyError:
        return catalogue.item(name).codes


def _coded(name):
    return Column(name, f"p.{name}", codes=_codes(name))


def _number(name, dtype="i2"):
    return Column(name, f"p.{name}", dtype)


GROUPS = tuple(choice.code for choice in levels.SEGMENT_GROUPS)

# Follow-up ends with death, else with the last contact, else with the last assessment after surgery. COALESCE looks
# for that assessment only where nothing else is known.
_END_OF_FOLLOW_UP = f"""coalesce(
    CASE WHEN p.vital_status = 'dead' THEN p.death_date END, p.last_contact_date,
    (SELECT max(x.assessment_date) FROM registry_assessment AS x
     WHERE x.patient_id = p.patient_id AND x.timepoint_id <> '{PREOP}' AND x.assessment_date >= p.surgery_date)
)"""

# The components of a score share one number: three bits each, the last component lowest, points + 1 or 0 for none.
COMPONENT_BITS = 3


def packed_score(score):
    """The column of a score's components, named after the instrument."""
    packed = "0"
    for item in score.items:
        packed = f"({packed}) * {1 << COMPONENT_BITS} + coalesce(p.{item.name} + 1, 0)"
    return Column(score.code, packed, "i4", empty=0)


PATIENT_COLUMNS = (
    Column("site", "p.site_id", "i4"),
    Column("lesion_levels", "p.lesion_levels", "i4", empty=0),
    Column("segment_adjudicated", "p.segment_adjudicated", codes=GROUPS),
    _number("age_at_surgery"),
    _coded("sex"),
    _coded("primary_tumour"),
    _number("tokuhashi_total"),
    _number("sins_total"),
    _coded("sins_class"),
    _coded("procedure"),
    _number("operative_time_min"),
    _number("blood_loss_ml", "i4"),
    Column("surgery_date", f"p.surgery_date - date '{EPOCH}'", "i4"),
    Column("followup_days", f"{_END_OF_FOLLOW_UP} - p.surgery_date", "i4"),
    _coded("vital_status"),
    *(packed_score(score) for score in variables.SCORES),
)
_KINDS = " ".join(f"WHEN '{code}' THEN {1 << place}" for place, code in enumerate(EVENTS))
EVENT_COLUMNS = (Column("events", f"bit_or(CASE e.kind {_KINDS} END)", "i4", empty=0),)
STOPPED = Column("data_use_stopped", "", empty=0)  # 1 for whose data must no longer be used, whatever is read


def _packed_eq5d():
    packed = "0"
    for dimension in eq5d5l.DIMENSIONS:
        packed = f"({packed}) * {EQ5D_BASE} + coalesce(a.{dimension.name}, 0)"
    return packed


ASSESSMENT_COLUMNS = (
    Column("frankel", "a.frankel", codes=_codes("frankel")),
    *(Column(name, f"a.{name}") for name in ("ecog_ps", "pain_vas_mm", "barthel_total", "eq_vas")),
    Column("eq5d", _packed_eq5d(), empty=0),
)


def at_timepoint(timepoint):
    """What one timepoint adds to a frame: `frankel@1m` and so on."""
    return tuple(replace(column, name=f"{column.name}@{timepoint}") for column in ASSESSMENT_COLUMNS)


def single(name):
    """The Column of one item that is read only where it is wanted: `consent_date`, or `kps@1m` of an assessment.

    Names of `item_columns` are any item's. KeyError for what is no item, or none of that record's.
    """
    if name.startswith(item_columns.MARKS):
        return item_columns.column(name)
    return _single(name)


@cache
def _single(name):
    item, _, timepoint = name.partition("@")
    if item not in (_OF_ASSESSMENT if timepoint else _OF_PATIENT) or (
        timepoint and not item_columns.VISIT.fullmatch(timepoint)
    ):
        raise KeyError(name)
    stored = f"{'a' if timepoint else 'p'}.{item}"
    if codes := tuple(choice.code for choice in variables.get(item).categories):
        return Column(name, f"{stored}::text", codes=codes)
    if variables.get(item).kind == "date":
        return Column(name, f"{stored} - date '{EPOCH}'", "i4")
    scale = 10 ** variables.get(item).decimals
    least = min(0, getattr(catalogue.part(item), "minimum", None) or 0) * scale
    return Column(name, f"{stored} * {scale} - ({least})", "i4", least=least, scale=scale)


_OF_PATIENT = {variable.name for variable in variables.FURTHER_OF_PATIENT}
_OF_ASSESSMENT = {variable.name for variable in variables.FURTHER_OF_ASSESSMENT}
SINGLES = _OF_PATIENT | _OF_ASSESSMENT


@dataclass(frozen=True)
class Wanted:
    """What is read beside the patients' own columns: each assessment of `timepoints`, and `singles`, each once."""

    timepoints: tuple
    singles: tuple

    @property
    def of_patients(self):
        return tuple(map(single, (name for name in self.singles if "@" not in name and name[0] != GATHERED)))

    @property
    def of_events(self):
        """The columns that are gathered from the events of a patient."""
        return self._gathered("events")

    @property
    def of_repeats(self):
        """The columns that are gathered from a patient's own records."""
        return self._gathered("repeat")

    def _gathered(self, record):
        mark = f'"of":"{record}"'
        return tuple(single(name) for name in self.singles if name[0] == GATHERED and mark in name)

    def of_visits(self):
        """(timepoint, whether whole, the single columns of it), each timepoint once."""
        for code in dict.fromkeys((*self.timepoints, *(of_visit.partition("@")[2] for of_visit in self._of_visits))):
            if code:
                here = tuple(single(name) for name in self._of_visits if name.endswith(f"@{code}"))
                yield code, code in self.timepoints, here

    @property
    def _of_visits(self):
        return tuple(name for name in self.singles if name[0] != GATHERED)


def columns(wanted):
    """Every column of a frame with these timepoints and single items, in order."""
    wanted = checked(wanted)
    of_visits = (
        column
        for code, whole, singles in wanted.of_visits()
        for column in (*(at_timepoint(code) if whole else ()), *singles)
    )
    gathered = (*wanted.of_events, *wanted.of_repeats)
    return (*PATIENT_COLUMNS, *wanted.of_patients, *EVENT_COLUMNS, *gathered, *of_visits, STOPPED)


def checked(wanted):
    """The Wanted of codes of timepoints and names of single columns. ValueError for one that there is not."""
    names = tuple(dict.fromkeys(wanted))
    whole = tuple(name for name in names if timepoints.is_visit(name))
    further = tuple(name for name in names if name not in whole)
    for name in further:
        try:
            if (visit := name.partition("@")[2]) and not timepoints.is_visit(visit):
                raise KeyError(name)
            single(name)
        except KeyError:
            fits = ", ".join(sorted(visit.code for visit in timepoints.planned()))
            raise ValueError(f"not a timepoint: {name}; one of {fits}, or an item that cohorts ask") from None
    return Wanted(whole, further)


# Eight bytes that stand for the patient ID, the same on every platform: what the snapshot's rows are sorted by.
KEY = "substring(sha256(convert_to(p.patient_id, 'UTF8')) FOR 8)"
KEY_COLUMN = Column("key", "", "u8", empty=0)  # selected as it is


def _join(alias, seed):
    """SQL of the number by which rows of one patient meet: much cheaper than KEY, and as good within one reading."""
    return f"hashtextextended({alias}.patient_id, {seed})"


def patients_sql(seed=0, singles=()):
    """The statement that reads the patients: join, key, then PATIENT_COLUMNS and single ones."""
    selected = ", ".join(column.select for column in (*PATIENT_COLUMNS, *singles))
    return f"SELECT {_join('p', seed)}, {KEY}, {selected} FROM registry_patient AS p"


def assessments_sql(timepoint, seed=0, declared=ASSESSMENT_COLUMNS):
    """The statement that reads the assessments of one timepoint: join, then ASSESSMENT_COLUMNS or what is declared."""
    selected = ", ".join(column.select for column in declared)
    rows = "registry_assessment AS a"
    if re.search(r"\bp\.", selected):  # a value calculated from the visit and the patient
        rows += f" JOIN {_PATIENTS_OF.format('a')}"
    return f"SELECT {_join('a', seed)}, {selected} FROM {rows} WHERE a.timepoint_id = '{timepoint}'"


_PATIENTS_OF = "registry_patient AS p ON p.patient_id = {0}.patient_id AND p.site_id = {0}.site_id"


def gathered_sql(table, declared, seed=0):
    """The statement that gathers columns from the rows of a table that a patient may have several of."""
    selected = ", ".join(column.select for column in declared)
    return (
        f"SELECT {_join('e', seed)}, {selected} FROM {table} AS e JOIN {_PATIENTS_OF.format('e')} GROUP BY e.patient_id"
    )


def events_sql(seed=0):
    """The statement that reads who had which adverse events: join, then EVENT_COLUMNS."""
    selected = ", ".join(column.select for column in EVENT_COLUMNS)
    return f"SELECT {_join('e', seed)}, {selected} FROM registry_adverseevent AS e GROUP BY e.patient_id"


class _Taken(dict):
    """The columns of some patients, each taken from all when it is first asked for; `moving` leaves none behind."""

    def __init__(self, data, places, moving):
        super().__init__()
        self.data, self.places, self.moving, self.one_at_a_time = data, places, moving, Lock()

    def __missing__(self, name):
        with self.one_at_a_time:
            if name not in self:
                self[name] = (self.data.pop(name) if self.moving else self.data[name])[self.places]
        return self[name]


@dataclass(frozen=True, eq=False)
class Frame:
    """`data` maps a column's name to an (n,) array; `codes` a coded column's name to what its numbers stand for.

    `regions` maps a site's id to its region, `site_codes` to its code; `hashed()` is the hash of all that was read.
    """

    data: dict
    codes: dict
    timepoints: tuple
    site_codes: dict
    regions: dict
    hashed: Callable
    in_error: int = 0  # patients of the sites who were entered in error: nobody among the rows
    screening: dict = field(default_factory=dict)  # site id to who was screened there and is nobody among the rows

    @property
    def snapshot(self):
        """The hash of all that was read, which is computed while patients are selected; waits for it."""
        return self.hashed()

    @property
    def n(self):
        return self.data["site"].size

    def __getitem__(self, name):
        return self.data[name]

    def taken(self, places, moving=False):
        """The Frame of the patients at these places (k,), in their order.

        moving  this frame loses the columns that are taken: a million patients are not kept twice
        """
        return replace(self, data=_Taken(self.data, places, moving))

    def of_lesions(self, counts, kind):
        """(n,) of a kind: what `told` says of each patient's mask of levels; it is asked of different ones alone."""
        masks, place = self._lesions
        return np.array([counts(mask) for mask in masks.tolist()], kind)[place]

    @cached_property
    def _lesions(self):
        masks, place = np.unique(self["lesion_levels"], return_inverse=True)
        return masks, place.astype(np.int32)

    @cached_property
    def _groups(self):
        return {}

    def segment_group(self, rule=levels.DEFAULT_RULE):
        """(n,) places in GROUPS by a rule; what the coordinating centre adjudicated goes before any rule."""
        if rule not in self._groups:
            by_rule = self.of_lesions(lambda mask: GROUPS.index(rule.group(levels.from_mask(mask))), np.int16)
            adjudicated = self["segment_adjudicated"]
            self._groups[rule] = np.where(adjudicated == MISSING, by_rule, adjudicated)
        return self._groups[rule]


def key_of(patient_id):
    """The number that stands for a patient ID in the column `key`."""
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big")


def patient_ids(keys, source=LIVE, most=None):
    """The IDs of the patients in scope with these keys (numbers of the column `key`), ascending; the first `most`."""
    wanted = [int(key).to_bytes(8, "big") for key in keys]
    with transaction.atomic(), connection.cursor() as cursor:
        sql = f"SELECT p.patient_id FROM registry_patient AS p WHERE {KEY} = ANY(%s) ORDER BY 1 LIMIT %s"
        cursor.execute(source.reading(sql), [wanted, most])
        return [patient_id for (patient_id,) in cursor.fetchall()]


def read(wanted, on_rows=None, keep_key=False, source=LIVE):
    """The Frame of every patient in scope.

    wanted    codes of timepoints, whose assessments it has, and names of single items (`consent_date`, `kps@1m`)
    on_rows   called with the number of patients read so far, now and then; may raise to stop the reading
    keep_key  also gives the column `key`, by which the patients are known again (`key_of`)
    source    the registry as it is, or a snapshot opened in this transaction
    ValueError for a timepoint or an item that there is not; snapshots.Lacking where the source has no such item.
    """
    wanted = checked(wanted)
    require(wanted, source.lacking)
    if wanted.of_repeats and not source.own_records:
        raise snapshots.Lacking(NO_REPEATS)
    on_rows = on_rows or (lambda count: None)
    with one_moment():
        places = site_places()
        data, seed, finder = _patients(source, wanted.of_patients, on_rows)
        _add(data, finder, source.reading(events_sql(seed)), EVENT_COLUMNS, EVENT_COLUMNS, on_rows)
        for table, gathered in (("registry_adverseevent", wanted.of_events), (OWN_RECORDS, wanted.of_repeats)):
            if gathered:
                _add(data, finder, source.reading(gathered_sql(table, gathered, seed)), gathered, gathered, on_rows)
        for code, whole, singles in wanted.of_visits():
            declared = (*(ASSESSMENT_COLUMNS if whole else ()), *singles)
            named = (*(at_timepoint(code) if whole else ()), *singles)
            _add(data, finder, source.reading(assessments_sql(code, seed, declared)), declared, named, on_rows)
        in_error = sum(entered_in_error.patients_by_site([pk for pk, _, _ in places]).values())
        screened = screening.by_site(source.screening)
    frame = frame_of(data, wanted, places, keep_key)
    # A snapshot is what was frozen: who was found to be an error since is in it.
    return replace(frame, in_error=in_error if source is LIVE else 0, screening=screened)


def require(wanted, lacking):
    """snapshots.Lacking, if one of the single items of a Wanted is among the columns that a state lacks."""
    items = dict.fromkeys(_item_of(name) for name in wanted.singles)
    if labels := [catalogue.part(name).label for name in items if name in lacking]:
        en, ja = ", ".join(label.en for label in labels), "、".join(label.ja for label in labels)
        raise snapshots.Lacking(Label(LACKING.en.format(names=en), LACKING.ja.format(names=ja)))


def _item_of(name):
    return item_columns.item_of(name) if name.startswith(item_columns.MARKS) else name.partition("@")[0]


LACKING = Label(
    "The snapshot is from before the registry asked: {names}. Take a newer snapshot or the registry as it is, or a "
    "cohort without that step.",
    "このスナップショットは、次の項目の収集開始前に作成されました：{names}。"
    "より新しいスナップショットか現在の登録データ、またはその段階を含まないコホートを選んでください。",
)


NO_REPEATS = Label(
    "The snapshot is from before repeating forms of the study's own were frozen: take a newer one, or the registry as "
    "it is.",
    "このスナップショットには独自の繰り返し調査票が含まれていません。より新しいスナップショットか現在の登録データを"
    "選んでください。",
)


def site_places():
    """(id, code, region) of each site."""
    return list(Site.objects.values_list("pk", "code", "region"))


def frame_of(data, wanted, places, keep_key=False):
    """The Frame of the columns `key` and those read (a Wanted), in order, and STOPPED; places: (id, code, region) of
    sites."""
    data[STOPPED.name] = _stopped(data["key"])
    hashing = ThreadPoolExecutor(1)
    hashed = hashing.submit(_hash, dict(data)).result
    hashing.shutdown(wait=False)
    if not keep_key:
        del data["key"]
    return Frame(
        data=data,
        codes={column.name: column.codes for column in columns(wanted.timepoints + wanted.singles) if column.codes},
        timepoints=wanted.timepoints,
        site_codes={pk: code for pk, code, _ in places},
        regions={pk: region for pk, _, region in places},
        hashed=hashed,
    )


def _stopped(keys):
    """The column STOPPED of patients with these keys (n,), as it is today: it holds for a snapshot from
    before the withdrawal too."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {KEY} FROM ({WITHDRAWN}) AS p")
        stopped = [int.from_bytes(key, "big") for (key,) in cursor.fetchall()]
    return np.isin(keys, np.array(stopped, np.uint64)).astype(STOPPED.dtype)


def _patients(source, singles, on_rows):
    """The columns of all patients, the seed of their joins, and the Finder of them."""
    seed, declared = 0, (KEY_COLUMN, *PATIENT_COLUMNS, *singles)
    while True:
        data = _copied(source.reading(patients_sql(seed, singles)), declared, on_rows)
        finder = Finder(data.pop("join"))
        if finder.distinct:
            return data, seed, finder
        seed += 1  # two patients shared a hash, which happens once in thirty million readings of a million patients


class Finder:
    """Where the patients are in a frame, by their joins (n,)."""

    def __init__(self, joins):
        self.order = np.argsort(joins)
        self.joins = joins[self.order]

    @property
    def distinct(self):
        return bool((self.joins[1:] != self.joins[:-1]).all())

    def places(self, joins):
        """(m,) places of patients in the frame, −1 for whoever is not in it."""
        places = np.full(joins.size, -1)
        if self.joins.size:
            ascending = np.argsort(joins)  # neighbours are searched near each other, in the processor's cache
            joins = joins[ascending]
            nearest = np.minimum(np.searchsorted(self.joins, joins), self.joins.size - 1)
            places[ascending] = np.where(self.joins[nearest] == joins, self.order[nearest], -1)
        return places


def _add(data, finder, sql, declared, named, on_rows):
    """Read further columns, each row to its patient; who has no row gets what stands for no value."""
    for column in named:
        data[column.name] = np.full(finder.joins.size, column.empty, column.dtype)
    for rows in _rows(sql, declared):
        places = finder.places(rows["join"].astype(np.int64))
        known = places >= 0
        for column, name in zip(declared, named, strict=True):
            data[name.name][places[known]] = rows[column.name][known]
        on_rows(finder.joins.size)


def _hash(data):
    """The hash of every value read, whatever order the rows came in: columns in turn, each sorted by patient."""
    order = np.argsort(data["key"])
    digest = hashlib.sha256()
    for name, column in data.items():
        digest.update(f"{name}:{column.dtype.str}:{column.size};".encode())
        digest.update(np.ascontiguousarray(column[order]))
    return f"sha256:{digest.hexdigest()}"


# A binary COPY starts with an 11-byte signature, flags and the length of an extension; a row is the number of fields
# (2 bytes), then each field's length (4 bytes) and bytes, big-endian; the end is a row of −1 fields.
_HEADER = 19
_CHUNK = 1 << 14  # rows parsed at once


def _row_type(declared):
    fields = [("field count", ">i2"), ("join length", ">i4"), ("join", ">i8")]
    for column in declared:
        fields += [(f"{column.name} length", ">i4"), (column.name, f">{column.dtype}")]
    return np.dtype(fields)


def _rows(sql, declared):
    """Structured arrays of about _CHUNK rows: `join`, then the columns."""
    row_type, offset = _row_type(declared), _HEADER
    with connection.cursor() as cursor:
        for block in blocks(cursor, f"COPY ({sql}) TO STDOUT (FORMAT binary)", row_type.itemsize * _CHUNK):
            yield np.frombuffer(block, row_type, (len(block) - offset) // row_type.itemsize, offset)
            offset = 0


def _copied(sql, declared, on_rows):
    """Column name to (n,) array in the machine's byte order, `join` first.

    The arrays grow in place: unlike chunks joined at the end, a million patients then never take twice their memory.
    """
    kinds = {"join": "i8"} | {column.name: column.dtype for column in declared}
    data = {name: np.empty(_CHUNK, kind) for name, kind in kinds.items()}
    count = room = 0
    for rows in _rows(sql, declared):
        if count + rows.size > room:
            room = max(2 * room, count + rows.size)
            for column in data.values():
                column.resize(room, refcheck=False)
        for name, column in data.items():
            column[count : count + rows.size] = rows[name]
        count += rows.size
        on_rows(count)
    for column in data.values():
        column.resize(count, refcheck=False)
    return data
