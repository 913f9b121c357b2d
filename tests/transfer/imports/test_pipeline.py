"""A large file of new rows, stored while it is read: what it stores and tells is what the common way does."""

from dataclasses import replace
from threading import Event, Thread, current_thread, main_thread
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection, connections, transaction

from registry.imports import import_files
from registry.imports.checking import staging
from registry.imports.files import reading
from registry.imports.storing import pipeline, statements
from registry.instruments import catalogue
from registry.models import Assessment
from sites.models import AuditEvent, Site
from sites.tenancy.scope import everything
from tests.transfer.conftest import ASSESSMENT, PATIENT, write_csv
from tests.working import PATIENCE, until, waits

PATIENTS = [f"N01-000{n}" for n in range(1, 6)]
UNLIKELY = {"frankel": "A", "barthel_mobility": "15", "assessment_date": "2024-01-20"}
ROWS = [
    ASSESSMENT | {"patient_id": PATIENTS[0]},
    ASSESSMENT | {"patient_id": PATIENTS[1]} | UNLIKELY,
    ASSESSMENT | {"patient_id": PATIENTS[2], "eq_vas": "４０"},
    ASSESSMENT | {"patient_id": PATIENTS[3], "eq_vas": "", "eq_vas_missing": "refused", "timepoint": "u1"},
    ASSESSMENT | {"patient_id": PATIENTS[4], "frankel": ""},
]
# What is no file of new rows without a fault, with the last row (or the first that is stored already) in its place.
OTHERS = {
    "a bad value": [*ROWS[:4], ROWS[4] | {"ecog_ps": "9"}],
    "no such patient": [*ROWS[:4], ROWS[4] | {"patient_id": "N01-0009"}],
    "a row twice": [*ROWS, ROWS[0]],
    "a reason beside a value": [*ROWS[:4], ROWS[4] | {"eq_vas_missing": "refused"}],
    "no key": [*ROWS[:4], ROWS[4] | {"timepoint": ""}],
}


@pytest.fixture
def folder(committed, tmp_path, monkeypatch):
    """A folder with the assessments' file to be, of patients who are stored; every file is a large one, in blocks."""
    Site.objects.create(code="N01", name="North Hospital")
    write_csv(tmp_path / "patients.csv", [PATIENT | {"patient_id": number} for number in PATIENTS])
    assert import_files(tmp_path).stored
    (tmp_path / "patients.csv").unlink()
    monkeypatch.setattr(pipeline, "MANY_BYTES", 0)
    monkeypatch.setattr(pipeline, "LEAST", 1)
    in_blocks = reading.blocks
    monkeypatch.setattr(reading, "blocks", lambda rows: in_blocks(rows, 2))
    return tmp_path


def findings_of(report):
    return [
        [(finding.row, finding.column, finding.value, finding.reason.en) for finding in findings.listed]
        for findings in (report.errors, report.differences, report.warnings)
    ] + [report.counts]


def write(folder, rows, ending=""):
    path = folder / "assessments.csv"
    write_csv(path, rows, [*ASSESSMENT, "eq_vas_missing"])
    path.write_text(path.read_text() + ending)


def test_new_rows_are_stored_while_they_are_read(folder, monkeypatch):
    write(folder, ROWS)
    checked = import_files(folder, dry_run=True)
    stored, store_all = [], statements.store_all
    monkeypatch.setattr(statements, "store_all", lambda *given: stored.append(store_all(*given)) or stored[-1])
    monkeypatch.setattr(statements, "store_new", None)
    stages = []
    report = import_files(folder, seen=checked.seen, tell=lambda *stage: stages.append(stage))
    assert (report.stored, sum(stored)) == (True, 5)
    assert stages == [(0, "read"), (0.5, "compare"), (0.9, "plausibility")]
    assert findings_of(report) == findings_of(checked)
    assert report.warnings.total == 4
    number, after, until = report.trail
    with everything(), transaction.atomic():
        assert dict(Assessment.objects.values_list("patient_id", "state")) == dict(
            zip(PATIENTS, ["complete"] * 4 + ["draft"], strict=True)
        )
        assert not Assessment.objects.exclude(eq5d_state=33333, barthel_total__isnull=False).exists()
        events = AuditEvent.objects.filter(transaction_id=number, id__gt=after, id__lte=until)
        assert events.filter(table_name="registry_assessment", action="insert").count() == 5
        assert events.filter(action="import")[0].new["assessments"]["new"] == 5


def test_any_other_file_is_told_of_as_ever(folder):
    def agrees(**options):
        checked, report = import_files(folder, dry_run=True, **options), import_files(folder, **options)
        assert findings_of(report) == findings_of(checked)
        return report

    for name, rows in OTHERS.items():
        write(folder, rows)
        assert not agrees().stored, name
    write(folder, ROWS, '"')
    assert agrees().errors.listed[0].reason == reading.QUOTES
    write(folder, ROWS)
    assert import_files(folder, seen="of another day").errors.total == 1
    with everything(), transaction.atomic():
        assert not Assessment.objects.exists()
    write(folder, ROWS[:3])
    assert import_files(folder).stored
    write(folder, ROWS[2:])
    assert agrees().counts["assessments"].unchanged == 1
    write(folder, [ROWS[0] | {"eq_vas": "41"}])
    assert agrees().differences.total == 1
    assert agrees(update=True, reason="corrected").counts["assessments"].changed == 1


class Stopped(Exception):
    pass


def behind_an_alter(create_stage):
    """`create_stage`, and between those of both connections somebody's ALTER waits for the first of them."""
    created, alters = Event(), []

    def alter():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '60s'")  # without a limit of its own the import waits for this
                cursor.execute("LOCK TABLE registry_assessment IN ACCESS EXCLUSIVE MODE")
        finally:
            connection.close()

    def create(cursor, file, **how):
        if current_thread() is not main_thread() and not alters:
            assert created.wait(PATIENCE)
            alters.append(Thread(target=alter))
            alters[0].start()
            until(lambda: waits(cursor, "AccessExclusiveLock"))
        create_stage(cursor, file, **how)
        if "derived" in how:
            created.set()

    return create


def raising(error):
    def fails(*_given):
        raise error

    return fails


def test_what_comes_between_is_no_reason_to_refuse(folder, monkeypatch):
    """The file goes the common way, and nothing is told; only who asks for a stop is heard."""

    def goes_the_common_way(timepoint):
        stages = []
        write(folder, [row | {"timepoint": timepoint} for row in ROWS[:3]])
        assert import_files(folder, tell=lambda _share, stage: stages.append(stage)).stored
        return "store" in stages

    def stop(_share, stage):
        if stage == "compare":
            raise Stopped

    write(folder, ROWS)
    with pytest.raises(Stopped):
        import_files(folder, tell=stop)
    assert not goes_the_common_way("preop")
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "LOCK_MS", 100)
        patched.setattr(staging, "create_stage", behind_an_alter(staging.create_stage))
        assert goes_the_common_way("1m")
    with monkeypatch.context() as patched:
        patched.setattr(statements, "store_all", raising(psycopg.errors.QueryCanceled()))
        assert goes_the_common_way("3m")
    with monkeypatch.context() as patched:  # published while the rows are stored
        now = catalogue.current()
        versions = iter([now, replace(now, version=now.version + 1)])
        patched.setattr(pipeline, "catalogue", SimpleNamespace(current=versions.__next__))
        assert goes_the_common_way("6m")
    monkeypatch.setitem(connections.settings["default"], "PORT", "1")  # of those that are opened from here on
    assert goes_the_common_way("12m")
