"""Read and sign: several patients on one page, one password, and a signature of its own for each."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import Signature
from registry.services.entry.assessments import save_assessment
from registry.services.review import queries, signing
from registry.services.review.soft_checks import Form
from sites.models import AuditEvent
from sites.tenancy.access import Role
from tests.conftest import PASSWORD, TODAY, person
from tests.review.conftest import FINE, TUMOUR_AGREES
from tests.web.conftest import BASELINE, SURGERY

SIGNING = {"confirm": "on", "password": PASSWORD}


@pytest.fixture
def another(enrolled, alice, as_person):
    """Another finished patient at North."""
    from registry.services.entry import patients  # the fixtures' own way of completing forms

    patient = enrolled(alice, hospital_number="A-2", birth_date="1960-01-02")
    with as_person(alice) as access:
        for form, raw in (("baseline", BASELINE | TUMOUR_AGREES | {"birth_date": "1960-01-02"}), ("surgery", SURGERY)):
            patient.refresh_from_db()
            patients.save_form(access=access, patient=patient, form=form, raw=raw, complete=True, today=TODAY)
        save_assessment(
            access=access, patient=patient, timepoint="preop", raw=FINE, complete=True, version=None, today=TODAY
        )
    return patient


@pytest.fixture
def together(browse, ivo):
    """`together(client, page, sign=[...])` posts the page as it was shown."""

    def post(page, sign, **more):
        lines = page.context["lines"]
        sent = {
            "patient": [line.patient.pk for line in lines],
            "seen": [line.seen for line in lines],
            "sign": sign,
        }
        return browse(ivo).post(reverse("sign_many"), SIGNING | sent | more)

    return post


def test_each_patient_who_is_ticked_gets_a_signature_of_their_own(finished, another, browse, ivo, together, stored):
    page = browse(ivo).get(reverse("sign_many"))
    assert [line.patient.pk for line in page.context["lines"]] == [finished.pk, another.pk]
    answer = together(page, [finished.pk, another.pk])
    assert (answer.status_code, answer.url) == (302, reverse("to_sign"))
    signed = stored(Signature)
    assert [(signature.patient_id, signature.signed_by_id) for signature in signed] == [
        (finished.pk, ivo.pk),
        (another.pk, ivo.pk),
    ]
    assert signed[0].sha256 != signed[1].sha256


def test_reading_several_asks_as_often_as_reading_a_single_one(finished, another, browse, ivo):
    client, page = browse(ivo), reverse("sign_many")

    def statements(*patients):
        client.get(page, {"patient": patients})
        with CaptureQueriesContext(connection) as asked:
            assert len(client.get(page, {"patient": patients}).context["lines"]) == len(patients)
        return len(asked)

    assert statements(finished.pk, another.pk) == statements(another.pk) <= 14


def test_what_is_read_together_is_what_is_read_alone(finished, another, browse, ivo, as_person):
    client = browse(ivo)
    for line in client.get(reverse("sign_many")).context["lines"]:
        alone = client.get(reverse("signatures", args=[line.patient.pk])).context
        with as_person(ivo):
            ready = signing.ready(line.patient)
        assert ready.forms and line.sheet == alone["sheet"] and line.ready.forms == ready.forms
        assert line.sheet.written_parts == alone["sheet"].written_parts
        assert 'class="sign-answers"' in line.sheet.written_parts and "<td" in line.sheet.written_course


def test_who_is_not_ticked_is_not_signed(finished, another, browse, ivo, together, stored):
    together(browse(ivo).get(reverse("sign_many")), [another.pk])
    assert [signature.patient_id for signature in stored(Signature)] == [another.pk]


def test_a_change_since_the_page_keeps_that_patient_alone_from_being_signed(
    finished, another, save, browse, ivo, together, stored, text
):
    page = browse(ivo).get(reverse("sign_many"))
    save(eq_vas="61")
    answer = together(page, [finished.pk, another.pk])
    assert answer.status_code == 409
    assert [signature.patient_id for signature in stored(Signature)] == [another.pk]
    (line,) = answer.context["lines"]
    assert [(difference.was, difference.now) for difference in line.differences] == [("60", "61")]
    assert "60 → 61" in text(answer)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"password": "wrong"}, "The password is not right."),
        ({"confirm": []}, "Confirm the statement."),
        ({"sign": []}, "Tick the patients to sign."),
        ({"seen": ["", ""]}, "Something changed in the meantime."),
    ],
)
def test_nobody_is_signed_without_a_tick_the_statement_the_password_and_the_page(
    finished, another, browse, ivo, together, stored, text, more, message
):
    page = browse(ivo).get(reverse("sign_many"))
    answer = together(page, **({"sign": [finished.pk, another.pk]} | more))
    assert answer.status_code in (409, 422)
    assert message in text(answer)
    assert stored(Signature) == []


def test_a_wrong_password_is_on_record_for_each_patient(finished, another, browse, ivo, together, as_system):
    together(browse(ivo).get(reverse("sign_many")), [finished.pk, another.pk], password="wrong")
    with as_system():
        refused = AuditEvent.objects.filter(action="signing_refused").values_list("row_id", flat=True)
        assert sorted(refused) == [finished.pk, another.pk]


def test_a_query_must_be_acknowledged_and_stands_beside_its_answer(
    finished, browse, mona, ivo, as_person, together, stored
):
    with as_person(mona) as access:
        query = queries.raise_query(
            access=access, patient=finished, form=Form("assessment", "preop"), field="eq_vas", text="As on paper?"
        )
    page = browse(ivo).get(reverse("sign_many"))
    first = page.context["lines"][0].sheet.parts[0]
    assert (first.code, [answer.queries for answer in first.marked]) == ("preop", [("As on paper?",)])
    assert together(page, [finished.pk]).status_code == 422
    assert stored(Signature) == []
    assert together(page, [finished.pk], acknowledged=[query.pk]).status_code == 302
    assert stored(Signature)[0].acknowledged == [query.pk]


def test_a_doubt_stands_beside_its_answers(finished, save, browse, ivo):
    save(frankel="A", barthel_mobility="15")
    parts = browse(ivo).get(reverse("sign_many")).context["lines"][0].sheet.parts
    marked = {answer.label for answer in parts[0].marked}
    assert parts[0].code == "preop"
    assert "Frankel grade" in marked
    assert "EQ VAS (health today)" not in marked


def test_another_sites_patients_cannot_be_read_or_signed(finished, south, browse, stored):
    client = browse(person("Sven", Role.INVESTIGATOR, south))
    assert client.get(reverse("sign_many"), {"patient": finished.pk}).context["lines"] == []
    sent = SIGNING | {"patient": [finished.pk], "seen": ["x"], "sign": [finished.pk]}
    assert client.post(reverse("sign_many"), sent).status_code == 422
    assert stored(Signature) == []


@pytest.mark.parametrize("who", ["alice", "mona", "dana", "ada"])
def test_only_who_signs_reads_to_sign(request, who, finished, browse):
    assert browse(request.getfixturevalue(who)).get(reverse("sign_many")).status_code == 404
