"""Days of deaths, relapses and last contacts whose Kaplan–Meier estimates print as a paper's.

All days of a group differ, so that an estimate is a product over the sorted days and depends on nothing but the order
of events and ends. It is drawn interval by interval, between the months that the paper tells a rate for; then days move
between their neighbours until the log-rank test of both groups prints as well. Days keep clear of the days that a rate
is told for, so that a month of 30, 30.4 or 30.5 days makes no difference.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from registry.demo.repair import NotFound

MONTH = 365.25 / 12
CLEAR = 4  # days on both sides of a day that a rate is told for
TRIES = 40_000


@dataclass(frozen=True)
class Curve:
    """What one group's curve must show.

    rates      month to (low, high) of the survival there, in order
    median     months, to print as this whole number
    first, last days that times lie between
    ends       how many leave without the event in each interval (low, high), the one after the last rate included
    events     how many have the event, or None where the paper does not say
    """

    n: int
    rates: dict
    median: int
    first: int
    last: int
    ends: tuple[tuple[int, int], ...] = ()
    events: int | None = None

    @property
    def bounds(self):
        """(first day, last day) of each interval."""
        cuts = [round(month * MONTH) for month in self.rates]
        return list(zip([self.first - CLEAR, *cuts], [*cuts, self.last + CLEAR], strict=True))


def estimate(days, events):
    """(sorted days, survival just after each) of different days."""
    order = np.argsort(days)
    at_risk = len(days) - np.arange(len(days))
    return days[order], np.cumprod(1 - events[order] / at_risk)


def median(curve):
    days, survival = curve
    below = np.flatnonzero(survival < 0.5)
    return float(days[below[0]]) if below.size else np.inf


def log_rank_p(first, second):
    """P of two groups, each (days, events). R: survival::survdiff(Surv(time, event) ~ group, rho = 0)."""
    days, events = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    of_first = np.arange(days.size) < len(first[0])
    when, place = np.unique(days, return_inverse=True)
    died = np.bincount(place, events, when.size)
    left = np.bincount(place, minlength=when.size)
    at_risk = left[::-1].cumsum()[::-1]
    of_risk = np.bincount(place, of_first, when.size)[::-1].cumsum()[::-1]
    share = of_risk / at_risk
    tied = np.where(at_risk > 1, (at_risk - died) / np.maximum(at_risk - 1, 1), 0)
    variance = (died * share * (1 - share) * tied).sum()
    observed = events[of_first].sum()
    return float(chi2.sf((observed - (died * share).sum()) ** 2 / variance, 1)) if variance else 1.0


def deaths(curve, rng):
    """(days, events), each (n,), of a group whose curve is as wanted. Raises NotFound."""
    for _ in range(TRIES // 100):
        curve_days = _deaths(curve, rng)
        if curve_days is not None:
            return curve_days
    raise NotFound(f"no survival times for {curve}")


def _deaths(curve, rng):
    left, survival, days, events = curve.n, 1.0, [], []
    for place in range(len(curve.bounds)):
        died = int(sum(map(sum, events)))
        for _ in range(600):
            some = _sequence(curve, place, left, survival, died, rng)
            if some is not None:
                break
        else:
            return None
        after = survival * np.cumprod(1 - some / (left - np.arange(some.size)))
        days.append(_placed(curve, place, survival, after, rng))
        if days[-1] is None:
            return None
        events.append(some)
        left, survival = left - some.size, after[-1] if some.size else survival
    return np.concatenate(days), np.concatenate(events)


def _sequence(curve, place, left, survival, died, rng):
    """(k,) bool, in the order of the days of an interval: whether each is an event; None where no rate comes of it."""
    ended = int(rng.integers(curve.ends[place][0], curve.ends[place][1] + 1))
    if place == len(curve.rates):
        count = left - ended if curve.events is None else curve.events - died
        ended = left - count
    else:
        low, high = list(curve.rates.values())[place]
        count = round((left - ended / 2) * (1 - (low + high) / 2 / survival) + rng.normal(0, 0.6))
    if ended < 0 or count < 0 or count + ended > left:
        return None
    some = rng.permutation(np.arange(count + ended) < count)
    if place == len(curve.rates):
        return some
    reached = survival * np.prod(1 - some / (left - np.arange(some.size)))
    return some if low < reached < high else None


def _placed(curve, place, before, after, rng):
    """Ascending days for the places of an interval; the one at which the curve falls below a half at the median."""
    start, stop = curve.bounds[place]
    if not before >= 0.5 or not after.size or after[-1] >= 0.5:
        return _spread(start + CLEAR, stop - CLEAR, after.size, rng)
    at = int(np.flatnonzero(after < 0.5)[0])
    middle = round(curve.median * MONTH)
    if not start + CLEAR < middle < stop - CLEAR:
        return None
    early, late = _spread(start + CLEAR, middle, at, rng), _spread(middle + 1, stop - CLEAR, after.size - at - 1, rng)
    return None if early is None or late is None else np.concatenate([early, [middle], late])


def _spread(first, last, count, rng):
    """Ascending different days from `first` to the day before `last`; None where there are not as many."""
    if count > last - first:
        return None
    return np.sort(rng.choice(np.arange(first, last), count, replace=False)).astype(float)


def relapses(curve, ends, rng):
    """(days, events), each (n,), of relapses before the ends of follow-up. Raises NotFound.

    ends  (n,) days: who has no relapse is followed until then
    """
    within = [np.sort(ends[(ends > start) & (ends <= stop)]) for start, stop in curve.bounds]
    for _ in range(TRIES // 10):
        sequences = _relapse_sequences(curve, [some.size for some in within], rng)
        if sequences is None:
            continue
        for _again in range(20):
            placed = [_relapse_days(curve, place, sequences, within[place], rng) for place in range(len(curve.bounds))]
            if any(day is None for day in placed):
                break
            days = _given_out(curve, ends, placed)
            if days is not None:
                return days
    raise NotFound(f"no relapses for {curve}")


def _relapse_sequences(curve, most, rng):
    """For each interval (survival before it, patients at risk, (k,) bool of relapses among relapses and ends)."""
    left, survival, events_found, relapsed = curve.n, 1.0, [], 0
    for place, (low, high) in enumerate(curve.rates.values()):
        for _ in range(400):
            ended = int(rng.integers(0, most[place] + 1))
            count = round((left - ended / 2) * (1 - (low + high) / 2 / survival) + rng.normal(0, 0.8))
            if count < 1 or count + ended >= left:
                continue
            some = rng.permutation(np.arange(count + ended) < count)
            reached = survival * np.prod(1 - some / (left - np.arange(some.size)))
            if low < reached < high:
                break
        else:
            return None
        events_found.append((survival, left, some))
        left, survival, relapsed = left - some.size, reached, relapsed + count
    rest = curve.events - relapsed
    if not 0 <= rest <= left or left - rest > most[-1]:
        return None
    return [*events_found, (survival, left, rng.permutation(np.arange(left) < rest))]


def _relapse_days(curve, place, sequences, ends, rng):
    """(days of relapses, days of ends) in the order of an interval's sequence; None where the ends are not so."""
    survival, left, some = sequences[place]
    start, stop = curve.bounds[place]
    after = survival * np.cumprod(1 - some / np.maximum(left - np.arange(some.size), 1))
    middle, at = round(curve.median * MONTH), -1
    if survival >= 0.5 and after.size and after[-1] < 0.5 and place < len(curve.rates):
        at = int(np.flatnonzero(after < 0.5)[0])
    if at < 0:
        chosen = np.sort(rng.choice(ends, (~some).sum(), replace=False))
    else:
        early, late = ends[ends < middle], ends[ends > middle]
        before, behind = int((~some[:at]).sum()), int((~some[at:]).sum())
        if before > early.size or behind > late.size:
            return None
        chosen = np.concatenate(
            [np.sort(rng.choice(early, before, replace=False)), np.sort(rng.choice(late, behind, replace=False))]
        )
    return _between(some, chosen, at, middle, (start + CLEAR, stop - CLEAR), ends, rng)


