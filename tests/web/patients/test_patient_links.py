"""A patient answers by a link: it opens its own row and nothing else, works once, and the site decides what follows."""

import datetime as dt
import re

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from registry.models import Assessment, Draft, Patient, PatientLink
from registry.services.entry import patient_links
from registry.services.entry.assessments import save_assessment
from registry.services.entry.patient_links import ITEMS, FollowUpEnded
from registry.services.entry.patients import save_form
from registry.services.follow_up import ends
from registry.services.records import extras
from registry.services.records.storing import Locked
from sites.models import AuditEvent
from sites.tenancy.scope import Scope, entered
from tests.conftest import TODAY
from tests.web.conftest import ASSESSMENT

pytestmark = pytest.mark.usefixtures("licensed")

GIVEN = {"eq5d_mobility": 3, "eq5d_self_care": 2, "eq5d_usual_activities": 4, "eq5d_pain_discomfort": 1,
         "eq5d_anxiety_depression": "refused", "eq_vas": 55, "pain_vas_mm": 30}  # fmt: skip


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice)


@pytest.fixture
def linked(as_person, alice, patient):
    """`linked()` is (PatientLink, token) for the preoperative form."""

    def make(user=alice, **more):
        with as_person(user) as access:
            asked = {"timepoint": "preop", "language": "en", "respondent": "self", "valid": "1d"} | more
            return patient_links.create(access=access, patient=patient, **asked)

    return make


@pytest.fixture
def stored(as_person, alice):
    def read(link):
        with as_person(alice):
            return PatientLink.objects.get(pk=link.pk)

    return read


def answer(client, token, given=GIVEN):
    """Give every answer as a browser without JavaScript does."""
    for step, item in enumerate(ITEMS, 1):
        value = given[item.name]
        sent = {"decline": "1"} if value == "refused" else {item.name: str(value)}
        assert client.post(f"/answers/{token}/{step}/", sent).status_code == 302


def sent(linked, **more):
    """A link whose answers have arrived."""
    link, token = linked(**more)
    client = Client()
    answer(client, token)
    assert client.post(f"/answers/{token}/8/").url == "/answers/thanks/en/"
    return link, token


def test_a_patient_answers_one_question_a_screen_and_the_link_works_once(linked, stored):
    link, token = linked()
    client = Client()
    page = client.get(f"/answers/{token}/")
    assert "7 short questions" in page.content.decode()
    assert (page["Referrer-Policy"], page["X-Robots-Tag"]) == ("same-origin", "noindex, nofollow")
    assert "no-store" in page["Cache-Control"]
    assert client.post(f"/answers/{token}/8/").status_code == 422  # nothing is answered yet
    answer(client, token)
    summary = client.get(f"/answers/{token}/8/").content.decode()
    assert "I would rather not say" in summary and "Send the answers" in summary
    assert client.post(f"/answers/{token}/1/", {"eq5d_mobility": "5"}).url == f"/answers/{token}/8/"
    assert client.post(f"/answers/{token}/8/").url == "/answers/thanks/en/"
    assert "Thank you" in client.get("/answers/thanks/en/").content.decode()
    assert client.post(f"/answers/{token}/8/").url == "/answers/thanks/en/"  # the second of two taps
    steps = [(client.get, "8/"), *((method, step) for method in (client.get, client.post) for step in ("", "1/"))]
    for method, step in steps:
        used = method(f"/answers/{token}/{step}")
        assert (used.status_code, "This link does not work" in used.content.decode()) == (404, True)
    assert stored(link).answers == GIVEN | {"eq5d_mobility": 5}
    assert stored(link).state == "arrived"


def test_no_page_of_the_patient_names_anybody(linked, patient, alice, north):
    _link, token = linked()
    client = Client()
    answer(client, token)
    for step in ("", *(f"{step}/" for step in range(1, 9))):
        page_text = client.get(f"/answers/{token}/{step}").content.decode()
        for name in (patient.pk, alice.name, north.name, north.code, "1955"):
            assert name not in page_text


