"""Quality of life over time: QALYs, utilities with and without the dead, and responders to treatment.

{"code": "qaly", "title": {"en": "QALYs in the first year", "ja": "1年間のQALY"}, "measure": "qaly",
 "variable": "hsuv", "visits": ["preop", "1m", "3m", "6m", "12m"], "horizon": 12, "gaps": "linear"}
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.design.errors import refusal
from registry.analysis.design.variables.sources import CONTINUOUS
from registry.analysis.results.quality import At, Difference, QualityResult, Responder, WorstRank, Years
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import group_column
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.instruments.base import Label
from registry.instruments.timepoints import DAYS_A_MONTH
from registry.stats.arrays import REASONS, Moments, NotEstimable, differences
from registry.stats.describe import describe
from registry.stats.effects.proportions import risk_difference
from registry.stats.exact.fisher import fisher
from registry.stats.quality.change import responders, worst_rank
from registry.stats.quality.qaly import GAPS, qaly
from registry.stats.rank import kruskal_wallis, mann_whitney
from registry.stats.ttest import welch_t

KIND = "qol"
MEASURES = ("qaly", "course", "responders")
EMPTY = NOT_ESTIMABLE.format(REASONS["empty"])


@dataclass(frozen=True)
class Quality(declared.Section):
    """A measure of quality of life over time. Refused says what is wrong.

    measure    `qaly`        area under the utility curve from the first visit to the horizon (months), death = 0
               `course`      means at each visit of those with a value, and with the dead at `dead` (0 of a utility)
               `responders`  change from the first visit by `threshold` or more, at each later visit
    gaps       rule of `qaly` for values that are lacking: `linear`, `carried`, `complete`
    """

    code: str
    title: Label
    measure: str
    variable: str
    visits: tuple
    horizon: float | None = None
    gaps: str = "linear"
    threshold: float | None = None
    dead: float = 0
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        declared.one_of(KIND, "measure", self.measure, MEASURES)
        declared.one_of(KIND, "gaps", self.gaps, GAPS)
        declared.some(KIND, "visits", self.visits, 1 if self.measure == "course" else 2)
        declared.number(KIND, "dead", self.dead)
        if self.measure == "qaly":
            declared.number(KIND, "horizon", self.horizon, above=0)
        if self.measure == "responders":
            declared.number(KIND, "threshold", self.threshold, above=0)

    def check(self, names):
        names.get(self.variable, (CONTINUOUS,))

    def variables(self):
        return tuple((self.variable, visit) for visit in self.visits)


def from_json(data):
    return declared.read(KIND, Quality, data)


def estimate(section, patients):
    """QualityResult of a Quality for Patients."""
    patients = patients.of(section.matched)
    columns = [numeric(section, patients, visit) for visit in section.visits]
    parts = {"years": [], "course": [], "responders": [], "differences": [], "worst_rank": []}
    return QualityResult(
        KIND,
        section.code,
        section.title,
        section.measure,
        section.variable,
        list(section.visits),
        section.horizon,
        section.gaps,
        section.threshold,
        section.dead,
        columns[0].higher_is,
        section.matched,
        **(parts | MEASURED[section.measure](section, patients, columns)),
    )


def numeric(section, patients, visit):
    column = patients.column(section.variable, visit)
    if column.categories:
        raise refusal(
            "{kind}: {variable} has categories; quality of life over time takes a number",
            "{kind}：{variable}はカテゴリ変数です。数値の変数を指定してください。",
            kind=KIND,
            variable=section.variable,
        )
    return column


# QALYs


def of_qalys(section, patients, columns):
    values = qalys(section, patients, columns)
    horizon = section.horizon * DAYS_A_MONTH
    rows, known = [], []
    for place, group in enumerate(patients.codes):
        mine = patients.members(place)
        here = values[mine]
        values_there = here[np.isfinite(here)]
        known.append(values_there)
        died = int((np.isfinite(here) & (patients.death_day[mine] <= horizon)).sum())
        size = (group, values_there.size, int(here.size - values_there.size), died)
        rows.append(Years(*size, **described(values_there)) if values_there.size else Years(*size, reason=EMPTY))
    return {"years": rows, "differences": [difference(pair, "", known[a], known[b]) for pair, a, b in patients.pairs()]}


def described(values):
    """Mean with its interval, and quartiles."""
    said = describe(values)
    limits = mean_limits(values)
    names = {"mean": said.mean, "sd": said.sd, "median": said.median, "q1": said.first_quartile}
    return names | {"q3": said.third_quartile, "low": limits[0], "high": limits[1]}


def mean_limits(values):
    """The interval of a mean by the t distribution; (None, None) of one value."""
    from registry.stats.tails import t_quantile

    moments = Moments.of(values)
    if moments.n < 2:
        return None, None
    margin = t_quantile(0.975, moments.n - 1) * moments.sd / moments.n**0.5
    return moments.mean - margin, moments.mean + margin


def qalys(section, patients, columns):
    """(n,) QALYs. Values are on the days of the visits, the first on day 0; a value after death is not used. Who died
    on the day of surgery has none, and is not left out for that."""
    days, values = timed(section, patients, columns)
    horizon = section.horizon * DAYS_A_MONTH
    died = patients.death_day
    undated = (patients.died == 1) & np.isnan(died)
    values_there = qaly(days, values, horizon, np.where(died < 0, np.nan, died), section.gaps).qaly
    return np.where(undated | (died < 0) | (patients.group < 0), np.nan, values_there)


def timed(section, patients, columns):
    """Days (n, visits), ascending, and values (n, visits), NaN where lacking, out of order or from after death.

    The day of a value that is lacking is its planned one if that lies in order; NaN where death came before it.
    """
    values = np.column_stack([column.values for column in columns])
    days = np.column_stack([patients.visit_day(visit) for visit in section.visits]).astype(float)
    days[:, 0] = np.where(np.isfinite(values[:, 0]), 0.0, np.nan)
    late = days > patients.death_day[:, None]
    values = np.where(np.isfinite(days) & ~late, values, np.nan)
    days = np.where(np.isfinite(values), days, np.nan)
    latest = np.fmax.accumulate(np.where(np.isfinite(days), days, -np.inf), axis=1)
    before = np.column_stack([np.full(len(days), -np.inf), latest[:, :-1]])
    usable = days > before
    values = np.where(usable, values, np.nan)
    over = late | np.column_stack(
        [died_before(patients, visit, column) for visit, column in zip(section.visits, columns, strict=True)]
    )
    planned = [patients.planned_day(visit) for visit in section.visits]
    return filled(np.where(usable, days, np.nan), planned, over), values


def filled(days, planned, over):
    """Days that ascend also where a value is lacking; `over` are those that death came before: NaN."""
    known = np.where(np.isfinite(days), days, np.inf)
    following = np.column_stack([np.fmin.accumulate(known[:, :0:-1], axis=1)[:, ::-1], np.full(len(days), np.inf)])
    days, latest = days.copy(), np.full(len(days), -np.inf)
    for place, day in enumerate(planned):
        gap = ~np.isfinite(days[:, place])
        in_order = (latest < day) & (day < following[:, place]) if day is not None else np.zeros(len(days), bool)
        lacking = np.where(in_order, day or 0, latest + 1e-6)  # or, if that is not in order, right after the one before
        days[:, place] = np.where(gap, np.where(over[:, place], np.nan, lacking), days[:, place])
        latest = np.fmax(latest, days[:, place])
    return days


def difference(pair, visit, first, second):
    """Later minus earlier, by Welch's test."""

    def done():
        answer = welch_t(second, first)
        effect = {name: getattr(answer, name) for name in ("estimate", "low", "high", "p", "n", "statistic", "df")}
        return Difference(pair, visit, test="welch_t", **effect)

    return attempted(done, lambda why: Difference(pair, visit, test="welch_t", n=first.size + second.size, reason=why))


