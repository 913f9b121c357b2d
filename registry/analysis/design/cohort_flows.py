"""Cohort flow: how many patients each step of a cohort takes out, in all and by site.

In a registry of ordinary size it is counted whenever a page asks. Of a million patients that takes seconds, so in a
large one the worker counts it (`keep`), and pages show what it kept and when that was.
"""

import hashlib
import json
import pickle
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from cryptography.fernet import InvalidToken
from django.core.cache import cache
from django.utils import timezone

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts
from registry.analysis.design.cohorts import Cohort
from registry.services.operations.field_keys import deployment_cipher
from registry.services.operations.site_counts import is_large

FRESH = timedelta(minutes=5)  # for which a kept flow is not counted anew
KEPT = 24 * 3600  # seconds
COUNTING = 120  # seconds for which a flow that somebody waits for is not asked for again

__all__ = ["Flow", "FlowOf", "count", "is_large", "keep", "stored", "wish"]


@dataclass(frozen=True)
class Flow:
    """A cohort as it was applied, and its counts.

    flow      counts and words of each step, as `cohorts.Selection.flow`
    by_site   rows of `cohorts.Selection.by_site`
    at        when it was counted, None for now
    in_error  patients of the sites who were entered in error, who are not among the enrolled
    screening  site code to the Screened of its log
    """

    cohort: Cohort
    flow: list
    by_site: list
    at: datetime | None = None
    in_error: int = 0
    screening: dict = field(default_factory=dict)

    @property
    def enrolled(self):
        """Patients before the first step."""
        return self.flow[0]["n"]

    @property
    def steps(self):
        """(remaining, excluded) of each step, in order."""
        return tuple((step["n"], step["excluded"]) for step in self.flow[1:])

    @property
    def is_old(self):
        return self.at is not None and timezone.now() - self.at > FRESH


def count(cohort):
    """The Flow of a cohort over every patient in scope, now. ValueError for an item that there is not."""
    frame = frames.read(cohorts.timepoints_needed(cohort))
    selection = cohorts.select(cohort, frame)
    screened = {frame.site_codes[site_id]: of_site for site_id, of_site in frame.screening.items()}
    return Flow(selection.cohort, selection.flow, selection.by_site, in_error=frame.in_error, screening=screened)


@dataclass(frozen=True)
class FlowOf:
    """What is asked about a cohort by whoever looks at its flow."""

    cohort: Cohort
    seconds_kept: ClassVar[int] = KEPT

    def to_json(self):
        return self.cohort.to_json()

    @property
    def key(self):
        """Of the steps and of the day, which may be part of them; not of the name."""
        steps = json.dumps(self.cohort.to_json()["steps"], sort_keys=True)
        return f"cohort_flow_steps:{timezone.localdate()}:{hashlib.sha256(steps.encode()).hexdigest()}"

    def count(self):
        return count(self.cohort)


def stored(question):
    """What the worker counted last: the Flow of a FlowOf, the Listed of a `cohort_lists.Behind`, the Preview of an
    `exports.preview.PreviewOf`; None where it counted none.

    Rows of patients are in some of them: they lie in the cache encrypted, and bound to their question.
    """
    try:
        key, answer = pickle.loads(deployment_cipher().decrypt(cache.get(question.key) or b""))  # noqa: S301  our own
    except (InvalidToken, TypeError):  # nothing, under a key that is gone, or bare, as earlier versions kept it
        return None
    return answer if key == question.key else None


def wish(question, person_id):
    """Note what a person looks at now. True if it is yet to be counted by a worker, who passes over what the person
    has left meanwhile."""
    cache.set(_wish_of(person_id), question.key, COUNTING)
    return cache.add(f"{question.key}:counting", person_id, COUNTING)


def keep(question, person_id):
    """Count and keep the answer, unless the person looks at something else by now; returns the answer or None.

    Where counting fails, nobody asks for it again before COUNTING seconds are over.
    """
    key, answer = question.key, None
    if cache.get(_wish_of(person_id), key) == key:
        answer = replace(question.count(), at=timezone.now())
        cache.set(key, deployment_cipher().encrypt(pickle.dumps((key, answer))), question.seconds_kept)
    cache.delete(f"{key}:counting")
    return answer


def _wish_of(person_id):
    return f"cohort_flow:of:{person_id}"
