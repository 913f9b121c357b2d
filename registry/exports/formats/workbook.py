"""One Excel workbook: a sheet for each dataset and the codebook, written row by row."""

import csv
import io
from datetime import date

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

from registry.exports import codebook
from registry.exports.data import copy_rows
from registry.exports.data.selecting import ExportFailed
from registry.exports.formats import files
from registry.instruments.base import Label

EVERY = 2000  # rows between two signs of progress


def xlsx(archive, part):
    """The file `metaspine.xlsx` of the archive."""
    tables = [(dataset.name, sql, written) for dataset, written, sql in part.tables]
    described = codebook.rows([(dataset, written) for dataset, written, _ in part.tables], part.choices)
    about = [("metaspine", part.note), *part.about]
    with files.temporary("xlsx") as path:
        counts = write_workbook(
            path, tables, [codebook.HEADER, *described], about, part.tick, part.choices.kind.most_rows
        )
        archive.add_file(f"{part.folder}metaspine.xlsx", path, table="all", rows=counts)
    return counts


def write_workbook(path, tables, described, about, tick, most):
    """Write the file; returns name of dataset to number of rows.

    tables    (name, SQL, Outputs) of each dataset
    described the codebook as rows of text, the header first; `about` likewise
    ExportFailed where a dataset has more than `most` rows, which is what Excel can hold.
    """
    book, counts = Workbook(write_only=True), {}
    for name, sql, written in tables:
        counts[name] = _sheet(book.create_sheet(name[:31]), name, sql, written, tick, most)
    for name, lines in (("codebook", described), ("about", about)):
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append([_cell(sheet, text) for text in line])
    book.save(path)
    return counts


def _sheet(sheet, name, sql, written, tick, most):
    sheet.freeze_panes = "B2"
    for place, variable in enumerate(written, 1):
        sheet.column_dimensions[get_column_letter(place)].width = _width(variable)
    sheet.append([variable.name for variable in written])
    readers, count = [_reader(variable) for variable in written], 0
    for block in copy_rows.csv_blocks(sql):
        for row in csv.reader(io.StringIO(block.decode(), newline="")):
            sheet.append([_read(sheet, read, text) for read, text in zip(readers, row, strict=True)])
            count += 1
            if count > most:
                raise ExportFailed(
                    Label(
                        "{name} has more than {most} rows, the most that Excel holds: choose CSV or Parquet",
                        "{name}はExcelの上限（{most}行）を超えます。CSVまたはParquetを選んでください。",
                    ).format(name=name, most=f"{most:,}")
                )
            if count % EVERY == 0:
                tick(count)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(written))}{count + 1}"
    return count


def _width(variable):
    """Characters that show the name of a column and most of its values."""
    labels = [len(choice.label.en) for choice in variable.choices]
    return min(40, max(len(variable.name) + 4, 12 if variable.kind == "date" else 0, *labels[:20], 8))


def _reader(variable):
    return {"integer": int, "number": float, "date": date.fromisoformat}.get(variable.kind)


def _read(sheet, read, text):
    if text == "":
        return None
    if read is None or text.startswith("."):  # a tag such as .a stands where a number would
        return _cell(sheet, text)
    return read(text)


def _cell(sheet, text):
    """A cell of text, whatever it begins with: never a formula."""
    cell = WriteOnlyCell(sheet, value=text)
    if cell.data_type == "f":
        cell.data_type = "s"
    return cell
