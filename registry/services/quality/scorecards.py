"""Scorecards: a site against the network without names, by shares with funnel limits, and outcomes by case mix.

The worker counts for every site at once, in the system's own scope, and keeps what it counted; a page of a site reads
its own numbers and those of the others without their names. Sites with few patients are no point of it.

An outcome is told plainly and as observed against expected: expected is the sum of what a logistic regression over the
patients of all sites gives each patient of the site, by INPUTS. Whose inputs are not all known is left out of that, and
how many these are is said. No such figure is a verdict: what is not an input may differ between sites too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.core.cache import caches
from django.db import connection
from django.utils import timezone

from registry.services.follow_up import schedule
from registry.services.quality import visit_states
from registry.stats.arrays import NotEstimable
from registry.stats.centres import binomial_limits, observed_over_expected
from registry.stats.models.logistic import logistic
from sites.models import Site

KEPT = 45 * 24 * 3600  # seconds: longer than a month
KEY = "site_scorecards"
FEWEST = 10  # patients or visits of a site below which it is no point for others
FEWEST_SITES = 3  # with fewer points others would know each other
TAILS = {"95": 0.025, "99.8": 0.001}
# What a patient's risk is adjusted for: name → SQL of a number. Frankel A–C: walks no more.
INPUTS = {
    "age_at_surgery": "p.age_at_surgery",
    "sex": "CASE p.sex WHEN 'male' THEN 1 WHEN 'female' THEN 0 END",
    "tokuhashi_total": "p.tokuhashi_total",
    "frankel": "CASE WHEN a.frankel IN ('A', 'B', 'C') THEN 1 WHEN a.frankel IS NOT NULL THEN 0 END",
    "ecog_ps": "a.ecog_ps",
}
# Outcome → (days after surgery, SQL: whether it happened, NULL where that is not known).
OUTCOMES = {
    "event_30": (
        30,
        """EXISTS (SELECT FROM registry_adverseevent AS e WHERE e.patient_id = p.patient_id
            AND e.onset_date BETWEEN p.surgery_date AND p.surgery_date + 30)""",
    ),
    "death_90": (
        90,
        """CASE WHEN p.death_date <= p.surgery_date + 90 THEN true
            WHEN p.death_date > p.surgery_date + 90 OR p.last_contact_date >= p.surgery_date + 90 THEN false END""",
    ),
}


@dataclass(frozen=True)
class Share:
    """`k` of `n` at one site."""

    k: int
    n: int

    @property
    def percent(self) -> float | None:
        return 100 * self.k / self.n if self.n else None


@dataclass(frozen=True)
class Adjusted:
    """Observed against expected at one site, of `n` patients; `left_out` lack an input."""

    observed: int
    expected: float
    n: int
    left_out: int

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """(observed / expected, low, high): exact interval of 95 %."""
        return observed_over_expected(self.observed, self.expected)


@dataclass(frozen=True)
class Network:
    """What was counted: measure → {site id: Share}; outcome → {site id: Adjusted}, or why it is not adjusted."""

    at: datetime
    shares: dict[str, dict[int, Share]]
    adjusted: dict[str, dict[int, Adjusted]]
    not_adjusted: dict[str, str]


@dataclass(frozen=True)
class Measure:
    """One measure of a site's scorecard.

    own       the site's Share, None without a patient
    others    (n, k) of the other sites that are large enough, none where there are few of them, by size
    target    the share of the network; None where the others are so few that it would tell theirs
    beyond    "" within the limits of 95 %, "95" or "99.8" beyond these; None where there is no saying
    """

    code: str
    own: Share | None
    others: list[tuple[int, int]]
    target: float | None
    beyond: str | None
    adjusted: Adjusted | None = None
    not_adjusted: str = ""

    def limits(self, n: int) -> dict[str, tuple[int, int]]:
        """Level → (low, high) of the counts out of `n` that are within."""
        if self.target is None:
            return {}
        return {level: binomial_limits(n, self.target, tail) for level, tail in TAILS.items()}


def network() -> Network | None:
    """What the worker counted last; None before the first time."""
    return caches["durable"].get(KEY)


def count() -> Network:
    """Count for every site in scope and keep it."""
    plans, today = schedule.plans(), timezone.localdate()
    site_ids = list(Site.objects.order_by().values_list("pk", flat=True))
    shares = {
        "in_window": _in_window(visit_states.by_site(site_ids, plans, today)),
        "forms_whole": _forms_whole(site_ids),
    }
    adjusted: dict[str, dict[int, Adjusted]] = {}
    not_adjusted: dict[str, str] = {}
    for code, (days, happened) in OUTCOMES.items():
        rows = _patients(site_ids, days, happened)
        shares[code] = _plain(rows)
        try:
            adjusted[code] = _expected(rows)
        except NotEstimable as error:
            not_adjusted[code] = str(error.reason)
    counted = Network(timezone.now(), shares, adjusted, not_adjusted)
    caches["durable"].set(KEY, counted, KEPT)
    return counted


def _in_window(counts: dict[int, dict]) -> dict[int, Share]:
    made = {}
    for site_id, visits in counts.items():
        could = [
            (state, n)
            for states in visits.values()
            for state, n in states.items()
            if state not in (*visit_states.CLOSED, "waiting")
        ]
        made[site_id] = Share(sum(n for state, n in could if state == "in_window"), sum(n for _state, n in could))
    return made


def _forms_whole(site_ids: Iterable[int]) -> dict[int, Share]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT site_id, count(*) FILTER (WHERE missing = '{}'), count(*) FROM registry_assessment "
            "WHERE site_id = ANY (%s) AND state <> 'draft' GROUP BY site_id",
            [list(site_ids)],
        )
        return {site_id: Share(k, n) for site_id, k, n in cursor.fetchall()}


def _patients(site_ids: Iterable[int], days: int, happened: str) -> np.ndarray:
    """(n, 2 + inputs) site id, outcome, inputs; NaN for what is not known. Of who was operated so long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.site_id, ({happened})::int, {', '.join(INPUTS.values())} FROM registry_patient AS p "
            "LEFT JOIN registry_assessment AS a ON a.patient_id = p.patient_id AND a.timepoint_id = %(before)s "
            "WHERE p.site_id = ANY (%(sites)s) AND p.surgery_date <= %(today)s::date - %(days)s "
            "AND p.surgery_date IS NOT NULL ORDER BY p.patient_id",
            {
                "sites": list(site_ids),
                "before": schedule.BASELINE,
                "today": timezone.localdate(),
                "days": days,
            },
        )
        rows = np.array(cursor.fetchall(), dtype=float).reshape(-1, 2 + len(INPUTS))
    return rows[~np.isnan(rows[:, 1])]


