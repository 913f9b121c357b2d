"""From a file as somebody saved it to the one shape that `reading` knows: UTF-8, commas, one header.

What cannot be known from the file (its encoding where it is not UTF-8, its separator, which of several sheets) is found
as candidates and asked, never guessed: `inspect` lists them, a `Way` is the answer, `tabulate` writes the CSV file.
"""

import codecs
import csv
import re
import zipfile
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time
from io import BytesIO
from itertools import islice

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from registry.imports.files import reading
from registry.imports.files.reading import Unreadable
from registry.imports.report import Finding
from registry.instruments.base import Label

LARGEST_XLSX = 400_000_000  # bytes once unpacked
MOST_COLUMNS = 2_000
MOST_ROWS = 1_048_576
PREVIEW = 4

SHEET_SIGNATURE = b"PK\x03\x04"
OLD_SHEET = b"\xd0\xcf\x11\xe0"
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "cp932": "Shift-JIS (Windows-31J)",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP (JIS)",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252 (Western European)",
}
MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
DELIMITERS = {",": Label("comma", "カンマ"), ";": Label("semicolon", "セミコロン"), "\t": Label("tab", "タブ")}
DELIMITERS["|"] = Label("vertical bar", "縦線")

OLD_FORMAT = Label(
    "is an old Excel file (.xls) or a protected one. Save it as .xlsx without a password.",
    "古い形式（.xls）またはパスワード付きのExcelファイルです。パスワードなしの.xlsxで保存してください。",
)
NO_WORKBOOK = Label("cannot be opened as an Excel workbook.", "Excelブックとして開けません。")
TOO_LARGE = Label(
    "unpacks to more than {n} MB. Save the sheet as CSV.",
    "展開すると{n}MBを超えます。シートをCSVで保存してください。",
).format(n=LARGEST_XLSX // 1_000_000)
TOO_WIDE = Label("has more than {n} columns.", "列が{n}を超えています。").format(n=MOST_COLUMNS)
UNKNOWN_ENCODING = Label(
    "is written in no encoding known here. Save it as “CSV UTF-8”.",
    "文字コードを判別できません。「CSV UTF-8」形式で保存してください。",
)
UNDECODABLE = Label("cannot be read as {v}.", "{v}として読み取れません。")
NO_SHEET = Label("has no sheet “{v}”.", "シート「{v}」がありません。")
EMPTY_SHEET = Label("The sheet is empty.", "シートが空です。")
MERGED = Label(
    "These cells are merged: only the first holds the value. Unmerge them and fill each cell.",
    "セルが結合されています。値は先頭のセルにしかありません。結合を解除し、各セルに入力してください。",
)
FORMULA = Label(
    "is a formula. Replace it by its value, or choose to take the values that Excel saved.",
    "数式です。値に置き換えるか、Excelが保存した値を使うよう選んでください。",
)
NEVER_COMPUTED = Label(
    "is a formula without a saved value. Open the file in Excel and save it.",
    "保存された値のない数式です。Excelで開いて保存し直してください。",
)
CELL_ERROR = Label("is an error of Excel.", "Excelのエラー値です。")


@dataclass(frozen=True)
class Way:
    """How one file is read. None: nobody has said so yet, and `Inspection.open_questions` asks."""

    encoding: str | None = None
    delimiter: str | None = None
    sheets: tuple[str, ...] | None = None
    formulas: bool = False  # take the values that Excel saved

    def to_json(self):
        return asdict(self)

    @classmethod
    def from_json(cls, data):
        sheets = data.get("sheets")
        return cls(**{**data, "sheets": None if sheets is None else tuple(sheets)})


@dataclass(frozen=True)
class Sheet:
    name: str
    hidden: bool = False
    formulas: bool = False
    merged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What a file is. `sheets` only of a workbook; candidates only where there is more than one."""

    workbook: bool = False
    encodings: tuple[str, ...] = ("utf-8-sig",)
    delimiters: tuple[str, ...] = (",",)
    sheets: tuple[Sheet, ...] = ()
    previews: dict = field(default_factory=dict)  # of an encoding: the first lines as it reads them

    @property
    def certain(self):
        """The way that needs no question, or as much of it as is certain."""
        if not self.workbook:
            return Way(
                encoding=self.encodings[0] if self.encodings == ("utf-8-sig",) else None,
                delimiter=self.delimiters[0] if self.delimiters == (",",) else None,
            )
        alone = self.sheets[0].name if len(self.sheets) == 1 and not self.sheets[0].hidden else None
        return Way(sheets=(alone,) if alone else None)

    def open_questions(self, way):
        """Names of what must still be said: encoding, delimiter, sheets, formulas."""
        if self.workbook:
            return [] if way.sheets else ["sheets"]
        return [name for name in ("encoding", "delimiter") if getattr(way, name) is None]


def inspect(path):
    """The `Inspection` of the file at `path`. Raises Unreadable for what is no table at all."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(SHEET_SIGNATURE):
        return Inspection(workbook=True, sheets=tuple(_sheets(path)))
    if head.startswith(OLD_SHEET):
        raise Unreadable(OLD_FORMAT)
    if head.startswith((b"%PDF", b"\x1f\x8b")):
        raise Unreadable(reading.BINARY)
    return _inspect_text(path)


# Text


def _inspect_text(path):
    content = path.read_bytes()
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise Unreadable(reading.EMPTY)
    encodings = tuple(_encodings(content))
    if not encodings:
        raise Unreadable(reading.NUL if b"\0" in content else UNKNOWN_ENCODING)
    heads = {one: _head(content, one) for one in encodings}
    first = heads[encodings[0]][0] if heads[encodings[0]] else ""
    return Inspection(encodings=encodings, delimiters=_delimiters(first), previews=heads)


def _encodings(content):
    """Encodings in which the whole content can be read, most likely first; UTF-8 is recognised for certain."""
    for mark, name in MARKS:
        if content.startswith(mark):
            if _reads(content, name):
                yield name
            return
    if b"\0" in content:
        return
    if _reads(content, "utf-8-sig"):
        # ISO-2022-JP is plain ASCII with escape sequences, so UTF-8 reads it too, as nonsense.
        yield from (["iso2022_jp"] if b"\x1b$" in content and _reads(content, "iso2022_jp") else ["utf-8-sig"])
        return
    yield from (one for one in ("cp932", "euc_jp", "cp1252") if _reads(content, one))


def _reads(content, encoding):
    try:
        content.decode(encoding)
    except (UnicodeDecodeError, UnicodeError):
        return False
    return True


def _head(content, encoding):
    return [line[:300] for line in content.decode(encoding).splitlines()[:PREVIEW]]


def _delimiters(header):
    """Separators that split the header, most columns first; a comma alone where it does, or where nothing does."""
    counts = {one: header.count(one) for one in DELIMITERS if one in header}
    others = [one for one in counts if counts[one] >= counts.get(",", 0)]
    if not others or others == [","]:
        return (",",)
    return tuple(sorted(counts, key=lambda one: -counts[one]))


# Workbooks


def _workbook(path, *, values):
    try:
        # As a stream: by its path openpyxl asks for an ending.
        return load_workbook(BytesIO(path.read_bytes()), read_only=True, data_only=values, keep_links=False)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, SyntaxError) as error:
        raise Unreadable(NO_WORKBOOK) from error


