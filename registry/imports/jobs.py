"""The life of an import: uploaded, its open questions answered, checked, stored; and taken back.

The `Import` row is the job. A small one is carried out at once, a large one by a worker, which takes it by one UPDATE
and holds a lock of the transaction while it works: a running import whose lock is free has lost its worker.
"""

import json
import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from registry.imports import import_files
from registry.imports.checking import converting, listing
from registry.imports.files import reading, sources, uploads
from registry.imports.files.mapping import Mapping, item_name
from registry.imports.files.sources import Inspection, Sheet, Way
from registry.imports.report import Finding, Findings, Report
from registry.imports.storing import undoing
from registry.instruments.base import Label
from registry.models import Import
from registry.services.files import file_formats
from registry.services.jobs import MOST_ATTEMPTS, UNSENT
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import everything

log = logging.getLogger(__name__)

Status, Act = Import.Status, Import.Act
SMALL = 400_000  # bytes: what is checked while the person waits
REPORT = "report"

ALONE = Label(
    "has columns of its own. Import it alone, so that its columns can be matched.",
    "独自の列名のファイルです。列を対応づけるため、このファイルだけを取り込んでください。",
)
SAME_FILE = Label("is for the same as “{v}”.", "「{v}」と同じ種類のファイルです。")
GONE = Label("is not kept any more. Upload it again.", "保存期間が過ぎました。もう一度アップロードしてください。")
LOST = gettext_noop("The worker was lost again and again. Tell the operator, then try once more.")
DEFECT = gettext_noop("The import stopped because of a defect in the program. Nothing was stored. Tell the operator.")
CHANGED_SINCE = gettext_noop("What is stored has changed since you looked. These are the differences now.")


# What people do


def begin(*, access, files):
    """A new Import of `files` (name → upload), its files looked into. Raises PermissionDenied."""
    access.require(Can.IMPORT)
    one = uploads.new_import(access.user_id, files)
    with _folder() as folder:
        for number, file in enumerate(one.files):
            path = folder / f"upload-{number}"
            uploads.write_file(one, number, path)
            one.choices.append(_looked_into(path))
            log.debug("import %s: %s", one.pk, file["size"])
    _touch(one, "choices")
    return one


def _looked_into(path):
    try:
        found = sources.inspect(path)
    except reading.Unreadable as fault:
        return {"unreadable": [fault.reason.en, fault.reason.ja]}
    return {
        "workbook": found.workbook,
        "encodings": found.encodings,
        "delimiters": found.delimiters,
        "sheets": [[one.name, one.hidden, one.formulas, one.merged] for one in found.sheets],
        "way": found.certain.to_json(),
    }


def inspection_of(choice):
    """The `Inspection` that a file's choice remembers, without previews."""
    sheets = tuple(Sheet(name, hidden, formulas, tuple(merged)) for name, hidden, formulas, merged in choice["sheets"])
    return Inspection(choice["workbook"], tuple(choice["encodings"]), tuple(choice["delimiters"]), sheets)


def readable(one):
    """(number, file, choice) of the files that are tables."""
    return [
        (number, file, choice)
        for number, (file, choice) in enumerate(zip(one.files, one.choices, strict=True))
        if "unreadable" not in choice
    ]


def choose(one, answers):
    """Take the answers (by number of the file) to how the files are read: what was said of their columns is void."""
    for number, _, choice in readable(one):
        way = sources.answered(inspection_of(choice), Way.from_json(choice["way"]), answers.get(number, {}))
        choice["way"] = way.to_json()
    _open(one, choices=one.choices, mapping=None)


def step_of(one):
    """What an open import waits for: choices, columns, values, or check (nothing more)."""
    for _, _, choice in readable(one):
        if inspection_of(choice).open_questions(Way.from_json(choice["way"])):
            return "choices"
    if one.mapping is None and _needs_mapping(one):
        one.mapping = {"step": "columns", "map": {}}
        _touch(one, "mapping")
    return one.mapping["step"] if one.mapping else "check"


def _needs_mapping(one):
    if len(readable(one)) != 1:
        return False
    with tables_of(one) as (tables, _):
        return len(tables) == 1 and file_of(tables[0]) is None


