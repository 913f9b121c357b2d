"""A data manager's pages: a patient to another site, two records of one patient into one, and that taken back."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.instruments import catalogue, spelling
from registry.instruments.base import Label
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import Merge, Patient, QueryForm
from registry.models.records.moves import LONGEST_REASON
from registry.services import seen
from registry.services.entry import merging, transfers
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.tasks import start_patient_outcomes
from registry.web.shared import questions, record_words, wording
from registry.web.shared.lookup import patient_of
from registry.web.shared.patient_head import facts
from sites.confirming import confirmed
from sites.models import Site
from sites.tenancy.access import Can

NO_PATIENT = Label("is not the number of a patient who counts", "登録中の患者の番号ではありません")
ITEM = ASSESSMENT_DATE.name


def _patient(request, patient_id):
    """The patient, for who reconciles records; for everybody else there is no such page."""
    patient = patient_of(request, patient_id)
    if not request.access.may(Can.RECONCILE, patient.site_id):
        raise Http404
    return patient


def _texts(errors):
    return {name: [wording.words(reason) for reason in reasons] for name, reasons in errors.items()}


def _summary(errors):
    return [(name, text) for name, texts in errors.items() for text in texts]


CHANGED = "changed"  # instead of errors: somebody else was first


def _try(act, *, reason):
    """Errors by field of an act, or CHANGED; {} where it was done. `reason` is what a missing reason is called."""
    try:
        act()
    except ReasonRequired:
        return {"reason": [reason]}
    except InvalidAnswers as error:
        return _texts(error.errors)
    except Locked:
        return {"": [wording.words(merging.SIGNED)]}
    except (Conflict, seen.Unseen):
        return CHANGED
    return {}


# Transfer


@require_http_methods(["GET", "POST"])
def transfer_patient(request, patient_id):
    """Move a patient to another site."""
    return _asked_to_move(request, _patient(request, patient_id))


@confirmed
def _asked_to_move(request, patient):
    errors = {}
    if request.method == "POST":
        errors = _transfer(request, patient)
        if not errors:
            start_patient_outcomes(patient.pk)
            messages.success(request, _("%(number)s is a patient of another site now.") % {"number": patient.pk})
            return redirect("patient", patient.pk)
    hindrance = transfers.obstacle(patient)
    conflict = errors == CHANGED
    errors = {} if conflict else errors
    context = {
        "patient": patient,
        "facts": facts(patient),
        "sites": Site.objects.filter(pk__in=request.access.sites_for(Can.RECONCILE)).exclude(pk=patient.site_id),
        "site_id": request.POST.get("to", ""),
        "version": patient.version,
        "hindrance": hindrance and wording.words(hindrance),
        "reason": request.POST.get("reason", ""),
        "longest": LONGEST_REASON,
        "conflict": conflict,
        "errors": errors,
        "summary": _summary(errors),
    }
    return render(request, "patients/transfer.html", context, status=409 if conflict else 422 if errors else 200)


def _transfer(request, patient):
    post = request.POST
    version = questions.version_in(post)
    if version is None:
        return CHANGED
    to = next((site for site in Site.objects.all() if str(site.pk) == post.get("to")), None)
    if to is None:
        return {"to": [_("Choose the site.")]}
    return _try(
        lambda: transfers.transfer(
            access=request.access, patient=patient, to=to, version=version, reason=post.get("reason", "")
        ),
        reason=_("Say why the patient moves."),
    )


# Merge


@require_http_methods(["GET", "POST"])
def merge_patients(request, patient_id):
    """Take the record of another number into this one: first the number, then what both have, side by side."""
    return _asked_to_merge(request, _patient(request, patient_id))


@confirmed
def _asked_to_merge(request, remaining):
    sent = request.POST if request.method == "POST" else request.GET
    typed = sent.get("with", "").strip()
    merged, errors = _other(request, remaining, typed)
    comparison = merging.compare(remaining, merged) if merged else None
    if request.method == "POST" and merged:
        errors = _merge(request, remaining, merged, comparison)
        if not errors:
            start_patient_outcomes(remaining.pk)
            done = {"merged": merged.pk, "remaining": remaining.pk}
            messages.success(request, _("%(merged)s is merged into %(remaining)s.") % done)
            return redirect("patient", remaining.pk)
    conflict = errors == CHANGED
    errors = {} if conflict else errors
    context = {
        "patient": remaining,
        "facts": facts(remaining),
        "typed": typed,
        "merged": merged,
        "comparison": comparison,
        "parts": _lines(request.access, comparison, sent, errors) if merged else [],
        "seen": seen.note("merge", f"{remaining.pk} {merged.pk}", comparison.versions) if merged else "",
        "reason": sent.get("reason", ""),
        "longest": LONGEST_REASON,
        "conflict": conflict,
        "errors": errors,
        "summary": _summary(errors),
    }
    return render(request, "patients/merge.html", context, status=409 if conflict else 422 if errors else 200)


def _other(request, remaining, typed):
    """(the Patient of the number that was typed, errors)."""
    if not typed:
        return None, {}
    number = spelling.as_number(typed)
    other = Patient.objects.visible_to(request.access).filter(pk__in=[number, number.upper()]).first()
    if other is None:
        return None, {"with": [wording.words(NO_PATIENT)]}
    return (None, {"with": [wording.words(merging.SAME_RECORD)]}) if other.pk == remaining.pk else (other, {})


def _merge(request, remaining, merged, comparison):
    post = request.POST
    choices = {part.code: post.get(f"choice-{part.code}", "") for part in comparison.parts}

    def check(under_locks):
        seen.check(post.get("seen", ""), "merge", f"{remaining.pk} {merged.pk}", under_locks.versions)

    return _try(
        lambda: merging.merge(
            access=request.access,
            remaining=remaining,
            merged=merged,
            choices=choices,
            reason=post.get("reason", ""),
            check=check,
        ),
        reason=_("Say how it is known that both are one patient."),
    )


def _lines(access, comparison, sent, errors):
    return [_line(access, part, sent.get(f"choice-{part.code}"), errors) for part in comparison.parts]


def _line(access, part, chosen, errors):
    """A part of the comparison as the page shows it."""
    return {
        "part": part,
        "label": _label(part),
        "chosen": chosen,
        "errors": errors.get(part.code, []),
        "rows": [
            (
                record_words.item_label(name) if name != ITEM else wording.words(ASSESSMENT_DATE.label),
                _shown(access, remaining, name),
                _shown(access, merged, name),
            )
            for name, remaining, merged in part.differences
        ],
    }


def _label(part):
    if part.code in PATIENT_FORMS:
        return str(QueryForm(part.code).label)
    if part.code.startswith(merging.EVENT):
        _name, event, _same = part.differences[0]
        return f"{wording.shown(catalogue.item('kind'), event.kind)}, {wording.day(event.onset_date)}"
    return record_words.visit_labels().get(part.code, part.code)


def _shown(access, row, name):
    if name == ITEM:
        return wording.day(getattr(row, name))
    item = catalogue.item(name)
    if item.identifying and not access.may(Can.IDENTIFY, row.site_id):
        return _("for the site alone")
    return wording.stored(item, row)


@require_http_methods(["GET", "POST"])
def take_back_merge(request, merge_id):
    """Undo a merge, for a reason, as long as nothing was entered since."""
    request.access.require(Can.RECONCILE)
    merges = Merge.objects.filter(site_id__in=request.access.sites_for(Can.RECONCILE), taken_back_at=None)
    return _asked_to_take_back(request, get_object_or_404(merges.select_related("merged_by"), pk=merge_id))


@confirmed
def _asked_to_take_back(request, done):
    errors = {}
    if request.method == "POST":
        errors = _try(
            lambda: merging.take_back(access=request.access, done=done, reason=request.POST.get("reason", "")),
            reason=_("Say why they are two patients."),
        )
        if not errors:
            for number in (done.patient_id, done.merged):
                start_patient_outcomes(number)
            messages.success(request, _("The merge is taken back: both count again as before."))
            return redirect("patient", done.merged)
    conflict = errors == CHANGED
    errors = {} if conflict else errors
    context = {
        "merge": done,
        "reason": request.POST.get("reason", ""),
        "longest": LONGEST_REASON,
        "conflict": conflict,
        "errors": errors,
        "summary": _summary(errors),
    }
    return render(request, "patients/take_back_merge.html", context, status=409 if conflict else 422 if errors else 200)
