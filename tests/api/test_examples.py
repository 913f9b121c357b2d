"""The examples of the documentation, run as they stand against a running registry."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from shutil import which
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction

from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from sites.models import Site
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import entered
from tests.api.conftest import issued
from tests.conftest import TODAY, person
from tests.web.conftest import ASSESSMENT

application = get_wsgi_application()

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(committed):
    """(address, token) of a running registry with two patients at North and one, of no concern, at South."""
    north, south = (Site.objects.create(code=code, name=code) for code in ("N01", "S01"))
    alice, charlie = person("Alice", Role.COORDINATOR, north), person("Charlie", Role.COORDINATOR, south)
    for user, site, values in ((alice, north, ("60", "70")), (charlie, south, ("5",))):
        access = access_of(user)
        with entered(access.scope()), transaction.atomic():
            for eq_vas in values:
                raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": "2026-01-10"}
                patient = patients.enrol(access=access, site=site, raw=raw, consented=True, today=TODAY)
                answers = ASSESSMENT | {"eq_vas": eq_vas}
                save_assessment(access=access, patient=patient, timepoint="preop", raw=answers, complete=True)
    token = issued(alice)
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", token
        server.shutdown()
        thread.join()
        with connection.cursor() as cursor:
            # The thread's own session would keep the tables from being emptied.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )


def printed(command, served):
    environment = os.environ | {"METASPINE_URL": served[0], "METASPINE_TOKEN": served[1]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example_reads_and_writes(served):
    file = EXAMPLES / "metaspine_client.py"
    assert printed([sys.executable, str(file)], served) == "preop\t2\t65.0\n"
    specification = spec_from_file_location("metaspine_client", file)
    client = module_from_spec(specification)
    specification.loader.exec_module(client)
    registry = client.Registry(*served)
    born = {"sex": "female", "birth_date": "1960-01-02", "consent_date": "2026-01-10"}
    enrolled = registry.create("patients", born | {"site_code": "N01", "consented": True})
    here = f"patients/{enrolled['patient_id']}"
    changed = registry.change(f"{here}/baseline", {"primary_tumour": "lung"}, read=here)
    assert (changed["primary_tumour"], changed["version"]) == ("lung", 2)
    assert [patient["patient_id"] for patient in registry.all("patients", limit=1)] == [
        "N01-0001",
        "N01-0002",
        "N01-0003",
    ]
    with pytest.raises(client.Refused) as refused:
        registry.change(f"{here}/baseline", {"primary_tumour": "toe"}, read=here)
    assert (refused.value.status, list(refused.value.errors)) == (422, ["primary_tumour"])


@pytest.mark.r
@pytest.mark.skipif(which("Rscript") is None, reason="R is not installed")
def test_the_r_example_reads(served):
    assert printed(["Rscript", str(EXAMPLES / "metaspine.R")], served) == "preop\t2\t65.0\n"
