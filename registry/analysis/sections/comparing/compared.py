"""The rows of `comparisons` computed: what is known of each group, the test, effects of pairs, and sensitivity.

A row has its variable's label, unit and categories with it, so that a result is read without the protocol of its day.
"""

import numpy as np

from registry.analysis.data.columns import NO_NUMBER
from registry.analysis.design import methods
from registry.analysis.design.variables.columns import DEATH, DIED_BEFORE, WHY
from registry.analysis.design.variables.sources import BINARY, CONTINUOUS, DATE, ORDINAL
from registry.analysis.results.comparisons import ComparisonResult
from registry.analysis.sections.comparing import comparison_tests as tests
from registry.analysis.sections.comparing import matched, weighted
from registry.analysis.sections.comparing.matched import MatchedData
from registry.analysis.sections.comparing.weighted import WeightedData
from registry.stats.adjust import adjust
from registry.stats.arrays import NotEstimable, rounded, tabulate
from registry.stats.describe import describe
from registry.stats.effects import proportions, shift, standardised
from registry.stats.effects.family import family_interval
from registry.stats.quality.change import worst_rank
from registry.stats.ttest import paired_t, student_t, welch_t

NOT_ESTIMABLE = "not estimable because {}"
OWN_ROW = "it defines the groups"
NO_TEST = "the plan asks for no test"
NO_DIRECTION = "it is not declared which way is worse"
SMALL_EXPECTED = 5  # expected counts below it make a chi-square test doubtful
MEASURES = {"mean": "mean", "sd": "sd", "median": "median", "q1": "first_quartile", "q3": "third_quartile"}
MEASURES |= {"min": "minimum", "max": "maximum"}


def compute(data, entry):
    """The result of one Comparison."""
    if entry.matched:
        data = weighted.narrowed(data, entry.matched)
    rows = [_between(data, entry, row) if entry.kind == "between" else _within(data, entry, row) for row in entry.rows]
    if entry.kind == "between":
        _adjust(rows, entry)
    return ComparisonResult.from_json(
        {
            "code": entry.code,
            "title": {"en": entry.title.en, "ja": entry.title.ja},
            "comparison": entry.kind,
            "adjust": entry.adjust,
            "family": entry.family,
            "confidence": entry.confidence,
            "interval": entry.interval,
            "exploratory": entry.exploratory,
            **(_of_sets(data, entry) if entry.matched else {}),
            "rows": rows,
        }
    )


def _of_sets(data, entry):
    """What is said of the matched cohort: whose section, how many of each group in how many sets, or why nobody."""
    about_sets = {"matched": entry.matched, "matched_title": {"en": data.section.title.en, "ja": data.section.title.ja}}
    about_sets["sets_are"] = "sets" if data.section.ratio != 1 and data.sets_are == "pairs" else data.sets_are
    return about_sets | {"sizes": data.sizes()} | ({"reason": data.made.reason} if data.made.reason else {})


def about(row):
    """What a row says of its variable."""
    variable = row.variable
    return {
        "variable": variable.name,
        "timepoint": row.visit,
        "kind": variable.kind,
        "label": {"en": variable.label.en, "ja": variable.label.ja},
        "unit": variable.unit,
        "decimals": variable.decimals,
        "higher_is": variable.higher_is,
        "categories": [
            {"code": str(choice.code), "en": choice.label.en, "ja": choice.label.ja} for choice in variable.categories
        ],
    }


# What is known of a group


def described(columns, chosen, interval="wilson", confidence=0.95):
    """What is said of the patients `chosen`: n, missing and why, and the distribution."""
    variable, known = columns.variable, columns.known[chosen]
    group = {"n": int(known.sum()), "missing": int((~known).sum()), "why": columns.reasons(chosen)}
    if variable.is_categorical:
        counts = columns.counts(chosen)
        codes = [str(choice.code) for choice in variable.categories]
        group["counts"] = {code: int(count) for code, count in zip(codes, counts, strict=True)}
        if variable.kind == BINARY:
            group |= _proportion(int(counts[0]), group["n"], interval, confidence)
        return group
    return group | _distribution(tabulate(columns.values[chosen]))


