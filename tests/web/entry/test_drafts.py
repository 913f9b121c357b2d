"""Drafts: what was typed and not saved comes back to its author and to nobody else; two answers are both shown."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry import tasks
from registry.models import AdverseEvent, Assessment, Draft, Patient
from registry.services.entry import assessments
from registry.services.entry.assessments import save_assessment
from registry.services.records import drafts
from sites.models import AuditEvent
from sites.tenancy.access import Role
from tests.conftest import person
from tests.web.conftest import ASSESSMENT, BASELINE, SURGERY

BEGUN = {"assessment_date": "2026-01-12", "frankel": "C"}


@pytest.fixture
def typed(browse, patient):
    """`typed(alice, "preop", pain_vas_mm="1o")` is what the page's script sends while somebody types."""

    def send(user, form="preop", version="", client=None, **fields):
        sent = {"person": user.pk, "version": version} | fields
        return (client or browse(user)).post(f"/patients/{patient.pk}/drafts/{form}/", sent)

    return send


@pytest.fixture
def stored(as_person, alice):
    def read(model=Assessment, **which):
        with as_person(alice):
            return model.objects.get(**which)

    return read


def in_field(response, name):
    """(what is in the field, the reason for no answer) of an item on a page."""
    cards = response.context["sections"]
    questions = [*response.context["leading"], *(question for card in cards for question in card.questions)]
    result = next(question for question in questions if question.name == name)
    return result.value, result.reason


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


# -- What was typed comes back -----------------------------------------------------------------------------------------


def test_what_was_typed_right_or_wrong_is_on_the_form_again(alice, browse, url, typed, text):
    client = browse(alice)
    assert typed(alice, client=client, pain_vas_mm="4o", frankel="D", ecog_ps_missing="refused").json()["saved"]
    assert typed(alice, client=client, eq_vas="60").status_code == 200  # only what changed is sent, and joins the rest
    response = client.get(url)
    assert [in_field(response, name) for name in ("pain_vas_mm", "frankel", "ecog_ps", "eq_vas", "eq5d_mobility")] == [
        ("4o", ""),
        ("D", ""),
        ("", "refused"),
        ("60", ""),
        ("", ""),
    ]
    assert "is shown; it is not saved yet" in text(response)
    assert "is shown; it is not saved yet" not in text(client.get(url.replace("preop", "1m")))


def test_a_draft_is_laid_over_what_is_stored_and_leaves_with_the_save(alice, browse, url, typed, stored, as_person):
    client = browse(alice)
    client.post(url, BEGUN | {"eq_vas": "50", "version": ""})
    version = stored().version
    typed(alice, version=version, client=client, eq_vas="", frankel="E")
    response = client.get(url)
    assert [in_field(response, name)[0] for name in ("assessment_date", "frankel", "eq_vas")] == ["2026-01-12", "E", ""]
    assert stored().eq_vas == 50
    assert client.post(url, BEGUN | {"frankel": "E", "version": version}).status_code == 302
    assert (stored().frankel, stored().eq_vas) == ("E", None)
    with as_person(alice):
        assert not Draft.objects.exists()


def test_a_draft_that_says_what_is_stored_is_not_shown(alice, browse, url, typed, stored):
    client = browse(alice)
    client.post(url, BEGUN | {"version": ""})
    typed(alice, version=stored().version, client=client, frankel="C")
    assert client.get(url).context["draft"] is None
    typed(alice, version=stored().version, client=client, frankel="D")
    assert client.get(url).context["draft"] is not None


@pytest.mark.parametrize(
    ("form", "page", "fields", "name", "value"),
    [
        ("baseline", "baseline/", {"lesion_levels": ["T5", "T6"]}, "lesion_levels", ["T5", "T6"]),
        ("surgery", "surgery/", {"blood_loss_ml": "3oo"}, "blood_loss_ml", "3oo"),
        ("follow_up", "follow-up/", {"death_date": "2026-13-01"}, "death_date", "2026-13-01"),
        ("event-new", "adverse-events/new/", {"detail": "fell in the ward"}, "detail", "fell in the ward"),
        ("u1", "assessments/u1/", {"eq_vas": "7"}, "eq_vas", "7"),
    ],
)
def test_every_form_has_drafts(alice, browse, patient, typed, form, page, fields, name, value):
    client = browse(alice)
    assert typed(alice, form, version="1", client=client, **fields).status_code == 200
    assert in_field(client.get(f"/patients/{patient.pk}/{page}"), name)[0] == value
    home = client.get("/").context["typed"]
    assert [line["address"] for line in home] == [f"/patients/{patient.pk}/{page}"]


