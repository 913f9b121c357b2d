"""Comparing forms with the source: what is left to compare, and one form field by field."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.db import connection
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import QueryForm, State
from registry.services.follow_up import schedule
from registry.services.monitoring import sampling
from registry.services.monitoring.sampling import LEFT
from registry.services.operations import site_counts
from registry.services.records.storing import Locked
from registry.services.review import verification
from registry.services.review.forms import form_row
from registry.services.review.soft_checks import Form
from registry.services.seen import Unseen
from registry.web.review import list_rows
from registry.web.review.signing import known_form
from registry.web.shared import seen_words, wording
from registry.web.shared.lookup import COUNTED, last_page, names_of, page_in, patient_of
from registry.web.shared.record_words import form_label, form_url, item_label, visit_labels
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50
READ_AT_MOST = 100_000  # forms for one page: of each site and kind as many are read as stand before the page's end


@require_safe
def to_verify(request):
    """Completed forms that are not verified yet, fifty a page, by site, form and patient."""
    request.access.require(Can.VERIFY)
    labels = visit_labels()
    sites = Site.of(request.access.sites_for(Can.VERIFY))
    chosen = {name: request.GET.get(name, "").strip() for name in ("site", "form", "patient", "changed", "plan")}
    plan = sampling.plan()
    wanted = _Wanted(sites, chosen, labels, plan)
    shown = _page(wanted, request.GET.get("page"))
    codes = {site.pk: site.code for site in sites}
    in_address = {name: value for name, value in chosen.items() if value}
    rows = [
        {
            "site": codes[site],
            "patient_id": patient,
            "code": code,
            "form": form_label(Form.of(code, labels), labels),
            "at": at,
            "changed": changed,
            "marks": marks,
            "whole": plan.draws(codes[site], patient, code),
        }
        for site, patient, code, at, marks, changed in shown.rows[:PAGE]
    ]
    return render(
        request,
        "review/to_verify.html",
        {
            "rows": rows,
            "written": list_rows.to_verify(rows, several=len(sites) > 1, by_plan=plan.is_declared),
            "sites": sites if len(sites) > 1 else [],
            "forms": [
                *((form, QueryForm(form).label) for form in LEFT if form != QueryForm.ASSESSMENT),
                *labels.items(),
            ],
            "plan": plan,
            "chosen": chosen,
            "any_filter": bool(in_address),
            "query": urlencode(in_address),
            "count": shown.count,
            "many": shown.count > COUNTED,
            "counted": COUNTED,
            "counted_at": shown.counted_at,
            "number": shown.number,
            "last": max(shown.number, min(last_page(shown.count, PAGE), wanted.deepest)),
            "more": shown.more and shown.number < wanted.deepest,
            "too_many": shown.more and shown.number == wanted.deepest,
        },
    )


@dataclass(frozen=True)
class _Page:
    """A page of the list: its number, its rows and one more where more follow, how many forms there are, and when they
    were counted (None for now)."""

    number: int
    rows: list
    count: int
    counted_at: datetime | None = None

    @property
    def more(self):
        return len(self.rows) > PAGE


def _page(wanted, text):
    """The `_Page` that the address asks for, or the last there is. Its rows say whether more follow: a number that is
    kept may be of some minutes ago, and is counted anew where they tell otherwise.
    """
    number = page_in(text, wanted.deepest)
    rows = wanted.page(number)
    if len(rows) <= PAGE and (rows or number == 1):
        return _Page(number, rows, (number - 1) * PAGE + len(rows))
    count, counted_at = wanted.counted()
    if counted_at and (not rows or count <= number * PAGE):
        count, counted_at = wanted.counted_now(), None
    if not rows:
        number = page_in(text, min(last_page(count, PAGE), wanted.deepest))
        rows = wanted.page(number)
    return _Page(number, rows, count, counted_at)


class _Wanted:
    """The forms left to verify, narrowed by the filters."""

    def __init__(self, sites, chosen, labels, plan):
        form = chosen["form"]
        self.by_plan = plan.is_declared and chosen["plan"] != "all"
        self.is_narrowed = any(chosen[name] for name in ("form", "patient", "changed"))
        kinds = [QueryForm.ASSESSMENT.value] if form in labels else [kind for kind in LEFT if kind == form]
        self.parts = [LEFT[kind] for kind in kinds or LEFT]
        self.parameters = {
            "sites": [site.pk for site in sites if chosen["site"] in ("", site.code)],
            "order": [*FINISHED_FORMS, *labels],
        }
        self.conditions = [sampling.STILL_ASKED if self.by_plan else "true"]
        if self.by_plan:
            self.parameters |= sampling.parameters(plan, sites)
        if form in labels:
            self._narrow("f.form = %(timepoint)s", timepoint=form)
        if chosen["patient"]:
            self._narrow("starts_with(f.patient_id, %(patient)s)", patient=chosen["patient"].upper()[:40])
        if chosen["changed"]:
            self._narrow("jsonb_path_exists(f.verified, '$.*.changed_at')")

    @property
    def deepest(self):
        """The number of the last page that may be asked for; site and form narrow what is read for a page."""
        kinds = max(1, len(self.parameters["sites"]) * len(self.parts))
        return min(last_page(COUNTED, PAGE), max(1, READ_AT_MOST // (kinds * PAGE)))

    def _narrow(self, condition, **parameters):
        self.conditions.append(condition)
        self.parameters |= parameters

    def counted(self):
        """(how many, to one more than COUNTED; when that was, None for now): as the worker keeps it where it can."""
        if site_counts.is_large() and not self.is_narrowed:
            plans, today = schedule.plans(), timezone.localdate()
            counts = site_counts.counts("left_to_verify", self.parameters["sites"], plans, today)
            return sum(asked if self.by_plan else left for asked, left in counts.by_site.values()), counts.at
        return self.counted_now(), None

    def counted_now(self):
        every = " UNION ALL ".join(f"{part} AND site_id = ANY (%(sites)s)" for part in self.parts)
        forms = f"SELECT FROM ({every}) AS {sampling.F} WHERE {' AND '.join(self.conditions)} LIMIT {COUNTED + 1}"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({forms}) AS counted", self.parameters)
            return cursor.fetchone()[0]

    def page(self, number):
        """(site, patient, form, when it changed last, marks, of them before a change) of a page and one more."""
        order = "f.patient_id, array_position(%(order)s::text[], f.form), f.form"
        left = sampling.first_of_each_site(self.parts, " AND ".join(self.conditions), order)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT f.site_id, f.patient_id, f.form, f.updated_at,
                (SELECT count(*) FROM jsonb_each(f.verified)),
                (SELECT count(*) FROM jsonb_each(f.verified) WHERE value ? 'changed_at')
                FROM {left} ORDER BY {order} LIMIT {PAGE + 1} OFFSET %(offset)s""",
                self.parameters | {"offset": (number - 1) * PAGE, "until": number * PAGE + 1},
            )
            return cursor.fetchall()


