"""What each P in the tables of endpoints, models, propensity, quality of life and transitions opens.

Its test, the statistic with degrees of freedom, who was compared, the effect with its interval, and the call in R, of
columns that are called as in the section's analysis data set of the bundle, and covariates as in the plan.
"""

from dataclasses import dataclass

from registry.analysis.presentation import tested_p
from registry.analysis.presentation.numbers import ABSENT, number, p_value
from registry.analysis.results.endpoints import Hazard
from registry.analysis.sections.showing.texts import TEST_NAMES, TEXTS, Names
from registry.instruments.base import Label

WALD = Label("Wald test", "Wald検定")
RATIO = Label("likelihood ratio test", "尤度比検定")
SCHOENFELD = Label("score test of scaled Schoenfeld residuals", "Schoenfeld残差によるスコア検定")
INTERACTION = Label("likelihood ratio test of the interaction", "交互作用の尤度比検定")
T_OF_TERM = Label("t test of the coefficient", "回帰係数のt検定")
T_OF_MEANS = Label("t test of least-squares means", "最小二乗平均のt検定")
F_OF_TERM = Label("Wald's F test of the term", "項目のWald F検定")
Z_OF_MEANS = Label("z test of restricted means", "境界内平均時間のz検定")
HAZARD = Label("Hazard ratio (95% CI)", "ハザード比（95%CI）")
ODDS = Label("Odds ratio (95% CI)", "オッズ比（95%CI）")
DIFFERENCE = Label("Difference (95% CI)", "差（95%CI）")
LATER_LESS_EARLIER = Label("Difference, {later} − {earlier} (95% CI)", "差、{later} − {earlier}（95%CI）")
WITH_LIMITS = Label("{effect} (95% CI)", "{effect}（95%CI）")
OF_GROUPS = Label("{effect}, {level} against {reference}", "{effect}、{level}（対照：{reference}）")
EVENTS = Label("{n}, {events} events", "{n}例、イベント{events}")


@dataclass(frozen=True)
class Tested:
    """What a P opens: `statistic` is what R calls it, `value` and `df` (one number or two) are the row's.

    groups   how many are compared at once, 0 where that is not what is asked
    effects  (label, value) as texts
    before, correction  P before the correction, and the code of that
    """

    label: Label
    call: str
    statistic: str = ""
    value: float | None = None
    df: float | list | None = None
    groups: int = 0
    n: str = ""
    effects: tuple = ()
    before: float | None = None
    correction: str = ""


def opened(row, names: Names, field, tested):
    """The printed P of a field of a row, with what `tested(row, names)` tells of it; the bare dash for none."""
    text = p_value(getattr(row, field))
    if text == ABSENT:
        return text
    words, test = names.words, tested(row, names)
    answer = tested_p.Answer(statistic=test.value, df=test.df, p_raw=test.before)
    about = (*([(words(tested_p.KNOWN), test.n)] if test.n else ()), *test.effects)
    label = words(tested_p.of_all(test.label, test.groups) if test.groups > 2 else test.label)
    correction = test.correction if field == "p" else ""
    return tested_p.made(text, words, label, test.statistic, answer, about, correction, test.call)


def _limits(row, decimals):
    if row.estimate is None:
        return ""
    if row.low is None:
        return number(row.estimate, decimals)
    return tested_p.interval(row.estimate, row.low, row.high, decimals)


def _effect(row, names, label, decimals=2):
    text = _limits(row, decimals)
    return ((names.words(label), text),) if text else ()


def _between(row, names, decimals):
    """The effect of a pair of groups, which is told as the later less the earlier."""
    earlier, later = map(names.group, names.words.codes_of_pair(row.group))
    return _effect(row, names, LATER_LESS_EARLIER.format(earlier=earlier, later=later), decimals)


def _terms(rows, first=()):
    """The right side of a formula: the variables that are in the model."""
    asked = (row.variable for row in rows if not row.reason)
    return " + ".join(dict.fromkeys((*first, *asked))) or "1"


def _of_groups(codes, sizes, names):
    """“Men 20, women 31”."""
    return names.words(Label(", ", "、")).join(f"{names.group(code)} {sizes[code]}" for code in codes if code in sizes)


