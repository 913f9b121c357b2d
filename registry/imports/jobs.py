"""The life of an import: uploaded, its open questions answered, checked, stored; and taken back.

The `Import` row is the job (`registry.services.jobs`). A small one is carried out at once, a large one by a worker.
"""

import json
import logging
import re
import zlib
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from registry.imports import import_files, reach
from registry.imports.checking import comparing, converting, listing
from registry.imports.files import reading, shaping, sources, uploads
from registry.imports.files.excel import isolated
from registry.imports.files.excel.workbook import Sheet
from registry.imports.files.mapping import Mapping, beside_of, item_name
from registry.imports.files.sources import Inspection, Table, Way
from registry.imports.report import Finding, Findings, Report
from registry.imports.storing import undoing
from registry.instruments.base import Label
from registry.models import Import
from registry.services import jobs
from registry.services.files import file_formats
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import current, entered

log = logging.getLogger(__name__)

Status, Act = Import.Status, Import.Act
SMALL = 400_000  # bytes: what is checked while the person waits
STALE = timedelta(seconds=60)
REPORT = "report"
TOLD_OF_SHEETS = {field.name for field in fields(Sheet)}
OUTCOME = ("choices", "mapping", "counts", "seen", "error", "transaction_id", "trail_from", "trail_to")

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


def begin(*, access, files, answers=None):
    """A new Import of `files` (name → upload): small texts are read at once, the rest when a worker has it.

    answers  to the questions of `sources.answered`, for every file, where they are known beforehand
    Raises PermissionDenied.
    """
    access.require(Can.IMPORT)
    job = uploads.new_import(access.user_id, files, sites=reach.sites_of(access))
    job.choices = [choice | ({"wanted": answers} if answers else {}) for choice in _unread(job)]
    _touch(job, "choices")
    if is_small(job) and not has_workbook(job):
        read_files(job)
        _touch(job, "choices")
    return job


def _unread(job):
    """The choice of each file that nobody has looked into yet."""
    heads = (next(uploads.stored(job, f"file:{number}"), b"") for number in range(len(job.files)))
    return [_sniffed(head[: sources.HEAD]) for head in heads]


def of_this_release(job):
    """The job. Where an earlier release looked into files that are not stored yet, they are to be read again."""
    if any(map(_is_of_earlier_release, job.choices)) and job.status not in (Status.DONE, Status.DISCARDED):
        job.status, job.choices, job.mapping, job.mapping_name = Status.OPEN, _unread(job), None, ""
        _touch(job, "status", "choices", "mapping", "mapping_name")
    return job


def _is_of_earlier_release(choice):
    if "unreadable" in choice:
        return False
    return "read" not in choice or any(sheet.keys() != TOLD_OF_SHEETS for sheet in choice.get("sheets", ()))


def _sniffed(head):
    try:
        return {"workbook": sources.kind_of(head) == "workbook", "read": False, "way": Way().to_json()}
    except reading.Unreadable as fault:
        return _unreadable(fault)


def _unreadable(fault):
    return {"unreadable": [fault.reason.en, fault.reason.ja], "row": fault.row}


def has_workbook(job):
    """Whether a file is a workbook, which a worker alone reads."""
    return any(choice.get("workbook") for choice in job.choices)


@reading.nothing_collected()
def read_files(job):
    """Read what can be read by now: files that nobody looked into, and tables whose way is known since. What is in
    them is kept sealed.
    """
    for number, file in enumerate(job.files):
        with isolated.private_folder() as folder:
            try:
                if "unreadable" not in job.choices[number]:
                    _read_file(job, number, folder)
            except reading.Unreadable as fault:
                job.choices[number] = _unreadable(fault)
        log.debug("import %s: %s", job.pk, file["size"])


