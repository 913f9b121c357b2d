"""The delegation log of a site, as a page and as a file."""

import csv
import io

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from registry.exports.folder import download_name
from sites import audit
from sites.people.delegation import delegations, sites_for
from sites.resources import guarded
from sites.tenancy.access import Can

CENTRAL = "central"  # in the address, for the roles without a site
COLUMNS = (
    "site", "person", "email", "role", "from", "until", "state", "granted_by", "granted_at", "ended_by", "ended_at",
)  # fmt: skip


def _chosen(request):
    """(sites the person may choose from, the chosen one or None for central roles). 404 for any other site."""
    sites = sites_for(request.access)
    if not sites and not request.access.may(Can.ADMINISTER):
        raise PermissionDenied
    code = request.GET.get("site", "")
    if not sites or (code == CENTRAL and request.access.may(Can.ADMINISTER)):
        return sites, None
    site = next((site for site in sites if site.code == code), None if code else sites[0])
    if site is None:
        raise Http404
    return sites, site


@require_safe
def delegation_log(request):
    sites, site = _chosen(request)
    context = {
        "sites": sites,
        "site": site,
        "central": request.access.may(Can.ADMINISTER),
        "rows": delegations(site),
    }
    return render(request, "people/delegation.html", context)


@require_safe
def delegation_csv(request):
    """The same as a file, for the trial's folder; that it was taken is on record."""
    _sites, site = _chosen(request)
    code = site.code if site else CENTRAL
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for delegation in delegations(site):
        writer.writerow(
            guarded(cell)
            for cell in (
                code,
                delegation.person,
                delegation.email,
                str(delegation.role),
                delegation.starts_on.isoformat(),
                delegation.ends_on.isoformat() if delegation.ends_on else "",
                delegation.state,
                delegation.granted_by,
                delegation.granted_at.isoformat() if delegation.granted_at else "",
                delegation.ended_by,
                delegation.ended_at.isoformat() if delegation.ended_at else "",
            )
        )
    audit.record("delegation_log_exported", site_id=site.pk if site else None)
    name = download_name(f"metaspine-delegation-{code}-{timezone.localdate()}.csv")
    return HttpResponse(
        "\ufeff" + text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
