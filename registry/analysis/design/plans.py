"""What a comparison computes, as data: variables, tests, adjustment, timepoints, value sets, grouping, segment rule.

A plan goes to JSON and back unchanged. `SEGMENT_COMPARISON` is that of the segment study (Segi et al., Global Spine J
2025;15:2286, doi:10.1177/21925682241297948); another paper's comparison is another plan.
"""

from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from math import isfinite

from registry.analysis.design import groupings, methods, named_groups, sections
from registry.analysis.design.errors import listed, named, one_of, refusal
from registry.analysis.design.variables import declared, visits
from registry.analysis.design.variables.columns import DEATH
from registry.instruments import levels, timepoints, value_sets, variables
from registry.instruments.base import Label

LONGEST_NOTE = 1000


# What is told of the segment study beside its tables (`running.runner.REPORTS`); another study's plan names none.
REPORTS = ("figures", "survival", "eq5d_report", "lesion_levels", "sins_by_procedure")
TABLES = ("characteristics", "outcomes", "deltas", "events", "domains")  # lists of the segment study's tables


def _names(some):
    return tuple(variable.name for variable in some)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides what is computed from a frame and a cohort. Refused says what is wrong and what fits.

    characteristics, outcomes, deltas, events, domains   names of `instruments.variables`, in the order of print
    overall, pairwise, before_after                      codes of `methods`, continuous and categorical
    second_*                                             a further test whose P stands beside the first; "" for none
    value_sets                                           the first is the main one; the others are sensitivity analyses
    segment_rule                                         options of `levels.SegmentRule`
    arms                                                 which levels make two arms, where the grouping is `arms`
    named                                                groups by the steps of a cohort, where the grouping is `named`
    reports                                              which of REPORTS are told
    variables, visits                                    what the plan declares: `design.variables`
    sections                                             (code, entries) of each kind of section that it has
    as_of                                                the day on which visits are due; "" for the data's last day
    """

    name: str
    version: str = "1"
    grouping: str = "segment_group"
    arms: groupings.Arms | None = None
    named: named_groups.NamedGroups | None = None
    baseline: str = "preop"
    followups: tuple = ("1m",)
    value_sets: tuple = (value_sets.DEFAULT,)
    segment_rule: tuple = tuple(asdict(levels.DEFAULT_RULE).items())
    characteristics: tuple = _names(variables.CHARACTERISTICS)
    outcomes: tuple = _names(variables.OUTCOMES)
    deltas: tuple = ("pain_vas_mm", "barthel_total", "hsuv", "eq_vas")
    events: tuple = _names(variables.EVENTS)
    domains: tuple = _names(variables.DOMAINS)
    overall_continuous: str = "anova"
    overall_categorical: str = "fisher_exact"
    second_overall_categorical: str = "chi_square"
    pairwise_continuous: str = "tukey_hsd"
    pairwise_categorical: str = "fisher_exact"
    adjust: str = "benjamini_hochberg"
    before_after_continuous: str = "wilcoxon_signed_rank"
    before_after_categorical: str = "fisher_exact"
    second_before_after_categorical: str = "mcnemar"
    alpha: float = 0.05
    note: str = ""  # what the comparison is for, in its requester's words
    reports: tuple = REPORTS
    variables: tuple = ()
    visits: tuple = ()
    sections: tuple = ()
    as_of: str = ""

    def __post_init__(self):
        for place, check in _CHECKS.items():
            check(place, getattr(self, place))
        if not isinstance(self.note, str) or len(self.note) > LONGEST_NOTE:
            raise refusal(
                "note: at most {most} characters", "メモ：{most}文字以内で入力してください", most=LONGEST_NOTE
            )
        if self.baseline in self.followups:
            raise refusal(
                "the baseline {baseline} cannot be a follow-up too",
                "基準時点（{baseline}）を追跡時点にすることはできません",
                baseline=self.baseline,
            )
        for name in self.deltas:
            if variables.get(name).kind != "continuous" or name not in self.outcomes:
                raise refusal(
                    "deltas: {name} is no continuous variable among the outcomes; those are {fits}",
                    "変化量：{name}は転帰のうちの連続変数ではありません。使えるもの：{fits}",
                    name=name,
                    fits=listed(outcome for outcome in self.outcomes if variables.get(outcome).kind == "continuous"),
                )
        if bool(self.arms) != (self.grouping == groupings.ARMS):
            raise refusal(
                "arms: they belong to the grouping “arms”, and it needs them; a variable and two lists of its levels",
                "治療群：グループ分け「arms」には治療群の指定が必要で、他のグループ分けには指定できません",
            )
        if bool(self.named) != (self.grouping == named_groups.NAMED):
            raise refusal(
                "named: they belong to the grouping “named”, and it needs them; a code, a name and steps for each",
                "群：グループ分け「named」には群の指定が必要で、他のグループ分けには指定できません",
            )
        self._check_two_groups()
        for code, entries in self.sections:
            sections.check(code, entries, self)

    def _check_two_groups(self):
        test, groups = methods.OVERALL["continuous"][self.overall_continuous], self.grouped_by.groups
        if test.two_groups and groups is not None and len(groups) != 2:
            fits = [method for method in methods.OVERALL["continuous"].values() if not method.two_groups]
            raise refusal(
                "{test} compares two groups; {grouping} has {n}: use {fits}",
                "{test}は2群の検定ですが、{grouping}は{n}群です。使えるもの：{fits}",
                test=named([test]),
                grouping=named([self.grouped_by]),
                n=len(groups),
                fits=named(fits),
            )

    @property
    def grouped_by(self):
        return self.named.grouping if self.named else groupings.of(self.grouping, self.arms)

    @property
    def rule(self):
        return levels.SegmentRule(**dict(self.segment_rule))

    @property
    def timepoints(self):
        """The visits that the segment study's tables read whole."""
        return (self.baseline, *self.followups) if self.tells_tables else ()

    @property
    def items_needed(self):
        """What `frame.read` must read for the plan's groups and sections, beside its timepoints."""
        of_groups = self.named.timepoints_needed() if self.named else ()
        of_sections = (
            name
            for code, entries in self.sections
            for entry in entries
            for name in sections.SECTIONS[code].needed(entry, self)
        )
        fate = (DEATH,) if self.sections else ()  # who died before a visit is not merely missing at it
        return tuple(dict.fromkeys((*of_groups, *fate, *of_sections)))

    @property
    def names(self):
        """The Variables and visits that the plan may name: its own, then what the registry collects."""
        return declared.Variables(self.variables, self.visits)

    @property
    def tells_tables(self):
        """Whether the plan has any table or report of the segment study."""
        return bool(self.reports) or any(getattr(self, name) for name in TABLES)

    def entries(self, code):
        """The entries of a kind of section."""
        return dict(self.sections).get(code, ())

    def test(self, place):
        """The Test at a place such as `overall_continuous`; None where there is none."""
        code = getattr(self, place)
        return _TABLES[place].get(code)

    def to_json(self):
        written = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in _TOLD_WHERE_THERE
        }
        written["segment_rule"] = dict(self.segment_rule)
        written["arms"] = self.arms and self.arms.to_json()
        if self.named:
            written["named"] = self.named.to_json()
        if self.reports != REPORTS:
            written["reports"] = self.reports
        written |= _declared_json(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in written.items()}


