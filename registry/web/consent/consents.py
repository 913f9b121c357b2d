"""A patient's consents: what was signed, what a newer version asks for, what was withdrawn."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.instruments.core.consent import CONSENT, WITHDRAWAL
from registry.models import Consent, ConsentWithdrawal
from registry.services.attachments import files
from registry.services.follow_up import ends
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.services.study import consents
from registry.web.shared import questions, wording
from registry.web.shared.lookup import patient_of
from registry.web.shared.patient_head import facts
from sites.tenancy.access import Can

ITEMS = {item.name: item for item in (*CONSENT.items, *WITHDRAWAL.items)}


def _of_consent(patient, today):
    return consents.standing(patient, today, ended=ends.end_of(patient) is not None)


@require_safe
def consent(request, patient_id):
    """What the patient signed and withdrew; a version that asks again and is not signed yet."""
    patient = patient_of(request, patient_id)
    standing = _of_consent(patient, timezone.localdate())
    labels = {version.code: wording.words(version.label) for version in consents.versions()}
    return render(
        request,
        "consent/consent.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "lines": [
                {
                    "row": row,
                    "label": labels.get(row.agreed_version, ""),
                    "language": capfirst(wording.shown(ITEMS["agreed_language"], row.agreed_language)),
                }
                for row in standing.consents
            ],
            "due": standing.due,
            "versions": bool(labels),
            "withdrawals": [(row, _part(row)) for row in standing.withdrawals],
            "all_withdrawn": len(standing.withdrawn) == len(ITEMS["withdrawn_part"].choices),
            "files": files.number_of(patient),
            "may_enter": request.access.may(Can.ENTER, patient.site_id),
            "may_identify": request.access.may(Can.IDENTIFY, patient.site_id),
        },
    )


def _part(row):
    return capfirst(wording.shown(ITEMS["withdrawn_part"], row.withdrawn_part))


def _form(request, patient, title, offered, values, errors, **more):
    """A page with some questions; `more` has what it says beside them."""
    status = 409 if more.get("conflict") else 422 if errors else 200
    return render(
        request,
        "consent/form.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "title": title,
            "questions": [questions.question(item, values, {}, errors) for item in offered],
            "errors": errors,
            "summary": [(name, text) for name, texts in errors.items() for text in texts],
            "reason": request.POST.get("reason", ""),
        }
        | more,
        status=status,
    )


def _entering(request, patient_id):
    """The patient, at a site where the person enters data; Http404 for everybody else."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.ENTER, patient.site_id):
        raise Http404
    return patient


def _values(request, items, stored):
    posted = request.method == "POST"
    return {
        item.name: request.POST.get(item.name, "").strip() if posted else stored.get(item.name, "") for item in items
    }


def _offered():
    """Versions to choose from: (code, words)."""
    return [(version.code, f"{version.code}: {wording.words(version.label)}") for version in consents.versions()]


@require_http_methods(["GET", "POST"])
def consent_new(request, patient_id):
    """A version of the form that the patient signed."""
    patient, errors, today = _entering(request, patient_id), {}, timezone.localdate()
    due = _of_consent(patient, today).due
    offered = _offered()
    first = {"agreed_version": due.code if due else offered[-1][0] if offered else "", "agreed_on": today.isoformat()}
    values = _values(request, CONSENT.items, first | {"agreed_taken_by": str(request.user)})
    if request.method == "POST":
        try:
            consents.record(access=request.access, patient=patient, raw=values, today=today)
        except InvalidAnswers as error:
            errors = wording.all_said(error.errors, ITEMS.get)
        else:
            messages.success(request, _("The consent is saved."))
            return redirect("consent", patient.pk)
    more = {"versions": offered, "version_chosen": values["agreed_version"]}
    return _form(request, patient, _("Consent signed"), CONSENT.items[1:], values, errors, **more)


@require_http_methods(["GET", "POST"])
def consent_correct(request, patient_id, consent_id):
    """The correction of a recorded consent."""
    patient, errors, conflict = _entering(request, patient_id), {}, False
    own = Consent.objects.filter(site_id=patient.site_id, patient_id=patient.pk)
    row = get_object_or_404(own, pk=consent_id)
    if request.method == "POST":
        errors, conflict = _correct(request, patient, row)
        if not errors and not conflict:
            messages.success(request, _("Saved."))
            return redirect("consent", patient.pk)
        row = own.get(pk=consent_id)
    stored = {item.name: questions.typed(getattr(row, item.name)) for item in CONSENT.items}
    values = _values(request, CONSENT.items, stored) if errors else stored
    offered = _offered()
    if row.agreed_version not in [code for code, _words in offered]:
        offered.append((row.agreed_version, row.agreed_version))
    more = {"versions": offered, "version_chosen": values["agreed_version"], "row": row, "conflict": conflict}
    return _form(
        request, patient, _("Correct the consent"), CONSENT.items[1:], values, errors, asks_reason=True, **more
    )


def _correct(request, patient, row):
    """(errors by field, whether somebody else was first)."""
    try:
        consents.correct(
            access=request.access,
            patient=patient,
            row=row,
            raw=_values(request, CONSENT.items, {}),
            version=questions.version_in(request.POST) or 0,  # a page that shows none has seen none
            reason=request.POST.get("reason", "").strip()[:300],
            today=timezone.localdate(),
        )
    except InvalidAnswers as error:
        return wording.all_said(error.errors, ITEMS.get), False
    except ReasonRequired:
        return {"reason": [_("Say why this is corrected.")]}, False
    except Conflict:
        return {}, True
    return {}, False


@require_http_methods(["GET", "POST"])
def withdraw(request, patient_id):
    """A part of the consent that the patient withdraws; the end of follow-up has a page of its own."""
    patient, errors, today = _entering(request, patient_id), {}, timezone.localdate()
    values = _values(request, WITHDRAWAL.items, {"withdrawn_on": today.isoformat()})
    if request.method == "POST":
        try:
            row = consents.withdraw(access=request.access, patient=patient, raw=values, today=today)
        except InvalidAnswers as error:
            errors = wording.all_said(error.errors, ITEMS.get)
        else:
            messages.success(request, _("Recorded: %(part)s is withdrawn.") % {"part": _part(row)})
            return redirect("consent", patient.pk)
    return _form(
        request, patient, _("Withdraw a part of the consent"), WITHDRAWAL.items, values, errors, withdrawing=True
    )


@require_http_methods(["GET", "POST"])
def withdrawal_correct(request, patient_id, withdrawal_id):
    """Say that a withdrawal was recorded wrongly; it stays on record and holds no longer."""
    patient, errors, conflict = _entering(request, patient_id), {}, False
    own = ConsentWithdrawal.objects.filter(site_id=patient.site_id, patient_id=patient.pk)
    row = get_object_or_404(own, pk=withdrawal_id)
    if request.method == "POST":
        try:
            consents.correct_withdrawal(access=request.access, row=row, reason=request.POST.get("reason", ""))
        except ReasonRequired:
            errors = {"reason": [_("Say why this was recorded wrongly.")]}
        except Conflict:
            conflict = True
        else:
            messages.success(request, _("It holds no longer."))
            return redirect("consent", patient.pk)
    more = {"withdrawal": (row, _part(row)), "asks_reason": True, "conflict": conflict}
    return _form(request, patient, _("Recorded wrongly"), (), {}, errors, **more)
