"""What the models share: the outcome as a number, pairs of groups, what was left out and why."""

from registry.analysis.design.errors import refusal
from registry.analysis.results.models import Coefficient, Contrast, Mean, TermTest
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import named
from registry.analysis.sections.estimable import NOT_ESTIMABLE
from registry.analysis.sections.models.declaration import KIND
from registry.stats.arrays import NotEstimable
from registry.stats.models.means import contrasts


def number(section, patients, visit):
    """The outcome at a visit. Refused where it is no number."""
    column = patients.column(section.outcome, visit)
    if column.categories:
        raise refusal(
            "{kind}: {variable} has categories; {model} takes a number",
            "{kind}：{variable}はカテゴリ変数です。{model}には数値が必要です。",
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


def term_row(name, test):
    return TermTest(name, test.statistic, test.df, test.df_residual, test.p)


EMPTY = NOT_ESTIMABLE.format("a group has no observations")

CONTRASTED = ("estimate", "standard_error", "df", "low", "high", "p_raw", "p", "statistic")


def of_mean(code, visit, n, mean):
    return Mean(code, visit, n, **{name: getattr(mean, name) for name in ("estimate", "standard_error", "low", "high")})


def pair_rows(patients, fit, levels, adjust, visit, within=None, place=None):
    """Contrasts of all pairs of groups in the order of the tables; of groups without anybody the row says so."""
    try:
        made = contrasts(fit, "group", within=within, adjust=adjust)
    except NotEstimable as error:
        return [Contrast(pair, visit, reason=failed(error)) for pair, *_ in patients.pairs()]
    by_pair = {}
    for contrast in made:
        settings = dict(contrast.first), dict(contrast.second)
        if within is None or settings[0][within] == place:
            by_pair[levels[settings[1]["group"]], levels[settings[0]["group"]]] = contrast
    rows = []
    for pair, a, b in patients.pairs():
        contrast = by_pair.get((a, b))
        if contrast is None:
            rows.append(Contrast(pair, visit, reason=EMPTY))
            continue
        rows.append(Contrast(pair, visit, **{name: getattr(contrast, name) for name in CONTRASTED}))
    return rows
