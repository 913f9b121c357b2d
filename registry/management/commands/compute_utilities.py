"""`manage.py compute_utilities`: the HSUV of every assessment, and changes from baseline."""

from django.core.management.base import BaseCommand
from django.db import transaction

from registry.instruments import value_sets
from registry.services import outcomes
from sites.models import Site
from sites.scope import everything


class Command(BaseCommand):
    help = "Compute the HSUV of every assessment and the changes from baseline. Running it again changes nothing."

    def add_arguments(self, parser):
        parser.add_argument(
            "--value-set",
            metavar="CODE",
            choices=[one.code for one in value_sets.ALL],
            help="one of the EQ-5D-5L value sets, e.g. JP; without it, every set that a site uses",
        )

    def handle(self, *, value_set, **options):
        with everything(reason="compute_utilities"), transaction.atomic():
            used = Site.objects.order_by("value_set").values_list("value_set", flat=True).distinct()
            for code in [value_set] if value_set else used:
                utilities, changes = outcomes.compute_utilities(code), outcomes.compute_changes(code)
                self.stdout.write(
                    f"{code}: {utilities} utilities and {changes} changes from baseline brought up to date"
                )
