"""Propensity: two groups made alike by matching or weighting on a score, with balance and the tests of what results.

    {"code": "ps", "title": {"en": "Matched cohort", "ja": "マッチング後コホート"},
     "treated": "hybrid", "control": "tes", "covariates": ["age_at_surgery", "sex", "sins_total"],
     "caliper": 0.02, "on": "score", "outcomes": [{"variable": "pain_vas_mm", "visit": "6m"}]}

Sets are kept with the result, and endpoints, models, transitions and quality of life may name the section (`matched`).
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.design.errors import refusal
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates, named
from registry.analysis.sections.typed import NOT_ESTIMABLE, attempted
from registry.instruments.base import Label
from registry.stats.arrays import Moments, NotEstimable
from registry.stats.effects.shift import pseudomedian
from registry.stats.exact.ranks import mcnemar_by_size, wilcoxon_signed_rank_by_size
from registry.stats.matching.balance import balance
from registry.stats.matching.nearest import CALIPERS, ORDERS, nearest, ordered
from registry.stats.matching.paired import pair_differences, pair_risk_difference, pair_table
from registry.stats.matching.score import propensity
from registry.stats.matching.weights import ESTIMANDS, propensity_weights, weighted_difference
from registry.stats.ordered.symmetry import bowker
from registry.stats.rank import wilcoxon_signed_rank
from registry.stats.ttest import paired_t

KIND = "propensity"
METHODS = ("matching", "weighting")
SCALES = ("score", "logit")
TESTS = ("paired_t", "wilcoxon_signed_rank", "signed_rank_exact", "mcnemar", "bowker")
BINS = 20  # of the histogram of scores
ONE_TO_ONE = NOT_ESTIMABLE.format("tables of pairs take one control for each treated patient")
TWO_CATEGORIES = NOT_ESTIMABLE.format("weights compare numbers and variables of two categories")
NO_TABLE = NOT_ESTIMABLE.format("the test takes a table of two categories, or of several for Bowker's")


@dataclass(frozen=True)
class Propensity(declared.Section):
    """A propensity score and what is done with it. Refused says what is wrong.

    treated, control  codes of the groups
    method            `matching` (ratio controls each, caliper in caliper_unit of `on`, order and seed, exact variables,
                      replacement) or `weighting` (estimand); as stats.matching has them
    continuous        test of pairs of a number, unless an outcome names its own
    outcomes          objects with variable, visit ("" for none) and perhaps test
    """

    code: str
    title: Label
    treated: str
    control: str
    covariates: tuple
    method: str = "matching"
    ratio: int = 1
    caliper: float | None = None
    caliper_unit: str = "score"
    on: str = "score"
    order: str = "largest"
    seed: int = 0
    exact: tuple = ()
    replace: bool = False
    estimand: str = "ate"
    denominator: str = "pooled"
    continuous: str = "paired_t"
    outcomes: tuple = ()

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        if self.treated == self.control:
            raise refusal(
                "{kind}: treated and control are two groups; both are {group}",
                "{kind}：treatedとcontrolには異なる群を指定してください（どちらも{group}）",
                kind=KIND,
                group=self.treated,
            )
        declared.some(KIND, "covariates", self.covariates, 1)
        declared.some(KIND, "exact", self.exact)
        declared.some(KIND, "outcomes", self.outcomes)
        choices = {
            "method": METHODS, "on": SCALES, "order": ORDERS, "caliper_unit": CALIPERS, "estimand": ESTIMANDS,
            "continuous": TESTS[:3], "denominator": ("pooled", "treated", "control"),
        }  # fmt: skip
        for place, fits in choices.items():
            declared.one_of(KIND, place, getattr(self, place), fits)
        declared.number(KIND, "ratio", self.ratio, least=1, most=10, whole=True)
        declared.number(KIND, "seed", self.seed, least=0, whole=True)
        if self.caliper is not None:
            declared.number(KIND, "caliper", self.caliper, above=0)
        for outcome in self.outcomes:
            if not isinstance(outcome, dict) or "variable" not in outcome or outcome.keys() - OUTCOME:
                raise refusal(
                    "{kind}: an outcome is an object with variable and, if need be, visit and test",
                    "{kind}：outcomesの要素にはvariableと、必要に応じてvisit、testを指定してください",
                    kind=KIND,
                )
            declared.one_of(KIND, "test", outcome.get("test", "paired_t"), TESTS)

    def variables(self):
        outcomes = ((one["variable"], one.get("visit", "")) for one in self.outcomes)
        return (*map(declared.reference, (*self.covariates, *self.exact)), *outcomes)


OUTCOME = {"variable", "visit", "test"}


def from_json(data):
    return declared.read(KIND, Propensity, data)


@dataclass(frozen=True)
class Size:
    """Patients of a group: all, with a score, in the analysis, without a partner; effective where they are weighted."""

    group: str
    n: int
    scored: int
    used: int
    unmatched: int
    effective: float | None


@dataclass(frozen=True)
class Score:
    """A term of the model of the score."""

    variable: str
    level: str
    reference: str
    visit: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Fit:
    """Of the score: its model and its matching; sets found, and the caliper in units of the score or its logit."""

    n: int = 0
    missing: int = 0
    sets: int | None = None
    caliper: float | None = None
    largest_weight: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Balanced:
    """A covariate, or one of its categories, before and after: means or shares, standardised difference, variances."""

    variable: str
    level: str
    visit: str
    treated_before: float
    control_before: float
    smd_before: float
    ratio_before: float
    treated_after: float | None = None
    control_after: float | None = None
    smd_after: float | None = None
    ratio_after: float | None = None


@dataclass(frozen=True)
class Overlap:
    """Patients whose score lies in an interval; `weight` is their sum of weights afterwards."""

    group: str
    low: float
    high: float
    count: int
    weight: float


@dataclass(frozen=True)
class Outcome:
    """An outcome of matched pairs (or weighted groups): treated minus control, with the test that belongs to it."""

    variable: str
    visit: str
    test: str
    n: int = 0
    missing: int = 0
    treated_mean: float | None = None
    treated_sd: float | None = None
    control_mean: float | None = None
    control_sd: float | None = None
    effect: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Category:
    """Of the complete pairs, how many treated patients and controls had a category."""

    variable: str
    visit: str
    level: str
    treated: int
    control: int


@dataclass(frozen=True)
class PropensityResult:
    """pairs: places among the patients, treated first: of the run's list of patients, where a run is stored."""

    kind: str
    code: str
    title: Label
    treated: str
    control: str
    method: str
    settings: dict
    fits: list
    sizes: list
    scores: list
    balance: list
    overlap: list
    outcomes: list
    categories: list
    pairs: list


