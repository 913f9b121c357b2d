"""Patient links: the site's pages that make, show and settle them, and the pages on which a patient answers.

The patient's pages open one row by the hash of the address's token, under a scope that holds nothing else, and work
without JavaScript, without an account and without naming anybody.
"""

from dataclasses import dataclass

import segno
from django import forms as django_forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.instruments.base import InvalidValue
from registry.instruments.extra.respondent import RESPONDENTS, SELF
from registry.models import Assessment, PatientLink
from registry.services import seen
from registry.services.entry import patient_links
from registry.services.entry.patient_links import (
    DECLINED,
    AlreadySettled,
    ContactWithdrawn,
    FollowUpEnded,
    NothingToAsk,
    NotUsable,
)
from registry.services.follow_up import schedule
from registry.services.protocol import wording as licensed
from registry.services.records.drafts import draft_of
from registry.services.records.storing import Locked
from registry.services.seen import Unseen
from registry.web.entry import drafts
from registry.web.shared import questions, seen_words, wording
from registry.web.shared.lookup import names_of, patient_of, visit_label
from sites import attempts
from sites.languages import own_names
from sites.tenancy.access import Can
from sites.tenancy.scope import entered

LINK = "patient_link"  # in the session, for the next page alone
SHOWN = 20  # links of one form that are listed
VALID = {
    "1h": gettext_lazy("1 hour"),
    "1d": gettext_lazy("1 day"),
    "3d": gettext_lazy("3 days"),
    "7d": gettext_lazy("7 days"),
}
STATES = {
    "open": gettext_lazy("open"),
    "expired": gettext_lazy("expired"),
    "revoked": gettext_lazy("revoked"),
    "arrived": gettext_lazy("answers arrived"),
    "accepted": gettext_lazy("taken over"),
    "refused": gettext_lazy("not used"),
}


# The site


