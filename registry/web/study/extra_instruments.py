"""Extra instruments: what may be asked beside the core, what is switched on, and switching."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments import catalogue, extras
from registry.services.records import extras as service
from registry.web.shared import wording
from sites.confirming import confirmed
from sites.tenancy.access import Can


@dataclass(frozen=True)
class Line:
    """One switch as the pages show it. `questions`: what its forms ask for more while it is on."""

    switch: extras.Switch
    on: bool

    @property
    def title(self):
        return wording.words(self.switch.title)

    @property
    def forms(self):
        names = {"baseline": _("Baseline"), "follow_up": _("Follow-up"), "assessment": _("every assessment")}
        return wording.listed(names[form] for form in self.switch.forms)

    @property
    def questions(self):
        every = (item for form in catalogue.EXTRAS.values() for item in catalogue.items(form))
        return [wording.words(item.label) for item in every if item.name in self.switch.items]


@require_safe
def extra_instruments(request):
    """Every extra and whether it is on: whoever reads patients may look, administrators switch."""
    access = request.access
    if not access.may(Can.READ):
        access.require(Can.ADMINISTER)
    on = service.switched_on(now=True)
    return render(
        request,
        "study/extra_instruments.html",
        {
            "lines": [Line(switch, switch.code in on) for switch in extras.SWITCHES.values()],
            "core": [wording.words(instrument.title) for instrument in (*catalogue.PATIENT, *catalogue.ASSESSMENT)],
            "may_switch": access.may(Can.ADMINISTER),
        },
    )


@require_http_methods(["GET", "POST"])
@confirmed
def extra_instrument(request, code):
    """Switch one extra on or off, after a page that says what this does."""
    request.access.require(Can.ADMINISTER)
    if code not in extras.SWITCHES:
        raise Http404
    line = Line(extras.SWITCHES[code], code in service.switched_on(now=True))
    if request.method == "POST":
        wanted = request.POST.get("on") == "1"
        if service.switch(access=request.access, code=code, on=wanted):
            message = _("%(name)s is switched on.") if wanted else _("%(name)s is switched off.")
            messages.success(request, message % {"name": line.title})
        return redirect("extra_instruments")
    return render(
        request,
        "study/extra_instrument.html",
        {"line": line, "stored": service.count_stored(code)},
    )
