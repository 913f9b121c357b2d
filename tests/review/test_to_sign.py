"""Ready to sign: who has finished forms, and what stands against signing them."""

import pytest
from django.urls import reverse

from registry.services.entry.assessments import save_assessment
from registry.services.review import queries, signing
from registry.services.review.soft_checks import Form
from registry.services.review.to_sign import Unsigned, first_signable
from sites.tenancy.access import Role
from tests.conftest import TODAY, person


@pytest.fixture
def listed(browse, ivo):
    return lambda: browse(ivo).get(reverse("to_sign")).context["unsigned"]


def test_the_list_says_what_the_page_of_signatures_says(finished, enrolled, alice, ivo, mona, as_person, listed):
    enrolled(alice)  # with nothing to sign
    with as_person(ivo):
        ready = signing.ready(finished)
        assert first_signable([finished.site_id], limit=5) == [finished.pk]
    assert ready.is_ready
    assert listed().lines == [Unsigned(finished.pk, len(ready.forms), (), 0)]
    with as_person(mona) as access:
        queries.raise_query(access=access, patient=finished, form=Form("baseline"), text="Which hospital?")
    with as_person(ivo):
        assert first_signable([finished.site_id], limit=5) == []  # whoever has a query comes behind
    with as_person(alice) as access:
        raw = {"assessment_date": "2026-03-01"}
        save_assessment(access=access, patient=finished, timepoint="u1", raw=raw, today=TODAY)
    rows = listed()
    assert rows.lines == [Unsigned(finished.pk, len(ready.forms), ("u1",), 1)]
    assert (rows.total, rows.can_be_signed) == (1, 0)


def test_what_is_signed_leaves_the_list(finished, ivo, as_person, listed):
    assert listed().can_be_signed == 1
    with as_person(ivo) as access:
        signing.sign(access=access, patient=finished)
    assert listed().lines == []


def test_what_came_since_a_signature_says_so(finished, save, ivo, as_person, listed):
    with as_person(ivo) as access:
        signature = signing.sign(access=access, patient=finished)
    save(timepoint="1m", assessment_date="2026-02-14")
    assert listed().lines == [Unsigned(finished.pk, 1, (), 0, signature.signed_at)]


def test_the_whole_list_names_the_forms_of_whom_nothing_is_finished(enrolled, alice, browse, ivo):
    patient = enrolled(alice)
    page = browse(ivo).get(reverse("to_sign") + "?all=1")
    assert page.context["unsigned"].lines == [Unsigned(patient.pk, 0, ("baseline", "surgery"), 0)]
    assert "Baseline" in page.content.decode()


@pytest.mark.parametrize("who", ["alice", "mona", "dana", "ada"])
def test_only_who_signs_has_it(request, who, finished, browse):
    client = browse(request.getfixturevalue(who))
    assert client.get(reverse("to_sign")).status_code == 404
    assert reverse("to_sign") not in client.get("/").content.decode()


def test_another_sites_patients_are_not_on_it(finished, south, browse):
    client = browse(person("Sven", Role.INVESTIGATOR, south))
    assert client.get(reverse("to_sign")).context["unsigned"].lines == []
