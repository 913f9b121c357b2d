"""The switch that shows identifiers in lists, on record, and the subject identification log, for a site's people."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from registry.models import Patient
from registry.services.entry import known_patients
from registry.web.patients import list_rows
from registry.web.shared.identified import SWITCH
from registry.web.shared.lookup import COUNTED, counted, last_page, page_in
from sites import audit
from sites.models import Site
from sites.tenancy.access import Can

PAGE = 50


@require_POST
def show_identifiers(request):
    """Turn the switch on or off, and go back to the page. Turning it on is in the trail of each site it is about."""
    if not request.access.may(Can.IDENTIFY):
        raise Http404
    request.session[SWITCH] = "on" in request.POST
    if request.session[SWITCH]:
        audit.record_for_sites("identifiers_shown", request.access.sites_for(Can.IDENTIFY))
        messages.info(request, _("Lists show hospital numbers and initials until you sign out. That is on record."))
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else reverse("patients"))


@require_safe
def identification_log(request):
    """The subject identification log of a site: who is behind each number. Fifty patients a page, or all of them, to be
    printed and filed there, where the address says `whole`.
    """
    sites = Site.of(request.access.sites_for(Can.IDENTIFY))
    if not sites:
        raise Http404
    site = next((site for site in sites if site.code == request.GET.get("site")), sites[0])
    whole = "whole" in request.GET
    count = None if whole else counted(Patient.objects.filter(site=site))
    last = 1 if whole else last_page(count, PAGE)
    number = page_in(request.GET.get("page"), last)
    lines = list_rows.of_log(site.pk, None if whole else PAGE, (number - 1) * PAGE)
    identifiers = known_patients.identifiers_of(request.access, [line.patient_id for line in lines])
    detail = {"detail": {"patients": len(lines)}}
    audit.record("identification_log", site_id=site.pk, table="registry_identity", **detail)
    first = (number - 1) * PAGE + 1 if lines else 0
    return render(
        request,
        "patients/identification_log.html",
        {
            "site": site,
            "sites": sites,
            "count": len(lines) if whole else count,
            "many": not whole and count > COUNTED,
            "counted": COUNTED,
            "written": list_rows.identification_log(lines, identifiers),
            "first_row": first,
            "last_row": first + len(lines) - 1,
            "whole": whole,
            "number": number,
            "last": last,
        },
    )
