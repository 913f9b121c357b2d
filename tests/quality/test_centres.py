"""Comparisons between centres, each equal to R (4.2.2); the call stands beside the numbers."""

import pytest

from registry.stats import centres


@pytest.mark.parametrize(
    ("n", "p", "tail", "limits"),
    [
        (50, 0.1, 0.025, (1, 9)),  # qbinom(c(.025, .975), 50, .1)
        (50, 0.1, 0.001, (0, 13)),  # qbinom(c(.001, .999), 50, .1)
        (400, 0.35, 0.001, (111, 170)),  # qbinom(c(.001, .999), 400, .35)
        (1, 0.5, 0.025, (0, 1)),  # qbinom(c(.025, .975), 1, .5)
        (0, 0.5, 0.025, (0, 0)),
        (20, 0.0, 0.025, (0, 0)),
        (20, 1.0, 0.025, (20, 20)),
    ],
)
def test_funnel_limits_are_exact(n, p, tail, limits):
    assert centres.binomial_limits(n, p, tail) == limits


@pytest.mark.parametrize(
    ("k", "n", "p", "expected"),
    [
        (15, 40, 0.2, 0.00937800466888288),  # binom.test(15, 40, 0.2)$p.value
        (0, 10, 0.2, 0.228248064),  # binom.test(0, 10, 0.2)$p.value
        (5, 10, 0.5, 1.0),  # binom.test(5, 10, 0.5)$p.value
    ],
)
def test_proportions_are_tested_exactly(k, n, p, expected):
    assert centres.proportion_test(k, n, p) == pytest.approx(expected, rel=1e-6)


def test_variances_are_tested_as_by_var_test():
    # 2 * min(pf(2.5, 19, 99), pf(2.5, 19, 99, lower.tail = FALSE))
    assert centres.variance_test(25.0, 20, 10.0, 100) == pytest.approx(0.0035814053339794, rel=1e-9)
    assert centres.variance_test(0.0, 20, 10.0, 100) is None
    assert centres.variance_test(3.0, 1, 10.0, 100) is None


def test_intervals_of_counts_are_exact():
    # poisson.test(7, conf.level = 0.95)$conf.int
    assert centres.poisson_interval(7) == pytest.approx((2.814363, 14.422675), rel=1e-6)
    assert centres.poisson_interval(0) == pytest.approx((0, 3.688879), rel=1e-6)
    assert centres.observed_over_expected(7, 5.0) == pytest.approx((1.4, 0.5628727, 2.884535), rel=1e-6)
    assert centres.observed_over_expected(7, 0) is None


@pytest.mark.parametrize("wrong", [(-1, 0.5, 0.1), (3, 1.2, 0.1), (3, 0.5, 0.5)])
def test_limits_of_nonsense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        centres.binomial_limits(*wrong)
