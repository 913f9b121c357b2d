"""A sheet or text as people keep it to one table: which row names the columns, and what is no data.

Wholly blank rows and columns are none; a title above the names is passed over; a header that is repeated further down
too; two rows may name a column together (`術前` above `EQ VAS`, `照射1` above `線量`). A value in a column without a
name is an error: nothing is left out without a word.
"""

import csv
import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest

from registry.imports.files import notations, reading, redcap
from registry.imports.files.excel import cells as typed
from registry.imports.files.excel.workbook import column_letters
from registry.imports.report import LISTED
from registry.instruments.base import Label

HEAD = 15  # rows that are looked at for the names
MOST_COLUMNS = 2_000
REMEMBERED = 5_000  # different values of a column for the pages; the check sees all
BLOCK = 1_000  # rows that are counted and written at once

NO_NAME = Label(
    "Column {v} has values and no name: name it in the header, or empty it.",
    "{v}列に値がありますが、列名がありません。見出しに列名を入れるか、値を消してください。",
)
SEPARATORS = Label(
    "Each row ends with {n} separators more than the names; nothing stands behind them, and they were passed over",
    "各行の末尾に見出しより{n}個多い区切り文字がありますが、値がないため読み飛ばしました",
)
COUNTS_ROWS = Label(
    "Column {v} has no name and counts the rows from {n} on: it was passed over",
    "{v}列は列名がなく{n}からの連番のため、読み飛ばしました",
)
TITLE_PASSED = Label(
    "The columns are named in row {n}; what stands above was passed over.",
    "列名は{n}行目です。それより上は読み飛ばしました。",
)
OTHER_TABLE = Label(
    "names columns anew, and other ones than row {n}: put what follows into a sheet or file of its own",
    "{n}行目とは別の列名が並んでいます。ここから下は別のシートまたはファイルにしてください。",
)
FOOTER = Label(
    "is no patient's row but a total or a note below the table, and was passed over",
    "患者の行ではなく表の下の集計または注記のため、読み飛ばしました",
)
_FOOTER = re.compile(
    r"(合計|小計|総計|総合計|集計|計|件数|例数|平均値?|中央値|標準偏差|最大値?|最小値?|以上|総数|以下余白|total|subtotal"
    r"|grand total|sum|mean|average|median|sd|n|count|end|eof)[:.。]?(\s*=\s*\d+[件例名人]?)?"
    r"|\(以下余白\)|[-_=*]{2,}|(出力|作成|抽出|更新)(日時?|者)?\s*:.*"
    r"|[※*].*|(注|備考|note|notes)\s*\d*\s*[:)）].*",
    re.IGNORECASE | re.DOTALL,
)
_ALONE = re.compile(r"[-_=*]{2,}|end|eof|n|sd|count", re.IGNORECASE)  # may be what a patient's row begins with
_OF_NUMBERS = re.compile(r"[\d.,%±+()/~\s-]*\d[\d.,%±+()/~\s-]*")
_NOTE_SIGNS = "※＊*注"
_NO_NUMBER = re.compile("[=＝:：]")  # no patient's number has one
HEADER_AGAIN = Label("repeats the header and was passed over", "見出しの繰り返しのため読み飛ばしました")


