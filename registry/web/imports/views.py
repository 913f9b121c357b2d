"""Pages for bringing files in: upload, questions about the files, dry run with differences, storing, history, undo.

For those who may import; to everyone else none of these addresses exists. What is not decided is its uploader's own.
"""

import csv

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.imports import findings, jobs, reach
from registry.imports.checking import listing
from registry.imports.checking.staging import without_value
from registry.imports.files import sources, uploads
from registry.imports.files.sources import DELIMITERS, ENCODINGS, Way
from registry.imports.storing import undoing
from registry.models import Import
from registry.services import seen
from registry.services.files import file_formats
from registry.services.jobs import why_failed
from registry.tasks import carry_out_import
from registry.web.shared.gates import for_importing
from registry.web.shared.wording import words

PAGE = 50
Status, Act = Import.Status, Import.Act
UNDER_WAY = (Status.QUEUED, Status.RUNNING)
STEPS = {"choices": "import_choices", "columns": "import_columns", "values": "import_values"}
STAGES = {
    "open": gettext_lazy("Reading the workbook, in a process of its own"),
    "read": gettext_lazy("Reading the files"),
    "compare": gettext_lazy("Comparing with what is stored"),
    "store": gettext_lazy("Storing, with every rule of the database"),
    "plausibility": gettext_lazy("Looking for what is unlikely"),
}
KINDS = {
    "changed": gettext_lazy("Changed rows"),
    "new": gettext_lazy("New rows"),
    "unchanged": gettext_lazy("Unchanged rows"),
}


def one_of(request, import_id):
    """The import; an undecided one only for the person who uploaded it."""
    job = get_object_or_404(reach.visible(request.access).select_related("requested_by", "undoes"), pk=import_id)
    decided = job.status in (Status.DONE, Status.DISCARDED) or job.undoes_id
    if not decided and job.requested_by_id != request.user.pk:
        raise Http404
    return jobs.of_this_release(job)


def open_one_of(request, import_id):
    """The import while its questions may be answered; None, with a message, where it was decided or forgotten."""
    job = one_of(request, import_id)
    if job.undoes_id or job.status not in uploads.UNDECIDED:
        messages.warning(request, _("This import is decided. Choose the files again."))
        return None
    return job


@require_http_methods(["GET", "POST"])
@for_importing
def import_page(request):
    """Choose the files; they are kept encrypted, checked on the next page, and stored only from there."""
    error = ""
    if request.method == "POST":
        chosen = {}
        for uploaded in (upload for name in request.FILES for upload in request.FILES.getlist(name)):
            name = uploaded.name
            while name in chosen:
                name = f"2-{name}"
            chosen[name] = uploaded
        error = _wrong_with(chosen)
        if not error:
            job = jobs.begin(access=request.access, files=chosen)
            return redirect("import_report", import_id=job.pk)
    mine = Import.objects.filter(requested_by=request.user, undoes=None).exclude(
        status__in=[Status.DONE, Status.DISCARDED]
    )
    context = {
        "files": file_formats.files(),
        "error": error,
        "largest": uploads.LARGEST // 1_000_000,
        "most": uploads.MOST_FILES,
        "undecided": [(job, _state(job)) for job in mine[:10]],
    }
    return render(request, "imports/import.html", context, status=422 if error else 200)


def _wrong_with(chosen):
    if not chosen:
        return _("Choose at least one file.")
    if len(chosen) > uploads.MOST_FILES:
        return _("Choose at most %(n)s files at once.") % {"n": uploads.MOST_FILES}
    large = [name for name, upload in chosen.items() if upload.size > uploads.LARGEST]
    if large:
        return _("%(file)s is larger than %(size)s MB. Use the command import_file on the server.") % {
            "file": large[0],
            "size": uploads.LARGEST // 1_000_000,
        }
    return ""


def _state(job):
    if job.status == Status.FAILED and job.undoes_id:
        return _("Refused")
    return _("Done") if job.status == Status.DONE and job.undoes_id else Status(job.status).label


