"""Background jobs as operators see them: comparisons, exports and imports that wait or failed; no plan, no patient."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from registry.models import ComparisonRun, Export, Import

DAYS = 7
KINDS = {"comparison": ComparisonRun, "export": Export, "import": Import}
UNDER_WAY = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """One job: its kind, its key, who asked for it (id and name), when it was asked for or ended, and what it says."""

    kind: str
    key: str
    person: str
    at: datetime
    error: str
    status: str


def failed(days=DAYS):
    """Jobs that failed in the last days, the newest first."""
    return _jobs("finished_at", status="failed", finished_at__gt=timezone.now() - timedelta(days=days))


def waiting():
    """Jobs that wait or are being carried out, the oldest first."""
    return _jobs("requested_at", status__in=UNDER_WAY)[::-1]


def _jobs(at, **conditions):
    found = []
    for kind, model in KINDS.items():
        rows = model.objects.filter(**conditions).select_related("requested_by")
        for one in rows.only("error", "status", at, "requested_by"):
            person = str(one.requested_by or "–")
            found.append(Job(kind, str(one.pk), person, getattr(one, at), _words(one.error), one.status))
    return sorted(found, key=lambda one: one.at, reverse=True)


def _words(error):
    """One line of an error: an export's is a pair of languages, a comparison's lines are."""
    text = error.get("en", "") if isinstance(error, dict) else error or ""
    return text.splitlines()[0] if text else ""