def _counted(fit, names):
    """“51, 12 events” of a fit."""
    if fit is None or fit.n is None:
        return ""
    if getattr(fit, "events", None) is None:
        return str(fit.n)
    return names.words(EVENTS, n=fit.n, events=fit.events)


# Endpoints


def _fit_of(names, model):
    return next((fit for fit in names.result.fits if fit.model == model), None)


def _weights(names):
    return ", weights = weight, cluster = set, robust = TRUE" if getattr(names.result, "weighted", False) else ""


def _cox(names, model, terms="", options=""):
    terms = terms or _stratified(_terms(row for row in names.result.hazards if row.model == model), names)
    robust = _weights(names) or (", cluster = set" if (fit := _fit_of(names, model)) and fit.robust else "")
    return f"coxph(Surv(months, cause == 1) ~ {terms}{robust}{options})"


def _stratified(terms, names):
    """The terms with the strata of the models; results of before strata were kept with them are without."""
    strata = ", ".join(_name_of(key) for key in names.result.definition.get("strata", ()))
    return f"{terms} + strata({strata})" if strata else terms


def _name_of(key):
    """The variable of a key such as `kps@preop`."""
    return key.partition("@")[0]


def _of_pair(row, names):
    """The condition that leaves the two groups of a row; "" where there are no others."""
    codes = names.words.codes_of_pair(row.group) if len(names.result.followed) > 2 else ()
    return f"group %in% c({', '.join(map(_quoted, codes))})" if codes else ""


def _quoted(code):
    return f'"{code}"'


def _subset(*conditions):
    conditions = " & ".join(filter(None, conditions))
    return f", subset = {conditions}" if conditions else ""


def of_restricted(row, names):
    sizes = {group.group: group.n for group in names.result.followed}
    curves = f"survfit(Surv(months, cause == 1) ~ group{_weights(names)}{_subset(_of_pair(row, names))})"
    means = f'm <- summary({curves}, rmean = {row.horizon:g})$table[, c("rmean", "se(rmean)")]'
    about = {"n": _of_groups(names.words.codes_of_pair(row.group), sizes, names)}
    about["effects"] = _between(row, names, 1)
    return Tested(Z_OF_MEANS, f"{means}; diff(m[, 1]) / sqrt(sum(m[, 2]^2))", "z", row.statistic, **about)


LOG_RANK = "survdiff(Surv(months, cause == 1) ~ group)"
ROBUST = "coxph(Surv(months, cause == 1) ~ group{}, weights = weight, cluster = set)$rscore"
GROUP_TESTS = {
    "log_rank": LOG_RANK,
    "log_rank_trend": f"f <- {LOG_RANK}; w <- seq_along(f$obs); sum(w * (f$obs - f$exp))^2 / c(w %*% f$var %*% w)",
    "stratified_log_rank": "survdiff(Surv(months, cause == 1) ~ group + strata(stratum))",
    "robust_log_rank": ROBUST.format(""),
    "robust_stratified_log_rank": ROBUST.format(" + strata(stratum)"),
    "gray": 'cmprsk::cuminc(months, cause, group)$Tests["1", ]',
}


def of_group_test(row, names):
    """A test of all groups tells the hazard ratio of each against the first; that of a pair its own."""
    pair = names.words.codes_of_pair(row.group) if row.group else ()
    call = GROUP_TESTS[row.test]
    about = {"n": "" if row.n is None else str(row.n), "effects": tuple(_ratios(pair, names))}
    if pair:
        call = call.replace("~ group)", f"~ group{_subset(_of_pair(row, names))})")
        about |= {"before": row.p_raw, "correction": row.adjust}
    elif row.test != "log_rank_trend":
        about["groups"] = len(names.result.followed)
    return Tested(TEST_NAMES[row.test], call, "χ²", row.statistic, row.df, **about)