@pytest.mark.parametrize("raw", ["", "6", "0", "x", "3.5", "１０１", "<script>", "'; --"])
def test_what_is_no_answer_is_refused_and_the_question_stays(linked, stored, raw):
    link, token = linked()
    for step, name in ((1, "eq5d_mobility"), (6, "eq_vas")):
        if name == "eq_vas" and raw in ("6", "0"):
            continue
        page = Client().post(f"/answers/{token}/{step}/", {name: raw})
        assert (page.status_code, 'role="alert"' in page.content.decode()) == (422, True)
        assert page.context["question"].value == raw  # what was typed is still there
    assert stored(link).answers == {}


def test_the_patient_chooses_the_language(linked, stored):
    link, token = linked(language="ja")
    client = Client()
    assert "移動の程度" in client.get(f"/answers/{token}/1/").content.decode()
    assert client.post(f"/answers/{token}/1/", {"language": "en"}).url == f"/answers/{token}/1/"
    assert "Mobility" in client.get(f"/answers/{token}/1/").content.decode()
    client.post(f"/answers/{token}/1/", {"language": "xx"})
    typed = client.post(f"/answers/{token}/6/", {"language": "en", "eq_vas": "6o"})
    assert (typed.status_code, typed.context["question"].value) == (200, "6o")
    assert (stored(link).language, stored(link).answers) == ("en", {})


def test_expired_revoked_replaced_and_guessed_links_look_alike(linked, as_person, alice, monkeypatch):
    revoked, replaced = linked(timepoint="3m"), linked()
    linked()  # of the same form
    with as_person(alice) as access:
        patient_links.revoke(access=access, link=revoked[0])
    monkeypatch.setitem(patient_links.VALID, "1d", dt.timedelta(seconds=-1))
    expired = linked(timepoint="1m")
    pages = [Client().get(f"/answers/{token}/") for _link, token in (expired, revoked, replaced, (None, "guessed"))]
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1 and b"This link does not work" in pages[0].content


def test_a_link_opens_its_row_and_nothing_else(linked, patient):
    link, token = linked()
    linked(timepoint="1m")
    with entered(patient_links.scope_of(token)), transaction.atomic():
        assert list(PatientLink.objects.values_list("pk", flat=True)) == [link.pk]
        for model in (Patient, Assessment, Draft, AuditEvent):
            assert not model.objects.exists()
        for change in ({"timepoint": "1m"}, {"respondent": "proxy"}, {"expires_at": timezone.now()},
                       {"settled_at": timezone.now()}, {"revoked_at": timezone.now()}):  # fmt: skip
            with pytest.raises(DatabaseError), transaction.atomic():
                PatientLink.objects.update(**change)
        assert PatientLink.objects.update(answers={"eq_vas": 50}) == 1
        assert PatientLink.objects.all().delete()[0] == 0
    for scope in (Scope(), Scope(link="")):
        with entered(scope), transaction.atomic():
            assert not PatientLink.objects.exists()


def test_of_every_guarded_table_a_link_shows_its_own_row_alone(linked, patient, as_person, alice):
    _link, token = linked()
    linked(timepoint="1m")
    with as_person(alice) as access, connection.cursor() as cursor:
        save_assessment(access=access, patient=patient, timepoint="1m", raw=ASSESSMENT)
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relkind IN ('r', 'p')")
        counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for (name,) in cursor.fetchall())
        seen = {}
        for scope in (access.scope(), patient_links.scope_of(token), patient_links.scope_of("guessed")):
            with entered(scope):
                cursor.execute(counts)
                seen[scope.link] = {name: number for name, number in cursor.fetchall() if number}
    own, shown, guessed = seen.values()
    assert own["registry_patientlink"] == 2 and own["registry_assessment"] == 1
    assert (shown, guessed) == ({"registry_patientlink": 1}, {})


def test_what_was_sent_stays_as_it_was_sent(linked, as_person, alice):
    link, _token = sent(linked)
    with as_person(alice), pytest.raises(DatabaseError), transaction.atomic():
        PatientLink.objects.filter(pk=link.pk).update(answers={})


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_the_database_takes_nothing_by_a_link_that_no_longer_works(linked, as_person, alice, monkeypatch, ended):
    if ended == "expired":
        monkeypatch.setitem(patient_links.VALID, "1d", dt.timedelta(seconds=-1))
    link, token = linked()
    if ended == "revoked":
        with as_person(alice) as access:
            patient_links.revoke(access=access, link=link)
    with entered(patient_links.scope_of(token)), pytest.raises(DatabaseError, match="no longer works"):
        PatientLink.objects.update(answers={"eq_vas": 50})


