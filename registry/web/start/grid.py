"""The grid: patients × forms with the state of each at a glance, for one site or for all.

Pages follow each other by the number of the last patient shown, so that the thousandth costs what the first does.
"""

from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from django.db import connection
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.instruments.patient_forms import FINISHED_FORMS, PATIENT_FORMS
from registry.models import Patient, QueryForm, State
from registry.services.follow_up import ends as follow_up
from registry.services.follow_up import schedule, visits
from registry.services.review import form_states
from registry.web.shared import cells as shown_cells
from registry.web.shared import identified, tags, wording
from registry.web.shared.cells import escape
from registry.web.shared.filters import Filter, codes
from registry.web.shared.lookup import COUNTED, TELLING_OF_FORMS, form_state
from sites.database.fast_rows import rows_of
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50
UNSCHEDULED = "u"  # the column of the visits outside a patient's plan
LEGEND = tuple(tags.STATES)
PLANNED_STATES = ("due", "overdue", "missed")  # what only the schedule says


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
    search = _Search(sites, plans, today, query, chosen, due, identified.search(request, query))
    ids, more = search.page(after)
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
    count = search.count()
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
            "kept": urlencode(parameters),
            "count": min(count, COUNTED),
            "many": count > COUNTED,
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


# -- Which patients ------------------------------------------------------------------------------------------------


class _Search:
    """Numbers of the patients that the filters let through, in order. Everything typed goes in as a parameter."""

    def __init__(self, sites, plans, today, query, chosen, due, by_identifier):
        wanted = [site.pk for site in sites if chosen.get("site") in (None, site.code)]
        self.parameters = {"sites": wanted, "site": wanted[0] if wanted else 0}
        # Of one site the rows come in order from the index; of several, from the primary key's.
        self.conditions = ["p.site_id = %(site)s" if len(wanted) == 1 else "p.site_id = ANY (%(sites)s)"]
        self.plans, self.today = plans, today
        if query:
            alike = {"like": f"%{_unmeant(query)}%", "by_identifier": by_identifier}
            self._add("p.patient_id ILIKE %(like)s OR p.patient_id = ANY (%(by_identifier)s)", **alike)
        form, state = chosen.get("form", ""), chosen.get("state", "")
        if state:
            self._add(self._in_state(state, form), form=form, state=state)
        elif form == UNSCHEDULED:
            self._add(self._recorded("true", form))
        if due:
            self._add(self._waiting("awaited", form), form=form)

    def _add(self, condition, **parameters):
        self.conditions.append(f"({condition})")
        self.parameters |= parameters

    def _in_state(self, state, form):
        if state == "query":
            return form_states.open_query_sql(form)
        if state in PLANNED_STATES:
            return "false" if form in (*FINISHED_FORMS, UNSCHEDULED) else self._waiting(state, form)
        conditions = [_own_in_state(form_kind) for form_kind in FINISHED_FORMS if form in ("", form_kind)]
        if form not in FINISHED_FORMS:
            conditions.append(self._recorded("a.state = %(state)s", form))
        return " OR ".join(conditions)

    def _recorded(self, condition, form):
        of_form = "a.timepoint_id = %(form)s" if form else "true"
        if form == UNSCHEDULED:
            of_form = "a.timepoint_id LIKE 'u%%'"
        return (
            f"EXISTS (SELECT FROM registry_assessment AS a WHERE a.site_id = p.site_id "
            f"AND a.patient_id = p.patient_id AND {of_form} AND {condition})"
        )

    def _waiting(self, state, form):
        of_form = "v.code = %(form)s" if form and form not in (*FINISHED_FORMS, UNSCHEDULED) else "true"
        return (
            f"EXISTS (SELECT FROM {visits.visits_sql(self.plans, self.today)} WHERE {visits.PLANNED} "
            f"AND {visits.when(state)} AND {of_form} AND {visits.OPEN} AND {visits.NOT_RECORDED})"
        )

    def _sql(self, what, rest, *, counted=False, **parameters):
        """The first column of the rows; how many rows there are where they are only to be `counted`."""
        ends = visits.ENDS if any("e.end_date" in condition for condition in self.conditions) else ""
        with connection.cursor() as cursor:
            sql = f"SELECT {what} FROM registry_patient AS p {ends} WHERE {' AND '.join(self.conditions)} {rest}"
            sql = f"SELECT count(*) FROM ({sql}) AS counted" if counted else sql
            cursor.execute(sql, self.parameters | parameters)
            return [patient_id for (patient_id,) in cursor.fetchall()]

    def page(self, after):
        """(the next numbers after `after`, whether there are more)."""
        rest = "AND p.patient_id > %(after)s " if after else ""
        patient_ids = self._sql("p.patient_id", f"{rest}ORDER BY p.patient_id LIMIT {PAGE + 1}", after=after)
        return patient_ids[:PAGE], len(patient_ids) > PAGE

    def count(self):
        """How many there are, counted to one more than COUNTED."""
        return self._sql("", f"LIMIT {COUNTED + 1}", counted=True)[0]


def _unmeant(query):
    """What was typed with its wildcards taken literally."""
    return query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@cache
def _own_in_state(form):
    """SQL: one of the patient's own forms is in %(state)s. A draft in which nothing was answered is not begun."""
    names = [item.name for item in PATIENT_FORMS[form].first_items if not item.identifying]
    begun = " OR ".join(f"p.{name} IS NOT NULL" for name in names)
    keys = ", ".join(f"'{name}'" for name in names)
    begun = f"({begun} OR p.missing ?| ARRAY[{keys}])"
    return f"(p.{PATIENT_FORMS[form].state_column} = %(state)s AND (%(state)s <> '{State.DRAFT}' OR {begun}))"


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
