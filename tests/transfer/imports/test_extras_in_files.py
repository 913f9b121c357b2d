"""Extra instruments as further columns of a file: optional, whole, by the rules of the forms; round by an export."""

import io
import random
import zipfile

import pytest
from django.core.management import call_command

from registry.instruments import catalogue, extras
from registry.models import Assessment, Patient
from registry.services.files import file_formats
from registry.services.records.extras import switch
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, PATIENT, findings, texts, write_csv
from tests.transfer.exports.test_round_trip import row_of
from tests.transfer.imports.test_admin_import import confirm, importer, upload  # noqa: F401
from tests.transfer.imports.test_import_flow import columns_of, counts, errors, follow, send, store, text, values_of

KPS = ASSESSMENT | {"kps": "50"}
SOSG = {"sosg_version": "v2", "sosg_direction": "higher_better", "sosg_physical": "55.5"}


def kind_of(name):
    return next(file for file in file_formats.accepted() if file.name == name)


@pytest.fixture
def switched(db):
    def on(*codes, off=()):
        with everything():
            for code in codes or extras.SWITCHES:
                switch(access=None, code=code, on=True)
            for code in off:
                switch(access=None, code=code, on=False)

    return on


def answered(patient="N01-0001", timepoint="preop"):
    with everything():
        return Assessment.objects.get(patient=patient, timepoint=timepoint)


def exported(folder, name):
    """The long CSV files of `export_data` with items and extras, by name."""
    path = folder / f"{name}.zip"
    call_command("export_data", path, content=["items", "extras"], stdout=io.StringIO())
    with zipfile.ZipFile(path) as archive:
        return {file.name: archive.read(f"data/{file.filename}") for file in file_formats.FILES}


def matched(browser, content, **said):
    """Bring in a file by a mapping, columns as suggested but for `said`."""
    address = send(browser, other__csv=content)
    page = follow(browser, address)
    browser.post(f"{address}columns/", columns_of(page, **said))
    page = follow(browser, address)
    if page.templates[0].name == "imports/import_values.html":
        browser.post(f"{address}values/", values_of(page))
        page = follow(browser, address)
    assert (page.templates[0].name, errors(page)) == ("imports/report.html", [])
    store(browser, address, update="on")
    return counts(address)


def test_an_export_with_extras_comes_in_again(good, bring_in, take_out, tmp_path, switched, browser, as_system):
    """Every extra of patients and assessments, drawn from all that is allowed, with reasons and gaps."""
    switched()
    chance = random.Random(20261121)
    known = {"local_recurrence": "present", "local_recurrence_date": ""}
    patient = row_of(kind_of("patients"), chance, PATIENT | known)
    for item in catalogue.items(catalogue.PATIENT_EXTRAS):  # the form comes in complete, before its extras
        if item.required and not patient[item.name]:
            patient[item.name + file_formats.MISSING_SUFFIX] = "unknown"
    write_csv(good / "patients.csv", [patient], named("patients"))
    visits = [ASSESSMENT | {"timepoint": visit} for visit in ("preop", "1m", "3m", "6m", "12m", "u1")]
    write_csv(
        good / "assessments.csv",
        [row_of(kind_of("assessments"), chance, visit) for visit in visits],
        named("assessments"),
    )
    report = bring_in(good)
    assert (findings(report), report.stored) == ([], True)
    contract, before = take_out("contract"), exported(tmp_path, "before")
    for file in file_formats.CONTRACT:
        header = (contract / file.filename).read_text().split("\n")[0].split(",")
        assert header == [*file.columns, *(reason.name for reason in file.reasons)]
    with everything():
        Patient.objects.all().delete()
    own = texts(contract)
    (contract / "assessments.csv").write_bytes(before["assessments"])
    assert bring_in(contract).counts["assessments"].new == len(visits)
    assert matched(browser, before["patients"], age_at_surgery="")["patients"]["changed"] == 1
    after = exported(tmp_path, "after")
    assert after == before
    assert texts(take_out("again")) == own


def named(name):
    return [*kind_of(name).columns, *(reason.name for reason in kind_of(name).reasons)]


