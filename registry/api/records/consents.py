"""Consents: what patients signed, and the parts that they withdrew, of the sites that one may read."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.shared import lists
from registry.api.shared.item_fields import (
    Declared,
    filters_of,
    item_schema,
    represent,
    serializer,
    shown_fields,
    text_filter,
)
from registry.api.shared.resource import Resource
from registry.instruments.core import consent as declared
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import Consent, ConsentWithdrawal
from registry.services.files.data_use import of_use_to
from sites.tenancy.access import Can

ITEMS = tuple(item for item in declared.CONSENT.items if item.name != declared.TAKEN_BY)
WHOSE = {
    "id": serializers.IntegerField(),
    "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
    "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
}
ConsentShown = serializer(
    "Consent",
    {**WHOSE, **shown_fields(ITEMS), "version": serializers.IntegerField()},
    "A version of the consent form that a patient signed. Who took it is on the site's page alone.",
)
WithdrawalShown = serializer(
    "ConsentWithdrawal",
    {**WHOSE, **shown_fields(declared.WITHDRAWAL.items)},
    "A part of the consent that a patient withdrew, and that holds.",
)
OF_PATIENT = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
)


class _OfPatients(Resource):
    tag = "Patients"
    needs = {"GET": Can.READ}

    def listed(self, request, rows, shown, filters, day):
        rows = of_use_to(self.access, rows.filter(site_id__in=self.access.scope().read)).select_related("site")
        orders = ("patient_id", day)
        return lists.page(request, rows, show=lambda row: represent(shown, row), filters=filters, orders=orders)


FILTERS = (*OF_PATIENT, *filters_of(ITEMS))
WITHDRAWAL_FILTERS = (*OF_PATIENT, *filters_of(declared.WITHDRAWAL.items))


class Consents(_OfPatients):
    @extend_schema(
        parameters=lists.parameters(FILTERS, ("patient_id", "agreed_on")), responses=lists.page_serializer(ConsentShown)
    )
    def get(self, request):
        """Versions of the consent form that patients signed."""
        return self.listed(request, Consent.objects.all(), ConsentShown, FILTERS, "agreed_on")


class ConsentWithdrawals(_OfPatients):
    @extend_schema(
        parameters=lists.parameters(WITHDRAWAL_FILTERS, ("patient_id", "withdrawn_on")),
        responses=lists.page_serializer(WithdrawalShown),
    )
    def get(self, request):
        """Parts of the consent that patients withdrew and that hold: further contact, use of the data."""
        rows = ConsentWithdrawal.objects.filter(corrected_at=None)
        return self.listed(request, rows, WithdrawalShown, WITHDRAWAL_FILTERS, "withdrawn_on")
