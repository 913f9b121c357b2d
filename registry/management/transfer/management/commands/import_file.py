"""`manage.py import_file FILE… --by EMAIL [--mapping NAME]`: files as people keep them, checked and stored by a kept
mapping.
"""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from registry.imports import findings, jobs, unattended
from registry.imports.unattended import Answers, NotPossible
from registry.models import Import
from registry.tasks import start_all_outcomes
from sites.models import User
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import entered

Status, Act = Import.Status, Import.Act
REFUSED = 2


class Command(BaseCommand):
    help = (
        "Import CSV files and workbooks that are read by a kept mapping, or are of the registry's own shape, all or "
        "nothing, in the name of somebody who may import. What is wrong is told cell by cell, and the exit code is 2."
    )

    def add_arguments(self, parser):
        parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="in whose name, for the audit trail")
        parser.add_argument("--mapping", default="", metavar="NAME", help="a mapping that was kept on the import page")
        parser.add_argument("--encoding", help="of texts that are not UTF-8, such as cp932")
        parser.add_argument("--delimiter", help="what separates the cells of texts")
        parser.add_argument("--sheet", action="append", default=[], help="a sheet to import, where there are several")
        parser.add_argument("--formulas", action="store_true", help="take the values that Excel saved of formulas")
        parser.add_argument("--header", default="", metavar="ROW", help="the row that names the columns: 3, or 1+2")
        parser.add_argument("--dry-run", action="store_true", help="check everything and store nothing")
        parser.add_argument("--update", action="store_true", help="let rows that differ replace what is stored")
        parser.add_argument("--reason", default="", help="why, for the audit trail; storing needs it")
        parser.add_argument(
            "--different-people", action="store_true", help="patients who may be the same person are not"
        )
        parser.add_argument("--findings", type=Path, metavar="XLSX", help="write the rows concerned, cells marked")

    def handle(self, *, files, by, **options):
        if not (options["dry_run"] or options["reason"].strip()):
            raise CommandError(
                "Storing needs --reason: why are the files imported? Or say --dry-run.", returncode=REFUSED
            )
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise CommandError(f"There is no file {missing[0]}.", returncode=REFUSED)
        user = User.objects.filter(email=by.strip().casefold(), is_active=True).first()
        access = user and access_of(user)
        if access is None or not access.may(Can.IMPORT):
            raise CommandError(f"{by} is nobody who may import.", returncode=REFUSED)
        with entered(access.scope()):
            self._import(access, files, options)

    def _import(self, access, files, options):
        answers = Answers(
            options["encoding"], options["delimiter"], tuple(options["sheet"]), options["formulas"], options["header"]
        )
        contents = {path.name: path.read_bytes() for path in files}
        try:
            job = unattended.begin(access=access, files=contents, mapping=options["mapping"], answers=answers)
        except NotPossible as error:
            raise CommandError(str(error), returncode=REFUSED) from None
        try:
            unattended.carry_through(job)
            if job.status == Status.CANCELLED:
                raise CommandError("The import was cancelled; nothing was stored.", returncode=REFUSED)
            self._decide(job, options)
        finally:
            job.refresh_from_db()
            jobs.discard(job)  # nothing where it was stored

    def _decide(self, job, options):
        if (reason := unattended.waits_for(job)) is not None:
            raise CommandError(str(reason), returncode=REFUSED)
        report = jobs.report_of(job)
        for kind, out in (("errors", self.stderr), ("warnings", self.stdout)):
            self._list(kind, report[kind], out)
        if options["findings"] and any(report.values()):
            options["findings"].write_bytes(findings.workbook(job))
        for name, counts in job.counts.get("files", {}).items():
            self.stdout.write(
                f"{name}.csv: {counts['new']} new, {counts['changed']} changed, {counts['unchanged']} unchanged"
            )
        if job.counts["errors"]:
            raise CommandError("Nothing was stored.", returncode=REFUSED)
        changed = sum(counts["changed"] for counts in job.counts.get("files", {}).values())
        if changed and not options["update"] and not options["dry_run"]:
            raise CommandError(f"{changed} rows differ from what is stored: say --update.", returncode=REFUSED)
        if job.counts.get("alike") and not (options["different_people"] or options["dry_run"]):
            raise CommandError(
                "Patients may be the same person: say --different-people, or mend the file.", returncode=2
            )
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was stored.")
            return
        jobs.request(job, Act.STORE, update=options["update"], reason=options["reason"].strip()[:200])
        jobs.perform(job.pk)
        job.refresh_from_db()
        if job.status != Status.DONE:
            raise CommandError(job.error or "Nothing was stored.", returncode=REFUSED)
        start_all_outcomes()

    def _list(self, kind, findings, out):
        if findings:
            out.write(f"{findings.total} {kind}:")
        for finding in findings.shown:
            where = ", ".join(
                filter(None, (finding.file, f"row {finding.row}" if finding.row else "", finding.column, finding.value))
            )
            out.write(f"  {where}: {finding.reason}".replace("\n", " "))
        if findings.not_shown > 0:
            out.write(f"  … and {findings.not_shown} more")
