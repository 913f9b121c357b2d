"""The registry's files through the administration screens: the rules, words, record and undoing of every import."""

import pytest
import tablib
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command, get_commands
from django.urls import reverse

from registry.admin.resources import LARGEST, RESOURCES
from registry.imports import jobs
from registry.models import AdverseEvent, Assessment, Import, Patient
from registry.services.files import file_formats
from sites.models import AuditEvent, Membership
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import everything
from tests.people.test_admin import BLOCKED
from tests.transfer.conftest import ASSESSMENT, PATIENT
from tests.transfer.imports.test_import import CELLS, FILES, change, stored
from tests.transfer.imports.test_import_flow import errors, excel, follow, send, text


@pytest.fixture
def importer(client, ada, north, south):
    """A browser of somebody who administers and is a data manager."""
    Membership.objects.create(user=ada, role=Role.DATA_MANAGER, starts_on="2020-01-01")
    client.force_login(ada)
    return client


def address(model, act="import"):
    return reverse(f"admin:registry_{model._meta.model_name}_{act}")


def upload(browser, model, content, name=None):
    """The preview of a file (bytes)."""
    file = SimpleUploadedFile(name or RESOURCES[model].file.filename, content)
    return browser.post(address(model), {"import_file": file, "resource": "0"})


def confirm(browser, model, preview, **answers):
    which = preview.context["confirm_form"].initial["import_file_name"]
    return browser.post(
        address(model, "process_import"), {"import_file_name": which, "reason": "from the clinic"} | answers
    )


def errors_of(preview):
    return [
        (finding.row, finding.column, finding.value, finding.reason.en)
        for finding in preview.context["result"].report["errors"].shown
    ]


def bring_all_in(browser, folder):
    for file in file_formats.CONTRACT:
        model = file.model
        preview = upload(browser, model, (folder / file.filename).read_bytes())
        assert confirm(browser, model, preview).status_code == 302


def test_fields_are_the_columns_of_the_file():
    for model, resource in RESOURCES.items():
        names = list(resource.fields)
        assert names[: len(resource.file.columns)] == list(resource.file.columns)
        assert (model, resource.fields[names[-1]].column_name) == (resource.file.model, names[-1])


def test_good_files_are_stored_with_a_reason_on_record_and_undone(importer, good, ada, as_system):
    bring_all_in(importer, good)
    assert stored() == (3, 3, 1)
    with as_system():
        assert (
            AuditEvent.objects.filter(table_name="registry_patient", user_id=ada.pk, reason="from the clinic").count()
            == 3
        )
    history = importer.get("/import/history/").content.decode()
    assert all(file.filename in history for file in file_formats.CONTRACT)
    for job in Import.objects.order_by("-requested_at"):
        undone = importer.post(f"/import/{job.pk}/undo/", {"reason": "wrong file"}, follow=True)
        assert undone.context["job"].status == "done"
    assert stored() == (0, 0, 0)


def test_the_preview_stores_nothing_and_names_what_changes(importer, good):
    bring_all_in(importer, good)
    rows = [ASSESSMENT | {"frankel": "D"}, ASSESSMENT | {"timepoint": "6m"}]
    preview = upload(importer, Assessment, text(rows).encode())
    result = preview.context["result"]
    assert [row.cells for row in result.changed] == [[["frankel", "C", "D"]]]
    assert [(row.row, row.key) for row in result.new] == [(3, "N01-0001 · 6m")]
    assert (stored(), result.totals["new"], result.totals["update"]) == ((3, 3, 1), 1, 1)
    assert BLOCKED.findall(preview.content.decode()) == []
    refused = confirm(importer, Assessment, preview)
    assert (refused.status_code, set(refused.context["confirm_form"].errors)) == (422, {"update"})
    refused = confirm(importer, Assessment, preview, reason=" ", update="on")
    assert (refused.status_code, set(refused.context["confirm_form"].errors)) == (422, {"reason"})
    assert confirm(importer, Assessment, preview, update="on").status_code == 302
    with everything():
        assert Assessment.objects.get(patient="N01-0001", timepoint="preop").frankel == "D"
    again = confirm(importer, Assessment, preview, update="on")  # decided already
    assert (again.status_code, Import.objects.count()) == (302, 4)


def test_what_changed_after_the_preview_is_looked_at_again(importer, good, as_system):
    bring_all_in(importer, good)
    preview = upload(importer, Assessment, text([ASSESSMENT | {"frankel": "D"}]).encode())
    with as_system(reason="seen again"):
        Assessment.objects.filter(patient="N01-0001", timepoint="preop").update(frankel="B")
    shown = confirm(importer, Assessment, preview, update="on")
    assert (shown.status_code, shown.context["result"].changed[0].cells) == (409, [["frankel", "B", "D"]])
    assert confirm(importer, Assessment, shown, update="on").status_code == 302