# The course with and without the dead


def of_course(section, patients, columns):
    rows, pairs, ranks = [], [], []
    for visit, column in zip(section.visits, columns, strict=True):
        dead = died_before(patients, visit, column)
        samples = []
        for place, group in enumerate(patients.codes):
            mine = patients.members(place)
            rows.append(at_visit(section, group, visit, column.values[mine], dead[mine]))
            values = np.where(dead, section.dead, column.values)[mine]
            samples.append(values[np.isfinite(values)])
        pairs += [difference(pair, visit, samples[a], samples[b]) for pair, a, b in patients.pairs()]
        ranks.append(worst(patients, visit, column, dead))
    return {"course": rows, "differences": pairs, "worst_rank": ranks}


def died_before(patients, visit, column):
    """(n,) bool: without a value because they had died before the visit, by its window where the schedule has one, else
    by the usual day of those who came."""
    if column.dead is not None:
        return column.dead
    due = patients.visit_day(visit)
    known = np.isfinite(due)
    on_time = np.where(known, due, np.nanmedian(due[known]) if known.any() else 0.0)
    dead = (patients.death_day <= on_time) | ((patients.died == 1) & np.isnan(patients.death_day))
    return dead & ~column.known


def at_visit(section, group, visit, values, dead):
    known = values[np.isfinite(values)]
    size = (group, visit, known.size, int(values.size - known.size - dead.sum()), int(dead.sum()))
    with_dead = np.append(known, np.full(int(dead.sum()), float(section.dead)))
    if not with_dead.size:
        return At(*size, reason=EMPTY)
    alive = described(known) if known.size else {}
    low, high = mean_limits(with_dead)
    names = {name: alive.get(name) for name in ("mean", "sd", "low", "high")}
    return At(*size, **names, mean_with_dead=Moments.of(with_dead).mean, low_with_dead=low, high_with_dead=high)


