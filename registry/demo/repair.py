"""Move plausible values by as little as it takes until their sums and sums of squares are the wanted ones.

A patient's value is a state: a whole number of units, or a health state. `worth` turns it into the whole number whose
moments count. Random small moves are kept while they bring the moments nearer (or cost next to nothing), so what is
plausible at the start mostly stays so. Everything but the acceptance draw is integer arithmetic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from registry.demo.segi2025.moments import Moments
from registry.demo.segi2025.signed_rank import signed_rank_p

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
        solution = _Search(states, wanted, moves, rng, worth, cost, frozen, within_p).run(temperature)
        if solution is not None:
            return solution
    raise NotFound(f"no values with {[w and w.moments for w in wanted]}")


class _Search:
    """One attempt: the states as they are now, what they are worth, and the running sums of that."""

    def __init__(self, states, wanted, moves, rng, worth, cost, frozen, within_p):
        self.draws, self.moves, self.cost = Draws(rng), moves, cost
        self.frozen, self.within_p = frozenset(frozen), within_p
        self.worth_of = worth.__getitem__ if worth is not None else int
        self.states = [list(vector) for vector in states]
        self.values = [[None if state is None else self.worth_of(state) for state in vector] for vector in states]
        self.complete = [i for i in range(len(states[0])) if all(vector[i] is not None for vector in states)]
        known = [[v for v in vector if v is not None] for vector in self.values]
        if len(states) == 2:
            known.append(self.changes())
        vectors = [None if w is None else _Vector(w, v) for w, v in zip(wanted, known, strict=True)]
        self.single, self.change = vectors[: len(states)], vectors[2] if len(states) == 2 else None
        self.vectors = [vector for vector in vectors if vector]
        self.paired = frozenset(self.complete) if self.change else frozenset()
        self.movable = [
            (time, i)
            for time, vector in enumerate(states)
            for i, state in enumerate(vector)
            if state is not None and i not in self.frozen
        ]
        # A tiny P is a matter of course and looked at only in the end; otherwise the search must aim for it.
        self.aims_at_p = within_p is not None and within_p[0] > 0
        self.taken, self.price = [], 0.0

    def changes(self):
        before, after = self.values
        return [after[i] - before[i] for i in self.complete]

    def place(self, time, i, state):
        old, new = self.values[time][i], self.worth_of(state)
        self.states[time][i], self.values[time][i] = state, new
        if self.single[time]:
            self.single[time].replace(old, new)
        if i in self.paired:
            sign, other = (1, -self.values[0][i]) if time else (-1, self.values[1][i])
            self.change.replace(sign * old + other, sign * new + other)

    def take(self, time, i, step):
        """Take a step if the patient may, and note how to undo it and what it costs."""
        state = self.states[time][i]
        if state is None or i in self.frozen or not self.moves.allows(time, i, state, step):
            return
        self.taken.append((time, i, state))
        if self.cost:
            self.price += self.cost(time, i, state + step) - self.cost(time, i, state)
        self.place(time, i, state + step)

    def move(self):
        """A random move of one patient, or of two against each other, which keeps a sum whatever else it changes."""
        draws, both_times = self.draws, len(self.states) == 2
        self.taken, self.price = [], 0.0
        kind, step = draws(), self.moves.step(draws)
        time, i = self.movable[draws.below(len(self.movable))]
        self.take(time, i, step)
        if kind < 0.6:
            other = self.movable[draws.below(len(self.movable))][1]
            self.take(time, other, -step)
            if kind < 0.2 and both_times:  # at both times: keeps the changes as they are
                self.take(1 - time, i, step)
                self.take(1 - time, other, -step)
        elif kind < 0.7 and both_times:
            self.take(1 - time, i, step)

    def undo(self):
        for time, i, state in reversed(self.taken):
            self.place(time, i, state)

    def moments_off(self):
        off = 0.0
        for vector in self.vectors:
            off += vector.excess()
        return off

    def p_off(self):
        """0 while the signed-rank P of the changes lies in its window, otherwise its distance on a log scale."""
        low, high = self.within_p
        p = max(signed_rank_p(self.changes()), 1e-12)
        if low <= p < high:
            return 0.0
        return 2 * abs(log(p / (low if p < low else high))) + 1e-9

    def run(self, temperature):
        """The states once everything is as wanted, or None."""
        cooling = (FINAL / temperature) ** (1 / MOVES)
        now = self.moments_off() + (self.p_off() if self.aims_at_p else 0.0)
        for _ in range(MOVES):
            if now == 0:
                if self.aims_at_p or not self.within_p or self.p_off() == 0:
                    return self.states
                self.aims_at_p, now = True, self.p_off()
            temperature *= cooling
            self.move()
            # The worst that this move may lead to, and be kept: by chance a little worse than now.
            limit = now - self.price - temperature * log(1 - self.draws())
            then = self.moments_off()
            if self.aims_at_p and then <= limit:
                then += self.p_off()
            if then <= limit:
                now = then
            else:
                self.undo()
        return None
