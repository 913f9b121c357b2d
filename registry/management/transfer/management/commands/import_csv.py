"""`manage.py import_csv DIR`: the registry's own files (`wire.FILES`), all or nothing."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from registry.imports import import_files
from registry.services.files import file_formats
from registry.tasks import start_all_outcomes


class Command(BaseCommand):
    help = (
        f"Import {', '.join(file.filename for file in file_formats.FILES)} of a folder, as many as there are, all or "
        "nothing. Bad input is told cell by cell, and the exit code is 2."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="check everything and store nothing")
        parser.add_argument("--create-sites", action="store_true", help="create the sites that patients.csv names")
        parser.add_argument("--update", action="store_true", help="let rows that differ replace what is stored")
        parser.add_argument("--reason", default="", help="why, for the audit trail; --update needs it")
        parser.add_argument("--no-compute", action="store_true", help="leave utilities and changes to the next sweep")

    def handle(self, *, folder, dry_run, create_sites, update, reason, no_compute, **options):
        if update and not reason.strip():
            raise CommandError("--update needs --reason: why are stored values replaced?", returncode=2)
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.", returncode=2)
        try:
            report = import_files(folder, dry_run=dry_run, create_sites=create_sites, update=update, reason=reason)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}", returncode=2) from None
        self._tell(report)
        if not report.acceptable:
            raise CommandError("Nothing was stored.", returncode=2)
        if dry_run:
            self.stdout.write("Dry run: nothing was stored.")
        elif not no_compute and not start_all_outcomes():
            self.stderr.write(
                "The broker cannot be reached: utilities and changes follow with the next sweep, or now with "
                "`manage.py compute_utilities`."
            )

    def _tell(self, report):
        out = self.stderr if not report.acceptable else self.stdout
        self._list("error", report.errors, out)
        if any(error.column == "site_code" for error in report.errors.shown):
            out.write("A site of patients.csv that does not exist is created with --create-sites.")
        self._list("row that differs from what is stored", report.differences, out)
        if report.differences and not report.update:
            out.write("To replace what is stored, add --update --reason “why”.")
        self._list("warning", report.warnings, self.stdout)
        if report.acceptable:
            for code in report.sites_created:
                self.stdout.write(f"site {code} created")
            for name, counts in report.counts.items():
                self.stdout.write(
                    f"{name}.csv: {counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged"
                )

    def _list(self, what, findings, out):
        if not findings:
            return
        out.write(f"{findings.total} {what}{'' if findings.total == 1 else _plural(what)}:")
        for finding in findings.shown:
            row = f"row {finding.row}" if finding.row else ""
            value = f"“{finding.value}”" if finding.value else ""
            where = ", ".join(filter(None, (finding.file, row, finding.column, value)))
            out.write(f"  {where}{': ' if where else ''}{finding.reason}".replace("\n", " "))
        if findings.not_shown > 0:
            out.write(f"  … and {findings.not_shown} more")


def _plural(what):
    return "" if what.startswith("row") else "s"
