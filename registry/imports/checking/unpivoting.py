"""Unpivot of a wide table, block by block: whole columns are looked up at once instead of cell by cell.

Only what is plainly understood goes this way. A row with a cell that must be told of (a fault, another notation), that
is a reason or a tick is left to `converting`, whose words about it stay the only ones.
"""

import re
from dataclasses import dataclass

from registry.imports.files import mapping as mapped
from registry.services.files import file_formats

REMEMBERED = 100_000  # different cells of a target; beyond that each is understood anew
ODD = object()  # a cell whose row is left to `converting`
NAMING = (mapped.PATIENT, mapped.TIMEPOINT, mapped.SITE, mapped.RECORD)
PLAIN_NUMBER = re.compile(r"[A-Za-z0-9-]+")  # of a patient: half width, and nothing that a program rewrote
_PLAIN_NUMBERS = re.compile(rf"(?:{PLAIN_NUMBER.pattern}\0)+")  # of a column; no cell has a NUL


class _Texts(dict):
    """A cell of a target's columns to the text that it says; ODD for one that is not plain."""

    def __init__(self, target, understand, noted, *, is_coded):
        self.target, self.understand, self.noted = target, understand, noted
        self.is_plain = _PLAIN_NUMBERS.fullmatch if target == mapped.PATIENT and not is_coded else None
        self.met_odd = False
        self.themselves = set()  # cells that say what they are

    def __missing__(self, cell):
        text = self._text(cell)
        if text is ODD:  # not remembered: what was told once is plain from then on
            self.met_odd = True
        elif len(self) < REMEMBERED:
            self[cell] = text
            if text == cell:
                self.themselves.add(cell)
        return text

    def are_all_plain(self, cells):
        """Whether each of these, all that a column has, says what it is; the first that does not ends the search."""
        return self._are_plain_numbers(cells) or all(self[cell] == cell for cell in cells)

    def _are_plain_numbers(self, cells):
        # Patients' numbers are all different: they are looked at in one go.
        return bool(self.is_plain) and self.is_plain("\0".join([*cells, ""])) is not None

    def of(self, column, odd):
        """The texts of a column; the numbers of odd ones are added to `odd`."""
        if self._are_plain_numbers(column) if self.is_plain else self.themselves.issuperset({*column}):
            return column
        self.met_odd = False
        texts = [*map(self.__getitem__, column)]
        if self.met_odd:
            odd.update(number for number, text in enumerate(texts) if text is ODD)
        return texts

    def _text(self, cell):
        if not cell or cell.isspace():
            return ""
        if ":" in self.target:
            return ODD
        understood = self.understand(self.target, cell)
        if understood.fault is not None or (understood.note is not None and (self.target, cell) not in self.noted):
            return ODD
        text = understood.text
        names_nothing = not text and self.target in NAMING
        return ODD if names_nothing or text.startswith(mapped.REASON) else text


@dataclass(frozen=True)
class Group:
    """The rows that a table makes of one file; of assessments those of one visit (`beside` as `mapping.beside_of`)."""

    file: file_formats.File
    beside: str


def groups(files, besides, *, is_both):
    """The `Group`s of a table with columns of these visits, in the order in which a row speaks of them."""
    for file in files:
        of_visits = file == file_formats.ASSESSMENTS
        if not of_visits or is_both:
            yield Group(file, "")
        yield from (Group(file, beside) for beside in besides if of_visits and beside[0] == mapped.AT)


class Unpivot:
    """Blocks of a table's rows as rows of the registry's files.

    plan        (place, column, target, beside) of the columns that are imported
    cells       column → all its different cells, of those that have few: understood once, not looked at in each row
    given       name of a file to the columns of it that the mapping fills
    understand  what a cell says (`converting`), called with target and cell
    noted       (target, cell) of what was told already
    """

    def __init__(self, plan, cells, groups, given, mapping, understand, noted):
        self.groups, self.given, self.mapping = list(groups), given, mapping
        texts = {
            target: _Texts(target, understand, noted, is_coded=bool(mapping.codes.get(target)))
            for _, _, target, _ in plan
        }
        self.looked_up = []  # (place, target, beside, what its cells say; None where all say what they are)
        for place, column, target, beside in plan:
            is_plain = column in cells and texts[target].are_all_plain(cells[column])
            self.looked_up.append((place, target, beside, None if is_plain else texts[target]))

    def block(self, cells):
        """(numbers of the rows that are odd, for each Group whether a row speaks and its columns) of rows' cells."""
        columns, odd, texts = [*zip(*cells, strict=True)], set(), {}
        for place, target, beside, known in self.looked_up:
            texts[target, beside] = columns[place] if known is None else known.of(columns[place], odd)
        prefix, patients = self.mapping.prefix, texts.get((mapped.PATIENT, ""))
        if prefix and patients:
            texts[mapped.PATIENT, ""] = [prefix + text if text and text is not ODD else text for text in patients]
        return odd, [(group, *self._columns(group, texts, len(cells))) for group in self.groups]

    def _columns(self, group, texts, size):
        fixed = self.mapping.fixed

        def column(name):
            if group.beside and name == mapped.TIMEPOINT:
                return [group.beside[1:]] * size
            beside = "" if name == mapped.PATIENT else group.beside
            return texts.get((name, beside)) or ["" if beside else fixed.get(name, "")] * size

        columns = {name: column(name) for name in self.given[group.file.name]}
        answers = [texts for name, texts in columns.items() if name not in NAMING]
        return _speaking(answers, size), [*columns.values()]


def _speaking(columns, size):
    """Whether each of `size` rows has a text in one of the columns, most of which are of rows that do."""
    speaks, silent = [True] * size, range(size)
    for column in columns:
        if not silent:
            break
        silent = [number for number in silent if not column[number]]
    for number in silent:
        speaks[number] = False
    return speaks
