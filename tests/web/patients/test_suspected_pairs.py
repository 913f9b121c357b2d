"""Records of two sites that may be one patient: who is asked, who is told nothing, and what a decision does."""

import pytest

from registry import tasks
from registry.models import Patient, SuspectedPair
from registry.services.records import identity
from sites.models import AuditEvent

WHY = "both hospitals say so"


@pytest.fixture
def named(enrolled, as_person):
    """`named(alice, "T.K.")` is a patient of that person's site with these initials."""

    def enrol(user, initials="", **changes):
        patient = enrolled(user, **changes)
        with as_person(user):
            identity.write(patient, initials=initials)
        return patient

    return enrol


@pytest.fixture
def pair(named, alice, charlie, as_person, dana):
    named(alice, "T.K."), named(charlie, "tk")
    tasks.look_for_pairs()
    with as_person(dana):
        return SuspectedPair.objects.get()


def pairs(as_person, user):
    with as_person(user):
        return [(row.first, row.second) for row in SuspectedPair.objects.all()]


def test_the_same_person_at_two_sites_is_a_question_to_the_centre_alone(
    pair, as_person, dana, alice, charlie, bob, ada
):
    assert pairs(as_person, dana) == [("N01-0001", "S01-0001")]
    for user in (alice, charlie, bob, ada):
        assert pairs(as_person, user) == []
    with as_person(alice):
        assert not AuditEvent.objects.filter(table_name="registry_suspectedpair").exists()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"birth_date": "1955-04-04"}),
        ({}, {"sex": "female"}),
        ({"initials": "T.K."}, {"initials": "M.S."}),
        ({}, {}),  # neither initials nor a tumour: too little to ask
    ],
)
def test_others_are_no_question(named, alice, charlie, dana, as_person, ours, theirs):
    named(alice, **ours), named(charlie, **theirs)
    tasks.look_for_pairs()
    assert pairs(as_person, dana) == []


def test_where_initials_lack_the_tumour_decides(named, alice, charlie, dana, as_person, as_system):
    named(alice, "T.K."), named(charlie)
    with as_system(reason="entered"):
        Patient.objects.update(primary_tumour="lung")
    tasks.look_for_pairs()
    assert len(pairs(as_person, dana)) == 1


def test_two_of_one_site_are_no_question_of_two_sites(named, alice, dana, as_person):
    named(alice, "T.K."), named(alice, "T.K.")
    tasks.look_for_pairs()
    assert pairs(as_person, dana) == []


def test_a_decision_needs_a_reason_and_is_asked_no_more(pair, browse, dana, as_person, alice):
    client, address = browse(dana), f"/one-patient/{pair.pk}/"
    assert client.get("/one-patient/").context["page"].paginator.count == 1
    page = client.get(address)
    assert page.status_code == 200
    assert b"1955" not in page.content and b"T.K." not in page.content
    assert client.post(address, {"decision": "two", "reason": ""}).status_code == 422
    assert client.post(address, {"reason": WHY}).status_code == 422
    assert client.post(address, {"decision": "two", "reason": WHY}).status_code == 302
    assert client.post(address, {"decision": "one", "reason": WHY}).status_code == 409
    tasks.look_for_pairs()
    assert client.get("/one-patient/").context["page"].paginator.count == 0
    assert client.get("/one-patient/?state=decided").context["page"].paginator.count == 1
    with as_person(alice):  # of the own record alone
        acts = AuditEvent.objects.filter(action="pair_decided")
        assert [act.row_id for act in acts] == ["N01-0001"]


def test_a_reason_for_what_is_missing_is_shown(pair, browse, dana, as_system):
    with as_system(reason="entered"):
        Patient.objects.update(missing={"primary_tumour": "unknown"})
    page = browse(dana).get(f"/one-patient/{pair.pk}/")
    assert page.status_code == 200
    assert "Unknown" in page.content.decode()


def test_one_patient_leads_to_the_merge(pair, browse, dana):
    answer = browse(dana).post(f"/one-patient/{pair.pk}/", {"decision": "one", "reason": WHY})
    assert answer.headers["Location"] == "/patients/N01-0001/merge/?with=S01-0001"


@pytest.mark.parametrize("who", ["alice", "mona", "bob", "ada"])
def test_nobody_else_opens_the_list(pair, browse, request, who):
    client = browse(request.getfixturevalue(who))
    assert client.get("/one-patient/").status_code == 403
    assert client.get(f"/one-patient/{pair.pk}/").status_code == 403