def test_a_reason_for_all_open_items_leaves_answers_alone(alice, browse, url, typed):
    client = browse(alice)
    client.post(url, BEGUN | {"eq5d_mobility": "3", "version": ""})
    typed(alice, client=client, version="1", eq5d5l_not_done="refused", eq5d_self_care="4")
    page = client.get(url)
    names = ("eq5d_mobility", "eq5d_self_care", "eq5d_pain_discomfort")
    assert [in_field(page, name) for name in names] == [("3", ""), ("4", ""), ("", "refused")]


def test_ticks_taken_away_stay_away(alice, browse, patient, typed):
    client, url = browse(alice), f"/patients/{patient.pk}/baseline/"
    client.post(url, BASELINE | {"version": patient.version})
    typed(alice, "baseline", version="2", client=client, lesion_levels="")
    assert in_field(client.get(url), "lesion_levels")[0] == []


def test_an_event_that_is_corrected_has_a_draft_with_its_reason(alice, browse, patient, typed, stored):
    client = browse(alice)
    event = {"kind": "pneumonia", "onset_date": "2026-02-01", "clavien_dindo": "II"}
    client.post(f"/patients/{patient.pk}/adverse-events/new/", event | {"version": ""})
    row = stored(AdverseEvent)
    typed(alice, f"event-{row.pk}", version=row.version, client=client, clavien_dindo="IIIa", reason="graded again")
    page = client.get(f"/patients/{patient.pk}/adverse-events/{row.pk}/")
    assert (in_field(page, "clavien_dindo")[0], page.context["reason"]) == ("IIIa", "graded again")


def test_a_draft_is_discarded_and_brought_back(alice, browse, url, patient, typed, text):
    client, address = browse(alice), f"/patients/{patient.pk}/drafts/preop/"
    typed(alice, client=client, eq_vas="61")
    assert client.post(address, {"discard": ""}).url == url
    page = client.get(url)
    assert in_field(page, "eq_vas")[0] == ""
    assert "was discarded" in text(page)
    assert client.get("/").context["typed"] == []
    client.post(address, {"bring_back": ""})
    assert in_field(client.get(url), "eq_vas")[0] == "61"
    client.post(address, {"discard": ""})
    typed(alice, client=client, frankel="D")  # typing again begins anew
    page = client.get(url)
    assert (in_field(page, "eq_vas")[0], in_field(page, "frankel")[0]) == ("", "D")


def test_what_could_not_be_saved_is_a_draft_without_any_script(alice, browse, url):
    client = browse(alice)
    assert client.post(url, ASSESSMENT | {"pain_vas_mm": "101"}).status_code == 422
    client.post("/language/", {"language": "ja"})
    page = client.get(url)
    assert in_field(page, "pain_vas_mm")[0] == "101"
    assert in_field(page, "eq_vas")[0] == "60"


def test_a_page_of_somebody_else_drafts_nothing(alice, ivo, typed, browse, patient, as_system):
    address = f"/patients/{patient.pk}/drafts/preop/"
    assert browse(ivo).post(address, {"person": alice.pk, "version": "", "eq_vas": "5"}).status_code == 409
    with as_system():
        assert not Draft.objects.exists()
    assert typed(ivo, eq_vas="5").status_code == 200


@pytest.mark.parametrize(
    ("form", "sent", "status"),
    [
        ("nothing", {}, 404),
        ("event-x", {}, 404),
        ("preop", {"version": "9999999999"}, 400),
        ("preop", {"eq_vas": "6" * 70_000}, 413),
        ("preop", {"eq_vas": "6"}, 200),
    ],
)
def test_odd_drafts(alice, typed, as_system, form, sent, status):
    assert typed(alice, form, **{"eq_vas": "1"} | sent).status_code == status
    with as_system():
        assert Draft.objects.count() == (status == 200)


