"""Snapshots: the list, one of them, freezing, and what changed since. They never change and are never removed."""

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.analysis.running import freezing
from registry.api.records.reference import TEXT, TEXT_OR_NULL
from registry.api.shared import lists, request_body
from registry.api.shared.etags import shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import Declared, item_schema, moment_filter, represent, serializer, whole
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.exports.jobs import may_see_snapshots
from registry.models import Freezing, Snapshot
from registry.services.files import snapshots
from registry.services.jobs import why_failed
from registry.tasks import send
from sites.tenancy.access import Can

NOW = "now"  # beside the snapshots: the registry as it is
MOST_CELLS = 1000
LABEL = whole("label", "What the snapshot is called; no other has the name", ja="名称", max_length=80)
NOTE = whole("note", "What it is for; no names or patient numbers", ja="メモ", max_length=1000)
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}

SnapshotShown = serializer(
    "Snapshot",
    {
        "id": serializers.UUIDField(),
        "label": Declared(TEXT),
        "note": Declared(TEXT),
        "hash": Declared(TEXT | {"description": "SHA-256 of every cell: the same data have the same."}),
        "rows": Declared(COUNTS | {"description": "Rows of each table."}),
        "created_by": Declared(TEXT_OR_NULL, source="created_by.name", default=None),
        "created_at": serializers.DateTimeField(allow_null=True, help_text="Null while it is being frozen."),
        "status": Declared({"type": "string", "enum": Freezing.Status.values}),
        "progress": serializers.FloatField(help_text="From 0 to 1."),
        "error": Declared(TEXT_OR_NULL | {"description": "Why freezing failed."}),
    },
    "A frozen state of the registry: `done`, or how far its freezing is.",
)
SnapshotNew = serializer(
    "SnapshotNew",
    {"label": Declared(item_schema(LABEL, nullable=False)), "note": Declared(item_schema(NOTE))},
)
CELL = {
    "type": "object",
    "properties": {
        "key": {"type": "array", "items": {"type": "string"}, "description": "What names the row."},
        "column": TEXT,
        "before": TEXT_OR_NULL,
        "after": TEXT_OR_NULL,
    },
}
TableShown = serializer(
    "TableDifference",
    {
        "table": Declared(TEXT),
        "added": serializers.IntegerField(help_text="Rows that came."),
        "removed": serializers.IntegerField(help_text="Rows that went."),
        "changed": serializers.IntegerField(help_text="Rows that are in both and differ."),
        "columns": Declared(
            {
                "type": "object",
                "additionalProperties": COUNTS,
                "description": "By column, how many cells got a value (added), another (changed), lost it (removed).",
            }
        ),
        "cells": Declared({"type": "array", "items": CELL, "description": f"The first {MOST_CELLS} changed cells."}),
    },
)
DifferencesShown = serializer(
    "Differences",
    {"before": Declared(TEXT), "after": Declared(TEXT), "tables": TableShown(many=True)},
    "How one state differs from another.",
)
AFTER = OpenApiParameter(
    "after",
    {"type": "string", "default": NOW},
    OpenApiParameter.QUERY,
    description=f"Id of the snapshot to compare with; `{NOW}` for the registry as it is.",
)
FILTERS = (moment_filter("created_since", "created_at", "Frozen at that moment or later."),)
ORDERS = ("created_at", "label")


def _shown(snapshot):
    return represent(SnapshotShown, _of_names(snapshot) | {"status": "done", "progress": 1.0, "error": None})


def _asked(job):
    """A Freezing that has come to no Snapshot yet, in its shape."""
    error = why_failed(job.error) or None
    yet = {"hash": "", "rows": {}, "created_by": job.requested_by, "created_at": None, "error": error}
    return represent(SnapshotShown, _of_names(job) | yet)


def _of_names(row):
    return {name: getattr(row, name, None) for name in SnapshotShown().fields}


def snapshot_named(access, given):
    """The Snapshot with the id `given`, for those who may see snapshots; None otherwise."""
    if not isinstance(given, str) or not may_see_snapshots(access):
        return None
    try:
        return snapshots.get(given)
    except snapshots.NotIntact:
        return None


