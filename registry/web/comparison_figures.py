"""The figures of a comparison as numbers for inline SVG: boxes before and after, and stacked answers of EQ-5D-5L.

Colours are classes of the stylesheet: the pages' Content Security Policy allows no inline style. Behind every figure
stands the table with the same numbers.
"""

from dataclasses import dataclass

from registry.analysis.formats import number
from registry.analysis.words import Words
from registry.instruments import variables

HEIGHT = 180  # of the plot, in units of the viewBox
TOP = 10
LEFT = 44
SLOT = 52  # of one box with the space around it
GAP = 18  # between groups
BAR = 22
LABELS = 46  # under the plot


@dataclass(frozen=True)
class Box:
    """One box: five heights as y, the mean's y, where it stands, and the words under it."""

    x: float
    minimum: float
    q1: float
    median: float
    q3: float
    maximum: float
    mean: float
    n: int
    when: str
    group: int
    text: str


@dataclass(frozen=True)
class Part:
    """One level's share of a stacked bar."""

    x: float
    y: float
    height: float
    level: str
    text: str


@dataclass(frozen=True)
class Figure:
    title: str
    kind: str
    width: int
    height: int
    marks: tuple
    groups: tuple  # (x of the middle, name)
    ticks: tuple  # (y, text)
    bottoms: tuple = ()  # (x, text, n) under each bar
    description: str = ""


def figures(result, language="en"):
    """A Figure for each continuous outcome and each EQ-5D-5L dimension of a result."""
    words = Words(result, language)
    times = [result["method"]["baseline"], *result["method"]["followups"]]
    outcomes, domains = {}, {}
    for row in result["between_groups"]:
        if row["kind"] == "continuous" and row["timepoint"] in times:
            outcomes.setdefault(row["variable"], []).append(row)
    for row in result["eq5d_domains"]:
        domains.setdefault(row["variable"], []).append(row)
    drawn = [_boxes(variables.get(name), rows, words) for name, rows in outcomes.items()]
    return [one for one in (*drawn, *(_stacks(variables.get(n), rows, words) for n, rows in domains.items())) if one]


def _places(words, rows):
    """(x, group code, place of the group, row) of each bar, and the middle of each group; then the whole width."""
    bars, middles, x = [], [], LEFT + GAP / 2
    for place, (code, name) in enumerate(words.groups.items()):
        middles.append((x + SLOT * len(rows) / 2, name))
        for row in rows:
            bars.append((x + SLOT / 2, code, place, row))
            x += SLOT
        x += GAP
    return bars, tuple(middles), int(x)


def _boxes(variable, rows, words):
    told = [entry for row in rows for entry in row["groups"].values() if entry["n"]]
    if not told:
        return None
    low, high = min(entry["min"] for entry in told), max(entry["max"] for entry in told)
    low, high = min(low, 0.0), high if high > low else low + 1

    def y(value):
        return round(TOP + HEIGHT * (high - value) / (high - low), 1)

    bars, middles, width = _places(words, rows)
    boxes = []
    for x, code, place, row in bars:
        entry, when = row["groups"][code], words.timepoint(row["timepoint"])
        if entry["n"]:
            heights = (y(entry[name]) for name in ("min", "q1", "median", "q3", "max", "mean"))
            shown = number(entry["median"], variable.decimals)
            boxes.append(Box(x, *heights, entry["n"], when, place, f"{words.groups[code]}, {when}: {shown}"))
    ticks = tuple((y(value), number(value, 1 if high <= 2 else 0)) for value in _ticks(low, high))
    title = words.label(variable)
    bottoms = tuple((box.x, box.when, box.n) for box in boxes)
    description = "; ".join(box.text for box in boxes)
    return Figure(title, "boxes", width, TOP + HEIGHT + LABELS, tuple(boxes), middles, ticks, bottoms, description)


def _ticks(low, high):
    step = next((s for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 25, 50, 100) if (high - low) / s <= 6), high - low)
    first = int(low / step) - 1
    return [round(place * step, 6) for place in range(first, first + 12) if low <= place * step <= high + 1e-9]


def _stacks(variable, rows, words):
    bars, middles, width = _places(words, rows)
    parts, bottoms = [], []
    for x, code, _, row in bars:
        entry, when = row["groups"][code], words.timepoint(row["timepoint"])
        bottoms.append((x, when, entry["n"]))
        reached = 0
        for choice in variable.categories:
            count = entry["counts"][str(choice.code)]
            if count:
                height = HEIGHT * count / entry["n"]
                text = f"{words.groups[code]}, {when}: {words(choice.label)} {100 * count / entry['n']:.0f}%"
                top = TOP + HEIGHT - reached - height
                parts.append(Part(round(x - BAR / 2, 1), round(top, 1), round(height, 1), str(choice.code), text))
                reached += height
    if not parts:
        return None
    ticks = tuple((TOP + HEIGHT * (100 - share) / 100, f"{share}%") for share in (0, 25, 50, 75, 100))
    title, description = words(variable.label), "; ".join(part.text for part in parts)
    height = TOP + HEIGHT + LABELS
    return Figure(title, "stacks", width, height, tuple(parts), middles, ticks, tuple(bottoms), description)
