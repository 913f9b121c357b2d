"""Exports: ask for one in the words of the page, see how far it is, fetch the file in one piece or in parts."""

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from registry.analysis.design import cohorts
from registry.api.analysis.cohorts import cohort_named
from registry.api.records.reference import TEXT, TEXT_OR_NULL
from registry.api.shared import lists, request_body
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import Declared, code_filter, moment_filter, represent, serializer
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.exports import choices as asked
from registry.exports import jobs, presets
from registry.exports.choices import Choices, InvalidChoices
from registry.exports.http_range import resumable
from registry.instruments import value_sets
from registry.instruments.base import Label
from registry.models import Export, ExportPreset
from registry.services.jobs import why_failed
from registry.tasks import start_export
from sites import audit
from sites.database.longest import longest
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can

USUAL = Choices()
STATUS = {"type": "string", "enum": Export.Status.values}


def _offered(name):
    """The schema of a choice: its codes with their labels, and the usual one."""
    known = asked.OFFERED[name]
    meaning = "; ".join(f"{choice.code}: {choice.label.en}" for choice in known)
    return {
        "type": "string",
        "enum": [choice.code for choice in known],
        "default": getattr(USUAL, name),
        "description": meaning,
    }


def _several(name, known):
    meaning = "; ".join(f"{choice.code}: {choice.label.en}" for choice in known)
    several = {"type": "array", "items": {"type": "string", "enum": [choice.code for choice in known]}}
    return several | {"default": list(getattr(USUAL, name)), "description": meaning}


def _codes_of(meaning):
    """The schema of codes that the study itself declares."""
    return {"type": "array", "items": {"type": "string"}, "default": [], "description": meaning}


SCHEMAS = {
    **{name: _offered(name) for name in asked.OFFERED},
    "content": _several("content", asked.CONTENT),
    "value_sets": _several("value_sets", value_sets.ALL),
    "timepoints": _codes_of("Codes of the visits that come in, such as preop; every one where none is named."),
    "instruments": _codes_of("Codes of the instruments whose columns come in (`/instruments`); all where none is."),
    "by_site": {"type": "boolean", "default": USUAL.by_site, "description": "A folder of files for each site."},
    "snapshot": {
        "type": "string",
        "default": "",
        "description": "Id of a snapshot; empty for the registry as it is. For those who may see snapshots.",
    },
    "cohort": {
        "type": ["string", "integer"],
        "default": USUAL.cohort.name,
        "description": f"A cohort of the registry itself ({', '.join(cohorts.COHORTS)}), or the id of a saved one for "
        "those who compare.",
    },
}
PRESET = {"type": "string", "description": "Name of kept choices (`/export-presets`); what else is said goes before."}
ExportNew = serializer(
    "ExportNew",
    {name: Declared(schema) for name, schema in (SCHEMAS | {"preset": PRESET}).items()},
    "Every choice may be left out.",
)
PresetNew = serializer(
    "ExportPresetNew",
    {
        "name": Declared(TEXT | {"maxLength": longest(ExportPreset, "name")}),
        "shared": Declared({"type": "boolean", "default": False, "description": "For everybody who exports."}),
        "choices": Declared({"type": "object", "description": "As `POST /exports` takes them."}),
    },
    "Choices of an export to be kept under a name; one's own of this name are replaced.",
)
PresetShown = serializer(
    "ExportPreset",
    {
        "id": serializers.IntegerField(),
        "name": Declared(TEXT),
        "shared": serializers.BooleanField(help_text="For everybody who exports."),
        "made_by": Declared(TEXT),
        "choices": Declared({"type": "object", "description": "What differs from the usual choices."}),
        "updated_at": serializers.DateTimeField(),
    },
    "Choices of an export that somebody keeps under a name.",
)
ExportShown = serializer(
    "Export",
    {
        "id": serializers.UUIDField(),
        "status": Declared(STATUS),
        "progress": serializers.FloatField(help_text="From 0 to 1."),
        "rows_expected": serializers.IntegerField(help_text="About how many rows it writes."),
        "rows_written": serializers.IntegerField(),
        "error": Declared(TEXT_OR_NULL | {"description": "Why it failed."}),
        "choices": Declared({"type": "object", "description": "What was asked for."}),
        "requested_at": serializers.DateTimeField(),
        "finished_at": serializers.DateTimeField(allow_null=True),
        "expires_at": serializers.DateTimeField(allow_null=True, help_text="When the file is taken away."),
        "file": Declared(TEXT_OR_NULL | {"description": "Address of the file; null where there is none."}),
        "filename": Declared(TEXT),
        "size": Declared({"type": ["integer", "null"], "description": "Bytes of the file."}),
        "sha256": Declared(TEXT | {"description": "SHA-256 of the file."}),
        "manifest": Declared({"type": ["object", "null"], "description": "What is in it, as `manifest.json` says."}),
    },
    "An export that one asked for.",
)
FILTERS = (
    code_filter("status", "status", Export.Status.values, "How far it is."),
    moment_filter("requested_since", "requested_at", "Asked for at that moment or later."),
)
ORDERS, PRESET_ORDERS = ("requested_at",), ("name",)
BINARY = {(200, "application/zip"): OpenApiTypes.BINARY, (206, "application/zip"): OpenApiTypes.BINARY}


