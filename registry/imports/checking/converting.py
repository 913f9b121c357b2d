"""A mapped table as the registry's own files, row by row: each new file remembers which row a line came from."""

import re
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, groupby, pairwise

from registry.imports.checking.staging import HIDDEN, without_value
from registry.imports.checking.unpivoting import NAMING, PLAIN_NUMBER, Unpivot, groups
from registry.imports.files import mapping as mapped
from registry.imports.files import notations, reading, redcap, repeats
from registry.imports.files.excel import cells as typed
from registry.imports.files.questions import adult_of
from registry.imports.report import Finding
from registry.instruments.base import InvalidValue, Label
from registry.instruments.timepoints import unscheduled
from registry.services.files import file_formats

UNKNOWN_LABEL = Label(
    "stands for nothing: say in the mapping what it means", "対応先がありません。対応表で指定してください。"
)
CONTRADICTS = Label("differs from row {n} of the same patient", "同じ患者の{n}行目と異なります")
READ_AS = Label("was read as {v}", "{v}として読み取りました")
REPEATED = Label(
    "is a repeated row of REDCap: say in the mapping what becomes of it",
    "REDCapの繰り返し行です。扱いを対応表で指定してください。",
)
REPEAT_PASSED = Label("is a repeated row of REDCap and was passed over", "REDCapの繰り返し行のため読み飛ばしました")
REPEAT_AS = Label("is a repeated row of REDCap: unscheduled visit {v}", "REDCapの繰り返し行を予定外の受診{v}としました")
OTHER_UNIT_NAMED = Label(
    "says {u} in its name, which is not what is asked for: convert the values, and rename the column",
    "列名の単位（{u}）が、求められる単位と異なります。値を換算し、列名を直してください。",
)
REWRITTEN = Label(
    "is a number that a program rewrote, as 12 becomes 12.0: write the patient's number as it is",
    "プログラムが書き換えた数値（12が12.0になるなど）です。元の患者番号を入力してください。",
)
SAY_NOTHING = Label(
    "has no value in the matched columns, and is not imported; so are {n} rows in all: {rows}",
    "対応する列に値のない行は取り込みません（{n}行：{rows}）",
)
LEFT_OUT_ROWS = Label(
    "is left out, since its timepoint was said to be no assessment; so are {n} rows in all: {rows}",
    "評価ではないとした時期の行は取り込みません（{n}行：{rows}）",
)
NAMED_ROWS = 20  # of those that say nothing
DAYS_TO_1904 = 1462
NOT_MATCHED = Label(
    "stands for nothing here and is not imported ({n} values)", "対応先がなく、取り込みません（値{n}件）"
)
CALCULATED = Label(
    "is calculated by the registry and not imported ({n} values)",
    "レジストリで計算する項目のため取り込みません（値{n}件）",
)


@dataclass
class Converted:
    """By name of a registry's file, its table (`reading.Rows`), and the line of it → what it came of.

    rows    the row of the source
    beside  what tells its columns from others of that row (`mapping.beside_of`): of which visit, or record, they are
    """

    files: list = field(default_factory=list)
    tables: dict = field(default_factory=dict)
    rows: dict = field(default_factory=dict)
    beside: dict = field(default_factory=dict)

    def add(self, name, row, cells, beside=""):
        line = self.tables[name].add(cells)
        self.rows[name][line] = row
        if beside:
            self.beside[name][line] = beside

    def extend(self, name, rows, parts, besides):
        """Add rows of several visits, as `add` does one after the other.

        rows     of the source, a number for each of its rows
        parts    as of `reading.Woven`, one for each visit
        besides  what tells each part from the others of a row
        """
        woven = self.tables[name].weave(parts)
        self.rows[name].update(zip(woven.lines, woven.in_turn([rows] * len(parts)), strict=True))
        said = zip(woven.lines, woven.in_turn([[beside] * len(rows) for beside in besides]), strict=True)
        self.beside[name].update((line, beside) for line, beside in said if beside)

    def places(self):
        """By name of a repeating form's file, the line → which of its patient's records it is, where that is said."""
        return {
            name: {line: int(said[1:]) for line, said in lines.items() if said.startswith(repeats.NTH)}
            for name, lines in self.beside.items()
        }


