"""`verify_audit`: recompute every seal of the audit trail; exit status 1 where the trail is not what was sealed."""

import sys

from django.core.management.base import BaseCommand

from sites.audit import sealing


class Command(BaseCommand):
    help = "Recomputes every seal of the audit trail and says where it was tampered with (exit status 1)."

    def add_arguments(self, parser):
        parser.add_argument(
            "--expect",
            default="",
            metavar="HASH",
            help="hash of a seal that was noted outside the database and must still be there",
        )

    def handle(self, *args, expect, **options):
        report = sealing.verify(expect=expect)
        for finding in report.findings:
            self.stderr.write(self.style.ERROR(str(finding)))
        self.stdout.write(f"{report.seals} seals over {report.sealed} events, the newest {report.last_hash or 'none'}.")
        self.stdout.write(f"{report.unsealed} newest events are not sealed yet.")
        if report.findings:
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("The trail is what was sealed."))
