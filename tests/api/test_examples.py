"""The examples of the documentation, run as they stand against a running registry."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from shutil import which

import pytest

from tests.working import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def printed(command, served):
    environment = os.environ | {"METASPINE_URL": served[0], "METASPINE_TOKEN": served[1]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
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
