"""What the tests promise beside R's numbers: refusals, properties, slow obvious versions, and speed."""

import subprocess
import sys
from itertools import product
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.stats import studentized_range
from registry.stats.adjust import METHODS, adjust
from registry.stats.anova import anova, tukey_hsd, welch_anova
from registry.stats.arrays import REASONS, Counts, Moments, NotEstimable, differences, tabulate
from registry.stats.categorical import chi_square, mcnemar, mcnemar_exact
from registry.stats.describe import describe, quantiles
from registry.stats.rank import dunn, kruskal_wallis, mann_whitney, wilcoxon_signed_rank
from registry.stats.survival import kaplan_meier, log_rank, survival_at
from registry.stats.ttest import paired_t, student_t, welch_t

NAN = float("nan")
fine = ([1, 2, 4], [3, 5, 9, 2], [4, 4, 8])
scores = st.lists(st.integers(0, 20), min_size=3, max_size=25)
several = st.lists(scores, min_size=2, max_size=4).filter(lambda groups: all(len(set(group)) > 1 for group in groups))


# ---- refusals, each beside a success -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "given", "reason"),
    [
        (anova, [[1, 2, 3], [], [NAN]], "one_group"),
        (anova, [[1], [2], [3]], "too_few"),
        (anova, [[2, 2], [3, 3]], "constant"),
        (welch_anova, [[1], [2, 3]], "too_few"),
        (welch_anova, [[1, 1], [2, 3]], "constant"),
        (tukey_hsd, [[1, 2, 3], []], "one_group"),
        (tukey_hsd, [[1], [2, 3]], "too_few"),
        (tukey_hsd, [[0.1, 0.1, 0.1], [0.7, 0.7, 0.7]], "constant"),
        (kruskal_wallis, [[1, 2], []], "one_group"),
        (kruskal_wallis, [[5, 5], [5]], "constant"),
        (dunn, [[], [], [1]], "one_group"),
        (dunn, [[5, 5], [5]], "constant"),
    ],
)
def test_groups_that_cannot_be_compared(test, given, reason):
    with pytest.raises(NotEstimable) as refused:
        test(given)
    assert refused.value.reason == reason
    assert str(refused.value) == REASONS[reason]
    assert test(fine)


@pytest.mark.parametrize(
    ("test", "given", "reason"),
    [
        (mann_whitney, ([], [1]), "empty_group"),
        (mann_whitney, ([3, 3], [3]), "constant"),
        (student_t, ([NAN], [1, 2]), "empty_group"),
        (student_t, ([1], [2]), "too_few"),
        (student_t, ([1, 1], [2, 2]), "constant"),
        (welch_t, ([1], [2, 3]), "too_few"),
        (welch_t, ([1, 1], [2, 2]), "constant"),
        (log_rank, ([([1], [1]), ([], [])],), "one_group"),
        (log_rank, ([([1], [0]), ([2], [0])],), "no_events"),
        (kaplan_meier, ([NAN], [1]), "empty"),
        (quantiles, ([], [0.5]), "empty"),
    ],
)
def test_two_arguments_that_cannot_be_used(test, given, reason):
    with pytest.raises(NotEstimable) as refused:
        test(*given)
    assert refused.value.reason == reason


def test_the_same_with_arguments_that_can():
    assert mann_whitney([1], [2]).p == 1  # wilcox.test(1, 2, exact = FALSE)$p.value
    assert student_t([1], [2, 3]).p == pytest.approx(1 / 3)  # t.test(1, c(2, 3), var.equal = TRUE)$p.value
    assert welch_t([1, 1], [2, 3]).n == 4
    assert log_rank([([1, 2], [1, 0]), ([3], [1])]).df == 1
    assert kaplan_meier([4], [1]).median == 4
    assert quantiles([3], [0.5]) == (3,)


