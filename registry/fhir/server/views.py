"""The addresses of the FHIR server: metadata, Patient, Questionnaire, QuestionnaireResponse, Observation."""

import re
from datetime import date
from urllib.parse import parse_qs

from django.http import Http404
from django.utils import timezone
from rest_framework.response import Response

from registry.analysis.running.versions import product_version
from registry.api.shared.etags import as_given
from registry.api.shared.idempotency import repeatable
from registry.fhir.mapping import capability, names, observations, patients, questionnaires, responses
from registry.fhir.mapping.faults import Fault, InvalidResource
from registry.fhir.server import answers, entered_in_error, searching
from registry.fhir.server.bundles import searchset
from registry.fhir.server.resource import Refused, Resource, shown
from registry.instruments import catalogue, spelling
from registry.instruments.base import InvalidValue, Label
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient
from registry.services.entry import own_records
from registry.services.entry.patients import AlreadyEnrolled, enrol, with_hospital_number
from registry.services.files.data_use import of_use_to, patient_of_use_to
from registry.services.records.cleaning import InvalidAnswers
from registry.services.review.forms import own_records_of
from sites.models import Site
from sites.tenancy.access import Can

GENDERS = "http://hl7.org/fhir/administrative-gender"
SINCE = date(2026, 11, 1)
NO_MATCH = Label(
    'Send If-Match with the version that was read, such as W/"3".',
    'If-Matchで読み込んだ版（例：W/"3"）を送ってください。',
)
NO_PATIENT = Label(
    "Name one patient of this server: patient=S07-0012.",
    "このサーバーの患者を1人指定してください（patient=S07-0012）。",
)
BY_POST = Label(
    "A hospital's number stands in no address, which logs keep: search by POST Patient/_search.",
    "病院の患者番号はログに残るためURLに書けません。POST Patient/_searchで検索してください。",
)
OTHER_ID = Label("is not the id of this address", "アドレスのidと一致しません")
OTHER_SITE = Label("must be a site where you enter data", "データ入力ができる施設ではありません")


BAD_CONDITION = Label(
    "If-None-Exist takes one identifier with its system: identifier={v}|… or identifier={w}|….",
    "If-None-Existには識別子を1つ、体系とともに指定してください（identifier={v}|… または identifier={w}|…）。",
).format(v=names.HOSPITAL_NUMBER, w=names.PATIENT_ID)
NUMBER_KNOWN = Label(
    "A patient with this hospital number is enrolled already: send If-None-Exist to be told who.",
    "この患者番号の患者は登録済みです。If-None-Existを付けて送ると該当する患者が返ります。",
)
ALIKE = Label(
    "Already enrolled as {v}? Send the extension {w} with valueBoolean true if this is somebody else.",
    "{v}として登録済みではありませんか。別人の場合は拡張{w}をvalueBoolean trueで送ってください。",
)
SEVERAL = Label("Several patients have this identifier.", "この識別子の患者が複数います。")


class Nothing(Resource):
    """What answers for a kind of resource that is not here."""

    permission_classes, searches = (), True

    def get(self, request, rest):
        raise Http404

    post = put = get


class Metadata(Resource):
    permission_classes, searches = (), True  # engines ask for it with parameters of their own

    def get(self, request):
        return Response(capability.statement(self.base, product_version(), SINCE))


class Questionnaires(Resource):
    searches = True

    def get(self, request):
        searching.check(request, "Questionnaire")
        ids, addresses = (searching.several(request, name) for name in ("_id", "url"))
        resources = [
            questionnaires.questionnaire(instrument, self.base)
            for instrument in catalogue.current().instruments
            if (ids is None or names.resource_id(instrument.code) in ids)
            and _is_meant(instrument, addresses, self.base)
        ]
        return Response(searchset(request, resources, total=len(resources)))


def _is_meant(instrument, addresses, base):
    """Whether one of some addresses is that of an instrument's Questionnaire: whole or relative, with or without its
    version after a bar. Every instrument is where there are no addresses (None).
    """
    own = names.resource_id(instrument.code)
    places = own, f"Questionnaire/{own}", f"{base}/Questionnaire/{own}"
    return addresses is None or any(
        place in places and version in ("", instrument.version)
        for place, _, version in (address.partition("|") for address in addresses)
    )


class OneQuestionnaire(Resource):
    def get(self, request, code):
        if code not in names.instruments():
            raise Http404
        return Response(questionnaires.questionnaire(names.instruments()[code], self.base))


