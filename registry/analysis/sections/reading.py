"""Patients of a run as the sections read them: the runner's data and the plan's variables as plain arrays.

An event of an endpoint is one of

    {"kind": "death"}
    {"kind": "adverse_event", "of": ["hardware_failure"], "grade": "IIIa"}     kinds; none for any; the least grade
    {"kind": "date", "variable": "relapse_date", "had": "relapse"}            a date, and perhaps whether it happened
    {"kind": "days", "variable": "days_to_relapse"}                            days from surgery
    {"kind": "reached", "variable": "ecog_ps", "visits": ["1m", "3m"], "at_least": 3}
        the first visit at which a score reaches a limit (`at_least`, `at_most`, or `in`, codes of its categories)
"""

from functools import cached_property
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from registry.analysis.data.columns import MISSING, NO_NUMBER
from registry.analysis.data.item_columns import value
from registry.analysis.design.errors import listed, refusal
from registry.analysis.design.variables import columns as reader
from registry.analysis.design.variables import declared as variables
from registry.analysis.design.variables import visits
from registry.analysis.results.sections import Named
from registry.analysis.sections import declared, propensity
from registry.analysis.sections.columns import Column, Event, Patients
from registry.instruments.base import Label

SITE = "site"
EVENTS = {
    "death": set(),
    "adverse_event": {"of", "grade"},
    "date": {"variable", "had"},
    "days": {"variable"},
    "reached": {"variable", "visits", "at_least", "at_most", "in"},
}
LIMITS = ("at_least", "at_most", "in")

_KEPT: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # what was read of a run's data, for all of its sections
_LOCK = RLock()


def read_of(data):
    """The Reader of a run's data, one for all of its sections."""
    with _LOCK:
        if data not in _KEPT:
            _KEPT[data] = Reader(data)
        return _KEPT[data]


# Before anything is read: what a section names, checked, and what `frame.read` must read


def check(entry, names):
    """Refused where a section names a variable, a visit or an event that there is not."""
    for asked in entry.variables():
        _of_plan(names, *asked)
    entry.check(names)
    for event in (*getattr(entry, "event", ()), *getattr(entry, "competing", ())):
        if isinstance(event, dict):
            check_event(event, names)


def check_plan(entry, plan):
    """Refused where a section names groups or a propensity section that the plan does not have."""
    if getattr(entry, "matched", ""):
        propensity_of(entry.matched, plan)
    groups = plan.grouped_by.groups
    if isinstance(entry, propensity.Propensity) and groups is not None:
        for place in ("treated", "control"):
            declared.one_of(propensity.KIND, place, getattr(entry, place), [choice.code for choice in groups])


def check_event(event, names):
    kind = event.get("kind")
    if kind not in EVENTS or set(event) - {"kind"} - EVENTS[kind]:
        raise refusal(
            "an event is of a kind in {fits}, each with its own parts; not {given}",
            "イベントのkindは{fits}のいずれかで、それぞれ決まった項目を指定します（入力：{given}）",
            fits=listed(EVENTS),
            given=dict(event),
        )
    if kind == "reached" and (sum(limit in event for limit in LIMITS) != 1 or not event.get("visits")):
        raise refusal(
            "an event that is reached has visits and one of {fits}",
            "kindがreachedのイベントにはvisitsと{fits}のいずれか1つを指定してください",
            fits=listed(LIMITS),
        )
    for variable, visit in of_event(event, names):
        _of_plan(names, variable, visit)


def of_event(event, names):
    """(variable, visit) of what an event reads; a made-up Variable for adverse events."""
    kind = event["kind"]
    if kind == "adverse_event":
        yield adverse_event(event, names), ""
    elif kind in ("date", "days"):
        yield event["variable"], ""
        if "had" in event:
            yield event["had"], ""
    elif kind == "reached":
        for visit in event["visits"]:
            yield event["variable"], visit


def adverse_event(event, names):
    of = {"events": list(event.get("of", ())), "give": "day"}
    if event.get("grade"):
        of["grade"] = event["grade"]
    return variables.from_json({"name": "adverse_event_day", "of": of}, names)


