"""Drafts on the pages: what was typed and not saved comes back when its author opens the form again."""

import base64
from dataclasses import dataclass, field

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from registry.instruments import catalogue
from registry.instruments.timepoints import unscheduled, unscheduled_number
from registry.models import Draft, QueryForm, State
from registry.services.follow_up import schedule
from registry.services.records import drafts
from registry.services.review.soft_checks import Form
from registry.web.shared import questions, record_words, wording
from registry.web.shared.lookup import patient_of
from sites.tenancy.access import Can

LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Shown:
    """The person's draft of a form on its page: what is in the fields, and the version that it began from."""

    row: Draft | None = None
    raw: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    reason: str = ""
    discarded: bool = False
    held: bool = False  # the form was signed meanwhile

    @property
    def is_laid_over(self):
        return not (self.discarded or self.held)

    @property
    def address(self):
        return reverse("draft", args=[self.row.patient_id, self.row.form])

    @property
    def at(self):
        return self.row.updated_at


def form_code(sheet):
    return sheet.form.code if sheet.form else drafts.NEW_EVENT


def shown(request, sheet, values, missing):
    """(the person's draft laid over what is stored, its mark): None where it says the same. One query."""
    if not request.access.may(Can.ENTER, sheet.patient.site_id):
        return None, ""
    draft = drafts.draft_of(request.access, sheet.patient, form_code(sheet))
    if draft is None:
        return None, ""
    page = _shown(draft, sheet, values, missing)
    return page, drafts.mark(draft.updated_at)


def _shown(draft, sheet, values, missing):
    if draft.discarded_at:
        return Shown(draft, values, missing, discarded=True) if sheet.state != State.LOCKED else None
    raw, why = laid_over(draft, values, missing, sheet.instruments, sheet.leading, sheet.without)
    shown = Shown(draft, raw, why, MultiValueDict(draft.typed).get("reason", ""))
    says_more = shown.reason or any(
        (raw[item.name] or "") != (values.get(item.name) or "") or why.get(item.name) != missing.get(item.name)
        for item in sheet.items
    )
    if not says_more:
        return None
    return shown if sheet.state != State.LOCKED else Shown(draft, values, missing, held=True)


def laid_over(draft, values, missing, instruments, leading=(), without=()):
    """What a form with this draft has in its fields: (values, reasons) by item name, over those that are stored."""
    stored = _fields((*leading, *catalogue.items(instruments)), values, missing)
    fields = MultiValueDict(stored | draft.typed)
    raw, why = questions.submitted(fields, instruments, leading, without)
    return {
        name: [value for value in sent if value] if isinstance(sent, list) else sent for name, sent in raw.items()
    }, why


def _fields(items, values, missing):
    """What is in the fields of a form, as it would send it."""
    fields = {}
    for item in items:
        value = values.get(item.name) or ""
        fields[item.name] = value if isinstance(value, list) else [value]
        fields[f"{item.name}_missing"] = [missing.get(item.name, "")]
    return fields


def keep_refused(request, sheet, raw, missing, version):
    """What could not be saved is kept as a draft, where it differs from what is stored; also without JavaScript.

    Returns the page's mark of the draft.
    """
    stored = _fields(sheet.items, *sheet.stored(sheet.row))
    typed = {name: sent for name, sent in _fields(sheet.items, raw, missing).items() if sent != stored[name]}
    if reason := request.POST.get("reason", "").strip():
        typed["reason"] = [reason]
    if not typed or (version or 0) > LARGEST:
        return _known(request)
    try:
        return _keep(request, sheet.patient, form_code(sheet), typed, version)
    except drafts.TooMuch:
        return _known(request)


def _known(request):
    return request.POST.get("drafted", "")


def _keep(request, patient, code, typed, version):
    return drafts.keep(
        access=request.access, patient=patient, form=code, typed=typed, version=version, known=_known(request)
    )


def is_marked(request):
    """Whether the page that was sent knows a draft; what it typed last may be kept while the form is being stored."""
    return bool(_known(request))