# Parts that plans were without once: a plan that does not use one is as it always was.
_TOLD_WHERE_THERE = ("named", "reports", "variables", "visits", "sections", "as_of")


def parts():
    """Names of everything that a plan's JSON may have, in order."""
    return tuple(field.name for field in fields(Plan) if field.name != "sections") + tuple(sections.SECTIONS)


def from_json(data):
    """The Plan that `to_json` wrote, checked; what is left out is as in the segment comparison. Refused."""
    try:
        return _plan_of(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise refusal(
            "a part of the plan is incomplete or of another shape ({why})",
            "計画の一部が不完全か、形が違います（{why}）",
            why=repr(error),
        ) from error


def _plan_of(data):
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise refusal("a plan is an object with a name", "計画は名前（name）をもつオブジェクトです")
    _check_finite(data)
    known = set(parts())
    if unknown := sorted(data.keys() - known):
        raise refusal(
            "no part of a plan: {unknown}; a plan has {fits}",
            "計画にない項目です：{unknown}。計画の項目：{fits}",
            unknown=listed(unknown),
            fits=listed(sorted(known)),
        )
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name not in sections.SECTIONS
    }
    given |= _declared_of(data)
    if isinstance(given.get("segment_rule"), dict):
        given["segment_rule"] = tuple(given["segment_rule"].items())
    given["arms"] = groupings.arms_from_json(data.get("arms"))
    given["named"] = named_groups.from_json(data.get("named"))
    return Plan(**given)


def _check_finite(part, place=()):
    """Refused where a number is none that JSON knows: NaN, or beyond what a computer holds (1e999)."""
    if isinstance(part, float) and not isfinite(part):
        raise refusal(
            "{place}: {value} is no finite number",
            "{place}：{value}は有限の数値ではありません",
            place=" ".join(map(str, place)),
            value=part,
        )
    inner = part.items() if isinstance(part, dict) else enumerate(part, 1) if isinstance(part, (list, tuple)) else ()
    for name, value in inner:
        _check_finite(value, (*place, name))


def _declared_json(plan):
    written = {
        "variables": [variable.to_json() for variable in plan.variables],
        "visits": [visit.to_json() for visit in plan.visits],
        **{code: [entry.to_json() for entry in entries] for code, entries in plan.sections},
        "as_of": plan.as_of,
    }
    return {name: value for name, value in written.items() if value}