def _read_file(job, number, folder):
    choice = job.choices[number]
    if not choice["read"]:
        inspection = _inspected(job, number, folder, choice["workbook"])
        choice |= {
            "read": True,
            "encodings": inspection.encodings,
            "delimiters": inspection.delimiters,
            "separator": inspection.separator,
            "sheets": [asdict(sheet) for sheet in inspection.sheets],
            "way": sources.answered(inspection, inspection.certain, choice.get("wanted") or {}).to_json(),
            "tables": None,
        }
    way, inspection = Way.from_json(choice["way"]), inspection_of(choice)
    if choice["tables"] == way.tables or (not inspection.workbook and inspection.open_questions(way)):
        return
    choice["uncertain"] = []
    for sheet in [place for place, _ in inspection.filled] or [0]:
        layout = _table_made(job, number, sheet, way, inspection, folder)
        if not layout.certain:
            choice["uncertain"].append(sheet)
    choice["tables"] = way.tables


def _inspected(job, number, folder, is_workbook):
    path = folder / "upload"
    if not uploads.write_file(job, number, path):
        raise reading.Unreadable(GONE)
    if not is_workbook:
        return sources.inspect_text(path)
    sheets = sources.read_sheets(path, folder)
    inspection = sources.inspect_sheets(sheets)
    for place, _ in inspection.filled:
        _keep_packed(job, f"sheet:{number}:{place}", folder / f"sheet-{place}.csv")
    return inspection


def _table_made(job, number, sheet, way, inspection, folder):
    """Make and keep a file's table; returns its Layout."""
    source, target = folder / "source", folder / "table.csv"
    if inspection.workbook:
        _write_packed(job, f"sheet:{number}:{sheet}", source)
        layout = sources.shape_sheet(source, way, sheet, target)
    else:
        if not uploads.write_file(job, number, source):
            raise reading.Unreadable(GONE)
        layout = sources.shape_text(source, way, target)
    _keep_packed(job, f"table:{number}:{sheet}", target)
    uploads.keep(
        job, f"layout:{number}:{sheet}", [zlib.compress(json.dumps(layout.to_json(), ensure_ascii=False).encode(), 1)]
    )
    return layout


def layout_of(job, number, sheet):
    """The `Layout` of a file's table as it was read."""
    content = b"".join(uploads.stored(job, f"layout:{number}:{sheet}"))
    return shaping.Layout.from_json(json.loads(zlib.decompress(content)))


def layouts_of(job):
    """(name of the file or sheet, Layout) of each table that is imported."""
    return [(name, layout_of(job, number, sheet)) for number, sheet, name, _, _ in _chosen(job)]


def _chosen(job):
    """(number of the file, number of the sheet, name, Sheet or None, Way) of each table that is imported."""
    for number, file, choice in readable(job):
        way, inspection = Way.from_json(choice["way"]), inspection_of(choice)
        chosen = inspection.chosen(way)
        for place, sheet in chosen:
            yield number, place, f"{file['name']} [{sheet.name}]" if len(chosen) > 1 else file["name"], sheet, way


def _keep_packed(job, name, path):
    """Keep a file's content, packed."""

    def pieces():
        packer = zlib.compressobj(1)
        with path.open("rb") as stream:
            while piece := stream.read(uploads.PIECE * 4):
                if packed := packer.compress(piece):
                    yield packed
        yield packer.flush()

    uploads.keep(job, name, pieces())


def _write_packed(job, name, path):
    unpacker = zlib.decompressobj()
    with path.open("wb") as stream:
        for piece in uploads.stored(job, name):
            stream.write(unpacker.decompress(piece))
        stream.write(unpacker.flush())


def inspection_of(choice):
    """The `Inspection` that a file's choice remembers; nothing of a file that nobody has read yet."""
    if not choice.get("read"):
        return Inspection(workbook=choice["workbook"], encodings=(), delimiters=())
    sheets = tuple(Sheet(**sheet) for sheet in choice["sheets"])
    return Inspection(
        choice["workbook"], tuple(choice["encodings"]), tuple(choice["delimiters"]), sheets, choice["separator"]
    )


def readable(job):
    """(number, file, choice) of the files that are tables."""
    return [
        (number, file, choice)
        for number, (file, choice) in enumerate(zip(job.files, job.choices, strict=True))
        if "unreadable" not in choice
    ]


