"""Which tests and effects a row of `comparisons` may name, by the kind of its variable, and which it has by itself."""

from registry.analysis.design import methods
from registry.analysis.design.methods import Test
from registry.analysis.design.variables.sources import BINARY, CONTINUOUS, NOMINAL, ORDINAL
from registry.instruments.base import Label
from registry.stats import categorical, rank
from registry.stats.effects import proportions, shift
from registry.stats.matching.weighted_groups import weighted_wald
from registry.stats.matching.weights import weighted_difference
from registry.stats.ordered import symmetry, trend

JONCKHEERE = Test("jonckheere", Label("Jonckheere–Terpstra test", "Jonckheere-Terpstra検定"), trend.jonckheere)
COCHRAN_ARMITAGE = Test(
    "cochran_armitage",
    Label("Cochran–Armitage test for trend", "Cochran-Armitage傾向検定"),
    lambda table: trend.cochran_armitage(table[:, 0], table.sum(axis=1)),
)
BOWKER = Test("bowker", Label("Bowker's test of symmetry", "Bowkerの対称性検定"), symmetry.bowker)
HOMOGENEITY = Test(
    "marginal_homogeneity",
    Label("Stuart–Maxwell test of marginal homogeneity", "Stuart-Maxwell周辺同等性検定"),
    symmetry.marginal_homogeneity,
)
MCNEMAR_BY_SIZE = Test(
    "mcnemar_exact",
    Label("exact McNemar test", "正確McNemar検定"),
    categorical.mcnemar_exact,
)
# As SPSS computes them, and with it many papers.
MANN_WHITNEY_UNCORRECTED = Test(
    "mann_whitney_uncorrected",
    Label("Mann–Whitney U test without continuity correction", "Mann-WhitneyのU検定（連続性補正なし）"),
    lambda g: rank.mann_whitney(g[0], g[1], correct=False),
    two_groups=True,
)
SIGNED_RANK_UNCORRECTED = Test(
    "signed_rank_uncorrected",
    Label("Wilcoxon signed-rank test without continuity correction", "Wilcoxonの符号付順位検定（連続性補正なし）"),
    lambda changes: rank.wilcoxon_signed_rank(changes, correct=False),
)
_NUMBERS, _TABLES = methods.OVERALL["continuous"], methods.OVERALL["categorical"]
_NUMBERS = {**_NUMBERS, MANN_WHITNEY_UNCORRECTED.code: MANN_WHITNEY_UNCORRECTED}
_RANKS = {
    code: _NUMBERS[code]
    for code in ("kruskal_wallis", "mann_whitney", "mann_whitney_exact", "mann_whitney_uncorrected")
}
_CHANGES = {**methods.BEFORE_AFTER["continuous"], SIGNED_RANK_UNCORRECTED.code: SIGNED_RANK_UNCORRECTED}
_PAIRED = {
    CONTINUOUS: _CHANGES,
    ORDINAL: {
        **{code: test for code, test in _CHANGES.items() if code != "paired_t"},
        "marginal_homogeneity": HOMOGENEITY,
        "bowker": BOWKER,
    },
    BINARY: {"mcnemar_exact": MCNEMAR_BY_SIZE, "mcnemar": methods.MCNEMAR},
    NOMINAL: {"bowker": BOWKER, "marginal_homogeneity": HOMOGENEITY},
}
MATCHED = "matched"  # between the groups of a matched cohort: tests of its pairs
WEIGHTED = "weighted"  # between two weighted groups: robust tests, which `comparing.weighted` runs
WEIGHTED_MEANS = Test(
    "weighted_difference",
    Label("z test of weighted means or shares with robust errors", "ロバスト標準誤差による加重平均・加重割合のz検定"),
    weighted_difference,
)
WEIGHTED_SHARES = Test(
    "weighted_wald",
    Label("Wald test of weighted shares with robust errors", "ロバスト分散による加重割合のWald検定"),
    weighted_wald,
)
# kind of comparison -> kind of variable -> its tests; the first of two groups, then of more, is what it has by itself.
TESTS = {
    "between": {
        CONTINUOUS: {**_NUMBERS, "jonckheere": JONCKHEERE},
        ORDINAL: {**_RANKS, "jonckheere": JONCKHEERE, **_TABLES},
        BINARY: {**_TABLES, "cochran_armitage": COCHRAN_ARMITAGE},
        NOMINAL: dict(_TABLES),
    },
    "within": _PAIRED,
    MATCHED: _PAIRED,
    WEIGHTED: {
        CONTINUOUS: {WEIGHTED_MEANS.code: WEIGHTED_MEANS},
        ORDINAL: {WEIGHTED_SHARES.code: WEIGHTED_SHARES},
        BINARY: {WEIGHTED_MEANS.code: WEIGHTED_MEANS},
        NOMINAL: {WEIGHTED_SHARES.code: WEIGHTED_SHARES},
    },
}
OF_TABLES = frozenset({*_TABLES, "cochran_armitage"})
OF_PAIRED_TABLES = frozenset({"mcnemar", "mcnemar_exact", "bowker", "marginal_homogeneity"})
_DEFAULT = {
    "between": {
        CONTINUOUS: ("welch_t", "welch_anova"),
        ORDINAL: ("mann_whitney_exact", "kruskal_wallis"),
        BINARY: ("fisher_exact", "fisher_exact"),
        NOMINAL: ("fisher_exact", "fisher_exact"),
    },
    "within": {
        CONTINUOUS: ("signed_rank_exact",) * 2,
        ORDINAL: ("signed_rank_exact",) * 2,
        BINARY: ("mcnemar_exact",) * 2,
        NOMINAL: ("marginal_homogeneity",) * 2,
    },
    MATCHED: {
        CONTINUOUS: ("paired_t",) * 2,
        ORDINAL: ("signed_rank_exact",) * 2,
        BINARY: ("mcnemar_exact",) * 2,
        NOMINAL: ("bowker",) * 2,
    },
    WEIGHTED: {
        CONTINUOUS: ("weighted_difference",) * 2,
        ORDINAL: ("weighted_wald",) * 2,
        BINARY: ("weighted_difference",) * 2,
        NOMINAL: ("weighted_wald",) * 2,
    },
}
_PAIRWISE = {
    CONTINUOUS: ("welch_t", "t_test", "mann_whitney", "mann_whitney_exact", "mann_whitney_uncorrected"),
    ORDINAL: ("mann_whitney_exact", "mann_whitney", "mann_whitney_uncorrected"),
    BINARY: ("fisher_exact", "chi_square", "chi_square_corrected"),
    NOMINAL: ("fisher_exact", "chi_square", "chi_square_corrected"),
}
ALL_TESTS = {code: test for by_kind in TESTS.values() for tests in by_kind.values() for code, test in tests.items()}
TWO_GROUPS = tuple(code for code, test in ALL_TESTS.items() if test.two_groups)


