"""The reader of workbooks: every cell that is there, in every dialect, within its limits. No database."""

import csv
import gzip
import io
import json
import subprocess
import sys
import time
import zipfile

import openpyxl
import pytest
from openpyxl.comments import Comment

from registry.imports.files import sources
from registry.imports.files.excel import isolated, workbook
from registry.imports.files.excel.workbook import MARK, SHOWN, Limits, Refused
from registry.imports.files.reading import Unreadable
from tests.transfer.files.books import _STRICT_KINDS, STRICT, book, number, relations, sheet, styles, text


@pytest.fixture
def read(tmp_path):
    def reading(content, **limits):
        (tmp_path / "book.xlsx").write_bytes(content)
        return workbook.read(tmp_path / "book.xlsx", tmp_path, Limits(**limits))

    return reading


@pytest.fixture
def rows(read, tmp_path):
    """The rows of the first sheet: [number, cells…], with a marked cell as (kind, text, shown)."""

    def reading(content, **limits):
        read(content, **limits)
        with (tmp_path / "sheet-0.csv").open(newline="") as stream:
            return [[int(row[0]), *map(unmarked, row[1:])] for row in csv.reader(stream)]

    return reading


def unmarked(cell):
    if not cell.startswith(MARK):
        return cell
    value, _, shown = cell[2:].partition(SHOWN)
    return (cell[1], value, shown or value)


def test_cells_are_read_whatever_the_dimension_says(rows):
    for dimension in ("A1", "A1:B1", "A1:XFD1048576", "nonsense"):
        content = book(sheet(text("a") + text("b"), text("c"), before=f'<dimension ref="{dimension}"/>'))
        assert rows(content) == [[1, "a", "b"], [2, "c"]]


def test_comments_of_cells_are_told_with_their_places(read):
    written = openpyxl.Workbook()
    for row in range(1, 8):
        written.active.append([row])
        written.active.cell(row, 1).comment = Comment("35 in truth", "A")
    out = io.BytesIO()
    written.save(out)
    assert [note[0] for note in read(out.getvalue())[0].told] == [
        "cells with a comment (7), which is not imported: A1, A2, A3, A4, A5, …"
    ]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b'\xef\xbb\xbf<table border="1">', "is a web page"),
        (b"<!-- made by a system -->\n<HTML>", "is a web page"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook>', "Excel 2003"),
        (b"\x1f\x8b\x08", "is compressed"),
        (b'<?xml version="1.0"?><office:document xmlns:office="urn:oasis:names:tc:opendocument">', "an OpenDocument"),
        (b"$FL2@(#) IBM SPSS STATISTICS", "a file of SPSS (.sav), which is not read. Write it as CSV"),
        (b"<stata_dta><header>", "a file of Stata"),
        (b"PAR1\x15\x04", "a file of Parquet"),
        (b"ID;PCALCOOO32\r\nB;Y3;X2;D0 0 2 1\r\n", "a file of SYLK"),
        (b"ID;PWXL;N;E\nP;PGeneral\n", "a file of SYLK"),
        (b"RDX3\nX\n\0", "a file of R"),
        (gzip.compress(b"X\n\0\0\0\3\0\4", mtime=0), "a file of R"),
        (gzip.compress(b"patient_id,eq_vas\n", mtime=0), "is compressed"),
        (b"TABLE\r\n0,1\r\n", "a file of Data Interchange Format"),
    ],
)
def test_what_only_looks_like_a_table_says_what_to_do(head, said):
    with pytest.raises(Unreadable) as refused:
        sources.kind_of(head)
    assert said in refused.value.reason.en


@pytest.mark.parametrize(
    "head", [b"ID;Patient;Visit\nS01-0001;7;1M\n", b"ID;PS\r\n12;3\r\n", b"PAR1,PAR2\n1,2\n", b"RDX,VAS\n1,2\n"]
)
def test_names_of_columns_are_no_signatures_of_other_programs(head):
    assert sources.kind_of(head) == "text"


def test_an_archive_of_tables_says_what_to_do(read):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("assessments.csv", "patient_id\n")
    with pytest.raises(Refused) as refused:
        read(out.getvalue())
    assert "Unpack it" in isolated.REASONS[refused.value.code].en