def forget(request, sheet):
    """The form is saved: its draft has done its duty. Whether something typed in another window is left."""
    return drafts.forget(request.access, sheet.patient, form_code(sheet), request.POST, _known(request))


def settings_of(request, sheet):
    """What the page's script needs, as plain data; None where nothing can be typed."""
    if sheet.state == State.LOCKED or not request.access.may(Can.ENTER, sheet.patient.site_id):
        return None
    return script_settings(request) | {
        "url": reverse("draft", args=[sheet.patient.pk, form_code(sheet)]),
        # What may identify somebody is never kept on the device.
        "apart": [item.name for item in sheet.items if item.identifying],
    }


def script_settings(request):
    return {
        "person": request.user.pk,
        "key": device_key(request.user),
        "session": reverse("session"),
        "words": {
            "saved": _("Draft saved {time}"),
            "offline": _("Not connected: kept on this device"),
            "offline_page": _("Not connected: kept on this page alone"),
            "signed_out": _("You are signed out: kept on this device"),
            "refused": _("No draft could be saved: save the form"),
        },
    }


def device_key(user):
    """The key of what a browser keeps for this person while it cannot reach the server; base64, 256 bits.

    It is on the pages of whoever is signed in and nowhere on the device, so that what is left there by one person can
    be read by the next one on the same tablet only as noise.
    """
    digest = salted_hmac("registry.web.drafts", str(user.pk), algorithm="sha256").digest()
    return base64.b64encode(digest).decode()


@require_POST
def draft(request, patient_id, form):
    """Keep a draft (what the script sends), discard one or bring it back (what the page's buttons send)."""
    patient = patient_of(request, patient_id)
    request.access.require(Can.ENTER, patient.site_id)
    address = address_of(patient.pk, form)
    if address is None:
        raise Http404
    if "discard" in request.POST:
        drafts.discard(request.access, patient, form)
        return redirect(address)
    if "bring_back" in request.POST:
        drafts.bring_back(request.access, patient, form)
        return redirect(address)
    # In this browser somebody else may have signed in since the page was opened: nothing goes under their name.
    if request.POST.get("person") != str(request.user.pk):
        return JsonResponse({"person": request.user.pk}, status=409)
    number = questions.version_in(request.POST)
    if (number or 0) > LARGEST:
        return HttpResponse(status=400)
    typed, known = drafts.fields_of(request.POST), _known(request)
    if typed:
        try:
            known = _keep(request, patient, form, typed, number)
        except drafts.TooMuch:
            return HttpResponse(status=413)
    return JsonResponse({"saved": timezone.localtime().strftime("%H:%M"), "drafted": known})


def address_of(patient_id, code, labels=None):
    """Where a form of this code is opened; None where there is none such. `labels`: of the schedule, if known."""
    if code == drafts.NEW_EVENT:
        return reverse("adverse_event_new", args=[patient_id])
    form_shown = _form(code, schedule.labels() if labels is None else labels)
    return record_words.form_url(patient_id, form_shown) if form_shown else None


def _form(code, labels):
    if unscheduled_number(code):
        return Form(QueryForm.ASSESSMENT.value, timepoint=code)
    return Form.of(code, labels)


def lines(access, most):
    """The person's drafts for a list: what there is to finish, and since when."""
    found_drafts = drafts.drafts_of(access, most)
    labels = schedule.labels() if found_drafts else {}
    return [
        {
            "patient_id": draft.patient_id,
            "label": _label(draft.form, labels),
            "address": address,
            "at": draft.updated_at,
        }
        for draft in found_drafts
        if (address := address_of(draft.patient_id, draft.form, labels))
    ]


def _label(code, labels):
    if number := unscheduled_number(code):
        return wording.words(unscheduled(number).label)
    form = Form(QueryForm.ADVERSE_EVENT.value) if code == drafts.NEW_EVENT else _form(code, labels)
    return record_words.form_label(form, {code: wording.words(label) for code, label in labels.items()})
