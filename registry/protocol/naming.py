"""Names of own items: what a database column, a CSV header, SPSS, SAS, Stata and R can all hold."""

import re
from collections.abc import Collection

from registry.instruments.base import Label

LONGEST = 24  # Stata and SAS hold 32 characters, and a wide file adds the visit: `_unsched`
# Words that a program reads as something else than a name, in small letters.
RESERVED = {
    program: frozenset(words.split())
    for program, words in {
        "SPSS": "all and by eq ge gt le lt ne not or to with",
        "Stata": "_all _b byte _coef _cons double float if in int long _n _pi _pred _rc _se _skip strl using with",
        "SAS": "_n_ _error_ _numeric_ _character_ _all_ _infile_ _file_",
        "R": "else for function next repeat while true false null inf nan na break if in",
        "SQL": (
            "all analyse analyze and any array as asc asymmetric authorization between binary both case cast check "
            "collate collation column concurrently constraint create cross current_date current_role current_time "
            "current_user default deferrable desc distinct do else end except false fetch for foreign freeze from full "
            "grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit "
            "localtime natural not notnull null offset on only or order outer overlaps placing primary references "
            "returning right select session_user similar some symmetric table tablesample then to trailing true union "
            "unique user using variadic verbose when where window with ctid tableoid xmin xmax cmin cmax"
        ),
        # Controls of forms and parameters of addresses that stand beside an item's own.
        "Metaspine": (
            "csrfmiddlewaretoken person drafted asked right seen typed look discard resume submission screening "
            "work_out known ask by run step page cursor fields sort"
        ),
    }.items()
}
ENDINGS = ("_missing", "_label", "_day", "_cens")  # columns of files that stand beside an item's own


def reason_against(name: str, taken: Collection[str] = ()) -> Label | None:
    """Why `name` cannot be an item's; None where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return Label(
            "must be small letters, digits and “_”, beginning with a letter",
            "英小文字で始まる英小文字・数字・「_」としてください",
        )
    if len(name) > LONGEST:
        return Label(
            f"has {len(name)} characters; SPSS, SAS and Stata need at most {LONGEST}, because a wide file adds the "
            "visit",
            f"{len(name)}文字です（横形式では来院名が付くため、{LONGEST}文字以内としてください）",
        )
    for program, words in RESERVED.items():
        if name in words:
            return Label("is a word of {program} itself", "{program}の予約語です").format(program=program)
    if re.fullmatch(r"str[0-9]+", name):
        return Label("is a word of Stata itself", "Stataの予約語です")
    if name.endswith(ENDINGS) or name.startswith(("delta_", "hsuv_", "event_")):
        return Label("looks like a column that files add beside an item", "ファイルに追加される列と区別できません")
    if name in taken:
        return Label("is the name of another item already", "この名前は既に使われています")
    return None


def fitting(name: str, taken: Collection[str] = (), longest: int = LONGEST) -> str:
    """A name as near to `name` as can be that fits."""
    base = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "item"
    base = base if base[0].isalpha() else f"v_{base}"
    for ending in ENDINGS:
        base = base.removesuffix(ending)
    base = base[:longest].strip("_")
    if reason_against(base, taken) is None:
        return base
    for number in range(2, 10_000):
        end = f"_{number}"
        candidate = base[: longest - len(end)] + end
        if candidate not in taken and reason_against(candidate) is None:
            return candidate
    raise ValueError(name)
