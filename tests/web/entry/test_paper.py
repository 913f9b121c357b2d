"""Paper: blank forms and casebooks are whole, true to scale, in both languages, and name nobody unasked."""

import pytest
from reportlab.lib.units import mm

from registry.exports.paper.pages import INNER, Pages, width_of, wrapped
from registry.exports.paper.questions import condition_in_words
from registry.models import OwnRecord
from registry.services.entry.own_records import save_own_record
from registry.services.protocol import bringing, publishing
from registry.services.records import identity
from sites.models import AuditEvent
from tests.conftest import TODAY
from tests.protocol.conftest import DOSE
from tests.web.conftest import ASSESSMENT


@pytest.fixture
def patient(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice):
        known = identity.read(patient)
        identity.write(patient, **known | {"hospital_number": "HN-778", "initials": "Q.X."})
    return patient


@pytest.fixture
def own(ada, as_person):
    """An own instrument with an item of every kind at each visit, and a repeating form."""
    with as_person(ada) as access:
        for document in (DOSE, bringing.library()["rt_courses"]):
            publishing.keep_draft(access=access, document=document)
            publishing.publish(access=access, code=document["code"], note="to try")


@pytest.fixture
def printed(client, monkeypatch):
    """`printed(user, address, …)`: what was drawn on the pages of the PDF: (texts, lines' lengths in mm, pages)."""
    texts, lines = [], []
    text, line, finished = Pages.text, Pages.line, Pages.finished
    counts, heads = [], []

    def keep_text(self, x, y, words, *more):
        texts.append(words)
        return text(self, x, y, words, *more)

    def keep_line(self, x, y, to_x, to_y, *more):
        lines.append(round((abs(to_x - x) + abs(to_y - y)) / mm, 3))
        return line(self, x, y, to_x, to_y, *more)

    def keep_count(self, title):
        counts.append(len(self.drawn))
        heads.extend(head for head, _acts in self.drawn)
        return finished(self, title)

    monkeypatch.setattr(Pages, "text", keep_text)
    monkeypatch.setattr(Pages, "line", keep_line)
    monkeypatch.setattr(Pages, "finished", keep_count)

    def act(user, address, **sent):
        for pool in (texts, lines, counts, heads):
            pool.clear()
        client.force_login(user)
        answer = client.post(address, {"form": "all", "kind": "blank", "language": "en"} | sent)
        assert answer.status_code == 200, answer.content
        assert answer.content.startswith(b"%PDF") and answer["Content-Type"] == "application/pdf"
        return answer, " ".join(texts), list(lines), list(heads)

    return act


def test_a_blank_form_has_every_question_and_a_line_of_exactly_100_mm(printed, alice, patient):
    answer, texts, lines, heads = printed(alice, f"/patients/{patient.pk}/paper/", form="1m")
    for label in ("Frankel", "Mobility", "no pain", "worst pain", "Bowels", "Investigator", "No answer:"):
        assert label in texts, label
    assert 100.0 in lines and 200.0 not in lines  # no licensed wording, no scale of EQ VAS
    assert "They are not its wording" in texts
    assert heads[0].address.endswith(f"/patients/{patient.pk}/assessments/1m/")
    assert dict(heads[0].patient) == {"Patient": patient.pk, "Site": "N01"}
    assert b"HN-778" not in answer.content


def test_with_the_licensed_wording_the_scale_is_20_cm_and_the_words_are_the_owners(printed, alice, patient, licensed):
    _answer, texts, lines, _heads = printed(alice, f"/patients/{patient.pk}/paper/", form="1m")
    assert {100.0, 200.0} <= set(lines)
    assert "PLACEHOLDER" in texts and "They are not its wording" not in texts


def test_in_japanese(printed, alice, patient):
    _answer, texts, _lines, heads = printed(alice, f"/patients/{patient.pk}/paper/", form="preop", language="ja")
    assert "移動の程度" in texts and "責任医師" in texts and "Mobility" not in texts
    assert heads[0].patient[0][0] == "患者番号"


