"""Reading a CSV file strictly: every fault is a sentence with the line that it is on."""

import csv
import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, compress

from registry.instruments.base import Label

LONGEST_LINE = 4_000_000  # characters; a line that never ends is no table
NAMED_COLUMNS = 5  # of a header that is wrong throughout

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPREADSHEET = Label(
    "is a spreadsheet, not a CSV file. Save it as “CSV UTF-8”.",
    "CSVファイルではなく表計算ソフトのファイルです。「CSV UTF-8」形式で保存してください。",
)
UTF_16 = Label(
    "is written in UTF-16. Save it as “CSV UTF-8”.",
    "文字コードがUTF-16です。「CSV UTF-8」形式で保存してください。",
)
BINARY = Label("is not a text file.", "テキストファイルではありません。")
# What a file of another kind begins with.
SIGNATURES = {
    b"PK\x03\x04": SPREADSHEET,
    b"\xd0\xcf\x11\xe0": SPREADSHEET,
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
    b"\x1f\x8b": BINARY,
    b"%PDF": BINARY,
}
EMPTY = Label("is empty: the first line must name the columns.", "空のファイルです。1行目に列名が必要です。")
NOT_UTF_8 = Label(
    "is not written in UTF-8 (Shift-JIS or another encoding?). Save it as “CSV UTF-8”.",
    "文字コードがUTF-8ではありません（Shift-JISなど）。「CSV UTF-8」形式で保存してください。",
)
NUL = Label(
    "contains a NUL character, which no text holds. Remove it, or save the file anew as “CSV UTF-8”.",
    "文字ではないNUL文字が含まれています。取り除くか、「CSV UTF-8」形式で保存し直してください。",
)
TOO_LONG = Label("has a line of more than {n} characters.", "1行が{n}文字を超えています。").format(n=LONGEST_LINE)
QUOTES = Label(
    "has a quotation mark that is not closed or not doubled.", "引用符が閉じられていないか、二重になっていません。"
)
NOT_COMMAS = Label(
    "has one column: cells must be separated by commas.", "列が1つしかありません。セルはカンマで区切ってください。"
)

CELLS = Label("has {n} cells where the header has {m}", "セルが{n}個あります（見出しは{m}列）")
LACKS = Label("lacks {n} of its columns: {names}", "列が足りません（{n}列）：{names}")
UNKNOWN = Label("has {n} unknown columns: {names}", "登録されていない列があります（{n}列）：{names}")
TWICE = Label("names {n} columns twice: {names}", "列名が重複しています（{n}列）：{names}")


class Unreadable(Exception):
    """A file that cannot be read as a table. `row` is the line, or None for the whole file."""

    def __init__(self, reason, row=None):
        super().__init__(str(reason))
        self.reason, self.row = reason, row


