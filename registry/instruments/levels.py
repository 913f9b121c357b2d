"""Vertebral levels, from the first cervical vertebra to the sacrum, and the segment group of a lesion.

A lesion is a set of levels. The database and the comparison keep it as a bit mask: bit i stands for `LEVELS[i]`,
so C1 is bit 0 and a run of adjacent levels is a run of adjacent bits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

from registry.instruments.base import Choice, Label

CERVICAL = tuple(f"C{number}" for number in range(1, 8))
THORACIC = tuple(f"T{number}" for number in range(1, 13))
LUMBAR = tuple(f"L{number}" for number in range(1, 6))
LEVELS = (*CERVICAL, *THORACIC, *LUMBAR, "S")
LEVEL_CHOICES = tuple(Choice(level, Label(level, level)) for level in LEVELS)

MAX_LEVELS = 3  # a lesion of more vertebrae belongs to no single segment

SEGMENT_GROUPS = (
    Choice("cervical", Label("Cervical", "頚椎")),
    Choice("thoracic", Label("Thoracic", "胸椎")),
    Choice("tls", Label("TL/L/S", "胸腰椎移行部・腰椎・仙椎")),
    Choice("multisegment", Label("Multisegment", "複数部位")),
    Choice("unknown", Label("Unknown", "不明")),
)

_INDEX = {level: index for index, level in enumerate(LEVELS)}


def mask(levels: Iterable[str]) -> int:
    """The bit mask of some levels; 0 for none. KeyError if one is not a level."""
    bits = 0
    for level in levels:
        bits |= 1 << _INDEX[level]
    return bits


def from_mask(bits: int) -> tuple[str, ...]:
    """The levels of a bit mask in rostral order. ValueError if a bit stands for no level."""
    if not 0 <= bits < 1 << len(LEVELS):
        raise ValueError(f"not a mask of vertebral levels: {bits}")
    return tuple(level for index, level in enumerate(LEVELS) if bits >> index & 1)


def number(levels: Iterable[str]) -> int:
    """How many different levels there are."""
    return mask(levels).bit_count()


def in_runs(levels: Iterable[str]) -> str:
    """The levels as a surgeon writes them, each run of neighbours by its ends: "C7, T3–T7"."""
    places = count()  # along a run, index and place rise together
    indices = sorted(_INDEX[level] for level in frozenset(levels))
    runs = [list(run) for _, run in groupby(indices, key=lambda index: index - next(places))]
    return ", ".join(LEVELS[run[0]] if len(run) == 1 else f"{LEVELS[run[0]]}–{LEVELS[run[-1]]}" for run in runs)


def is_consecutive(levels: Iterable[str]) -> bool:
    """Whether the levels are one run without a gap; False for none."""
    bits = mask(levels)
    # Adding the lowest bit to one run of ones carries past its end, and then nothing is left in common.
    return bits > 0 and bits & (bits + (bits & -bits)) == 0


@dataclass(frozen=True)
class SegmentRule:
    """How the levels of a lesion become one of `SEGMENT_GROUPS`.

    The default rule: any cervical vertebra makes a lesion cervical; otherwise any vertebra from `tl_starts_at` down
    makes it TL/L/S; otherwise it is thoracic. It reproduces every cell of Table 1 of the segment study
    (doi:10.1177/21925682241297948). `majority` counts vertebrae instead, and `majority_tie` settles a draw.
    ValueError for an option that is not in `OPTIONS`.
    """

    segment_rule: str = "any_involvement"
    tl_starts_at: str = "T11"
    majority_tie: str = "away_from_thoracic"

    def __post_init__(self) -> None:
        for name, allowed in OPTIONS.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")

    @property
    def version(self) -> str:
        """What a result says about the rule behind it: the options in use and the revision of this code."""
        tie = (self.majority_tie,) if self.segment_rule == "majority" else ()
        return "/".join((self.segment_rule, self.tl_starts_at, *tie, REVISION))

    @classmethod
    def of_version(cls, version: str) -> "SegmentRule":
        """The rule that a result names by its `version`."""
        return cls(*version.split("/")[:-1])

    @property
    def in_words(self) -> Label:
        """What the rule goes by, for pages; results name its `version`."""
        if self.segment_rule == "majority":
            return Label(
                "the segment of most of the vertebrae (TL/L/S from {first}; where two have as many, {drawn})",
                "最も多くの椎体が属する部位（胸腰椎移行部・腰椎・仙椎は{first}以下、同数の場合は{drawn}）",
            ).format(first=self.tl_starts_at, drawn=DRAWN[self.majority_tie])
        return Label(
            f"cervical before TL/L/S (from {self.tl_starts_at}) before thoracic",
            f"頚椎、胸腰椎移行部・腰椎・仙椎（{self.tl_starts_at}以下）、胸椎の順に優先",
        )

    @property
    def thoracic(self) -> tuple[str, ...]:
        """The levels of the thoracic group: below the cervical spine and above the junction."""
        return LEVELS[len(CERVICAL) : _INDEX[self.tl_starts_at]]

    @property
    def tls(self) -> tuple[str, ...]:
        """The levels of the TL/L/S group, from the junction down."""
        return LEVELS[_INDEX[self.tl_starts_at] :]

    def group(self, levels: Iterable[str] | None) -> str:
        """The code of the segment group; `unknown` for no level."""
        levels = frozenset(levels or ())
        if not levels:
            return "unknown"
        counts = {
            "cervical": len(levels.intersection(CERVICAL)),
            "thoracic": len(levels.intersection(self.thoracic)),
            "tls": len(levels.intersection(self.tls)),
        }
        if (counts["cervical"] and counts["tls"]) or len(levels) > MAX_LEVELS or not is_consecutive(levels):
            return "multisegment"
        if self.segment_rule == "majority":
            return self._majority(counts)
        return next(group for group in ("cervical", "tls", "thoracic") if counts[group])

    def reason(self, levels: Iterable[str] | None) -> Label:
        """Why `group` is what it is, in words."""
        levels, group = frozenset(levels or ()), self.group(levels)
        below = self.tl_starts_at
        if group == "unknown":
            return Label("no level is known", "高位が不明")
        if group == "multisegment":
            if not is_consecutive(levels):
                return Label("the vertebrae are not neighbours", "椎体が連続していない")
            return Label("more than {max_levels} vertebrae", "{max_levels}椎体を超える").format(max_levels=MAX_LEVELS)
        if self.segment_rule == "majority":
            return self.in_words
        return {
            "cervical": Label("a cervical vertebra is involved", "頚椎を含む"),
            "tls": Label(
                f"{below} or below is involved, and no cervical vertebra", f"{below}以下を含み、頚椎を含まない"
            ),
            "thoracic": Label(
                f"{self.thoracic[0]} to {self.thoracic[-1]} alone", f"{self.thoracic[0]}〜{self.thoracic[-1]}のみ"
            ),
        }[group]

    def _majority(self, counts: Any) -> Any:
        most = max(counts.values())
        tied = [group for group, count in counts.items() if count == most]  # rostral to caudal
        if self.majority_tie == "away_from_thoracic":
            return next((group for group in tied if group != "thoracic"), "thoracic")
        return tied[0] if self.majority_tie == "rostral" else tied[-1]


REVISION = "1"
OPTIONS = {
    "segment_rule": ("any_involvement", "majority"),
    "tl_starts_at": ("T11", "T10"),
    "majority_tie": ("away_from_thoracic", "rostral", "caudal"),
}
DRAWN = {
    "away_from_thoracic": Label("the one that is not thoracic", "胸椎でない部位"),
    "rostral": Label("the upper one", "頭側の部位"),
    "caudal": Label("the lower one", "尾側の部位"),
}
DEFAULT_RULE = SegmentRule()
