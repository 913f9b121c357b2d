"""Move plausible values by as little as it takes until their sums and sums of squares are the wanted ones.

A patient's value is a state: a whole number of units, or a health state. `worth` turns it into the whole number whose
moments count. Random small moves are kept while they bring the moments nearer (or cost next to nothing), so what is
plausible at the start mostly stays so. Everything but the acceptance draw is integer arithmetic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from registry.demo.moments import Moments
from registry.demo.signed_rank import signed_rank_p

POOL = 1 << 16
MOVES = 80_000  # of one attempt; most repairs need a hundredth
# Start of each attempt; a P-value to be met makes the ground rugged and wants more heat. All cool to FINAL.
TEMPERATURES = (0.06, 0.1, 0.2) * 3
STEERED_TEMPERATURES = (0.3, 0.2, 0.4) * 6
FINAL = 0.03


class NotFound(RuntimeError):
    """The search ended without the wanted moments."""


@dataclass(frozen=True)
class Wanted:
    """The moments of one vector and how exactly they must be met, all in units of `worth`."""

    moments: Moments
    slack_total: int = 0
    slack_squares: int = 0


class Draws:
    """Uniform numbers from a numpy generator, drawn in blocks: one at a time is slow from Python."""

    def __init__(self, rng):
        self.rng, self.pool, self.at = rng, [], 0

    def __call__(self):
        if self.at == len(self.pool):
            self.pool, self.at = self.rng.random(POOL).tolist(), 0
        self.at += 1
        return self.pool[self.at - 1]

    def below(self, n):
        return int(self() * n)


class WholeNumbers:
    """Moves of plain numbers: steps of up to `reach`, mostly small, inside low[time][patient]..high[time][patient]."""

    def __init__(self, low, high, reach):
        self.low, self.high, self.reach = low, high, reach

    def step(self, draws):
        size = 1 + int(self.reach * draws() ** 4)  # the last units of a sum need steps of one
        return size if draws() < 0.5 else -size

    def allows(self, time, patient, state, step):
        return self.low[time][patient] <= state + step <= self.high[time][patient]


class _Vector:
    """Running sums of one of the vectors before, after and change, about a centre near their mean."""

    def __init__(self, wanted, values):
        moments = wanted.moments
        if len(values) != moments.n:
            raise ValueError(f"{len(values)} values for {moments.n}")
        self.centre = c = round(moments.mean)
        self.total_wanted = moments.total - moments.n * c
        self.squares_wanted = moments.squares - 2 * c * moments.total + moments.n * c * c
        self.slack_total, self.slack_squares = wanted.slack_total, wanted.slack_squares
        self.total_scale = max(1.0, moments.sd / 8)
        self.squares_scale = self.total_scale * 2 * max(1.0, moments.sd)
        self.total = sum(v - c for v in values)
        self.squares = sum((v - c) ** 2 for v in values)

    def excess(self):
        """0 if the moments are as wanted, otherwise how far off, in typical moves."""
        total, squares = abs(self.total - self.total_wanted), abs(self.squares - self.squares_wanted)
        return max(0, total - self.slack_total) / self.total_scale + max(0, squares - self.slack_squares) / (
            self.squares_scale
        )

    def replace(self, old, new):
        self.total += new - old
        self.squares += (new - old) * (new + old - 2 * self.centre)


def repair(
    states: Sequence[Sequence[int | None]],
    wanted: Sequence[Wanted | None],
    moves,
    rng: np.random.Generator,
    *,
    worth: Sequence[int] | None = None,
    cost: Callable | None = None,
    frozen: Sequence[int] = (),
    within_p: tuple[float, float] | None = None,
):
    """States with the wanted moments, near the given ones.

    states     one vector, or two (before, after), of a state a patient; None where unknown
    wanted     for one vector (Wanted,), for two (before, after, change); None where a vector is free
    moves      what a state may become, e.g. WholeNumbers: moves.step(draws) is a difference of two states, and
               moves.allows(time, patient, state, step) says whether this patient may take it
    cost       cost(time, patient, state) -> how implausible a state is; weighs against the distance from the moments
    frozen     patients whose states stay as given
    within_p   where the signed-rank P of the changes must lie (low <= p < high)
    Raises NotFound after a few attempts.
    """
    steered = within_p is not None and within_p[0] > 0
    for temperature in STEERED_TEMPERATURES if steered else TEMPERATURES:
        found = _attempt(states, wanted, moves, rng, worth, cost, frozen, within_p, temperature)
        if found is not None:
            return found
    raise NotFound(f"no values with {[w and w.moments for w in wanted]}")


def _attempt(states, wanted, moves, rng, worth, cost, frozen, within_p, temperature):
    draws = Draws(rng)
    states = [list(vector) for vector in states]
    worth_of = worth.__getitem__ if worth is not None else int
    values = [[None if state is None else worth_of(state) for state in vector] for vector in states]
    known = [[v for v in vector if v is not None] for vector in values]
    complete = [i for i in range(len(states[0])) if all(vector[i] is not None for vector in states)]
    if len(states) == 2:
        known.append([values[1][i] - values[0][i] for i in complete])
    vectors = [None if w is None else _Vector(w, v) for w, v in zip(wanted, known, strict=True)]
    paired = set(complete) if len(vectors) == 3 and (vectors[2] or within_p) else set()
    movable = [
        (time, i)
        for time, vector in enumerate(states)
        for i, state in enumerate(vector)
        if state is not None and i not in frozen
    ]

    def place(time, i, state):
        old, new = values[time][i], worth_of(state)
        states[time][i], values[time][i] = state, new
        if vectors[time]:
            vectors[time].replace(old, new)
        if i in paired and vectors[2]:
            sign, other = (1, -values[0][i]) if time else (-1, values[1][i])
            vectors[2].replace(sign * old + other, sign * new + other)

    def steer():
        return _steer([values[1][i] - values[0][i] for i in complete], within_p) if within_p else 0.0

    # A tiny P is a matter of course and looked at only in the end; otherwise the search must aim for it.
    aim = within_p is not None and within_p[0] > 0

    def distance():
        off = sum(vector.excess() for vector in vectors if vector)
        return off + steer() if aim else off

    def take(time, i, step):
        """Take a step if the patient may, and note how to undo it and what it costs."""
        state = states[time][i]
        if state is None or i in frozen or not moves.allows(time, i, state, step):
            return
        taken.append((time, i, state))
        price.append(cost(time, i, state + step) - cost(time, i, state) if cost else 0.0)
        place(time, i, state + step)

    now, cooling = distance(), (FINAL / temperature) ** (1 / MOVES)
    for move in range(MOVES):
        if now == 0:
            if steer() == 0:
                return states
            aim, now = True, steer()
        taken, price = [], []
        kind, step = draws(), moves.step(draws)
        time, i = movable[draws.below(len(movable))]
        take(time, i, step)
        if kind < 0.6:  # an exchange between two patients keeps a sum as it is, whatever else it changes
            other = movable[draws.below(len(movable))][1]
            take(time, other, -step)
            if kind < 0.2 and len(states) == 2:  # at both times: keeps the changes as they are
                take(1 - time, i, step)
                take(1 - time, other, -step)
        elif kind < 0.7 and len(states) == 2:
            take(1 - time, i, step)
        then = distance()
        worse = then - now + sum(price)
        heat = temperature * cooling**move
        if worse <= 0 or draws() < exp(-worse / heat):
            now = then
        else:
            for time, i, state in reversed(taken):
                place(time, i, state)
    return None


def _steer(changes, within_p):
    """0 while the signed-rank P of the changes lies in its window, otherwise its distance on a log scale."""
    low, high = within_p
    p = max(signed_rank_p(changes), 1e-12)
    if low <= p < high:
        return 0.0
    return 2 * abs(float(np.log(p / (low if p < low and low > 0 else high))))
