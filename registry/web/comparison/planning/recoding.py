"""Categories of a variable as lines of text: they become the plan's JSON, and back again.

A line is a category: its English name, perhaps `|` and the Japanese one, a colon, and what it holds: codes parted by
commas (`A, B, C`), or of a number `<50`, `50-70` (from 50 to below 70) or `>=70`. A code of its own may stand before
the name (`low = A–C: A, B, C`); without one it is c1, c2, … by its place.
"""

import re

from registry.analysis.design.errors import Refused, refusal
from registry.analysis.design.variables import declared, sources

NUMBER = r"-?\d+(?:\.\d+)?"
RANGES = (
    (re.compile(rf"<\s*({NUMBER})"), ("below",)),
    (re.compile(rf"(?:>=|≥)\s*({NUMBER})"), ("from",)),
    (re.compile(rf"({NUMBER})\s*(?:-|–|to|から)\s*<?\s*({NUMBER})"), ("from", "below")),
)
CODED = re.compile(r"([A-Za-z0-9_.-]{1,40})\s+=\s+(.+)")


def categories(lines, by_number):
    """The JSON of the categories in some lines. Refused says which line."""
    given = [line.strip() for line in lines.splitlines() if line.strip()]
    return [_category(line, place, by_number) for place, line in enumerate(given, 1)]


def is_number(of):
    """Whether what a variable is of is a number, which is cut by ranges."""
    try:
        return declared.from_json({"name": "cut", "of": of}, declared.Variables()).kind == sources.CONTINUOUS
    except (Refused, KeyError, TypeError):  # of another variable of the plan, or of nothing: the plan says it
        return "change" in of or "days" in of


def _category(line, place, by_number):
    names, colon, held = line.rpartition(":") if ":" in line else line.rpartition("：")
    code = f"c{place}"
    if match := CODED.fullmatch(names.strip()):
        code, names = match.groups()
    english, _bar, japanese = (part.strip() for part in names.partition("|"))
    if not colon or not english or not held.strip():
        raise refusal(
            "“{line}”: a category is its name, a colon and what it holds, such as A–C: A, B, C",
            "「{line}」：カテゴリは「A–C: A, B, C」のように、名称・コロン・含むコードの順に書いてください",
            line=line,
        )
    return {"code": code, "label": {"en": english, "ja": japanese or english}} | _held(held.strip(), by_number)


def _held(text, by_number):
    if not by_number:
        return {"holds": [code.strip() for code in re.split(r"[,、]", text) if code.strip()]}
    for pattern, ends in RANGES:
        if match := pattern.fullmatch(text):
            return {end: _number(value) for end, value in zip(ends, match.groups(), strict=True)}
    raise refusal(
        "“{text}” is no range; <50, 50-70 (from 50 to below 70) or >=70",
        "「{text}」は範囲として読めません。<50、50-70（50以上70未満）、>=70のように書いてください。",
        text=text,
    )


def _number(text):
    return float(text) if "." in text else int(text)


def lines(some):
    """The lines that make these categories."""
    return "\n".join(_line(category, place) for place, category in enumerate(some, 1))


def _line(category, place):
    label = category["label"]
    names = label["en"] if label["ja"] == label["en"] else f"{label['en']} | {label['ja']}"
    code = "" if category["code"] == f"c{place}" else f"{category['code']} = "
    return f"{code}{names}: {_range(category)}"


def _range(category):
    if "holds" in category:
        return ", ".join(map(str, category["holds"]))
    if "below" not in category:
        return f">={category['from']}"
    return f"{category['from']}-{category['below']}" if "from" in category else f"<{category['below']}"
