"""Results for people: the journal's tables, and every format that shows them.

A result keeps full precision; only here is anything rounded. The tables are built once, as text in cells, and HTML and
DOCX show the same ones. CSV holds the numbers themselves, one a line.
"""

import csv
import io
import json
from dataclasses import dataclass
from html import escape

from django.conf import settings

from registry.analysis import narrative, small_cells
from registry.analysis.formats import count_percent, mean_sd, p_value
from registry.analysis.words import Words
from registry.instruments import variables
from registry.instruments.base import Label


@dataclass(frozen=True)
class Row:
    """One line of a table: its label, the cells after it, and whether it belongs under the line before it."""

    label: str
    cells: tuple
    indent: bool = False


@dataclass(frozen=True)
class Table:
    """`header` names the columns, that of the labels first; `spans` (text, how many columns) stand above it."""

    code: str
    title: str
    header: tuple
    rows: tuple
    spans: tuple = ()
    notes: tuple = ()


UNKNOWN = Label("unknown", "不明")
P = Label("P", "P値")
SECOND = {"p_chi_square": "P (χ²)", "p_chi_square_corrected": "P (χ², Yates)", "p_fisher_exact": "P (Fisher)"}
VARIABLE = Label("Variable", "変数")
TITLES = {
    "flow": Label("Patients", "対象患者"),
    "characteristics": Label("Patient characteristics", "患者背景"),
    "recovery": Label("Before and after surgery, within each group", "群内の術前後比較"),
    "adverse_events": Label("Adverse events", "有害事象"),
    "between_groups": Label("Comparison between groups", "群間比較"),
    "eq5d_domains": Label("EQ-5D-5L dimensions: answers by level", "EQ-5D-5L 各項目の回答分布"),
    "sensitivity": Label("HSUV by other value sets", "他の換算表によるHSUV"),
}


def tables(result, language="en"):
    """Every table of a result, in the order of the study."""
    words = Words(result, language)
    built = [
        _flow(result, words),
        _overall("characteristics", result["characteristics"], words),
        _recovery("recovery", result["recovery"], words),
        _overall("adverse_events", result["adverse_events"], words),
        _between("between_groups", result["between_groups"], words),
        _between("eq5d_domains", result["eq5d_domains"], words),
    ]
    for one in result.get("sensitivity", ()):
        title = f"{TITLES['sensitivity'].in_language(language)}: {one['value_set']}"
        built.append(_recovery("recovery", one["recovery"], words, title))
        built.append(_between("between_groups", one["between_groups"], words, title))
    return [table for table in built if table.rows]


def flow(result, language="en"):
    """The steps of the cohort with labels and reasons in the language: dicts with step, label, n, excluded, reason."""
    return list(Words(result, language).flow())


def _flow(result, words):
    header = words(Label("Step", "段階")), words(Label("Patients", "患者数")), words(Label("Excluded", "除外")), ""
    rows = [
        Row(step["label"], (str(step["n"]), str(step.get("excluded", "")), step["reason"])) for step in words.flow()
    ]
    return Table("flow", words(TITLES["flow"]), header, tuple(rows))


def _overall(code, rows, words):
    """Tables 2 and 5: a column a group, then P; and P of the further test where the plan has one."""
    second = next((name for row in rows for name in row if name.startswith("p_")), None)
    header = (words(VARIABLE), *words.groups_with_n(), words(P), *([SECOND[second]] if second else []))
    lines = []
    for row in rows:
        variable = variables.get(row["variable"])
        ends = (_p(row), *([p_value(row[second]) if second in row else ""] if second else []))
        lines += _block(words, variable, [row["groups"][group] for group in words.groups], ends, words.label(variable))
    return Table(code, words(TITLES[code]), header, tuple(lines), notes=words.footnotes(rows))


def _block(words, variable, told, ends, label):
    """The lines of one variable: `told` a cell each, `ends` (P) on the first line alone."""
    blank = ("",) * len(ends)
    if variable.kind == "continuous":
        lines = [Row(label, (*(mean_sd(one, variable.decimals) for one in told), *ends))]
    elif variable.categories == variables.YES_NO:
        lines = [Row(label, (*_counts(told, "yes"), *ends))]
    else:
        lines = [Row(label, (*("" for _ in told), *ends))]
        lines += [
            Row(words(choice.label), (*_counts(told, str(choice.code)), *blank), indent=True)
            for choice in variable.categories
        ]
    if any(one["missing"] for one in told):
        lines.append(Row(words(UNKNOWN), (*(str(one["missing"]) for one in told), *blank), indent=True))
    return lines


def _counts(told, code):
    return tuple(count_percent(one["counts"][code], one["n"]) for one in told)


def _p(row, field="p"):
    """P as printed, marked where it was sampled and not computed exactly."""
    mark = "*" if "monte_carlo" in row and row[field] is not None else ""
    return p_value(row[field]) + mark


