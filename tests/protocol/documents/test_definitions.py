"""Documents of own instruments: those of the library, and every fault with its row, column and what would fit."""

# ruff: noqa: E501 - a table of cases reads best with one case a line

import copy
from decimal import Decimal
from types import SimpleNamespace

import pytest

from registry.instruments import catalogue
from registry.protocol import definitions, naming, questionnaires, redcap
from registry.services.protocol import bringing, publishing

LIBRARY = bringing.library()


@pytest.mark.django_db
@pytest.mark.parametrize("code", LIBRARY)
def test_the_library_is_ready_to_be_published(code):
    document = LIBRARY[code]
    reading = publishing.read(document, {})
    assert [str(fault) for fault in reading.faults] == []
    assert document["citation"] and document["licence"]
    assert all(label.get("ja") for label in [document["title"], *(item["label"] for item in document["items"])])
    again = redcap.read(redcap.write([document])[0], document["record"])
    if not any("surgery_date" in str(item.get("formula", "")) for item in document["items"]):
        assert [str(fault) for fault in again.faults] == []
        assert again.carried == len(document["items"])
    back = questionnaires.read(questionnaires.write(document)).documents[document["code"]]
    assert [item["name"] for item in back["items"]] == [item["name"] for item in document["items"]]


def test_no_two_of_the_library_share_a_name_but_alternatives():
    names = [item["name"] for document in LIBRARY.values() for item in document["items"]]
    assert len(names) == len(set(names))


def test_what_the_library_calculates():
    known = {item.name: item for item in catalogue.items(catalogue.OF_PATIENT)}
    srs = definitions.read(LIBRARY["separation_srs"], known=known).instrument
    bed = {derived.name: derived for derived in srs.derived}["srs_bed10"]
    assert bed.compute({"srs_dose_gy": Decimal("24.0"), "srs_fractions": 1}) == Decimal("81.6")  # 24 × (1 + 24 / 10)
    sins = definitions.read(LIBRARY["sins_after"]).instrument
    total, band = sins.derived
    answers = dict(zip((item.name for item in sins.items), (3, 1, 2, 0, 1, 0), strict=True))
    assert (total.compute(answers), band.compute(answers)) == (7, "impending")
    assert (total.compute({}), band.compute({})) == (None, None)


@pytest.fixture
def faults(dose):
    """`faults(change)` are those of the document once `change` was done to it: (row, column, reason)."""

    def faults_of(change):
        document = copy.deepcopy(dose)
        change(document)
        reading = definitions.read(document, taken={"eq_vas"})
        return [(fault.row, fault.column, fault.reason.en) for fault in reading.faults]

    return faults_of


@pytest.mark.parametrize(
    ("row", "column", "says", "change"),
    [
        (10, "formula", "is circular: srs_per → srs_per", lambda d: d["items"][9].update(formula="[srs_per] + 1")),
        (2, "show_if", "there is no item “srs_gven”; did you mean “srs_given”?", lambda d: d["items"][1].update(show_if="[srs_gven] = 1")),
        (2, "show_if", "asks about the item itself", lambda d: d["items"][1].update(show_if="[srs_dose_gy] > 1")),
        (2, "show_if", "character 15: 2 is no code", lambda d: d["items"][1].update(show_if="true       or [srs_given] = 2")),
        (3, "minimum", "is above the maximum 60; 60 to 70 would fit", lambda d: d["items"][2].update(minimum=70)),
        (3, "minimum", "must be a whole number; got “1.5”", lambda d: d["items"][2].update(minimum=1.5)),
        (3, "name", "is the name of row 2 too; “srs_dose_gy_2” would fit", lambda d: d["items"][2].update(name="srs_dose_gy")),
        (3, "name", "is the name of another item already; “eq_vas_2” would fit", lambda d: d["items"][2].update(name="eq_vas")),
        (3, "name", "SPSS, SAS and Stata need at most 24", lambda d: d["items"][2].update(name="a" * 25)),
        (3, "name", "is a word of SPSS itself; “with_2” would fit", lambda d: d["items"][2].update(name="with")),
        (3, "name", "is a word of Stata itself", lambda d: d["items"][2].update(name="byte")),
        (3, "name", "is a word of Stata itself", lambda d: d["items"][2].update(name="str12")),
        (3, "name", "is a word of SQL itself; “user_2” would fit", lambda d: d["items"][2].update(name="user")),
        (3, "name", "small letters, digits and “_”, beginning with a letter; “fr_2_ktionen” would fit",
         lambda d: d["items"][2].update(name="Fr/2 ktionen")),
        (3, "name", "looks like a column that files add beside an item", lambda d: d["items"][2].update(name="dose_missing")),
        (4, "choices", "uses the code rib twice; “other2” is free", lambda d: d["items"][3]["choices"].append({"code": "rib"})),
        (4, "choices", "“a b” is no code", lambda d: d["items"][3]["choices"].append({"code": "a b"})),
        (4, "choices", "has no code; at least one is needed", lambda d: d["items"][3].update(choices=[])),
        (1, "minimum", "has no meaning for this kind", lambda d: d["items"][0].update(minimum=1)),
        (1, "kind", "must be one of whole, decimal", lambda d: d["items"][0].update(kind="number")),
        (1, "label", "must not be empty", lambda d: d["items"][0].update(label={})),
        (1, "identifying", "own instruments hold no direct identifiers", lambda d: d["items"][0].update(identifying=True)),
        (0, "record", "did you mean “assessment”?", lambda d: d.update(record="assesment")),
        (0, "code", "“stereo_tactic” would fit", lambda d: d.update(code="Stereo tactic")),
        (0, "items", "has no item", lambda d: d.update(items=[], checks=[])),
        (1, "checks", "there is no item", lambda d: d["checks"][0].update(when="[nothing] = 1")),
        (2, "checks", "is the name of check 1 too; “high_2” would fit", lambda d: d["checks"].append(d["checks"][0])),
        (1, "checks", "“check_1” would fit", lambda d: d["checks"][0].update(name="too: high")),
        (0, "checks", "must be a list of checks", lambda d: d.update(checks=[5])),
        (0, "visits", "must be a list of visits", lambda d: d.update(visits=5)),
        (3, "minimum", "must be a whole number; got “1e999999999”", lambda d: d["items"][2].update(minimum="1e999999999")),
        (2, "maximum", "must be a number; got “1_000”", lambda d: d["items"][1].update(maximum="1_000")),
        (3, "required", "must be true or false", lambda d: d["items"][2].update(required="no")),
        (5, "max_length", "must be 1 to 5000", lambda d: d["items"][4].update(max_length=True)),
        (4, "choices", "“” is no code", lambda d: d["items"][3]["choices"].append({"code": None, "label": "x"})),
        (4, "choices", "differs from the code rib only in case or signs", lambda d: d["items"][3]["choices"].append({"code": "RIB"})),
        (2, "show_if", "is circular: srs_dose_gy → srs_dose_gy", lambda d: d["items"][1].update(show_if="[srs_per] > 1")),
        (2, "show_if", "is circular: srs_dose_gy → srs_fractions → srs_dose_gy",
         lambda d: (d["items"][1].update(show_if="[srs_fractions] > 1"), d["items"][2].update(show_if="[srs_dose_gy] > 1"))),
    ],
)  # fmt: skip
def test_every_fault_says_where_and_what_would_fit(faults, row, column, says, change):
    faults_of_change = faults(change)
    assert any(
        (row_of_fault, two) == (row, column) and says in reason for row_of_fault, two, reason in faults_of_change
    ), faults_of_change


