"""The pages of queries, verification and signing, as each of the cast sees and uses them."""

import csv
import io

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import Assessment, Signature
from registry.services.review import queries, signing
from sites.audit import alerts
from sites.models import AuditEvent
from tests.conftest import PASSWORD
from tests.review.conftest import PREOP, WALKS
from tests.web.conftest import ASSESSMENT

KEY = "preop:severe_palsy_but_walks"


@pytest.fixture
def query(finished, mona, as_person):
    with as_person(mona) as access:
        return queries.raise_query(access=access, patient=finished, form=PREOP, field="frankel", text="=1+1 or C?")


@pytest.fixture
def preop(patient):
    return f"/patients/{patient.pk}/assessments/preop/"


def test_unlikely_answers_are_confirmed_with_a_note_and_kept_typed(alice, browse, preop, text, stored):
    client, sent = browse(alice), ASSESSMENT | {"frankel": "A", "barthel_mobility": "15", "complete": ""}
    asked = client.post(preop, sent)
    page = text(asked)
    assert asked.status_code == 422
    assert f'<input type="hidden" name="asked" value="{KEY}">' in page
    assert 'name="frankel" value="A"' in page
    saved = client.post(preop, sent | {"asked": KEY, "right": KEY, f"note:{KEY}": "<b>exoskeleton</b>"})
    assert saved.status_code == 302
    assert [row.state for row in stored()] == ["answered"]
    page = text(client.get(preop))
    assert "&lt;b&gt;exoskeleton&lt;/b&gt;" in page


def test_unlikely_answers_are_pointed_out_while_they_are_given(alice, mona, charlie, browse, preop, patient, stored):
    client, sent = browse(alice), ASSESSMENT | {"frankel": "A", "barthel_mobility": "15"}

    def said(client, address=preop, **changes):
        answer = client.post(address, sent | changes | {"look": "1"})
        return [(doubt["name"], doubt["text"]) for doubt in answer.json()["doubts"]]

    ((name, text),) = said(client)
    assert (name, text) == ("barthel_mobility", "Frankel A or B, yet walks independently (Barthel mobility 15).")
    assert said(client, frankel="D") == said(client, frankel="", eq_vas="1e9", frankel_missing="unknown") == []
    assert not Assessment.objects.exists() and stored() == []  # nothing was stored

    client.post(preop, sent | {"complete": "", "asked": KEY, "right": KEY})
    assert said(client) == []  # what was confirmed is not pointed out again
    answers = {"lesion_levels": ["C2"], "sins_location": "0", "look": "1"}
    baseline = client.post(f"/patients/{patient.pk}/baseline/", answers)
    assert [doubt["name"] for doubt in baseline.json()["doubts"]] == ["lesion_levels"]
    assert browse(mona).post(preop, sent | {"look": "1"}).status_code == 403
    assert browse(charlie).post(preop, sent | {"look": "1"}).status_code == 404


def test_confirming_what_was_not_asked_stores_no_query(alice, browse, preop, stored):
    sent = ASSESSMENT | {"complete": "", "right": ["preop:nothing", KEY, "x" * 5000], "asked": ["", "a:b:c"]}
    assert browse(alice).post(preop, sent).status_code == 302
    assert stored() == []


def test_a_coordinator_answers_on_the_form_and_is_told_what_waits(query, alice, browse, preop, text, stored):
    client = browse(alice)
    page = text(client.get(preop))
    assert "=1+1 or C?" in page
    assert '<span class="badge-count">1<' in page
    address = f"/queries/{query.pk}/"
    assert client.post(address, {"step": "answer", "text": "  "}).status_code == 422
    done = client.post(address, {"step": "answer", "text": "Chart says D", "next": preop})
    assert done.url == preop
    assert client.post(address, {"step": "answer", "text": "Chart says D", "next": preop}).status_code == 302
    assert client.post(address, {"step": "answer", "text": "Or C"}).status_code == 409
    assert "badge-count" not in text(client.get(preop))
    assert [row.state for row in stored()] == ["answered"]


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(query, alice, browse, next_page):
    sent = {"step": "answer", "text": "so", "next": next_page}
    assert browse(alice).post(f"/queries/{query.pk}/", sent).url == f"/queries/{query.pk}/"


