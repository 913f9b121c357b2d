"""Everything that can be compared, as the registry declares it: items, derived values, the product's own variables.

Nothing is listed here: a source follows from the declaration of its item, and a study's own items are among them as
soon as they are published.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from registry.analysis.data import item_columns
from registry.analysis.design.errors import listed, refusal
from registry.instruments import catalogue, variables
from registry.instruments.base import Bands, Choice, Digits, Label, Total
from registry.protocol.definitions import Calculated

CONTINUOUS, ORDINAL, NOMINAL, BINARY, DATE = KINDS = ("continuous", "ordinal", "nominal", "binary", "date")
KIND_LABELS = {
    CONTINUOUS: Label("continuous", "連続"),
    ORDINAL: Label("ordinal", "順序"),
    NOMINAL: Label("nominal", "名義"),
    BINARY: Label("binary", "二値"),
    DATE: Label("date", "日付"),
}
PATIENT, VISIT = "patient", "visit"
YES_NO = (Choice("yes", Label("yes", "あり")), Choice("no", Label("no", "なし")))
_YES_NO_CODES = ({"0", "1"}, {"no", "yes"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """One thing that was collected. `record` is `patient` or `visit`; `built_in` is a variable of the product that no
    item stores as it is, such as the EQ-5D value. `part` is the item or derived value otherwise."""

    name: str
    label: Label
    kind: str
    record: str
    unit: str = ""
    decimals: int = 1
    higher_is: str = ""
    categories: tuple[Choice, ...] = ()
    title: Label = Label("", "")
    built_in: bool = False
    code: str = ""

    @property
    def at_visit(self):
        return self.record == VISIT


# Of the product's variables those that are worked out rather than stored, and where they belong.
_WORKED_OUT = {
    "followup_months": PATIENT,
    "died": PATIENT,
    "frankel_abc": VISIT,
    "ecog_ps_over_2": VISIT,
    "hsuv": VISIT,
    "ssi_or_wound": PATIENT,
    "neurological": PATIENT,
}
DAY_OF_VISIT = Source(
    name="assessment_date", label=Label("Date of the visit", "評価日"), kind=DATE, record=VISIT, decimals=0
)
WORKED_OUT = Label("Worked out by the registry", "登録システムが算出")


def offered():
    """Name to Source of everything that can be compared now, in the order of the forms."""
    return _of_catalogue(catalogue.current())


@lru_cache(maxsize=4)  # the protocol that holds, for those who know the arms and those who do not
def _of_catalogue(current):
    known = {}
    for record, instruments in ((PATIENT, current.of_patient), (VISIT, current.of_assessment)):
        for instrument in instruments:
            for part in (*instrument.items, *instrument.derived):
                for source in of_part(part, instrument, record):
                    known.setdefault(source.name, source)
    for name, record in _WORKED_OUT.items():
        known[name] = _of_variable(variables.get(name), record)
    known[DAY_OF_VISIT.name] = DAY_OF_VISIT
    known["age_at_surgery"] = _of_variable(variables.get("age_at_surgery"), PATIENT, built_in=False)
    return MappingProxyType(known)


def get(name):
    """The Source of this name. Refused, with what there is, where this registry has none."""
    try:
        return offered()[name]
    except (KeyError, TypeError):
        known = offered()
        near = [
            candidate
            for candidate in known
            if isinstance(name, str) and (name[:3] == candidate[:3] or name in candidate)
        ]
        raise refusal(
            "this registry collects no “{name}”; it has {fits}",
            "この登録では「{name}」を収集していません。使えるもの：{fits}",
            name=name,
            fits=listed(near or known),
        ) from None


def _of_variable(variable, record, built_in=True):
    kind = variable.kind if variable.kind == CONTINUOUS else _kind_of(variable.categories, ordered=False)
    return Source(
        name=variable.name,
        label=variable.label,
        kind=kind,
        record=record,
        unit=variable.unit,
        decimals=variable.decimals,
        higher_is=variable.higher_is,
        categories=variable.categories,
        title=WORKED_OUT,
        built_in=built_in,
    )


def _kind_of(categories, ordered):
    if len(categories) == 2:
        return BINARY
    return ORDINAL if ordered else NOMINAL


def of_part(part, instrument, record):
    """The Sources that an item or derived value gives: none of a text, several of an item with several codes."""
    about = {"record": record, "title": instrument.title, "higher_is": instrument.higher_is}
    label = part.label
    if isinstance(part, Digits) or getattr(part, "identifying", False):
        return
    if isinstance(part, Calculated):
        if part.kind == "number":
            yield Source(name=part.name, label=label, kind=CONTINUOUS, unit=part.unit, decimals=part.places, **about)
        elif part.kind == "boolean":
            yield Source(name=part.name, label=label, kind=BINARY, categories=YES_NO, **about)
        elif part.kind == "date":
            yield Source(name=part.name, label=label, kind=DATE, decimals=0, **about)
    elif isinstance(part, Total):
        yield Source(name=part.name, label=label, kind=CONTINUOUS, **about)
    elif isinstance(part, Bands):
        yield Source(name=part.name, label=label, kind=ORDINAL, categories=part.choices, **about | {"higher_is": ""})
    else:
        yield from _of_item(part, label, about)


def _of_item(item, label, about):
    if item.kind == "codes":
        for choice in item.choices:
            both = Label("{label}: {choice}", "{label}：{choice}").format(label=label, choice=choice.label)
            yield Source(
                name=f"{item.name}:{choice.code}", label=both, kind=BINARY, categories=YES_NO, code=choice.code, **about
            )
    elif item.kind in ("date", "partial_date"):
        yield Source(name=item.name, label=label, kind=DATE, decimals=0, **about)
    elif item.choices and item.kind != "levels":
        categories = tuple(Choice(str(choice.code), choice.label) for choice in item.choices)
        kind = _kind_of(categories, _is_ordered(item, about["higher_is"]))
        yield Source(name=item.name, label=label, kind=kind, categories=_yes_first(categories), **about)
    elif item.kind in ("integer", "decimal", "time"):
        yield Source(name=item.name, label=label, kind=CONTINUOUS, unit=item.unit, decimals=item.places + 1, **about)


def _is_ordered(item, higher_is):
    """Codes that are numbers or single letters, of an instrument that says which way is better, are grades."""
    return bool(higher_is) or item.kind == "integer"


def _yes_first(categories):
    """Of yes and no the one that is told of stands first, whatever their codes are."""
    codes = {choice.code for choice in categories}
    if codes in _YES_NO_CODES and categories[0].code in ("0", "no"):
        return tuple(reversed(categories))
    return categories


def column_name(source, visit=""):
    """The frame's column of a Source's values. Those of the product's own variables are read by whole visits."""
    item = source.name.partition(":")[0]
    return item_columns.value(item, visit, source.code)
