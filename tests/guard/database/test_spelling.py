"""Identifiers have one spelling: full width and dashes become it, what only looks alike is refused by name."""

import json

import pytest
from django.urls import reverse

from registry.instruments import spelling
from registry.instruments.base import InvalidValue
from registry.instruments.keys import HOSPITAL_NUMBER, PATIENT_ID, SITE_CODE
from registry.instruments.spelling import NOT_STORED, TOO_DEEP, Unfit, read_json
from registry.services.records import identity
from sites.models import Site

UNSEEN = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u3164", "\ufe0f", "\u034f"]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ｓ０７－００１２", "S07-0012"),
        ("S07–0012", "S07-0012"),
        ("S07ー0012", "S07-0012"),
        ("S07−0012\u3000", "S07-0012"),
    ],
)
def test_full_width_and_dashes_become_the_one_spelling(typed, stored):
    assert PATIENT_ID.clean(typed) == HOSPITAL_NUMBER.clean(typed) == spelling.code(typed) == stored
    assert PATIENT_ID.clean(stored) == stored


@pytest.mark.parametrize("character", UNSEEN)
def test_what_is_not_seen_is_refused_by_its_number(character):
    for item in (PATIENT_ID, SITE_CODE, HOSPITAL_NUMBER):
        with pytest.raises(InvalidValue, match=f"U\\+{ord(character):04X}"):
            item.clean(f"S0{character}7")


@pytest.mark.parametrize("typed", ["\u040507-0012", "S07-00\u0661\u0662", "S\u030107", "S07-001²", "S07-001①"])
def test_what_looks_alike_is_refused_by_its_name(typed):
    for item in (PATIENT_ID, SITE_CODE, HOSPITAL_NUMBER):
        with pytest.raises(InvalidValue, match=r"U\+"):
            item.clean(typed)


def test_a_number_of_a_hospital_in_japan_stays_japanese():
    assert HOSPITAL_NUMBER.clean("入院－１２３") == "入院-123"
    assert HOSPITAL_NUMBER.clean("カルテー５") == "カルテー5"  # after kana it is a long vowel


def test_enrolling_and_correcting_store_the_one_spelling(client, alice, enrolled, as_person):
    patient = enrolled(alice)
    client.force_login(alice)
    address = f"/patients/{patient.pk}/identifiers/"
    sent = {"birth_date": "1955-04-03", "initials": "ＡＢ", "reason": "typed"}
    refused = client.post(address, sent | {"hospital_number": "12\u200b34"})
    assert refused.status_code == 422 and "ZERO WIDTH SPACE" in refused.content.decode()
    assert client.post(address, sent | {"hospital_number": "１２－３４"}).status_code == 302
    with as_person(alice):
        known = identity.read(patient)
    assert (known["hospital_number"], known["initials"]) == ("12-34", "AB")


def test_a_patient_is_found_in_every_spelling(client, alice, enrolled):
    patient = enrolled(alice)
    client.force_login(alice)
    wide = "".join(chr(ord(character) + 0xFEE0) for character in patient.pk)
    assert client.get(f"/patients/{wide}/").status_code == 200
    assert client.get(f"/api/v1/patients/{wide}").json()["patient_id"] == patient.pk
    (entry,) = client.get(f"/api/fhir/R4/Patient?identifier={wide}").json()["entry"]
    assert entry["resource"]["id"] == patient.pk
    assert client.get(f"/api/v1/patients/{patient.pk[:-1]}\u0661").status_code == 404
    assert client.get("/patients/", {"q": wide}).url == f"/patients/{patient.pk}/"
    assert client.get("/patients/N01-\u0660001/").status_code == 404


def test_a_site_has_one_code(client, ada):
    client.force_login(ada)
    new = reverse("admin:study_sites_site_add")
    sent = {"name": "New", "value_set": "JP", "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    page = client.post(new, sent | {"code": "\u041207"})
    assert "CYRILLIC CAPITAL LETTER VE" in page.content.decode()
    assert client.post(new, sent | {"code": "Ｂ０７"}).status_code == 302
    assert [site.code for site in Site.objects.all()] == ["B07"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": [1, "é", null]}', None),
        (b'{"a": [1, "x"]}', None),
        ('{"a": "\\u00e9"}', None),
        ("[" * 6 + "]" * 6, None),  # many brackets, none too deep
        ("[[], [], [], [], []]", None),
        ('{"a": {"b": {"c": 1}}}', None),
        ("[" * 7 + "]" * 7, None),
        ("[" * 8 + "]" * 8, TOO_DEEP),
        ('{"a": "\\u0000"}', NOT_STORED),
        ('{"\\ud800": 1}', NOT_STORED),
        ('["\ud800"]', NOT_STORED),
        (b'["\xed\xa0\x80"]', NOT_STORED),
    ],
)
def test_json_is_looked_through_where_something_may_be_in_it(text, reason):
    """As deep as it may be, and one deeper; what is written as it is, and what is spelt by its number."""
    if reason is None:
        assert read_json(text, 6) == json.loads(text)
    else:
        with pytest.raises(Unfit) as refused:
            read_json(text, 6)
        assert refused.value.reason is reason