def test_own_items_of_every_kind_are_on_paper_and_a_condition_is_said_in_words(printed, own, alice, patient):
    _answer, texts, _lines, _heads = printed(alice, f"/patients/{patient.pk}/paper/", form="preop")
    for item in DOSE["items"]:
        if item["kind"] != "calculated":
            assert item["label"]["en"] in texts, item["name"]
    assert "Only if “Given?” = Yes" in texts and "Gy · 0 to 80" in texts and "YYYY – MM – DD" in texts
    assert condition_in_words("[srs_sites(other)] = 1", "en") == "“Fields” (Other) = 1"
    _answer, texts, _lines, heads = printed(alice, f"/patients/{patient.pk}/paper/", form="rt_courses.new")
    assert heads[0].title == "Courses of radiotherapy" and heads[0].address.endswith("/records/rt_courses/new/")


def test_the_casebook_has_what_is_stored_and_nothing_else(printed, own, alice, patient, client, as_person):
    client.force_login(alice)
    sent = ASSESSMENT | {"srs_given": "1", "srs_dose_gy": "24.0", "srs_fractions": "3", "complete": "1"}
    assert client.post(f"/patients/{patient.pk}/assessments/preop/", sent).status_code == 302
    with as_person(alice) as access:
        save_own_record(
            access=access, patient=patient, form="rt_courses", raw={"rtc_levels": "T8"}, today=TODAY,
            missing={"rtc_dose_gy": "unknown"},
        )  # fmt: skip
        number = OwnRecord.objects.get().pk
    _answer, texts, _lines, heads = printed(alice, f"/patients/{patient.pk}/paper/", kind="filled")
    assert [head.title for head in heads if head.address.endswith(f"rt_courses/{number}/")]
    assert "24.0" in texts and "Dose per fraction: 8.0 Gy" in texts and "T8" in texts
    assert not [head for head in heads if head.address.endswith("/assessments/1m/")]
    assert "1955" not in texts  # the birth date is nobody's but the site's, and is on no form


def test_hospital_number_and_initials_only_when_asked_by_who_may_and_on_record(
    printed, alice, dana, patient, as_person, client
):
    _answer, _texts, _lines, heads = printed(alice, f"/patients/{patient.pk}/paper/", form="baseline", identified="on")
    assert dict(heads[0].patient)["Hospital number"] == "HN-778" and dict(heads[0].patient)["Initials"] == "Q.X."
    _answer, _texts, _lines, heads = printed(dana, f"/patients/{patient.pk}/paper/", form="baseline", identified="on")
    assert "Hospital number" not in dict(heads[0].patient)
    with as_person(alice):
        events = AuditEvent.objects.filter(action="paper_printed", row_id=patient.pk).order_by("pk")
        assert [event.new["identified"] for event in events] == [True, False]


def test_other_sites_have_no_paper_of_a_patient_and_everybody_blank_forms(printed, alice, charlie, patient, client):
    client.force_login(charlie)
    assert client.get(f"/patients/{patient.pk}/paper/").status_code == 404
    _answer, texts, _lines, heads = printed(charlie, "/paper/", form="1m")
    assert "Mobility" in texts and heads[0].address == "" and heads[0].patient[0] == ("Patient", "")
    assert client.post("/paper/", {"form": "nothing", "language": "en"}).status_code == 422


def test_lines_are_no_wider_than_the_paper():
    long = "一つ目の項目は、とても長い日本語の説明文です。" * 6 + " and " + "x" * 300
    for line in wrapped(long, 9, INNER):
        assert width_of(line, 9) <= INNER
    assert "".join(wrapped(long, 9, INNER)).replace(" ", "") == long.replace(" ", "")
    assert not [line for line in wrapped(long, 9, INNER) if line.startswith(("、", "。"))]
