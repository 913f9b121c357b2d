"""A result as a file: JSON, CSV, HTML, and through `word` and `workbook` DOCX and XLSX. Small counts are hidden where
the installation asks for that; `to_json` writes what it is given (`tables.for_reader` says who gets every number)."""

import csv
import io
import json
import re
from html import escape

from registry.analysis.documents import eq5d_tables
from registry.analysis.documents.word import to_docx
from registry.analysis.documents.workbook import to_xlsx
from registry.analysis.figures import drawings
from registry.analysis.presentation import narrative
from registry.analysis.presentation.tables import CSV_HEADER, numbers, shown, tables
from registry.analysis.presentation.words import Words
from registry.analysis.results.written import plain

ROW_DEPTH = 2  # of a row in a result: the result, its tables, their rows
LONGEST_TABLE = 300  # rows of a report's table; a longer one is a file of its own


def to_json(result, language="en", draw=drawings.drawn):
    """JSON with a line for each row of a table; every value on a line of its own would take five times as long.

    result  a Result, or its JSON as `tables.for_reader` gives it
    """
    return (_in_lines(plain(result)) + "\n").encode()


def _in_lines(value, depth=0):
    """JSON whose parts stand on lines of their own down to ROW_DEPTH."""
    if depth == ROW_DEPTH or not value or not isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    parts = [_in_lines(part, depth + 1) for part in (value.values() if isinstance(value, dict) else value)]
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {part}" for name, part in zip(value, parts, strict=True)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    margin = "  " * depth
    return f"{opening}\n" + ",\n".join(f"{margin}  {part}" for part in parts) + f"\n{margin}{closing}"


def to_csv(result, language="en", draw=drawings.drawn):
    """One line a number, at full precision: table, variable, group or pair, timepoint, category, statistic, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows([_harmless(cell) for cell in line] for line in numbers(shown(result)))
    return out.getvalue().encode()


def _harmless(cell):
    """A text that a spreadsheet would take for a formula, such as the name of a region, behind an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.5em 0}
th,td{padding:.2em .7em;text-align:right;vertical-align:top}
th:first-child,td:first-child,th[scope=row]{text-align:left;font-weight:400}
tr.indent th{padding-left:2em}
thead{border-top:2px solid;border-bottom:1px solid}tbody{border-bottom:2px solid}
thead th{font-weight:600}th[scope=colgroup]{text-align:center}
.wide{overflow-x:auto}
figure{margin:2em 0;max-width:54em}figure svg{width:100%;height:auto}figcaption{font-weight:600;padding:.5em 0}
.synthetic{background:#fb0;padding:.3em 1em;font-weight:600}
"""


def html_table(table):
    """A Table as HTML; every text escaped."""
    spans = "".join(
        f'<th scope="colgroup" colspan="{width}">{escape(text)}</th>' if text else f'<td colspan="{width}"></td>'
        for text, width in table.spans
    )
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in table.header)
    body = "".join(
        f'<tr{" class=indent" if row.indent else ""}><th scope="row">{escape(row.label)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>\n"
        for row in table.rows
    )
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in table.notes)
    return (
        f'<div class="wide"><table id="{table.code}"><caption>{escape(table.title)}</caption>\n<thead>'
        f"{f'<tr>{spans}</tr>' if spans else ''}<tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{notes}\n"
    )


def html_figure(chart, svg):
    """A Chart as a figure: its drawing inside the page, what it shows in words, and its title."""
    drawing = re.sub(r"^.*?(?=<svg)", "", svg.decode(), count=1, flags=re.DOTALL)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    # Several drawings on one page: each with identifiers of its own.
    drawing = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{chart.code}-", drawing)
    alt = escape(chart.alt, quote=True)
    drawing = drawing.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    return f'<figure id="figure-{chart.code}"><figcaption>{escape(chart.title)}</figcaption>{drawing}</figure>\n'


def to_html(result, language="en", draw=drawings.drawn):
    """A page of its own that needs nothing else, with its figures in it.

    draw  (result, code, format, language) -> bytes of one figure
    """
    result = shown(result)
    words = Words(result, language)
    title = escape(narrative.title(result, language))
    answer = "".join(f"<li>{escape(sentence)}</li>" for sentence in narrative.answer(result, language))
    methods = escape(narrative.methods(result, language))
    parts = "".join(html_table(table) for table in tables(result, language))
    charts = "".join(
        html_figure(chart, draw(result, chart.code, "svg", language)) for chart in drawings.charts(result, language)
    )
    report = "".join(html_table(table) for table in eq5d_tables.tables(result, words, LONGEST_TABLE))
    source = escape(narrative.source(result, language))
    mark = narrative.mark(result, language)
    mark = f'<p class="synthetic">{escape(mark)}</p>\n' if mark else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>{mark}<h1>{title}</h1>\n<ul>{answer}</ul>\n{parts}{charts}{report}"
        f"<p>{methods}</p>\n<p><small>{source}</small></p></body></html>\n"
    ).encode()


FORMATS = {"json": to_json, "csv": to_csv, "html": to_html, "docx": to_docx, "xlsx": to_xlsx}
BINARY = ("docx", "xlsx")
OFFICE = "application/vnd.openxmlformats-officedocument"
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": f"{OFFICE}.wordprocessingml.document",
    "xlsx": f"{OFFICE}.spreadsheetml.sheet",
}


def renderer(format):
    """(result, language, draw) -> bytes. ValueError for a format that there is not."""
    try:
        return FORMATS[format]
    except KeyError:
        raise ValueError(f"“{format}” is no format; one of {', '.join(FORMATS)}") from None