def test_steps_that_are_not_ones_own_are_refused(query, alice, mona, charlie, bob, browse, stored):
    address = f"/queries/{query.pk}/"
    assert browse(alice).post(address, {"step": "close"}).status_code == 403
    assert browse(mona).post(address, {"step": "answer", "text": "x"}).status_code == 403
    assert browse(mona).post(address, {"step": "explode"}).status_code == 422
    assert (
        browse(charlie).get(address).status_code == browse(charlie).post(address, {"step": "answer"}).status_code == 404
    )
    assert browse(bob).get(address).status_code == 404
    assert browse(mona).get("/queries/99999999999999999999999/").status_code == 404
    assert [row.state for row in stored()] == ["open"]
    assert browse(mona).post(address, {"step": "close"}).status_code == 302
    assert browse(mona).post(address, {"step": "reopen"}).status_code == 422  # needs a word
    assert browse(mona).post(address, {"step": "reopen", "text": "Not so"}).status_code == 302


def test_the_list_is_filtered_paged_and_of_constant_cost(
    save, query, alice, dana, mona, charlie, browse, text, as_person, finished
):
    save(WALKS)
    client = browse(mona)
    everything = client.get("/queries/")
    assert [line.query.rule for line in everything.context["rows"]] == [
        None,
        "severe_palsy_but_walks",
        "tokuhashi_palsy_against_frankel",
    ]

    def rules(**filters):
        return [line.query.rule for line in client.get("/queries/", filters).context["rows"]]

    assert rules(rule="person") == [None]
    assert rules(rule="severe_palsy_but_walks", form="preop", state="open") == ["severe_palsy_but_walks"]
    assert rules(form="1m") == rules(state="closed") == rules(age="7") == rules(site="S01") == rules(patient="X") == []
    assert rules(age="lots", state="odd", page="-3", rule="?", patient="n01") == rules()
    assert len(browse(dana).get("/queries/").context["rows"]) == 3
    assert len(browse(charlie).get("/queries/").context["rows"]) == 0

    def statements():
        with CaptureQueriesContext(connection) as caught:
            client.get("/queries/")
        return len(caught)

    few = statements()
    with as_person(mona) as access:
        for n in range(60):
            queries.raise_query(access=access, patient=finished, form=PREOP, text=f"Question {n}")
    assert statements() == few
    page = client.get("/queries/")
    assert (len(page.context["rows"]), page.context["last"]) == (50, 2)
    assert len(client.get("/queries/?page=2").context["rows"]) == 13


def test_the_file_runs_no_formula(query, mona, charlie, browse, as_system):
    response = browse(mona).post("/queries/csv/")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert [(row["patient"], row["item"], row["question"], row["last_step"]) for row in rows] == [
        ("N01-0001", "frankel", "'=1+1 or C?", "raised")
    ]
    assert len(b"".join(browse(charlie).post("/queries/csv/").streaming_content).splitlines()) == 1
    with as_system():
        assert AuditEvent.objects.filter(action="queries_exported").count() == 1