def needed(entry, plan):
    """Names of what `frame.read` must read for a section, with the sections that it names."""
    names = plan.names
    for variable, visit in everything(entry, plan):
        if variable != SITE:
            variable, visit = _of_plan(names, variable, visit, plan.baseline)
            yield from reader.needed(variable, visit, names)


def everything(entry, plan):
    yield from entry.variables()
    for event in (*getattr(entry, "event", ()), *getattr(entry, "competing", ())):
        if isinstance(event, dict):
            yield from of_event(event, plan.names)
    if getattr(entry, "matched", ""):
        yield from propensity_of(entry.matched, plan).variables()


def propensity_of(code, plan):
    """The propensity section of a plan with a code. Refused where there is none."""
    entries = plan.entries(propensity.KIND)
    for entry in entries:
        if entry.code == code:
            return entry
    raise refusal(
        "matched: the plan has no propensity section “{code}”; it has {fits}",
        "matched：計画に傾向スコアのセクション「{code}」がありません。使えるもの：{fits}",
        code=code,
        fits=listed(entry.code for entry in entries) or "–",
    )


def _of_plan(names, variable, visit, baseline=""):
    """The Variable and the visit it is read at: the baseline where a visit's variable names none."""
    if variable == SITE:
        return SITE, ""
    if not isinstance(variable, (str, variables.Variable)):
        raise refusal(
            "a variable is named by a text such as age_at_surgery, not {given}",
            "変数はage_at_surgeryのような文字列で指定してください（入力：{given}）",
            given=repr(variable),
        )
    known = names.get(variable) if isinstance(variable, str) else variable
    if not known.at_visit:
        return known, ""
    if not visit:
        return known, baseline
    return known, names.visit(visit, known)


# What was read


class Reader:
    """A run's patients, group after group as the runner has them; columns are made once for all sections."""

    def __init__(self, data):
        self.frame, self.plan, self.column_of = data.frame, data.plan, data.column
        self.data_groups, self.labels = data.groups, data.labels
        self.day = _landmark(data.selection.cohort)
        self.lock, self.columns, self.made, self.named = RLock(), {}, {}, {}

    @cached_property
    def patients(self):
        """The Patients of the run."""
        group = np.full(self.frame.n, -1)
        for place, rows in enumerate(self.data_groups.values()):
            group[rows] = place
        status = self.frame["vital_status"]
        died = np.where(status < 0, np.nan, status == self.frame.codes["vital_status"].index("dead"))
        followed = self.frame["followup_days"]
        return Patients(
            groups=tuple((code, self.labels.get(code, Label(code, code))) for code in self.data_groups),
            group=group,
            column=self.column,
            event=self.event,
            visit_day=self.visit_day,
            planned_day=self.planned_day,
            followed=np.where(followed == MISSING, np.nan, np.where(followed == NO_NUMBER, np.nan, followed)),
            died=died,
            death_day=np.where(died == 1, self.since_surgery(reader.DEATH), np.nan),
            landmark=self.day,
            alpha=self.plan.alpha,
            adjust=self.plan.adjust,
            matched=_Matched(self),
        )

    def since_surgery(self, name):
        """(n,) days from surgery to a stored date, NaN where either is not known."""
        date, surgery = self.frame[name], self.frame["surgery_date"]
        known = (date != NO_NUMBER) & (date != MISSING) & (surgery != MISSING) & (surgery != NO_NUMBER)
        return np.where(known, date.astype(float) - surgery, np.nan)

    def column(self, name, visit=""):
        with self.lock:
            if (name, visit) not in self.columns:
                self.columns[name, visit] = self._column(name, visit)
            return self.columns[name, visit]

    def _column(self, name, visit):
        variable, visit = _of_plan(self.plan.names, name, visit, self.plan.baseline)
        if variable == SITE:
            return self._site()
        column = self.column_of(variable, visit)
        return Column(
            variable.name,
            variable.label,
            np.asarray(column.values, float),
            tuple((str(choice.code), choice.label) for choice in variable.categories),
            variable.kind,
            variable.unit,
            variable.decimals,
            variable.higher_is,
            visit,
            column.why == reader.WHY.index(reader.DIED_BEFORE),
        )

    def _site(self):
        numbers = self.frame["site"]
        places = sorted(self.frame.site_codes)
        at = np.searchsorted(places, numbers)
        codes = tuple((self.frame.site_codes[place], Label(*[self.frame.site_codes[place]] * 2)) for place in places)
        return Column(SITE, Label("Site", "施設"), at.astype(float), codes, "nominal")

    def visit_day(self, visit):
        return self.since_surgery(value("assessment_date", visit))

    def planned_day(self, visit):
        return next(
            (planned.day for planned in (*visits.scheduled(), *self.plan.visits) if planned.code == visit), None
        )

    def event(self, event):
        kind, nobody = event["kind"], np.zeros(self.frame.n, bool)
        if kind == "death":
            patients = self.patients
            return Event(patients.death_day, (patients.died == 1) & np.isnan(patients.death_day))
        if kind == "adverse_event":
            made = self.column_of(adverse_event(event, self.plan.names), "")
            return Event(np.asarray(made.values, float), nobody)
        if kind == "reached":
            return Event(self._reached(event), nobody)
        known = self.column(event["variable"])
        day = known.values if kind == "days" else known.values - self._surgery()
        had = self._had(event)
        return Event(np.where(had == 0, np.nan, day), (had == 1) & np.isnan(day))

    def _surgery(self):
        surgery = self.frame["surgery_date"]
        return np.where((surgery == MISSING) | (surgery == NO_NUMBER), np.nan, surgery.astype(float))

    def _had(self, event):
        """(n,) 1, 0, NaN: whether the event happened, where a variable says so; “yes” stands first."""
        if "had" not in event:
            return np.full(self.frame.n, np.nan)
        column = self.column(event["had"])
        return np.where(column.known, column.values == 0, np.nan)

    def _reached(self, event):
        day = np.full(self.frame.n, np.nan)
        for visit in event["visits"]:
            column = self.column(event["variable"], visit)
            day = np.fmin(day, np.where(_within(column, event), self.visit_day(visit), np.nan))
        return day