def _distribution(sample):
    description = describe(sample)
    return {name: getattr(description, source) for name, source in MEASURES.items()}


def _proportion(events, n, interval, confidence):
    try:
        share = getattr(proportions, interval)(events, n, confidence)
    except NotEstimable:
        return {"share": None, "low": None, "high": None}
    return {"share": share.estimate, "low": share.low, "high": share.high}


# Between groups


def _between(data, entry, row):
    columns = data.column(row.variable, row.visit)
    members = list(data.groups.values())
    result = about(row) | {"groups": {code: _told(data, entry, columns, rows) for code, rows in data.groups.items()}}
    kind = data.kind if entry.matched else "between"
    test = tests.test_of(kind, row.variable.kind, row.test, len(members))
    if defines_the_groups(data.plan, row.variable):
        return result | {"test": "", "p": None, "reason": OWN_ROW, "effects": {}}
    if row.variable.kind == DATE:
        test = None
    effects = _effects_of_sets if entry.matched else _effects
    result |= {"test": ""} if test is None else {"test": test.code}
    result |= {"p": None, "reason": NO_TEST} if test is None else _p_of(data, columns, test)
    result["effects"] = effects(data, entry, row, columns, test)
    if test is None:
        return result
    result |= _baselines(data, row, columns)
    for name in entry.sensitivity:
        result[name] = _SENSITIVITY[name](data, entry, row, columns, test)
    return result


def _told(data, entry, columns, chosen):
    """What is said of a group; of a weighted one its weighted means and shares, beside its patients."""
    if not isinstance(data, WeightedData):
        return described(columns, chosen, entry.interval, entry.confidence)
    known = columns.known[chosen]
    of_all = {"missing": int((~known).sum()), "why": columns.reasons(chosen)}
    return _brief(data, columns, chosen) | of_all


def _tested_in(data, test, columns):
    """P and its statistic of the sets of a matched cohort, or of weighted groups; or why there is none."""
    try:
        answer = (weighted if isinstance(data, WeightedData) else matched).run_test(data, test, columns)
    except NotEstimable as why:
        return {"p": None, "reason": NOT_ESTIMABLE.format(why)}
    return {"p": answer.p} | methods.statistic_of(test.code, answer)


def _estimated_in(data, measure, columns, confidence):
    """estimate, low and high of an effect there; None where it does not exist, or has no end."""
    try:
        of = weighted if isinstance(data, WeightedData) else matched
        answer = of.estimate(data, measure, columns, confidence)
    except NotEstimable as why:
        return {"estimate": None, "low": None, "high": None, "effect_reason": NOT_ESTIMABLE.format(why)}
    ends = {name: getattr(answer, name) for name in ("estimate", "low", "high")}
    return {name: value if np.isfinite(value) else None for name, value in ends.items()}


def _p_of(data, columns, test):
    """P of the row, by the sets or weights of a cohort that has them."""
    if isinstance(data, MatchedData):
        return _tested_in(data, test, columns)
    members = list(data.groups.values())
    return _tested(test, columns, members) | _expected(test, columns, members)


def _effects_of_sets(data, entry, row, columns, test):
    """The effect in the matched sets, or weighted groups, with its interval, and how many sets are complete."""
    (name,) = data.pairs
    complete, confidence = data.complete(columns), _wide(data, entry)
    effect = {"n": [int(complete[places].sum()) for places in data.groups.values()]}
    if not isinstance(data, WeightedData):
        effect["sets"] = int(np.unique(data.made.sets[complete]).size)
    if measure := tests.effect_of(data.kind, row.variable.kind, row.effect, test):
        effect |= {"measure": measure, "confidence": confidence} | _estimated_in(data, measure, columns, confidence)
    if isinstance(data, WeightedData):
        effect["smd"] = weighted.smd(data, columns)
    else:
        effect |= _standardised(row, columns, tuple(data.groups.values()))
    if test:
        answer = _tested_in(data, test, columns)
        effect |= {"test": test.code, "p_raw": answer.pop("p")} | answer
    return {name: effect}