def set_mapping(one, mapping, step, name=""):
    """Keep the mapping of an import and what is to be said next: columns, values or check."""
    _open(one, mapping={"step": step, "map": mapping.to_json()}, mapping_name=name or one.mapping_name)


def _open(one, **values):
    """Keep answers about an undecided import, which is to be checked again."""
    for name, value in values.items():
        setattr(one, name, value)
    one.status = Status.OPEN
    _undecided(one).update(status=Status.OPEN, touched_at=timezone.now(), **values)


def mapping_of(one):
    return Mapping.from_json((one.mapping or {}).get("map"))


def request(one, act, **fields):
    """Queue an act of an import: check, store or undo. Returns whether it is: nothing happens to one that another
    request, of a second click or another window, has queued or decided meanwhile."""
    queued = {"act": act, "status": Status.QUEUED, "attempts": 0, "error": "", "touched_at": timezone.now()}
    return bool(_undecided(one).update(**queued, **fields))


def _undecided(one):
    """The row as a query, which waits for whoever is deciding; empty once they have."""
    discarded = [Status.DISCARDED] if one.undoes_id else []  # an undoing needs no files: it can be tried again
    return Import.objects.filter(pk=one.pk, status__in=[*uploads.UNDECIDED, *discarded])


def is_small(one):
    """Whether an import is done at once."""
    return sum(file["size"] for file in (one.undoes or one).files) <= SMALL


def discard(one):
    """Throw an undecided import's files away."""
    now = timezone.now()
    if _undecided(one).update(status=Status.DISCARDED, finished_at=now, touched_at=now):
        uploads.forget(one)


@transaction.atomic
def new_undo(*, access, done):
    """An Import that takes `done` back, to be queued, or the one that tried before.

    Raises PermissionDenied, ValueError.
    """
    access.require(Can.IMPORT)
    if not may_be_undone(Import.objects.select_for_update().get(pk=done.pk)):  # of two at once the second waits
        raise ValueError("this import cannot be undone")
    one = Import.objects.filter(undoes=done).first() or uploads.new_import(access.user_id, {}, undoes=done)
    one.requested_by_id = access.user_id
    one.save(update_fields=["requested_by"])
    return one


def may_be_undone(one):
    """Whether an import is stored and not yet taken back; an undoing is not undone, its files are imported again."""
    undone = Import.objects.filter(undoes=one).exclude(status__in=[Status.FAILED, Status.DISCARDED]).exists()
    return one.status == Status.DONE and one.undoes_id is None and one.trail_to is not None and not undone


def _touch(one, *fields):
    one.touched_at = timezone.now()
    one.save(update_fields=["touched_at", *fields])


# Files


@contextmanager
def _folder():
    with tempfile.TemporaryDirectory(prefix="metaspine-import-") as name:  # only this user may open it
        yield Path(name)


@contextmanager
def tables_of(one):
    """(tables, faults): the uploaded files as `sources.Table`s while the context lasts, and `Findings` about them."""
    faults, tables = Findings(), []
    with _folder() as folder:
        for number, (file, choice) in enumerate(zip(one.files, one.choices, strict=True)):
            if "unreadable" in choice:
                faults.add(Finding(file["name"], None, "", "", Label(*choice["unreadable"])))
                continue
            path = folder / f"upload-{number}"
            if not uploads.write_file(one, number, path):
                faults.add(Finding(file["name"], None, "", "", GONE))
                continue
            try:
                way = Way.from_json(choice["way"])
                tables += sources.tabulate(path, way, file["name"], folder, f"table-{number}", faults)
            except reading.Unreadable as fault:
                faults.add(Finding(file["name"], fault.row, "", "", fault.reason))
        yield tables, faults


def file_of(table):
    """The registry's file that a table is by its columns, or by its name; None where its columns must be matched."""
    try:
        header = table.header()
    except reading.Unreadable:
        header = []
    for file in file_formats.FILES:
        if header and not reading.header_faults(file, header):
            return file
    stem = table.name.rpartition("[")[2].removesuffix("]").rpartition(".")[0] or table.name.rpartition("[")[2].strip(
        "]"
    )
    return next((file for file in file_formats.FILES if stem.casefold() == file.name), None)


