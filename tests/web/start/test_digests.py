"""The daily e-mail: what it says, to whom, once; and how it is stopped."""

import datetime as dt
import io
import re

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from registry import tasks
from registry.celery import app
from registry.services.entry import patients
from registry.services.operations import digests
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from sites.models import AuditEvent, Digest, Membership, User
from sites.tenancy.access import Role, access_of
from sites.tenancy.scope import Scope, entered
from tests.conftest import person
from tests.web.conftest import BASELINE, SURGERY

DAY = dt.timedelta(days=1)


class RefusingAlice(EmailBackend):
    def send_messages(self, messages):
        if any("alice@example.org" in message.to for message in messages):
            raise ConnectionRefusedError("no mail server")
        return super().send_messages(messages)


@pytest.fixture
def today():
    return timezone.localdate()


@pytest.fixture
def by_mail(settings):
    settings.MAIL, settings.DIGEST_HOUR, settings.ADDRESS = True, 0, "https://registry.example.org"
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def operated(north, today):
    """`operated(alice, 30)` is a patient of North operated so many days ago, with baseline and surgery."""

    def make(user, days):
        access = access_of(user)
        surgery = today - days * DAY
        with entered(access.scope()), transaction.atomic():
            raw = {"sex": "male", "birth_date": "1955-04-03", "consent_date": str(surgery - 5 * DAY)}
            patient = patients.enrol(access=access, site=north, raw=raw, consented=True, today=today)
            changed = {"birth_date": "1955-04-03", "consent_date": str(surgery - 5 * DAY), "sins_pain": "1"}
            patients.save_form(access=access, patient=patient, form="baseline", raw=BASELINE | changed, complete=True)
            raw = SURGERY | {"surgery_date": str(surgery)}
            patients.save_form(access=access, patient=patient, form="surgery", raw=raw, complete=True)
        return patient

    return make


@pytest.fixture
def due(alice, operated):
    """A patient whose visit at one month is due and whose visit before surgery is overdue."""
    return operated(alice, 31)


def ask(user, patient, text="Source says C."):
    with entered(access_of(user).scope()), transaction.atomic():
        return queries.raise_query(access=access_of(user), patient=patient, form=Form("baseline"), text=text)


def counted(user, today):
    return digests.found_for(user, today).counts


def test_it_says_in_numbers_what_waits_and_names_no_patient(by_mail, alice, mona, due, today):
    ask(mona, due)
    tasks.send_digests()
    (letter,) = [message for message in mail.outbox if message.to == ["alice@example.org"]]
    html, kind = letter.alternatives[0]
    assert letter.subject == "Metaspine: 2 visits, 1 query waiting for you"
    assert "N01 North Hospital, 1 month: 1 due, 0 overdue; " in letter.body
    assert "N01 North Hospital: 1 query to answer; 1 new since yesterday" in letter.body
    assert kind == "text/html"
    for part in (letter.subject, letter.body, html):
        assert due.pk not in part
        assert "1955" not in part
    assert "https://registry.example.org/\n" in letter.body
    assert '<a href="https://registry.example.org/">Open My day</a>' in html
    assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_in_the_language_of_the_person(by_mail, alice, due):
    User.objects.filter(pk=alice.pk).update(language="ja")
    tasks.send_digests()
    (letter,) = mail.outbox
    assert letter.subject == "Metaspine：来院2件が対応を待っています"
    assert "北病院" in letter.body
    assert not re.search("waiting|overdue|queries|e-mail", letter.body + letter.alternatives[0][0])


def test_once_a_day_however_often_it_is_asked(by_mail, alice, due, today):
    for _ in range(3):
        tasks.send_digests()
    assert digests.deliver(alice.pk, today) is None
    assert len(mail.outbox) == 1
    assert digests.deliver(alice.pk, today + DAY) is True
    assert len(mail.outbox) == 2
    with entered(Scope(administers=True)), transaction.atomic():
        events = AuditEvent.objects.filter(action="digest_sent", row_id=str(alice.pk))
        assert [event.new["due"] for event in events] == [1, 1]


def test_what_waited_for_a_worker_over_night_is_not_sent_besides_the_days_own(by_mail, alice, due, today):
    tasks.send_digest(alice.pk, (today - DAY).isoformat())
    assert mail.outbox == []
    tasks.send_digest(alice.pk, today.isoformat())
    assert len(mail.outbox) == 1


