"""Bringing the registry's CSV files in, all or nothing.

Cells are cleaned by the instruments' own rules while the files are read (`reading`, `staging`), rows are compared with
each other and with what is stored in whole sets (`comparing`), and then written by one statement a table (`storing`).
"""

import hashlib
import logging
from copy import copy
from dataclasses import replace

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from registry.imports.checking import (
    comparing,
    extras,
    follow_up_rules,
    merged,
    own_records,
    own_sites,
    plausibility,
    staging,
)
from registry.imports.files import reading
from registry.imports.report import Counts, Finding, Report
from registry.imports.storing import audit_window, pipeline, statements
from registry.instruments.base import Label
from registry.services.entry import suspected_pairs
from registry.services.files import file_formats
from sites import audit
from sites.database.constraints import broken
from sites.tenancy.scope import entered, everything

log = logging.getLogger(__name__)

NO_FILE = Label(
    "There is none of " + ", ".join(file.filename for file in file_formats.FILES) + ".",
    "、".join(file.filename for file in file_formats.FILES) + "のいずれもありません。",
)
REFUSED_BY_DATABASE = Label(
    "The database refused the files: something saved in the meantime, or at another site, stands in the way. Try "
    "again; the log of the server says more.",
    "データベースが拒否しました。同時に保存された、または他施設のデータと両立しません。もう一度実行してください"
    "（詳細はサーバーのログにあります）。",
)
CHANGED_SINCE = Label(
    "What is stored has changed since the files were checked. Look at the differences again.",
    "確認後に登録済みのデータが変わりました。相違をもう一度確認してください。",
)
NOT_COMPARED = Label(
    "Rows of stored records that give a date of birth or free text: {n}. What is stored of these is for the site "
    "alone: it was neither compared nor replaced.",
    "登録済みの記録について生年月日または自由記載を含む行：{n}。これらの登録内容は施設のみが扱うため、照合も置換もしていません。",
)
REASON = "import of {files}"


@reading.nothing_collected()
def import_files(
    folder,
    *,
    within=None,
    dry_run=False,
    create_sites=False,
    update=False,
    reason="",
    today=None,
    partial=False,
    identifies=None,
    seen=None,
    tell=lambda share, stage: None,
    look=lambda cursor, file: None,
    places=None,
    leave_out=False,
):
    """Import the registry's files (`file_formats.files`) of `folder` (a Path, or name of a file → `reading.Rows`), as
    many as there are.

    within        the Scope of somebody who may import for some sites or for all: rows of others are refused; None for
                  the system, in that of all sites
    dry_run       do everything, tell about it and take it back
    create_sites  create the sites of patients.csv that do not exist
    update        rows that differ from what is stored replace it, for `reason`; otherwise they are refused
    partial       the files need not have every column: what they have not stays as it is stored
    identifies    ids of the sites whose identifiers may be told of (`staging.keep_unseen`); None for all
    seen          `Report.seen` of the dry run that somebody looked at: refused if what would change is not the same
    tell          called with the share done (0 to 1) and the name of the stage that begins
    look          called with each file before its rows are stored: `touched(file)` is filled
    leave_out     answers that other answers hide are left out and told; otherwise they are refused
    places        name of a repeating form's file → line → which of the patient's records a row without a number is
    Returns a Report. Unless `report.stored`, nothing was written. The caller has checked that the
    person may import.
    """
    if update and not reason.strip():
        raise ValueError("an update needs a reason")
    report = Report(update=update)
    given = folder if isinstance(folder, dict) else _in_folder(folder)
    files = [extras.as_found(file, given[file.name]) for file in file_formats.files() if file.name in given]
    if not files:
        report.errors.add(Finding("", None, "", "", NO_FILE))
        return report
    reason = reason or REASON.format(files=", ".join(file.filename for file in files))
    try:
        with transaction.atomic():
            work = _Work(given, files, report, reason, dry_run, create_sites, today or timezone.localdate())
            work.within = within
            work.partial, work.seen, work.tell, work.look = partial, seen, tell, look
            work.identifies, work.places, work.leave_out = identifies, places or {}, leave_out
            work.run()
            if dry_run or not report.acceptable:
                transaction.set_rollback(True)
    except IntegrityError as error:
        log.warning("import refused: %s", broken(error))
        report.errors.add(Finding("", None, "", "", REFUSED_BY_DATABASE))
    report.stored = report.acceptable and not dry_run
    return report


