"""Words for queues, recurring tasks and what must show life, beside the names that logs and settings use."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from registry.health import heartbeats

QUEUES = {
    "urgent": gettext_lazy("What follows from saves, and mail"),
    "jobs": gettext_lazy("Comparisons, exports, imports, snapshots"),
    "figures": gettext_lazy("Figures drawn ahead"),
}
TASKS = {
    "alert_administrators": gettext_lazy("Tell administrators of alarms"),
    "check_all_forms": gettext_lazy("Check all forms"),
    "compute_all_outcomes": gettext_lazy("Compute utilities and changes"),
    "count_scorecards": gettext_lazy("Count the scorecards"),
    "forget_api_answers": gettext_lazy("Forget old answers of the API"),
    "forget_attempts": gettext_lazy("Forget old failed sign-ins"),
    "forget_drafts": gettext_lazy("Forget old drafts"),
    "keep_counts": gettext_lazy("Count for the pages"),
    "look_for_pairs": gettext_lazy("Look for patients of two sites"),
    "purge_expired": gettext_lazy("Delete what is kept long enough"),
    "seal_audit": gettext_lazy("Seal the audit trail"),
    "send_digests": gettext_lazy("Mail what waits"),
    "send_scorecards": gettext_lazy("Mail the scorecards"),
    "sweep": gettext_lazy("Do what lost tasks left undone"),
    "tell_of_serious_events": gettext_lazy("Mail serious adverse events"),
    "verify_audit": gettext_lazy("Verify the audit trail"),
    "watch_backups": gettext_lazy("Watch the backups"),
}


def task_words(name):
    return f"{TASKS[name]} ({name})" if name in TASKS else name


def queue_words(name):
    return f"{QUEUES[name]} ({name})"


def life_words(name):
    """What a sign of life is of: the beat, or a queue's worker."""
    if name == heartbeats.BEAT:
        return _("the clock of recurring tasks (beat)")
    return _("worker: %(queue)s") % {"queue": queue_words(name.removeprefix(heartbeats.QUEUE))}
