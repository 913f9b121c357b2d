"""The schedule of visits: what is in force, what was before, and publishing another version."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments.timepoints import closes
from registry.models import ScheduleVersion
from registry.services.follow_up import schedule
from registry.services.follow_up.schedule import BASELINE, VISIT_ITEMS
from registry.services.records.cleaning import InvalidAnswers
from registry.web.shared import wording
from sites.confirming import confirmed
from sites.tenancy.access import Can

NEW_ROWS = 3  # empty rows for timepoints that there are not yet
MOST_ROWS = 40


@dataclass(frozen=True)
class Plan:
    """One version as the page shows it. `state`: `running`, `future`, `past`, or `replaced` before it began."""

    version: ScheduleVersion
    lines: list
    state: str
    until: object = None


@require_safe
def schedule_page(request):
    """Every version, the latest first: anybody signed in with a role may read it, administrators publish another."""
    access = request.access
    if not access.may(Can.READ):
        access.require(Can.ADMINISTER)
    plans, today = schedule.plans(now=True), timezone.localdate()
    stored = list(ScheduleVersion.objects.select_related("created_by"))
    shown = [_plan(place, plans, stored, today) for place in range(len(stored))]
    return render(request, "schedule/schedule.html", {"plans": shown[::-1], "may_edit": access.may(Can.ADMINISTER)})


def _plan(place, plans, stored, today):
    start = stored[place].effective_from
    after = stored[place + 1].effective_from if place + 1 < len(stored) else None
    if after == start:
        state = "replaced"
    elif today < start:
        state = "future"
    else:
        state = "running" if after is None or today < after else "past"
    before = {timepoint.code: timepoint for timepoint in plans.versions[place - 1].plan} if place else {}
    plan = plans.versions[place].plan
    missed = closes(plan)
    lines = [
        {
            "visit": timepoint,
            "missed": missed[timepoint.code],
            "was": before.get(timepoint.code) if place and before.get(timepoint.code) != timepoint else None,
            "is_new": bool(place) and timepoint.code not in before,
        }
        for timepoint in plan
    ]
    return Plan(stored[place], lines, state, after - timedelta(days=1) if after and state != "replaced" else None)


@require_http_methods(["GET", "POST"])
@confirmed
def schedule_new(request):
    """Publish another version: the newest plan to begin with, and empty rows for further timepoints."""
    request.access.require(Can.ADMINISTER)
    post, errors = request.POST, {}
    if request.method == "POST":
        rows = _rows_sent(post)
        errors = _publish(request, rows)
        if not errors:
            messages.success(request, _("Published. Patients operated before that day keep their schedule."))
            return redirect("schedule")
    else:
        rows = _rows_known(schedule.plans(now=True))
    return render(
        request,
        "schedule/schedule_form.html",
        {
            "rows": rows,
            "headings": VISIT_ITEMS,
            "effective_from": post.get("effective_from", ""),
            "note": post.get("note", ""),
            "tomorrow": timezone.localdate() + timedelta(days=1),
            "errors": errors,
            "summary": [(name, text) for name, reasons in errors.items() for text in reasons],
            "invalid": list(errors),
        },
        status=422 if errors else 200,
    )


@dataclass(frozen=True)
class Row:
    """One timepoint on the page: what is in its fields by item name.

    known    whether there was such a timepoint when the page was made: only then it has a tick to be left out by
    """

    place: int
    values: dict
    known: bool = False
    planned: bool = False

    @property
    def fixed(self):
        return self.values["code"] == BASELINE

    @property
    def wanted(self):
        return self.fixed or (self.planned if self.known else any(self.values.values()))

    @property
    def fields(self):
        return [
            {"name": f"{item.name}-{self.place}", "item": item, "value": self.values[item.name]} for item in VISIT_ITEMS
        ]


def _rows_known(plans):
    newest = {timepoint.code for timepoint in plans.versions[-1].plan}
    rows = [
        Row(
            place,
            {
                "code": timepoint.code,
                "label": timepoint.label.en,
                "label_ja": timepoint.label.ja,
                "day": str(timepoint.day),
                "before": str(timepoint.before),
                "after": str(timepoint.after),
            },
            known=True,
            planned=timepoint.code in newest,
        )
        for place, timepoint in enumerate(plans.timepoints)
    ]
    empty = dict.fromkeys((item.name for item in VISIT_ITEMS), "")
    return rows + [Row(len(rows) + more, empty) for more in range(NEW_ROWS)]


def _rows_sent(post):
    rows = []
    for place in range(MOST_ROWS):
        if f"code-{place}" in post:
            values = {item.name: post.get(f"{item.name}-{place}", "").strip() for item in VISIT_ITEMS}
            rows.append(Row(place, values, f"known-{place}" in post, f"planned-{place}" in post))
    return rows


def _publish(request, rows):
    """Errors by field of the page; nothing if the version was published."""
    wanted = [row for row in rows if row.wanted]
    try:
        schedule.publish(
            access=request.access,
            effective_from=request.POST.get("effective_from", ""),
            visits=[row.values for row in wanted],
            note=request.POST.get("note", ""),
            today=timezone.localdate(),
        )
    except InvalidAnswers as error:
        reasons = {}
        for key, labels in error.errors.items():
            name, _dash, place = key.rpartition("-")
            row = wanted[int(place)] if name else None
            reasons[f"{name}-{row.place}" if row else key] = _sentences(name or key, labels, row)
        return reasons
    return {}


def _sentences(name, labels, row):
    """Errors as sentences; those of a visit begin with its code."""
    items = {item.name: item for item in (*VISIT_ITEMS, schedule.EFFECTIVE_FROM, schedule.NOTE)}
    texts = [
        wording.said(items[name], label, may_lack=False) if name in items else wording.words(label) for label in labels
    ]
    return [f"{row.values['code']}: {text}" for text in texts] if row and row.values["code"] else texts