def _between(some, chosen, at, middle, limits, taken, rng):
    """Days of the relapses in the gaps that their places between the chosen ends leave."""
    fixed = {at: middle} if at >= 0 else {}
    fixed |= dict(zip(np.flatnonzero(~some).tolist(), chosen.tolist(), strict=True))
    days, k = [], 0
    while k < some.size:
        if k in fixed:
            days += [fixed[k]] if some[k] else []
            k += 1
            continue
        stop = k
        while stop < some.size and stop not in fixed:
            stop += 1
        low = fixed[k - 1] + 1 if k else limits[0]
        high = fixed[stop] if stop < some.size else limits[1]
        free = np.setdiff1d(np.arange(low, max(low, high)), taken)
        if free.size < stop - k:
            return None
        days += np.sort(rng.choice(free, stop - k, replace=False)).tolist()
        k = stop
    return np.array(days, float), chosen


def _given_out(curve, ends, placed):
    """Each relapse to somebody who is followed for longer; None where the ends left over are too early."""
    days = np.sort(np.concatenate([curve_part[0] for curve_part in placed]))
    free = np.isin(ends, np.concatenate([curve_part[1] for curve_part in placed]))
    who = np.flatnonzero(~free)
    who = who[np.argsort(ends[who])]
    if days.size != who.size or (days >= ends[who]).any():
        return None
    result, events = ends.astype(float).copy(), np.zeros(curve.n, bool)
    result[who], events[who] = days, True
    return result, events


def steered(groups, window, rng, medians, first, ceilings=None, tries=20_000):
    """The groups with days moved between their neighbours until the log-rank P lies in the window. Raises NotFound.

    groups    [(days, events)] of two groups
    medians   days that stay where they are
    first     no day lies before
    ceilings  a day for each day of the groups, [(n,)]: events lie before it, and nothing else moves. None: all may move
    """
    groups = [(days.copy(), events) for days, events in groups]
    low, high = window
    middle = (low + high) / 2
    now = abs(np.log(max(log_rank_p(*groups), 1e-12) / middle))
    cuts = {cut for month in (12, 24, 60) for cut in (round(month * MONTH) - CLEAR, round(month * MONTH) + CLEAR)}
    for _ in range(tries):
        p = log_rank_p(*groups)
        if low < p < high:
            return groups
        g = int(rng.integers(2))
        days, events = groups[g]
        i = int(rng.integers(days.size))
        if days[i] in medians or (ceilings is not None and not events[i]):
            continue
        ordered = np.sort(np.concatenate([days, [first, *cuts]]))
        place = int(np.searchsorted(ordered, days[i]))
        before, after = ordered[max(place - 1, 0)] + 1, ordered[min(place + 1, ordered.size - 1)]
        if ceilings is not None:
            after = min(after, ceilings[g][i])
        if after <= before:
            continue
        old, days[i] = days[i], float(rng.integers(before, after))
        then = abs(np.log(max(log_rank_p(*groups), 1e-12) / middle))
        if then > now and rng.random() > 0.02:
            days[i] = old
        else:
            now = then
    raise NotFound(f"the log-rank test does not come to {window}")
