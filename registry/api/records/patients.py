"""Patients: the list, enrolment, one patient with the three forms; direct identifiers apart from everything else."""

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.shared import lists, request_body
from registry.api.shared.addresses import location_of
from registry.api.shared.etags import check_match, hashed, shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import (
    MISSING_SCHEMA,
    UPDATED_SINCE,
    Declared,
    code_filter,
    filters_of,
    item_schema,
    names_shown,
    own_shown,
    represent,
    represent_record,
    serializer,
    shown_fields,
    text_filter,
    whole,
)
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.instruments import catalogue, levels
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import Identity, Patient, State
from registry.models.records.clinical import PATIENT_EXTRAS, PATIENT_ITEMS
from registry.services.entry import patients as service
from registry.services.files.data_use import of_use_to
from registry.services.records import identity
from registry.services.records.cleaning import clean
from registry.services.records.storing import locked_for_update
from registry.tasks import start_patient_outcomes
from sites import audit
from sites.models import Site
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can

DERIVED = tuple(derived for instrument in catalogue.OF_PATIENT for derived in instrument.derived)
GROUPS = {
    "type": ["string", "null"],
    "enum": [*(group.code for group in levels.SEGMENT_GROUPS), None],
    "description": "; ".join(f"{group.code}: {group.label.en}" for group in levels.SEGMENT_GROUPS),
}
STATE_SCHEMA = {"type": "string", "enum": State.values, "readOnly": True}
# What every record tells of itself.
RECORD = {
    "missing": Declared(MISSING_SCHEMA),
    "version": serializers.IntegerField(help_text="Raised by every change; in quotation marks it is the ETag."),
    "updated_at": serializers.DateTimeField(allow_null=True),
}

PatientShown = serializer(
    "Patient",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        **shown_fields(PATIENT_ITEMS + PATIENT_EXTRAS, DERIVED),
        "segment_group": Declared(GROUPS),
        "segment_adjudicated": Declared(GROUPS),
        "age_at_surgery": serializers.IntegerField(allow_null=True, help_text="In completed years."),
        "baseline_state": Declared(STATE_SCHEMA),
        "surgery_state": Declared(STATE_SCHEMA),
        **RECORD,
    },
    "A patient with baseline, index operation and follow-up; direct identifiers are elsewhere.",
)

CONSENTED = {"type": "boolean", "description": "That consent was given and the eligibility criteria were checked."}
ANOTHER_PERSON = {
    "type": "boolean",
    "description": "That whoever a 409 named at the site is known to be another person.",
}
HOSPITAL_NUMBER = whole("hospital_number", "Number of the patient in the hospital", max_length=40, identifying=True)
INITIALS = whole("initials", "Initials", max_length=10, identifying=True)
BIRTH_DATE = catalogue.item("birth_date")

Enrolment = serializer(
    "Enrolment",
    {
        "site_code": Declared(item_schema(SITE_CODE, nullable=False)),
        **request_body.sent_fields(
            catalogue.ENROLMENT.items, more=(HOSPITAL_NUMBER, INITIALS), forms=False, reason=False
        ),
        "consented": Declared(CONSENTED),
        "another_person": Declared(ANOTHER_PERSON),
    },
)
FORM_SENT = {
    form: serializer(
        "".join(part.capitalize() for part in form.split("_")) + "Change",
        # Own items are added to the published schema (registry/api/schema/openapi.py): they are not known yet.
        request_body.sent_fields(catalogue.items(PATIENT_FORMS[form].instruments + catalogue.EXTRAS.get(form, ()))),
        "Only what changes need be sent. A value sent ends the reason for its being missing.",
    )
    for form in PATIENT_FORMS
}
IDENTIFIERS = (BIRTH_DATE, HOSPITAL_NUMBER, INITIALS)
IdentifiersShown = serializer(
    "Identifiers", {identifier.name: Declared(item_schema(identifier)) for identifier in IDENTIFIERS}
)
IdentifiersChange = serializer("IdentifiersChange", request_body.sent_fields(IDENTIFIERS, forms=False))

FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    *filters_of(PATIENT_ITEMS),
    code_filter(
        "segment_group",
        "segment_group",
        [group.code for group in levels.SEGMENT_GROUPS],
        "Segment by the usual rule.",
    ),
    code_filter("baseline_state", "baseline_state", State.values, "State of the baseline form."),
    code_filter("surgery_state", "surgery_state", State.values, "State of the surgery form."),
    UPDATED_SINCE,
)
ORDERS = ("patient_id", "updated_at", "consent_date", "surgery_date")


def _shown(patient):
    return represent_record(PatientShown, patient) | own_shown(patient, *PATIENT_FORMS)