def offered(kind, of_variable):
    """Codes of the tests that fit a variable of a kind."""
    return tuple(TESTS[kind].get(of_variable, ()))


def pairwise_offered(of_variable):
    return _PAIRWISE.get(of_variable, ())


def test_of(kind, of_variable, code, groups):
    """The Test that a row has: the one it names, or what fits its kind and number of groups. None for “none”."""
    tests = TESTS[kind].get(of_variable, {})
    if code == "none" or not tests:
        return None
    return tests[code or _DEFAULT[kind][of_variable][groups > 2]]


def pairwise_of(of_variable, row, groups, overall):
    """The Test of two groups at a time: of two groups alone that of the row."""
    if row.pairwise:
        return TESTS["between"][of_variable][row.pairwise]
    if groups == 2 or overall.code in _PAIRWISE[of_variable]:
        return overall
    return TESTS["between"][of_variable][_PAIRWISE[of_variable][0]]


# Effects


EFFECT_LABELS = {
    "mean_difference": Label("difference of means", "平均値の差"),
    "hodges_lehmann": Label("Hodges–Lehmann shift", "Hodges-Lehmann推定量"),
    "risk_difference": Label("risk difference in percentage points", "リスク差（%ポイント）"),
    "risk_ratio": Label("risk ratio", "リスク比"),
    "odds_ratio": Label("odds ratio", "オッズ比"),
    "odds_ratio_exact": Label("conditional odds ratio", "条件付きオッズ比"),
    "mean_change": Label("mean change", "平均変化量"),
    "median_change": Label("Hodges–Lehmann median change", "変化量のHodges-Lehmann推定量"),
}
RATIOS = frozenset({"risk_ratio", "odds_ratio", "odds_ratio_exact"})
_EFFECTS = {
    "between": {
        CONTINUOUS: ("mean_difference", "hodges_lehmann"),
        ORDINAL: ("hodges_lehmann",),
        BINARY: ("risk_difference", "risk_ratio", "odds_ratio", "odds_ratio_exact"),
    },
    "within": {CONTINUOUS: ("mean_change", "median_change"), ORDINAL: ("median_change",)},
    MATCHED: {
        CONTINUOUS: ("mean_difference", "hodges_lehmann"),
        ORDINAL: ("hodges_lehmann",),
        BINARY: ("risk_difference", "odds_ratio"),
    },
    WEIGHTED: {CONTINUOUS: ("mean_difference",), BINARY: ("risk_difference", "risk_ratio", "odds_ratio")},
}
_OF_RANKS = frozenset({*_RANKS, *_CHANGES, "jonckheere"} - {"paired_t"})


def effects_offered(kind, of_variable):
    """Codes of the effects that fit a variable of a kind."""
    return _EFFECTS[kind].get(of_variable, ())


def effect_of(kind, of_variable, code, test):
    """The effect that a row has: the one it names, or what belongs to its test. "" for none."""
    offers = effects_offered(kind, of_variable)
    if code == "none" or not offers:
        return ""
    if code:
        return code
    rank_based = test is not None and test.code in _OF_RANKS
    return offers[-1] if rank_based and of_variable == CONTINUOUS else offers[0]


def estimate(effect, first, second, confidence):
    """The Estimate of an effect of two groups: samples as Counts, or counts of a binary variable. NotEstimable."""
    if effect == "hodges_lehmann":
        return shift.hodges_lehmann(first, second, confidence)
    return getattr(proportions, effect)([first, second], confidence)
