"""Adverse events: one record an event."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.records.assessments import patient_named
from registry.api.records.patients import RECORD
from registry.api.shared import lists, request_body
from registry.api.shared.addresses import location_of
from registry.api.shared.etags import check_match, shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import (
    UPDATED_SINCE,
    Declared,
    filters_of,
    item_schema,
    names_shown,
    represent_record,
    serializer,
    shown_fields,
    text_filter,
)
from registry.api.shared.resource import Resource
from registry.api.shared.signing_in import token_may
from registry.instruments import catalogue
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import AdverseEvent
from registry.services.entry.patients import save_adverse_event
from registry.services.files.data_use import of_use_to
from registry.services.records.storing import locked_for_update
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can

ITEMS = catalogue.items(catalogue.ADVERSE_EVENTS)
IDENTIFYING = tuple(item.name for item in ITEMS if item.identifying)

EventShown = serializer(
    "AdverseEvent",
    {
        "id": serializers.IntegerField(),
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        **shown_fields(ITEMS),
        **{name: field for name, field in RECORD.items() if name != "missing"},
    },
    "One adverse event. Free text may name somebody: it is null for who may not read identifiers.",
)
EventNew = serializer(
    "AdverseEventNew",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        **request_body.sent_fields(ITEMS, forms=False, reason=False),
    },
)
EventChange = serializer("AdverseEventChange", request_body.sent_fields(ITEMS, forms=False))

FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    *filters_of(ITEMS),
    UPDATED_SINCE,
)
ORDERS = ("patient_id", "updated_at", "onset_date")


class _Events(Resource):
    tag = "Adverse events"

    def visible(self):
        rows = AdverseEvent.objects.filter(site_id__in=self.access.scope().read)
        return of_use_to(self.access, rows).select_related("site")

    def shown(self, row):
        content = represent_record(EventShown, row)
        if not (token_may(self.request, TokenScope.IDENTIFY) and self.access.may(Can.IDENTIFY, row.site_id)):
            content |= dict.fromkeys(IDENTIFYING)
        return content


class AdverseEvents(_Events):
    needs = {"GET": Can.READ, "POST": Can.ENTER}

    @extend_schema(
        parameters=lists.parameters(FILTERS, ORDERS, sparse=True), responses=lists.page_serializer(EventShown)
    )
    def get(self, request):
        """The adverse events of the sites that one may read."""
        names = names_shown(EventShown)
        return lists.page(request, self.visible(), show=self.shown, filters=FILTERS, orders=ORDERS, names=names)

    @extend_schema(request=EventNew, responses={201: EventShown})
    @repeatable
    def post(self, request):
        """Record an adverse event of a patient."""
        sent = request_body.read(request, ITEMS, more=(PATIENT_ID,), forms=False)
        patient = patient_named(self, sent)
        if patient is None:
            raise request_body.all_faults(sent, ITEMS)
        self.access.require(Can.ENTER, patient.site_id)

        def save(raw, today, **_more):
            return save_adverse_event(access=self.access, patient=patient, raw=raw, today=today)

        row = request_body.store(sent, save)
        row.refresh_from_db()
        location = location_of(request, "adverse_event", row.pk)
        return shown(request, self.shown(row), row.version, status=201, headers={"Location": location})


class OneAdverseEvent(_Events):
    versioned = True
    needs = {"GET": Can.READ, "PATCH": Can.ENTER}

    def of(self, event_id):
        return get_object_or_404(self.visible(), pk=event_id)

    @extend_schema(responses=EventShown)
    def get(self, request, event_id):
        """One adverse event."""
        row = self.of(event_id)
        return shown(request, self.shown(row), row.version)

    @extend_schema(request=EventChange, responses=EventShown)
    def patch(self, request, event_id):
        """Correct an adverse event, with the reason."""
        row = self.of(event_id)
        self.access.require(Can.ENTER, row.site_id)
        check_match(request, row.version)
        locked_for_update(AdverseEvent, row.pk, row.version)
        sent = request_body.read(request, ITEMS, forms=False)
        request_body.merged(sent, {item.name: getattr(row, item.name) for item in ITEMS}, {})

        def save(raw, reason, today, **_more):
            return save_adverse_event(
                access=self.access, patient=row.patient, raw=raw, event=row, reason=reason, today=today
            )

        stored = request_body.store(sent, save)
        return shown(request, self.shown(stored), stored.version)
