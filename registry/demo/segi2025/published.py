"""What the study printed: the margins that the demonstration registry reproduces.

Segi N, Nakashima H, Ito S, et al. Quality of life by spinal segment after palliative surgery for metastases.
Global Spine J 2025;15(4):2286-2299. DOI 10.1177/21925682241297948.

Numbers are written as the paper prints them, because the rounding interval is part of the fact. Three columns
always follow `GROUPS`; three pairwise P-values always follow `PAIRS`.
"""

from dataclasses import dataclass

GROUPS = ("cervical", "thoracic", "tls")
PAIRS = (("cervical", "thoracic"), ("thoracic", "tls"), ("cervical", "tls"))
SIZES = (31, 82, 90)

SITES = 38
FIRST_DAY, LAST_DAY = "2018-10-01", "2021-03-31"
FLOW = (("enrolled", 413), ("one_to_three_consecutive", 257), ("no_tes", 230), ("followed_one_month", 203))


@dataclass(frozen=True)
class Printed:
    """A mean and a standard deviation as printed, e.g. `67.4 ± 11.7`."""

    mean: float
    sd: float
    decimals: int

    @classmethod
    def parse(cls, text):
        mean, sd = text.split(" ± ")
        return cls(float(mean), float(sd), len(mean.partition(".")[2]))

    @property
    def half_width(self):
        """How far the unrounded number may lie from the printed one."""
        return 0.5 * 10**-self.decimals


@dataclass(frozen=True)
class Row:
    """One printed line: a `Printed` and a count of unknown a group, and its P-values (one, or one a pair)."""

    groups: tuple[Printed, ...]
    p: tuple[str, ...]
    unknown: tuple[int, ...] = (0, 0, 0)

    @property
    def known(self):
        return tuple(size - unknown for size, unknown in zip(SIZES, self.unknown, strict=True))


def _row(*texts, p, unknown=(0, 0, 0)):
    return Row(tuple(Printed.parse(text) for text in texts), (p,) if isinstance(p, str) else tuple(p), unknown)


# Table 1: patients with a lesion at each level (a patient counts at every level involved).
LEVELS = (
    {"C2": 5, "C3": 6, "C4": 10, "C5": 8, "C6": 5, "C7": 8, "T1": 3},
    {"T1": 7, "T2": 12, "T3": 18, "T4": 21, "T5": 17, "T6": 12, "T7": 9, "T8": 11, "T9": 10, "T10": 2},
    {"T10": 7, "T11": 22, "T12": 15, "L1": 17, "L2": 19, "L3": 15, "L4": 11, "L5": 8, "S": 4},
)

# Table 2. The P of the categorical rows are chi-square without correction of these counts, and follow from them.
MALE = (17, 61, 64)
PRIMARY = {
    "lung": (4, 18, 16), "digestive": (3, 12, 17), "renal": (2, 11, 19), "breast": (6, 8, 6), "prostate": (3, 10, 6),
    "hematological": (3, 7, 4), "unknown": (3, 1, 8), "thyroid": (3, 5, 3), "other": (4, 10, 11),
}  # fmt: skip
DIED = (2, 14, 19)
CATEGORICAL_P = {"sex": "0.12", "primary_tumour": "0.24", "sins_class": "<0.001", "procedure": "<0.001", "died": "0.18"}
CHARACTERISTICS = {
    "age_at_surgery": _row("67.4 ± 11.7", "68.0 ± 10.4", "66.7 ± 10.6", p="0.75"),
    "tokuhashi_total": _row("9.4 ± 3.1", "8.0 ± 3.1", "8.4 ± 2.8", p="0.085"),
    "sins_total": _row("11.1 ± 3.0", "8.8 ± 3.0", "10.2 ± 2.7", p="<0.001"),
    "operative_time_min": _row("216.7 ± 77.1", "202.3 ± 71.0", "173.6 ± 76.4", p="0.006"),
    "blood_loss_ml": _row("218.4 ± 179.5", "523.2 ± 666.6", "293.3 ± 367.8", p="0.002"),
    "followup_months": _row("11.9 ± 4.5", "10.2 ± 6.9", "9.8 ± 6.1", p="0.37"),
}

