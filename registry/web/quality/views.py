"""Completeness and quality: one page of tables by site, each number a link to its rows."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import floor

from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS
from registry.services.follow_up import schedule
from registry.services.operations import site_counts
from registry.services.quality import measured_numbers, visit_states
from registry.stats.centres import proportion_test, variance_test
from registry.web.quality import enrolment
from registry.web.quality.words import state_words
from registry.web.shared import cells, wording
from registry.web.shared.cells import escape
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
    access = request.access
    access.require(Can.READ)
    every = Site.of(access.sites_for(Can.READ))
    chosen, visit = request.GET.get("site", ""), request.GET.get("visit", "")
    sites = [site for site in every if chosen in ("", site.code)]
    plans, today = schedule.plans(), timezone.localdate()
    ids = [site.pk for site in sites]
    counted = site_counts.several(KINDS, ids, plans, today)
    by_kind = {kind: counts.by_site for kind, counts in counted.items()}
    visits = [(timepoint.code, wording.words(timepoint.label)) for timepoint in plans.timepoints]
    visit_lines = _visits(sites, by_kind["visit_states"], visit)
    return render(
        request,
        "quality/quality.html",
        {
            "sites": every if len(every) > 1 else [],
            "site": chosen,
            "visits": visits,
            "visit": visit,
            "states": [(state, state_words()[state]) for state in visit_states.STATES],
            "visit_lines": visit_lines,
            "visit_rows": cells.rows(_visit_rows(visit_lines)),
            "missing": (missing := _missing(by_kind["missing_items"], chosen)),
            "missing_rows": cells.joined(_missing_rows(missing)),
            "query_rows": cells.rows(
                _query_rows(sites, by_kind["query_rates"], listed=access.may(Can.ENTER) or access.may(Can.QUERY))
            ),
            "numbers": _numbers(sites, by_kind["measured_numbers"]),
            "delay_rows": cells.rows(_delay_rows(sites, by_kind["entry_delay"])),
            "enrolment": enrolment.of(sites, by_kind["consented"], today),
            "counted_at": min((counts.at for counts in counted.values() if counts.at), default=None),
        },
    )


def address(**parameters):
    return cells.address("rows/", **parameters)


def _visits(sites, visits_by_site, visit):
    lines = []
    for site in sites:
        of_site = visits_by_site.get(site.pk, {})
        states = [counts for code, counts in of_site.items() if visit in ("", code)]
        numbers = {state: sum(counts.get(state, 0) for counts in states) for state in visit_states.STATES}
        could = sum(n for state, n in numbers.items() if state not in (*visit_states.CLOSED, "waiting"))
        rows_of_site = address(what="visits", site=site.code, visit=visit)
        of_states = [Number(n, f"{rows_of_site}&state={state}" if n else "", could) for state, n in numbers.items()]
        lines.append({"site": site, "reached": sum(numbers.values()), "cells": of_states})
    return lines


def _visit_rows(lines):
    """(site, cells) of each line, the share of the first state beside its number."""
    for line in lines:
        first, *others = line["cells"]
        made = cells.link(first.n, first.url) + (cells.share(first.percent) if first.n else "")
        yield line["site"].code, [str(line["reached"]), made, *(cells.link(cell.n, cell.url) for cell in others)]


def _query_rows(sites, counts, *, listed):
    """(site, cells) of each site; `listed` where the person may open the list of queries."""
    path = reverse("queries")

    def number(site, state, n):
        return cells.link(n, cells.address(path, site=site.code, state=state)) if listed else str(n)

    for site in sites:
        if (rates := counts.get(site.pk)) is None:
            yield site.code, [cells.NONE] * 7
            continue
        asked, is_open, answered = (
            number(site, *pair) for pair in (("all", rates.asked), ("open", rates.open), ("answered", rates.answered))
        )
        rest = (rates.age, rates.oldest, rates.answer)
        yield site.code, [asked, cells.shown(rates.per_hundred), is_open, answered, *map(cells.shown, rest)]


def _delay_rows(sites, counts):
    for site in sites:
        if (delay := counts.get(site.pk)) is None:
            yield site.code, [cells.NONE] * 3
        else:
            n, *days = delay
            opened = cells.link(n, address(what="delay", site=site.code))
            yield site.code, [opened, *(str(floor(day + 0.5)) for day in days)]  # halves up, as a person rounds


def _missing(counts, site_code):
    """Items of which a value lacks on some finished form, the largest share first: (label, Number, reasons)."""
    forms, lacking = {}, {}
    for of_site in counts.values():
        for kind, (n, items) in of_site.items():
            forms[kind] = forms.get(kind, 0) + n
            for name, reasons in items.items():
                into = lacking.setdefault((kind, name), {})
                for reason, m in reasons.items():
                    into[reason] = into.get(reason, 0) + m
    lines = []
    for (kind, name), reasons in lacking.items():
        number = Number(sum(reasons.values()), address(what="missing", site=site_code, item=name), forms[kind])
        texts = [
            (
                wording.words(MISSING_LABELS[reason]),
                Number(n, address(what="missing", site=site_code, item=name, reason=reason)),
            )
            for reason, n in sorted(reasons.items(), key=lambda pair: -pair[1])
            if reason in MISSING_LABELS
        ]
        lines.append({"label": item_label(name), "number": number, "reasons": texts})
    return sorted(lines, key=lambda line: -line["number"].n / line["number"].of)


def _missing_rows(lines):
    for line in lines:
        number = line["number"]
        reasons = ", ".join(f"{escape(words)} {cells.link(reason.n, reason.url)}" for words, reason in line["reasons"])
        counts = (cells.link(number.n, number.url), number.of, number.percent)
        yield (
            f'<tr><th scope="row">{escape(line["label"])}</th>'
            + "".join(f'<td class="number">{count}</td>' for count in counts)
            + f'<td class="few-words">{reasons}</td></tr>'
        )


def _numbers(sites, counts):
    """Of each measured number: its label and unit, the unusual sites, and (site, cells) of each that measured it."""
    tables = []
    for name in measured_numbers.ITEMS:
        measured = tuple((site.code, counts[site.pk][name]) for site in sites if name in counts.get(site.pk, {}))
        if measured:
            tables.append(_table(get_language(), name, measured))
    return tables


@lru_cache(64)  # what is measured is the same until it is counted anew, and its tests are half of the page
def _table(_language, name, measured):
    others = _others([moments for _code, moments in measured])
    lines = [_number_line(code, name, moments, rest) for (code, moments), rest in zip(measured, others, strict=True)]
    unusual = [line["site"] for line in lines if line["digits_unusual"] or line["variance_unusual"]]
    item = catalogue.item(name)
    return wording.words(item.label), wording.unit(item.unit), unusual, cells.rows(_number_rows(lines))


def _others(measured):
    """Of each in a list of Moments the sum of the others, None for the only one."""
    before = [None, *accumulate(measured[:-1])]
    after = [None, *accumulate(reversed(measured[1:]))][::-1]
    pairs = zip(before, after, strict=True) if measured else ()
    return [first + then if first and then else first or then for first, then in pairs]


def _number_line(site_code, name, moments, rest):
    digits = variance = None
    if rest and rest.n:
        digits = proportion_test(moments.rounded, moments.n, rest.rounded / rest.n)
        variance = variance_test(moments.variance or 0, moments.n, rest.variance or 0, rest.n)
    return {
        "site": site_code,
        "rounded": Number(moments.rounded, address(what="numbers", site=site_code, item=name), moments.n),
        "mean": round(moments.mean, 1),
        "sd": None if moments.variance is None else round(moments.variance**0.5, 1),
        "digits_p": digits,
        "variance_p": variance,
        "digits_unusual": digits is not None and digits < UNUSUAL,
        "variance_unusual": variance is not None and variance < UNUSUAL,
    }


def _number_rows(lines):
    unusual = escape(_("unusual"))

    def p_value(p, is_unusual):
        if p is None:
            return "–"
        return f'<strong class="unusual">{p:.4f} {unusual}</strong>' if is_unusual else f"{p:.3f}"

    for line in lines:
        rounded = line["rounded"]
        yield (
            line["site"],
            [
                str(rounded.of),
                cells.link(rounded.n, rounded.url) + cells.share(rounded.percent),
                p_value(line["digits_p"], line["digits_unusual"]),
                cells.shown(line["mean"]),
                cells.shown(line["sd"]),
                p_value(line["variance_p"], line["variance_unusual"]),
            ],
        )
