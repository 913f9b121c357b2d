"""A P-value opens its test, n, effect, correction and the call in R; in files it stays the text that it was."""

from types import SimpleNamespace as Row

import pytest

from registry.analysis.design import methods
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.presentation import tested_p
from registry.analysis.presentation.tested_p import TestedP, welch_interval, with_details
from registry.analysis.results.statistics import Pairwise, Second, Tested
from registry.analysis.sections.comparing import comparison_tests
from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable


class English:
    def __call__(self, label, **values):
        return label.format(**values).en if isinstance(label, Label) else label

    def test(self, code):
        return methods.BY_CODE[code].label.en


GROUPS = [("A", Row(n=20, mean=10.0, sd=2.0)), ("B", Row(n=30, mean=8.0, sd=3.0))]


def test_every_test_has_its_call_in_r():
    assert set(tested_p.R_CALLS) == {*methods.BY_CODE, *comparison_tests.ALL_TESTS}


def test_a_p_says_its_test_n_effect_correction_and_call():
    row = Pairwise(adjust="holm", p_raw={"a_vs_b": 0.0123}, p={"a_vs_b": 0.0246})
    row.test, row.statistic, row.df = "welch_t", {"a_vs_b": 2.8284}, {"a_vs_b": 47.96}
    p = with_details("0.025", row, English(), GROUPS, "a_vs_b")
    assert (p, str(p)) == ("0.025", "0.025")
    assert dict(p.details) == {
        "Test": "Welch's t test",
        "Statistic": "t = 2.83, df = 48.0",
        "n": "A 20, B 30",
        "Difference of means (95% interval, Welch)": "A − B: 2.00 (0.58 – 3.42)",
        "P before correction": "0.012",
        "Correction": "Holm correction",
        "In R": 't.test(value ~ group); p.adjust(p, method = "holm")',
    }


def test_a_p_of_more_groups_says_what_it_asks_and_how_each_two_differ():
    p = with_details("0.01", Row(test="anova"), English(), [*GROUPS, ("C", Row(n=25, mean=9.0, sd=2.5))])
    labels = [label for label, _value in p.details]
    assert dict(p.details)["Test"] == "one-way ANOVA, of all 3 groups at once: whether any of them differs"
    assert labels[1:] == ["n", *["Difference of means (95% interval, Welch)"] * 3, "In R"]
    assert [value[:6] for _label, value in p.details[2:5]] == ["A − B:", "A − C:", "B − C:"]


def test_what_is_no_p_stays_as_it_is():
    for text, test in (("", "welch_t"), ("–", "welch_t"), ("0.02", ""), ("0.02", None)):
        assert not isinstance(with_details(text, Row(test=test), English()), TestedP)


def test_hidden_numbers_give_no_difference():
    few = [("A", Row(n=Few(3, 5), mean=10.0, sd=2.0)), GROUPS[1]]
    p = with_details("0.02", Row(test="welch_t"), English(), few)
    assert [label for label, _value in p.details] == ["Test", "n", "In R"]
    shares = [
        ("A", Row(n=20, counts={"yes": Few(4, 5), "no": 16})),
        ("B", Row(n=30, counts={"yes": 9, "no": 21})),
    ]
    p = with_details("0.02", Row(test="fisher_exact"), English(), shares)
    assert [label for label, _value in p.details] == ["Test", "n", "In R"]


def test_shares_have_newcombes_interval_and_a_further_test_its_own_statistic():
    shares = [("A", Row(n=20, counts={"yes": 4, "no": 16})), ("B", Row(n=30, counts={"yes": 9, "no": 21}))]
    second = Second("chi_square", Tested(p=0.43, statistic=0.624, df=1.0))
    p = with_details("0.43", Row(test="fisher_exact", p=0.5), English(), shares, second=second)
    # 100 * DescTools::BinomDiffCI(4, 20, 9, 30, method = "score")
    assert dict(p.details) == {
        "Test": "Pearson's chi-square test",
        "Statistic": "χ² = 0.62, df = 1",
        "n": "A 20, B 30",
        "Difference in percentage points (95% interval, Newcombe)": "A − B: −10.0 (−31.5 – 15.4)",
        "In R": "chisq.test(table(value, group), correct = FALSE)",
    }


def test_a_change_has_the_interval_of_a_paired_t_test():
    # t.test(c(-3, 0, 1, 4, 8))$conf.int
    details = tested_p.mean_change(Row(n=5, mean=2.0, sd=4.183300132670378), English())
    assert details == [("Mean change (95% interval)", "2.00 (−3.19 – 7.19)")]
    assert tested_p.mean_change(Row(n=Few(3, 5), mean=2.0, sd=1.0), English()) == []


def test_the_interval_is_welchs():
    # a <- c(1, 2, 4, 7); b <- c(2, 2, 3); t.test(a, b)$conf.int
    interval = welch_interval((4, 3.5, 2.6457513110645907), (3, 2.3333333333333335, 0.5773502691896257))
    assert interval == pytest.approx((1.1666666666666667, -2.91574746773933, 5.24908080107266), rel=1e-9)
    with pytest.raises(NotEstimable):
        welch_interval((1, 3.5, 1.0), (3, 2.0, 1.0))
    with pytest.raises(NotEstimable):
        welch_interval((3, 3.5, 0.0), (3, 2.0, 0.0))