# Table 3, its labels put right so that the bands, means and SDs of Table 2 come out: SINS total -> patients.
# Its cells of TL/L/S add up to 55 PSF and 23 PPS, where its own last row and Table 2 say 56 and 22: one patient of
# SINS 12 is moved.
SINS = (
    {
        "psf": {6: 1, 7: 2, 8: 3, 9: 2, 10: 4, 11: 4, 12: 2, 13: 2, 14: 3, 15: 2, 16: 2},
        "decompression": {10: 1},
        "anterior": {8: 1, 9: 1, 18: 1},
    },
    {
        "psf": {3: 3, 4: 3, 5: 3, 6: 7, 7: 4, 8: 7, 9: 8, 10: 9, 11: 6, 12: 3, 13: 6, 14: 4},
        "pps": {8: 1, 9: 1, 11: 1, 12: 2, 14: 1},
        "decompression": {4: 2, 5: 1, 7: 1, 8: 1, 9: 1, 10: 2, 12: 1},
        "anterior": {4: 1, 7: 1, 8: 1, 9: 1},
    },
    {
        "psf": {6: 2, 7: 4, 8: 6, 9: 6, 10: 11, 11: 10, 12: 7, 13: 3, 14: 4, 15: 1, 16: 2},
        "pps": {1: 1, 3: 1, 7: 1, 9: 1, 10: 4, 11: 4, 12: 6, 13: 1, 14: 2, 15: 1},
        "decompression": {5: 1, 6: 1, 7: 1, 8: 1, 9: 2},
        "anterior": {8: 1, 11: 1},
        "bkp": {8: 2, 9: 1, 12: 1},
    },
)
PROCEDURES = ("psf", "pps", "decompression", "anterior", "bkp")
PROCEDURE = {code: tuple(sum(group.get(code, {}).values()) for group in SINS) for code in PROCEDURES}
SINS_CLASS = {
    name: tuple(
        sum(n for cell in group.values() for total, n in cell.items() if low <= total <= high) for group in SINS
    )
    for name, low, high in (("stable", 0, 6), ("potentially_unstable", 7, 12), ("unstable", 13, 18))
}

# Tables 4 and 6, two categories: (first, second, unknown) a group; P within groups, then between them.
FRANKEL_ABC = {"preop": ((10, 21, 0), (46, 36, 0), (18, 72, 0)), "month1": ((1, 26, 4), (23, 53, 6), (9, 76, 5))}
ECOG_OVER_2 = {"preop": ((14, 17, 0), (49, 32, 1), (40, 48, 2)), "month1": ((3, 23, 5), (29, 48, 5), (17, 67, 6))}
BINARY = {"frankel_abc": FRANKEL_ABC, "ecog_ps_over_2": ECOG_OVER_2}
BINARY_WITHIN_P = {"frankel_abc": ("0.007", "0.001", "0.10"), "ecog_ps_over_2": ("0.008", "0.004", "<0.001")}
BINARY_BETWEEN_P = {
    "frankel_abc": {"preop": ("0.052", "<0.001", "0.22"), "month1": ("0.005", "0.005", "0.45")},
    "ecog_ps_over_2": {"preop": ("0.30", "0.19", ">0.99"), "month1": ("0.034", "0.034", "0.39")},
}


@dataclass(frozen=True)
class Scale:
    """A scale measured twice: before, after and change, and the signed-rank P within each group.

    `change` is None where the paper prints none; `pairs` are the complete pairs a group.
    """

    preop: Row
    month1: Row
    change: Row | None
    within_p: tuple[str, ...]
    pairs: tuple[int, ...]


def _scale(preop, month1, change, within_p, pairs=None):
    return Scale(preop, month1, change, within_p, pairs or change.known)


