"""A result as a Word document, laid out as the journal prints: the answer, tables between rules, figures, methods."""

import io

from registry.analysis.documents import eq5d_tables
from registry.analysis.figures import drawings
from registry.analysis.presentation import narrative
from registry.analysis.presentation.tables import shown, tables
from registry.analysis.presentation.words import Words
from registry.instruments.base import Label

LONGEST_TABLE = 80  # rows of a report's table: Word is slow with long ones, and nobody prints them
WIDTH, TALLEST = 25.7, 14.5  # cm between the margins of a landscape page, and of a figure under its heading
WIDE = 12  # columns
LATIN, JAPANESE = "Liberation Sans", "Noto Sans CJK JP"
METHODS = Label("Methods", "方法")
SOURCE = Label("Computed from", "計算の由来")
FIGURES = Label("Figures", "図")
REPORT = Label("EQ-5D report", "EQ-5Dレポート")


def to_docx(result, language="en", draw=drawings.drawn):
    """The bytes of the document.

    draw  (result, code, format, language) -> bytes of one figure
    """
    from docx import Document

    result = shown(result)
    words = Words(result, language)
    document = Document()
    _prepare(document, narrative.title(result, language), narrative.mark(result, language))
    document.add_heading(narrative.title(result, language), 1)
    for sentence in narrative.answer(result, language):
        document.add_paragraph(sentence, style="List Bullet")
    for table in tables(result, language):
        _table(document, table)
    charts = drawings.charts(result, language)
    if charts:
        document.add_heading(words(FIGURES), 1)
    for chart in charts:
        _figure(document, chart, draw(result, chart.code, "png", language))
    report = list(eq5d_tables.tables(result, words, LONGEST_TABLE))
    if report:
        document.add_heading(words(REPORT), 1)
    for table in report:
        _table(document, table)
    document.add_heading(words(METHODS), 1)
    document.add_paragraph(narrative.methods(result, language))
    document.add_heading(words(SOURCE), 2)
    document.add_paragraph(narrative.source(result, language))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _prepare(document, title, mark):
    from docx.enum.section import WD_ORIENT
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt, RGBColor

    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Cm(29.7), Cm(21)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(2)
    for name, size in (("Normal", 9), ("Heading 1", 14), ("Heading 2", 10.5), ("Caption", 9)):
        style = document.styles[name]
        style.font.size, style.font.name, style.font.color.rgb = Pt(size), LATIN, RGBColor(0, 0, 0)
        style.font.bold = name.startswith("Heading")
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), JAPANESE)
    document.core_properties.title = title
    document.core_properties.author = ""
    section.header.paragraphs[0].text = mark  # on every page


def _table(document, table):
    """A table between three rules, its heading row on every page, no row across two pages."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.shared import Pt

    heading = document.add_heading(table.title, 2)
    heading.paragraph_format.keep_with_next = True
    columns = len(table.header)
    heading.paragraph_format.page_break_before = columns > WIDE  # such a table is as long as a page too
    grid = document.add_table(rows=0, cols=columns)
    grid.alignment, grid.autofit = WD_TABLE_ALIGNMENT.LEFT, False
    texts_end = table.code == "flow"  # its last column is words: wide, and from the left
    _fill(grid, table, Pt(8 if columns <= WIDE else 6.5), texts_end)
    heads = 2 if table.spans else 1
    _measure(grid, _widths(columns, texts_end), heads)
    for place, edge in ((0, "top"), (heads - 1, "bottom"), (len(grid.rows) - 1, "bottom")):
        for cell in grid.rows[place].cells:
            _rule(cell, edge)
    for cell in grid.rows[-1].cells:
        cell.paragraphs[0].paragraph_format.keep_with_next = bool(table.notes)
    for note in table.notes:
        paragraph = document.add_paragraph(note)
        paragraph.paragraph_format.space_after = Pt(2)
        for run in paragraph.runs:
            run.font.size = Pt(8)


def _widths(columns, texts_end):
    from docx.shared import Cm

    first = 7.0 if columns <= 8 else 5.6 if columns <= WIDE else 3.4
    widths = [Cm(first)] + [Cm(min(3.2, (WIDTH - first) / max(columns - 1, 1)))] * (columns - 1)
    if texts_end:
        widths[-1] = Cm(WIDTH - first - 3.2 * (columns - 2))
    return widths


def _fill(grid, table, size, texts_end):
    """Spans, where there are any, the header, and the rows."""
    if table.spans:
        row, at = grid.add_row(), 0
        for text, width in table.spans:
            _cell(row.cells[at].merge(row.cells[at + width - 1]), text, size, centred=True)
            at += width
    lines = [(table.header, False), *(((row.label, *row.cells), row.indent) for row in table.rows)]
    last = len(table.header) - 1
    for texts, indent in lines:
        row = grid.add_row()
        for place, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            words_only = texts_end and place == last
            _cell(cell, text, size, right=place > 0 and not words_only, indent=indent and place == 0)


def _measure(grid, widths, heads):
    """Widths of columns and cells; the first `heads` rows are repeated on every page."""
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = width
    for place, row in enumerate(grid.rows):
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width
        _whole(row, repeated=place < heads)


def _cell(cell, text, size, right=False, centred=False, indent=False):
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    paragraph = cell.paragraphs[0]
    run = paragraph.add_run(text)
    run.font.size = size
    paragraph.paragraph_format.space_before, paragraph.paragraph_format.space_after = Pt(1), Pt(0)
    if indent:
        paragraph.paragraph_format.left_indent = Cm(0.4)
    if right or centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if centred else WD_ALIGN_PARAGRAPH.RIGHT


def _whole(row, repeated):
    from docx.oxml import OxmlElement

    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if repeated:
        properties.append(OxmlElement("w:tblHeader"))


def _rule(cell, edge):
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    properties = cell._tc.get_or_add_tcPr()
    borders = properties.find(qn("w:tcBorders"))
    if borders is None:
        borders = OxmlElement("w:tcBorders")
        properties.append(borders)
    line = OxmlElement(f"w:{edge}")
    for name, value in (("val", "single"), ("sz", "8"), ("space", "0"), ("color", "000000")):
        line.set(qn(f"w:{name}"), value)
    borders.append(line)


def _figure(document, chart, png):
    """A drawing as large as the page allows, with its text alternative, its title and what it shows beneath."""
    from docx.shared import Cm

    heading = document.add_heading(chart.title, 2)
    heading.paragraph_format.keep_with_next = True
    picture = document.add_picture(io.BytesIO(png))
    scale = min(1, Cm(WIDTH) / picture.width, Cm(TALLEST) / picture.height)
    picture.width, picture.height = int(picture.width * scale), int(picture.height * scale)
    document.paragraphs[-1].paragraph_format.keep_with_next = True
    picture._inline.docPr.set("descr", chart.alt)
    picture._inline.docPr.set("title", chart.title)
    document.add_paragraph(chart.alt, style="Caption")
