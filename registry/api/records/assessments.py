"""Assessments: one for a patient and timepoint."""

from functools import lru_cache

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from registry.api.records.patients import RECORD, STATE_SCHEMA
from registry.api.shared import lists, request_body
from registry.api.shared.addresses import location_of
from registry.api.shared.etags import check_match, etag_of, shown
from registry.api.shared.idempotency import repeatable
from registry.api.shared.item_fields import (
    UPDATED_SINCE,
    Declared,
    code_filter,
    filters_of,
    item_schema,
    names_shown,
    own_shown,
    represent,
    represent_record,
    serializer,
    shown_fields,
    text_filter,
)
from registry.api.shared.problems import Problem
from registry.api.shared.resource import Resource
from registry.instruments import catalogue, value_sets
from registry.instruments.keys import ASSESSMENT_DATE, PATIENT_ID, SITE_CODE, TIMEPOINT
from registry.models import Assessment, Patient, State, Timepoint
from registry.models.records.clinical import ASSESSMENT_EXTRAS, ASSESSMENT_ITEMS, record_of
from registry.protocol.calculated import read_with
from registry.services import outcomes
from registry.services.entry.assessments import locked, looked_at, save_assessment
from registry.services.files.data_use import of_use_to, patient_of_use_to
from registry.services.follow_up.schedule import plans
from registry.services.records.storing import Conflict
from registry.tasks import start_patient_outcomes
from sites.tenancy.access import Can

DERIVED = tuple(derived for instrument in catalogue.OF_ASSESSMENT for derived in instrument.derived)
ANSWERS = (ASSESSMENT_DATE, *catalogue.items(catalogue.OF_ASSESSMENT))
# A registry may have timepoints beyond those it began with, so the schema closes no list.
TIMEPOINT_SCHEMA = {
    "type": "string",
    "maxLength": 8,
    "description": f"Code of the timepoint, as in the schedule: {', '.join(str(code) for code in TIMEPOINT.codes)}.",
}

AssessmentShown = serializer(
    "Assessment",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "timepoint": Declared(TIMEPOINT_SCHEMA, source="timepoint_id"),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        **shown_fields((ASSESSMENT_DATE, *ASSESSMENT_ITEMS, *ASSESSMENT_EXTRAS), DERIVED),
        "state": Declared(STATE_SCHEMA),
        **RECORD,
    },
    "What was assessed at one timepoint.",
)
AssessmentNew = serializer(
    "AssessmentNew",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "timepoint": Declared(TIMEPOINT_SCHEMA),
        **request_body.sent_fields(ANSWERS, reason=False),
    },
)
AssessmentChange = serializer(
    "AssessmentChange",
    request_body.sent_fields(ANSWERS),
    "Only what changes need be sent. A value sent ends the reason for its being missing.",
)

FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    text_filter("site_code", "site__code", "One site.", r"[A-Z][A-Z0-9]{0,7}"),
    text_filter("timepoint", "timepoint_id", "One timepoint.", r"[A-Za-z0-9_-]{1,8}"),
    code_filter("state", "state", State.values, "State of the form."),
    *filters_of((ASSESSMENT_DATE, *ASSESSMENT_ITEMS)),
    UPDATED_SINCE,
)
ORDERS = ("patient_id", "updated_at", "assessment_date")


def answers():
    """The items that a body may answer: the product's, and the study's own."""
    return _answers(catalogue.current())


@lru_cache(maxsize=8)
def _answers(protocol):
    return ANSWERS + catalogue.items(protocol.own.get("assessment", ()))


def visible(access):
    return of_use_to(access, Assessment.objects.filter(site_id__in=access.scope().read)).select_related(
        "site", *read_with(catalogue.current().own.get("assessment", ()))
    )


def _shown(row):
    return represent_record(AssessmentShown, row) | own_shown(row, "assessment")


def _is_timepoint(code):
    """Whether there is such a timepoint. Those of the schedule, which every save reads, are not asked for again."""
    if not isinstance(code, str):
        return False
    return any(planned.code == code for planned in plans().timepoints) or Timepoint.objects.filter(pk=code).exists()


def patient_named(resource, sent, name="patient_id", names=None):
    """The patient that a body names, or None with the fault noted: one of another site does not exist. `names` as of
    `one_visible_to`."""
    try:
        return patient_of_use_to(resource.access, sent.more[name] or "", names)
    except Patient.DoesNotExist:
        sent.errors.setdefault(name, [_("there is no such patient")])
        return None


