"""Cleaning a file row by row and bringing it into a temporary table, where it is compared with what is stored.

What a cell accepts is asked of `Item.clean`, once for each different text of a column: a file of 200 000 assessments
has five million cells and a few hundred different ones. They are looked up by whole columns of some rows
(`_Reader.plain_block`); rows of which something must be told are read one by one.
"""

import json
import re
from dataclasses import dataclass
from itertools import compress, islice

from registry.imports.files import notations, reading
from registry.imports.files.excel import cells as typed
from registry.imports.report import Finding
from registry.instruments import catalogue, checks, levels
from registry.instruments.base import InvalidValue, Label
from registry.instruments.core.patient import age_on
from registry.instruments.keys import Visit
from registry.models import Patient
from registry.services.current_protocol import minimum_age
from registry.services.files import file_formats
from registry.services.records.cleaning import BOTH, broken
from registry.services.records.identity import opened, sealed
from registry.services.records.identity_marks import marks

BLOCK = 1_000  # records that are handed on at once
REMEMBERED = 100_000  # different texts of a column; beyond that each is cleaned anew

EMPTY_KEY = Label("must not be empty", "空欄にできません")
PATIENT_ID = Label(
    "must be 1 to 40 letters, digits, “-”, “_” or “.”, beginning with a letter or digit",
    "半角英数字と「-」「_」「.」の40文字以内で、先頭は英数字にしてください",
)
OLDER = Label(
    "is from before {n} of its columns ({names}): what is stored of them stays, and new forms wait for them",
    "追加前のファイルで、{n}列（{names}）がありません。保存済みの値は変わらず、新しい調査票は未完了のままです。",
)
HIDDEN = "…"
FULL_WIDTH = Label("is in full-width characters and was read as {v}", "全角文字です。{v}として読み取りました。")
UNDER_AGE = "under_minimum_age"
PATIENT_COLUMNS = ("site_code", "age_at_surgery", "key", "birth_date", "birth_mark", "warned")  # beside the items


def shape_of(model, constraint):
    """The regular expression that a check constraint of `model` holds its text column to."""
    condition = next(candidate for candidate in model._meta.constraints if candidate.name == constraint).condition
    return re.compile(dict(condition.children)[next(iter(dict(condition.children)))])


PATIENT_ID_SHAPE = shape_of(Patient, "patient_id_shape")


def _now(item):
    """The item, with the visits that the schedule plans now: once rows are copied, nothing can be asked."""
    return item.as_planned() if isinstance(item, Visit) else item


class Cleaned(dict):
    """The text of a cell to its clean value; raises InvalidValue."""

    def __init__(self, item, today):
        self.item, self.today = item, today
        self.full_width = {}  # text typed in full width → the value that it was taken for
        self.without_time = {}  # what a sheet shows of a day with a time → the day
        self.otherwise = {}  # what a sheet shows of a number that is another → what is told of it

    def __missing__(self, text):
        raw = file_formats.unguarded(text) if self.item.kind == "text" else text
        is_typed = text.startswith(typed.MARK)  # by a workbook
        if is_typed:
            raw = typed.text_for(self.item, text)
            if self.item.kind == "date":
                raw, had_time = notations.without_time(raw)
                if had_time:
                    self.without_time[typed.shown(text)] = raw
        value = self.item.clean(raw, today=self.today)
        if is_typed and (note := typed.otherwise_of(self.item, text)):
            self.otherwise[typed.shown(text)] = note
        if self.item.kind != "text" and not (is_typed or text.isascii()):
            self.full_width[text] = value
        if len(self) < REMEMBERED:
            self[text] = value
        return value


class Copied(dict):
    """The text of a cell to how COPY reads its clean value; raises InvalidValue."""

    def __init__(self, cleaned):
        self.cleaned, self.item = cleaned, cleaned.item

    def __missing__(self, text):
        copied = copy_text(self.cleaned[text])
        if len(self) < REMEMBERED:
            self[text] = copied
        return copied