class Zip(BaseRenderer):
    """For the negotiation alone: the file is sent as it lies there."""

    media_type = "application/zip"
    format = "zip"

    def render(self, data, *args, **kwargs):
        return data


class _Exports(Resource):
    """One's own exports, of sites where one may still export: nobody sees another person's."""

    tag = "Exports"
    needs = {"GET": Can.EXPORT, "POST": Can.EXPORT}
    scopes = {"GET": TokenScope.EXPORT, "HEAD": TokenScope.EXPORT, "POST": TokenScope.EXPORT}

    def of(self, export_id):
        try:
            return jobs.one_of(self.access, export_id)
        except Export.DoesNotExist:
            raise Http404 from None

    def shown(self, export):
        done = export.status == Export.Status.DONE
        file = self.request.build_absolute_uri(reverse("api:export_file", args=[export.pk])) if done else None
        error = why_failed(export.error) or None
        export.progress = 1.0 if done else export.share
        fields = {name: getattr(export, name, None) for name in ExportShown().fields}
        return represent(ExportShown, fields | {"error": error, "file": file})


class Exports(_Exports):
    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(ExportShown))
    def get(self, request):
        """The exports that one asked for oneself."""
        rows = jobs.of(self.access)
        return lists.page(request, rows, show=self.shown, filters=FILTERS, orders=ORDERS)

    @extend_schema(request=ExportNew, responses={202: ExportShown})
    @repeatable
    def post(self, request):
        """Ask for an export. A worker writes it; poll the address in `Location` until `status` is `done`."""
        choices, errors = choices_read(_with_preset(dict(request.data), self.access), self.access)
        if errors:
            raise request_body.refused(errors)
        export = start_export(access=self.access, choices=choices)
        export.refresh_from_db()
        location = request.build_absolute_uri(reverse("api:export", args=[export.pk]))
        return Response(self.shown(export), status=202, headers={"Location": location})


def _with_preset(given, access):
    """The choices of a request, those of the preset that it names among them; Problem 422 where there is none."""
    if "preset" not in given:
        return given
    name = given.pop("preset")
    preset = presets.named(access, name[:80]) if isinstance(name, str) else None
    if preset is None:
        raise request_body.refused({"preset": [_("there is no such preset")]})
    return preset.choices | given


class ExportPresets(_Exports):
    @extend_schema(parameters=lists.parameters((), PRESET_ORDERS), responses=lists.page_serializer(PresetShown))
    def get(self, request):
        """One's own kept choices and those that are shared. `POST /exports` takes one by its name."""
        return lists.page(request, presets.of(self.access), show=_preset, filters=(), orders=PRESET_ORDERS)

    @extend_schema(request=PresetNew, responses={201: PresetShown})
    @repeatable
    def post(self, request):
        """Keep choices of an export under a name."""
        name, shared, given = _to_keep(dict(request.data))
        choices, errors = choices_read(dict(given), self.access)
        if errors:
            raise request_body.refused({f"choices.{field}": reasons for field, reasons in errors.items()})
        words = presets.words_of(choices, given.get("cohort", USUAL.cohort.name))
        try:
            preset = presets.keep(access=self.access, name=name, asked=words, shared=shared)
        except presets.NameTaken:
            reason = _("Somebody else shares choices of this name. Choose another name.")
            raise request_body.refused({"name": [reason]}) from None
        except ValueError:
            reason = _("Choices are kept under a name of at most 80 characters.")
            raise request_body.refused({"name": [reason]}) from None
        return Response(_preset(preset), status=201)