def defines_the_groups(plan, variable):
    """Whether the groups are made of this variable: exposure and outcome are never the same."""
    item = variable.origin.get("item", "") if "repeat" not in variable.origin else ""
    if plan.named:
        steps = (step for group in plan.named.groups for step in group.steps)
        return any(item and item in (step.code, step.parameters.get("variable")) for step in steps)
    return bool(item) and item in (plan.grouping, plan.arms.variable if plan.arms else plan.grouping)


def samples(columns, members):
    """The groups' values as Counts."""
    return [tabulate(columns.values[chosen]) for chosen in members]


def table_of(columns, members):
    """(groups, categories) counts."""
    return np.array([columns.counts(chosen) for chosen in members])


def _occupied(table):
    return table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]


def _tested(test, columns, members):
    """P and its statistic, or the reason why there is none."""
    if test.two_groups and len(members) != 2:
        return {"p": None, "reason": NOT_ESTIMABLE.format("the test compares two groups")}
    try:
        answer = test.run(_taken(test, columns, members))
    except NotEstimable as why:
        return {"p": None, "reason": NOT_ESTIMABLE.format(why)}
    return {"p": answer.p} | methods.statistic_of(test.code, answer) | _sampled(answer)


def _taken(test, columns, members):
    if test.code not in tests.OF_TABLES:
        return samples(columns, members)
    table = table_of(columns, members)
    if test.code == "cochran_armitage":
        return table
    table = _occupied(table)
    if min(table.shape) == 0:
        raise NotEstimable("empty")
    if len(table) < 2:
        raise NotEstimable("one_group")
    return np.column_stack([table, np.zeros(len(table), np.int64)]) if table.shape[1] < 2 else table


def _sampled(answer):
    """What a Monte Carlo P is worth; nothing for an exact one."""
    if getattr(answer, "standard_error", None) is None or not hasattr(answer, "resamples"):
        return {}
    names = ("standard_error", "resamples", "seed")
    return {"monte_carlo": {name: getattr(answer, name) for name in names} | {"why": answer.why}}


def _expected(test, columns, members):
    """How many expected counts are small, where a chi-square test rests on them."""
    if not test.code.startswith("chi_square"):
        return {}
    table = _occupied(table_of(columns, members)).astype(float)
    if min(table.shape) < 2:
        return {}
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return {"small_expected": int((expected < SMALL_EXPECTED).sum()), "cells": int(expected.size)}


def _effects(data, entry, row, columns, test):
    """Each pair: the effect with its interval, its P, the n of both groups, and the standardised difference."""
    places = list(data.groups.values())
    pairwise = test and tests.pairwise_of(row.variable.kind, row, len(places), test)
    effect = tests.effect_of("between", row.variable.kind, row.effect, pairwise)
    confidence = _wide(data, entry)
    return {
        name: _effect(confidence, row, columns, (places[first], places[second]), pairwise, effect)
        for name, (first, second) in data.pairs.items()
    }


def _effect(confidence, row, columns, pair, test, effect):
    result = {"n": [int(columns.known[chosen].sum()) for chosen in pair]}
    if effect:
        result |= {"measure": effect, "confidence": confidence}
        result |= _estimated(row, columns, pair, effect, confidence, test)
    result |= _standardised(row, columns, pair)
    if test:
        answer = _tested(test, columns, pair)
        result |= {"test": test.code, "p_raw": answer["p"]} | {
            name: part for name, part in answer.items() if name != "p"
        }
    return result


