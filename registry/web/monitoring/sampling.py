"""The sampling plan of verification: whoever reads patients sees it, an administrator declares it."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.models import QueryForm
from registry.services.monitoring import sampling
from registry.services.protocol import publishing
from registry.web.shared import wording
from registry.web.shared.record_words import item_label
from sites.confirming import confirmed
from sites.models import Site
from sites.tenancy.access import Can


def risk_words():
    return {"low": _("Low"), "standard": _("Standard"), "high": _("High")}


@require_http_methods(["GET", "POST"])
@confirmed
def sampling_plan(request):
    """The plan that holds, since when; POST declares the next, as a version of the protocol."""
    access = request.access
    if request.method == "POST" or not access.may(Can.READ):
        access.require(Can.ADMINISTER)
    plan, faults, note = sampling.plan(), [], request.POST.get("note", "").strip()[:300]
    sent = request.POST if request.method == "POST" else None
    if sent is not None:
        faults = _declare(request, note)
        if not faults:
            messages.success(request, _("Saved as the next version of the protocol."))
            return redirect("sampling_plan")
    critical = sent.getlist("critical") if sent else plan.critical
    words = risk_words()
    return render(
        request,
        "monitoring/sampling_plan.html",
        {
            "plan": plan,
            "may_declare": access.may(Can.ADMINISTER),
            "faults": faults,
            "note": note,
            "kinds": [
                (
                    QueryForm(kind).label,
                    [(name, item_label(name), name in critical) for name in sampling.candidates(kind)],
                )
                for kind in sampling.KINDS
            ],
            "shares": [
                (risk, words[risk], sent.get(f"share-{risk}", "") if sent else _share(plan, risk))
                for risk in sampling.RISKS
            ],
            "sites": [
                (site, sent.get(f"risk-{site.code}", "standard") if sent else plan.risk(site.code))
                for site in Site.objects.order_by("code")
                if access.may(Can.ADMINISTER) or access.may(Can.READ, site.pk)
            ],
            "risks": list(words.items()),
        },
        status=422 if faults else 200,
    )


def _share(plan, risk):
    return plan.shares[risk] if plan.is_declared else sampling.SHARES[risk]


def _declare(request, note):
    """Declare what was sent; returns what keeps it from being declared, in words."""
    if not note:
        return [_("Say why: it stands in the version of the protocol.")]
    risks = {key.removeprefix("risk-"): value for key, value in request.POST.items() if key.startswith("risk-")}
    try:
        sampling.declare(
            access=request.access,
            critical=request.POST.getlist("critical"),
            shares={risk: request.POST.get(f"share-{risk}", "").strip() for risk in sampling.RISKS},
            risks=risks,
            note=note,
        )
    except publishing.InvalidDefinition as error:
        words = risk_words()
        return [
            f"{words.get(fault.column, fault.column)} {fault.value}: {wording.sentence(fault.reason)}"
            for fault in error.faults
        ]
    return []
