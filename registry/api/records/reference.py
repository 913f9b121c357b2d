"""What the registry is made of: sites, instruments, value sets, the schedule; and who asks."""

from dataclasses import dataclass

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.api.shared.item_fields import Declared, derived_schema, item_schema, serializer
from registry.api.shared.resource import Resource
from registry.instruments import catalogue, value_sets
from registry.instruments.base import MISSING_LABELS
from registry.services.follow_up import schedule
from sites.models import Site
from sites.people.tokens import TokenScope
from sites.tenancy.access import Can

LABEL = {
    "type": "object",
    "properties": {"en": {"type": "string"}, "ja": {"type": "string"}},
    "required": ["en", "ja"],
}
SCHEMA = {"type": "object", "description": "The JSON schema of a value."}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}


def _label(label):
    return label and {"en": label.en, "ja": label.ja}


def whole_list(of):
    """The serializer of a list that is not in pages."""
    return serializer(f"{of.__name__}List", {"items": of(many=True)})


# Sites

SiteShown = serializer(
    "Site",
    {
        "code": serializers.CharField(),
        "name": serializers.CharField(),
        "name_ja": serializers.CharField(),
        "region": serializers.CharField(),
        "enrolment_target": serializers.IntegerField(allow_null=True),
        "value_set": serializers.CharField(help_text="Used for the HSUV shown at this site."),
    },
    "A hospital that takes part.",
)


class Sites(Resource):
    tag = "Registry"

    @extend_schema(responses=whole_list(SiteShown))
    def get(self, request):
        """The sites that one may read; every site for an administrator."""
        return Response({"items": SiteShown(_sites(self.access), many=True).data})


class OneSite(Resource):
    tag = "Registry"

    @extend_schema(responses=SiteShown)
    def get(self, request, site_code):
        """One site."""
        return Response(SiteShown(get_object_or_404(_sites(self.access), code=site_code)).data)


def _sites(access):
    every = Site.objects.all()
    return every if access.may(Can.ADMINISTER) else every.filter(pk__in=access.scope().read)


# Instruments

CHOICE = {
    "type": "object",
    "properties": {"code": {"type": ["string", "integer"]}, "label": LABEL, "meaning": {"type": ["object", "null"]}},
}
ItemShown = serializer(
    "Item",
    {
        "name": Declared(TEXT),
        "label": Declared(LABEL),
        "kind": Declared(
            {
                "type": "string",
                "enum": ["integer", "decimal", "code", "codes", "date", "partial_date", "time", "text", "levels"],
            }
        ),
        "unit": Declared(TEXT),
        "choices": Declared({"type": "array", "items": CHOICE}),
        "hint": Declared({"type": ["object", "null"]}),
        "required": Declared({"type": "boolean", "description": "A complete form needs a value or a reason."}),
        "identifying": Declared({"type": "boolean"}),
        "schema": Declared(SCHEMA),
    },
)
DerivedShown = serializer(
    "Derived",
    {
        "name": Declared(TEXT),
        "label": Declared(LABEL),
        "items": Declared({"type": "array", "items": TEXT}),
        "schema": Declared(SCHEMA),
    },
)
InstrumentShown = serializer(
    "Instrument",
    {
        "code": Declared(TEXT),
        "version": Declared(TEXT),
        "title": Declared(LABEL),
        "record": Declared({"type": "string", "enum": ["patient", "assessment", "adverse_event", "repeat"]}),
        "higher_is": Declared({"type": "string", "enum": ["better", "worse", ""]}),
        "optional": Declared({"type": "boolean", "description": "An extra: asked where it is switched on."}),
        "citation": Declared(TEXT),
        "licence": Declared(TEXT),
        "items": ItemShown(many=True),
        "derived": DerivedShown(many=True),
        "missing_reasons": Declared({"type": "object", "additionalProperties": LABEL}),
    },
    "An instrument as declared: its items with codes, ranges and words in English and Japanese.",
)


def _record_of(instrument):
    current = catalogue.current()
    records = {
        "patient": current.of_patient,
        "assessment": current.of_assessment,
        "adverse_event": catalogue.ADVERSE_EVENTS,
        "repeat": current.repeats,
    }
    return next(record for record, some in records.items() if instrument in some)


def instrument_told(instrument):
    """An instrument's declaration as plain data."""
    return {
        "code": instrument.code,
        "version": instrument.version,
        "title": _label(instrument.title),
        "record": _record_of(instrument),
        "higher_is": instrument.higher_is,
        "optional": instrument.optional,
        "citation": instrument.citation,
        "licence": instrument.licence,
        "items": [_item(item) for item in instrument.items],
        "derived": [
            {
                "name": derived.name,
                "label": _label(derived.label),
                "items": list(derived.items),
                "schema": derived_schema(derived),
            }
            for derived in instrument.derived
        ],
        "missing_reasons": {code: _label(label) for code, label in MISSING_LABELS.items()},
    }


