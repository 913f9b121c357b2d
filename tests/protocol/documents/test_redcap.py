"""REDCap data dictionaries: what is carried, what is noted, and what is wrong with a row and a column."""

import csv
import io
import re

import pytest

from registry.protocol import definitions, odm_metadata, redcap
from registry.protocol.redcap import COLUMNS

HEADER = [names[0] for names in COLUMNS.values()]


def dictionary(*rows, header=HEADER):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    keys = list(COLUMNS)
    writer.writerow(
        [{"name": "record_id", "form": "visit", "type": "text", "label": "Study ID"}.get(key, "") for key in keys]
    )
    for row in rows:
        full = {"form": "visit", "type": "text", "label": "A field"} | row
        writer.writerow([full.get(key, "") for key in keys])
    return out.getvalue().encode()


def test_every_type_is_carried():
    carried = redcap.read(
        dictionary(
            {"name": "margin", "type": "radio", "choices": "0, R0 | 1, R1, close | 2, R2", "required": "y"},
            {"name": "sites", "type": "checkbox", "choices": "1, Rib | 2, Pelvis"},
            {"name": "dose", "validation": "number_1dp", "minimum": "0", "maximum": "80", "note": "Gy"},
            {
                "name": "fractions",
                "validation": "integer",
                "minimum": "1",
                "branching": "[sites(2)] = '1' and [dose] > 0",
            },
            {"name": "leak", "type": "yesno", "section": "<b>Cement</b>"},
            {"name": "given_on", "validation": "date_mdy"},
            {"name": "at", "validation": "time"},
            {"name": "more", "type": "notes", "label": "Say<br>more"},
            {"name": "per", "type": "calc", "choices": "round([dose]/[fractions], 1)"},
            {"name": "pain", "type": "slider", "choices": "none | | worst"},
        )
    )
    assert [str(fault) for fault in carried.faults] == []
    items = {item["name"]: item for item in carried.documents["visit"]["items"]}
    assert list(items) == ["margin", "sites", "dose", "fractions", "leak", "given_on", "at", "more", "per", "pain"]
    assert items["margin"]["choices"][1] == {"code": "1", "label": {"en": "R1, close"}}
    assert items["margin"]["required"] is True and items["sites"]["required"] is False
    assert (items["dose"]["kind"], items["dose"]["places"], items["dose"]["maximum"]) == ("decimal", 1, "80")
    assert items["fractions"]["show_if"] == "[sites(2)] = '1' and [dose] > 0"
    assert items["leak"]["section"] == {"en": "Cement"} and items["more"]["label"] == {"en": "Say more"}
    instrument = definitions.read(carried.documents["visit"]).instrument
    assert [item.kind for item in instrument.items] == [
        "integer", "codes", "decimal", "integer", "integer", "date", "time", "text", "integer",
    ]  # fmt: skip
    assert instrument.derived[0].compute({"dose": 30, "fractions": 4}) == pytest.approx(7.5)
    assert {(note.name, note.effect) for note in carried.notes} == {("record_id", "lost"), ("pain", "changed")}


def test_what_cannot_be_carried_is_noted_with_its_place():
    carried = redcap.read(
        dictionary(
            {"name": "phone_no", "validation": "phone", "identifier": "y"},
            {"name": "scan", "type": "file"},
            {"name": "a_very_long_name_of_a_field_here", "validation": "datetime_ymd"},
            {"name": "Select", "branching": "[baseline_arm_1][margin] = 1"},
            {"name": "x", "annotation": "@HIDDEN", "branching": "[phone_no] <> ''"},
            {"name": "bmi", "type": "calc", "choices": "[weight_of_scan] * [scan]"},
        )
    )
    assert [str(fault) for fault in carried.faults] == []
    assert [(note.row, note.name, note.effect) for note in carried.notes] == [
        (5, "a_very_long_name_of_a_fi", "changed"),
        (6, "select_2", "changed"),
        (2, "record_id", "lost"),
        (3, "phone_no", "lost"),
        (4, "scan", "lost"),
        (5, "a_very_long_name_of_a_fi", "changed"),
        (7, "x", "lost"),
        (6, "select_2", "lost"),
        (7, "x", "lost"),
        (8, "bmi", "lost"),
    ]
    assert "reaches another event" in carried.notes[7].reason.en
    assert [item["name"] for item in carried.documents["visit"]["items"]] == [
        "a_very_long_name_of_a_fi",
        "select_2",
        "x",
    ]


