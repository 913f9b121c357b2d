"""`verify_audit`: recompute every seal of the audit trail; exit status 1 where the trail is not what was sealed."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from sites.audit import alerts, sealing


class Command(BaseCommand):
    help = (
        "Recomputes every seal of the audit trail, compares them with those kept outside the database, and says where "
        "the trail was tampered with or what it lacks (exit status 1)."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--new", action="store_true", help="only what came since the trail held last: in proportion to that"
        )
        parser.add_argument(
            "--expect",
            default="",
            metavar="HASH",
            help="hash of a seal that was noted elsewhere and must still be there",
        )

    def handle(self, *args: Any, expect: Any, new: bool = False, **options: Any) -> None:
        report = sealing.verify(expect=expect, new_only=new)
        for finding in report.findings:
            self.stderr.write(self.style.ERROR(str(finding)))
        for sentence in report.given_up:
            self.stdout.write(self.style.WARNING(sentence))
        since = f" since seal {report.since}" if report.since else ""
        self.stdout.write(
            f"{report.seals} seals{since} over {report.sealed} events, the newest {report.last_hash or 'none'}; "
            f"{report.journaled} are kept outside the database."
        )
        self.stdout.write(f"{report.unsealed} newest events are not sealed yet.")
        if report.findings:
            alerts.verification_failed("audit trail", len(report.findings))
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("The trail is what was sealed."))