def _in_folder(folder):
    paths = {file.name: folder / file.filename for file in file_formats.files()}
    return {name: path for name, path in paths.items() if path.is_file()}


class _Work:
    """One import inside its transaction."""

    def __init__(self, given, files, report, reason, dry_run, create_sites, today):
        self.given, self.files, self.report, self.reason = given, files, report, reason
        self.dry_run, self.create_sites, self.today = dry_run, create_sites, today

    def _in_scope(self):
        if self.within is None:
            return everything(reason=self.reason)
        return entered(replace(self.within, reason=self.reason))

    def run(self):
        report = self.report
        with self._in_scope(), connection.cursor() as cursor:
            # Two imports at once wait for each other, so that neither meets the other's half-written rows.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('import'))")
            after = audit_window.newest(cursor)
            sites = self._store_while_read()
            if sites is None:
                staged = self._stage(cursor)
                if self.create_sites:
                    report.sites_created = comparing.create_sites(cursor, report.errors)
        with self._in_scope(), connection.cursor() as cursor:  # again, since there may be new sites
            if sites is None:
                self.tell(0.5, "compare")
                self._check(cursor, staged)
                if not report.errors:
                    self._store(cursor, staged)
                    sites = comparing.sites_of(cursor, self.files)
            if not report.errors:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                detail = {name: vars(counts) for name, counts in report.counts.items()}
                audit.record_for_sites("import", sites, detail=detail)
                report.trail = (audit_window.transaction(cursor), after, audit_window.newest(cursor))

    def _store_while_read(self):
        """Store a large file of new rows while it is read (`pipeline`); returns the ids of their sites, None where it
        has to go the common way. A dry run goes that way, since it has to tell of everything.
        """
        if self.dry_run or not pipeline.fits(self.files, self.given):
            return None
        [file], beside = self.files, copy(self)
        beside.report = Report(update=self.report.update)

        def check(pass_on):
            def pass_on_faultless(records):
                if beside.report.errors:
                    raise pipeline.Otherwise
                pass_on(records)

            with connection.cursor() as cursor:
                rows = beside.only_new(cursor, file, pass_on_faultless)
                return rows, comparing.sites_of(cursor, self.files)

        sites = pipeline.store_while_read(file, check)
        if sites is not None:
            vars(self.report).update(vars(beside.report))
        return sites

    def only_new(self, cursor, file, pass_on):
        """Check a file of which nothing is stored, and count its rows; raises `pipeline.Otherwise` for any other."""
        staged = self._stage(cursor, pass_on)
        self.tell(0.5, "compare")
        self._check(cursor, staged)
        self._compare(cursor, file, staged[file.name])
        comparing.find_not_asked(cursor, file, self.report.errors)
        rows = staged[file.name].rows
        if self.report.errors or self.report.counts[file.name].new != rows or not self._is_as_seen():
            raise pipeline.Otherwise
        self.tell(0.9, "plausibility")
        plausibility.find_warnings(cursor, file, self.report.warnings)
        return rows

    def _stage(self, cursor, pass_on=lambda records: None):
        given = {file.name: file for file in self.files}  # with the extras that were brought
        for file in file_formats.files():
            staging.create_stage(cursor, given.get(file.name, file))
        staged = {}
        for number, file in enumerate(self.files):
            self.tell(0.5 * number / len(self.files), "read")
            path = self.given[file.name]
            stage = staging.read_into_stage(
                cursor, file, path, self.report.errors, self.today, partial=self.partial, pass_on=pass_on
            )
            if file.form:
                places = self.places.get(file.name, {})
                own_records.recognise(cursor, file, stage, self.identifies, self.report.warnings, places)
            if stage.absent:
                staging.keep_stored(cursor, file, stage.absent)
            self.report.warnings.extend(list(stage.rewritten), len(stage.rewritten))
            if self.identifies is not None and (unseen := staging.keep_unseen(cursor, file, list(self.identifies))):
                self.report.warnings.add(Finding(file.filename, None, "", "", NOT_COMPARED.format(n=unseen)))
            staged[file.name] = stage
        return staged

    def _check(self, cursor, staged):
        """Checks across rows. Where patients.csv could not be read to its end, nobody knows whose the others are."""
        patients_known = all(staged[file.name].is_complete for file in self.files if file == file_formats.PATIENTS)
        for file in self.files:
            comparing.find_twice(cursor, file, self.report.errors)
            if file.form:
                own_records.find_unknown(cursor, file, self.report.errors)
            if file == file_formats.PATIENTS:
                if self.within is not None:
                    own_sites.find_foreign(cursor, self.within.write, self.report.errors)
                comparing.find_wrong_sites(cursor, self.report.errors)
                comparing.find_not_enrolling(cursor, self.report.errors)
                comparing.find_in_error(cursor, self.report.errors)
                comparing.find_spelt_otherwise(cursor, self.report.warnings)
            elif patients_known:
                comparing.find_without_patient(cursor, file, self.report.errors)

    def _compare(self, cursor, file, stage):
        """Count what of a file is new or changed, and find what may not be."""
        report = self.report
        new, changed = comparing.find_touched(cursor, file, stage)
        report.counts[file.name] = Counts(new, changed, stage.rows - new - changed)
        if self.dry_run or self.seen is not None:
            report.seen += comparing.hash_of_touched(cursor, file)
        if changed:
            comparing.list_differences(cursor, file, report.differences)
            comparing.find_forbidden_changes(cursor, file, report.errors)
        if file == file_formats.PATIENTS:
            comparing.find_alike(cursor, stage.alike, report.alike)
            comparing.find_enrolled_already(cursor, self.identifies, report.alike)
            if self.partial:
                merged.find_broken(cursor, stage.absent, report.errors, self.identifies)
        if file == file_formats.ADVERSE_EVENTS:
            merged.find_broken_events(cursor, report.errors)
        follow_up_rules.find_impossible(cursor, file, report.errors)
        extras.find_switched_off(cursor, file, report.errors)
        self.look(cursor, file)

    def _is_as_seen(self):
        """Whether what would change is what somebody looked at; `report.seen` is its hash from here on."""
        self.report.seen += str(self.report.alike.total)  # who was enrolled since is asked about
        self.report.seen = hashlib.sha256(self.report.seen.encode()).hexdigest()
        return self.seen is None or self.seen == self.report.seen

    def _store(self, cursor, staged):
        report = self.report
        patients = next((file for file in self.files if file == file_formats.PATIENTS), None)
        for file in self.files:
            if self.leave_out:
                stage = staged[file.name]
                gone = comparing.leave_out_not_asked(cursor, file, stage.absent, patients, report.warnings)
                staged[file.name] = replace(stage, rows=stage.rows - gone)
            self._compare(cursor, file, staged[file.name])
        if not self._is_as_seen():
            report.errors.add(Finding("", None, "", "", CHANGED_SINCE))
        if report.errors or (report.differences and not (report.update or self.dry_run)):
            return
        self.tell(0.7, "store")
        for file in self.files:
            # Once the patients are stored, whose new answers say what is asked of their visits.
            comparing.find_not_asked(cursor, file, report.errors)
            if report.counts[file.name].new:
                statements.store_new(cursor, file)
            if report.counts[file.name].changed:
                statements.store_changes(cursor, file)
        if report.counts.get(file_formats.PATIENTS.name, Counts()).new:
            numbers, unasked = comparing.new_patients(cursor, self.identifies)
            with everything(reason="look_for_pairs"):  # of all sites, whoever imports
                suspected_pairs.look(numbers, unasked)
        self.tell(0.9, "plausibility")
        for file in self.files:
            plausibility.find_warnings(cursor, file, report.warnings)
