"""The figures and the EQ-5D report of a comparison as files."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from registry.analysis.documents import eq5d_tables
from registry.analysis.documents.rendered_cache import DAY, drawn_once
from registry.analysis.figures import drawings
from registry.analysis.presentation import tables as presentation
from registry.analysis.running import runs
from registry.models import ComparisonRun
from registry.web.shared.gates import for_comparing
from sites import audit

# An SVG brings its own style; the pages' policy would refuse it where somebody opens the file by itself.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@require_safe
@for_comparing
def figure(request, run_id, code, format):
    """One figure as SVG, PNG, PDF or its numbers as CSV; with `?download` as a file to keep, which is recorded."""
    if format not in drawings.FORMATS:
        raise Http404
    language = _language(request)
    get_object_or_404(ComparisonRun.objects.only("pk"), pk=run_id, status=ComparisonRun.Status.DONE)
    try:
        content = drawn_once(run_id, None, code, format, language)
    except KeyError:
        raise Http404 from None
    response = HttpResponse(content, content_type=drawings.FORMATS[format])
    # A result never changes.
    response["Cache-Control"] = f"private, max-age={DAY}"
    if format == "svg":
        response["Content-Security-Policy"] = SVG_POLICY
    return _kept(request, response, run_id, code, format)


def _language(request):
    """That of the address, so that a browser keeps one drawing for each; otherwise that of the page."""
    asked = request.GET.get("language")
    return asked if asked in dict(settings.LANGUAGES) else get_language() or "en"


def _kept(request, response, run_id, code, format):
    if "download" not in request.GET:
        return response
    audit.record(
        "comparison_downloaded",
        table=ComparisonRun._meta.db_table,
        row_id=run_id,
        detail={"figure": code, "format": format},
    )
    name = f"comparison-{str(run_id)[:8]}-{code}.{format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
@for_comparing
def eq5d_table(request, run_id, code):
    """One table of the EQ-5D report as CSV, at full precision."""
    comparison = get_object_or_404(ComparisonRun, pk=run_id, status=ComparisonRun.Status.DONE)
    result = presentation.shown(runs.result_of(comparison))
    tables = {table.code: table for table in eq5d_tables.numbers(result, get_language() or "en")}
    if code not in tables:
        raise Http404
    response = HttpResponse(tables[code].csv(), content_type="text/csv; charset=utf-8")
    return _kept(request, response, run_id, f"eq5d-{code}", "csv")
