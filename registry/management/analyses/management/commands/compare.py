"""`manage.py compare`: any plan, of a file or saved under a name, to a file or the terminal."""

import json
from pathlib import Path

from registry.analysis.design import cohorts, plans, saved_cohorts, saved_plans
from registry.management.analyses.management.commands import compare_segments
from registry.models import SavedCohort, SavedPlan


def plan_and_cohort(plan, cohort):
    """The Plan of a file or of a name (NAME, NAME:VERSION), and the Cohort of a name. ValueError says what fits.

    cohort  declared or saved; None for the one that the plan was saved with, everybody for a file's
    """
    path = Path(plan)
    if path.is_file():
        return plans.from_json(_read(path)), cohort_named(cohort or cohorts.ALL.name)
    saved = saved_plans.named(plan)
    if saved is None:
        names = ", ".join(SavedPlan.objects.values_list("name", flat=True).distinct()) or "none is saved"
        raise ValueError(f"“{plan}” is neither a file nor a saved plan; there are: {names}")
    return saved_plans.plan_of(saved), cohort_named(cohort) if cohort else saved_plans.cohort_of(saved)


def cohort_named(name):
    """The Cohort of this name, declared or the newest version of a saved one. ValueError if there is none."""
    if name in cohorts.COHORTS:
        return cohorts.get(name)
    saved = SavedCohort.objects.filter(name=name).order_by("-version").first()
    return saved_cohorts.cohort_of(saved) if saved else cohorts.get(name)


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error


class Command(compare_segments.Command):
    help = "Carry out a plan (docs/plans.md): of a JSON file, or one that is saved under a name."
    reason = "compare"

    def add_arguments(self, parser):
        parser.add_argument("--plan", required=True, metavar="FILE|NAME", help="a file, NAME, or NAME:VERSION")
        parser.add_argument("--cohort", metavar="NAME", help="instead of the one that the plan was saved with")
        self.add_output(parser)

    def asked(self, *, plan, cohort, **options):
        return plan_and_cohort(plan, cohort)