def choose(job, answers):
    """Take the answers (by number of the file) to how the files are read: what was said of their columns is void."""
    for number, _, choice in readable(job):
        way = sources.answered(inspection_of(choice), Way.from_json(choice["way"]), answers.get(number, {}))
        choice["way"] = way.to_json()
    _open(job, choices=job.choices, mapping=None)


def step_of(job):
    """What an open import waits for: read (by a worker), choices, columns, values, or check (nothing more)."""
    ways = [(choice, Way.from_json(choice["way"])) for _, _, choice in readable(job)]
    if not all(choice["read"] for choice, _ in ways):
        return "read"
    if any(inspection_of(choice).open_questions(way) for choice, way in ways):
        return "choices"
    if any(choice["tables"] != way.tables for choice, way in ways):
        return "read"
    if any(_header_asked(choice, way) for choice, way in ways):
        return "choices"
    if job.mapping is None and _needs_mapping(job):
        job.mapping = {"step": "columns", "map": {}}
        _touch(job, "mapping")
    return job.mapping["step"] if job.mapping else "check"


def _header_asked(choice, way):
    """Sheets that are imported and of which nobody knows which row names the columns."""
    chosen = [place for place, _ in inspection_of(choice).chosen(way)]
    return [place for place in choice["uncertain"] if place in chosen and not way.header_of(place)]


def _needs_mapping(job):
    if len(readable(job)) != 1:
        return False
    layouts = layouts_of(job)
    return len(layouts) == 1 and file_of(*layouts[0]) is None


def set_mapping(job, mapping, step, name=""):
    """Keep the mapping of an import and what is to be said next: columns, values or check."""
    _open(job, mapping={"step": step, "map": mapping.to_json()}, mapping_name=name or job.mapping_name)


def _open(job, **values):
    """Keep answers about an undecided import, which is to be checked again."""
    for name, value in values.items():
        setattr(job, name, value)
    job.status = Status.OPEN
    _undecided(job).update(status=Status.OPEN, heartbeat_at=timezone.now(), **values)


def act_again(job):
    """The act with which an import that failed, was cancelled or is to be looked at anew begins again."""
    if job.undoes_id:
        return Act.UNDO
    return Act.READ if step_of(job) == "read" else Act.CHECK


def mapping_of(job):
    return Mapping.from_json((job.mapping or {}).get("map"))


def request(job, act, **fields):
    """Queue an act of an import: check, store or undo. Returns whether it is: nothing happens to one that another
    request, of a second click or another window, has queued or decided meanwhile."""
    return jobs.requeue(_undecided(job), act=act, error="", progress=0, stage="", **fields)


def _undecided(job):
    """The row as a query, which waits for whoever is deciding; empty once they have."""
    discarded = [Status.DISCARDED] if job.undoes_id else []  # an undoing needs no files: it can be tried again
    return Import.objects.filter(pk=job.pk, status__in=[*uploads.UNDECIDED, *discarded])


def is_small(job, act=None):
    """Whether an act of an import is done at once. Workbooks are read by a worker, however small they look."""
    if act == Act.READ and has_workbook(job):
        return False
    return sum(file["size"] for file in (job.undoes or job).files) <= SMALL


def cancel(job):
    """Stop what an import is queued for: at once where no worker has it, at the worker's next step otherwise. Nothing
    is stored then; the files stay, so that it can be tried again.
    """
    jobs.cancel(Import.objects.filter(pk=job.pk))


def discard(job):
    """Throw an undecided import's files away."""
    now = timezone.now()
    if _undecided(job).update(status=Status.DISCARDED, finished_at=now, heartbeat_at=now):
        uploads.forget(job)


@transaction.atomic
def new_undo(*, access, done):
    """An Import that takes `done` back, to be queued, or the one that tried before.

    Raises PermissionDenied, ValueError.
    """
    access.require(Can.IMPORT)
    if not may_be_undone(reach.visible(access).select_for_update().get(pk=done.pk)):  # of two at once the second waits
        raise ValueError("this import cannot be undone")
    job = Import.objects.filter(undoes=done).first() or uploads.new_import(access.user_id, {}, undoes=done)
    job.requested_by_id, job.sites = access.user_id, done.sites
    job.save(update_fields=["requested_by", "sites"])
    return job