@dataclass
class Layout:
    """How a table lies in its source.

    header    numbers of the rows that name the columns
    certain   whether nobody needs to be asked which they are
    head      [(row number, texts), …]: the first rows, for who is asked
    names     of the columns, each once
    places    of these columns in the source, the first is 0
    repeated  names that stand more than once, as the source has them
    offsets   [[line of the table, row of the source], …] wherever the distance changes
    faults, notes  [row, column, value, Label] of what is wrong, and of what was passed over; `more_faults` are counted
    counts    column → value → rows, of the first values; `more` columns have further ones
    """

    header: tuple = (1,)
    certain: bool = True
    head: list = field(default_factory=list)
    names: list = field(default_factory=list)
    places: list = field(default_factory=list)
    repeated: list = field(default_factory=list)
    offsets: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    more_faults: int = 0
    notes: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)
    more: list = field(default_factory=list)
    rows: int = 0

    def row_of(self, line):
        place = bisect_right(self.offsets, [line, 1 << 60]) - 1
        if place < 0:
            return line
        first, row = self.offsets[place]
        return row + line - first

    def different_cells(self):
        """Column → its different cells, of the columns of which all are counted."""
        return {name: self.counts[name] for name in self.names if name in self.counts and name not in self.more}

    def to_json(self):
        content = {
            name: [[*finding[:3], finding[3].en, finding[3].ja] for finding in getattr(self, name)]
            for name in ("faults", "notes")
        }
        return {**self.__dict__, **content}

    @classmethod
    def from_json(cls, data):
        content = {
            name: [[*finding[:3], Label(*finding[3:])] for finding in data[name]] for name in ("faults", "notes")
        }
        return cls(**{**data, **content, "header": tuple(data["header"])})

    def fault(self, row, column, value, reason):
        if len(self.faults) < LISTED:
            self.faults.append([row, column, typed.shown(value)[:80], reason])
        else:
            self.more_faults += 1


def name_of(cell):
    """A column's name as it is compared: in one line, without what nobody sees."""
    return re.sub(r"\s+", " ", typed.shown(cell).translate(notations.INVISIBLE)).strip()


def find_header(head, knows, visit_of):
    """(numbers of the rows that name the columns, whether that is certain) for the first rows.

    knows     whether a name is a column's that the registry knows
    visit_of  the timepoint that a text names, or ""
    """
    head = [(number, [*map(name_of, cells)]) for number, cells in head]  # once: a wide file has thousands of them
    rows, certain = _named_rows(head, knows, visit_of)
    below = next((row for row in head if rows and row[0] == rows[-1] + 1), None)
    if below is not None and _are_units(below[1]):
        rows = (*rows, below[0])
    return rows, certain


def is_row_of_units(cells):
    """Whether a row beneath the names says in what they are measured: (mm), 点, 年/月/日."""
    return _are_units(map(name_of, cells))


def _are_units(names):
    filled = [*filter(None, names)]
    return bool(filled) and all(map(notations.is_unit, filled)) and any(text.strip("-()") for text in filled)


def _named_rows(head, knows, visit_of):
    """`find_header` without a row of units, of rows as `name_of` reads their cells."""
    if not head:
        return (), True
    scores = [len({*filter(None, map(knows, filter(None, names)))}) for _, names in head]
    filled = [sum(map(bool, names)) for _, names in head]
    best = max(range(len(head)), key=lambda place: (scores[place], -place))
    visits = [sum(map(bool, map(visit_of, names))) for _, names in head]
    for upper in range(min(2, len(head) - 1) if scores[best] < 2 else 0):  # the items above, or none known at all
        if any(_names_visits(head[place][1], visits[place]) for place in (upper, upper + 1)):
            return (head[upper][0], head[upper + 1][0]), False
    if (pair := _numbered_pair(head, knows, visits, scores[best])) is not None:
        return (head[pair][0], head[pair + 1][0]), True
    if scores[best] >= 2:
        number = head[best][0]
        if best and visits[best - 1] >= 1 and head[best - 1][0] == number - 1 and _sparse(head, best - 1, best):
            return (head[best - 1][0], number), True
        if best + 1 < len(head) and _names_visits(head[best + 1][1], visits[best + 1]):
            return (number, head[best + 1][0]), True
        # A full row above is no title: these may be the answers of a row that happen to be names.
        return (number,), all(count < filled[best] for count in filled[:best])
    return (head[0][0],), not (filled[0] == 1 and max(filled) > 1)


def _names_visits(names, visits):
    """Whether a row names visits: at least two, which are no answers among others."""
    return visits >= 2 and visits * 2 >= sum(map(bool, names))


