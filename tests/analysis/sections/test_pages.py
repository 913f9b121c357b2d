"""Sections on the page of a run, stored and shown again; and the matched pairs that a run keeps."""

import json

import pytest
from django.urls import reverse

from registry.analysis.design import plans
from registry.analysis.running import runner
from registry.models import Patient
from sites.tenancy.scope import everything
from tests.analysis.conftest import store
from tests.analysis.running.test_comparison_pages import a_run
from tests.analysis.sections.test_in_a_run import EVERYBODY, PLAN, people

SHORT = {
    "name": "short",
    "grouping": "sex",
    "propensity": PLAN["propensity"],
    "endpoints": PLAN["endpoints"][:1],
    "transitions": PLAN["transitions"],
}


@pytest.fixture
def told(north):
    store(north, people(40, 5))
    with everything(reason="test"):
        return runner.compare_and_tell(plans.from_json(json.loads(json.dumps(SHORT))), EVERYBODY)


def test_pairs_are_places_in_the_list_of_patients(told):
    result, patients = told
    assert patients == sorted(patients)
    with everything(reason="test"):
        sexes = dict(Patient.objects.values_list("patient_id", "sex"))
    pairs = [[sexes[patients[place]] for place in pair] for pair in result["propensity"][0]["pairs"]]
    assert pairs == [["female", "male"]] * result["propensity"][0]["fits"][0]["sets"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_of_a_run_shows_its_sections(client, bob, told, language):
    result, patients = told
    snapshot = result["method"]["snapshot"]
    plan = plans.from_json(json.loads(json.dumps(SHORT)))
    done = {"status": "done", "result": result, "snapshot": snapshot, "progress": 1, "patients": patients}
    run = a_run(bob, plan, EVERYBODY, **done)
    client.force_login(bob)
    page = client.get(reverse("comparison_run", args=[run.pk]), HTTP_ACCEPT_LANGUAGE=language).content.decode()
    for entry in (*SHORT["propensity"], *SHORT["endpoints"], *SHORT["transitions"]):
        assert entry["title"][language] in page
    figure = reverse("comparison_figure", args=[run.pk, "transitions-frankel-diagram", "svg"])
    assert figure in page
    assert client.get(figure).content.startswith(b"<?xml")