# Scores, sets and weights


@dataclass(frozen=True, eq=False)
class Made:
    """What matching or weighting gives for all n patients of a run.

    inside   (n,) bool: in one of the two groups; score (n,); weights (n,), 0 for who is not used
    sets     (n,) number of the matched set, -1 for none; matched: stats' Matched among `inside`, None for weights
    """

    inside: np.ndarray
    treated: np.ndarray
    score: np.ndarray
    weights: np.ndarray
    sets: np.ndarray
    matched: object
    model: object
    ready: object
    reason: str = ""


def made(section, patients):
    """The Made of a section; nobody is used where the score or the matching is not estimable, and `reason` says why."""
    inside, treated = sides(section, patients)
    columns = [patients.column(*declared.reference(name)) for name in section.covariates]
    ready = covariates(columns, inside)
    blank = {"weights": np.zeros(patients.n), "sets": np.full(patients.n, -1), "matched": None}
    score, model = np.full(patients.n, np.nan), None
    try:
        if not ready.terms:
            raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
        model = propensity(treated[ready.rows], ready.columns[ready.rows])
        score[ready.rows] = model.score
        used = grouped(section, patients, inside, treated, scale_of(section, model, ready, score))
        return Made(inside, treated, score, *used, model, ready)
    except NotEstimable as error:
        at = named(error.where, ready.terms)
        why = NOT_ESTIMABLE.format(f"{error} ({at})" if at else str(error))
        return Made(inside, treated, score, **blank, model=model, ready=ready, reason=why)


def sides(section, patients):
    """(n,) bool: in one of the two groups; in the treated one. Refused where there is no such group."""
    for code in (section.treated, section.control):
        declared.one_of(KIND, "group", code, patients.codes)
    treated = patients.group == patients.codes.index(section.treated)
    return treated | (patients.group == patients.codes.index(section.control)), treated


