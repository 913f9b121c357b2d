"""Bulk reads: the tables of an export streamed row by row, what there is of them, and the codebook of their columns."""

from django.conf import settings
from django.http import Http404, StreamingHttpResponse
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from registry.analysis.running.versions import product_version
from registry.api.analysis.exports import SCHEMAS, choices_read
from registry.api.records.reference import LABEL, TEXT
from registry.api.shared.item_fields import Declared, represent, serializer
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.exports import codebook, streaming
from registry.exports.choices import LISTS, Choices, InvalidChoices
from registry.exports.data.datasets import datasets, outputs
from registry.exports.data.selecting import ExportFailed, known_timepoints, selected
from registry.exports.folder import download_name
from registry.exports.formats.ordering import is_ordered
from registry.exports.package import SYNTHETIC
from sites import audit
from sites.models import Site
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can


class _Streamed(BaseRenderer):
    """For the negotiation alone: the rows are sent as they are read."""

    def render(self, data, *args, **kwargs):
        return data


class NDJSON(_Streamed):
    media_type, format, choice = "application/x-ndjson", "ndjson", "jsonl"


class CSV(_Streamed):
    media_type, format, choice = "text/csv", "csv", "csv"


class Parquet(_Streamed):
    media_type, format, choice = "application/vnd.apache.parquet", "parquet", "parquet"


STREAMS = (NDJSON, CSV, Parquet)
CHOSEN = (
    *("shape", "values", "language", "content", "value_sets", "timepoints", "instruments"),
    *("missing", "dates", "snapshot", "cohort"),
)


def _parameter(name, schema, description):
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


def _of_choice(name):
    schema = SCHEMAS[name]
    description = schema.get("description", "")
    if name in LISTS:
        return _parameter(
            name, {"type": "string", "default": ",".join(schema["default"])}, f"{description}. By commas."
        )
    kind = {"type": "string", "default": schema["default"]} | ({"enum": schema["enum"]} if "enum" in schema else {})
    return _parameter(name, kind, description)


OF_CHOICES = tuple(_of_choice(name) for name in CHOSEN)
FORMAT = _parameter(
    "format",
    {"type": "string", "enum": [renderer.format for renderer in STREAMS]},
    "What the rows come as, where Accept does not say it.",
)
FIELDS = _parameter("fields", {"type": "string"}, "Names of the columns that are wanted, by commas; all without it.")
SITES = _parameter("site_code", {"type": "string"}, "Only rows of these sites, by commas.")


def _commas(text):
    return tuple(part for part in text.split(",") if part)


def _asked(request, access, kind, known=()):
    """(Choices, other parameters) of a query; Problem 400 names every parameter that is not understood."""
    given, more, errors = {"format": kind}, {}, {}
    for name, values in request.query_params.lists():
        if len(values) > 1:
            errors[name[:80]] = [_("is given twice")]
        elif name in CHOSEN:
            given[name] = list(_commas(values[0])) if name in LISTS else values[0]
        elif name in known:
            more[name] = values[0]
        else:
            errors[name[:80]] = [_("is not a parameter of this list")]
    if given.get("cohort", "").isdecimal():
        given["cohort"] = int(given["cohort"][:20])
    choices, faults = choices_read(given, access)
    if errors | faults:
        raise bad_request(errors | faults)
    return choices, more


def _sites(more, allowed):
    """Codes of the sites asked for, () for all; Problem 400 for one that is none of the reader's, there or not."""
    if "site_code" not in more:
        return ()
    codes = _commas(more["site_code"])
    own = set(Site.objects.filter(pk__in=allowed).values_list("code", flat=True))
    if not codes or not own.issuperset(codes):
        raise bad_request({"site_code": [_("must be codes of sites whose rows you may export, by commas")]})
    return codes


def bad_request(errors):
    return Problem(400, _("The rows cannot be read with these parameters."), errors=errors)


# What there is

