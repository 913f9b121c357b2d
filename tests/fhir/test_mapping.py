"""The pure mapping: valid against FHIR's own definitions, and the same after writing and reading."""

import datetime as dt

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.questionnaire import Questionnaire
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from registry.fhir.mapping import capability, faults, names, patients, questionnaires, responses
from registry.instruments import catalogue
from registry.instruments.base import MISSING_REASONS, Bands, Choice, Instrument, Item, Label

pytestmark = pytest.mark.django_db  # the catalogue of now has the protocol's own instruments

BASE = "https://registry.example.org/api/fhir/R4"
DAY = dt.date(2024, 1, 9)
MOMENT = dt.datetime(2024, 1, 9, 8, 30, tzinfo=dt.UTC)


def some_value(item, last=False):
    if item.kind == "levels":
        return (item.codes[0], item.codes[1])
    if item.choices:
        return item.codes[-1 if last else 0]
    if item.kind == "integer":
        return item.maximum if last else item.minimum
    if item.kind == "decimal":
        return item.clean(item.maximum if last else item.minimum)
    return DAY if item.kind == "date" else "some words"


def filled(instrument, last=False):
    values = {item.name: some_value(item, last) for item in instrument.items}
    return values | {derived.name: derived.compute(values) for derived in instrument.derived}


def place(instrument):
    if instrument in catalogue.OF_ASSESSMENT:
        return {"timepoint": "1m", "day": DAY}
    return {"event": 7} if instrument in catalogue.ADVERSE_EVENTS else {}


@pytest.mark.parametrize("instrument", catalogue.INSTRUMENTS, ids=lambda instrument: instrument.code)
def test_a_questionnaire_is_valid_and_says_what_the_declaration_says(instrument):
    questionnaire = questionnaires.questionnaire(instrument, BASE)
    Questionnaire.model_validate(questionnaire)
    items = {item["linkId"]: item for item in questionnaire["item"]}
    assert list(items) == [derived.name for derived in (*instrument.items, *instrument.derived)]
    for item in instrument.items:
        options = [option["valueCoding"]["code"] for option in items[item.name].get("answerOption", [])]
        assert options == [str(choice.code) for choice in item.form_choices]
        assert items[item.name]["text"] == item.label.en
    for derived in instrument.derived:
        assert items[derived.name]["readOnly"] is True
        assert (items[derived.name]["type"] == "choice") == isinstance(derived, Bands)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("instrument", catalogue.INSTRUMENTS, ids=lambda instrument: instrument.code)
def test_a_response_is_valid_and_read_as_it_was_written(instrument, last):
    values, open_items = filled(instrument, last), [item for item in instrument.items if not item.identifying]
    masked = {item.name for item in instrument.items if item.identifying}
    written = responses.written(
        instrument, "S07_a.12", values, {}, BASE, version=3, updated_at=MOMENT, masked=masked, **place(instrument)
    )
    QuestionnaireResponse.model_validate(written)
    assert written["status"] == "completed"
    response = responses.read(written)
    assert (response.instrument, response.patient_id, response.masked) == (instrument, "S07_a.12", masked)
    assert {item.name: item.clean(response.raw[item.name], today=DAY) for item in open_items} == {
        item.name: values[item.name] for item in open_items
    }
    assert "some words" not in str(written)  # free text may identify
    instrument_read, patient_id, timepoint, event = names.parts_of(written["id"])
    assert (instrument_read, patient_id) == (instrument, "S07_a.12")
    assert (timepoint, event) == (place(instrument).get("timepoint"), place(instrument).get("event"))


@pytest.mark.parametrize("reason", MISSING_REASONS)
def test_a_reason_for_a_missing_answer_keeps_its_meaning(reason):
    instrument = catalogue.instrument("eq_vas")
    response = responses.written(instrument, "S1", {}, {"eq_vas": reason}, BASE, timepoint="1m", day=DAY)
    QuestionnaireResponse.model_validate(response)
    assert (responses.read(response).missing, response["status"]) == ({"eq_vas": reason}, "completed")
    # Somebody else's resource has FHIR's own code only.
    response["item"][0]["extension"] = [
        extension for extension in response["item"][0]["extension"] if extension["url"] == names.ABSENT
    ]
    assert names.ABSENT_CODES[responses.read(response).missing["eq_vas"]] == names.ABSENT_CODES[reason]


