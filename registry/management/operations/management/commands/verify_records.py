"""`verify_records`: replay the audit trail against the records; exit status 1 where a cell has no event."""

import sys
import time

from django.core.management.base import BaseCommand

from registry.guards import checking
from registry.services.operations import record_replay


class Command(BaseCommand):
    help = (
        "Replays the audit trail against every record and names each cell that no event explains (exit status 1). "
        "Values are not printed: whoever looks after the server need not see them."
    )

    def add_arguments(self, parser):
        parser.add_argument("--most", type=int, default=100, help="cells to name of each table (100); all are counted")

    def handle(self, *, most, **options):
        # What records and what verifies is in the database itself: is it what was declared?
        differences = checking.differences()
        if differences:
            self.stderr.write(self.style.ERROR(checking.sentence(differences)))
        unexplained = 0
        for table, rows, cells in record_replay.verify():
            started = time.perf_counter()
            count = 0
            for count, cell in enumerate(cells, 1):
                if count <= most:
                    self.stderr.write(self.style.ERROR(str(cell)))
            if count > most:
                self.stderr.write(self.style.ERROR(f"{table}: and {count - most} more"))
            unexplained += count
            if rows or count:
                self.stdout.write(f"{table}: {rows} rows compared in {time.perf_counter() - started:.1f} s")
        if unexplained or differences:
            self.stderr.write(self.style.ERROR(f"{unexplained} rows or cells are not what the audit trail says."))
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("Every record is what the audit trail says."))
