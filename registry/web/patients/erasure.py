"""The page that erases a patient who withdrew consent, and the register of what was erased."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.models import Erasing, Erasure
from registry.services import seen
from registry.services.follow_up import ends
from registry.services.jobs import why_failed
from registry.services.operations import erasings, erasure
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import ReasonRequired, as_json
from registry.tasks import erase_patient as erase
from registry.tasks import repeat_erasing
from registry.web.patients.views import end_in_words
from registry.web.shared import seen_words, wording
from registry.web.shared.lookup import patient_of
from registry.web.shared.patient_head import facts
from sites.confirming import confirmed
from sites.tenancy.access import Can

PAGE = 50


@require_http_methods(["GET", "POST"])
def erase_patient(request, patient_id):
    """Identifiers alone or the whole record, after the number was typed and a reason given."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.ERASE, patient.site_id):
        raise Http404
    return _asked(request, patient)


@confirmed
def _asked(request, patient):
    errors, unseen = {}, None
    if request.method == "POST":
        try:
            seen.check(request.POST.get("seen", ""), "erase", patient.pk, _shown(ends.end_of(patient)))
            errors = _erase(request, patient)
        except seen.Unseen as exception:
            unseen = exception
        if not errors and unseen is None:
            return redirect("erasures")
    end = ends.end_of(patient)
    extents = [
        {
            "code": code,
            "label": label,
            "obstacle": obstacle and wording.words(obstacle),
            "checked": request.POST.get("extent") == code,
        }
        for code, label in Erasure.Extent.choices
        for obstacle in [erasure.obstacle(patient, code)]
    ]
    return render(
        request,
        "patients/erase.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "end_words": end_in_words(end) if end else "",
            "extents": extents,
            "possible": any(extent["obstacle"] is None for extent in extents),
            "typed": request.POST.get("typed", ""),
            "reason": request.POST.get("reason", ""),
            "seen": seen.note("erase", patient.pk, _shown(end)),
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences) if unseen else [],
            "errors": errors,
            "summary": [(name, text) for name, reasons in errors.items() for text in reasons],
        },
        status=409 if unseen else 422 if errors else 200,
    )


def _shown(end):
    """What the page shows of the patient's wish, for its note."""
    names = [item.name for item in FOLLOW_UP_END.items]
    return {"end": {name: as_json(getattr(end, name)) for name in names} if end else {}}


def _erase(request, patient):
    """Errors by field."""
    post = request.POST
    try:
        asked = erase(
            access=request.access,
            patient=patient,
            extent=post.get("extent", ""),
            typed=post.get("typed", ""),
            reason=post.get("reason", ""),
        )
    except InvalidAnswers as error:
        return {name: [wording.words(reason) for reason in reasons] for name, reasons in error.errors.items()}
    except ReasonRequired:
        return {"reason": [_("Say why this is erased.")]}
    if not Erasing.objects.filter(pk=asked.pk).exists():
        messages.success(request, _("Erased: %(number)s.") % {"number": patient.pk})
    return {}


@require_safe
def erasures(request):
    """What was erased: for those who erase."""
    if not request.access.may(Can.ERASE):
        raise Http404
    sites = request.access.sites_for(Can.ERASE)
    rows = Erasure.objects.filter(site_id__in=sites).select_related("site", "erased_by")
    waiting = [{"asked": asked, "why": why_failed(asked.error)} for asked in erasings.waiting(sites)]
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "patients/erasures.html", {"page": page, "waiting": waiting})


def _asked_for(request, erasing_id):
    if not request.access.may(Can.ERASE):
        raise Http404
    return get_object_or_404(erasings.waiting(request.access.sites_for(Can.ERASE)), pk=erasing_id)


@require_POST
def erasing_cancel(request, erasing_id):
    """Ask no longer for an erasure; where a worker was quicker, the page says that it is done."""
    asked = _asked_for(request, erasing_id)
    if erasings.cancel(access=request.access, asked=asked):
        messages.success(request, _("Not erased: %(number)s.") % {"number": asked.patient_id})
    return redirect("erasures")


@require_POST
@confirmed
def erasing_again(request, erasing_id):
    """Have an erasure carried out once more that failed."""
    repeat_erasing(access=request.access, asked=_asked_for(request, erasing_id))
    return redirect("erasures")
