"""Queries: read, raised, answered, opened again and closed, by the same steps as on the pages."""

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from registry.api.records.assessments import TIMEPOINT_SCHEMA, patient_named
from registry.api.records.reference import TEXT, TEXT_OR_NULL
from registry.api.shared import lists, request_body
from registry.api.shared.addresses import location_of
from registry.api.shared.etags import check_match, shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import (
    Declared,
    Filter,
    code_filter,
    item_schema,
    moment_filter,
    only_code,
    represent,
    serializer,
    text_filter,
    whole,
)
from registry.api.shared.resource import Resource
from registry.instruments import catalogue, checks
from registry.instruments.base import Item, Label
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import AdverseEvent, OwnRecord, Query, QueryForm, QueryMessage, QueryState, Timepoint
from registry.services.files.data_use import of_use_to
from registry.services.review import queries
from registry.services.review.soft_checks import Form, every_check, own_checks
from sites.tenancy.access import Can

RULES = {check.name: check.message for check in every_check(checks.SCHEDULE)}
FORM = {
    "type": "string",
    "enum": QueryForm.values,
    "description": (
        "The form that it is about; an assessment also has its timepoint, an adverse event and a record of a "
        "repeating form its id."
    ),
}
TIMEPOINT_OR_NULL = TIMEPOINT_SCHEMA | {"type": ["string", "null"]}
EVENT = Item(
    name="event_id",
    label=Label("Id of the adverse event", "有害事象のID"),
    kind="integer",
    minimum=1,
    maximum=2**53,
    required=False,
)
RECORD = Item(
    name="own_record_id",
    label=Label("Id of the record of a repeating form", "繰り返し調査票の記録のID"),
    kind="integer",
    minimum=1,
    maximum=2**53,
    required=False,
)
FIELD = whole("field", "Item of the form; none for the form as a whole", ja="項目", max_length=63)
WORDS = {"type": "object", "additionalProperties": True}

MessageShown = serializer(
    "QueryMessage",
    {
        "kind": Declared({"type": "string", "enum": QueryMessage.Kind.values}),
        "text": Declared(TEXT),
        "by": Declared(TEXT_OR_NULL | {"description": "Whose step it is; null for the rule itself."}),
        "at": serializers.DateTimeField(),
    },
    "One step of a query.",
)
QueryShown = serializer(
    "Query",
    {
        "id": serializers.IntegerField(),
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        "form": Declared(FORM),
        "timepoint": Declared(TIMEPOINT_OR_NULL, source="timepoint_id"),
        "event_id": Declared(item_schema(EVENT)),
        "own_record_id": Declared(item_schema(RECORD)),
        "field": Declared(TEXT_OR_NULL | {"description": "The item; null for the form as a whole."}),
        "rule": Declared(TEXT_OR_NULL | {"description": "The soft check that raised it; null where a person did."}),
        "question": Declared(TEXT | {"description": "As a person asked it, or as the rule says it."}),
        "state": Declared({"type": "string", "enum": QueryState.values}),
        "seen": Declared(WORDS | {"description": "The answers that the rule found unlikely."}),
        "raised_by": Declared(TEXT_OR_NULL),
        "raised_at": serializers.DateTimeField(),
        "changed_at": serializers.DateTimeField(),
        "messages": MessageShown(many=True),
    },
    "A query with its thread.",
)
QueryNew = serializer(
    "QueryNew",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "form": Declared(FORM),
        "timepoint": Declared(TIMEPOINT_OR_NULL),
        "event_id": Declared(item_schema(EVENT)),
        "own_record_id": Declared(item_schema(RECORD)),
        "field": Declared(item_schema(FIELD)),
        "text": Declared(item_schema(queries.TEXT, nullable=False)),
    },
)
QueryStep = serializer("QueryStep", {"text": Declared(item_schema(queries.TEXT, nullable=False))})
QueryEnd = serializer("QueryEnd", {"text": Declared(item_schema(queries.TEXT))}, "A word to it may be left out.")

