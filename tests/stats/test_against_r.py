"""Our numbers against R's: quoted ones always, R itself where it is installed."""

import json
import subprocess

import numpy as np
import pytest

from tests.stats.oracle import R, Room, lacking
from tests.stats.ours import OURS, differ

ROOM = Room("reference", OURS, {}, packages=("survival",))
ours, ask_r = ROOM.answer, ROOM.ask_r
QUOTED = json.loads((R / "reference.json").read_text())
live = pytest.mark.skipif(bool(lacking(ROOM.packages)), reason="R with its package survival is not installed")


@pytest.mark.parametrize("case", QUOTED, ids=lambda case: case["name"])
def test_the_quoted_numbers_of_r(case):
    """The R code of each number stands beside it in r/reference.json."""
    answer, reason = ours(case["name"], case["data"])
    assert reason is None
    assert differ(case["name"], answer, case["result"]) is None, case["r"]


def test_every_test_is_quoted():
    assert {case["name"] for case in QUOTED} == set(OURS)


@pytest.mark.r
@live
def test_r_still_prints_the_quoted_numbers():
    printed = subprocess.run(["Rscript", R / "reference.R", "quote"], capture_output=True, text=True, check=True)
    for now, then in zip(json.loads(printed.stdout), QUOTED, strict=True):
        assert (now["name"], now["r"], now["data"]) == (then["name"], then["r"], then["data"])
        assert differ(now["name"], now["result"], then["result"]) is None


class Draw:
    """Random data as a registry has them: few distinct values, ties, gaps, and every degenerate case now and then."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def sample(self, least=0):
        kind = self.random.choice(
            ["usual", "small", "one", "none", "constant", "missing"], p=[0.6, 0.16, 0.06, 0.06, 0.06, 0.06]
        )
        n = max(
            least,
            {"usual": self.random.integers(10, 80), "small": self.random.integers(2, 9), "one": 1, "none": 0}.get(
                kind, 5
            ),
        )
        values = self.random.choice([5.0, 1.0, 0.1, 0.013]) * self.random.integers(0, self.random.integers(2, 22), n)
        if kind == "constant":
            values = np.full(n, 7.0)
        values[self.random.random(n) < (1 if kind == "missing" else 0.08)] = np.nan
        return values

    def pair(self):
        before = self.sample()
        after = before + self.random.choice([0, 1, 1, 2, 3]) * self.random.integers(-3, 5, before.size) * 0.05
        return before, after

    def groups(self):
        return tuple(self.sample() for _ in range(self.random.integers(2, 6)))

    def table(self, square=False):
        r, c = self.random.integers(2, 5, 2)
        cells = self.random.multinomial(
            self.random.integers(1, 60), self.random.dirichlet(np.ones(r * r if square else r * c))
        )
        return np.array([r, r if square else c]), cells

    def small_table(self):
        return np.array([2, 2]), self.random.integers(0, 12, 4)

    def p_values(self):
        p = self.random.random(self.random.integers(1, 12)) ** 3
        p[self.random.random(p.size) < 0.2] = np.nan
        return (p,)

    def follow_up(self):
        n = self.random.integers(1, 60)
        return self.random.integers(1, 40, n).astype(float), (self.random.random(n) < self.random.random()).astype(
            float
        )

    def follow_ups(self):
        return tuple(vector for _ in range(self.random.integers(2, 5)) for vector in self.follow_up())


SHAPES = {
    "describe": lambda draw: (draw.sample(),),
    **dict.fromkeys(["anova", "welch_anova", "tukey", "kruskal", "dunn"], Draw.groups),
    **dict.fromkeys(["student_t", "welch_t", "mann_whitney"], lambda draw: (draw.sample(), draw.sample())),
    **dict.fromkeys(["paired_t", "wilcoxon"], Draw.pair),
    **dict.fromkeys(["chi_square", "chi_square_corrected", "fisher"], Draw.table),
    "mcnemar": lambda draw: draw.table(square=True),
    "mcnemar_exact": Draw.small_table,
    **dict.fromkeys(["bonferroni", "holm", "benjamini_hochberg"], Draw.p_values),
    **dict.fromkeys(["survival_log", "survival_log_log", "survival_plain"], Draw.follow_up),
    "log_rank": Draw.follow_ups,
}


def residual_df(groups):
    sizes = [int((~np.isnan(group)).sum()) for group in groups]
    return sum(sizes) - sum(size > 0 for size in sizes)


@pytest.mark.r
@live
@pytest.mark.parametrize("name", OURS)
def test_random_data_give_what_r_gives(name):
    draw = Draw(sum(map(ord, name)))
    cases = [(name, SHAPES[name](draw)) for _ in range(150)]
    estimated = 0
    for case, expected in zip(cases, ask_r(cases), strict=True):
        answer, reason = ours(*case)
        if reason is None:
            estimated += 1
            assert differ(name, answer, expected, coarse=residual_df(case[1]) < 10) is None, case
        elif reason != "constant":  # there R prints what rounding left of zero divided by zero
            assert expected[-1] is None, (reason, case)
    assert estimated > 60
