"""Greedy nearest-neighbour matching on a score, in a declared order, within a caliper and exact strata.

Controls stand sorted by stratum and score. Each treated patient looks at the nearest free control on either side; those
taken are skipped by pointers that are shortened as they are used, so a match costs next to nothing.
"""

import sys
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from registry.stats.arrays import NotEstimable

MOST = sys.float_info.max  # below infinity, which stands for nobody there
ORDERS = ("largest", "smallest", "data", "random")
CALIPERS = ("score", "sd")


@dataclass(frozen=True, eq=False)
class Matched:
    """pairs (m, 2): positions of a treated patient and of a control; a treated patient has up to `ratio` rows.

    sets      (n,) number of the matched set of each patient, counted in the order of the treated; -1 for the unmatched.
              With replacement a control is in several: `pairs` tells
    weights   (n,) 1 for matched treated patients; controls share one per set, scaled to their number; 0 for others
    caliper   in units of the score, None without
    unmatched how many treated patients found nobody
    """

    pairs: np.ndarray
    sets: np.ndarray
    weights: np.ndarray
    caliper: float | None
    n_treated: int
    n_controls: int
    unmatched: int
    ratio: int
    order: str
    replace: bool
    method: str = "nearest_neighbour"


def nearest(
    score: Any,
    treated: Any,
    ratio: int = 1,
    caliper: Any = None,
    caliper_unit: str = "score",
    order: str = "largest",
    seed: int | None = None,
    exact: Any = None,
    replace: bool = False,
) -> Matched:
    """Match each treated patient with the nearest control, or `ratio` of them.

    score         (n,) propensity score or its logit, NaN where unknown: such patients are left out
    treated       (n,) bool or 0 and 1
    caliper       greatest distance; in units of the score, or of its standard deviation over all patients (`sd`).
                  Austin's recommendation is 0.2 standard deviations of the logit
    order         who chooses first: `largest` score (MatchIt's default), `smallest`, `data` (as given) or `random`
    seed          of `random`, which is drawn by NumPy's PCG64
    exact         (n,) whole numbers; only equal ones are matched. Several variables: a number for each combination
    ratio         controls a patient: everybody chooses the first, then the second of those who had one, and so on
    replace       whether a control may be chosen again
    Of controls at equal distance on both sides the lower score is chosen, and of equal scores the earlier patient.
    Raises NotEstimable(`no_match`) where nobody is matched, or a group is empty; ValueError for other options.
    R: MatchIt::matchit(treated ~ x, method = "nearest", distance = score, m.order = "largest", ratio = 1,
                        caliper = c(0.02), std.caliper = FALSE, exact = ~ e, replace = FALSE)
    Source: Rubin 1973, doi:10.2307/2529684; Austin 2011, doi:10.1002/pst.433; Ho et al. 2011.
    """
    if order not in ORDERS or caliper_unit not in CALIPERS or ratio < 1:
        raise ValueError(f"order is one of {', '.join(ORDERS)}; caliper_unit one of {', '.join(CALIPERS)}; ratio >= 1")
    score, treated = np.asarray(score, float), np.asarray(treated).astype(bool)
    known = np.isfinite(score)
    strata = np.zeros(score.size, np.int64) if exact is None else np.unique(exact, return_inverse=True)[1]
    choosers, controls = np.flatnonzero(known & treated), np.flatnonzero(known & ~treated)
    if choosers.size == 0 or controls.size == 0:
        raise NotEstimable("no_match")
    controls = controls[np.lexsort((score[controls], strata[controls]))]
    choosers = choosers[ordered(score[choosers], order, seed)]
    widest = None if caliper is None else caliper * (float(np.std(score[known], ddof=1)) if caliper_unit == "sd" else 1)
    pool = Pool(score[controls], strata[controls], score[choosers], strata[choosers], widest)
    chosen = pool.again(ratio) if replace else pool.without_replacement(ratio)
    if not chosen:
        raise NotEstimable("no_match")
    places = np.array(sorted(chosen, key=lambda pair: pair[0]), np.int64)
    pairs = np.column_stack([choosers[places[:, 0]], controls[places[:, 1]]])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    sets, weights = accounted(pairs, score.size)
    matched = np.unique(pairs[:, 0]).size
    taken = np.unique(pairs[:, 1]).size
    return Matched(pairs, sets, weights, widest, matched, taken, choosers.size - matched, ratio, order, replace)