def _numbered_pair(head, knows, visits, best):
    """Place of the upper of two rows that name more known columns together than any row alone, as groups without a
    visit do (`照射1` above `線量`); None where there are none.
    """
    for upper in range(len(head) - 1):
        if visits[upper] or visits[upper + 1] or head[upper][0] + 1 != head[upper + 1][0]:
            continue
        if not any(name[-1:].isdigit() or name[:1].isdigit() for name in head[upper][1]):
            continue
        names = {*filter(None, _joined([head[upper][1], head[upper + 1][1]]))}
        if sum(map(bool, map(knows, names))) > max(best, 1):
            return upper
    return None


def _sparse(head, upper, lower):
    """Whether the upper row names groups of columns: fewer cells than the lower."""
    counts = [sum(map(bool, head[place][1])) for place in (upper, lower)]
    return counts[0] <= counts[1]


def joined_names(rows):
    """The names that two rows give together: a group's name stands for the blank cells to its right. A row of units
    below stands in brackets behind them.
    """
    return _joined([[*map(name_of, cells)] for cells in rows])


def _joined(rows):
    if len(rows) > 1 and _are_units(rows[-1]):
        units = [name.strip("()（）[]【】 ") for name in rows[-1]]
        return [
            f"{name} ({unit})" if name and unit else name or unit
            for name, unit in zip_longest(_joined(rows[:-1]), units, fillvalue="")
        ]
    if len(rows) == 1:
        return rows[0]
    joined, group = [], ""
    for above, below in zip_longest(*rows, fillvalue=""):
        group = above or group
        joined.append(f"{group} {below}".strip() if below else above)
    return joined


def shape(open_rows, target, *, knows, visit_of, header=None, ragged=False):
    """Write the table of a source to `target` (a Path, CSV); returns its Layout.

    open_rows  called without arguments: an iterator of (row number, cells), each time from the beginning
    header     numbers of the rows that name the columns, where somebody has said so
    ragged     rows end with their last value, as in a sheet; of a text a row with too few cells is a fault
    """
    head = []
    for number, cells in open_rows():
        if _filled(cells):
            head.append((number, cells))
        if len(head) == HEAD:
            break
    layout = Layout(head=[[number, [typed.shown(cell)[:60] for cell in cells[:40]]] for number, cells in head])
    layout.header, layout.certain = find_header(head, knows, visit_of)
    if header and set(header) <= {number for number, _ in head}:
        layout.header, layout.certain = tuple(header), True
        below = [row for row in head if row[0] == max(header) + 1 and is_row_of_units(row[1])]
        layout.header += tuple(number for number, _ in below)
    rows = [cells for number, cells in head if number in layout.header]
    if not rows:
        return layout
    if layout.certain and any(number < layout.header[0] for number, _ in head):
        layout.notes.append([layout.header[0], "", "", TITLE_PASSED.format(n=layout.header[0])])
    if (place := redcap.column_of_arms(joined_names(rows), knows)) is not None:
        rows, open_rows = _with_arms(rows, open_rows, layout.header, place)
    _Writer(layout, rows, ragged, knows).write(open_rows(), target)
    if place is not None and redcap.ARM in layout.names:  # put beside the events, in no column of the source
        layout.places = [other - (other > place) for other in layout.places]
    return layout


def _with_arms(rows, open_rows, header, place):
    """The rows that name the columns, and what opens all rows, with the arms that REDCap's events name beside them;
    as they were where they name one alone.
    """
    arms = {redcap.arm_of(typed.plain(cells[place])) for _, cells in open_rows() if len(cells) > place}
    if len(arms - {""}) < 2:
        return rows, open_rows

    def arm(number, cells):
        if number in header:
            return redcap.ARM if number == header[0] else ""
        return redcap.arm_of(typed.plain(cells[place]))

    def with_arm(number, cells):
        return [*cells[: place + 1], arm(number, cells), *cells[place + 1 :]] if len(cells) > place else cells

    def open_with_arms():
        return ((number, with_arm(number, cells)) for number, cells in open_rows())

    return [*map(with_arm, header, rows)], open_with_arms


