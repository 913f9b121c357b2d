"""A run's request in words."""

from django.utils.translation import get_language

from registry.analysis import cohorts, plans
from registry.instruments import timepoints


def described(run):
    """What was asked for: cohort, grouping, times, value sets and note, as texts in the language of the page."""
    language = get_language() or "en"
    plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    times = [timepoints.timepoint(code).label.in_language(language) for code in plan.timepoints]
    return {
        "cohort": cohort.label.in_language(language),
        "grouping": plan.grouped_by.label.in_language(language),
        "baseline": times[0],
        "followups": times[1:],
        "value_sets": plan.value_sets,
        "note": plan.note,
    }
