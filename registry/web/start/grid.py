"""The grid: patients × forms with the state of each at a glance, for one site or for all.

Pages follow each other by the number of the last patient shown, so that the thousandth costs what the first does.
"""

from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import Patient, QueryForm, State
from registry.services.follow_up import ends as follow_up
from registry.services.follow_up import schedule, visits
from registry.services.review import form_states
from registry.web.shared import cells as shown_cells
from registry.web.shared import identified, tags, wording
from registry.web.shared.cells import escape
from registry.web.shared.filters import Filter, codes
from registry.web.shared.lookup import TELLING_OF_FORMS, form_state
from registry.web.start.grid_search import PLANNED_STATES, UNSCHEDULED, Search
from sites.database.fast_rows import rows_of
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50
LEGEND = tuple(tags.STATES)


@dataclass(frozen=True)
class Column:
    """A column of forms: its name in the address, its heading, and the short one for a narrow screen."""

    code: str
    label: str
    short: str


@require_safe
def grid(request):
    """The first rows, or those after a patient; with `part=rows` only the rows, for the button below them."""
    request.access.require(Can.READ)
    sites = Site.of(request.access.sites_for(Can.READ))
    plans, today = schedule.plans(), timezone.localdate()
    columns = _columns(plans)
    query = request.GET.get("q", "").strip()[:40]
    filters = _filters(request, sites, columns)
    chosen = codes(filters)
    due = request.GET.get("due") == "1"
    parameters = chosen | ({"q": query} if query else {}) | ({"due": "1"} if due else {})
    after = request.GET.get("after", "")[:40]
    search = Search(sites, plans, today, query, chosen, due, identified.search(request, query))
    ids, more = search.page(after, PAGE)
    if form := chosen.get("form"):
        columns = [column for column in columns if column.code == form]
    site_codes = {site.pk: site.code for site in sites} if len(sites) > 1 else {}
    shown = {
        "rows": _rows(ids, plans, columns, today, site_codes, identified.beside(request, ids)),
        "more": f"?{urlencode(parameters | {'after': ids[-1]})}" if more else "",
        "columns": columns,
        "several_sites": len(sites) > 1,
    }
    if request.GET.get("part") == "rows" and "HX-Request" in request.headers:
        return render(request, "start/grid_rows.html", shown)
    # On a first page that is the last one everybody stands there.
    count, many = search.count() if after or more else (len(ids), False)
    return render(
        request,
        "start/grid.html",
        shown
        | {
            "filters": filters,
            "query": query,
            "due": due,
            "after": after,
            "any_filter": bool(parameters),
            "parameters": urlencode(parameters),
            "count": max(count, len(ids)),
            "many": many,
            "legend": LEGEND,
        },
    )


def _columns(plans):
    own = [Column(code, *[str(QueryForm(code).label)] * 2) for code in FINISHED_FORMS]
    planned = [
        Column(timepoint.code, wording.words(timepoint.label), wording.short_visit(timepoint.code))
        for timepoint in plans.timepoints
    ]
    return [*own, *planned, Column(UNSCHEDULED, _("Unscheduled"), _("Unsch."))]


def _filters(request, sites, columns):
    states = ("draft", *PLANNED_STATES, "complete", "verified", "locked", "query")
    offered = [
        ("form", _("Form"), [(column.code, column.label) for column in columns]),
        ("state", _("State"), [(code, str(tags.STATES[code])) for code in states]),
    ]
    if len(sites) > 1:
        offered.insert(0, ("site", _("Site"), [(site.code, str(site)) for site in sites]))
    return [Filter(name, label, options, request.GET.get(name, "")) for name, label, options in offered]


# -- What is in the cells ------------------------------------------------------------------------------------------


# Of a patient's hundred columns those that say which visits there are, or that tell the states of the own forms.
COLUMNS = ("patient_id", "site_id", "surgery_date", "vital_status", "death_date", *TELLING_OF_FORMS)


def _rows(ids, plans, columns, today, codes, beside):
    """The rows of the table as HTML, in the order of `ids`. Four queries.

    codes   site's id to its code, where rows say of which site they are
    beside  patient's number to hospital number and initials, where they are shown
    """
    patients = {row.patient_id: row for row in rows_of(Patient).only(COLUMNS).where("patient_id = ANY (%s)", [ids])}
    ends, recorded, queried = follow_up.ends_of(ids), visits.recorded(ids), {}
    for number, form in form_states.open_queries(ids):
        queried.setdefault(number, set()).add(_column_of(form))
    rows, pages, on_day, language = [], reverse("patients"), visits.OnDay(plans, today), get_language()
    for pk in ids:
        patient, assessments = patients[pk], recorded.get(pk, {})
        forms = _Forms(patient, on_day.states(patient, assessments, ends.get(pk)), assessments, today)
        address, of_queries = f"{pages}{escape(pk)}/", queried.get(pk, ())
        cells = [_cell(forms.place(column.code), address, column.code in of_queries, language) for column in columns]
        site = f'<td class="cell-site" tabindex="-1">{escape(codes[patient.site_id])}' if codes else ""
        number = f'<a href="{address}">{escape(pk)}</a>{shown_cells.beside(beside, pk)}'
        rows.append(f'<tr><th scope="row" class="pinned">{number}{site}{"".join(cells)}</tr>')
    return mark_safe("\n".join(rows))  # noqa: S308 - what is no cell is escaped


def _column_of(form):
    return UNSCHEDULED if schedule.unscheduled_number(form) else form


@dataclass(frozen=True)
class _Forms:
    """The forms of one patient: what the plan says of them, and what is recorded."""

    patient: object
    planned: dict
    recorded: dict
    today: object

    def place(self, code):
        """(the end of its address, state, text that says more) of a form; None where the patient's plan has none."""
        if code in FINISHED_FORMS:
            return f"{code}/", form_state(self.patient, code), ""
        if code == UNSCHEDULED:
            return self._unscheduled()
        if planned := self.planned.get(code):
            state, last = planned
            return f"assessments/{code}/", state, last and _left(last, self.today)
        if assessment := self.recorded.get(code):
            return f"assessments/{code}/", assessment.state, ""
        return None

    def _unscheduled(self):
        numbered = {schedule.unscheduled_number(code): code for code in self.recorded if code not in self.planned}
        unscheduled = [self.recorded[numbered[number]] for number in sorted(filter(None, numbered))]
        if not unscheduled:
            return None
        drafts = [assessment for assessment in unscheduled if assessment.state == State.DRAFT]
        latest = (drafts or unscheduled)[-1]
        more = f"×{len(unscheduled)}" if len(unscheduled) > 1 else ""
        return f"assessments/{latest.timepoint_id}/", latest.state, more


def _left(last, today):
    """How long a visit that is due until the day `last` is still open for, once that is a week or less."""
    days = (last - today).days
    return ngettext("%(n)s day left", "%(n)s days left", days) % {"n": days} if days <= visits.CLOSING_SOON else ""


# HTML lets a cell end where the next begins: five bytes of each of five hundred.
NOTHING = '<td class="cell-none" tabindex="-1"><span aria-hidden="true">·</span>'


def _cell(place, address, queried, language):
    """The cell of a form, at its place below the address of its patient."""
    if place is None:
        return NOTHING
    end, state, more = place
    content = f'<span class="cell-more">{escape(more)}</span>' if more else ""
    if queried:
        content += f'<span class="cell-query state-query">{_word("query", language)}</span>'
    return f'<td><a class="cell state-{state}" href="{address}{end}">{_word(state, language)}{content}</a>'


@cache
def _word(state, _language):
    return escape(tags.STATES[state])
