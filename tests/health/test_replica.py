"""Read replica: what only reads is done on a standby that has everything committed, or else on the primary."""

import zipfile

import pytest
from django.db import connection, connections, transaction

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runs
from registry.exports import jobs as exports
from registry.exports.choices import Choices
from registry.health.checkup import database
from registry.health.checkup.findings import Looking
from registry.models import ComparisonRun, Export, Patient
from registry.services.follow_up.ends import end_follow_up
from registry.services.operations import backups
from sites.database import replica
from sites.models import AuditEvent, Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import TODAY, person
from tests.guard.conftest import enrol
from tests.health.standby import copies
from tests.working import PATIENCE, export_path


@pytest.fixture
def standby(committed, settings, tmp_path):
    """A standby of the tests' server as the replica of this process; it logs every statement."""
    settings.EXPORT_FOLDER, settings.REPLICA_SECONDS = tmp_path, PATIENCE
    with copies() as copy:
        server = copy(follows=True).start(log_statement="all", fsync="off")
        there = {"HOST": str(server.folder)}
        connections.settings[replica.REPLICA] = connections["default"].settings_dict | there
        replica._away["until"] = float("-inf")
        yield server
        connections[replica.REPLICA].close()
        del connections[replica.REPLICA], connections.settings[replica.REPLICA]


@pytest.fixture
def site(committed):
    return Site.objects.create(code="R01", name="Replicated")


def is_standby():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        return cursor.fetchone()[0]


def patients():
    with everything(), transaction.atomic():
        return is_standby(), Patient.objects.count()


def done_on(server, work):
    """What the standby was asked while the work went on."""
    before = len(server.log)
    work()
    return server.log[before:]


def test_what_only_reads_is_done_there_and_what_is_written_on_the_primary(standby, site, tmp_path):
    alice, bob = person("Alice", Role.COORDINATOR, site), person("Bob", Role.STATISTICIAN)
    for number in range(1, 6):  # each is there as soon as it is committed
        enrol(alice, site, TODAY)
        assert replica.on_replica(patients) == (True, number)
    assert not is_standby()

    with transaction.atomic():
        run = runs.request(access=access_of(bob), plan=plans.SEGMENT_COMPARISON, cohort=cohorts.ALL)
        export = exports.request(access=access_of(bob), choices=Choices())
    assert "registry_patient" in done_on(standby, lambda: runs.perform(run.pk))
    assert ComparisonRun.objects.get(pk=run.pk).status == "done"
    assert "registry_patient" in done_on(standby, lambda: exports.perform(export.pk, reporting=False))
    assert Export.objects.get(pk=export.pk).status == "done"
    with zipfile.ZipFile(export_path(export)) as package:
        assert package.read("data/patients.csv").count(b"\n") == 6
    asked = done_on(standby, lambda: backups.write(tmp_path / "one.backup"))
    assert "COPY public.registry_patient" in asked
    assert backups.read(tmp_path / "one.backup")["rows"]["registry_patient"] == 5
    with everything(), transaction.atomic():
        assert AuditEvent.objects.filter(action__in=["comparison_requested", "export"]).count() == 2


def test_an_export_in_which_somebody_withdrew_is_the_primarys_from_the_start(standby, site):
    alice, bob = person("Alice", Role.COORDINATOR, site), person("Bob", Role.STATISTICIAN)
    enrol(alice, site, TODAY)
    patient, access = enrol(alice, site, TODAY, birth_date="1960-01-02"), access_of(alice)
    raw = {"end_kind": "withdrawn", "end_date": str(TODAY), "end_reason": "privacy", "end_data_use": "stop"}
    with entered(access.scope()), transaction.atomic():
        end_follow_up(access=access, patient=patient, raw=raw, today=TODAY)
    with transaction.atomic():
        export = exports.request(access=access_of(bob), choices=Choices())
    assert "registry_patient" not in done_on(standby, lambda: exports.perform(export.pk, reporting=False))
    with zipfile.ZipFile(export_path(export)) as package:
        assert package.read("data/patients.csv").count(b"\n") == 2


def test_one_that_is_behind_is_passed_over_and_its_lag_is_told(standby, site, settings):
    alice = person("Alice", Role.COORDINATOR, site)
    assert database.read_replica(Looking()).state == "ok"
    standby.ask("SELECT pg_wal_replay_pause()")
    enrol(alice, site, TODAY)
    settings.REPLICA_SECONDS = 0.2
    assert replica.on_replica(patients) == (False, 1)
    finding = database.read_replica(Looking())
    assert replica.state().behind > 0 and finding.state == "warning" and "s behind" in finding.text
    standby.ask("SELECT pg_wal_replay_resume()")
    assert replica.on_replica(patients) == (False, 1)  # it is not asked again at once
    replica._away["until"], settings.REPLICA_SECONDS = float("-inf"), PATIENCE
    assert replica.on_replica(patients) == (True, 1)


def test_one_that_dies_or_refuses_costs_nothing(standby, site):
    seen = []

    def work():
        seen.append(is_standby())
        if seen == [True]:
            standby.stop()
        return patients()

    def write():
        seen.append(is_standby())
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE passing (n int) ON COMMIT DROP")
        return "written"

    assert (replica.on_replica(write), seen) == ("written", [True, False])
    seen.clear()
    assert (replica.on_replica(work), seen) == ((False, 0), [True, False])
    assert not is_standby()


def test_a_standby_that_was_promoted_is_none(standby, site):
    standby.promote()
    assert replica.on_replica(patients) == (False, 0)
    finding = database.read_replica(Looking())
    assert finding.state == "failed" and "names no standby" in finding.text


def test_a_role_that_passes_over_the_policies_is_not_used(standby, site):
    assert replica.on_replica(patients) == (True, 0)
    access = standby.data / "pg_hba.conf"
    access.write_text("local all postgres trust\n" + access.read_text())
    standby.ask("SELECT pg_reload_conf()")
    connections[replica.REPLICA].close()
    del connections[replica.REPLICA]
    connections.settings[replica.REPLICA] |= {"USER": "postgres", "PASSWORD": ""}
    assert replica.on_replica(patients) == (False, 0)
    finding = database.read_replica(Looking())
    assert finding.state == "failed" and "row-level security" in finding.text
