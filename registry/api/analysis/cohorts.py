"""Cohorts: those that the registry declares and those that people saved, in versions."""

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry import tasks
from registry.analysis.design import cohorts, saved_cohorts
from registry.analysis.design import errors as design_errors
from registry.api.records.reference import TEXT, whole_list
from registry.api.shared import lists, request_body
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import Declared, item_schema, represent, serializer, whole
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.models import SavedCohort
from sites.tenancy.access import Can

STEPS = {
    "type": "array",
    "description": "Who comes in: steps in their order, each a code with its parameters.",
    "items": {
        "type": "object",
        "properties": {"step": {"type": "string", "enum": list(cohorts.STEPS)}},
        "required": ["step"],
        "additionalProperties": True,
    },
    "examples": [[{"step": "primary_tumour", "values": ["lung", "breast"]}]],
}
NAME = whole("name", "Name of the cohort", ja="コホート名", max_length=saved_cohorts.LONGEST_NAME)
NOTE = whole("note", "What these patients are for; no names or patient numbers", ja="メモ", max_length=1000)

CohortShown = serializer(
    "Cohort",
    {
        "id": serializers.IntegerField(),
        "name": Declared(TEXT),
        "version": serializers.IntegerField(),
        "steps": Declared(STEPS),
        "note": Declared(TEXT),
        "created_at": serializers.DateTimeField(),
    },
    "A saved cohort. A version never changes; the next one under the name is another.",
)
CohortNew = serializer(
    "CohortNew",
    {
        "name": Declared(item_schema(NAME, nullable=False)),
        "note": Declared(item_schema(NOTE)),
        "steps": Declared(STEPS),
    },
)
DeclaredCohortShown = serializer(
    "DeclaredCohort", {"name": Declared(TEXT), "version": Declared(TEXT), "steps": Declared(STEPS)}
)
FlowShown = serializer(
    "Flow",
    {
        "flow": Declared(
            {"type": ["array", "null"], "items": {"type": "object"}, "description": "Each step with its count."}
        ),
        "n": serializers.IntegerField(help_text="Patients who are in.", allow_null=True),
        "counted_at": serializers.DateTimeField(help_text="When it was counted; null for now.", allow_null=True),
    },
)
ORDERS = ("name", "created_at")
COUNTING_SECONDS = 2  # after which whoever asked for a flow may ask again


def _shown(saved):
    return represent(CohortShown, saved)


def steps_of(given):
    """Steps from a body; ValueError says what is wrong."""
    if not isinstance(given, list):
        raise ValueError(_("must be a list of steps"))
    read = cohorts.from_json({"name": "new", "version": "1", "steps": given})
    for step in read.steps:
        str(step.label)  # words for every parameter: one that has none makes no sense
    return read.steps


class Cohorts(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE, "POST": Can.COMPARE}

    @extend_schema(parameters=lists.parameters((), ORDERS), responses=lists.page_serializer(CohortShown))
    def get(self, request):
        """Saved cohorts, every version."""
        return lists.page(request, SavedCohort.objects.all(), show=_shown, filters=(), orders=ORDERS)

    @extend_schema(request=CohortNew, responses={201: CohortShown})
    @repeatable
    def post(self, request):
        """Save a cohort: a new version where the name exists."""
        body = dict(request.data)
        given = body.pop("steps", None)
        sent = request_body.read(request, (), body=body, more=(NAME, NOTE), forms=False)
        steps = ()
        try:
            steps = steps_of(given)
        except (ValueError, TypeError, KeyError) as error:
            sent.errors["steps"] = [design_errors.sentence(error, get_language())]

        def save(**_more):
            try:
                return saved_cohorts.save(
                    access=self.access, name=sent.more["name"] or "", steps=steps, note=sent.more["note"] or ""
                )
            except ValueError as error:
                sent.errors.setdefault("name", [design_errors.sentence(error, get_language())])

        if (saved := request_body.store(sent, save)) is None or sent.errors:
            raise request_body.refused(sent.errors)
        location = request.build_absolute_uri(reverse("api:cohort", args=[saved.pk]))
        return Response(_shown(saved), status=201, headers={"Location": location})


class DeclaredCohorts(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=whole_list(DeclaredCohortShown))
    def get(self, request):
        """The cohorts of the registry itself."""
        return Response({"items": [cohort.to_json() for cohort in cohorts.COHORTS.values()]})


class OneCohort(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=CohortShown)
    def get(self, request, cohort_id):
        """One version of a saved cohort."""
        return Response(_shown(saved_of(cohort_id)))


class CohortFlow(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses={200: FlowShown, 202: FlowShown})
    def get(self, request, cohort_id):
        """The flow of a saved cohort today: how many each step leaves.

        In a large registry a worker counts it: 202 with nulls until it has, which takes some seconds, and then what it
        counted within the last minutes, with the moment.
        """
        saved = saved_of(cohort_id)
        try:
            cohort = saved_cohorts.cohort_of(saved)
        except design_errors.Refused as error:  # the study no longer collects what it names
            raise Problem(409, design_errors.sentence(error, get_language())) from error
        flow = tasks.cohort_flow(cohort, access=self.access)
        if flow is None:
            answer = {"flow": None, "n": None, "counted_at": None}
            return Response(answer, status=202, headers={"Retry-After": str(COUNTING_SECONDS)})
        return Response({"flow": flow.flow, "n": flow.flow[-1]["n"], "counted_at": flow.at})


def cohort_named(given, *, saved=True):
    """The Cohort that a body names: by the name of a declared one or, with `saved`, the id of a saved one; or None."""
    try:
        if saved and isinstance(given, int) and not isinstance(given, bool) and 0 < given < 2**63:
            return saved_cohorts.cohort_of(saved_of(given))
        if isinstance(given, str):
            return cohorts.get(given)
    except (Http404, ValueError):
        pass
    return None


def saved_of(cohort_id):
    return get_object_or_404(SavedCohort, pk=cohort_id)
