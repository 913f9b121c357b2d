"""FHIR Questionnaires of own instruments: there and back, and what a foreign one says that cannot be carried."""

# ruff: noqa: E501 - a table of cases reads best with one case a line

import pytest

from registry.protocol import definitions, questionnaires

fhir = pytest.importorskip("fhir.resources.R4B.questionnaire", reason="fhir.resources is a development requirement")

DOCUMENT = {
    "metaspine": "instrument", "format": 1, "code": "srs", "title": {"en": "Stereotactic", "ja": "定位照射"},
    "record": "assessment", "licence": "free", "checks": [],
    "items": [
        {"name": "given", "label": {"en": "Given?", "ja": "実施"}, "kind": "yes_no", "required": True,
         "section": {"en": "Course", "ja": "コース"}},
        {"name": "dose", "label": {"en": "Dose"}, "kind": "decimal", "places": 1, "minimum": 0, "maximum": 80,
         "unit": "Gy", "required": True, "show_if": "[given] = 1"},
        {"name": "parts", "label": {"en": "Fractions"}, "kind": "whole", "minimum": 1, "required": False,
         "show_if": "[given] = 1 and [dose] > 10"},
        {"name": "sites", "label": {"en": "Sites"}, "kind": "codes", "required": False,
         "choices": [{"code": "rib", "label": {"en": "Rib", "ja": "肋骨"}}, {"code": "pelvis", "label": {"en": "Pelvis"}}]},
        {"name": "why", "label": {"en": "Why"}, "kind": "text", "max_length": 300, "required": False,
         "show_if": "[sites(rib)] = 1 or [parts] = ''"},
        {"name": "odd", "label": {"en": "Odd"}, "kind": "text", "required": False, "show_if": "[dose] / 2 > [parts]"},
        {"name": "per", "label": {"en": "Per fraction"}, "kind": "calculated", "formula": "[dose] / [parts]"},
    ],
}  # fmt: skip


def test_there_and_back():
    resource = questionnaires.write(DOCUMENT, "https://registry.example/Questionnaire/srs")
    fhir.Questionnaire.model_validate(resource)
    course = resource["item"][0]
    assert course["item"][2]["enableWhen"] == [
        {"question": "given", "operator": "=", "answerBoolean": True},
        {"question": "dose", "operator": ">", "answerDecimal": 10.0},
    ]
    assert course["item"][2]["enableBehavior"] == "all"
    again = questionnaires.read(resource)
    assert (again.faults, again.notes) == ([], [])
    old, new = (definitions.read(document).instrument for document in (DOCUMENT, again.documents["srs"]))
    assert [item.name for item in new.items] == [item.name for item in old.items]
    assert [item.kind for item in new.items] == [item.kind for item in old.items]
    for item in ("given", "dose", "sites"):
        assert new.item(item).choices == old.item(item).choices
        assert (new.item(item).minimum, new.item(item).maximum, new.item(item).label) == (
            old.item(item).minimum, old.item(item).maximum, old.item(item).label)  # fmt: skip
    assert definitions.expressions_of([new]) == definitions.expressions_of([old])
    assert new.derived[0].tree == old.derived[0].tree


def test_a_foreign_one_is_carried_with_notes():
    resource = {
        "resourceType": "Questionnaire", "status": "active", "title": "Foreign form",
        "contained": [{"resourceType": "ValueSet", "id": "vs", "status": "active",
                       "compose": {"include": [{"concept": [{"code": "Y"}, {"code": "N", "display": "No"}]}]}}],
        "item": [
            {"linkId": "1", "type": "group", "text": "Part", "item": [
                {"linkId": "1.1", "type": "choice", "text": "Ever?", "answerValueSet": "#vs", "required": True},
                {"linkId": "1.2", "type": "dateTime", "text": "When",
                 "enableWhen": [{"question": "1.1", "operator": "=", "answerCoding": {"code": "Y"}}]},
                {"linkId": "note", "type": "display", "text": "Thank you"},
                {"linkId": "1.3", "type": "attachment", "text": "Photo"},
                {"linkId": "1.4", "type": "choice", "answerOption": [{"valueString": "left side"}, {"valueString": "right"}]},
            ]},
        ],
    }  # fmt: skip
    carried = questionnaires.read(resource)
    assert carried.faults == []
    document = carried.documents["foreign_form"]
    assert [item["name"] for item in document["items"]] == ["q_1_1", "q_1_2", "q_1_4"]
    assert document["items"][0]["section"] == {"en": "Part"}
    assert document["items"][1]["show_if"] == "[q_1_1] = 'Y'"
    assert [choice["code"] for choice in document["items"][2]["choices"]] == ["left_side", "right"]
    assert {(note.row, note.column, note.effect) for note in carried.notes} == {
        (3, "type", "changed"), (4, "text", "lost"), (5, "type", "lost"), (6, "answerOption", "changed"),
    }  # fmt: skip


