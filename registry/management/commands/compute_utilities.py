"""`manage.py compute_utilities`: the HSUV of every assessment."""

from registry.management.outcomes import OutcomesCommand
from registry.services import outcomes


class Command(OutcomesCommand):
    help = "Compute the HSUV of every assessment. Running it again changes nothing."
    compute = staticmethod(outcomes.compute_utilities)
    what = "utilities"