def _ratios(pair, names):
    """(label, value) of the hazard ratios of the groups alone, or of one pair."""
    for row in names.result.hazards:
        text = _limits(row, 2)
        if text and row.model == "group" and (not pair or (row.reference, row.level) == tuple(pair)):
            two = {part: names.group(getattr(row, part)) for part in ("level", "reference")}
            yield names.words(OF_GROUPS, effect=names.words(HAZARD), **two), text


def of_hazard(row, names):
    about = {"n": _counted(_fit_of(names, row.model), names), "effects": _effect(row, names, HAZARD)}
    return Tested(WALD, f"summary({_cox(names, row.model)})", "z", row.statistic, **about)


def of_proportional(row, names):
    """Of one term, or of a whole model, whose degrees of freedom are those of its likelihood ratio."""
    n = _counted(_fit_of(names, row.model), names)
    call = f'cox.zph({_cox(names, row.model)}, "km")'
    return Tested(SCHOENFELD, call, "χ²", row.ph_statistic, row.ph_df if isinstance(row, Hazard) else row.df, n=n)


def of_cox_fit(row, names):
    call = f"summary({_cox(names, row.model)})$logtest"
    return Tested(RATIO, call, "χ²", row.likelihood_ratio, row.df, n=_counted(row, names))


def of_subgroup(row, names):
    inside = _subset(_of_pair(row, names), f"{row.variable} == {_quoted(row.level)}")
    call = _cox(names, "group", "group", inside)
    about = {"n": _counted(row, names), "effects": _effect(row, names, HAZARD)}
    return Tested(WALD, f"summary({call})", "z", row.statistic, **about)


def of_interaction(row, names):
    pair = _subset(_of_pair(row, names))
    models = (f"coxph(Surv(months, cause == 1) ~ group {sign} {row.variable}{pair})" for sign in "+*")
    statistic, df = row.statistic_interaction, row.df_interaction
    return Tested(INTERACTION, f"anova({', '.join(models)})", "χ²", statistic, df)


# Models


def _model(names):
    result = names.result
    terms = _terms(result.coefficients, ("group",))
    if result.model == "logistic":
        return f"glm(event ~ {terms}, binomial)"
    if result.model == "ancova":
        return f"lm(value ~ {terms})"
    errors = "correlation = corSymm(form = ~ as.integer(visit) | id), weights = varIdent(form = ~ 1 | visit)"
    if result.settings.get("structure") == "compound_symmetry":
        errors = "correlation = corCompSymm(form = ~ 1 | id)"
    dropped = {row.variable for row in result.coefficients}
    asked = map(_name_of, result.settings.get("covariates", result.names))
    more = [name for name in dict.fromkeys(asked) if name not in (result.outcome, *dropped)]
    terms = " + ".join(["visit * group", *(["visit * baseline"] if result.baseline else []), *more])
    return f"nlme::gls(value ~ {terms}, {errors}, na.action = na.omit)"


def of_coefficient(row, names):
    """Of logistic regression an odds ratio, of analysis of covariance a difference in the outcome's unit."""
    logistic = names.result.model == "logistic"
    test, effect, symbol = (WALD, ODDS, "z") if logistic else (T_OF_TERM, DIFFERENCE, "t")
    about = {"n": _counted(names.result.fits[0], names), "effects": _effect(row, names, effect, 3)}
    return Tested(test, f"summary({_model(names)})", symbol, row.statistic, row.df, **about)


def of_contrast(row, names):
    sizes = {mean.group: mean.n for mean in names.result.means if mean.visit == row.visit}
    about = {"n": _of_groups(names.words.codes_of_pair(row.group), sizes, names)}
    about["effects"] = _between(row, names, 3)
    adjust = names.result.settings.get("adjust", "none")
    asked = "~ group | visit" if names.result.model == "repeated" else "~ group"
    if names.result.settings.get("degrees") == "residual":  # emmeans takes the parameters of the covariance off too
        asked += ', mode = "df.error", df = f$dims$N - f$dims$p'
    call = f'f <- {_model(names)}; pairs(emmeans::emmeans(f, {asked}), adjust = "{adjust}", reverse = TRUE)'
    about |= {"before": row.p_raw, "correction": adjust}
    return Tested(T_OF_MEANS, call, "t", row.statistic, row.df, **about)


