"""Risk sets of the Cox model: people sorted once by stratum and time, then sums by cumulation, never a loop over them.

The information needs, for each death, the second moments of everybody at risk. Summed over the deaths these are one
weighted cross product of all people: each weighs their relative hazard times the cumulative hazard up to their time.
So an iteration costs a few passes over the data, whatever the number of deaths.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.stats.survival.follow_up import cells, still_there, until

BLOCK = 1 << 13  # people at a time: their columns stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Sums:
    """log_likelihood, score (p,) and information (p, p) at a coefficient vector."""

    log_likelihood: float
    score: np.ndarray
    information: np.ndarray


class RiskSets:
    """People sorted by stratum and time.

    time (n,), event (n,) bool, columns (p, n), strata (n,) whole numbers or None, weights (n,) or None
    ties  `efron` or `breslow`
    """

    def __init__(
        self, time: Any, event: Any, columns: np.ndarray, strata: Any = None, weights: Any = None, ties: str = "efron"
    ) -> None:
        order, first, opens = cells(time, strata)
        self.order, self.first, self.opens = order, first, opens
        self.columns = np.take(columns, order, axis=1)
        self.event = event[order]
        self.weights = None if weights is None else weights[order]
        cell = np.repeat(np.arange(first.size), np.diff(np.append(first, time.size)))
        self.time = time[order][first]  # of each cell
        dead = np.flatnonzero(self.event)
        if self.weights is not None:
            dead = dead[self.weights[dead] > 0]
            self.event = np.zeros(time.size, bool)
            self.event[dead] = True
        deaths = np.bincount(cell[dead], minlength=first.size)
        self.at = np.flatnonzero(deaths)  # cells with deaths
        count = deaths[self.at]
        self.dead, self.opening = dead, np.cumsum(count) - count  # where the deaths of each such cell begin
        self.of = np.repeat(np.arange(self.at.size), count)
        rank = np.arange(dead.size) - self.opening[self.of]
        self.share = rank / count[self.of] if ties == "efron" else np.zeros(dead.size)
        weight = self.weight_of(dead)
        self.mean_weight = (np.add.reduceat(weight, self.opening) / count)[self.of]
        self.cell = cell
        self.tied_cell = np.where(self.event, np.searchsorted(self.at, cell), 0)
        self.columns_of_dead = np.take(self.columns, dead, axis=1)
        self.blocks = [slice(start, start + BLOCK) for start in range(0, time.size, BLOCK)]

    def weight_of(self, place: Any) -> Any:
        return np.ones(len(place)) if self.weights is None else self.weights[place]

    def hazards(self, coefficients: Any) -> tuple[Any, Any]:
        """Relative hazards (n,), weighted, and the log of the unweighted ones at deaths (d,)."""
        eta = coefficients @ self.columns
        hazard = np.exp(eta)
        return (hazard if self.weights is None else hazard * self.weights), eta[self.dead]

    def denominators(self, hazard: Any) -> np.ndarray:
        """Sum of hazards at risk for each death (d,), the deaths' own share taken off as Efron does."""
        everybody = still_there(np.add.reduceat(hazard, self.first), self.opens)[self.at]
        dying = np.add.reduceat(hazard[self.dead], self.opening)
        return everybody[self.of] - self.share * dying[self.of]

    def log_likelihood(self, coefficients: Any) -> float:
        hazard, eta = self.hazards(coefficients)
        return float(self.weight_of(self.dead) @ eta - self.mean_weight @ np.log(self.denominators(hazard)))

    def sums(self, coefficients: Any, multipliers: Any = None) -> Sums | list[Sums]:
        """Sums at coefficients (p,); with multipliers (m, deaths' cells) a Sums for each, its terms so often."""
        hazard, eta = self.hazards(coefficients)
        below = self.denominators(hazard)
        log_likelihood = float(self.weight_of(self.dead) @ eta - self.mean_weight @ np.log(below))
        everybody, dying = self.moments(hazard)
        steps = self.mean_weight / below

        def at(multiplier: Any) -> Sums:
            part = steps if multiplier is None else steps * multiplier[self.of]
            residual = self.expected(hazard, part)
            information = self.crossed(residual)
            squares = [np.add.reduceat(part / below * self.share**power, self.opening) for power in (0, 1, 2)]
            crossed = (everybody * squares[1]) @ dying.T
            information -= (everybody * squares[0]) @ everybody.T - crossed - crossed.T
            information -= (dying * squares[2]) @ dying.T
            weight = self.weight_of(self.dead)
            observed = self.columns_of_dead @ (weight if multiplier is None else weight * multiplier[self.of])
            return Sums(log_likelihood, observed - self.columns @ residual, information)

        return at(None) if multipliers is None else [at(multiplier) for multiplier in multipliers]

    def moments(self, hazard: Any) -> tuple[np.ndarray, np.ndarray]:
        """Hazard times covariates of everybody at risk, and of those who die, at each time of a death: (p, k) each."""
        every = np.zeros((len(self.columns), self.first.size))
        for block in self.blocks:
            begins, ends = np.searchsorted(self.first, (block.start + 1, block.stop))
            opening = np.append(0, self.first[begins:ends] - block.start)
            weighted = self.columns[:, block] * hazard[block]
            every[:, begins - 1 : ends] += np.add.reduceat(weighted, opening, axis=1)
        dying = np.add.reduceat(self.columns_of_dead * hazard[self.dead], self.opening, axis=1)
        return still_there(every, self.opens)[:, self.at], dying

    def crossed(self, weight: Any) -> int:
        """Cross product (p, p) of the covariates of all, weighted (n,)."""
        return sum((self.columns[:, block] * weight[block]) @ self.columns[:, block].T for block in self.blocks)

    def expected(self, hazard: Any, part: Any) -> Any:
        """Expected events (n,): hazard times the cumulative sum of part (d,), less what ties take off the dying."""
        cumulative = self.spread(np.add.reduceat(part, self.opening))
        own = np.add.reduceat(part * self.share, self.opening)
        return hazard * (cumulative - np.where(self.event, own[self.tied_cell], 0.0))

    def spread(self, per_death_cell: Any) -> np.ndarray:
        """Sums up to and including each person's time, within the stratum: (..., deaths' cells) to (..., n)."""
        every = np.zeros((*per_death_cell.shape[:-1], self.first.size))
        every[..., self.at] = per_death_cell
        return until(every, self.opens)[..., self.cell]

    def score_residuals(self, coefficients: Any) -> Any:
        """Score residuals (p, n) in the order of the sorted people, unweighted; they sum, weighted, to the score."""
        hazard, _ = self.hazards(coefficients)
        below = self.denominators(hazard)
        everybody, dying = self.moments(hazard)
        means = (everybody[:, self.of] - self.share * dying[:, self.of]) / below
        steps = self.mean_weight / below
        count = np.diff(np.append(self.opening, self.dead.size))
        mean = np.add.reduceat(means, self.opening, axis=1) / count
        plain = hazard if self.weights is None else np.exp(coefficients @ self.columns)
        drawn = self.spread(np.add.reduceat(means * steps, self.opening, axis=1))
        drawn -= np.where(
            self.event, np.add.reduceat(means * steps * self.share, self.opening, axis=1)[:, self.tied_cell], 0.0
        )
        residual = drawn * plain - self.columns * self.expected(plain, steps)
        residual[:, self.dead] += self.columns_of_dead - mean[:, self.of]
        return residual

    def schoenfeld(self, coefficients: Any) -> np.ndarray:
        """Schoenfeld residuals (p, d): each death's covariates less their mean at risk, averaged over ties."""
        hazard, _ = self.hazards(coefficients)
        below = self.denominators(hazard)
        everybody, dying = self.moments(hazard)
        means = (everybody[:, self.of] - self.share * dying[:, self.of]) / below
        count = np.diff(np.append(self.opening, self.dead.size))
        mean = np.add.reduceat(means, self.opening, axis=1) / count
        return self.columns_of_dead - mean[:, self.of]
