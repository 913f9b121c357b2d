"""Ends of follow-up: consent withdrawn or lost, one at most for a patient."""

from drf_spectacular.utils import extend_schema

from registry.api.records.patients import RECORD
from registry.api.shared import lists
from registry.api.shared.item_fields import (
    UPDATED_SINCE,
    Declared,
    filters_of,
    item_schema,
    names_shown,
    represent,
    serializer,
    shown_fields,
    text_filter,
)
from registry.api.shared.resource import Resource
from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import FollowUpEnd
from registry.services.files.data_use import of_use_to
from sites.tenancy.access import Can

ITEMS = tuple(item for item in FOLLOW_UP_END.items if not item.identifying)
EndShown = serializer(
    "FollowUpEnd",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        **shown_fields(ITEMS),
        **{name: field for name, field in RECORD.items() if name != "missing"},
    },
    "That a patient's follow-up has ended, when and why.",
)
FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    *filters_of(ITEMS),
    UPDATED_SINCE,
)
ORDERS = ("patient_id", "updated_at", "end_date")


class FollowUpEnds(Resource):
    tag = "Patients"
    needs = {"GET": Can.READ}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS, sparse=True), responses=lists.page_serializer(EndShown))
    def get(self, request):
        """Withdrawals of consent and losses to follow-up, of the sites that one may read."""
        rows = of_use_to(self.access, FollowUpEnd.objects.filter(site_id__in=self.access.scope().read))
        return lists.page(
            request,
            rows.select_related("site"),
            show=lambda row: represent(EndShown, row),
            filters=FILTERS,
            orders=ORDERS,
            names=names_shown(EndShown),
        )
