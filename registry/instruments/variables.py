"""What the analysis compares: items and derived values, and the groups that it recodes some of them into.

Label, unit and direction are those of the instrument wherever the variable is an item or a derived value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.instruments import catalogue
from registry.instruments.base import Bands, Choice, Derived, Label, Total
from registry.instruments.core.ecog import DEAD
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.instruments.core.sins import SINS
from registry.instruments.core.tokuhashi import TOKUHASHI

YEARS_OF_AGE = "years of age"  # a unit of its own: Japanese counts a person's years by another word than time
YES_NO = (Choice("yes", Label("yes", "あり")), Choice("no", Label("no", "なし")))


@dataclass(frozen=True, kw_only=True)
class Recode:
    """Codes of the item `source` put into the groups of a categorical variable.

    A code in `missing` stands for no value, and for which of `base.MISSING_REASONS`.
    """

    source: str
    groups: Mapping[Any, str]
    missing: Mapping[Any, str]

    def __call__(self, code: Any) -> str | None:
        """The group of a code; None for a missing one. KeyError for a code that the item does not have."""
        return None if code is None or code in self.missing else self.groups[code]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a comparison. `kind` is `continuous` or `categorical`; what only cohorts ask may be a `date`.

    `categories` are a categorical variable's groups in the order of print, and `decimals` is how many are printed of a
    continuous one's mean and standard deviation. `higher_is` is `better`, `worse` or "".
    """

    name: str
    label: Label
    kind: str
    unit: str = ""
    decimals: int = 1
    higher_is: str = ""
    categories: tuple[Choice, ...] = ()
    recode: Recode | None = None

    @property
    def delta(self) -> "Variable":
        """The change of a continuous variable, follow-up minus baseline."""
        if self.kind != "continuous":
            raise ValueError(f"{self.name} is not continuous")
        return Variable(
            name=f"delta_{self.name}",
            label=Label("Δ {label}", "{label} 変化量").format(label=self.label),
            kind=self.kind,
            unit=self.unit,
            decimals=self.decimals,
            higher_is=self.higher_is,
        )


def _continuous(name: str, **more: Any) -> Variable:
    part = catalogue.part(name)
    return Variable(
        name=name,
        label=part.label,
        kind="continuous",
        unit=getattr(part, "unit", ""),
        higher_is=catalogue.instrument_of(name).higher_is,
        **more,
    )


def _categorical(name: str) -> Variable:
    part = catalogue.part(name)
    return Variable(
        name=name,
        label=part.label,
        kind="categorical",
        categories=getattr(part, "choices", ()),
        higher_is="" if isinstance(part, Bands) else catalogue.instrument_of(name).higher_is,
    )


def _recoded(name: str, label: Any, *, source: Any, groups: Any, missing: Any = None) -> Variable:
    """`groups` is a category to the codes that it holds."""
    return Variable(
        name=name,
        label=label,
        kind="categorical",
        categories=tuple(groups),
        recode=Recode(
            source=source,
            groups={code: category.code for category, codes in groups.items() for code in codes},
            missing=missing or {},
        ),
    )


FRANKEL_ABC = _recoded(
    "frankel_abc",
    Label("Frankel grade", "Frankel分類"),
    source="frankel",
    groups={
        Choice("A/B/C", Label("A/B/C", "A/B/C")): ("A", "B", "C"),
        Choice("D/E", Label("D/E", "D/E")): ("D", "E"),
    },
)
ECOG_PS_OVER_2 = _recoded(
    "ecog_ps_over_2",
    Label("ECOG performance status", "ECOGパフォーマンスステータス"),
    source="ecog_ps",
    groups={
        Choice(">2", Label(">2", ">2")): (3, 4),
        Choice("<=2", Label("≤2", "≤2")): (0, 1, 2),
    },
    missing={DEAD: "dead"},  # someone who has died has no performance status, not a poor one
)
PAIN_VAS_MM = _continuous("pain_vas_mm")
BARTHEL_TOTAL = _continuous("barthel_total")
HSUV = Variable(
    name="hsuv",
    label=Label("EQ-5D-5L value (HSUV)", "EQ-5D-5L 効用値（HSUV）"),
    kind="continuous",
    decimals=3,
    higher_is="better",
)
EQ_VAS = _continuous("eq_vas")

DIED = _recoded(
    "died",
    Label("Died", "死亡"),
    source="vital_status",
    groups={YES_NO[0]: ("dead",), YES_NO[1]: ("alive",)},
)