def test_nobody_at_the_site_answers_for_the_patient(linked, as_person, alice):
    link, _token = linked()
    with as_person(alice), pytest.raises(DatabaseError, match="nobody else"), transaction.atomic():
        PatientLink.objects.filter(pk=link.pk).update(answers={"eq_vas": 90})


def test_links_end_with_follow_up(linked, as_person, alice, browse, patient, stored):
    link, token = linked()
    end = {"end_kind": "withdrawn", "end_date": "2026-05-02", "end_reason": "privacy", "end_data_use": "keep"}
    with as_person(alice) as access:
        ends.end_follow_up(access=access, patient=patient, raw=end, today=TODAY)
    assert (stored(link).state, Client().get(f"/answers/{token}/").status_code) == ("revoked", 404)
    url = f"/patients/{patient.pk}/assessments/preop/links/"
    page = browse(alice).post(url, {"language": "en", "respondent": "self", "valid": "1d", "make": ""}, follow=True)
    assert "Follow-up of this patient has ended" in page.content.decode()
    with as_person(alice):
        assert PatientLink.objects.count() == 1


def test_a_death_recorded_since_the_page_was_read_counts(linked, as_person, alice, patient):
    assert patient.vital_status != "dead"
    with as_person(alice) as access:
        dead = {"vital_status": "dead", "death_date": "2026-05-01", "last_contact_date": "2026-05-01"}
        stored = Patient.objects.get(pk=patient.pk)
        save_form(access=access, patient=stored, form="follow_up", raw=dead, missing={}, complete=True, today=TODAY)
        with pytest.raises(FollowUpEnded):
            linked()


def test_only_those_who_enter_at_the_site_make_and_see_links(linked, patient, browse, charlie, bob, mona, as_person):
    link, _token = sent(linked)
    url = f"/patients/{patient.pk}/assessments/preop/links/"
    for user, status in ((charlie, 404), (bob, 404), (mona, 404)):
        client = browse(user)
        assert client.get(url).status_code == client.post(url).status_code == status
        assert client.get(f"/patient-links/{link.pk}/").status_code == 404
        assert client.post(f"/patient-links/{link.pk}/revoke/").status_code == 404
        with as_person(user) as access:
            assert not PatientLink.objects.exists()
            with pytest.raises(PermissionDenied):
                patient_links.accept(access=access, link=link)


def test_the_coordinator_makes_a_link_once_shown_and_may_hand_the_device_over(browse, alice, patient):
    client = browse(alice)
    url = f"/patients/{patient.pk}/assessments/preop/links/"
    asked = {"language": "ja", "respondent": "proxy", "valid": "1h"}
    assert client.post(url, asked | {"make": ""}).url == url
    shown = client.get(url).content.decode()
    token = re.search(r"/answers/([\w-]+)/", shown)[1]
    assert "data:image/svg+xml" in shown and token not in client.get(url).content.decode()
    assert client.get(f"/answers/{token}/").status_code == 200
    assert client.post(url, {"language": "xx"}).status_code == 422
    handed = client.post(url, asked | {"hand_over": ""})
    assert handed.url.startswith("/answers/") and "_auth_user_id" not in client.session
    assert handed["Clear-Site-Data"] == '"cache"'
    assert client.get(f"/patients/{patient.pk}/").status_code == 302  # to the sign-in page
    assert client.get(handed.url).status_code == 200
    assert client.get("/patients/nothing/assessments/preop/links/").status_code == 302


def test_answers_are_taken_over_into_the_draft_of_the_form(linked, browse, alice, patient, as_person):
    link, _token = sent(linked)
    client = browse(alice)
    assert f"/patient-links/{link.pk}/" in client.get("/").content.decode()
    review = client.get(f"/patient-links/{link.pk}/").content.decode()
    assert "Refused" in review and "55" in review
    url = f"/patients/{patient.pk}/assessments/preop/"
    assert client.post(f"/patient-links/{link.pk}/", {"accept": ""}).url == url
    form = client.get(url)
    assert "it is not saved yet" in form.content.decode()
    values = {question.name: question.value for card in form.context["sections"] for question in card.questions}
    assert {name: values[name] for name in GIVEN} == {
        name: "" if value == "refused" else str(value) for name, value in GIVEN.items()
    }
    with as_person(alice):
        assert not Assessment.objects.exists()  # until it is saved
    assert client.post(f"/patient-links/{link.pk}/", {"accept": ""}).status_code == 409
    assert "/patient-links/" not in client.get("/").content.decode()


