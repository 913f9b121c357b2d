"""Models of an outcome: ANCOVA on the baseline, logistic regression, and the mixed model for repeated measures.

{"code": "hsuv_course", "title": {"en": "HSUV over time", "ja": "HSUVの経過"}, "model": "repeated",
 "outcome": "hsuv", "baseline": "preop", "visits": ["1m", "3m", "6m"], "covariates": ["age_at_surgery"]}
"""

from dataclasses import dataclass, replace

import numpy as np

from registry.analysis.design.errors import listed, refusal
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import covariates, group_column, named
from registry.analysis.sections.typed import NOT_ESTIMABLE, attempted
from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable
from registry.stats.models.linear import linear
from registry.stats.models.logistic import logistic
from registry.stats.models.means import contrasts, least_squares_means, term_test
from registry.stats.models.repeated import DEGREES, STRUCTURES, repeated_measures
from registry.stats.models.terms import Design, Factor, Number

KIND = "models"
MODELS = ("ancova", "logistic", "repeated")
ADJUST = ("none", "bonferroni", "holm", "tukey")


@dataclass(frozen=True)
class Model(declared.Section):
    """A model as declared. Refused says what is wrong.

    outcome     variable; for `logistic` one of `event`, codes of its categories that count as the event
    visits      where it is measured: one, or at least two for `repeated`; () for a variable of the patient (`logistic`)
    baseline    visit of the value before, which `ancova` needs; "" for none
    covariates  beside the groups: names, or objects with variable and visit
    structure, degrees  of the mixed model, as stats.models.repeated has them
    adjust      of contrasts over the pairs of groups, at each visit
    matched     code of a propensity section
    """

    code: str
    title: Label
    model: str
    outcome: str
    visits: tuple = ()
    baseline: str = ""
    event: tuple = ()
    covariates: tuple = ()
    structure: str = "unstructured"
    degrees: str = "satterthwaite"
    adjust: str = "none"
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        for place, fits in {"model": MODELS, "structure": STRUCTURES, "degrees": DEGREES, "adjust": ADJUST}.items():
            declared.one_of(KIND, place, getattr(self, place), fits)
        for place in ("visits", "event", "covariates"):
            declared.some(KIND, place, getattr(self, place))
        if self.baseline and self.baseline in self.visits:
            raise refusal(
                "{kind}: the baseline {visit} is among the visits",
                "{kind}：基準時点{visit}がvisitsに含まれています",
                kind=KIND,
                visit=self.baseline,
            )
        least, most = {"ancova": (1, 1), "logistic": (0, 1), "repeated": (2, 30)}[self.model]
        if not least <= len(self.visits) <= most or len(set(self.visits)) != len(self.visits):
            raise refusal(
                "{kind}: {model} takes {least} to {most} visits, none twice; given {given}",
                "{kind}：{model}には重複しない{least}〜{most}時点が必要です（指定：{given}）",
                kind=KIND,
                model=self.model,
                least=least,
                most=most,
                given=listed(self.visits) or "–",
            )
        if self.model == "ancova" and not self.baseline:
            raise refusal(
                "{kind}: ancova needs a baseline, a visit", "{kind}：ancovaにはbaseline（時点）が必要です", kind=KIND
            )

    def variables(self):
        visits = (*filter(None, (self.baseline,)), *(self.visits or ("",)))
        return (*((self.outcome, visit) for visit in visits), *map(declared.reference, self.covariates))


def from_json(data):
    return declared.read(KIND, Model, data)


@dataclass(frozen=True)
class Fit:
    """A model as a whole. values: observations at all visits; spread: residual standard deviation of ANCOVA."""

    n: int = 0
    values: int | None = None
    events: int | None = None
    missing: int = 0
    spread: float | None = None
    r_squared: float | None = None
    log_likelihood: float | None = None
    likelihood_ratio: float | None = None
    df: int | None = None
    p: float | None = None
    iterations: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Coefficient:
    """A term: of ANCOVA in the outcome's unit, of logistic regression an odds ratio."""

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
class Mean:
    """Least-squares mean of a group at a visit, and how many values stand behind it."""

    group: str
    visit: str
    n: int
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Contrast:
    """The later group's mean minus the earlier one's at a visit; P and limits adjusted over the pairs there."""

    group: str
    visit: str
    estimate: float | None = None
    standard_error: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p_raw: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class TermTest:
    """F test of a term: the groups, the visits, their interaction, or whether slopes on the baseline differ."""

    term: str
    statistic: float | None = None
    df: float | None = None
    df_residual: float | None = None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Covariance:
    """Covariance of a patient's values at two visits."""

    first: str
    second: str
    covariance: float
    correlation: float