def test_opening_a_form_takes_one_query_for_its_draft(alice, mona, browse, url, typed):
    client, reader = browse(alice), browse(mona)
    client.post(url, BEGUN | {"version": ""})
    for user, expected in ((client, 1), (reader, 0)):
        with CaptureQueriesContext(connection) as captured:
            user.get(url)
        assert sum("registry_draft" in query["sql"] for query in captured) == expected
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    without = len(captured)
    typed(alice, version="1", client=client, eq_vas="60")
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).context["draft"] is not None
    assert len(captured) == without


@pytest.fixture
def window(browse, typed, url):
    """`window(alice)` is a page of the form: `type(**fields)` as its script sends it, `save(**fields)`."""

    class Window:
        def __init__(self, user):
            self.user, self.client = user, browse(user)
            context = self.client.get(url).context
            self.version, self.drafted = context["version"], context["drafted"]

        def type(self, **fields):
            known = {"version": self.version, "drafted": self.drafted}
            self.drafted = typed(self.user, client=self.client, **known, **fields).json()["drafted"]

        def save(self, **fields):
            return self.client.post(url, BEGUN | {"version": self.version, "drafted": self.drafted} | fields)

    return Window


def test_saving_one_window_keeps_what_only_the_other_has(alice, window, stored, as_person, url, text):
    first, second = window(alice), window(alice)
    second.type(pain_vas_mm="12", frankel="C")
    first.type(eq_vas="50")
    second.type(ecog_ps="2")
    assert "in another window is kept" in text(first.client.get(first.save(eq_vas="50").url))
    assert (stored().eq_vas, stored().pain_vas_mm) == (50, None)
    assert stored(Draft).typed == {"pain_vas_mm": ["12"], "ecog_ps": ["2"]}
    later = window(alice)  # the draft lies over what is stored, and has seen all of it
    assert in_field(later.client.get(url), "pain_vas_mm")[0] == "12"
    saved = later.save(eq_vas="50", pain_vas_mm="12", ecog_ps="2")
    assert saved.status_code == 302  # nobody else has answered these
    with as_person(alice):
        assert not Draft.objects.exists()
    assert (stored().eq_vas, stored().pain_vas_mm) == (50, 12)


def test_what_a_window_typed_and_took_back_leaves_with_its_save(alice, window, as_person, monkeypatch):
    # A draft that is kept while the form is being stored is not there yet for the statement that stores it.
    monkeypatch.setattr(assessments, "ASKED", (assessments.OPEN_OF_ASSESSMENT, ("may_leave_draft", "false")))
    page = window(alice)
    page.type(eq_vas="50")
    page.type(eq_vas="5")
    again = window(alice)  # the page is reloaded
    again.save(eq_vas="")
    with as_person(alice):
        assert not Draft.objects.exists()


def test_a_draft_of_a_form_that_was_signed_says_so_and_is_discarded(alice, ivo, browse, url, typed, as_person, text):
    client = browse(alice)
    client.post(url, ASSESSMENT | {"complete": ""})
    typed(alice, client=client, version="1", eq_vas="3")
    with as_person(ivo):
        Assessment.objects.update(state="locked")
    page = client.get(url)
    assert in_field(page, "eq_vas")[0] == "60" and "was not saved before this form was signed" in text(page)
    client.post(page.context["draft"].address, {"discard": ""})
    assert client.get(url).context["draft"] is None
    assert client.get("/").context["typed"] == []


# -- Whose they are ----------------------------------------------------------------------------------------------------


def test_a_draft_is_its_authors_alone(alice, ivo, charlie, dana, browse, url, typed, as_person, patient):
    typed(alice, eq_vas="61")
    assert in_field(browse(ivo).get(url), "eq_vas")[0] == ""  # the same site
    assert browse(ivo).get("/").context["typed"] == []
    assert typed(charlie, eq_vas="3").status_code == 404  # another site
    assert typed(dana, eq_vas="3").status_code == 403  # reads, but does not enter
    for user, count in ((alice, 1), (ivo, 0), (charlie, 0), (dana, 0)):
        with as_person(user) as access:
            assert rows("SELECT count(*) FROM registry_draft") == [(count,)]
            assert (drafts.draft_of(access, patient, "preop") is not None) == bool(count)
    assert rows("SELECT count(*) FROM registry_draft") == [(0,)]  # no scope