def _recovery(code, rows, words, title=None):
    """Table 4: baseline, follow-up and P of each group side by side; one block for each follow-up."""
    spans = (("", 1), *((text, 3) for text in words.groups_with_n()))
    lines, by_variable = [], {}
    for row in rows:
        by_variable.setdefault((row["variable"], row["timepoint"]), []).append(row)
    several = len({timepoint for _, timepoint in by_variable}) > 1
    for (name, timepoint), per_group in by_variable.items():
        variable = variables.get(name)
        label = words.label(variable) + (f", {words.at(timepoint)}" if several else "")
        lines += _side_by_side(words, variable, per_group, label)
    after = words(Label("after", "術後")) if several else words.timepoint(next(iter(by_variable))[1] if rows else "")
    header = (words(VARIABLE), *((words.baseline, after, words(P)) * len(words.groups)))
    return Table(code, title or words(TITLES[code]), header, tuple(lines), spans, words.footnotes(rows))


def _side_by_side(words, variable, per_group, label):
    """The same lines as `_block`, with P behind each pair of cells."""
    told = [one for row in per_group for one in (row["baseline"], row["followup"])]
    lines = _block(words, variable, told, (), label)
    p = [_p(row) for row in per_group]
    return [
        Row(line.label, _woven(line.cells, p if place == 0 else [""] * len(p)), line.indent)
        for place, line in enumerate(lines)
    ]


def _woven(cells, p):
    return tuple(cell for place, one in enumerate(p) for cell in (cells[2 * place], cells[2 * place + 1], one))


def _between(code, rows, words, title=None):
    """Table 6 and Figure 5: a column a group, then P of each pair."""
    pairs = words.pairs(rows)
    header = (words(VARIABLE), *words.groups_with_n(), *pairs.values())
    lines = []
    for row in rows:
        variable = variables.get(row["variable"])
        if row["timepoint"] == "delta":
            variable = variable.delta
        when = row["followup"] if row["timepoint"] == "delta" else row["timepoint"]
        p = tuple(_p_of_pair(row, pair) for pair in pairs)
        label = f"{words.label(variable)}, {words.at(when)}"
        lines += _block(words, variable, [row["groups"][group] for group in words.groups], p, label)
    spans = (("", 1 + len(words.groups)), (words(P), len(pairs)))
    return Table(code, title or words(TITLES[code]), header, tuple(lines), spans, words.footnotes(rows))


def _p_of_pair(row, pair):
    mark = "*" if pair in row.get("monte_carlo", {}) else ""
    return p_value(row["p"][pair]) + mark


# The order of keys

_KEYS = """
    cohort method characteristics recovery adverse_events between_groups eq5d_domains sensitivity
    figures survival eq5d_report
    name version steps step label n excluded reason flow groups in_no_group days values
    variable group timepoint followup kind test adjust p_raw p p_chi_square p_mcnemar pairs baseline missing
    mean sd median q1 q3 min max counts
    plan plan_version value_set value_set_version segment_rule grouping followups snapshot software synthetic tests
"""


def in_order(result):
    """A result read back from jsonb, which sorts keys by itself, with every key where the runner had put it."""
    method = result["method"]
    codes = [str(choice.code) for variable in variables.VARIABLES for choice in variable.categories]
    rank = {
        key: place
        for place, key in enumerate(dict.fromkeys((*method["groups"], *method["pairs"], *_KEYS.split(), *codes)))
    }

    def ordered(part):
        if isinstance(part, list):
            return [ordered(one) for one in part]
        if isinstance(part, dict):
            return {key: ordered(part[key]) for key in sorted(part, key=lambda key: (rank.get(key, len(rank)), key))}
        return part

    return ordered(result)


# Formats


def shown(result):
    """The result as it may be shown: small counts hidden where the installation asks for that."""
    return small_cells.masked(result, settings.SMALL_CELLS)


