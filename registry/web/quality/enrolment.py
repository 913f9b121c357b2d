"""Enrolment against its plan: the drawing, the forecast in words, and the page that declares the plan's days."""

from dataclasses import dataclass

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.services.protocol import publishing
from registry.services.quality import enrolment_plan as plans
from registry.web.shared import cells, wording
from sites.confirming import confirmed
from sites.tenancy.access import Can

WIDTH, HEIGHT = 600, 200


@dataclass(frozen=True)
class Drawing:
    """Points of two lines in a box of WIDTH × HEIGHT, as SVG has them; `top` patients fill the height."""

    enrolled: str
    planned: str
    top: int


def of(sites, consented, today):
    """What the page shows of the enrolment of some sites; None without a patient."""
    n, by_month = plans.summed(consented.values())
    line, plan = plans.cumulative(by_month), plans.plan()
    if not line:
        return None
    targets = [site.enrolment_target for site in sites]
    target = sum(targets) if targets and all(targets) else None
    forecast = plans.forecast(by_month, n, target, today)
    return {
        "n": n,
        "target": target,
        "plan": plan,
        "planned": None if (due := plans.planned(target, plan, today)) is None else round(due),
        "forecast": forecast,
        "months": plans.MONTHS,
        "rate": forecast and round(forecast.rate, 1),
        "drawing": _drawing(line, plan, target, today),
        "lines": line,
        "month_rows": cells.months(line),
    }


def _drawing(line, plan, target, today):
    first = min(line[0][0], plan.first or line[0][0])
    last = max(today, plan.last or today)
    days = max(1, (last - first).days)
    top = max(line[-1][1], target or 0, 1)

    def point(day, n):
        return f"{round(WIDTH * (day - first).days / days, 1)},{round(HEIGHT - HEIGHT * n / top, 1)}"

    ends = [(min(plans.next_month(month), today), n) for month, n in line]
    enrolled = " ".join([point(line[0][0], 0), *(point(day, n) for day, n in ends)])
    planned = ""
    if plan.first and plan.last and target:
        planned = f"{point(plan.first, 0)} {point(plan.last, target)}"
    return Drawing(enrolled, planned, top)


@require_http_methods(["GET", "POST"])
@confirmed
def enrolment_plan(request):
    """The first and the last day of enrolment as planned; POST declares them, as a version of the protocol."""
    request.access.require(Can.ADMINISTER)
    plan, faults, note = plans.plan(), [], request.POST.get("note", "").strip()[:300]
    sent = {name: day.isoformat() if day else "" for name, day in (("first", plan.first), ("last", plan.last))}
    if request.method == "POST":
        sent = {name: request.POST.get(name, "")[:10] for name in sent}
        faults = _declare(request.access, sent, note)
        if not faults:
            messages.success(request, _("Saved as the next version of the protocol."))
            return redirect("quality" if request.access.may(Can.READ) else "enrolment_plan")
    return render(
        request,
        "quality/enrolment_plan.html",
        {"sent": sent, "faults": faults, "note": note},
        status=422 if faults else 200,
    )


def _declare(access, sent, note):
    if not note:
        return [_("Say why: it stands in the version of the protocol.")]
    try:
        plans.declare(access=access, note=note, **sent)
    except publishing.InvalidDefinition as error:
        words = {"first": _("First day"), "last": _("Last day")}
        return [f"{words[fault.column]} {fault.value}: {wording.sentence(fault.reason)}" for fault in error.faults]
    return []