def may_be_undone(job):
    """Whether an import is stored and not yet taken back; an undoing is not undone, its files are imported again."""
    undone = Import.objects.filter(undoes=job).exclude(status__in=[*jobs.WITHOUT_RESULT, Status.DISCARDED]).exists()
    return job.status == Status.DONE and job.undoes_id is None and job.trail_to is not None and not undone


def _touch(job, *fields):
    job.heartbeat_at = timezone.now()
    job.save(update_fields=["heartbeat_at", *fields])


# Files


@contextmanager
def tables_of(job):
    """(tables, faults, notes): the tables as they were read, as `sources.Table`s while the context lasts, and
    `Findings` about them.
    """
    faults, notes, tables = Findings(), Findings(), []
    for file, choice in zip(job.files, job.choices, strict=True):
        if "unreadable" in choice:
            faults.add(Finding(file["name"], choice.get("row"), "", "", Label(*choice["unreadable"])))
    with isolated.private_folder() as folder:
        for number, place, name, sheet, way in _chosen(job):
            path = folder / f"table-{number}-{place}.csv"
            _write_packed(job, f"table:{number}:{place}", path)
            if not path.stat().st_size:
                faults.add(Finding(name, None, "", "", GONE))
                continue
            table = Table(path, name, layout_of(job, number, place), sheet)
            sources.told_of(table, faults, notes)
            if sheet is not None and (sheet.formulas or sheet.errors):
                sources.settle(table, way, folder / f"settled-{number}-{place}.csv", faults)
            tables.append(table)
        for _, file, choice in readable(job):
            _tell_of_others(file["name"], choice, notes)
        yield tables, faults, notes


def _tell_of_others(name, choice, notes):
    inspection = inspection_of(choice)
    chosen = [place for place, _ in inspection.chosen(Way.from_json(choice["way"]))]
    for place, sheet in inspection.filled:
        if place not in chosen:
            notes.add(Finding(name, None, "", "", sources.OTHER_SHEET.format(v=sheet.name, n=sheet.rows)))


def file_of(name, layout):
    """The registry's file that a table is by its columns, or by its name and most of them; None where they must be
    matched.
    """
    files = file_formats.files()
    for file in files:
        if layout.names and not layout.repeated and not reading.header_faults(file, layout.names):
            return file
    stem = name.rpartition("[")[2].removesuffix("]").rpartition(".")[0] or name.rpartition("[")[2].strip("]")
    return next((file for file in files if stem.casefold() == file.name and _is_mostly(file, layout.names)), None)


def _is_mostly(file, header):
    """Whether most columns are a file's own, so that faults of its header are told instead of matching it: a wide
    export, and a hospital's list, may be called patients.csv too.
    """
    whole = file.with_extras(header)
    own = {*whole.columns, *(reason.name for reason in whole.reasons)}
    return len(own.intersection(header)) * 2 >= len(header)


# What workers do


def perform(import_id, *, in_turn=False):
    """Claim an import and carry out what it is queued for. Returns the Import, or None where it is not to be had.

    Every outcome is in the row; nothing is raised but what stops the process itself.
    """
    job = Import.objects.select_related("requested_by").filter(pk=import_id).first()
    if job is None:
        return None
    with entered(reach.scope_of(job)):
        claim = jobs.claim(Import, import_id, STALE, in_turn=in_turn, progress=0, stage="")
        if claim is None:
            return None
        job = of_this_release(Import.objects.get(pk=import_id))
        if job.status == Status.RUNNING:
            jobs.carry_out(claim, lambda tell: _carried_out(job, claim, tell), lambda error: DEFECT)
            job.refresh_from_db()
    return job


