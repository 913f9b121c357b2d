"""Imports: send files, look at what they would do, decide. The same checks, history and undoing as on the page."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from registry.api.records.reference import TEXT, TEXT_OR_NULL
from registry.api.shared import lists, request_body
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import Declared, code_filter, represent, serializer
from registry.api.shared.parsing import JSONObject
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.imports import findings, jobs, unattended
from registry.imports.checking.staging import without_value
from registry.imports.files import uploads
from registry.imports.unattended import Answers, NotPossible
from registry.models import Import
from registry.services.jobs import why_failed
from registry.tasks import carry_out_import
from sites.tenancy.access import Can

Status, Act = Import.Status, Import.Act


def _again(job):
    """Have a worker go on with an import that failed or was cancelled."""
    if job.status in (Status.FAILED, Status.CANCELLED):
        carry_out_import(job, jobs.act_again(job))


STORE, WITHOUT_STORING = "store", {"discard": jobs.discard, "cancel": jobs.cancel, "again": _again}
DECISIONS = (STORE, *WITHOUT_STORING)

ImportNew = serializer(
    "ImportNew",
    {
        "file": serializers.ListField(child=serializers.FileField(), help_text="One or more parts of this name."),
        "mapping": serializers.CharField(required=False, help_text="Name of a mapping that was kept on the page."),
        "encoding": serializers.CharField(required=False, help_text="Of texts that are not UTF-8, such as cp932."),
        "delimiter": serializers.CharField(required=False, help_text="What separates the cells of texts."),
        "sheet": serializers.ListField(child=serializers.CharField(), required=False, help_text="Sheets to import."),
        "formulas": serializers.BooleanField(required=False, help_text="Take the values that Excel saved of formulas."),
        "header": serializers.CharField(required=False, help_text="The row that names the columns: 3, or 1+2."),
    },
    "Files (CSV, .xlsx) as multipart/form-data, and how they are read where they do not say so.",
)
COUNTS = {"type": "object", "description": "File → rows that are new, changed and unchanged."}
ImportShown = serializer(
    "Import",
    {
        "id": serializers.UUIDField(),
        "status": Declared({"type": "string", "enum": Status.values}),
        "progress": serializers.FloatField(help_text="From 0 to 1."),
        "waits_for": Declared(TEXT_OR_NULL | {"description": "What must be said before it goes on."}),
        "files": Declared({"type": "array", "items": TEXT}),
        "mapping": Declared(TEXT | {"description": "Name of the mapping."}),
        "rows": Declared(COUNTS),
        "errors": serializers.IntegerField(),
        "warnings": serializers.IntegerField(),
        "seen": Declared(TEXT | {"description": "What the check showed: send it with the decision."}),
        "error": Declared(TEXT | {"description": "Why it failed."}),
        "requested_at": serializers.DateTimeField(),
        "finished_at": serializers.DateTimeField(allow_null=True),
    },
    "An import: open, queued, running, checked, done, failed, cancelled or discarded.",
)
ImportDecision = serializer(
    "ImportDecision",
    {
        "decision": Declared({"type": "string", "enum": list(DECISIONS)}),
        "seen": Declared(TEXT | {"description": "As the check showed it; storing needs it."}),
        "reason": Declared(TEXT | {"description": "For the audit trail; storing needs it."}),
        "update": Declared({"type": "boolean", "default": False, "description": "Rows that differ replace others."}),
        "different_people": Declared(
            {"type": "boolean", "default": False, "description": "Patients who may be the same person are not."}
        ),
    },
    "What becomes of a checked import; that one under way is to stop, or one that stopped to go on.",
)
FINDING = {
    "type": "object",
    "properties": {
        "file": TEXT,
        "row": {"type": ["integer", "null"]},
        "column": TEXT,
        "finding": TEXT,
    },
    "required": ["file", "row", "column", "finding"],
}
ImportFindings = serializer(
    "ImportFindings",
    {
        "errors": Declared({"type": "array", "items": FINDING}),
        "warnings": Declared({"type": "array", "items": FINDING}),
    },
    "What the check found, up to 5 000 of each kind; what was typed is left out.",
)
FILTERS = (code_filter("status", "status", Status.values, "How far it is."),)
ORDERS = ("requested_at",)


class _Imports(Resource):
    """One's own imports."""

    tag = "Imports"
    needs = {"GET": Can.IMPORT, "POST": Can.IMPORT}

    def mine(self):
        return Import.objects.filter(requested_by=self.request.user, undoes=None)

    def of(self, import_id):
        return jobs.of_this_release(get_object_or_404(self.mine(), pk=import_id))

    def shown(self, job):
        job = jobs.of_this_release(job)
        waits = unattended.waits_for(job)
        fields = {name: getattr(job, name, None) for name in ImportShown().fields}
        content = {
            "progress": 1.0 if job.finished_at or job.status == Status.CHECKED else job.progress,
            "waits_for": waits and waits.in_language(get_language()),
            "files": [file["name"] for file in job.files],
            "mapping": job.mapping_name,
            "rows": job.counts.get("files", {}),
            "errors": job.counts.get("errors", 0),
            "warnings": job.counts.get("warnings", 0),
            "error": why_failed(job.error),
        }
        return represent(ImportShown, fields | content)


