"""Sections on the page of a run, stored and shown again; and the matched pairs that a run keeps."""

import json
import re
from html import unescape

import pytest
from django.urls import reverse

from registry.analysis.design import plans
from registry.analysis.design.sections import SECTIONS
from registry.analysis.presentation import tables as presentation
from registry.analysis.running import runner
from registry.models import Patient
from sites.tenancy.scope import everything
from tests.analysis.conftest import store, typed
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
def comparison(north):
    store(north, people(40, 5))
    with everything(reason="test"):
        return runner.compare_and_tell(plans.from_json(json.loads(json.dumps(SHORT))), EVERYBODY)


def test_pairs_are_places_in_the_list_of_patients(comparison):
    result, patients = comparison
    assert patients == sorted(patients)
    with everything(reason="test"):
        sexes = dict(Patient.objects.values_list("patient_id", "sex"))
    pairs = [[sexes[patients[place]] for place in pair] for pair in result["propensity"][0]["pairs"]]
    assert pairs == [["female", "male"]] * result["propensity"][0]["fits"][0]["sets"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_of_a_run_shows_its_sections(client, bob, comparison, language):
    result, patients = comparison
    snapshot = result["method"]["snapshot"]
    plan = plans.from_json(json.loads(json.dumps(SHORT)))
    done = {"status": "done", "result": result, "snapshot": snapshot, "progress": 1, "patients": patients}
    run = a_run(bob, plan, EVERYBODY, **done)
    client.force_login(bob)
    page = client.get(reverse("comparison_run", args=[run.pk]), HTTP_ACCEPT_LANGUAGE=language).content.decode()
    for entry in (*SHORT["propensity"], *SHORT["endpoints"], *SHORT["transitions"]):
        assert entry["title"][language] in page
    contents = page.split('class="on-this-page', 1)[1].split("</nav>")[0]
    folded = re.findall(r"<summary>(.+?) \((\d+)\)</summary><ul>(.*?)</ul>", contents)
    listed = [table for table in presentation.tables(typed(result), language) if table.code != "flow"]
    parts = [SECTIONS[code].label.in_language(language) for code in SECTIONS if result.get(code)]
    assert [part for part, _number, _links in folded] == parts  # this plan has no tables beside its sections
    assert [int(number) for _part, number, _links in folded] == [links.count("<a ") for _part, _number, links in folded]
    linked = re.findall(r'href="#table-(.+?)">(.+?)</a>', contents)
    assert [(code, unescape(title)) for code, title in linked] == [(table.code, table.title) for table in listed]
    figure = reverse("comparison_figure", args=[run.pk, "transitions-frankel-diagram", "svg"])
    assert figure in page
    assert client.get(figure).content.startswith(b"<?xml")