class Patients(Resource):
    tag = "Patients"
    needs = {"GET": Can.READ, "POST": Can.ENTER}

    @extend_schema(
        parameters=lists.parameters(FILTERS, ORDERS, sparse=True), responses=lists.page_serializer(PatientShown)
    )
    def get(self, request):
        """The patients of the sites that one may read."""
        rows = of_use_to(self.access, Patient.objects.visible_to(self.access), "").select_related("site")
        names = names_shown(PatientShown, *PATIENT_FORMS)
        return lists.page(request, rows, show=_shown, filters=FILTERS, orders=ORDERS, names=names)

    @extend_schema(request=Enrolment, responses={201: PatientShown})
    @repeatable
    def post(self, request):
        """Enrol a patient, who gets the site's next number; 409 names who may be the same person."""
        body = dict(request.data)
        consented, another_person = body.pop("consented", False), body.pop("another_person", False)
        more = (SITE_CODE, HOSPITAL_NUMBER, INITIALS)
        sent = request_body.read(request, catalogue.ENROLMENT.items, body=body, more=more, forms=False)
        if not isinstance(consented, bool):
            sent.errors["consented"] = [_("must be true or false")]
        if not isinstance(another_person, bool):
            sent.errors["another_person"] = [_("must be true or false")]
        sites = Site.objects.filter(pk__in=self.access.sites_for(Can.ENTER))
        site = sites.filter(code=sent.more["site_code"] or "").first()
        if site is None:
            sent.errors.setdefault("site_code", [_("must be a site where you enter data")])

        def save(raw, missing, today, **_more):
            if site is None:
                # Nothing can be stored, but the other faults are told as well.
                clean(catalogue.ENROLMENT.items, raw, missing, complete=True, today=today)
                return None
            return service.enrol(
                access=self.access,
                site=site,
                raw=raw,
                missing=missing,
                consented=consented is True,
                hospital_number=sent.more["hospital_number"] or "",
                initials=sent.more["initials"] or "",
                today=today,
                other_than=None if another_person is True else (),
            )

        try:
            patient = request_body.store(sent, save)
        except service.AlreadyEnrolled as error:
            raise Problem(
                409,
                _("Already enrolled? Send another_person: true if this is somebody else."),
                errors={"another_person": [known.patient_id for known in error.known]},
            ) from error
        location = location_of(request, "patient", patient.pk)
        return shown(request, _shown(patient), patient.version, status=201, headers={"Location": location})


class OnePatient(Resource):
    tag = "Patients"
    versioned = True
    needs = {"GET": Can.READ}

    @extend_schema(responses=PatientShown)
    def get(self, request, patient_id):
        """One patient."""
        patient = self.patient(patient_id)
        return shown(request, _shown(patient), patient.version)


class Form(Resource):
    """Changes one form of a patient."""

    tag = "Patients"
    needs = {"PATCH": Can.ENTER}
    form = ""

    def change(self, request, patient_id):
        patient = self.patient(patient_id)
        self.access.require(Can.ENTER, patient.site_id)
        check_match(request, patient.version)
        items = service.items_of(self.form)
        sent = request_body.read(request, items)
        if sent.complete:
            # A complete form is checked as a whole.
            known = identity.read(patient) or {}
            values = {
                item.name: known.get(item.name) if item.identifying else getattr(patient, item.name) for item in items
            }
            own = {item.name for item in items}
            request_body.merged(sent, values, {name: why for name, why in patient.missing.items() if name in own})

        def save(**answers):
            return service.save_form(
                access=self.access, patient=patient, form=self.form, version=patient.version, **answers
            )

        stored = request_body.store(sent, save)
        start_patient_outcomes(patient.pk)
        return shown(request, _shown(stored), stored.version)


class Baseline(Form):
    form = "baseline"

    @extend_schema(request=FORM_SENT["baseline"], responses=PatientShown)
    def patch(self, request, patient_id):
        """Enter or correct the baseline: enrolment, disease, Tokuhashi and SINS."""
        return self.change(request, patient_id)


class Surgery(Form):
    form = "surgery"

    @extend_schema(request=FORM_SENT["surgery"], responses=PatientShown)
    def patch(self, request, patient_id):
        """Enter or correct the index operation."""
        return self.change(request, patient_id)


class FollowUp(Form):
    form = "follow_up"

    @extend_schema(request=FORM_SENT["follow_up"], responses=PatientShown)
    def patch(self, request, patient_id):
        """Enter or correct the last contact and the vital status."""
        return self.change(request, patient_id)


class Identifiers(Resource):
    """Birth date, hospital number and initials: for the site's own people; every reading is on record."""

    tag = "Patients"
    versioned = True
    needs = {"GET": Can.IDENTIFY, "PATCH": Can.ENTER}
    scopes = {"GET": TokenScope.IDENTIFY, "PATCH": TokenScope.WRITE}

    def of(self, patient_id):
        patient = self.patient(patient_id)
        if not self.access.may(Can.IDENTIFY, patient.site_id):
            raise Http404
        return patient

    @extend_schema(responses=IdentifiersShown)
    def get(self, request, patient_id):
        """The direct identifiers of a patient of one's own site."""
        patient = self.of(patient_id)
        audit.record("identifiers_viewed", site_id=patient.site_id, table="registry_identity", row_id=patient.pk)
        return shown(request, self._shown(patient), _version(patient))

    @extend_schema(request=IdentifiersChange, responses={204: None})
    def patch(self, request, patient_id):
        """Correct direct identifiers. The answer does not repeat them."""
        patient = self.of(patient_id)
        self.access.require(Can.ENTER, patient.site_id)
        locked_for_update(Patient, patient.pk, None)
        check_match(request, _version(patient))
        sent = request_body.read(request, (BIRTH_DATE,), more=(HOSPITAL_NUMBER, INITIALS), forms=False)
        given = {name: value or "" for name, value in sent.more.items() if name in request.data}

        def save(raw, missing, complete, reason, today):
            if raw:
                service.save_form(
                    access=self.access, patient=patient, form="baseline", raw=raw, reason=reason, today=today
                )
            identity.write(patient, **given)
            return patient

        request_body.store(sent, save)
        return shown(request, None, _version(patient), status=204)

    def _shown(self, patient):
        known = identity.read(patient) or {}
        return represent(IdentifiersShown, {identifier.name: known.get(identifier.name) for identifier in IDENTIFIERS})


def _version(patient):
    row = Identity.objects.filter(patient_id=patient.pk).first()
    return hashed(*(getattr(row, name, None) for name in identity.FIELDS))
