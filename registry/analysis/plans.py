"""What a comparison computes, as data: variables, tests, adjustment, timepoints, value sets, grouping, segment rule.

A plan goes to JSON and back unchanged. `SEGMENT_COMPARISON` is that of the segment study (Segi et al., Global Spine J
2025;15:2286, doi:10.1177/21925682241297948); another paper's comparison is another plan.
"""

from dataclasses import asdict, dataclass, fields, replace

from registry.analysis import methods
from registry.analysis.groupings import GROUPINGS
from registry.instruments import levels, timepoints, value_sets, variables
from registry.instruments.base import Label

LONGEST_NOTE = 1000


def _names(some):
    return tuple(variable.name for variable in some)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides what is computed from a frame and a cohort. ValueError says what is wrong and what fits.

    characteristics, outcomes, deltas, events, domains   names of `instruments.variables`, in the order of print
    overall, pairwise, before_after                      codes of `methods`, continuous and categorical
    second_*                                             a further test whose P stands beside the first; "" for none
    value_sets                                           the first is the main one; the others are sensitivity analyses
    segment_rule                                         options of `levels.SegmentRule`
    """

    name: str
    version: str = "1"
    grouping: str = "segment_group"
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

    def __post_init__(self):
        for place, check in _CHECKS.items():
            check(place, getattr(self, place))
        if not isinstance(self.note, str) or len(self.note) > LONGEST_NOTE:
            raise ValueError(f"note: at most {LONGEST_NOTE} characters")
        if self.baseline in self.followups:
            raise ValueError(f"the baseline {self.baseline} cannot be a follow-up too")
        for name in self.deltas:
            if variables.get(name).kind != "continuous" or name not in self.outcomes:
                raise ValueError(f"deltas: {name} is no continuous variable among the outcomes")
        self._check_two_groups()

    def _check_two_groups(self):
        needs = [code for code in (self.overall_continuous,) if methods.OVERALL["continuous"][code].two_groups]
        groups = GROUPINGS[self.grouping].groups
        if needs and groups is not None and len(groups) != 2:
            raise ValueError(f"{needs[0]} compares two groups; {self.grouping} has {len(groups)}: use anova")

    @property
    def rule(self):
        return levels.SegmentRule(**dict(self.segment_rule))

    @property
    def timepoints(self):
        return (self.baseline, *self.followups)

    def test(self, place):
        """The Test at a place such as `overall_continuous`; None where there is none."""
        code = getattr(self, place)
        return _TABLES[place].get(code)

    def to_json(self):
        data = asdict(self)
        data["segment_rule"] = dict(self.segment_rule)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def from_json(data):
    """The Plan that `to_json` wrote, checked; what is left out is as in the segment comparison. ValueError."""
    if not isinstance(data, dict) or "name" not in data:
        raise ValueError("a plan is an object with a name")
    known = {field.name for field in fields(Plan)}
    if unknown := sorted(data.keys() - known):
        raise ValueError(f"no part of a plan: {', '.join(unknown)}; a plan has {', '.join(sorted(known))}")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    if isinstance(given.get("segment_rule"), dict):
        given["segment_rule"] = tuple(given["segment_rule"].items())
    return Plan(**given)


def segment_comparison(**changes):
    """The plan of the segment study with some of it changed, e.g. followups=("3m",). ValueError."""
    return replace(SEGMENT_COMPARISON, **changes)


# Checks: each takes the place in the plan and the value there.


def _one_of(choices):
    choices = tuple(choices)

    def check(place, value):
        if value not in choices:
            raise ValueError(f"{place}: “{value}” does not fit; one of {', '.join(filter(None, choices))}")

    return check


def _some_of(choices, least=0):
    one = _one_of(choices)

    def check(place, values):
        if not isinstance(values, tuple) or len(values) < least or len(set(values)) != len(values):
            raise ValueError(f"{place}: name at least {least}, none twice; from {', '.join(choices)}")
        for value in values:
            one(place, value)

    return check


def _rule(place, value):
    try:
        levels.SegmentRule(**dict(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from error


def _alpha(place, value):
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"{place}: {value!r} does not fit; between 0 and 1, such as 0.05")


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
_TIMES = tuple(one.code for one in timepoints.SCHEDULE)
_SETS = tuple(one.code for one in value_sets.ALL)
_CHECKS = {
    "grouping": _one_of(GROUPINGS),
    "baseline": _one_of(_TIMES),
    "followups": _some_of(_TIMES, least=1),
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


LABELS = {"segment_comparison": Label("Segment comparison", "分節別比較")}
SEGMENT_COMPARISON = Plan(name="segment_comparison")