@pytest.mark.parametrize(
    ("test", "given", "reason"),
    [
        (wilcoxon_signed_rank, [], "empty"),
        (wilcoxon_signed_rank, [0, 0, 1e-12], "all_differences_zero"),
        (paired_t, [NAN], "empty"),
        (paired_t, [1], "too_few"),
        (paired_t, [-0.45, -0.45, -0.35 - 0.1], "constant"),
        (chi_square, [[0, 0], [0, 0]], "empty"),
        (chi_square, [[0, 3], [0, 4]], "zero_margin"),
        (mcnemar, [[5, 0], [0, 5]], "no_discordant_pairs"),
        (mcnemar, [[5, 0, 1], [0, 5, 1], [1, 1, 1]], "no_discordant_pairs"),
        (mcnemar_exact, [[5, 0], [0, 5]], "no_discordant_pairs"),
    ],
)
def test_one_argument_that_cannot_be_used(test, given, reason):
    with pytest.raises(NotEstimable) as refused:
        test(given)
    assert refused.value.reason == reason


def test_the_same_with_an_argument_that_can():
    assert wilcoxon_signed_rank([1, 0]).p == 1  # wilcox.test(c(1, 0), exact = FALSE)$p.value
    assert paired_t([1, 2]).df == 1
    assert chi_square([[1, 3], [2, 4]]).df == 1
    # mcnemar.test(matrix(c(5, 3, 3, 5), 2)): no correction where both changes are equally frequent
    assert (mcnemar([[5, 3], [3, 5]]).statistic, mcnemar([[5, 3], [3, 5]]).p) == (0, 1)
    assert mcnemar_exact([[5, 3], [4, 5]]).p == pytest.approx(1)  # binom.test(3, 7)$p.value


def test_a_sample_of_nobody_is_described_all_the_same():
    assert (describe([NAN, None]).n, describe([NAN, None]).missing, describe([NAN, None]).mean) == (0, 2, None)
    summary = describe([7])
    assert (summary.mean, summary.median, summary.sd, summary.mean_low, summary.skewness) == (7, 7, None, None, None)
    assert describe([7, 7]).sd == 0


def test_input_that_is_no_sample_is_refused():
    for broken in ([[1, 2], [3, 4]], [float("inf"), 1]):
        with pytest.raises(ValueError, match="dimension|finite"):
            describe(broken)
    for values, counts in (([1, 2], [1]), ([1], [-1]), ([1], [0.5]), ([1], [NAN])):
        with pytest.raises(ValueError, match="counts"):
            Counts(values, counts)
    with pytest.raises(ValueError, match="same length"):
        differences([1, 2], [1])
    with pytest.raises(ValueError, match="event"):
        kaplan_meier([1], [2])
    with pytest.raises(ValueError, match="negative"):
        kaplan_meier([-1], [1])
    with pytest.raises(ValueError, match="unknown method"):
        adjust([0.5], "fdr")
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust([1.5])
    counts = Counts([2, 1, 2, NAN, 9], [1, 4, 2, 3, 0], missing=1)
    assert (counts.values.tolist(), counts.counts.tolist(), counts.missing, counts.n) == ([1, 2], [4, 3], 4, 7)


# ---- empty groups keep their place ---------------------------------------------------------------------------------


def test_pairs_of_an_empty_group_hold_none():
    """TukeyHSD drops the level: P of the others as if the empty group had never been named."""
    with_gap, without = [fine[0], [], fine[1], [NAN], fine[2]], list(fine)
    for test in (tukey_hsd, dunn):
        gapped, plain = test(with_gap), test(without)
        assert gapped.pair(0, 1).p is None
        assert gapped.pair(3, 2).p is None
        assert [gapped.pair(*pair).p for pair in ((0, 2), (2, 4), (0, 4))] == [
            plain.pair(*pair).p for pair in ((0, 1), (1, 2), (0, 2))
        ]
    assert anova(with_gap) == anova(without)
    assert kruskal_wallis(with_gap) == kruskal_wallis(without)
    assert log_rank([([1, 2], [1, 1]), ([], []), ([3, 4], [1, 0])]).observed == (2, 0, 1)


