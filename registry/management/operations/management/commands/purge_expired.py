"""`purge_expired`: delete what the retention settings no longer keep; `--dry-run` only counts it."""

from django.core.management.base import BaseCommand

from registry.tasks import purge


class Command(BaseCommand):
    help = (
        "Deletes what the retention settings no longer keep: files of exports and undecided imports, records of "
        "exports, ended sessions, invitations and tokens. Never anything of a patient, nor of the audit trail."
    )

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only say how many rows would go")

    def handle(self, *, dry_run, **options):
        for name, count in purge(dry_run=dry_run).items():
            self.stdout.write(f"{name}: {count}")
