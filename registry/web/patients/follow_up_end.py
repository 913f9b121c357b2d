"""The page on which a site says that a patient's follow-up ended, corrects it, or takes it back."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.services.follow_up import ends
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.web.shared import questions, wording
from registry.web.shared.lookup import names_of, patient_of
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can


@require_http_methods(["GET", "POST"])
def follow_up_end(request, patient_id):
    """Withdrawal of consent or loss to follow-up: read by everybody who may read the patient, entered by the site."""
    patient = patient_of(request, patient_id)
    errors, conflict = {}, False
    if request.method == "POST":
        request.access.require(Can.ENTER, patient.site_id)
        errors, conflict = _store(request, patient)
        if not errors and not conflict:
            return redirect("patient", patient.pk)
    row = ends.end_of(patient)
    stored = {item.name: questions.typed(getattr(row, item.name)) if row else "" for item in ends.ITEMS}
    values = {name: request.POST.get(name, "") for name in stored} if errors else stored
    return render(
        request,
        "patients/follow_up_end.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "row": row,
            "by": names_of([row.updated_by_id]).get(row.updated_by_id, "") if row else "",
            "questions": [questions.question(item, values, {}, errors) for item in ends.ITEMS],
            "errors": errors,
            "summary": [(name, text) for name, reasons in errors.items() for text in reasons],
            "conflict": conflict,
            "reason": request.POST.get("reason", ""),
            "resume_reason": request.POST.get("resume_reason", ""),
            "may_enter": request.access.may(Can.ENTER, patient.site_id),
        },
        status=409 if conflict else 422 if errors else 200,
    )


def _store(request, patient):
    """(errors by field, whether somebody else was first)."""
    post = request.POST
    version = questions.version_in(post)
    resumes = "resume" in post
    try:
        if resumes:
            ends.resume_follow_up(
                access=request.access, patient=patient, version=version, reason=post.get("resume_reason", "").strip()
            )
            messages.success(request, _("Follow-up goes on: the visits are waited for again."))
        else:
            ends.end_follow_up(
                access=request.access,
                patient=patient,
                raw={item.name: post.get(item.name, "").strip() for item in ends.ITEMS},
                version=version,
                reason=post.get("reason", "").strip(),
                today=timezone.localdate(),
            )
            messages.success(request, _("Saved. The visits after that day are closed."))
    except InvalidAnswers as error:
        items = {item.name: item for item in ends.ITEMS}
        return wording.all_said(error.errors, items.get), False
    except ReasonRequired:
        if resumes:
            return {"resume_reason": [_("Say why this is taken back.")]}, False
        return {"reason": [_("Say why this is corrected.")]}, False
    except Conflict as error:
        return {}, not _is_equal(error.current, post)
    return {}, False


def _is_equal(row, post):
    """Whether what is stored is what was sent: the same form sent twice."""
    return row is not None and all(
        questions.typed(getattr(row, item.name)) == post.get(item.name, "").strip() for item in ends.ITEMS
    )
