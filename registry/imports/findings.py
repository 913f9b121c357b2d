"""Findings of an import as a workbook: a list, and the rows that they speak of with the cells marked.

It holds what was typed, unlike the list in CSV: it is for whoever uploaded the files, while they are kept.
"""

import csv
import io

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill

from registry.imports import jobs
from registry.imports.files.excel import cells as typed
from registry.instruments.base import Label

COLUMNS = (
    Label("Kind", "種類"),
    Label("File", "ファイル"),
    Label("Row", "行"),
    Label("Column", "列"),
    Label("Finding", "内容"),
)
KINDS = {"errors": Label("error", "エラー"), "warnings": Label("warning", "警告")}
FILLS = {"errors": PatternFill("solid", fgColor="F8D7DA"), "warnings": PatternFill("solid", fgColor="FFF3CD")}
LIST, ROW = Label("Findings", "所見"), Label("row", "行")
BOLD = Font(bold=True)


def workbook(job, language="en"):
    """The bytes of the workbook of an import whose files are kept."""
    report = jobs.report_of(job)
    book = Workbook(write_only=True)
    _list(book.create_sheet(LIST.in_language(language)), report, language)
    marks = {}  # (file, row) → {column: (kind, reason)}
    for kind in reversed(KINDS):  # an error hides the warning about the same cell
        for finding in report[kind].listed:
            if finding.row:
                cells = marks.setdefault((finding.file, finding.row), {})
                cells |= dict.fromkeys(finding.column.split(", "), (kind, finding.reason.in_language(language)))
    with jobs.tables_of(job) as (tables, _faults, _notes):
        for number, table in enumerate(tables, 1):
            _rows(book.create_sheet(f"{number} {table.name}"[:31].translate(_NOT_IN_A_NAME)), table, marks, language)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_NOT_IN_A_NAME = str.maketrans(dict.fromkeys("[]:*?/\\", " "))


def _list(sheet, report, language):
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCDE", (10, 24, 8, 24, 80), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.append([_cell(sheet, label.in_language(language), bold=True) for label in COLUMNS])
    for kind, label in KINDS.items():
        for finding in report[kind].listed:
            reason = finding.reason.in_language(language)
            cells = [label.in_language(language), finding.file, finding.row or "", finding.column, reason]
            sheet.append([_cell(sheet, value) for value in cells])


def _rows(sheet, table, marks, language):
    """The rows of a table that something is said about, each with its number in the file."""
    sheet.freeze_panes = "B2"
    names = table.layout.names
    sheet.append([_cell(sheet, name, bold=True) for name in (ROW.in_language(language), *names)])
    with table.path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        line = reader.line_num + 1
        for cells in reader:
            row = table.row_of(line)
            line = reader.line_num + 1
            if (marked := marks.get((table.name, row))) is None:
                continue
            sheet.append([_cell(sheet, row)] + [
                _marked(sheet, typed.shown(cell), marked.get(name)) for name, cell in zip(names, cells, strict=False)
            ])  # fmt: skip


def _marked(sheet, text, mark):
    cell = _cell(sheet, text)
    if mark is not None:
        kind, reason = mark
        cell.fill, cell.comment = FILLS[kind], Comment(reason, "Metaspine", width=320, height=120)
    return cell


def _cell(sheet, value, *, bold=False):
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value) if isinstance(value, str) else value)
    if isinstance(value, str):
        cell.data_type = "s"  # a text that begins with = is no formula
    if bold:
        cell.font = BOLD
    return cell
