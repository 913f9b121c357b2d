"""Rows of the start page's tables as HTML, put together in Python: a template takes several times longer.

Whatever is not a number is escaped here.
"""

from urllib.parse import quote

from django.urls import reverse

from registry.web.shared import cells, tags, wording
from registry.web.shared.cells import escape


def work(lines, identified):
    """Visits that wait: which, how it stands, and why it stands where it does."""
    return cells.joined(_work(line, identified) for line in lines)


def _work(line, identified):
    when, why = escape(line.when), line.why
    if line.closing_soon:
        when = f'<span class="closing">{when}</span>'
    words = f"{when}<small>{escape(why)}</small>" if why else when
    head = _head(line.address, line.visit.patient_id, line.label, identified)
    return f'{head}<td>{tags.state(line.state)}</td><td class="why">{words}</td></tr>'


def drafts(lines, identified):
    """Forms to finish: which, its state, and when it was saved last."""
    return cells.joined(
        f"{_head(line['address'], line['patient_id'], wording.words(line['label']), identified)}"
        f'<td>{tags.state(line["state"])}</td><td class="nowrap">{escape(wording.day(line["at"]))}</td></tr>'
        for line in lines
    )


def _head(address, patient_id, label, identified):
    """The beginning of a row that leads to a form."""
    address = escape(address)
    return (
        f'<tr data-href="{address}"><th scope="row"><a href="{address}">{escape(patient_id)} · {escape(label)}</a>'
        f"{cells.beside(identified, patient_id)}</th>"
    )


def by_site(lines):
    """Sites: enrolment against the target, and what waits there."""
    grid = escape(reverse("grid"))
    return cells.joined(_site(line, f"{grid}?site={quote(line['site'].code)}") for line in lines)


def _site(line, address):
    code, target = escape(line["site"].code), line["target"]
    progress = wording.NOTHING
    if target:
        progress = (
            f'<progress max="{target}" value="{line["enrolled"]}" aria-label="{code}"></progress> '
            f'<span class="number">{line["percent"]}&nbsp;%</span>'
        )
    counts = (
        line["operated"],
        line["died"],
        *(f'<a href="{address}&amp;state={key}">{line[key]}</a>' if line[key] else 0 for key in ("due", "overdue")),
        line["drafts"],
        line["queries"],
    )
    return (
        f'<tr><th scope="row"><a href="{address}"><span class="code">{code}</span> '
        f"{escape(wording.site_name(line['site']))}</a></th>"
        f'<td class="number">{line["enrolled"]}</td><td class="number">{target or wording.NOTHING}</td>'
        f'<td class="wide-only">{progress}</td>'
        + "".join(f'<td class="number">{count}</td>' for count in counts)
        + "</tr>"
    )
