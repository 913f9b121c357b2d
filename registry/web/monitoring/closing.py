"""Closing answered queries: twenty on one page, each with its answer, what stood there when it was asked, and now."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from registry.models import Patient, Query, QueryState
from registry.services.records.cleaning import InvalidAnswers
from registry.services.review import queries
from registry.services.review.closing import close_each, when_asked
from registry.web.review.query_words import lines
from registry.web.shared import seen_words, wording
from sites.models import Site
from sites.tenancy.access import Can

AT_ONCE = 20


@require_http_methods(["GET", "POST"])
def close_queries(request):
    """The answered queries of one's sites, the oldest first; POST closes those that are ticked."""
    request.access.require(Can.QUERY)
    errors = []
    if request.method == "POST":
        errors = _close(request)
        if not errors:
            return redirect(request.get_full_path())
    sites = Site.of(request.access.sites_for(Can.QUERY))
    chosen = request.GET.get("site", "")
    of_sites = [site.pk for site in sites if chosen in ("", site.code)]
    waiting = Query.objects.visible_to(request.access).filter(site_id__in=of_sites, state=QueryState.ANSWERED)
    rows = waiting.select_related("site").order_by("changed_at", "pk")[:AT_ONCE]
    return render(
        request,
        "monitoring/close_queries.html",
        {
            "lines": [_shown(line) for line in lines(rows, threads=True)],
            "count": waiting.order_by().count(),
            "sites": sites if len(sites) > 1 else [],
            "chosen": chosen,
            "errors": errors,
            "text": request.POST.get("text", ""),
        },
        status=422 if errors else 200,
    )


def _shown(line):
    """A query with its answers when it was asked and now, the version of its record, and the note of this page."""
    query = line.query
    patient, row = Patient.objects.get(pk=query.patient_id), queries.row_of(query)
    now = queries.answers_about(query, patient, row)
    asked = when_asked(query, row, now) if query.rule is None else query.seen
    line.seen = queries.note(query, patient, row)
    line.answers = [
        (seen_words.answer_label(name), seen_words.in_words(name, asked.get(name)), seen_words.in_words(name, value))
        for name, value in now.items()
    ]
    line.version = row.version if row is not None else None
    return line


def _close(request):
    """Close what is ticked, or the `only` one; returns why nothing was done, in words. What changed meanwhile stays."""
    ids = [key for key in request.POST.getlist("query") if key.isdecimal() and len(key) < 18]
    ticked = set(request.POST.getlist("only") or request.POST.getlist("close"))
    notes = dict(zip(ids, request.POST.getlist("seen"), strict=False))
    answered = Query.objects.visible_to(request.access).filter(
        pk__in=[key for key in ids if key in ticked], site_id__in=request.access.sites_for(Can.QUERY)
    )
    chosen = [(query, notes.get(str(query.pk), "")) for query in answered]
    if not chosen:
        return [_("Tick the queries to close.")]
    try:
        outcomes = close_each(access=request.access, chosen=chosen, text=request.POST.get("text", ""))
    except InvalidAnswers as error:
        return [wording.words(reason) for reason in error.errors["text"]]
    closed = sum(outcome.closed for outcome in outcomes)
    if closed:
        message = ngettext("%(n)s query was closed.", "%(n)s queries were closed.", closed) % {"n": closed}
        messages.success(request, message)
    if left := len(outcomes) - closed:
        message = ngettext(
            "%(n)s query changed since you opened the page and was not closed.",
            "%(n)s queries changed since you opened the page and were not closed.",
            left,
        )
        messages.warning(request, message % {"n": left})
    return []