class OfPatients(Resource):
    def patient(self, patient_id):
        """The patient, if the person may read the site; Http404 otherwise: others' patients do not exist."""
        try:
            return patient_of_use_to(self.access, patient_id)
        except Patient.DoesNotExist:
            raise Http404 from None


def _patient(patient, codes):
    values = {name: getattr(patient, name) for name in ("sex", "vital_status", "consent_date")}
    return patients.written(
        patient.pk, codes[patient.site_id], values, version=patient.version, updated_at=patient.updated_at
    )


def _codes():
    return dict(Site.objects.values_list("pk", "code"))


class Patients(OfPatients):
    searches = conditional = True

    def get(self, request):
        """Patients in the order of their numbers; the next page begins after the last."""
        self.access.require(Can.READ)
        searching.check(request, "Patient")
        count = searching.count_of(request)
        rows = of_use_to(self.access, Patient.objects.visible_to(self.access), "").order_by("pk")
        rows = rows.filter(**{f"updated_at__{side}": moment for side, moment in searching.updated(request).items()})
        if (ids := searching.several(request, "_id")) is not None:
            rows = rows.filter(pk__in=[_decoded(text) for text in ids])
        if (tokens := searching.several(request, "identifier")) is not None:
            rows = rows.filter(pk__in=[number for token in tokens for number in self._with_identifier(token)])
        if (genders := searching.several(request, "gender")) is not None:
            of_system = [token.rpartition("|")[2] for token in genders if token.rpartition("|")[0] in ("", GENDERS)]
            rows = rows.filter(sex__in=of_system)
        total = rows.count() if searching.wants_total(request) else None
        if after := request.GET.get("_after"):
            rows = rows.filter(pk__gt=after)
        page_rows, codes = list(rows[: count + 1]), _codes()
        following = None
        if len(page_rows) > count:
            following = request.GET.copy()
            following["_after"] = page_rows[count - 1].pk
            following = following.urlencode()
        shown_patients = [_patient(patient, codes) for patient in page_rows[:count]]
        return Response(searchset(request, shown_patients, total=total, following=following))

    def _with_identifier(self, token):
        """Numbers of the patients that a token names: a system, a bar and a value, or a value of any system."""
        system, bar, value = token.rpartition("|")
        if system == names.PATIENT_ID or not bar:
            yield spelling.as_number(value)
        if system == names.HOSPITAL_NUMBER and not getattr(self.request._request, "is_part", False):
            raise Refused(400, BY_POST, "not-supported")
        if system == names.HOSPITAL_NUMBER and (number := _local_number(value)):
            for site in Site.objects.filter(pk__in=self.access.sites_for(Can.IDENTIFY)):
                for patient in with_hospital_number(access=self.access, site=site, number=number):
                    yield patient.pk

    @repeatable
    def post(self, request):
        """Enrol a patient, who gets the site's next number; with If-None-Exist only where nobody has the identifier."""
        self.access.require(Can.ENTER)
        asked = patients.read(self.sent)
        site = Site.objects.filter(pk__in=self.access.sites_for(Can.ENTER), code=asked.site_code).first()
        if site is None:
            raise InvalidResource([Fault("Patient.managingOrganization", "value", OTHER_SITE)])
        known = self._known(request, site, asked)
        if known is not None:
            return self._answered(known, 200)
        try:
            patient = enrol(
                access=self.access,
                site=site,
                raw=asked.raw,
                consented=asked.consented,
                hospital_number=asked.hospital_number,
                other_than=None if asked.another_person else (),
            )
        except AlreadyEnrolled as error:
            known = ", ".join(patient.patient_id for patient in error.known)
            raise Refused(409, ALIKE.format(v=known, w=names.ANOTHER_PERSON), "duplicate", "Patient") from error
        except InvalidAnswers as error:
            raise InvalidResource(
                [
                    Fault(patients.PATHS.get(name, "Patient"), "value", reason)
                    for name, reasons in error.errors.items()
                    for reason in reasons
                ]
            ) from error
        return self._answered(patient, 201)

    def _answered(self, patient, status):
        resource = _patient(patient, _codes())
        return shown(resource, status, Location=f"{self.base}/Patient/{resource['id']}")

    def _known(self, request, site, asked):
        """The one patient that If-None-Exist names; None for nobody. Refused where it names several, and where the
        hospital's number is somebody's already and nothing was said of that.
        """
        system, value = _condition(request)
        if system == names.HOSPITAL_NUMBER:
            patients = with_hospital_number(access=self.access, site=site, number=value)
        else:
            patients = [*Patient.objects.filter(pk=value, site=site)] if value else []
        if len(patients) > 1:
            raise Refused(412, SEVERAL, "multiple-matches", "If-None-Exist")
        number = asked.hospital_number
        asked_about = not number or (system, value) == (names.HOSPITAL_NUMBER, number)
        if not (patients or asked_about) and with_hospital_number(access=self.access, site=site, number=number):
            raise Refused(409, NUMBER_KNOWN, "duplicate", "Patient.identifier")
        return patients[0] if patients else None


