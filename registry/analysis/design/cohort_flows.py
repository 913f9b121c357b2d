"""Cohort flow: how many patients each step of a cohort takes out, in all and by site.

In a registry of ordinary size it is counted whenever a page asks. Of a million patients that takes seconds, so in a
large one the worker counts it (`keep`), and pages show what it kept and when that was.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.core.cache import cache
from django.utils import timezone

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts
from registry.analysis.design.cohorts import Cohort
from registry.services.operations.site_counts import is_large
from sites.database.replica import on_replica

FRESH = timedelta(minutes=5)  # for which a kept flow is not counted anew
KEPT = 24 * 3600  # seconds
COUNTING = 120  # seconds for which a flow that somebody waits for is not asked for again

__all__ = ["Flow", "count", "is_large", "keep", "kept", "wish"]


@dataclass(frozen=True)
class Flow:
    """A cohort as it was applied, and its counts.

    enrolled  patients before the first step
    steps     (remaining, excluded) of each step, in order
    by_site   rows of `cohorts.Selection.by_site`
    at        when it was counted, None for now
    in_error  patients of the sites who were entered in error, who are not among the enrolled
    """

    cohort: Cohort
    enrolled: int
    steps: tuple
    by_site: list
    at: datetime | None = None
    in_error: int = 0

    @property
    def is_old(self):
        return self.at is not None and timezone.now() - self.at > FRESH


def count(cohort):
    """The Flow of a cohort over every patient in scope, now. ValueError for an item that there is not."""
    frame = frames.read(cohorts.timepoints_needed(cohort))
    selection = cohorts.select(cohort, frame)
    steps = tuple((step["n"], step["excluded"]) for step in selection.flow[1:])
    return Flow(selection.cohort, frame.n, steps, selection.by_site, in_error=frame.in_error)


def kept(cohort):
    """The Flow that the worker counted last; None where it counted none."""
    return cache.get(_key(cohort))


def wish(cohort, person_id):
    """Note which cohort a person looks at now. True if its flow is yet to be counted by a worker, who passes over
    those that the person has left meanwhile."""
    cache.set(_wish_of(person_id), _key(cohort), COUNTING)
    return cache.add(f"{_key(cohort)}:counting", person_id, COUNTING)


def keep(cohort, person_id):
    """Count and keep the flow of a cohort, unless the person looks at another one by now; returns the Flow or None.

    Where counting fails, nobody asks for it again before COUNTING seconds are over.
    """
    key, flow = _key(cohort), None
    if cache.get(_wish_of(person_id), key) == key:
        flow = replace(on_replica(lambda: count(cohort)), at=timezone.now())
        cache.set(key, flow, KEPT)
    cache.delete(f"{key}:counting")
    return flow


def _wish_of(person_id):
    return f"cohort_flow:of:{person_id}"


def _key(cohort):
    """Of the steps and of the day, which may be part of them; not of the name."""
    steps = json.dumps(cohort.to_json()["steps"], sort_keys=True)
    return f"cohort_flow:{timezone.localdate()}:{hashlib.sha256(steps.encode()).hexdigest()}"
