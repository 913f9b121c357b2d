"""Survival against R's packages survival and cmprsk."""

import numpy as np

from registry.stats.survival import kaplan_meier, log_rank_trend, stratified_log_rank, survival_at
from registry.stats.survival.competing import cumulative_incidence, gray, incidence_at
from registry.stats.survival.cox import cox, proportional_hazards, scaled_schoenfeld
from registry.stats.survival.follow_up import landmark
from registry.stats.survival.restricted_mean import restricted_mean
from tests.stats.oracle import Room, against_r

MODELS = (1e-6, 1e-8)  # what iterations leave: ours ends with a step below 1e-8 standard deviations of the covariates


def reverse(time, event):
    curve = kaplan_meier(time, 1 - event)
    return [curve.median, curve.median_low, curve.median_high, *curve.survival]


def rates(time, event, times):
    points = survival_at(kaplan_meier(time, event, interval="log_log"), times[times <= time.max()])
    fields = "at_risk", "survival", "standard_error", "low", "high"
    return [getattr(point, name) for name in fields for point in points]


def mean_within(time, event, horizon):
    mean = restricted_mean(kaplan_meier(time, event), horizon[0])
    return [mean.mean, mean.standard_error]


def from_landmark(time, event, at):
    return kaplan_meier(*landmark(time, event, at[0])[:2]).survival


def shown(test):
    return [test.statistic, test.p]


def groups(vectors):
    return list(zip(vectors[::2], vectors[1::2], strict=True))


def incidences(time, cause, times):
    points = incidence_at(cumulative_incidence(time, cause), times[times <= time.max()])
    return [point.incidence for point in points] + [point.standard_error for point in points]


def table(time, cells):
    return cells.reshape(-1, time.size).T


def fit(time, event, cells, **options):
    return cox(time, event, table(time, cells), **options)


def fitted(model):
    likelihoods = [model.null_log_likelihood, model.log_likelihood, *shown(model.likelihood_ratio)]
    return [*model.coefficient, *model.standard_error, *model.low, *model.high, *likelihoods]


def robust(time, event, cells, weights, cluster):
    model = fit(time, event, cells, weights=weights, cluster=cluster)
    return [*model.coefficient, *model.covariance.T.ravel(), *model.low, *model.high]


def by_score(*given):
    model = fit(*given)
    return [*shown(model.score), model.wald.p]


def zph_table(test):
    """As R prints it: statistics, degrees of freedom, P; the global test last in each."""
    pairs = ((test.statistic, test.overall.statistic), (test.df, test.overall.df), (test.p, test.overall.p))
    return [number for column, overall in pairs for number in (*column, overall)]


def zph(*given):
    model = fit(*given)
    return [number for g in ("km", "identity", "rank", "log") for number in zph_table(proportional_hazards(model, g))]


def zph_strata(time, event, cells, strata):
    model = fit(time, event, cells, strata=strata)
    together = proportional_hazards(model, "rank", terms=[range(len(model.coefficient))])
    return [*zph_table(proportional_hazards(model)), together.statistic[0], together.df[0], together.p[0]]


OURS = {
    "reverse_kaplan_meier": reverse,
    "rates": rates,
    "restricted_mean": mean_within,
    "landmark": from_landmark,
    "stratified_log_rank": lambda time, event, g, s: shown(
        stratified_log_rank(time, event, g.astype(int), s.astype(int))
    ),
    "log_rank_trend": lambda *given: shown(log_rank_trend(groups(given))),
    "log_rank_trend_by_score": lambda *given: shown(log_rank_trend(groups(given))),
    "cumulative_incidence": incidences,
    "gray": lambda *given: shown(gray(groups(given))),
    "cox": lambda *given: fitted(fit(*given)),
    "cox_breslow": lambda *given: fitted(fit(*given, ties="breslow")),
    "cox_strata": lambda time, event, cells, s: fitted(fit(time, event, cells, strata=s)),
    "cox_weights": lambda time, event, cells, w: fitted(fit(time, event, cells, weights=w)),
    "cox_cluster": robust,
    "cox_score": by_score,
    "proportional_hazards": zph,
    "proportional_hazards_strata": zph_strata,
    "scaled_schoenfeld": lambda *given: scaled_schoenfeld(fit(*given))[1].T.ravel(),
}


def follow_up(random, least=1, causes=2):
    n = random.integers(least, 60)
    shares = random.dirichlet(np.ones(causes))
    return random.integers(1, random.integers(5, 60), n).astype(float), random.choice(causes, n, p=shares).astype(float)


def follow_ups(random, causes=2):
    return tuple(vector for _ in range(random.integers(2, 5)) for vector in follow_up(random, 1, causes))


def covariates(random, least=25):
    time, event = follow_up(random, least)
    p = random.integers(1, 4)
    kinds = [random.normal(60, 9, time.size), random.binomial(1, 0.4, time.size), random.poisson(3, time.size)]
    return time, event, np.concatenate([kinds[kind] for kind in random.permutation(3)[:p]]).round(1)


def with_strata(random):
    time, event, cells = covariates(random)
    return time, event, cells, random.integers(0, 4, time.size).astype(float)


def with_weights(random):
    time, event, cells = covariates(random)
    return time, event, cells, random.uniform(0.2, 3, time.size).round(2)


SHAPES = {
    "reverse_kaplan_meier": follow_up,
    "rates": lambda random: (*follow_up(random), np.array([2.0, 7, 13, 30])),
    # summary.survfit stops where the horizon is before the first time
    "restricted_mean": lambda random: (*(drawn := follow_up(random)), drawn[0].min() + random.integers(0, 40, 1)),
    "landmark": lambda random: (*follow_up(random, 20), np.array([3.0])),
    "stratified_log_rank": lambda random: (
        *(drawn := follow_up(random, 10)),
        random.integers(0, 3, drawn[0].size).astype(float),
        random.integers(0, 6, drawn[0].size).astype(float),
    ),
    "log_rank_trend": follow_ups,
    "log_rank_trend_by_score": follow_ups,
    "cumulative_incidence": lambda random: (*follow_up(random, causes=3), np.array([2.0, 7, 13, 30])),
    "gray": lambda random: follow_ups(random, 3),
    **dict.fromkeys(["cox", "cox_breslow", "cox_score", "proportional_hazards", "scaled_schoenfeld"], covariates),
    **dict.fromkeys(["cox_strata", "proportional_hazards_strata"], with_strata),
    "cox_weights": with_weights,
    "cox_cluster": lambda random: (
        *(drawn := with_weights(random)),
        random.integers(0, 15, drawn[0].size) + 0.0,
    ),
}
COX = [name for name in OURS if name.startswith(("cox", "proportional", "scaled"))]
ROOM = Room(
    "survival",
    OURS,
    SHAPES,
    packages=("survival", "cmprsk"),
    tolerance={**dict.fromkeys(COX, MODELS)},
    # R warns and prints what the last iteration left of a coefficient that goes to infinity, gives NA beside others,
    # and fits nothing at all without events; of one group that is compared with none, survdiff says 0
    unlike=("monotone_likelihood", "constant_covariate", "collinear", "no_events", "too_few"),
)

test_quoted, test_all_are_quoted, test_r_prints_them, test_random = against_r(ROOM)
