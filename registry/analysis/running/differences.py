"""What changed between two runs of a comparison: the request, what it was computed with, every number, the patients."""

from dataclasses import dataclass

from registry.analysis.design import cohorts
from registry.analysis.presentation import tables
from registry.analysis.results.written import plain
from registry.instruments.base import Label

# Parts of a result that are no tables of rows.
REPORTS = ("survival", "eq5d_report")
DRAWN = frozenset({"steps", "ticks"})  # of a report: the course of a curve, which its other numbers sum up
# What tells the rows of a report apart.
NAMED_BY = ("group", "dimension", "timepoint", "state", "score", "time")
VERSIONS = {
    "value_set": Label("Value set", "換算表"),
    "value_set_version": Label("Version of the value set", "換算表の版"),
    "segment_rule": Label("Segment rule", "病変部位群の規則"),
    "plan_version": Label("Version of the plan", "計画の版"),
    "software": Label("Software", "ソフトウェア"),
    "snapshot": Label("Data", "データ"),
}


@dataclass(frozen=True)
class Change:
    """One thing that differs; `old` or `new` is None where only the other run has it."""

    name: tuple
    old: object
    new: object


def changes(old, new):
    """The Changes between two dicts, in the order of the first."""
    names = dict.fromkeys((*old, *new))
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def of_plans(old, new):
    """What differs between two plans as JSON, by the name of the option."""
    return changes(old, new)


def of_steps(old, new):
    """The steps of two Cohorts: those that left, those that came, each once."""
    return (
        [step for step in old.steps if step not in new.steps],
        [step for step in new.steps if step not in old.steps],
    )


def of_versions(old, new):
    """What the results were computed from and with, where it differs; names are keys of VERSIONS."""
    methods = ({name: getattr(result.method, name) for name in VERSIONS} for result in (old, new))
    return changes(*methods)


def of_numbers(old, new):
    """Table to its Changes, named (variable, group, timepoint, category, statistic); only tables that differ."""
    numbers = {}
    for change in changes(dict(_numbers(old)), dict(_numbers(new))):
        table, *name = change.name
        numbers.setdefault(table, []).append(Change(tuple(name), change.old, change.new))
    return numbers


def _numbers(result):
    """((table, variable, group, timepoint, category, statistic), value) of every number of a result."""
    for *name, value in tables.numbers(result):
        if name[0] not in ("method", "cohort"):
            yield tuple(name), value
    for label, content in _flow(result):
        for statistic in ("n", "excluded"):
            if content.holds(statistic):
                yield ("cohort", label.en, "", "", "", statistic), getattr(content, statistic)
    for report in REPORTS:
        for path, value in _leaves(plain(getattr(result, report)) or {}):
            yield (report, "", "", "", " · ".join(path[:-1]), path[-1]), value


def _flow(result):
    """(Label, Counted) of each step: its label tells two steps of a kind apart, which their code does not."""
    steps = cohorts.from_json(result.cohort.to_json()).steps
    return zip((cohorts.ENROLLED, *(step.label for step in steps)), result.cohort.flow, strict=True)


def labels_of_steps(result):
    """What `of_numbers` calls the steps of a result's flow, to their Labels."""
    return {label.en: label for label, _counts in _flow(result)}


def _leaves(part, path=()):
    if isinstance(part, dict):
        for name, value in part.items():
            if name not in DRAWN and name not in NAMED_BY:
                yield from _leaves(value, (*path, str(name)))
    elif isinstance(part, list):
        for place, value in enumerate(part):
            names = [str(value[name]) for name in NAMED_BY if name in value] if isinstance(value, dict) else ()
            yield from _leaves(value, (*path, *(names or [str(place + 1)])))
    else:
        yield path, part


def of_patients(old, new):
    """(IDs that came in, IDs that left), ascending; None where a run did not keep whom it analysed."""
    if old is None or new is None:
        return None
    return sorted(set(new) - set(old)), sorted(set(old) - set(new))
