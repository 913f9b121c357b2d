"""Patients made up for the sections' tests: plain arrays behind the interface that sections read."""

import numpy as np

from registry.analysis.sections.columns import Column, Event, Patients
from registry.instruments.base import Label

TITLE = {"en": "A section", "ja": "セクション"}
SEX = (("m", Label("male", "男性")), ("f", Label("female", "女性")))
GRADES = tuple((grade, Label(grade, grade)) for grade in "ABCDE")
DAYS = {"preop": 0.0, "1m": 30.0, "3m": 91.0, "6m": 183.0, "12m": 365.0}


class Cohort:
    """Columns by (name, visit), deaths, and ends of follow-up; each may be changed before `patients` is called."""

    def __init__(self, n=160, groups=("a", "b"), seed=3):
        random = np.random.default_rng(seed)
        self.n, self.groups = n, groups
        self.group = random.integers(0, len(groups), n)
        self.columns = {
            ("age", ""): np.round(random.normal(60 + 2 * self.group, 8)),
            ("sex", ""): random.integers(0, 2, n).astype(float),
            ("sins", ""): random.integers(4, 18, n).astype(float),
            ("grade", "preop"): random.integers(0, 3, n).astype(float),
            ("hsuv", "preop"): np.round(random.normal(0.4, 0.2, n), 3),
        }
        self.columns["grade", "6m"] = np.minimum(4, self.columns["grade", "preop"] + random.integers(0, 3, n))
        for place, visit in enumerate(("1m", "3m", "6m", "12m")):
            mean = 0.5 * self.columns["hsuv", "preop"] + 0.3 + 0.05 * self.group + 0.01 * place
            values = np.round(mean + random.normal(0, 0.1, n), 3)
            values[random.random(n) < 0.2] = np.nan
            self.columns["hsuv", visit] = values
        death, left = np.round(random.exponential(500, n)) + 1, np.round(random.uniform(30, 1500, n))
        self.died, self.followed = (death <= left).astype(float), np.minimum(death, left)
        self.death_day = np.where(self.died == 1, death, np.nan)
        relapse = np.round(random.exponential(700, n)) + 1
        self.relapse = np.where(relapse <= self.followed, relapse, np.nan)
        self.undated = np.zeros(n, bool)
        self.categories = {"sex": SEX, "grade": GRADES}
        self.more = {}

    def column(self, name, visit=""):
        values = np.asarray(self.columns[name, visit], float)
        kind = self.categories.get(name, ())
        return Column(name, Label(name, name), values, kind, visit=visit, higher_is="better")

    def event(self, event):
        if event["kind"] == "death":
            return Event(self.death_day, (self.died == 1) & np.isnan(self.death_day))
        return Event(self.relapse, self.undated)

    def patients(self, **more):
        groups = tuple((code, Label(f"Group {code}", f"群{code}")) for code in self.groups)
        day = lambda visit: np.full(self.n, DAYS[visit])  # noqa: E731
        parts = (self.followed, self.died, self.death_day)
        return Patients(groups, self.group, self.column, self.event, day, *parts, **({"adjust": "holm"} | more))


def titled(**section):
    return {"code": "made", "title": TITLE} | section
