"""A P-value opens its test, n, effect, correction and the call in R; in files it stays the text that it was."""

import pytest

from registry.analysis.design import methods
from registry.analysis.presentation import tested_p
from registry.analysis.presentation.tested_p import TestedP, welch_interval, with_details
from registry.instruments.base import Label
from registry.stats.arrays import NotEstimable


class English:
    def __call__(self, label):
        return label.en if isinstance(label, Label) else label

    def test(self, code):
        return methods.BY_CODE[code].label.en


GROUPS = [("A", {"n": 20, "mean": 10.0, "sd": 2.0}), ("B", {"n": 30, "mean": 8.0, "sd": 3.0})]


def test_every_test_has_its_call_in_r():
    assert set(tested_p.R_CALLS) == set(methods.BY_CODE)


def test_a_p_says_its_test_n_effect_correction_and_call():
    row = {"test": "welch_t", "adjust": "holm", "p_raw": {"a_vs_b": 0.0123}, "p": {"a_vs_b": 0.0246}}
    p = with_details("0.025", row, English(), GROUPS, "a_vs_b")
    assert (p, str(p)) == ("0.025", "0.025")
    assert dict(p.details) == {
        "Test": "Welch's t test",
        "n": "A 20, B 30",
        "Difference of means (95% interval, Welch)": "2.00 (0.58 – 3.42)",
        "P before correction": "0.012",
        "Correction": "Holm correction",
        "In R": 't.test(value ~ group); p.adjust(p, method = "holm")',
    }


def test_what_is_no_p_stays_as_it_is():
    for text, row in (("", {"test": "welch_t"}), ("–", {"test": "welch_t"}), ("0.02", {"test": ""}), ("0.02", {})):
        assert not isinstance(with_details(text, row, English()), TestedP)


def test_hidden_numbers_give_no_difference():
    few = [("A", {"n": "<5", "mean": None, "sd": None}), GROUPS[1]]
    p = with_details("0.02", {"test": "welch_t"}, English(), few)
    assert [label for label, _value in p.details] == ["Test", "n", "In R"]


def test_the_interval_is_welchs():
    # a <- c(1, 2, 4, 7); b <- c(2, 2, 3); t.test(a, b)$conf.int
    found = welch_interval((4, 3.5, 2.6457513110645907), (3, 2.3333333333333335, 0.5773502691896257))
    assert found == pytest.approx((1.1666666666666667, -2.91574746773933, 5.24908080107266), rel=1e-9)
    with pytest.raises(NotEstimable):
        welch_interval((1, 3.5, 1.0), (3, 2.0, 1.0))
    with pytest.raises(NotEstimable):
        welch_interval((3, 3.5, 0.0), (3, 2.0, 0.0))