def foreign(*items, **more):
    return questionnaires.read(
        {"resourceType": "Questionnaire", "status": "active", "title": "F", "item": list(items)} | more
    )


LONG = "a code that is longer than twenty characters"


def test_nested_groups_repeats_and_conditions_of_every_answer():
    """A condition names what the answer is here: of a renamed code, a quantity, a reference; and of what was carried."""
    shown = [{"question": "c", "operator": "=", "answerCoding": {"code": LONG}},
             {"question": "dose", "operator": ">=", "answerQuantity": {"value": 5, "code": "mg"}}]  # fmt: skip
    inner = {"linkId": "n", "type": "integer", "text": "N", "enableBehavior": "any", "enableWhen": shown,
             "item": [{"linkId": "why", "type": "string", "text": "Why"}]}  # fmt: skip
    when = [{"question": "a", "operator": "=", "answerBoolean": True}]
    carried = foreign(
        {"linkId": "g", "type": "group", "text": "G", "enableWhen": when, "item": [
            {"linkId": "h", "type": "group", "repeats": True, "item": [inner]}]},
        {"linkId": "a", "type": "boolean", "text": "A", "initial": [{"valueBoolean": True}]},
        {"linkId": "c", "type": "choice", "text": "C", "repeats": True, "answerOption": [
            {"valueCoding": {"code": LONG, "display": "Long"}, "initialSelected": True}, {"valueDate": "2026-01-01"},
            {"valueReference": {"reference": "Organization/1", "display": "Ours"}}]},
        {"linkId": "dose", "type": "quantity", "text": "Dose"},
        {"linkId": "photo", "type": "attachment", "text": "Photo"},
        {"linkId": "x", "type": "string", "text": "X", "enableBehavior": "all", "enableWhen": [
            {"question": "photo", "operator": "exists", "answerBoolean": True},
            {"question": "a", "operator": "exists", "answerBoolean": False}]},
        {"linkId": "w", "type": "choice", "text": "W", "answerValueSet": "#e"},
        contained=[{"id": "e", "expansion": {"contains": [
            {"abstract": True, "display": "Group", "contains": [{"code": "a", "display": "A"}]}, {"code": "b"}]}}],
    )  # fmt: skip
    assert carried.faults == []
    (document,) = carried.documents.values()
    items = {item["name"]: item for item in document["items"]}
    inside = "([a] = 1) and (([c(a_code_that_is_longe)] = 1) or ([dose] >= 5))"
    assert (items["n"]["show_if"], items["why"]["show_if"], items["x"]["show_if"]) == (inside, inside, "([a] = '')")
    assert [choice["code"] for choice in items["c"]["choices"]] == [
        "a_code_that_is_longe",
        "2026-01-01",
        "organization_1",
    ]
    assert [choice["label"]["en"] for choice in items["c"]["choices"]] == ["Long", "2026-01-01", "Ours"]
    assert [choice["code"] for choice in items["w"]["choices"]] == ["a", "b"]
    assert {(note.name, note.column) for note in carried.notes} >= {
        ("h", "repeats"), ("a", "initial"), ("c", "answerOption"), ("dose", "type"), ("photo", "type"), ("photo", "enableWhen")
    }  # fmt: skip


