"""What a run is doing, in words."""

from math import ceil

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.analysis.design.sections import SECTIONS

STAGES = {
    "reading": _("Reading the registry"),
    "characteristics": _("Patient characteristics"),
    "recovery": _("Before and after surgery"),
    "adverse_events": _("Adverse events"),
    "between_groups": _("Comparison between groups"),
    "eq5d_domains": _("EQ-5D-5L dimensions"),
    "sensitivity": _("Other value sets"),
    "figures": _("Figures"),
    "survival": _("Survival"),
    "eq5d_report": _("EQ-5D report"),
    "lesion_levels": _("Levels of the lesions"),
    "sins_by_procedure": _("SINS by procedure"),
}


def stage_label(run):
    if run.status == run.Status.QUEUED:
        return _("Waiting for a worker")
    if run.stage in SECTIONS:
        return SECTIONS[run.stage].label.in_language(get_language() or "en")
    return STAGES.get(run.stage, _("Starting"))


EARLY = 0.1  # of the work; before, nothing can be said of the rest
ROUND = 5  # seconds


def seconds_left(run, now=None):
    """How long a running run will take by the share that is done, in steps of ROUND seconds; None while unknown."""
    if run.status != run.Status.RUNNING or run.started_at is None or run.progress < EARLY:
        return None
    elapsed = ((now or timezone.now()) - run.started_at).total_seconds()
    return ROUND * ceil(max(0, elapsed) * (1 - run.progress) / run.progress / ROUND)