@dataclass(frozen=True)
class ModelResult:
    kind: str
    code: str
    title: Label
    model: str
    outcome: str
    visits: list
    baseline: str
    matched: str
    settings: dict
    fits: list
    coefficients: list
    means: list
    contrasts: list
    terms: list
    covariance: list


def estimate(section, patients):
    """ModelResult of a Model for Patients."""
    patients = patients.of(section.matched)
    parts = {"fits": [], "coefficients": [], "means": [], "contrasts": [], "terms": [], "covariance": []}
    return ModelResult(
        KIND,
        section.code,
        section.title,
        section.model,
        section.outcome,
        list(section.visits),
        section.baseline,
        section.matched,
        settings(section),
        **(parts | FITTED[section.model](section, patients)),
    )


def settings(section):
    told = {"adjust": section.adjust}
    if section.model == "repeated":
        told |= {"structure": section.structure, "degrees": section.degrees}
    if section.event:
        told["event"] = ", ".join(map(str, section.event))
    return told


def number(section, patients, visit):
    """The outcome at a visit. Refused where it is no number."""
    column = patients.column(section.outcome, visit)
    if column.categories:
        raise refusal(
            "{kind}: {variable} has categories; {model} takes a number",
            "{kind}：{variable}はカテゴリ変数です。{model}には数値が必要です",
            kind=KIND,
            variable=section.outcome,
            model=section.model,
        )
    return column


def asked(section, patients):
    return [patients.column(*declared.reference(name)) for name in section.covariates]


def gone(ready):
    return [Coefficient(name, "", "", visit, reason=why) for (name, visit), why in ready.dropped.items()]


def failed(error, terms=()):
    at = named(error.where, terms)
    return NOT_ESTIMABLE.format(f"{error} ({at})" if at else str(error))


# ANCOVA


def ancova(section, patients):
    """lm(y ~ group + baseline + covariates), its means and contrasts; and whether the baseline's slope differs."""
    (visit,) = section.visits
    y = number(section, patients, visit)
    before = replace(number(section, patients, section.baseline), name="baseline")
    group = group_column(patients)
    ready = covariates([group, before, *asked(section, patients)], y.known & (patients.group >= 0))
    held = [column for column in ready.kept if column is group]
    try:
        if not held:
            raise NotEstimable("one_group" if ready.rows.any() else "empty")
        variables = {
            column.name + column.visit: part for column, part in zip(ready.kept, ready.variables(), strict=True)
        }
        terms = [(name,) for name in variables]
        fit = linear(np.where(ready.rows, y.values, np.nan), Design(variables, terms, ready.rows))
        means = least_squares_means(fit, ["group"])
    except NotEstimable as error:
        why = failed(error, ready.terms)
        empty = [Mean(code, visit, 0, reason=why) for code in patients.codes]
        missing = int((patients.group >= 0).sum() - ready.rows.sum())
        return {"fits": [Fit(missing=missing, reason=why)], "coefficients": gone(ready), "means": empty}
    levels = ready.levels[ready.kept.index(group)]
    missing = int((patients.group >= 0).sum()) - fit.n
    sloped = attempted(lambda: slopes(variables, terms, y, ready), lambda why: TermTest("slopes", reason=why))
    return {
        "fits": [Fit(fit.n, missing=missing, spread=fit.residual_sd, r_squared=fit.r_squared)],
        "coefficients": gone(ready) + [linear_row(term, fit, place) for place, term in enumerate(ready.terms)],
        "means": adjusted_means(patients, means, levels, ready, visit),
        "contrasts": pair_rows(patients, fit, levels, section.adjust, visit),
        "terms": [
            attempted(lambda: term_row("group", term_test(fit, ("group",))), lambda why: TermTest("group", reason=why)),
            sloped,
        ],
    }


def slopes(variables, terms, y, ready):
    before = next(name for name in variables if name.startswith("baseline"))
    design = Design(variables, [*terms, ("group", before)], ready.rows)
    fit = linear(np.where(ready.rows, y.values, np.nan), design)
    return term_row("slopes", term_test(fit, ("group", before)))


def term_row(name, told):
    return TermTest(name, told.statistic, told.df, told.df_residual, told.p)