def test_raising_from_a_field_and_for_many(finished, mona, alice, browse, text, stored, preop):
    client = browse(mona)
    link = f"/patients/{finished.pk}/queries/new/?form=preop&amp;field=eq_vas"
    assert link in client.get(preop).content.decode()
    assert link not in browse(alice).get(preop).content.decode()
    assert 'value="eq_vas" selected' in text(client.get(link.replace("&amp;", "&")))
    new = f"/patients/{finished.pk}/queries/new/"
    sent = {"form": "preop", "field": "eq_vas", "text": "60 or 90?"}
    assert client.post(new, sent).status_code == client.post(new, sent).status_code == 302
    assert [(row.field, row.text) for row in stored()] == [("eq_vas", "60 or 90?")]
    for wrong, status in (
        ({"form": "9m"}, 404),
        ({"form": "event-12345"}, 404),
        ({"form": "event-" + "9" * 30}, 404),
        ({"field": "birth_date", "form": "baseline"}, 422),
        ({"field": "site_id"}, 422),
        ({"text": ""}, 422),
    ):
        assert client.post(new, sent | wrong).status_code == status, wrong
    guess = client.get("/queries/many/?form=adverse_event&field=detail&has=value&value=told+by+Mrs+M.")
    assert (guess.status_code, guess.context["wanted"]) == (422, None)  # a count would tell what it holds
    many = "/queries/many/?form=preop&field=pain_vas_mm&has=value&value=40"
    assert client.get(many).context["count"] == 1
    assert client.post(many, {"text": ""}).status_code == 422
    assert client.post(many, {"text": "Sure?"}).status_code == 302
    assert client.get(many).context["count"] == 0
    assert client.post(many, {"text": "Sure?"}).status_code == 302
    assert [row.text for row in stored()] == ["60 or 90?", "Sure?"]
    odd_ones = [
        "form=preop&field=sins_pain&has=missing",
        "form=x&field=eq_vas&has=missing",
        "form=preop&field=eq_vas&has=x",
        "form=preop&field=eq_vas&has=value&value=101",
        "form=assessment&field=eq_vas&has=missing",
        "has=empty",
    ]
    for odd in odd_ones:
        assert client.get(f"/queries/many/?{odd}").status_code == 422
    assert "Choose a form." in text(client.get("/queries/many/?form=&field=&has="))
    assert "Charlson" not in text(client.get("/queries/many/"))  # an extra that is off
    assert browse(alice).get("/queries/many/").status_code == 403


def test_a_monitor_compares_a_form_with_the_source(finished, mona, alice, ivo, browse, text, row_of, save, preop):
    client = browse(mona)
    left = client.get("/verification/")
    assert {(row["patient_id"], row["code"]) for row in left.context["rows"]} == {
        (finished.pk, "baseline"), (finished.pk, "surgery"), (finished.pk, "preop")
    }  # fmt: skip
    assert [row["code"] for row in client.get("/verification/?form=preop&patient=n01").context["rows"]] == ["preop"]
    assert client.get("/verification/?form=1m&changed=1&page=x").context["rows"] == []
    address = f"/patients/{finished.pk}/verify/preop/"
    seen = client.get(address).context["seen"]
    assert client.post(address, {"column": ["frankel", "nonsense"], "seen": seen}).status_code == 302
    assert client.post(address, {"column": ["frankel"], "seen": seen}).status_code == 302  # sent twice
    assert list(row_of(finished).row.verified) == ["frankel"]
    save(frankel="E")
    assert client.post(address, {"all": "", "seen": seen}).status_code == 409
    page = text(client.get(address))
    assert "after Mona had verified it" in page
    assert "after Mona had verified it" in text(browse(alice).get(preop))
    assert client.post(address, {"all": ""}).status_code == 302
    assert row_of(finished).state == "verified"
    assert client.post(address, {"withdraw": "frankel"}).status_code == 302
    assert row_of(finished).state == "complete"
    for who, status in ((alice, 404), (ivo, 404)):
        assert browse(who).get(address).status_code == browse(who).post(address, {"all": ""}).status_code == status
    assert client.get(f"/patients/{finished.pk}/verify/9m/").status_code == 404
    assert client.get(f"/patients/{finished.pk}/verify/1m/").status_code == 404


@pytest.fixture
def sent():
    cache.clear()
    yield {"confirm": "on", "password": PASSWORD}
    cache.clear()


def test_signing_takes_the_password_again(finished, ivo, browse, text, stored, sent, as_system):
    client, address = browse(ivo), f"/patients/{finished.pk}/signatures/"
    wrong = client.post(address, sent | {"password": "not this one"})
    assert wrong.status_code == 422
    assert "The password is not right." in text(wrong)
    assert client.post(address, {"password": PASSWORD}).status_code == 422  # the statement is not confirmed
    assert stored(Signature) == []
    with as_system():
        assert AuditEvent.objects.filter(action="signing_refused", user_id=ivo.pk).count() == 1
        assert AuditEvent.objects.filter(action="sign_in_failed").count() == 1
    assert client.post(address, sent).url == address
    assert "The data are as they were signed." in text(client.get(address))
    assert client.post(address, sent).status_code == 422  # nothing is left to sign
    assert len(stored(Signature)) == 1
    assert "Ivo" in text(client.get(f"/patients/{finished.pk}/"))
    form = text(client.get(f"/patients/{finished.pk}/assessments/preop/"))
    assert "This form is signed and cannot change." in form