def test_nobody_writes_a_draft_for_somebody_else(alice, ivo, patient, as_person):
    insert = (
        "INSERT INTO registry_draft (site_id, patient_id, form, person_id, typed) VALUES (%s, %s, 'preop', %s, '{}')"
    )
    with as_person(ivo):
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            rows(insert, patient.site_id, patient.pk, alice.pk)
        rows(insert, patient.site_id, patient.pk, ivo.pk)
    with as_person(alice):
        assert rows("UPDATE registry_draft SET form = '1m'") == 0
        assert rows("DELETE FROM registry_draft") == 0
    with as_person(ivo):
        assert rows("DELETE FROM registry_draft") == 1


def test_a_draft_is_of_its_patients_site(alice, south, patient, as_system):
    with as_system(), pytest.raises(DatabaseError, match="same_site"), transaction.atomic():
        Draft.objects.create(site=south, patient=patient, form="preop", person=alice, typed={})
        rows("SET CONSTRAINTS ALL IMMEDIATE")


def test_whoever_may_no_longer_enter_sees_no_draft(alice, typed, browse, url, as_system, north):
    typed(alice, eq_vas="61")
    alice.memberships.update(role=Role.MONITOR)
    assert in_field(browse(alice).get(url), "eq_vas")[0] == ""
    assert typed(alice, eq_vas="62").status_code == 403
    alice.memberships.update(role=Role.COORDINATOR)
    assert in_field(browse(alice).get(url), "eq_vas")[0] == "61"


def test_drafts_are_not_in_the_trail_and_their_records_are(alice, typed, browse, url, as_person):
    typed(alice, eq_vas="61")
    with as_person(alice):
        assert not AuditEvent.objects.filter(table_name="registry_draft").exists()
    browse(alice).post(url, BEGUN | {"eq_vas": "61", "version": ""})
    with as_person(alice):
        assert AuditEvent.objects.get(table_name="registry_assessment").new["eq_vas"] == 61


def test_a_draft_goes_with_its_patient(alice, typed, patient, as_system, as_person):
    typed(alice, eq_vas="61")
    with as_system():
        rows("DELETE FROM registry_identity WHERE patient_id = %s", patient.pk)
        rows("DELETE FROM registry_patient WHERE patient_id = %s", patient.pk)
        rows("SET CONSTRAINTS ALL IMMEDIATE")
        assert not Draft.objects.exists()


def test_old_and_discarded_drafts_are_forgotten(alice, typed, patient, as_system, settings):
    for form in ("preop", "1m", "3m", "6m"):
        typed(alice, form, eq_vas="61")
    now = timezone.now()
    with as_system():
        Draft.objects.filter(form="preop").update(updated_at=now - dt.timedelta(days=settings.DRAFT_DAYS, minutes=1))
        Draft.objects.filter(form="1m").update(updated_at=now - dt.timedelta(days=settings.DRAFT_DAYS - 1))
        Draft.objects.filter(form="3m").update(discarded_at=now - dt.timedelta(hours=2))
        Draft.objects.filter(form="6m").update(discarded_at=now)
    tasks.forget_drafts()
    with as_system():
        assert sorted(Draft.objects.values_list("form", flat=True)) == ["1m", "6m"]


# -- Two answers to one question ---------------------------------------------------------------------------------------


@pytest.fixture
def opened_twice(alice, ivo, browse, url, stored):
    """Alice and Ivo have the same form open; Ivo saves first: another Frankel grade, and an EQ VAS."""
    browse(alice).post(url, BEGUN | {"ecog_ps": "1", "version": ""})
    version = str(stored().version)
    browse(ivo).post(url, BEGUN | {"ecog_ps": "1", "frankel": "D", "eq_vas": "70", "version": version})
    return version


