"""`manage.py compute_utilities`: the HSUV of every assessment."""

from registry.management.analyses.outcomes import OutcomesCommand
from registry.services import outcomes


class Command(OutcomesCommand):
    help = "Compute the HSUV of every assessment. Running it again looks only at what was stored since."
    compute = staticmethod(outcomes.compute_changed_utilities)
    what = "utilities"

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--all", action="store_true", dest="anew", help="look at every assessment once more")
