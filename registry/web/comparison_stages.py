"""What a run is doing, in words."""

from django.utils.translation import gettext_lazy as _

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
}


def stage_label(run):
    if run.status == run.Status.QUEUED:
        return _("Waiting for a worker")
    return STAGES.get(run.stage, _("Starting"))