def _declared_of(data):
    """Variables, visits and sections of a plan's JSON, and what a plan that has some leaves out of the segment
    study's tables: it has none of them that it does not name."""
    own_visits = tuple(map(visits.from_json, _list(data, "visits")))
    _differ("visits", [own_visit.code for own_visit in own_visits])
    read = []
    for entry in _list(data, "variables"):
        read.append(declared.from_json(entry, declared.Variables(read, own_visits)))
    _differ("variables", [variable.name for variable in read])
    names = declared.Variables(read, own_visits)
    entries = tuple((code, sections.read(code, data[code], names)) for code in sections.SECTIONS if data.get(code))
    for code, of_kind in entries:
        _differ(code, [entry.code for entry in of_kind])
    given = {"variables": tuple(read), "visits": own_visits, "sections": entries}
    if any(given.values()):
        given |= {name: () for name in (*TABLES, "reports") if name not in data}
    return given


def _list(data, name):
    value = data.get(name) or []
    if not isinstance(value, (list, tuple)):
        raise refusal("{name}: a list", "{name}：一覧で指定してください", name=name)
    return value


def _differ(place, codes):
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise refusal(
            "{place}: {twice} is there twice", "{place}：{twice}が重複しています", place=place, twice=listed(twice)
        )


def segment_comparison(**changes):
    """The plan of the segment study with some of it changed, e.g. followups=("3m",). ValueError."""
    return replace(SEGMENT_COMPARISON, **changes)


# Checks: each takes the place in the plan and the value there.


def _one_of(choices):
    choices = choices if isinstance(choices, _Visits) else tuple(choices)

    def check(place, value):
        one_of(place, value, choices)

    return check


def _some_of(choices, least=0):
    one_choice = _one_of(choices)

    def check(place, values):
        if not isinstance(values, tuple) or len(values) < least or len(set(values)) != len(values):
            raise refusal(
                "{place}: name at least {least}, none twice; from {fits}",
                "{place}：{least}個以上を重複なく指定してください。使えるもの：{fits}",
                place=place,
                least=least,
                fits=listed(choices),
            )
        for value in values:
            one_choice(place, value)

    return check


def _rule(place, value):
    try:
        levels.SegmentRule(**dict(value))
    except (TypeError, ValueError) as error:
        raise refusal("{place}: {why}", "{place}：{why}", place=place, why=error) from error


def _day(place, value):
    try:
        if value:
            date.fromisoformat(value)
    except (TypeError, ValueError):
        raise refusal(
            "{place}: {value}: a date is written 2026-12-31",
            "{place}：{value}：日付は2026-12-31のように書いてください",
            place=place,
            value=value,
        ) from None


def _alpha(place, value):
    if not isinstance(value, float) or not 0 < value < 1:
        raise refusal(
            "{place}: {value} does not fit; between 0 and 1, such as 0.05",
            "{place}：{value}は使えません。0.05のように0と1の間の値にしてください。",
            place=place,
            value=repr(value),
        )


_TABLES = {
    f"{prefix}{use}_{kind}": table[kind]
    for use, table in (
        ("overall", methods.OVERALL),
        ("pairwise", methods.PAIRWISE),
        ("before_after", methods.BEFORE_AFTER),
    )
    for kind in ("continuous", "categorical")
    for prefix in ("", "second_")
    if f"{prefix}{use}_{kind}" in {field.name for field in fields(Plan)}
}


class _Visits:
    """The codes of every planned visit: the product's own first, so that naming one of those asks no database."""

    def __contains__(self, code):
        return code in {visit.code for visit in timepoints.SCHEDULE} or code in {
            visit.code for visit in timepoints.planned()
        }

    def __iter__(self):
        return iter([visit.code for visit in timepoints.planned()])


_TIMES = _Visits()
_SETS = tuple(value_set.code for value_set in value_sets.ALL)
_CHECKS = {
    "grouping": _one_of((*groupings.GROUPINGS, groupings.ARMS, named_groups.NAMED, groupings.EVERYBODY)),
    "baseline": _one_of(_TIMES),
    "followups": _some_of(_TIMES, least=1),
    "reports": _some_of(REPORTS),
    "as_of": _day,
    "value_sets": _some_of(_SETS, least=1),
    "segment_rule": _rule,
    "characteristics": _some_of(_names(variables.CHARACTERISTICS)),
    "outcomes": _some_of(_names(variables.OUTCOMES)),
    "deltas": _some_of(_names(variables.OUTCOMES)),
    "events": _some_of(_names(variables.EVENTS)),
    "domains": _some_of(_names(variables.DOMAINS)),
    "adjust": _one_of(methods.ADJUSTMENTS),
    "alpha": _alpha,
    **{place: _one_of((*table, "") if place.startswith("second_") else table) for place, table in _TABLES.items()},
}


def tests_for(place):
    """The Tests that fit at a place of the plan such as `pairwise_continuous`."""
    return tuple(_TABLES[place].values())


LABELS = {"segment_comparison": Label("Segment comparison", "部位別比較")}
SEGMENT_COMPARISON = Plan(name="segment_comparison")