def test_every_column_that_nobody_reads_is_noted_where_it_stands():
    """Per column: a value that a field of its type does not take. A heading goes on to the next field of its form."""
    carried = redcap.read(
        dictionary(
            {"name": "a", "validation": "alpha_only", "choices": "BIOPORTAL:ICD10", "required": "yes", "minimum": "x"},
            {
                "name": "b",
                "type": "radio",
                "choices": "1, A",
                "validation": "autocomplete",
                "ranking": "y",
                "minimum": "1",
                "maximum": "2",
            },
            {
                "name": "c",
                "type": "slider",
                "validation": "number",
                "number": "3",
                "matrix": "m",
                "alignment": "LH",
                "ranking": "n",
            },
            {"name": "d", "type": "descriptive", "section": "Head", "label": "Read"},
            {
                "name": "e",
                "type": "notes",
                "label": 'See [a] of [event-name] and {b} <a href="x">there</a>, [not one]',
                "annotation": "@X",
            },
            {"name": "f", "type": "file", "section": "Scans"},
        )
    )
    assert carried.faults == []
    assert {item["name"]: item.get("section", {}).get("en") for item in carried.documents["visit"]["items"]} == {
        "a": None, "b": None, "c": None, "e": "Head",
    }  # fmt: skip
    rows = [
        (note.name, next((key for key, known in COLUMNS.items() if note.column == known[0]), note.column))
        for note in carried.notes
    ]
    assert sorted(rows) == sorted([
        ("", "section"), ("record_id", "name"),
        *(("a", column) for column in ("validation", "choices", "required", "minimum")),
        *(("b", column) for column in ("validation", "ranking", "minimum", "maximum")),
        *(("c", column) for column in ("type", "validation", "number", "matrix", "alignment")),
        ("d", "label"), *[("e", "label")] * 4, ("e", "annotation"), ("f", "type"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ({"name": "b", "type": "calc", "choices": "-" * 3900 + "[a]"}, COLUMNS["choices"][0], "is nested more than 60"),
        ({"name": "b", "branching": "[a] = (1"}, "Branching Logic (Show field only if...)", "ends too early"),
        (
            {"name": "b", "type": "calc", "choices": "[a] +* 2"},
            "Choices, Calculations, OR Slider Labels",
            "does not fit",
        ),
        (
            {"name": "b", "type": "radio", "choices": "1 Yes"},
            "Choices, Calculations, OR Slider Labels",
            "“code, label”",
        ),
        (
            {"name": "b", "type": "radio", "choices": "1, Yes | 1, No"},
            "Choices, Calculations, OR Slider Labels",
            "twice",
        ),
        ({"name": "a"}, "Variable / Field Name", "“a_2” would fit"),
        ({"name": "b", "type": "picture"}, "Field Type", "is no type of REDCap"),
        (
            {"name": "b", "validation": "integer", "minimum": "9", "maximum": "1"},
            "Text Validation Min",
            "above the maximum",
        ),
    ],
)
def test_what_is_wrong_says_row_and_column(row, column, says):
    rows = [{"name": "a", "validation": "integer"}, *({"name": f"f{n}"} for n in range(53)), row]
    fault = redcap.read(dictionary(*rows)).faults[0]
    assert (fault.row, fault.column) == (57, column)
    assert says in fault.reason.en


HEAD = "Variable / Field Name,Form Name,FIELD TYPE,Field Label ,select_choices_or_calculations,My own"
PLAIN = [HEAD, "record_id,v,text,ID,,", "age,v,text,年齢,,x", 'sex,v,radio,性別,"1, 男 | 2, 女",']


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "sep=;"])
def test_a_dictionary_as_programs_write_it(encoding, separator):
    """In each encoding and with each separator, headings in other case, and a column that is none of REDCap's."""
    rows = [next(csv.reader([line])) for line in PLAIN]
    out = io.StringIO()
    csv.writer(out, delimiter=separator[-1]).writerows(rows)
    first = f"{separator}\r\n" if separator.startswith("sep") else ""
    carried = redcap.read((first + out.getvalue()).encode(encoding))
    assert carried.faults == []
    items = carried.documents["v"]["items"]
    assert [item["label"]["en"] for item in items] == ["年齢", "性別"]
    assert [choice["label"]["en"] for choice in items[1]["choices"]] == ["男", "女"]
    places = [(note.row, note.column) for note in carried.notes if note.name == ""]
    assert places == [(0, "")] * (encoding == "cp932") + [(1, "My own")]


