"""A P-value that says how it came about: its test, the n of its groups, effect with interval, correction, and R's call.

It is the text that tables print, so that every file shows what it showed before; a page opens the rest beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

from registry.analysis.design import methods
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.presentation.numbers import ABSENT, number, p_value
from registry.analysis.results.statistics import Second
from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable
from registry.stats.effects.proportions import risk_difference
from registry.stats.exact.ranks import FEW_CHANGES
from registry.stats.tails import t_quantile

# What computes the same in R, of a data frame with `value` and `group`, or `before` and `after`.
R_CALLS = {
    "kruskal_wallis": "kruskal.test(value ~ group)",
    "anova": "oneway.test(value ~ group, var.equal = TRUE)",
    "welch_anova": "oneway.test(value ~ group)",
    "t_test": "t.test(value ~ group, var.equal = TRUE)",
    "welch_t": "t.test(value ~ group)",
    "mann_whitney": "wilcox.test(value ~ group, exact = FALSE)",
    "mann_whitney_exact": "exactRankTests::wilcox.exact(value ~ group)",
    "tukey_hsd": "TukeyHSD(aov(value ~ group))",
    "dunn": 'dunn.test::dunn.test(value, group, method = "none", altp = TRUE)',
    "fisher_exact": "fisher.test(table(value, group))",
    "chi_square": "chisq.test(table(value, group), correct = FALSE)",
    "chi_square_corrected": "chisq.test(table(value, group), correct = TRUE)",
    "mcnemar": "mcnemar.test(table(before, after))",
    "wilcoxon_signed_rank": "wilcox.test(after, before, paired = TRUE, exact = FALSE)",
    "signed_rank_exact": "exactRankTests::wilcox.exact(after, before, paired = TRUE)",
    "paired_t": "t.test(after, before, paired = TRUE)",
    "signed_rank_uncorrected": "wilcox.test(after, before, paired = TRUE, exact = FALSE, correct = FALSE)",
    "mann_whitney_uncorrected": "wilcox.test(value ~ group, exact = FALSE, correct = FALSE)",
    "jonckheere": 'cor.test(value, as.numeric(group), method = "kendall", exact = FALSE)',
    "cochran_armitage": "prop.trend.test(table(group, value)[, 1], table(group))",
    "mcnemar_exact": "t <- table(before, after); "
    f"if (t[1, 2] + t[2, 1] < {FEW_CHANGES}) binom.test(t[1, 2], t[1, 2] + t[2, 1]) else mcnemar.test(t)",
    "weighted_difference": "f <- lm(value ~ group, weights = w); "
    'coef(f)[2] / sqrt(sandwich::vcovHC(f, type = "HC0")[2, 2])',
    "weighted_wald": "f <- lm(model.matrix(~ value)[, -1] ~ group, weights = w); X <- model.matrix(f); "
    "u <- solve(crossprod(X, w * X), t(w * X))[2, ] * resid(f); coef(f)[2, ] %*% solve(crossprod(u), coef(f)[2, ])",
    "bowker": "t <- table(before, after); d <- (t - t(t))[upper.tri(t)]; s <- (t + t(t))[upper.tri(t)]; "
    "pchisq(sum((d^2 / s)[s > 0]), sum(s > 0), lower.tail = FALSE)",
    "marginal_homogeneity": "coin::mh_test(table(before, after))",
}
R_ADJUSTMENTS = {"benjamini_hochberg": "BH", "holm": "holm", "bonferroni": "bonferroni"}
CORRECTIONS = {code: label for code, label in methods.ADJUSTMENTS.items() if code != "none"}
CORRECTIONS["tukey"] = Label("Tukey's correction", "Tukey補正")
OF_ALL = Label(
    "{test}, of all {groups} groups at once: whether any of them differs",
    "{test}（{groups}群全体：いずれかの群が異なるか）",
)
MOST_PAIRS = 15  # of six groups; the pairs of more are in their own columns
TEST = Label("Test", "検定")
STATISTIC = Label("Statistic", "統計量")
DF = Label("{statistic}, df = {df}", "{statistic}、自由度 = {df}")
KNOWN = Label("n", "例数")
PAIRS = Label("{n} complete pairs", "両時点がそろう{n}例")
DIFFERENCE = Label("Difference of means (95% interval, Welch)", "平均の差（95%信頼区間、Welch）")
RISKS = Label(
    "Difference in percentage points (95% interval, Newcombe)", "割合の差（%ポイント、95%信頼区間、Newcombe）"
)
CHANGE = Label("Mean change (95% interval)", "平均変化量（95%信頼区間）")
BEFORE_CORRECTION = Label("P before correction", "補正前のP値")
CORRECTION = Label("Correction", "補正")
IN_R = Label("In R", "Rでは")


class TestedP(str):
    """The printed P; `details` are (label, value) as texts, the call in R last."""

    __slots__ = ("details",)
    __test__ = False  # nothing for pytest
    details: tuple[tuple[str, str], ...]

    def __new__(cls, text: str, details: tuple[tuple[str, str], ...] = ()) -> Self:
        made = super().__new__(cls, text)
        made.details = details
        return made


@dataclass(frozen=True)
class Answer:
    """A test, and where they are known its statistic, degrees of freedom, and P before correction."""

    test: str = ""
    statistic: float | None = None
    df: float | list[float] | None = None
    p_raw: float | None = None

    @classmethod
    def of(cls, row: Any, pair: str = "", test: str = "") -> Self:
        """Of a row of a result, of whose pairs one may be named."""

        def known(name: str) -> Any:
            value = getattr(row, name, None)
            return value.get(pair) if isinstance(value, dict) else value

        return cls(test or row.test or "", known("statistic"), known("df"), known("p_raw"))


def opened(
    text: str,
    words: Any,
    label: Label,
    answer: Answer,
    effects: Iterable[tuple[str, str]] = (),
    adjust: str = "none",
    sides: tuple[str, str] = ("before", "after"),
) -> str:
    """The printed P of a test with its details; the bare text where there is no P.

    label    what the test is called
    answer   with the P before the correction `adjust`
    effects  (label, value) as texts of what stands between the statistic and the correction: n, effect with interval
    sides    what the two samples of a paired test are called in R
    """
    if not text or text == ABSENT or answer.test not in R_CALLS:
        return text
    call = R_CALLS[answer.test].replace("before", sides[0]).replace("after", sides[1])
    return made(text, words, words(label), symbol_of(answer.test), answer, effects, adjust, call)


def made(
    text: str,
    words: Any,
    label: str,
    symbol: str,
    answer: Answer,
    effects: Iterable[Any],
    adjust: str | None,
    call: str,
) -> TestedP:
    """The P with its details in their order: test, statistic, n and effects, correction, R's call."""
    details = [(words(TEST), label)]
    if statistic := _statistic(answer, symbol, words):
        details.append((words(STATISTIC), statistic))
    details += effects
    if adjust in CORRECTIONS:
        details.append((words(BEFORE_CORRECTION), p_value(answer.p_raw)))
        details.append((words(CORRECTION), words(CORRECTIONS[adjust])))
    if adjust in R_ADJUSTMENTS and "adjust =" not in call:
        call += f'; p.adjust(p, method = "{R_ADJUSTMENTS[adjust]}")'
    return TestedP(text, (*details, (words(IN_R), call)))


