"""Serious adverse events: what is stored of them, who is told and how, and the line listing."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from registry import tasks
from registry.models import AdverseEvent, SafetyNotice
from registry.services.entry import entered_in_error, patients
from registry.services.monitoring import safety
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.records.cleaning import InvalidAnswers
from sites.models import AuditEvent
from sites.tenancy.access import Role
from tests.conftest import TODAY, person

SERIOUS = {
    "kind": "csf_leak",
    "onset_date": "2026-03-11",
    "ae_seriousness": "hospitalisation",
    "ae_relatedness": "probable",
    "ae_expectedness": "expected",
    "ae_outcome": "recovered",
    "ae_end_date": "2026-03-20",
    "ae_ctcae_grade": "3",
    "ae_meddra_code": "10011531",
    "ae_term": "CSF leak",
}


@pytest.fixture
def record(alice, patient, as_person):
    def recording(event=None, **changes):
        with as_person(alice) as access:
            asked = {"access": access, "patient": patient, "raw": SERIOUS | changes, "today": TODAY}
            return patients.save_adverse_event(event=event, reason="graded again" if event else "", **asked)

    return recording


@pytest.fixture
def name(ada, as_person):
    """`name(mona, dana)` declares who is told."""

    def naming(*people):
        with as_person(ada) as access:
            return safety.declare(access=access, people=[item.pk for item in people], note="named")

    return naming


@pytest.fixture
def mails(settings):
    settings.MAIL = True
    mail.outbox = []
    return mail.outbox


def test_what_a_safety_report_asks_is_stored_as_declared(record, stored):
    record()
    (event,) = stored(AdverseEvent)
    assert (event.ae_seriousness, event.ae_ctcae_grade, event.ae_meddra_code) == ("hospitalisation", 3, 10011531)
    assert str(event.ae_end_date) == "2026-03-20"


@pytest.mark.parametrize(
    ("changes", "item"),
    [
        ({"ae_end_date": "2026-03-10"}, "ae_end_date"),
        ({"ae_ctcae_grade": "6"}, "ae_ctcae_grade"),
        ({"ae_seriousness": "awful"}, "ae_seriousness"),
        ({"ae_meddra_code": "123"}, "ae_meddra_code"),
    ],
)
def test_what_cannot_be_is_refused_by_the_item(record, changes, item):
    with pytest.raises(InvalidAnswers) as refused:
        record(**changes)
    assert set(refused.value.errors) == {item}


@pytest.mark.parametrize(
    "change", [{"ae_end_date": "2026-03-10"}, {"ae_ctcae_grade": 6}, {"ae_meddra_code": 5}, {"ae_outcome": "gone"}]
)
def test_the_database_refuses_it_too(record, as_system, change):
    event = record()
    with as_system(reason="raw"), pytest.raises(DatabaseError), transaction.atomic():
        AdverseEvent.objects.filter(pk=event.pk).update(**change)


def test_named_people_get_a_mail_that_names_no_patient(record, name, mona, mails, stored, patient):
    name(mona)
    record()
    tasks.tell_of_serious_events()
    (letter,) = mails
    assert (letter.to, letter.subject) == ([mona.email], "Metaspine: serious adverse event at N01")
    assert patient.pk not in letter.subject + letter.body
    assert reverse("safety") in letter.body
    (notice,) = stored(SafetyNotice)
    assert (notice.person_id, notice.seriousness, notice.tries) == (mona.pk, "hospitalisation", 1)
    tasks.tell_of_serious_events()
    assert len(mails) == 1


def test_a_graver_criterion_is_told_again_and_what_is_not_serious_never(record, name, mona, mails, stored):
    name(mona)
    event = record(ae_seriousness="none")
    tasks.tell_of_serious_events()
    assert mails == []
    event = record(event=event, ae_seriousness="hospitalisation")
    tasks.tell_of_serious_events()
    record(event=event, ae_seriousness="death")
    tasks.tell_of_serious_events()
    assert [notice.seriousness for notice in stored(SafetyNotice)] == ["hospitalisation", "death"]
    assert len(mails) == 2


def test_nobody_is_told_of_another_sites_event_or_of_what_was_there_before(record, name, south, mona, mails, stored):
    record()
    name(mona)
    tasks.tell_of_serious_events()
    assert mails == []
    name(person("Sora", Role.MONITOR, south))
    record(kind="pneumonia")
    tasks.tell_of_serious_events()
    assert stored(SafetyNotice) == []


def test_who_is_named_later_is_told_of_what_comes_then(record, name, mona, bob, mails):
    name(mona)
    record()
    tasks.tell_of_serious_events()
    name(mona, bob)
    tasks.tell_of_serious_events()
    assert [mail.to for mail in mails] == [[mona.email]]
    record(onset_date="2026-01-20")
    tasks.tell_of_serious_events()
    assert sorted(mail.to[0] for mail in mails[1:]) == sorted([mona.email, bob.email])


def test_what_was_entered_in_error_meanwhile_is_mailed_to_nobody(record, name, mona, mails, alice, settings, as_person):
    name(mona)
    settings.MAIL = False
    event = record()
    tasks.tell_of_serious_events()  # the notice is there, and its mail waits
    with as_person(alice) as access:
        entered_in_error.mark(access=access, row=event, version=None, reason="another patient's")
    settings.MAIL = True
    tasks.tell_of_serious_events()
    assert mails == []


def test_a_mail_that_fails_is_tried_again_and_shown(record, name, mona, mails, monkeypatch, stored, browse, as_system):
    name(mona)
    record()

    def down(self):
        raise ConnectionRefusedError

    monkeypatch.setattr(mail.EmailMessage, "send", down)
    now = timezone.now()
    for minute in (0, 1, 3):
        failed = safety.tell(now + timedelta(minutes=minute))
    assert failed == 1  # three times: administrators must know
    (notice,) = stored(SafetyNotice)
    assert (notice.tries, notice.fault, notice.sent_at) == (3, "ConnectionRefusedError", None)
    assert "1 mails failed, tried again" in browse(mona).get(reverse("safety")).content.decode()
    assert safety.tell(now + timedelta(minutes=4)) == 0  # not yet again
    monkeypatch.undo()
    safety.tell(now + timedelta(minutes=20))
    assert stored(SafetyNotice)[0].sent_at is not None


def test_without_mail_the_event_waits_on_the_page(record, name, mona, settings, browse, stored):
    settings.MAIL = False
    name(mona)
    record()
    tasks.tell_of_serious_events()
    client = browse(mona)
    (waiting,) = client.get(reverse("safety")).context["waiting"]
    assert client.post(reverse("acknowledge_event", args=[waiting[0].pk])).status_code == 302
    assert stored(SafetyNotice)[0].acknowledged_at is not None
    assert client.get(reverse("safety")).context["waiting"] == []


def test_nobody_takes_note_for_somebody_else(record, name, mona, ivo, browse, stored):
    name(mona)
    record()
    tasks.tell_of_serious_events()
    (notice,) = stored(SafetyNotice)
    assert browse(ivo).post(reverse("acknowledge_event", args=[notice.pk])).status_code == 404
    assert stored(SafetyNotice)[0].acknowledged_at is None


def test_only_administrators_name_people_who_read_patients(name, ada, mona, as_person):
    with as_person(mona) as access, pytest.raises(PermissionDenied):
        safety.declare(access=access, people=[mona.pk], note="me")
    with pytest.raises(InvalidDefinition):
        name(ada)


def test_the_listing_narrows_and_its_file_says_the_same(record, browse, alice, mona, south, as_system, monkeypatch):
    record()
    record(kind="pneumonia", ae_seriousness="none", onset_date="2026-04-01", ae_end_date="")
    client, address = browse(alice), reverse("safety")
    assert [line["event"].kind for line in client.get(address).context["rows"]] == ["pneumonia", "csf_leak"]
    assert [line["event"].kind for line in client.get(address + "?serious=1").context["rows"]] == ["csf_leak"]
    assert [line["event"].kind for line in client.get(address + "?first=2026-03-30").context["rows"]] == ["pneumonia"]
    assert client.get(address + "?kind=nonsense&first=x").status_code == 200
    answer = client.post(reverse("safety_csv") + "?serious=1")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(
        "N01,N01-0001,csf_leak,2026-03-11,2026-03-20,hospitalisation,probable,expected,recovered,3"
    )
    assert "CSF leak" not in lines[1]  # free text stays with the patient
    with as_system():
        assert AuditEvent.objects.filter(action="safety_listing_exported").count() == 1
    monkeypatch.setattr("registry.web.monitoring.safety.CHUNK", 1)  # each event in a transaction of its own
    whole = b"".join(client.post(reverse("safety_csv")).streaming_content).decode("utf-8-sig").splitlines()
    listed = [line["event"] for line in client.get(address).context["rows"]]
    assert [line.split(",")[2:4] for line in whole[1:]] == [[event.kind, str(event.onset_date)] for event in listed]
    assert len(listed) > 1
    other = browse(person("Sora", Role.MONITOR, south))
    assert other.get(address).context["rows"] == []