def test_missing_p_values_leave_the_family():
    """p.adjust(c(0.01, NA, 0.04), "BH") is 0.02 NA 0.04."""
    assert adjust([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert adjust([NAN, None]) == [None, None]
    assert adjust([]) == []


# ---- properties ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(several, st.randoms(), st.integers(1, 9), st.integers(-50, 50))
def test_rank_and_variance_tests_ignore_order_unit_and_origin(groups, random, unit, origin):
    moved = [[unit * x + origin for x in random.sample(group, len(group))] for group in groups]
    for test in (anova, welch_anova, kruskal_wallis):
        assert test(moved).p == pytest.approx(test(groups).p, rel=1e-9)
    for test in (tukey_hsd, dunn):
        assert [pair.p for pair in test(moved).pairs] == pytest.approx(
            [pair.p for pair in test(groups).pairs], rel=1e-9
        )
    x, y = groups[:2]
    assert mann_whitney(moved[0], moved[1]).p == pytest.approx(mann_whitney(x, y).p, rel=1e-9)
    assert mann_whitney(y, x).p == pytest.approx(mann_whitney(x, y).p, rel=1e-9)
    assert mann_whitney(x, y).statistic + mann_whitney(y, x).statistic == len(x) * len(y)
    assert student_t(y, x).statistic == pytest.approx(-student_t(x, y).statistic)


@settings(max_examples=60, deadline=None)
@given(several)
def test_counts_arrays_and_moments_are_the_same_sample(groups):
    as_arrays = [np.array(group, dtype=float) for group in groups]
    as_counts = [Counts(*np.unique(group, return_counts=True)) for group in groups]
    as_moments = [Moments.summary(len(group), np.mean(group), np.std(group, ddof=1)) for group in groups]
    for test in (anova, welch_anova, kruskal_wallis, dunn, tukey_hsd):
        assert test(as_arrays) == test(as_counts) == test(groups)
    assert describe(as_arrays[0]) == describe(as_counts[0])
    assert anova(as_moments).p == pytest.approx(anova(groups).p, rel=1e-9)
    ours, printed = tukey_hsd(groups).pairs, tukey_hsd(as_moments).pairs
    assert [pair.p for pair in printed] == pytest.approx([pair.p for pair in ours], abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(scores.filter(lambda group: len(set(group)) > 1), scores.filter(lambda group: len(set(group)) > 1))
def test_two_groups_make_one_test_of_many(x, y):
    """With two groups F is t squared, Tukey's q is |t| times the root of 2, and Kruskal-Wallis is Mann-Whitney."""
    t = student_t(x, y)
    assert anova([x, y]).p == pytest.approx(t.p, rel=1e-9, abs=1e-15)
    if t.df >= 2:
        pair = tukey_hsd([x, y]).pair(0, 1)
        assert pair.p == pytest.approx(t.p, abs=1e-10)
        assert (-pair.high, -pair.low) == pytest.approx((t.low, t.high), rel=1e-8, abs=1e-8)
    assert kruskal_wallis([x, y]).p == pytest.approx(mann_whitney(x, y, correct=False).p, rel=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=30).filter(any))
def test_signed_ranks_by_hand(changes):
    """V by ranking pair against pair: the positive Walsh sums, ties counting half."""
    known = [d for d in changes if d]
    sums = [a + b for i, a in enumerate(known) for b in known[i:]]
    ours = wilcoxon_signed_rank(changes)
    assert ours.statistic == sum(1.0 if s > 0 else 0.5 if s == 0 else 0 for s in sums)
    assert ours.n == len(known)
    assert wilcoxon_signed_rank([-d for d in changes]).p == pytest.approx(ours.p, rel=1e-12)
    assert 0 < ours.p <= 1


def test_equal_changes_tie_whatever_binary_fractions_did():
    before, after = [0.1, 0.2, 0.7, 0.4, 0.3], [0.4, 0.5, 1.0, 0.1, 0.9]
    raw, rounded = differences(before, after, decimals=None), differences(before, after)
    assert (raw.values.size, rounded.values.tolist()) == (4, [-0.3, 0.3, 0.6])
    assert rounded.missing == 0
    assert differences([1, None, 3], [2, 2, NAN]).missing == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_adjustment_keeps_order_and_never_lowers(p, random):
    shuffled = random.sample(range(len(p)), len(p))
    for method in METHODS:
        adjusted = adjust(p, method)
        assert all(a >= b for a, b in zip(adjusted, p, strict=True))
        assert adjust([p[i] for i in shuffled], method) == pytest.approx([adjusted[i] for i in shuffled])
    methods = [adjust(p, method) for method in ("none", "benjamini_hochberg", "holm", "bonferroni")]
    assert all(list(row) == sorted(row) for row in zip(*(np.round(m, 12) for m in methods), strict=True))


# ---- slow obvious versions -----------------------------------------------------------------------------------------


def slow_survival(time, event, at):
    s = 1.0
    for t in sorted({t for t, e in zip(time, event, strict=True) if e and t <= at}):
        at_risk = sum(u >= t for u in time)
        s *= 1 - sum(e and u == t for u, e in zip(time, event, strict=True)) / at_risk
    return s


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), min_size=1, max_size=25), st.integers(0, 20))
def test_survival_step_by_step(people, at):
    time, event = zip(*people, strict=True)
    (point,) = survival_at(kaplan_meier(time, event), [at])
    assert point.at_risk == sum(t >= at for t in time)
    if at > max(time):
        assert point.survival is None
    else:
        assert point.survival == pytest.approx(slow_survival(time, event, at))