def symbol_of(test: str) -> str:
    """What the statistic of a test is called; "" for one without."""
    return methods.STATISTICS.get(test, "")


def of_all(label: Label, groups: int) -> Label:
    """The name of a test that compares more than two groups at once, with what it asks."""
    return OF_ALL.format(test=label, groups=groups)


def _statistic(answer: Answer, symbol: str, words: Any) -> str:
    """“t = 2.31, df = 45.2”; "" where the test has none, or it is hidden with few patients."""
    value, df = answer.statistic, answer.df
    if value is None or not symbol:
        return ""
    text = f"{symbol} = {number(value, 2)}"
    if df is None:
        return text
    parts = df if isinstance(df, list) else [df]
    return words(DF, statistic=text, df=", ".join(number(part, 0 if part == round(part) else 1) for part in parts))


def with_details(
    text: str,
    row: Any,
    words: Any,
    groups: Any = (),
    pair: str = "",
    second: Second | None = None,
    more: Any = (),
) -> str:
    """The printed P of a row of the segment study's tables with its details.

    groups  (name, what is known of it) of the groups or times that were compared
    pair    key of the pair in `p_raw`, where the row has several
    second  the further test of the row whose P it is
    more    further effects, as `opened` takes them
    """
    answer = Answer.of(second.tested, test=second.code) if second else Answer.of(row, pair)
    if answer.test not in methods.BY_CODE:
        return text
    effects = [(words(KNOWN), ", ".join(f"{name} {known.n}" for name, known in groups))] if groups else []
    effects += [*_effects(groups, words), *more]
    adjust = ("" if second else getattr(row, "adjust", "")) or "none"
    label = methods.BY_CODE[answer.test].label
    return opened(text, words, of_all(label, len(groups)) if len(groups) > 2 else label, answer, effects, adjust)


