"""`manage.py demo_ready`: whether everything that the demonstration shows has been computed."""

import time

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from registry.models import ComparisonRun
from sites.tenancy.scope import everything

DEFAULT_WAIT = 600
POLL = 0.25  # seconds

# Health states without the utility by their site's value set, and all health states.
OUTCOMES = """
    SELECT count(*) FILTER (WHERE u.hsuv IS NULL), count(*)
    FROM registry_assessment AS a
    JOIN study_sites_site AS s ON s.id = a.site_id
    LEFT JOIN registry_utility AS u
        ON u.assessment_id = a.id AND u.value_set = s.value_set AND u.eq5d_state = a.eq5d_state
    WHERE a.eq5d_state IS NOT NULL
"""
Status = ComparisonRun.Status


class Command(BaseCommand):
    help = "Wait until the worker has computed utilities and the segment comparison. Exit code 1: it has not."

    def add_arguments(self, parser):
        parser.add_argument(
            "--wait",
            nargs="?",
            type=float,
            default=0,
            const=DEFAULT_WAIT,
            metavar="SECONDS",
            help=f"how long at most ({DEFAULT_WAIT} without a number); without this, look once",
        )

    def handle(self, *, wait, **options):
        deadline = time.monotonic() + wait
        printed = None
        while True:
            lines, ready = state()
            if lines != printed:
                self.stdout.write("\n".join(line for line in lines if printed is None or line not in printed))
                self.stdout.flush()
                printed = lines
            if ready:
                return
            if time.monotonic() >= deadline:
                raise CommandError("Not ready: " + "; ".join(lines) + ". Is a worker running?")
            time.sleep(POLL)


def state():
    """Lines on how far things are, and whether all are there. CommandError where the comparison will not come."""
    with transaction.atomic(), everything(), connection.cursor() as cursor:
        cursor.execute(OUTCOMES)
        left, states = cursor.fetchone()
    run = ComparisonRun.objects.order_by("-requested_at").first()
    lines = [f"Utilities: {states - left} of {states}", f"Comparison: {described(run)}"]
    return lines, left == 0 and states > 0 and run is not None and run.status == Status.DONE


def described(run):
    if run is None:
        raise CommandError("No comparison was requested: manage.py load_demo does it.")
    if run.status in (Status.FAILED, Status.CANCELLED):
        raise CommandError(f"The comparison is {run.status}" + (f": {run.error}" if run.error else "."))
    if run.status == Status.RUNNING:
        return f"{run.progress:.0%} {run.stage}".rstrip()
    return run.status
