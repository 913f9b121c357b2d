"""`manage.py compute_changes`: the changes of every assessment from the preoperative one."""

from registry.management.analyses.outcomes import OutcomesCommand
from registry.services import outcomes


class Command(OutcomesCommand):
    help = "Compute the changes from baseline; run compute_utilities before. Running it again changes nothing."
    compute = staticmethod(outcomes.compute_changes)
    what = "changes from baseline"
