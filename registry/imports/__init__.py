"""Bringing the registry's CSV files in, all or nothing.

Cells are cleaned by the instruments' own rules while the files are read (`reading`, `staging`), rows are compared with
each other and with what is stored in whole sets (`comparing`), and then written by one statement a table (`storing`).
"""

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from registry.imports import comparing, plausibility, staging, storing
from registry.imports.report import Counts, Finding, Report
from registry.instruments.base import Label
from registry.services import wire
from sites import audit
from sites.scope import everything

NO_FILE = Label(
    "There is none of " + ", ".join(file.filename for file in wire.FILES) + ".",
    "、".join(file.filename for file in wire.FILES) + "のいずれもありません。",
)
REFUSED_BY_DATABASE = Label(
    "The database refused the files ({v}). Was something saved in the meantime? Try again.",
    "データベースが拒否しました（{v}）。他の人が同時に保存した可能性があります。もう一度実行してください。",
)
REASON = "import of {files}"


def import_files(folder, *, user_id=None, dry_run=False, create_sites=False, update=False, reason="", today=None):
    """Import patients.csv, assessments.csv and adverse_events.csv of `folder` (a Path), as many as there are.

    dry_run       do everything, tell about it and take it back
    create_sites  create the sites of patients.csv that do not exist
    update        rows that differ from what is stored replace it, for `reason`; otherwise they are refused
    Returns a Report. Unless `report.stored`, nothing was written. Acts in the scope of all sites for `user_id`: the
    caller has checked that the person may import.
    """
    if update and not reason.strip():
        raise ValueError("an update needs a reason")
    report = Report(update=update)
    files = [file for file in wire.FILES if (folder / file.filename).is_file()]
    if not files:
        report.errors.add(Finding("", None, "", "", NO_FILE))
        return report
    scope = {"user_id": user_id, "reason": reason or REASON.format(files=", ".join(file.filename for file in files))}
    try:
        with transaction.atomic():
            _import(folder, files, report, scope, dry_run, create_sites, today or timezone.localdate())
            if dry_run or not report.acceptable:
                transaction.set_rollback(True)
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or type(error).__name__
        report.errors.add(Finding("", None, "", "", REFUSED_BY_DATABASE.format(v=name)))
    report.stored = report.acceptable and not dry_run
    return report


def _import(folder, files, report, scope, dry_run, create_sites, today):
    with everything(**scope), connection.cursor() as cursor:
        # Two imports at once wait for each other, so that neither meets the other's half-written rows.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('import'))")
        staged = _stage(cursor, folder, files, report.errors, today)
        if create_sites:
            report.sites_created = comparing.create_sites(cursor, report.errors)
    with everything(**scope), connection.cursor() as cursor:  # again, since there may be new sites
        _check(cursor, files, staged, report.errors)
        if not report.errors:
            _store(cursor, files, staged, report, dry_run)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            audit.record("import", detail={name: vars(counts) for name, counts in report.counts.items()})


def _stage(cursor, folder, files, errors, today):
    for file in wire.FILES:
        staging.create_stage(cursor, file)
    return {file.name: staging.read_into_stage(cursor, file, folder / file.filename, errors, today) for file in files}


def _check(cursor, files, staged, errors):
    """Checks across rows. Where patients.csv could not be read to its end, nobody knows whose rows the others are."""
    patients_known = all(staged[file.name].is_complete for file in files if file is wire.PATIENTS)
    for file in files:
        comparing.find_twice(cursor, file, errors)
        if file is wire.PATIENTS:
            comparing.find_wrong_sites(cursor, errors)
        elif patients_known:
            comparing.find_without_patient(cursor, file, errors)


def _store(cursor, files, staged, report, dry_run):
    for file in files:
        new, changed = comparing.find_touched(cursor, file, staged[file.name])
        report.counts[file.name] = Counts(new, changed, staged[file.name].rows - new - changed)
        if changed:
            comparing.list_differences(cursor, file, report.differences)
            comparing.find_forbidden_changes(cursor, file, report.errors)
    if report.errors or (report.differences and not (report.update or dry_run)):
        return
    for file in files:
        if report.counts[file.name].new:
            storing.store_new(cursor, file)
        if report.counts[file.name].changed:
            storing.store_changes(cursor, file)
    for file in files:
        plausibility.find_warnings(cursor, file, report.warnings)
