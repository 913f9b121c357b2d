"""By what patients may be grouped: each grouping gives every patient a place among its groups, or none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from registry.analysis.data import frame as frames
from registry.analysis.design.errors import listed, named, refusal
from registry.instruments import levels
from registry.instruments.base import Choice, Label
from registry.instruments.core import patient, sins


@dataclass(frozen=True)
class Grouping:
    """`groups` are Choices in the order of print, None where the data decide them; `places` (frame, rule) ->
    (groups, (n,) place of each patient among them, negative for none)."""

    code: str
    label: Label
    groups: tuple | None
    places: Callable


def _segments(frame, rule):
    compared = levels.SEGMENT_GROUPS[: len(SEGMENTS)]
    places = frame.segment_group(rule)
    return compared, np.where(places < len(compared), places, -1).astype(np.int16)


def _column(name, groups):
    return Grouping(name, _LABELS[name], groups, lambda frame, rule: (groups, frame[name]))


def _regions(frame, rule):
    names = sorted({region for region in frame.regions.values() if region})
    place = {pk: names.index(region) if region else -1 for pk, region in frame.regions.items()}
    sites, where = np.unique(frame["site"], return_inverse=True)
    by_site = np.array([place[pk] for pk in sites.tolist()], np.int16)
    groups = tuple(Choice(name, Label(name, name)) for name in names)
    return groups, by_site[where] if sites.size else np.empty(0, np.int16)


SEGMENTS = frames.GROUPS[:3]  # multisegment and unknown lesions are compared with nobody
_LABELS = {
    "sex": Label("Sex", "性別"),
    "primary_tumour": Label("Primary tumour", "原発腫瘍"),
    "procedure": Label("Procedure", "術式"),
    "sins_class": Label("SINS class", "SINS分類"),
}
GROUPINGS = {
    grouping.code: grouping
    for grouping in (
        Grouping("segment_group", Label("Segment group", "病変部位群"), levels.SEGMENT_GROUPS[:3], _segments),
        _column("sex", patient.SEXES),
        Grouping("region", Label("Region of the site", "施設の地域"), None, _regions),
        _column("primary_tumour", patient.PRIMARY_TUMOURS),
        _column("procedure", patient.PROCEDURES),
        _column("sins_class", tuple(choice for _, choice in sins.STABILITY)),
    )
}


# Two arms: some levels of a variable against others, each patient in one arm or in none.

ARMS = "arms"
ARM_CODES = ("arm_a", "arm_b")
ARM_LABEL = Label("Two arms", "2つの治療群")
ARM_VARIABLES = {code: grouping for code, grouping in GROUPINGS.items() if grouping.groups is not None}


@dataclass(frozen=True)
class Arms:
    """The arms of a plan: levels `a` against levels `b` (codes) of a variable, a key of ARM_VARIABLES. Refused."""

    variable: str
    a: tuple
    b: tuple

    def __post_init__(self):
        if self.variable not in ARM_VARIABLES:
            raise refusal(
                "arms: “{variable}” does not fit; one of {fits}",
                "治療群：「{variable}」は使えません。使えるもの：{fits}",
                variable=self.variable,
                fits=listed(ARM_VARIABLES),
            )
        variable = ARM_VARIABLES[self.variable]
        known = [choice.code for choice in variable.groups]
        chosen = (*self.a, *self.b)
        if not self.a or not self.b or len(set(chosen)) != len(chosen) or not set(chosen) <= set(known):
            raise refusal(
                "arms: each arm needs at least one level of {variable}, and no level may be in both; from {fits}",
                "治療群：各群に{variable}の水準を1つ以上指定し、両群に同じ水準を含めないでください。使えるもの：{fits}",
                variable=named([variable]),
                fits=named(variable.groups),
            )

    @property
    def grouping(self):
        source = ARM_VARIABLES[self.variable]
        label = Label(f"{ARM_LABEL.en}, by {source.label.en.lower()}", f"{ARM_LABEL.ja}（{source.label.ja}）")
        groups = tuple(
            Choice(code, self._label(letter, levels_of, source))
            for code, letter, levels_of in zip(ARM_CODES, "AB", (self.a, self.b), strict=True)
        )
        return Grouping(ARMS, label, groups, lambda frame, rule: (groups, self._places(source, frame, rule)))

    def _label(self, letter, levels_of, source):
        labels = [choice.label for choice in source.groups if choice.code in levels_of]
        return Label(
            f"{letter}: {' / '.join(label.en for label in labels)}",
            f"{letter}：{' / '.join(label.ja for label in labels)}",
        )

    def _places(self, source, frame, rule):
        choices, places = source.places(frame, rule)
        arm = [0 if choice.code in self.a else 1 if choice.code in self.b else -1 for choice in choices]
        return np.array([*arm, -1], np.int16)[np.where(places < 0, len(arm), places)]

    def to_json(self):
        return {"variable": self.variable, "a": list(self.a), "b": list(self.b)}


def arms_from_json(data):
    """The Arms that `to_json` wrote; None of nothing. Refused."""
    if not data:
        return None
    try:
        return Arms(data["variable"], tuple(data["a"]), tuple(data["b"]))
    except (KeyError, TypeError):
        raise refusal(
            "arms: name a variable and the levels of arms a and b", "治療群：変数と、a群・b群の水準を指定してください"
        ) from None


EVERYBODY = "everybody"
_EVERYBODY = (Choice(EVERYBODY, Label("All patients", "全患者")),)
ONE_GROUP = Grouping(  # of a study of before and after
    EVERYBODY,
    Label("One group", "1群"),
    _EVERYBODY,
    lambda frame, rule: (_EVERYBODY, np.zeros(frame.n, np.int16)),
)


def of(code, arms=None):
    """The Grouping of this code, of Arms where it is that."""
    if code == EVERYBODY:
        return ONE_GROUP
    return arms.grouping if code == ARMS else GROUPINGS[code]
