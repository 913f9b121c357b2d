"""What was entered in error: a patient, assessment or adverse event is marked, with a reason; that is taken back."""

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from registry.api.shared import lists, request_body
from registry.api.shared.etags import check_match
from registry.api.shared.item_fields import Declared, code_filter, item_schema, represent, serializer, text_filter
from registry.api.shared.problems import Problem, refused
from registry.api.shared.resource import Resource
from registry.instruments.base import Item, Label
from registry.instruments.keys import PATIENT_ID, SITE_CODE
from registry.models import AdverseEvent, Assessment, EnteredInError
from registry.models.records.moves import LONGEST_REASON
from registry.services.entry import entered_in_error as service
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.tasks import start_patient_outcomes
from sites.tenancy.access import Can

REASON = Item(name="reason", label=Label("Reason", "理由"), kind="text", max_length=LONGEST_REASON)
EntryShown = serializer(
    "EnteredInError",
    {
        "id": serializers.IntegerField(),
        "status": Declared({"type": "string", "enum": ["entered-in-error", "taken-back"]}),
        "form": Declared({"type": "string", "enum": EnteredInError.Kind.values}),
        "patient_id": Declared(item_schema(PATIENT_ID, nullable=False)),
        "site_code": Declared(item_schema(SITE_CODE, nullable=False), source="site.code"),
        "record": serializers.CharField(help_text="Key of the record; a patient's is the number."),
        "code": serializers.CharField(help_text="Timepoint of an assessment, code of an own form; empty otherwise."),
        "reason": serializers.CharField(),
        "merged_into": serializers.CharField(help_text="The patient whose record has taken this one over; or empty."),
        "marked_at": serializers.DateTimeField(),
        "taken_back_at": serializers.DateTimeField(allow_null=True),
        "taken_back_reason": serializers.CharField(),
    },
    "A mark on a record that was entered in error.",
)
Marking = serializer("EnteredInErrorReason", {"reason": Declared(item_schema(REASON, nullable=False))})
FILTERS = (
    text_filter("patient_id", "patient_id", "One patient.", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"),
    code_filter("form", "form", EnteredInError.Kind.values, "Kind of record."),
)
ORDERS = ("marked_at",)


def _shown(entry):
    entry.status = "entered-in-error" if entry.taken_back_at is None else "taken-back"
    return represent(EntryShown, entry)


def _reason(request):
    sent = request_body.read(request, (), forms=False)
    if sent.errors:
        raise refused(sent.errors)
    return sent.reason


def _carried_out(act):
    try:
        entry = act()
    except ReasonRequired:
        raise refused({"reason": [_("is needed")]}) from None
    except InvalidAnswers as error:
        raise Problem(409, "", errors=error.errors) from None
    entry.refresh_from_db()
    start_patient_outcomes(entry.patient_id)
    return entry


class _Marks(Resource):
    """Marks one record; If-Match says which version was read."""

    tag = "Entered in error"
    needs = {"POST": Can.ENTER}
    may_match = True

    def mark(self, request, row, patient_site):
        self.access.require(Can.ENTER, patient_site)
        if "If-Match" in request.headers:
            check_match(request, row.version)
        reason = _reason(request)
        entry = _carried_out(lambda: service.mark(access=self.access, row=row, version=row.version, reason=reason))
        return Response(_shown(entry))


class PatientInError(_Marks):
    @extend_schema(request=Marking, responses=EntryShown)
    def post(self, request, patient_id):
        """Mark a patient, with everything of the patient's, as entered in error."""
        patient = self.patient(patient_id)
        return self.mark(request, patient, patient.site_id)


class AssessmentInError(_Marks):
    @extend_schema(request=Marking, responses=EntryShown)
    def post(self, request, patient_id, timepoint):
        """Mark an assessment as entered in error."""
        patient = self.patient(patient_id)
        of_patient = Assessment.objects.filter(site_id=patient.site_id, patient_id=patient.pk)
        return self.mark(request, get_object_or_404(of_patient, timepoint_id=timepoint), patient.site_id)


class EventInError(_Marks):
    @extend_schema(request=Marking, responses=EntryShown)
    def post(self, request, event_id):
        """Mark an adverse event as entered in error."""
        own = AdverseEvent.objects.filter(site_id__in=self.access.scope().read)
        event = get_object_or_404(own, pk=event_id)
        return self.mark(request, event, event.site_id)


class EntriesInError(Resource):
    tag = "Entered in error"
    needs = {"GET": Can.READ}

    @extend_schema(parameters=lists.parameters(FILTERS, ORDERS), responses=lists.page_serializer(EntryShown))
    def get(self, request):
        """The marks on records of the sites that one may read; those taken back too."""
        rows = EnteredInError.objects.filter(site_id__in=self.access.scope().read).select_related("site")
        return lists.page(request, rows, show=_shown, filters=FILTERS, orders=ORDERS)


class EntryTakenBack(Resource):
    tag = "Entered in error"
    needs = {"POST": Can.ENTER}

    @extend_schema(request=Marking, responses=EntryShown)
    def post(self, request, entry_id):
        """Let a marked record count again."""
        own = EnteredInError.objects.filter(site_id__in=self.access.scope().read).select_related("site")
        entry = get_object_or_404(own, pk=entry_id)
        self.access.require(Can.ENTER, entry.site_id)
        reason = _reason(request)
        try:
            entry = _carried_out(lambda: service.take_back(access=self.access, entry=entry, reason=reason))
        except Conflict:
            raise Problem(409, _("This was taken back already.")) from None
        return Response(_shown(entry))
