"""Effects, exact tests, and tests of ordered or paired categories against R."""

import numpy as np

from registry.stats.effects.proportions import (
    clopper_pearson,
    odds_ratio,
    odds_ratio_exact,
    risk_difference,
    risk_ratio,
    wilson,
)
from registry.stats.effects.shift import hodges_lehmann, pseudomedian
from registry.stats.effects.standardised import smd, smd_categories
from registry.stats.exact.ranks import mann_whitney_exact, wilcoxon_signed_rank_exact
from registry.stats.ordered.symmetry import bowker, marginal_homogeneity
from registry.stats.ordered.trend import cochran_armitage, jonckheere
from tests.stats.oracle import Room, against_r


def limits(estimate):
    return [estimate.low, estimate.high]


def whole(estimate):
    return [estimate.estimate, estimate.low, estimate.high]


def shown(test):
    return [test.statistic, test.p]


def with_df(test):
    return [test.statistic, test.df, test.p]


def square(cells):
    return cells.reshape(int(np.sqrt(cells.size)), -1)


OURS = {
    "wilson": lambda x, n: limits(wilson(x[0], n[0])),
    "clopper_pearson": lambda x, n: limits(clopper_pearson(x[0], n[0])),
    "risk_difference_wald": lambda cells: whole(risk_difference(cells.reshape(2, 2), interval="wald")),
    "risk_difference_newcombe": lambda cells: whole(risk_difference(cells.reshape(2, 2))),
    "risk_ratio": lambda cells: whole(risk_ratio(cells.reshape(2, 2))),
    "odds_ratio": lambda cells: whole(odds_ratio(cells.reshape(2, 2))),
    "odds_ratio_exact": lambda cells: whole(odds_ratio_exact(cells.reshape(2, 2))),
    "odds_ratio_exact_tails": lambda cells: whole(odds_ratio_exact(cells.reshape(2, 2))),
    "hodges_lehmann": lambda x, y: whole(hodges_lehmann(x, y)),
    "hodges_lehmann_exact": lambda x, y: whole(hodges_lehmann(x, y)),
    "pseudomedian": lambda d: whole(pseudomedian(d)),
    "pseudomedian_exact": lambda d: whole(pseudomedian(d)),
    "mann_whitney_exact": lambda x, y: shown(mann_whitney_exact(x, y)),
    "mann_whitney_untied": lambda x, y: shown(mann_whitney_exact(x, y)),
    "signed_rank_exact": lambda d: shown(wilcoxon_signed_rank_exact(d)),
    "smd": lambda x, y: [smd(x, y).difference],
    "smd_categories": lambda x, y: [smd_categories(x, y).difference],
    "cochran_armitage": lambda events, sizes: shown(cochran_armitage(events, sizes)),
    "jonckheere": lambda *groups: [(test := jonckheere(groups)).z, test.p],
    "bowker": lambda cells: with_df(bowker(square(cells))),
    "bowker_by_mcnemar": lambda cells: with_df(bowker(square(cells))),
    "marginal_homogeneity": lambda cells: with_df(marginal_homogeneity(square(cells))),
}


def part(random):
    n = random.integers(1, 60)
    return np.array([random.integers(0, n + 1)]), np.array([n])


def cells(random):
    return (random.integers(1 if random.random() < 0.7 else 0, 25, 4),)


def scores(random, least=2, most=30, steps=12):
    return random.integers(0, steps, random.integers(least, most)).astype(float)


def decimals(random, least=4):
    """Without ties, to three places."""
    return random.permutation(np.arange(1, 2000))[: random.integers(least, 25)] / 1000 * random.choice([-1, 1])


def differences(random):
    sample = random.permutation(np.arange(1, 900))[: random.integers(7, 30)] / 100
    return (sample * random.choice([-1, 1, 1], sample.size),)


def pairs(random, least):
    k = random.integers(2, 5)
    return (random.integers(least, 9, k * k),)


def events(random):
    sizes = random.integers(2, 40, random.integers(2, 6))
    return random.binomial(sizes, 0.4), sizes


SHAPES = {
    **dict.fromkeys(["wilson", "clopper_pearson"], part),
    **dict.fromkeys(
        [name for name in OURS if name.startswith(("risk", "odds"))],
        cells,
    ),
    "hodges_lehmann": lambda random: (scores(random, 5), scores(random, 5) + random.integers(0, 4)),
    "hodges_lehmann_exact": lambda random: (decimals(random), decimals(random) + 0.0005),
    "pseudomedian": lambda random: (scores(random, 8) - random.integers(0, 9),),
    "pseudomedian_exact": differences,
    "mann_whitney_exact": lambda random: (scores(random), scores(random, steps=random.integers(2, 15))),
    "mann_whitney_untied": lambda random: (decimals(random), decimals(random) + 0.0005),
    "signed_rank_exact": lambda random: (scores(random) - random.integers(0, 9),),
    "smd": lambda random: (scores(random), scores(random)),
    "smd_categories": lambda random: tuple(random.integers(0, 9, (2, random.integers(3, 6)))),
    "cochran_armitage": events,
    "jonckheere": lambda random: tuple(scores(random) + step for step in range(random.integers(2, 5))),
    "bowker": lambda random: pairs(random, 0),
    "bowker_by_mcnemar": lambda random: pairs(random, 1),
    "marginal_homogeneity": lambda random: pairs(random, 1),
}
ROOM = Room(
    "effects",
    OURS,
    SHAPES,
    packages=("exactRankTests",),
    # fisher.test finds roots, and those of the reciprocal where the ratio is above 1, to 1e-4 absolute
    tolerance={"odds_ratio_exact": (3e-2, 1e-3)},
)

test_quoted, test_all_are_quoted, test_r_prints_them, test_random = against_r(ROOM)