def scale_of(section, model, ready, score):
    if section.on == "score":
        return score
    logit = np.full(score.size, np.nan)
    logit[ready.rows] = model.logit
    return logit


def grouped(section, patients, inside, treated, scale):
    """(weights, sets, Matched or None) of all patients."""
    sets, weights, places = np.full(patients.n, -1), np.zeros(patients.n), np.flatnonzero(inside)
    if section.method == "weighting":
        if not np.isfinite(scale[inside]).any():
            raise NotEstimable("empty")
        share = scale if section.on == "score" else 1 / (1 + np.exp(-scale))
        weights[places] = propensity_weights(share[inside], treated[inside], section.estimand).weights
        return weights, sets, None
    matched = nearest(
        scale[inside],
        treated[inside],
        section.ratio,
        section.caliper,
        section.caliper_unit,
        section.order,
        section.seed,
        strata(section, patients)[inside] if section.exact else None,
        section.replace,
    )
    sets[places], weights[places] = matched.sets, matched.weights
    return weights, sets, matched


def strata(section, patients):
    """(n,) a number for each combination of the exact variables; unknown is a value of its own."""
    columns = [np.nan_to_num(patients.column(*declared.reference(name)).values, nan=-1.0) for name in section.exact]
    return np.unique(np.column_stack(columns), axis=0, return_inverse=True)[1].reshape(-1)


def restricted(section, done):
    """(Patients) -> those used alone, in the two groups, control first, with their sets and weights."""

    def of(patients):
        used = done.weights > 0
        places = [patients.codes.index(code) for code in (section.control, section.treated)]
        groups = tuple(patients.groups[place] for place in places)
        group = np.select([patients.group == place for place in places], [0, 1], -1)
        return patients.taken(used, groups=groups, group=group[used], sets=done.sets[used], weights=done.weights[used])

    return of


# The estimate


def estimate(section, patients, done=None):
    """PropensityResult of a Propensity for Patients."""
    done = done or made(section, patients)
    pairs = np.empty((0, 2), int) if done.matched is None else np.flatnonzero(done.inside)[done.matched.pairs]
    outcomes, categories = [], []
    for one in section.outcomes:
        row, counted = outcome(section, patients, done, one)
        outcomes.append(row)
        categories += counted
    return PropensityResult(
        KIND,
        section.code,
        section.title,
        section.treated,
        section.control,
        section.method,
        settings(section),
        [fit(done)],
        sizes(section, patients, done),
        scores(done),
        balances(section, patients, done),
        overlap(section, done),
        outcomes,
        categories,
        pairs.tolist(),
    )


def settings(section):
    shared = ("on", "denominator")
    own = ("ratio", "caliper", "caliper_unit", "order", "seed", "replace")
    told = {
        name: getattr(section, name) for name in (*shared, *(own if section.method == "matching" else ("estimand",)))
    }
    listed = ", ".join(declared.reference(one)[0] for one in section.exact)
    return told | ({"exact": listed} if listed else {})


def fit(done):
    if done.reason:
        return Fit(reason=done.reason, missing=int((done.inside & ~done.ready.rows).sum()))
    n = int(done.ready.rows.sum())
    missing = int(done.inside.sum()) - n
    if done.matched is None:
        return Fit(n, missing, largest_weight=float(done.weights.max()))
    return Fit(n, missing, done.matched.n_treated, done.matched.caliper)


def sizes(section, patients, done):
    rows = []
    for code, side in ((section.treated, done.treated), (section.control, done.inside & ~done.treated)):
        weights = done.weights[side]
        scored, used = int(np.isfinite(done.score[side]).sum()), int((weights > 0).sum())
        squares = float((weights**2).sum())
        effective = float(weights.sum()) ** 2 / squares if squares else None
        rows.append(Size(code, int(side.sum()), scored, used, scored - used, effective))
    return rows


def scores(done):
    rows = [Score(name, "", "", visit, reason=why) for (name, visit), why in done.ready.dropped.items()]
    for place, term in enumerate(done.ready.terms):
        at = (term.variable, term.level, term.reference, term.visit)
        if done.model is None:
            rows.append(Score(*at, reason=done.reason))
            continue
        model = done.model.model
        told = (part[place + 1] for part in (model.odds_ratio, model.low, model.high, model.p))
        rows.append(Score(*at, *told))
    return rows


