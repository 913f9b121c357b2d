"""The comparison pages: runs, a new run, one run with its answer, flow, figures, tables and downloads.

For those who may compare; to everyone else none of these addresses exists.
"""

import tempfile
from itertools import groupby
from operator import attrgetter

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.analysis.design import cohorts, plans
from registry.analysis.design import errors as design_errors
from registry.analysis.documents import bundle, files, rendered_cache
from registry.analysis.presentation import narrative
from registry.analysis.presentation import tables as presentation
from registry.analysis.presentation.words import Words
from registry.analysis.reports import published_study
from registry.analysis.running import runs
from registry.analysis.running.versions import product_version
from registry.instruments import levels
from registry.models import ComparisonRun
from registry.tasks import repeat_comparison, start_comparison
from registry.web.cohorts.forms import address_of
from registry.web.comparison.figure_sections import sections
from registry.web.comparison.forms import ComparisonForm
from registry.web.comparison.planning.plan_builder import is_of_sections
from registry.web.comparison.stages import seconds_left, stage_label
from registry.web.comparison.words import described, failure
from registry.web.shared.drawing.flow_diagram import diagram, lists
from registry.web.shared.gates import for_comparing
from registry.web.shared.lookup import uuid_in
from sites import audit
from sites.models import Site
from sites.moments import day_of
from sites.tenancy.access import Can
from sites.tenancy.scope import everything

PAGE = 50
BUNDLE = "bundle"  # beside the formats of a result: the result with its data
LISTED = 8  # tables that the contents of the page name beside each other; more of them are opened by their part
UNDER_WAY = (ComparisonRun.Status.QUEUED, ComparisonRun.Status.RUNNING)


@require_safe
@for_comparing
def run_list(request):
    without_results = ComparisonRun.objects.defer("result").select_related("requested_by", "frozen")
    page = Paginator(without_results.order_by("-requested_at", "pk"), PAGE).get_page(request.GET.get("page"))
    rows = [(run, described(run)) for run in page]
    return render(
        request, "comparison/list.html", {"page": page, "rows": rows, "published": published_study.of_registry()}
    )


@for_comparing
def new(request):
    """The form of a new comparison; a run named by `from` fills it in."""
    earlier = ComparisonRun.objects.filter(Q(pk=uuid_in(request.GET.get("from")))).first()
    if request.method != "POST" and earlier and is_of_sections(earlier.plan):
        return redirect(f"{reverse('comparison_plan_new')}?run={earlier.pk}")
    if earlier and (gone := _unreadable(earlier)):
        messages.error(request, gone)
        earlier = None
    form = ComparisonForm(
        request.POST or None,
        earlier=earlier,
        saved=request.GET.get("saved"),
        snapshot=uuid_in(request.GET.get("snapshot")),
    )
    if request.method == "POST" and form.is_valid():
        frozen = form.cleaned_data["snapshot"]
        started = start_comparison(access=request.access, plan=form.plan, cohort=form.cohort, frozen=frozen)
        return redirect("comparison_run", started.pk)
    return render(request, "comparison/new.html", {"form": form}, status=422 if form.errors else 200)


def _unreadable(run):
    """Why a run's request can no longer be made: the study has ceased to collect what it names. "" where it can."""
    try:
        plans.from_json(run.plan), cohorts.from_json(run.cohort)
    except ValueError as error:
        return design_errors.sentence(error, get_language() or "en")
    return ""


@require_safe
@for_comparing
def run(request, run_id):
    comparison = get_object_or_404(
        ComparisonRun.objects.defer("result").select_related("requested_by", "frozen"), pk=run_id
    )
    context = {
        "run": comparison,
        "asked": described(comparison),
        "under_way": comparison.status in UNDER_WAY,
        "stage": stage_label(comparison),
    }
    context |= {"seconds_left": seconds_left(comparison), "failure": failure(comparison), "before": _before(comparison)}
    if comparison.status == ComparisonRun.Status.DONE:
        bundle = BUNDLE if request.access.may(presentation.SEES_EVERY_NUMBER) else None
        context["result"] = _rendered(comparison, bundle, request.access.may(Can.READ))
    return render(request, "comparison/run.html", context)


def _before(comparison):
    """The newest finished run of the same cohort before this one: what there is to compare a rerun with."""
    same = ComparisonRun.objects.filter(status=ComparisonRun.Status.DONE, cohort__name=comparison.cohort["name"])
    return same.filter(requested_at__lt=comparison.requested_at).only("pk").order_by("-requested_at").first()


