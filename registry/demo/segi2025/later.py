"""Visits after the first month: plausible courses of those still followed. Nothing published is behind them."""

import numpy as np

from registry.demo.clinical import BARTHEL_LIMITS, FRANKEL, barthel_items, expected_levels
from registry.demo.health_states import EQ5D_NAMES, LEVELS_OF, allowed_levels, nearest_state
from registry.instruments.core import barthel

BARTHEL_NAMES = tuple(item.name for item in barthel.ITEMS)
DECLINE = 120  # days before death from which a patient gets worse
UNANSWERED = 0.06  # of questionnaires at a later visit


def course(person, days, rng):
    """day -> answers (column -> value or None) on ascending days after the first month."""
    now = _start(person)
    answers = {}
    for day in days:
        now = _next(now, person, person.died and person.followup_days - day < DECLINE, rng)
        answers[day] = _asked(now, rng)
    return answers


def _start(person):
    """The last known value of everything; what was never known is taken as middling."""
    before, after = person.answers
    usual = {"frankel": "D", "ecog_ps": 2, "pain_vas_mm": 30, "eq_vas": 55}
    now = {}
    for name, middling in usual.items():
        known = [value for value in (after[name], before[name]) if value is not None]
        now[name] = known[0] if known else middling
    source = after if after[BARTHEL_NAMES[0]] is not None else before
    total = sum(source[name] for name in BARTHEL_NAMES) if source[BARTHEL_NAMES[0]] is not None else 70
    return now | {"barthel_total": total}


def _next(now, person, declines, rng):
    grade = FRANKEL.index(now["frankel"])
    luck = rng.random()
    if luck < (0.3 if declines else 0.04):
        grade -= 1
    elif luck > (1.0 if declines else 0.88):
        grade += 1
    frankel = FRANKEL[min(max(grade, 0), 4)]
    low, high = BARTHEL_LIMITS[frankel]
    change = rng.normal(-20, 12) if declines else rng.normal(2, 8)
    total = 5 * round(float(np.clip(now["barthel_total"] + change, low, high)) / 5)
    pain = int(np.clip(round(now["pain_vas_mm"] + rng.normal(*((8, 14) if declines else (-2, 11)))), 0, 100))
    rating = int(np.clip(round(now["eq_vas"] + rng.normal(*((-12, 12) if declines else (2, 10)))), 0, 100))
    ecog = round(float(0.4 * now["ecog_ps"] + 0.6 * (100 - total) / 24 + rng.normal(0, 0.35)))
    ecog = min(max(ecog, 1 if total <= 40 else 0), 2 if total >= 90 else 4)
    items = barthel_items(total, frankel, rng)
    illness = person.illness + (1.0 if declines else 0.0)
    findings = dict(frankel=frankel, pain_vas_mm=pain, **items)
    wish = expected_levels(frankel, ecog, (pain - 40) / 25, items, illness, person.mood, rng) - 0.4
    state = nearest_state(wish, allowed_levels(findings))
    return dict(
        frankel=frankel,
        ecog_ps=ecog,
        pain_vas_mm=pain,
        eq_vas=min(rating, 75) if pain >= 75 else rating,
        barthel_total=total,
        **items,
        **dict(zip(EQ5D_NAMES, LEVELS_OF[state], strict=True)),
    )


def _asked(now, rng):
    """What of it was recorded."""
    answers = {name: value for name, value in now.items() if name != "barthel_total"}
    if rng.random() < UNANSWERED:
        answers |= dict.fromkeys(("pain_vas_mm", "eq_vas", *EQ5D_NAMES))
    elif rng.random() < UNANSWERED:
        answers |= dict.fromkeys(BARTHEL_NAMES)
    return answers