@pytest.mark.parametrize(
    ("row", "says", "line"),
    [
        (5, "has more cells than the header", "b,v,text,Say, no quote,,,oops"),
        (5, "cannot be read as CSV", 'b,v,text,"Say\nc,v,text,X,,'),
        (5, "NUL", "b,v,text,S\0y,,"),
        (5, "is circular: b → c → b", "b,v,calc,B,[c]+1,\nc,v,calc,C,[b]+1,"),
        (5, "is the name of an earlier field too", "AGE,v,text,Again,,"),
    ],
)
def test_a_row_that_slipped_is_told(row, says, line):
    faults = redcap.read("\n".join([*PLAIN, line]).encode()).faults
    assert faults[0].row in (row, row + 1) and says in faults[0].reason.en and len(faults) == 1, faults


def test_no_dictionary():
    assert "it lacks Variable / Field Name" in redcap.read(b"a,b\n1,2\n").faults[0].reason.en
    assert redcap.read(b"").faults


def test_round_trip():
    carried = redcap.read(
        dictionary(
            {"name": "margin", "type": "radio", "choices": "0, R0 | 1, R1", "required": "y"},
            {"name": "sites", "type": "checkbox", "choices": "a, Rib | b, Pelvis", "branching": "[margin] = 1"},
            {"name": "dose", "validation": "number_2dp", "minimum": "0", "maximum": "80"},
            {"name": "per", "type": "calc", "choices": "[dose]/2"},
        )
    )
    written, notes = redcap.write(list(carried.documents.values()))
    again = redcap.read(written)
    assert again.documents == carried.documents
    assert notes == []


PROJECT = """<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:redcap="https://projectredcap.org" ODMVersion="1.3.1"
 FileType="Snapshot" SourceSystem="REDCap"><Study OID="s"><GlobalVariables><redcap:RepeatingInstruments>
<redcap:RepeatingInstrument redcap:UniqueEventName="event_1_arm_1" redcap:RepeatInstrument="visit"/>
</redcap:RepeatingInstruments><redcap:SurveysGroup><redcap:Surveys form_name="visit"/></redcap:SurveysGroup>
</GlobalVariables><MetaDataVersion OID="m" Name="m">
<FormDef OID="Form.visit" Name="Visit" redcap:FormName="visit"><ItemGroupRef ItemGroupOID="g"/></FormDef>
<ItemGroupDef OID="g"><ItemRef ItemOID="record_id"/><ItemRef ItemOID="redcap_data_access_group"/>
<ItemRef ItemOID="margin"/><ItemRef ItemOID="bones___1"/><ItemRef ItemOID="bones___2"/><ItemRef ItemOID="dose"/>
<ItemRef ItemOID="more"/><ItemRef ItemOID="twice"/><ItemRef ItemOID="pain"/><ItemRef ItemOID="visit_complete"/>
</ItemGroupDef>
<ItemDef OID="record_id" redcap:Variable="record_id" redcap:FieldType="text"><Question><TranslatedText>Study ID
</TranslatedText></Question></ItemDef>
<ItemDef OID="redcap_data_access_group" redcap:Variable="redcap_data_access_group"/>
<ItemDef OID="margin" redcap:Variable="margin" redcap:FieldType="select" redcap:RequiredField="y"><Question>
<TranslatedText>Margin</TranslatedText></Question><CodeListRef CodeListOID="margin.choices"/></ItemDef>
<ItemDef OID="bones___1" redcap:Variable="bones" redcap:FieldType="checkbox"><Question><TranslatedText>Bones
</TranslatedText></Question><CodeListRef CodeListOID="bones.choices"/></ItemDef>
<ItemDef OID="bones___2" redcap:Variable="bones" redcap:FieldType="checkbox"><Question><TranslatedText>Bones
</TranslatedText></Question><CodeListRef CodeListOID="bones.choices"/></ItemDef>
<ItemDef OID="dose" redcap:Variable="dose" redcap:FieldType="text" redcap:TextValidationType="float"
 redcap:BranchingLogic="[bones(2)] = '1'" redcap:FieldNote="Gy">
<Question><TranslatedText>Dose</TranslatedText></Question>
<RangeCheck Comparator="GE" SoftHard="Soft"><CheckValue>0</CheckValue><ErrorMessage><TranslatedText>Odd
</TranslatedText></ErrorMessage></RangeCheck></ItemDef>
<ItemDef OID="more" redcap:Variable="more" redcap:FieldType="textarea"><Question>
<TranslatedText>Say 5 more
</TranslatedText><redcap:FormattedTranslatedText>Say &lt;b&gt;more&lt;/b&gt;</redcap:FormattedTranslatedText>
</Question></ItemDef>
<ItemDef OID="twice" redcap:Variable="twice" redcap:FieldType="calc" redcap:Calculation="[dose]*2"><Question>
<TranslatedText>Twice</TranslatedText></Question></ItemDef>
<ItemDef OID="pain" redcap:Variable="pain" redcap:FieldType="slider" redcap:SliderLabels="none | | worst"><Question>
<TranslatedText>Pain</TranslatedText></Question></ItemDef>
<ItemDef OID="visit_complete" redcap:Variable="visit_complete" redcap:FieldType="select"/>
<CodeList OID="margin.choices"><CodeListItem CodedValue="0"><Decode><TranslatedText>R0, clear</TranslatedText></Decode>
</CodeListItem>
<CodeListItem CodedValue="1"><Decode><TranslatedText>R1</TranslatedText></Decode></CodeListItem></CodeList>
<CodeList OID="bones.choices" redcap:CheckboxChoices="1, Rib | 2, Pelvis"/></MetaDataVersion></Study>
<ClinicalData><SubjectData SubjectKey="1"/><SubjectData SubjectKey="2"/></ClinicalData></ODM>
"""