def _condition(request):
    """(system, value in its one spelling) of If-None-Exist; two empty texts where there is none."""
    condition = request.headers.get("If-None-Exist")
    if condition is None:
        return "", ""
    given = parse_qs(condition.lstrip("?"), keep_blank_values=True)
    system, bar, value = given.get("identifier", [""])[0].rpartition("|")
    if [*given] != ["identifier"] or len(given["identifier"]) != 1 or not bar or not value:
        raise Refused(400, BAD_CONDITION, "not-supported", "If-None-Exist")
    spelled = {names.HOSPITAL_NUMBER: spelling.local_number, names.PATIENT_ID: spelling.number}.get(system)
    if spelled is None:
        raise Refused(400, BAD_CONDITION, "not-supported", "If-None-Exist")
    try:
        return system, spelled(value)
    except InvalidValue as error:
        raise Refused(400, error.reason, "value", "If-None-Exist") from None


def _local_number(text):
    """A hospital's number in its one spelling; empty for what is none."""
    try:
        return spelling.local_number(text)
    except InvalidValue:
        return ""


def _decoded(text):
    try:
        return names.decoded(text)
    except ValueError:
        return ""


class OnePatient(OfPatients):
    def get(self, request, patient_id):
        return shown(_patient(self.patient(_decoded(patient_id)), _codes()))


class _OfOnePatient(OfPatients):
    searches = True

    def asked_for(self, request, kind):
        """The patient that a search of what is about one must name."""
        self.access.require(Can.READ)
        searching.check(request, kind)
        (wanted, *others) = [request.GET[name] for name in ("patient", "subject") if name in request.GET] or [""]
        reference, _, patient_id = wanted.rpartition("/")
        if others or not patient_id or reference not in ("", "Patient", f"{self.base}/Patient"):
            raise Refused(400, NO_PATIENT, "required")
        return self.patient(_decoded(patient_id))

    def searched(self, request, patient, resources):
        """The searchset of some resources about a patient, the patient too where `_include` says so."""
        included = [_patient(patient, _codes())] if request.GET.getlist("_include") and resources else []
        return Response(searchset(request, resources, total=len(resources), included=included))


def _responses(patient, base, bounds, addresses=None):
    """Every QuestionnaireResponse of a patient, or those to the questionnaires of some addresses, changed within the
    bounds.
    """
    rows = [
        (patient, answers.instruments_of("patient")),
        *((assessment, answers.instruments_of("assessment")) for assessment in _assessments(patient)),
        *((event, answers.instruments_of("event")) for event in patient.adverse_events.order_by("pk")),
        *((record, (own_records.instrument(record.form),)) for record in own_records_of(patient)),
    ]
    return [
        answers.shown_of(row, instrument, base)
        for row, instruments in rows
        if searching.is_within(bounds, row.updated_at)
        for instrument in instruments
        if _is_meant(instrument, addresses, base) and answers.has_answers(row, instrument)
    ]


def _observations(patient, base, bounds):
    rows = [row for row in _assessments(patient) if searching.is_within(bounds, row.updated_at)]
    return [observation for row in rows for observation in observations.written(row, base)]


class Everything(OfPatients):
    def get(self, request, patient_id):
        """A patient with every response and observation: `Patient/[id]/$everything`."""
        patient = self.patient(_decoded(patient_id))
        resources = [_patient(patient, _codes())]
        resources += _responses(patient, self.base, {}) + _observations(patient, self.base, {})
        return Response(searchset(request, resources, total=len(resources)))


class Observations(_OfOnePatient):
    def get(self, request):
        """Totals, classes and HSUV of one patient's assessments."""
        patient = self.asked_for(request, "Observation")
        resources = _observations(patient, self.base, searching.updated(request))
        if (tokens := searching.several(request, "code")) is not None:
            resources = [resource for resource in resources if any(_has_code(resource, token) for token in tokens)]
        return self.searched(request, patient, resources)


