"""CDISC ODM in: our own comes back unchanged, a foreign one is matched by its questions; what is no data is told."""

import csv
import io
import zipfile

import pytest
from django.core.management import call_command

from registry.imports import jobs
from registry.imports.files import odm
from registry.models import Import, Patient
from tests.transfer.conftest import ASSESSMENT, EVENT, write_csv
from tests.transfer.files.test_cases import matched
from tests.transfer.imports.test_import_flow import counts, errors, follow, send, store, warnings

FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<o:ODM xmlns:o="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" FileOID="f"
 SourceSystem="Other">
<o:Study OID="s"><o:BasicDefinitions><o:MeasurementUnit OID="MU.1" Name="mm"/></o:BasicDefinitions>
<o:MetaDataVersion OID="m" Name="m">
<o:StudyEventDef OID="E1" Name="Baseline" Repeating="No" Type="Scheduled"/>
<o:StudyEventDef OID="E2" Name="1 month" Repeating="No" Type="Scheduled"/>
<o:ItemDef OID="Q1" Name="Q1" DataType="integer">
<o:Question><o:TranslatedText xml:lang="en">Sex</o:TranslatedText>
</o:Question><o:CodeListRef CodeListOID="CL1"/></o:ItemDef>
<o:ItemDef OID="Q2" Name="Q2" DataType="date">
<o:Question><o:TranslatedText>Date of consent</o:TranslatedText></o:Question></o:ItemDef>
<o:ItemDef OID="Q3" Name="pain_vas_mm" DataType="integer">
<o:Question><o:TranslatedText>How much does it hurt?</o:TranslatedText>
</o:Question><o:MeasurementUnitRef MeasurementUnitOID="MU.1"/></o:ItemDef>
<o:ItemDef OID="Q4" Name="Q4" DataType="text">
<o:Question><o:TranslatedText>Favourite colour?</o:TranslatedText></o:Question></o:ItemDef>
<o:ItemDef OID="Q5" Name="Q5" DataType="date">
<o:Question><o:TranslatedText>Date of assessment</o:TranslatedText></o:Question></o:ItemDef>
<o:CodeList OID="CL1" Name="Sex" DataType="integer">
<o:CodeListItem CodedValue="1"><o:Decode><o:TranslatedText>Male</o:TranslatedText></o:Decode></o:CodeListItem>
<o:CodeListItem CodedValue="2"><o:Decode><o:TranslatedText>Female</o:TranslatedText></o:Decode></o:CodeListItem>
</o:CodeList>
</o:MetaDataVersion></o:Study>
<o:AdminData><o:Location OID="L1" Name="N01"/></o:AdminData>
<o:ClinicalData StudyOID="s" MetaDataVersionOID="m"><o:SubjectData SubjectKey="N01-7"><o:SiteRef LocationOID="L1"/>
<o:StudyEventData StudyEventOID="E1"><o:FormData FormOID="F"><o:ItemGroupData ItemGroupOID="G">
<o:ItemData ItemOID="Q1" Value="2"/><o:ItemDataDate ItemOID="Q2">2024-01-08</o:ItemDataDate>
<o:ItemData ItemOID="Q3" Value="60"><o:AuditRecord/></o:ItemData><o:ItemData ItemOID="Q4" Value="blue"/>
<o:ItemData ItemOID="Q5" Value="2024-01-09"/>
</o:ItemGroupData></o:FormData></o:StudyEventData>
<o:StudyEventData StudyEventOID="E2"><o:FormData FormOID="F"><o:ItemGroupData ItemGroupOID="G">
<o:ItemData ItemOID="Q3" Value="20"/><o:ItemData ItemOID="Q5" Value="2024-02-09"/>
</o:ItemGroupData></o:FormData></o:StudyEventData></o:SubjectData></o:ClinicalData></o:ODM>
"""


def test_a_foreign_file_is_matched_by_its_questions(browser, north, as_system):
    address = send(browser, other__xml=FOREIGN.encode())
    page = follow(browser, address)
    named = jobs.layouts_of(_job())[0][1].names
    assert named == [
        "SubjectKey", "SiteRef", "StudyEventOID", "Sex", "Date of consent", "pain_vas_mm", "Favourite colour?",
        "Date of assessment",
    ]  # fmt: skip
    assert page.templates[0].name == "imports/import_columns.html"
    page = matched(browser, address)
    assert errors(page) == []
    reasons = " ".join(f"{column}: {reason}" for _, column, _, reason in warnings(page))
    assert "Favourite colour?: stands for nothing here and is not imported (1 values)" in reasons
    assert "1 audit records of the ODM file are not imported" in reasons
    store(browser, address)
    with as_system():
        patient = Patient.objects.get(pk="N01-7")
        assert (patient.sex, str(patient.consent_date)) == ("female", "2024-01-08")
        pain = patient.assessments.order_by("assessment_date").values_list("timepoint", "pain_vas_mm")
        assert list(pain) == [("preop", 60), ("1m", 20)]


def _job():
    return Import.objects.order_by("-heartbeat_at").first()


def test_our_own_comes_back_unchanged(browser, good, bring_in, tmp_path, as_system):
    after = {"timepoint": "1m", "assessment_date": "2024-02-09", "frankel": "", "frankel_missing": "too_ill"}
    write_csv(good / "assessments.csv", [ASSESSMENT, ASSESSMENT | after], [*ASSESSMENT, "frankel_missing"])
    write_csv(good / "adverse_events.csv", [EVENT, EVENT | {"kind": "wound_problem"}])
    assert bring_in(good).stored
    call_command("export_data", tmp_path / "out.zip", format="odm", stdout=io.StringIO())
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        content = archive.read("data/metaspine.odm.xml")
    address = send(browser, metaspine__odm__xml=content)
    page = matched(browser, address)
    assert errors(page) == []
    assert {name: (count["new"], count["changed"]) for name, count in counts(address).items()} == {
        "patients": (0, 0), "assessments": (0, 0), "adverse_events": (0, 0),
    }  # fmt: skip
    assert counts(address)["assessments"]["unchanged"] == 2
    changed = content.replace(b'ItemOID="I.pain_vas_mm" Value="70"', b'ItemOID="I.pain_vas_mm" Value="71"', 1)
    address = send(browser, metaspine__odm__xml=changed)
    assert errors(matched(browser, address)) == []
    assert counts(address)["assessments"]["changed"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('FileType="Snapshot"', 'FileType="Transactional"'), "says what changed"),
        (('Value="20"', 'Value="20" TransactionType="Remove"'), "“Remove”"),
        (("<o:ODM", "<!DOCTYPE o:ODM [<!ENTITY a 'b'>]><o:ODM"), "document type"),
        (("</o:ODM>", ""), "cannot be read as XML"),
        (("o:ODM", "o:Other"), "no ODM file"),
        (("SubjectData", "ReferenceThing"), "no data of subjects"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_of_odm_is_refused_with_its_reason(browser, north, change, said):
    page = follow(browser, send(browser, other__xml=FOREIGN.replace(*change).encode()))
    assert any(said in reason for *_, reason in errors(page)), errors(page)


VENDOR = """<?xml version="1.0" encoding="UTF-8"?>
<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:OpenClinica="http://www.openclinica.org/ns/odm_ext_v130/v3.1"
 xmlns:redcap="https://projectredcap.org" ODMVersion="1.3.1" FileType="Snapshot" FileOID="f" SourceSystem="OpenClinica">
