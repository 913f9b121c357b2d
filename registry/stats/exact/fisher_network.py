"""Exact tail probability of an r x c table with fixed margins, met in the middle.

The columns of a table are independent multinomial draws, given that their rows add up. So a table is a walk: after each
column the state is the vector of row sums used so far, and the cost is minus the log probability of the columns. P asks
for the weight of all walks whose cost reaches that of the observed table.

The columns are split into two halves. Each half is enumerated by itself, column by column, joining walks of equal state
and cost. A walk whose cheapest completion already reaches the limit is cut: all its completions count, and their weight
is known without looking at them. What remains of the two halves is joined by binary search, state by state.

Costs are integers (log factorials rounded to 2^-36 or a little coarser), so equal costs meet exactly. A walk is one
64-bit code, state above cost: one sort of codes orders both.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np

FAR = np.int64(1) << 61  # a cost no walk reaches
PAIRS = 1 << 17  # transitions looked at together
TOGETHER = 64  # middle states handled together
WALKS = 1 << 16  # walks handled together: few enough to stay in the processor's cache
BYTES_A_WALK = 96  # in a layer, its making and its counterpart, measured
WALKS_A_SECOND = 20_000_000  # of a modest machine: what a limit in seconds stands for on every machine
SCANS_A_WALK = 4  # a state asked whether one way of filling a column leads to it, so many for the time of a walk
STEPS_A_WALK = 12  # a state's cheapest cost, reached by one way of filling a column, so many for the time of a walk
MOST_OBSERVATIONS = 4_000_000
FINEST, COARSEST = 36, 30  # binary digits of a cost after the point


class TooLarge(ValueError):
    """The table cannot be enumerated within the limits of time and memory."""


@dataclass(frozen=True)
class Column:
    """The ways to fill one column.

    cells   (m, k) counts in each row; every way that fits the row totals
    steps   (m,) what each adds to the number of a state
    costs   (m,) integer cost
    weight  (m,) probability
    """

    total: int
    cells: np.ndarray
    steps: np.ndarray
    costs: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Layer:
    """Where walks stand after some columns.

    codes   (w,) state << shift | cost, ascending
    mass    (w,) probability of the walks of that state and cost
    beyond  (w,) mass of this and of all costlier walks of the same state
    cut     (states,) mass of the walks that were cut
    used    total of the columns so far
    """

    codes: np.ndarray
    mass: np.ndarray
    beyond: np.ndarray
    cut: np.ndarray
    used: int


@dataclass(frozen=True)
class Passage:
    """Walks on their way through one column, for some target states.

    states, cut           (s,) the targets, ascending, and the mass that was cut on arrival
    target, way, source   (m,) one transition each, ordered by target
    begin, length         (m,) the walks of the source that stay below the bound: a stretch of the layer, never empty
    """

    states: np.ndarray
    cut: np.ndarray
    target: np.ndarray
    way: np.ndarray
    source: np.ndarray
    begin: np.ndarray
    length: np.ndarray

    def part(self, first: Any, last: Any) -> "Passage":
        """The same for the targets at these positions alone."""
        states = slice(first, last)
        moves = slice(*np.searchsorted(self.target, [self.states[first], self.states[last - 1] + 1]))
        each = (self.target, self.way, self.source, self.begin, self.length)
        return Passage(self.states[states], self.cut[states], *(values[moves] for values in each))


class Budget:
    """The limits on work and memory. Work is counted, not timed: a table is refused on every machine or on none.

    The unit is a walk taken through a column; what else is done counts as so many walks as it takes the time of.
    """

    def __init__(self, seconds: float, memory_mb: float) -> None:
        self.walks, self.bytes = seconds * WALKS_A_SECOND, memory_mb * 2**20

    def spend(self, walks: Any) -> None:
        self.walks -= walks
        if self.walks < 0:
            raise TooLarge("the time would not suffice")

    def check_memory(self, walks: Any) -> None:
        if walks * BYTES_A_WALK > self.bytes:
            raise TooLarge("the memory would not suffice")


def tail_probability(table: Any, tie: Any, seconds: float, memory_mb: float) -> float:
    """Probability of all tables with the margins of `table` whose log probability is at most its own plus `tie`.

    table    (k, c) counts, k <= c, without empty rows and columns
    seconds  of a modest machine, WALKS_A_SECOND: a limit on work, which does not depend on this machine
    Raises TooLarge.
    """
    budget = Budget(seconds, memory_mb)
    table = table[np.argsort(table.sum(axis=1), kind="stable")]
    refuse_hopeless(table.sum(axis=1), table.sum(axis=0), seconds, memory_mb)
    network = Network(table, tie, budget)
    return network.tail()


def refuse_hopeless(rows: Any, columns: np.ndarray, seconds: float, memory_mb: float) -> None:
    """Raise TooLarge where looking at each state once per filled column would already take too long."""
    states = prod(int(r) + 1 for r in rows[:-1])
    ways = [prod(min(int(c), int(r)) + 1 for r in rows[:-1]) for c in columns]
    if rows.sum() > MOST_OBSERVATIONS:
        raise TooLarge("costs of so many observations do not fit 64 bits")
    if states > 1 << 22 or max(ways) > 1 << 22 or states * sum(ways) > seconds * 1e8 or states * 64 > memory_mb * 2**20:
        raise TooLarge("the table has too many states")


class Network:
    def __init__(self, table: Any, tie: Any, budget: Any) -> None:
        self.budget = budget
        self.rows, self.n = table.sum(axis=1), int(table.sum())
        self.shape = tuple(int(r) + 1 for r in self.rows[:-1])
        self.states = prod(self.shape)
        self.radix = np.array([prod(self.shape[i + 1 :]) for i in range(len(self.shape))], np.int64)
        self.position = np.stack(np.unravel_index(np.arange(self.states), self.shape), axis=1)
        self.log_factorial = log_factorial_table(self.n)
        self.log_share = np.log(self.rows / self.n)
        self.scale_costs(table, tie)
        self.columns = {int(c): self.column(int(c)) for c in table.sum(axis=0)}
        self.totals = [int(c) for c in table.sum(axis=0)]

    def scale_costs(self, table: Any, tie: Any) -> None:
        """Choose the digits of a cost so that state and cost fit one code, and set the limit."""
        cost = -(self.log_multinomial(table) + (table.T @ self.log_share).sum())
        room = 62 - self.states.bit_length() - max(0, int(cost) + 1).bit_length()
        digits = min(FINEST, room)
        if digits < COARSEST:
            raise TooLarge("costs of this many states do not fit one code")
        self.unit = 2.0**digits
        self.shift = np.int64(max(0, int(cost) + 1).bit_length() + digits)
        self.below = (np.int64(1) << self.shift) - 1
        self.int_factorial = np.rint(self.log_factorial * self.unit).astype(np.int64)
        self.int_share = np.rint(self.log_share * self.unit).astype(np.int64)
        self.log_share = (
            self.int_share / self.unit
        )  # any shares will do; those that were rounded are the consistent ones
        self.limit = int(sum(self.integer_costs(column[None])[0] for column in table.T)) - int(tie * self.unit)

    def log_multinomial(self, table: Any) -> Any:
        return self.log_factorial[table.sum(axis=0)].sum() - self.log_factorial[table].sum()

    def integer_costs(self, cells: Any) -> Any:
        """(m,) costs of (m, k) columns."""
        spread = self.int_factorial[cells].sum(axis=1) - self.int_factorial[cells.sum(axis=1)]
        return spread - cells @ self.int_share

    def column(self, total: Any) -> Column:
        cells = compositions(total, self.rows)
        costs = self.integer_costs(cells)
        return Column(total, cells, cells[:, :-1] @ self.radix, costs, np.exp(-costs / self.unit))

    def tail(self) -> float:
        """P: the joined weight of both halves, over the weight of all tables."""
        left, right = self.split()
        best_left, best_right = self.cheapest(left, self.start()), self.cheapest(right, self.start())
        if (best_left[-1] + best_right[-1][self.mirror()]).min() >= self.limit:
            return 1.0  # the observed table is the most probable one
        bounds_left, bounds_right = self.bounds(left, best_right[-1]), self.bounds(right, best_left[-1])
        a, b = self.enumerate(left[:-1], bounds_left), self.enumerate(right[:-1], bounds_right)
        weight = self.join(a, self.columns[left[-1]], bounds_left[-1], b, self.columns[right[-1]], bounds_right[-1])
        return float(min(1.0, weight / np.exp(self.log_weight_of_all())))

    def log_weight_of_all(self) -> Any:
        return self.log_factorial[self.n] - self.log_factorial[self.rows].sum() + self.rows @ self.log_share

    def split(self) -> tuple[list[int], list[int]]:
        """Two lists of column totals, each ascending: the smaller columns, and the larger ones with as many fillings.

        Of the splits tried on the study's tables this one makes the fewest walks: many small columns share their states
        and costs, and the large ones come last, when no walk needs to be stored any more.
        """
        totals = sorted(self.totals)
        fillings = np.cumsum([log(len(self.columns[total].cells)) for total in totals])
        middle = 1 + int(np.argmin(np.abs(2 * fillings[:-1] - fillings[-1])))
        return totals[:middle], totals[middle:]

    def start(self) -> Any:
        """Costs of the walks that have not begun: zero at the origin."""
        costs = np.full(self.shape, FAR)
        costs.flat[0] = 0
        return costs

    def cheapest(self, totals: Any, costs: Any) -> list:
        """Cheapest cost of reaching each state, after each further column: a list, one (states,) array a column."""
        bounds = []
        for total in totals:
            column, reached = self.columns[total], np.full(self.shape, FAR)
            self.budget.spend(len(column.cells) * self.states / STEPS_A_WALK)
            for cells, cost in zip(column.cells[:, :-1].tolist(), column.costs.tolist(), strict=True):
                to = tuple(slice(x, None) for x in cells)
                source = tuple(slice(None, size - x) for x, size in zip(cells, self.shape, strict=True))
                np.minimum(reached[to], costs[source] + cost, out=reached[to])
            costs = np.minimum(reached, FAR)
            bounds.append(costs.ravel())
        return bounds

    def bounds(self, totals: Any, best_of_other_half: Any) -> list:
        """For each column: the cost in each state from which every completion counts."""
        completions = [best_of_other_half, *self.cheapest(totals[:0:-1], best_of_other_half.reshape(self.shape))]
        return [self.limit - best[self.mirror()] for best in completions[::-1]]

    def mirror(self) -> np.ndarray:
        """For each state the state that completes it."""
        return np.arange(self.states)[::-1]

    def enumerate(self, totals: Any, bounds: Any) -> Layer:
        """The layer after these columns."""
        layer = Layer(np.zeros(1, np.int64), np.ones(1), np.ones(1), np.zeros(self.states), 0)
        for total, bound in zip(totals, bounds, strict=False):
            column, targets = self.columns[total], self.reachable(layer.used + total)
            self.forecast(layer, column, bound, targets)
            layer = self.grow(layer, column, bound, targets)
        return layer

    def reachable(self, used: Any) -> Any:
        """States that hold so many observations: the last row takes what the others leave."""
        last = used - self.position.sum(axis=1)
        return np.flatnonzero((last >= 0) & (last <= self.rows[-1]))

    def grow(self, layer: Any, column: Any, bound: Any, targets: Any) -> Layer:
        """The next layer, in these states alone."""
        cut, codes, masses, walks = np.zeros(self.states), [], [], 0
        for passage in self.passages(layer, column, bound, targets):
            cut[passage.states] = passage.cut
            walk = ragged(passage.begin, passage.length)
            gain = (column.steps[passage.way] << self.shift) + column.costs[passage.way]
            arrived = layer.codes[walk] + np.repeat(gain, passage.length)
            order = np.argsort(arrived)
            arrived = arrived[order]
            first = np.flatnonzero(np.diff(arrived, prepend=-1))
            mass = layer.mass[walk] * np.repeat(column.weight[passage.way], passage.length)
            codes.append(arrived[first])
            masses.append(np.add.reduceat(mass[order], first))
            walks += first.size
            self.budget.check_memory(walks)
        joined = np.concatenate(codes or [np.zeros(0, np.int64)])
        mass = np.concatenate(masses or [np.zeros(0)])
        return Layer(joined, mass, self.beyond(joined, mass), cut, layer.used + column.total)

    def beyond(self, codes: Any, mass: Any) -> Any:
        """Sums from the far end within each state, small to large, so that small tails keep their digits."""
        total = np.empty_like(mass)
        edges = np.flatnonzero(np.diff(codes >> self.shift)) + 1
        for start, end in zip([0, *edges.tolist()], [*edges.tolist(), mass.size], strict=True):
            np.cumsum(mass[start:end][::-1], out=total[start:end][::-1])
        return total

    def passages(self, layer: Any, column: Any, bound: Any, targets: Any) -> Iterator[Passage]:
        """How the walks of a layer pass through a column into the target states, in parts that fit the cache."""
        for whole in self.crossings(layer, column, bound, targets):
            for first, last in portions(np.searchsorted(whole.states, whole.target), whole.length, whole.states.size):
                yield whole.part(first, last)

    def forecast(self, layer: Any, column: Any, bound: Any, targets: Any) -> None:
        """Count the walks that `passages` will hold. Raises TooLarge if they are too many to walk."""
        for crossing in self.crossings(layer, column, bound, targets):
            scanned = 2 * crossing.states.size * column.steps.size  # here, and again by `passages`
            self.budget.spend(int(crossing.length.sum()) + scanned / SCANS_A_WALK)

    def crossings(self, layer: Any, column: Any, bound: Any, targets: Any) -> Iterator[Passage]:
        """The same in larger parts, before anything is walked."""
        edges = np.searchsorted(layer.codes, np.arange(self.states + 1) << self.shift)
        beyond = np.append(layer.beyond, 0.0)
        step = max(1, PAIRS // column.steps.size)
        for start in range(0, targets.size, step):
            states = targets[start : start + step]
            to, way = self.transitions(states, column)
            source = states[to] - column.steps[way]
            allowed = np.clip(bound[states[to]] - column.costs[way], 0, self.below)
            begin, end = edges[source], edges[source + 1]
            stop = np.searchsorted(layer.codes, (source << self.shift) + allowed)
            lost = np.where(stop < end, beyond[stop], 0.0) + layer.cut[source]
            cut = np.bincount(to, lost * column.weight[way], states.size)
            walked = stop > begin
            to, way, source, begin = to[walked], way[walked], source[walked], begin[walked]
            yield Passage(states, cut, states[to], way, source, begin, stop[walked] - begin)

    def transitions(self, targets: Any, column: Any) -> tuple[np.ndarray, ...]:
        """Pairs (target, way to fill the column) whose source is a state, ordered by target."""
        fits = np.ones((targets.size, column.steps.size), bool)
        for row, cells in zip(self.position[targets].T, column.cells.T, strict=False):
            fits &= row[:, None] >= cells
        return np.nonzero(fits)

    def join(self, a: Any, column_a: Any, bound_a: Any, b: Any, column_b: Any, bound_b: Any) -> float:
        """Weight of the pairs of half walks that meet in a state and together reach the limit.

        The last layers of both halves would be by far the largest; they are made a few states at a time, never stored.
        """
        mirror = self.mirror()
        middle = self.reachable(a.used + column_a.total)
        self.forecast(a, column_a, bound_a, middle)
        self.forecast(b, column_b, bound_b, mirror[middle][::-1])
        weight_b = self.weight_of_state(b.used + column_b.total)[mirror]
        weight = 0.0
        for states in np.array_split(middle, -(-middle.size // TOGETHER)):
            met = self.grow(a, column_a, bound_a, states)
            weight += float(met.cut[states] @ weight_b[states])
            weight += self.meet(met, states, b, column_b, bound_b)
        return weight

    def meet(self, met: Any, states: Any, layer: Any, column: Any, bound: Any) -> float:
        """The part of `join` for walks of the first half that were not cut, in some middle states."""
        # A last entry for each state, costlier than the limit and without mass, ends every search in its state.
        ends = (states << self.shift) + self.below
        places = np.searchsorted(met.codes, ends)
        codes, beyond = np.insert(met.codes, places, ends), np.insert(met.beyond, places, 0.0)
        whole = beyond[np.searchsorted(codes, states << self.shift)]
        weight = 0.0
        for passage in self.passages(layer, column, bound, self.states - 1 - states[::-1]):
            reached = self.states - 1 - passage.states
            weight += float(passage.cut @ whole[np.searchsorted(states, reached)])
            if passage.length.size == 0:
                continue
            walk = ragged(passage.begin, passage.length)
            # The least code in the other half that brings the two costs to the limit.
            constant = (self.states - 1 - passage.target + passage.source << self.shift) + self.limit
            wanted = np.repeat(constant - column.costs[passage.way], passage.length) - layer.codes[walk]
            joined = layer.mass[walk] * beyond[np.searchsorted(codes, wanted)]
            starts = np.cumsum(passage.length) - passage.length
            weight += float(np.add.reduceat(joined, starts) @ column.weight[passage.way])
        return weight

    def weight_of_state(self, used: Any) -> np.ndarray:
        """(states,) weight of all walks that reach each state with columns of this total."""
        last = used - self.position.sum(axis=1)
        valid = (last >= 0) & (last <= self.rows[-1])
        cells = np.column_stack([self.position, np.where(valid, last, 0)])
        log_weight = self.log_factorial[used] - self.log_factorial[cells].sum(axis=1) + cells @ self.log_share
        return np.exp(np.where(valid, log_weight, -np.inf))


def portions(to: Any, length: Any, targets: Any) -> Any:
    """Ranges of targets that receive about WALKS walks each. to (m,) ascending targets, length (m,) walks."""
    received = np.cumsum(np.bincount(to, length, targets))
    ends = np.searchsorted(received, np.arange(WALKS, received[-1], WALKS)) + 1
    edges = np.unique(np.concatenate([[0], ends, [targets]]).astype(int)).tolist()
    return itertools.pairwise(edges)


def compositions(total: Any, most: Any) -> np.ndarray:
    """All ways to write total as a sum of k parts, part i from 0 to most[i]: (m, k)."""
    axes = [np.arange(min(total, int(m)) + 1) for m in most[:-1]]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    last = total - grid.sum(axis=1)
    fits = (last >= 0) & (last <= most[-1])
    return np.column_stack([grid, last])[fits].astype(np.int64)


def log_factorial_table(n: Any) -> Any:
    from scipy.special import gammaln

    return gammaln(np.arange(n + 1) + 1.0)


def ragged(begin: Any, length: Any) -> np.ndarray:
    """Indices begin[0], begin[0] + 1, …, length[0] of them, then those from begin[1], …"""
    ends = np.cumsum(length)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(begin - ends + length, length)