@require_http_methods(["GET", "POST"])
@for_importing
def import_report(request, import_id):
    """Where an import stands: its next question, its progress, the report of its dry run, or what came of it.

    Confirmed with a reason, the import is checked all over again and stored.
    """
    job = one_of(request, import_id)
    if request.method == "POST" and request.POST.get("stop"):  # nothing happens to one that has just ended
        jobs.cancel(job)
        return redirect("import_report", job.pk)
    if job.status == Status.OPEN:
        step = jobs.step_of(job)
        if step in STEPS:
            return redirect(STEPS[step], job.pk)
        carry_out_import(job, Act.READ if step == "read" else Act.CHECK)
        job.refresh_from_db()
        if job.status == Status.OPEN:  # read at once, and something is to be said
            return redirect("import_report", job.pk)
        if request.method == "POST":
            return redirect("import_report", job.pk)
    if job.status in UNDER_WAY:
        return render(request, "imports/import_progress_page.html", _progress(job))
    if request.method == "POST" and request.POST.get("again") and job.status in uploads.UNDECIDED:
        carry_out_import(job, jobs.act_again(job))
        return redirect("import_report", job.pk)
    if job.status == Status.CHECKED:
        return _checked(request, job)
    if job.status == Status.DISCARDED:
        messages.warning(request, _("These files are not kept any more. Choose them again."))
        return redirect("import")
    context = {"job": job, "state": _state(job), "report": jobs.report_of(job), "may_undo": jobs.may_be_undone(job)}
    context |= {"undone": Import.objects.filter(undoes=job, status=Status.DONE).first(), "files": _file_counts(job)}
    return render(request, "imports/import_result.html", context)


def _checked(request, job):
    """The report of the dry run, and on POST the decision."""
    error = update_error = alike_error = ""
    alike = job.counts.get("alike", 0)
    unseen = None
    reason, update = request.POST.get("reason", "").strip(), request.POST.get("update") == "on"
    changed = sum(counts["changed"] for counts in job.counts.get("files", {}).values())
    if request.method == "POST":
        error = "" if reason else _("Say why, in a few words.")
        update_error = _("Say whether these rows replace what is stored.") if changed and not update else ""
        if alike and request.POST.get("alike") != "on":
            alike_error = _("Say that these are different people, or mend the file.")
        acceptable = not (error or update_error or alike_error or job.counts["errors"])
        unseen = _unseen(request, job) if acceptable else None
        if acceptable and unseen is None:
            carry_out_import(job, Act.STORE, update=update, reason=reason[:200])
            job.refresh_from_db()
            if job.status == Status.DONE:
                messages.success(request, stored_message(job))
            return redirect("import_report", job.pk)
    context = {
        "job": job,
        "report": jobs.report_of(job),
        "changed": changed,
        "files": _file_counts(job),
        "previews": _previews(job),
        "reason": reason,
        "update": update,
        "error": error,
        "update_error": update_error,
        "alike": alike,
        "alike_error": alike_error,
        "problem": why_failed(job.error),
        "unseen": unseen,
        "seen": seen.note("import", job.pk, _shown(job)),
        "asked": any(len(inspection.encodings) > 1 or inspection.workbook for inspection in _inspections(job)),
        "can_map": job.mapping is None and len(jobs.readable(job)) == 1,
    }
    status = 409 if unseen else 422 if request.method == "POST" else 200
    return render(request, "imports/report.html", context, status=status)


def _shown(job):
    """What the report of a dry run shows, for its note: by this a later dry run is told from it."""
    return {"import": {"seen": job.seen, "counts": job.counts}}


def _unseen(request, job):
    """The Unseen where the page that confirms showed another dry run than the newest; None where it was this one."""
    try:
        seen.check(request.POST.get("seen", ""), "import", job.pk, _shown(job))
    except seen.Unseen as unseen:
        return unseen
    return None


def _inspections(job):
    return [jobs.inspection_of(choice) for _number, _file, choice in jobs.readable(job)]


def stored_message(job):
    files = job.counts.get("files", {}).values()
    new, changed = (sum(counts[name] for counts in files) for name in ("new", "changed"))
    return _("Stored. New rows: %(new)s; changed rows: %(changed)s.") % {"new": new, "changed": changed}


def _file_counts(job):
    return [(name, counts) for name, counts in job.counts.get("files", {}).items()]


def _previews(job):
    """The first page of changed rows of each file that has some."""
    for name, counts in _file_counts(job):
        if counts["changed"]:
            yield {
                "name": name,
                "kind": "changed",
                "rows": listing.loaded(uploads.stored(job, f"changed:{name}", 0))[:20],
            }


