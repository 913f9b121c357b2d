"""Further counts hidden, so that no small one follows from a sum and the rest of it (complementary suppression).

A relation is the cells of which one follows from the others: a sum and its parts, or two copies of a count. Where
exactly one cell of a relation is hidden, the smallest other one is hidden too, again and again until none is left so.
"""

from itertools import pairwise

from registry.analysis.small_cells import Few
from registry.instruments import sins

# The counts of a row that add up to its n.
WHOLES = (("improve", "no_change", "worsen"), ("better", "same", "worse"))


class Cell:
    """One count of a result in its place: `part[name]`."""

    def __init__(self, part, name):
        self.part, self.name = part, name

    @property
    def value(self):
        return self.part[self.name]

    @property
    def hidden(self):
        return _is_few(self.value)

    def hide(self, threshold):
        self.part[self.name] = Few(self.value, threshold)


def complement(result, threshold):
    """Hide in place what a hidden count of this result, whose small counts are a `Few`, would follow from."""
    found = [*_of_cohort(result["cohort"]), *_of_pairs(result, threshold)]
    for name, part in result.items():
        if name not in ("cohort", "method"):
            found += _of_rows(part)
    close(found, threshold)


def close(relations, threshold):
    """Hide cells until no relation has exactly one hidden cell and another one to hide. A zero is nobody's."""
    pending = True
    while pending:
        pending = False
        for relation in relations:
            if sum(cell.hidden for cell in relation) == 1:
                others = [cell for cell in relation if cell.value and not cell.hidden]
                if others:
                    min(others, key=lambda cell: cell.value).hide(threshold)
                    pending = True


def _of_cohort(cohort):
    """The flow, of all sites and of each. Groups are never hidden for another, as every table tells their size; nor is
    the number analysed, then, unless a group is hidden itself."""
    flow, rows, few = cohort["flow"], cohort.get("by_site", ()), [n for n in cohort["groups"].values() if _is_few(n)]
    analysed = [Cell(flow[-1], "n")] if few or _is_few(cohort["in_no_group"]) else []
    if analysed:
        yield [*analysed, Cell(cohort, "n")]
    if analysed and len(few) < 2:
        yield [*_cells(few), Cell(cohort, "in_no_group"), Cell(cohort, "n")]
    for before, after in pairwise(flow):
        left = analysed if after is flow[-1] else [Cell(after, "n")]
        yield [Cell(before, "n"), Cell(after, "excluded"), *left]
    for row in rows:
        yield [Cell(row, "enrolled"), *_cells(row["excluded"]), Cell(row, "analysed")]
    if rows:
        yield [Cell(flow[0], "n"), *(Cell(row, "enrolled") for row in rows)]
        for place, step in enumerate(flow[1:]):
            yield [Cell(step, "excluded"), *(Cell(row["excluded"], place) for row in rows)]
        yield [*analysed, *(Cell(row, "analysed") for row in rows)]


def _is_few(count):
    return isinstance(count, Few)


def _cells(part):
    return [Cell(part, name) for name in (part if isinstance(part, dict) else range(len(part)))]


def _of_pairs(result, threshold):
    """Complete pairs of a group, whose size tells how many have none."""
    tables = [result["recovery"], *(one["recovery"] for one in result.get("sensitivity", ()))]
    for row in (row for table in tables for row in table):
        without = result["cohort"]["groups"][row["group"]] - row["pairs"]
        if 0 < without < threshold:
            yield [Cell([Few(without, threshold)], 0), Cell(row, "pairs")]


def _of_rows(part):
    """Relations inside every row of a table, however deep it stands."""
    if isinstance(part, dict):
        yield from _of_row(part)
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _of_rows(inner)


def _of_row(row):
    if not isinstance(row.get("n"), int):
        return
    n = Cell(row, "n")
    if "missing" in row:  # together the size of the group
        yield [n, Cell(row, "missing")]
    if row.get("at_risk_at_ticks"):
        yield [n, Cell(row["at_risk_at_ticks"], 0)]
    for names in WHOLES:
        if all(name in row for name in names):
            yield [n, *(Cell(row, name) for name in names)]
    for name in ("counts", "classes"):
        if isinstance(row.get(name), dict):
            yield from _of_counts(row, row[name])
    if "any_problem" in row:
        yield [n, Cell(row["counts"], "1"), Cell(row, "any_problem")]
    if {"counts", "classes"} <= row.keys():  # SINS: a class is the sum of its scores
        first = 0
        for last, choice in sins.STABILITY:
            scores = [Cell(row["counts"], str(score)) for score in range(first, last + 1)]
            yield [Cell(row["classes"], choice.code), *scores]
            first = last + 1


def _of_counts(row, counts):
    """Categories add up to the patients known; levels of lesions to all involved."""
    cells = _cells(counts)
    total = sum(cell.value for cell in cells)
    yield [*cells, *(Cell(row, name) for name in ("n", "involved") if row.get(name) == total)]