def _plain(rows: np.ndarray) -> dict[int, Share]:
    return {
        int(site): Share(int(of_site[:, 1].sum()), len(of_site))
        for site in np.unique(rows[:, 0])
        for of_site in [rows[rows[:, 0] == site]]
    }


def _expected(rows: np.ndarray) -> dict[int, Adjusted]:
    """Observed and expected of each site. Raises NotEstimable."""
    if not len(rows):
        raise NotEstimable("empty")
    fitted = logistic(rows[:, 1], rows[:, 2:]).fitted
    counts = {}
    for site in np.unique(rows[:, 0]):
        of_site = rows[:, 0] == site
        known = of_site & ~np.isnan(fitted)
        counts[int(site)] = Adjusted(
            int(rows[known, 1].sum()), float(fitted[known].sum()), int(known.sum()), int((of_site & ~known).sum())
        )
    return counts


def measures(counted: Network, site_id: int) -> list[Measure]:
    """The scorecard of one site, of what was counted for the network."""
    return [_measure(counted, code, by_site, site_id) for code, by_site in counted.shares.items()]


def _measure(counted: Network, code: str, by_site: dict[int, Share], site_id: int) -> Measure:
    own = by_site.get(site_id)
    others = sorted((share.n, share.k) for key, share in by_site.items() if key != site_id and share.n >= FEWEST)
    n, k = sum(share.n for share in by_site.values()), sum(share.k for share in by_site.values())
    target = k / n if len(others) >= FEWEST_SITES else None
    shown = others if target is not None else []
    return Measure(
        code,
        own,
        shown,
        target,
        _beyond(own, target),
        counted.adjusted.get(code, {}).get(site_id),
        counted.not_adjusted.get(code, ""),
    )


def _beyond(own: Share | None, target: float | None) -> str | None:
    if own is None or own.n < FEWEST or target is None:
        return None
    out = ""
    for level, tail in TAILS.items():
        low, high = binomial_limits(own.n, target, tail)
        if not low <= own.k <= high:
            out = level
    return out