def balances(section, patients, done):
    """A row for each number and each category, of the patients with a score; standardised by the spread before."""
    asked, columns = [], []
    rows = done.ready.rows
    for name in section.covariates:
        column = patients.column(*declared.reference(name))
        held = set(column.codes[rows].tolist())
        places = [(place, code) for place, (code, _) in enumerate(column.categories) if place in held]
        levels = [(str(code), column.values == place) for place, code in places]
        for level, values in levels or [("", column.values)]:
            asked.append((column.name, level, column.visit))
            columns.append(np.where(column.known, values, np.nan))
    if not rows.any():
        return []
    x, treated = np.column_stack(columns)[rows], done.treated[rows]
    before = balance(x, treated, None, section.denominator)
    after = balance(x, treated, done.weights[rows], section.denominator) if (done.weights > 0).any() else None
    told = []
    for place, at in enumerate(asked):
        parts = [getattr(before, part)[place] for part in PARTS]
        told.append(Balanced(*at, *parts, *([getattr(after, part)[place] for part in PARTS] if after else [None] * 4)))
    return told


PARTS = ("mean_treated", "mean_control", "difference", "variance_ratio")


def overlap(section, done):
    edges = np.linspace(0, 1, BINS + 1)
    rows = []
    for code, side in ((section.treated, done.treated), (section.control, done.inside & ~done.treated)):
        score, weights = done.score[side], done.weights[side]
        known = np.isfinite(score)
        place = np.minimum((score[known] * BINS).astype(int), BINS - 1)
        counts = np.bincount(place, minlength=BINS)
        sums = np.bincount(place, weights[known], minlength=BINS)
        rows += [Overlap(code, *map(float, edges[k : k + 2]), int(counts[k]), float(sums[k])) for k in range(BINS)]
    return rows


# Outcomes of pairs, or of weighted groups


def outcome(section, patients, done, asked):
    """The Outcome of one variable at one visit, and its Categories."""
    column = patients.column(asked["variable"], asked.get("visit", ""))
    test = test_named(section, asked, column)
    if done.reason:
        return Outcome(column.name, column.visit, test, reason=done.reason), []
    if is_weighted(section):
        return weighted(done, column), []
    values, codes = column.values[done.inside], column.codes[done.inside]
    if test in ("mcnemar", "bowker"):
        return of_table(column, test, codes, done.matched)
    return of_differences(column, test, values, done.matched), counted(column, codes, done.matched)


def is_weighted(section):
    """Whether a section gives weights instead of independent sets: a control that is used again is in several pairs."""
    return section.method == "weighting" or section.replace


def default_test(section, column):
    if is_weighted(section):
        return "weighted_difference"
    if not column.categories:
        return section.continuous
    return "mcnemar" if len(column.categories) == 2 else "bowker"


def test_named(section, asked, column):
    return asked.get("test", "") if asked.get("test") and not is_weighted(section) else default_test(section, column)


DIFFERENCES = {
    "paired_t": paired_t,
    "wilcoxon_signed_rank": wilcoxon_signed_rank,
    "signed_rank_exact": wilcoxon_signed_rank_by_size,
}


def of_differences(column, test, values, matched):
    """Paired test of a number, or of grades in their order; of sets with several controls, their mean."""
    changes = pair_differences(values, matched)
    first, second = sides_of_pairs(values, matched)
    told = {"n": changes.n, "missing": changes.missing}
    if not column.categories:
        told |= described("treated", first) | described("control", second)
    effect = attempted(lambda: effect_of(test, changes), lambda why: {})

    def done():
        found = DIFFERENCES[test](changes)
        return Outcome(column.name, column.visit, test, **told, **effect, statistic=found.statistic, p=found.p)

    return attempted(done, lambda why: Outcome(column.name, column.visit, test, **told, reason=why))


def effect_of(test, changes):
    if test == "paired_t":
        found, name = paired_t(changes), "mean_difference"
    else:
        found, name = pseudomedian(changes), "hodges_lehmann"
    return {"effect": name, "estimate": found.estimate, "low": found.low, "high": found.high}


