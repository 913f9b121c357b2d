"""`doctor`: look at every part of the installation; exit status 1 where something failed."""

import json
import sys

from django.core.management.base import BaseCommand

from registry.health.checkup.declared import CHECKS
from registry.health.checkup.findings import FAILED, OK, WARNING, examine, worst

SHAPES = {"ok": "ok     ", "note": "note   ", "warning": "WARNING", "failed": "FAILED ", "off": "off    "}


class Command(BaseCommand):
    help = "Looks at every part of the installation and says what is wrong and what to do. Changes nothing."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", dest="as_json", help="for programs")
        parser.add_argument("--strict", action="store_true", help="exit status 2 for warnings too")
        parser.add_argument("--verbose", action="store_true", help="further lines of what is well too")

    def handle(self, *, as_json, strict, verbose, **options):
        examined = examine(CHECKS)
        (self._as_json if as_json else self._as_text)(examined, verbose)
        state = worst(examined)
        if state == FAILED:
            sys.exit(1)
        if state == WARNING and strict:
            sys.exit(2)

    def _as_text(self, examined, verbose):
        for check, finding, _seconds in examined:
            self.stdout.write(f"{SHAPES[finding.state]}  {check.title}: {finding.text}")
            if verbose or finding.state != OK:
                for line in finding.more:
                    self.stdout.write(f"{'':11}{line}")

    def _as_json(self, examined, verbose):
        lines = [
            {
                "check": check.name,
                "state": finding.state,
                "text": finding.text,
                "more": finding.more,
                "seconds": seconds,
            }
            for check, finding, seconds in examined
        ]
        self.stdout.write(json.dumps({"state": worst(examined), "checks": lines}, ensure_ascii=False, indent=1))