PERSON, RULE = "person", "rule"
RAISED_BY = Filter(
    "raised_by",
    "rule__isnull",
    {"type": "string", "enum": [PERSON, RULE]},
    "Raised by a person, or by one of the rules.",
    lambda text: only_code(text, (PERSON, RULE)) == PERSON,
)
FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    code_filter("state", "state", QueryState.values, "State of the query."),
    code_filter("form", "form", QueryForm.values, "Kind of form."),
    text_filter("timepoint", "timepoint_id", "Assessments of one timepoint.", r"[A-Za-z0-9_-]{1,8}"),
    text_filter("field", "field", "One item.", r"[a-z0-9_]{1,63}"),
    RAISED_BY,
    code_filter("rule", "rule", RULES, "Raised by one of these rules."),
    moment_filter("raised_since", "raised_at", "Raised at that moment or later."),
    moment_filter("changed_since", "changed_at", "With a step at that moment or later."),
)
ORDERS = ("raised_at", "changed_at", "patient_id")


def question(query):
    """The question as a person asked it, or the rule's words in the language of the request."""
    if query.text:
        return query.text
    own = {check.name: check.message for check in own_checks(catalogue.current())}
    message = RULES.get(query.rule) or own.get(query.rule)
    return message.in_language(get_language()) if message else query.rule or ""


def _name(person):
    return person.name if person is not None else None


def _thread(query):
    return sorted(query.messages.all(), key=lambda message: message.pk)


def _shown(query):
    query.question = question(query)
    shown = represent(QueryShown, query)
    steps = [
        {"kind": message.kind, "text": message.text, "by": _name(message.by), "at": message.at}
        for message in _thread(query)
    ]
    return shown | {"raised_by": _name(query.raised_by), "messages": MessageShown(steps, many=True).data}


def _version(query):
    """Every step leaves a message, so the last one says which state of the query this is."""
    return max((message.pk for message in query.messages.all()), default=0)


class _Queries(Resource):
    tag = "Queries"

    def is_for(self, access):
        return bool(queries.discussed(access))

    def visible(self):
        rows = Query.objects.visible_to(self.access).filter(site_id__in=queries.discussed(self.access))
        return of_use_to(self.access, rows).select_related("site", "raised_by").prefetch_related("messages__by")

    def of(self, query_id):
        return get_object_or_404(self.visible(), pk=query_id)

    def answered(self, query, **more):
        query = self.of(query.pk)
        return shown(self.request, _shown(query), _version(query), **more)


class Queries(_Queries):
    needs = {"GET": Can.READ, "POST": Can.QUERY}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(QueryShown))
    def get(self, request):
        """The queries of the sites in whose queries one takes part, with their threads."""
        return lists.page(request, self.visible(), show=_shown, filters=FILTERS, orders=ORDERS)

    @extend_schema(request=QueryNew, responses={201: QueryShown})
    @repeatable
    def post(self, request):
        """Raise a query about a form, or one of its items. The same question that is still open is not asked twice."""
        body = dict(request.data)
        kind, timepoint = body.pop("form", None), body.pop("timepoint", None)
        more = (PATIENT_ID, EVENT, RECORD, FIELD, queries.TEXT)
        sent = request_body.read(request, (), body=body, more=more, forms=False)
        patient = patient_named(self, sent)
        form = _form(patient, kind, timepoint, sent)
        if patient is None:
            raise request_body.refused(_faults_of_text(sent) | sent.errors)
        self.access.require(Can.QUERY, patient.site_id)

        def save(**_more):
            return queries.raise_query(
                access=self.access,
                patient=patient,
                form=form,
                field=sent.more["field"],
                text=sent.more["text"],
            )

        if form is None:
            raise request_body.refused(_faults_of_text(sent) | sent.errors)
        query = request_body.store(sent, save)
        location = location_of(request, "query", query.pk)
        return self.answered(query, status=201, headers={"Location": location})


