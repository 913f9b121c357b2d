"""Covariates whose propensity score matches exactly the patients that a paper matched.

What each stratum (treated or control, matched or not) has of each covariate is given; who has which together is free.
Values are exchanged between patients of a stratum until a logistic regression on all covariates puts the unmatched
treated above every control, the unmatched controls below every matched patient, and greedy nearest-neighbour matching
within the caliper pairs the rest; then until paired tests come near the paper's.
"""

from dataclasses import dataclass, field
from math import log

import numpy as np

from registry.demo.repair import Draws, NotFound
from registry.stats.arrays import NotEstimable
from registry.stats.matching.nearest import nearest

CALIPER = 0.02
ORDER = "smallest"  # who chooses first: with it the unmatched treated, whose scores are highest, find nobody left
LOW, HIGH = 0.31, 0.62  # scores between which the matched lie
MARGIN = 0.028
ROUGH, FINE, PAIRED = 60_000, 25_000, 40_000  # moves


@dataclass
class Design:
    """values   covariate -> (n,) numbers or places of categories
    strata   places of the unmatched treated, matched treated, unmatched controls, matched controls
    nominal  covariates that stand as indicator columns
    spreads  covariate -> SD of the differences of pairs to aim at
    """

    values: dict
    strata: tuple
    nominal: frozenset
    spreads: dict = field(default_factory=dict)
    penalty: object = None

    def __post_init__(self):
        n = sum(map(len, self.strata))
        self.treated = np.zeros(n)
        self.treated[np.concatenate(self.strata[:2])] = 1
        blocks, self.columns, at = [np.ones((n, 1))], {}, 1
        for name, values in self.values.items():
            block = self._block(name, values)
            self.columns[name] = slice(at, at + block.shape[1])
            at += block.shape[1]
            blocks.append(block)
        self.matrix = np.hstack(blocks)
        self.beta = np.zeros(at)
        self.score = self._fit(12)

    def _block(self, name, values):
        if name in self.nominal:
            return np.column_stack([values == code for code in np.unique(values)[1:]]).astype(float)
        return ((values - values.mean()) / (values.std() or 1))[:, None]

    def _fit(self, steps):
        beta = self.beta
        for _ in range(steps):
            p = 1 / (1 + np.exp(-self.matrix @ beta))
            information = (self.matrix.T * (p * (1 - p))) @ self.matrix
            information.flat[:: information.shape[0] + 1] += 1e-9
            beta = beta + np.linalg.solve(information, self.matrix.T @ (self.treated - p))
        self.beta = beta
        return 1 / (1 + np.exp(-self.matrix @ beta))

    def swap(self, name, i, j):
        self.matrix[[i, j], self.columns[name]] = self.matrix[[j, i], self.columns[name]]
        values = self.values[name]
        values[i], values[j] = values[j], values[i]

    def off(self, score):
        """How far the scores are from what makes the matching."""
        out, treated, others, controls = (score[places] for places in self.strata)
        ours, theirs = np.sort(treated), np.sort(controls)
        off = _beyond(HIGH + MARGIN - out) + 3 * _beyond(others - LOW + MARGIN)
        off += 3 * _beyond(LOW - ours) + _beyond(ours - HIGH) + 2 * _beyond(LOW - theirs) + _beyond(theirs - HIGH)
        off += 2 * _beyond(np.abs(ours - theirs) - 0.004)
        return float(off) + (0.004 * self.penalty(self.values) if self.penalty else 0.0)

    def pairs(self, score):
        try:
            return nearest(score, self.treated, caliper=CALIPER, order=ORDER).pairs
        except NotEstimable:
            return np.empty((0, 2), int)

    def unlike(self, score):
        """(how many patients are matched otherwise than in the paper, the pairs)."""
        pairs = self.pairs(score)
        _, treated, _, controls = self.strata
        wrong = len(set(treated) ^ set(pairs[:, 0].tolist())) + len(set(controls) ^ set(pairs[:, 1].tolist()))
        return wrong, pairs

    def paired_off(self, pairs):
        off = 0.0
        for name, (low, high) in self.spreads.items():
            sd = float(np.std(self.values[name][pairs[:, 0]] - self.values[name][pairs[:, 1]], ddof=1))
            off += 0.0 if low <= sd <= high else abs(log(max(sd, 0.01) / (low if sd < low else high))) + 0.002
        return off


def _beyond(excess):
    """What lies beyond a limit; one far outlier costs more than many near ones."""
    excess = np.maximum(0, excess)
    return excess.sum() + 20 * (excess * excess).sum()


def search(design, rng):
    """The pairs (m, 2) of the design once it matches as in the paper. Raises NotFound."""
    draws = Draws(rng)

    def rough(score, _limit):
        return design.off(score)

    def unlike(score, limit):
        off = 0.2 * design.off(score)
        return off if off > limit else off + 0.5 * design.unlike(score)[0]

    def paired(score, limit):
        off = 0.05 * design.off(score)
        if off > limit:
            return off
        wrong, pairs = design.unlike(score)
        return off + 9.0 * wrong + design.paired_off(pairs)

    def is_alike():
        return design.unlike(design.score)[0] == 0

    _anneal(design, draws, ROUGH, 0.06, 0.0008, rough)
    for _ in range(8):
        if is_alike():
            break
        _anneal(design, draws, FINE, 0.05, 0.001, unlike, is_alike)
    if not is_alike():
        raise NotFound(f"{design.unlike(design.score)[0]} patients are matched otherwise")
    _anneal(design, draws, PAIRED, 0.02, 0.0003, paired, lambda: design.paired_off(design.pairs(design.score)) == 0)
    if not is_alike():
        raise NotFound(f"{design.unlike(design.score)[0]} patients are matched otherwise")
    return design.pairs(design.score)


def _anneal(design, draws, moves, heat, cold, energy, done=None):
    """Exchange values while that lowers `energy(score, limit)`, which may stop counting above the limit."""
    now = energy(design.score, np.inf)
    cooling = (cold / heat) ** (1 / moves)
    names = list(design.values)
    for step in range(moves):
        heat *= cooling
        stratum = design.strata[(0, 1, 1, 1, 2, 2, 3, 3, 3)[draws.below(9)]]
        name = names[draws.below(len(names))]
        i, j = (int(stratum[draws.below(len(stratum))]) for _ in range(2))
        if design.values[name][i] == design.values[name][j]:
            continue
        beta, score = design.beta, design.score
        design.swap(name, i, j)
        design.score = design._fit(1 if step % 50 else 4)
        limit = now - heat * log(1 - draws())
        then = energy(design.score, limit)
        if then > limit:
            design.swap(name, i, j)
            design.beta, design.score = beta, score
            continue
        better, now = then < now, then
        if done is not None and better and done():
            break
    design.score = design._fit(20)
