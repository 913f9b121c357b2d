"""Extra instruments: switching them, what the forms ask because of it, what stays when one is off."""

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from registry.instruments import catalogue, extras
from registry.models import Assessment, Patient
from registry.services import extras as service
from registry.services import wire
from registry.services.answers import InvalidAnswers
from registry.services.assessments import save_assessment
from sites.models import AuditEvent
from sites.scope import everything
from tests.web.conftest import ASSESSMENT, BASELINE

EXTRAS = {"kps": "70", "ais": "D", "escc": "1c"}


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice)


@pytest.fixture
def url(patient):
    return f"/patients/{patient.pk}/assessments/preop/"


@pytest.fixture
def switched(db):
    """`switched("kps", "ais")` switches these on and everything else off."""

    def switch(*codes):
        with everything(reason="test"):
            for code in extras.SWITCHES:
                service.switch(access=None, code=code, on=code in codes)

    return switch


@pytest.fixture
def stored(as_person, alice):
    def read(model=Assessment):
        with as_person(alice):
            return model.objects.get()

    return read


def test_the_contract_knows_no_extra():
    extra = {item.name for item in catalogue.items((*catalogue.PATIENT_EXTRAS, *catalogue.ASSESSMENT_EXTRAS))}
    assert extra
    for file in wire.FILES:
        assert not extra & set(file.columns)
    assert all(one.optional for one in (*catalogue.PATIENT_EXTRAS, *catalogue.ASSESSMENT_EXTRAS))
    assert not any(one.optional for one in (*catalogue.PATIENT, *catalogue.ASSESSMENT, *catalogue.ADVERSE_EVENTS))
    assert set().union(*(one.items for one in extras.SWITCHES.values())) == extra


def test_an_administrator_switches_after_reading_what_it_does(ada, alice, browse, text):
    client, page = browse(ada), reverse("extra_instrument", args=["kps"])
    assert "Switch it on?" in text(client.get(page))
    assert browse(alice).get(page).status_code == 403
    assert browse(alice).post(page, {"on": "1"}).status_code == 403
    assert service.switched_on() == frozenset()
    assert client.post(page, {"on": "1"}).url == reverse("extra_instruments")
    assert service.switched_on() == {"kps"}
    assert "Switch it off?" in text(client.get(page))
    client.post(page, {"on": "1"})  # the second of two clicks
    with everything():
        assert AuditEvent.objects.filter(table_name="registry_instrumentswitch", row_id="kps").count() == 1
    client.post(page, {"on": "0"})
    assert service.switched_on() == frozenset()
    assert "Off" in text(browse(alice).get(reverse("extra_instruments")))
    assert client.get(reverse("extra_instrument", args=["frankel"])).status_code == 404


def test_a_form_shows_and_demands_only_what_is_on(switched, alice, browse, url, stored, text):
    client = browse(alice)
    assert 'name="kps"' not in text(client.get(url))
    switched("kps", "ais", "escc")
    page = text(client.get(url))
    assert all(f'name="{name}"' in page for name in EXTRAS)
    refused = client.post(url, ASSESSMENT | EXTRAS | {"escc": "", "complete": ""})
    assert refused.status_code == 422
    assert "ESCC grade needs a value or a reason why there is none." in text(refused)
    unanswered = {"escc": "", "escc_missing": "not_applicable"}
    assert client.post(url, ASSESSMENT | EXTRAS | unanswered | {"complete": ""}).status_code == 302
    row = stored()
    assert (row.state, row.kps, row.ais, row.missing) == ("complete", 70, "D", {"escc": "not_applicable"})


def test_what_is_off_is_kept_and_shown_and_not_changed(switched, alice, browse, url, stored, text, as_person, patient):
    switched("kps", "ais")
    client = browse(alice)
    client.post(url, ASSESSMENT | EXTRAS | {"complete": ""})
    switched("ais")
    page = text(client.get(url))
    assert 'name="kps"' not in page and 'name="ais"' in page
    assert "switched off: kept, not asked" in page and "70 cares for self, cannot work" in page
    change = ASSESSMENT | {"version": stored().version, "reason": "seen again", "kps": "100", "ais": "E", "save": ""}
    assert client.post(url, change).status_code == 302
    assert (stored().kps, stored().ais) == (70, "E")
    with as_person(alice) as access, pytest.raises(InvalidAnswers) as refusal:
        raw = {**ASSESSMENT, "kps": 100}
        version = Assessment.objects.get().version
        save_assessment(access=access, patient=patient, timepoint="preop", raw=raw, version=version, reason="x")
    assert refusal.value.errors == {"kps": [service.SWITCHED_OFF]}


def test_a_form_completed_before_is_not_asked_afterwards(switched, alice, browse, url, stored):
    client = browse(alice)
    client.post(url, ASSESSMENT | {"complete": ""})
    switched("kps", "charlson")
    again = ASSESSMENT | {"frankel": "E", "reason": "misread", "save": "", "version": stored().version, "kps": ""}
    assert client.post(url, again).status_code == 302
    assert (stored().frankel, stored().kps) == ("E", None)


def test_an_extra_of_a_completed_form_changes_only_with_a_reason(switched, alice, browse, url, stored):
    switched("kps")
    client = browse(alice)
    client.post(url, ASSESSMENT | EXTRAS | {"complete": ""})
    change = ASSESSMENT | {"version": stored().version, "kps": "60", "save": ""}
    assert client.post(url, change).status_code == 422
    assert client.post(url, change | {"reason": "misread"}).status_code == 302
    assert stored().kps == 60
    with everything(), pytest.raises(DatabaseError, match="only with a reason"), transaction.atomic():
        Assessment.objects.update(kps=90)


def test_charlson_is_summed_on_the_baseline(switched, alice, browse, patient, stored, text, as_person):
    switched("charlson", "local_recurrence")
    page = f"/patients/{patient.pk}/baseline/"
    absent = {item.name: "0" for item in catalogue.instrument("charlson").items}
    sent = BASELINE | absent | {"cci_tumour": "6", "cci_diabetes": "2", "version": stored(Patient).version}
    response = browse(alice).post(page, sent | {"complete": ""})
    assert response.status_code == 302
    row = stored(Patient)
    assert (row.baseline_state, row.cci_full, row.cci_without_cancer) == ("complete", 8, 2)