def _carried_out(job, claim, tell):
    """Carry the act out and end the job, in one transaction: nothing is stored by who has lost it meanwhile."""
    with transaction.atomic():
        _ACTS[job.act](job, lambda share, stage: tell(progress=share, stage=stage))
        claim.hold()
        waits = {"finished_at": None} if job.status in (Status.OPEN, Status.CHECKED) else {}
        claim.end(job.status, progress=0, stage="", **waits, **{name: getattr(job, name) for name in OUTCOME})


def recover():
    """Imports to be sent (again), as `jobs.recover` says. Returns their ids."""
    return jobs.recover(Import, STALE, LOST)


def _read(job, tell):
    """Read the files, and check them where nothing must be asked."""
    tell(0, "open")
    read_files(job)
    if step_of(job) == "check":
        _check(job, tell)
    else:
        job.status = Status.OPEN


def _check(job, tell):
    """The dry run: the report and the difference view are kept sealed, the row has the counts."""
    pages = {}
    report, origins = _run(job, pages, tell, dry_run=True)
    for kind, content in pages.items():
        uploads.keep(job, kind, [listing.dumped(page) for page in content])
    findings = {name: _kept_findings(getattr(report, name), origins) for name in ("errors", "warnings")}
    uploads.keep(job, REPORT, [json.dumps(findings, ensure_ascii=False).encode()])
    job.counts = _counts(report)
    job.seen, job.status = report.seen, Status.CHECKED


def _store(job, tell):
    report, _ = _run(job, {}, tell, dry_run=False, update=job.update, reason=job.reason, seen=job.seen)
    if not report.stored:
        _check(job, tell)
        job.error = CHANGED_SINCE
        return
    job.counts, job.status = _counts(report), Status.DONE
    job.transaction_id, job.trail_from, job.trail_to = report.trail
    uploads.forget(job)


def _undo(job, tell):
    obstacles, counts, trail = undoing.undo(job.undoes, scope=replace(current(), reason=job.reason))
    if obstacles:
        findings = {"errors": _kept_findings(obstacles, {}), "warnings": {"total": 0, "shown": []}}
        uploads.keep(job, REPORT, [json.dumps(findings, ensure_ascii=False).encode()])
        job.status, job.counts = Status.FAILED, {"errors": obstacles.total}
    else:
        job.status, job.counts = Status.DONE, counts
        job.transaction_id, job.trail_from, job.trail_to = trail
        uploads.forget(job)


_ACTS = {Act.READ: _read, Act.CHECK: _check, Act.STORE: _store, Act.UNDO: _undo}


def _counts(report):
    files = {name: vars(counts) for name, counts in report.counts.items()}
    counts = {"files": files, "errors": report.errors.total, "warnings": report.warnings.total}
    return counts | {"alike": report.alike.total}


@reading.nothing_collected()
def _run(job, pages, tell, **options):
    """(report, origins) of one run over the import's files; `pages` is filled with the difference view.

    origins  name of a registry's file → (name of the upload, row_of a line, column_of a name and line)
    """
    with tables_of(job) as (tables, faults, warnings):
        origins, places = {}, {}
        if job.mapping is not None:
            converted = _converted(job, tables, faults, warnings, origins)
            given, places = converted.tables, converted.places()
        else:
            given = _recognised(tables, faults, origins)
        if not origins:
            return Report(errors=faults, warnings=warnings), origins

        def look(cursor, file):
            if options["dry_run"]:
                _, row_of, _ = origins[file.name]
                for kind, content in listing.pages(cursor, file, row_of).items():
                    pages[f"{kind}:{file.name}"] = content

        options["dry_run"] = options["dry_run"] or bool(faults)
        report = import_files(
            given,
            within=current(),
            partial=job.mapping is not None,
            identifies=access_of(job.requested_by).sites_for(Can.IDENTIFY),
            tell=tell,
            look=look,
            places=places,
            leave_out=job.mapping is not None and mapping_of(job).hidden,
            **options,
        )
        _without_consequences(report.errors, faults, origins)
        report.warnings.listed[:0] = _in_rows(report.alike, origins)
        report.warnings.total += report.alike.total
        for before, name in ((faults, "errors"), (warnings, "warnings")):
            after = getattr(report, name)
            setattr(report, name, Findings(before.listed + after.listed, before.total + after.total))
        report.stored = report.stored and not faults
        return report, origins