TableShown = serializer(
    "Table",
    {
        "name": Declared(TEXT),
        "label": Declared(LABEL),
        "rows": serializers.IntegerField(),
        "columns": Declared({"type": "array", "items": TEXT}),
        "address": Declared(TEXT | {"description": "Where its rows are streamed."}),
    },
)
COUNTED = {
    "type": "object",
    "properties": {
        "enrolled": {"type": "integer"},
        "exported": {"type": "integer"},
        "excluded": {
            "type": "array",
            "items": {"type": "object", "properties": {"reason": TEXT, "n": {"type": "integer"}}},
        },
        "erased": {"type": "integer"},
        "entered_in_error": {"type": "integer"},
    },
}
DataShown = serializer(
    "Data",
    {
        "synthetic": serializers.BooleanField(help_text="Whether these patients do not exist."),
        "sites": Declared({"type": "array", "items": TEXT}),
        "patients": Declared(COUNTED | {"description": "Who is in the rows, and who is left out for which reason."}),
        "flow": Declared({"type": "array", "items": {"type": "object"}, "description": "The cohort's steps."}),
        "tables": TableShown(many=True),
    },
    "What a bulk read with these choices would give.",
)


class _Bulk(Resource):
    tag = "Bulk data"
    needs = {"GET": Can.EXPORT}
    scopes = {"GET": TokenScope.EXPORT, "HEAD": TokenScope.EXPORT}


def _failed(error):
    return Problem(409, error.reason.in_language(get_language()))


class Data(_Bulk):
    @extend_schema(parameters=[*OF_CHOICES], responses=DataShown)
    def get(self, request):
        """The tables that can be streamed with these choices: rows, columns, and who is left out and why."""
        choices, _more = _asked(request, self.access, "jsonl")
        try:
            with selected(choices, self.access.sites_for(Can.EXPORT)) as chosen:
                return Response(represent(DataShown, self._shown(chosen)))
        except ExportFailed as error:
            raise _failed(error) from error

    def _shown(self, chosen):
        tables = [self._table(streaming.table_of(chosen, dataset.name)) for dataset in chosen.datasets]
        return {
            "synthetic": settings.SYNTHETIC,
            "sites": list(chosen.sites.values()),
            "patients": chosen.patients,
            "flow": chosen.flow,
            "tables": tables,
        }

    def _table(self, table):
        address = reverse("api:table", args=[table.dataset.name])
        query = self.request.GET.urlencode()
        return {
            "name": table.dataset.name,
            "label": {"en": table.dataset.label.en, "ja": table.dataset.label.ja},
            "rows": table.count(),
            "columns": [column.name for column in table.written],
            "address": self.request.build_absolute_uri(f"{address}?{query}" if query else address),
        }


# Rows

STREAM = {(200, renderer.media_type): OpenApiTypes.BINARY for renderer in STREAMS}


class Table(_Bulk):
    renderer_classes = (*STREAMS, JSONRenderer)  # the last for problem documents

    def perform_content_negotiation(self, request, force=False):
        asked = request.query_params.get("format")
        for renderer in self.get_renderers():
            if renderer.format == asked and isinstance(renderer, _Streamed):
                return renderer, renderer.media_type
        return super().perform_content_negotiation(request, force)

    @extend_schema(parameters=[FORMAT, FIELDS, SITES, *OF_CHOICES], responses=STREAM)
    def get(self, request, table):
        """The rows of one table, streamed as NDJSON, CSV or Parquet: those that an export with these choices has."""
        stream, sites = self._stream(), self.access.sites_for(Can.EXPORT)
        choices, more = _asked(request, self.access, stream.choice, ("format", "fields", "site_code"))
        wanted = table, _commas(more.get("fields", "")), _sites(more, sites)
        self._record(choices, sites, wanted)
        note = SYNTHETIC[choices.language] if settings.SYNTHETIC else f"Metaspine {product_version()}"

        def rows():
            with selected(choices, sites) as chosen:
                yield from streaming.blocks(streaming.table_of(chosen, *wanted), choices, note)

        name = download_name(f"metaspine-{table}-{localdate()}.{choices.kind.extension}")
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(streaming.streamed(rows), content_type=stream.media_type, headers=headers)

    def _stream(self):
        renderer, asked = self.request.accepted_renderer, self.request.query_params.get("format")
        if isinstance(renderer, _Streamed) and asked in (None, renderer.format):
            return renderer
        raise bad_request({"format": [_("must be one of %(codes)s") % {"codes": ", ".join(r.format for r in STREAMS)}]})

    def _record(self, choices, sites, wanted):
        """Put on record what leaves, once it is known that it can; Http404, Problem 400 or 409 where it cannot."""
        try:
            with selected(choices, sites) as chosen:
                table = streaming.table_of(chosen, *wanted)
                rows = table.count()
        except KeyError:
            raise Http404 from None
        except InvalidChoices as error:
            raise bad_request({error.field: [error.reason]}) from error
        except ExportFailed as error:
            raise _failed(error) from error
        detail = {"format": choices.format, "cohort": choices.cohort.name, "sites": len(table.sites)}
        detail |= {"identified": False, "rows": {wanted[0]: rows}, "streamed": True}
        detail |= {"snapshot": choices.snapshot} if choices.snapshot else {}
        audit.record_for_sites("export", table.sites, detail=detail)


