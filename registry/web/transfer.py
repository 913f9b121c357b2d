"""Pages for taking the registry's files out."""

from django.http import Http404, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from registry.exports import tables
from registry.exports.folder import download_name, zip_blocks
from registry.exports.tables import Selection, one_moment
from registry.services import wire
from sites import audit
from sites.access import Can
from sites.scope import current, entered

PREVIEW_ROWS = 5
ZIP = "zip"


def _only_with(access, ability):
    """What someone may not open does not exist for them."""
    if not access.may(ability):
        raise Http404


def _identified_sites(access):
    """Ids of the sites whose identifiers the person may take out: own sites, never the coordinating centre's."""
    return tuple(set(access.sites_for(Can.EXPORT)).intersection(access.sites_for(Can.IDENTIFY)))


def _selection(access, identified):
    if identified:
        return Selection(_identified_sites(access), identified=True)
    return Selection(access.sites_for(Can.EXPORT))


@require_GET
def export_page(request):
    """What would be exported: rows, columns, first rows; and the buttons that send it."""
    _only_with(request.access, Can.EXPORT)
    selection = _selection(request.access, identified=False)
    previews = []
    for file in wire.FILES:
        header, rows = tables.preview(file, selection, PREVIEW_ROWS)
        previews.append({"file": file, "rows": tables.count(file, selection), "header": header, "first": rows})
    context = {"previews": previews, "may_identify": bool(_identified_sites(request.access))}
    return render(request, "transfer/export.html", context)


@require_POST
def export_download(request):
    """One file, or all in a zip archive, streamed while it is read; with identifiers for the person's own sites."""
    _only_with(request.access, Can.EXPORT)
    identified = request.POST.get("identified") == "on"
    selection = _selection(request.access, identified)
    if identified and not selection.sites:
        raise Http404
    wanted = request.POST.get("what")
    file = next((file for file in wire.FILES if file.name == wanted), None)
    if file is None and wanted != ZIP:
        raise Http404
    rows = {one.name: tables.count(one, selection) for one in (wire.FILES if file is None else [file])}
    audit.record(
        "export",
        site_id=selection.sites[0] if len(selection.sites) == 1 else None,
        detail={"rows": rows, "identified": identified, "sites": len(selection.sites)},
    )
    if file is None:
        name, kind = f"metaspine-{timezone.localdate()}.zip", "application/zip"
        stream = _streamed(lambda: zip_blocks(selection, rows))
    else:
        name, kind = file.filename, "text/csv; charset=utf-8"
        stream = _streamed(lambda: tables.blocks(file, selection))
    return StreamingHttpResponse(
        stream,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{download_name(name)}"', "Cache-Control": "no-store"},
    )


def _streamed(blocks):
    """The blocks, read when the response is sent: then the request's transaction is over, so this opens its own."""
    scope = current()

    def stream():
        with entered(scope), one_moment():
            yield from blocks()

    return stream()
