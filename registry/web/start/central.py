"""What waits for somebody on the start page, and for central roles the last runs, snapshots, imports and exports."""

from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from registry.models import ComparisonRun, Export, Import, Query, QueryState, Snapshot
from registry.services.follow_up import schedule
from registry.services.monitoring import safety
from registry.services.operations import site_counts
from sites.tenancy.access import Can

SHOWN = 5  # lines of each panel


@dataclass(frozen=True)
class Line:
    """One job: its words and address, its state in words and as a code, and when it was asked for."""

    words: str
    url: str
    state: str
    code: str
    at: datetime


@dataclass(frozen=True)
class Panel:
    """The last of one kind of job, the newest first, and where all of them are."""

    code: str
    title: str
    url: str
    lines: list[Line] = field(default_factory=list)


def of(access):
    """{"waits": [(words, address)], "panels": [Panel], "counted_at"}, panels of what somebody may do in every site.

    counted_at  when what waits was counted, as far as the worker keeps it; None for now
    """
    panels = _panels(access) if access.is_central else []
    lines = [*_to_sign(access), *_to_verify(access)]
    return {
        "waits": [*((words, url) for words, url, _at in lines), *_waits(access, panels)],
        "panels": panels,
        "counted_at": min((at for _words, _url, at in lines if at), default=None),
    }


def _panels(access):
    panels = []
    if access.may(Can.COMPARE):
        panels.append(Panel("runs", _("Comparisons"), reverse("comparison"), _runs()))
    if access.may(Can.FREEZE):
        panels.append(Panel("snapshots", _("Snapshots"), reverse("snapshots"), _snapshots()))
    if access.may_everywhere(Can.IMPORT):
        panels.append(Panel("imports", _("Imports"), reverse("import_history"), _imports()))
    if access.may(Can.EXPORT):
        panels.append(Panel("exports", _("My exports"), reverse("export"), _exports(access.user_id)))
    return panels


def _waits(access, panels):
    """(words, address) of each kind of thing that waits for this person, but for what is kept."""
    waits = []
    if noted := safety.number_to_acknowledge(access):
        message = ngettext("%(n)s serious event to take note of", "%(n)s serious events to take note of", noted)
        waits.append((message % {"n": noted}, reverse("safety")))
    if access.may(Can.QUERY):
        answered = Query.objects.filter(site_id__in=access.sites_for(Can.QUERY), state=QueryState.ANSWERED).count()
        if answered:
            message = ngettext("%(n)s answered query to close", "%(n)s answered queries to close", answered)
            waits.append((message % {"n": answered}, reverse("close_queries")))
    for panel in panels:
        waits += [(f"{panel.title}: {line.words} · {line.state}", line.url) for line in panel.lines if _waiting(line)]
    return waits


def _to_sign(access):
    """(words, address, when it was counted) of patients to sign; nothing for none. Likewise below."""
    ready, at = _counted("unsigned", access.sites_for(Can.SIGN), itemgetter(0))
    if ready:
        message = ngettext("%(n)s patient ready to sign", "%(n)s patients ready to sign", ready)
        yield message % {"n": ready}, reverse("to_sign"), at


def _to_verify(access):
    """What the sampling plan still asks of a monitor; `Next form` leads through it."""
    asked, at = _counted("left_to_verify", access.sites_for(Can.VERIFY), itemgetter(0))
    if asked:
        message = ngettext("%(n)s form to verify", "%(n)s forms to verify", asked)
        yield message % {"n": asked}, reverse("verify_next"), at


def _counted(kind, sites, number):
    """(the sum over some sites of a kind that is kept in a large registry, when that was counted or None for now).

    number  takes it from what is kept of a site
    """
    if not sites:
        return 0, None
    counts = site_counts.counts(kind, sites, schedule.plans(), timezone.localdate())
    return sum(number(counts.by_site[site_id]) for site_id in sites if site_id in counts.by_site), counts.at


def _waiting(line):
    return line.code in ("open", "checked", "failed", "cancelled")


def _runs():
    rows = ComparisonRun.objects.defer("result").select_related("requested_by").order_by("-requested_at")[:SHOWN]
    return [_line(run, str(run.requested_by or "–"), "comparison_run") for run in rows]


def _snapshots():
    rows = Snapshot.objects.order_by("-created_at")[:SHOWN]
    return [Line(row.label, reverse("snapshot", args=[row.pk]), "", "done", row.created_at) for row in rows]


def _imports():
    rows = Import.objects.select_related("requested_by").order_by("-requested_at")[:SHOWN]
    return [_line(row, ", ".join(file["name"] for file in row.files) or _("Undoing"), "import_report") for row in rows]


def _exports(user_id):
    rows = Export.objects.filter(requested_by_id=user_id).defer("manifest").order_by("-requested_at")[:SHOWN]
    return [_line(row, row.filename or row.choices.get("format", "").upper(), "export_detail") for row in rows]


def _line(job, words, name):
    return Line(words, reverse(name, args=[job.pk]), job.get_status_display(), job.status, job.requested_at)