@require_safe
def verify_next(request):
    """On to the next form that the sampling plan asks about, after the one that is named; to the list where none is."""
    request.access.require(Can.VERIFY)
    sites = Site.of(request.access.sites_for(Can.VERIFY))
    after = request.GET.get("patient", "")[:40], request.GET.get("form", "")[:40]
    next_form = sampling.next_form(sampling.plan(), sites, after)
    if next_form:
        return redirect("verify_form", *next_form)
    messages.info(request, _("No form is left that the sampling plan asks about."))
    return redirect("to_verify")


@require_http_methods(["GET", "POST"])
def verify_form(request, patient_id, form):
    """One form beside the source: tick what agrees. All of it makes the form verified."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.VERIFY, patient.site_id):
        raise Http404
    form_found = form_row(patient, known_form(form))
    if form_found is None:
        raise Http404
    error, unseen = "", None
    if request.method == "POST":
        try:
            error = _mark(request, form_found)
        except Unseen as exception:
            unseen = exception
        if not error and unseen is None:
            messages.success(request, _("Saved."))
            if request.POST.get("all") == "next":
                return redirect(f"{reverse('verify_next')}?{urlencode({'patient': patient.pk, 'form': form})}")
            return redirect("verify_form", patient.pk, form)
    labels, plan = visit_labels(), sampling.plan()
    form_found = form_row(patient_of(request, patient_id), form_found.form)
    return render(
        request,
        "review/verify.html",
        {
            "patient": patient,
            "form_row": form_found,
            "state": form_found.state,
            "title": form_label(form_found.form, labels),
            "form_url": form_url(patient.pk, form_found.form),
            "seen": verification.note(form_found),
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences, [form_found]) if unseen else [],
            "lines": _lines(form_found, plan.wanted(form_found, patient.site.code)),
            "plan": plan,
            "whole": plan.draws(patient.site.code, patient.pk, form_found.form.code),
            "done": sum(verification.is_verified(form_found.row, name) for name in form_found.comparable),
            "open": form_found.state not in (State.DRAFT, State.LOCKED),
            "error": error,
        },
        status=409 if error or unseen else 200,
    )


def _mark(request, form_row):
    """Do what was asked; returns why it could not be done, or nothing. Raises Unseen."""
    columns = request.POST.getlist("column")
    try:
        if "withdraw" in request.POST:
            verification.withdraw(access=request.access, form_row=form_row, columns=[request.POST["withdraw"]])
        else:
            verification.verify(
                access=request.access,
                form_row=form_row,
                columns=form_row.comparable if "all" in request.POST else columns,
                seen=request.POST.get("seen", ""),
            )
    except Locked:
        return _("This form is signed. It must be unlocked before it can change.")
    except verification.NotComplete:
        return _("This form is a draft: it can be verified when it is complete.")
    return ""


def _lines(form_row, wanted):
    """Each field: what is stored, and its comparison with the source."""
    row = form_row.row
    marks = {name: row.verified[name] for name in form_row.comparable if name in row.verified}
    names = names_of([mark["by"] for mark in marks.values()])
    return [
        {
            "name": name,
            "label": item_label(name),
            "value": _shown(row, name),
            "is_wanted": name in wanted,
            "mark": mark_in_words(marks.get(name), names),
            "is_verified": verification.is_verified(row, name),
        }
        for name in form_row.comparable
    ]


def _shown(row, name):
    if name in row.missing:
        return wording.reason(row.missing[name])
    return wording.shown(catalogue.item(name), getattr(row, name))


def mark_in_words(mark, names):
    """{"by", "at", "changed_at"} with moments to show, or None."""
    if mark is None:
        return None
    changed = mark.get("changed_at")
    return {
        "by": names.get(mark["by"], ""),
        "at": parse_datetime(mark["at"]),
        "changed_at": parse_datetime(changed) if changed else None,
    }
