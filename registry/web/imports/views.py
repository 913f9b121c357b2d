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

from registry.imports import findings, jobs
from registry.imports.checking import listing
from registry.imports.checking.staging import without_value
from registry.imports.files import sources, uploads
from registry.imports.files.sources import DELIMITERS, ENCODINGS, Way
from registry.imports.storing import undoing
from registry.models import Import
from registry.services import seen
from registry.services.files import file_formats
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
    one = get_object_or_404(Import.objects.select_related("requested_by", "undoes"), pk=import_id)
    decided = one.status in (Status.DONE, Status.DISCARDED) or one.undoes_id
    if not decided and one.requested_by_id != request.user.pk:
        raise Http404
    return one


def open_one_of(request, import_id):
    """The import while its questions may be answered; None, with a message, where it was decided or forgotten."""
    one = one_of(request, import_id)
    if one.undoes_id or one.status not in (Status.OPEN, Status.CHECKED, Status.FAILED):
        messages.warning(request, _("This import is decided. Choose the files again."))
        return None
    return one


@require_http_methods(["GET", "POST"])
@for_importing
def import_page(request):
    """Choose the files; they are kept encrypted, checked on the next page, and stored only from there."""
    error = ""
    if request.method == "POST":
        chosen = {}
        for uploaded in (one for name in request.FILES for one in request.FILES.getlist(name)):
            name = uploaded.name
            while name in chosen:
                name = f"2-{name}"
            chosen[name] = uploaded
        error = _wrong_with(chosen)
        if not error:
            one = jobs.begin(access=request.access, files=chosen)
            return redirect("import_report", import_id=one.pk)
    mine = Import.objects.filter(requested_by=request.user, undoes=None).exclude(
        status__in=[Status.DONE, Status.DISCARDED]
    )
    context = {
        "files": file_formats.FILES,
        "error": error,
        "largest": uploads.LARGEST // 1_000_000,
        "most": uploads.MOST_FILES,
        "undecided": [(one, _state(one)) for one in mine[:10]],
    }
    return render(request, "imports/import.html", context, status=422 if error else 200)


def _wrong_with(chosen):
    if not chosen:
        return _("Choose at least one file.")
    if len(chosen) > uploads.MOST_FILES:
        return _("Choose at most %(n)s files at once.") % {"n": uploads.MOST_FILES}
    large = [name for name, upload in chosen.items() if upload.size > uploads.LARGEST]
    if large:
        return _("%(file)s is larger than %(size)s MB. Use the command import_csv on the server.") % {
            "file": large[0],
            "size": uploads.LARGEST // 1_000_000,
        }
    return ""


def _state(one):
    if one.status == Status.FAILED and one.undoes_id:
        return _("Refused")
    return _("Done") if one.status == Status.DONE and one.undoes_id else Status(one.status).label


@require_http_methods(["GET", "POST"])
@for_importing
def import_report(request, import_id):
    """Where an import stands: its next question, its progress, the report of its dry run, or what came of it.

    Confirmed with a reason, the import is checked all over again and stored.
    """
    one = one_of(request, import_id)
    if one.status == Status.OPEN:
        step = jobs.step_of(one)
        if step in STEPS:
            return redirect(STEPS[step], one.pk)
        carry_out_import(one, Act.READ if step == "read" else Act.CHECK)
        one.refresh_from_db()
        if one.status == Status.OPEN:  # read at once, and something is to be said
            return redirect("import_report", one.pk)
        if request.method == "POST":
            return redirect("import_report", one.pk)
    if one.status in UNDER_WAY:
        return render(request, "imports/import_progress_page.html", _progress(one))
    if request.method == "POST" and request.POST.get("again") and one.status in (Status.FAILED, Status.CHECKED):
        carry_out_import(one, Act.UNDO if one.undoes_id else Act.CHECK)
        return redirect("import_report", one.pk)
    if one.status == Status.CHECKED:
        return _checked(request, one)
    if one.status == Status.DISCARDED:
        messages.warning(request, _("These files are not kept any more. Choose them again."))
        return redirect("import")
    context = {"one": one, "state": _state(one), "report": jobs.report_of(one), "may_undo": jobs.may_be_undone(one)}
    context |= {"undone": Import.objects.filter(undoes=one).first(), "files": _file_counts(one)}
    return render(request, "imports/import_result.html", context)


