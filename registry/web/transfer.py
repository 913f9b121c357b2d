"""Pages for bringing the registry's files in."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from registry.imports import import_files, uploads
from registry.services import wire
from registry.tasks import start_all_outcomes
from sites.access import Can


def _only_with(access, ability):
    """What someone may not open does not exist for them."""
    if not access.may(ability):
        raise Http404


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
