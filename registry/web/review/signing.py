"""Signing a patient's forms, unlocking them again, and what became of the signatures."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.models import Query, Signature, State
from registry.services.follow_up import schedule
from registry.services.operations import site_counts
from registry.services.records.storing import ReasonRequired
from registry.services.review import signing, to_sign
from registry.services.review.forms import forms_of
from registry.services.review.soft_checks import Form
from registry.services.seen import Unseen
from registry.web.account.forms import SignInForm
from registry.web.reading import sheet
from registry.web.review import list_rows
from registry.web.review.query_words import lines
from registry.web.shared import identified, seen_words, wording
from registry.web.shared.lookup import number_in, patient_of
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import form_label, form_url, visit_labels
from sites import audit
from sites.tenancy.access import Can

PAGE = 50
AT_ONCE = 10  # patients that are read and signed on one page
STATUS_NOTES = {"valid": "note-success", "unlocked": "note-warning", "broken": "note-error"}


def reauthenticated(request, password):
    """Errors of the password that the person typed again; none if it is theirs.

    The sign-in form itself asks, so that wrong ones count towards its limit and are on record like any other.
    """
    form = SignInForm({"username": request.user.email, "password": password}, request=request)
    if form.is_valid() and form.user == request.user:
        return []
    if any(error.code == "too_many_login_attempts" for error in form.non_field_errors().as_data()):
        return [_("There were too many wrong passwords. Wait a quarter of an hour and try again.")]
    return [_("The password is not right.")]


@require_safe
def ready_to_sign(request):
    """The patients of one's sites with forms to sign, fifty a page, and what stands against signing them."""
    sites = request.access.sites_for(Can.SIGN)
    if not sites:
        raise Http404
    number = number_in(request.GET.get("page"), 5) or 1
    whole = "all" in request.GET
    unsigned, counted_at = _unsigned(sites, (number - 1) * PAGE, whole)
    labels = visit_labels() if any(line.open_forms for line in unsigned.lines) else {}
    shown = [(line, [_open_form(line.patient_id, code, labels) for code in line.open_forms]) for line in unsigned.lines]
    beside = identified.beside(request, [line.patient_id for line in unsigned.lines])
    return render(
        request,
        "review/to_sign.html",
        {
            "unsigned": unsigned,
            "counted_at": counted_at,
            "lines": shown,
            "written": list_rows.to_sign(shown, beside),
            "whole": whole,
            "at_most": AT_ONCE,
            "number": number,
            "more": unsigned.total > number * PAGE,
        },
    )


def _unsigned(sites, offset, whole):
    """(a page of the list, when it was counted or None for now): far from the end of a long list of those who can be
    signed their number is as the worker keeps it, and nobody else is looked at.
    """
    if site_counts.is_large():
        counts = site_counts.counts("unsigned", sites, schedule.plans(), timezone.localdate())
        ready = sum(of_site for of_site, _unsigned in counts.by_site.values())
        if ready > offset + 2 * PAGE:
            first = to_sign.first_signable(sites, limit=PAGE, offset=offset)
            if len(first) == PAGE:
                lines = to_sign.unsigned(sites, limit=PAGE, patients=first).lines
                return to_sign.Page(lines, ready, ready), counts.at
    return to_sign.unsigned(sites, limit=PAGE, offset=offset, whole=whole), None


def _open_form(patient_id, code, labels):
    form = Form.of(code, labels)
    return form_label(form, labels), form_url(patient_id, form)


@require_http_methods(["GET", "POST"])
def signatures(request, patient_id):
    """The signatures of a patient, each computed again, and what there is to sign, with every answer.

    POST signs what is finished, with the password again, if it is what the page showed.
    """
    patient = patient_of(request, patient_id)
    if request.method != "POST":
        return _page(request, patient)
    request.access.require(Can.SIGN, patient.site_id)
    acknowledged = acknowledged_in(request.POST)
    errors = refusals(signing.ready(patient), acknowledged, confirmed="confirm" in request.POST)
    if not errors and (wrong := reauthenticated(request, request.POST.get("password", ""))):
        errors = [("password", reason) for reason in wrong]
        audit.record("signing_refused", site_id=patient.site_id, table="registry_patient", row_id=patient.pk)
    if errors:
        return _page(request, patient, errors=errors, acknowledged=acknowledged, status=422)
    try:
        signing.sign(
            access=request.access,
            patient=patient,
            language=get_language(),
            acknowledged=acknowledged,
            seen=request.POST.get("seen", ""),
        )
    except signing.NotReady:
        errors = [("", _("Something changed in the meantime. Look at the forms again."))]
        return _page(request, patient, errors=errors, acknowledged=acknowledged, status=422)
    except Unseen as unseen:
        return _unseen(request, patient, unseen, acknowledged=acknowledged)
    messages.success(request, _("Signed. The forms are locked."))
    return redirect("signatures", patient.pk)


def acknowledged_in(post):
    """Ids of the queries that somebody says they know of."""
    return {int(row_id) for row_id in post.getlist("acknowledged") if row_id.isdecimal() and len(row_id) < 18}


def _unseen(request, patient, unseen, **more):
    """The page once more, with what changed since it was opened instead of what was asked for."""
    return _page(request, patient, unseen=unseen, status=409, **more)


