"""Completeness and quality: one page of tables by site, each number a link to its rows."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from urllib.parse import urlencode

from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS
from registry.services.follow_up import schedule
from registry.services.operations import site_counts
from registry.services.quality import measured_numbers, visit_states
from registry.stats.centres import proportion_test, variance_test
from registry.web.quality import enrolment
from registry.web.quality.words import state_words
from registry.web.shared import wording
from registry.web.shared.record_words import item_label
from sites.models import Site
from sites.tenancy.access import Can

UNUSUAL = 0.002  # P below which a number of a site is marked: limits of 99.8 %, for many are looked at
KINDS = ("visit_states", "missing_items", "query_rates", "measured_numbers", "entry_delay", "consented")


@dataclass(frozen=True)
class Number:
    """A count with the address of its rows, and its share of `of` in per cent."""

    n: int
    url: str = ""
    of: int = 0

    @property
    def percent(self):
        return round(100 * self.n / self.of) if self.of else None


@require_safe
def quality(request):
    """Everything for the sites that one reads, or for one of them; visits for one timepoint or for all."""
    request.access.require(Can.READ)
    every = list(Site.objects.filter(pk__in=request.access.sites_for(Can.READ)).order_by("code"))
    chosen, visit = request.GET.get("site", ""), request.GET.get("visit", "")
    sites = [site for site in every if chosen in ("", site.code)]
    plans, today = schedule.plans(), timezone.localdate()
    ids = [site.pk for site in sites]
    counted = {kind: site_counts.counts(kind, ids, plans, today) for kind in KINDS}
    found = {kind: counts.by_site for kind, counts in counted.items()}
    visits = [(timepoint.code, wording.words(timepoint.label)) for timepoint in plans.timepoints]
    return render(
        request,
        "quality/quality.html",
        {
            "sites": every if len(every) > 1 else [],
            "site": chosen,
            "visits": visits,
            "visit": visit,
            "states": [(state, state_words()[state]) for state in visit_states.STATES],
            "visit_lines": _visits(sites, found["visit_states"], visit),
            "missing": _missing(found["missing_items"], chosen),
            "queries": [(site, found["query_rates"].get(site.pk)) for site in sites],
            "numbers": _numbers(sites, found["measured_numbers"]),
            "delays": [(site, found["entry_delay"].get(site.pk)) for site in sites],
            "enrolment": enrolment.of(sites, found["consented"], today),
            "counted_at": min((counts.at for counts in counted.values() if counts.at), default=None),
        },
    )


def address(**parameters):
    return "rows/?" + urlencode({name: value for name, value in parameters.items() if value})


def _visits(sites, found, visit):
    lines = []
    for site in sites:
        of_site = found.get(site.pk, {})
        states = [counts for code, counts in of_site.items() if visit in ("", code)]
        numbers = {state: sum(counts.get(state, 0) for counts in states) for state in visit_states.STATES}
        could = sum(n for state, n in numbers.items() if state not in (*visit_states.CLOSED, "waiting"))
        cells = [
            Number(n, address(what="visits", site=site.code, visit=visit, state=state), could)
            for state, n in numbers.items()
        ]
        lines.append({"site": site, "reached": sum(numbers.values()), "cells": cells, "in_window": cells[0]})
    return lines


def _missing(found, site_code):
    """Items of which a value lacks on some finished form, the largest share first: (label, Number, reasons)."""
    forms, lacking = {}, {}
    for of_site in found.values():
        for kind, (n, items) in of_site.items():
            forms[kind] = forms.get(kind, 0) + n
            for name, reasons in items.items():
                into = lacking.setdefault((kind, name), {})
                for reason, m in reasons.items():
                    into[reason] = into.get(reason, 0) + m
    lines = []
    for (kind, name), reasons in lacking.items():
        number = Number(sum(reasons.values()), address(what="missing", site=site_code, item=name), forms[kind])
        told = [
            (
                wording.words(MISSING_LABELS[reason]),
                Number(n, address(what="missing", site=site_code, item=name, reason=reason)),
            )
            for reason, n in sorted(reasons.items(), key=lambda pair: -pair[1])
            if reason in MISSING_LABELS
        ]
        lines.append({"label": item_label(name), "number": number, "reasons": told})
    return sorted(lines, key=lambda line: -line["number"].n / line["number"].of)


def _numbers(sites, found):
    """Of each measured number: a line a site with n, rounded share and spread, each held against the other sites."""
    tables = []
    for name in measured_numbers.ITEMS:
        of_item = {site.pk: found[site.pk][name] for site in sites if name in found.get(site.pk, {})}
        lines = []
        for site in sites:
            if site.pk in of_item:
                others = [moments for key, moments in of_item.items() if key != site.pk]
                lines.append(_number_line(site, name, of_item[site.pk], others))
        if lines:
            tables.append((wording.words(catalogue.item(name).label), catalogue.item(name).unit, lines))
    return tables


def _number_line(site, name, moments, others):
    rest = reduce(add, others) if others else None
    digits = variance = None
    if rest and rest.n:
        digits = proportion_test(moments.rounded, moments.n, rest.rounded / rest.n)
        variance = variance_test(moments.variance or 0, moments.n, rest.variance or 0, rest.n)
    return {
        "site": site,
        "rounded": Number(moments.rounded, address(what="numbers", site=site.code, item=name), moments.n),
        "mean": round(moments.mean, 1),
        "sd": None if moments.variance is None else round(moments.variance**0.5, 1),
        "digits_p": digits,
        "variance_p": variance,
        "digits_unusual": digits is not None and digits < UNUSUAL,
        "variance_unusual": variance is not None and variance < UNUSUAL,
    }
