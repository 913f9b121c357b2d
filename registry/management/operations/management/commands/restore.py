"""`restore FILE`: a backup into a database without patients, verified by row counts and the audit trail's seals."""

from django.core.management.base import BaseCommand, CommandError

from registry.services.operations import backups


class Command(BaseCommand):
    help = "Restores a backup into a database without patients; verifies rows and audit trail."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("file")

    def handle(self, *args, file, **options):
        try:
            manifest, report = backups.restore(file)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or file}: {error.strerror or error}") from error
        self.stdout.write(f"Restored the backup of {manifest['made_at']}: {sum(manifest['rows'].values())} rows.")
        self.stdout.write(f"All row counts agree; {report.seals} seals over {report.sealed} events verified.")
        for finding in report.findings:
            self.stdout.write(self.style.WARNING(str(finding)))
        if report.findings:
            self.stdout.write(
                "The backup is older than the last seals that are kept outside the database: what was entered since is "
                "not in it. Nothing is sealed until a newer one is restored, or `seal_audit --accept-loss REASON`."
            )
