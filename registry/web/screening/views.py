"""Screening log in the browser: the list with what it counts, a new line, the correction of one, the whole as CSV."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.analysis.presentation.screening import steps_in_language
from registry.instruments.core import screening as declared
from registry.models import ScreeningEntry
from registry.services.files.file_formats import guarded
from registry.services.follow_up import schedule
from registry.services.operations import site_counts
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.services.study import screening
from registry.web.shared import questions, wording
from registry.web.shared.filters import Filter, chips, codes
from registry.web.shared.lookup import names_of
from registry.web.shared.transfers import csv_answer
from sites import audit
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50
ITEMS = {item.name: item for item in screening.ITEMS}


def _sites(request, ability):
    return Site.of(request.access.sites_for(ability))


def _filters(request, sites):
    outcomes = [(choice.code, capfirst(wording.words(choice.label))) for choice in declared.OUTCOMES]
    offered = [("outcome", _("Outcome"), outcomes)]
    if len(sites) > 1:
        offered.insert(0, ("site", _("Site"), [(site.code, str(site)) for site in sites]))
    return [Filter(name, label, options, request.GET.get(name, "")) for name, label, options in offered]


def _narrowed(sites, chosen):
    wanted = [site.pk for site in sites if chosen.get("site") in (None, site.code)]
    rows = ScreeningEntry.objects.filter(site_id__in=wanted)
    return rows.filter(screen_outcome=chosen["outcome"]) if "outcome" in chosen else rows


@require_safe
def log(request):
    """The lines of the sites that one may read, the newest first, below what they count."""
    request.access.require(Can.READ)
    sites = _sites(request, Can.READ)
    filters = _filters(request, sites)
    chosen = codes(filters)
    rows = _narrowed(sites, chosen).select_related("site")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    enrolled = site_counts.counts("enrolled", [site.pk for site in sites], schedule.plans(), timezone.localdate())
    enters, labels = set(request.access.sites_for(Can.ENTER)), _criteria()
    return render(
        request,
        "screening/log.html",
        {
            "page": page,
            "lines": [_line(row, labels, row.site_id in enters) for row in page],
            "steps": _steps([site.pk for site in sites if chosen.get("site") in (None, site.code)], enrolled),
            "counted_at": enrolled.at,
            "several": len(sites) > 1,
            "filters": filters,
            "chips": chips(filters, chosen),
            "any_filter": bool(chosen),
            "query": urlencode(chosen),
            "may_export": request.access.may(Can.EXPORT),
        },
    )


def _steps(site_ids, enrolled):
    n = sum(enrolled.by_site[site_id][0] for site_id in site_ids if site_id in enrolled.by_site)
    return steps_in_language(screening.of_sites(site_ids).steps(n), get_language() or "en")


def _criteria():
    return {choice.code: wording.words(choice.label) for choice in screening.criteria()}


def _line(row, criteria, may_enter):
    reason = capfirst(wording.shown(ITEMS["screen_reason"], row.screen_reason)) if row.screen_reason else ""
    if row.screen_criterion:
        reason = f"{row.screen_criterion}: {criteria.get(row.screen_criterion, '')}".rstrip(": ")
    return {
        "row": row,
        "sex": capfirst(wording.shown(ITEMS["screen_sex"], row.screen_sex)) if row.screen_sex else "–",
        "outcome": capfirst(wording.shown(ITEMS["screen_outcome"], row.screen_outcome)),
        "reason": reason,
        "may_enrol": may_enter and screening.may_be_enrolled(row),
    }


@require_http_methods(["GET", "POST"])
def new(request):
    """A further line in the log of a site."""
    request.access.require(Can.ENTER)
    sites, errors = _sites(request, Can.ENTER), {}
    chosen = [site for site in sites if len(sites) == 1 or str(site.pk) == request.POST.get("site")]
    site = chosen[0] if chosen else None
    if request.method == "POST":
        errors = _add(request, site)
        if not errors:
            return redirect("screening")
    values = {name: request.POST.get(name, "") for name in ITEMS}
    if request.method != "POST":
        values["screened_on"] = timezone.localdate().isoformat()
    return _form(request, None, values, errors, {"sites": sites, "site_id": request.POST.get("site", "")})


def _add(request, site):
    if site is None:
        return {"site": [_("Choose the site.")]}
    try:
        row = screening.add(access=request.access, site=site, raw=_raw(request), today=timezone.localdate())
    except InvalidAnswers as error:
        return wording.all_said(error.errors, ITEMS.get)
    messages.success(request, _("Line %(number)s of the log is saved.") % {"number": row.number})
    return {}


def _raw(request):
    return {name: request.POST.get(name, "").strip() for name in ITEMS}


@require_http_methods(["GET", "POST"])
def entry(request, screening_id):
    """One line: what is stored, and its correction, for the site's own people."""
    rows = ScreeningEntry.objects.filter(site_id__in=request.access.sites_for(Can.READ)).select_related("site")
    row, errors, conflict = get_object_or_404(rows, pk=screening_id), {}, False
    if request.method == "POST":
        request.access.require(Can.ENTER, row.site_id)
        errors, conflict = _correct(request, row)
        if not errors and not conflict:
            messages.success(request, _("Saved."))
            return redirect("screening")
        row = rows.get(pk=screening_id)
    stored = {name: questions.typed(getattr(row, name)) for name in ITEMS}
    values = {name: request.POST.get(name, "") for name in ITEMS} if errors else stored
    return _form(request, row, values, errors, {"conflict": conflict, "reason": request.POST.get("reason", "")})


