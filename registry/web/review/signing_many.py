"""Reading and signing several patients on one page, with one password and a signature for each."""

from dataclasses import dataclass, field

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.models import Patient
from registry.services.operations import site_counts
from registry.services.review import signing, to_sign
from registry.services.review.forms import forms_of
from registry.services.review.signing_many import Asked, sign_each
from registry.web.reading import sheet
from registry.web.review.signing import AT_ONCE, acknowledged_in, queries_of, reauthenticated, refusals
from registry.web.shared import identified, seen_words, wording
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import visit_labels
from sites import audit
from sites.tenancy.access import Can

UNASKED = 4  # patients on the page where nobody is ticked: some ten kB each


@dataclass
class Line:
    """A patient to read: the sheet, what stands against signing, and what changed since the page was opened."""

    patient: Patient
    ready: signing.Ready
    facts: list
    sheet: sheet.Sheet
    queries: list
    seen: str
    chosen: bool = False
    errors: list = field(default_factory=list)
    differences: list = field(default_factory=list)


@require_http_methods(["GET", "POST"])
def sign_many(request):
    """At most ten patients to read, those that are named or the first four that can be signed; POST signs who is
    ticked.
    """
    sites = request.access.sites_for(Can.SIGN)
    if not sites:
        raise Http404
    if request.method != "POST":
        patients = _patients(request.access, request.GET.getlist("patient"), sites)
        return _page(request, _lines(patients))
    lines = _lines(_patients(request.access, request.POST.getlist("patient"), sites))
    wanted, acknowledged = set(request.POST.getlist("sign")), acknowledged_in(request.POST)
    chosen = [line for line in lines if line.patient.pk in wanted]
    for line in chosen:
        line.chosen = True
        line.errors = [text for _field, text in refusals(line.ready, acknowledged, confirmed=True)]
    errors = _errors(request, chosen)
    if errors or any(line.errors for line in chosen):
        return _page(request, lines, errors=errors, acknowledged=acknowledged, status=422)
    notes = dict(zip(request.POST.getlist("patient"), request.POST.getlist("seen"), strict=False))
    outcomes = sign_each(
        access=request.access,
        asked=[Asked(line.patient, notes.get(line.patient.pk, "")) for line in chosen],
        acknowledged=acknowledged,
        language=get_language(),
    )
    return _told(request, outcomes)


def _patients(access, ids, sites):
    """The patients of some numbers at these sites, in that order; the first that can be signed where none is named."""
    ids = ids[:AT_ONCE] or _first(sites)
    patients = Patient.objects.visible_to(access).filter(site_id__in=sites, pk__in=ids).select_related("site")
    return sorted(patients, key=lambda patient: ids.index(patient.pk))


def _first(sites):
    """Numbers of the first that can be signed."""
    if site_counts.is_large():
        first = to_sign.first_signable(sites, limit=UNASKED)
        if len(first) == UNASKED:
            return first
    return [line.patient_id for line in to_sign.unsigned(sites, limit=UNASKED).lines if line.can_be_signed]


def _lines(patients):
    labels, ready = visit_labels(), signing.ready_of_each(patients)
    asked = {patient.pk: queries_of(ready[patient.pk], labels) for patient in patients}
    sheets = sheet.of_each([(patient, ready[patient.pk].forms, asked[patient.pk]) for patient in patients], labels)
    return [
        Line(
            patient,
            ready[patient.pk],
            facts(patient),
            read,
            asked[patient.pk],
            signing.note(patient, ready[patient.pk]),
        )
        for patient, read in zip(patients, sheets, strict=True)
    ]


def _errors(request, chosen):
    errors = []
    if not chosen:
        errors.append(("patients", _("Tick the patients to sign.")))
    if "confirm" not in request.POST:
        errors.append(("confirm", _("Confirm the statement.")))
    if not errors and not any(line.errors for line in chosen):
        errors = [("password", text) for text in reauthenticated(request, request.POST.get("password", ""))]
        for line in chosen if errors else ():
            audit.record(
                "signing_refused", site_id=line.patient.site_id, table="registry_patient", row_id=line.patient.pk
            )
    return errors


def _told(request, outcomes):
    """Back to the list where all were signed; otherwise the page once more with those that were not, and why."""
    signed = sum(outcome.signature is not None for outcome in outcomes)
    if signed:
        message = ngettext("%(n)s patient was signed.", "%(n)s patients were signed, each by itself.", signed)
        messages.success(request, message % {"n": signed})
    left = [outcome for outcome in outcomes if outcome.signature is None]
    if not left:
        return redirect("to_sign")
    anew = Patient.objects.select_related("site").in_bulk([outcome.patient.pk for outcome in left])
    lines = _lines([anew[outcome.patient.pk] for outcome in left])
    for line, outcome in zip(lines, left, strict=True):
        line.errors = [_("Something changed in the meantime. Look at the forms again.")]
        if outcome.unseen:
            line.differences = seen_words.lines_of(outcome.unseen.differences, forms_of(line.patient))
    return _page(request, lines, status=409)


def _page(request, lines, *, errors=(), acknowledged=(), status=200):
    return render(
        request,
        "review/sign_many.html",
        {
            "lines": lines,
            "errors": dict(errors),
            "summary": errors,
            "acknowledged": acknowledged,
            "meaning": wording.words(signing.MEANING),
            "identified": identified.beside(request, [line.patient.pk for line in lines]),
        },
        status=status,
    )