def _item(item):
    return {
        "name": item.name,
        "label": _label(item.label),
        "kind": item.kind,
        "unit": item.unit,
        "choices": [
            {"code": choice.code, "label": _label(choice.label), "meaning": _label(choice.meaning)}
            for choice in item.choices
        ],
        "hint": _label(item.hint),
        "required": item.required,
        "identifying": item.identifying,
        "schema": item_schema(item),
    }


class Instruments(Resource):
    tag = "Instruments"

    @extend_schema(responses=whole_list(InstrumentShown))
    def get(self, request):
        """Every instrument of the registry, declared."""
        return Response({"items": [instrument_told(instrument) for instrument in catalogue.current().instruments]})


class OneInstrument(Resource):
    tag = "Instruments"

    @extend_schema(responses=InstrumentShown)
    def get(self, request, code):
        """One instrument, declared."""
        try:
            return Response(instrument_told(catalogue.instrument(code)))
        except KeyError:
            raise Http404 from None


# Value sets

ValueSetShown = serializer(
    "ValueSet",
    {
        "code": Declared(TEXT),
        "version": Declared(TEXT),
        "country": Declared(LABEL),
        "doi": Declared(TEXT),
        "pubmed": Declared(TEXT),
        "terms": Declared(
            {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "description": "Coefficients, added to one another: term to number, as published.",
            }
        ),
    },
    "An EQ-5D-5L value set: what a health state is worth in a country.",
)


def _value_set(value_set):
    return {
        "code": value_set.code,
        "version": value_set.version,
        "country": _label(value_set.label),
        "doi": value_set.doi,
        "pubmed": value_set.pubmed,
        "terms": {name: float(value) for name, value in value_set.terms.items()},
    }


class ValueSets(Resource):
    tag = "Instruments"

    @extend_schema(responses=whole_list(ValueSetShown))
    def get(self, request):
        """Every EQ-5D-5L value set with its coefficients."""
        return Response({"items": [_value_set(value_set) for value_set in value_sets.ALL]})


class OneValueSet(Resource):
    tag = "Instruments"

    @extend_schema(responses=ValueSetShown)
    def get(self, request, code):
        """One EQ-5D-5L value set."""
        try:
            return Response(_value_set(value_sets.get(code)))
        except KeyError:
            raise Http404 from None


# Schedule

TimepointShown = serializer(
    "Timepoint",
    {
        "code": serializers.CharField(),
        "label": serializers.CharField(source="label.en"),
        "label_ja": serializers.CharField(source="label.ja"),
        "target_day": serializers.IntegerField(source="day", help_text="Counted from the day of surgery."),
        "days_before": serializers.IntegerField(
            source="before", help_text="The window opens so many days before the target day."
        ),
        "days_after": serializers.IntegerField(
            source="after", help_text="The window closes so many days after the target day."
        ),
    },
    "A planned visit.",
)


class Schedule(Resource):
    tag = "Registry"

    @extend_schema(responses=whole_list(TimepointShown))
    def get(self, request):
        """The visits planned for patients who are operated today, in their order."""
        return Response({"items": TimepointShown(schedule.plans().on(timezone.localdate()), many=True).data})


# Who asks


@dataclass(frozen=True)
class _Role:
    role: str
    site_code: str | None


RoleShown = serializer("Role", {"role": Declared(TEXT), "site_code": Declared(TEXT_OR_NULL)})
TokenShown = serializer(
    "Token",
    {
        "name": Declared(TEXT),
        "scopes": Declared(
            {"type": "array", "items": {"type": "string", "enum": [scope.value for scope in TokenScope]}}
        ),
        "expires_at": serializers.DateTimeField(),
    },
)
MeShown = serializer(
    "Me",
    {
        "email": serializers.EmailField(),
        "name": serializers.CharField(),
        "roles": RoleShown(many=True),
        "may": Declared({"type": "array", "items": {"type": "string", "enum": [ability.value for ability in Can]}}),
        "token": TokenShown(allow_null=True),
        "now": serializers.DateTimeField(),
    },
    "Who asks, and what is left of the person's abilities to the token.",
)


class Me(Resource):
    tag = "Registry"

    @extend_schema(responses=MeShown)
    def get(self, request):
        """Who asks, with which roles, and by which token."""
        codes = dict(Site.objects.values_list("pk", "code"))
        access = self.access
        shown = {
            "email": request.user.email,
            "name": request.user.name,
            "roles": [_Role(grant.role.value, codes.get(grant.site_id)) for grant in access.grants],
            "may": [ability.value for ability in Can if access.may(ability)],
            "token": request.auth,
            "now": timezone.now(),
        }
        return Response(MeShown(shown).data)
