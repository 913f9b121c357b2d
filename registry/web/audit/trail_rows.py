"""Rows of the audit trail's page as HTML, put together in Python: a template takes several times longer.

Whatever is not a number is escaped here.
"""

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.web.shared import cells, wording
from registry.web.shared.cells import escape


def of(rows, *, several, here):
    """The rows of a page.

    several  whether it says of which site each is
    here     the address's filters as text, where an event is opened
    """
    heads = f'<th scope="col">{escape(_("Field"))}</th>', f'<th scope="col">{escape(_("Before"))}</th>'
    head = f'{"".join(heads)}<th scope="col">{escape(_("After"))}</th>'
    system = escape(_("System"))
    return cells.joined(_row(row, several, here, head, system) for row in rows)


def _row(row, several, here, head, system):
    event = row["event"]
    at = localtime(event.at)
    return (
        f'<tr><th scope="row" class="nowrap"><time datetime="{at.isoformat()}">'
        f"{escape(wording.moment(at))}:{at:%S}</time></th>"
        + (f"<td>{escape(row['site'])}</td>" if several else "")
        + f"<td>{escape(row['who']) if row['who'] else system}</td>"
        f'<td class="few-words">{escape(row["what"])}</td><td class="few-words">{escape(row["table"])}</td>'
        f"<td>{_subject(row['subject'], event.row_id)}</td>{_fields(row, here, head)}"
        f"<td>{escape(event.reason)}</td></tr>"
    )


def _subject(subject, row_id):
    """What an event is about: the patient, or the row's name; and the row's key where that says more."""
    about = ""
    if subject.patient_id:
        address = cells.address("", row=subject.patient_id)
        about = f'<a class="code" href="{address}">{escape(subject.patient_id)}</a>'
        about += f" · {escape(subject.label)}" if subject.label else ""
    elif subject.name:
        about = escape(subject.name)
    if row_id == subject.patient_id:
        return about
    key = escape(row_id)
    return f'{about} <small class="muted code">{key}</small>' if about else f'<span class="code">{key}</span>'


def _fields(row, here, head):
    if not row["fields"]:
        return "<td></td>"
    key = row["event"].pk
    count = escape(ngettext("%(n)s field", "%(n)s fields", row["fields"]) % {"n": row["fields"]})
    if not row["lines"]:
        address = escape(f"?{here}&open={key}" if here else f"?open={key}")
        return f'<td id="e{key}"><a class="nowrap" href="{address}#e{key}">{count}</a></td>'
    lines = "".join(
        f'<tr><th scope="row">{escape(line.label)}</th><td class="old">{escape(line.old)}</td>'
        f'<td class="new">{escape(line.new)}</td></tr>'
        for line in row["lines"]
    )
    return (
        f'<td id="e{key}"><details{" open" if row["opened"] else ""}><summary class="nowrap">{count}</summary>'
        f'<table class="grid history-fields"><thead class="visually-hidden"><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></details></td>"
    )
