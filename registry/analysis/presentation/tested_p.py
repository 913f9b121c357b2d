"""A P-value that says how it came about: its test, the n of its groups, effect with interval, correction, and R's call.

It is the text that tables print, so that every file shows what it showed before; a page opens the rest beside it.
"""

from typing import Any, Self

from registry.analysis.design import methods
from registry.analysis.presentation.numbers import ABSENT, number, p_value
from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable
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
}
R_ADJUSTMENTS = {"benjamini_hochberg": "BH", "holm": "holm", "bonferroni": "bonferroni"}
TEST = Label("Test", "検定")
KNOWN = Label("n", "例数")
DIFFERENCE = Label("Difference of means (95% interval, Welch)", "平均の差（95%信頼区間、Welch）")
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


def with_details(text: str, row: Any, words: Any, groups: Any = None, pair: str = "") -> str:
    """The printed P of a result's row with its details; the bare text where there is no P.

    groups  (name, what is known of it) of the groups or times that were compared
    pair    key of the pair in `p_raw`, where the row has several
    """
    if not text or text == ABSENT or row.get("test") not in methods.BY_CODE:
        return text
    details = [(words(TEST), words.test(row["test"]))]
    if groups:
        details.append((words(KNOWN), ", ".join(f"{name} {known['n']}" for name, known in groups)))
        if difference := _difference([known for _name, known in groups]):
            details.append((words(DIFFERENCE), difference))
    adjusted = row.get("adjust")
    call = R_CALLS[row["test"]]
    if adjusted in R_ADJUSTMENTS:
        raw = row.get("p_raw")
        raw = raw.get(pair) if isinstance(raw, dict) else raw
        details += [
            (words(BEFORE_CORRECTION), p_value(raw)),
            (words(CORRECTION), words(methods.ADJUSTMENTS[adjusted])),
        ]
        call += f'; p.adjust(p, method = "{R_ADJUSTMENTS[adjusted]}")'
    return TestedP(text, (*details, (words(IN_R), call)))


def _difference(groups: list) -> str:
    """“−3.2 (−5.1 to −1.3)” of two groups with mean and SD; "" for others."""
    if len(groups) != 2 or not all(_measured(group) for group in groups):
        return ""
    try:
        estimate, low, high = welch_interval(*((group["n"], group["mean"], group["sd"]) for group in groups))
    except NotEstimable:
        return ""
    return f"{number(estimate, 2)} ({number(low, 2)} – {number(high, 2)})"


def _measured(group: Any) -> bool:
    """Whether n, mean and SD are there: those of few patients are hidden, and are no numbers."""
    return all(isinstance(group.get(name), (int, float)) for name in ("n", "mean", "sd"))


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