def _within(column, event):
    """(n,) bool: whether a value reaches the limit of an event. Grades are compared by their codes."""
    if "in" in event:
        codes = [code for code, _ in column.categories]
        wanted = [codes.index(str(code)) for code in event["in"] if str(code) in codes]
        return np.isin(column.values, wanted)
    values = column.values
    if column.categories:
        numbers = np.array([_number(code) for code, _ in column.categories] + [np.nan])
        values = numbers[np.where(column.known, column.values, len(numbers) - 1).astype(int)]
    with np.errstate(invalid="ignore"):
        return values >= event["at_least"] if "at_least" in event else values <= event["at_most"]


def _number(code):
    try:
        return float(code)
    except ValueError:
        return np.nan


def _landmark(cohort):
    """The day until which everybody in a cohort lived, because its steps ask for that follow-up; or 0."""
    return max((step.parameters["days"] for step in cohort.steps if step.code == "followed_at_least"), default=0)


class _Matched:
    """Code of a propensity section to what restricts Patients to its matched ones; each is matched once a run."""

    def __init__(self, read):
        self.read = read

    def made(self, entry):
        with self.read.lock:
            if entry.code not in self.read.made:
                self.read.made[entry.code] = propensity.made(entry, self.read.patients)
            return self.read.made[entry.code]

    def __getitem__(self, code):
        entry = propensity_of(code, self.read.plan)
        return propensity.restricted(entry, self.made(entry))


def names(read, entry):
    """What the variables and visits of an entry are called, kept with its result so that it reads by itself."""
    written = {}
    asked = [(variable, visit) for variable, visit in everything(entry, read.plan) if isinstance(variable, str)]
    for name, visit in asked:
        column = read.column(name, visit)
        written[column.name] = Named(column.label, column.unit, dict(column.categories))
    return written