class _Snapshots(Resource):
    """For those who may see all sites at once, as on the pages."""

    tag = "Snapshots"

    def is_for(self, access):
        return may_see_snapshots(access)

    def made(self, snapshot_id):
        return Snapshot.objects.select_related("created_by").filter(pk=snapshot_id).first()

    def of(self, snapshot_id):
        if (snapshot := self.made(snapshot_id)) is None:
            raise Http404
        return snapshot

    def answer(self, request, snapshot_id, **more):
        """The response with a snapshot, or how far its freezing is."""
        if (snapshot := self.made(snapshot_id)) is None:
            return Response(_asked(self.job(snapshot_id)), **more)
        return shown(request, _shown(snapshot), snapshot.hash, **more)

    def job(self, snapshot_id):
        return get_object_or_404(Freezing.objects.select_related("requested_by"), pk=snapshot_id)


class Snapshots(_Snapshots):
    needs = {"GET": Can.COMPARE, "POST": Can.FREEZE}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(SnapshotShown))
    def get(self, request):
        """The frozen states of the registry."""
        rows = Snapshot.objects.select_related("created_by")
        return lists.page(request, rows, show=_shown, filters=FILTERS, orders=ORDERS)

    @extend_schema(request=SnapshotNew, responses={201: SnapshotShown, 202: SnapshotShown})
    @repeatable
    def post(self, request):
        """Freeze the registry as it is at this moment. In a large one a worker does: poll the address in `Location`."""
        sent = request_body.read(request, (), more=(LABEL, NOTE), forms=False)
        if sent.errors:
            raise request_body.refused(sent.errors)
        try:
            job = freezing.request(access=self.access, label=sent.more["label"] or "", note=sent.more["note"] or "")
        except snapshots.InvalidLabel as error:
            raise request_body.refused({"label": [error.reason]}) from error
        headers = {"Location": request.build_absolute_uri(reverse("api:snapshot", args=[job.pk]))}
        if not (freezing.is_small() and snapshots.hold_writers_off()):
            return Response(_asked(self.job(send(job).pk)), status=202, headers=headers)
        freezing.perform(job.pk, reporting=False)
        if self.made(job.pk) is None:
            raise Problem(503, _asked(self.job(job.pk))["error"])
        return self.answer(request, job.pk, status=201, headers=headers)


class OneSnapshot(_Snapshots):
    versioned = True
    needs = {"GET": Can.COMPARE}

    @extend_schema(responses=SnapshotShown)
    def get(self, request, snapshot_id):
        """One frozen state, or how far its freezing is."""
        return self.answer(request, snapshot_id)


class SnapshotCancellation(_Snapshots):
    needs = {"POST": Can.FREEZE}

    @extend_schema(request=None, responses={202: SnapshotShown})
    def post(self, request, snapshot_id):
        """Stop a freezing that is not finished; nothing happens to one that is."""
        freezing.cancel(access=self.access, freezing=self.job(snapshot_id))
        return self.answer(request, snapshot_id, status=202)


class SnapshotDifferences(_Snapshots):
    needs = {"GET": Can.COMPARE}

    @extend_schema(parameters=[AFTER], responses=DifferencesShown)
    def get(self, request, snapshot_id):
        """What was added, changed and removed since a snapshot: until another, or until now."""
        before = self.of(snapshot_id)
        given = request.query_params.get("after", NOW)
        after = None if given == NOW else snapshot_named(self.access, given)
        if given != NOW and after is None:
            raise Problem(
                400,
                _("There is nothing to compare with."),
                errors={"after": [_("there is no such snapshot")]},
            )
        try:
            with transaction.atomic():
                first, second = snapshots.source_of(before), snapshots.source_of(after)
                changes = snapshots.differences(first, second, MOST_CELLS)
        except snapshots.NotIntact as error:
            raise Problem(409, error.reason.en) from error
        tables = [
            {name: getattr(difference, name) for name in ("table", "added", "removed", "changed", "columns")}
            | {"cells": [dict(zip(CELL["properties"], cell, strict=True)) for cell in difference.cells]}
            for difference in changes
        ]
        return Response({"before": str(before.pk), "after": NOW if after is None else str(after.pk), "tables": tables})
