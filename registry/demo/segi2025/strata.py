"""What is asked of each part of the registry: the three analysed groups, and those whom the cohort leaves out.

A `Stratum` is counts and moments. For the analysed groups they are the published margins, met exactly; for the others
they are plausible values that only shape the draw.
"""

from dataclasses import dataclass

import numpy as np

from registry.demo.repair import Wanted
from registry.demo.segi2025 import published
from registry.demo.segi2025.lesions import multilevel, runs
from registry.demo.segi2025.moments import Moments, choose
from registry.instruments.levels import LEVELS

DAYS_PER_MONTH = 30.4375
SHORTEST_FOLLOWUP = 30  # days: the study's one month
UNITS = {"followup_months": 1 / DAYS_PER_MONTH, "barthel_total": 5, "hsuv": 1e-6}
SD_TOLERANCE = 0.002  # of a printed unit: far inside what the P-values allow
# Health state values come in lumps, so a sum is met only nearly. These leave the three Tukey P-values as chosen; the
# rounding intervals of the smallest group are met because candidates stay 0.2 of their width away from the ends.
HSUV_TOTAL_TOLERANCE = 2500  # in 0.000001
HSUV_SD_TOLERANCE = 2500  # in 0.000001, divided by the number of patients
EDGES = {"hsuv": 0.8}
ECOG_CODES = (0, 1, 2, 3, 4)

# How the two published classes divide, before surgery and at one month: ours, the paper prints only the classes.
ABC_SHARES = ((0.06, 0.17, 0.77), (0.07, 0.18, 0.75))
DE_SHARES = ((0.64, 0.36), (0.52, 0.48))
OVER_2_SHARES = ((0.66, 0.34), (0.72, 0.28))
UP_TO_2_SHARES = ((0.05, 0.33, 0.62), (0.18, 0.46, 0.36))


@dataclass(frozen=True)
class ScalePlan:
    """A scale before and after: what is wanted of both and of their difference, and where it is unknown."""

    before: Wanted
    after: Wanted
    change: Wanted | None
    unknown: tuple[int, int]
    unknown_at_both: int
    within_p: tuple[float, float] | None = None

    @property
    def correlation(self):
        """Between before and after, as the three SDs imply it."""
        if self.change is None:
            return 0.6
        a, b, d = self.before.moments.sd, self.after.moments.sd, self.change.moments.sd
        return float(np.clip((a * a + b * b - d * d) / (2 * a * b), -0.95, 0.95))


@dataclass(frozen=True)
class Stratum:
    """`grades` counts (before, after) by code; `cells` is (procedure, SINS total) a patient; `exact` if published."""

    name: str
    levels: list[list[str]]
    male: int
    primary: dict[str, int]
    cells: list[tuple[str, int]]
    died: int
    followup_range: tuple[int, int]
    extremes: tuple[int, ...]  # days of follow-up that some patient must have
    single: dict[str, Wanted]
    scales: dict[str, ScalePlan]
    grades: dict[str, tuple[dict, dict]]
    grades_unknown: dict[str, tuple[int, int]]
    wound_events: int
    neurological_events: int
    exact: bool
    case: published.Case | None = None

    @property
    def n(self):
        return len(self.levels)


def divide(count, shares):
    """`count` in whole parts near these shares, largest remainders first."""
    raw = [count * share for share in shares]
    parts = [int(part) for part in raw]
    for i in sorted(range(len(raw)), key=lambda i: parts[i] - raw[i])[: count - sum(parts)]:
        parts[i] += 1
    return parts


def _frankel_counts(abc, de, time):
    return dict(zip("ABCDE", divide(abc, ABC_SHARES[time]) + divide(de, DE_SHARES[time]), strict=True))


def _ecog_counts(over, up_to, time):
    low, high = divide(up_to, UP_TO_2_SHARES[time]), divide(over, OVER_2_SHARES[time])
    return dict(zip(ECOG_CODES, low + high, strict=True))


def _wanted(moments, name):
    if name == "hsuv":
        return Wanted(moments, HSUV_TOTAL_TOLERANCE, round(2 * moments.sd * HSUV_SD_TOLERANCE))
    return Wanted(moments, 0, int(2 * (moments.n - 1) * moments.sd * SD_TOLERANCE / UNITS.get(name, 1)))


def analysed(rng):
    """The three groups of the study, every margin as published."""
    days = {
        name: choose(row, UNITS.get(name, 1))[0]
        for name, row in published.CHARACTERISTICS.items()
        if name != "sins_total"  # follows from the cells of Table 3
    }
    chosen = {
        (name, part): choose(getattr(scale, part), UNITS.get(name, 1), EDGES.get(name, 0.92))[0]
        for name, scale in published.SCALES.items()
        for part in ("preop", "month1", "change")
        if getattr(scale, part)
    }
    return [_analysed_group(g, days, chosen, rng) for g in range(len(published.GROUPS))]


