"""The study's Table 6 beside ours: what is compared, what is marked, and why."""

import pytest

from registry.analysis.presentation.numbers import p_value
from registry.demo.segi2025.table6 import PAIR_NAMES, lines, printed


def row(variable, timepoint, p, n, kind="continuous"):
    groups = {group: {"n": known} for group, known in zip(("cervical", "thoracic", "tls"), n, strict=True)}
    return {
        "variable": variable,
        "timepoint": timepoint,
        "kind": kind,
        "p": dict(zip(PAIR_NAMES, p, strict=True)),
        "groups": groups,
    }


@pytest.mark.parametrize(
    ("variable", "timepoint", "p", "n"),
    [
        ("frankel_abc", "preop", ("0.052", "<0.001", "0.22"), (31, 82, 90)),
        ("ecog_ps_over_2", "1m", ("0.034", "0.034", "0.39"), (26, 77, 84)),
        ("pain_vas_mm", "delta", (">0.99", "<0.001", "0.011"), (26, 76, 80)),
        ("hsuv", "1m", ("0.027", "0.011", "0.85"), (27, 76, 82)),
    ],
)
def test_the_study_prints(variable, timepoint, p, n):
    study = printed(variable, timepoint)
    assert (study.p, study.n) == (p, n)


@pytest.mark.parametrize(("variable", "timepoint"), [("barthel_total", "delta"), ("hsuv", "3m"), ("sex", "preop")])
def test_what_the_study_does_not_print_is_not_compared(variable, timepoint):
    assert printed(variable, timepoint) is None


def test_equal_prints_are_not_marked():
    (line,) = lines([row("hsuv", "1m", (0.0273, 0.0112, 0.850), (27, 76, 82))], p_value)
    assert (line.ours, line.differing, line.reason) == (("0.027", "0.011", "0.85"), [False] * 3, "")


def test_other_patients_are_the_reason():
    (line,) = lines([row("hsuv", "1m", (0.0273, 0.2, 0.850), (27, 76, 81))], p_value)
    assert line.differing == [False, True, False]
    assert line.reason == "known values: 27/76/81 here, 27/76/82 in the study"


def test_a_row_of_ours_alone_has_no_mark_and_later_visits_are_left_out():
    alone = row("barthel_total", "delta", (0.38, 0.9, None), (26, 77, 82))
    (line,) = lines([alone, row("hsuv", "3m", (0.1, 0.1, 0.1), (1, 1, 1))], p_value)
    assert (line.study, line.ours, line.differing) == ((None,) * 3, ("0.38", "0.90", "–"), [False] * 3)