# What workers do


def perform(import_id):
    """Carry out what an import is queued for. Returns the Import, or None where it is somebody else's or not queued.

    Every outcome is in the row; nothing is raised but what stops the process itself.
    """
    asked = Import.objects.filter(pk=import_id).values_list("requested_by_id", flat=True).first()
    with everything(user_id=asked):
        return _perform(import_id)


def _perform(import_id):
    waiting = Import.objects.filter(pk=import_id, status=Status.QUEUED)
    if not waiting.update(status=Status.RUNNING, attempts=F("attempts") + 1, touched_at=timezone.now()):
        return None
    one = Import.objects.get(pk=import_id)
    try:
        with transaction.atomic():
            # `recover` may have taken it for lost before this lock was there.
            if not _locked(one) or not Import.objects.filter(pk=one.pk, status=Status.RUNNING).exists():
                return None
            _ACTS[one.act](one)
    except Exception:
        log.exception("import %s failed", import_id)
        one.status, one.error, one.finished_at = Status.FAILED, DEFECT, timezone.now()
        _touch(one, "status", "error", "finished_at")
    cache.delete(_progress_key(import_id))
    return one


def _locked(one):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('import'), hashtext(%s))", [str(one.pk)])
        return cursor.fetchone()[0]


def recover():
    """Imports to be sent (again): those whose worker was lost, and those that nobody took. Returns their ids."""
    now = timezone.now()
    for one in Import.objects.filter(status=Status.RUNNING):
        with transaction.atomic():
            if not _locked(one):
                continue
            mine = Import.objects.filter(pk=one.pk, status=Status.RUNNING)
            if one.attempts >= MOST_ATTEMPTS:
                mine.update(status=Status.FAILED, error=LOST, finished_at=now)
            else:
                mine.update(status=Status.QUEUED, touched_at=now - UNSENT)
    late = Import.objects.filter(status=Status.QUEUED, touched_at__lte=now - UNSENT)
    ids = list(late.values_list("pk", flat=True))
    late.update(touched_at=now)
    return ids


def _progress_key(import_id):
    return f"import-progress:{import_id}"


def progress(import_id):
    """(share done, name of the stage) of a running import; (0, "") where it is not known."""
    return cache.get(_progress_key(import_id), (0, ""))


def _teller(one):
    return lambda share, stage: cache.set(_progress_key(one.pk), (share, stage), 3600)


def _check(one):
    """The dry run: the report and the difference view are kept sealed, the row has the counts."""
    pages = {}
    report, origins = _run(one, pages, dry_run=True)
    for kind, content in pages.items():
        uploads.keep(one, kind, [listing.dumped(page) for page in content])
    findings = {name: _kept_findings(getattr(report, name), origins) for name in ("errors", "warnings")}
    uploads.keep(one, REPORT, [json.dumps(findings, ensure_ascii=False).encode()])
    one.counts = _counts(report)
    one.seen, one.status = report.seen, Status.CHECKED
    _touch(one, "counts", "seen", "status")


def _store(one):
    report, _ = _run(one, {}, dry_run=False, update=one.update, reason=one.reason, seen=one.seen)
    if not report.stored:
        _check(one)
        one.error = CHANGED_SINCE
        _touch(one, "error")
        return
    one.counts, one.status, one.finished_at = _counts(report), Status.DONE, timezone.now()
    one.transaction_id, one.trail_from, one.trail_to = report.trail
    uploads.forget(one)
    _touch(one, "counts", "status", "finished_at", "transaction_id", "trail_from", "trail_to")


def _undo(one):
    found, counts, trail = undoing.undo(one.undoes, user_id=one.requested_by_id, reason=one.reason)
    if found:
        findings = {"errors": _kept_findings(found, {}), "warnings": {"total": 0, "shown": []}}
        uploads.keep(one, REPORT, [json.dumps(findings, ensure_ascii=False).encode()])
        one.status, one.counts = Status.FAILED, {"errors": found.total}
    else:
        one.status, one.counts = Status.DONE, counts
        one.transaction_id, one.trail_from, one.trail_to = trail
        uploads.forget(one)
    one.finished_at = timezone.now()
    _touch(one, "status", "counts", "finished_at", "transaction_id", "trail_from", "trail_to")