_LEVELS = frozenset(levels.LEVELS)
NULL = r"\N"  # of COPY


def copy_text(value):
    """A clean value in PostgreSQL's COPY text format."""
    if value is None:
        return NULL
    if isinstance(value, tuple):
        if set(value) <= _LEVELS:
            return str(levels.mask(value))
        return ";".join(value)  # codes, which hold nothing that needs an escape
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    text = str(value)  # a date is written ISO 8601
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(character, escape)
    return text


def shown(value):
    return ";".join(value) if isinstance(value, tuple) else str(value)


def stage(file):
    """The name of the temporary table that holds the rows of `file`."""
    return f"stage_{file.name}"


def create_stage(cursor, file, *, derived=True):
    """An empty temporary table for the rows of `file`, with the types of its own table.

    derived  with the generated columns too, which the soft checks read
    """
    columns = [f"t.{file_formats.column_of(item.name)}" for item in file.stored]
    if file == file_formats.PATIENTS:
        columns += [
            "''::text AS site_code",
            "t.age_at_surgery",
            "''::bytea AS key",
            "''::bytea AS birth_date",
            "''::bytea AS birth_mark",
            "NULL::text[] AS warned",
        ]
    cursor.execute(f"DROP TABLE IF EXISTS {stage(file)}")
    cursor.execute(
        f"CREATE TEMP TABLE {stage(file)} ON COMMIT DROP AS "
        f"SELECT 0 AS line, {', '.join(columns)}, {file.missing_of('t')} AS missing FROM {file.table} AS t WITH NO DATA"
    )
    if derived:
        _add_derived(cursor, file)


def _add_derived(cursor, file):
    """The generated columns of the file's own table, made of the same columns here: no extra's, which nothing asks."""
    cursor.execute(
        """
        SELECT quote_ident(attname), format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = %s::regclass AND attgenerated = 's' AND attname <> ALL (%s)
        """,
        [file.table, list(catalogue.current().extra_names)],
    )
    added = [f"ADD {name} {kind} GENERATED ALWAYS AS ({sql}) STORED" for name, kind, sql in cursor.fetchall()]
    if added:
        cursor.execute(f"ALTER TABLE {stage(file)} {', '.join(added)}")


@dataclass(frozen=True)
class Staged:
    """What was read of one file: how many rows, for which items it has a column of reasons, and whether all of it."""

    rows: int = 0
    reported: tuple[str, ...] = ()
    is_complete: bool = True
    absent: tuple[str, ...] = ()  # columns that the file leaves as they are stored
    alike: tuple[tuple, ...] = ()  # (line, line of the first) of patients who may be the same person
    rewritten: tuple[Finding, ...] = ()  # what was typed in full width, and what it was taken for


def copy_sql(file):
    """The COPY that takes the records of `_Reader` into the stage of `file`."""
    extra = PATIENT_COLUMNS if file == file_formats.PATIENTS else ()
    names = [file_formats.column_of(item.name) for item in file.stored] + [*extra, "missing"]
    return f"COPY {stage(file)} (line, {', '.join(names)}) FROM STDIN"


def read_into_stage(cursor, file, path, errors, today, *, partial=False, pass_on=lambda records: None):
    """Bring `path` into the stage of `file`, adding to `errors` (Findings); a faulty cell is staged empty.

    partial  the file need not have every column: what it has not stays as it is stored (`keep_stored`)
    pass_on  called with the records of each block once they are in the stage
    """
    reader = _Reader(file, errors, today, partial)
    try:
        with reading.table(path) as rows:
            _, header = next(rows, (1, []))
            if not reader.accepts_header([name.strip() for name in header]):
                return Staged(is_complete=False)
            with cursor.copy(copy_sql(file)) as copy:
                for records in reader.records(rows):
                    copy.write(records)
                    pass_on(records)
    except reading.Unreadable as fault:
        reader.stop(fault)
    keys = ", ".join(file_formats.column_of(name) for name in file.key)
    cursor.execute(f"ANALYZE {stage(file)} (line, {keys})")  # what the joins go by
    return Staged(
        rows=reader.count,
        reported=reader.reported,
        is_complete=reader.is_complete,
        absent=reader.absent,
        rewritten=(*reader.before_its_time(), *reader.rewritten()),
        alike=tuple(reader.alike),
    )