def _filled(cells):
    return bool("".join(cells).strip())


class _RowNumbers:
    """A first column that may have no name: R and pandas number the rows that they write there."""

    def __init__(self):
        self.values, self.count, self.first, self.is_counting = [], 0, None, True

    def take(self, number, cell):
        text = typed.plain(cell)
        counted = int(text) if text.isdecimal() and len(text) < 10 else None
        if self.first is None:
            self.first = counted
        self.is_counting &= counted is not None and self.first in (0, 1) and counted == self.first + self.count
        self.count += 1
        if len(self.values) < LISTED:
            self.values.append((number, cell))

    def counts(self, layout):
        """Whether the column counts each row."""
        return self.count > 0 and self.is_counting and self.count == layout.rows

    def tell(self, layout):
        """A note that the column was passed over, where it counts each row; otherwise each value is a fault."""
        if self.counts(layout):
            layout.notes.append([layout.header[-1], "", "", COUNTS_ROWS.format(v="A", n=self.first)])
            return
        for number, cell in self.values:
            layout.fault(number, "", cell, NO_NAME.format(v="A"))
        layout.more_faults += self.count - len(self.values)


class _Writer:
    def __init__(self, layout, header_rows, ragged, knows):
        self.layout, self.ragged, self.raw, self.knows = layout, ragged, header_rows, knows
        names = joined_names(header_rows)
        while names and not names[-1]:
            names.pop()
        self.width = max(len(cells) for cells in header_rows)
        self.used = [place for place, name in enumerate(names) if name]
        self.is_whole = len(self.used) == self.width
        seen = {}
        for place in self.used:
            name = names[place]
            seen[name] = seen.get(name, 0) + 1
            layout.names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
        layout.places = self.used
        layout.repeated = [name for name, count in seen.items() if count > 1]
        self.named = set(self.used)
        self.last = max(self.used, default=0)
        self.known = [knows(name) for name in names]
        self.patient = self.known.index(typed.PATIENT) if typed.PATIENT in self.known else None
        self.numbers = _RowNumbers()
        self.firsts = _RowNumbers()  # as R's `write.table` puts numbers before each row and no name above them
        self.longer = []  # (row, number of cells) of rows with empty cells behind the last name
        self.counts = [Counter() for _ in self.used]
        self.counted = list(range(len(self.used)))

    def write(self, rows, target):
        layout, last = self.layout, max(self.layout.header)
        with target.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(layout.names)
            line, block = 2, []
            for number, cells in rows:
                if number <= last or not _filled(cells) or (cells := self._row(number, cells)) is None:
                    continue
                if not layout.offsets or layout.row_of(line) != number:
                    layout.offsets.append([line, number])
                line += 1 + "".join(cells).count("\n")
                block.append(cells)
                if len(block) == BLOCK:
                    self._put(writer, block)
                    block = []
            self._put(writer, block)
        self._finish()

    def _put(self, writer, block):
        writer.writerows(block)
        self.layout.rows += len(block)
        columns = list(zip(*block, strict=True))
        for place in self.counted if block else ():
            self.counts[place].update(columns[place])
        self.counted = [place for place in self.counted if len(self.counts[place]) <= REMEMBERED]

    def _row(self, number, cells):
        """The cells of the named columns; None for what is no row of the table."""
        if self._is_passed_over(number, cells):
            return None
        if len(cells) != self.width:
            cells = self._fitted(number, cells)
            if cells is None:
                return None
        if self.is_whole:
            return cells
        for place, cell in enumerate(cells):
            if not cell or place in self.named or not cell.strip():
                continue
            if place == 0 and self.patient is not None:  # else it may be what names the patients
                self.numbers.take(number, cell)
            else:
                self.layout.fault(number, "", cell, NO_NAME.format(v=column_letters(place + 1)))
        return [cells[place] for place in self.used]

    def _is_passed_over(self, number, cells):
        """Whether a row is none of the table: the header again, or a total or note below."""
        if any(raw[: len(cells)] == cells for raw in self.raw):
            self.layout.notes.append([number, "", "", HEADER_AGAIN])
            return True
        first = next((cell for cell in cells if cell and not cell.isspace()), "")
        # A patient's number: looked at no further.
        if any(map(str.isdigit, first)) and first[0] not in _NOTE_SIGNS and not _NO_NUMBER.search(first):
            return False
        return self._is_footer(number, cells, first) or self._names_anew(number, cells)

    def _is_footer(self, number, cells, first):
        if self.patient is None:
            return False
        if any(map(str.isdigit, first)) and sum(bool(cell.strip()) for cell in cells) > 1:  # a marked number, *S01-7
            return False
        named = cells[self.patient] if self.patient < len(cells) else ""
        if named.strip() and named != first:
            return False
        text = notations.tidy(typed.plain(first))
        if not _FOOTER.fullmatch(text):
            return False
        others = [notations.tidy(typed.plain(cell)) for cell in cells if cell.strip() and cell != first]
        if _ALONE.fullmatch(text) and not all(map(_OF_NUMBERS.fullmatch, others)):
            return False
        self.layout.notes.append([number, "", typed.shown(first).strip()[:80], FOOTER])
        return True

    def _names_anew(self, number, cells):
        """Whether a row holds names of columns alone: these again, however spelt, or others, which is a fault."""
        filled = []
        for place, cell in enumerate(cells):
            if cell and not cell.isspace():
                if not (target := self.knows(name_of(cell))):  # as of nearly every row the first
                    return False
                filled.append((place, target))
        if len(filled) < 2:
            return False
        if all(place < len(self.known) and target == self.known[place] for place, target in filled):
            self.layout.notes.append([number, "", "", HEADER_AGAIN])
        else:
            self.layout.fault(number, "", "", OTHER_TABLE.format(n=max(self.layout.header)))
        return True

    def _fitted(self, number, cells):
        if self.ragged:
            for place in range(self.width, len(cells)):
                if cells[place].strip():
                    self.layout.fault(number, "", cells[place], NO_NAME.format(v=column_letters(place + 1)))
            return cells[: self.width] + [""] * (self.width - len(cells))
        if len(cells) > self.width and not "".join(cells[self.width :]):
            self.longer.append((number, len(cells)))
            if 0 in self.named:
                self.firsts.take(number, cells[0])
            return cells[: self.width]
        if self.last < len(cells) < self.width:  # the blank ends of columns without a name
            return cells + [""] * (self.width - len(cells))
        self.layout.fault(number, "", "", reading.CELLS.format(n=len(cells), m=self.width))
        return None

    def _tell_of_longer_rows(self):
        """Rows with empty cells behind the last name: where each has them, as some programs end their lines, a note. An
        empty cell more of some rows may be one that slipped in further left, and numbers of the rows in front of each
        may have moved all others: those are not guessed at.
        """
        layout, lengths = self.layout, {length for _, length in self.longer}
        if len(lengths) == 1 and len(self.longer) == layout.rows > 1 and not self.firsts.counts(layout):
            layout.notes.append([layout.header[-1], "", "", SEPARATORS.format(n=lengths.pop() - self.width)])
            return
        for number, length in self.longer:
            layout.fault(number, "", "", reading.CELLS.format(n=length, m=self.width))

    def _finish(self):
        layout = self.layout
        self.numbers.tell(layout)
        self._tell_of_longer_rows()
        for name, seen in zip(layout.names, self.counts, strict=True):
            layout.counts[name] = dict(list(seen.items())[:REMEMBERED])
        layout.more = [layout.names[place] for place in range(len(layout.names)) if place not in self.counted]