def _has_code(resource, token):
    """Whether an Observation has the code of a token: `code`, or `system|code`."""
    system, bar, code = token.rpartition("|")
    return any(
        coding["code"] == code and (not bar or coding["system"] == system) for coding in resource["code"]["coding"]
    )


class OneObservation(OfPatients):
    def get(self, request, observation_id):
        try:
            code, patient_id, timepoint = observations.parts_of(observation_id)
        except ValueError:
            raise Http404 from None
        rows = _assessments(self.patient(patient_id)).filter(timepoint_id=timepoint)
        row = rows.first() or entered_in_error.marked(rows)
        written = observations.written(row, self.base) if row else ()
        if row and row.in_error is not None:
            written = map(entered_in_error.without_content, written)
        resource = next((resource for resource in written if resource["id"].startswith(f"{code}.")), None)
        if resource is None:
            raise Http404
        return shown(resource)


class QuestionnaireResponses(_OfOnePatient):
    def get(self, request):
        """Every response of one patient, or those to some questionnaires."""
        patient = self.asked_for(request, "QuestionnaireResponse")
        addresses = searching.several(request, "questionnaire")
        return self.searched(request, patient, _responses(patient, self.base, searching.updated(request), addresses))

    @repeatable
    def post(self, request):
        """Store the answers to one instrument, where there are none yet."""
        self.access.require(Can.ENTER)
        response = responses.read(self.sent, timezone.get_default_timezone(), self.base)
        patient = self.patient(response.patient_id)
        self.access.require(Can.ENTER, patient.site_id)
        row = answers.store(self.access, patient, response)
        resource = answers.shown_of(row, response.instrument, self.base)
        return shown(resource, 201, Location=f"{self.base}/QuestionnaireResponse/{resource['id']}")


def _assessments(patient):
    return Assessment.objects.filter(patient=patient).order_by("timepoint__position")


class OneQuestionnaireResponse(OfPatients):
    def named(self, response_id):
        """(rows, instrument, patient) that an id names; Http404."""
        try:
            instrument, patient_id, timepoint, event = names.parts_of(response_id)
        except ValueError:
            raise Http404 from None
        patient = self.patient(patient_id)
        if timepoint is not None:
            rows = Assessment.objects.filter(patient=patient, timepoint_id=timepoint)
        elif event is not None and instrument in catalogue.current().repeats:
            rows = OwnRecord.objects.filter(patient=patient, form=instrument.code, pk=event)
        elif event is not None:
            rows = AdverseEvent.objects.filter(patient=patient, pk=event)
        else:
            rows = Patient.objects.filter(pk=patient.pk)
        return rows, instrument, patient

    def get(self, request, response_id):
        rows, instrument, _patient = self.named(response_id)
        row = rows.first()
        if row is not None and answers.has_answers(row, instrument):
            return shown(answers.shown_of(row, instrument, self.base))
        row = entered_in_error.marked(rows)
        if row is None or not answers.has_answers(row, instrument):
            raise Http404
        return shown(entered_in_error.without_content(answers.shown_of(row, instrument, self.base)))

    def put(self, request, response_id):
        """Correct the answers to one instrument, or say that they were entered in error; If-Match: what was read."""
        rows, instrument, patient = self.named(response_id)
        row = rows.first()
        if row is None and entered_in_error.says(self.sent):
            return self.get(request, response_id)  # sent again
        if row is None or not answers.has_answers(row, instrument):
            raise Http404
        self.access.require(Can.ENTER, patient.site_id)
        version = re.fullmatch(r'"(\d{1,9})"', ",".join(as_given(request.headers.get("If-Match", ""))))
        if not version:
            raise Refused(428, NO_MATCH, "required")
        if entered_in_error.says(self.sent):
            if self.sent.get("id") != response_id:
                raise InvalidResource([Fault("QuestionnaireResponse.id", "value", OTHER_ID)])
            version = int(version[1])
            return shown(
                entered_in_error.mark(self.access, row, instrument, self.sent, version=version, base=self.base)
            )
        response = responses.read(self.sent, timezone.get_default_timezone(), self.base)
        same = (response.instrument, response.patient_id) == (instrument, patient.pk)
        if response.id != response_id or not same or response.timepoint != getattr(row, "timepoint_id", None):
            raise InvalidResource([Fault("QuestionnaireResponse.id", "value", OTHER_ID)])
        event = row if isinstance(row, (AdverseEvent, OwnRecord)) else None
        row = answers.store(self.access, patient, response, version=int(version[1]), event=event)
        return shown(answers.shown_of(row, instrument, self.base))
