"""`drill_backup [FILE]`: restore a backup into an empty database that is dropped afterwards, and say what came back."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from registry.services.operations import backup_keeping


class Command(BaseCommand):
    help = (
        "Restores a backup, by default the newest, into an empty database beside the registry's and drops it again. "
        "With METASPINE_FIELD_KEYS_FILE naming the copy of the keys that is kept apart, it proves that copy too."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", nargs="?", type=Path)

    def handle(self, *, file, **options):
        record = backup_keeping.drill(timezone.now(), file)
        if record.error:
            raise CommandError(record.error)
        self.stdout.write(
            f"{record.file}: {record.rows} rows came back, {record.seals} seals hold, the keys of {record.identities} "
            f"patients open; {record.size} bytes in {record.seconds:.1f} s."
        )
