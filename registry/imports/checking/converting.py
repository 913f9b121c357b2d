"""A mapped table as the registry's own files, row by row: each new file remembers which row a line came from."""

import csv
import unicodedata
from dataclasses import dataclass, field

from registry.imports.checking.staging import CELLS, HIDDEN
from registry.imports.files import mapping as mapped
from registry.imports.files import reading
from registry.imports.report import Finding
from registry.instruments import catalogue, levels
from registry.instruments.base import Label
from registry.services.files import file_formats

UNKNOWN_LABEL = Label(
    "stands for nothing: say in the mapping what it means", "対応先がありません。対応表で指定してください"
)
NO_DATE = Label("is not a date written like {v}", "{v}の形式の日付ではありません")
CONTRADICTS = Label("differs from row {n} of the same patient", "同じ患者の{n}行目と異なります")
READ_AS = Label("was read as {v}", "{v}として読み取りました")
AMBIGUOUS = "iso"


@dataclass
class Converted:
    """`rows`: by name of a registry's file, the line of it → the row of the source."""

    files: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)


def counts_of(table):
    """The different values of every column: {column: {value: rows}}. Raises Unreadable."""
    with reading.table(table.path) as rows:
        header = _header(rows)
        counts = [{} for _ in header]
        for _, cells in rows:
            for seen, cell in zip(counts, cells, strict=False):
                seen[cell] = seen.get(cell, 0) + 1
    return dict(zip(header, counts, strict=True))


