"""The columns of a plan's variable over a frame: a value, whether it is known, and why it is not.

`needed` says what `frame.read` must read, `variable_columns` makes the columns of what was read. Missing and dead are
two things: whoever died before a visit could be, and whoever's visit is not yet due, is missing for that reason.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from registry.analysis.data import item_columns
from registry.analysis.data.coded_columns import coded
from registry.analysis.data.columns import MISSING, NO_NUMBER
from registry.analysis.design.variables import declared, sources, visits
from registry.instruments import timepoints, value_sets, variables
from registry.instruments.base import MISSING_LABELS, Label
from registry.services.follow_up import schedule

NO_REASON, NO_VISIT, DIED_BEFORE, NOT_DUE, NO_CATEGORY = (
    "no_reason",
    "no_visit",
    "died_before",
    "not_due",
    "no_category",
)
WHY = ("", *item_columns.REASONS, NO_REASON, NO_VISIT, DIED_BEFORE, NOT_DUE, NO_CATEGORY)
WHY_LABELS = {
    **MISSING_LABELS,
    NO_REASON: Label("No reason recorded", "理由の記録なし"),
    NO_VISIT: Label("No visit", "来院なし"),
    DIED_BEFORE: Label("Died before the visit", "来院前に死亡"),
    NOT_DUE: Label("Not yet due", "時期未到来"),
    NO_CATEGORY: Label("In no category", "該当カテゴリなし"),
}
DEATH = item_columns.value("death_date")
# The item whose reason for missing is that of a variable that no item stores as it is.
_REASON_OF = {
    "hsuv": "eq5d_mobility",
    "frankel_abc": "frankel",
    "ecog_ps_over_2": "ecog_ps",
    "died": "vital_status",
}
_NEVER_MISSING = {"ssi_or_wound", "neurological"}


@dataclass(frozen=True, eq=False)
class Columns:
    """What a variable is for each of n patients.

    values  (n,) numbers, days since 2000-01-01 of a date, or places among the variable's categories; NaN where unknown
    why     (n,) places in WHY, 0 where the value is known
    """

    variable: declared.Variable
    visit: str
    values: np.ndarray
    why: np.ndarray

    @cached_property
    def known(self):
        """(n,) bool."""
        return ~np.isnan(self.values)

    @cached_property
    def codes(self):
        """(n,) places among the categories, −1 where unknown."""
        return np.where(self.known, self.values, -1).astype(np.int16)

    def counts(self, chosen=slice(None)):
        """(k,) how often each category is found among the patients `chosen`."""
        return np.bincount(self.codes[chosen] + 1, minlength=1 + len(self.variable.categories))[1:]

    def reasons(self, chosen=slice(None)):
        """Why to how many of the patients `chosen`, of those whose value is not known."""
        counts = np.bincount(self.why[chosen], minlength=len(WHY))
        return {WHY[place]: int(count) for place, count in enumerate(counts) if place and count}


def needed(variable, visit, known):
    """Names of what `frame.read` must read for a Variable at a visit (a code; "" for what is of the patient).

    known  the plan's `declared.Variables`
    """
    yield DEATH
    for code in _visits_read(visit, known) if variable.at_visit else ("",):
        yield from _needed_at(variable, code, known)


def variable_columns(frame, variable, visit="", known=None, value_set=value_sets.DEFAULT, as_of=None):
    """The Columns of a Variable over a frame that was read with `needed`.

    visit  a visit of the schedule or of the plan; "" for what is of the patient
    known  the plan's `declared.Variables`; what the registry collects where it is None
    as_of  days since 2000-01-01 on which visits are due or not; the last day that the frame knows where it is None
    """
    known = known or declared.Variables()
    reader = _Reader(frame, known, value_set, last_day(frame) if as_of is None else as_of)
    if not variable.at_visit:
        values, why = reader.at(variable, "")
        visit = ""
    elif rule := _rule(visit, known):
        values, why = reader.by_rule(variable, rule)
    else:
        values, why = reader.at(variable, visit)
        why = reader.with_fate(values, why, _planned(visit))
    return Columns(variable, visit, values, np.where(np.isnan(values), why, 0).astype(np.int8))


def last_day(frame):
    """The last day of which the frame knows anything of anybody, in days since 2000-01-01: as of when it tells."""
    surgery, followed = frame["surgery_date"], frame["followup_days"]
    operated = surgery[surgery != MISSING]
    ends = (surgery + followed)[(surgery != MISSING) & (followed != MISSING)]
    return int(max(operated.max(initial=MISSING), ends.max(initial=MISSING)))


def deaths_without_a_day(frame, chosen=slice(None)):
    """How many are known to have died though not when: no visit can say that they died before it."""
    dead = frame["vital_status"][chosen] == frame.codes["vital_status"].index("dead")
    return int((dead & (frame[DEATH][chosen] == NO_NUMBER)).sum())


# What is read


def _rule(code, known):
    return next((visit for visit in known.visits if visit.code == code), None)


def _planned(code):
    return next((visit for visit in visits.scheduled() if visit.code == code), None)


def candidates():
    """(code, planned day) of every visit after surgery that a rule looks at, unscheduled ones with no day, in order."""
    planned = [(visit.code, visit.day) for visit in visits.scheduled() if visit.day > 0]
    unscheduled = [(code, None) for code in schedule.labels() if timepoints.unscheduled_number(code)]
    return planned + sorted(unscheduled, key=lambda visit: timepoints.unscheduled_number(visit[0]))


def _visits_read(visit, known):
    if not _rule(visit, known):
        return (visit,)
    return tuple(code for code, _ in candidates())


def _needed_at(variable, visit, known):
    origin = variable.origin
    if visit:
        yield item_columns.value("assessment_date", visit)
    if declared.is_gathered(origin):
        yield _gathered(origin)
    elif "item" in origin:
        yield from _needed_of_item(origin["item"], visit)
    elif "change" in origin:
        inner = known.get(origin["change"])
        yield from _needed_at(inner, visit, known)
        yield from _needed_at(inner, origin["from"], known)
    elif "days" in origin:
        for end in origin["days"].values():
            inner = known.get(end)
            yield from _needed_at(inner, visit if inner.at_visit else "", known)


def _needed_of_item(name, visit):
    source = sources.get(name)
    if source.built_in:
        if visit:
            yield visit
    else:
        yield sources.column_name(source, visit)
    reason = _REASON_OF.get(name, name.partition(":")[0])
    if name not in _NEVER_MISSING and reason in item_columns.parts_of("visit" if visit else "patient"):
        yield item_columns.reason(reason, visit)


def _gathered(origin):
    if "events" in origin:
        return item_columns.gathered(
            of="events",
            kinds=origin["events"],
            grade=origin.get("grade", ""),
            first=origin.get("first_day"),
            last=origin.get("last_day"),
            give="day" if origin["give"] == "day" else "count",
        )
    give = "count" if origin["give"] == "any" else origin["give"]
    more = {name: origin[name] for name in ("item", "dated") if name in origin}
    return item_columns.gathered(of="repeat", form=origin["repeat"], give=give, **more)


# What it says


@dataclass(frozen=True, eq=False)
class _Reader:
    frame: object
    known: declared.Variables
    value_set: str
    as_of: int

    def at(self, variable, visit):
        """(values, why) of a variable as it stands at one visit, whatever became of the patient."""
        origin = variable.origin
        if declared.is_gathered(origin):
            values, why = self.of_gathered(origin)
        elif "item" in origin:
            values, why = self.of_item(origin["item"], visit, variable)
        elif "change" in origin:
            values, why = self.of_change(origin, visit)
        else:
            values, why = self.of_days(origin, visit)
        return self.cut(variable, values, why)

    def of_item(self, name, visit, variable):
        source = sources.get(name)
        if source.built_in:
            made = coded(name, self.frame, visit or None, self.value_set)
            places = np.append(_numbers_of(made.values, source), np.nan)
            values = places[np.where(made.codes < 0, places.size - 1, made.codes)]
        else:
            values = self.stored(sources.column_name(source, visit), source)
            if variable.kind == sources.CONTINUOUS and source.categories and not variable.cut:
                codes = np.append([float(category.code) for category in source.categories], np.nan)
                values = codes[np.where(np.isnan(values), codes.size - 1, values).astype(int)]
        return values, self.told_otherwise(name, visit, self.reasons(name, visit))

    def told_otherwise(self, name, visit, why):
        """A code that stands for no value, as ECOG 5 for one who has died, says why itself."""
        recode = variables.get(name).recode if sources.get(name).built_in else None
        for code, reason in recode.missing.items() if recode else ():
            stored = self.frame[f"{recode.source}@{visit}" if visit else recode.source]
            why = np.where(stored == code, WHY.index(reason), why)
        return why

    def stored(self, name, source):
        """(n,) numbers of a column, NaN for none; places among the source's categories where it has some."""
        column = self.frame[name]
        codes = self.frame.codes.get(name, ())
        if column.dtype.kind == "f":
            return np.array(column, float)
        empty = MISSING if column.dtype == np.int16 else NO_NUMBER
        values = np.where(column == empty, np.nan, column.astype(float))
        if source.categories and codes:
            order = [str(category.code) for category in source.categories]
            places = np.append([float(order.index(code)) if code in order else np.nan for code in codes], np.nan)
            return places[np.where(np.isnan(values), places.size - 1, values).astype(int)]
        return 1 - values if source.categories else values  # 1 and 0 of a yes and no, whose “yes” stands first

    def reasons(self, name, visit):
        """(n,) places in WHY of what was recorded instead of a value; no visit where there is none."""
        why = np.full(self.frame.n, WHY.index(NO_REASON), np.int8)
        if visit:
            why[self.frame[item_columns.value("assessment_date", visit)] == NO_NUMBER] = WHY.index(NO_VISIT)
        stored = item_columns.reason(_REASON_OF.get(name, name.partition(":")[0]), visit)
        if stored in self.frame.codes:
            stored_column = self.frame[stored]
            why = np.where(stored_column >= 0, stored_column + 1, why).astype(np.int8)
        return why

    def of_change(self, origin, visit):
        inner = self.known.get(origin["change"])
        after, why = self.at(inner, visit)
        before, why_before = self.at(inner, origin["from"])
        return np.round(after - before, 9), np.where(np.isnan(after), why, why_before)

    def of_days(self, origin, visit):
        (first, why), (last, why_last) = (
            self.at(inner, visit if inner.at_visit else "")
            for inner in map(self.known.get, (origin["days"]["from"], origin["days"]["to"]))
        )
        return (last - first) / declared.UNITS[origin["unit"]], np.where(np.isnan(first), why, why_last)

    def of_gathered(self, origin):
        name = _gathered(origin)
        why = np.full(self.frame.n, WHY.index(NO_REASON), np.int8)
        values = self.stored(name, declared.gathered_source(origin))
        if origin["give"] == "any":
            values = np.where(values > 0, 0.0, 1.0)  # “yes” stands first
        if origin.get("first_day") is not None or origin.get("last_day") is not None:
            values[self.frame["surgery_date"] == MISSING] = np.nan
        return values, why

    def cut(self, variable, values, why):
        """A value by the categories of the plan; one that no category holds is unknown for that reason."""
        if not variable.cut:
            return values, why
        places = np.full(values.size, np.nan)
        names = self._uncut(variable)
        for place, category in enumerate(variable.cut):
            if category.is_range:
                low = -np.inf if category.low is None else category.low
                high = np.inf if category.high is None else category.high
                places[(values >= low) & (values < high)] = place
            else:
                places[np.isin(values, [names.index(code) for code in category.holds])] = place
        outside = np.isnan(places) & ~np.isnan(values)
        return places, np.where(outside, WHY.index(NO_CATEGORY), why)

    @staticmethod
    def _uncut(variable):
        """Codes of the categories before the cut, in order; none of a number."""
        origin = variable.origin
        if origin.get("give") == "any":
            return ["yes", "no"]
        if declared.is_gathered(origin):
            return [str(category.code) for category in declared.gathered_source(origin).categories]
        return [str(category.code) for category in sources.get(origin["item"]).categories] if "item" in origin else []

    def with_fate(self, values, why, planned):
        """Who could not have the visit: dead before its window ended, or its window is not over yet."""
        if planned is None or planned.day <= 0:
            return why
        return self._fate(values, why, planned.last_day, planned.last_day)

    def _fate(self, values, why, closes, due):
        surgery, death = self.frame["surgery_date"], self.frame[DEATH]
        operated, unknown = surgery != MISSING, np.isnan(values)
        dead = (death != NO_NUMBER) & operated & (death - surgery <= closes)
        dead |= why == WHY.index("dead")
        early = unknown & operated & ~dead & (surgery.astype(np.int64) + due >= self.as_of)
        early &= np.isin(why, [WHY.index(NO_VISIT), WHY.index(NO_REASON)])
        why = np.where(unknown & dead, WHY.index(DIED_BEFORE), why)
        return np.where(early, WHY.index(NOT_DUE), why)

    def by_rule(self, variable, rule):
        n, surgery = self.frame.n, self.frame["surgery_date"]
        best = np.full(n, np.nan)
        distance = np.full(n, np.inf)
        why = np.full(n, WHY.index(NO_VISIT), np.int8)
        for code, planned_day in candidates():
            values, why_here = self.at(variable, code)
            date = self.frame[item_columns.value("assessment_date", code)]
            day = np.where(date == NO_NUMBER, np.nan if planned_day is None else planned_day, date - surgery)
            day = np.where(surgery == MISSING, np.nan if planned_day is None else planned_day, day).astype(float)
            far = self._distance(rule, day)
            why = np.where((why_here != WHY.index(NO_VISIT)) & (far < np.inf), why_here, why)
            nearer = ~np.isnan(values) & (far < distance)
            best, distance = np.where(nearer, values, best), np.where(nearer, far, distance)
        if rule.take == visits.NEAREST:
            why = self._fate(best, why, rule.day + rule.within, rule.day + rule.within)
        elif rule.take == visits.LAST_BEFORE:
            why = self._fate(best, why, rule.day, rule.day)
        return best, why

    @staticmethod
    def _distance(rule, day):
        """(n,) how far a visit on these days is from what the rule takes; infinite for one that does not fit."""
        after = np.where(np.isnan(day) | (day < 0), np.nan, day)
        if rule.take == visits.NEAREST:
            away = np.abs(day - rule.day)
            return np.where(np.isnan(day) | (away > rule.within), np.inf, away + np.where(day > rule.day, 0.5, 0))
        if rule.take == visits.LAST_BEFORE:
            after = np.where(after > rule.day, np.nan, after)
        return np.where(np.isnan(after), np.inf, 1 / (1 + after))


def _numbers_of(values, source):
    if source.kind == sources.CONTINUOUS:
        return np.asarray(values, float)
    order = [choice.code for choice in source.categories]
    return np.array([float(order.index(code)) for code in values])
