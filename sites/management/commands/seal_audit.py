"""`seal_audit`: seal what is new in the audit trail now, instead of at the worker's next turn."""

from django.core.management.base import BaseCommand

from sites.audit import sealing


class Command(BaseCommand):
    help = "Seals the audit events that are committed and in no seal yet."

    def handle(self, *args, **options):
        seals = sealing.seal()
        for one in seals:
            self.stdout.write(f"Seal {one.number}: {one.count} events, {one.hash.hex()}")
        if not seals:
            self.stdout.write("Nothing new to seal.")