def test_a_project_as_xml_has_the_forms_of_its_dictionary():
    read = odm_metadata.read(PROJECT.encode(), "assessment", ())
    margin = {"name": "margin", "type": "dropdown", "label": "Margin", "choices": "0, R0, clear | 1, R1"}
    dose = {"name": "dose", "validation": "number", "label": "Dose", "minimum": "0", "note": "Gy"}
    of_csv = redcap.read(
        dictionary(
            margin | {"required": "y"},
            {"name": "bones", "type": "checkbox", "label": "Bones", "choices": "1, Rib | 2, Pelvis"},
            dose | {"branching": "[bones(2)] = '1'"},
            {"name": "more", "type": "notes", "label": "Say <b>more</b>"},
            {"name": "twice", "type": "calc", "label": "Twice", "choices": "[dose]*2"},
            {"name": "pain", "type": "slider", "label": "Pain", "choices": "none | | worst"},
        )
    )
    assert (read.faults, read.documents) == ([], of_csv.documents)
    beside = [note.reason.en for note in read.notes if not note.name]
    assert [reason.partition(":")[0] for reason in beside] == [
        "the data of 2 subjects", "that 1 instruments repeat", "1 Surveys",
    ]  # fmt: skip
    assert any(note.name == "pain" and "0 to 100" in note.reason.en for note in read.notes)
    standard = re.sub(r'redcap:\w+="[^"]*"', "", PROJECT).replace('SourceSystem="REDCap"', "")
    standard = standard.replace('OID="dose" ', 'OID="dose" Name="dose" DataType="integer"')
    items = odm_metadata.read(standard.encode(), "assessment", ()).documents["visit"]["items"]
    kinds = {item["name"]: item["kind"] for item in items}
    assert (kinds["margin"], kinds["dose"], kinds["more"]) == ("code", "whole", "text")
    assert any(note.name == "dose" and "GE 0 only warned there" in note.reason.en for note in read.notes)


