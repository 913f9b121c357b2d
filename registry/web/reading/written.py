"""A patient's course and sheet as HTML, put together in Python: a template takes several times longer.

Whatever is no address of ours is escaped here.
"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.web.shared import cells, tags
from registry.web.shared.cells import escape


def course(timeline):
    """Rows of the measures of `timeline.of`, a cell for each visit with its change from baseline; nothing for None."""
    if timeline is None:
        return ""
    directions = {
        code: f'<span class="visually-hidden"> {escape(words)}</span>'
        for code, words in (("better", _("better")), ("worse", _("worse")))
    }
    return cells.joined(_measure(row, directions) for row in timeline["rows"])


def _measure(row, directions):
    unit = f' <span class="unit">{escape(row.unit)}</span>' if row.unit else ""
    values = "".join([f'<td class="number">{_cell(cell, directions)}</td>' for cell in row.cells])
    return f'<tr><th scope="row">{escape(row.label)}{unit}</th>{values}</tr>\n'


def _cell(cell, directions):
    if not cell.text:
        return f'<span class="muted cell-note">{escape(cell.note)}</span>' if cell.note else cells.NONE
    value = f'<span class="value">{escape(cell.text)}</span>'
    if not cell.change:
        return value
    shade = f" change-{cell.direction}" if cell.direction else ""
    return f'{value}<span class="change{shade}">{escape(cell.change)}{directions.get(cell.direction, "")}</span>'


def parts(forms):
    """The forms of a sheet, each with its answers by instrument and what is asked or doubted about them."""
    return cells.joined(_part(form) for form in forms)


def _part(form):
    label, marked = escape(form.label), len(form.marked)
    query = tags.icon("state-query")
    asked = ""
    if marked or form.queries:
        words = escape(ngettext("%(n)s marked", "%(n)s marked", marked) % {"n": marked})
        asked = f' <span class="tile-query">{query} {words}</span>'
    questions = "".join(f'<p class="answer-mark answer-query">{query} {escape(text)}</p>' for text in form.queries)
    groups = "".join([_group(title if title != form.label else "", answers) for title, answers in form.groups])
    return (
        f'<details class="sign-form" open><summary><span class="sign-form-name">{label}</span> {tags.state(form.state)}'
        f"{asked}</summary>{questions}{groups}"
        f'<p><a href="{form.url}">{escape(_("Open the form"))}<span class="visually-hidden">: {label}</span></a></p>'
        "</details>\n"
    )


def _group(title, answers):
    head = f'<h3 class="sign-group">{escape(title)}</h3>' if title else ""
    return f'{head}<dl class="sign-answers">{"".join([_answer(answer) for answer in answers])}</dl>'


def _answer(answer):
    label, value = escape(answer.label), escape(answer.value)
    if not answer.is_marked:
        return f"<div><dt>{label}</dt><dd>{value}</dd></div>\n"
    query, asked, doubted = tags.icon("state-query"), escape(_("Query")), escape(_("Doubt"))
    marks = [
        f'<span class="answer-mark answer-query">{query} {asked}: {escape(text)}</span>' for text in answer.queries
    ]
    marks += [f'<span class="answer-mark answer-doubt">{doubted}: {escape(text)}</span>' for text in answer.doubts]
    return f'<div class="answer-marked"><dt>{label}</dt><dd>{value}{"".join(marks)}</dd></div>\n'