<Study OID="s"><MetaDataVersion OID="m" Name="m">
<StudyEventDef OID="SE_1" Name="1 month" Repeating="No" Type="Scheduled"/>
<ItemDef OID="I_VAS" Name="pain_vas_mm" DataType="integer"/><ItemDef OID="I_KIND" Name="kind" DataType="text"/>
<ItemDef OID="I_ON" Name="onset_date" DataType="date"/></MetaDataVersion></Study>
<ClinicalData StudyOID="s" MetaDataVersionOID="m">
<SubjectData SubjectKey="SS_17" OpenClinica:StudySubjectID="N01-0001" OpenClinica:Status="available">
<StudyEventData StudyEventOID="SE_1" OpenClinica:StartDate="2024-02-09">
<FormData FormOID="F_1" OpenClinica:Version="v1"><ItemGroupData ItemGroupOID="G1" ItemGroupRepeatKey="1">
<ItemData ItemOID="I_VAS" Value="20"><OpenClinica:DiscrepancyNotes><OpenClinica:DiscrepancyNote ID="1">
<OpenClinica:Comment Value="9"/></OpenClinica:DiscrepancyNote></OpenClinica:DiscrepancyNotes></ItemData>
<ItemDataBase64Binary ItemOID="I_SCAN" redcap:DocName="a.png">aGVsbG8=</ItemDataBase64Binary></ItemGroupData></FormData>
<FormData FormOID="F_2"><ItemGroupData ItemGroupOID="G2" ItemGroupRepeatKey="1">
<ItemData ItemOID="I_KIND" Value="hematoma"/></ItemGroupData>
<ItemGroupData ItemGroupOID="G2" ItemGroupRepeatKey="2"><ItemData ItemOID="I_ON" Value="2024-01-20"/></ItemGroupData>
</FormData></StudyEventData></SubjectData></ClinicalData></ODM>
"""


CLASSIC = """<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" xmlns:r="https://projectredcap.org" SourceSystem="REDCap">
<Study OID="s"><GlobalVariables><r:RepeatingInstrument r:UniqueEventName="event_1_arm_1" r:RepeatInstrument="pain"/>
</GlobalVariables></Study><ClinicalData><SubjectData SubjectKey="1"><StudyEventData StudyEventOID="Event.1">
<FormData FormOID="Form.pain" FormRepeatKey="1"><ItemGroupData><ItemData ItemOID="vas" Value="20"/></ItemGroupData>
</FormData></StudyEventData></SubjectData></ClinicalData></ODM>
"""


def rows_of(content, folder):
    """Of the table that is made of an ODM file: the day of the visit, pain, and the kind and day of an event."""
    (folder / "in.xml").write_text(content)
    odm.read(folder / "in.xml", folder, lambda name: True)
    with (folder / "sheet-0.csv").open(newline="") as stream:
        rows = csv.DictReader(stream)
        return sorted(tuple(row[name] for name in ("StartDate", "pain_vas_mm", "kind", "onset_date")) for row in rows)


def test_extensions_of_vendors_are_offered_or_told_and_repeats_stay_apart(browser, good, bring_in, tmp_path):
    assert bring_in(good).stored
    address = send(browser, clinica__xml=VENDOR.encode())
    page = follow(browser, address)
    suggested = {line["name"]: line["target"] for line in page.context["lines"]}
    assert suggested == {
        "StudySubjectID": "patient_id", "Status": "", "StartDate": "", "SubjectKey": "", "StudyEventOID": "timepoint",
        "pain_vas_mm": "pain_vas_mm", "kind": "kind", "onset_date": "onset_date",
    }  # fmt: skip
    page = matched(browser, address, columns={"StartDate": "assessment_date"})
    # Each of the two repeated groups lacks what the other has: they are two events, and neither is whole.
    assert sorted((column, reason) for _, column, _, reason in errors(page)) == [
        ("kind", "must not be empty"), ("onset_date", "must not be empty"),
    ]  # fmt: skip
    # Repeats that stand before the visit's own form keep apart from it: its day and its answers are one row.
    start, end = VENDOR.index('<FormData FormOID="F_1"'), VENDOR.index("</FormData>") + len("</FormData>")
    turned = VENDOR[:start] + VENDOR[end:].replace("</StudyEventData>", VENDOR[start:end] + "</StudyEventData>")
    assert rows_of(turned, tmp_path) == rows_of(VENDOR, tmp_path) == [
        ("", "", "", "2024-01-20"), ("", "", "hematoma", ""), ("2024-02-09", "20", "", ""),
    ]  # fmt: skip
    reasons = " ".join(reason for *_, reason in warnings(page))
    assert "1 files of the ODM file are not imported" in reasons
    assert "DiscrepancyNote (http://www.openclinica.org/ns/odm_ext_v130/v3.1)" in reasons
    # A project of REDCap without events names none in its data: a form that repeats is known by it all the same.
    (tmp_path / "classic.xml").write_text(CLASSIC)
    odm.read(tmp_path / "classic.xml", tmp_path, lambda name: True)
    header, row = list(csv.reader((tmp_path / "sheet-0.csv").read_text().splitlines()))
    assert (dict(zip(header, row, strict=True))["Repeat Instrument"], row[-1]) == ("pain", "20")
