"""Plans that were saved under a name, in versions, some of them locked."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.api.records.reference import TEXT
from registry.api.shared import lists
from registry.api.shared.item_fields import Declared, represent, serializer
from registry.api.shared.resource import Resource
from registry.models import SavedPlan
from sites.tenancy.access import Can

PlanShown = serializer(
    "Plan",
    {
        "id": serializers.IntegerField(),
        "name": Declared(TEXT),
        "version": serializers.IntegerField(),
        "locked": serializers.BooleanField(help_text="A statistical analysis plan: nobody can change this version."),
        "last_snapshot": Declared(TEXT),
        "plan": Declared({"type": "object", "description": "What `plan` of a comparison takes."}),
        "cohort": Declared({"type": "object"}),
        "note": Declared(TEXT),
        "created_at": serializers.DateTimeField(),
    },
    "A saved plan. A version never changes; the next one under the name is another.",
)
ORDERS = ("name", "created_at")


def _shown(saved):
    return represent(PlanShown, saved)


class Plans(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(parameters=lists.parameters((), ORDERS), responses=lists.page_serializer(PlanShown))
    def get(self, request):
        """The saved plans, every version."""
        return lists.page(request, SavedPlan.objects.all(), show=_shown, filters=(), orders=ORDERS)


class OnePlan(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=PlanShown)
    def get(self, request, plan_id):
        """One version of a plan. `POST /api/v1/comparisons` carries it out by its name, `NAME` or `NAME:VERSION`."""
        return Response(_shown(get_object_or_404(SavedPlan, pk=plan_id)))