def linear_row(term, fit, place):
    told = (part[place + 1] for part in (fit.coefficient, fit.low, fit.high, fit.p))
    return Coefficient(term.variable, term.level, term.reference, term.visit, *told)


def adjusted_means(patients, means, levels, ready, visit):
    rows = []
    for place, code in enumerate(patients.codes):
        n = int((ready.rows & patients.members(place)).sum())
        if place not in levels:
            rows.append(Mean(code, visit, n, reason=EMPTY))
            continue
        told = means[levels.index(place)]
        rows.append(Mean(code, visit, n, told.estimate, told.standard_error, told.low, told.high))
    return rows


EMPTY = NOT_ESTIMABLE.format("a group has no observations")


def pair_rows(patients, fit, levels, adjust, visit, within=None, place=None):
    """Contrasts of all pairs of groups in the order of the tables; of groups without anybody the row says so."""
    try:
        made = contrasts(fit, "group", within=within, adjust=adjust)
    except NotEstimable as error:
        return [Contrast(pair, visit, reason=failed(error)) for pair, *_ in patients.pairs()]
    found = {}
    for told in made:
        settings = dict(told.first), dict(told.second)
        if within is None or settings[0][within] == place:
            found[levels[settings[1]["group"]], levels[settings[0]["group"]]] = told
    rows = []
    for pair, a, b in patients.pairs():
        told = found.get((a, b))
        if told is None:
            rows.append(Contrast(pair, visit, reason=EMPTY))
            continue
        parts = (told.estimate, told.standard_error, told.df, told.low, told.high, told.p_raw, told.p)
        rows.append(Contrast(pair, visit, *parts))
    return rows


# Logistic regression


def event_of(section, patients):
    """(n,) 1, 0, NaN of the outcome of logistic regression. Refused where it is not told what counts as the event."""
    column = patients.column(section.outcome, section.visits[0] if section.visits else "")
    codes = [str(code) for code, _ in column.categories]
    if not codes:
        if np.isin(column.values[column.known], (0, 1)).all() and not section.event:
            return column.values
        codes_fit = "1, 0"
    else:
        codes_fit = listed(codes)
    wanted = [str(code) for code in section.event]
    if not wanted or not set(wanted) <= set(codes):
        raise refusal(
            "{kind}: “event” names the categories of {variable} that count as the event; they are {fits}",
            "{kind}：eventには{variable}のうちイベントとするカテゴリを指定してください。使えるもの：{fits}",
            kind=KIND,
            variable=section.outcome,
            fits=codes_fit,
        )
    places = [codes.index(code) for code in wanted]
    return np.where(column.known, np.isin(column.values, places), np.nan)


def logistic_model(section, patients):
    """glm(event ~ group + covariates, binomial)."""
    event = event_of(section, patients)
    mine = patients.group >= 0
    columns = asked(section, patients)
    if section.baseline:
        columns = [replace(patients.column(section.outcome, section.baseline), name="baseline"), *columns]
    ready = covariates([group_column(patients), *columns], np.isfinite(event) & mine)
    try:
        if not ready.terms:
            raise NotEstimable("constant_covariate" if ready.rows.any() else "empty")
        fit = logistic(event[ready.rows], ready.columns[ready.rows])
    except NotEstimable as error:
        missing = int(mine.sum() - ready.rows.sum())
        rows = [blamed(term, place, error) for place, term in enumerate(ready.terms)]
        return {"fits": [Fit(missing=missing, reason=failed(error, ready.terms))], "coefficients": gone(ready) + rows}
    rows = []
    for place, term in enumerate(ready.terms):
        told = (part[place + 1] for part in (fit.odds_ratio, fit.low, fit.high, fit.p))
        rows.append(Coefficient(term.variable, term.level, term.reference, term.visit, *told))
    whole = Fit(
        fit.n,
        events=fit.events,
        missing=int(mine.sum()) - fit.n,
        likelihood_ratio=fit.likelihood_ratio,
        df=len(ready.terms),
        p=fit.likelihood_ratio_p,
        iterations=fit.iterations,
    )
    return {"fits": [whole], "coefficients": gone(ready) + rows}


def blamed(term, place, error):
    why = str(error) if not error.where or place in error.where else "the model could not be fitted"
    return Coefficient(term.variable, term.level, term.reference, term.visit, reason=NOT_ESTIMABLE.format(why))


# Repeated measures


