"""One runner that turns a plan, a cohort and a frame into results, row by row.

The rows' names and fields (`registry.analysis.results`) are a contract with whoever reads the JSON. A statistic that
the data do not determine is None, and `reason` says why; it never keeps another row from being computed.
"""

import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from functools import cached_property, partial
from itertools import combinations
from threading import Lock

import numpy as np
from django.conf import settings

from registry.analysis.data import frame as frames
from registry.analysis.data import packed_snapshots
from registry.analysis.data.coded_columns import coded, differences, joint_counts
from registry.analysis.design import cohorts, methods, plans, saved_plans, sections
from registry.analysis.design.variables import columns
from registry.analysis.reports.eq5d_report import eq5d_report
from registry.analysis.reports.figure_numbers import figures
from registry.analysis.reports.lesion_report import lesion_levels, sins_by_procedure
from registry.analysis.reports.survival_report import survival
from registry.analysis.results import tables
from registry.analysis.results.result import Analysed, Method, Result
from registry.analysis.results.statistics import Counted, Described, Pairwise, Sampled, Second, Tested
from registry.analysis.running.versions import software
from registry.instruments import catalogue, timepoints, value_sets, variables
from registry.stats.adjust import adjust
from registry.stats.arrays import REASONS, Counts, NotEstimable
from registry.stats.describe import describe

REPORTS = {  # each a key of the result
    "figures": figures,
    "survival": survival,
    "eq5d_report": eq5d_report,
    "lesion_levels": lesion_levels,
    "sins_by_procedure": sins_by_procedure,
}
if tuple(REPORTS) != plans.REPORTS:
    raise RuntimeError("the reports that a plan may name are not those of the runner")
MOST_THREADS = 4  # of one run; other runs want processors too
NOT_ESTIMABLE = "not estimable because {}"
MOST_KEPT, BYTES_A_PATIENT = 60_000_000, 12  # bytes of columns that a run keeps; and of one column


def run(plan, cohort, frame, on_progress=lambda share, stage: None):
    """The result of a plan for a cohort of a frame: a dict of plain numbers, texts, lists and dicts, ready for JSON.

    on_progress  called with a share from 0 to 1 and the name of a stage; may raise to stop
    """
    return _results(_data(plan, frame, cohorts.select(cohort, frame, plan.rule)), on_progress).to_json()


def _results(data, on_progress):
    plan = data.plan
    rows = {
        "characteristics": _characteristics(data),
        "recovery": _recovery(data),
        "adverse_events": _adverse_events(data),
        "between_groups": _between_groups(data),
        "eq5d_domains": _domains(data),
    }
    if len(plan.value_sets) > 1:
        rows["sensitivity"] = _sensitivity(data)
    chosen = [name for name in REPORTS if name in plan.reports]
    stages = len(rows) + len(chosen) + len(plan.sections)
    with _at_once() as submit:
        pending = {name: [submit(row) for row in table] for name, table in rows.items()}
        reports = {name: submit(partial(REPORTS[name], data)) for name in chosen}
        entries = {code: [submit(entry) for entry in _entries(data, code)] for code, _ in plan.sections}
        result = Result(_cohort(data), _method(data))
        for place, name in enumerate(rows):
            table = []
            for row in pending[name]:
                on_progress(place / stages, name)
                table.append(row.result())
            setattr(result, name, table)
        for place, name in enumerate(chosen, len(rows)):
            on_progress(place / stages, name)
            setattr(result, name, reports[name].result())
        for place, name in enumerate(entries, len(rows) + len(chosen)):
            on_progress(place / stages, name)
            setattr(result, name, [entry.result() for entry in entries[name]])
    return result


def _entries(data, code):
    """A kind of section's entries, still to be computed."""
    return [partial(sections.SECTIONS[code].compute, data, entry) for entry in data.plan.entries(code)]


@contextmanager
def _at_once():
    """`submit`, which has rows computed in threads: drawing tables, sorting and counting let each other run.

    Whatever goes wrong, nothing more is begun. Threads ask no database what the protocol and its schedule are.
    """
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_THREADS))
    with catalogue.held(), timepoints.held(), pool:
        try:
            yield lambda row: pool.submit(copy_context().run, row)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def compare(plan, cohort, on_progress=lambda share, stage: None, snapshot=None):
    """Read every patient in scope and `run`: what the command, the task and whoever else wants a result call.

    snapshot  a Snapshot; None for the registry as it is
    """
    return _compared(plan, cohort, on_progress, snapshot)[0].to_json()


