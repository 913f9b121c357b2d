"""R as the oracle: a room of references in r/ROOM.R, its quoted numbers in r/ROOM.json, and our functions beside them.

ROOM = Room("survival", OURS, SHAPES, packages=["survival"])
test_quoted, test_all_are_quoted, test_r_prints_them, test_random = against_r(ROOM)
"""

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from registry.stats.arrays import NotEstimable

R = Path(__file__).parent / "r"


@cache
def installed():
    """R's packages here, asked once: to load each of them takes seconds."""
    asked = ["Rscript", "-e", "cat(list.files(.libPaths()))"]
    return frozenset(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())


def lacking(packages):
    """Which of these R packages are not here, or "R"."""
    if shutil.which("Rscript") is None:
        return ("R",)
    return tuple(package for package in packages if package not in installed())


def close(value, expected, relative=1e-9, absolute=1e-13, tolerated=None):
    """Where two lists of numbers differ by more than the promise, or by more than `tolerated(place)`; or None."""
    tolerated = tolerated or (lambda place: relative * abs(expected[place]) + absolute)
    if len(value) != len(expected):
        return f"{len(value)} numbers against {len(expected)}"
    for place, (mine, theirs) in enumerate(zip(value, expected, strict=True)):
        if (mine is None) != (theirs is None) or (mine is not None and abs(mine - theirs) > tolerated(place)):
            return f"number {place}: {mine} against {theirs}"
    return None


@dataclass(frozen=True)
class Room:
    """References of one file.

    ours       name -> our function of numeric vectors, which gives a flat list of numbers
    shapes     name -> function of a numpy Generator, which draws vectors
    tolerance  name -> (relative, absolute) where it is not 1e-9, with the reason beside it
    unlike     reasons of ours where R prints something all the same, each said where the room is made
    cases      random cases for each name (`fewer`: of slow ones), of which at least `least` must be estimable
    """

    name: str
    ours: dict
    shapes: dict
    packages: tuple = ()
    tolerance: dict = field(default_factory=dict)
    unlike: tuple = ()
    cases: int = 40
    fewer: dict = field(default_factory=dict)
    least: int = 15

    def answer(self, name, vectors):
        """Our numbers, None where one does not exist; and the reason where the whole does not."""
        vectors = [np.array([np.nan if v is None else v for v in vector], dtype=float) for vector in vectors]
        try:
            value = self.ours[name](*vectors)
        except NotEstimable as error:
            return None, error.reason
        return [float(v) if v is not None and np.isfinite(v) else None for v in value], None

    def ask_r(self, cases):
        """R's numbers for (name, vectors) cases, all in one run."""

        def text(vector):
            return " ".join("NA" if np.isnan(v) else repr(float(v)) for v in vector)

        lines = "".join("\t".join([name, *map(text, vectors)]) + "\n" for name, vectors in cases)
        command = ["Rscript", R / f"{self.name}.R", "answer"]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def random_cases(self):
        """name -> cases, and what R says of each: all in one run of R, which takes longer to start than to compute."""
        cases = []
        for name in self.ours:
            random = np.random.default_rng(sum(map(ord, name)))
            cases += [(name, self.shapes[name](random)) for _ in range(self.fewer.get(name, self.cases))]
        answered = {name: [] for name in self.ours}
        for case, expected in zip(cases, self.ask_r(cases), strict=True):
            answered[case[0]].append((case, expected))
        return answered

    def differ(self, name, value, expected):
        return close(value, expected, *self.tolerance.get(name, ()))


def against_r(room):
    """The four tests of a room: quoted numbers, each reference quoted, R still prints them, and random cases."""
    quoted = json.loads((R / f"{room.name}.json").read_text())
    absent = lacking(tuple(room.packages))
    answers = cache(room.random_cases)
    live = pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")

    @pytest.mark.parametrize("case", quoted, ids=lambda case: case["name"])
    def test_quoted(case):
        answer, reason = room.answer(case["name"], case["data"])
        assert reason is None
        assert room.differ(case["name"], answer, case["result"]) is None, case["r"]

    def test_all_are_quoted():
        assert {case["name"] for case in quoted} == set(room.ours) == set(room.shapes)

    @pytest.mark.r
    @live
    def test_r_prints_them():
        command = ["Rscript", R / f"{room.name}.R", "quote"]
        printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for now, then in zip(printed, quoted, strict=True):
            assert (now["name"], now["r"], now["data"]) == (then["name"], then["r"], then["data"])
            assert close(now["result"], then["result"], 1e-7, 1e-9) is None

    @pytest.mark.r
    @live
    @pytest.mark.parametrize("name", room.ours)
    def test_random(name):
        estimated = 0
        for case, expected in answers()[name]:
            answer, reason = room.answer(*case)
            if reason is None:
                estimated += 1
                assert room.differ(name, answer, expected) is None, case
            elif reason not in room.unlike:
                assert expected[-1] is None, (reason, case)
        assert estimated >= room.least

    return test_quoted, test_all_are_quoted, test_r_prints_them, test_random
