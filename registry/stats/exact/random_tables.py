"""Random tables of counts with given margins, as Fisher's test draws them where it cannot enumerate.

Tables with many observations everywhere are drawn whole, from a normal distribution that is a little too wide, and
kept in proportion to their probability; others cell by cell. Both draw from the exact distribution. Whole tables take
a fourth of the time: the hypergeometric numbers that a table drawn cell by cell needs are dear.
"""

from math import sqrt
from typing import Any

import numpy as np

MANY = 5_000  # observations expected in every cell, from where on tables are drawn whole
SPREAD = 1.04  # of the normal distribution, against that of the tables
ROOM = 0.06  # by which the wide normal density is raised above that of the tables, on a logarithmic scale
# Cells drawn at a time; what is drawn follows from them.
WHOLE = 1 << 17  # of whole tables
DRAWN = 1 << 20  # one by one


def log_factorial_sums(generator: Any, rows: Any, columns: np.ndarray, size: Any) -> Any:
    """(size,) sums of log x! over the cells of random tables with these margins, in independent draws.

    generator  a numpy Generator
    rows, columns  (r,), (c,) positive whole numbers of one sum
    R: r2dtable(size, rows, columns)
    """
    expected = np.outer(rows, columns) / rows.sum()
    if expected.min() >= MANY:
        return _whole_tables(generator, rows, columns, expected, size)
    step = max(1, DRAWN // expected.size)
    chunks = [_cell_by_cell(generator, rows, columns, min(step, size - done)) for done in range(0, size, step)]
    return np.concatenate(chunks)


def _whole_tables(generator: Any, rows: Any, columns: np.ndarray, expected: Any, size: Any) -> Any:
    """Rejection from a normal distribution with the tables' mean and 1.04 times their standard deviations.

    A table is the rounded normal vector, so its probability is a density that is constant around each table. In the
    middle it lies below the normal one by ROOM, which is for the rounding. z standard deviations away the wider normal
    density has gained 0.04 z², and the tables by their skewness at most z³ / (6 sqrt(MANY)): less, up to z = 15.
    The covariance of two cells of n observations, with shares p of rows and q of columns, is that of two independent
    samples: n² / (n - 1) (δ_ik p_i - p_i p_k) (δ_jl q_j - q_j q_l).
    """
    n = float(rows.sum())
    mixing = SPREAD * n / sqrt(n - 1) * np.kron(_root(rows / n), _root(columns / n))
    centre = log_factorials(expected).sum() - ROOM
    step = WHOLE // expected.size
    tables, left = [], size
    while left > 0:
        normal = generator.standard_normal((len(mixing), step))
        total = _completed(expected, rows, columns, _mixed(mixing, normal))
        density = centre - total + np.einsum("ij,ij->j", normal, normal) / 2
        tables.append(total[density > -generator.standard_exponential(step)][:left])
        left -= tables[-1].size
    return np.concatenate(tables)


def _root(shares: Any) -> np.ndarray:
    """Lower triangular root of the covariance of shares that add up to one, without the last."""
    free = shares[:-1]
    return np.linalg.cholesky(np.diag(free) - np.outer(free, free))


def _mixed(mixing: Any, normal: Any) -> Any:
    """mixing @ normal, in this thread alone: a BLAS would wake others for it."""
    mixed = np.empty_like(normal)
    for place, weights in enumerate(mixing):
        np.multiply(normal[0], weights[0], out=mixed[place])
        for weight, normals in zip(weights[1:], normal[1:], strict=True):
            if weight:
                mixed[place] += weight * normals
    return mixed


def _completed(expected: Any, rows: Any, columns: np.ndarray, away: Any) -> Any:
    """(m,) sums of log x! of tables whose free cells lie so far `away` from what is expected ((r - 1) (c - 1), m)."""
    total = np.zeros(away.shape[1])
    last_row = np.repeat(columns[:, None], total.size, axis=1)
    for row, wanted, distances in zip(expected[:-1], rows, np.split(away, len(rows) - 1), strict=False):
        last = np.full(total.size, wanted)
        for column, (mean, distance) in enumerate(zip(row, distances, strict=False)):
            cell = np.rint(distance + mean).astype(np.int64)
            last -= cell
            last_row[column] -= cell
            total += log_factorials(cell)
        last_row[-1] -= last
        total += log_factorials(last)
    for cell in last_row:
        total += log_factorials(cell)
    return total


def _cell_by_cell(generator: Any, rows: Any, columns: np.ndarray, size: Any) -> Any:
    """Cells are drawn one by one, each hypergeometric given the cells before it, for all tables at once."""
    total = np.zeros(size)
    left = np.repeat(rows[:, None], size, axis=1)  # of each row, not yet placed in a column
    for wanted in columns[:-1]:
        need = np.full(size, wanted)
        others = left.sum(axis=0)
        for row in left[:-1]:
            others -= row
            cell = generator.hypergeometric(row, others, need)
            row -= cell
            need -= cell
            total += log_factorials(cell)
        left[-1] -= need
        total += log_factorials(need)
    return total + log_factorials(left).sum(axis=0)


def log_factorials(x: Any) -> Any:
    """log x! of numbers >= 0, an array of any shape; those of many whole numbers near each other are looked up."""
    from scipy.special import gammaln

    if x.dtype.kind == "f" or x.size == 0 or (high := x.max()) - (low := x.min()) >= x.size:
        return gammaln(x + 1.0)
    return gammaln(np.arange(low, high + 1) + 1.0)[x - low]