def _progress(job):
    return {
        "job": job,
        "reads": job.act == Act.READ,
        "stage": _("Waiting for a worker") if job.status == Status.QUEUED else STAGES.get(job.stage, ""),
    }


@require_safe
@for_importing
def import_progress(request, import_id):
    """How far an import is, for the page to poll; asks the page to load anew once it has ended."""
    job = one_of(request, import_id)
    response = render(request, "imports/import_progress.html", _progress(job))
    if job.status not in UNDER_WAY:
        response["HX-Refresh"] = "true"
    return response


@require_http_methods(["GET", "POST"])
@for_importing
def import_choices(request, import_id):
    """How the files are to be read, where the files do not say: encoding, separator, sheets, formulas."""
    job = open_one_of(request, import_id)
    if job is None:
        return redirect("import")
    missing = False
    if request.method == "POST":
        answers = {
            number: {
                "encoding": request.POST.get(f"encoding-{number}"),
                "delimiter": request.POST.get(f"delimiter-{number}"),
                "sheets": request.POST.getlist(f"sheets-{number}"),
                "formulas": request.POST.get(f"formulas-{number}") == "on",
                "headers": _posted_headers(request.POST, number),
            }
            for number, _file, _choice in jobs.readable(job)
        }
        jobs.choose(job, answers)
        if jobs.step_of(job) != "choices":
            return redirect("import_report", job.pk)
        missing = True
    elif jobs.step_of(job) == "read":
        return redirect("import_report", job.pk)
    questions = [_question(job, number, file, choice) for number, file, choice in jobs.readable(job)]
    context = {"job": job, "questions": questions, "missing": missing}
    return render(request, "imports/import_choices.html", context, status=422 if missing else 200)


def _posted_headers(post, number):
    """The row that names the columns, by sheet, where one was chosen."""
    prefix = f"header-{number}-"
    return {name.removeprefix(prefix): post[name] for name in post if name.startswith(prefix) and post[name]}


def _question(job, number, file, choice):
    """What is asked about one file, with what was chosen."""
    inspection, way = jobs.inspection_of(choice), Way.from_json(choice["way"])
    previews = _text_previews(job, number, inspection) if not inspection.workbook else {}
    return {
        "number": number,
        "name": file["name"],
        "workbook": inspection.workbook,
        "certain": inspection.encodings == ("utf-8-sig",)
        and inspection.delimiters == (",",)
        and not inspection.workbook,
        "encodings": [
            (code, ENCODINGS[code], previews.get(code, []), code == way.encoding) for code in inspection.encodings
        ],
        "delimiters": [
            (delimiter, DELIMITERS[delimiter], delimiter == way.delimiter) for delimiter in inspection.delimiters
        ],
        "ask_encoding": inspection.encodings != ("utf-8-sig",),
        "ask_delimiter": inspection.delimiters != (",",) and not inspection.separator,
        "sheets": [(sheet, sheet.name in (way.sheets or ())) for _, sheet in inspection.filled],
        "has_formulas": any(sheet.formulas for sheet in inspection.sheets),
        "formulas": way.formulas,
        "headers": _headers(job, number, choice, inspection, way),
    }


def _headers(job, number, choice, inspection, way):
    """The first rows of each table, for choosing which of them names the columns; none before the tables are made."""
    if choice["tables"] != way.tables:
        return []
    asked = []
    for place, sheet in inspection.filled if inspection.workbook else [(0, None)]:
        layout = jobs.layout_of(job, number, place)
        rows = [(str(row), cells[:8], [row] == list(layout.header)) for row, cells in layout.head]
        pairs = [
            (f"{first}+{second}", f"{first} + {second}", [first, second] == list(layout.header))
            for (first, _), (second, _) in zip(layout.head, layout.head[1:], strict=False)
        ][:4]
        asked.append({"place": place, "sheet": sheet, "rows": rows[:8], "pairs": pairs, "certain": layout.certain})
    return asked


def _text_previews(job, number, inspection):
    head = next(uploads.stored(job, f"file:{number}"), b"")[:8000]
    return {code: head.decode(code, errors="replace").splitlines()[: sources.PREVIEW] for code in inspection.encodings}


