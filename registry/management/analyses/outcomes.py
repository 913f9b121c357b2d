"""What the commands that compute outcomes have in common."""

from collections.abc import Callable

from django.core.management.base import BaseCommand
from django.db import transaction

from registry.instruments import value_sets
from sites.models import Site
from sites.tenancy.scope import everything


class OutcomesCommand(BaseCommand):
    compute: Callable[..., int]
    what = ""

    def add_arguments(self, parser):
        parser.add_argument(
            "--value-set",
            metavar="CODE",
            choices=[value_set.code for value_set in value_sets.ALL],
            help="one of the EQ-5D-5L value sets, e.g. JP; without it, every set that a site uses",
        )

    def handle(self, *, value_set, anew=None, **options):
        asked = {} if anew is None else {"anew": anew}
        used = Site.objects.order_by("value_set").values_list("value_set", flat=True).distinct()
        with everything(reason="outcomes computed"), transaction.atomic():
            for code in [value_set] if value_set else used:
                self.stdout.write(f"{code}: {self.compute(code, **asked)} {self.what} brought up to date")
