"""The codebook of an export: every column with its label, codes and source, as rows, CSV, HTML and PDF."""

import csv
import io
from html import escape

from registry.analysis.figures import fonts
from registry.exports.choices import MISSING, SENTINELS
from registry.exports.data.datasets import datasets, outputs, short_name
from registry.instruments.base import MISSING_LABELS, TAGS, Label

HEADER = (
    "table", "column", "column_in_stata_and_sas", "label_en", "label_ja", "kind", "unit", "minimum", "maximum", "codes",
    "timepoint", "instrument", "instrument_version", "higher_is", "missing", "source", "licence",
)  # fmt: skip
KINDS = {
    "integer": Label("whole number", "整数"),
    "number": Label("number", "数値"),
    "code": Label("code", "コード"),
    "date": Label("date", "日付"),
    "text": Label("text", "文字"),
}


def rows(tables, choices):
    """One row of text for each column, in the order of HEADER. `tables`: (Dataset, Outputs) of each."""
    return [_row(dataset.name, variable, choices) for dataset, written in tables for variable in written]


def _row(table, column, choices):
    variable, instrument = column.variable, column.variable.instrument
    return (
        table,
        column.name,
        short_name(column.name),
        column.label.en,
        column.label.ja,
        column.kind,
        "" if column.reason_for else variable.unit,
        *(("", "") if column.reason_for or column.choices else (_text(variable.minimum), _text(variable.maximum))),
        _codes(column),
        variable.timepoint,
        instrument.title.en if instrument else "",
        instrument.version if instrument else "",
        instrument.higher_is if instrument and not column.reason_for else "",
        _missing(column, choices),
        instrument.citation if instrument else "",
        instrument.licence if instrument else "",
    )


def _text(value):
    return "" if value is None else str(value)


def _codes(variable):
    return " | ".join(f"{choice.code} = {choice.label.en} ({choice.label.ja})" for choice in variable.choices)


def _missing(variable, choices):
    return _marks(choices, "en") if variable.tagged else ""


def _marks(choices, language):
    """What stands in a cell for each reason why there is no value."""
    marks = SENTINELS if choices.kind.style == "sav" else {reason: f".{tag}" for reason, tag in TAGS.items()}
    return " | ".join(f"{mark} = {MISSING_LABELS[reason].in_language(language)}" for reason, mark in marks.items())


def about(choices, manifest, note):
    """What an export is of, as (what, value) pairs of text in its language. `note` is empty unless it is synthetic."""
    patients, snapshot = manifest["patients"], manifest["snapshot"]
    missing = next(choice.label for choice in MISSING if choice.code == choices.missing).in_language(choices.language)
    lines = [
        (_ABOUT["product"], manifest["product"]),
        (_ABOUT["created"], manifest["created_at"]),
        (_ABOUT["cohort"], f"{choices.cohort.name}, {choices.cohort.version}"),
        (_ABOUT["snapshot"], snapshot["label"] if snapshot else "–"),
        (_ABOUT["patients"], f"{patients['exported']} / {patients['enrolled']}"),
        (_ABOUT["missing"], missing),
    ]
    if choices.missing == "tagged":
        lines.append((_ABOUT["tags"], _marks(choices, choices.language)))
    if note:
        lines.insert(0, (_ABOUT["synthetic"], note))
    return [(what.in_language(choices.language), value) for what, value in lines]


_ABOUT = {
    "synthetic": Label("Synthetic", "架空データ"),
    "product": Label("Made by", "作成元"),
    "created": Label("Created", "作成日時"),
    "cohort": Label("Cohort, version", "コホート・版"),
    "snapshot": Label("Snapshot", "スナップショット"),
    "patients": Label("Patients exported / enrolled", "出力例数／登録例数"),
    "missing": Label("Missing values", "欠測値"),
    "tags": Label("Reasons in a value's place", "値の位置にある欠測理由"),
}