def test_equal_groups_survive_alike():
    time, event = [1, 2, 3, 4, 5, 6], [1, 0, 1, 1, 0, 1]
    test = log_rank([(time, event), (time, event)])
    assert (test.statistic, test.p, test.observed) == (pytest.approx(0, abs=1e-12), pytest.approx(1), (4, 4))
    assert test.expected == pytest.approx((4, 4))
    apart = log_rank([([1, 2, 3, 4], [1, 1, 1, 1]), ([11, 12, 13, 14], [1, 1, 1, 1])])
    assert apart.p < 0.02


def test_the_studentized_range_by_its_definition():
    """Against scipy.stats.studentized_range, another implementation, and against a closed form for two normals."""
    from scipy.stats import norm
    from scipy.stats import studentized_range as other

    for q, k, df in product((0.4, 2.0, 3.5, 7.0), (2, 3, 6), (2, 5, 30, 198, 2000)):
        assert studentized_range.upper(q, k, df) == pytest.approx(other.sf(q, k, df), abs=1e-11)
    assert studentized_range.upper(3.0, 2, 10**6) == pytest.approx(2 * norm.sf(3 / 2**0.5), rel=1e-12)
    q = studentized_range.quantile(0.95, 3, 198)
    assert studentized_range.upper(q, 3, 198) == pytest.approx(0.05, rel=1e-10)


# ---- a million rows ------------------------------------------------------------------------------------------------


def test_a_million_rows_take_moments():
    random = np.random.default_rng(1)
    before, after = (random.integers(0, 101, 1_000_000).astype(float) for _ in range(2))
    groups = np.array_split(before, [300_000, 650_000])
    time, event = random.integers(0, 1500, 1_000_000), random.random(1_000_000) < 0.3
    wilcoxon_signed_rank([1, 2])
    start = process_time()
    describe(before)
    wilcoxon_signed_rank(differences(before, after))
    for test in (anova, tukey_hsd, kruskal_wallis, dunn):
        test(groups)
    curve = kaplan_meier(time, event)
    assert process_time() - start < 5  # 0.4 s on a quiet machine
    assert curve.time.size == 1500


def test_counts_of_a_million_equal_the_rows():
    random = np.random.default_rng(2)
    rows = random.integers(-40, 41, 100_000)
    for kind in (np.int8, np.int64, float):
        assert describe(rows.astype(kind)) == describe(Counts(*np.unique(rows, return_counts=True)))
    assert tabulate(np.array([True, False, True])).counts.tolist() == [1, 2]


def test_importing_the_statistics_imports_no_scipy():
    code = "import sys; import registry.stats.exact.fisher, registry.stats.anova, registry.stats.rank"
    code += ", registry.stats.describe"
    code += ", registry.stats.survival, registry.stats.ttest, registry.stats.categorical; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
