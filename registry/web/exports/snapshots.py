"""Pages of snapshots: freezing the data, the list, one of them, and two side by side.

For those who may freeze or compare: a snapshot is of all sites at once. To everyone else none of this exists.
"""

from datetime import timedelta
from functools import wraps

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.analysis.data import packed_snapshots
from registry.analysis.running import freezing
from registry.exports.jobs import may_see_snapshots
from registry.models import Freezing, Snapshot
from registry.services.files import snapshots
from registry.services.jobs import why_failed
from registry.tasks import repeat_freezing, send
from registry.web.shared.wording import words
from sites.tenancy.access import Can

PAGE = 50
NOW = "now"  # beside the snapshots: the registry as it is
MOST_CELLS = 200
SHOWN_FOR = timedelta(days=7)  # what came to nothing
STAGES = {
    "tables": gettext_lazy("Freezing the tables"),
    "columns": gettext_lazy("Packing what comparisons read"),
}


def for_readers_of_all(view):
    """The view for those who may see snapshots; 404 for everyone else."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if not may_see_snapshots(request.access):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@transaction.non_atomic_requests
@for_readers_of_all
def snapshot_list(request):
    """The snapshots, newest first, and the form that makes one: of a small registry at once, otherwise by a worker."""
    label, note, error = request.POST.get("label", ""), request.POST.get("note", ""), ""
    if request.method == "POST":
        try:
            return _freeze(request, label, note)
        except snapshots.InvalidLabel as invalid:
            error = words(invalid.reason)
    with transaction.atomic():
        page = Paginator(Snapshot.objects.select_related("created_by"), PAGE).get_page(request.GET.get("page"))
        context = {"page": page, "label": label, "note": note, "error": error}
        context |= {"may_freeze": request.access.may(Can.FREEZE), "waiting": _without_snapshot()}
        return render(request, "exports/snapshots/list.html", context, status=422 if error else 200)


def _without_snapshot():
    """The freezings that are under way, and those that failed or were cancelled lately."""
    since = timezone.now() - SHOWN_FOR
    return [asked for asked in freezing.without_snapshot()[:PAGE] if _is_under_way(asked) or asked.finished_at > since]


def _is_under_way(asked):
    return asked.status in freezing.UNDER_WAY


def _freeze(request, label, note):
    with transaction.atomic():
        asked = freezing.request(access=request.access, label=label, note=note)
        if not freezing.is_small():
            send(asked)
            return redirect("snapshot", asked.pk)
    freezing.perform(asked.pk, reporting=False)  # outside of a transaction: it sees one moment in its own
    with transaction.atomic():
        if Snapshot.objects.filter(pk=asked.pk).exists():
            messages.success(request, _("Frozen: “%(label)s”.") % {"label": asked.label})
    return redirect("snapshot", asked.pk)


def _asked(freezing_id):
    return get_object_or_404(Freezing.objects.select_related("requested_by"), pk=freezing_id)


def _progress(asked):
    queued = asked.status == Freezing.Status.QUEUED
    return {
        "asked": asked,
        "under_way": _is_under_way(asked),
        "stage": _("Waiting for a worker") if queued else STAGES.get(asked.stage, _("Starting")),
        "failed": why_failed(asked.error),
    }


@require_safe
@for_readers_of_all
def snapshot_progress(request, snapshot_id):
    """How far a freezing is, for the page to poll; asks the page to load anew once it has ended."""
    asked = _asked(snapshot_id)
    response = render(request, "exports/snapshots/progress.html", _progress(asked))
    if not _is_under_way(asked):
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_readers_of_all
def snapshot_cancel(request, snapshot_id):
    freezing.cancel(access=request.access, freezing=_asked(snapshot_id))
    return redirect("snapshot", snapshot_id)


@require_POST
@for_readers_of_all
def snapshot_again(request, snapshot_id):
    """Freeze once more what was cancelled or failed, as the registry is by then."""
    try:
        repeat_freezing(access=request.access, asked=_asked(snapshot_id))
    except snapshots.InvalidLabel as invalid:
        messages.error(request, words(invalid.reason))
    return redirect("snapshot", snapshot_id)


@require_safe
@for_readers_of_all
def snapshot_detail(request, snapshot_id):
    """A snapshot; while there is none, how far its freezing is or why it came to nothing."""
    snapshot = Snapshot.objects.select_related("created_by").filter(pk=snapshot_id).first()
    if snapshot is None:
        context = _progress(_asked(snapshot_id)) | {"may_freeze": request.access.may(Can.FREEZE)}
        return render(request, "exports/snapshots/freezing.html", context)
    context = {
        "snapshot": snapshot,
        "runs": snapshot.runs.defer("result").select_related("requested_by")[:PAGE],
    }
    return render(request, "exports/snapshots/snapshot.html", context)


@require_POST
@for_readers_of_all
def snapshot_verify(request, snapshot_id):
    """Compute the hash of everything again and say whether it is the one that was kept."""
    snapshot = get_object_or_404(Snapshot, pk=snapshot_id)
    if packed_snapshots.verify(snapshot):
        messages.success(request, _("Every cell is as it was frozen: the hash is the same."))
    else:
        messages.error(request, _("The hash differs: the snapshot is not what it was. Tell the operator."))
    return redirect("snapshot", snapshot.pk)


@require_safe
@for_readers_of_all
def snapshot_compare(request):
    """What was added, changed and removed between two snapshots, or between one and the registry as it is."""
    before, after = _chosen(request.GET.get("before")), _chosen(request.GET.get("after") or NOW)
    context = {"known": Snapshot.objects.all(), "before": before, "after": after, "now": NOW}
    if before is not None and after is not None:
        context["differences"] = _differences(before, after)
    return render(request, "exports/snapshots/compare.html", context)


def _chosen(text):
    """A Snapshot, NOW, or None for neither."""
    if text == NOW:
        return NOW
    try:
        return snapshots.get(text) if text else None
    except snapshots.NotIntact:
        return None


def _differences(before, after):
    with transaction.atomic():
        first, second = (snapshots.source_of(None if code == NOW else code) for code in (before, after))
        return snapshots.differences(first, second, MOST_CELLS)