def _to_keep(given):
    """(name, whether shared, choices) of a body; Problem 422 names every fault."""
    errors = {field[:80]: [_("is not a field of this request")] for field in given if field not in PresetNew().fields}
    name, shared, choices = given.get("name"), given.get("shared", False), given.get("choices")
    if not isinstance(name, str):
        errors["name"] = [SHAPES["string"]]
    if not isinstance(shared, bool):
        errors["shared"] = [SHAPES["boolean"]]
    if not isinstance(choices, dict):
        errors["choices"] = [Label("must be an object", "オブジェクトで指定してください")]
    if errors:
        raise request_body.refused(errors)
    return name, shared, choices


class ExportPresetRemoval(_Exports):
    needs = {"POST": Can.EXPORT}

    @extend_schema(request=None, responses={204: None})
    def post(self, request, preset_id):
        """Remove kept choices: one's own, and shared ones for who looks after all sites. 404 for any other."""
        if presets.remove(access=self.access, preset_id=preset_id) is None:
            raise Http404
        return Response(status=204)


def _preset(preset):
    return represent(PresetShown, {
        "id": preset.pk, "name": preset.name, "shared": preset.shared, "made_by": preset.created_by.name,
        "choices": preset.choices, "updated_at": preset.updated_at,
    })  # fmt: skip


def choices_read(given, access):
    """(Choices, what is wrong) of choices as JSON has them: name to reasons, none where they can be carried out."""
    errors = {}
    for name in given.keys() - SCHEMAS.keys():
        errors[name[:80]] = [_("is not a field of this request")]
    for name, schema in SCHEMAS.items():
        if name in given and name != "cohort" and not _fits(given[name], schema["type"]):
            errors[name] = [SHAPES[schema["type"]]]
    if "cohort" in given:
        cohort = cohort_named(given["cohort"], saved=access.may(Can.COMPARE))
        if cohort is None:
            errors["cohort"] = [_("there is no such cohort")]
        given = given | {"cohort": cohort and cohort.to_json()}
    if not errors:
        try:
            choices = asked.from_json(given)
            if choices.snapshot:
                jobs.check_snapshot(access, choices)
            return choices, {}
        except InvalidChoices as error:
            errors[error.field] = [error.reason]
    return None, errors


SHAPES = {
    "string": Label("must be a text", "文字列で指定してください"),
    "array": Label("must be a list of texts", "文字列のリストで指定してください"),
    "boolean": Label("must be true or false", "trueかfalseで指定してください"),
}


def _fits(value, kind):
    if kind == "array":
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    return isinstance(value, bool if kind == "boolean" else str)


class OneExport(_Exports):
    needs = {"GET": Can.EXPORT}

    @extend_schema(responses=ExportShown)
    def get(self, request, export_id):
        """What was asked for, how far it is, and what is in the file."""
        return Response(self.shown(self.of(export_id)))


class ExportCancellation(_Exports):
    needs = {"POST": Can.EXPORT}

    @extend_schema(request=None, responses={202: ExportShown})
    def post(self, request, export_id):
        """Stop an export that is not finished; nothing happens to one that is."""
        jobs.cancel(access=self.access, export=self.of(export_id))
        return Response(self.shown(self.of(export_id)), status=202)


class ExportFile(_Exports):
    needs = {"GET": Can.EXPORT}
    renderer_classes = (Zip, JSONRenderer)

    @extend_schema(responses=BINARY)
    def get(self, request, export_id):
        """The file, whole or the part in `Range`: a download that broke off goes on. 409 before the export is done."""
        export = self.of(export_id)
        if (file := jobs.file_of(export)) is None:
            raise Problem(409, _("This export has no file."))
        if "Range" not in request.headers:
            audit.record("export_downloaded", table=Export._meta.db_table, row_id=export.pk, detail={"format": "api"})
        return resumable(request, file, filename=export.filename, etag=export.sha256, content_type=Zip.media_type)