def test_the_same_bad_cells_get_the_same_words_on_both_ways(importer, good):
    """All bad cells of one kind of file in one file: row, column, value and reason are those of the import page."""
    bring_all_in(importer, good)
    for file, row in ((file_formats.PATIENTS, PATIENT), (file_formats.ASSESSMENTS, ASSESSMENT)):
        rows = [row | changes for name, changes, *_ in CELLS if name == file.name]
        columns = {column for row in rows for column in row}
        content = text([{column: row.get(column, "") for column in columns} for row in rows]).encode()
        page = errors(follow(importer, send(importer, **{f"{file.name}__csv": content})))
        assert errors_of(upload(importer, file.model, content)) == page
        assert len(page) >= len(rows)
    assert stored() == (3, 3, 1)


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_table_of_ours_gets_the_same_words_or_is_asked_about_on_the_page(importer, name):
    content = FILES[name][0]
    preview = upload(importer, AdverseEvent, content)
    page = follow(importer, send(importer, adverse_events__csv=content))
    if content.startswith(b"PK"):
        assert "A worker reads workbooks." in preview.content.decode()
        assert errors(page) != []
    elif page.context.get("report") is None:
        assert "The import page asks." in preview.content.decode()
    else:
        assert errors_of(preview) == errors(page) != []
    assert preview.context["confirm_form"] is None


def test_a_workbook_is_read_by_a_worker_and_goes_on_on_the_import_page(importer):
    content = excel(patients=[list(PATIENT), list((PATIENT | {"sex": "m"}).values())])
    page = upload(importer, Patient, content, "patients.xlsx").content.decode()
    job = Import.objects.get()
    assert "A worker reads workbooks." in page
    assert f"/import/{job.pk}/" in page
    assert not job.choices[0]["read"]


def test_a_patient_of_another_site_is_refused(importer, good):
    bring_all_in(importer, good)
    change(good, "patients", site_code="S01")
    preview = upload(importer, Patient, (good / "patients.csv").read_bytes())
    assert [cell[:3] for cell in errors_of(preview)] == [(2, "site_code", "S01")]
    assert errors_of(preview)[0][3].startswith("The patient is enrolled at site N01, and a file moves nobody.")
    assert preview.context["confirm_form"] is None


def test_a_file_of_another_table_and_a_large_one_are_for_the_import_page(importer, good):
    preview = upload(importer, Patient, (good / "assessments.csv").read_bytes())
    assert "These are the columns of assessments.csv, not of patients.csv." in preview.content.decode()
    before = Import.objects.count()
    large = upload(importer, Patient, b"x" * (LARGEST + 1))
    assert (large.status_code, Import.objects.count()) == (422, before)
    assert "larger than 400 kB. Use the import page." in large.content.decode()


@pytest.mark.parametrize(("name", "status"), [("alice", 302), ("dana", 302), ("ada", 403)])
def test_who_may_not_administer_and_import_gets_nowhere(client, request, good, name, status):
    client.force_login(request.getfixturevalue(name))
    assert client.get(address(Patient)).status_code == status
    assert upload(client, Patient, (good / "patients.csv").read_bytes()).status_code == status
    assert client.post(address(Patient, "process_import"), {"reason": "x"}).status_code == status
    assert Import.objects.count() == 0


def test_an_administrator_who_reads_but_may_not_import_sees_no_way_in(client, ada, good):
    Membership.objects.create(user=ada, role=Role.STATISTICIAN, starts_on="2020-01-01")
    client.force_login(ada)
    listed = client.get(address(Patient, "changelist"))
    assert (listed.status_code, address(Patient) in listed.content.decode()) == (200, False)
    assert client.get(address(Patient)).status_code == 403


def test_nobody_confirms_what_somebody_else_checked(importer, good, dana):
    with everything():
        other = jobs.begin(access=access_of(dana), files={"patients.csv": (good / "patients.csv").read_bytes()})
    follow(importer, f"/import/{other.pk}/")
    Import.objects.filter(pk=other.pk).update(status="checked", counts={"files": {"patients": {}}, "errors": 0})
    answer = importer.post(address(Patient, "process_import"), {"import_file_name": other.pk, "reason": "mine"})
    assert (answer.headers["Location"], stored()) == (address(Patient), (0, 0, 0))


def test_the_resource_takes_a_dataset_too(dana, alice, bob):
    dataset = tablib.Dataset(list(PATIENT.values()), headers=list(PATIENT))
    with everything():
        with pytest.raises(PermissionDenied):
            RESOURCES[Patient](access_of(bob)).import_data(dataset, reason="from a script")
        assert RESOURCES[Patient](access_of(alice)).import_data(dataset, dry_run=True).totals["new"] == 1
        resource = RESOURCES[Patient](access_of(dana))
        assert resource.import_data(dataset, dry_run=True).totals["new"] == 1
        assert resource.import_data(dataset).has_errors()  # no reason
        assert stored() == (0, 0, 0)
        assert resource.import_data(dataset, reason="from a script").stored
    assert stored() == (1, 0, 0)


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (("import", "registry.Patient", "patients.csv"), "import_file"),
        (("export", "CSV", "registry.Patient"), "export_data"),
    ],
)
def test_no_command_goes_around_the_checks(command, instead):
    with pytest.raises(CommandError, match=f"Nothing was done.*{instead}"):
        call_command(*command)
    assert get_commands()[command[0]] == "registry.management.transfer"