_ACTS = {Act.CHECK: _check, Act.STORE: _store, Act.UNDO: _undo}


def _counts(report):
    files = {name: vars(counts) for name, counts in report.counts.items()}
    return {"files": files, "errors": report.errors.total, "warnings": report.warnings.total}


def _run(one, pages, **options):
    """(report, origins) of one run over the import's files; `pages` is filled with the difference view.

    origins  name of a registry's file → (name of the upload, row_of, column_of)
    """
    with tables_of(one) as (tables, faults):
        folder = Path(tempfile.mkdtemp(dir=tables[0].path.parent)) if tables else None
        warnings, origins = Findings(), {}
        if one.mapping is not None:
            _converted(one, tables, folder, faults, warnings, origins)
        else:
            _recognised(tables, folder, faults, origins)
        if folder is None or not origins:
            return Report(errors=faults, warnings=warnings), origins

        def look(cursor, file):
            if options["dry_run"]:
                _, row_of, _ = origins[file.name]
                for kind, content in listing.pages(cursor, file, row_of).items():
                    pages[f"{kind}:{file.name}"] = content

        options["dry_run"] = options["dry_run"] or bool(faults)
        report = import_files(
            folder,
            user_id=one.requested_by_id,
            partial=one.mapping is not None,
            identifies=access_of(one.requested_by).sites_for(Can.IDENTIFY),
            tell=_teller(one),
            look=look,
            **options,
        )
        for before, name in ((faults, "errors"), (warnings, "warnings")):
            after = getattr(report, name)
            setattr(report, name, Findings(before.listed + after.listed, before.total + after.total))
        report.stored = report.stored and not faults
        return report, origins


def _recognised(tables, folder, faults, origins):
    """Put tables of the registry's own shape into `folder` under their names."""
    for table in tables:
        file = file_of(table)
        if file is None:
            faults.add(Finding(table.name, 1, "", "", ALONE))
        elif file.name in origins:
            faults.add(Finding(table.name, None, "", "", SAME_FILE.format(v=origins[file.name][0])))
        else:
            table.path.rename(folder / file.filename)
            origins[file.name] = (table.name, table.row_of, lambda name: name)


def _converted(one, tables, folder, faults, warnings, origins):
    mapping = mapping_of(one)
    columns = {item_name(target): column for column, target in mapping.columns.items() if target}
    for table in tables[:1]:
        try:
            converted = converting.convert(table, mapping, folder, faults, warnings)
        except reading.Unreadable as fault:
            faults.add(Finding(table.name, fault.row, "", "", fault.reason))
            return
        for file in converted.files:
            rows = converted.rows[file.name]
            origins[file.name] = (
                table.name,
                lambda line, rows=rows: rows.get(line, line),
                lambda name: columns.get(item_name(name), name),
            )


def _kept_findings(findings, origins):
    """Findings as JSON, in the words of what was uploaded: its file's name, its rows, its columns."""
    shown = []
    for one in findings.listed:
        name, row_of, column_of = origins.get(one.file.removesuffix(".csv"), (one.file, lambda row: row, lambda c: c))
        columns = ", ".join(column_of(column) for column in one.column.split(", ")) if one.column else ""
        row = row_of(one.row) if one.row else one.row
        shown.append([name, row, columns, one.value, one.reason.en, one.reason.ja])
    return {"total": findings.total, "shown": shown}


def report_of(one):
    """{"errors": Findings, "warnings": Findings} of a checked import or of an undoing that was refused."""
    content = uploads.kept(one, REPORT, 0)
    found = json.loads(content) if content else {}
    return {
        name: Findings(
            [Finding(*cell[:4], Label(*cell[4:])) for cell in found.get(name, {}).get("shown", [])],
            found.get(name, {}).get("total", 0),
        )
        for name in ("errors", "warnings")
    }