def keep_stored(cursor, file, absent):
    """Fill the `absent` columns of the stage with what is stored, so that they do not count as emptied."""
    columns = [file_formats.column_of(name) for name in absent if name not in file_formats.NOT_IN_TABLE]
    same = " AND ".join(f"s.{file_formats.column_of(name)} = t.{file_formats.column_of(name)}" for name in file.key)
    if columns:
        cursor.execute(
            f"UPDATE {stage(file)} AS s SET {', '.join(f'{column} = t.{column}' for column in columns)} "
            f"FROM {file.table} AS t WHERE {same}"
        )
    if file == file_formats.PATIENTS:
        if "site_code" in absent:
            _keep_sites(cursor)
        if "birth_date" in absent:
            cursor.execute(
                f"UPDATE {stage(file)} AS s SET key = i.key, birth_date = i.birth_date, age_at_surgery = "
                f"t.age_at_surgery "
                "FROM registry_patient AS t JOIN registry_identity AS i USING (patient_id) WHERE "
                "t.patient_id = s.patient_id"
            )
        if AGE_FROM.intersection(absent):
            _count_ages(cursor)


AGE_FROM = {"birth_date", "surgery_date"}


def _keep_sites(cursor):
    """Patients who are stored stay at their sites."""
    cursor.execute(
        f"UPDATE {stage(file_formats.PATIENTS)} AS s SET site_code = place.code FROM registry_patient AS t "
        "JOIN study_sites_site AS place ON place.id = t.site_id WHERE t.patient_id = s.patient_id"
    )


def _count_ages(cursor):
    """Where a file has one of the two dates, the age is counted from it and from what is stored of the other."""
    patients = stage(file_formats.PATIENTS)
    cursor.execute(
        f"SELECT s.line, s.patient_id, s.key, s.birth_date, s.surgery_date FROM {patients} AS s "
        "JOIN registry_patient AS t USING (patient_id) LEFT JOIN registry_identity AS i USING "
        "(patient_id) WHERE s.birth_date IS NOT NULL "
        "AND (s.surgery_date IS DISTINCT FROM t.surgery_date OR s.birth_date IS DISTINCT FROM i.birth_date)"
    )
    for line, patient_id, key, ciphertext, operated in cursor.fetchall():
        born = opened(patient_id, key, {"birth_date": ciphertext})["birth_date"]
        age = age_on(operated, born) if operated and operated > born else None
        cursor.execute(f"UPDATE {patients} SET age_at_surgery = %s WHERE line = %s", [age, line])


def keep_unseen(cursor, file, sites):
    """Leave identifying cells as they are stored where whoever brings the file may not see them; returns how many rows.

    Of a record at a site that is not among `sites` (ids), what identifies is neither compared nor replaced: counts,
    differences and refusals would tell, try by try, what nobody but the site may know. Where nothing of the kind is
    stored, the file's is taken.
    """
    if file == file_formats.PATIENTS:
        return _keep_unseen_births(cursor, sites)
    count, keys = 0, map(file_formats.column_of, file.key)
    same = " AND ".join(f"s.{key} = t.{key}" for key in keys)
    for item in file.stored:
        if item.identifying and item.name not in file.key:
            name = file_formats.column_of(item.name)
            cursor.execute(
                f"""
                WITH given AS (
                    SELECT s.line, s.{name}, t.{name} AS stored FROM {stage(file)} AS s JOIN {file.table} AS t
                    ON {same}
                    WHERE t.site_id <> ALL (%s) AND t.{name} IS NOT NULL
                ), laid AS (UPDATE {stage(file)} AS s SET {name} = g.stored FROM given AS g WHERE g.line = s.line)
                SELECT count(*) FILTER (WHERE {name} IS NOT NULL) FROM given
                """,
                [sites],
            )
            count += cursor.fetchone()[0]
    return count


