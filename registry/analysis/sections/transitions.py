"""Transitions of a grade: how many went from each grade before to each after, by group, and whether grades shifted.

{"code": "ais", "title": {"en": "AIS, before to 6 months", "ja": "AISの推移（術前→6か月）"},
 "variable": "ais", "before": "preop", "after": "6m"}
"""

from dataclasses import dataclass

import numpy as np

from registry.analysis.design.errors import refusal
from registry.analysis.design.variables.sources import BINARY, NOMINAL, ORDINAL
from registry.analysis.results.transitions import Cell, Grade, Margin, Moved, Test, TransitionResult
from registry.analysis.sections import declared
from registry.analysis.sections.covariates import group_column
from registry.analysis.sections.estimable import NOT_ESTIMABLE, attempted
from registry.instruments.base import Label
from registry.stats.arrays import REASONS
from registry.stats.ordered.symmetry import bowker, marginal_homogeneity
from registry.stats.ordered.trend import jonckheere
from registry.stats.quality.change import transitions
from registry.stats.rank import mann_whitney

KIND = "transitions"
ALL = "all"


@dataclass(frozen=True)
class Transition(declared.Section):
    """A categorical variable at two visits of the same patients. matched: code of a propensity section."""

    code: str
    title: Label
    variable: str
    before: str
    after: str
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        if self.before == self.after:
            raise refusal(
                "{kind}: “before” and “after” are two visits; both are {visit}",
                "{kind}：beforeとafterには異なる時点を指定してください（どちらも{visit}）",
                kind=KIND,
                visit=self.before,
            )

    def check(self, names):
        names.get(self.variable, (ORDINAL, NOMINAL, BINARY))

    def variables(self):
        return ((self.variable, self.before), (self.variable, self.after))


def from_json(data):
    return declared.read(KIND, Transition, data)


def estimate(transition, patients):
    """TransitionResult of a Transition for Patients: a table for each group, and tests within and between groups."""
    patients = patients.of(transition.matched)
    before, after = both(transition, patients)
    grades = [code for code, _ in before.categories]
    moved, cells, margins, tests, changes = [], [], [], [], []
    for place, group in enumerate(patients.codes):
        rows = patients.members(place)
        moves = transitions(before.codes[rows], after.codes[rows], len(grades))
        reason = "" if moves.n else NOT_ESTIMABLE.format(REASONS["empty"])
        moved.append(Moved(group, moves.n, moves.missing, moves.up, moves.same, moves.down, reason))
        cells += [cell(group, grades, moves.table, *at) for at in np.ndindex(moves.table.shape)]
        totals = zip(grades, moves.table.sum(axis=1), moves.table.sum(axis=0), strict=True)
        margins += [Margin(group, str(grade), int(first), int(last)) for grade, first, last in totals]
        tests += [within(name, test, group, moves.table) for name, test in WITHIN.items()]
        changes.append((after.values - before.values)[rows])
    tests.append(between(patients, changes))
    return TransitionResult(
        KIND,
        transition.code,
        transition.title,
        transition.variable,
        transition.before,
        transition.after,
        transition.matched,
        [Grade(str(code), label) for code, label in before.categories],
        moved,
        cells,
        margins,
        tests,
    )


WITHIN = {"marginal_homogeneity": marginal_homogeneity, "bowker": bowker}


def both(transition, patients):
    before, after = (patients.column(transition.variable, visit) for visit in (transition.before, transition.after))
    if not before.categories:
        raise refusal(
            "{kind}: {variable} is a number; transitions are of a variable with categories: cut it in the plan",
            "{kind}：{variable}は数値です。カテゴリ変数を指定するか、計画で区切ってください。",
            kind=KIND,
            variable=transition.variable,
        )
    return before, after


def cell(group, grades, table, row, column):
    of, count = int(table[row].sum()), int(table[row, column])
    return Cell(group, str(grades[row]), str(grades[column]), count, 100 * count / of if of else None)


def within(name, test, group, table):
    def done():
        answer = test(table)
        return Test(name, group, answer.statistic, answer.df, answer.p, answer.n)

    return attempted(done, lambda why: Test(name, group, reason=why))


def between(patients, changes):
    """Whether groups moved by as many grades: Mann-Whitney's test of two groups, Jonckheere's of an order of more."""
    name = "mann_whitney" if len(changes) == 2 else "jonckheere"

    def done():
        answer = mann_whitney(*changes) if len(changes) == 2 else jonckheere(changes)
        return Test(
            name, "", answer.statistic, None, answer.p, int(sum(np.isfinite(change).sum() for change in changes))
        )

    if len(changes) < 2:
        return Test(name, "", reason=NOT_ESTIMABLE.format(REASONS["one_group"]))
    return attempted(done, lambda why: Test(name, "", reason=why))


def dataset(transition, patients):
    patients = patients.of(transition.matched)
    before, after = both(transition, patients)
    return {"group": group_column(patients), "before": before, "after": after}, {}