def sides_of_pairs(values, matched):
    """Values of the treated and of the controls (their mean, of several) of complete sets."""
    treated, number, size = np.unique(matched.pairs[:, 0], return_inverse=True, return_counts=True)
    controls = np.bincount(number, values[matched.pairs[:, 1]]) / size
    complete = np.isfinite(values[treated]) & np.isfinite(controls)
    return values[treated][complete], controls[complete]


def described(side, values):
    moments = Moments.of(values)
    spread = attempted(lambda: moments.sd, lambda why: None)
    return {f"{side}_mean": moments.mean if moments.n else None, f"{side}_sd": spread}


def of_table(column, test, codes, matched):
    """McNemar's or Bowker's test of 1:1 pairs, with the difference of two shares."""
    at = (column.name, column.visit, test)
    levels = len(column.categories)
    if matched.ratio != 1:
        return Outcome(*at, reason=ONE_TO_ONE), []
    if levels < 2 or (test == "mcnemar" and levels != 2):
        return Outcome(*at, reason=NO_TABLE), []
    table = pair_table(codes, levels, matched)
    n = int(table.sum())
    told = {"n": n, "missing": int(len(matched.pairs) - n)}
    if levels == 2:
        told |= attempted(lambda: risk_of(table), lambda why: {})

    def done():
        found = mcnemar_by_size(table) if test == "mcnemar" else bowker(table)
        return Outcome(*at, **told, statistic=found.statistic, p=found.p)

    return attempted(done, lambda why: Outcome(*at, **told, reason=why)), counted(column, codes, matched)


def risk_of(table):
    """Share of the first category, treated minus control."""
    found = pair_risk_difference(table)
    return {"effect": "risk_difference", "estimate": found.estimate, "low": found.low, "high": found.high}


def counted(column, codes, matched):
    if not column.categories or matched.ratio != 1:
        return []
    table = pair_table(codes, len(column.categories), matched)
    totals = zip(column.categories, table.sum(axis=1), table.sum(axis=0), strict=True)
    return [Category(column.name, column.visit, str(code), int(a), int(b)) for (code, _), a, b in totals]


def weighted(done, column):
    """Difference of weighted means, or of weighted shares of the first of two categories, with robust errors."""
    at = (column.name, column.visit, "weighted_difference")
    if len(column.categories) not in (0, 2):
        return Outcome(*at, reason=TWO_CATEGORIES)
    values = np.where(column.known, column.values == 0, np.nan) if column.categories else column.values
    used = done.weights > 0

    def told():
        found = weighted_difference(values[used], done.treated[used], done.weights[used])
        return Outcome(
            *at,
            found.n,
            found.missing,
            treated_mean=found.treated,
            control_mean=found.control,
            effect="risk_difference" if column.categories else "mean_difference",
            estimate=found.estimate,
            low=found.low,
            high=found.high,
            statistic=found.z,
            p=found.p,
        )

    return attempted(told, lambda why: Outcome(*at, reason=why))


def dataset(section, patients, done=None):
    """For R: treatment, covariates and outcomes, and the sets and weights that were found, which R finds again."""
    done = done or made(section, patients)
    told = {"treated": np.where(done.inside, done.treated, np.nan).astype(float)}
    for one in (*section.covariates, *section.exact):
        told["x." + declared.key(one)] = patients.column(*declared.reference(one))
    tests = []
    for one in section.outcomes:
        column = told["y." + declared.key(one)] = patients.column(*declared.reference(one))
        tests.append(test_named(section, one, column))
    told |= {"set": np.where(done.sets >= 0, done.sets, np.nan).astype(float), "weight": done.weights}
    told["turn"] = turns(section, done)
    settings = {
        "asked": [declared.key(covariate) for covariate in section.covariates],
        "matched_on": [declared.key(one) for one in section.exact],
        "outcome_columns": [declared.key(one) for one in section.outcomes],
        "outcome_tests": tests,
    }
    return told, settings


def turns(section, done):
    """(n,) whose turn it was to choose, NaN for who chose nobody: R follows the same order."""
    turn = np.full(done.inside.size, np.nan)
    if done.model is not None and section.method == "matching":
        choosers = np.flatnonzero(done.inside & done.treated & np.isfinite(done.score))
        turn[choosers[ordered(done.score[choosers], section.order, section.seed)]] = np.arange(choosers.size)
    return turn
