"""`backup FILE`: an encrypted dump of the whole database with its row counts."""

from django.core.management.base import BaseCommand, CommandError

from registry.services.operations import backups


class Command(BaseCommand):
    help = "Writes an encrypted backup of the whole database, taken at one moment."

    def add_arguments(self, parser):
        parser.add_argument("file")

    def handle(self, *args, file, **options):
        try:
            manifest = backups.write(file)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or file}: {error.strerror or error}") from error
        rows = manifest["rows"]
        self.stdout.write(f"{sum(rows.values())} rows of {len(rows)} tables in {file}.")
        self.stdout.write(f"Newest seal of the audit trail: {manifest['seal'] or 'none'}.")
