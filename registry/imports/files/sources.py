"""From a file as somebody saved it to tables: in which encoding, separated by what, which of several sheets.

What cannot be known from the file is found as candidates and asked, never guessed: `inspect_text` and
`inspect_sheets` list them, a
`Way` is the answer, `shape_text` and `shape_sheet` write the table (`shaping`).
"""

import codecs
import csv
import re
import zlib
from dataclasses import asdict, dataclass, field, replace

from registry.imports.files import mapping, odm, reading, shaping
from registry.imports.files.excel import cells as typed
from registry.imports.files.excel import isolated
from registry.imports.files.excel.workbook import Sheet, column_letters
from registry.imports.files.reading import Unreadable
from registry.imports.report import Finding
from registry.instruments.base import Label

PREVIEW = 4
EVERY = "*"
HEAD = 4_096  # bytes by which a file's kind is known
HEADER_LINES = 15  # of a text, in which its separator is looked for

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
WEB_PAGE = Label(
    "is a web page, as some systems save tables under the name .xls. Open it in Excel and save it as .xlsx.",
    "ウェブページ（HTML）です。拡張子が.xlsでもExcel形式ではありません。Excelで開き、.xlsx形式で保存してください。",
)
XML_2003 = Label(
    "is an XML spreadsheet of Excel 2003. Open it in Excel and save it as .xlsx.",
    "Excel 2003のXMLスプレッドシートです。Excelで開き、.xlsx形式で保存してください。",
)
OTHER_PROGRAM = Label(
    "is a file of {v}, which is not read. Write it as CSV (UTF-8) or .xlsx.",
    "{v}のファイルで、読み取れません。CSV（UTF-8）または.xlsxで書き出してください。",
)
# What files of other programs begin with. `ID;Patient` alone is no SYLK: it names the columns of a text.
_OF_R = rb"RD[AX][23]\n|X\n\x00"
PROGRAMS = {
    rb"\$FL2": "SPSS (.sav)",
    rb"\$FL3": "SPSS (.zsav)",
    rb"<stata_dta>": "Stata (.dta)",
    rb"PAR1\x15": "Parquet",
    rb"ARROW1\x00": "Arrow",
    _OF_R: "R",
    rb"SQLite format 3\x00": "SQLite",
    rb"HEADER RECORD\*{7}": "SAS (.xpt)",
    rb"\x00{12}\xc2\xea\x81\x60": "SAS (.sas7bdat)",
    rb"\x00\x01\x00\x00Standard ": "Access",
    rb"ID;P[^\r\n]*\r?\n(?:[BCFOP]|N[ENU]);": "SYLK (.slk)",
    rb"TABLE\r\n0,1\r\n": "Data Interchange Format (.dif)",
    rb"\{\\rtf": "RTF",
}
PACKED = Label(
    "is compressed (.gz). Unpack it, and upload the file in it.",
    "圧縮ファイル（.gz）です。展開してから、中のファイルをアップロードしてください。",
)
UNKNOWN_ENCODING = Label(
    "is written in no encoding known here. Save it as “CSV UTF-8”.",
    "文字コードを判別できません。「CSV UTF-8」形式で保存してください。",
)
UNDECODABLE = Label("cannot be read as {v}.", "{v}として読み取れません。")
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
HIDDEN_ROW = Label("is hidden in the sheet, and comes in", "シートで非表示の行ですが、取り込みます")
LOOKS = {
    "struck": Label("is struck out in the sheet, and comes in", "シートで取り消し線が引かれていますが、取り込みます"),
    "partly": Label(
        "is struck out in part; the whole text comes in", "一部に取り消し線が引かれていますが、全体を取り込みます"
    ),
    "unseen": Label(
        "cannot be seen in the sheet (its colour or format hides it), and comes in",
        "文字色または書式のためシートでは見えませんが、取り込みます",
    ),
    "otherwise": Label(
        "is what the sheet shows of a text by its format; the text itself comes in",
        "書式によるシートの表示です。セルの文字列そのものを取り込みます。",
    ),
    "zero": Label(
        "is 0 where the sheet shows nothing (zeros are hidden), and comes in as 0",
        "シートではゼロを表示しない設定ですが、0として取り込みます",
    ),
}
MORE_LOOKS = Label(
    "{n} more rows with values that are struck out or not seen in the sheet, and come in",
    "ほかに{n}行に、取り消し線の付いた値または見えない値があり、取り込みます",
)
HIDDEN_COLUMN = Label("Column {v} is hidden in the sheet, and comes in", "{v}列はシートで非表示ですが、取り込みます")
HIDDEN_SHEET = Label("The sheet is hidden in the workbook, and comes in", "非表示のシートですが、取り込みます")
OTHER_SHEET = Label("The sheet “{v}” ({n} rows) is not imported", "シート「{v}」（{n}行）は取り込みません")
TOO_WIDE = Label(
    "has more than {n} columns. Leave out those that are not to be imported.",
    "列が{n}を超えています。取り込まない列を除いてください。",
).format(n=f"{shaping.MOST_COLUMNS:,}")
STRANGE = Label("contains the character U+{v}, which no text holds.", "文字として使えないU+{v}が含まれています。")
MORE_MERGED = Label("{n} more merged ranges", "ほかに{n}か所の結合セル")