@pytest.mark.parametrize(
    ("part", "code"), [("Index/Document.iwa", "numbers"), ("word/document.xml", "document"), ("ppt/x.xml", "document")]
)
def test_documents_of_other_programs_say_what_to_do(read, part, code):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(part, "<x/>")
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", relations([("officeDocument", part)]))
    with pytest.raises(Refused) as refused:
        read(out.getvalue())
    assert refused.value.code == code
    assert ".xlsx" in isolated.REASONS[code].en


def test_a_cell_far_away_costs_nothing(rows):
    far = '<c r="XFD1048576" t="str"><v>far</v></c>'
    read_rows = rows(book(sheet(('r="1"', text("near")), ('r="1048576"', far))))
    assert [row[0] for row in read_rows] == [1, 1_048_576]
    assert (read_rows[1][-1], len(read_rows[1])) == ("far", 16_385)


@pytest.mark.parametrize("prefix", ["", "x", "ss"])
@pytest.mark.parametrize(("namespace", "kinds"), [(None, None), (STRICT, _STRICT_KINDS)])
def test_prefixes_and_strict_files_are_read_alike(rows, read, prefix, namespace, kinds):
    p = f"{prefix}:" if prefix else ""
    cells = f'<{p}c t="str"><{p}f>1</{p}f><{p}v>x</{p}v></{p}c>'
    more = {"namespace": namespace} if namespace else {}
    first_sheet = sheet(prefix=prefix, after=f'<{p}mergeCells><{p}mergeCell ref="A1:A2"/></{p}mergeCells>', **more)
    first_sheet = first_sheet.replace(f"<{p}sheetData>", f"<{p}sheetData><{p}row>{cells}</{p}row>")
    content = book(first_sheet, **({"kinds": kinds, **more} if kinds else {}))
    assert rows(content) == [[1, ("S", "x", "x")]]
    sheets = read(content)[0]
    assert (sheets.merged, sheets.formulas) == (["A1:A2"], 1)


def test_texts_are_joined_and_what_is_printed_over_them_left_out(rows):
    strings = (
        '<sst><si><t xml:space="preserve"> kept </t></si>'
        "<si><r><t>出血</t></r><rPh sb='0' eb='2'><t>シュッケツ</t></rPh><r><t>量</t></r><phoneticPr fontId='1'/></si>"
        "<si><t>a_x000D_&#10;b_x005F_x000D_</t></si></sst>"
    )
    cells = "".join(f'<c t="s"><v>{n}</v></c>' for n in range(3))
    inline = "<c t='inlineStr'><is><r><t>Th</t></r><r><t>5</t></r><rPh sb='0' eb='1'><t>ティ</t></rPh></is></c>"
    assert rows(book(sheet(cells + inline), strings=strings)) == [[1, " kept ", "出血量", "a\nb_x000D_", "Th5"]]


DATES = [
    (14, 45360, "2024-03-09", "2024/3/9"),
    (22, 45360.5, "2024-03-09 12:00", "2024/3/9 12:00"),
    *((code, 45360, "2024-03-09", None) for code in (*range(27, 32), 34, 35, 36, *range(50, 59))),
    ("yyyy/m/d;@", 45360, "2024-03-09", "2024/3/9"),
    ("[$-411]ggge&quot;年&quot;m&quot;月&quot;d&quot;日&quot;", 45360, "2024-03-09", "令和6年3月9日"),
    ("[$-411]ge.m.d", 43585, "2019-04-30", "H31.4.30"),
    ("mmm\\-yy", 45360, "2024-03-09", "Mar-24"),
    ("[Red]yyyy-mm-dd", 1, "1900-01-01", "1900-01-01"),
    ("yyyy-mm-dd", 59, "1900-02-28", "1900-02-28"),
    ("yyyy-mm-dd", 61, "1900-03-01", "1900-03-01"),
]


@pytest.mark.parametrize(("code", "serial", "day", "shown"), DATES)
def test_days_are_known_by_their_format(rows, code, serial, day, shown):
    (_, cell), *_ = rows(book(sheet(number(serial, 1)), styles=styles(code)))
    assert (cell[0], cell[1]) == ("d", day)
    assert shown is None or cell[2] == shown


