"""The start pages of data managers and statisticians: what waits, and the last runs, snapshots, imports and exports."""

import pytest

from registry.models import Export, Import
from registry.services.review import queries
from registry.services.review.soft_checks import Form


@pytest.fixture
def panels(browse):
    def of(user):
        central = browse(user).get("/").context["central"]
        return central and {panel.code: [line.words for line in panel.lines] for panel in central["panels"]}

    return of


def test_each_central_role_has_the_jobs_that_it_may_do(dana, bob, alice, mona, panels):
    assert set(panels(dana)) == {"runs", "snapshots", "imports", "exports"}
    assert set(panels(bob)) == {"runs", "snapshots", "exports"}
    assert panels(alice) == {}
    assert panels(mona) == {}


def test_exports_are_ones_own_and_imports_everybodys(dana, bob, as_system, panels):
    with as_system():
        Export.objects.create(choices={"format": "csv"}, site_ids=[], requested_by=bob)
        Import.objects.create(key=b"", files=[{"name": "patients.csv"}], requested_by=dana)
    assert (panels(dana)["exports"], panels(bob)["exports"]) == ([], ["CSV"])
    assert panels(dana)["imports"] == ["patients.csv"]


def test_what_waits_is_what_is_to_be_decided(enrolled, alice, dana, mona, browse, as_person, as_system):
    patient = enrolled(alice)
    assert browse(dana).get("/").context["central"]["waits"] == []
    with as_person(mona) as access:
        query = queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Which hospital?")
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="Ours.")
    with as_system():
        Import.objects.create(key=b"", status="checked", files=[{"name": "patients.csv"}], requested_by=dana)
    waits = [words for words, _url in browse(dana).get("/").context["central"]["waits"]]
    assert waits == ["1 answered query to close", "Imports: patients.csv · Checked, not stored"]
