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
from registry.web.shared.identified import SWITCH
from registry.web.shared.patient_head import in_words
from sites import audit
from sites.models import Site
from sites.tenancy.access import Can


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
    """The subject identification log of a site, to be printed and filed there: who is behind each number."""
    sites = Site.of(request.access.sites_for(Can.IDENTIFY))
    if not sites:
        raise Http404
    site = next((site for site in sites if site.code == request.GET.get("site")), sites[0])
    patients = list(Patient.objects.filter(site=site).order_by("patient_id"))
    identifiers = known_patients.identifiers_of(request.access, {patient.pk for patient in patients})
    detail = {"detail": {"patients": len(patients)}}
    audit.record("identification_log", site_id=site.pk, table="registry_identity", **detail)
    return render(
        request,
        "patients/identification_log.html",
        {
            "site": site,
            "sites": sites,
            "rows": [
                {"patient": patient, "sex": in_words(patient, "sex"), **identifiers.get(patient.pk, {})}
                for patient in patients
            ],
        },
    )
