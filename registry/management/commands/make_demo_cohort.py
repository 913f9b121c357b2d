"""`manage.py make_demo_cohort DIR`: the demonstration registry's files, without touching the database."""

from pathlib import Path

from django.core.management.base import BaseCommand

from registry.demo import DEFAULT_SEED, make_cohort, write_cohort


class Command(BaseCommand):
    help = "Write the synthetic demonstration patients as CSV files in the registry's wire format."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path, metavar="DIR", help="made if it does not exist")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help=f"instead of {DEFAULT_SEED}")

    def handle(self, *, directory, seed, **options):
        cohort = make_cohort(seed)
        write_cohort(cohort, directory)
        self.stdout.write(f"{len(cohort.patients)} synthetic patients of {len(cohort.sites)} sites in {directory}")