def test_nothing_on_a_day_on_which_nothing_waits(by_mail, alice, mona, dana, bob, ada):
    tasks.send_digests()
    assert mail.outbox == []
    assert set(Digest.objects.values_list("user", flat=True)) == {
        alice.pk,
        mona.pk,
        dana.pk,
    }  # others have no such work


def test_only_for_people_with_a_running_role_who_want_it_at_their_own_site(by_mail, alice, ivo, charlie, due, north):
    former = person("Former", Role.COORDINATOR, north)
    Membership.objects.filter(user=former).update(ends_on=timezone.localdate() - DAY)
    person("Gone", Role.COORDINATOR, north, is_active=False)
    person("Quiet", Role.COORDINATOR, north, digest=False)
    tasks.send_digests()
    assert {message.to[0] for message in mail.outbox} == {"alice@example.org", "ivo@example.org"}
    assert digests.deliver(former.pk, timezone.localdate()) is None


def test_each_is_told_of_the_queries_that_wait_for_them(alice, mona, dana, charlie, due, today):
    query = ask(mona, due)
    assert counted(alice, today)["queries_open"] == 1
    assert not digests.found_for(mona, today)
    with entered(access_of(alice).scope()), transaction.atomic():
        queries.answer(access=access_of(alice), query=query, text="It is D.")
    assert counted(alice, today)["queries_open"] == 0
    assert counted(mona, today)["queries_answered"] == counted(dana, today)["queries_answered"] == 1
    assert not digests.found_for(charlie, today)


def test_states_of_visits_are_those_of_my_day(alice, operated, today, browse):
    for days in (31, 45, 80):
        operated(alice, days)
    counts = counted(alice, today)
    page = browse(alice).get("/").context["work"]
    assert [counts[name] for name in ("due", "overdue", "closing")] == [
        page[name] for name in ("due", "overdue", "closing")
    ]
    assert counts["due"] and counts["overdue"]


def test_one_that_fails_holds_up_nobody_and_is_sent_later(by_mail, alice, ivo, due, settings, caplog):
    settings.EMAIL_BACKEND = f"{__name__}.RefusingAlice"
    tasks.send_digests()
    assert [message.to for message in mail.outbox] == [["ivo@example.org"]]
    with pytest.raises(CommandError, match="1 could not be sent"):
        call_command("send_digests")
    assert f"the daily e-mail of person {alice.pk} was not sent" in caplog.text
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    tasks.send_digests()
    assert [message.to[0] for message in mail.outbox] == ["ivo@example.org", "alice@example.org"]


def test_not_before_the_hour_nor_without_a_mail_server(by_mail, alice, due, settings):
    settings.DIGEST_HOUR = 24
    tasks.send_digests()
    settings.DIGEST_HOUR, settings.MAIL = 0, False
    tasks.send_digests()
    assert mail.outbox == []
    with pytest.raises(CommandError, match="METASPINE_EMAIL_URL"):
        call_command("send_digests")


def test_a_dry_run_sends_nothing(alice, ivo, mona, due):
    out = io.StringIO()
    call_command("send_digests", "--dry-run", stdout=out)
    assert mail.outbox == []
    assert not Digest.objects.exists()
    said = dict(line.split(": ") for line in out.getvalue().splitlines())
    assert said["alice@example.org"].startswith("1 due")
    assert said["mona@example.org"] == "nothing, no e-mail"


def test_the_link_stops_it_by_one_click_without_signing_in(by_mail, alice, due):
    tasks.send_digests()
    (letter,) = mail.outbox
    path = letter.extra_headers["List-Unsubscribe"].strip("<>").removeprefix("https://registry.example.org")
    client = Client(enforce_csrf_checks=True)
    assert client.get(path).status_code == 200
    alice.refresh_from_db()
    assert alice.digest  # opening the address, as a scanner does, stops nothing
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    alice.refresh_from_db()
    assert not alice.digest
    assert client.post(path[:-3] + "x/").status_code == 404


def test_the_account_page_stops_and_starts_it(alice, bob, browse, text):
    client = browse(alice)
    for value, wanted in (("stop", False), ("start", True)):
        client.post("/account/digest/", {"digest": value})
        alice.refresh_from_db()
        assert alice.digest is wanted
    assert "Daily e-mail" in text(client.get("/account/"))
    assert "Daily e-mail" not in text(browse(bob).get("/account/"))  # nothing ever waits for a statistician
