"""Pages for taking data out: choices with a preview, exports under way and done, and the registry's own files."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.analysis.design import cohorts
from registry.exports import choices as asked
from registry.exports import jobs, presets
from registry.exports.choices import InvalidChoices
from registry.exports.data import tables
from registry.exports.data.tables import Selection
from registry.exports.folder import download_name, zip_blocks
from registry.exports.http_range import resumable
from registry.exports.streaming import streamed
from registry.models import Export
from registry.services.files import file_formats
from registry.services.jobs import why_failed
from registry.tasks import export_preview, send
from registry.web.exports.forms import ExportForm
from registry.web.shared.lookup import number_in
from registry.web.shared.wording import words
from sites import audit
from sites.tenancy.access import Can

ZIP = "zip"
RECENT = 8  # exports told on the page


def _only_with(access, ability):
    """What someone may not open does not exist for them."""
    if not access.may(ability):
        raise Http404


@require_safe
def export_page(request):
    """The choices, and what would be exported with them: rows, columns, first rows. htmx asks for the preview alone."""
    _only_with(request.access, Can.EXPORT)
    chosen = "format" in request.GET
    preset = None if chosen else _preset(request)
    form = ExportForm(
        request.access,
        request.GET if chosen else None,
        snapshot=request.GET.get("snapshot", ""),
        preset=preset,
    )
    choices, faults = _chosen(form, chosen)
    context = {"form": form, "preset": preset, "preset_faults": faults, "preset_name": preset.name if preset else ""}
    context |= _previewed(request.access, choices) if choices else {}
    if request.headers.get("HX-Request"):
        return render(request, "exports/export_preview.html", context | {"alone": True})
    if form.is_bound and form.errors:
        return _not_valid(request, form)
    return render(request, "exports/export.html", context | _beside(request.access))


def _beside(access):
    """What the page has beside the choices and their preview."""
    return {
        "files": file_formats.FILES,
        "may_identify": bool(_identified_sites(access)),
        "exports": jobs.of(access)[:RECENT],
        "presets": [(preset, presets.may_remove(access, preset)) for preset in presets.of(access)],
    }


def _not_valid(request, form):
    context = {"form": form, "preset_name": request.POST.get("name", "")} | _beside(request.access)
    return render(request, "exports/export.html", context, status=422)


def _preset(request):
    """The preset that the address names, where the person may use it."""
    return presets.of(request.access).filter(pk=number_in(request.GET.get("preset"))).first()


def _chosen(form, is_sent):
    """(Choices or None, what a preset has that cannot be chosen now) of the page's form."""
    if is_sent:
        return (form.choice if form.is_valid() else None), []
    lacking = [form.fields[name].label for name in form.left_out]
    try:
        return form.usual, lacking
    except InvalidChoices as error:  # a visit or an instrument that there was when the preset was kept
        return None, [*lacking, words(error.reason)]


@require_POST
def preset_keep(request):
    """Keep the choices of the page under a name."""
    _only_with(request.access, Can.EXPORT)
    form = ExportForm(request.access, request.POST)
    if not form.is_valid():
        return _not_valid(request, form)
    try:
        preset = presets.keep(
            access=request.access,
            name=request.POST.get("name", ""),
            asked=form.words,
            shared=request.POST.get("shared") == "on",
        )
    except presets.NameTaken:
        form.add_error(None, _("Somebody else shares choices of this name. Choose another name."))
    except ValueError:
        form.add_error(None, _("Choices are kept under a name of at most 80 characters."))
    else:
        messages.success(request, _("“%(name)s” is kept.") % {"name": preset.name})
        return redirect(f"{reverse('export')}?preset={preset.pk}")
    return _not_valid(request, form)


@require_POST
def preset_remove(request):
    """Remove kept choices."""
    _only_with(request.access, Can.EXPORT)
    name = presets.remove(access=request.access, preset_id=number_in(request.POST.get("remove")))
    if name is None:
        raise Http404
    messages.success(request, _("“%(name)s” was removed.") % {"name": name})
    return redirect("export")


def _previewed(access, choices):
    """The counts and first rows of what would be exported, or that a worker counts."""
    preview = export_preview(choices, access=access)
    return {"counting": True} if preview is None else {"preview": preview, "previews": preview.tables}