def test_days_of_the_other_calendar(rows):
    content = book(sheet(number(43898, 1)), styles=styles(14), workbook='<workbookPr date1904="1"/>')
    assert rows(content)[0][1][1] == "2024-03-09"


@pytest.mark.parametrize("serial", [60, -1, 2958466])
def test_what_is_no_day_is_no_day(rows, serial):
    assert rows(book(sheet(number(serial, 1)), styles=styles("yyyy-mm-dd")))[0][1] == ("n", str(serial), "######")


def test_numbers_are_no_days_and_keep_what_the_sheet_shows(rows):
    codes = ("0.00E+00", "0000", "#,##0", "0%", "0.0", "[Red]0", "General", "0&quot;mL&quot;", 2, "[h]:mm", 20)
    values = (1.5, 12, 1500, 0.5, 69.56, 7, 4.3499999999999996, 14, 3, 1.5, 0.25)
    cells = "".join(number(value, n) for n, value in enumerate(values, 1))
    read_rows = rows(book(sheet(cells), styles=styles(*codes)))[0][1:]
    assert [cell[:2] for cell in read_rows] == [
        ("n", "1.5"),
        ("n", "12"),
        ("n", "1500"),
        ("p", "0.5"),
        ("n", "69.56"),
        ("n", "7"),
        ("n", "4.35"),
        ("n", "14"),
        ("n", "3"),
        ("t", "36:00"),
        ("t", "6:00"),
    ]
    assert [read_rows[place][2] for place in (1, 2, 3, 4, 8)] == ["0012", "1,500", "50%", "69.6", "3.00"]


def test_booleans_errors_iso_days_and_formulas_say_what_they_are(rows, read):
    cells = (
        '<c t="b"><v>1</v></c><c t="e"><v>#DIV/0!</v></c><c t="d"><v>2024-03-09T00:00:00</v></c>'
        "<c><f>1+2</f><v>3</v></c><c><f>A1</f><v></v></c><c t='str'><f>x</f><v/></c><c "
        "t='b'><f>x</f><v>0</v></c><c><f>NOW()</f></c>"
    )
    content = book(sheet(cells))
    assert rows(content)[0][1:] == [
        ("b", "TRUE", "TRUE"),
        ("e", "#DIV/0!", "#DIV/0!"),
        ("d", "2024-03-09", "2024-03-09"),
        ("N", "3", "3"),
        ("u", "=A1", "=A1"),
        "",
        ("B", "FALSE", "FALSE"),
        ("u", "=NOW()", "=NOW()"),
    ]
    assert (read(content)[0].formulas, read(content)[0].errors) == (5, 1)


def test_what_is_hidden_is_told_with_its_number(read):
    first_sheet = sheet(
        text("a") + text("b"),
        ('hidden="1"', text("c")),
        ('hidden="1"', ""),
        ('ht="0"', text("d")),
        before='<cols><col min="2" max="4" hidden="1" width="9"/></cols>',
    )
    sheets = read(book(first_sheet, sheet(text("x")), sheet(), states=("visible", "veryHidden", "hidden")))
    assert (sheets[0].hidden_rows, sheets[0].hidden_columns, sheets[0].hidden) == ([2, 4], [2], False)
    assert [(page.hidden, page.rows) for page in sheets[1:]] == [(True, 1), (True, 0)]


PIECE = " " * 1_000_000
HOSTILE = {
    "unpacked": (lambda: book(["<worksheet><sheetData>", *([PIECE] * 500), "</sheetData></worksheet>"]), {}),
    "strings": (
        lambda: book(sheet(), strings=["<sst>", *(["<si><t/></si>" * 1000] * 30), "</sst>"]),
        {"strings": 20_000},
    ),
    "cells": (lambda: book(sheet(number(1) * 3000)), {"cells": 2000}),
    "deep": (lambda: book("<worksheet>" + "<a>" * 100_000), {}),
    "doctype": (lambda: book('<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'), {}),
    "text": (lambda: book(sheet(text("x" * 2000))), {"text": 1000}),
    "sheets": (lambda: book(*([sheet()] * 6)), {"sheets": 5}),
    "broken": (lambda: b"PK\x03\x04 nonsense", {}),
}
TWICE = {
    "row twice": sheet(('r="2"', text("a")), ('r="2"', text("b"))),
    "cell twice": sheet('<c r="A1" t="str"><v>a</v></c><c r="A1" t="str"><v>b</v></c>'),
    "no such string": sheet('<c t="s"><v>7</v></c>'),
    "row beyond the last": sheet(('r="1048577"', text("a"))),
    "column beyond the last": sheet('<c r="XFE1" t="str"><v>a</v></c>'),
    "unfinished": sheet(text("a"))[:-30],
    "external entity": '<!DOCTYPE x SYSTEM "file:///etc/passwd"><worksheet/>',
}


