"""A whole protocol as a file: loaded, published, downloaded again, and refused as a whole where it is wrong."""

import copy
import json

import pytest

from registry.instruments import catalogue
from registry.models import ProtocolVersion
from registry.services.follow_up import schedule
from registry.services.protocol import whole
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.records.extras import switched_on

STUDIES = {
    "wang2025": ({"kps", "cobb", "local_recurrence"}, {"frankel"}, {"cement_used", "srs_given", "pain_vas_10"}),
    "zheng2021": (
        {"ais", "escc", "local_recurrence"},
        {"ecog_ps"},
        {"margin_positive", "admitted_on", "sosg_oq_total"},
    ),
}


@pytest.fixture
def loaded(ada, as_person):
    def act(document, note="the study as approved"):
        with as_person(ada) as access:
            return whole.load(access=access, document=document, note=note)

    return act


@pytest.mark.parametrize("name", STUDIES)
def test_the_protocols_that_come_along_are_published_whole(name, loaded):
    extras, core, own = STUDIES[name]
    reading = whole.read(json.dumps(whole.come_along()[name]).encode())
    assert reading.faults == []
    version = loaded(reading.document)
    current = catalogue.current()
    assert current.version == version.pk
    assert switched_on() == extras
    assert {instrument.code for instrument in current.core(catalogue.ASSESSMENT, "preop")} == core
    assert own <= current.own_names
    assert "study_arm" in current.own_names
    assert schedule.plans().versions[-1].plan[-1].code == "60m"


def test_a_protocol_that_is_downloaded_loads_as_the_same(loaded):
    loaded(whole.come_along()["zheng2021"])
    first = whole.document_of_registry()
    before = ProtocolVersion.objects.latest("pk").document
    loaded(first, "again")
    assert whole.document_of_registry() == first
    assert ProtocolVersion.objects.latest("pk").document == before


def test_instruments_may_name_the_arm_and_those_behind_them_in_the_file(loaded):
    items = [
        {"name": "late", "label": {"en": "Late"}, "kind": "yes_no", "show_if": "[study_arm] = 'TES' and [grip] > 1"}
    ]
    grip = [{"name": "grip", "label": {"en": "Grip"}, "kind": "whole", "minimum": 0, "maximum": 9}]
    both = [
        {
            "metaspine": "instrument",
            "format": 1,
            "code": code,
            "title": {"en": code},
            "record": "assessment",
            "items": of,
        }
        for code, of in (("effects", items), ("hand", grip))
    ]
    study = whole.come_along()["zheng2021"]
    loaded({"metaspine": "protocol", "format": 1, "study": study["study"], "instruments": both})
    again = whole.document_of_registry()
    assert {"late", "grip"} <= catalogue.current().own_names
    loaded(again, "again")
    assert whole.document_of_registry() == again
    both[1]["items"][0]["name"] = "byte"
    with pytest.raises(InvalidDefinition) as refused:
        loaded({"metaspine": "protocol", "format": 1, "instruments": [both[1] | {"code": "other"}]})
    assert [fault.column for fault in refused.value.faults] == ["other: name"]


@pytest.mark.parametrize(
    ("change", "column", "says"),
    [
        ({"metaspine": "instrument"}, "", "is no protocol"),
        ({"metaspine": "protocol", "study": {"name": "a\0b"}}, "", "a null byte"),
        ({"shedule": {}}, "shedule", "is no part of a protocol"),
        ({"extras": ["aix"]}, "extras", "did you mean “ais”?"),
        ({"library": ["cemnt"]}, "library", "did you mean “cement”?"),
        ({"off": "barthel"}, "off", "must be a list"),
        ({"matrix": {"barthl": {}}}, "matrix", "did you mean “barthel”?"),
        ({"off": ["surgery"]}, "off", "“surgery” is not there"),
    ],
)
def test_a_file_that_is_no_protocol_says_where_and_what_would_fit(change, column, says):
    document = whole.come_along()["wang2025"] | change
    fault = whole.read(json.dumps(document).encode()).faults[0]
    assert fault.column == column
    assert says in fault.reason.en


def test_where_one_part_is_wrong_nothing_is_published(loaded):
    document = copy.deepcopy(whole.come_along()["wang2025"])
    document["instruments"][1]["items"][0]["name"] = "byte"
    with pytest.raises(InvalidDefinition) as refused:
        loaded(document)
    assert refused.value.faults[0].column == "lesion: name"
    assert switched_on() == frozenset()
    assert not ProtocolVersion.objects.exists()


def test_a_schedule_that_is_wrong_is_named_by_visit(loaded):
    document = copy.deepcopy(whole.come_along()["wang2025"])
    document["schedule"]["visits"][1]["day"] = "soon"
    with pytest.raises(InvalidDefinition) as refused:
        loaded(document)
    assert (refused.value.faults[0].row, refused.value.faults[0].column) == (2, "schedule: day")
    assert refused.value.faults[0].value == "soon"


def test_the_page_publishes_a_study_that_comes_along_and_a_file(client, ada):
    client.force_login(ada)
    assert "Zheng 2021" in client.get("/study/load/").content.decode()
    answer = client.post("/study/load/", {"ready": "wang2025", "note": "as approved"})
    assert answer.status_code == 302, answer.content.decode()
    assert "cement_used" in client.get("/study/protocol.json").json()["instruments"][0]["items"][0]["name"]
    refused = client.post("/study/load/", {"note": "nothing chosen"})
    assert refused.status_code == 422
    assert "choose a file" in refused.content.decode()