def test_both_answers_are_shown_with_who_and_when_and_one_is_kept(alice, browse, url, stored, opened_twice, text):
    client, mine = browse(alice), BEGUN | {"frankel": "B", "ecog_ps": "2", "version": opened_twice, "save": ""}
    page = client.post(url, mine)
    assert page.status_code == 409
    asked = page.context["conflict"].asked
    # ECOG is hers alone; the EQ VAS is his alone, so that his is picked already.
    assert [
        (disagreement.name, disagreement.theirs, disagreement.mine, disagreement.who, disagreement.suggested)
        for disagreement in asked
    ] == [
        ("frankel", "D motor useful", "B sensory only", "Ivo", ""),
        ("eq_vas", "70", "–", "Ivo", "theirs"),
    ]
    assert "Ivo saved this form after you opened it" in text(page)
    chosen = mine | {"seen": page.context["conflict"].row.version, "keep-frankel": "mine", "keep-eq_vas": "theirs"}
    assert client.post(url, chosen).status_code == 302
    row = stored()
    assert (row.frankel, row.ecog_ps, row.eq_vas, row.version) == ("B", 2, 70, 3)


def test_the_stored_answer_is_kept_where_it_is_chosen(alice, browse, url, stored, opened_twice):
    client, mine = browse(alice), BEGUN | {"frankel": "B", "ecog_ps": "2", "version": opened_twice, "save": ""}
    seen = client.post(url, mine).context["conflict"].row.version
    half = client.post(url, mine | {"seen": seen, "keep-frankel": "theirs"})
    assert half.status_code == 409
    assert [(disagreement.name, disagreement.chosen) for disagreement in half.context["conflict"].asked] == [
        ("frankel", "theirs"),
        ("eq_vas", ""),
    ]
    client.post(url, mine | {"seen": seen, "keep-frankel": "theirs", "keep-eq_vas": "mine"})
    row = stored()
    assert (row.frankel, row.ecog_ps, row.eq_vas) == ("D", 2, None)


def test_what_is_stored_while_choosing_is_asked_about_again(alice, ivo, browse, url, stored, opened_twice):
    client, mine = browse(alice), BEGUN | {"frankel": "B", "ecog_ps": "1", "version": opened_twice, "save": ""}
    seen = client.post(url, mine).context["conflict"].row.version
    his = BEGUN | {"ecog_ps": "1", "frankel": "A", "eq_vas": "70", "version": str(stored().version)}
    assert browse(ivo).post(url, his).status_code == 302
    chosen = mine | {"seen": seen, "keep-frankel": "mine", "keep-eq_vas": "theirs"}
    again = client.post(url, chosen)
    assert again.status_code == 409
    assert [
        (disagreement.name, disagreement.theirs, disagreement.chosen)
        for disagreement in again.context["conflict"].asked
    ] == [
        ("frankel", "A complete", ""),
        ("eq_vas", "70", "theirs"),
    ]
    assert stored().frankel == "A"
    client.post(url, chosen | {"seen": again.context["conflict"].row.version})
    assert (stored().frankel, stored().eq_vas) == ("B", 70)


def test_a_conflict_is_a_draft_too_and_asks_again_when_it_is_saved_later(alice, browse, url, stored, opened_twice):
    client, mine = browse(alice), BEGUN | {"frankel": "B", "ecog_ps": "2", "version": opened_twice, "save": ""}
    client.post(url, mine)
    page = client.get(url)
    assert (in_field(page, "frankel")[0], page.context["version"]) == ("B", int(opened_twice))
    assert client.post(url, mine).status_code == 409
    assert stored().frankel == "D"


def test_two_who_begin_the_same_form_lose_nothing(alice, ivo, browse, url, stored):
    browse(alice).post(url, BEGUN | {"version": ""})
    his = {"assessment_date": "2026-01-12", "frankel": "D", "eq_vas": "70", "version": "", "save": ""}
    client = browse(ivo)
    page = client.post(url, his)
    assert [disagreement.name for disagreement in page.context["conflict"].asked] == ["frankel"]
    client.post(url, his | {"seen": page.context["conflict"].row.version, "keep-frankel": "theirs"})
    assert (stored().frankel, stored().eq_vas) == ("C", 70)


def test_another_form_of_the_same_patient_is_no_conflict(alice, ivo, browse, patient, stored):
    client, base = browse(alice), f"/patients/{patient.pk}/"
    browse(ivo).post(base + "surgery/", SURGERY | {"version": patient.version})
    assert client.post(base + "baseline/", BASELINE | {"version": patient.version, "save": ""}).status_code == 302
    row = stored(Patient)
    assert (row.primary_tumour, row.blood_loss_ml) == ("lung", 300)


