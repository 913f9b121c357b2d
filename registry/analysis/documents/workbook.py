"""A result as an Excel workbook: a sheet a table as the journal prints it, then every number at full precision."""

import io
import re

from registry.analysis.disclosure.small_cells import Few
from registry.analysis.documents import eq5d_tables, verification_numbers
from registry.analysis.figures import drawings
from registry.analysis.presentation import narrative
from registry.analysis.presentation.tables import shown, tables
from registry.analysis.presentation.words import Words
from registry.instruments.base import Label

FLOW = Label("Flow", "患者選択")
TABLE = Label("Table {number}", "表{number}")
METHODS = Label("Methods", "方法")
ANSWER = Label("In words", "要約")
SOURCE = Label("Computed from", "計算の由来")
NUMBERS = Label("Numbers", "数値")
SHEETS = {
    "flow": FLOW,
    "eq5d_domains": Label("EQ-5D answers", "EQ-5D回答"),
    "sensitivity": Label("Value sets 1", "換算表1"),
    "sensitivity_between": Label("Value sets 2", "換算表2"),
}
REPORT = Label("EQ-5D {place}", "EQ-5D {place}")
MOST_ROWS = 20_000  # of a report's table
CURVE = "steps/"  # the course of a survival curve: it is in the JSON and in the figure's CSV
LONGEST_CELL = 32_767
WIDEST, NARROWEST = 48, 8  # characters
LONGEST_NAME = 30  # of a sheet, and a letter where two are alike


def to_xlsx(result, language="en", draw=drawings.drawn):
    """The bytes of the workbook. No cell is a formula: a text that looks like one stays text."""
    from openpyxl import Workbook

    result = shown(result)
    words = Words(result, language)
    book = Workbook()
    book.remove(book.active)
    book.properties.title, book.properties.creator = narrative.title(result, language), ""
    mark = narrative.mark(result, language)
    for table in tables(result, language):
        _table(book, _name_of(table, words), table, mark)
    report = eq5d_tables.tables(result, words, MOST_ROWS)
    for place, table in enumerate(report, 1):
        _table(book, words(REPORT, place=place), table, mark)
    _texts(book, words, result, language, mark)
    _numbers(book, words, result, mark)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _name_of(table, words):
    if table.number:
        return words(TABLE, number=table.number)
    return words(SHEETS[table.code]) if table.code in SHEETS else _sheet_name(table.title)


def _sheet_name(title):
    """What a spreadsheet takes as the name of a sheet: a few characters short of 31, none of a path or a reference."""
    return re.sub(r"[\[\]:*?/\\]", " ", title)[:LONGEST_NAME].strip()


def _sheet(book, name, title, mark):
    """A sheet with its title, and the number of the row after it. A name that is taken gets a letter."""
    taken = book.sheetnames
    name = (
        name
        if name not in taken
        else next(f"{name}{letter}" for letter in "bcdefghij" if f"{name}{letter}" not in taken)
    )
    sheet = book.create_sheet(name)
    lines = [title, mark] if mark else [title]
    for row, text in enumerate(lines, 1):
        _write(sheet, row, 1, text, bold=True)
    return sheet, len(lines) + 2


def _write(sheet, row, column, value, **looks):
    """A number as a number, a text as text, whatever it looks like."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Alignment, Border, Font, Side

    cell = sheet.cell(row, column)
    if isinstance(value, Few):
        value = str(value)
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)[:LONGEST_CELL]
        cell.data_type, cell.quotePrefix = "s", value[:1] in {"=", "+", "-", "@"}
    else:
        cell.value = value
    rule = Side(style="thin")
    if looks.get("bold"):
        cell.font = Font(bold=True)
    if {"right", "indent", "wrap", "centre"} & looks.keys():
        side = "right" if looks.get("right") else "center" if looks.get("centre") else "left"
        vertical = "top" if looks.get("wrap") else None
        cell.alignment = Alignment(side, vertical, indent=looks.get("indent", 0), wrap_text=looks.get("wrap", False))
    if "top" in looks or "bottom" in looks:
        cell.border = Border(top=rule if looks.get("top") else None, bottom=rule if looks.get("bottom") else None)
    return cell


def _table(book, name, table, mark):
    """Between three rules; the cells are texts as printed, the numbers behind them are on the last sheet."""
    from openpyxl.utils import get_column_letter

    sheet, row = _sheet(book, name, table.title, mark)
    top = row
    if table.spans:
        column = 1
        for text, width in table.spans:
            for place in range(column, column + width):
                _write(sheet, row, place, text if place == column else "", bold=True, centre=True, top=True)
            if width > 1:
                sheet.merge_cells(start_row=row, end_row=row, start_column=column, end_column=column + width - 1)
            column += width
        row += 1
    left = (1, len(table.header)) if table.code == "flow" else (1,)  # columns of words
    for column, text in enumerate(table.header, 1):
        _write(sheet, row, column, text, bold=True, right=column not in left, top=row == top, bottom=True)
    sheet.freeze_panes = sheet.cell(row + 1, 2)
    for place, line in enumerate(table.rows):
        row += 1
        last = place == len(table.rows) - 1
        for column, text in enumerate((line.label, *line.cells), 1):
            _write(
                sheet, row, column, text, right=column not in left, indent=int(line.indent and column == 1), bottom=last
            )
    for column in range(1, len(table.header) + 1):
        texts = [table.header[column - 1], *((line.label, *line.cells)[column - 1] for line in table.rows)]
        widest = max(sum(2 if ord(letter) > 0x2E80 else 1 for letter in text) for text in texts)
        sheet.column_dimensions[get_column_letter(column)].width = min(WIDEST, max(NARROWEST, widest + 2))
    for note in table.notes:
        row += 1
        _write(sheet, row + 1, 1, note)
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _texts(book, words, result, language, mark):
    sheet, row = _sheet(book, words(METHODS), narrative.title(result, language), mark)
    sheet.column_dimensions["A"].width = 110
    parts = (
        (ANSWER, narrative.answer(result, language)),
        (METHODS, [narrative.methods(result, language)]),
        (SOURCE, [narrative.source(result, language)]),
    )
    for heading, paragraphs in parts:
        _write(sheet, row, 1, words(heading), bold=True)
        for text in paragraphs:
            row += 1
            _write(sheet, row, 1, text, wrap=True)
        row += 2


def _numbers(book, words, result, mark):
    """A line a number, at full precision and as a number: the same lines as R is asked for."""
    sheet, row = _sheet(book, words(NUMBERS), words(NUMBERS), mark)
    for column, name in enumerate(verification_numbers.COLUMNS, 1):
        _write(sheet, row, column, name, bold=True, bottom=True)
    sheet.freeze_panes = sheet.cell(row + 1, 1)
    for line in verification_numbers.lines(result.to_json()):
        if not line["statistic"].startswith(CURVE):
            row += 1
            for column, name in enumerate(verification_numbers.COLUMNS, 1):
                if line[name] not in ("", None):
                    _write(sheet, row, column, line[name])
