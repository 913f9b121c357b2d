"""Counts for the pages on people and enrolment. Nothing here returns a row of a patient."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.db.models import Count
from django.utils.timezone import localdate

from registry.models import AdverseEvent, Assessment, Identity, Patient, Timepoint
from registry.services.follow_up import schedule
from registry.services.operations import site_counts
from sites.models import Site


@dataclass(frozen=True)
class Sight:
    """What the database shows under the scope of the moment: `counts` is (site id, kind of form) to rows."""

    counts: Counter
    timepoints: tuple[Timepoint, ...]

    def of(self, site_id, kind):
        return self.counts[site_id, kind]

    def total(self, kind):
        return sum(n for (_, of), n in self.counts.items() if of == kind)

    @property
    def site_ids(self):
        return {site_id for site_id, _ in self.counts}


def sight():
    """Rows by site and form, counted without any condition on the site: what is missing, the database withholds.

    Kinds of form are `patients`, `identities`, `adverse_events` and the codes of the timepoints.
    """
    counts = Counter()
    for kind, model in (("patients", Patient), ("identities", Identity), ("adverse_events", AdverseEvent)):
        for site_id, n in model.objects.order_by().values_list("site_id").annotate(Count("pk")):
            counts[site_id, kind] = n
    by_timepoint = Assessment.objects.order_by().values_list("site_id", "timepoint_id").annotate(Count("pk"))
    for site_id, timepoint, n in by_timepoint:
        counts[site_id, timepoint] = n
    return Sight(counts, tuple(Timepoint.objects.all()))


@dataclass(frozen=True)
class SiteEnrolment:
    """Enrolment at one site, by the day of consent. `months` are the counts of each of the registry's months."""

    site: Site
    n: int = 0
    first: date | None = None
    last: date | None = None
    months: tuple[int, ...] = ()


@dataclass(frozen=True)
class Enrolment:
    sites: tuple[SiteEnrolment, ...]
    months: tuple[date, ...] = ()
    at: datetime | None = None  # when it was counted, None for now

    @cached_property
    def n(self):
        return sum(site.n for site in self.sites)

    @cached_property
    def target(self):
        """The sum of the sites' targets; None where none has one."""
        targets = [site.site.enrolment_target for site in self.sites if site.site.enrolment_target is not None]
        return sum(targets) if targets else None

    @cached_property
    def first(self):
        return min((site.first for site in self.sites if site.first), default=None)

    @cached_property
    def last(self):
        return max((site.last for site in self.sites if site.last), default=None)

    @cached_property
    def enrolling(self):
        """How many sites have a patient."""
        return sum(bool(site.n) for site in self.sites)

    @cached_property
    def by_month(self):
        return tuple(sum(site.months[i] for site in self.sites) for i in range(len(self.months)))

    @cached_property
    def busiest(self):
        """The most patients that one site enrolled in one month."""
        return max((n for site in self.sites for n in site.months), default=0)


def enrolment(sites):
    """The enrolment of `sites` (an iterable of Site) under the scope of the moment, as kept in a large registry."""
    sites = tuple(sites)
    counts = site_counts.counts("consented", [site.pk for site in sites], schedule.plans(), localdate())
    months = _months(month for *_, by_month in counts.by_site.values() for month in by_month)
    lines = []
    for site in sites:
        n, first, last, by_month = counts.by_site.get(site.pk, (0, None, None, {}))
        lines.append(SiteEnrolment(site, n, first, last, tuple(by_month.get(month, 0) for month in months)))
    return Enrolment(tuple(lines), months, counts.at)


def _months(some):
    """Every month from the first to the last of some, each as its first day."""
    some = set(some)
    if not some:
        return ()
    numbers = [month.year * 12 + month.month - 1 for month in some]
    return tuple(date(n // 12, n % 12 + 1, 1) for n in range(min(numbers), max(numbers) + 1))