def _refuse_bombs(path):
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except zipfile.BadZipFile as error:
        raise Unreadable(NO_WORKBOOK) from error
    if size > LARGEST_XLSX:
        raise Unreadable(TOO_LARGE)


_MERGED = re.compile(rb'<mergeCell [^>]*ref="([A-Z0-9:]+)"')
_FORMULA = re.compile(rb"<f[ >/]")


def _sheets(path):
    _refuse_bombs(path)
    book = _workbook(path, values=False)
    try:
        for sheet in book.worksheets:
            formulas, merged = _marks_in_xml(book, sheet)
            yield Sheet(sheet.title, sheet.sheet_state != "visible", formulas, merged)
    finally:
        book.close()


def _marks_in_xml(book, sheet):
    """Whether a sheet has formulas, and its merged ranges: the read-only mode of openpyxl does not tell."""
    formulas, merged, rest = False, [], b""
    with book._archive.open(sheet._worksheet_path) as stream:
        while block := stream.read(1 << 20):
            text = rest + block
            formulas = formulas or bool(_FORMULA.search(text))
            merged += [one.decode() for one in _MERGED.findall(text)]
            cut = text.rfind(b"<")
            rest = text[cut:] if len(text) - cut < 500 else b""
    return formulas, tuple(dict.fromkeys(merged))


# One shape


@dataclass
class Table:
    """A table written as CSV at `path`; `rows` maps a line there to the row of the source where they differ."""

    path: object
    name: str  # of the file as uploaded, with the sheet
    rows: dict = field(default_factory=dict)
    merged: tuple[str, ...] = ()

    def row_of(self, line):
        return self.rows.get(line, line)

    def header(self):
        """Names of the columns; raises Unreadable."""
        with reading.table(self.path) as rows:
            return [name.strip() for name in next(rows, (1, []))[1]]


