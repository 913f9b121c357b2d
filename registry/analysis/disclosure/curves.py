"""Curves and distributions of few, hidden with the numbers that they would tell (threshold rule of output checking).

A Kaplan-Meier curve falls by one over those at risk, once an event: who sees its steps counts events and patients. So a
group whose number of patients or events is hidden has no curve, nor what is read from one (rates, medians, restricted
means, numbers at risk); every other curve ends where fewer than the threshold are at risk, and what lies beyond is not
told: no median, and no restricted mean whose horizon is later. Means and quartiles are told of as many patients as the
threshold or more.
Source: Griffiths et al. 2019, Handbook on Statistical Disclosure Control for Outputs; Eurostat (ESSnet SDC) 2015,
Guidelines for Output Checking.
"""

from bisect import bisect_left
from math import inf

from registry.analysis.disclosure.relations import Cell, Relation, is_few, is_small
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.results.written import rows_in

REASON = "few patients or events stand behind it"
NUMBERS = ("n", "events", "competing", "censored")  # of a group: one that is hidden is what its curve would tell
_MEDIANS = ("median", "median_low", "median_high")
_FOLLOW_UP = ("follow_up", "follow_up_low", "follow_up_high")
_READ = ("estimate", "standard_error", "low", "high", "statistic")
_DISTRIBUTION = (
    *("mean", "sd", "median", "q1", "q3", "min", "max", "mean_with_dead", "low_with_dead", "high_with_dead"),
    *("treated_mean", "treated_sd", "control_mean", "control_sd"),
)


def relations(result, threshold):
    """The Relation of events and the few who had none, in the report of survival: there they have no row."""
    for curve in result.survival.curves if result.survival else ():
        alive = curve.n - curve.events
        if 0 < alive < threshold:
            yield Relation([Cell([Few(alive, threshold)], 0), Cell(curve, "events")], Cell(curve, "n"))


def hide_curves(result, threshold):
    """Take away in place the curves of a result that tell a hidden number, and of the others what fewer tell."""
    if result.survival and result.survival.curves:
        _of_survival(result.survival, threshold)
    for entry in result.endpoints:
        _of_endpoint(entry, threshold)


def _of_survival(survival, threshold):
    survival.least_at_risk = str(threshold)  # for the note below the figure
    for curve in survival.curves:
        if is_few(curve.n) or is_few(curve.events):
            curve.withheld = True
            curve.clear(_MEDIANS)
            for name in curve.steps.parts():
                setattr(curve.steps, name, [])
            _hide_all(curve, "at_risk_at_ticks", threshold)
        else:
            _end_medians(curve, _MEDIANS, _cut(curve.steps, threshold))
        for point in curve.landmarks:
            if curve.withheld and point.at_risk:
                Cell(point, "at_risk").hide(threshold)
            if is_few(point.at_risk):
                point.clear(("survival", "low", "high"))
    if any(curve.withheld for curve in survival.curves):
        tested = survival.log_rank
        tested.clear(("statistic", "df"))
        for name in ("observed", "expected"):
            setattr(tested, name, getattr(tested, name) and dict.fromkeys(getattr(tested, name)))


def _of_endpoint(entry, threshold):
    entry.least_at_risk = str(threshold)
    hidden = {row.group for row in entry.followed if any(is_few(getattr(row, name)) for name in NUMBERS)}
    entry.steps = [row for row in entry.steps if row.group not in hidden]
    ends = dict.fromkeys(hidden, -inf) | {row.group: _cut(row, threshold) for row in entry.steps}
    for row in entry.followed:
        if row.group in hidden:
            row.clear((*_MEDIANS, *_FOLLOW_UP))
            row.withheld, row.reason = True, REASON
        else:
            _end_medians(row, (*_MEDIANS, *_FOLLOW_UP), ends.get(row.group, inf))
    for row in entry.at_risk:
        if row.group in hidden:
            _hide_all(row, "at_risk", threshold)
    for row in entry.rates:
        _hide_read(row, _groups(row) & hidden, threshold)
    for row in entry.restricted:
        _hide_read(row, {group for group in _groups(row) if row.horizon > ends.get(group, inf)}, threshold)


def _groups(row):
    return {row.group, *row.group.split("_vs_")}


def _hide_read(row, of_hidden, threshold):
    """A rate or restricted mean read from what is hidden of a curve, or a rate from where few are at risk."""
    at_risk = getattr(row, "at_risk", None)
    if of_hidden and at_risk:
        Cell(row, "at_risk").hide(threshold)
    if (of_hidden or is_few(at_risk)) and row.estimate is not None:
        row.clear(_READ)
        row.reason = REASON


def _hide_all(row, name, threshold):
    setattr(row, name, [Few(count, threshold) if count else count for count in getattr(row, name)])


def _cut(steps, threshold):
    """End a curve's columns where fewer are at risk; the last time that stays, infinite where all or none do."""
    every = len(steps.at_risk)
    steps_shown = bisect_left([-count for count in steps.at_risk], 1 - threshold)
    for name, column in steps.parts().items():
        if isinstance(column, list):
            setattr(steps, name, column[:steps_shown])
    if steps_shown == every:
        return inf
    return steps.time[-1] if steps_shown else -inf


def _end_medians(row, names, end):
    """A median beyond the end of a curve is not reached on it."""
    for name in names:
        if getattr(row, name) is not None and getattr(row, name) > end:
            setattr(row, name, None)


def hide_distributions(result):
    """Take away in place means, spreads and quartiles of fewer patients than the threshold, wherever they stand."""
    for row in rows_in(result):
        if is_small(getattr(row, "n", None)) and any(map(row.holds, _DISTRIBUTION)):
            row.clear((*_DISTRIBUTION, "low", "high"))