SCALES = {
    "pain_vas_mm": _scale(
        _row("58.0 ± 25.8", "59.7 ± 27.1", "70.4 ± 25.9", p=("0.96", "0.027", "0.083"), unknown=(3, 2, 5)),
        _row("31.3 ± 20.7", "32.5 ± 25.2", "24.7 ± 21.7", p=("0.97", "0.088", "0.41"), unknown=(4, 6, 9)),
        _row("-26.0 ± 30.3", "-25.8 ± 30.1", "-45.9 ± 30.7", p=(">0.99", "<0.001", "0.011"), unknown=(5, 6, 10)),
        ("0.001", "<0.001", "<0.001"),
    ),
    "barthel_total": _scale(
        _row("69.4 ± 28.4", "57.7 ± 29.6", "67.7 ± 27.4", p=("0.13", "0.060", "0.96"), unknown=(0, 0, 2)),
        _row("88.3 ± 14.7", "72.4 ± 27.0", "81.8 ± 23.6", p=("0.012", "0.039", "0.46"), unknown=(5, 5, 7)),
        None,  # not printed: the pairs are ours, one patient of the third group unknown at both
        ("<0.001", "<0.001", "<0.001"),
        pairs=(26, 77, 82),
    ),
    "hsuv": _scale(
        _row("0.461 ± 0.291", "0.321 ± 0.292", "0.376 ± 0.272", p=("0.059", "0.42", "0.34"), unknown=(2, 2, 4)),
        _row("0.653 ± 0.233", "0.513 ± 0.252", "0.624 ± 0.232", p=("0.027", "0.011", "0.85"), unknown=(4, 6, 8)),
        _row("0.185 ± 0.221", "0.180 ± 0.227", "0.246 ± 0.255", p=(">0.99", "0.20", "0.49"), unknown=(4, 6, 9)),
        ("<0.001", "<0.001", "<0.001"),
    ),
    "eq_vas": _scale(
        _row("48.7 ± 23.6", "32.4 ± 24.4", "40.1 ± 23.7", p=("0.008", "0.12", "0.25"), unknown=(4, 8, 12)),
        _row("63.4 ± 25.8", "54.7 ± 24.5", "61.7 ± 21.9", p=("0.25", "0.18", "0.95"), unknown=(6, 13, 16)),
        _row("14.6 ± 28.0", "22.8 ± 27.1", "22.0 ± 28.3", p=("0.42", "0.98", "0.49"), unknown=(6, 14, 17)),
        ("0.002", "<0.001", "<0.001"),
    ),
}

# Figure 5, of which the paper tells only this: whether the groups differ significantly in a domain, pairs as in `PAIRS`
# (Fisher's tests of the level counts, Benjamini-Hochberg); None where it says nothing.
_NONE = (False, False, False)
FIGURE_5 = {
    "preop": {
        "eq5d_mobility": (True, True, None),
        "eq5d_self_care": (True, None, None),
        "eq5d_usual_activities": (None, None, None),
        "eq5d_pain_discomfort": _NONE,
        "eq5d_anxiety_depression": _NONE,
    },
    "month1": {
        "eq5d_mobility": _NONE,
        "eq5d_self_care": _NONE,
        "eq5d_usual_activities": _NONE,
        "eq5d_pain_discomfort": _NONE,
        "eq5d_anxiety_depression": _NONE,
    },
}

# Table 5: patients with at least one such event.
WOUND_EVENT, NEUROLOGICAL_EVENT = (2, 5, 3), (1, 7, 5)
WOUND_KINDS = ("surgical_site_infection", "wound_problem")


@dataclass(frozen=True)
class Case:
    """A patient the paper describes. Pairs are (before, one month); ages are the printed decade.

    The EQ-5D profiles are one choice each among those with the printed value.
    """

    decade: int
    level: str
    frankel: tuple[str, str]
    ecog: tuple[int, int]
    barthel: tuple[int, int]
    pain: tuple[int, int]
    eq5d: tuple[int, int]
    hsuv: tuple[str, str]
    eq_vas: tuple[int, int]


# One a group; all three men with lung cancer and posterior decompression and fusion.
CASES = (
    Case(60, "C3", ("C", "D"), (2, 1), (30, 90), (40, 10), (55433, 32322), ("0.210", "0.575"), (50, 80)),
    Case(70, "T6", ("C", "C"), (4, 3), (40, 65), (81, 54), (44444, 33333), ("0.188", "0.480"), (65, 60)),
    Case(70, "L1", ("D", "D"), (3, 2), (60, 95), (50, 14), (43333, 22222), ("0.414", "0.665"), (30, 70)),
)


def printed_p(p):
    """A P-value as the paper prints it: two decimals from 0.10, three below, `<0.001`, `>0.99`.

    The one place where the paper departs from this is 0.0970 printed as 0.10.
    """
    if p < 0.001:
        return "<0.001"
    if p > 0.99:
        return ">0.99"
    return f"{p:.2f}" if p >= 0.10 else f"{p:.3f}"


def p_interval(text):
    """The unrounded P-values (low, high) that print as `text`."""
    if text == "<0.001":
        return 0.0, 0.001
    if text == ">0.99":
        return 0.99, 1.0
    half = 0.5 * 10 ** -len(text.partition(".")[2])
    low = float(text) - half
    return max(low, 0.001 if len(text) == 5 else 0.10), float(text) + half
