"""The study's Table 6, P-values between groups, beside those of a comparison."""

from dataclasses import dataclass

from registry.demo.segi2025.published import BINARY, BINARY_BETWEEN_P, GROUPS, PAIRS, SCALES

# Our timepoint to the study's.
MOMENTS = {"preop": "preop", "1m": "month1", "delta": "change"}
PAIR_NAMES = tuple(f"{first}_vs_{second}" for first, second in PAIRS)


@dataclass(frozen=True)
class Printed:
    """What the study prints of one row: P of each of `PAIR_NAMES`, and how many values are known in each group."""

    p: tuple[str, ...]
    n: tuple[int, ...]


def printed(variable, timepoint):
    """The study's row, or None where it prints none, as for the change of the Barthel index."""
    moment = MOMENTS.get(timepoint)
    if variable in BINARY and moment in BINARY[variable]:
        counts = BINARY[variable][moment]
        return Printed(BINARY_BETWEEN_P[variable][moment], tuple(first + second for first, second, _ in counts))
    row = getattr(SCALES.get(variable), moment or "", None)
    return row and Printed(row.p, row.known)


@dataclass(frozen=True)
class Line:
    """One row: the study's P (None where it prints none) and ours, a pair each, and why they differ, if they do."""

    variable: str
    timepoint: str
    study: tuple[str | None, ...]
    ours: tuple[str, ...]
    reason: str = ""

    @property
    def differing(self):
        return [theirs is not None and theirs != our for theirs, our in zip(self.study, self.ours, strict=True)]


def lines(between_groups, print_p):
    """Lines for the rows of a result's `between_groups`; `print_p` prints a P as the study does."""
    return [_line(row, print_p) for row in between_groups if row["timepoint"] in MOMENTS]


def _line(row, print_p):
    variable, timepoint = row["variable"], row["timepoint"]
    ours = tuple(print_p(row["p"][name]) for name in PAIR_NAMES)
    study = printed(variable, timepoint)
    if study is None:
        return Line(variable, timepoint, (None,) * len(ours), ours)
    line = Line(variable, timepoint, study.p, ours)
    return Line(variable, timepoint, study.p, ours, _reason(row, study)) if any(line.differing) else line


def _reason(row, study):
    n = tuple(row["groups"][group]["n"] for group in GROUPS)
    if n != study.n:
        return f"known values: {_slashed(n)} here, {_slashed(study.n)} in the study"
    if row["kind"] == "categorical":
        return "as many known values as in the study, but other counts"
    return "as many known values as in the study, but another mean or SD beyond or within its rounding"


def _slashed(numbers):
    return "/".join(str(number) for number in numbers)