def repeated(section, patients):
    """Mixed model of all visits: visit, group, their interaction, the baseline by visit, covariates."""
    columns = [number(section, patients, visit) for visit in section.visits]
    outcome = np.column_stack([column.values for column in columns])
    group = group_column(patients)
    more = asked(section, patients)
    if section.baseline:
        more = [replace(number(section, patients, section.baseline), name="baseline"), *more]
    known = np.isfinite(outcome).any(axis=1) & (patients.group >= 0)
    ready = covariates([group, *more], known)
    counts = {
        (place, visit): int((ready.rows & patients.members(place) & np.isfinite(outcome[:, at])).sum())
        for place in range(len(patients.groups))
        for at, visit in enumerate(section.visits)
    }
    missing = int((patients.group >= 0).sum() - ready.rows.sum())
    try:
        fit, levels, visits = fitted(section, outcome, ready, group)
        made = least_squares_means(fit, ["visit", "group"])
    except NotEstimable as error:
        why = failed(error)
        means = [Mean(patients.codes[place], visit, n, reason=why) for (place, visit), n in counts.items()]
        return {"fits": [Fit(missing=missing, reason=why)], "means": means, "coefficients": gone(ready)}
    means = {}
    for told in made:
        at = dict(told.settings)
        means[levels[at["group"]], visits[at["visit"]]] = told
    pairs = []
    for place, visit in enumerate(visits):
        pairs += pair_rows(patients, fit, levels, section.adjust, visit, "visit", place)
    whole = Fit(
        fit.n,
        fit.observations,
        missing=missing,
        log_likelihood=fit.log_likelihood,
        iterations=fit.iterations,
    )
    return {
        "fits": [whole],
        "coefficients": gone(ready),
        "means": [
            mean_row(patients.codes[place], visit, n, means.get((place, visit))) for (place, visit), n in counts.items()
        ],
        "contrasts": pairs,
        "terms": [term_of(fit, term) for term in (("group",), ("visit",), ("visit", "group"))],
        "covariance": spreads(fit, visits),
    }


def fitted(section, outcome, ready, group):
    """The Repeated, places of the groups in it, and its visits: those at which nobody has a value are left out."""
    held = np.isfinite(outcome[ready.rows]).any(axis=0)
    visits = [visit for visit, here in zip(section.visits, held, strict=True) if here]
    if len(visits) < 2:
        raise NotEstimable("too_few_visits")
    if group not in ready.kept:
        raise NotEstimable("one_group")
    variables = dict(zip(((column.name, column.visit) for column in ready.kept), ready.variables(), strict=True))
    factor = variables.pop(("group", ""))
    before = next((variables.pop(at) for at in list(variables) if at[0] == "baseline"), None)
    inside = ready.rows
    fit = repeated_measures(
        outcome[inside][:, held],
        factor.codes[inside],
        None if before is None else before.values[inside],
        [chosen(variable, inside) for variable in variables.values()],
        factor.levels,
        section.structure,
        section.degrees,
    )
    return fit, ready.levels[ready.kept.index(group)], visits


def chosen(variable, rows):
    if isinstance(variable, Factor):
        return Factor(variable.codes[rows], variable.levels)
    return Number(variable.values[rows])


def mean_row(code, visit, n, told):
    if told is None:
        return Mean(code, visit, n, reason=EMPTY)
    return Mean(code, visit, n, told.estimate, told.standard_error, told.low, told.high)


def term_of(fit, term):
    name = ":".join(term)
    return attempted(lambda: term_row(name, term_test(fit, term)), lambda why: TermTest(name, reason=why))


def spreads(fit, visits):
    sigma = fit.of_visits
    scale = np.sqrt(np.diag(sigma))
    return [
        Covariance(visits[a], visits[b], float(sigma[a, b]), float(sigma[a, b] / (scale[a] * scale[b])))
        for a in range(len(visits))
        for b in range(a, len(visits))
    ]


FITTED = {"ancova": ancova, "logistic": logistic_model, "repeated": repeated}


def dataset(section, patients):
    patients = patients.of(section.matched)
    told = {"group": group_column(patients)}
    if section.model == "logistic":
        told["event"] = event_of(section, patients)
    for visit in section.visits if section.model != "logistic" else ():
        told[f"y.{visit}"] = patients.column(section.outcome, visit)
    if section.baseline:
        told["baseline"] = patients.column(section.outcome, section.baseline)
    for covariate in section.covariates:
        told["x." + declared.key(covariate)] = patients.column(*declared.reference(covariate))
    return told, {}
