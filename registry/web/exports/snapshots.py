"""Pages of snapshots: freezing the data, the list, one of them, and two side by side.

For those who may freeze or compare: a snapshot is of all sites at once. To everyone else none of this exists.
"""

from functools import wraps

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.analysis.data import packed_snapshots
from registry.exports.jobs import may_see_snapshots
from registry.models import Snapshot
from registry.services.files import snapshots
from registry.web.shared.wording import words
from sites.tenancy.access import Can

PAGE = 50
NOW = "now"  # beside the snapshots: the registry as it is
MOST_CELLS = 200


def for_readers_of_all(view):
    """The view for those who may see snapshots; 404 for everyone else."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if not may_see_snapshots(request.access):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@for_readers_of_all
def snapshot_list(request):
    """The snapshots, newest first, and the form that makes one."""
    label, note, error = request.POST.get("label", ""), request.POST.get("note", ""), ""
    if request.method == "POST":
        try:
            made = packed_snapshots.freeze(access=request.access, label=label, note=note)
        except snapshots.InvalidLabel as invalid:
            error = words(invalid.reason)
        else:
            messages.success(request, _("Frozen: “%(label)s”.") % {"label": made.label})
            return redirect("snapshot", made.pk)
    page = Paginator(Snapshot.objects.select_related("created_by"), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "label": label, "note": note, "error": error, "may_freeze": request.access.may(Can.FREEZE)}
    return render(request, "exports/snapshots/list.html", context, status=422 if error else 200)


@require_safe
@for_readers_of_all
def snapshot_detail(request, snapshot_id):
    snapshot = get_object_or_404(Snapshot.objects.select_related("created_by"), pk=snapshot_id)
    context = {
        "snapshot": snapshot,
        "others": Snapshot.objects.exclude(pk=snapshot.pk),
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
