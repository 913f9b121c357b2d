"""One confirms what one saw: an act on a page that was overtaken shows what changed, and does nothing."""

import pytest
from django.core import signing as signatures

from registry.models import Query, Signature
from registry.services import seen
from registry.services.entry import patients
from registry.services.review import queries, signing
from registry.services.review.soft_checks import Form
from tests.conftest import PASSWORD, TODAY
from tests.review.conftest import PREOP

SIGNING = {"confirm": "on", "password": PASSWORD}


def differences(response):
    """(form, item, shown, stored, by) of each difference that a page tells."""
    return [
        (difference.where, difference.item, difference.was, difference.now, difference.who)
        for difference in response.context["differences"]
    ]


@pytest.fixture
def address(finished):
    return f"/patients/{finished.pk}/signatures/"


def test_the_signing_page_shows_every_answer_that_is_signed(finished, ivo, browse, address, row_of):
    page = browse(ivo).get(address)
    payload = {
        part.code: {answer.label: answer.value for _title, answers in part.groups for answer in answers}
        for part in page.context["sheet"].parts
    }
    assert payload["preop"]["Frankel grade"].startswith("D")
    assert payload["baseline"]["Primary tumour"] == "Lung"
    assert payload["surgery"]["Blood loss"] == "300 mL"
    forms = {"baseline": Form("baseline"), "surgery": Form("surgery"), "preop": PREOP}
    assert {code: len(answers) for code, answers in payload.items()} == {
        code: len(row_of(finished, form).columns) for code, form in forms.items()
    }


def test_a_correction_while_the_signing_page_was_open_is_shown_instead_of_signed(
    finished, save, own_form, alice, ivo, browse, address, stored, row_of, text
):
    client = browse(ivo)
    note = client.note_on(address)
    save(eq_vas="61")
    own_form("surgery", blood_loss_ml="310")
    answer = client.post(address, SIGNING | {"seen": note})
    assert (answer.status_code, stored(Signature), row_of(finished).state) == (409, [], "complete")
    assert sorted(differences(answer)) == [
        ("Before surgery", "EQ VAS (health today)", "60", "61", "Alice"),
        ("Surgery", "Blood loss", "300 mL", "310 mL", "Alice"),
    ]
    assert "This changed since you opened the page" in text(answer)
    assert client.post(address, SIGNING).status_code == 302  # as it is now, seen again
    assert len(stored(Signature)) == 1


def test_a_form_that_came_or_a_query_that_went_on_is_shown_instead_of_signed(
    finished, save, mona, ivo, browse, address, stored, as_person
):
    client = browse(ivo)
    with as_person(mona) as access:
        query = queries.raise_query(access=access, patient=finished, form=PREOP, field="frankel", text="Or C?")
    acknowledged = SIGNING | {"acknowledged": [str(query.pk)]}
    note = client.note_on(address)
    save(timepoint="1m", assessment_date="2026-02-14")
    answer = client.post(address, acknowledged | {"seen": note})
    assert [difference[:4] for difference in differences(answer)] == [("1 month", "", "was not there", "there")]
    note = client.note_on(address)
    with as_person(mona) as access:
        queries.close(access=access, query=query)
        queries.reopen(access=access, query=query, text="C after all?")
    answer = client.post(address, acknowledged | {"seen": note})
    assert (answer.status_code, [difference[:2] for difference in differences(answer)]) == (
        409,
        [(f"Query {query.pk}", "Thread")],
    )
    assert stored(Signature) == []
    assert client.post(address, acknowledged).status_code == 302


def test_a_mark_or_a_save_that_changes_nothing_stands_in_nobodys_way(
    finished, save, mona, ivo, browse, address, stored
):
    client = browse(ivo)
    note = client.note_on(address)
    save()
    assert browse(mona).post(f"/patients/{finished.pk}/verify/preop/", {"all": ""}).status_code == 302
    assert client.post(address, SIGNING | {"seen": note}).status_code == 302
    assert len(stored(Signature)) == 1


def test_a_note_is_of_one_page_of_one_person(finished, enrolled, alice, ivo, browse, address, stored, as_person):
    other = enrolled(alice)
    client = browse(ivo)
    with as_person(alice):
        of_alice = signing.note(finished, signing.ready(finished))
    with as_person(ivo):
        of_another = signing.note(other, signing.ready(finished))
        of_unlocking = signing.unlocking_note(finished)
        forged = signatures.dumps({"act": "sign"}, key="guessed", salt=seen.SALT)
    for note in ("", "x", of_alice, of_another, of_unlocking, forged, client.note_on(address)[:-1]):
        answer = client.post(address, SIGNING | {"seen": note})
        assert (answer.status_code, differences(answer)) == (409, []), note
        assert b"had not shown you" in answer.content
    assert stored(Signature) == []