def of_term(row, names):
    """The term of the groups compares all of them at once; of one visit, the contrasts are its effects."""
    result, about = names.result, {"n": _counted(names.result.fits[0], names)}
    if row.term == "group":
        about["groups"] = len({mean.group for mean in result.means})
        rows = result.contrasts if result.model == "ancova" else ()
        about["effects"] = tuple(effect for line in rows for effect in _between(line, names, 3))
    df = [getattr(row, name) for name in ("df", "df_residual") if getattr(row, name) is not None]
    return Tested(F_OF_TERM, _call_of_term(row, names), "F", row.statistic, df or None, **about)


def _call_of_term(row, names):
    model = _model(names)
    if names.result.model == "repeated":
        return f'anova({model}, type = "marginal")'
    if row.term == "slopes":
        return f"f <- {model}; anova(f, update(f, . ~ . + group:baseline))"
    return f'drop1({model}, test = "F")'


def of_model_fit(row, names):
    call = f'f <- {_model(names)}; anova(update(f, . ~ 1, data = model.frame(f)), f, test = "LRT")'
    return Tested(RATIO, call, "χ²", row.likelihood_ratio, row.df, n=_counted(row, names))


# Propensity, quality of life, transitions: tests that have their call in R already


def _tested(row, call="", **about):
    """The Tested of a row that names its test."""
    test = row.test
    symbol = "J" if test == "jonckheere" else tested_p.symbol_of(test)
    return Tested(TEST_NAMES[test], call or tested_p.R_CALLS[test], symbol, row.statistic, row.df, **about)


def of_score(row, names):
    call = f"summary(glm(treated ~ {_terms(names.result.scores)}, binomial))"
    about = {"n": _counted(names.result.fits[0], names), "effects": _effect(row, names, ODDS)}
    return Tested(WALD, call, "z", row.statistic, **about)


def of_outcome(row, names):
    """Of matched pairs, or of weighted groups. McNemar's test is the exact one where few pairs changed."""
    call = tested_p.R_CALLS["mcnemar_exact" if row.test == "mcnemar" else row.test]
    label = WITH_LIMITS.format(effect=TEXTS[row.effect])
    about = {"n": str(row.n), "effects": _effect(row, names, label, 3)}
    return _tested(row, call.replace("before", "control").replace("after", "treated"), **about)


def of_difference(row, names):
    """Of QALYs, of means with the dead, or of shares of responders; of means the n of both is told together."""
    rows = [*names.result.years, *names.result.responders]
    sizes = {line.group: line.n for line in rows if getattr(line, "visit", "") == row.visit}
    n = _of_groups(names.words.codes_of_pair(row.group), sizes, names) or str(row.n)
    later_first = ", ".join(map(_quoted, reversed(names.words.codes_of_pair(row.group))))
    call = tested_p.R_CALLS[row.test].replace("group", f"factor(group, c({later_first}))")
    return _tested(row, call, n=n, effects=_between(row, names, 3))


def of_ranks(row, names):
    groups = len({at_visit.group for at_visit in names.result.course})
    return _tested(row, tested_p.R_CALLS[row.test].replace("value", "rank"), groups=groups, n=str(row.n))


MOVED = "as.numeric(after) - as.numeric(before)"
JONCKHEERE = (
    'g <- as.numeric(group); J <- sum((outer(value, value, "<") + outer(value, value, "==") / 2)'
    '[outer(g, g, "<")], na.rm = TRUE)'
)


def of_transition(row, names):
    """Within a group, or of all groups: whether they moved by as many grades."""
    groups = 0 if row.group or row.test == "jonckheere" else len(names.result.moved)
    call = tested_p.R_CALLS[row.test]
    if row.group and len(names.result.moved) > 1:
        call = f"i <- group == {_quoted(row.group)}; {call.replace('before, after', 'before[i], after[i]')}"
    elif row.test == "jonckheere":  # of which cor.test has the P, and a z in the place of J
        call = f"value <- {MOVED}; {JONCKHEERE}; {call}"
    else:
        call = call.replace("value", MOVED)
    return _tested(row, call, groups=groups, n="" if row.n is None else str(row.n))