def compare_and_tell(plan, cohort, on_progress=lambda share, stage: None, snapshot=None):
    """The result of `compare`, and the IDs of the patients analysed, ascending."""
    result, keys = _compared(plan, cohort, on_progress, snapshot, keep_key=True)
    patients = packed_snapshots.patient_ids(snapshot, keys)
    _place_pairs(result, keys, patients)
    return result.to_json(), patients


def _place_pairs(result, keys, patients):
    """Matched pairs as places in the list of patients: a result names nobody, and the run knows who they are."""
    if not result.propensity:
        return
    places = {frames.key_of(patient): place for place, patient in enumerate(patients)}
    for entry in result.propensity:
        entry.pairs = [[places[int(keys[member])] for member in pair] for pair in entry.pairs]


def _compared(plan, cohort, on_progress, snapshot, keep_key=False):
    """The result, and the keys of the patients analysed where they are wanted."""
    on_progress(0.0, "reading")
    needed = timepoints_needed(plan, cohort)
    frame = packed_snapshots.read(snapshot, needed, lambda count: on_progress(0.05, "reading"), keep_key)
    selection = cohorts.select(cohort, frame, plan.rule)
    keys = frame["key"] if keep_key else None
    data = _data(plan, frame, selection, moving=True)
    if keep_key:  # of those in a group, as the data stand, then of the others
        grouped = data.frame["key"]
        keys = np.append(grouped, np.setdiff1d(keys[selection.chosen], grouped))
    result = _results(data, lambda share, stage: on_progress(0.3 + 0.7 * share, stage))
    result.method.locked_plan = saved_plans.standing(plan, cohort, snapshot)
    result.method.frozen = None if snapshot is None else {"label": snapshot.label, "hash": snapshot.hash}
    return result, keys


def timepoints_needed(plan, cohort):
    """What `frame.read` must read for a plan and a cohort."""
    return tuple(dict.fromkeys((*plan.timepoints, *plan.items_needed, *cohorts.timepoints_needed(cohort))))


class _Recent:
    """The columns made last: all of a study's, the last ones of a million patients, whose sum would not fit."""

    def __init__(self, most):
        self.most, self.columns, self.lock = most, OrderedDict(), Lock()

    def get(self, asked):
        with self.lock:
            if asked in self.columns:
                self.columns.move_to_end(asked)
            return self.columns.get(asked)

    def keep(self, asked, made):
        with self.lock:
            self.columns[asked] = made
            while len(self.columns) > self.most:
                self.columns.popitem(last=False)


