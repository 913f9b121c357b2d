"""Pages for taking the registry's files out and bringing them in."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from registry.exports import tables
from registry.exports.folder import download_name, zip_blocks
from registry.exports.tables import Selection
from registry.imports import import_files, uploads
from registry.services import wire
from registry.tasks import start_all_outcomes
from sites import audit
from sites.access import Can
from sites.copying import one_moment
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


@require_http_methods(["GET", "POST"])
def import_page(request):
    """Choose the files; they are kept on the server, checked on the next page, and stored only from there."""
    _only_with(request.access, Can.IMPORT)
    error = ""
    uploads.forget_old()
    if request.method == "POST":
        chosen = {file.filename: request.FILES[file.name] for file in wire.FILES if file.name in request.FILES}
        if not chosen:
            error = _("Choose at least one file.")
        elif large := [name for name, upload in chosen.items() if upload.size > uploads.LARGEST]:
            error = _("%(file)s is larger than %(size)s MB. Use the command import_csv on the server.") % {
                "file": large[0],
                "size": uploads.LARGEST // 1_000_000,
            }
        else:
            return redirect("import_report", token=uploads.hold(request.user.pk, chosen))
    context = {"files": wire.FILES, "error": error, "largest": uploads.LARGEST // 1_000_000}
    return render(request, "transfer/import.html", context, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
def import_report(request, token):
    """The report of a dry run; on confirmation, with a reason, the import itself, checked all over again."""
    _only_with(request.access, Can.IMPORT)
    folder = uploads.held(request.user.pk, token)
    if folder is None:
        messages.warning(request, _("These files are not kept any more. Choose them again."))
        return redirect("import")
    reason, update = request.POST.get("reason", "").strip(), request.POST.get("update") == "on"
    error = _("Say why, in a few words.") if request.method == "POST" and not reason else ""
    storing = request.method == "POST" and not error
    report = import_files(
        folder, user_id=request.user.pk, dry_run=not storing, update=storing and update, reason=reason
    )
    if report.stored:
        uploads.discard(request.user.pk, token)
        transaction.on_commit(start_all_outcomes, robust=True)
        new, changed = (sum(getattr(one, name) for one in report.counts.values()) for name in ("new", "changed"))
        messages.success(
            request,
            _("Stored: %(new)s new rows, %(changed)s changed rows.") % {"new": new, "changed": changed},
        )
        return redirect("import")
    context = {"report": report, "token": token, "reason": reason, "update": update, "error": error}
    return render(request, "transfer/report.html", context, status=422 if request.method == "POST" else 200)


@require_POST
def import_discard(request, token):
    """Throw the uploaded files away."""
    _only_with(request.access, Can.IMPORT)
    uploads.discard(request.user.pk, token)
    return redirect("import")