def test_each_element_that_nobody_reads_is_noted_by_its_name():
    coding = {"system": "http://loinc.org", "code": "1", "display": "A", "userSelected": True}
    texts = [{"url": questionnaires.TRANSLATION, "extension": [{"url": "lang", "valueCode": "fr"}, {"url": "content", "valueString": "A"}]},
             {"url": "rendering-xhtml", "valueString": "<b>A</b>"}]  # fmt: skip
    item = {"linkId": "a", "type": "choice", "text": "A", "_text": {"extension": texts}, "code": [{"code": "1-2"}], "prefix": "1)",
            "definition": "d", "readOnly": True, "answerOption": [{"valueCoding": coding, "extension": [{"url": "score"}]}]}  # fmt: skip
    number = {"linkId": "n", "type": "integer", "maxLength": 4}
    carried = foreign(
        item, number, {"linkId": "t", "type": "string", "maxLength": 9000, "answerValueSet": "#v", "codeMap": {}},
        {"linkId": "g", "type": "group", "required": True, "item": [{"linkId": "h", "type": "display", "text": "H", "prefix": "2"}]},
        {"linkId": "w", "type": "choice", "text": "W", "answerValueSet": "#v"},
        version="3", publisher="P", language="ja", subjectType=["Device"], status="retired", contact=[],
        contained=[{"resourceType": "Organization", "id": "o"}, {"resourceType": "ValueSet", "id": "v", "version": "2", "compose": {
            "exclude": [{"system": "s"}], "include": [{"system": "s", "concept": [{"code": "x", "designation": [{"value": "X"}]}]}]}}],
    )  # fmt: skip
    assert carried.faults == []
    said = {note.reason.en.partition(" times)")[0].rpartition(" (")[0] or note.reason.en for note in carried.notes}
    assert said == {
        "item.code", "item.prefix", "item.definition", "item.readOnly", "item.text (fr)", "item.text rendering-xhtml", "Coding.system",
        "Coding.userSelected", "answerOption.extension", "item.maxLength", "9000 characters become 5000", "group.required", "display.prefix",
        "a text without an answer: H", "Questionnaire.version", "Questionnaire.publisher", "Questionnaire.subjectType", "contained",
        "Questionnaire.status", "ValueSet.version", "compose.exclude", "include.system", "concept.designation",
        "the texts are in “ja” and stand in the place of the English ones",
    }  # fmt: skip
    for broken in (
        foreign(number | {"modifierExtension": [{"url": "x"}]}),
        foreign(number, modifierExtension=[{"url": "x"}]),
    ):
        assert [fault.column for fault in broken.faults] == ["modifierExtension"]


@pytest.mark.parametrize(
    ("says", "item"),
    [
        ("has no code", {"linkId": "a", "type": "choice", "answerValueSet": "http://elsewhere/vs"}),
        ("has no code", {"linkId": "a", "type": "choice", "answerOption": 5}),
        ("“” is no code", {"linkId": "a", "type": "choice", "answerOption": [{}]}),
        ("twice", {"linkId": "a", "type": "choice", "answerOption": [{"valueString": "x"}, {"valueString": "x"}]}),
        ("must be 1 to 5000", {"linkId": "a", "type": "string", "maxLength": "x"}),
        ("asks about the item itself", {"linkId": "a", "type": "string", "enableWhen": [
            {"question": "a", "operator": "exists", "answerBoolean": True}]}),
        ("has no question that can be carried", {"linkId": "a", "type": ["string"]}),
        ("has no question that can be carried", 5),
        ("", {"linkId": "a", "type": "string", "text": 5, "_text": 5, "extension": [5], "enableWhen": 5}),
        ("", {"linkId": "a", "type": "choice", "answerOption": [{"valueInteger": 1}], "enableWhen": [{}], "extension": 5}),
    ],
)  # fmt: skip
def test_what_is_misshapen_is_told_and_breaks_nothing(says, item):
    faults = [fault.reason.en for fault in foreign(item).faults]
    assert any(says in reason for reason in faults) if says else faults == []


def test_what_is_no_questionnaire():
    assert questionnaires.read({"resourceType": "Patient"}).faults
