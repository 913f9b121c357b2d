"""Endpoints: time from surgery or a landmark to an event, with competing events, curves, tests and Cox models.

    {"code": "local_control", "title": {"en": "Local control", "ja": "局所制御"},
     "event": [{"kind": "adverse_event", "of": ["hardware_failure"]}], "competing": [{"kind": "death"}],
     "times": [12, 24, 60], "horizon": 60, "covariates": ["age_at_surgery", "sex"], "subgroups": ["sex"]}

Time is in months of 30.4375 days. A landmark is the day from which time counts; who left before it is counted and not
analysed. Where the cohort asks for a follow-up of some days, no curve starts before them: nobody could have died.
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates, group_column, named
from registry.analysis.sections.typed import NOT_ESTIMABLE, attempted
from registry.instruments.base import Label
from registry.instruments.timepoints import DAYS_A_MONTH
from registry.stats.adjust import adjust
from registry.stats.arrays import NotEstimable
from registry.stats.survival import kaplan_meier, log_rank, log_rank_trend, stratified_log_rank, survival_at
from registry.stats.survival.competing import cumulative_incidence, gray, incidence_at
from registry.stats.survival.cox import cox, proportional_hazards
from registry.stats.survival.restricted_mean import restricted_mean, restricted_mean_difference
from registry.stats.survival.weighted import (
    weighted_incidence,
    weighted_kaplan_meier,
    weighted_log_rank,
    weighted_restricted_mean,
)
from registry.stats.tails import chi_square_upper

KIND = "endpoints"
TESTS = ("log_rank", "trend", "stratified")
DEATH = declared.frozen({"kind": "death"})
STEPS = (1, 2, 3, 6, 12, 24, 60, 120)  # months between two ticks; the first that needs no more than TICKS
TICKS = 8
IN_STRATA = "not estimable because the strata hold it constant"
NOBODY = "not estimable because there are no observations"


@dataclass(frozen=True)
class Endpoint(declared.Section):
    """A time-to-event outcome as declared. Refused says what is wrong.

    event, competing  lists of events as `Patients.event` takes them; the first of a list counts
    landmark          days after surgery from which time counts
    times, horizon    months at which rates are told; to which the mean is restricted, None for none
    tests             beside the log-rank test, which is always told: `trend` over the groups' order, `stratified`
    strata            variables whose combinations are the strata of that test and of the Cox models
    covariates        of a Cox model beside the group; a model of the group alone is always told
    subgroups         variables by whose categories the hazard ratio of two groups is told again
    matched           code of a propensity section, whose patients alone are analysed, with robust errors by set; where
                      it weights them, curves, tests and models are of the weighted patients (`weighted_times`)
    """

    code: str
    title: Label
    event: tuple = (DEATH,)
    competing: tuple = ()
    landmark: int = 0
    times: tuple = (12, 24, 60)
    horizon: float | None = None
    tests: tuple = ()
    strata: tuple = ()
    covariates: tuple = ()
    subgroups: tuple = ()
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        for name in ("event", "competing"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, dict) else given)
        declared.some(KIND, "event", self.event, 1)
        for place in ("competing", "times", "tests", "strata", "covariates", "subgroups"):
            declared.some(KIND, place, getattr(self, place))
        for test in self.tests:
            declared.one_of(KIND, "tests", test, TESTS)
        declared.number(KIND, "landmark", self.landmark, least=0, whole=True)
        for time in self.times:
            declared.number(KIND, "times", time, above=0)
        if self.horizon is not None:
            declared.number(KIND, "horizon", self.horizon, above=0)

    def variables(self):
        """What is read of the patients: (variable, visit)."""
        return tuple(map(declared.reference, (*self.strata, *self.covariates, *self.subgroups)))


def from_json(data):
    return declared.read(KIND, Endpoint, data)


# The rows of a result


@dataclass(frozen=True)
class Followed:
    """Who of a group is in the curve. undated: had the event on a day not known, and count at their last contact."""

    group: str
    n: int
    missing: int
    events: int
    competing: int
    censored: int
    undated: int
    before_landmark: int
    before_start: int
    median: float | None = None
    median_low: float | None = None
    median_high: float | None = None
    follow_up: float | None = None
    follow_up_low: float | None = None
    follow_up_high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Rate:
    """Share free of the event at a time (Kaplan-Meier), or with it (`incidence`: Aalen-Johansen)."""

    group: str
    time: float
    estimator: str
    at_risk: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Restricted:
    """Mean time without the event up to the horizon, of a group or the difference within a pair."""

    group: str
    horizon: float
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Test:
    """A test between groups: all of them, or a pair with P before and after adjustment over the pairs."""

    test: str
    group: str
    statistic: float | None = None
    df: int | None = None
    p: float | None = None
    p_raw: float | None = None
    adjust: str = ""
    n: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Hazard:
    """A hazard ratio of a Cox model: `model` is `group`, `adjusted`, or `subgroup` with the variable and its level."""

    model: str
    variable: str
    level: str
    reference: str
    visit: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    ph_statistic: float | None = None
    ph_df: int | None = None
    ph_p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Fit:
    """A Cox model as a whole; ph: its assumption, tested over all terms."""

    model: str
    n: int = 0
    events: int = 0
    missing: int = 0
    likelihood_ratio: float | None = None
    df: int | None = None
    p: float | None = None
    ph_statistic: float | None = None
    ph_p: float | None = None
    robust: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Subgroup:
    """The hazard ratio of the second group against the first within a category; P of the interaction on each row."""

    variable: str
    level: str
    group: str
    n: int
    events: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_interaction: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Steps:
    """A curve itself; `estimator` as in Rate."""

    group: str
    estimator: str
    time: list
    at_risk: list
    events: list
    censored: list
    estimate: list
    low: list
    high: list


@dataclass(frozen=True)
class AtRisk:
    group: str
    at_risk: list


@dataclass(frozen=True)
class EndpointResult:
    """What an endpoint comes to. Times are months from `landmark_day` days after surgery."""

    kind: str
    code: str
    title: Label
    definition: dict
    landmark_day: int
    competing: bool
    matched: str
    weighted: bool
    times: list
    horizon: float | None
    ticks: list
    followed: list
    rates: list
    restricted: list
    tests: list
    hazards: list
    fits: list
    subgroups: list
    at_risk: list
    steps: list


# From days to times


@dataclass(frozen=True, eq=False)
class Times:
    """months (n,) and cause (n,) 0 censored, 1 the event, 2 a competing one; NaN where not known. Masks say why."""

    months: np.ndarray
    cause: np.ndarray
    undated: np.ndarray
    before_landmark: np.ndarray
    before_start: np.ndarray

    @property
    def event(self):
        return np.where(np.isnan(self.cause), np.nan, self.cause == 1)


def times(endpoint, patients):
    """Times of an endpoint. An event before surgery is an error of the data: such patients are counted, not analysed.

    Who had the event on a day not known has it at the end of their follow-up.
    """
    day, undated = first(endpoint.event, patients)
    rival, rival_undated = first(endpoint.competing, patients)
    end = patients.followed
    day = np.where(undated & np.isnan(day), end, day)
    rival = np.where(rival_undated & np.isnan(rival), end, rival)
    before_start = (day < 0) | (rival < 0) | (end < 0)
    happened, ended = np.fmin(np.fmin(day, rival), np.inf), np.where(np.isnan(end), np.inf, end)
    dated = np.isfinite(happened)
    leaves = np.where(dated, happened, ended)
    cause = np.where(dated, np.where(day <= np.where(np.isnan(rival), np.inf, rival), 1.0, 2.0), 0.0)
    unknown = ~np.isfinite(leaves) | before_start | vital_unknown(endpoint, patients)
    start = max(endpoint.landmark, patients.landmark)
    before = ~unknown & (leaves < start)
    left_out = unknown | before
    months = np.where(left_out, np.nan, (leaves - start) / DAYS_A_MONTH)
    return Times(months, np.where(left_out, np.nan, cause), undated & ~left_out, before, before_start)


def vital_unknown(endpoint, patients):
    """(n,) bool: whether death is asked and not known."""
    asked = any(event.get("kind") == "death" for event in (*endpoint.event, *endpoint.competing))
    return np.isnan(patients.died) if asked else np.zeros(patients.n, bool)


def first(events, patients):
    """Day (n,) of the first of some events, and whether one happened on a day not known."""
    day, undated = np.full(patients.n, np.nan), np.zeros(patients.n, bool)
    for event in events:
        read = patients.event(event)
        day, undated = np.fmin(day, read.day), undated | read.undated
    return day, undated


# The estimate


def estimate(endpoint, patients):
    """EndpointResult of an Endpoint for Patients."""
    patients = patients.of(endpoint.matched)
    found = times(endpoint, patients)
    members = [patients.members(place) for place in range(len(patients.groups))]
    curves = [curve_of(patients, found, rows) for rows in members]
    incidences = [incidence_of(patients, found, rows) if endpoint.competing else None for rows in members]
    longest = max((curve.time[-1] for curve in curves if curve), default=0.0)
    ticks = ticks_to(longest)
    hazards, fits = cox_models(endpoint, patients, found)
    return EndpointResult(
        KIND,
        endpoint.code,
        endpoint.title,
        {"event": list(endpoint.event), "competing": list(endpoint.competing)},
        max(endpoint.landmark, patients.landmark),
        bool(endpoint.competing),
        endpoint.matched,
        is_weighted(patients),
        list(endpoint.times),
        endpoint.horizon,
        ticks,
        [
            followed(code, patients, found, rows, curve)
            for code, rows, curve in zip(patients.codes, members, curves, strict=True)
        ],
        rates(endpoint, patients.codes, curves, incidences),
        restricted(endpoint, patients, means_of(endpoint, patients, found, members, curves)),
        tests(endpoint, patients, found),
        hazards,
        fits,
        subgroups(endpoint, patients, found),
        [at_ticks(code, curve, ticks) for code, curve in zip(patients.codes, curves, strict=True)],
        steps(patients.codes, curves, incidences),
    )


def is_weighted(patients):
    """Whether patients count unequally: weighted by their score, or controls of matched sets of several."""
    return patients.weights is not None and not even(patients.weights)


def weights_of(patients, rows):
    """(weights, clusters) of some patients, as the weighted statistics take them."""
    return patients.weights[rows], clusters(patients)[rows]


def curve_of(patients, found, rows):
    return attempted(lambda: curve(patients, rows, found.months[rows], found.event[rows]), lambda why: None)


def curve(patients, rows, months, event):
    if is_weighted(patients):
        return weighted_kaplan_meier(months, event, *weights_of(patients, rows))
    return kaplan_meier(months, event)


def incidence_of(patients, found, rows):
    def made():
        if is_weighted(patients):
            return weighted_incidence(found.months[rows], found.cause[rows], *weights_of(patients, rows))
        return cumulative_incidence(found.months[rows], found.cause[rows])

    return attempted(made, lambda why: None)


def followed(code, patients, found, rows, estimated):
    months, cause = found.months[rows], found.cause[rows]
    left_early = np.where(np.isnan(cause), np.nan, cause == 0)
    reverse = attempted(lambda: curve(patients, rows, months, left_early), lambda why: None)
    left = int(found.before_landmark[rows].sum())
    medians = {name: getattr(estimated, name, None) for name in ("median", "median_low", "median_high")}
    told = {f"follow_up{end}": getattr(reverse, f"median{end}", None) for end in ("", "_low", "_high")}
    return Followed(
        group=code,
        n=int(np.isfinite(months).sum()),
        missing=int(np.isnan(months).sum()) - left,
        events=int((cause == 1).sum()),
        competing=int((cause == 2).sum()),
        censored=int((cause == 0).sum()),
        undated=int(found.undated[rows].sum()),
        before_landmark=left,
        before_start=int(found.before_start[rows].sum()),
        reason="" if estimated else NOBODY,
        **medians,
        **told,
    )


def rates(endpoint, codes, curves, incidences):
    rows = []
    for code, curve, incidence in zip(codes, curves, incidences, strict=True):
        for time in endpoint.times:
            rows.append(rate(code, time, "survival", curve and survival_at(curve, [time])[0]))
        for time in endpoint.times if endpoint.competing else ():
            rows.append(rate(code, time, "incidence", incidence and incidence_at(incidence, [time])[0]))
    return rows


def rate(code, time, estimator, point):
    if point is None:
        return Rate(code, time, estimator, reason=NOBODY)
    value = getattr(point, estimator)
    reason = "" if value is not None else NOT_ESTIMABLE.format("nobody was followed so long")
    return Rate(code, time, estimator, point.at_risk, value, point.low, point.high, reason)


def means_of(endpoint, patients, found, members, curves):
    """RestrictedMean of each group, None without a curve or a horizon."""
    if endpoint.horizon is None:
        return [None] * len(curves)
    if not is_weighted(patients):
        return [one and restricted_mean(one, endpoint.horizon) for one in curves]
    return [
        one
        and weighted_restricted_mean(
            found.months[rows],
            found.event[rows],
            patients.weights[rows],
            endpoint.horizon,
            clusters(patients)[rows],
        )
        for one, rows in zip(curves, members, strict=True)
    ]


def restricted(endpoint, patients, means):
    if endpoint.horizon is None:
        return []
    rows = [restricted_row(code, endpoint.horizon, mean) for code, mean in zip(patients.codes, means, strict=True)]
    for pair, a, b in patients.pairs():
        rows.append(
            attempted(
                lambda a=a, b=b, pair=pair: difference_row(pair, means[b], means[a]),
                lambda why, pair=pair: Restricted(pair, endpoint.horizon, reason=why),
            )
        )
    return rows


def restricted_row(code, horizon, mean):
    if mean is None:
        return Restricted(code, horizon, reason=NOBODY)
    reason = "" if mean.reached else NOT_REACHED
    return Restricted(code, horizon, mean.mean, mean.standard_error, mean.low, mean.high, reason=reason)


NOT_REACHED = "nobody was followed to the horizon, so the last value of the curve is carried on to it"


def difference_row(pair, second, first):
    """The later group's mean minus the earlier one's."""
    if second is None or first is None:
        raise NotEstimable("empty_group")
    told = restricted_mean_difference(second, first)
    return Restricted(pair, told.horizon, told.estimate, told.standard_error, told.low, told.high, told.p)


def tests(endpoint, patients, found):
    if is_weighted(patients):
        return weighted_tests(endpoint, patients, found)
    groups = [
        (found.months[patients.members(g)], found.event[patients.members(g)]) for g in range(len(patients.groups))
    ]
    rows = [tested("log_rank", "", lambda: log_rank(groups))]
    if "trend" in endpoint.tests:
        rows.append(tested("log_rank_trend", "", lambda: log_rank_trend(groups)))
    strata = strata_of(endpoint, patients)
    if strata is not None:
        rows.append(tested("stratified_log_rank", "", lambda: by_strata(patients, found, strata)))
    if endpoint.competing:
        causes = [
            (found.months[patients.members(g)], found.cause[patients.members(g)]) for g in range(len(patients.groups))
        ]
        rows.append(tested("gray", "", lambda: gray(causes)))
    if len(patients.groups) > 2:
        rows += pairwise(patients, groups)
    return rows


NO_WEIGHTS = NOT_ESTIMABLE.format("the test takes no weights")


def weighted_tests(endpoint, patients, found):
    """The robust score test in the place of the log-rank test; by strata, whole matched sets need no weights."""
    rows = [tested("robust_log_rank", "", lambda: robust(patients, found))]
    if "trend" in endpoint.tests:
        rows.append(Test("log_rank_trend", "", reason=NO_WEIGHTS))
    strata = strata_of(endpoint, patients)
    if strata is not None and not endpoint.strata:
        rows.append(tested("stratified_log_rank", "", lambda: by_strata(patients, found, strata)))
    elif strata is not None:
        rows.append(tested("robust_stratified_log_rank", "", lambda: robust(patients, found, strata)))
    if endpoint.competing:
        rows.append(Test("gray", "", reason=NO_WEIGHTS))
    return rows


def robust(patients, found, strata=None):
    inside = patients.group >= 0 if strata is None else (patients.group >= 0) & (strata >= 0)
    weights, sets = weights_of(patients, inside)
    strata = None if strata is None else strata[inside]
    given = (found.months[inside], found.event[inside], patients.group[inside])
    return weighted_log_rank(*given, weights, sets, strata)


def strata_of(endpoint, patients):
    """(n,) whole numbers, -1 where unknown; None without strata. Matched patients are in the stratum of their set."""
    if "stratified" not in endpoint.tests:
        return None
    if not endpoint.strata:
        return None if patients.sets is None or (patients.sets < 0).all() else patients.sets
    columns = [patients.column(*declared.reference(one)) for one in endpoint.strata]
    known = np.logical_and.reduce([column.known for column in columns])
    place = np.unique(np.column_stack([column.values for column in columns]), axis=0, return_inverse=True)[1]
    return np.where(known, place.reshape(-1), -1)


def by_strata(patients, found, strata):
    inside = (strata >= 0) & (patients.group >= 0)
    given = (found.months, found.event, patients.group, strata)
    return stratified_log_rank(*(part[inside] for part in given))


def tested(name, group, test):
    def done():
        told = test()
        return Test(name, group, told.statistic, told.df, told.p, n=told.n)

    return attempted(done, lambda why: Test(name, group, reason=why))


def pairwise(patients, groups):
    rows = [
        tested("log_rank", pair, lambda a=a, b=b: log_rank([groups[a], groups[b]])) for pair, a, b in patients.pairs()
    ]
    adjusted = adjust([row.p for row in rows], patients.adjust)
    return [
        Test(row.test, row.group, row.statistic, row.df, p, row.p, patients.adjust, row.n, row.reason)
        for row, p in zip(rows, adjusted, strict=True)
    ]


def at_ticks(code, curve, ticks):
    return AtRisk(code, [point.at_risk for point in survival_at(curve, ticks)] if curve else [0] * len(ticks))


def ticks_to(longest):
    step = next((one for one in STEPS if longest / one <= TICKS), STEPS[-1])
    return list(range(0, step * int(np.ceil(longest / step)) + 1, step)) if longest else [0]


def steps(codes, curves, incidences):
    rows = []
    for code, curve, incidence in zip(codes, curves, incidences, strict=True):
        if curve:
            rows.append(steps_row(code, "survival", curve))
        if incidence:
            rows.append(steps_row(code, "incidence", incidence))
    return rows


def steps_row(code, estimator, curve):
    arrays = (curve.time, curve.at_risk, curve.events, curve.censored, getattr(curve, estimator), curve.low, curve.high)
    return Steps(code, estimator, *arrays)


# Cox models


def cox_models(endpoint, patients, found):
    """Hazards and Fits: of the group alone, and adjusted for the covariates where some are declared."""
    group = group_column(patients)
    hazards, fits = fitted("group", endpoint, patients, found, [group])
    if endpoint.covariates:
        strata = {declared.key(one) for one in endpoint.strata}
        asked = [declared.reference(covariate) for covariate in endpoint.covariates]
        more = [patients.column(*at) for at in asked if "@".join(filter(None, at)) not in strata]
        also = fitted("adjusted", endpoint, patients, found, [group, *more])
        shared = [at for at in asked if "@".join(filter(None, at)) in strata]
        gone = [Hazard("adjusted", name, "", "", visit, reason=IN_STRATA) for name, visit in shared]
        hazards, fits = hazards + gone + also[0], fits + also[1]
    return hazards, fits


def fitted(model, endpoint, patients, found, columns):
    rows = np.isfinite(found.months)
    ready = covariates(columns, rows)
    gone = [Hazard(model, name, "", "", visit=visit, reason=why) for (name, visit), why in ready.dropped.items()]
    try:
        fit = cox_of(endpoint, patients, found, ready)
    except NotEstimable as error:
        return gone + [blamed(model, term, place, error) for place, term in enumerate(ready.terms)], [
            Fit(model, reason=said(error, ready.terms))
        ]
    terms = [ready.places_of(column) for column in ready.kept]
    ph = attempted(lambda: proportional_hazards(fit, terms=terms), lambda why: None)
    hazards = [hazard(model, term, place, fit, *of_term(ph, terms, place)) for place, term in enumerate(ready.terms)]
    ratio = fit.likelihood_ratio
    overall = (ph.overall.statistic, ph.overall.p) if ph else (None, None)
    missing = int(rows.sum()) - fit.n
    return gone + hazards, [
        Fit(model, fit.n, fit.events, missing, ratio.statistic, ratio.df, ratio.p, *overall, fit.robust)
    ]


def cox_of(endpoint, patients, found, ready):
    """The model of the patients of whom all is known. Matched: errors by set, weights where sets share controls."""
    if not ready.terms:
        raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
    inside = ready.rows & (np.ones(patients.n, bool) if patients.weights is None else patients.weights > 0)
    strata = strata_of(endpoint, patients) if endpoint.strata else None
    given = {
        "strata": None if strata is None else strata[inside],
        "cluster": None if patients.sets is None else clusters(patients)[inside],
        "weights": None if patients.weights is None or even(patients.weights[inside]) else patients.weights[inside],
    }
    return cox(found.months[inside], found.event[inside], ready.columns[inside], **given)


def clusters(patients):
    """The sets, each unmatched patient one of their own (as weighting has them)."""
    return np.where(patients.sets >= 0, patients.sets, patients.sets.max(initial=0) + 1 + np.arange(patients.n))


def even(weights):
    return bool((weights == 1).all())


def of_term(ph, terms, place):
    """Statistic, df and P of the covariate that a column belongs to, on its first column."""
    number = next(number for number, places in enumerate(terms) if place in places)
    if ph is None or terms[number][0] != place:
        return None, None, None
    return ph.statistic[number], ph.df[number], ph.p[number]


def hazard(model, term, place, fit, statistic, df, p):
    return Hazard(
        model,
        term.variable,
        term.level,
        term.reference,
        term.visit,
        fit.hazard_ratio[place],
        fit.low[place],
        fit.high[place],
        fit.p[place],
        statistic,
        df,
        p,
    )


def blamed(model, term, place, error):
    """The row of a covariate in a model that could not be fitted; what is at fault says so, others that it was not."""
    why = str(error) if not error.where or place in error.where else "the model could not be fitted"
    return Hazard(model, term.variable, term.level, term.reference, term.visit, reason=NOT_ESTIMABLE.format(why))


def said(error, terms):
    at = named(error.where, terms)
    return NOT_ESTIMABLE.format(f"{error} ({at})" if at else str(error))


# Subgroups: a forest


def subgroups(endpoint, patients, found):
    """For each category that somebody has the hazard ratio of each later group against the first."""
    rows = []
    for subgroup in endpoint.subgroups:
        column = patients.column(*declared.reference(subgroup))
        for place in range(1, len(patients.groups)):
            rows += of_subgroups(endpoint, patients, found, column, place)
    return rows


def of_subgroups(endpoint, patients, found, column, place):
    pair = f"{patients.codes[0]}_vs_{patients.codes[place]}"
    both = np.isin(patients.group, (0, place)) & np.isfinite(found.months)
    treated = (patients.group == place).astype(float)
    interaction = attempted(lambda: interaction_p(patients, found, column, treated, both), lambda why: None)
    rows = []
    for number, (code, _) in enumerate(column.categories):
        inside = both & (column.codes == number)
        n, events = int(inside.sum()), int((found.event[inside] == 1).sum())
        if not n:
            continue

        def done(inside=inside, code=code, n=n, events=events):
            fit = plain_cox(patients, found, treated[:, None], inside)
            told = (part[0] for part in (fit.hazard_ratio, fit.low, fit.high, fit.p))
            return Subgroup(column.name, str(code), pair, n, events, *told, interaction)

        def not_done(why, code=code, n=n, events=events):
            return Subgroup(column.name, str(code), pair, n, events, p_interaction=interaction, reason=why)

        rows.append(attempted(done, not_done))
    return rows


def plain_cox(patients, found, columns, inside):
    sets = None if patients.sets is None else clusters(patients)[inside]
    weights = None if patients.weights is None or even(patients.weights[inside]) else patients.weights[inside]
    return cox(found.months[inside], found.event[inside], columns[inside], cluster=sets, weights=weights)


def interaction_p(patients, found, column, treated, both):
    """P of the likelihood ratio of models with and without the interaction. R: anova(fit, fit_with_interaction)"""
    ready = covariates([column], both)
    if not ready.terms:
        raise NotEstimable("constant_covariate")
    inside = ready.rows
    plain = np.column_stack([treated, ready.columns])
    crossed = np.column_stack([plain, ready.columns * treated[:, None]])
    months, event = found.months[inside], found.event[inside]
    without, with_it = cox(months, event, plain[inside]), cox(months, event, crossed[inside])
    df = ready.columns.shape[1]
    return chi_square_upper(max(0.0, 2 * (with_it.log_likelihood - without.log_likelihood)), df)


# What goes into the bundle for R


def dataset(endpoint, patients):
    """Columns of the analysis data set by name, as R reads it: what `verify.R` computes the result from again."""
    patients = patients.of(endpoint.matched)
    found = times(endpoint, patients)
    told = {"group": group_column(patients), "months": found.months, "cause": found.cause}
    for one in (*endpoint.strata, *endpoint.covariates, *endpoint.subgroups):
        told["x." + declared.key(one)] = patients.column(*declared.reference(one))
    if patients.sets is not None:
        told |= {"set": clusters(patients).astype(float), "weight": patients.weights}
        told["matched_set"] = np.where(patients.sets >= 0, patients.sets, np.nan).astype(float)
    for name in ("undated", "before_landmark", "before_start"):
        told[name] = getattr(found, name).astype(float)
    return told, {part: [declared.key(one) for one in getattr(endpoint, part)] for part in KEYED}


KEYED = ("strata", "covariates", "subgroups")