def tabulate(path, way, name, folder, stem, errors):
    """Write the tables of the file at `path`, read as `way` says, into `folder`; returns a list of `Table`.

    name   what people call the file; stem  begins the new files' names
    Faults of cells that only a workbook has go to `errors` (Findings). Raises Unreadable.
    """
    if way.sheets is None:
        return [_tabulate_text(path, way, name, folder / f"{stem}.csv")]
    tables = []
    for number, sheet in enumerate(way.sheets):
        title = f"{name} [{sheet}]" if len(way.sheets) > 1 else name
        tables.append(_tabulate_sheet(path, way, sheet, title, folder / f"{stem}-{number}.csv", errors))
    return tables


def _tabulate_text(path, way, name, target):
    if way.encoding == "utf-8-sig" and way.delimiter == ",":
        target.hardlink_to(path)
        return Table(target, name)
    try:
        with path.open(encoding=way.encoding, newline="") as stream, target.open("w", newline="") as out:
            _write_commas(stream, way.delimiter, out)
    except UnicodeError:
        raise Unreadable(UNDECODABLE.format(v=ENCODINGS.get(way.encoding, way.encoding))) from None
    return Table(target, name)


def _write_commas(stream, delimiter, out):
    reader, writer = csv.reader(reading.whole_lines(stream), delimiter=delimiter, strict=True), csv.writer(out)
    line = 1
    try:
        for cells in reader:
            # A cell with line breaks keeps them, and an empty line stays one: so lines keep their numbers.
            if cells:
                writer.writerow(cells)
            else:
                out.write("\r\n")
            line = reader.line_num + 1
    except csv.Error:
        raise Unreadable(reading.QUOTES, line) from None


def _tabulate_sheet(path, way, title, name, target, errors):
    _refuse_bombs(path)
    values, formulas = _workbook(path, values=True), _workbook(path, values=False)
    try:
        if title not in values.sheetnames:
            raise Unreadable(NO_SHEET.format(v=title))
        table = Table(target, name, merged=_marks_in_xml(values, values[title])[1])
        for place in table.merged:
            errors.add(Finding(name, int(re.search(r"\d+", place)[0]), "", place, MERGED))
        with target.open("w", newline="") as out:
            _write_sheet(values[title], formulas[title], way, table, csv.writer(out), errors)
    finally:
        values.close()
        formulas.close()
    return table


def _write_sheet(values, formulas, way, table, writer, errors):
    header, line = None, 1
    pairs = zip(values.iter_rows(), formulas.iter_rows(), strict=False)
    for number, (row, written) in enumerate(islice(pairs, MOST_ROWS), 1):
        faults = []
        cells = [_cell(one, other, way, faults) for one, other in zip(row, written, strict=False)]
        while cells and cells[-1] == "":
            cells.pop()
        if not cells:
            continue
        if header is None:
            header = cells
            if len(header) > MOST_COLUMNS:
                raise Unreadable(TOO_WIDE)
        cells += [""] * (len(header) - len(cells))
        for position, value, reason in faults:
            column = header[position] if position < len(header) else ""
            errors.add(Finding(table.name, number, column, value[:80], reason))
        if line != number:
            table.rows[line] = number
        writer.writerow(cells)
        line += 1 + sum(cell.count("\n") for cell in cells)
    if header is None:
        raise Unreadable(EMPTY_SHEET)


def _cell(value, written, way, faults):
    """The text of a cell; what is wrong with it goes to `faults` as (position, value, reason)."""
    found, position = value.value, (getattr(value, "column", None) or 1) - 1
    if getattr(written, "data_type", "") == "f":
        if not way.formulas:
            faults.append((position, str(written.value), FORMULA))
            return ""
        if found is None:
            faults.append((position, str(written.value), NEVER_COMPUTED))
            return ""
    if getattr(value, "data_type", "") == "e":
        faults.append((position, str(found), CELL_ERROR))
        return ""
    return text_of(found)


def text_of(value):
    """A value of a workbook as the registry's files write it: dates ISO 8601, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def answered(inspection, way, answers):
    """The way with the answers that are among the candidates; others count as not given."""
    if inspection.workbook:
        names = [sheet.name for sheet in inspection.sheets]
        chosen = tuple(name for name in names if name in answers.get("sheets", ()))
        return replace(way, sheets=chosen or None, formulas=bool(answers.get("formulas")))
    encoding, delimiter = answers.get("encoding"), answers.get("delimiter")
    return replace(
        way,
        encoding=encoding if encoding in inspection.encodings else way.encoding,
        delimiter=delimiter if delimiter in inspection.delimiters else way.delimiter,
    )