def test_two_corrections_of_a_completed_form(alice, ivo, browse, url, stored):
    browse(alice).post(url, ASSESSMENT | {"complete": ""})
    version = str(stored().version)
    browse(ivo).post(url, ASSESSMENT | {"frankel": "E", "version": version, "reason": "seen again"})
    client, mine = browse(alice), ASSESSMENT | {"frankel": "C", "version": version, "reason": "misread", "save": ""}
    page = client.post(url, mine)
    assert (page.status_code, page.context["reason"]) == (409, "misread")
    settled = mine | {"seen": page.context["conflict"].row.version, "keep-frankel": "mine"}
    assert client.post(url, settled | {"reason": ""}).status_code == 422
    assert stored().frankel == "E"
    assert client.post(url, settled).status_code == 302
    assert (stored().frankel, stored().state) == ("C", "complete")


def test_an_error_on_the_page_does_not_make_it_forget_what_it_began_from(alice, ivo, browse, url, stored):
    client, wrong = browse(alice), BEGUN | {"pain_vas_mm": "101", "version": "", "save": ""}
    browse(ivo).post(url, BEGUN | {"frankel": "D", "version": ""})
    page = client.post(url, wrong)
    assert page.status_code == 422
    again = client.post(url, wrong | {"pain_vas_mm": "10", "version": page.context["version"]})
    assert again.status_code == 409
    assert stored().frankel == "D"


def test_the_conflict_is_said_in_japanese(alice, browse, url, opened_twice, text):
    client = browse(alice)
    client.post("/language/", {"language": "ja"})
    page = client.post(url, BEGUN | {"frankel": "B", "version": opened_twice})
    assert "Your answer" not in text(page)
    assert "Frankel分類" in text(page)


@pytest.mark.parametrize("version", ["9" * 5000, "9999999999", "²", "-1", "x"])
def test_a_version_that_is_none_asks_about_everything(alice, browse, url, stored, version):
    client = browse(alice)
    client.post(url, BEGUN | {"version": ""})
    assert client.post(url, BEGUN | {"frankel": "D", "version": version}).status_code == 409
    assert client.post(url, BEGUN | {"frankel": "D", "version": "1", "seen": version}).status_code in (302, 409)
    assert client.post(url, BEGUN | {"frankel": "E", "version": str(stored().version)}).status_code == 302


@pytest.mark.parametrize("more", [{}, {"seen": "2", "keep-frankel": "mine"}])
def test_answers_for_a_form_that_is_gone_are_not_lost(alice, browse, url, as_person, text, more):
    client = browse(alice)
    page = client.post(url, BEGUN | {"version": "3"} | more)
    assert (page.status_code, page.context["version"], in_field(page, "frankel")[0]) == (422, "", "C")
    assert "was removed after you opened it" in text(page)
    with as_person(alice):
        assert (Assessment.objects.count(), Draft.objects.count()) == (0, 1)
    assert client.post(url, BEGUN | {"version": page.context["version"]}).status_code == 302
    with as_person(alice):
        assert (Assessment.objects.count(), Draft.objects.count()) == (1, 0)


def test_a_change_made_elsewhere_is_named(alice, browse, url, as_person, patient, stored, text):
    client = browse(alice)
    client.post(url, BEGUN | {"version": ""})
    with as_person(alice) as access:
        other = BEGUN | {"frankel": "A"}
        save_assessment(access=access, patient=patient, timepoint="preop", raw=other, version=1)
    page = client.post(url, BEGUN | {"frankel": "E", "version": "1"})
    assert [disagreement.who for disagreement in page.context["conflict"].asked] == ["You, in another window"]


def test_nobody_of_another_site_settles_anything(alice, browse, url, opened_twice, south):
    stranger = person("Sara", Role.COORDINATOR, south)
    sent = BEGUN | {"frankel": "B", "version": opened_twice, "seen": "2", "keep-frankel": "mine"}
    assert browse(stranger).post(url, sent).status_code == 404
    assert browse(alice).post(url, sent | {"keep-eq_vas": "theirs"}).status_code == 302
