"""Screening log: the lines of the sites that one may read."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.shared import lists
from registry.api.shared.item_fields import (
    UPDATED_SINCE,
    Declared,
    filters_of,
    item_schema,
    represent,
    serializer,
    shown_fields,
    text_filter,
)
from registry.api.shared.resource import Resource
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import ScreeningEntry
from registry.services.study.screening import ITEMS
from sites.tenancy.access import Can

EntryShown = serializer(
    "ScreeningEntry",
    {
        "id": serializers.IntegerField(),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        "number": serializers.IntegerField(help_text="Of the site's own log."),
        **shown_fields(ITEMS),
        "patient_id": Declared(item_schema(PATIENT_ID)),
        "version": serializers.IntegerField(),
        "updated_at": serializers.DateTimeField(allow_null=True),
    },
    "A person whom a site looked at for the study, and what became of it. Nobody is named.",
)
FILTERS = (
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    *filters_of(ITEMS),
    UPDATED_SINCE,
)
ORDERS = ("screened_on", "updated_at")


class ScreeningLog(Resource):
    tag = "Screening"
    needs = {"GET": Can.READ}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(EntryShown))
    def get(self, request):
        """The lines of the screening log."""
        rows = ScreeningEntry.objects.filter(site_id__in=self.access.scope().read).select_related("site")
        return lists.page(request, rows, show=lambda row: represent(EntryShown, row), filters=FILTERS, orders=ORDERS)