def test_wrong_passwords_count_towards_the_lockout(finished, ivo, browse, client, stored, sent, text):
    signing_client, address = browse(ivo), f"/patients/{finished.pk}/signatures/"
    for _ in range(10):
        signing_client.post(address, sent | {"password": "guess"})
    locked = signing_client.post(address, sent)
    assert locked.status_code == 422
    assert "too many wrong passwords" in text(locked)
    assert client.post("/login/", {"username": ivo.email, "password": PASSWORD}).status_code == 200
    assert stored(Signature) == []


def test_unlocking_by_the_page(finished, ivo, alice, browse, text, stored, sent, as_person, row_of):
    with as_person(ivo) as access:
        signing.sign(access=access, patient=finished)
    client, address = browse(ivo), f"/patients/{finished.pk}/unlock/"
    good = {"form": ["preop"], "reason": "typing error", "password": PASSWORD}
    for wrong in ({"form": []}, {"reason": ""}, {"password": "x"}):
        assert client.post(address, good | wrong).status_code == 422
    assert browse(alice).post(address, good).status_code == 403
    assert row_of(finished).state == "locked"
    assert client.post(address, good).status_code == client.post(address, good).status_code == 302
    assert row_of(finished).state == "complete"
    version = row_of(finished).row.version
    changed = ASSESSMENT | {"eq_vas": "61", "version": version, "reason": "misread", "complete": ""}
    assert browse(alice).post(f"/patients/{finished.pk}/assessments/preop/", changed).status_code == 302
    assert "Signature broken" in text(browse(alice).get(f"/patients/{finished.pk}/"))
    assert stored(AuditEvent, action="signature_broken") == []  # it was unlocked before


def test_a_broken_signature_that_no_unlocking_explains_is_on_record_once_and_alerts(
    finished, ivo, mona, browse, text, stored, as_person, monkeypatch
):
    with as_person(ivo) as access:
        signed = signing.sign(access=access, patient=finished)
    monkeypatch.setattr(signing, "sha256_of", lambda _text: "0" * 64)  # as if an answer were another
    for address in (f"/patients/{finished.pk}/", f"/patients/{finished.pk}/signatures/"):
        assert "roken" in text(browse(mona).get(address))
    (event,) = stored(AuditEvent, action="signature_broken")
    assert (event.row_id, event.user_id, event.site_id) == (str(signed.pk), mona.pk, finished.site_id)
    assert event.new == {"why": "data"} and event.action in alerts.KINDS


def test_open_queries_are_acknowledged_or_settled(query, finished, ivo, browse, stored, sent):
    client, address = browse(ivo), f"/patients/{finished.pk}/signatures/"
    assert client.post(address, sent).status_code == 422
    assert client.post(address, sent | {"acknowledged": ["999", "x", "9" * 40]}).status_code == 422
    assert client.post(address, sent | {"acknowledged": [str(query.pk)]}).status_code == 302
    assert stored(Signature)[0].acknowledged == [query.pk]


def test_pages_speak_japanese(query, finished, mona, ivo, browse, text):
    for user, pages in (
        (mona, ("/queries/", f"/queries/{query.pk}/", "/queries/many/", "/verification/",
                f"/patients/{finished.pk}/verify/preop/", f"/patients/{finished.pk}/queries/new/")),
        (ivo, (f"/patients/{finished.pk}/signatures/",)),
    ):  # fmt: skip
        client = browse(user)
        client.cookies["django_language"] = "ja"
        for address in pages:
            page = client.get(address).content.decode()
            for english in ("Raise", "Query", "Queries", "Question", "Sign", "Verify", "Agrees", "Your password"):
                assert f">{english}" not in page, (address, english)
