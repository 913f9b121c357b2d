"""`manage.py compare_bundle`: a comparison with its data, to be computed again by `bin/verify-with-r`."""

from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from registry.analysis.documents import bundle
from registry.management.analyses.management.commands.compare import plan_and_cohort
from registry.management.analyses.management.commands.compare_segments import add_question, question, whole_file
from registry.models import ComparisonRun
from sites import audit
from sites.tenancy.scope import current, everything


class Command(BaseCommand):
    help = "Write a zip file with a comparison, its de-identified data and an R script that computes it again."

    def add_arguments(self, parser):
        parser.add_argument("output", metavar="FILE.zip")
        parser.add_argument("--run", type=UUID, metavar="ID", help="of a stored run, instead of computing anew")
        parser.add_argument("--plan", metavar="FILE|NAME", help="a plan as JSON, such as a bundle's, or a saved one")
        add_question(parser)
        parser.add_argument(
            "--patient-ids", action="store_true", help="a column with patient IDs: such a file identifies its patients"
        )

    def handle(self, *, output, run, **options):
        with whole_file(output) as file, everything(reason="compare_bundle"):
            try:
                patients = self._stored(file, run, **options) if run else self._new(file, **options)
            except ValueError as error:
                raise CommandError(str(error), returncode=2) from error
            detail = {"patients": patients, "identified": options["patient_ids"]}
            about = {"table": ComparisonRun._meta.db_table, "row_id": run or "", "detail": detail}
            audit.record_for_sites("export", current().read, **about)
        self.stdout.write(f"{output}: {patients} patients. Compute it again with bin/verify-with-r {output}")

    def _stored(self, file, run, *, patient_ids, **options):
        if patient_ids:
            raise ValueError("a stored run has no patient IDs: compute it anew, with --plan")
        comparison = ComparisonRun.objects.filter(pk=run, status=ComparisonRun.Status.DONE).first()
        if comparison is None:
            raise ValueError(f"no finished run {run}")
        return bundle.write_run(file, comparison)

    def _new(self, file, *, plan, cohort, value_set, baseline, followup, patient_ids, **options):
        if plan is None:
            chosen, who = question(cohort, value_set, baseline, followup)
        else:
            chosen, who = plan_and_cohort(plan, cohort)
        return bundle.write_new(file, chosen, who, patient_ids)["cohort"]["n"]