def test_the_other_resources_are_valid():
    values = {"sex": "female", "vital_status": "dead", "consent_date": DAY}
    patient = patients.written("S07-0012", "S07", values, version=2, updated_at=MOMENT)
    Patient.model_validate(patient)
    del patient["identifier"]  # a number is given, not sent
    with pytest.raises(faults.InvalidResource, match="deceasedBoolean"):
        patients.read(patient)
    del patient["deceasedBoolean"]  # a death has its day, which is entered after the enrolment
    assert patients.read(patient).raw == {"sex": "female", "birth_date": "", "consent_date": "2024-01-09"}
    CapabilityStatement.model_validate(capability.statement(BASE, "1.0", DAY))
    OperationOutcome.model_validate(faults.outcome([faults.Fault("Patient.name", "value", patients.NAMES)], "ja"))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"resourceType": "Patient"}, "QuestionnaireResponse"),
        ({"questionnaire": "x/Questionnaire/none"}, "QuestionnaireResponse.questionnaire"),
        ({"questionnaire": f"{BASE}/Questionnaire/frankel|9"}, "QuestionnaireResponse.questionnaire"),
        ({"subject": {"reference": "Group/1"}}, "QuestionnaireResponse.subject"),
        ({"subject": None}, "QuestionnaireResponse.subject"),
        ({"status": "entered-in-error"}, "QuestionnaireResponse.status"),
        ({"extension": []}, "QuestionnaireResponse.extension"),
        ({"authored": None}, "QuestionnaireResponse.authored"),
        ({"item": [{"linkId": "barthel_total"}]}, faults.path_of("barthel_total")),
        ({"item": [{"linkId": "frankel"}, {"linkId": "frankel"}]}, faults.path_of("frankel")),
        ({"item": [{"linkId": "frankel", "answer": [{"valueInteger": 3}]}]}, faults.path_of("frankel")),
        (
            {"item": [{"linkId": "frankel", "answer": [{"valueCoding": {"system": "x", "code": "A"}}]}]},
            faults.path_of("frankel"),
        ),
        (
            {"item": [{"linkId": "frankel", "extension": [{"url": names.MISSING, "valueCode": "forgot"}]}]},
            faults.path_of("frankel"),
        ),
    ],
)
def test_what_cannot_be_taken_names_its_element(change, path):
    good = responses.written(catalogue.instrument("frankel"), "S1", {"frankel": "C"}, {}, BASE, timepoint="1m", day=DAY)
    assert responses.read(good).raw == {"frankel": "C"}
    with pytest.raises(faults.InvalidResource) as caught:
        responses.read(good | change)
    assert path in [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize("patient_id", ["S07-0012", "a_b.c", "x..u", "A.u_"])
def test_every_patient_id_has_a_fhir_id(patient_id):
    assert names.decoded(names.encoded(patient_id)) == patient_id
    assert "_" not in names.encoded(patient_id)


NAMELESS = """1m 1m.eq5d5l 1m.none.S1 patient.eq5d5l_x.S1 event-x.adverse-event.S1 1m.sins.S1 patient.sins.a.b
patient.sins.a_b"""


@pytest.mark.parametrize("text", ["", *NAMELESS.split()])
def test_ids_that_name_nothing(text):
    with pytest.raises(ValueError):
        names.parts_of(text)


def test_every_kind_of_own_item_is_written_and_read(monkeypatch):
    """Several codes, a month, a time of day: as FHIR has them, with when they are asked."""
    two = (Choice("a", Label("A", "あ")), Choice("b", Label("B", "い")))
    own = Instrument(
        code="own_one", version="1", title=Label("Own", "独自"), own=True,
        items=(
            Item(name="o_codes", label=Label("Several", "複数"), kind="codes", choices=two),
            Item(name="o_month", label=Label("Month", "月"), kind="partial_date", required=False),
            Item(name="o_time", label=Label("Time", "時刻"), kind="time", show_if="[o_whole] > 1"),
            Item(name="o_whole", label=Label("Whole", "整数"), minimum=0, maximum=9),
            Item(name="o_decimal", label=Label("Decimal", "小数"), kind="decimal", places=1, minimum=0, maximum=9),
        ),
    )  # fmt: skip
    monkeypatch.setattr(names, "instruments", lambda: {"own-one": own})
    asked = questionnaires.questionnaire(own, BASE)
    Questionnaire.model_validate(asked)
    items = {item["linkId"]: item for item in asked["item"]}
    kinds = {name: item["type"] for name, item in items.items()}
    assert kinds == {
        "o_codes": "choice", "o_month": "date", "o_time": "time", "o_whole": "integer", "o_decimal": "decimal",
    }  # fmt: skip
    assert items["o_codes"]["repeats"] and items["o_codes"]["required"] and "required" not in items["o_month"]
    assert items["o_time"]["enableWhen"] == [{"question": "o_whole", "operator": ">", "answerInteger": 1}]
    values = {"o_codes": ("a", "b"), "o_month": "2026-03", "o_time": dt.time(7, 30), "o_whole": 2, "o_decimal": 1.5}
    written = responses.written(own, "S07-0012", values, {}, BASE)
    QuestionnaireResponse.model_validate(written)
    read = responses.read(written).raw
    assert {item.name: item.clean(read[item.name]) for item in own.items} == values
