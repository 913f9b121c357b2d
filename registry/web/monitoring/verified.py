"""How much is verified: each item at each site, of how many finished forms, and what the plan still asks about."""

from dataclasses import dataclass

from django.http import Http404
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from registry.models import QueryForm
from registry.services.follow_up import schedule
from registry.services.monitoring import sampling
from registry.services.monitoring.sampling import candidates
from registry.services.monitoring.verified_share import ROWS
from registry.services.operations import site_counts
from registry.web.shared.record_words import item_label
from sites.models import Site
from sites.tenancy.access import Can

MOST_COLUMNS = 10  # sites that stand side by side; of more the one that is chosen


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
    """Items by rows, sites by columns; of many sites the one that is chosen. For who verifies or manages the data."""
    every = Site.of(_sites(request.access))
    if not every:
        raise Http404
    plan, plans, today = sampling.plan(), schedule.plans(), timezone.localdate()
    ids = [site.pk for site in every]
    left, verified = site_counts.several(("left_to_verify", "verified"), ids, plans, today).values()
    chosen = request.GET.get("site", "")
    columns = [site for site in every if len(every) <= MOST_COLUMNS or site.code == chosen]
    return render(
        request,
        "monitoring/verified_share.html",
        {
            "sites": every,
            "columns": columns,
            "is_narrow": len(every) > MOST_COLUMNS,
            "chosen": chosen,
            "plan": plan,
            "left": [
                (site, *left.by_site.get(site.pk, (0, 0)), plan.share(site.code), _compared(verified.by_site, site))
                for site in every
            ],
            "kinds": [(QueryForm(kind).label, _lines(kind, verified.by_site, columns, plan)) for kind in ROWS],
            "counted_at": min((counts.at for counts in (left, verified) if counts.at), default=None),
        },
    )


def _sites(access):
    """Of a monitor those to verify at; of the central data manager all."""
    return access.sites_for(Can.VERIFY) or (access.sites_for(Can.QUERY) if access.is_central else ())


def _compared(verified, site):
    """How many values of a site's finished forms were compared, of all that there are."""
    of_site = verified.get(site.pk, {})
    n = sum(sum(names.values()) for _forms, names in of_site.values())
    return Cell(n, sum(forms * len(candidates(kind)) for kind, (forms, _names) in of_site.items()))


def _lines(kind, verified, columns, plan):
    of_kind = {site_id: of_site[kind] for site_id, of_site in verified.items() if kind in of_site}
    forms = sum(n for n, _names in of_kind.values())
    lines = []
    for name in candidates(kind):
        cells = [_cell(of_kind.get(site.pk, (0, {})), name) for site in columns]
        total = Cell(sum(names.get(name, 0) for _n, names in of_kind.values()), forms)
        lines.append({"label": item_label(name), "critical": name in plan.critical, "cells": cells, "total": total})
    return lines


def _cell(of_site, name):
    forms, names = of_site
    return Cell(names.get(name, 0), forms)
