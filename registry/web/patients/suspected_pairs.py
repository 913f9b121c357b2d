"""Pairs of records of two sites that may be one patient: the data manager's list, and the decision about one."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue
from registry.models import Patient, SuspectedPair
from registry.models.records.moves import LONGEST_REASON
from registry.services.entry import suspected_pairs
from registry.services.records.storing import Conflict, ReasonRequired
from registry.web.shared import wording
from sites.confirming import confirmed
from sites.tenancy.access import Can

PAGE = 50
SHOWN = ("sex", "consent_date", "surgery_date", "primary_tumour", "vital_status", "death_date")


def _of(access):
    sites = access.sites_for(Can.RECONCILE)
    pairs = SuspectedPair.objects.filter(first_site_id__in=sites, second_site_id__in=sites)
    return pairs.select_related("first_site", "second_site", "decided_by")


@require_safe
def pairs(request):
    """What waits first, then what was decided, newest first."""
    request.access.require(Can.RECONCILE)
    waits = request.GET.get("state") != "decided"
    rows = _of(request.access)
    rows = rows.filter(state="open").order_by("pk") if waits else rows.exclude(state="open").order_by("-decided_at")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "patients/suspected_pairs.html", {"page": page, "waits": waits})


@require_http_methods(["GET", "POST"])
@confirmed
def pair(request, pair_id):
    """Two records side by side, without identifiers, and whether they are one patient."""
    request.access.require(Can.RECONCILE)
    asked = get_object_or_404(_of(request.access), pk=pair_id)
    errors, conflict = {}, False
    if request.method == "POST":
        errors, conflict = _decide(request, asked)
        if not errors and not conflict:
            messages.success(request, _("The decision is on record."))
            return redirect(_onwards(request, asked))
    known = {row.pk: row for row in Patient.objects.filter(pk__in=[asked.first, asked.second])}
    context = {
        "pair": asked,
        "lines": [
            (_label(name), *(_shown(known.get(number), name) for number in (asked.first, asked.second)))
            for name in SHOWN
        ],
        "decision": request.POST.get("decision", ""),
        "reason": request.POST.get("reason", ""),
        "longest": LONGEST_REASON,
        "conflict": conflict,
        "errors": errors,
        "summary": [(name, text) for name, texts in errors.items() for text in texts],
    }
    return render(request, "patients/suspected_pair.html", context, status=409 if conflict else 422 if errors else 200)


def _onwards(request, asked):
    """To the merge of the two, where they are one patient; else to what waits."""
    if request.POST.get("decision") == SuspectedPair.State.ONE:
        return f"{reverse('merge_patients', args=[asked.first])}?{urlencode({'with': asked.second})}"
    return "suspected_pairs"


def _decide(request, asked):
    """(errors by field, whether somebody else has decided meanwhile)."""
    decision = request.POST.get("decision", "")
    if decision not in (SuspectedPair.State.ONE, SuspectedPair.State.TWO):
        return {"decision": [_("Choose one of them.")]}, False
    try:
        suspected_pairs.decide(access=request.access, pair=asked, state=decision, reason=request.POST.get("reason", ""))
    except ReasonRequired:
        return {"reason": [_("Say how you know.")]}, False
    except Conflict:
        return {}, True
    return {}, False


def _label(name):
    return capfirst(wording.words(catalogue.item(name).label))


def _shown(patient, name):
    if patient is None:
        return wording.NOTHING
    return wording.stored(catalogue.item(name), patient)