def _keep_unseen_births(cursor, sites):
    patients = stage(file_formats.PATIENTS)
    cursor.execute(
        f"SELECT s.line, s.birth_date IS NOT NULL FROM {patients} AS s JOIN registry_patient AS t USING (patient_id) "
        "JOIN registry_identity AS i USING (patient_id) WHERE t.site_id <> ALL (%s) AND i.birth_date IS NOT NULL",
        [sites],
    )
    rows = cursor.fetchall()
    if rows:
        cursor.execute(
            f"UPDATE {patients} AS s SET key = i.key, birth_date = i.birth_date, age_at_surgery = t.age_at_surgery, "
            "warned = '{}', missing = s.missing - 'birth_date' "
            "FROM registry_patient AS t JOIN registry_identity AS i USING (patient_id) "
            "WHERE t.patient_id = s.patient_id AND s.line = ANY (%s)",
            [[line for line, _ in rows]],
        )
        _count_ages(cursor)
    return sum(given for _, given in rows)


class _Reader:
    """One file's rows as COPY records; what is wrong with them goes to `errors`."""

    def __init__(self, file, errors, today, partial):
        self.file, self.errors, self.today, self.partial = file, errors, today, partial
        self.count = 0
        self.people, self.alike = {}, []  # what a person is known by → the first line; see `Staged.alike`
        self.absent = ()
        self.cleaned = []
        self.reported = ()
        self.is_complete = True

    @property
    def _of_patients(self):
        return self.file == file_formats.PATIENTS

    def accepts_header(self, header):
        """Prepare for files with these columns; False, with the errors noted, where they are not the file's."""
        faults = reading.header_faults(self.file, header, partial=self.partial)
        for fault in faults:
            self.errors.add(Finding(self.file.filename, 1, "", "", fault))
        if faults:
            return False
        self.minimum_age = minimum_age()  # once rows are copied, nothing can be asked
        self.width = len(header)
        position = {name: index for index, name in enumerate(header)}
        # A column that may be left out is read from the empty cell that is put behind every row.
        items = [(_now(item), position.get(item.name, self.width)) for item in self.file.items]
        self.items = self.file.items
        self.names = [item.name for item in self.items]
        self.cleaned = [(Cleaned(item, self.today), index) for item, index in items]
        self.stored_at = [self.names.index(item.name) for item in self.file.stored]
        self.copied = [(Copied(memory), index) for memory, index in (self.cleaned[place] for place in self.stored_at)]
        self.mandatory = [(name, position[name]) for name in self.file.mandatory if name in position]
        self.reasons = [
            (reason.name.removesuffix(file_formats.MISSING_SUFFIX), Cleaned(reason, self.today), position[reason.name])
            for reason in self.file.reasons
            if reason.name in position
        ]
        self.reported = tuple(name for name, _, _ in self.reasons)
        self.reason_cells = [index for _, _, index in self.reasons]
        extra = catalogue.current().extra_names
        extra |= set(self.file.optional if self.file.form else ())
        may_stay = self.names if self.partial else extra.intersection(self.names).union(self.file.later)
        self.absent = tuple(name for name in self.names if name not in position and name in may_stay)
        return True

    def before_its_time(self):
        """A finding where the file is from before a version of an instrument that brought some of its columns."""
        names = [name for name in self.absent if name in self.file.later and not self.partial]
        fault = OLDER.format(n=len(names), names=", ".join(names))
        return (Finding(self.file.filename, 1, "", "", fault),) if names else ()

    def rewritten(self):
        """One finding for each text in full width and each time of a day, with its first value; rows are not
        remembered.
        """
        return tuple(
            Finding(
                self.file.filename,
                None,
                memory.item.name,
                HIDDEN if memory.item.identifying else text[:80],
                label.format(v=HIDDEN if memory.item.identifying else shown(value)) if label else value,
            )
            for memory, _ in self.cleaned
            for label, rewritten in (
                (FULL_WIDTH, memory.full_width),
                (notations.TIME_DROPPED, memory.without_time),
                (None, memory.otherwise),
            )
            for text, value in rewritten.items()
        )

    def stop(self, fault):
        self.is_complete = False
        self.errors.add(Finding(self.file.filename, fault.row, "", "", fault.reason))

    def records(self, rows):
        """COPY records of (line, cells), block by block, up to where the file can be read."""
        try:
            yield from self._records(rows)
        except reading.Unreadable as fault:  # raised further, it would break off the COPY and the transaction with it
            self.stop(fault)

    def _records(self, rows):
        for block in reading.blocks(rows):
            self.count += len(block)
            records = self.plain_block(block)
            if records is None:
                yield "".join(self.record(line, cells) for line, cells in block)
                continue
            while some := "".join(islice(records, BLOCK)):
                yield some

    def plain_block(self, block):
        """The COPY records of rows of which nothing must be told, by whole columns, as an iterator; None where `record`
        has to read them.
        """
        if self._of_patients:
            return None
        if isinstance(block, reading.Woven):
            lines, parts = block.lines, [self._plain(columns) for _, columns in block.parts]
            records = None if None in parts else block.in_turn(parts)
        else:
            lines, rows = zip(*block, strict=True)
            same = all(len(cells) == self.width for cells in rows)
            records = self._plain([*zip(*rows, strict=True)]) if same else None
        return records and map("{}\t{}\n".format, lines, records)

    def _plain(self, columns):
        """The COPY records, without their lines, of columns of which nothing must be told; None for others."""
        size = len(columns[0])
        columns = [*columns, ("",) * size]
        try:
            fields = {memory.item.name: [*map(memory.__getitem__, columns[index])] for memory, index in self.copied}
            missing = self._plain_reasons(columns, fields, size)
        except InvalidValue:
            return None
        if missing is None or not all(all(map(str.strip, columns[index])) for _, index in self.mandatory):
            return None
        return map("\t".join, zip(*fields.values(), missing, strict=True))

    def _plain_reasons(self, columns, fields, size):
        """`_missing` of each row of a block; None where a reason stands beside a value."""
        given = {}
        for name, memory, index in self.reasons:
            for number in compress(range(size), columns[index]):
                if reason := memory[columns[index][number]]:
                    if fields[name][number] != NULL:
                        return None
                    given.setdefault(number, []).append(f'"{name}": "{reason}"')
        missing = ["{}"] * size
        for number, reasons in given.items():
            missing[number] = f"{{{', '.join(reasons)}}}"
        return missing

    def record(self, line, cells):
        """The COPY record of a row; what is wrong with it is told."""
        if len(cells) != self.width:
            self._fault(line, "", "", reading.CELLS.format(n=len(cells), m=self.width))
            return ""
        cells = [*cells, ""]
        values = self._values(line, cells)
        for name, index in self.mandatory:
            if not cells[index].strip():
                self._fault(line, name, "", EMPTY_KEY)
        fields = [copy_text(values[index]) for index in self.stored_at]
        missing = self._missing(line, cells, values) if any(cells[index] for index in self.reason_cells) else "{}"
        if self._of_patients:
            fields += self._of_patient(line, dict(zip(self.names, values, strict=True)))
        return f"{line}\t" + "\t".join(fields) + f"\t{missing}\n"

    def _fault(self, line, column, value, reason):
        self.errors.add(Finding(self.file.filename, line, column, value, reason))

    def _values(self, line, cells):
        """The clean values of a row; a faulty cell is noted and None."""
        try:
            return [memory[cells[index]] for memory, index in self.cleaned]
        except InvalidValue:
            return self._clean_each(line, cells)

    def _clean_each(self, line, cells):
        values = []
        for memory, index in self.cleaned:
            try:
                values.append(memory[cells[index]])
            except InvalidValue as error:
                values.append(None)
                item = memory.item
                reason = without_value(error.reason) if item.identifying else error.reason
                self._fault(line, item.name, HIDDEN if item.identifying else typed.shown(cells[index])[:80], reason)
        return values

    def _missing(self, line, cells, values):
        """The reasons of a row, as JSON in COPY's text format: codes need no escape."""
        given, by_name = {}, dict(zip(self.names, values, strict=True))
        for name, memory, index in self.reasons:
            try:
                reason = memory[cells[index]]
            except InvalidValue as error:
                self._fault(line, memory.item.name, cells[index][:80], error.reason)
                continue
            if reason and by_name[name] is not None:
                self._fault(line, name, "", BOTH)
            elif reason:
                given[name] = reason
        return json.dumps(given)

    def _of_patient(self, line, values):
        """The fields of a patient beside its items: PATIENT_COLUMNS."""
        patient_id, born, operated = values["patient_id"], values["birth_date"], values["surgery_date"]
        if patient_id and not PATIENT_ID_SHAPE.fullmatch(patient_id):
            self._fault(line, "patient_id", patient_id[:80], PATIENT_ID)
        # Of a file with some columns, the checks need what is stored of the others (`merged`).
        for name, reasons in ({} if self.partial else broken(values)).items():
            for reason in reasons:
                hidden = self.file.items[self.names.index(name)].identifying
                self._fault(line, name, HIDDEN if hidden else str(values[name]), reason)
        if born is not None and values["sex"]:
            # Many share a birthday; who was enrolled or operated on the same day too is asked about.
            day = values["consent_date"] or values["surgery_date"]
            if (first := self.people.setdefault((born, values["sex"], day), line)) != line:
                self.alike.append((line, first))
        if born is None:
            age, columns, warned = None, {"key": None, "birth_date": None, "birth_mark": None}, []
        else:
            age = age_on(operated, born) if operated and operated > born else None
            columns = sealed(patient_id or "", {"birth_date": born}) | marks({"birth_date": born})
            warned = [name for name, applies in _warnings_on_birth(values, self.minimum_age) if applies]
        return [
            copy_text(values["site_code"]),
            copy_text(age),
            copy_text(columns["key"]),
            copy_text(columns["birth_date"]),
            copy_text(columns["birth_mark"]),
            f"{{{','.join(warned)}}}",
        ]


def _warnings_on_birth(values, minimum_age):
    """Soft checks on the birth date, which is not in the clear beyond this point: (name, whether it applies)."""
    consent, born = values["consent_date"], values["birth_date"]
    yield UNDER_AGE, bool(consent) and consent > born and age_on(consent, born) < minimum_age
    for check in BIRTH_CHECKS:
        yield check.name, check.applies(values)


BIRTH_CHECKS = tuple(check for check in checks.SOFT_CHECKS if "birth_date" in check.items)
BIRTH_WARNINGS = {check.name: check for check in BIRTH_CHECKS}
UNDER_AGE_LABEL = Label(
    "The patient was under {years} years on the day of consent", "同意取得日の年齢が{years}歳未満です"
)

_TYPED = re.compile(r"“[^”]*”|「[^」]*」|\d{4}-\d\d-\d\d")


def without_value(reason):
    """The reason without what was typed, which may identify someone."""
    return Label(_TYPED.sub(HIDDEN, reason.en), _TYPED.sub(HIDDEN, reason.ja))