@pytest.mark.parametrize("code", HOSTILE)
def test_a_workbook_made_to_hurt_is_refused_by_its_reason(read, code):
    make, limits = HOSTILE[code]
    with pytest.raises(Refused) as refused:
        read(make(), **limits)
    assert refused.value.code == code
    assert isolated.reason(refused.value.code, refused.value.n).ja


@pytest.mark.parametrize("what", TWICE)
def test_a_sheet_that_contradicts_itself_is_refused(read, what):
    with pytest.raises(Refused):
        read(book(TWICE[what]))


# The process


def test_the_process_is_stopped_when_its_time_is_over(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(book(sheet(*[number(1) * 200] * 3000)))
    with pytest.raises(Unreadable) as refused:
        isolated.read_workbook(tmp_path / "book.xlsx", tmp_path, seconds=0.2)
    assert "seconds to read" in refused.value.reason.en


def test_the_clock_leaves_a_busy_machine_the_time_that_a_file_may_take_of_the_processor():
    assert Limits().seconds * 10 <= isolated.SECONDS


def test_memory_is_held_to_by_the_operating_system(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(book(sheet(text("a"))))
    source = (
        "import runpy, sys; w = runpy.run_path(sys.argv[1]); w['_hold_to'](w['Limits'](memory=300_000_000));"
        "\ntry:\n bytearray(400_000_000)\nexcept MemoryError:\n print('held')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", source, workbook.__file__], capture_output=True, text=True, check=True
    )
    assert done.stdout == "held\n"


def test_the_process_answers_in_a_file(tmp_path):
    (tmp_path / "book.xlsx").write_bytes(book(sheet(text("a"))))
    assert [page.rows for page in isolated.read_workbook(tmp_path / "book.xlsx", tmp_path)] == [1]
    assert json.loads((tmp_path / "sheets.json").read_text())["sheets"][0]["name"] == "Sheet1"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); import django; django.setup()\n"
        "from registry.imports.files.excel.isolated import private_folder\n"
        "with private_folder() as folder:\n (folder / 'patients.csv').write_text('1950-04-03'); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", source, "."], env={**__import__("os").environ, "TMPDIR": str(tmp_path)}, check=False
    )
    left = [*tmp_path.glob("metaspine-import-*")]
    assert [path.name for path in left[0].iterdir()] == ["patients.csv"]
    with isolated.private_folder() as mine:
        monkeypatch.setattr(time, "time", lambda now=time.time: now() + 60)
        assert isolated.remove_left() == 1
        assert [*tmp_path.glob("metaspine-import-*")] == [mine]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1500, "#,##0", "1,500"),
        (-1500, "#,##0", "-1,500"),
        (7000, "0,", "7"),
        (3.2, '0.0"cm"', "3.2cm"),
        (12, "0000", "0012"),
        (-3, "0;0", "3"),
        (-3, "0;(0)", "(3)"),
        (0, '0;-0;"zero"', "zero"),
        (30, ";;;", workbook.HIDDEN),
        (31, '"withheld"', "withheld"),
        (5, '[=5]"N/A";0', "N/A"),
        (6, '[=5]"N/A";0', "6"),
        (150, '[>100]"high";General', "high"),
        (99, '[>100]"high";General', "99"),
        (0.5, "0%", "50%"),
        (1500, "#,##0_);[Red](#,##0)", "1,500"),
        (7, "[$-411]0", "7"),
        (1.5, "0.00E+00", ""),
        (0.5, "# ?/?", ""),
        (1234, "000-0000", ""),
    ],
)
def test_a_number_is_shown_as_its_format_shows_it(value, code, shown):
    assert workbook.shown_number(value, code) == shown


# Cells that look as if they said something else

STRUCK = "<rPr><strike/></rPr>"