@dataclass(frozen=True)
class Way:
    """How one file is read. None: nobody has said so yet, and `Inspection.open_questions` asks.

    headers  number of the sheet (of a text 0), as text, or EVERY → the rows that name the columns, where somebody has
             said so
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheets: tuple[str, ...] | None = None
    formulas: bool = False  # take the values that Excel saved
    headers: dict = field(default_factory=dict)

    def to_json(self):
        return asdict(self)

    @classmethod
    def from_json(cls, data):
        sheets = data.get("sheets")
        return cls(**{**data, "sheets": None if sheets is None else tuple(sheets)})

    def header_of(self, number):
        """The rows that name the columns of a sheet, where somebody has said so."""
        return self.headers.get(str(number)) or self.headers.get(EVERY)

    @property
    def tables(self):
        """What the shape of the tables hangs on, for comparison."""
        return [self.encoding, self.delimiter, self.headers]


@dataclass(frozen=True)
class Inspection:
    """What a file is. `sheets` only of a workbook; candidates only where there is more than one."""

    workbook: bool = False
    encodings: tuple[str, ...] = ("utf-8-sig",)
    delimiters: tuple[str, ...] = (",",)
    sheets: tuple[Sheet, ...] = ()  # all of them
    separator: str = ""  # that the text names itself, in a first line `sep=;`

    @property
    def filled(self):
        """(number, sheet) of the sheets that have a value."""
        return [(number, sheet) for number, sheet in enumerate(self.sheets) if sheet.rows]

    @property
    def certain(self):
        """The way that needs no question, or as much of it as is certain."""
        if not self.workbook:
            return Way(
                encoding=self.encodings[0] if self.encodings == ("utf-8-sig",) else None,
                delimiter=self.separator or (self.delimiters[0] if self.delimiters == (",",) else None),
            )
        alone = self.filled[0][1].name if len(self.filled) == 1 and not self.filled[0][1].hidden else None
        return Way(sheets=(alone,) if alone else None)

    def open_questions(self, way):
        """Names of what must still be said: encoding, delimiter, sheets."""
        if self.workbook:
            return [] if way.sheets else ["sheets"]
        return [name for name in ("encoding", "delimiter") if getattr(way, name) is None]

    def chosen(self, way):
        """(number, sheet) of the sheets that are imported; of a text (0, None)."""
        return (
            [(number, sheet) for number, sheet in self.filled if sheet.name in (way.sheets or ())]
            if self.workbook
            else [(0, None)]
        )


_HTML = re.compile(rb"\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|meta|body|table)\b", re.IGNORECASE | re.DOTALL)


def kind_of(head):
    """The kind of a file by its first bytes: "workbook" (a file of sheets: Excel's, or ODM) or "text". Raises
    Unreadable for what is no table at all.
    """
    start = head.removeprefix(codecs.BOM_UTF8)
    if _HTML.match(start):
        raise Unreadable(WEB_PAGE)
    for signature, program in PROGRAMS.items():
        if re.match(signature, start):
            raise Unreadable(OTHER_PROGRAM.format(v=program))
    if b"urn:oasis:names:tc:opendocument" in start and odm.is_xml(start):
        raise Unreadable(isolated.reason("opendocument"))
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head or b'progid="Excel.Sheet"' in head:
        raise Unreadable(XML_2003)
    if head.startswith(SHEET_SIGNATURE) or odm.is_xml(head):
        return "workbook"
    if head.startswith(OLD_SHEET):
        raise Unreadable(OLD_FORMAT)
    if head.startswith(b"\x1f\x8b"):
        raise Unreadable(_packed(head))
    if head.startswith(b"%PDF"):
        raise Unreadable(reading.BINARY)
    return "text"


def _packed(head):
    """Why a compressed file is refused: R packs its own files, others hold a file to be unpacked."""
    try:
        inside = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 16)
    except zlib.error:
        return PACKED
    return OTHER_PROGRAM.format(v=PROGRAMS[_OF_R]) if re.match(_OF_R, inside) else PACKED


def read_sheets(path, folder):
    """The `Sheet`s of the workbook or ODM file at `path`, their rows as `sheet-<n>.csv` in `folder`. Raises
    Unreadable.
    """
    with path.open("rb") as stream:
        if odm.is_xml(stream.read(8)):
            return [odm.read(path, folder, mapping.knower())]
    return isolated.read_workbook(path, folder)


def inspect_sheets(sheets):
    """The `Inspection` of a workbook with these `Sheet`s. Raises Unreadable where none has a value."""
    if not any(sheet.rows for sheet in sheets):
        raise Unreadable(EMPTY_SHEET)
    return Inspection(workbook=True, sheets=tuple(sheets))


# Text


def inspect_text(path):
    """The `Inspection` of the text file at `path`. Raises Unreadable."""
    content = path.read_bytes()
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise Unreadable(reading.EMPTY)
    encodings = tuple(_encodings(content))
    if not encodings:
        nul = content.find(b"\0")
        row = None if nul < 0 else len(re.findall(rb"\r\n|\r|\n", content[:nul])) + 1
        raise Unreadable(UNKNOWN_ENCODING if row is None else reading.NUL, row)
    lines = _head(content, encodings[0])
    own = _SEPARATOR.fullmatch(lines[0]) if lines else None
    return Inspection(encodings=encodings, delimiters=_delimiters(lines), separator=own[1] if own else "")


_AS_TEXT = re.compile(r'^="([^"]*)"$')
_SEPARATOR = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?", re.IGNORECASE)


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
    yield from (encoding for encoding in ("cp932", "euc_jp", "cp1252") if _reads(content, encoding))


def _reads(content, encoding):
    try:
        content.decode(encoding)
    except (UnicodeDecodeError, UnicodeError):
        return False
    return True


def _head(content, encoding):
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(content[:200_000])
    return [line[:20_000] for line in text.splitlines()[:HEADER_LINES]]


def _delimiters(lines):
    """Separators that split the header, most columns first; a comma alone where it does, or where nothing does."""
    counts = {delimiter: max((line.count(delimiter) for line in lines), default=0) for delimiter in DELIMITERS}
    counts = {delimiter: count for delimiter, count in counts.items() if count}
    others = [delimiter for delimiter in counts if counts[delimiter] >= counts.get(",", 0)]
    if not others or others == [","]:
        return (",",)
    return tuple(sorted(counts, key=lambda delimiter: -counts[delimiter]))


# Tables


@dataclass
class Table:
    """A table written as CSV at `path`, as its `layout` says, of a sheet or of a text (`sheet` is None)."""

    path: object
    name: str  # of the file as uploaded, with the sheet
    layout: shaping.Layout
    sheet: Sheet | None = None

    def row_of(self, line):
        return self.layout.row_of(line)


def shape_text(path, way, target):
    """The `Layout` of the text at `path`, whose table is written to `target`. Raises Unreadable."""
    try:
        return _shaped(lambda: _text_rows(path, way), target, way.header_of(0), ragged=False)
    except UnicodeError:
        raise Unreadable(UNDECODABLE.format(v=ENCODINGS.get(way.encoding, way.encoding))) from None


def shape_sheet(path, way, number, target):
    """The `Layout` of a sheet that `workbook` wrote to `path`, whose table is written to `target`. Raises
    Unreadable.
    """
    return _shaped(lambda: _sheet_rows(path), target, way.header_of(number), ragged=True)


def _shaped(open_rows, target, header, ragged):
    layout = shaping.shape(
        open_rows, target, knows=mapping.knower(), visit_of=mapping.visit_reader(), header=header, ragged=ragged
    )
    if not layout.names:
        raise Unreadable(reading.EMPTY)
    if len(layout.names) > shaping.MOST_COLUMNS:
        raise Unreadable(TOO_WIDE)
    return layout


def _text_rows(path, way):
    with path.open(encoding=way.encoding, newline="") as stream:
        reader = csv.reader(_without_marks(reading.whole_lines(stream)), delimiter=way.delimiter, strict=True)
        line = 1
        try:
            for cells in reader:
                if '="' in "".join(cells):  # as spreadsheets keep texts as they are: ="0012"
                    cells = [_AS_TEXT.sub(r"\1", cell) for cell in cells]
                if cells and not (line == 1 and _SEPARATOR.fullmatch(way.delimiter.join(cells))):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error:
            raise Unreadable(reading.QUOTES, line) from None


def _without_marks(lines):
    for number, line in enumerate(lines, 1):
        if typed.MARK in line or typed.SHOWN in line:
            raise Unreadable(STRANGE.format(v="FDD0/FDD1"), number)
        # Files that were put together, and some programs' cells, have the mark of a file's beginning further down.
        yield line.replace("\ufeff", "") if "\ufeff" in line else line


def _sheet_rows(path):
    usual = csv.field_size_limit(1_000_000)  # of the whole process: a later upload keeps the usual one
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for number, *cells in csv.reader(stream):
                yield int(number), cells
    finally:
        csv.field_size_limit(usual)


def told_of(table, findings, warnings):
    """What else must be known of a table: faults go to `findings` (merged cells, values without a name), the rest to
    `warnings`.
    """
    layout = table.layout
    for place, added in (("faults", findings), ("notes", warnings)):
        for row, column, value, why in getattr(layout, place):
            added.add(Finding(table.name, row, column, value, why))
    findings.total += layout.more_faults
    if table.sheet is not None:
        _told_of_sheet(table, findings, warnings)


def _told_of_sheet(table, findings, warnings):
    for en, ja in table.sheet.told:
        warnings.add(Finding(table.name, None, "", "", Label(en, ja)))
    for place in table.sheet.merged:
        rows = [int(match) for match in re.findall(r"\d+", place)]
        if rows and rows[-1] > max(table.layout.header):
            findings.add(Finding(table.name, rows[0], "", place, MERGED))
    if more := table.sheet.merged_count - len(table.sheet.merged):
        findings.add(Finding(table.name, None, "", "", MORE_MERGED.format(n=more)), more)
    if table.sheet.hidden:
        warnings.add(Finding(table.name, None, "", "", HIDDEN_SHEET))
    for number in table.sheet.hidden_columns:
        warnings.add(Finding(table.name, None, "", "", HIDDEN_COLUMN.format(v=column_letters(number))))
    for number in table.sheet.hidden_rows:
        warnings.add(Finding(table.name, number, "", "", HIDDEN_ROW))
    warnings.total += table.sheet.hidden_rows_count - len(table.sheet.hidden_rows)
    _told_of_looks(table, warnings)


def _told_of_looks(table, warnings):
    """Values that the sheet strikes out or does not show: each row, or each cell where a row has others too."""
    layout, sheet = table.layout, table.sheet
    names = dict(reversed([*zip(layout.places, layout.names, strict=False)]))
    for row, look, columns, shown in sheet.looks:
        is_name = row <= max(layout.header)
        if row < min(layout.header) or (
            is_name and look != "struck"
        ):  # a title's, or names that a table's style colours
            continue
        for column in columns:
            name = names.get(column - 1, column_letters(column)) if column else ""
            warnings.add(Finding(table.name, row, name, shown, LOOKS[look]))
    if more := sheet.looks_count - len(sheet.looks):
        warnings.add(Finding(table.name, None, "", "", MORE_LOOKS.format(n=more)), more)


def settle(table, way, target, findings):
    """Write the table to `target` with its formulas and errors told or taken as `way` says."""
    with table.path.open(encoding="utf-8", newline="") as stream, target.open("w", encoding="utf-8", newline="") as out:
        reader, writer = csv.reader(stream), csv.writer(out, lineterminator="\n")
        line = 1
        for cells in reader:
            if any(cell.startswith(typed.MARK) for cell in cells):
                for place, cell in enumerate(cells):
                    if cell.startswith(typed.MARK) and (fault := _fault_of(cell, way)) is not None:
                        column = table.layout.names[place] if line > 1 else ""
                        findings.add(Finding(table.name, table.row_of(line), column, typed.shown(cell)[:80], fault))
                        cells[place] = ""
            writer.writerow(cells)
            line = reader.line_num + 1
    table.path = target


def _fault_of(cell, way):
    kind = cell[1]
    if kind == "u":
        return NEVER_COMPUTED if way.formulas else FORMULA
    if kind.isupper() and not way.formulas:
        return FORMULA
    return CELL_ERROR if kind in "eE" else None


def answered(inspection, way, answers):
    """The way with the answers that are among the candidates; others count as not given."""
    if inspection.workbook:
        names = [sheet.name for sheet in inspection.sheets]
        chosen = tuple(name for name in names if name in answers.get("sheets", way.sheets or ()))
        formulas = bool(answers.get("formulas", way.formulas))
        return replace(way, sheets=chosen or None, formulas=formulas, headers=_headers(answers))
    encoding, delimiter = answers.get("encoding"), answers.get("delimiter")
    return replace(
        way,
        encoding=encoding if encoding in inspection.encodings else way.encoding,
        delimiter=delimiter if delimiter in (*inspection.delimiters, inspection.separator) else way.delimiter,
        headers=_headers(answers),
    )


def _headers(answers):
    """The rows that were chosen for naming the columns, by sheet: "3", or "1+2" for two."""
    headers = {}
    for sheet, text in answers.get("headers", {}).items():
        rows = [int(part) for part in text.split("+") if part.isdigit()]
        if 0 < len(rows) < 3:
            headers[str(sheet)] = rows
    return headers