def _analysed_group(g, days, chosen, rng):
    group, case = published.GROUPS[g], published.CASES[g]
    scales = {}
    for name, scale in published.SCALES.items():
        before, after = scale.preop.unknown[g], scale.month1.unknown[g]
        p = published.p_interval(scale.within_p[g])
        scales[name] = ScalePlan(
            _wanted(chosen[name, "preop"][g], name),
            _wanted(chosen[name, "month1"][g], name),
            _wanted(chosen[name, "change"][g], name) if scale.change else None,
            (before, after),
            before + after - (published.SIZES[g] - scale.pairs[g]),
            p,
        )
    abc, over = published.FRANKEL_ABC, published.ECOG_OVER_2
    alone = [[case.level], ["S"]] if group == "tls" else [[case.level]]  # SINS 1 needs a rigid level
    return Stratum(
        name=group,
        levels=runs(group, published.LEVELS[g], published.SIZES[g], [levels[0] for levels in alone], rng),
        male=published.MALE[g],
        primary={code: counts[g] for code, counts in published.PRIMARY.items()},
        cells=[
            (procedure, total)
            for procedure, column in published.SINS[g].items()
            for total, n in column.items()
            for _ in range(n)
        ],
        died=published.DIED[g],
        followup_range=(SHORTEST_FOLLOWUP + 2, 940),
        extremes=(SHORTEST_FOLLOWUP + 1, 943) if group == "thoracic" else (),
        single={name: _wanted(moments[g], name) for name, moments in days.items()},
        scales=scales,
        grades={
            "frankel": (_frankel_counts(*abc["preop"][g][:2], 0), _frankel_counts(*abc["month1"][g][:2], 1)),
            "ecog_ps": (_ecog_counts(*over["preop"][g][:2], 0), _ecog_counts(*over["month1"][g][:2], 1)),
        },
        grades_unknown={
            "frankel": (abc["preop"][g][2], abc["month1"][g][2]),
            "ecog_ps": (over["preop"][g][2], over["month1"][g][2]),
        },
        wound_events=published.WOUND_EVENT[g],
        neurological_events=published.NEUROLOGICAL_EVENT[g],
        exact=True,
        case=case,
    )


def left_out(rng):
    """Those whom the cohort leaves out: multilevel disease, total en bloc spondylectomy, followed under one month."""
    numbers = dict(published.FLOW)
    multi = numbers["enrolled"] - numbers["one_to_three_consecutive"]
    tes = numbers["one_to_three_consecutive"] - numbers["no_tes"]
    short = numbers["no_tes"] - numbers["followed_one_month"]
    few = [_few_levels(rng) for _ in range(tes + short)]
    return [
        _rough("multilevel", [multilevel(rng) for _ in range(multi)], ("psf", "pps", "decompression"), rng,
               deaths=0.28, followup=(SHORTEST_FOLLOWUP, 940, 9.0, 6.3)),
        _rough("tes", few[:tes], ("tes",), rng, deaths=0.07, followup=(120, 940, 15.0, 6.0), minutes=430,
               blood=980, health=0.12),
        _rough("lost", few[tes:], ("psf", "pps", "decompression"), rng, deaths=0.4,
               followup=(4, SHORTEST_FOLLOWUP - 1, 0.6, 0.25), health=-0.1),
    ]  # fmt: skip


def _few_levels(rng):
    """1-3 consecutive vertebrae, mostly one, mostly thoracic or lumbar."""
    count = int(rng.choice([1, 2, 3], p=[0.7, 0.22, 0.08]))
    start = int(rng.integers(7, len(LEVELS) - count))
    return list(LEVELS[start : start + count])


def _moments(n, mean, sd, unit=1):
    mean, sd = mean / unit, sd / unit
    return Wanted(Moments(n, round(n * mean), round((n - 1) * sd**2 + n * mean**2)))


def _rough(name, levels, procedures, rng, *, deaths, followup, minutes=195, blood=370, health=0.0):
    """A stratum whose numbers only shape the draw; `health` shifts its patients' health state values."""
    n = len(levels)
    share = {code: sum(counts) for code, counts in published.PRIMARY.items()}
    primary = dict(zip(share, divide(n, [s / sum(share.values()) for s in share.values()]), strict=True))
    shortest, longest, mean, sd = followup

    def plan(before, after, unit=1):
        return ScalePlan(_moments(n, *before, unit), _moments(n, *after, unit), None, (n // 25, n // 9), n // 40)

    return Stratum(
        name=name,
        levels=levels,
        male=round(0.68 * n),
        primary=primary,
        cells=[(str(rng.choice(procedures)), int(np.clip(rng.normal(9.8, 2.9), 3, 16))) for _ in range(n)],
        died=round(deaths * n),
        followup_range=(shortest, longest),
        extremes=(),
        single={
            "age_at_surgery": _moments(n, 67, 10.6),
            "tokuhashi_total": _moments(n, 7.4, 2.9),
            "operative_time_min": _moments(n, minutes, 0.38 * minutes),
            "blood_loss_ml": _moments(n, blood, 1.1 * blood),
            "followup_months": _moments(n, mean, sd, UNITS["followup_months"]),
        },
        scales={
            "pain_vas_mm": plan((62, 26.5), (29, 23)),
            "barthel_total": plan((63 + 60 * health, 29), (77 + 60 * health, 25), UNITS["barthel_total"]),
            "hsuv": plan((0.36 + health, 0.28), (0.56 + health, 0.24), UNITS["hsuv"]),
            "eq_vas": plan((37 + 50 * health, 24), (57 + 50 * health, 24)),
        },
        grades={
            "frankel": tuple(_frankel_counts(round(n * s), n - round(n * s), t) for t, s in enumerate((0.38, 0.2))),
            "ecog_ps": tuple(_ecog_counts(round(n * s), n - round(n * s), t) for t, s in enumerate((0.52, 0.28))),
        },
        grades_unknown={"frankel": (0, 0), "ecog_ps": (0, 0)},
        wound_events=round(0.05 * n),
        neurological_events=round(0.06 * n),
        exact=False,
    )