# The rows of Tables 4 and 6, of Table 2, of Figure 5 and of Table 5 of the segment study, in the order of print.
OUTCOMES = (FRANKEL_ABC, ECOG_PS_OVER_2, PAIN_VAS_MM, BARTHEL_TOTAL, HSUV, EQ_VAS)
CHARACTERISTICS = (
    Variable(name="age_at_surgery", label=Label("Age at surgery", "手術時年齢"), kind="continuous", unit=YEARS_OF_AGE),
    _categorical("sex"),
    _categorical("primary_tumour"),
    _continuous("tokuhashi_total"),
    _continuous("sins_total"),
    _categorical("sins_class"),
    _categorical("procedure"),
    _continuous("operative_time_min"),
    _continuous("blood_loss_ml"),
    Variable(name="followup_months", label=Label("Follow-up", "追跡期間"), kind="continuous", unit="months"),
    DIED,
)
DOMAINS = tuple(_categorical(item.name) for item in DIMENSIONS)


def _graded(instrument: Any, item: Any) -> Variable:
    """An item as a categorical variable of its own, its codes as text."""
    own = instrument.items == (item,)
    return Variable(
        name=item.name,
        label=item.label
        if own
        else Label("{instrument}: {item}", "{instrument}：{item}").format(instrument=instrument.title, item=item.label),
        kind="categorical",
        categories=tuple(Choice(str(choice.code), choice.label) for choice in item.choices),
    )


# What patients are chosen by beside that: single grades, and the components of the scores before surgery.
GRADES = tuple(_graded(catalogue.instrument_of(name), catalogue.item(name)) for name in ("frankel", "ecog_ps"))
SCORES = (TOKUHASHI, SINS)
COMPONENTS = tuple(_graded(score, item) for score in SCORES for item in score.items)


@dataclass(frozen=True, kw_only=True)
class EventVariable(Variable):
    """Whether a patient had any adverse event of some kinds: `yes` or `no`."""

    events: tuple[str, ...]


EVENTS = (
    EventVariable(
        name="ssi_or_wound",
        label=Label("SSI / wound", "手術部位感染・創部トラブル"),
        kind="categorical",
        categories=YES_NO,
        events=("surgical_site_infection", "wound_problem"),
    ),
    EventVariable(
        name="neurological",
        label=Label("Neurological", "神経症状"),
        kind="categorical",
        categories=YES_NO,
        events=("neurological_deterioration",),
    ),
)

VARIABLES = (*CHARACTERISTICS, *OUTCOMES, *DOMAINS, *EVENTS, *GRADES, *COMPONENTS)


def _asked_by_cohorts(part: Any) -> str | None:
    """The kind of a variable that patients may be chosen by; None for what names them, for texts, sets of levels and
    EQ-5D states."""
    if isinstance(part, Derived):
        return {Total: "continuous", Bands: "categorical"}.get(type(part))
    if part.identifying or part.kind in ("text", "levels", "codes", "partial_date", "time"):
        return None
    if part.choices:
        return "categorical"
    return "date" if part.kind == "date" else "continuous"


def _further(instruments: Any, but: Any, titled: bool = False) -> Iterator[Variable]:
    """Variables of everything that these instruments declare and no variable asks yet.

    titled  each label says its instrument, where that has several items
    """
    for instrument in instruments:
        for part in instrument.parts:
            if part.name not in but and (kind := _asked_by_cohorts(part)):
                several = titled and len(instrument.items) > 1
                yield Variable(
                    name=part.name,
                    label=Label("{instrument}: {part}", "{instrument}：{part}").format(
                        instrument=instrument.title, part=part.label
                    )
                    if several
                    else part.label,
                    kind=kind,
                    unit=getattr(part, "unit", ""),
                    decimals=getattr(part, "places", 0),
                    categories=tuple(Choice(str(choice.code), choice.label) for choice in getattr(part, "choices", ())),
                )


# What cohorts alone ask, of the patient and of each assessment: every further item. A frame has a column of it only
# where a cohort names it. When somebody was operated on and how long they were followed are steps of their own.
_NO_FURTHER = {variable.name for variable in VARIABLES} | {"surgery_date"}
FURTHER_OF_PATIENT = tuple(
    _further([instrument for instrument in catalogue.OF_PATIENT if instrument is not catalogue.FOLLOW_UP], _NO_FURTHER)
)
FURTHER_OF_ASSESSMENT = tuple(_further(catalogue.OF_ASSESSMENT, _NO_FURTHER, titled=True))

_BY_NAME = {variable.name: variable for variable in (*VARIABLES, *FURTHER_OF_PATIENT, *FURTHER_OF_ASSESSMENT)}


def get(name: str) -> Variable:
    """The variable with this name, `delta_…` included; KeyError if there is none."""
    if name not in _BY_NAME and name.startswith("delta_"):
        return _BY_NAME[name.removeprefix("delta_")].delta
    return _BY_NAME[name]