class Imports(_Imports):
    parser_classes = (MultiPartParser, JSONObject)
    media_types = (MultiPartParser.media_type,)

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(ImportShown))
    def get(self, request):
        """The imports that one sent oneself."""
        return lists.page(request, self.mine(), show=self.shown, filters=FILTERS, orders=ORDERS)

    @extend_schema(request={"multipart/form-data": ImportNew}, responses={202: ImportShown})
    @repeatable
    def post(self, request):
        """Send files to be checked. Nothing is stored; poll the address in `Location` until `status` is `checked`."""
        if not request.content_type.startswith(MultiPartParser.media_type):
            raise UnsupportedMediaType(request.content_type[:80])
        files, answers = _sent(request)
        try:
            job = unattended.begin(
                access=self.access, files=files, mapping=request.data.get("mapping", ""), answers=answers
            )
        except NotPossible as error:
            raise request_body.refused({"mapping": [error.reason]}) from None
        if (act := unattended.next_act(job)) is not None:
            carry_out_import(job, act)
            job.refresh_from_db()
        if (act := unattended.next_act(job)) is not None:  # a small text was read at once
            carry_out_import(job, act)
            job.refresh_from_db()
        location = request.build_absolute_uri(reverse("api:import", args=[job.pk]))
        return Response(self.shown(job), status=202, headers={"Location": location})


KNOWN = ("file", *Answers.__dataclass_fields__, "sheet", "mapping")


