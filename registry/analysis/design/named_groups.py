"""Named groups of a plan: each a name in two languages and the steps of a cohort that its patients pass.

Study arms, a cut of a scale or any other question become groups without a line of code:

    "grouping": "named", "named": [
        {"code": "high", "label": {"en": "SINS 13 or more", "ja": "SINS 13以上"},
         "steps": [{"step": "at_least", "variable": "sins_total", "minimum": 13}]},
        {"code": "low", …}]
"""

import json
import re
from dataclasses import dataclass

import numpy as np

from registry.analysis.design import cohorts, groupings
from registry.analysis.design.errors import refusal
from registry.instruments.base import Choice, Label

NAMED = "named"
LABEL = Label("Named groups", "名前を付けた群")
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST_NAME = 60
MOST = 12  # groups; figures and tables have no room for more


@dataclass(frozen=True)
class Group:
    """One group: who passes all of its steps, of those whom the plan's cohort lets in. Refused says what is wrong."""

    code: str
    label: Label
    steps: tuple[cohorts.Step, ...]

    def __post_init__(self):
        if not isinstance(self.code, str) or not CODE.fullmatch(self.code) or "_vs_" in self.code:
            raise refusal(
                "named: the code of a group is small letters, digits and underscores, such as arm_a, without “_vs_”",
                "群：コードはarm_aのように英小文字・数字・下線で指定し、「_vs_」を含めないでください",
            )
        for text in (self.label.en, self.label.ja):
            if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST_NAME:
                raise refusal(
                    "named: {code} needs an English and a Japanese name of at most {most} characters",
                    "群：{code}には{most}文字以内の英語名と日本語名が必要です",
                    code=self.code,
                    most=LONGEST_NAME,
                )
        if not self.steps:
            raise refusal(
                "named: {code} has no step, so everybody would be in it",
                "群：{code}に段階がないため、全員が含まれてしまいます",
                code=self.code,
            )

    def members(self, frame, rule):
        """(n,) bool."""
        return np.logical_and.reduce([step.keep(frame, rule) for step in self.steps])

    def to_json(self):
        label = {"en": self.label.en, "ja": self.label.ja}
        steps = [{"step": step.code, **step.parameters} for step in self.steps]
        return {"code": self.code, "label": label, "steps": steps}


@dataclass(frozen=True)
class NamedGroups:
    """The groups of a plan in the order of print. Refused where there are fewer than two, or two of one code."""

    groups: tuple[Group, ...]

    def __post_init__(self):
        codes = [group.code for group in self.groups]
        if not 2 <= len(codes) <= MOST or len(set(codes)) != len(codes):
            raise refusal(
                "named: name two to {most} groups, each with a code of its own",
                "群：2〜{most}群を、互いに異なるコードで指定してください",
                most=MOST,
            )

    def __hash__(self):
        return hash(json.dumps(self.to_json(), sort_keys=True))

    @property
    def grouping(self):
        choices = tuple(Choice(group.code, group.label) for group in self.groups)
        return groupings.Grouping(NAMED, LABEL, choices, lambda frame, rule: (choices, self._places(frame, rule)))

    def _places(self, frame, rule):
        """Who is where; refused where somebody would be in two groups."""
        inside = np.array([group.members(frame, rule) for group in self.groups])
        twice = inside.sum(axis=0) > 1
        if twice.any():
            first, second = np.flatnonzero(inside[:, np.flatnonzero(twice)[0]])[:2]
            raise refusal(
                "named: {n} patients would be in two groups, such as “{first}” and “{second}”; groups must not share "
                "patients",
                "群：{n}例が「{first}」と「{second}」など2つの群に含まれます。群は重ならないようにしてください。",
                n=int(twice.sum()),
                first=self.groups[first].label,
                second=self.groups[second].label,
            )
        return np.where(inside.any(axis=0), inside.argmax(axis=0), -1).astype(np.int16)

    def timepoints_needed(self):
        """What `frame.read` must read for the groups' steps."""
        return tuple(timepoint for group in self.groups for timepoint in cohorts.timepoints_needed(group))

    def to_json(self):
        return [group.to_json() for group in self.groups]


def from_json(data):
    """The NamedGroups that `to_json` wrote; None of nothing. Refused."""
    if not data:
        return None
    try:
        return NamedGroups(
            tuple(
                Group(
                    group["code"],
                    Label(group["label"]["en"], group["label"]["ja"]),
                    tuple(
                        cohorts.Step(step["step"], {name: part for name, part in step.items() if name != "step"})
                        for step in group["steps"]
                    ),
                )
                for group in data
            )
        )
    except (KeyError, TypeError, AttributeError):
        raise refusal(
            "named: a group has a code, a label in English and Japanese, and a list of steps as a cohort has them",
            "群：コード（code）、英語と日本語の名前（label）、コホートと同じ段階（steps）の一覧が必要です",
        ) from None


def of_method(method):
    """The Grouping that a result's Method names, whatever kind it is."""
    if method.grouping == NAMED:
        return from_json(method.named).grouping
    return groupings.of(method.grouping, groupings.arms_from_json(method.arms))