def _effects(named: Any, words: Any) -> list[tuple[str, str]]:
    """Of each two groups the difference of their means, or of their shares of the first of two categories."""
    pairs = list(combinations(named, 2))
    return [effect for pair in pairs for effect in _of_two(pair, words)] if len(pairs) <= MOST_PAIRS else []


def _of_two(named: Any, words: Any) -> list[tuple[str, str]]:
    groups = [known for _name, known in named]
    if any(isinstance(group.n, Few) for group in groups):
        return []
    between = " − ".join(name for name, _known in named) + ": "
    try:
        if all(_measured(group) for group in groups):
            interval_found = welch_interval(*((group.n, group.mean, group.sd) for group in groups))
            return [(words(DIFFERENCE), between + interval(*interval_found, 2))]
        tables = [list((getattr(group, "counts", None) or {}).values()) for group in groups]
        if all(len(counts) == 2 and not any(isinstance(count, Few) for count in counts) for counts in tables):
            share = risk_difference(tables)
            limits = interval(100 * share.estimate, 100 * share.low, 100 * share.high, 1)
            return [(words(RISKS), between + limits)]
    except NotEstimable:
        pass
    return []


def interval(estimate: float, low: float, high: float, decimals: int) -> str:
    return f"{number(estimate, decimals)} ({number(low, decimals)} – {number(high, decimals)})"


def pairs_known(pairs: int, words: Any) -> list[tuple[str, str]]:
    """How many complete pairs there are, as `opened` takes it."""
    return [(words(KNOWN), words(PAIRS, n=pairs))]


def mean_change(changes: Any, words: Any) -> list[tuple[str, str]]:
    """The mean change of a group with its interval, as `opened` takes it, of its row of changes."""
    if not changes or not _measured(changes) or isinstance(changes.n, Few) or changes.n < 2:
        return []
    margin = t_quantile(0.975, changes.n - 1) * changes.sd / changes.n**0.5
    mean = changes.mean
    return [(words(CHANGE), interval(mean, mean - margin, mean + margin, 2))]


def _measured(group: Any) -> bool:
    """Whether n, mean and SD are there."""
    return all(isinstance(getattr(group, name, None), (int, float)) for name in ("n", "mean", "sd"))


def welch_interval(first: tuple[int, float, float], second: tuple[int, float, float]) -> tuple[float, float, float]:
    """Difference of two means (first − second) with its 95 % interval, of (n, mean, sd) each.

    R: t.test(value ~ group)$conf.int. Raises NotEstimable where an n is below 2 or neither varies.
    """
    (n1, mean1, sd1), (n2, mean2, sd2) = first, second
    if min(n1, n2) < 2:
        raise NotEstimable("too_few")
    v1, v2 = sd1**2 / n1, sd2**2 / n2
    if v1 + v2 == 0:
        raise NotEstimable("constant")
    df = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    margin = t_quantile(0.975, df) * (v1 + v2) ** 0.5
    return mean1 - mean2, mean1 - mean2 - margin, mean1 - mean2 + margin