def _without_consequences(errors, faults, origins):
    """Leave out what follows from a cell that was not understood: its row is told already, and the cell is empty to
    all further checks.
    """
    faulty = {(fault.file, fault.row) for fault in faults.listed if fault.row and fault.column}
    consequences = []
    for error in errors.listed:
        name, row_of, _ = origins.get(error.file.removesuffix(".csv"), (error.file, lambda row: row, None))
        if not error.row or (name, row_of(error.row)) not in faulty:
            consequences.append(error)
    errors.total -= len(errors.listed) - len(consequences)
    errors.listed[:] = consequences


ALIKE_ROW = re.compile(re.escape(comparing.ALIKE.en).replace(r"\{n\}", r"(\d+)"))


def _in_rows(alike, origins):
    """Findings on people who may be the same, the other's line as the row of what was uploaded."""
    for finding in alike.listed:
        _, row_of, _ = origins[file_formats.PATIENTS.name]
        line = ALIKE_ROW.fullmatch(finding.reason.en)
        yield replace(finding, reason=comparing.ALIKE.format(n=row_of(int(line[1])))) if line else finding


def _recognised(tables, faults, origins):
    """Name of a registry's file → the path of the table that has its shape."""
    given = {}
    for table in tables:
        file = file_of(table.name, table.layout)
        if file is None:
            faults.add(Finding(table.name, 1, "", "", ALONE))
        elif repeated := sorted(set(table.layout.repeated) & {*file.columns, *(name.name for name in file.reasons)}):
            twice = reading.TWICE.format(n=len(repeated), names=", ".join(repeated[:5]))
            faults.add(Finding(table.name, max(table.layout.header), "", "", twice))
        elif file.name in origins:
            faults.add(Finding(table.name, None, "", "", SAME_FILE.format(v=origins[file.name][0])))
        else:
            given[file.name] = table.path
            origins[file.name] = (table.name, table.row_of, lambda name, line: name)
    return given


def _converted(job, tables, faults, warnings, origins):
    """What the mapping makes of the table (`Converted`)."""
    mapping = mapping_of(job)
    columns = {(item_name(target), beside_of(target)): column for column, target in mapping.columns.items() if target}
    for table in tables[:1]:
        try:
            converted = converting.convert(table, mapping, faults, warnings)
        except reading.Unreadable as fault:
            faults.add(Finding(table.name, fault.row, "", "", fault.reason))
            break
        for file in converted.files:
            rows, beside = converted.rows[file.name], converted.beside[file.name]
            origins[file.name] = (
                table.name,
                lambda line, rows=rows: rows.get(line, line),
                lambda name, line, beside=beside: columns.get(
                    (item_name(name), beside.get(line, "")), columns.get((item_name(name), ""), name)
                ),
            )
        return converted
    return converting.Converted()


def _kept_findings(findings, origins):
    """Findings as JSON, in the words of what was uploaded: its file's name, its rows, its columns."""
    shown = []
    for finding in findings.listed:
        name, row_of, column_of = origins.get(
            finding.file.removesuffix(".csv"), (finding.file, lambda row: row, lambda name, line: name)
        )
        names = finding.column.split(", ") if finding.column else []
        columns = ", ".join(column_of(name, finding.row) for name in names)
        row = row_of(finding.row) if finding.row else finding.row
        shown.append([name, row, columns, finding.value, finding.reason.en, finding.reason.ja])
    return {"total": findings.total, "shown": shown}


def report_of(job):
    """{"errors": Findings, "warnings": Findings} of a checked import or of an undoing that was refused."""
    content = uploads.stored(job, REPORT, 0)
    report = json.loads(content) if content else {}
    return {
        name: Findings(
            [Finding(*cell[:4], Label(*cell[4:])) for cell in report.get(name, {}).get("shown", [])],
            report.get(name, {}).get("total", 0),
        )
        for name in ("errors", "warnings")
    }
