"""Comparisons: ask for one, see how far it is, take its result."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.analysis.data import packed_snapshots as frozen_data
from registry.analysis.design import cohorts, plans, saved_plans
from registry.analysis.design import errors as design_errors
from registry.analysis.presentation import tables
from registry.analysis.running import runs
from registry.api.analysis.cohorts import cohort_named
from registry.api.analysis.snapshots import snapshot_named
from registry.api.records.reference import TEXT
from registry.api.shared import lists, request_body
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import Declared, code_filter, represent, serializer
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.models import ComparisonRun, SavedPlan
from registry.services.files import snapshots
from registry.tasks import start_comparison
from sites import audit
from sites.tenancy.access import Can

PARTS = {name: getattr(plans.SEGMENT_COMPARISON, name, ()) for name in plans.parts()}
CHANGEABLE = tuple(name for name in PARTS if name not in ("name", "version"))
PLAN = {
    "type": ["object", "string"],
    "description": "The name of a saved plan (`NAME`, its newest version, or `NAME:VERSION`), carried out for the "
    "cohort that it was saved with unless another is named; or what to compute; what is left out is as in the segment "
    "comparison: "
    + ", ".join(f"{name} {value!r}" for name, value in PARTS.items() if name in CHANGEABLE and value != "")
    + ".",
    "properties": {name: {} for name in CHANGEABLE},
    "additionalProperties": False,
    "examples": [{"followups": ["1m", "3m"], "value_sets": ["JP"]}],
}
COHORT = {
    "type": ["string", "integer"],
    "description": f"A cohort of the registry itself ({', '.join(cohorts.COHORTS)}) or the id of a saved one.",
    "default": cohorts.SEGI2024.name,
    "examples": [cohorts.SEGI2024.name],
}
FROZEN = {
    "type": ["string", "null"],
    "format": "uuid",
    "default": None,
    "description": "Id of the snapshot that the data are read from; null for the registry as it is.",
}
STATUS = {"type": "string", "enum": ComparisonRun.Status.values}

RunShown = serializer(
    "Comparison",
    {
        "id": serializers.UUIDField(),
        "status": Declared(STATUS),
        "progress": serializers.FloatField(help_text="From 0 to 1."),
        "stage": Declared(TEXT),
        "error": Declared(TEXT),
        "plan": Declared({"type": "object"}),
        "cohort": Declared({"type": "object"}),
        "snapshot": Declared({"type": "string", "description": "SHA-256 of the data that went in."}),
        "frozen": serializers.UUIDField(source="frozen_id", allow_null=True, help_text=str(FROZEN["description"])),
        "requested_at": serializers.DateTimeField(),
        "finished_at": serializers.DateTimeField(allow_null=True),
    },
    "A comparison that was asked for.",
)
RunNew = serializer("ComparisonNew", {"plan": Declared(PLAN), "cohort": Declared(COHORT), "frozen": Declared(FROZEN)})
ResultShown = serializer(
    "ComparisonResult", {"method": Declared({"type": "object"}), "flow": Declared({"type": "array", "items": {}})}
)
FILTERS = (code_filter("status", "status", ComparisonRun.Status.values, "How far it is."),)


def _shown(run):
    return represent(RunShown, run)


def _runs():
    return ComparisonRun.objects.defer("result", "patients")


class Comparisons(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE, "POST": Can.COMPARE}

    @extend_schema(parameters=lists.parameters(FILTERS, ("requested_at",)), responses=lists.page_serializer(RunShown))
    def get(self, request):
        """The comparisons that were asked for."""
        return lists.page(request, _runs(), show=_shown, filters=FILTERS, orders=("requested_at",))

    @extend_schema(request=RunNew, responses={202: RunShown})
    @repeatable
    def post(self, request):
        """Ask for a comparison. A worker computes it; poll the address in `Location` until `status` is `done`."""
        body = dict(request.data)
        given, named, frozen = body.pop("plan", {}), body.pop("cohort", None), body.pop("frozen", None)
        sent = request_body.read(request, (), body=body, forms=False)
        saved = _saved(given)
        plan = _plan(given if saved is None else saved, sent.errors)
        cohort = _cohort(named, saved, sent.errors)
        snapshot = snapshot_named(self.access, frozen)
        if frozen is not None and snapshot is None:
            sent.errors["frozen"] = [_("there is no such snapshot")]
        elif cohort is not None:
            try:
                needed = plan.items_needed if plan else ()
                frozen_data.require(snapshot, (*cohorts.timepoints_needed(cohort), *needed))
            except snapshots.Lacking as error:
                sent.errors["frozen"] = [error.reason.in_language(get_language())]
        if sent.errors:
            raise request_body.refused(sent.errors)
        run = start_comparison(access=self.access, plan=plan, cohort=cohort, frozen=snapshot)
        run.refresh_from_db()
        location = request.build_absolute_uri(reverse("api:comparison", args=[run.pk]))
        return Response(_shown(run), status=202, headers={"Location": location})


def _saved(given):
    """The SavedPlan that is named; None where a plan is given as an object, or no such plan is saved."""
    return saved_plans.named(given) if isinstance(given, str) else None


def _cohort(named, saved, errors):
    """The cohort of a name, that of the saved plan, or the segment study's; None, and why, where there is none."""
    if named is None and saved is not None:
        try:
            return saved_plans.cohort_of(saved)
        except design_errors.Refused as error:
            errors["cohort"] = [design_errors.sentence(error, get_language())]
            return None
    cohort = cohort_named(cohorts.SEGI2024.name if named is None else named)
    if cohort is None:
        errors["cohort"] = [_("there is no such cohort")]
    return cohort


def _plan(given, errors):
    if isinstance(given, SavedPlan):
        return _read(given.plan, errors)
    if isinstance(given, str):
        errors["plan"] = [_("there is no such plan")]
        return None
    if not isinstance(given, dict):
        errors["plan"] = [_("must be an object")]
        return None
    if unknown := given.keys() - set(CHANGEABLE):
        errors["plan"] = [_("has no part “%(name)s”") % {"name": min(unknown)[:40]}]
        return None
    return _read({"name": plans.SEGMENT_COMPARISON.name} | given, errors)


def _read(given, errors):
    try:
        return plans.from_json(given)
    except (ValueError, TypeError, KeyError) as error:
        errors["plan"] = [design_errors.sentence(error, get_language())[:1000]]
        return None


class OneComparison(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=RunShown)
    def get(self, request, run_id):
        """What was asked, and how far it is."""
        return Response(_shown(run_of(run_id)))


class ComparisonCancellation(Resource):
    tag = "Analysis"
    needs = {"POST": Can.COMPARE}

    @extend_schema(request=None, responses={202: RunShown})
    def post(self, request, run_id):
        """Stop a comparison that is not finished; nothing happens to one that is."""
        run = run_of(run_id)
        runs.cancel(access=self.access, run=run)
        return Response(_shown(run_of(run_id)), status=202)


class ComparisonResult(Resource):
    tag = "Analysis"
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=ResultShown)
    def get(self, request, run_id):
        """The result: every number in full precision; for a token that may not export, small cells are hidden where
        the installation asks for that. 409 before the comparison is done."""
        result = runs.result_of(run_of(run_id))
        if result is None:
            raise Problem(409, _("This comparison has no result."))
        audit.record(
            "comparison_downloaded", table=ComparisonRun._meta.db_table, row_id=run_id, detail={"format": "api"}
        )
        return Response(tables.for_reader(result, self.access))


def run_of(run_id):
    return get_object_or_404(_runs(), pk=run_id)
