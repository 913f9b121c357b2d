"""Outcomes of matched pairs, or of weighted groups: treated minus control, with the test that belongs to it."""

import numpy as np

from registry.analysis.results.propensity import Category, Outcome
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.analysis.sections.propensity.declaration import is_weighted
from registry.stats.arrays import Moments
from registry.stats.effects.shift import pseudomedian
from registry.stats.exact.ranks import mcnemar_by_size, wilcoxon_signed_rank_by_size
from registry.stats.matching.paired import pair_differences, pair_risk_difference, pair_table
from registry.stats.matching.weights import weighted_difference
from registry.stats.ordered.symmetry import bowker
from registry.stats.rank import wilcoxon_signed_rank
from registry.stats.ttest import paired_t

ONE_TO_ONE = NOT_ESTIMABLE.format("tables of pairs take one control for each treated patient")
TWO_CATEGORIES = NOT_ESTIMABLE.format("weights compare numbers and variables of two categories")
NO_TABLE = NOT_ESTIMABLE.format("the test takes a table of two categories, or of several for Bowker's")


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
    numbers = {"n": changes.n, "missing": changes.missing}
    if not column.categories:
        numbers |= described("treated", first) | described("control", second)
    effect = attempted(lambda: effect_of(test, changes), lambda why: {})

    def done():
        answer = DIFFERENCES[test](changes)
        of_test = {"statistic": answer.statistic, "df": getattr(answer, "df", None), "p": answer.p}
        return Outcome(column.name, column.visit, test, **numbers, **effect, **of_test)

    return attempted(done, lambda why: Outcome(column.name, column.visit, test, **numbers, reason=why))


def effect_of(test, changes):
    if test == "paired_t":
        answer, name = paired_t(changes), "mean_difference"
    else:
        answer, name = pseudomedian(changes), "hodges_lehmann"
    return {"effect": name, "estimate": answer.estimate, "low": answer.low, "high": answer.high}


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
    numbers = {"n": n, "missing": int(len(matched.pairs) - n)}
    if levels == 2:
        numbers |= attempted(lambda: risk_of(table), lambda why: {})

    def done():
        answer = mcnemar_by_size(table) if test == "mcnemar" else bowker(table)
        return Outcome(*at, **numbers, statistic=answer.statistic, df=getattr(answer, "df", None), p=answer.p)

    return attempted(done, lambda why: Outcome(*at, **numbers, reason=why)), counted(column, codes, matched)


def risk_of(table):
    """Share of the first category, treated minus control."""
    answer = pair_risk_difference(table)
    return {"effect": "risk_difference", "estimate": answer.estimate, "low": answer.low, "high": answer.high}


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

    def compared():
        answer = weighted_difference(values[used], done.treated[used], done.weights[used])
        return Outcome(
            *at,
            answer.n,
            answer.missing,
            treated_mean=answer.treated,
            control_mean=answer.control,
            effect="risk_difference" if column.categories else "mean_difference",
            estimate=answer.estimate,
            low=answer.low,
            high=answer.high,
            statistic=answer.z,
            p=answer.p,
        )

    return attempted(compared, lambda why: Outcome(*at, reason=why))