def test_unlocking_is_of_the_signature_that_was_seen(finished, save, ivo, browse, address, as_person, row_of):
    with as_person(ivo) as access:
        signing.sign(access=access, patient=finished)
    unlock, sent = address.replace("signatures", "unlock"), {"form": ["preop"], "reason": "typo", "password": PASSWORD}
    client = browse(ivo)
    note = client.note_on(unlock)
    with as_person(ivo) as access:  # meanwhile corrected, and signed once more
        signing.unlock(access=access, patient=finished, codes=["preop"], reason="typo")
    save(eq_vas="61")
    with as_person(ivo) as access:
        signing.sign(access=access, patient=finished)
    assert client.post(unlock, sent | {"seen": note}).status_code == 409
    assert row_of(finished).state == "locked"
    assert client.post(unlock, sent).status_code == 302


def test_verification_shows_what_changed_while_the_file_was_read(finished, save, mona, browse, row_of):
    client, page = browse(mona), f"/patients/{finished.pk}/verify/preop/"
    note = client.note_on(page)
    save(frankel="E", eq_vas="61")
    for sent in ({"all": ""}, {"column": "frankel"}):
        answer = client.post(page, sent | {"seen": note})
        assert answer.status_code == 409
        assert {difference[1]: difference[2:] for difference in differences(answer)} == {
            "Frankel grade": ("D motor useful", "E normal", "Alice"),
            "EQ VAS (health today)": ("60", "61", "Alice"),
        }
    assert client.post(page, {"all": "", "seen": ""}).status_code == 409
    assert row_of(finished).row.verified == {}
    assert client.post(page, {"all": ""}).status_code == 302


@pytest.fixture
def query(finished, mona, as_person):
    with as_person(mona) as access:
        return queries.raise_query(access=access, patient=finished, form=PREOP, field="frankel", text="D or C?")


@pytest.mark.parametrize("user", ["mona", "dana"])
def test_a_query_is_closed_as_it_was_read(query, save, alice, user, browse, stored, as_person, request, dana):
    client, page = browse(request.getfixturevalue(user)), f"/queries/{query.pk}/"
    note = client.note_on(page)
    with as_person(alice) as access:
        queries.answer(access=access, query=query, text="C, by the chart")
    answer = client.post(page, {"step": "close", "seen": note})
    assert answer.status_code == 409 and b"C, by the chart" in answer.content
    note = client.note_on(page)
    save(frankel="C")
    answer = client.post(page, {"step": "close", "seen": note, "text": "thanks"})
    assert [difference[1:4] for difference in differences(answer)] == [
        ("Frankel grade", "D motor useful", "C motor useless")
    ]
    assert b"thanks" in answer.content and stored(Query)[0].state == "answered"
    assert client.post(page, {"step": "close", "seen": ""}).status_code == 409
    for _twice in range(2):
        assert client.post(page, {"step": "close", "seen": client.note_on(page)}).status_code == 302


def test_who_answers_may_have_corrected_the_form_first(query, save, alice, browse, stored):
    client, page = browse(alice), f"/queries/{query.pk}/"
    note = client.note_on(page)
    save(frankel="C")
    assert client.post(page, {"step": "answer", "text": "Corrected", "seen": note}).status_code == 302
    assert stored(Query)[0].state == "answered"


def test_a_query_is_answered_and_closed_from_the_form_too(query, alice, mona, browse, stored):
    form = f"/patients/{query.patient_id}/assessments/preop/"
    for user, step in ((alice, {"step": "answer", "text": "D"}), (mona, {"step": "close"})):
        client = browse(user)
        (line,) = client.get(form).context["review"].queries
        sent = step | {"seen": line.seen, "next": form}
        assert client.post(f"/queries/{query.pk}/", sent).url == form
    assert stored(Query)[0].state == "closed"


def test_many_are_asked_about_as_counted(finished, save, mona, browse, stored):
    client, page = browse(mona), "/queries/many/?form=preop&field=pain_vas_mm&has=value&value=40"
    note = client.note_on(page)
    save(pain_vas_mm="41")
    answer = client.post(page, {"text": "Sure?", "seen": note})
    assert (answer.status_code, differences(answer)) == (409, [(finished.pk, "", "was there", "gone", "")])
    other = page.replace("value=40", "value=41")
    assert client.post(other, {"text": "Sure?", "seen": note}).status_code == 409
    assert stored(Query) == []
    assert client.post(other, {"text": "Sure?"}).status_code == 302


def test_a_query_shows_no_answer_that_identifies(finished, alice, mona, browse, as_person):
    with as_person(alice) as access:
        raw = {"kind": "csf_leak", "onset_date": "2026-03-11", "detail": "told by Mrs M."}
        event = patients.save_adverse_event(access=access, patient=finished, raw=raw, today=TODAY)
    with as_person(mona) as access:
        form = Form("adverse_event", event=event.pk)
        query = queries.raise_query(access=access, patient=finished, form=form, field="detail", text="What?")
    page = browse(mona).get(f"/queries/{query.pk}/")
    assert page.context["answers"] == [] and b"Mrs M." not in page.content