class Assessments(Resource):
    tag = "Assessments"
    needs = {"GET": Can.READ, "POST": Can.ENTER}

    @extend_schema(
        parameters=lists.parameters(FILTERS, ORDERS, sparse=True), responses=lists.page_serializer(AssessmentShown)
    )
    def get(self, request):
        """The assessments of the sites that one may read."""
        names = names_shown(AssessmentShown, "assessment")
        return lists.page(request, visible(self.access), show=_shown, filters=FILTERS, orders=ORDERS, names=names)

    @extend_schema(request=AssessmentNew, responses={201: AssessmentShown})
    @repeatable
    def post(self, request):
        """Record the assessment of a patient at a timepoint where there is none yet."""
        body = dict(request.data)
        timepoint = body.pop("timepoint", None)
        sent = request_body.read(request, answers(), body=body, more=(PATIENT_ID,))
        patient = patient_named(self, sent, names=looked_at())
        if not _is_timepoint(timepoint):
            known = ", ".join(Timepoint.objects.values_list("pk", flat=True))
            sent.errors["timepoint"] = [_("must be one of %(codes)s") % {"codes": known}]
        if patient is None or "timepoint" in sent.errors:
            raise request_body.all_faults(sent, answers())
        self.access.require(Can.ENTER, patient.site_id)

        def save(**answers):
            return save_assessment(access=self.access, patient=patient, timepoint=timepoint, **answers)

        try:
            stored = request_body.store(sent, save)
        except Conflict as error:
            raise Problem(
                409,
                _("There is an assessment at this timepoint already: correct that one."),
                headers={"Location": self.address(request, error.current), "ETag": etag_of(error.current.version)},
            ) from error
        start_patient_outcomes(patient.pk)
        stored.site = patient.site
        headers = {"Location": self.address(request, stored)}
        return shown(request, _shown(stored), stored.version, status=201, headers=headers)

    def address(self, request, row):
        return location_of(request, "assessment", row.patient_id, row.timepoint_id)


class _One(Resource):
    tag = "Assessments"

    def of(self, patient_id, timepoint):
        """The Patient and the Assessment; Http404 where there is no such patient, or none of it."""
        patient = self.patient(patient_id)
        row = record_of(Assessment, patient, "timepoint_id = %s", [timepoint])
        if row is None:
            raise Http404
        return patient, row


class OneAssessment(_One):
    versioned = True
    needs = {"GET": Can.READ, "PATCH": Can.ENTER}

    @extend_schema(responses=AssessmentShown)
    def get(self, request, patient_id, timepoint):
        """The assessment of a patient at a timepoint."""
        _patient, row = self.of(patient_id, timepoint)
        return shown(request, _shown(row), row.version)

    @extend_schema(request=AssessmentChange, responses=AssessmentShown)
    def patch(self, request, patient_id, timepoint):
        """Enter more, complete or correct an assessment."""
        patient = self.patient(patient_id, looked_at())
        self.access.require(Can.ENTER, patient.site_id)
        row = locked(patient, timepoint)
        if row is None:
            raise Http404
        check_match(request, row.version)
        sent = request_body.read(request, answers())
        request_body.merged(sent, {answer.name: getattr(row, answer.name) for answer in answers()}, row.missing)

        def save(**answers):
            return save_assessment(
                access=self.access, patient=patient, timepoint=timepoint, version=row.version, row=row, **answers
            )

        stored = request_body.store(sent, save)
        start_patient_outcomes(patient.pk)
        stored.site = patient.site
        return shown(request, _shown(stored), stored.version)


NUMBER_OR_NULL = {"type": ["number", "null"]}
BY_VALUE_SET = {
    "type": "object",
    "properties": {value_set.code: NUMBER_OR_NULL for value_set in value_sets.ALL},
}
OutcomesShown = serializer(
    "Outcomes",
    {
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "timepoint": Declared(TIMEPOINT_SCHEMA),
        "hsuv": Declared(BY_VALUE_SET | {"description": "Health state utility value by each value set."}),
        "delta_hsuv": Declared(BY_VALUE_SET | {"description": "Its change since before surgery; null before it."}),
        **{
            f"delta_{name}": Declared(NUMBER_OR_NULL | {"description": f"Change of {name} since before surgery."})
            for name in outcomes.CHANGES
        },
    },
    "What follows from an assessment: null where an answer that it needs is missing.",
)


class AssessmentOutcomes(_One):
    needs = {"GET": Can.READ}

    @extend_schema(responses=OutcomesShown)
    def get(self, request, patient_id, timepoint):
        """HSUV by every value set, and changes since the assessment before surgery, of what is stored now."""
        patient, row = self.of(patient_id, timepoint)
        before = None
        if timepoint != outcomes.BASELINE:
            before = record_of(Assessment, patient, "timepoint_id = %s", [outcomes.BASELINE])
        after_hsuv, before_hsuv = _hsuv(row), _hsuv(before)
        shown_outcomes = {
            "patient_id": row.patient_id,
            "timepoint": row.timepoint_id,
            "hsuv": after_hsuv,
            "delta_hsuv": {code: _difference(value, before_hsuv[code]) for code, value in after_hsuv.items()},
        }
        for name in outcomes.CHANGES:
            shown_outcomes[f"delta_{name}"] = _difference(getattr(row, name), getattr(before, name, None))
        return Response(represent(OutcomesShown, shown_outcomes))


def _hsuv(row):
    """Value set → HSUV of an Assessment, or of none."""
    state = row and row.eq5d_state
    return {value_set.code: value_set.table()[state] if state else None for value_set in value_sets.ALL}


def _difference(after, before):
    return None if after is None or before is None else after - before