def ordered(score: Any, order: Any, seed: int | None) -> Any:
    if order == "data":
        return np.arange(score.size)
    if order == "random":
        return np.random.default_rng(seed).permutation(score.size)
    return np.argsort(-score if order == "largest" else score, kind="stable")


class Pool:
    """Sorted controls, and for each chooser where their own score would stand among those of their stratum."""

    def __init__(self, scores: Any, strata: Any, wanted: Any, of_wanted: Any, widest: Any) -> None:
        begins = np.searchsorted(strata, of_wanted, "left")
        ends = np.searchsorted(strata, of_wanted, "right")
        rank = np.unique(np.concatenate([scores, wanted]), return_inverse=True)[1]
        span = int(rank.max()) + 1
        place = np.searchsorted(strata * span + rank[: scores.size], of_wanted * span + rank[scores.size :], "left")
        self.begins, self.ends, self.place = begins.tolist(), ends.tolist(), place.tolist()
        self.scores, self.wanted = scores.tolist(), wanted.tolist()
        self.widest = MOST if widest is None else widest

    def without_replacement(self, ratio: Any) -> list:
        """Pairs of positions (chooser, control), each control at most once."""
        size = len(self.scores)
        below, above = list(range(size + 1)), list(range(size + 1))  # below is shifted by one: 0 is nobody
        pairs, still = [], list(range(len(self.wanted)))
        for _ in range(ratio):
            again = []
            for chooser in still:
                place = self.place[chooser]
                lower = place if below[place] == place else free(below, place)
                upper = place if above[place] == place else free(above, place)
                control = self.nearer(chooser, lower - 1, upper)
                if control is None:
                    continue
                pairs.append((chooser, control))
                again.append(chooser)
                below[control + 1], above[control] = control, control + 1
            still = again
        return pairs

    def nearer(self, chooser: Any, lower: Any, upper: Any) -> Any:
        """The nearer of two controls within stratum and caliper, or None."""
        wanted, scores = self.wanted[chooser], self.scores
        down = wanted - scores[lower] if lower >= self.begins[chooser] else inf
        up = scores[upper] - wanted if upper < self.ends[chooser] else inf
        if down <= up:
            return lower if down <= self.widest else None
        return upper if up <= self.widest else None

    def again(self, ratio: Any) -> list:
        """Pairs of positions (chooser, control), controls as often as they are nearest."""
        pairs = []
        for chooser, place in enumerate(self.place):
            lower, upper = place - 1, place
            for _ in range(ratio):
                control = self.nearer(chooser, lower, upper)
                if control is None:
                    break
                pairs.append((chooser, control))
                lower, upper = (lower - 1, upper) if control == lower else (lower, upper + 1)
        return pairs


def free(pointers: Any, place: Any) -> Any:
    """Where the pointers from a place lead, each shortened on the way."""
    while pointers[place] != place:
        pointers[place] = pointers[pointers[place]]
        place = pointers[place]
    return place


def accounted(pairs: Any, n: Any) -> Any:
    """Sets and weights of n patients, from pairs in the order of the treated."""
    sets, weights = np.full(n, -1), np.zeros(n)
    of_treated, number, size = np.unique(pairs[:, 0], return_inverse=True, return_counts=True)
    sets[of_treated] = np.arange(of_treated.size)
    sets[pairs[:, 1]] = number
    np.add.at(weights, pairs[:, 1], 1 / size[number])
    taken = weights > 0
    weights[taken] *= taken.sum() / weights[taken].sum()
    weights[of_treated] = 1
    return sets, weights
