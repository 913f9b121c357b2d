"""Further counts hidden, so that no small one follows from a sum and the rest of it (complementary suppression).

A relation is a whole and its parts. Where it leaves a hidden count one value alone, the smallest cell of it that is
shown is hidden too, again and again until no relation does. Several relations together are not looked at.
"""

from itertools import pairwise

from registry.analysis.disclosure import curves, of_sections
from registry.analysis.disclosure.relations import Cell, Relation, cells, if_whole, is_few
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.reports.lesion_report import ALL
from registry.analysis.results.reports import DimensionLevels, SinsByProcedure
from registry.analysis.results.written import rows_in
from registry.instruments.core import sins

# The counts of a row that add up to its n.
WHOLES = (("improve", "no_change", "worsen"), ("better", "same", "worse"))


def complement(result, threshold):
    """Hide in place what a hidden count of this result, whose small counts are a `Few`, would follow from."""
    hidden = [
        *_of_cohort(result.cohort),
        *_of_pairs(result, threshold),
        *_of_procedures(result),
        *_of_levels(result),
    ]
    for name, part in result.parts().items():
        if name not in ("cohort", "method"):
            for row in rows_in(part):
                hidden += _of_row(row)
    hidden += of_sections.relations(result, threshold)
    hidden += curves.relations(result, threshold)
    close(hidden, threshold)
    of_sections.hide_shares(result, threshold)
    curves.hide_curves(result, threshold)
    curves.hide_distributions(result)


def close(relations, threshold):
    """Hide cells until no Relation tells a hidden one, or has none left to hide. A zero is nobody's."""
    pending = True
    while pending:
        pending = False
        for relation in relations:
            others = [cell for cell in relation.cells if cell.value and not cell.hidden]
            if others and relation.tells:
                min(others, key=lambda cell: cell.value).hide(threshold)
                pending = True


def _of_cohort(cohort):
    """The flow, of all sites and of each. Groups are never hidden for another, as every table tells their size; nor is
    the number analysed, then, unless a group is hidden itself."""
    flow, rows = cohort.flow, cohort.by_site or ()
    few = [n for n in cohort.groups.values() if is_few(n)]
    analysed = [Cell(flow[-1], "n")] if few or is_few(cohort.in_no_group) else []
    if analysed:
        yield Relation(analysed, Cell(cohort, "n"))
    if analysed and len(few) < 2:
        yield Relation([*cells(few), Cell(cohort, "in_no_group")], Cell(cohort, "n"))
    for before, after in pairwise(flow):
        left = analysed if after is flow[-1] else [Cell(after, "n")]
        yield Relation([Cell(after, "excluded"), *left], Cell(before, "n"))
    yield from _of_screening(flow[0])
    for row in rows:
        yield Relation([*cells(row.excluded), Cell(row, "analysed")], Cell(row, "enrolled"))
    if rows:
        yield Relation([Cell(row, "enrolled") for row in rows], Cell(flow[0], "n"))
        for place, step in enumerate(flow[1:]):
            yield Relation([Cell(row.excluded, place) for row in rows], Cell(step, "excluded"))
        yield Relation([Cell(row, "analysed") for row in rows], *analysed)


def _of_screening(enrolled):
    """The steps before enrolment: who is left after each, and who left for which reason."""
    steps = enrolled.screening or []
    for before, after in pairwise(steps):
        left = Cell(enrolled if after is steps[-1] else after, "n")
        yield Relation([Cell(after, "excluded"), left], Cell(before, "n"))
        yield Relation(cells(after.why), Cell(after, "excluded"))


def _of_pairs(result, threshold):
    """Complete pairs of a group, whose size tells how many have none."""
    tables = [result.recovery, *(part.recovery for part in result.sensitivity)]
    for row in (row for table in tables for row in table):
        without = result.cohort.groups[row.group] - row.pairs
        if 0 < without < threshold:
            yield Relation([Cell([Few(without, threshold)], 0), Cell(row, "pairs")])


def _of_procedures(result):
    """Table 3 across: the procedures of a group and all its patients, where every procedure is known."""
    rows = result.sins_by_procedure.rows if result.sins_by_procedure else ()
    for whole in (row for row in rows if row.procedure == ALL):
        parts = [row for row in rows if row.group == whole.group and row is not whole]
        for name in ("n", "missing"):
            yield from if_whole([Cell(row, name) for row in parts], Cell(whole, name))
        for name in ("counts", "classes"):
            for code in getattr(whole, name):
                of_code = [Cell(getattr(row, name), code) for row in parts]
                yield from if_whole(of_code, Cell(getattr(whole, name), code))


def _of_levels(result):
    """What the EQ-5D report counts once more is told there as it is told in the table of the dimensions."""
    table = {
        (row.variable, row.timepoint, group): cell for row in result.eq5d_domains for group, cell in row.groups.items()
    }
    for row in result.eq5d_report.levels if result.eq5d_report else ():
        total = table.get((row.dimension, row.timepoint, row.group))
        if total and (total.n, total.counts) == (row.n, row.counts):
            yield Relation([Cell(total, "n")], Cell(row, "n"))
            for code in total.counts:
                yield Relation([Cell(total.counts, code)], Cell(row.counts, code))


def _of_row(row):
    """Relations inside a row."""
    if not isinstance(getattr(row, "n", None), int):
        return
    n = Cell(row, "n")
    if row.holds("missing"):  # together the size of the group
        yield Relation([n, Cell(row, "missing")])
    if getattr(row, "at_risk_at_ticks", None):
        yield Relation([Cell(row.at_risk_at_ticks, 0)], n)
    for names in WHOLES:
        if all(row.holds(name) for name in names):
            yield Relation([Cell(row, name) for name in names], n)
    for name in ("counts", "classes"):
        if isinstance(getattr(row, name, None), dict):
            yield from _of_counts(row, getattr(row, name))
    if isinstance(row, DimensionLevels):
        yield Relation([Cell(row.counts, "1"), Cell(row, "any_problem")], n)
    if isinstance(row, SinsByProcedure):
        yield from _of_classes(row)


def _of_classes(row):
    """SINS: a class is the sum of its scores."""
    first = 0
    for last, choice in sins.STABILITY:
        scores = [Cell(row.counts, str(score)) for score in range(first, last + 1)]
        yield Relation(scores, Cell(row.classes, choice.code))
        first = last + 1


def _of_counts(row, counts):
    """Categories add up to the patients known; levels of lesions to all involved."""
    for name in ("n", "involved"):
        if row.holds(name):
            yield from if_whole(cells(counts), Cell(row, name))