# The codebook

COLUMN = {
    "type": "object",
    "properties": {
        "table": TEXT,
        "column": TEXT,
        "label": LABEL,
        "kind": {"type": "string", "enum": list(codebook.KINDS)},
        "unit": TEXT,
        "minimum": {"type": ["integer", "null"]},
        "maximum": {"type": ["integer", "null"]},
        "ordered": {"type": "boolean", "description": "Whether the codes stand in an order."},
        "codes": {
            "type": "array",
            "items": {"type": "object", "properties": {"code": {"type": ["string", "integer"]}, "label": LABEL}},
        },
        "timepoint": TEXT,
        "reason_for": {"type": "string", "description": "The column whose missing values this one explains."},
        "instrument": TEXT,
        "higher_is": {"type": "string", "enum": ["better", "worse", ""]},
        "source": TEXT,
        "licence": TEXT,
    },
}
CodebookShown = serializer("Codebook", {"items": Declared({"type": "array", "items": COLUMN})})


class Codebook(Resource):
    tag = "Bulk data"
    renderer_classes = (JSONRenderer, CSV)

    def perform_content_negotiation(self, request, force=False):
        if request.query_params.get("format") == CSV.format:
            return CSV(), CSV.media_type
        return super().perform_content_negotiation(request, force)

    @extend_schema(
        parameters=[
            _parameter("format", {"type": "string", "enum": ["json", "csv"]}, "Where Accept does not say it."),
            *(_of_choice(name) for name in CHOSEN if name not in ("snapshot", "cohort")),
        ],
        responses={(200, "application/json"): CodebookShown, (200, CSV.media_type): OpenApiTypes.BINARY},
    )
    def get(self, request):
        """Every column of the tables with these choices: label, codes and their order, range, source and licence."""
        choices, more = _asked(request, self.access, "csv", ("format",))
        if more.get("format", "json") not in ("json", "csv"):
            raise bad_request({"format": [_("must be one of %(codes)s") % {"codes": "json, csv"}]})
        tables = [(dataset, outputs(dataset, choices)) for dataset in _all_datasets(choices)]
        if isinstance(request.accepted_renderer, CSV):
            return Response(codebook.as_csv(codebook.rows(tables, choices)))
        items = [_column(dataset.name, column) for dataset, written in tables for column in written]
        return Response({"items": items})


def _all_datasets(choices: Choices):
    return datasets(choices, timepoints=known_timepoints())


def _column(table, column):
    variable, instrument = column.variable, column.variable.instrument
    own_range = not (column.reason_for or column.choices)
    return {
        "table": table,
        "column": column.name,
        "label": _label(column.label),
        "kind": column.kind,
        "unit": "" if column.reason_for else variable.unit,
        "minimum": variable.minimum if own_range else None,
        "maximum": variable.maximum if own_range else None,
        "ordered": is_ordered(column),
        "codes": [{"code": choice.code, "label": _label(choice.label)} for choice in column.choices],
        "timepoint": variable.timepoint,
        "reason_for": column.reason_for,
        "instrument": instrument.title.en if instrument else "",
        "higher_is": instrument.higher_is if instrument and not column.reason_for else "",
        "source": instrument.citation if instrument else "",
        "licence": instrument.licence if instrument else "",
    }


def _label(label):
    return {"en": label.en, "ja": label.ja}