def painted(fonts, fills, xfs, dxfs="", formats=""):
    """Styles 0, 1, …: (font, fill, number format), numbers of the lists."""
    cells = "".join(f'<xf numFmtId="{code}" fontId="{font}" fillId="{fill}"/>' for font, fill, code in xfs)
    return (
        f"<styleSheet><numFmts>{formats}</numFmts><fonts>{''.join(f'<font>{font}</font>' for font in fonts)}</fonts>"
        f"<fills>{''.join(f'<fill>{fill}</fill>' for fill in fills)}</fills><cellXfs>{cells}</cellXfs>"
        f"<dxfs>{dxfs}</dxfs></styleSheet>"
    )


def inline(*runs):
    return f'<c t="inlineStr"><is>{"".join(f"<r>{run}</r>" for run in runs)}</is></c>'


def test_values_that_are_struck_out_are_told_with_their_places(rows, read):
    content = book(
        sheet(number(1) + number(2, 1) + number(3, 2), number(4, 1) + number(5, 1), number(6)),
        styles=painted(["", "<strike/>", '<strike val="0"/>'], [""], [(0, 0, 0), (1, 0, 0), (2, 0, 0)]),
    )
    sheets = read(content)[0]
    assert (sheets.looks, sheets.looks_count) == ([[1, "struck", [2], ""], [2, "struck", [0], ""]], 2)
    assert rows(content)[1] == [2, ("n", "4", "4"), ("n", "5", "5")]


@pytest.mark.parametrize("shared", [False, True])
def test_a_text_that_is_struck_out_in_part_comes_in_whole_and_is_told(rows, read, shared):
    texts = (
        ["<t>Th4</t>", f"{STRUCK}<t>Th5</t>"],
        [f"{STRUCK}<t>Th5</t>", f'{STRUCK}<t xml:space="preserve"> </t>'],
        ["<t>Th6</t>"],
    )
    items = "".join(f"<si>{''.join(f'<r>{run}</r>' for run in runs)}</si>" for runs in texts)
    cells = (
        "".join(f'<c t="s"><v>{n}</v></c>' for n in range(3)) if shared else "".join(inline(*runs) for runs in texts)
    )
    content = book(sheet(cells), strings=f"<sst>{items}</sst>")
    assert rows(content) == [[1, "Th4Th5", "Th5 ", "Th6"]]
    assert read(content)[0].looks == [[1, "partly", [1], ""], [1, "struck", [2], ""]]


@pytest.mark.parametrize("shared", [False, True])
def test_a_raised_digit_is_a_footnote_and_none_of_the_value(rows, shared):
    runs = "<r><t>Th1</t></r><r><rPr><vertAlign val='superscript'/></rPr><t>2)</t></r>"
    cell = '<c t="s"><v>0</v></c>' if shared else f'<c t="inlineStr"><is>{runs}</is></c>'
    assert rows(book(sheet(cell), strings=f"<sst><si>{runs}</si></sst>")) == [[1, "Th1²)"]]


@pytest.mark.parametrize(
    ("font", "fill", "look"),
    [
        ('<color rgb="FFFFFFFF"/>', "", "unseen"),
        ('<color theme="0"/>', '<patternFill patternType="none"/>', "unseen"),
        ('<color indexed="9"/>', '<patternFill patternType="solid"><fgColor rgb="FFFFFFFF"/></patternFill>', "unseen"),
        ('<color theme="4"/>', '<patternFill patternType="solid"><fgColor theme="4"/></patternFill>', "unseen"),
        ('<color theme="4"/>', '<patternFill patternType="solid"><fgColor theme="4" tint="0.8"/></patternFill>', ""),
        ('<color theme="0"/>', '<patternFill patternType="solid"><fgColor rgb="FF004488"/></patternFill>', ""),
        ('<color theme="0"/>', '<gradientFill><stop><color theme="0"/></stop></gradientFill>', ""),
        ('<color theme="1"/>', "", ""),
        ("", "", ""),
    ],
)
def test_a_value_in_the_colour_of_its_ground_is_told(read, font, fill, look):
    content = book(sheet(text("a") + number(7, 1)), styles=painted(["", font], ["", fill], [(0, 0, 0), (1, 1, 0)]))
    assert read(content)[0].looks == ([[1, look, [2], ""]] if look else [])