def test_who_answered_is_recorded_in_the_form_where_the_registry_asks_it(linked, browse, alice, ada, as_person, stored):
    with as_person(ada) as access:
        extras.switch(access=access, code="respondent", on=True)
    link, _token = sent(linked, respondent="proxy")
    assert stored(link).respondent == "proxy"
    client = browse(alice)
    client.post(f"/patient-links/{link.pk}/", {"accept": ""})
    form = client.get(f"/patients/{link.patient_id}/assessments/preop/")
    values = {question.name: question.value for card in form.context["sections"] for question in card.questions}
    assert values["respondent"] == "proxy"
    client.post(f"/patients/{link.patient_id}/assessments/preop/", values | {"assessment_date": "2026-01-12"})
    with as_person(alice):
        row = Assessment.objects.get()
    assert (row.respondent, row.eq_vas) == ("proxy", 55)


def test_a_stored_answer_is_never_overwritten_unasked(linked, browse, alice, patient, as_person):
    with as_person(alice) as access:
        raw = {name: value for name, value in ASSESSMENT.items() if name != "version"} | {"eq_vas": "80"}
        save_assessment(access=access, patient=patient, timepoint="preop", raw=raw)
    link, _token = sent(linked)
    client = browse(alice)
    review = client.get(f"/patient-links/{link.pk}/").content.decode()
    assert 'name="keep-eq_vas"' in review
    client.post(f"/patient-links/{link.pk}/", {"accept": "", "keep-eq_vas": "stored"})
    form = client.get(f"/patients/{patient.pk}/assessments/preop/")
    values = {question.name: question.value for card in form.context["sections"] for question in card.questions}
    assert (values["eq_vas"], values["pain_vas_mm"]) == ("80", "30")


def test_what_one_typed_oneself_is_never_overwritten_unasked(linked, browse, alice, patient):
    client, url = browse(alice), f"/patients/{patient.pk}/assessments/preop/"
    typed = {"person": alice.pk, "version": "", "eq_vas": "80", "assessment_date": "2026-01-09"}
    client.post(f"/patients/{patient.pk}/drafts/preop/", typed | {"pain_vas_mm": "3o"})
    link, _token = sent(linked)
    lines = {line.item.name: line for line in client.get(f"/patient-links/{link.pk}/").context["lines"]}
    assert {name: (line.stored, line.differs) for name, line in lines.items() if line.stored != "–"} == {
        "eq_vas": ("80", True),
        "pain_vas_mm": ("3o mm", True),
    }
    client.post(f"/patient-links/{link.pk}/", {"accept": "", "version": "", "keep-eq_vas": "stored"})
    form = client.get(url)
    values = {question.name: question.value for card in form.context["sections"] for question in card.questions}
    assert (values["eq_vas"], values["pain_vas_mm"]) == ("80", "30")
    assert form.context["leading"][0].value == "2026-01-09"


def test_what_was_saved_beside_the_review_is_asked_about(linked, browse, alice, ivo, patient, as_person):
    client, url = browse(alice), f"/patients/{patient.pk}/assessments/preop/"
    link, _token = sent(linked)
    review = client.get(f"/patient-links/{link.pk}/")
    browse(ivo).post(url, {"assessment_date": "2026-01-12", "eq_vas": "80", "version": ""})
    client.post(f"/patient-links/{link.pk}/", {"accept": "", "version": review.context["version"]})
    form = client.get(url)
    values = {question.name: question.value for card in form.context["sections"] for question in card.questions}
    saved = client.post(url, values | {"assessment_date": "2026-01-12", "version": form.context["version"]})
    assert (saved.status_code, [disagreement.name for disagreement in saved.context["conflict"].asked]) == (
        409,
        ["eq_vas"],
    )
    with as_person(alice):
        assert Assessment.objects.get().eq_vas == 80