def _checked(request, one):
    """The report of the dry run, and on POST the decision."""
    error = update_error = alike_error = ""
    alike = one.counts.get("alike", 0)
    unseen = None
    reason, update = request.POST.get("reason", "").strip(), request.POST.get("update") == "on"
    changed = sum(counts["changed"] for counts in one.counts.get("files", {}).values())
    if request.method == "POST":
        error = "" if reason else _("Say why, in a few words.")
        update_error = _("Say whether these rows replace what is stored.") if changed and not update else ""
        if alike and request.POST.get("alike") != "on":
            alike_error = _("Say that these are different people, or mend the file.")
        acceptable = not (error or update_error or alike_error or one.counts["errors"])
        unseen = _unseen(request, one) if acceptable else None
        if acceptable and unseen is None:
            carry_out_import(one, Act.STORE, update=update, reason=reason[:200])
            one.refresh_from_db()
            if one.status == Status.DONE:
                messages.success(request, stored_message(one))
            return redirect("import_report", one.pk)
    context = {
        "one": one,
        "report": jobs.report_of(one),
        "changed": changed,
        "files": _file_counts(one),
        "previews": _previews(one),
        "reason": reason,
        "update": update,
        "error": error,
        "update_error": update_error,
        "alike": alike,
        "alike_error": alike_error,
        "problem": _(one.error) if one.error else "",
        "unseen": unseen,
        "seen": seen.note("import", one.pk, _shown(one)),
        "asked": any(len(found.encodings) > 1 or found.workbook for found in _inspections(one)),
        "can_map": one.mapping is None and len(jobs.readable(one)) == 1,
    }
    status = 409 if unseen else 422 if request.method == "POST" else 200
    return render(request, "imports/report.html", context, status=status)


def _shown(one):
    """What the report of a dry run shows, for its note: by this a later dry run is told from it."""
    return {"import": {"seen": one.seen, "counts": one.counts}}


def _unseen(request, one):
    """The Unseen where the page that confirms showed another dry run than the newest; None where it was this one."""
    try:
        seen.check(request.POST.get("seen", ""), "import", one.pk, _shown(one))
    except seen.Unseen as unseen:
        return unseen
    return None


def _inspections(one):
    return [jobs.inspection_of(choice) for _number, _file, choice in jobs.readable(one)]


def stored_message(one):
    files = one.counts.get("files", {}).values()
    new, changed = (sum(counts[name] for counts in files) for name in ("new", "changed"))
    return _("Stored. New rows: %(new)s; changed rows: %(changed)s.") % {"new": new, "changed": changed}


def _file_counts(one):
    return [(name, counts) for name, counts in one.counts.get("files", {}).items()]


def _previews(one):
    """The first page of changed rows of each file that has some."""
    for name, counts in _file_counts(one):
        if counts["changed"]:
            yield {
                "name": name,
                "kind": "changed",
                "rows": listing.loaded(uploads.kept(one, f"changed:{name}", 0))[:20],
            }


def _progress(one):
    share, stage = jobs.progress(one.pk)
    return {
        "one": one,
        "reads": one.act == Act.READ,
        "share": share,
        "stage": STAGES.get(stage, _("Waiting for a worker")),
    }


@require_safe
@for_importing
def import_progress(request, import_id):
    """How far an import is, for the page to poll; asks the page to load anew once it has ended."""
    one = one_of(request, import_id)
    response = render(request, "imports/import_progress.html", _progress(one))
    if one.status not in UNDER_WAY:
        response["HX-Refresh"] = "true"
    return response


@require_http_methods(["GET", "POST"])
@for_importing
def import_choices(request, import_id):
    """How the files are to be read, where the files do not say: encoding, separator, sheets, formulas."""
    one = open_one_of(request, import_id)
    if one is None:
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
            for number, _file, _choice in jobs.readable(one)
        }
        jobs.choose(one, answers)
        if jobs.step_of(one) != "choices":
            return redirect("import_report", one.pk)
        missing = True
    elif jobs.step_of(one) == "read":
        return redirect("import_report", one.pk)
    questions = [_question(one, number, file, choice) for number, file, choice in jobs.readable(one)]
    context = {"one": one, "questions": questions, "missing": missing}
    return render(request, "imports/import_choices.html", context, status=422 if missing else 200)


def _posted_headers(post, number):
    """The row that names the columns, by sheet, where one was chosen."""
    prefix = f"header-{number}-"
    return {name.removeprefix(prefix): post[name] for name in post if name.startswith(prefix) and post[name]}


def _question(one, number, file, choice):
    """What is asked about one file, with what was chosen."""
    found, way = jobs.inspection_of(choice), Way.from_json(choice["way"])
    previews = _text_previews(one, number, found) if not found.workbook else {}
    return {
        "number": number,
        "name": file["name"],
        "workbook": found.workbook,
        "certain": found.encodings == ("utf-8-sig",) and found.delimiters == (",",) and not found.workbook,
        "encodings": [
            (code, ENCODINGS[code], previews.get(code, []), code == way.encoding) for code in found.encodings
        ],
        "delimiters": [(one, DELIMITERS[one], one == way.delimiter) for one in found.delimiters],
        "ask_encoding": found.encodings != ("utf-8-sig",),
        "ask_delimiter": found.delimiters != (",",) and not found.separator,
        "sheets": [(sheet, sheet.name in (way.sheets or ())) for _, sheet in found.filled],
        "has_formulas": any(sheet.formulas for sheet in found.sheets),
        "formulas": way.formulas,
        "headers": _headers(one, number, choice, found, way),
    }


