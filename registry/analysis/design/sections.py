"""Sections of a plan: each kind is one module in `registry.analysis.sections`, registered by one line there.

A plan's JSON has a list under the code of each kind; the result of a run has a list of the same length and order under
the same code. docs/plans.md describes each.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from registry.analysis.design.errors import Refused, refusal
from registry.instruments.base import Label


def _nothing(*_arguments, **_more):
    return ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A kind of section. An *entry* is one element of its list in a plan, as the frozen dataclass that `read` makes.

    code     the key of its list in a plan and in a result
    label    what a page calls it
    read     (entry's JSON: dict, names: `variables.declared.Variables`) -> entry, hashable, with `to_json()`. Refused
    needed   (entry, plan) -> names that `frame.read` must read: `variables.columns.needed` of each variable and visit
    compute  (data, entry) -> the entry's result: a Row of `registry.analysis.results`, with its `code` and `title`. A
             statistic that the data do not determine is None, and `reason` beside it says why; it keeps no other from
             being computed. `data` is `running.runner.Data`
    tables   (entry's result, Words) -> `presentation.tables.Table`s
    figures  (entry's result, Words) -> figures, as `registry.analysis.figures` has them
    answers  (entry's result, Words) -> what came out, in sentences: no equality is concluded from a large P
    methods  (entry's result, Words) -> sentences of the methods, in the words' language
    analysed (data, entry) -> (settings, columns) of the data set behind the entry, for the bundle: settings are texts,
             numbers and lists by name, columns arrays or `analysis.sections.columns.Column`s of as many patients
    further  (data, entry) -> name to numbers (n,) of further columns of data.csv, NaN for none
    check    (entry, plan): Refused where the entry does not go with the plan's groups or its other sections
    uses     (entry, plan) -> (Variable, visit) of each column that the bundle's data.csv has of it
    """

    code: str
    label: Label
    read: Callable
    needed: Callable
    compute: Callable
    tables: Callable = _nothing
    figures: Callable = _nothing
    answers: Callable = _nothing
    methods: Callable = _nothing
    uses: Callable = _nothing
    further: Callable = _nothing
    check: Callable = _nothing
    analysed: Callable | None = None


class _Kinds(Mapping):
    """The Sections by their code, in order. They are loaded when somebody first asks: with them come the statistics,
    which most commands have no use for."""

    def __init__(self):
        self.load = tuple

    @cached_property
    def known(self):
        return {section.code: section for section in self.load()}

    def __getitem__(self, code):
        return self.known[code]

    def __iter__(self):
        return iter(self.known)

    def __len__(self):
        return len(self.known)


SECTIONS = _Kinds()


def provide(load):
    """Have plans know the Sections that `load()` gives, in that order. Called once, when the application is ready."""
    SECTIONS.load = load


def read(code, entries, names):
    """The entries of a plan's list. Refused with the section and the place of the entry that does not fit."""
    section = SECTIONS[code]
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, dict) for entry in entries):
        raise refusal("{code}: a list of objects", "{code}：オブジェクトの一覧で指定してください", code=code)
    return tuple(_placed(section, place, entry, names) for place, entry in enumerate(entries, 1))


def _placed(section, place, entry, names):
    with _at(section, place):
        return section.read(entry, names)


def check(code, entries, plan):
    """Raise Refused where an entry of a plan's list does not go with its groups or its other sections."""
    for place, entry in enumerate(entries, 1):
        with _at(SECTIONS[code], place):
            SECTIONS[code].check(entry, plan)


@contextmanager
def _at(section, place):
    """What is refused within says which entry it is."""
    where = Label("{section} {place}", "{section}の{place}番目").format(section=section.label, place=place)
    try:
        yield
    except ValueError as error:
        reason = getattr(error, "reason", None) or Label(str(error), str(error))
        if reason.values.get("kind") == section.code:  # its own words begin with it
            raise Refused(reason.again(kind=where)) from error
        raise refusal("{where}: {why}", "{where}：{why}", where=where, why=reason) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise refusal(
            "{where}: incomplete or of another shape ({why})",
            "{where}：内容が不完全か、形が違います（{why}）",
            where=where,
            why=repr(error),
        ) from error


def entries_of(result):
    """(Section, entry) of everything that the sections of a Result came to, in their order."""
    for code, section in SECTIONS.items():
        for entry in getattr(result, code):
            yield section, entry


def tables_of(result, words):
    """The Tables of every section of a result, in the order of the sections."""
    for section, entry in entries_of(result):
        yield from (replace(table, part=words(section.label)) for table in section.tables(entry, words))


def figures_of(result, words):
    """The Charts of every section of a result."""
    for section, entry in entries_of(result):
        yield from section.figures(entry, words)


def methods_of(result, words):
    """The sentences of every section of a result."""
    for section, entry in entries_of(result):
        yield from section.methods(entry, words)


def rows_of(result):
    """(table, row) of every row of every section of a result's JSON: `endpoints/overall_survival/rates` and a dict."""
    for code in SECTIONS:
        for place, entry in enumerate(result.get(code, ()), 1):
            for part, rows in entry.items():
                if isinstance(rows, list):
                    for row in rows:
                        if isinstance(row, dict):
                            yield f"{code}/{entry.get('code', place)}/{part}", row
