"""Cohort list: the patients behind a number of a cohort's flow, or of a finished run's, by their numbers.

As flows are (`cohort_flows`), it is read at once in a registry of ordinary size, and by the worker in a large one.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from django.utils import timezone

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.design.cohort_flows import FRESH, KEPT
from registry.analysis.design.cohorts import ENROLLED, Cohort
from registry.instruments.base import Label
from registry.models import ComparisonRun

LISTED = 10_000  # patients that a list names
AFTER = "after"  # before the number of a step: those who remain after it
ANALYSED = "analysed"  # beside the number of a step: those who remain, not those whom it takes out
REMAIN = Label("Analysed", "解析対象")


class NoSuchNumber(LookupError):
    """The flow has no such step, or the plan no such group."""


@dataclass(frozen=True)
class Listed:
    """Who is behind a number of the flow.

    label  what the number is called; None where there is no such number
    ids    of the first LISTED patients, ascending, of the `n` that there are
    at     when it was read, None for now
    """

    label: Label | None
    ids: tuple[str, ...]
    n: int
    at: datetime | None = None

    @property
    def is_old(self):
        return self.at is not None and timezone.now() - self.at > FRESH


@dataclass(frozen=True)
class Behind:
    """Which number it is.

    step   its place in the flow of `cohort`, 0 for all enrolled; AFTER and a place; or ANALYSED
    site   code of a site, or empty for all
    run    id of a finished run whose flow it is, or empty; then `group` may be a code of its plan's groups
    """

    cohort: Cohort
    step: str = ANALYSED
    site: str = ""
    run: str = ""
    group: str = ""
    seconds_kept: ClassVar[int] = KEPT

    def to_json(self):
        asked = {"step": self.step, "site": self.site, "run": self.run, "group": self.group}
        return asked | {"cohort": self.cohort.to_json()}

    @classmethod
    def from_json(cls, given):
        more = {name: given[name] for name in ("step", "site", "run", "group")}
        return cls(cohorts.from_json(given["cohort"]), **more)

    @cached_property
    def key(self):
        """Of the day too, which may be part of a step."""
        asked = [self.cohort.to_json()["steps"], self.step, self.site, self.run, self.group]
        return f"cohort_list:{timezone.localdate()}:{hashlib.sha256(json.dumps(asked).encode()).hexdigest()}"

    def count(self):
        """The Listed of every patient in scope, now. ValueError for an item that there is not."""
        run = ComparisonRun.objects.get(pk=self.run) if self.run else None
        plan = plans.from_json(run.plan) if run else plans.SEGMENT_COMPARISON
        wanted = dict.fromkeys((*cohorts.timepoints_needed(self.cohort), *plan.items_needed))
        frame = frames.read(tuple(wanted), keep_key=True)
        selection = cohorts.select(self.cohort, frame, plan.rule)
        try:
            earlier = len(selection.cohort.steps) - len(self.cohort.steps) if run else 0
            label, inside = _behind(self.step, selection, earlier)
            if self.group:
                label, mine = _group(plan, self.group, frame)
                inside &= mine
        except NoSuchNumber:
            return Listed(None, (), 0)
        if self.site:
            inside &= cohorts.Step("site", {"values": [self.site]}).keep(frame, None)
        return Listed(label, tuple(frames.patient_ids(frame["key"][inside], most=LISTED)), int(inside.sum()))


def _behind(step, selection, earlier):
    """What a number of the flow is called, and (n,) bool: who is behind it. NoSuchNumber for a step that there is not.

    earlier  how many steps now come before those that the number counts: one more, if somebody withdrew since a run
    """
    steps = selection.cohort.steps
    if step == ANALYSED:
        return REMAIN, selection.left_at < 0
    number = step.removeprefix(AFTER)
    place = int(number) if number.isdecimal() and len(number) < 4 else -1
    place += earlier if place > 0 else 0
    if step.startswith(AFTER) and 0 < place <= len(steps):
        return steps[place - 1].label, (selection.left_at < 0) | (selection.left_at >= place)
    if place == 0:
        return ENROLLED, selection.left_at > -2
    if not 0 < place <= len(steps):
        raise NoSuchNumber(step)
    return steps[place - 1].reason, selection.left_at == place - 1


def _group(plan, code, frame):
    """What a group of a plan is called, and (n,) bool: who is in it. NoSuchNumber for a group that it has not."""
    choices, places = plan.grouped_by.places(frame, plan.rule)
    for place, choice in enumerate(choices):
        if choice.code == code:
            return choice.label, places == place
    raise NoSuchNumber(code)