def _form(patient, kind, timepoint, sent):
    """The `Form` that a body names, or None with the faults noted in `sent`."""
    event, field, errors = sent.more["event_id"], sent.more["field"], sent.errors
    if kind not in QueryForm.values:
        errors["form"] = [_("must be one of %(codes)s") % {"codes": ", ".join(QueryForm.values)}]
        return None
    if kind == QueryForm.ASSESSMENT:
        if not isinstance(timepoint, str) or not Timepoint.objects.filter(pk=timepoint).exists():
            known = ", ".join(Timepoint.objects.values_list("pk", flat=True))
            errors["timepoint"] = [_("must be one of %(codes)s") % {"codes": known}]
    elif timepoint is not None:
        errors["timepoint"] = [_("is for a query about an assessment")]
    if kind == QueryForm.ADVERSE_EVENT:
        if patient is not None and not _has_event(patient, event):
            errors.setdefault("event_id", [_("there is no such adverse event of this patient")])
    elif event is not None:
        errors["event_id"] = [_("is for a query about an adverse event")]
    own = _own_form(patient, kind, sent)
    if field is not None and field not in queries.items_for(kind, own):
        errors["field"] = [_("This form has no such item.")]
    if errors.keys() & {"timepoint", "event_id", "own_record_id", "field"}:
        return None
    return Form(kind, timepoint=timepoint, event=event, own=own, record=sent.more["own_record_id"])


def _own_form(patient, kind, sent):
    """The code of the repeating form that the body's record is of; None with the fault noted where there is none."""
    number = sent.more["own_record_id"]
    if kind != QueryForm.OWN_RECORD:
        if number is not None:
            sent.errors["own_record_id"] = [_("is for a query about a record of a repeating form")]
        return None
    if patient is None:
        return None
    mine = OwnRecord.objects.filter(patient_id=patient.pk, site_id=patient.site_id, pk=number)
    own = mine.values_list("form", flat=True).first()
    if own is None:
        sent.errors.setdefault("own_record_id", [_("there is no such record of this patient")])
    return own


def _has_event(patient, event_id):
    mine = AdverseEvent.objects.filter(patient_id=patient.pk, site_id=patient.site_id)
    return event_id is not None and mine.filter(pk=event_id).exists()


def _faults_of_text(sent):
    try:
        queries.cleaned(sent.more["text"])
    except queries.InvalidAnswers as error:
        return error.errors
    return {}


class OneQuery(_Queries):
    versioned = True
    needs = {"GET": Can.READ}

    @extend_schema(responses=QueryShown)
    def get(self, request, query_id):
        """One query with its thread."""
        return self.answered(self.of(query_id))


class _Step(_Queries):
    """One step of a query: `take` is the service's function, `needs` who may take it."""

    may_match = True
    take: Callable[..., Any]

    def step(self, request, query_id):
        query = self.of(query_id)
        self.access.require(self.needs["POST"], query.site_id)
        if "If-Match" in request.headers:
            Query.objects.select_for_update().get(pk=query.pk)
            query = self.of(query_id)  # as it is now that nobody else can change it
            check_match(request, _version(query))
        sent = request_body.read(request, (), more=(queries.TEXT,), forms=False)

        def save(**_more):
            return type(self).take(access=self.access, query=query, text=sent.more["text"])

        return self.answered(request_body.store(sent, save))


class QueryAnswer(_Step):
    needs = {"POST": Can.ENTER}
    take = staticmethod(queries.answer)

    @extend_schema(request=QueryStep, responses=QueryShown)
    @repeatable
    def post(self, request, query_id):
        """Answer an open query, at the site. 409 where it is answered or closed already."""
        return self.step(request, query_id)


class QueryReopening(_Step):
    needs = {"POST": Can.QUERY}
    take = staticmethod(queries.reopen)

    @extend_schema(request=QueryStep, responses=QueryShown)
    @repeatable
    def post(self, request, query_id):
        """Ask again, saying why the answer does not do. 409 where it is open."""
        return self.step(request, query_id)


class QueryClosing(_Step):
    needs = {"POST": Can.QUERY}
    take = staticmethod(queries.close)

    @extend_schema(request=QueryEnd, responses=QueryShown)
    @repeatable
    def post(self, request, query_id):
        """Close a query, answered or not. 409 where it is closed already."""
        return self.step(request, query_id)