def to_json(result, language="en"):
    return (json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


CSV_HEADER = ("table", "variable", "group", "timepoint", "category", "statistic", "value")


def to_csv(result, language="en"):
    """One line a number, at full precision: table, variable, group or pair, timepoint, category, statistic, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows([_harmless(cell) for cell in line] for line in numbers(shown(result)))
    return out.getvalue().encode()


def _harmless(cell):
    """A text that a spreadsheet would take for a formula, such as the name of a region, behind an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def numbers(result):
    """Every number of the tables, one a line, with the columns of CSV_HEADER."""
    if mark := narrative.mark(result):
        yield "method", "synthetic", "", "", "", "text", mark
    for step in result["cohort"]["flow"]:
        yield "cohort", step["step"], "", "", "", "n", step["n"]
        if "excluded" in step:
            yield "cohort", step["step"], "", "", "", "excluded", step["excluded"]
    for name in ("value_set", "segment_rule", "snapshot", "software"):
        yield "method", name, "", "", "", "text", result["method"][name]
    for table in ("characteristics", "recovery", "adverse_events", "between_groups", "eq5d_domains"):
        for row in result[table]:
            yield from _row_lines(table, row, result["method"]["baseline"])
    for one in result.get("sensitivity", ()):
        for table in ("recovery", "between_groups"):
            for row in one[table]:
                yield from _row_lines(f"{table}:{one['value_set']}", row, result["method"]["baseline"])


def _row_lines(table, row, baseline):
    variable, timepoint = row["variable"], row.get("timepoint", "")
    for group, told in row.get("groups", {}).items():
        yield from _told_lines((table, variable, group, timepoint), told)
    for part, when in (("baseline", baseline), ("followup", timepoint)):
        if isinstance(row.get(part), dict):
            yield from _told_lines((table, variable, row["group"], when), row[part])
    if "pairs" in row:
        yield table, variable, row["group"], timepoint, "", "pairs", row["pairs"]
    for field in [name for name in row if name == "p" or name.startswith("p_")]:
        values = row[field] if isinstance(row[field], dict) else {row.get("group", ""): row[field]}
        for group, value in values.items():
            yield table, variable, group, timepoint, "", field, _cell(value)


def _told_lines(start, told):
    for name, value in told.items():
        if name == "counts":
            for category, count in value.items():
                yield *start, category, "count", count
        else:
            yield *start, "", name, _cell(value)


def _cell(value):
    """The number itself, which csv writes as the shortest text that reads back the same; empty for none."""
    return "" if value is None else value


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.5em 0}
th,td{padding:.2em .7em;text-align:right;vertical-align:top}
th:first-child,td:first-child,th[scope=row]{text-align:left;font-weight:400}
tr.indent th{padding-left:2em}
thead{border-top:2px solid;border-bottom:1px solid}tbody{border-bottom:2px solid}
thead th{font-weight:600}
.synthetic{background:#fb0;padding:.3em 1em;font-weight:600}
"""


def html_table(table):
    """A Table as HTML; every text escaped."""
    spans = "".join(f'<th scope="colgroup" colspan="{width}">{escape(text)}</th>' for text, width in table.spans)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in table.header)
    body = "".join(
        f'<tr{" class=indent" if row.indent else ""}><th scope="row">{escape(row.label)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>\n"
        for row in table.rows
    )
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in table.notes)
    return (
        f'<table id="{table.code}"><caption>{escape(table.title)}</caption>\n<thead>'
        f"{f'<tr>{spans}</tr>' if spans else ''}<tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>{notes}\n"
    )


def to_html(result, language="en"):
    """A page of its own that needs nothing else."""
    result = shown(result)
    title = escape(narrative.title(result, language))
    answer = "".join(f"<li>{escape(sentence)}</li>" for sentence in narrative.answer(result, language))
    methods = escape(narrative.methods(result, language))
    parts = "".join(html_table(table) for table in tables(result, language))
    source = escape(narrative.source(result, language))
    mark = narrative.mark(result, language)
    mark = f'<p class="synthetic">{escape(mark)}</p>\n' if mark else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>{mark}<h1>{title}</h1>\n<ul>{answer}</ul>\n{parts}"
        f"<p>{methods}</p>\n<p><small>{source}</small></p></body></html>\n"
    ).encode()


def to_docx(result, language="en"):
    """The answer, the tables and the methods as a Word document; the wide tables on landscape pages."""
    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm, Pt

    result = shown(result)
    document = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Cm(29.7), Cm(21)
    section.left_margin = section.right_margin = Cm(2)
    document.styles["Normal"].font.size = Pt(9)
    document.core_properties.title = narrative.title(result, language)
    document.core_properties.author = ""
    section.header.paragraphs[0].text = narrative.mark(result, language)  # on every page
    document.add_heading(narrative.title(result, language), 1)
    for sentence in narrative.answer(result, language):
        document.add_paragraph(sentence, style="List Bullet")
    for table in tables(result, language):
        _docx_table(document, table)
    document.add_paragraph(narrative.methods(result, language))
    document.add_paragraph(narrative.source(result, language))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _docx_table(document, table):
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    document.add_heading(table.title, 2)
    grid = document.add_table(rows=0, cols=len(table.header), style="Light List")
    if table.spans:
        cells, at = grid.add_row().cells, 0
        for text, width in table.spans:
            cells[at].merge(cells[at + width - 1]).text = text
            at += width
    lines = [(table.header, False), *(((row.label, *row.cells), row.indent) for row in table.rows)]
    for texts, indent in lines:
        cells = grid.add_row().cells
        for place, text in enumerate(texts):
            cells[place].text = ("    " if indent and place == 0 else "") + text
            if place:
                cells[place].paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for note in table.notes:
        document.add_paragraph(note)


FORMATS = {"json": to_json, "csv": to_csv, "html": to_html, "docx": to_docx}
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def renderer(format):
    """(result, language) -> bytes. ValueError for a format that there is not."""
    try:
        return FORMATS[format]
    except KeyError:
        raise ValueError(f"“{format}” is no format; one of {', '.join(FORMATS)}") from None
