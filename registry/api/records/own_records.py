"""Records of the study's own repeating forms: as many of a patient as there is something to tell."""

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.records.assessments import patient_named
from registry.api.records.patients import RECORD, STATE_SCHEMA
from registry.api.shared import lists, request_body
from registry.api.shared.addresses import location_of
from registry.api.shared.etags import check_match, shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import (
    UPDATED_SINCE,
    Declared,
    code_filter,
    item_schema,
    own_shown_of,
    represent,
    serializer,
    text_filter,
    whole,
)
from registry.api.shared.resource import Resource
from registry.instruments import catalogue
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import OwnRecord, State
from registry.protocol.calculated import read_with
from registry.services.entry import own_records
from registry.services.files.data_use import of_use_to
from sites.tenancy.access import Can

FORM = whole("form", "Code of the repeating form, as in /instruments", ja="調査票のコード", max_length=20)

OwnRecordShown = serializer(
    "OwnRecord",
    {
        "id": serializers.IntegerField(),
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        "form": Declared(item_schema(FORM, nullable=False)),
        "state": Declared(STATE_SCHEMA),
        **RECORD,
    },
    "One record of a repeating form of the study's own, with the items of its form.",
)
OwnRecordNew = serializer(
    "OwnRecordNew",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "form": Declared(item_schema(FORM, nullable=False)),
        **request_body.sent_fields((), reason=False),
    },
    "A record of a repeating form, with the items of its form.",
)
OwnRecordChange = serializer(
    "OwnRecordChange",
    request_body.sent_fields(()),
    "Only what changes need be sent. A value sent ends the reason for its being missing.",
)
FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    text_filter("form", "form", "One repeating form.", r"[a-z][a-z0-9_]{0,19}"),
    code_filter("state", "state", State.values, "State of the form."),
    UPDATED_SINCE,
)
ORDERS = ("patient_id", "updated_at")


def _shown(row):
    instruments = [repeat for repeat in catalogue.current().repeats if repeat.code == row.form]
    return represent(OwnRecordShown, row) | own_shown_of(row, instruments)


class _OwnRecords(Resource):
    tag = "Repeating forms"

    def visible(self):
        rows = OwnRecord.objects.filter(site_id__in=self.access.scope().read)
        return of_use_to(self.access, rows).select_related("site", *read_with(catalogue.current().repeats))


class OwnRecords(_OwnRecords):
    needs = {"GET": Can.READ, "POST": Can.ENTER}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(OwnRecordShown))
    def get(self, request):
        """The records of repeating forms of the sites that one may read."""
        return lists.page(request, self.visible(), show=_shown, filters=FILTERS, orders=ORDERS)

    @extend_schema(request=OwnRecordNew, responses={201: OwnRecordShown})
    @repeatable
    def post(self, request):
        """Record a repeating form of a patient once more."""
        body = dict(request.data)
        form = body.pop("form", None)
        declared = _asked(form)
        items = declared.items if declared else ()
        sent = request_body.read(request, items, body=body, more=(PATIENT_ID,))
        patient = patient_named(self, sent)
        if declared is None:
            known = ", ".join(repeat.code for repeat in _every_asked()) or "–"
            sent.errors = {"form": [_("must be one of %(codes)s") % {"codes": known}]} | _without(sent.errors, body)
        if patient is None or declared is None:
            raise request_body.all_faults(sent, items)
        self.access.require(Can.ENTER, patient.site_id)

        def save(**answers):
            return own_records.save_own_record(access=self.access, patient=patient, form=declared.code, **answers)

        row = request_body.store(sent, save)
        row.refresh_from_db()
        location = location_of(request, "own_record", row.pk)
        return shown(request, _shown(row), row.version, status=201, headers={"Location": location})


def _every_asked():
    current = catalogue.current()
    return [repeat for repeat in current.repeats if current.asks(repeat.code)]


def _asked(form):
    return next((repeat for repeat in _every_asked() if repeat.code == form), None)


def _without(errors, body):
    """The faults of a body that names no form: nobody can say which of its fields would be right."""
    return {name: reasons for name, reasons in errors.items() if name not in body or name == PATIENT_ID.name}


class OneOwnRecord(_OwnRecords):
    versioned = True
    needs = {"GET": Can.READ, "PATCH": Can.ENTER}

    def of(self, record_id):
        return get_object_or_404(self.visible(), pk=record_id)

    @extend_schema(responses=OwnRecordShown)
    def get(self, request, record_id):
        """One record of a repeating form."""
        row = self.of(record_id)
        return shown(request, _shown(row), row.version)

    @extend_schema(request=OwnRecordChange, responses=OwnRecordShown)
    def patch(self, request, record_id):
        """Enter more, complete or correct a record of a repeating form."""
        row = self.of(record_id)
        self.access.require(Can.ENTER, row.site_id)
        check_match(request, row.version)
        items = own_records.instrument(row.form).items
        sent = request_body.read(request, items)
        request_body.merged(sent, {item.name: getattr(row, item.name) for item in items}, row.missing)

        def save(**answers):
            return own_records.save_own_record(
                access=self.access,
                patient=row.patient,
                form=row.form,
                record=row.pk,
                version=row.version,
                **answers,
            )

        request_body.store(sent, save)
        stored = self.of(record_id)
        return shown(request, _shown(stored), stored.version)