def refusals(ready, acknowledged, *, confirmed):
    """Why a patient cannot be signed as asked: (field, words) each."""
    errors = []
    if not ready.forms and not ready.unfinished:
        errors.append(("", _("Every finished form is signed already.")))
    elif not ready.is_ready:
        errors.append(("", _("There are forms to complete first.")))
    if {query.pk for query in ready.queries} - acknowledged:
        errors.append(("acknowledged", _("Acknowledge each query that is not closed, or settle it first.")))
    if not confirmed:
        errors.append(("confirm", _("Confirm the statement.")))
    return errors


@require_POST
def unlock(request, patient_id):
    """Open signed forms again, with a reason and the password."""
    patient = patient_of(request, patient_id)
    request.access.require(Can.SIGN, patient.site_id)
    codes, reason = request.POST.getlist("form"), request.POST.get("reason", "").strip()[:300]
    errors = []
    if not codes:
        errors.append(("unlock-forms", _("Choose the forms to unlock.")))
    if not reason:
        errors.append(("unlock-reason", _("Say why these forms are unlocked.")))
    if not errors and (wrong := reauthenticated(request, request.POST.get("password", ""))):
        errors = [("unlock-password", reason) for reason in wrong]
        audit.record("unlocking_refused", site_id=patient.site_id, table="registry_patient", row_id=patient.pk)
    if not errors:
        try:
            opened = signing.unlock(
                access=request.access, patient=patient, codes=codes, reason=reason, seen=request.POST.get("seen", "")
            )
        except Unseen as unseen:
            return _unseen(request, patient, unseen, chosen=codes, reason=reason)
        except ReasonRequired:
            errors = [("unlock-reason", _("Say why these forms are unlocked."))]
        else:
            if opened:
                messages.success(request, _("Unlocked. Sign again when the correction is done."))
            else:
                messages.warning(request, _("None of these forms was locked."))
            return redirect("signatures", patient.pk)
    return _page(request, patient, unlock_errors=errors, chosen=codes, reason=reason, status=422)


def _page(
    request, patient, *, errors=(), acknowledged=(), unlock_errors=(), chosen=(), reason="", unseen=None, status=200
):
    if unseen is not None:
        patient.refresh_from_db()
    labels = visit_labels()
    every = forms_of(patient)
    may_sign = request.access.may(Can.SIGN, patient.site_id)
    ready = signing.ready(patient) if may_sign else None
    asked = queries_of(ready, labels) if ready else []
    return render(
        request,
        "review/signatures.html",
        {
            "patient": patient,
            "facts": facts(patient),
            "signatures": [_line(signature, labels) for signature in signing.checked(patient, every)],
            "may_sign": may_sign,
            "sheet": sheet.of(patient, ready.forms, asked, labels) if ready else None,
            "seen": signing.note(patient, ready) if ready else "",
            "unlocking_seen": signing.unlocking_note(patient) if may_sign else "",
            "unseen": unseen,
            "differences": seen_words.lines_of(unseen.differences, every) if unseen else [],
            "unfinished": [_form(patient, form_row, labels) for form_row in ready.unfinished] if ready else [],
            "queries": asked,
            "acknowledged": acknowledged,
            "meaning": wording.words(signing.MEANING),
            "locked": [_form(patient, form, labels) for form in every if form.state == State.LOCKED],
            "errors": dict(errors),
            "summary": errors,
            "unlock_errors": dict(unlock_errors),
            "unlock_summary": unlock_errors,
            "chosen": chosen,
            "reason": reason,
        },
        status=status,
    )


def queries_of(ready, labels):
    """The lines of the queries that a signature acknowledges."""
    if not ready.queries:
        return []
    return lines(Query.objects.filter(pk__in=[query.pk for query in ready.queries]).order_by("pk"), labels=labels)


def _form(patient, form_row, labels):
    return {
        "code": form_row.form.code,
        "label": form_label(form_row.form, labels),
        "state": form_row.state if form_row.is_begun else "empty",
        "url": form_url(patient.pk, form_row.form),
    }


def _line(signature, labels):
    forms = [Form.of(entry["form"], labels) for entry in signature.signature.forms]
    words = {
        "valid": _("The data are as they were signed."),
        "unlocked": _("Unlocked since; the data are still as they were signed."),
        "broken": {
            "data": _("Broken: the data changed after they were signed."),
            "key": _("Broken: it was not made with this registry's key."),
            "trail": _("Broken: the audit trail tells of no such signature."),
        }.get(signature.fault),
    }
    words_shown = [words[signature.status]]
    if not signature.keyed:
        words_shown.append(_("It is of release 0.1.0, when signatures were not bound to the registry's key yet."))
    return {
        "signature": signature.signature,
        "status": signature.status,
        "note": STATUS_NOTES[signature.status],
        "words": " ".join(map(str, words_shown)),
        "forms": [form_label(form, labels) for form in forms if form],
        "open": [form_label(form, labels) for form in (Form.of(code, labels) for code in signature.open) if form],
    }


def locked_by(patient, code):
    """The newest signature that covers a form, or None: who signed what the page shows."""
    for signature in Signature.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("-pk"):
        if any(entry["form"] == code for entry in signature.forms):
            return signature
    return None


def known_form(code):
    """The form of a code in an address; Http404 for none."""
    form = Form.of(code, visit_labels())
    if form is None:
        raise Http404
    return form