def _estimated(row, columns, pair, effect, confidence, test=None):
    """estimate, low and high of an effect; None where it does not exist, or has no end."""
    try:
        if effect == "mean_difference":
            answer = _difference(test)(*samples(columns, pair), confidence)
        elif row.variable.kind == BINARY:
            answer = tests.estimate(effect, *(columns.counts(chosen) for chosen in pair), confidence)
        else:
            answer = tests.estimate(effect, *samples(columns, pair), confidence)
    except NotEstimable as why:
        return {"estimate": None, "low": None, "high": None, "effect_reason": NOT_ESTIMABLE.format(why)}
    ends = {name: getattr(answer, name) for name in ("estimate", "low", "high")}
    return {name: value if np.isfinite(value) else None for name, value in ends.items()}


def _difference(test):
    """The t test whose interval belongs to the row's test: Student's with equal variances, else Welch's."""
    return student_t if test is not None and test.code == "t_test" else welch_t


def _standardised(row, columns, pair):
    try:
        if row.variable.is_categorical:
            answer = standardised.smd_categories(*(columns.counts(chosen) for chosen in pair))
        else:
            answer = standardised.smd(*samples(columns, pair))
    except NotEstimable:
        return {"smd": None}
    return {"smd": answer.difference}


def _adjust(rows, entry):
    """P of each pair adjusted over its family, and intervals as wide as the family needs."""
    families = [[row] for row in rows] if entry.family == "row" else [rows]
    for family in families:
        pairs = [effect for row in family for effect in row["effects"].values() if "p_raw" in effect]
        adjusted = adjust([effect["p_raw"] for effect in pairs], entry.adjust)
        for effect, p in zip(pairs, adjusted, strict=True):
            effect["p"] = p


def _wide(data, entry):
    """The confidence of each of a family's intervals, so that they hold together as its P do."""
    count = len(data.pairs) * (1 if entry.family == "row" else len(entry.rows))
    return family_interval(count, entry.adjust, entry.confidence).confidence


def _baselines(data, row, columns):
    """The baseline of those compared beside that of all: whether those who could be followed began alike."""
    baseline = data.plan.baseline
    if not row.visit or row.visit == baseline or row.variable.origin.get("change"):
        return {}
    before = data.column(row.variable, baseline)
    compared, everybody = {}, {}
    known = data.complete(columns) if isinstance(data, MatchedData) else columns.known
    for code, chosen in data.groups.items():
        everybody[code] = _brief(data, before, np.arange(data.frame.n)[chosen])
        compared[code] = _brief(data, before, np.arange(data.frame.n)[chosen][known[chosen]])
    return {"baseline_of_compared": compared, "baseline_of_all": everybody}


def _brief(data, columns, places):
    """n of some patients and their distribution, weighted where they have weights."""
    group = {"n": int(columns.known[places].sum())}
    if columns.variable.is_categorical:
        counts = columns.counts(places)
        codes = [str(choice.code) for choice in columns.variable.categories]
        group["counts"] = {code: int(count) for code, count in zip(codes, counts, strict=True)}
    if isinstance(data, WeightedData):
        return group | weighted.distribution(data, columns, places)
    if columns.variable.is_categorical:
        return group
    return group | _distribution(tabulate(columns.values[places]))


# Sensitivity


def _worst_rank(data, entry, row, columns, test):
    """The dead ranked below all survivors, so that nobody who died before the visit is left out."""
    variable = row.variable
    if variable.kind not in (CONTINUOUS, ORDINAL) or not row.visit:
        return {"p": None, "reason": NOT_ESTIMABLE.format("it has no ranks at a visit")}
    if not variable.higher_is:
        return {"p": None, "reason": NOT_ESTIMABLE.format(NO_DIRECTION)}
    died = columns.why == WHY.index(DIED_BEFORE)
    day = data.frame[DEATH].astype(float)
    day[data.frame[DEATH] == NO_NUMBER] = np.nan
    ranked = worst_rank(columns.values, died, day, variable.higher_is == "better")
    members = list(data.groups.values())
    chosen = tests.TESTS["between"][ORDINAL]["mann_whitney" if len(members) == 2 else "kruskal_wallis"]
    result = {"test": chosen.code, "n": [int((~np.isnan(ranked[group])).sum()) for group in members]}
    result["died"] = [int(died[group].sum()) for group in members]
    if entry.matched:
        return result | {"test": "sign_of_pairs"} | _signs(data, ranked)
    try:
        answer = chosen.run([tabulate(ranked[group]) for group in members])
        return result | {"p": answer.p} | methods.statistic_of(chosen.code, answer)
    except NotEstimable as why:
        return result | {"p": None, "reason": NOT_ESTIMABLE.format(why)}


