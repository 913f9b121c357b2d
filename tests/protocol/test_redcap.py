"""REDCap data dictionaries: what is carried, what is noted, and what is wrong with a row and a column."""

import csv
import io

import pytest

from registry.protocol import definitions, redcap
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
    found = redcap.read(
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
    assert [str(fault) for fault in found.faults] == []
    items = {item["name"]: item for item in found.documents["visit"]["items"]}
    assert list(items) == ["margin", "sites", "dose", "fractions", "leak", "given_on", "at", "more", "per", "pain"]
    assert items["margin"]["choices"][1] == {"code": "1", "label": {"en": "R1, close"}}
    assert items["margin"]["required"] is True and items["sites"]["required"] is False
    assert (items["dose"]["kind"], items["dose"]["places"], items["dose"]["maximum"]) == ("decimal", 1, "80")
    assert items["fractions"]["show_if"] == "[sites(2)] = '1' and [dose] > 0"
    assert items["leak"]["section"] == {"en": "Cement"} and items["more"]["label"] == {"en": "Say more"}
    instrument = definitions.read(found.documents["visit"]).instrument
    assert [item.kind for item in instrument.items] == [
        "integer", "codes", "decimal", "integer", "integer", "date", "time", "text", "integer",
    ]  # fmt: skip
    assert instrument.derived[0].compute({"dose": 30, "fractions": 4}) == pytest.approx(7.5)
    assert {(note.name, note.effect) for note in found.notes} == {("record_id", "lost"), ("pain", "changed")}


def test_what_cannot_be_carried_is_noted_with_its_place():
    found = redcap.read(
        dictionary(
            {"name": "phone_no", "validation": "phone", "identifier": "y"},
            {"name": "scan", "type": "file"},
            {"name": "a_very_long_name_of_a_field_here", "validation": "datetime_ymd"},
            {"name": "Select", "branching": "[baseline_arm_1][margin] = 1"},
            {"name": "x", "annotation": "@HIDDEN", "branching": "[phone_no] <> ''"},
            {"name": "bmi", "type": "calc", "choices": "[weight_of_scan] * [scan]"},
        )
    )
    assert [str(fault) for fault in found.faults] == []
    assert [(note.row, note.name, note.effect) for note in found.notes] == [
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
    assert "reaches another event" in found.notes[7].reason.en
    assert [item["name"] for item in found.documents["visit"]["items"]] == ["a_very_long_name_of_a_fi", "select_2", "x"]


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
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
    found = redcap.read((first + out.getvalue()).encode(encoding))
    assert found.faults == []
    items = found.documents["v"]["items"]
    assert [item["label"]["en"] for item in items] == ["年齢", "性別"]
    assert [choice["label"]["en"] for choice in items[1]["choices"]] == ["男", "女"]
    told = [(note.row, note.column) for note in found.notes if note.name == ""]
    assert told == [(0, "")] * (encoding == "cp932") + [(1, "My own")]


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
    found = redcap.read(
        dictionary(
            {"name": "margin", "type": "radio", "choices": "0, R0 | 1, R1", "required": "y"},
            {"name": "sites", "type": "checkbox", "choices": "a, Rib | b, Pelvis", "branching": "[margin] = 1"},
            {"name": "dose", "validation": "number_2dp", "minimum": "0", "maximum": "80"},
            {"name": "per", "type": "calc", "choices": "[dose]/2"},
        )
    )
    written, notes = redcap.write(list(found.documents.values()))
    again = redcap.read(written)
    assert again.documents == found.documents
    assert notes == []