def _excluded(cohort, counts):
    """(number of patients, why) for each step of the cohort, as it was applied, that left some out."""
    return [(n, step.reason) for step, n in zip(cohort.steps, counts, strict=True) if n]


@require_POST
@transaction.non_atomic_requests
def export_start(request):
    """Ask for an export. A small one is written at once and sent; a large one goes to a worker, and its page tells."""
    with transaction.atomic():
        _only_with(request.access, Can.EXPORT)
        form = ExportForm(request.access, request.POST)
        if not form.is_valid():
            return _not_valid(request, form)
        export = jobs.request(access=request.access, choices=form.choice)
        if not jobs.is_small(export):
            send(export)
            return redirect("export_detail", export.pk)
    jobs.perform(export.pk, reporting=False)
    with transaction.atomic():
        export.refresh_from_db()
    return redirect("export_file" if export.status == Export.Status.DONE else "export_detail", export.pk)


def _one_of(request, export_id):
    _only_with(request.access, Can.EXPORT)
    try:
        return jobs.one_of(request.access, export_id)
    except Export.DoesNotExist:
        raise Http404 from None


@require_safe
def export_detail(request, export_id):
    """One export: how far it is, what is in it, or why there is none."""
    export = _one_of(request, export_id)
    return render(request, "exports/export_detail.html", _told(export))


def _told(export):
    return {
        "export": export,
        "under_way": export.status in jobs.UNDER_WAY,
        "failed": why_failed(export.error),
        "manifest": export.manifest,
        "excluded": export.manifest and _excluded_of(export),
    }


def _excluded_of(export):
    """As `_excluded`; a step that the choices do not have is that of data that must not be used, the first."""
    counts = [step["n"] for step in export.manifest["patients"]["excluded"]]
    cohort = asked.from_json(export.choices).cohort
    if len(counts) > len(cohort.steps):
        cohort = cohorts.with_permission(cohort)
    return _excluded(cohort, counts)


@require_safe
def export_progress(request, export_id):
    """How far an export is, for the page to poll; asks the page to load anew once it has ended."""
    export = _one_of(request, export_id)
    response = render(request, "exports/export_progress.html", _told(export))
    if export.status not in jobs.UNDER_WAY:
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def export_cancel(request, export_id):
    jobs.cancel(access=request.access, export=_one_of(request, export_id))
    return redirect("export_detail", export_id)


@require_safe
def export_file(request, export_id):
    """The file; a download that broke off may ask for the rest."""
    export = _one_of(request, export_id)
    if (file := jobs.file_of(export)) is None:
        raise Http404
    if "Range" not in request.headers:
        audit.record_for_sites("export_downloaded", export.site_ids, table=Export._meta.db_table, row_id=export.pk)
    return resumable(request, file, filename=export.filename, etag=export.sha256, content_type="application/zip")


# The registry's own files: CSV as it is imported, streamed


def _identified_sites(access):
    """Ids of the sites whose identifiers the person may take out: own sites, never the coordinating centre's."""
    return tuple(set(access.sites_for(Can.EXPORT)).intersection(access.sites_for(Can.IDENTIFY)))


def _selection(access, identified):
    if identified:
        return Selection(_identified_sites(access), identified=True)
    return Selection(access.sites_for(Can.EXPORT))


@require_POST
def export_download(request):
    """One file, or all in a zip archive, streamed while it is read; with identifiers for the person's own sites."""
    _only_with(request.access, Can.EXPORT)
    identified = request.POST.get("identified") == "on"
    selection = _selection(request.access, identified)
    if identified and not selection.sites:
        raise Http404
    wanted = request.POST.get("what")
    file = next((file for file in file_formats.FILES if file.name == wanted), None)
    if file is None and wanted != ZIP:
        raise Http404
    rows = {layout.name: tables.count(layout, selection) for layout in (file_formats.FILES if file is None else [file])}
    audit.record_for_sites(
        "export",
        selection.sites,
        detail={"rows": rows, "identified": identified, "sites": len(selection.sites)},
    )
    if file is None:
        name, kind = f"metaspine-{timezone.localdate()}.zip", "application/zip"
        stream = streamed(lambda: zip_blocks(selection, rows))
    else:
        name, kind = file.filename, "text/csv; charset=utf-8"
        stream = streamed(lambda: tables.blocks(file, selection))
    return StreamingHttpResponse(
        stream,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{download_name(name)}"', "Cache-Control": "no-store"},
    )