def _headers(one, number, choice, found, way):
    """The first rows of each table, for choosing which of them names the columns; none before the tables are made."""
    if choice["tables"] != way.tables:
        return []
    asked = []
    for place, sheet in found.filled if found.workbook else [(0, None)]:
        layout = jobs.layout_of(one, number, place)
        rows = [(str(row), cells[:8], [row] == list(layout.header)) for row, cells in layout.head]
        pairs = [
            (f"{first}+{second}", f"{first} + {second}", [first, second] == list(layout.header))
            for (first, _), (second, _) in zip(layout.head, layout.head[1:], strict=False)
        ][:4]
        asked.append({"place": place, "sheet": sheet, "rows": rows[:8], "pairs": pairs, "certain": layout.certain})
    return asked


def _text_previews(one, number, found):
    head = next(uploads.kept(one, f"file:{number}"), b"")[:8000]
    return {code: head.decode(code, errors="replace").splitlines()[: sources.PREVIEW] for code in found.encodings}


@require_safe
@for_importing
def import_rows(request, import_id):
    """The difference view: new, changed or unchanged rows of one file, page by page."""
    one = one_of(request, import_id)
    names = list(one.counts.get("files", {}))
    name, kind = request.GET.get("file") or (names[0] if names else ""), request.GET.get("kind", "changed")
    if name not in names or kind not in KINDS or one.status != Status.CHECKED:
        raise Http404
    total = min(one.counts["files"][name][kind], listing.MOST)
    page = Paginator(range(total), listing.PAGE).get_page(request.GET.get("page"))
    context = {
        "one": one,
        "name": name,
        "kind": kind,
        "rows": listing.loaded(uploads.kept(one, f"{kind}:{name}", page.number - 1)),
        "page": page,
        "total": one.counts["files"][name][kind],
        "listed": total,
        "tabs": [
            (other, code, label, one.counts["files"][other][code], (other, code) == (name, kind))
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
    one = one_of(request, import_id)
    report = jobs.report_of(one)
    if not any(report.values()):
        raise Http404
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="metaspine-import-{one.pk.hex[:8]}-findings.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    writer.writerow(FINDINGS)
    for name, kind in (("errors", "error"), ("warnings", "warning")):
        for found in report[name].listed:
            cells = (found.file, str(found.row or ""), found.column, words(without_value(found.reason)))
            writer.writerow([kind, *map(file_formats.guarded, cells)])
    return response


@require_safe
@for_importing
def import_findings_workbook(request, import_id):
    """The same as a workbook with the rows concerned and their cells marked, for whoever uploaded the files."""
    one = one_of(request, import_id)
    if one.requested_by_id != request.user.pk or one.status != Status.CHECKED or not any(jobs.report_of(one).values()):
        raise Http404
    response = HttpResponse(findings.workbook(one, get_language()), content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="metaspine-import-{one.pk.hex[:8]}-findings.xlsx"'
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
    shown = Import.objects.exclude(status=Status.DISCARDED).select_related("requested_by", "undoes")
    shown = shown.prefetch_related(Prefetch("undone_by"))
    page = Paginator(shown.order_by("-requested_at", "pk"), PAGE).get_page(request.GET.get("page"))
    rows = []
    for one in page:
        mine = one.requested_by_id == request.user.pk or one.status == Status.DONE or one.undoes_id
        rows.append({"one": one, "state": _state(one), "opens": mine, "total": _total(one)})
    return render(request, "imports/import_history.html", {"page": page, "rows": rows})


def _total(one):
    files = one.counts.get("files", {}).values()
    if one.undoes_id:
        tables = [counts for counts in one.counts.values() if isinstance(counts, dict)]
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
            one = jobs.new_undo(access=request.access, done=done)
        except ValueError:  # another window was quicker
            return _not_undone(request)
        carry_out_import(one, Act.UNDO, reason=reason[:200])
        one.refresh_from_db()
        if one.status == Status.DONE:
            messages.success(request, _("The import was undone."))
        return redirect("import_report", one.pk)
    if request.method == "POST":
        error = _("Say why, in a few words.")
    context = {"one": done, "obstacles": undoing.obstacles(done), "files": _file_counts(done), "reason": reason}
    return render(request, "imports/import_undo.html", context | {"error": error}, status=422 if error else 200)


def _not_undone(request):
    messages.warning(request, _("This import cannot be undone."))
    return redirect("import_history")
