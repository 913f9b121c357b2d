"""Variables that a plan's page cuts, collapses and names: lines of categories become the plan's JSON, and back again.

A line is a category: its English name, perhaps `|` and the Japanese one, a colon, and what it holds: codes parted by
commas (`A, B, C`), or of a number `<50`, `50-70` (from 50 to below 70) or `>=70`.
"""

import re
from types import SimpleNamespace

from registry.analysis.design.errors import refusal
from registry.analysis.design.variables import sources

MOST = 20  # on the page
NUMBER = r"-?\d+(?:\.\d+)?"
RANGES = (
    (re.compile(rf"<\s*({NUMBER})"), ("below",)),
    (re.compile(rf"(?:>=|≥)\s*({NUMBER})"), ("from",)),
    (re.compile(rf"({NUMBER})\s*(?:-|–|to|から)\s*<?\s*({NUMBER})"), ("from", "below")),
)
PLAIN = re.compile(r"[^a-z0-9]+")


def variable_of(given, number):
    """The JSON of the variable in the fields of a number; None where no item is chosen. Refused says which line."""
    item = given.get(f"item_{number}", "")
    if not item:
        return None
    name, japanese = ((given.get(f"{part}_{number}") or "").strip() for part in ("own", "own_ja"))
    source = sources.get(item)
    label = {"en": name or source.label.en, "ja": japanese or name or source.label.ja}
    made = {"name": name_of(number, item), "label": label, "of": {"item": item}}
    lines = [line.strip() for line in (given.get(f"categories_{number}") or "").splitlines() if line.strip()]
    if not lines:
        return made
    by_number = source.kind == sources.CONTINUOUS
    return made | {"categories": [_category(line, place, by_number) for place, line in enumerate(lines, 1)]}


def name_of(number, item):
    return f"own_{number}_{PLAIN.sub('_', item)}"[:40].rstrip("_")


def _category(line, place, by_number):
    names, colon, held = line.rpartition(":") if ":" in line else line.rpartition("：")
    english, _bar, japanese = (part.strip() for part in names.partition("|"))
    if not colon or not english or not held.strip():
        raise refusal(
            "“{line}”: a category is its name, a colon and what it holds, such as A–C: A, B, C",
            "「{line}」：カテゴリは「A–C: A, B, C」のように、名称・コロン・含むコードの順に書いてください",
            line=line,
        )
    return {"code": f"c{place}", "label": {"en": english, "ja": japanese or english}} | _held(held.strip(), by_number)


def _held(text, by_number):
    if not by_number:
        return {"holds": [code.strip() for code in re.split(r"[,、]", text) if code.strip()]}
    for pattern, ends in RANGES:
        if match := pattern.fullmatch(text):
            return {end: _number(value) for end, value in zip(ends, match.groups(), strict=True)}
    raise refusal(
        "“{text}” is no range; <50, 50-70 (from 50 to below 70) or >=70",
        "「{text}」は範囲として読めません。<50、50-70（50以上70未満）、>=70のように書いてください",
        text=text,
    )


def _number(text):
    return float(text) if "." in text else int(text)


def kinds(own):
    """Name to something with the kind and place of such a variable, as `sources.offered` has them of an item."""
    return {one["name"]: _seen(one) for one in own}


def _seen(one):
    source = sources.get(one["of"]["item"])
    count = len(one.get("categories", ()))
    cut = sources.BINARY if count == 2 else sources.NOMINAL if source.kind == sources.NOMINAL else sources.ORDINAL
    return SimpleNamespace(kind=cut if count else source.kind, at_visit=source.at_visit, source=source)


def is_recoded(one):
    """Whether a variable of a plan's JSON is made of one item, not of several records."""
    return "item" in one["of"] and "repeat" not in one["of"]


def shape(one):
    """A variable of a plan's JSON as this page writes it: without what is as by default."""
    told = {"name": one["name"], "of": one["of"]}
    if is_recoded(one):
        told["label"] = one["label"]
        if one.get("categories"):
            told["categories"] = one["categories"]
    return {name: told[name] for name in ("name", "label", "of", "categories") if name in told}


def choices_of(own):
    """The fields that make these variables."""
    given = {}
    for number, one in enumerate(own, 1):
        lines = "\n".join(_line(category) for category in one.get("categories", ()))
        given |= {f"item_{number}": one["of"]["item"], f"own_{number}": one["label"]["en"]}
        given |= {f"own_ja_{number}": one["label"]["ja"], f"categories_{number}": lines}
    return given


def _line(category):
    label = category["label"]
    names = label["en"] if label["ja"] == label["en"] else f"{label['en']} | {label['ja']}"
    return f"{names}: {_range(category)}"


def _range(category):
    if "holds" in category:
        return ", ".join(map(str, category["holds"]))
    if "below" not in category:
        return f">={category['from']}"
    return f"{category['from']}-{category['below']}" if "from" in category else f"<{category['below']}"