def test_a_text_that_its_format_hides_or_adds_to_is_told(rows, read):
    codes = (";;;", "&quot;S01-&quot;@", "@", "General", "0;0;0;@", ";;;&quot;withheld&quot;", "0;0;0;General")
    formats = "".join(f'<numFmt numFmtId="{200 + n}" formatCode="{code}"/>' for n, code in enumerate(codes))
    xfs = [(0, 0, 0), *((0, 0, 200 + n) for n in range(len(codes)))]
    cells = "".join(f'<c t="str" s="{n}"><v>7a</v></c>' for n in range(1, len(codes) + 1))
    content = book(sheet(cells), styles=painted([""], [""], xfs, formats=formats))
    assert rows(content) == [[1, *["7a"] * len(codes)]]
    assert read(content)[0].looks == [
        [1, "unseen", [1], ""],
        [1, "otherwise", [2], "S01-7a"],
        [1, "otherwise", [6], "withheld"],
    ]


def test_blanks_around_a_text_look_like_nothing_else(read):
    """As in a workbook of which one other cell is struck out, or has a format for texts."""
    accounts = '<numFmt numFmtId="200" formatCode="_ * #,##0_ ;_ * -#,##0_ ;_ * &quot;-&quot;_ ;_ @_ "/>'
    shapes = painted(["", "<strike/>"], [""], [(0, 0, 0), (1, 0, 0), (0, 0, 200)], formats=accounts)
    cells = "".join(f'<c t="str" s="{style}"><v>{value}</v></c>' for style in (0, 2) for value in (" Th5 ", " "))
    assert read(book(sheet(cells + number(1, 1)), styles=shapes))[0].looks == [[1, "struck", [5], ""]]


def test_a_computed_text_is_shown_without_the_mark_of_its_kind(read):
    shapes = painted([""], [""], [(0, 0, 200)], formats='<numFmt numFmtId="200" formatCode="&quot;S01-&quot;@"/>')
    content = book(sheet('<c t="str" s="0"><f>A2</f><v>7a</v></c>'), styles=shapes)
    assert read(content)[0].looks == [[1, "otherwise", [1], "S01-7a"]]


def test_zeros_that_a_sheet_does_not_show_are_told(read):
    before = '<sheetViews><sheetView showZeros="0"/></sheetViews>'
    assert read(book(sheet(number(0) + number(10) + text("0"), before=before)))[0].looks == [[1, "zero", [1], ""]]
    assert read(book(sheet(number(0) + number(10))))[0].looks == []


def test_a_conditional_format_that_may_hide_values_is_told_with_its_range(read):
    dxfs = (
        "<dxf><font><strike/></font></dxf><dxf><font><color theme='0'/></font></dxf>"
        "<dxf><numFmt numFmtId='200' formatCode=';;;'/></dxf><dxf><font><color rgb='FF9C0006'/></font>"
        "<fill><patternFill><bgColor rgb='FFFFC7CE'/></patternFill></fill></dxf>"
    )
    rules = "".join(
        f'<conditionalFormatting sqref="{letter}2:{letter}9"><cfRule dxfId="{n}"/></conditionalFormatting>'
        for n, letter in enumerate("ABCD")
    )
    read_sheet = read(book(sheet(text("a"), after=rules), styles=painted([""], [""], [(0, 0, 0)], dxfs)))[0]
    assert [note[0] for note in read_sheet.told] == [
        "a conditional format strikes values out or hides them in some cells of A2:A9, B2:B9, C2:C9; all come in"
    ]


def test_looks_of_many_rows_are_counted(read):
    content = book(
        sheet(*[number(1, 1) + number(2)] * 300), styles=painted(["", "<strike/>"], [""], [(0, 0, 0), (1, 0, 0)])
    )
    sheets = read(content)[0]
    assert (len(sheets.looks), sheets.looks_count) == (200, 300)


def test_rows_and_columns_too_small_to_see_are_hidden(read):
    first_sheet = sheet(
        ('ht="0.75"', text("a")), ('ht="12"', text("b")), before='<cols><col min="1" max="1" width="0.1"/></cols>'
    )
    sheets = read(book(first_sheet))[0]
    assert (sheets.hidden_rows, sheets.hidden_columns) == ([1], [1])
