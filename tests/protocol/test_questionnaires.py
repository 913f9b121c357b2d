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
    assert again.faults == []
    old, new = (definitions.read(one).instrument for one in (DOCUMENT, again.documents["srs"]))
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
    found = questionnaires.read(resource)
    assert found.faults == []
    document = found.documents["foreign_form"]
    assert [item["name"] for item in document["items"]] == ["q_1_1", "q_1_2", "q_1_4"]
    assert document["items"][0]["section"] == {"en": "Part"}
    assert document["items"][1]["show_if"] == "[q_1_1] = 'Y'"
    assert [choice["code"] for choice in document["items"][2]["choices"]] == ["left_side", "right"]
    assert {(note.row, note.column, note.effect) for note in found.notes} == {
        (3, "type", "changed"), (4, "text", "lost"), (5, "type", "lost"), (6, "answerOption", "changed"),
    }  # fmt: skip


def test_what_is_no_questionnaire():
    assert questionnaires.read({"resourceType": "Patient"}).faults