def as_csv(lines):
    """The rows as CSV, bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((HEADER, *lines))
    return out.getvalue().encode()


_STYLE = """
body { font: 15px/1.5 system-ui, "Hiragino Sans", "Yu Gothic", sans-serif; margin: 2rem auto; max-width: 78rem;
       padding: 0 1rem; color: #1d2b36 }
table { border-collapse: collapse; width: 100%; font-size: 14px } caption { text-align: left; font-weight: 650 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #dde4ea }
thead th { border-bottom: 2px solid #55636f; position: sticky; top: 0; background: #fff }
code { font-size: 13px } .note { color: #8a5a00; font-weight: 650 } ul { margin: 0; padding: 0; list-style: none }
"""


def as_html(tables, choices, title, about):
    """A page by itself, in the language of the export. `about`: (what, value) pairs of text, told above the tables."""
    language = choices.language
    words = _WORDS[language]
    about_rows = "".join(f"<tr><th scope=row>{escape(what)}</th><td>{escape(value)}</td></tr>" for what, value in about)
    parts = [
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1><table>{about_rows}</table>",
    ]
    for dataset, written in tables:
        head = "".join(f"<th scope=col>{word}</th>" for word in words)
        body = "".join(_html_row(variable, choices) for variable in written)
        label = escape(dataset.label.in_language(language))
        parts.append(
            f"<h2>{dataset.name}</h2><table><caption>{label}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )
    return ("".join(parts) + "</html>\n").encode()


_WORDS = {
    "en": ("Column", "Label", "Kind", "Codes or range", "Instrument"),
    "ja": ("列名", "ラベル", "種類", "コード・範囲", "評価法"),
}


def _html_row(column, choices):
    language, variable = choices.language, column.variable
    codes = "".join(
        f"<li><code>{escape(str(choice.code))}</code> {escape(choice.label.in_language(language))}</li>"
        for choice in column.choices
    )
    instrument = variable.instrument.title.in_language(language) if variable.instrument else ""
    kind = KINDS[column.kind].in_language(language)
    cells = (
        f"<th scope=row><code>{escape(column.name)}</code></th>",
        f"<td>{escape(column.label.in_language(language))}</td>",
        f"<td>{escape(kind)}</td>",
        f"<td>{f'<ul>{codes}</ul>' if codes else escape(_range(column))}</td>",
        f"<td>{escape(instrument)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _range(column):
    variable = column.variable
    if column.reason_for or variable.minimum is None:
        return "" if column.reason_for else variable.unit
    high = "" if variable.maximum is None else variable.maximum
    return f"{variable.minimum}–{high} {variable.unit}".strip()


LINES = 46  # of a page
WIDTHS = (42, 58, 14, 84)  # half-width characters of each column
STARTS = (0.04, 0.235, 0.5, 0.575)  # where each begins, as a share of the width
FONT = "codebook"
LINE_HEIGHT = 0.0195  # a share of the height


def as_pdf(choices, title, note):
    """The same on A4 pages across, with its own font. A column that each timepoint has is told once, with the first
    timepoint's name.
    """
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, str(fonts.japanese())))
    out, (width, height) = io.BytesIO(), landscape(A4)
    canvas = Canvas(out, pagesize=(width, height), invariant=True, lang=choices.language)  # no date: same bytes
    canvas.setTitle(title)
    lines = _lines_of_pdf(choices, note)
    for start in range(0, len(lines), LINES):
        canvas.setFont(FONT, 11)
        canvas.drawString(STARTS[0] * width, 0.955 * height, title)
        canvas.setFont(FONT, 7)
        canvas.drawRightString(0.96 * width, 0.955 * height, str(start // LINES + 1))
        for place, line in enumerate(lines[start : start + LINES]):
            for x, text in zip(STARTS, line, strict=True):
                if text:
                    canvas.drawString(x * width, (0.925 - place * LINE_HEIGHT) * height, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _lines_of_pdf(choices, note):
    """Lines of four texts: column, label, kind, codes or range."""
    lines = [(note, "", "", "")]
    for dataset in datasets(choices):
        lines += [("", "", "", ""), (dataset.name.upper(), dataset.label.in_language(choices.language), "", "")]
        columns = _once(outputs(dataset, choices))
        lines += [line for column in columns for line in _pdf_lines(column, choices.language)]
    return lines


def _once(written):
    seen = set()
    for variable in written:
        timepoint = variable.variable.timepoint
        name = variable.name.replace(f"_{timepoint}", "", 1) if timepoint else variable.name
        if name not in seen:
            seen.add(name)
            yield variable


def _pdf_lines(variable, language):
    codes = "; ".join(f"{choice.code} = {choice.label.in_language(language)}" for choice in variable.choices)
    texts = (
        variable.name,
        variable.label.in_language(language),
        KINDS[variable.kind].in_language(language),
        codes or _range(variable),
    )
    wrapped = [_wrapped(text, width) for text, width in zip(texts, WIDTHS, strict=True)]
    for place in range(max(map(len, wrapped))):
        yield tuple(column[place] if place < len(column) else "" for column in wrapped)


def _wrapped(text, width):
    """Lines of at most `width` half-width characters; Japanese ones count twice."""
    lines, line, used = [], "", 0
    for character in text:
        wide = 2 if ord(character) > 0x2E80 else 1
        if used + wide > width:
            cut = line.rfind(" ") + 1 if " " in line[width // 2 :] else len(line)
            lines.append(line[:cut].rstrip())
            line = line[cut:]
            used = sum(2 if ord(character) > 0x2E80 else 1 for character in line)
        line, used = line + character, used + wide
    return [*lines, line]