@dataclass(frozen=True, eq=False)
class Data:
    """A plan's view of the data: the patients analysed, group after group.

    frame   those patients alone, in this order
    groups  group code to the slice of its patients: reading a slice of a column copies nothing
    as_of   days since 2000-01-01 on which visits are due or not, where the plan has sections
    labels  group code to its Label
    places  (n,) where each of these patients stood in the frame that was read
    """

    plan: object
    frame: frames.Frame
    selection: cohorts.Selection
    groups: dict
    as_of: int | None = None
    labels: dict = dataclass_field(default_factory=dict)
    places: object = None

    def column(self, variable, visit=""):
        """The `variables.columns.Columns` of a variable (its name, or a Variable) at a visit, made once."""
        names = self.plan.names
        known = names.get(variable) if isinstance(variable, str) else variable
        asked = known, visit
        made = self._columns.get(asked)
        if made is None:
            made = columns.variable_columns(self.frame, known, visit, names, self.plan.value_sets[0], self.as_of)
            self._columns.keep(asked, made)
        return made

    @cached_property
    def _columns(self):
        return _Recent(max(8, MOST_KEPT // (BYTES_A_PATIENT * max(1, self.frame.n))))

    @cached_property
    def pairs(self):
        """Pairs of group places: neighbours first, as the study prints them, with the name of each."""
        codes = list(self.groups)
        found_pairs = sorted(combinations(range(len(codes)), 2), key=lambda pair: (pair[1] - pair[0], pair))
        return {f"{codes[first]}_vs_{codes[second]}": (first, second) for first, second in found_pairs}

    def coded(self, name, timepoint=None, value_set=None):
        asked = name, timepoint, value_set or self.plan.value_sets[0]
        if asked not in self._coded:
            self._coded[asked] = coded(name, self.frame, timepoint, asked[-1])
        return self._coded[asked]

    @cached_property
    def _coded(self):
        return {}

    @cached_property
    def _counted(self):
        return {}

    def counts(self, name, group, timepoint=None, value_set=None):
        """`Coded.counts` of one group, counted once for all that ask; and the values counted."""
        asked = name, group, timepoint, value_set or self.plan.value_sets[0]
        if asked not in self._counted:
            column = self.coded(name, timepoint, value_set)
            self._counted[asked] = column.values, *column.counts(self.groups[group])
        return self._counted[asked]

    def sample(self, name, group, timepoint=None, value_set=None):
        """`stats` Counts of a continuous variable in one group."""
        return Counts(*self.counts(name, group, timepoint, value_set))

    def changes(self, name, group, followup, value_set=None):
        """`stats` Counts of a group's changes from baseline, counted once for all that ask."""
        asked = "change", name, group, followup, value_set or self.plan.value_sets[0]
        if asked not in self._counted:
            before, after = (self.coded(name, when, value_set) for when in (self.plan.baseline, followup))
            self._counted[asked] = differences(before, after, self.groups[group])
        return self._counted[asked]


def _data(plan, frame, selection, moving=False):
    choices, places = plan.grouped_by.places(frame, plan.rule)
    cutoff = as_of(plan, frame) if plan.sections else None
    mine, groups, members, start = places[selection.chosen], {}, [np.empty(0, np.intp)], 0
    for place, choice in enumerate(choices):
        members.append(selection.chosen[mine == place])
        groups[choice.code] = slice(start, start + members[-1].size)
        start += members[-1].size
    labels, chosen = {choice.code: choice.label for choice in choices}, np.concatenate(members)
    return Data(plan, frame.taken(chosen, moving), selection, groups, cutoff, labels, chosen)


def data_of(plan, frame, cohort):
    """The Data of a cohort of a frame, as `run` computes from it."""
    return _data(plan, frame, cohorts.select(cohort, frame, plan.rule))


def as_of(plan, frame):
    """The day by which visits are due: the plan's, or the last that the registry knows anything of."""
    if plan.as_of:
        return date.fromisoformat(plan.as_of).toordinal() - date.fromisoformat(frames.EPOCH).toordinal()
    return columns.last_day(frame)


def _size(rows):
    return rows.stop - rows.start


# What is said of one group


def _described(data, variable, group, timepoint=None, value_set=None):
    """One entry of `groups`, `baseline` or `followup`, and what a test takes of it: Counts, or a row of a table."""
    if variable.kind == "continuous":
        sample = data.sample(variable.name, group, timepoint, value_set)
        return Described.of(describe(sample)), sample
    values, counts, missing = data.counts(variable.name, group, timepoint, value_set)
    by_code = {str(code): int(count) for code, count in zip(values, counts, strict=True)}
    return Counted(int(counts.sum()), int(missing), by_code), counts


def _all_described(data, variable, timepoint=None, value_set=None):
    described, taken = {}, []
    for code in data.groups:
        described[code], sample = _described(data, variable, code, timepoint, value_set)
        taken.append(sample)
    return described, taken


# Tests, and why there is none


def _not_tested(why):
    return Tested(reason=NOT_ESTIMABLE.format(why))


def _tested(test, taken):
    if test.two_groups and len(taken) != 2:
        return _not_tested("the test compares two groups")
    try:
        answer = test.run(taken)
    except NotEstimable as why:
        return _not_tested(why)
    return Tested(p=answer.p, monte_carlo=_sampled(answer), **methods.statistic_of(test.code, answer))


def _sampled(answer):
    """What a Monte Carlo P is worth; None for an exact one."""
    if getattr(answer, "standard_error", None) is None or not hasattr(answer, "resamples"):
        return None
    return Sampled(answer.standard_error, answer.resamples, answer.seed, answer.why)


def _categorical(test, taken):
    """A test of independence of a table, whose rows are groups or times. Empty rows and columns are left out, as R's
    drop of unused levels does; a variable that does not vary leaves Fisher's test with P = 1 and others without one."""
    table = np.array(taken) if taken else np.zeros((0, 0), np.int64)
    seen = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(seen.shape) == 0:
        return _not_tested(REASONS["empty"])
    if len(seen) < 2:
        return _not_tested(REASONS["one_group" if len(table) > 2 else "empty_group"])
    if seen.shape[1] < 2:
        seen = np.column_stack([seen, np.zeros(len(seen), np.int64)])
    return _tested(test, seen)


def _pairwise_continuous(data, taken):
    test = data.plan.test("pairwise_continuous")
    if test.two_groups or len(taken) < 2:
        return _adjusted(data, {name: _tested(test, [taken[i], taken[j]]) for name, (i, j) in data.pairs.items()})
    try:
        answer = test.run(taken)
    except NotEstimable as why:
        return Pairwise.of(dict.fromkeys(data.pairs, _not_tested(why)))
    answers = {name: _of_pair(test, answer, answer.pair(*places)) for name, places in data.pairs.items()}
    if test.adjusted:
        return Pairwise.of(answers)
    return _adjusted(data, answers)


def _of_pair(test, answer, pair):
    """P of a pair with its statistic, whose degrees of freedom, of Tukey's test, are those of all groups."""
    if pair.p is None:
        return _not_tested(REASONS["empty_group"])
    df = {"df": float(answer.df)} if hasattr(answer, "df") else {}
    return Tested(p=pair.p, **(methods.statistic_of(test.code, pair) | df))


def _pairwise_categorical(data, taken):
    test = data.plan.test("pairwise_categorical")
    return _adjusted(data, {n: _categorical(test, [taken[i], taken[j]]) for n, (i, j) in data.pairs.items()})


def _adjusted(data, answers):
    """P of each pair before and after adjustment over the row's pairs."""
    adjusted = adjust([answer.p for answer in answers.values()], data.plan.adjust)
    return Pairwise.of(answers, data.plan.adjust, dict(zip(answers, adjusted, strict=True)))


# The tables: lists of rows that are still to be computed


def _overall(data, name):
    variable, plan = variables.get(name), data.plan
    described, taken = _all_described(data, variable)
    test = plan.test(f"overall_{variable.kind}")
    if variable.kind == "continuous":
        return tables.Overall(name, variable.kind, test.code, groups=described, **_tested(test, taken).parts())
    other = plan.test("second_overall_categorical")
    second = Second(other.code, _categorical(other, taken)) if other and other is not test else None
    tested = _categorical(test, taken).parts()
    return tables.Overall(name, variable.kind, test.code, second, groups=described, **tested)


def _characteristics(data):
    return [partial(_overall, data, name) for name in data.plan.characteristics]


def _adverse_events(data):
    return [partial(_overall, data, name) for name in data.plan.events]


def _recovery(data):
    return [
        partial(_before_after, data, name, code, followup)
        for name in data.plan.outcomes
        for followup in data.plan.followups
        for code in data.groups
    ]


def _before_after(data, name, group, followup, value_set=None):
    variable, plan = variables.get(name), data.plan
    described_before, taken_before = _described(data, variable, group, plan.baseline, value_set)
    described_after, taken_after = _described(data, variable, group, followup, value_set)
    test = plan.test(f"before_after_{variable.kind}")
    if variable.kind == "continuous":
        change = data.changes(name, group, followup, value_set)
        tested, second, pairs = _tested(test, change), None, change.n
    else:
        before, after = (data.coded(name, when, value_set) for when in (plan.baseline, followup))
        taken = [taken_before, taken_after]
        tested, second, pairs = _categorical_change(plan, test, before, after, data.groups[group], taken)
    described = {"pairs": pairs, "baseline": described_before, "followup": described_after}
    at = name, group, followup, variable.kind, test.code
    return tables.BeforeAfter(*at, second=second, **tested.parts(), **described)


def _categorical_change(plan, test, before, after, chosen, taken):
    """Fisher's test of the two times' counts, as the study did, and McNemar's of the patients with both: a Tested and a
    Second or None, and the number of these patients."""
    first, second, counts, _ = joint_counts(before, after, chosen)
    paired = np.zeros((len(before.values),) * 2, np.int64)
    paired[first, second] = counts

    def done(answer):
        return _tested(answer, paired) if answer.code == "mcnemar" else _categorical(answer, taken)

    other = plan.test("second_before_after_categorical")
    second = Second(other.code, done(other)) if other and other is not test else None
    return done(test), second, int(counts.sum())


def _between_groups(data):
    plan, table = data.plan, []
    for name in plan.outcomes:
        table += [partial(_between, data, name, timepoint) for timepoint in plan.timepoints]
        if name in plan.deltas:
            table += [partial(_between_deltas, data, name, followup) for followup in plan.followups]
    return table


def _between(data, name, timepoint, value_set=None):
    variable = variables.get(name)
    described, taken = _all_described(data, variable, timepoint, value_set)
    pairwise = _pairwise_continuous if variable.kind == "continuous" else _pairwise_categorical
    test = data.plan.test(f"pairwise_{variable.kind}")
    tested = pairwise(data, taken).parts()
    return tables.Between(name, timepoint, "", variable.kind, test.code, groups=described, **tested)


def _between_deltas(data, name, followup, value_set=None):
    """The row of changes from baseline: only patients with both values have one."""
    taken = [data.changes(name, group, followup, value_set) for group in data.groups]
    described = {
        code: Described.of(describe(counts), _size(members) - counts.n)
        for (code, members), counts in zip(data.groups.items(), taken, strict=True)
    }
    pairwise, test = _pairwise_continuous(data, taken), data.plan.test("pairwise_continuous")
    return tables.Between(name, "delta", followup, "continuous", test.code, groups=described, **pairwise.parts())


def _domains(data):
    plan = data.plan
    return [partial(_between, data, name, timepoint) for name in plan.domains for timepoint in plan.timepoints]


def _sensitivity(data):
    """The HSUV rows again, by each further value set."""
    if "hsuv" not in data.plan.outcomes:
        return []
    return [partial(_by_value_set, data, code) for code in data.plan.value_sets[1:]]


def _by_value_set(data, code):
    plan = data.plan
    recovery = [_before_after(data, "hsuv", g, f, code) for f in plan.followups for g in data.groups]
    between = [_between(data, "hsuv", timepoint, code) for timepoint in plan.timepoints]
    if "hsuv" in plan.deltas:
        between += [_between_deltas(data, "hsuv", followup, code) for followup in plan.followups]
    return tables.ByValueSet(code, recovery, between)


# What was computed from what


def _cohort(data):
    selection, grouped = data.selection, {code: _size(members) for code, members in data.groups.items()}
    n = int(selection.chosen.size)
    return Analysed(
        **selection.cohort.to_json(),
        flow=selection.flow,
        n=n,
        groups=grouped,
        in_no_group=n - sum(grouped.values()),
        by_site=selection.by_site,
    )


def _method(data):
    plan = data.plan
    tests = ("overall", "pairwise", "before_after", "second")
    return Method(
        plan=plan.name,
        plan_version=plan.version,
        value_set=plan.value_sets[0],
        value_set_version=value_sets.get(plan.value_sets[0]).version,
        segment_rule=plan.rule.version,
        grouping=plan.grouping,
        groups=list(data.groups),
        pairs=list(data.pairs),
        baseline=plan.baseline,
        followups=list(plan.followups),
        snapshot=data.frame.snapshot,
        software=software(),
        synthetic=settings.SYNTHETIC,
        tests={name: getattr(plan, name) for name in plan.to_json() if name.startswith(tests) or name == "adjust"},
        alpha=plan.alpha,
        **_groups_of(plan),
        **_declared_of(data),
    )


def _declared_of(data):
    """What a plan with sections declares, which its result is read by."""
    plan = data.plan
    if not plan.sections:
        return {}
    day = date.fromordinal(data.as_of + date.fromisoformat(frames.EPOCH).toordinal()).isoformat()
    dead = columns.deaths_without_a_day(data.frame)
    return {
        "sections": [code for code, _ in plan.sections],
        "variables": [variable.to_json() for variable in plan.variables],
        "visits": [visit.to_json() for visit in plan.visits],
        "as_of": day,
        "deaths_without_a_day": dead,
    }


def _groups_of(plan):
    """What groups that no variable gives are made from."""
    if plan.named:
        return {"named": plan.named.to_json()}
    return {"arms": plan.arms.to_json()} if plan.arms else {}
