"""A project of REDCap in, raw and as labels, and out in REDCap's own shape; the files have the shape of its exports."""

import csv
import io
import zipfile

import pytest
from django.core.management import call_command

from registry.exports.choices import Choices, InvalidChoices
from registry.models import AdverseEvent, Patient
from registry.protocol import redcap
from registry.services.protocol import bringing, setup
from tests.protocol.conftest import publish  # noqa: F401
from tests.transfer.conftest import ASSESSMENT, EVENT, PATIENT, findings, write_csv
from tests.transfer.files.test_cases import matched
from tests.transfer.imports.test_import_flow import columns_of, counts, errors, follow, send, store, values_of, warnings

RAW = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_data_access_group,\
redcap_survey_identifier,sex,birth_date,consent_date,primary_tumour,lesion_levels___c7,lesion_levels___t1,\
baseline_complete,assessment_date,frankel,ecog_ps,visit_timestamp,visit_complete,kind,onset_date,event_complete,shoe
N01-1,baseline_arm_1,,,n01,a@example.org,male,1950-04-03,2024-01-08,lung,1,1,\
2,2024-01-09,C,3,2024-01-09 10:00:00,2,,,,41
N01-1,1_month_arm_1,,,n01,,,,,,,,,2024-02-09,D,2,[not completed],0,,,,
N01-1,baseline_arm_1,adverse_event,1,n01,,,,,,,,,,,,,,hematoma,2024-01-12,2,
N01-1,baseline_arm_1,adverse_event,2,n01,,,,,,,,,,,,,,wound_problem,2024-01-10,2,
"""
LABELS = """\
Record ID,Event Name,Repeat Instrument,Repeat Instance,Data Access Group,\
Survey Identifier,Sex,Date of birth,Date of consent,Primary tumour,\
Levels of the lesion (choice=C7),Levels of the lesion (choice=T1),\
Complete?,Date of assessment,Frankel grade,ECOG performance status,Survey Timestamp,Complete?,\
Kind,Date of onset,Complete?,Shoe size
N01-1,Baseline (Arm 1: Drug A),,,North,a@example.org,Male,1950-04-03,2024-01-08,Lung,Checked,Checked,\
Complete,2024-01-09,C,3,2024-01-09 10:00:00,Complete,,,,41
N01-1,1 month (Arm 1: Drug A),,,North,,,,,,,,,2024-02-09,D,2,[not completed],Incomplete,,,,
N01-1,Baseline (Arm 1: Drug A),Adverse event,1,North,,,,,,,,,,,,,,Postoperative hematoma,2024-01-12,Complete,
N01-1,Baseline (Arm 1: Drug A),Adverse event,2,North,,,,,,,,,,,,,,Wound problem without infection,2024-01-10,Complete,
"""


def as_project(export):
    """The same project as XML, of the shape that REDCap writes: repeats stand before what comes once."""
    columns = [name for name in export.split("\n", 1)[0].split(",") if not name.startswith("re")]
    listed = '<CodeListRef CodeListOID="sex.choices"/>'
    kinds = {"sex": "radio", "lesion_levels___c7": "checkbox", "lesion_levels___t1": "checkbox"}
    items = "".join(
        f'<ItemDef OID="{name}" Name="{name}" DataType="text" redcap:FieldType="{kinds.get(name, "text")}">'
        f"<Question><TranslatedText>Answer</TranslatedText></Question>"
        f"{listed if name == 'sex' else ''}</ItemDef>"
        for name in columns
    )
    events = "".join(
        f'<StudyEventDef OID="Event.{unique}" Name="{name}" redcap:EventName="{name}" '
        f'redcap:UniqueEventName="{unique}" '
        f'redcap:ArmNum="1" redcap:ArmName="Drug A"/>'
        for unique, name in (("baseline_arm_1", "Baseline"), ("1_month_arm_1", "1 month"))
    )
    data = {}
    for row in rows(export):
        own = "".join(
            f'<ItemData ItemOID="{name}" Value="{value}"/>'
            for name, value in row.items()
            if value and (name in columns or name.endswith(("_group", "_identifier")))
        )
        form, key = row["redcap_repeat_instrument"] or "visit", row["redcap_repeat_instance"] or "1"
        data.setdefault(row["redcap_event_name"], []).insert(
            0, f'<FormData FormOID="Form.{form}" FormRepeatKey="{key}"><ItemGroupData ItemGroupOID="g" '
            f'ItemGroupRepeatKey="1"><ItemData ItemOID="record_id" Value="N01-1"/>{own}</ItemGroupData></FormData>'
        )  # fmt: skip
    clinical = "".join(
        f'<StudyEventData StudyEventOID="Event.{unique}" StudyEventRepeatKey="1" redcap:UniqueEventName="{unique}">'
        f"{''.join(forms)}</StudyEventData>"
        for unique, forms in data.items()
    )
    return (
        '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:redcap="https://projectredcap.org" FileType="Snapshot" '
        'SourceSystem="REDCap"><Study OID="s"><GlobalVariables><redcap:RepeatingInstrumentsAndEvents>'
        '<redcap:RepeatingInstruments><redcap:RepeatingInstrument redcap:UniqueEventName="baseline_arm_1" '
        'redcap:RepeatInstrument="adverse_event"/></redcap:RepeatingInstruments></redcap:RepeatingInstrumentsAndEvents>'
        f'</GlobalVariables><MetaDataVersion OID="m" Name="m">{events}{items}<CodeList OID="sex.choices">'
        '<CodeListItem CodedValue="male"><Decode><TranslatedText>Male</TranslatedText></Decode></CodeListItem>'
        '</CodeList></MetaDataVersion></Study><ClinicalData StudyOID="s" MetaDataVersionOID="m">'
        f'<SubjectData SubjectKey="N01-1" redcap:RecordIdField="record_id">{clinical}</SubjectData>'
        "</ClinicalData></ODM>"
    )


@pytest.mark.parametrize("shape", ["raw", "labels", "xml"])
def test_a_project_comes_in_raw_and_as_labels(browser, north, as_system, shape):
    export = {"raw": RAW, "labels": LABELS, "xml": as_project(RAW)}[shape]
    address = send(browser, **{"redcap__xml" if shape == "xml" else "redcap__csv": export.encode()})
    said = {"repeats": "pass_over", "code-site_code-0": "N01"}
    page = matched(browser, address, **said)
    assert errors(page) == []
    assert {name: count["new"] for name, count in counts(address).items()} == {
        "patients": 1, "assessments": 2, "adverse_events": 2,
    }  # fmt: skip
    reasons = " ".join(f"{column}: {reason}" for _, column, _, reason in warnings(page))
    assert reasons.count("how far a form of REDCap is") == 3 and reasons.count("who answered a survey") == 2
    assert ": stands for nothing here and is not imported (1 values)" in reasons
    assert "passed over" not in reasons  # an event is a row of its own, whatever its number
    store(browser, address)
    with as_system():
        patient = Patient.objects.get(pk="N01-1")
        assert (patient.site.code, patient.lesion_levels) == ("N01", ("C7", "T1"))
        visits = patient.assessments.order_by("assessment_date").values_list("timepoint", "frankel", "ecog_ps")
        assert list(visits) == [("preop", "C", 3), ("1m", "D", 2)]
        assert AdverseEvent.objects.filter(patient=patient).count() == 2


@pytest.fixture
def project(good, bring_in, tmp_path, as_system):
    """The unpacked files of a project: N01-0001 before surgery and after a month, with two events."""
    after = {"timepoint": "1m", "assessment_date": "2024-02-09", "frankel": "", "frankel_missing": "too_ill"}
    columns = [*ASSESSMENT, "frankel_missing"]
    extra = {"timepoint": "u1", "assessment_date": "2024-03-01"}
    rows = [ASSESSMENT, ASSESSMENT | after | {"barthel_bathing": ""}, ASSESSMENT | extra]
    write_csv(good / "assessments.csv", rows, columns)
    write_csv(good / "adverse_events.csv", [EVENT, EVENT | {"kind": "wound_problem"}])
    assert bring_in(good).stored
    call_command("export_data", tmp_path / "out.zip", format="redcap", stdout=io.StringIO())
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("data/")]
        return {name.removeprefix("data/"): archive.read(name).decode() for name in names}


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_project_of_redcap_is_whole(project):
    data, fields = rows(project["data.csv"]), rows(project["dictionary.csv"])
    first = {name: cell for name, cell in data[0].items() if cell}
    assert (data[0]["patient_id"], first["redcap_event_name"], first["redcap_data_access_group"]) == (
        "N01-0001", "patient_arm_1", "n01",
    )  # fmt: skip
    known = {field["Variable / Field Name"]: field for field in fields}
    form = known["lesion_levels"]["Form Name"]
    assert (first["lesion_levels___c7"], first["lesion_levels___c6"], first[f"{form}_complete"]) == ("1", "0", "2")
    visits = [row for row in data if row["frankel_complete"]]
    assert [(row["redcap_event_name"], row["frankel"], row["frankel_complete"]) for row in visits] == [
        ("before_surgery_arm_1", "C", "2"), ("1_month_arm_1", "too_ill", "2"), ("unscheduled_1_arm_1", "C", "2"),
    ]  # fmt: skip
    assert visits[1]["barthel_complete"] == "0"  # an answer lacks and nobody says why
    repeated = [row for row in data if row["redcap_repeat_instance"]]
    assert [(row["redcap_repeat_instrument"], row["redcap_repeat_instance"], row["kind"]) for row in repeated] == [
        ("adverse_event", "1", "hematoma"), ("adverse_event", "2", "wound_problem"),
    ]  # fmt: skip
    own = {"redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group"}
    columns = {name.split("___")[0] for name in data[0]} - own
    assert columns - known.keys() == {f"{form}_complete" for form in {field["Form Name"] for field in fields}}
    assert fields[0]["Variable / Field Name"] == "patient_id"
    total = known["barthel_total"]
    assert (total["Field Type"], "barthel_total" in data[0]) == ("calc", False)
    assert total["Choices, Calculations, OR Slider Labels"].startswith("if(isblankormissingcode([barthel_")
    events = {row["unique_event_name"] for row in rows(project["events.csv"])}
    assert {row["redcap_event_name"] for row in data} <= events
    placed = {(row["unique_event_name"], row["form"]) for row in rows(project["event_instruments.csv"])}
    assert {("patient_arm_1", "adverse_event"), ("1_month_arm_1", "eq5d5l")} <= placed
    assert {event for event, _ in placed} <= events and {form for _, form in placed} <= {
        field["Form Name"] for field in fields
    }
    assert [row["form_name"] for row in rows(project["repeating_instruments.csv"])] == ["adverse_event"]
    assert "too_ill" in project["HOW_TO_IMPORT.txt"]
    # Read as forms of one's own, names are taken already and some of the core's codes are longer than own ones may be.
    faults = redcap.read(project["dictionary.csv"].encode()).faults
    assert [fault for fault in faults if "already" not in fault.reason.en and len(fault.value) <= 20] == []


def test_a_project_that_left_comes_back_unchanged(project, browser):
    address = send(browser, data__csv=project["data.csv"].encode())
    page = follow(browser, address)
    browser.post(f"{address}columns/", columns_of(page))
    page = follow(browser, address)
    said = values_of(page) | {"repeats": "pass_over"}
    # The patient's own event is no visit, which somebody has to say; everything else is suggested.
    silent = [name for name, answer in said.items() if not answer]
    assert len(silent) == 1 and silent[0].startswith("code-timepoint-")
    assert browser.post(f"{address}values/", said | {silent[0]: "~"}).status_code == 302
    page = follow(browser, address)
    assert errors(page) == []
    assert {name: (count["new"], count["changed"]) for name, count in counts(address).items()} == {
        "patients": (0, 0), "assessments": (0, 0), "adverse_events": (0, 0), "follow_up_ends": (0, 0),
    }  # fmt: skip


@pytest.mark.parametrize("format", ["odm", "redcap"])
def test_a_format_with_a_shape_of_its_own_refuses_another(format):
    with pytest.raises(InvalidChoices, match="a shape of its own") as refused:
        Choices(format=format, shape="wide")
    assert refused.value.field == "shape"


NEEDS = ("name", "form", "type", "label", "choices", "validation", "minimum", "identifier", "branching", "required")
FIELDS = [
    ("ppt_id", "intake", "text", "Participant ID", "", "", "", "", "", ""),
    ("name", "intake", "text", "Name of the ward", "", "", "", "", "", "y"),  # a word that tables have for columns
    ("born", "intake", "text", "Born", "", "date_ymd", "", "y", "", ""),
    ("mail", "intake", "text", "Mail", "", "email", "", "", "", ""),
    ("c", "intake", "text", "C", "", "", "", "", "", ""),  # a row is called so by the trail's trigger
    ("beds", "intake", "text", "Beds,\nall of them", "", "integer", "", "", "", ""),  # without limits
    ("told", "intake", "descriptive", "Read this.", "", "", "", "", "", ""),
    ("scan", "intake", "file", "Scan", "", "", "", "", "", ""),
    ("sign", "intake", "file", "Signature", "", "signature", "", "", "", ""),
    ("seen_at", "intake", "text", "Seen", "", "datetime_dmy", "", "", "", ""),
    ("mood", "visit_form", "slider", "Mood", "sad | | glad", "", "", "", "", ""),
    ("drugs", "visit_form", "checkbox", "Drugs", "1, one|3, three|-3, none", "", "", "", "", ""),
    ("protein", "visit_form", "text", "Protein", "", "number", "", "", "", ""),
    ("twice", "visit_form", "calc", "Twice", "[protein]*2", "", "", "", "", ""),
    ("why", "visit_form", "notes", "Why none", "", "", "", "", "[drugs(-3)] = '1'", ""),
    ("lab_on", "labs", "text", "On", "", "date_mdy", "", "", "", ""),
    ("lab_value", "labs", "text", "Value", "", "number_2dp_comma_decimal", "0", "", "", "y"),
]
EVENTS = """\
ppt_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_data_access_group,name,mail,beds,scan,seen_at,\
intake_complete,mood,drugs___1,drugs___3,drugs____3,protein,twice,why,visit_form_complete,lab_on,lab_value,labs_complete
{1},before_surgery_arm_1,,,n01,"東病棟
2",x@example.org,12,[document],2024-01-02 10:00,2,50,1,1,0,.5,1,,2,,,
{1},1_month_arm_1,,,n01,,,,,,,,0,0,1,-.25,-.5,"ill
then",2,,,
{1},before_surgery_arm_1,labs,1,n01,,,,,,,,,,,,,,,2024-01-03,"1,5",2
{1},before_surgery_arm_1,labs,2,n01,,,,,,,,,,,,,,,2024-01-04,"2,25",2
{2},before_surgery_arm_2,,,n01,,,,,,0,,0,0,0,,,"told before",0,,,
"""


def field_rows():
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([redcap.COLUMNS[key][0] for key in NEEDS])
    writer.writerows(FIELDS)
    return out.getvalue().encode()


def test_a_project_comes_in_with_forms_of_its_own_and_goes_out_again(
    browser, good, bring_in, publish, ada, as_person, as_system, tmp_path  # noqa: F811
):  # fmt: skip
    """Dictionary, data and back: what its fields hold stays the same, what is left out is told by name."""
    assert bring_in(good).stored
    with as_person(ada):
        carried = bringing.read(field_rows(), "assessment")
    assert carried.faults == []
    places = {(note.row, note.name) for note in carried.notes}
    assert places >= {
        (2, "ppt_id"),
        (4, "born"),
        (5, "mail"),
        (6, "c_2"),
        (9, "told"),
        (10, "scan"),
        (11, "sign"),
        (12, "seen_at"),
    }
    arms = [{"code": code, "label": {"en": code}} for code in ("HT", "TES")]
    with as_person(ada) as access:
        setup.save_about(access=access, about={"arms": arms}, note="as approved")
    for code, record in (("intake", "baseline"), ("visit_form", "assessment"), ("labs", "repeat")):
        publish(carried.documents[code] | {"record": record})
    # A file of before, without the own forms: what they require is not there yet, so the form is a draft.
    write_csv(good / "patients.csv", [PATIENT | {"patient_id": "N01-0009"}])
    (good / "assessments.csv").unlink()
    (good / "adverse_events.csv").unlink()
    report = bring_in(good)
    assert (findings(report), report.stored) == ([], True)
    sent = EVENTS.replace("{1}", "N01-0001").replace("{2}", "N01-0009").encode()
    address = send(browser, data__csv=sent)
    said = {"repeats": "pass_over", "separators": "comma", "code-timepoint-0": "preop"}
    said |= {"code-study_arm-0": "HT", "code-study_arm-1": "TES"}
    page = matched(browser, address, **said)
    # REDCap keeps what was typed before a field was hidden: an error, or left out where somebody says so.
    assert [(row, column, value) for row, column, value, _ in errors(page)] == [(8, "why", "told before")]
    address = send(browser, data__csv=sent)
    page = matched(browser, address, hidden="on", **said)
    assert errors(page) == []
    assert [(row, column) for row, column, _, reason in warnings(page) if "left out as" in reason] == [(8, "why")]
    said = {column: reason for _, column, _, reason in warnings(page)}
    assert "is calculated by the registry" in said["twice"]
    assert all("stands for nothing here" in said[column] for column in ("mail", "scan"))
    assert {name: (count["new"], count["changed"]) for name, count in counts(address).items()} == {
        "patients": (0, 2), "assessments": (0, 2), "own_labs": (2, 0),
    }  # fmt: skip
    assert store(browser, address, update="on").status_code == 302
    path = tmp_path / "whole.zip"
    call_command("export_data", path, format="redcap", content=["items", "extras"], stdout=io.StringIO())
    with zipfile.ZipFile(path) as archive:
        out = [
            row for row in rows(archive.read("data/data.csv").decode()) if row["patient_id"] in ("N01-0001", "N01-0009")
        ]
    names = ("name", "beds", "seen_at", "mood", "drugs___1", "drugs___3", "drugs____3", "protein", "why", "lab_value")
    assert [tuple(row[name] for name in names) for row in out if any(row[name] for name in names)] == [
        ("東病棟\n2", "12", "2024-01-02 10:00", *[""] * 7),
        ("", "", "", "50", "1", "1", "0", "0.5", "", ""),
        ("", "", "", "", "0", "0", "1", "-0.25", "ill\nthen", ""),
        *[(*[""] * 9, value) for value in ("1.50", "2.25")],
    ]  # fmt: skip
    with as_system():
        states = dict(Patient.objects.values_list("pk", "baseline_state"))
        arms = dict(Patient.objects.exclude(study_arm=None).values_list("pk", "study_arm"))
        assert arms == {"N01-0001": "HT", "N01-0009": "TES"}
    assert (states["N01-0001"], states["N01-0009"]) == ("complete", "draft")
