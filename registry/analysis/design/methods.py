"""The statistical tests that a plan may name: what each takes, what it is called, and the function of `registry.stats`.

A test takes samples as `stats` Counts (continuous) or a table of counts (categorical), and raises NotEstimable where
the data do not determine it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.conf import settings

from registry.instruments.base import Label
from registry.stats import anova, categorical, rank, ttest
from registry.stats.adjust import METHODS
from registry.stats.exact import fisher, ranks


@dataclass(frozen=True)
class Test:
    """`two_groups` marks a test of two groups alone; `adjusted` one whose pairs are already adjusted for each other.

    run  groups, continuous: list of Counts -> object with `p`
         groups and times, categorical: (r, c) table -> object with `p`
         pairs of groups, continuous: list of Counts -> object with `pair(first, second)`, or, for two groups, with `p`
         before and after, continuous: Counts of differences -> object with `p`
         before and after, paired categorical: (k, k) table of pairs -> object with `p`
    """

    code: str
    label: Label
    run: Callable
    two_groups: bool = False
    adjusted: bool = False


# What the statistic of a test is called; exact tests of tables have none.
STATISTICS = {
    "anova": "F", "welch_anova": "F", "kruskal_wallis": "H", "jonckheere": "z", "dunn": "z", "tukey_hsd": "q",
    "t_test": "t", "welch_t": "t", "paired_t": "t",
    "mann_whitney": "W", "mann_whitney_exact": "W", "mann_whitney_uncorrected": "W",
    "wilcoxon_signed_rank": "V", "signed_rank_exact": "V", "signed_rank_uncorrected": "V",
    "chi_square": "χ²", "chi_square_corrected": "χ²", "cochran_armitage": "χ²",
    "weighted_difference": "z", "weighted_wald": "χ²", "mcnemar": "χ²", "bowker": "χ²", "marginal_homogeneity": "χ²",
}  # fmt: skip


def statistic_of(test: str, answer: object) -> dict:
    """{"statistic": 5.2, "df": [2, 198.4]} of a test's answer, as R has them; without what the test does not have."""
    value = getattr(answer, "z" if STATISTICS.get(test) == "z" else "statistic", None)
    if test not in STATISTICS or value is None:
        return {}
    df = getattr(answer, "df", None)
    of_both = [float(part) for part in df] if isinstance(df, tuple) else df if df is None else float(df)
    return {"statistic": float(value)} | ({} if df is None else {"df": of_both})


def _by_code(*tests):
    return {test.code: test for test in tests}


# Which tables are sampled rather than enumerated, so that no registry waits minutes for one P: those larger than 2 x 3
# with more observations than these, by their number of rows (or columns, whichever is smaller); and those that would
# take more than settings.FISHER_SECONDS of a modest machine's work, or a sixth of it beyond SMALL observations. None of
# this depends on how fast this machine is: the same table has the same method everywhere.
MOST_EXACT = {2: 5_000, 3: 1_000}
SMALL = 400  # observations: a small table may take its time, it is the published kind
MANY = 5_000  # observations, from where on fewer samples do: still 25 times what R draws by itself


def _fisher(table):
    """Exact where it can be had, sampled otherwise; the seed is fixed, so that a result can be had again."""
    n, most = int(table.sum()), MOST_EXACT.get(min(table.shape), MOST_EXACT[3])
    resamples = 50_000 if n > MANY else 200_000
    if table.size > 6 and n > most:
        return replace(fisher.fisher_monte_carlo(table, resamples), why=f"there are more than {most} observations")
    seconds = settings.FISHER_SECONDS if n <= SMALL else settings.FISHER_SECONDS / 6
    return fisher.fisher(table, seconds=seconds, resamples=resamples)