def test_a_link_is_for_a_visit_that_the_patient_may_have(browse, alice, patient, as_person):
    client = browse(alice)
    asked = {"language": "en", "respondent": "self", "valid": "1h", "hand_over": ""}
    links = "/patients/{}/assessments/{}/links/"
    for code, status in (("u2", 404), ("36m", 404), ("u1", 200)):
        assert client.get(links.format(patient.pk, code)).status_code == status
    handed = client.post(links.format(patient.pk, "u1"), asked).url
    token = handed.split("/")[2]
    answer(Client(), token)
    assert Client().post(f"/answers/{token}/8/").status_code == 302
    client = browse(alice)
    with as_person(alice):
        link = PatientLink.objects.get()
    assert "Unscheduled 1" in client.get("/").content.decode()
    accepted = client.post(f"/patient-links/{link.pk}/", {"accept": "", "version": ""}, follow=True)
    assert "it is not saved yet" in accepted.content.decode()


def test_nobody_asks_the_dead_nor_for_a_signed_form(linked, browse, alice, ivo, patient, as_person):
    _link, token = linked()
    with as_person(alice) as access:
        save_assessment(access=access, patient=patient, timepoint="1m", raw=ASSESSMENT, complete=True)
    with as_person(ivo) as access:
        Assessment.objects.update(state="locked")
    with pytest.raises(Locked):
        linked(timepoint="1m")
    client = browse(alice)
    died = {"version": patient.version, "vital_status": "dead", "death_date": "2026-02-01"}
    assert Client().get(f"/answers/{token}/").status_code == 200
    saved = client.post(f"/patients/{patient.pk}/follow-up/", died | {"last_contact_date": "2026-02-01"})
    assert saved.status_code == 302
    assert Client().get(f"/answers/{token}/").status_code == 404
    asked = {"language": "en", "respondent": "self", "valid": "1h", "make": ""}
    page = client.post(f"/patients/{patient.pk}/assessments/3m/links/", asked, follow=True)
    assert "Follow-up of this patient has ended" in page.content.decode()


def test_answers_that_are_not_used_need_a_reason_and_are_kept(linked, browse, alice, stored):
    link, _token = sent(linked)
    client = browse(alice)
    assert client.post(f"/patient-links/{link.pk}/", {"refuse": "", "reason": " "}).status_code == 422
    client.post(f"/patient-links/{link.pk}/", {"refuse": "", "reason": "answered by a visitor"})
    assert (stored(link).state, stored(link).refusal, stored(link).answers) == (
        "refused",
        "answered by a visitor",
        GIVEN,
    )


def test_everything_is_on_record_but_the_token(linked, as_person, alice):
    link, token = sent(linked)
    with as_person(alice):
        events = AuditEvent.objects.filter(table_name="registry_patientlink", row_id=str(link.pk)).order_by("pk")
        assert next((event.action, event.user_id) for event in events) == ("insert", alice.pk)
        assert {event.user_id for event in events[1:]} == {None} and {event.reason for event in events[1:]} == {
            "patient link"
        }
        assert events.last().new["submitted_at"]
        text = str([(event.old, event.new) for event in events])
    assert token not in text and patient_links.hashed(token) not in text


def test_a_link_is_asked_only_so_often(linked, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"patient_link": "600/15m/ip,3/15m/key"}
    _link, token = linked()
    pages = [Client().get(f"/answers/{token}/") for _ in range(4)]
    assert [page.status_code for page in pages] == [200, 200, 200, 429]
    assert "what you have answered is kept" in pages[-1].content.decode()
    assert 'href="/"' not in pages[-1].content.decode()  # there is nothing for a patient elsewhere


def test_answers_are_taken_over_beside_what_was_seen(linked, browse, alice, ivo, patient, stored):
    client, link = browse(alice), sent(linked)[0]
    review = f"/patient-links/{link.pk}/"
    note = client.note_on(review)
    form = f"/patients/{patient.pk}/assessments/preop/"
    browse(ivo).post(form, {"assessment_date": "2026-01-12", "eq_vas": "80", "version": ""})
    answer = client.post(review, {"accept": "", "seen": note})
    assert answer.status_code == 409
    assert [
        (difference.where, difference.item, difference.was, difference.now)
        for difference in answer.context["differences"]
    ] == [("Form", "EQ VAS (health today)", "–", "80")]
    assert client.post(review, {"accept": "", "seen": ""}).status_code == 409
    assert stored(link).state == "arrived"
    assert client.post(review, {"accept": "", "keep-eq_vas": "stored"}).status_code == 302