def _sent(request):
    """(name → upload, Answers) of a multipart body; Problem 422 names what is wrong with it."""
    errors = {name[:80]: [_("is not a field of this request")] for name in request.data if name not in KNOWN}
    chosen = request.FILES.getlist("file")
    if not 0 < len(chosen) <= uploads.MOST_FILES:
        errors["file"] = [_("Choose at most %(n)s files at once.") % {"n": uploads.MOST_FILES}]
    if any(upload.size > uploads.LARGEST for upload in chosen):
        errors["file"] = [_("is larger than %(n)s MB") % {"n": uploads.LARGEST // 1_000_000}]
    if len({upload.name for upload in chosen}) < len(chosen):
        errors["file"] = [_("Two files have one name.")]
    if request.data.get("formulas", "false") not in ("true", "false"):
        errors["formulas"] = [_("must be true or false")]
    if errors:
        raise request_body.refused(errors)
    data = request.data
    answers = Answers(
        data.get("encoding"),
        data.get("delimiter"),
        tuple(data.getlist("sheet")),
        data.get("formulas") == "true",
        data.get("header", ""),
    )
    return {upload.name: upload for upload in chosen}, answers


class OneImport(_Imports):
    needs = {"GET": Can.IMPORT}

    @extend_schema(responses=ImportShown)
    def get(self, request, import_id):
        """How far an import is, and what it would do or did."""
        job = self.of(import_id)
        if (act := unattended.next_act(job)) is not None:  # what waited for an answer has it by now
            carry_out_import(job, act)
            job.refresh_from_db()
        return Response(self.shown(job))


class FindingsOfImport(_Imports):
    needs = {"GET": Can.IMPORT}

    @extend_schema(responses=ImportFindings)
    def get(self, request, import_id):
        """What the check found: errors, and what was read as something else, hidden or unlikely."""
        report, language = jobs.report_of(self.of(import_id)), get_language()
        report_shown = {
            kind: [
                {
                    "file": finding.file,
                    "row": finding.row,
                    "column": finding.column,
                    "finding": without_value(finding.reason).in_language(language),
                }
                for finding in report[kind].listed
            ]
            for kind in ("errors", "warnings")
        }
        return Response(represent(ImportFindings, report_shown))


class Workbook(BaseRenderer):
    """For the negotiation alone: the bytes are sent as they are."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    format = "xlsx"

    def render(self, data, *args, **kwargs):
        return data


class WorkbookOfFindings(_Imports):
    needs = {"GET": Can.IMPORT}
    renderer_classes = (Workbook, JSONRenderer)

    @extend_schema(responses={(200, Workbook.media_type): OpenApiTypes.BINARY})
    def get(self, request, import_id):
        """The findings as a workbook: the rows concerned, as they were typed, with their cells marked. 409 where there
        are none, or where the files are kept no more.
        """
        job = self.of(import_id)
        if job.status != Status.CHECKED or not any(jobs.report_of(job).values()):
            raise Problem(409, _("This import has no findings to be mended."))
        response = HttpResponse(findings.workbook(job, get_language()), content_type=Workbook.media_type)
        response["Content-Disposition"] = f'attachment; filename="metaspine-import-{job.pk.hex[:8]}-findings.xlsx"'
        return response


class DecisionOnImport(_Imports):
    needs = {"POST": Can.IMPORT}

    @extend_schema(request=ImportDecision, responses={202: ImportShown})
    @repeatable
    def post(self, request, import_id):
        """Store a checked import, for a reason and as it was seen; discard it; cancel it while it is under way; or have
        one that failed or was cancelled go on (`again`). 409 where it cannot be stored.
        """
        job, asked = self.of(import_id), _decision(dict(request.data))
        if asked["decision"] in WITHOUT_STORING:
            WITHOUT_STORING[asked["decision"]](job)
            job.refresh_from_db()
            return Response(self.shown(job), status=202)
        changed = sum(counts["changed"] for counts in job.counts.get("files", {}).values())
        if job.status != Status.CHECKED or job.counts["errors"]:
            raise Problem(409, _("This import has nothing that can be stored."))
        if asked["seen"] != job.seen:
            raise Problem(409, _("What is stored has changed since the check was seen. Look at it again."))
        if changed and not asked["update"]:
            raise request_body.refused({"update": [_("Say whether these rows replace what is stored.")]})
        if job.counts.get("alike") and not asked["different_people"]:
            raise request_body.refused(
                {"different_people": [_("Say that these are different people, or mend the file.")]}
            )
        carry_out_import(job, Act.STORE, update=asked["update"], reason=asked["reason"][:200])
        job.refresh_from_db()
        return Response(self.shown(job), status=202)


def _decision(given):
    """The decision that a body says; Problem 422 names every fault."""
    errors = {name[:80]: [_("is not a field of this request")] for name in given if name not in ImportDecision().fields}
    usual = {"seen": "", "reason": "", "update": False, "different_people": False}
    asked = usual | {name: value for name, value in given.items() if name not in errors}
    if asked.get("decision") not in DECISIONS:
        errors["decision"] = [_("must be one of %(codes)s") % {"codes": ", ".join(DECISIONS)}]
    for name, kind in (("seen", str), ("reason", str), ("update", bool), ("different_people", bool)):
        if not isinstance(asked[name], kind):
            errors[name] = [_("must be true or false") if kind is bool else _("must be a text")]
    if not errors and asked["decision"] == STORE and not asked["reason"].strip():
        errors["reason"] = [_("Say why, in a few words.")]
    if errors:
        raise request_body.refused(errors)
    return asked
