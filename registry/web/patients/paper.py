"""Paper: blank forms to be filled in by hand, and the casebook of what is stored of a patient, as PDF.

A page asks what is wanted, and its form gives the file; that something was printed is on record, with whether hospital
number and initials stand on it.
"""

from django import forms as django_forms
from django.conf import settings
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.exports.paper import casebook, words
from registry.exports.paper.questions import Answers
from registry.instruments import catalogue
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import QueryForm
from registry.services import current_protocol
from registry.services.follow_up import schedule
from registry.services.protocol import setup, wording
from registry.services.records import extras, identity
from registry.services.review.forms import form_row, forms_of
from registry.services.review.soft_checks import NEW, Form
from registry.web.shared.lookup import patient_of
from registry.web.shared.patient_head import facts
from registry.web.shared.record_words import form_label, form_url, visit_labels
from registry.web.shared.transfers import pdf_file
from sites import audit
from sites.languages import own_names
from sites.tenancy.access import Can

ALL = "all"
BLANK, FILLED = "blank", "filled"
KINDS = ((BLANK, gettext_lazy("Blank, to be filled in by hand")), (FILLED, gettext_lazy("With the stored answers")))
NEW_EVENT = "event-new"


class PaperForm(django_forms.Form):
    """What is to be printed."""

    form = django_forms.ChoiceField(label=gettext_lazy("Form"))
    kind = django_forms.ChoiceField(label=gettext_lazy("What stands on it"), choices=KINDS, initial=BLANK)
    language = django_forms.ChoiceField(label=gettext_lazy("Language"))
    identified = django_forms.BooleanField(
        label=gettext_lazy("Print hospital number and initials (on record)"), required=False
    )

    def __init__(self, *arguments, choices, patient, may_identify, **more):
        super().__init__(*arguments, **more)
        self.fields["form"].choices = choices
        self.fields["language"].choices = own_names()
        self.fields["language"].initial = get_language()
        if patient is None:
            del self.fields["kind"]
        if patient is None or not may_identify:
            del self.fields["identified"]
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "form-check-input" if name == "identified" else "form-select"

    @property
    def is_blank(self):
        return self.cleaned_data.get("kind", BLANK) == BLANK


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def patient_paper(request, patient_id):
    """Forms of a patient on paper: one of them or all, blank or with what is stored."""
    patient = patient_of(request, patient_id)
    choices = [(ALL, _("All forms")), *_forms(patient)]
    form = _form(request, choices, patient)
    if request.method == "POST" and form.is_valid():
        return _printed(request, form, patient)
    context = {"form": form, "patient": patient, "facts": facts(patient), "lacking": _lacking()}
    return render(request, "patients/paper.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def blank_paper(request):
    """Blank forms without a patient's number, to be kept in a drawer."""
    request.access.require(Can.READ)
    form = _form(request, [(ALL, _("All forms")), *_forms(None)], None)
    if request.method == "POST" and form.is_valid():
        return _printed(request, form, None)
    context = {"form": form, "lacking": _lacking()}
    return render(request, "patients/paper.html", context, status=422 if form.errors else 200)


def _form(request, choices, patient):
    may_identify = patient is not None and request.access.may(Can.IDENTIFY, patient.site_id)
    sent = request.POST if request.method == "POST" else None
    initial = {"form": request.GET.get("form", ALL), "kind": request.GET.get("kind", BLANK)}
    return PaperForm(sent, initial=initial, choices=choices, patient=patient, may_identify=may_identify)


def _lacking():
    """(language, names of the questionnaires whose wording is not loaded in it)."""
    asked = catalogue.current().of_assessment
    return [
        (name, ", ".join(questionnaire.title.in_language(get_language()) for questionnaire in lacking))
        for code, name in own_names()
        if (lacking := wording.lacking(asked, code))
    ]


def _codes(patient):
    """Codes of the forms that there are: of the patient and visits by the schedule, events, and repeating forms."""
    current = catalogue.current()
    if patient is None:
        visits, records = list(schedule.labels()), []
    else:
        visits = [visit.code for visit in schedule.plans().of(patient, timezone.localdate())]
        stored = [row.form for row in forms_of(patient)]
        visits += [form.timepoint for form in stored if form.timepoint and form.timepoint not in visits]
        records = [form.code for form in stored if form.event or form.record]
    repeats = [f"{repeat.code}.{NEW}" for repeat in current.repeats if current.asks(repeat.code)]
    return [*PATIENT_FORMS, *visits, *records, NEW_EVENT, *repeats]


def _forms(patient):
    labels = visit_labels()
    return [(code, _title(code, labels)) for code in _codes(patient)]


def _title(code, labels):
    if code == NEW_EVENT:
        return str(QueryForm.ADVERSE_EVENT.label)
    form = Form.of(code, labels)
    return form_label(form, labels) if form else labels.get(code, code)


def _printed(request, form, patient):
    """The file, with the act on record."""
    asked = form.cleaned_data
    codes = _codes(patient) if asked["form"] == ALL else [asked["form"]]
    identified = bool(asked.get("identified"))
    if not form.is_blank:
        begun = {row.form.code for row in forms_of(patient)} | set(PATIENT_FORMS)
        codes = [code for code in codes if code in begun] if asked["form"] == ALL else codes
    with override(asked["language"]):
        document = _document(request, patient, codes, form, identified)
        content = casebook.as_pdf(document)
    if patient is not None:
        detail = {"forms": len(codes), "kind": asked["kind"], "identified": identified}
        audit.record(
            "paper_printed", site_id=patient.site_id, table="registry_patient", row_id=patient.pk, detail=detail
        )
    return pdf_file(f"{patient.pk if patient else 'blank'}-{asked['form']}-{asked.get('kind', BLANK)}.pdf", content)


def _document(request, patient, codes, form, identified):
    language, today = form.cleaned_data["language"], timezone.localdate().isoformat()
    note = words.BLANK if form.is_blank else words.FILLED
    needed = wording.needed()
    of_visits = wording.loaded(language)
    return casebook.Document(
        study=_study(language),
        title=f"{patient.pk if patient else _('Blank forms')}",
        note=note.in_language(language).format(day=today, n=current_protocol.version()),
        language=language,
        patient=_patient(patient, language, identified),
        sheets=[_sheet(request, patient, code, form.is_blank) for code in codes],
        wording=of_visits,
        needed=needed,
    )


def _study(language):
    about = setup.document().get("study") or {}
    name = about.get("name") or {}
    mark = f"{_('Demonstration data: synthetic patients')} · " if settings.SYNTHETIC else ""
    return mark + (about.get("short_name") or name.get(language) or name.get("en") or "Metaspine")


def _patient(patient, language, identified):
    if patient is None:
        return [(words.PATIENT.in_language(language), ""), (words.SITE.in_language(language), "")]
    lines = [
        (words.PATIENT.in_language(language), patient.pk),
        (words.SITE.in_language(language), patient.site.code),
    ]
    if identified:
        known = identity.read(patient) or {}
        lines += [
            (words.HOSPITAL_NUMBER.in_language(language), known.get("hospital_number") or "–"),
            (words.INITIALS.in_language(language), known.get("initials") or "–"),
        ]
    return lines


def _sheet(request, patient, code, is_blank):
    labels = visit_labels()
    form = _form_of(code, labels)
    stored = None if is_blank or patient is None else form_row(patient, form)
    instruments, leading = _asked(form, code)
    may_identify = patient is not None and request.access.may(Can.IDENTIFY, patient.site_id)
    hidden = {item.name for item in catalogue.items(instruments) if item.identifying}
    if is_blank or may_identify:
        hidden -= {"detail"}  # free text of an event, which may name somebody
    return casebook.Sheet(
        title=_title(code, labels),
        instruments=instruments,
        leading=leading,
        without=frozenset(hidden),
        answers=Answers() if is_blank else _answers(stored),
        state="" if is_blank else _state(stored),
        address=_address(request, patient, form, code),
    )


def _form_of(code, labels):
    if code == NEW_EVENT:
        return Form("adverse_event")
    return Form.of(code, labels) or Form("assessment", timepoint=code)


def _asked(form, code):
    """(instruments, leading items) of a form."""
    if form.kind in PATIENT_FORMS:
        return extras.core_of(PATIENT_FORMS[form.kind].instruments) + extras.shown(form.kind), ()
    if form.kind == QueryForm.ADVERSE_EVENT:
        return catalogue.ADVERSE_EVENTS, ()
    if form.own:
        return tuple(repeat for repeat in catalogue.current().repeats if repeat.code == form.own), ()
    return extras.core("assessment", code) + extras.shown("assessment", code), (ASSESSMENT_DATE,)


def _answers(stored):
    if stored is None:
        return Answers(is_blank=False)
    row = stored.row
    known = vars(getattr(row, "patient", row)) | vars(row)  # conditions and calculations name the patient's answers
    values = {item.name: known[item.name] for item in catalogue.current().all_items if item.name in known}
    return Answers(values, dict(row.missing), is_blank=False)


def _state(stored):
    if stored is None or not stored.is_begun:
        return "empty"
    return stored.state or ""


def _address(request, patient, form, code):
    if patient is None:
        return ""
    path = reverse("adverse_event_new", args=[patient.pk]) if code == NEW_EVENT else form_url(patient.pk, form)
    return request.build_absolute_uri(path)