def _header(rows):
    """The names of the columns, the first of `rows`. Raises Unreadable where one stands twice."""
    _, header = next(rows, (1, []))
    header = [name.strip() for name in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise reading.Unreadable(reading.TWICE.format(n=len(twice), names=", ".join(twice[:5])), 1)
    return header


def convert(table, mapping, folder, errors, warnings):
    """Write the registry's files that `mapping` makes of a `sources.Table`; returns Converted. Raises Unreadable."""
    return _Conversion(table, mapping, errors, warnings).run(folder)


class _Conversion:
    def __init__(self, table, mapping, errors, warnings):
        self.table, self.mapping, self.errors, self.warnings = table, mapping, errors, warnings
        self.files = mapping.files()
        self.given = {file.name: mapping.given(file) for file in self.files}
        self.collected = {file.name: {} for file in self.files if file.key == (mapped.PATIENT,)}  # see `_collect`
        self.done = {}  # (target, text) → (text, reason), since columns repeat themselves
        self.told = set()
        self.options = {}  # target → its codes

    def run(self, folder):
        converted = Converted(files=self.files, rows={file.name: {} for file in self.files})
        with reading.table(self.table.path) as rows:
            header = _header(rows)
            lacking = sorted(
                column for column, target in self.mapping.columns.items() if target and column not in header
            )
            if lacking:
                raise reading.Unreadable(reading.LACKS.format(n=len(lacking), names=", ".join(lacking[:5])), 1)
            plan = [(place, name, self.mapping.columns.get(name, "")) for place, name in enumerate(header)]
            plan = [one for one in plan if one[2]]
            self._write(rows, len(header), plan, folder, converted)
        return converted

    def _write(self, rows, width, plan, folder, converted):
        streams = {file.name: (folder / file.filename).open("w", newline="") for file in self.files}
        try:
            writers = {file.name: csv.writer(streams[file.name], lineterminator="\n") for file in self.files}
            lines = dict.fromkeys(writers, 1)
            for name, writer in writers.items():
                lines[name] += _written(writer, self.given[name])
            for line, cells in rows:
                row = self.table.row_of(line)
                if len(cells) != width:
                    self._fault(row, "", "", CELLS.format(n=len(cells), m=width))
                    continue
                values = self._values(row, cells, plan)
                for file in self.files:
                    if not self._speaks_of(file, values):
                        continue
                    if file.name in self.collected:
                        self._collect(file, row, values)
                        continue
                    converted.rows[file.name][lines[file.name]] = row
                    lines[file.name] += _written(writers[file.name], self._line(file, values))
            for file in self.files:
                for row, values in self.collected.get(file.name, {}).values():
                    converted.rows[file.name][lines[file.name]] = row
                    lines[file.name] += _written(writers[file.name], self._line(file, values))
        finally:
            for stream in streams.values():
                stream.close()

    def _fault(self, row, column, value, reason):
        self.errors.add(Finding(self.table.name, row, column, value[:80], reason))

    def _values(self, row, cells, plan):
        """The row's texts by registry column, with what was not understood left out and told."""
        values, ticked = dict(self.mapping.fixed), None
        for place, column, target in plan:
            text = cells[place].strip()
            if not text:
                continue
            key = target, text
            if key not in self.done:
                self.done[key] = self._understood(target, text)
            found, reason, rewritten = self.done[key]
            if reason is not None:
                hidden = mapped.catalogue_item(target).identifying if ":" not in target else False
                self._fault(row, column, HIDDEN if hidden else text, reason)
            elif ":" in target:
                ticked = ticked or set()
                if found == "1":
                    ticked.add(target.split(":")[1])
            elif found.startswith(mapped.REASON):
                values[target + file_formats.MISSING_SUFFIX] = found[len(mapped.REASON) :]
            else:
                values[target] = found
            if rewritten and key not in self.told:
                self.told.add(key)
                hidden = ":" not in target and mapped.catalogue_item(target).identifying
                shown = (HIDDEN, HIDDEN) if hidden else (text[:80], found)
                self.warnings.add(Finding(self.table.name, row, column, shown[0], READ_AS.format(v=shown[1])))
        if ticked is not None:
            values["lesion_levels"] = ";".join(one for one in levels.LEVELS if one in ticked)
        if values.get(mapped.PATIENT):
            values[mapped.PATIENT] = self.mapping.prefix + values[mapped.PATIENT]
        return values

    def _understood(self, target, text):
        """(text, what is wrong with it or None, whether to tell how it was read)."""
        said = self.mapping.codes.get(target, {})
        if text in said:
            return said[text], None, False
        if target not in self.options:
            self.options[target] = {code for code, _ in mapped.choices_of(target)}
        if options := self.options[target]:
            found = (
                text if text in options else mapped.number(unicodedata.normalize("NFKC", text), self.mapping.comma)[0]
            )
            return (found, None, found != text) if found in options else ("", UNKNOWN_LABEL, False)
        item = catalogue.item(mapped.item_name(target))
        if item.kind == "date":
            key = self.mapping.dates.get(target, AMBIGUOUS)
            found = mapped.read_date(text, key)
            return (found, None, False) if found else ("", _no_date(mapped.DATE_FORMATS[key]), False)
        if item.kind == "integer":
            found, rewritten = mapped.number(text, self.mapping.comma)
            return found, None, rewritten
        if item.kind == "decimal":
            found = unicodedata.normalize("NFKC", text)
            found = found.replace(",", ".") if self.mapping.comma else found
            return found, None, found != text
        if item.kind == "levels":
            found, rewritten = mapped.tidy_levels(text)
            return found, None, rewritten
        return text, None, False

    def _speaks_of(self, file, values):
        """Whether a row has something to say for a file, beside whose it is."""
        if (
            file == file_formats.ASSESSMENTS
            and mapped.TIMEPOINT in values
            and values[mapped.TIMEPOINT] == mapped.LEFT_OUT
        ):
            return False
        named = {mapped.PATIENT, mapped.SITE, mapped.TIMEPOINT}
        return any(values.get(name) for name in self.given[file.name] if name not in named)

    def _collect(self, file, row, values):
        """Add a row's values to its patient: a REDCap export spreads one patient over a row for each event.

        collected  name of a file with a row a patient → patient ID → (row, {column: text})
        """
        wanted = {name: values.get(name, "") for name in self.given[file.name]}
        patients = self.collected[file.name]
        first, known = patients.setdefault(values.get(mapped.PATIENT) or ("", row), (row, {}))
        for name, text in wanted.items():
            if not text:
                continue
            if known.get(name, text) != text:
                item = catalogue.item(mapped.item_name(name))
                self._fault(row, name, HIDDEN if item.identifying else text, CONTRADICTS.format(n=first))
            known.setdefault(name, text)

    def _line(self, file, values):
        return [values.get(name, "") for name in self.given[file.name]]


def _no_date(told):
    return Label(NO_DATE.en.format(v=told.en), NO_DATE.ja.format(v=told.ja))


def _written(writer, cells):
    """Write a record; returns how many lines it takes."""
    writer.writerow(cells)
    return 1 + sum(cell.count("\n") for cell in cells)