def worst(patients, visit, column, dead):
    """Rank test with the dead lowest: Mann-Whitney of two groups, Kruskal-Wallis of more."""
    ranks = worst_rank(column.values, dead, patients.death_day, column.higher_is != "worse")
    samples = [ranks[patients.members(place)] for place in range(len(patients.groups))]
    test = "mann_whitney" if len(samples) == 2 else "kruskal_wallis"
    mine = patients.group >= 0
    size = int(np.isfinite(ranks[mine]).sum()), int(dead[mine].sum())

    def done():
        answer = mann_whitney(*samples) if len(samples) == 2 else kruskal_wallis(samples)
        return WorstRank(visit, test, *size, answer.p, answer.statistic, answer.df)

    if len(samples) < 2:
        return WorstRank(visit, test, *size, reason=NOT_ESTIMABLE.format(REASONS["one_group"]))
    return attempted(done, lambda why: WorstRank(visit, test, *size, reason=why))


# Responders


def of_responders(section, patients, columns):
    first, rows, pairs = columns[0], [], []
    for visit, column in zip(section.visits[1:], columns[1:], strict=True):
        table = []
        for place, group in enumerate(patients.codes):
            mine = patients.members(place)
            changes = differences(first.values[mine], column.values[mine])
            row = responder(section, group, visit, changes, column.higher_is != "worse")
            rows.append(row)
            table.append((row.improved, row.n - row.improved))
        pairs += [shares(pair, visit, table[a], table[b]) for pair, a, b in patients.pairs()]
    return {"responders": rows, "differences": pairs}


def responder(section, group, visit, changes, higher_is_better):
    def done():
        share_of = responders(changes, section.threshold, higher_is_better)
        counts = (share_of.n, share_of.missing, share_of.improved, share_of.same, share_of.worse)
        return Responder(group, visit, *counts, share_of.share.estimate, share_of.share.low, share_of.share.high)

    return attempted(done, lambda why: Responder(group, visit, 0, changes.missing, 0, 0, 0, reason=why))


def shares(pair, visit, first, second):
    """Difference of the shares of responders, later minus earlier, with Newcombe's interval and Fisher's P."""
    n = sum(first) + sum(second)

    def done():
        if not sum(first) or not sum(second):
            raise NotEstimable("empty_group")
        table = np.array([second, first])
        answer = risk_difference(table)
        p = fisher(table).p if table.sum(axis=0).all() else 1.0
        limits = {name: getattr(answer, name) for name in ("estimate", "low", "high")}
        return Difference(pair, visit, **limits, p=p, test="fisher_exact", n=n)

    return attempted(done, lambda why: Difference(pair, visit, test="fisher_exact", n=n, reason=why))


MEASURED = {"qaly": of_qalys, "course": of_course, "responders": of_responders}


def dataset(section, patients):
    """Values as used, days, and death: QALYs are computed again from them."""
    patients = patients.of(section.matched)
    columns = [numeric(section, patients, visit) for visit in section.visits]
    data = {"group": group_column(patients), "death_day": patients.death_day, "died": patients.died}
    for visit, column in zip(section.visits, columns, strict=True):
        data[f"y.{visit}"] = column
        data[f"dead.{visit}"] = died_before(patients, visit, column).astype(float)
    if section.measure == "qaly":
        days, values = timed(section, patients, columns)
        for place, visit in enumerate(section.visits):
            data[f"day.{visit}"], data[f"u.{visit}"] = days[:, place], values[:, place]
    return data, {"higher_is": columns[0].higher_is}
