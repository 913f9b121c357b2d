"""A run's request in words."""

from django.utils.translation import get_language

from registry.analysis.design import cohorts, plans
from registry.analysis.design.sections import SECTIONS
from registry.instruments import timepoints
from registry.services.jobs import why_failed


def failure(run):
    """Why a run failed, in the language of the page."""
    return why_failed(run.error)


def described(run):
    """What was asked for: cohort, grouping, times, value sets and note, as texts in the language of the page."""
    language = get_language() or "en"
    try:
        plan, cohort = plans.from_json(run.plan), cohorts.from_json(run.cohort)
    except ValueError:  # asked for in another version of the product: its own codes then
        return {
            name: run.plan.get(name, "") for name in ("grouping", "baseline", "followups", "value_sets", "note")
        } | {"cohort": run.cohort.get("name", "")}
    times = [timepoints.timepoint(code).label.in_language(language) for code in plan.timepoints]
    kinds = [SECTIONS[code].label.in_language(language) for code, _entries in plan.sections]
    return {
        "cohort": cohort.label.in_language(language),
        "grouping": plan.grouped_by.label.in_language(language),
        "plan": "" if plan.name in plans.LABELS else f"{plan.name} · {plan.version}",
        "sections": kinds,
        "baseline": times[0] if times else "",
        "followups": times[1:],
        "value_sets": plan.value_sets,
        "note": plan.note,
    }