class LinkForm(django_forms.Form):
    language = django_forms.ChoiceField(label=gettext_lazy("Language of the questions"))
    respondent = django_forms.ChoiceField(label=gettext_lazy("Who answers"), initial=SELF)
    valid = django_forms.ChoiceField(label=gettext_lazy("The link works for"), choices=VALID.items(), initial="3d")

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.fields["language"].choices = own_names()
        self.fields["language"].initial = get_language()
        self.fields["respondent"].choices = [
            (respondent.code, wording.words(respondent.label)) for respondent in RESPONDENTS
        ]
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def link_list(request, patient_id, timepoint):
    """The links of one assessment: make one, see what became of them. Made to hand over, it opens here at once."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.ENTER, patient.site_id):
        raise Http404
    label = visit_label(patient, timepoint, schedule.plans().of(patient, timezone.localdate()))
    form = LinkForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data | {"patient": patient, "timepoint": timepoint}
        try:
            _link, token = patient_links.create(access=request.access, **asked)
        except ContactWithdrawn:
            messages.error(request, _("This patient wants no further contact: no link is made."))
            return redirect("patient_links", patient.pk, timepoint)
        except NothingToAsk:
            messages.error(
                request, _("Nothing can be asked by a link in this language: its licensed wording is not loaded.")
            )
            return redirect("patient_links", patient.pk, timepoint)
        except FollowUpEnded:
            messages.error(request, _("Follow-up of this patient has ended: nobody is asked any more."))
            return redirect("patient_links", patient.pk, timepoint)
        except Locked:
            messages.error(request, _("This form is signed. It must be unlocked before it can change."))
            return redirect("patient_links", patient.pk, timepoint)
        if "hand_over" in request.POST:
            # The patient must not hold the coordinator's session.
            logout(request)
            answer_here = redirect("patient_link", token)
            # Nor what *Back* would bring up: the pages that the coordinator had open before.
            answer_here["Clear-Site-Data"] = '"cache"'
            return answer_here
        request.session[LINK] = request.build_absolute_uri(reverse("patient_link", args=[token]))
        return redirect("patient_links", patient.pk, timepoint)
    links = list(PatientLink.objects.filter(patient=patient, site_id=patient.site_id, timepoint=timepoint)[:SHOWN])
    names = names_of({link.created_by_id for link in links})
    address = request.session.pop(LINK, None)
    context = {
        "patient": patient,
        "label": label,
        "timepoint": timepoint,
        "form": form,
        "lines": [(link, STATES[link.state], names.get(link.created_by_id, "–")) for link in links],
        "address": address,
        "not_asked": _not_asked(timepoint),
        "qr": address and segno.make(address, error="m").svg_data_uri(scale=6),
    }
    return _private(render(request, "links/list.html", context, status=422 if form.errors else 200))


def _not_asked(timepoint):
    """(language in its own words, what is not asked by a link in it) of languages that lack licensed wording."""
    return [
        (name, wording.listed(wording.words(questionnaire.title) for questionnaire in lacking))
        for code, name in own_names()
        if (lacking := licensed.lacking(patient_links.askable(timepoint), code))
    ]


def _link_of(request, link_id):
    """A link at a site where the person enters data; for everybody else there is none."""
    rows = PatientLink.objects.select_related("patient", "patient__site")
    return get_object_or_404(rows, pk=link_id, site_id__in=request.access.sites_for(Can.ENTER))


@require_POST
def link_revoke(request, link_id):
    link = _link_of(request, link_id)
    patient_links.revoke(access=request.access, link=link)
    messages.success(request, _("The link no longer works."))
    return redirect("patient_links", link.patient_id, link.timepoint)


@dataclass(frozen=True)
class Line:
    """One question of a review: what came, what the form has, whether the two differ."""

    item: object
    came: str
    stored: str
    differs: bool


@require_http_methods(["GET", "HEAD", "POST"])
def link_review(request, link_id):
    """The answers that arrived, beside what is stored; to be taken over into the form, or not used."""
    link = _link_of(request, link_id)
    if link.submitted_at is None:
        raise Http404
    error, status, differences, unseen = "", 200, (), None
    if request.method == "POST":
        try:
            error, status, done = _settled(request, link)
        except Unseen as exception:
            unseen, status, done = exception, 409, None
            differences = seen_words.lines_of(exception.differences)
        if done:
            return done
    row = Assessment.objects.filter(patient_id=link.patient_id, timepoint_id=link.timepoint).first()
    context = {
        "link": link,
        "patient": link.patient,
        "label": schedule.labels()[link.timepoint],
        "respondent": next(respondent.label for respondent in RESPONDENTS if respondent.code == link.respondent),
        "version": "" if row is None else row.version,
        "lines": _lines(request, link, row),
        "state": STATES[link.state],
        "settled_by": names_of([link.settled_by_id]).get(link.settled_by_id, "–"),
        "form_url": reverse("assessment", args=[link.patient_id, link.timepoint]),
        "seen": seen.note("accept", link.pk, _shown(request, link, row)),
        "unseen": unseen,
        "differences": differences,
        "error": error,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "links/review.html", context, status=status)


def _settled(request, link):
    """(what is wrong, status, where to go if nothing is). Raises Unseen where the form has other answers by now."""
    if "refuse" in request.POST:
        reason = request.POST.get("reason", "").strip()[:300]
        if not reason:
            return _("Say why the answers are not used."), 422, None
    elif link.state == "arrived":
        row = Assessment.objects.select_for_update().filter(patient_id=link.patient_id, timepoint_id=link.timepoint)
        seen.check(request.POST.get("seen", ""), "accept", link.pk, _shown(request, link, row.first()))
    version = questions.version_in(request.POST)
    names = [
        item.name for item in patient_links.answered_items(link) if request.POST.get(f"keep-{item.name}") == "stored"
    ]
    try:
        if "refuse" in request.POST:
            patient_links.refuse(access=request.access, link=link, reason=reason)
            messages.success(request, _("The answers are not used."))
            return "", 200, redirect("patient_links", link.patient_id, link.timepoint)
        patient_links.accept(access=request.access, link=link, version=version, names_left=names)
    except AlreadySettled:
        link.refresh_from_db()
        return _("Somebody has decided about these answers already."), 409, None
    except Locked:
        return _("This form is signed. It must be unlocked before it can change."), 409, None
    messages.success(request, _("The answers are in the form now. Look at them, complete the form and save it."))
    return "", 200, redirect("assessment", link.patient_id, link.timepoint)


def _lines(request, link, row):
    """The lines of a review."""
    values, missing = _in_the_form(request, link, row)
    return [
        _line(item, link.answers[item.name], values.get(item.name), missing.get(item.name))
        for item in patient_links.answered_items(link)
    ]


def _shown(request, link, row):
    """What a review shows of the form, for its note."""
    values, missing = _in_the_form(request, link, row)
    return {
        "form": {
            item.name: {seen.MISSING: missing[item.name]} if missing.get(item.name) else values.get(item.name) or None
            for item in patient_links.answered_items(link)
        }
    }


def _in_the_form(request, link, row):
    """(values as typed, reasons) that the person would find in the form now, the own draft included."""
    items = patient_links.answered_items(link)
    values = {item.name: questions.typed(getattr(row, item.name)) for item in items} if row else {}
    missing = row.missing if row else {}
    draft = draft_of(request.access, link.patient, link.timepoint)
    if draft and not draft.discarded_at:
        values, missing = drafts.laid_over(draft, values, missing, patient_links.askable(link.timepoint))
    return values, missing


def _line(item, given, value, reason):
    declined = given == DECLINED
    came = wording.reason(DECLINED) if declined else wording.shown(item, patient_links.value_of(item, given))
    stored = wording.answer(item, value, reason)
    return Line(item, came, stored, differs=bool(reason or value) and stored != came)


# The patient


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request, token, step=0):
    """One question a screen: 0 says what this is, then the questions, then what was answered, to be sent."""
    try:
        attempts.take("patient_link", request, person=patient_links.hashed(token))
    except attempts.TooMany:
        return _refused(request, "too_often", 429)
    with entered(patient_links.scope_of(token)):
        try:
            link = patient_links.usable(lock=request.method == "POST")
        except NotUsable:
            if request.method == "POST" and (sent := _just_sent(step)):
                return _private(redirect("patient_link_thanks", sent.language))  # the second of two taps on Send
            return _refused(request, "not_usable", 404)
        if request.POST.get("language") in dict(settings.LANGUAGES):
            link.language = request.POST["language"]
            link.save(update_fields=["language"])
        with override(link.language):
            return _private(_answered(request, link, token, step))


def _just_sent(step):
    """The link whose answers were sent a moment ago, if `step` is its last; None otherwise."""
    sent = patient_links.sent()
    return sent if sent and step == len(patient_links.items_of(sent)) + 1 else None


def _refused(request, why, status):
    """A page in every language: without the link nobody knows which one the patient reads."""
    return _private(render(request, f"links/{why}.html", {"languages": own_names()}, status=status))


def _answered(request, link, token, step):
    """Store what was sent, if anything was, and go on; or show the screen of this step with what was typed."""
    items = patient_links.items_of(link)
    last = len(items) + 1
    if step > last:
        raise Http404
    error, typed = "", _sent(request.POST, items[step - 1]) if 0 < step < last else ""
    if "language" in request.POST:
        if not typed:
            return _to(token, step)
    elif request.method == "POST" and step == last:
        if not patient_links.unanswered(link):
            patient_links.send(link)
            return redirect("patient_link_thanks", link.language)
        error = _("Some questions are still open.")
    elif request.method == "POST" and step:
        error = _keep(request.POST, link, items[step - 1])
        if not error:
            return _to(token, _next(link, step))
    context = {
        "languages": own_names(),
        "link": link,
        "token": token,
        "step": step,
        "count": len(items),
        "error": error,
    }
    if step == 0:
        context["respondent"] = link.respondent
    elif step == last:
        context["lines"] = [(place, item, _words(link, item)) for place, item in enumerate(items, 1)]
        context["open"] = bool(patient_links.unanswered(link))
    else:
        item = items[step - 1]
        given = link.answers.get(item.name)
        typed = typed or questions.typed(None if given is None else patient_links.value_of(item, given))
        context |= {
            "item": item,
            "given": given,
            "owner": _owner(link, item),
            "declined": given == DECLINED,
            "question": questions.question(item, {item.name: typed}, {}),
            "back": step - 1,
        }
    return render(request, "links/answer.html", context, status=422 if error else 200)


def _next(link, step):
    """Where to go after a question: the next one, or the end where every other one has its answer."""
    items = patient_links.items_of(link)
    open_questions = bool(patient_links.unanswered(link)) or any(item.name not in link.answers for item in items[step:])
    return step + 1 if open_questions else len(items) + 1


def _owner(link, item):
    """(what the licensed wording says before its questions, and of its owner) on the page of an item; empty texts."""
    instrument = next(candidate for candidate in patient_links.instruments_of(link) if item in candidate.items)
    document = licensed.loaded(link.language).get(instrument.code, {})
    return {"intro": document.get("intro", ""), "copyright": document.get("copyright", "")}


def _sent(sent, item):
    return sent.getlist(item.name) if item.kind == "codes" else sent.get(item.name, "")


def _keep(sent, link, item):
    """Store the answer to one question; what is wrong with it, or nothing."""
    if "decline" in sent:
        patient_links.decline(link, item)
        return ""
    given = _sent(sent, item)
    if not (given if isinstance(given, list) else given.strip()):
        return _("Please choose an answer.") if item.required else ""
    try:
        patient_links.answer(link, item, given)
    except InvalidValue as invalid:
        return wording.said(item, invalid.reason)
    return ""


def _words(link, item):
    given = link.answers.get(item.name)
    if given is None:
        return ""
    if given == DECLINED:
        return _("I would rather not say")
    return capfirst(wording.shown(item, patient_links.value_of(item, given)))


def _to(token, step):
    return redirect("patient_link_step", token, step) if step else redirect("patient_link", token)


@never_cache
@login_not_required
@require_safe
def thanks(request, language):
    """The answers are sent. Nothing of them is here: the device may be handed back."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with override(language):
        return _private(render(request, "links/thanks.html"))


def _private(response):
    """The address is a secret: no other site that this page leads to learns it, and no search engine keeps it."""
    # Not `no-referrer`: with it a browser sends `Origin: null` with the page's own form, and the form is refused.
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