def test_what_is_not_in_the_file_stays_and_what_is_changes_with_a_reason(good, bring_in, switched):
    switched("kps", "sosg_oq")
    assert "kps" not in file_formats.ASSESSMENTS.columns
    write_csv(good / "assessments.csv", [KPS | SOSG, ASSESSMENT | {"patient_id": "S01-0001"}])
    assert bring_in(good).stored
    assert (answered().kps, str(answered().sosg_physical), answered().state) == (50, "55.5", "draft")
    write_csv(good / "assessments.csv", [ASSESSMENT])
    assert bring_in(good).counts["assessments"].unchanged == 1
    whole = KPS | SOSG | dict.fromkeys(("sosg_pain", "sosg_mental", "sosg_social", "sosg_total"), "60")
    write_csv(good / "assessments.csv", [whole | {"kps": "60"}])
    report = bring_in(good)
    assert not report.stored
    first = report.differences.shown[0]
    assert (first.column, first.value, first.reason.en) == ("kps", "60", "stored: 50")
    assert bring_in(good, update=True, reason="chart").stored
    assert (answered().kps, answered().state) == (60, "complete")
    partial = {name: whole[name] for name in ("patient_id", "timepoint", *ASSESSMENT)} | {"sosg_pain": "12.5"}
    write_csv(good / "assessments.csv", [partial])  # a part of an instrument: the others stay
    assert bring_in(good, update=True, reason="chart").stored
    assert (answered().sosg_pain, answered().sosg_mental, answered().kps) == (12.5, 60, 60)
    write_csv(good / "assessments.csv", [whole | {"sosg_total": "", "kps_missing": "too_ill", "kps": ""}])
    assert [finding[1:3] for finding in findings(bring_in(good, update=True, reason="chart"))] == [(2, "state")]
    write_csv(good / "assessments.csv", [KPS | {"kps": "55", "kps_missing": "", "ais_missing": ""}])
    assert [(row, why[:14]) for _, row, _, _, why in findings(bring_in(good))] == [(2, "must be one of")]


def test_an_extra_that_is_off_takes_nothing_new(good, bring_in, switched):
    switched("kps")
    write_csv(good / "assessments.csv", [KPS])
    assert bring_in(good).stored
    switched(off=["kps"])
    assert bring_in(good).stored, "the same as is stored"
    for given in ({"kps": "60"}, {"kps": ""}, {"timepoint": "1m"}):
        write_csv(good / "assessments.csv", [KPS | given])
        all_findings = findings(bring_in(good, update=True, reason="chart"))
        assert [(row, name, why) for _, row, name, _, why in all_findings] == [
            (2, "kps", "is switched off in this registry")
        ]
    write_csv(good / "assessments.csv", [KPS | {"timepoint": "1m", "kps": ""}])
    assert bring_in(good).stored
    assert answered().kps == 50


def test_differences_undoing_and_the_pages(good, bring_in, browser, switched):
    bring_in(good)
    columns = send(browser, other__csv=b"patient_id,timepoint,kps,nothing\nN01-0001,preop,50,1\n")
    assert {line["name"]: line["target"] for line in follow(browser, columns).context["lines"]}["kps"] == ""
    switched("kps")
    address = send(browser, assessments__csv=text([KPS]).encode())
    assert errors(follow(browser, address)) == []
    rows = follow(browser, f"{address}rows/?file=assessments&kind=changed").context["rows"]
    assert [row["cells"] for row in rows] == [[["kps", "∅", "50"]]]
    store(browser, address, update="on")
    assert answered().kps == 50
    browser.post(f"{address}undo/", {"reason": "wrong file"})
    assert answered().kps is None
    done = matched(browser, b"record_id,visit,KPS\nN01-0001,preop,70\n")
    assert done["assessments"] == {"new": 0, "changed": 1, "unchanged": 0}
    assert (answered().kps, answered().frankel) == (70, "C")


def test_the_administration_screen_takes_them(good, bring_in, importer, switched):  # noqa: F811
    bring_in(good)
    switched("kps")
    preview = upload(importer, Assessment, text([KPS]).encode())
    assert [row.cells for row in preview.context["result"].changed] == [[["kps", "∅", "50"]]]
    assert confirm(importer, Assessment, preview, update="on").status_code == 302
    assert answered().kps == 50
