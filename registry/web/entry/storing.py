"""The storing of a form: tried once, asked about where somebody else was first, and led on from."""

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from registry.models import OwnRecord, State
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.services.review.queries import Unlikely
from registry.services.review.soft_checks import form_of_record
from registry.services.row_addresses import address_of
from registry.tasks import start_patient_outcomes
from registry.web.entry import conflicts, drafts, page
from registry.web.entry.sheet import Sent
from registry.web.review import on_form


def store(request, sheet):
    sent = Sent.of(request, sheet)
    try:
        return _try(request, sheet, sent)
    except Unlikely as unlikely_answers:
        return page.again(request, sheet, sent, asked=(unlikely_answers.findings, sent.said), status=422)


def _try(request, sheet, sent):
    """Store what was sent; where somebody else stored the form first, only what nobody needs to be asked about.

    `sent` takes up what was chosen between two answers, and the version that it then is a change of.
    """
    began, errors, saved = sent.version, {}, None
    row = sheet.reload() if "seen" in request.POST else None  # the answer to a page that showed both
    if row is None:
        errors, row, saved = attempt(sheet, sent)
    while row is not None:
        conflict = conflicts.between(sheet, row, sent.raw, sent.missing, began, request.POST, request.user.pk)
        if conflict.open:
            return page.again(request, sheet, sent, conflict=conflict, version=began, status=409)
        unfinished = sent.complete and getattr(row, sheet.state_column or "", "") == State.DRAFT
        if not conflict.differs and not unfinished:
            break
        sent.raw, sent.missing, sent.version = conflict.raw, conflict.missing, row.version
        errors, row, saved = attempt(sheet, sent)
    if errors:
        version = sent.version if sheet.reload() else None
        return page.again(request, sheet, sent, errors=errors, version=version, status=422)
    return _stored(request, sheet, saved or sheet.reload(), sent.complete)


# As when an import that brought the form was taken back.
GONE = gettext_noop("This form was removed after you opened it. To store your answers as a new form, save once more.")


def attempt(sheet, sent, again=True):
    """Save once: the errors by item name, the record as it is if someone else stored it first, and what was saved.

    A service refuses before it writes, or undoes what it wrote, so a refusal leaves the request's transaction usable.
    """
    try:
        return {}, None, sent.save(sheet)
    except InvalidAnswers as error:
        lacks_reason = sheet.shown().needs_reason and not sent.reason
        return error.errors | (_reason_wanted() if lacks_reason else {}), None, None
    except ReasonRequired:
        return _reason_wanted(), None, None
    except Locked:
        return {"": [_("This form is signed. It must be unlocked before it can change.")]}, None, None
    except Conflict as error:
        return ({}, error.current, None) if error.current else ({"": [_(GONE)]}, None, None)
    except IntegrityError:
        # Two began the same form in the same instant; the database took the first.
        row = sheet.reload()
        if row is None and again:
            return attempt(sheet, sent, again=False)  # an event: the service finds the other one by now
        if row is None or row.version == sent.version:
            raise
        return {}, row, None


def _reason_wanted():
    return {"reason": [_("This form is complete. Say why it is corrected.")]}


def _stored(request, sheet, row, complete):
    left = (drafts.is_marked(request) or getattr(row, "may_leave_draft", True)) and drafts.forget(request, sheet)
    start_patient_outcomes(sheet.patient.pk)
    form = form_of_record(row) if isinstance(row, OwnRecord) else sheet.form
    may_leave_queries = form and getattr(row, "may_leave_queries", True)
    if may_leave_queries and (note := on_form.saved_note(sheet.patient, form)):
        messages.warning(request, note)
    message = _("%(form)s saved.") % {"form": sheet.title} if complete else _("Saved %(time)s.") % {"time": _time()}
    messages.success(request, message)
    if left:
        messages.info(request, _("What you typed in another window is kept as your draft of this form."))
    if complete:
        return HttpResponseRedirect(address_of("patient", sheet.patient.pk))
    return HttpResponseRedirect(sheet.address_of(row) if sheet.address_of else sheet.url)


def _time():
    return timezone.localtime().strftime("%H:%M")
