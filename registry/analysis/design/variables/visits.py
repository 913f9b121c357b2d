"""When a value counts: a visit of the schedule, or one that a plan declares by a rule.

    {"code": "last", "label": {"en": "Last visit", "ja": "最終来院"}, "take": "last"}
    {"code": "year", "label": …, "take": "nearest", "day": 365, "within": 60}
    {"code": "early", "label": …, "take": "last_before", "day": 100}

A rule looks at every visit of the schedule after surgery, unscheduled ones too, and takes the value known there: the
last, the last until a day after surgery (inclusive), or the nearest to a day (of two equally near the earlier).
"""

import re
from dataclasses import dataclass

from registry.analysis.design.errors import listed, refusal
from registry.instruments import timepoints
from registry.instruments.base import Label

LAST, LAST_BEFORE, NEAREST = TAKES = ("last", "last_before", "nearest")
CODE = re.compile(r"[a-z][a-z0-9_]{0,19}")


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit by a rule: `take` is one of TAKES; `day` counts from surgery, and `within` so many days of it."""

    code: str
    label: Label
    take: str
    day: int | None = None
    within: int | None = None

    def __post_init__(self):
        if not isinstance(self.code, str) or not CODE.fullmatch(self.code) or self.code in codes_of_schedule():
            raise refusal(
                "visits: “{code}” is no code for a visit of the plan's own; small letters, digits and underscores, "
                "none of the schedule's",
                "時点：「{code}」は使えません。スケジュールにない、英小文字・数字・下線のコードにしてください。",
                code=self.code,
            )
        if self.take not in TAKES:
            raise refusal(
                "visits: {code} takes “{take}”; one of {fits}",
                "時点：{code}のtake「{take}」は使えません。使えるもの：{fits}",
                code=self.code,
                take=self.take,
                fits=listed(TAKES),
            )
        if self.take != LAST and not _is_whole(self.day):
            raise refusal(
                "visits: {code} needs `day`, a whole number of days after surgery",
                "時点：{code}にはday（手術後の日数）が必要です",
                code=self.code,
            )
        if self.take == NEAREST and (not _is_whole(self.within) or self.within < 0):
            raise refusal(
                "visits: {code} needs `within`, how many days from the day a visit may be",
                "時点：{code}にはwithin（許容日数）が必要です",
                code=self.code,
            )

    def to_json(self):
        more = {name: getattr(self, name) for name in ("day", "within") if getattr(self, name) is not None}
        return {"code": self.code, "label": {"en": self.label.en, "ja": self.label.ja}, "take": self.take, **more}


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def from_json(data):
    """The Visit that `to_json` wrote. Refused."""
    try:
        label = data.get("label") or {}
        known = {"code", "label", "take", "day", "within"}
        if unknown := sorted(data.keys() - known):
            raise refusal(
                "visits: no part of a visit: {unknown}; it has {fits}",
                "時点：使えない項目です：{unknown}。使えるもの：{fits}",
                unknown=listed(unknown),
                fits=listed(sorted(known)),
            )
        text = label if isinstance(label, dict) else {"en": str(label), "ja": str(label)}
        return Visit(
            code=data["code"],
            label=Label(str(text.get("en") or data["code"]), str(text.get("ja") or text.get("en") or data["code"])),
            take=data["take"],
            day=data.get("day"),
            within=data.get("within"),
        )
    except (KeyError, TypeError, AttributeError):
        raise refusal(
            "visits: a visit has a code, a label, and what it takes: {fits}",
            "時点：コード（code）、名前（label）、take（{fits}）が必要です",
            fits=listed(TAKES),
        ) from None


def codes_of_schedule():
    return tuple(visit.code for visit in timepoints.planned())


def scheduled():
    """Every planned visit, in the order of the days."""
    return timepoints.planned()


def require(code, declared=()):
    """Refused where a code is neither a visit of the schedule nor one of the plan's own."""
    own = tuple(visit.code for visit in declared)
    if code not in own and code not in codes_of_schedule():
        raise refusal(
            "“{code}” is no visit of this registry; one of {fits}",
            "「{code}」という時点はありません。使えるもの：{fits}",
            code=code,
            fits=listed((*codes_of_schedule(), *own)),
        )