@contextmanager
def nothing_collected():
    """While rows are made, Python's garbage collector looks through all that is loaded, again and again, and finds
    nothing: a third of the time of reading. Also a decorator.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class Woven:
    """Rows of a table that are woven of parts: of each row of a source what each part says, one after the other. They
    are in memory by whole columns, and as (line, cells) where somebody goes through them.

    first   line of the first of them
    parts   of each (whether a row of the source speaks, its columns), lists of one length
    """

    first: int
    parts: list

    def __len__(self):
        return sum(sum(speaks) for speaks, _ in self.parts)

    def __iter__(self):
        return zip(self.lines, self.in_turn([zip(*columns, strict=True) for _, columns in self.parts]), strict=True)

    @property
    def lines(self):
        return range(self.first, self.first + len(self))

    def in_turn(self, of_parts):
        """What each part has for every row of the source, in the order of the lines; nothing for those that do not
        speak.
        """
        speaks = zip(*(speaks for speaks, _ in self.parts), strict=True)
        return compress(chain.from_iterable(zip(*of_parts, strict=True)), chain.from_iterable(speaks))


@dataclass
class Rows:
    """A table that is in memory already: the names of its columns, and its rows as lists or tuples of texts.

    blocks  lists of (line, cells), and `Woven` ones
    """

    header: list[str]
    blocks: list = field(default_factory=list)
    last: int = 1  # line

    def __len__(self):
        return self.last - 1

    def add(self, cells):
        """Add a row; returns its line."""
        self.last += 1
        if not self.blocks or isinstance(self.blocks[-1], Woven):
            self.blocks.append([])
        self.blocks[-1].append((self.last, cells))
        return self.last

    def weave(self, parts):
        """Add rows by columns; returns them as `Woven`."""
        woven = Woven(self.last + 1, parts)
        self.last += len(woven)
        self.blocks.append(woven)
        return woven


@contextmanager
def table(path):
    """The rows of the CSV file at `path`, or of `Rows`: an iterator of (line, cells), of `Rows` also of `Woven` ones;
    the header is the first. Blank lines are none.

    Raises Unreadable, at once or while it is read.
    """
    if isinstance(path, Rows):
        yield _in_memory(path)
        return
    _refuse_other_formats(path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield _rows(path, stream)


def _in_memory(rows):
    yield 1, rows.header
    for block in rows.blocks:
        if isinstance(block, Woven):
            yield block
        else:
            yield from block


def _refuse_other_formats(path):
    with path.open("rb") as stream:
        head = stream.read(4096)
    for signature, reason in SIGNATURES.items():
        if head.startswith(signature):
            raise Unreadable(reason)
    if not head.removeprefix(BYTE_ORDER_MARK).strip():
        raise Unreadable(EMPTY)
    if head.count(b"\0") > len(head) // 4:  # every other byte of a Latin text in UTF-16 without a mark
        raise Unreadable(UTF_16)


def _rows(path, stream):
    reader = csv.reader(whole_lines(stream), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except UnicodeDecodeError:
        raise Unreadable(NOT_UTF_8, _first_line_not_utf_8(path)) from None
    except csv.Error:
        raise Unreadable(QUOTES, line) from None


def whole_lines(stream):
    """The lines of a text; Unreadable for one that never ends or holds a NUL."""
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise Unreadable(TOO_LONG, number)
        if "\0" in line:
            raise Unreadable(NUL, number)
        yield line


def blocks(rows, size=1_000):
    """Lists of at most so many rows, and `Woven` ones as they are; those before a fault come before it is raised."""
    block = []
    try:
        for row in rows:
            if isinstance(row, Woven):
                if block:
                    yield block
                yield row
                block = []
                continue
            block.append(row)
            if len(block) == size:
                yield block
                block = []
    except Unreadable:
        if block:
            yield block
        raise
    if block:
        yield block


def _first_line_not_utf_8(path):
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def header_faults(file, header, *, partial=False):
    """What is wrong with the header of `file` (a `file_formats.File`), as labels. `partial`: other columns may lack
    too.
    """
    file = file.with_extras(header)
    known = {*file.columns, *(reason.name for reason in file.reasons)}
    # Where a patient is enrolled need not be said again of one who is stored.
    may_lack = set(file.columns) - set(file.mandatory) | {"site_code"} if partial else {*file.optional, *file.later}
    required = [name for name in file.columns if name not in may_lack]
    if len(header) == 1 and not known.intersection(header):
        return [NOT_COMMAS]
    if file.form and not set(file.columns).difference(file.key).intersection(header):
        required = [name for name in file.columns if name not in file.key]
    faults = []
    for names, fault in (
        ([name for name in required if name not in header], LACKS),
        ([name for name in header if name not in known and not file.passes_over(name)], UNKNOWN),
        (sorted({name for name in known if header.count(name) > 1}), TWICE),
    ):
        if names:
            faults.append(fault.format(n=len(names), names=_some(names)))
    return faults


def _some(names):
    shown = ", ".join(repr(name[:40]) if not name.isidentifier() else name[:40] for name in names[:NAMED_COLUMNS])
    return f"{shown}, …" if len(names) > NAMED_COLUMNS else shown
