"""Rows of the lists of forms to verify and of patients to sign as HTML, put together in Python: a template takes
several times longer. Whatever is no number and no address of ours is escaped here.
"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.services.row_addresses import address_of
from registry.web.shared import cells, wording
from registry.web.shared.cells import escape

NONE = '<span class="muted">–</span>'


def to_verify(rows, *, several, by_plan):
    """Forms to verify.

    several  whether they say of which site each is
    by_plan  whether they say what the sampling plan asks of each
    """
    whole, critical = (
        escape(_("the whole form")),
        f'<span class="muted">{escape(_("critical items"))}</span>',
    )
    return cells.joined(
        _to_verify(row, several, (whole if row["whole"] else critical) if by_plan else None) for row in rows
    )


def _to_verify(row, several, asked):
    number, address = escape(row["patient_id"]), address_of("verify_form", row["patient_id"], row["code"])
    return (
        f'<tr data-href="{address}"><th scope="row">'
        f'<a class="code" href="{address_of("patient", row["patient_id"])}">{number}</a>'
        + (f"</th><td>{escape(row['site'])}</td>" if several else "</th>")
        + f'<td><a href="{address}">{escape(row["form"])}</a></td>'
        f'<td class="nowrap">{escape(wording.moment(row["at"]))}</td>'
        + (f"<td>{asked}</td>" if asked else "")
        + f"<td>{_marks(row['marks'], row['changed'])}</td></tr>"
    )


def _marks(marks, changed):
    if not changed:
        return marks or NONE
    text = ngettext("%(n)s verified field changed", "%(n)s verified fields changed", changed) % {"n": changed}
    return f'<span class="changed-mark">{escape(text)}</span>'


def to_sign(lines, identified):
    """Patients to sign, each with [(label, address)] of the forms that are to be completed first."""
    words = [escape(text) for text in (_("new or unlocked since"), _("never"), _("To complete first:"), _("Nothing"))]
    return cells.joined(_to_sign(line, open_forms, identified, *words) for line, open_forms in lines)


def _to_sign(line, open_forms, identified, since, never, to_complete, nothing):
    number, address = escape(line.patient_id), address_of("signatures", line.patient_id)
    tick = (
        f'<label class="verify-tick"><input type="checkbox" name="patient" value="{number}">'
        f'<span class="visually-hidden">{number}</span></label>'
        if line.can_be_signed
        else ""
    )
    signed = f'<span class="muted">{never}</span>'
    if line.signed_at:
        signed = escape(wording.day(line.signed_at))
        signed += f' <span class="muted">{since}</span>' if line.ready else ""
    missing = nothing
    if open_forms:
        linked = (f'<a href="{url}">{escape(label)}</a>' for label, url in open_forms)
        missing = f"{to_complete} {', '.join(linked)}"
    return (
        f'<tr data-href="{address}"><td>{tick}</td><th scope="row" class="nowrap">'
        f'<a class="code" href="{address}">{number}</a>'
        f'{cells.beside(identified, line.patient_id)}</th><td class="number">{line.ready}</td>'
        f'<td class="number">{line.queries}</td><td class="nowrap">{signed}</td>'
        f"<td>{missing}</td></tr>"
    )