def _signs(data, ranked):
    """In how many pairs the patient of the first group, or that of the second, fared better, with its exact test."""
    try:
        answer = data.signs(ranked)
    except NotEstimable as why:
        return {"p": None, "reason": NOT_ESTIMABLE.format(why)}
    return {name: getattr(answer, name) for name in ("wins", "losses", "ties", "p")}


def _complete_cases(data, entry, row, columns, test):
    """The same test of those alone whose value is known at each of the entry's visits of the variable."""
    visits = [other.visit for other in entry.rows if other.variable is row.variable or other.variable == row.variable]
    whole = np.logical_and.reduce([data.column(row.variable, visit).known for visit in visits])
    values = np.where(whole, columns.values, np.nan)
    narrowed = type(columns)(columns.variable, columns.visit, values, columns.why)
    members = list(data.groups.values())
    if entry.matched:
        whole = data.complete(narrowed)
    answer = _tested_in(data, test, narrowed) if entry.matched else _tested(test, narrowed, members)
    return {"test": test.code, "n": [int(whole[group].sum()) for group in members]} | answer


_SENSITIVITY = {"worst_rank": _worst_rank, "complete_cases": _complete_cases}


# Within groups


def _within(data, entry, row):
    before, after = data.column(row.variable, row.start), data.column(row.variable, row.visit)
    return about(row) | {
        "from": row.start,
        "groups": {
            code: _before_after(data, entry, row, before, after, chosen) for code, chosen in data.groups.items()
        },
    }


def _before_after(data, entry, row, before, after, chosen):
    places = np.arange(data.frame.n)[chosen]
    pairs = places[before.known[places] & after.known[places]]
    result = {
        "n": int(pairs.size),
        "missing": int(places.size - pairs.size),
        "why": after.reasons(chosen),
        "baseline_of_compared": _brief(data, before, pairs),
        "baseline_of_all": _brief(data, before, places),
        "followup": _brief(data, after, pairs),
    }
    test = tests.test_of("within", row.variable.kind, row.test, 2)
    if test is None:
        return result | {"test": "", "p": None, "reason": NO_TEST}
    changes = rounded(tabulate(after.values[pairs] - before.values[pairs]))
    result["test"] = test.code
    try:
        taken = _paired(before, after, pairs) if test.code in tests.OF_PAIRED_TABLES else changes
        answer = test.run(taken)
        result |= {"p": answer.p} | methods.statistic_of(test.code, answer)
    except NotEstimable as why:
        result |= {"p": None, "reason": NOT_ESTIMABLE.format(why)}
    effect = tests.effect_of("within", row.variable.kind, row.effect, test)
    if effect:
        result |= {"measure": effect} | _changed(effect, changes, entry.confidence)
    if row.variable.is_categorical:
        rises = after.values[pairs] - before.values[pairs]
        result["changed"] = {
            "up": int((rises > 0).sum()),
            "down": int((rises < 0).sum()),
            "same": int((rises == 0).sum()),
        }
    return result


def _paired(before, after, pairs):
    size = len(before.variable.categories)
    numbers = before.codes[pairs].astype(int) * size + after.codes[pairs]
    return np.bincount(numbers, minlength=size * size).reshape(size, size)


def _changed(effect, changes, confidence):
    try:
        answer = paired_t(changes, confidence) if effect == "mean_change" else shift.pseudomedian(changes, confidence)
    except NotEstimable as why:
        return {"estimate": None, "low": None, "high": None, "effect_reason": NOT_ESTIMABLE.format(why)}
    ends = {name: getattr(answer, name) for name in ("estimate", "low", "high")}
    return {name: value if np.isfinite(value) else None for name, value in ends.items()}
