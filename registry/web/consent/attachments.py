"""Files attached to a patient, for the site's own people: the list, one to open, a new one, the removal of one."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from registry.models import AdverseEvent, Attachment, QueryForm
from registry.services.attachments import files
from registry.services.follow_up import schedule
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.identity import UnreadableIdentity
from registry.services.records.storing import Conflict, ReasonRequired
from registry.services.review.forms import own_records_of
from registry.services.review.soft_checks import form_of_record
from registry.web.shared import wording
from registry.web.shared.lookup import assessments_of, identifying_patient_of
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import own_label
from sites import audit
from sites.tenancy.access import Can


def _places(patient):
    """What a file may belong to: key in the form to what it is called."""
    places = {"patient": _("The patient"), "consent": _("The consent")}
    places |= {form: QueryForm(form).label for form in ("baseline", "surgery", "follow_up")}
    labels = schedule.labels()
    places |= {f"assessment:{code}": wording.words(labels[code]) for code in assessments_of(patient) if code in labels}
    events = AdverseEvent.objects.filter(site_id=patient.site_id, patient=patient)
    places |= {f"adverse_event:{event.pk}": _event(event) for event in events}
    return places | {f"own_record:{row.pk}": own_label(form_of_record(row)) for row in own_records_of(patient)}


def _event(event):
    return f"{_('Adverse event')} {wording.day(event.onset_date)}"


@never_cache
@require_http_methods(["GET", "POST"])
def attachments(request, patient_id):
    """The files of a patient; a new one, for who enters data."""
    patient = identifying_patient_of(request, patient_id)
    may_enter = request.access.may(Can.ENTER, patient.site_id)
    places, errors = _places(patient), {}
    if request.method == "POST":
        request.access.require(Can.ENTER, patient.site_id)
        errors = _attach(request, patient, places)
        if not errors:
            messages.success(request, _("The file is attached."))
            return redirect("attachments", patient.pk)
    return render(
        request,
        "consent/attachments.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "lines": [_line(row, name, places) for row, name in files.of_patient(patient)],
            "places": places.items(),
            "place": request.POST.get("place") or request.GET.get("of", "patient"),
            "kinds": files.Kind.choices,
            "kind": request.POST.get("kind") or ("consent" if request.GET.get("of") == "consent" else ""),
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
            "may_enter": may_enter,
        },
        status=422 if errors else 200,
    )


def _line(row, name, places):
    key = f"{row.form}:{row.record}" if row.record else row.form
    return {"row": row, "name": name, "of": places.get(key, places["patient"]), "size": max(1, round(row.size / 1024))}


def _attach(request, patient, places):
    """Errors by field."""
    upload, place = request.FILES.get("file"), request.POST.get("place", "")
    if upload is None:
        return {"file": [wording.words(files.NO_FILE)]}
    if upload.size > files.LARGEST:
        return {"file": [wording.words(files.TOO_LARGE.format(size=-(-upload.size // files.MB)))]}
    form, _colon, record = place.partition(":")
    try:
        files.attach(
            access=request.access,
            patient=patient,
            name=upload.name or "",
            content=upload.read(),
            kind=request.POST.get("kind", ""),
            form=form if place in places else "",
            record=record,
        )
    except InvalidAnswers as error:
        return {name: [wording.words(reason) for reason in reasons] for name, reasons in error.errors.items()}
    return {}


def _row(patient, attachment_id):
    own = Attachment.objects.filter(site_id=patient.site_id, patient_id=patient.pk, removed_at=None)
    return get_object_or_404(own, pk=attachment_id)


@never_cache
@require_safe
def attachment(request, patient_id, attachment_id):
    """One file, as it was attached; opening it is on record."""
    patient = identifying_patient_of(request, patient_id)
    row = _row(patient, attachment_id)
    try:
        opened = files.opened(patient, row)
    except UnreadableIdentity:
        raise Http404 from None
    audit.record("attachment_opened", site_id=patient.site_id, table="registry_attachment", row_id=row.pk)
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=opened.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(opened.content, content_type=opened.media_type, headers=headers)


@require_http_methods(["GET", "POST"])
def attachment_remove(request, patient_id, attachment_id):
    """Remove a file, with the reason: its content is gone for good."""
    patient = identifying_patient_of(request, patient_id)
    request.access.require(Can.ENTER, patient.site_id)
    row, errors = _row(patient, attachment_id), {}
    if request.method == "POST":
        try:
            files.remove(access=request.access, row=row, reason=request.POST.get("reason", ""))
        except ReasonRequired:
            errors = {"reason": [_("Say why the file is removed.")]}
        except Conflict:
            raise Http404 from None
        else:
            messages.success(request, _("The file is removed."))
            return redirect("attachments", patient.pk)
    return render(
        request,
        "consent/attachment_remove.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "row": row,
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
        },
        status=422 if errors else 200,
    )
