"""How much is verified: each item at each site, of how many finished forms, and what the plan still asks about."""

from dataclasses import dataclass

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.models import QueryForm
from registry.services.monitoring import sampling
from registry.services.monitoring.verified_share import shares
from registry.web.shared.record_words import item_label
from sites.models import Site
from sites.tenancy.access import Can


@dataclass(frozen=True)
class Cell:
    """`n` of `of` finished forms have the item compared."""

    n: int
    of: int

    @property
    def percent(self):
        return round(100 * self.n / self.of) if self.of else None


@require_safe
def verified_share(request):
    """Items by rows, sites by columns; for who verifies, and for who manages the data."""
    sites = list(Site.objects.filter(pk__in=_sites(request.access)).order_by("code"))
    if not sites:
        raise Http404
    plan, counted = sampling.plan(), shares([site.pk for site in sites])
    left = sampling.forms_left(plan, sites)
    return render(
        request,
        "monitoring/verified_share.html",
        {
            "sites": sites,
            "plan": plan,
            "left": [(site, *left.get(site.pk, (0, 0)), plan.share(site.code)) for site in sites],
            "kinds": [(QueryForm(of_kind.kind).label, _lines(of_kind, sites, plan)) for of_kind in counted],
        },
    )


def _sites(access):
    """Of a monitor those to verify at; of the central data manager all."""
    return access.sites_for(Can.VERIFY) or (access.sites_for(Can.QUERY) if access.is_central else ())


def _lines(of_kind, sites, plan):
    lines = []
    for name in of_kind.items:
        cells = [Cell(of_kind.compared.get((site.pk, name), 0), of_kind.forms.get(site.pk, 0)) for site in sites]
        total = Cell(sum(cell.n for cell in cells), sum(cell.of for cell in cells))
        lines.append({"label": item_label(name), "critical": name in plan.critical, "cells": cells, "total": total})
    return lines
