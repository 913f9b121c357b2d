"""The primary killed under load, its synchronous standby promoted: nothing acknowledged is lost or doubled."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connections, transaction

from sites.tenancy.scope import everything
from tests.guard.faults.saving import ANSWERS
from tests.guard.faults.test_faults import environment, on_record, start_web, ten_sites  # noqa: F401  fixtures
from tests.health.standby import address, copies
from tests.health.test_broker_away import TIMEPOINTS, Load
from tests.working import PATIENCE


def test_a_primary_that_dies_under_load_costs_no_acknowledged_save(ten_sites, environment):  # noqa: F811
    """Whoever was answered 503 meanwhile sends again, as its page does; 240 saves, errors, lost and doubled are 0."""
    load = Load(None, list(ten_sites.items()), patience=PATIENCE)  # signed in before the servers are copied
    with copies() as copy:
        primary = copy(follows=False).start()
        standby = copy(primary.folder, follows=True).start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        url = address(environment["DATABASE_URL"], primary, standby, target_session_attrs="read-write")
        process, load.port = start_web(environment | {"DATABASE_URL": url})
        try:
            with ThreadPoolExecutor(1) as pool:
                running = pool.submit(load.run)
                load.wait_for(60)
                primary.stop("immediate")  # as a power cut: nothing is written any more
                acknowledged = dict(load.statuses)
                standby.promote()
                standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
                standby.ask("SELECT pg_reload_conf()")
                running.result(2 * PATIENCE)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        forms = [form for mine in load.forms.values() for form in mine]
        stored = {(302, f"/patients/P/assessments/{timepoint}/") for timepoint in TIMEPOINTS}
        assert 60 <= len(acknowledged) < len(forms) == len(load.statuses) == 240
        assert set(load.statuses.values()) == stored and load.repeated > 0
        with at(standby):
            assert {str(on_record(*form)) for form in forms} == {str((ANSWERS, 1))}


@contextmanager
def at(server):
    """The system's scope in a transaction of the tests' database at another server."""
    own = connections["default"]
    there = own.copy()
    there.settings_dict = own.settings_dict | {"HOST": str(server.folder)}
    connections["default"] = there
    try:
        with everything(), transaction.atomic():
            yield
    finally:
        there.close()
        connections["default"] = own