# Two forms of one name, in one line of the file; of the second nothing may vanish.
STANDARD = """<ODM><Study><MetaDataVersion OID="old"><FormDef OID="O" Name="Old"/></MetaDataVersion>
<MetaDataVersion OID="new"><FormDef><ItemGroupRef ItemGroupOID="g"/><ItemGroupRef ItemGroupOID="none"/></FormDef>\
<FormDef OID="B" Name="Spine surgery follow-up early" Repeating="Yes"><ItemGroupRef ItemGroupOID="h"/></FormDef>\
<FormDef OID="C" Name="Spine surgery follow-up late"><ItemGroupRef ItemGroupOID="i"/></FormDef>\
<FormDef OID="D" Name="Empty"/>\
<ItemGroupDef OID="g"><ItemRef ItemOID="i"/><ItemRef ItemOID="c"/><ItemRef ItemOID="lost"/></ItemGroupDef>\
<ItemGroupDef OID="h"><ItemRef ItemOID="j"/><ItemRef ItemOID="m"/></ItemGroupDef>\
<ItemGroupDef OID="i" Domain="QS"><ItemRef ItemOID="i" OrderNumber="10"/><ItemRef ItemOID="p" OrderNumber="3"/>\
<ItemRef ItemOID="k" OrderNumber="2"/><ItemRef ItemOID="r" OrderNumber="4"/></ItemGroupDef>\
<ItemDef OID="p" Name="place" DataType="text" Length="40"><Description><TranslatedText>Which ward</TranslatedText>\
</Description><Question><TranslatedText>Place</TranslatedText></Question></ItemDef>\
<ItemDef OID="r" Name="rate" DataType="float" Length="8" SignificantDigits="2"/>\
<ItemDef OID="i" Name="score" DataType="integer" Length="2" SASFieldName="SC">\
<Alias Context="c" Name="n"/><RangeCheck Comparator="LE" SoftHard="Soft"><CheckValue>5</CheckValue>\
</RangeCheck><RangeCheck Comparator="LE"><CheckValue>9</CheckValue><ErrorMessage><TranslatedText>Too much\
</TranslatedText></ErrorMessage></RangeCheck></ItemDef>\
<ItemDef OID="j" Name="Score" DataType="text"/><ItemDef OID="x" Name="unused"/>\
<ItemDef OID="k" Name="text" Length="900"><CodeListRef CodeListOID="gone"/></ItemDef>\
<ItemDef OID="c" Name="size"><Question><TranslatedText xml:lang="ja">大きさ</TranslatedText>\
<TranslatedText xml:lang="fr">Taille</TranslatedText><TranslatedText xml:lang="en">Size &lt;5 or &gt;9</TranslatedText>\
</Question><CodeListRef CodeListOID="l"/></ItemDef><ItemDef OID="m" Name="many"><MultiSelectListRef \
MultiSelectListID="s"/></ItemDef><MultiSelectList ID="s"><MultiSelectListItem CodedOptionValue="1"/></MultiSelectList>\
<CodeList OID="l"><CodeListItem CodedValue="1"><Decode><TranslatedText>A | B, C</TranslatedText></Decode>\
</CodeListItem><!-- --><EnumeratedItem CodedValue="2"/></CodeList></MetaDataVersion></Study></ODM>"""


def test_nothing_of_a_file_of_another_system_vanishes():
    read = odm_metadata.read(STANDARD.encode(), "assessment", ())
    early, late = "spine_surgery_follow", "spine_surgery_foll_2"
    items = {code: [item["name"] for item in document["items"]] for code, document in read.documents.items()}
    assert items == {"form": ["score", "size"], early: ["many"], late: ["text", "place", "rate"]}
    place, rate = read.documents[late]["items"][1:]
    assert (place["max_length"], place["help"], rate["places"]) == (40, {"en": "Which ward"}, 2)
    assert read.documents[late]["title"] == {"en": "Spine surgery follow-up late"}
    score, size = read.documents["form"]["items"]
    assert (score["maximum"], size["label"]) == ("9", {"en": "Size <5 or >9", "ja": "大きさ"})
    assert [choice["label"] for choice in size["choices"]] == [{"en": "A | B, C"}, {"en": "2"}]
    assert [fault.value for fault in read.faults] == ["Score", "score"]
    said = "\n".join(note.reason.en for note in read.notes)
    for part in (
        "version “old”", "group of items none", "the item lost", "the item unused", "form “Empty”", "code list gone",
        "range check LE 5", "1 texts in the language “fr”", "early” repeats", "late” has the code",
        "ErrorMessage (1 times): score = Too much",
        "ItemDef Length (3 times): score = 2; rate = 8; score = 2", "ItemDef SASFieldName (1 times): score = SC",
        "ItemGroupDef Domain (1 times): i = QS",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize(
    ("content", "said"),
    [("<ODM>", "cannot be read as XML"), ("<a/>", "no ODM file with forms"),
     ("<!DOCTYPE ODM [<!ENTITY a 'b'>]><ODM>&a;</ODM>", "declares a document type")],
)  # fmt: skip
def test_what_is_no_odm_is_refused_with_its_reason(content, said):
    read = odm_metadata.read(content.encode(), "assessment", ())
    assert read.documents == {}
    assert said in read.faults[0].reason.en
