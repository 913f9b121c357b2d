"""Whole numbers whose means and standard deviations print as a paper's, and whose test prints its P.

Vectors are moved by single units, and kept while they come nearer: a simulated annealing like `registry.demo.repair`,
for sums over several vectors together, which a matched part and the rest of a group are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np

from registry.demo.repair import Draws, NotFound
from registry.demo.studies.paper import Box

MOVES = 60_000


@dataclass(frozen=True)
class Wanted:
    """Sum and spread of the vectors `of` (places in the list of vectors) taken together."""

    of: tuple[int, ...]
    box: Box
    total: int


@dataclass
class Fit:
    """vectors   starting values, lists of whole numbers
    wanted    what must be met, each a Wanted
    limits    (low, high) of a value of each vector
    test      function of the vectors to P, and the window that it must lie in; None for no test
    """

    vectors: Sequence[list[int]]
    wanted: Sequence[Wanted]
    limits: Sequence[tuple[int, int]]
    test: Callable | None = None
    window: tuple[float, float] | None = None
    reach: list = field(default_factory=list)

    def run(self, rng):
        """The vectors once everything is met. Raises NotFound."""
        start = [list(vector) for vector in self.vectors]
        self.reach = [max(1.5, float(np.std(vector)) / 2) for vector in start]
        for heat in (0.3, 0.6, 1.2, 0.3, 0.6):
            self.vectors = [list(vector) for vector in start]
            if self._attempt(Draws(rng), heat):
                return self.vectors
        raise NotFound(f"no whole numbers with {self.wanted} and P in {self.window}")

    def _off(self):
        off = 0.0
        for number in self.wanted:
            values = [value for place in number.of for value in self.vectors[place]]
            total, squares = sum(values), sum(value * value for value in values)
            within = squares - total * total / len(values)
            low, high = number.box.within
            off += abs(total - number.total) + max(0.0, low - within, within - high) / max(
                1.0, (high / len(values)) ** 0.5
            )
        return off

    def _p_off(self):
        if self.test is None:
            return 0.0
        p, (low, high) = self.test(self.vectors), self.window
        return 0.0 if low < p < high else 20 * abs(log(max(p, 1e-9) / (low if p < low else high))) + 0.01

    def _attempt(self, draws, heat):
        now = self._off() + self._p_off()
        cooling = (0.02 / heat) ** (1 / MOVES)
        for _ in range(MOVES):
            if now == 0:
                return True
            heat *= cooling
            taken = self._move(draws)
            then = self._off()
            limit = now - heat * log(1 - draws())
            if then <= limit:
                then += self._p_off()
            if taken and then <= limit:
                now = then
            else:
                for place, i, value in reversed(taken):
                    self.vectors[place][i] = value
        return False

    def _move(self, draws):
        """One value by a unit or two, or two of a vector against each other, which keeps its sum."""
        place = draws.below(len(self.vectors))
        vector, (low, high) = self.vectors[place], self.limits[place]
        step = 1 + int(self.reach[place] * draws() ** 3)  # the last units of a sum need steps of one
        step = step if draws() < 0.5 else -step
        taken = []
        for way in (step, -step)[: 1 if draws() < 0.25 else 2]:
            i = draws.below(len(vector))
            if low <= vector[i] + way <= high:
                taken.append((place, i, vector[i]))
                vector[i] += way
        return taken


def drawn(n, mean, sd, low, high, rng):
    """Starting values about a mean, inside their limits."""
    return [int(min(max(round(value), low), high)) for value in rng.normal(mean, max(sd, 0.3), n)]


def fitted(boxes, totals, limits, rng, test=None, window=None):
    """A vector for each Box, whose total is as given, and whose test of all of them prints as wanted."""
    vectors = [
        drawn(box.n, total / box.n, (sum(box.within) / 2 / (box.n - 1)) ** 0.5, *limit, rng)
        for box, total, limit in zip(boxes, totals, limits, strict=True)
    ]
    wanted = [Wanted((place,), box, total) for place, (box, total) in enumerate(zip(boxes, totals, strict=True))]
    return Fit(vectors, wanted, limits, test, window).run(rng)