def _correct(request, row):
    """(errors by field, whether somebody else was first)."""
    post = request.POST
    raw = _raw(request) | ({"screen_outcome": declared.IN_ERROR} if "in_error" in post else {})
    try:
        screening.correct(
            access=request.access,
            entry=row,
            raw=raw,
            version=questions.version_in(post) or 0,  # a page that shows none has seen none
            reason=post.get("reason", "").strip()[:300],
            today=timezone.localdate(),
        )
    except InvalidAnswers as error:
        return wording.all_said(error.errors, ITEMS.get), False
    except ReasonRequired:
        return {"reason": [_("Say why this is corrected.")]}, False
    except Conflict:
        return {}, True
    return {}, False


def _form(request, row, values, errors, more):
    offered = [ITEMS[name] for name in ITEMS if name != "screen_criterion"]
    status = 409 if more.get("conflict") else 422 if errors else 200
    return render(
        request,
        "screening/entry.html",
        {
            "row": row,
            "questions": [questions.question(item, values, {}, errors) for item in offered],
            "criteria": [(code, f"{code}: {text}") for code, text in _criteria().items()],
            "criterion": values["screen_criterion"],
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
            "may_enter": row is None or request.access.may(Can.ENTER, row.site_id),
            "by": names_of([row.updated_by_id]).get(row.updated_by_id, "") if row else "",
            "outcome": capfirst(wording.shown(ITEMS["screen_outcome"], row.screen_outcome)) if row else "",
            "in_error": declared.IN_ERROR,
        }
        | more,
        status=status,
    )


HEADER = ("site_code", "number", *ITEMS, "patient_id")


@require_safe
def csv_file(request):
    """The log of the sites that one may read, narrowed as the page is, as one file; taking it is on record."""
    request.access.require(Can.EXPORT)
    sites = _sites(request, Can.READ)
    chosen = codes(_filters(request, sites))
    rows = list(_narrowed(sites, chosen).select_related("site").order_by("site__code", "number"))
    audit.record_for_sites("screening_exported", {row.site_id for row in rows}, detail={"rows": len(rows)})
    return csv_answer(f"metaspine-screening-{timezone.localdate()}.csv", HEADER, [[_cells(row) for row in rows]])


def _cells(row):
    answers = ("" if getattr(row, name) is None else str(getattr(row, name)) for name in ITEMS)
    return row.site.code, row.number, *map(guarded, answers), row.patient_id or ""