@require_safe
@for_importing
def import_rows(request, import_id):
    """The difference view: new, changed or unchanged rows of one file, page by page."""
    job = one_of(request, import_id)
    names = list(job.counts.get("files", {}))
    name, kind = request.GET.get("file") or (names[0] if names else ""), request.GET.get("kind", "changed")
    if name not in names or kind not in KINDS or job.status != Status.CHECKED:
        raise Http404
    total = min(job.counts["files"][name][kind], listing.MOST)
    page = Paginator(range(total), listing.PAGE).get_page(request.GET.get("page"))
    context = {
        "job": job,
        "name": name,
        "kind": kind,
        "rows": listing.loaded(uploads.stored(job, f"{kind}:{name}", page.number - 1)),
        "page": page,
        "total": job.counts["files"][name][kind],
        "listed": total,
        "tabs": [
            (other, code, label, job.counts["files"][other][code], (other, code) == (name, kind))
            for other in names
            for code, label in KINDS.items()
        ],
    }
    return render(request, "imports/import_rows_page.html", context)


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FINDINGS = ("kind", "file", "row", "column", "finding")


@require_safe
@for_importing
def import_findings(request, import_id):
    """The errors and warnings of an import as CSV, to be mended in the file.

    What was typed is left out, in the reason too: the list may be passed on, and no list says who somebody is.
    """
    job = one_of(request, import_id)
    report = jobs.report_of(job)
    if not any(report.values()):
        raise Http404
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="metaspine-import-{job.pk.hex[:8]}-findings.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    writer.writerow(FINDINGS)
    for name, kind in (("errors", "error"), ("warnings", "warning")):
        for finding in report[name].listed:
            cells = (finding.file, str(finding.row or ""), finding.column, words(without_value(finding.reason)))
            writer.writerow([kind, *map(file_formats.guarded, cells)])
    return response


@require_safe
@for_importing
def import_findings_workbook(request, import_id):
    """The same as a workbook with the rows concerned and their cells marked, for whoever uploaded the files."""
    job = one_of(request, import_id)
    if job.requested_by_id != request.user.pk or job.status != Status.CHECKED or not any(jobs.report_of(job).values()):
        raise Http404
    response = HttpResponse(findings.workbook(job, get_language()), content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="metaspine-import-{job.pk.hex[:8]}-findings.xlsx"'
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_importing
def import_discard(request, import_id):
    """Throw the uploaded files away."""
    jobs.discard(one_of(request, import_id))
    return redirect("import")


@require_safe
@for_importing
def import_history(request):
    """Every import that was stored, undone or is under way: who, when, how many, and whether it can be undone."""
    shown = reach.visible(request.access).exclude(status=Status.DISCARDED).select_related("requested_by", "undoes")
    shown = shown.prefetch_related(Prefetch("undone_by"))
    page = Paginator(shown.order_by("-requested_at", "pk"), PAGE).get_page(request.GET.get("page"))
    rows = []
    for job in page:
        mine = job.requested_by_id == request.user.pk or job.status == Status.DONE or job.undoes_id
        rows.append({"job": job, "state": _state(job), "opens": mine, "total": _total(job)})
    return render(request, "imports/import_history.html", {"page": page, "rows": rows})


def _total(job):
    files = job.counts.get("files", {}).values()
    if job.undoes_id:
        tables = [counts for counts in job.counts.values() if isinstance(counts, dict)]
        return {name: sum(counts[name] for counts in tables) for name in ("removed", "restored")}
    return {name: sum(counts[name] for counts in files) for name in KINDS}


@require_http_methods(["GET", "POST"])
@for_importing
def import_undo(request, import_id):
    """What undoing an import would do and what stands against it; on POST, with a reason, the undoing."""
    done = one_of(request, import_id)
    if not jobs.may_be_undone(done):
        return _not_undone(request)
    reason, error = request.POST.get("reason", "").strip(), ""
    if request.method == "POST" and reason:
        try:
            job = jobs.new_undo(access=request.access, done=done)
        except ValueError:  # another window was quicker
            return _not_undone(request)
        carry_out_import(job, Act.UNDO, reason=reason[:200])
        job.refresh_from_db()
        if job.status == Status.DONE:
            messages.success(request, _("The import was undone."))
        return redirect("import_report", job.pk)
    if request.method == "POST":
        error = _("Say why, in a few words.")
    context = {"job": done, "obstacles": undoing.obstacles(done), "files": _file_counts(done), "reason": reason}
    return render(request, "imports/import_undo.html", context | {"error": error}, status=422 if error else 200)


def _not_undone(request):
    messages.warning(request, _("This import cannot be undone."))
    return redirect("import_history")