FISHER = Test("fisher_exact", Label("Fisher's exact test", "Fisherの正確確率検定"), _fisher)
CHI_SQUARE = Test("chi_square", Label("Pearson's chi-square test", "Pearsonのカイ二乗検定"), categorical.chi_square)
CHI_SQUARE_CORRECTED = Test(
    "chi_square_corrected",
    Label("chi-square test with Yates' correction", "Yates補正カイ二乗検定"),
    lambda t: categorical.chi_square(t, correct=True),
)
MCNEMAR = Test("mcnemar", Label("McNemar's test", "McNemar検定"), categorical.mcnemar)
T_TEST = Test("t_test", Label("Student's t test", "Studentのt検定"), lambda g: ttest.student_t(*g), two_groups=True)
MANN_WHITNEY = Test(
    "mann_whitney",
    Label("Mann–Whitney U test", "Mann-WhitneyのU検定"),
    lambda g: rank.mann_whitney(*g),
    two_groups=True,
)
WELCH_T = Test("welch_t", Label("Welch's t test", "Welchのt検定"), lambda g: ttest.welch_t(*g), two_groups=True)
MANN_WHITNEY_EXACT = Test(
    "mann_whitney_exact",
    Label(
        f"Mann–Whitney U test, exact below {ranks.SMALL} patients in both groups",
        f"Mann-WhitneyのU検定（両群とも{ranks.SMALL}例未満では正確検定）",
    ),
    lambda g: ranks.mann_whitney_by_size(*g),
    two_groups=True,
)

# Of all groups at once, of pairs of groups, and of one group before and after; by the kind of variable.
OVERALL = {
    "continuous": _by_code(
        Test("anova", Label("one-way ANOVA", "一元配置分散分析"), anova.anova),
        Test("kruskal_wallis", Label("Kruskal–Wallis test", "Kruskal-Wallis検定"), rank.kruskal_wallis),
        Test("welch_anova", Label("Welch's ANOVA", "Welchの分散分析"), anova.welch_anova),
        T_TEST,
        WELCH_T,
        MANN_WHITNEY,
        MANN_WHITNEY_EXACT,
    ),
    "categorical": _by_code(FISHER, CHI_SQUARE, CHI_SQUARE_CORRECTED),
}
PAIRWISE = {
    "continuous": _by_code(
        Test("tukey_hsd", Label("Tukey's HSD test", "TukeyのHSD検定"), anova.tukey_hsd, adjusted=True),
        Test("dunn", Label("Dunn's test", "Dunn検定"), lambda g: rank.dunn(g, "none")),
        T_TEST,
        WELCH_T,
        MANN_WHITNEY,
        MANN_WHITNEY_EXACT,
    ),
    "categorical": _by_code(FISHER, CHI_SQUARE, CHI_SQUARE_CORRECTED),
}
BEFORE_AFTER = {
    "continuous": _by_code(
        Test(
            "wilcoxon_signed_rank",
            Label("Wilcoxon signed-rank test with continuity correction", "Wilcoxonの符号付順位検定（連続性補正あり）"),
            rank.wilcoxon_signed_rank,
        ),
        Test(
            "signed_rank_exact",
            Label(
                f"Wilcoxon signed-rank test, exact below {ranks.SMALL} changes",
                f"Wilcoxonの符号付順位検定（変化{ranks.SMALL}例未満では正確検定）",
            ),
            ranks.wilcoxon_signed_rank_by_size,
        ),
        Test("paired_t", Label("paired t test", "対応のあるt検定"), ttest.paired_t),
    ),
    "categorical": _by_code(FISHER, MCNEMAR),
}
ADJUSTMENTS = {
    "none": Label("no correction", "補正なし"),
    "benjamini_hochberg": Label("Benjamini–Hochberg correction", "Benjamini-Hochberg補正"),
    "holm": Label("Holm correction", "Holm補正"),
    "bonferroni": Label("Bonferroni correction", "Bonferroni補正"),
}
if set(ADJUSTMENTS) != set(METHODS):
    raise RuntimeError("the adjustments offered are not those of registry.stats")

BY_CODE = {
    test.code: test for table in (OVERALL, PAIRWISE, BEFORE_AFTER) for kind in table.values() for test in kind.values()
}
