"""`manage.py make_demo_cohort DIR`: the demonstration registry's files, without touching the database."""

from pathlib import Path

from django.core.management.base import BaseCommand

from registry.demo import DEFAULT_SEED, make_cohort, write_cohort
from registry.demo.studies import make


class Command(BaseCommand):
    help = "Write the synthetic demonstration patients as CSV files in the registry's wire format."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path, metavar="DIR", help="made if it does not exist")
        parser.add_argument("--study", choices=sorted(make.MAKERS), help="another published study than Segi 2025")
        parser.add_argument("--seed", type=int, help=f"instead of {DEFAULT_SEED}; of a study {make.DEFAULT_SEED}")

    def handle(self, *, directory, seed, study, **options):
        if study:
            cohort = make.make_study(study, make.DEFAULT_SEED if seed is None else seed)
        else:
            cohort = make_cohort(DEFAULT_SEED if seed is None else seed)
        write_cohort(cohort, directory)
        self.stdout.write(f"{len(cohort.patients)} synthetic patients of {len(cohort.sites)} sites in {directory}")