@dataclass(frozen=True)
class _Understood:
    """What a cell says: a text or code, why it says nothing, and what is told of how it was read (None, True or a
    Label).
    """

    text: str = ""
    fault: Label | None = None
    note: object = None


def convert(table, mapping, errors, warnings):
    """The registry's files that `mapping` makes of a `sources.Table`, as Converted. Raises Unreadable."""
    return _Conversion(table, mapping, errors, warnings).run()


class _Conversion:
    def __init__(self, table, mapping, errors, warnings):
        self.table, self.mapping, self.errors, self.warnings = table, mapping, errors, warnings
        self.is_both = mapping.is_both
        self.files = mapping.files()
        self.given = {file.name: mapping.given(file) for file in self.files}
        self.collected = {file.name: {} for file in self.files if file.key == (mapped.PATIENT,)}  # see `_collect`
        self.done = {}  # (target, cell) → _Understood, since columns repeat themselves
        self.noted = set()
        self.options = {}  # target → its codes
        self.items = {}  # target → its item, None for a site or a tick
        self.from_1904 = table.sheet is not None and table.sheet.from_1904
        self.silent, self.left_out = [], []  # rows that bring nothing, and those that somebody left out
        self.unscheduled = {}  # patient → how many unscheduled visits were made

    def run(self):
        names = [file.name for file in self.files]
        tables = {name: reading.Rows(self.given[name]) for name in names}
        converted = Converted(self.files, tables, {name: {} for name in names}, {name: {} for name in names})
        header = self.table.layout.names
        lacking = sorted(column for column, target in self.mapping.columns.items() if target and column not in header)
        if lacking:
            raise reading.Unreadable(reading.LACKS.format(n=len(lacking), names=", ".join(lacking[:5])), 1)
        plan = []
        for place, name in enumerate(header):
            if target := self.mapping.columns.get(name, ""):
                plan.append((place, name, mapped.base_of(target), mapped.beside_of(target)))
        self.besides = list(dict.fromkeys(beside for *_, beside in plan if beside))
        by_name = {mapped.plain(name): place for place, name in reversed([*enumerate(header)])}
        self.instance = next((by_name[name] for name in redcap.INSTANCE if name in by_name), None)
        self.instrument = next((by_name[name] for name in redcap.INSTRUMENT if name in by_name), None)
        self._tell_of_left(header)
        self._refuse_other_units()
        for column, why in repeats.skipped({column: self.mapping.columns.get(column, "") for column in header}):
            self.warnings.add(Finding(self.table.name, max(self.table.layout.header), column, "", why))
        self.numbers = _numbers(plan)
        with reading.table(self.table.path) as rows:
            next(rows, None)
            self._convert(rows, plan, converted)
        return converted

    def _tell_of_left(self, header):
        """Tell of the columns with values that are not imported, and why."""
        known = {*redcap.INSTANCE, *redcap.INSTRUMENT} if self.instance is not None else set()
        for column in header:
            if self.mapping.columns.get(column) or mapped.plain(column) in known:
                continue
            counts = self.table.layout.counts.get(column, {})
            filled = sum(rows for cell, rows in counts.items() if typed.plain(cell).strip())
            if filled:
                is_calculated = any(file.passes_over(column) for file in file_formats.files())
                why = redcap.own_column(column, header) or (CALCULATED if is_calculated else NOT_MATCHED).format(
                    n=filled
                )
                self.warnings.add(Finding(self.table.name, None, column, "", why))

    def _refuse_other_units(self):
        """Refuse columns whose name says another unit than is asked for, as a mapping kept earlier may have them."""
        for column, target in self.mapping.columns.items():
            if target and (unit := mapped.unit_beside(column, target)):
                self.errors.add(Finding(self.table.name, None, column, "", OTHER_UNIT_NAMED.format(u=unit)))

    def _convert(self, rows, plan, converted):
        unpivot = self._unpivot(plan)
        for block in reading.blocks(rows):
            self._convert_block(block, plan, unpivot, converted)
        for label, numbers in ((SAY_NOTHING, self.silent), (LEFT_OUT_ROWS, self.left_out)):
            self._tell_of_rows(label, numbers)
        for file in self.files:
            for row, values in self.collected.get(file.name, {}).values():
                self._add(file, row, values, converted)

    def _unpivot(self, plan):
        """The way for whole columns; None for rows of REDCap that may be repeated ones, for records side by side, and
        where a column stands for what all rows have.
        """
        alone = {target for _, _, target, beside in plan if not beside}
        if self.instance is not None or self.numbers or alone.intersection(self.mapping.fixed):
            return None
        of_visits = groups(self.files, self.besides, is_both=self.is_both)
        cells = self.table.layout.different_cells()
        return Unpivot(plan, cells, of_visits, self.given, self.mapping, self._understood_before, self.noted)

    def _convert_block(self, block, plan, unpivot, converted):
        odd, made = unpivot.block([cells for _, cells in block]) if unpivot else (range(len(block)), ())
        if made and not odd and len(self.collected) <= 1:
            self._extend(block, made, converted)
            return
        made = [
            (speaks, [*zip(*columns, strict=True)], self._putter(group, converted)) for group, speaks, columns in made
        ]
        row_of = self.table.row_of
        for number, (line, cells) in enumerate(block):
            row = row_of(line)
            if number in odd:
                self._convert_row(row, cells, plan, converted)
                continue
            is_silent = True
            for speaks, rows, put in made:
                if speaks[number]:
                    is_silent = False
                    put(row, rows[number])
            if is_silent:
                self.silent.append(row)

    def _extend(self, block, made, converted):
        """Add a block without an odd row: of each row of the source what it says of every file and visit, in order."""
        numbers = [self.table.row_of(line) for line, _ in block]
        for name, of_file in groupby(made, lambda group_made: group_made[0].file.name):
            groups, *parts = zip(*of_file, strict=True)
            parts = [*zip(*parts, strict=True)]
            if name in self.collected:
                given, [(speaks, columns)] = self.given[name], parts
                for row, texts in compress(zip(numbers, zip(*columns, strict=True), strict=True), speaks):
                    self._collect(groups[0].file, row, dict(zip(given, texts, strict=True)))
            else:
                converted.extend(name, numbers, parts, [group.beside for group in groups])
        spoke = map(any, zip(*(speaks for _, speaks, _ in made), strict=True))
        self.silent += [number for number, of_row in zip(numbers, spoke, strict=True) if not of_row]

    def _putter(self, group, converted):
        """A function of a row of the source and its texts that adds them to the rows of `group`."""
        name = group.file.name
        if name in self.collected:
            given = self.given[name]
            return lambda row, texts: self._collect(group.file, row, dict(zip(given, texts, strict=True)))
        return partial(converted.add, name, beside=group.beside)

    def _convert_row(self, row, cells, plan, converted):
        values, groups = self._values(row, cells, plan)
        if self.nameless or self._is_passed_over(row, cells, values, groups):
            return
        self._tell_of_empty(row, groups)
        texts = [
            self._put(file, row, said, converted, beside)
            for file in self.files
            for beside, said in self._rows_of(file, values, groups)
        ]
        if not any(texts):
            (self.left_out if self._is_left_out(values) else self.silent).append(row)

    def _rows_of(self, file, values, groups):
        """(what tells it from the others, row) of those that one row of the source makes of a file: of assessments one
        for each visit that stands beside another, of a repeating form one for each record that does.
        """
        if file != file_formats.ASSESSMENTS or self.is_both:
            yield "", values
        sign = repeats.NTH if file.form else mapped.AT if file == file_formats.ASSESSMENTS else None
        base = {name: values[name] for name in (mapped.PATIENT,) if name in values}
        for beside in self.besides:
            if beside[0] == sign and beside in groups:
                visit = {mapped.TIMEPOINT: beside[1:]} if sign == mapped.AT else {}
                yield beside, base | groups[beside] | visit

    def _tell_of_empty(self, row, groups):
        """Tell of a record that is empty before one that is not, in a row with the records side by side."""
        for form, columns in self.numbers.items():
            filled = {
                int(beside[1:])
                for beside, answers in groups.items()
                if beside[0] == repeats.NTH and any(repeats.form_of(name) == form for name in answers)
            }
            for before, number in pairwise(sorted(columns)):
                if number in filled and before not in filled:
                    why = repeats.LEFT_EMPTY.format(v=before, n=number, form=form.title)
                    self.warnings.add(Finding(self.table.name, row, columns[number], "", why))

    def _put(self, file, row, values, converted, beside):
        """Whether a row said something for a file, which is kept or written."""
        if not self._speaks_of(file, values):
            return False
        if file.name in self.collected:
            self._collect(file, row, values)
        else:
            self._add(file, row, values, converted, beside)
        return True

    def _tell_of_rows(self, label, numbers):
        if numbers:
            rows = ", ".join(map(str, numbers[:NAMED_ROWS])) + (", …" if len(numbers) > NAMED_ROWS else "")
            self.warnings.add(Finding(self.table.name, numbers[0], "", "", label.format(n=len(numbers), rows=rows)))

    def _add(self, file, row, values, converted, beside=""):
        converted.add(file.name, row, [values.get(name, "") for name in self.given[file.name]], beside)

    def _is_passed_over(self, row, cells, values, groups):
        """Whether a row is a repeated one of REDCap that is not imported; one that is gets a visit of its own. A row of
        events alone is one event, whatever its number.
        """
        instance = typed.plain(cells[self.instance]).strip() if self.instance is not None else ""
        form = typed.plain(cells[self.instrument]).strip() if self.instrument is not None else ""
        if not instance or (instance == "1" and not form and not self._is_of_no_visit(values)):
            return False  # the first of a repeated event is the event
        # A record of a repeating form is one, and an event is one, whatever its number.
        if any(file.form and self._speaks_of(file, values) for file in self.files):
            return False
        if not groups and self._tells_events_alone(values):
            return False
        if self.mapping.repeats == mapped.UNSCHEDULED:
            patient = values.get(mapped.PATIENT, "")
            self.unscheduled[patient] = self.unscheduled.get(patient, 0) + 1
            values[mapped.TIMEPOINT] = unscheduled(self.unscheduled[patient]).code
            self.warnings.add(Finding(self.table.name, row, "", instance, REPEAT_AS.format(v=values[mapped.TIMEPOINT])))
            return False
        passed = self.mapping.repeats == mapped.PASS_OVER
        report = self.warnings if passed else self.errors
        report.add(Finding(self.table.name, row, "", instance, REPEAT_PASSED if passed else REPEATED))
        return True

    def _is_of_no_visit(self, values):
        """Whether a repeated event is none of the schedule's visits, so that each of it is an unscheduled one."""
        return self.mapping.repeats == mapped.UNSCHEDULED and self._is_left_out(values)

    def _tells_events_alone(self, values):
        speaks = {file.name for file in self.files if self._speaks_of(file, values)}
        return speaks == {file_formats.ADVERSE_EVENTS.name}

    def _fault(self, row, column, value, reason):
        self.errors.add(Finding(self.table.name, row, column, value[:80], reason))

    def _values(self, row, cells, plan):
        """(texts by registry column, the same of each visit or record that stands beside another); what was not
        understood is told and left out.
        """
        values, groups, ticked = dict(self.mapping.fixed), {}, {}
        self.nameless = False  # whether whose row it is was not understood: nothing more is said of it
        for place, column, target, beside in plan:
            cell = cells[place]
            if not cell or cell.isspace():
                continue
            understood = self._understood_before(target, cell)
            if understood.fault is not None or understood.note is not None:
                self._tell(row, column, target, cell, understood)
            if understood.fault is not None:
                self.nameless = self.nameless or target in NAMING
                continue
            into = groups.setdefault(beside, {}) if beside else values
            if ":" in target:
                name, code = target.split(":")
                ticked.setdefault((beside, name), set()).update({code} if understood.text == "1" else ())
            elif understood.text.startswith(mapped.REASON):
                into[target + file_formats.MISSING_SUFFIX] = understood.text[len(mapped.REASON) :]
            else:
                into[target] = understood.text
        for (beside, name), codes in ticked.items():
            declared = [str(choice.code) for choice in mapped.catalogue_item(name).choices]
            into = groups.setdefault(beside, {}) if beside else values
            into[name] = ";".join(code for code in declared if code in codes)
        if values.get(mapped.PATIENT):
            values[mapped.PATIENT] = self.mapping.prefix + values[mapped.PATIENT]
        return values, groups

    def _understood_before(self, target, cell):
        """What a cell says; the same text under the same column is read once."""
        key = target, cell
        if key not in self.done:
            self.done[key] = self._understood(target, cell)
        return self.done[key]

    def _tell(self, row, column, target, cell, understood):
        hidden = ":" not in target and mapped.catalogue_item(target).identifying
        shown = HIDDEN if hidden else typed.shown(cell).strip()[:80]
        if understood.fault is not None:
            self._fault(row, column, shown, without_value(understood.fault) if hidden else understood.fault)
        elif (target, cell) not in self.noted:  # a value is told once, with its first row
            self.noted.add((target, cell))
            note = (
                READ_AS.format(v=HIDDEN if hidden else understood.text) if understood.note is True else understood.note
            )
            if hidden and understood.note is not True:
                note = notations.TIME_DROPPED.format(v=HIDDEN)
            self.warnings.add(Finding(self.table.name, row, column, shown, note))

    def _understood(self, target, cell):
        codes = self.mapping.codes.get(target, {})
        text = typed.plain(cell).strip()
        if text in codes:
            return _Understood(codes[text])
        if target not in self.options:
            self.options[target] = {code for code, _ in mapped.choices_of(target)}
            coded = target == mapped.SITE or ":" in target
            self.items[target] = None if coded else mapped.catalogue_item(target)
        item = self.items[target]
        kind = typed.parts(cell)[0].lower()
        try:
            if kind == "p":
                text = typed.text_for(item, cell)
            if item is None or self.options[target]:  # of a site, there may be none yet
                return self._code(self.options[target], item, text)
            if not kind and target == mapped.PATIENT and PLAIN_NUMBER.fullmatch(text):
                return _Understood(text)
            text = typed.text_for(item, cell, numbers=self.mapping.numbers).strip()
            if self.from_1904 and kind == "n" and item.kind == "date" and text.isdigit():
                text = str(int(text) + DAYS_TO_1904)
            understood = self._of_item(target, item, text, kind)
            note = typed.otherwise_of(item, cell)
            return _Understood(understood.text, note=note) if note else understood
        except InvalidValue as error:
            return _Understood(fault=error.reason)

    def _code(self, options, item, text):
        if text in options:
            return _Understood(text)
        notations.refuse_raised(text)
        tidy = notations.tidy(text)
        number = tidy
        if tidy not in options and item is not None and item.kind == "integer":
            number, _ = notations.read_number(item, text, self.mapping.separators)
        return _Understood(number, note=True) if number in options else _Understood(fault=UNKNOWN_LABEL)

    def _of_item(self, target, item, text, kind):
        if item.kind == "date":
            formats = () if kind == "d" else self.mapping.dates.get(target, ())
            return _Understood(*_noted(notations.read_date(text, formats, adult=adult_of(item))))
        if item.kind in ("integer", "decimal"):
            return _Understood(*_noted(notations.read_number(item, text, self.mapping.separators)))
        if item.kind == "levels":
            return _Understood(*_noted(notations.read_levels(text)))
        if target == mapped.PATIENT:
            notations.refuse_raised(text)
            spelled = notations.tidy(text).replace("ー", "-")
            if re.fullmatch(r"\d+\.0+", spelled):
                raise InvalidValue(REWRITTEN)
            return _Understood(spelled, note=(spelled != text) or None)
        return _Understood(text)

    def _speaks_of(self, file, values):
        """Whether a row has something to say for a file, beside whose it is."""
        if file == file_formats.ASSESSMENTS and self._is_left_out(values):
            return False
        return any(values.get(name) for name in self.given[file.name] if name not in NAMING)

    def _is_left_out(self, values):
        return values.get(mapped.TIMEPOINT, "said") == mapped.LEFT_OUT

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
                item = mapped.catalogue_item(name)
                self._fault(row, name, HIDDEN if item.identifying else text, CONTRADICTS.format(n=first))
            known.setdefault(name, text)


def _numbers(plan):
    """Repeating form → number of a record → the first of its columns, of those that stand side by side."""
    columns = {}
    for _place, column, target, beside in plan:
        if beside.startswith(repeats.NTH):
            columns.setdefault(repeats.form_of(target), {}).setdefault(int(beside[1:]), column)
    return columns


def _noted(read):
    text, note = read
    return text, None, note or None