def _rendered(comparison, bundle, listing):
    """What a finished run shows, rendered once for all who ask: a result never changes, and composing it takes long."""
    language = get_language() or "en"
    asked = f"{comparison.pk}:{language}:{bundle}:{listing}"
    key = f"comparison:{product_version()}:{asked}:{settings.SYNTHETIC}:{settings.SMALL_CELLS}"
    html = None if settings.DEBUG else cache.get(key)
    if html is None:
        result = presentation.shown(runs.result_of(comparison))
        shown = (
            _shown(result, language)
            | _flow(comparison, result, language, listing)
            | {"run": comparison, "bundle": bundle}
        )
        html = render_to_string("comparison/result.html", shown)
        cache.set(key, html, rendered_cache.DAY)
    return mark_safe(html)  # noqa: S308 - a template's own output, escaped there


def _flow(comparison, result, language, listing):
    """The diagram from enrolled to analysed; its numbers are links for those who may see records."""
    try:
        query = address_of(cohorts.from_json(comparison.cohort).steps)
    except (KeyError, ValueError):  # a step that the pages do not ask for
        query = None
    flow = presentation.flow(result, language)
    linked = listing and query is not None
    link = lists(query, run=comparison.pk) if linked else lambda step: None
    groups = [
        (
            name,
            result.cohort.groups[code],
            lists(query, run=comparison.pk, group=code)("analysed") if linked else None,
        )
        for code, name in Words(result, language).groups.items()
    ]
    return {
        "diagram": diagram(flow, groups, link, _("Excluded: {reason}"), Words(result, language).before()),
        "by_site": presentation.by_site(result, language),
        "cohort_query": query,
    }


def _shown(result, language):
    tables = [table for table in presentation.tables(result, language) if table.code != "flow"]
    return {
        "answer": narrative.answer(result, language),
        "tables": tables,
        "parts": _parts(tables),
        "methods": narrative.methods(result, language),
        "method": result.method,
        "rule": levels.SegmentRule.of_version(result.method.segment_rule).in_words.in_language(language),
        "formats": list(files.FORMATS),
        **sections(result, language),
    }


def _parts(tables):
    """(part, tables) of the page's contents, those that every plan has first; none where all links fit in a line."""
    if len(tables) <= LISTED:
        return []
    return [(part, list(group)) for part, group in groupby(tables, attrgetter("part"))]


@require_safe
@for_comparing
def progress(request, run_id):
    """How far a run is, for the page to poll; asks the page to load anew once the run has ended."""
    comparison = get_object_or_404(ComparisonRun.objects.defer("result"), pk=run_id)
    context = {
        "run": comparison,
        "stage": stage_label(comparison),
        "seconds_left": seconds_left(comparison),
    }
    response = render(request, "comparison/progress.html", context)
    if comparison.status not in UNDER_WAY:
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_comparing
def cancel(request, run_id):
    runs.cancel(access=request.access, run=get_object_or_404(ComparisonRun.objects.defer("result"), pk=run_id))
    return redirect("comparison_run", run_id)


@require_POST
@for_comparing
def again(request, run_id):
    repeated = repeat_comparison(access=request.access, run=get_object_or_404(ComparisonRun, pk=run_id))
    return redirect("comparison_run", repeated.pk)


@require_safe
@for_comparing
def download(request, run_id, format):
    """The result as a file. What it tells is of groups, yet leaving the registry is recorded."""
    comparison = get_object_or_404(ComparisonRun, pk=run_id)
    result = runs.result_of(comparison)
    if result is not None and format == BUNDLE:
        return _bundle(request, comparison)
    if result is None or format not in files.FORMATS:
        raise Http404
    if format == "json":
        result = presentation.for_reader(result, request.access)
    content = rendered_cache.file_of(comparison.pk, result, format, get_language() or "en")
    audit.record(
        "comparison_downloaded", table=ComparisonRun._meta.db_table, row_id=comparison.pk, detail={"format": format}
    )
    return HttpResponse(
        content,
        content_type=files.CONTENT_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{file_name(comparison, format)}"'},
    )


def file_name(comparison, format):
    return f"comparison-{day_of(comparison.requested_at):%Y%m%d}-{str(comparison.pk)[:8]}.{format}"


def _bundle(request, comparison):
    """The result with its data, patient by patient: for those who may also export, and recorded as an export."""
    if not request.access.may(presentation.SEES_EVERY_NUMBER):
        raise Http404
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        with everything(user_id=request.access.user_id, reason=f"bundle of comparison {comparison.pk}"):
            patients = bundle.write_run(file, comparison)
    except bundle.DataChanged:
        messages.warning(request, _("The data have changed since. Run the comparison again to get its bundle."))
        return redirect("comparison_run", comparison.pk)
    detail = {"patients": patients, "identified": False}
    audit.record_for_sites(
        "export",
        Site.objects.values_list("pk", flat=True),
        table=ComparisonRun._meta.db_table,
        row_id=comparison.pk,
        detail=detail,
    )
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=file_name(comparison, "zip"), content_type="application/zip")