@pytest.mark.parametrize("change", [
    lambda d: (d["items"][1].update(show_if="[srs_fractions] > 1"), d["items"][2].update(show_if="[srs_dose_gy] > 1")),
    lambda d: d["checks"].append(d["checks"][0]),
])  # fmt: skip
def test_what_was_published_before_it_was_asked_goes_on(dose, change):
    document = copy.deepcopy(dose)
    change(document)
    assert definitions.read(document).faults and not definitions.read(document, stored=True).faults


def test_codes_may_be_negative_or_begin_with_a_zero_and_a_range_may_be_one_number():
    def read(*codes, **more):
        item = {"name": "a", "label": {"en": "A"}, "kind": "code", "choices": [{"code": code} for code in codes]}
        document = {"code": "t", "title": {"en": "T"}, "record": "repeat", "items": [item | more]}
        return definitions.read(document).instrument.items[0]

    assert [choice.code for choice in read("-1", "0", "1").choices] == [-1, 0, 1]
    assert [choice.code for choice in read("01", "1", "1.5", "-9").choices] == ["01", "1", "1.5", "-9"]
    field = read(kind="whole", minimum=3, maximum=3, choices=None)
    assert (field.clean("3"), field.minimum, field.maximum) == (3, 3, 3)


def test_a_circle_of_three_is_told_once(faults):
    def circle(document):
        for name, formula in (("one", "[two] + 1"), ("two", "[three] * 2"), ("three", "if([srs_given] = 1, [one], 0)")):
            document["items"].append({"name": name, "label": {"en": name}, "kind": "calculated", "formula": formula})

    assert [fault for fault in faults(circle) if "circular" in fault[2]] == [
        (11, "formula", "is circular: one → two → three → one; a calculation may name only what does not depend on it")
    ]


@pytest.mark.parametrize(
    "document", [None, [], "text", {"items": [1, None, {"name": []}]}, {"items": {"a": 1}, "checks": 5}]
)
def test_what_is_no_document_at_all_is_refused_and_nothing_breaks(document):
    assert definitions.read(document).faults


def test_names_that_tables_records_or_pages_use_themselves_are_refused(monkeypatch):
    """With `record` no visit could be exported, with `site` or `save` no record stored, with `ctid` nothing published."""
    odd = (
        "record site patient timepoint assessments save delete objects pk id line key state ctid xmin page person asked"
    )
    known = publishing.taken()
    assert [name for name in odd.split() if naming.reason_against(name, known) is None] == []
    fitting = "code value total label text date name status count type class visit rows mean result"
    assert [name for name in fitting.split() if naming.reason_against(name, known)] == []
    own = SimpleNamespace(name="eq_vas", column="eq_vas", is_own=True)  # what is free in one table is not in others
    monkeypatch.setattr(publishing, "MODELS", {"one": type("One", (), {"_meta": SimpleNamespace(local_fields=[own])})})
    assert "eq_vas" in publishing.taken()
