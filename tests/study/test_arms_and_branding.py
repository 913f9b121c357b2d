"""Arms that blind roles never see, criteria that the machine checks, ethics approvals, and how the study looks."""

import json
import re
import struct
import zipfile
import zlib

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from registry import tasks
from registry.analysis.design import cohorts, plans, saved_plans
from registry.analysis.running import runs
from registry.exports import choices, jobs
from registry.instruments import catalogue
from registry.models import ComparisonRun, Export, Query, QueryMessage, SavedCohort
from registry.services import current_protocol
from registry.services.entry import patients
from registry.services.files import snapshots
from registry.services.protocol import branding, publishing, setup
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.records.storing import ReasonRequired
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.web.study import documents
from tests.conftest import TODAY
from tests.web.conftest import BASELINE
from tests.working import export_path

ARMS = [
    {"code": "HT", "label": {"en": "Hybrid therapy", "ja": "ハイブリッド"}},
    {"code": "TES", "label": {"en": "En bloc resection", "ja": "一塊切除"}},
]
ABOUT = {"arms": ARMS, "short_name": "HT-TES", "name": {"en": "Hybrid against en bloc", "ja": "比較研究"}}
BORN = {"birth_date": "1955-04-03"}


@pytest.fixture
def about(ada, as_person):
    """`about(blind=[…])` saves what the study is, with two arms."""

    def save(**more):
        with as_person(ada) as access:
            return setup.save_about(access=access, about=ABOUT | more, note="as approved")

    return save


@pytest.fixture
def assigned(about, enrolled, alice, as_person):
    """A patient of the arm HT, whom the study keeps from statisticians and monitors."""
    about(blind=["statistician", "monitor"])
    patient = enrolled(alice)
    with as_person(alice) as access:
        asked = {"access": access, "patient": patient, "form": "baseline", "today": TODAY}
        patients.save_form(raw=BASELINE | BORN | {"study_arm": "HT"}, **asked)
    return patient


def test_another_arm_needs_a_reason_and_stays_in_the_history(assigned, alice, as_person, browse, text):
    raw = BASELINE | BORN | {"study_arm": "TES"}
    with as_person(alice) as access:
        asked = {"access": access, "patient": assigned, "form": "baseline", "today": TODAY}
        with pytest.raises(ReasonRequired):
            patients.save_form(raw=raw, **asked)
        patients.save_form(raw=raw, reason="changed in the theatre", **asked)
    history = text(browse(alice).get(reverse("history", args=[assigned.pk])))
    assert "changed in the theatre" in history and "Hybrid therapy" in history and "En bloc resection" in history
    assert "En bloc resection" in text(browse(alice).get(reverse("patient", args=[assigned.pk])))


WORDS = ("study_arm", "Hybrid therapy", "En bloc resection", "Study arm", '"HT"', ",HT,")


def exported(user, as_person):
    with as_person(user) as access:
        export = jobs.request(access=access, choices=choices.Choices(format="csv", content=("items", "extras")))
    jobs.perform(export.pk, reporting=False)
    with as_person(user):
        export = Export.objects.get(pk=export.pk)
        assert export.status == "done", export.error
        with zipfile.ZipFile(export_path(export)) as archive:
            return " ".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


def seen_by(client, patient):
    addresses = [
        reverse("patient", args=[patient.pk]),
        reverse("patient_baseline", args=[patient.pk]),
        reverse("history", args=[patient.pk]),
        reverse("audit"),
        f"/api/v1/patients/{patient.pk}",
    ]
    answers = [client.get(address) for address in addresses]
    assert {answer.status_code for answer in answers} == {200}
    return " ".join(answer.content.decode() for answer in answers)


def test_no_page_history_or_program_shows_it_to_blind_roles(assigned, browse, alice, bob, mona, dana, as_person):
    for blind in (bob, mona):
        shown = seen_by(browse(blind), assigned)
        assert [word for word in WORDS if word in shown] == []
    for knowing in (alice, dana):
        assert "Hybrid therapy" in seen_by(browse(knowing), assigned)
    with as_person(bob), pytest.raises(KeyError):
        catalogue.item("study_arm")


BY_ARM = {
    "metaspine": "instrument", "format": 1, "code": "cage", "title": {"en": "Cage"}, "record": "baseline",
    "citation": "Synthetic 2026",
    "items": [
        {"name": "cage_n", "label": {"en": "Number of cages"}, "kind": "whole", "minimum": 0, "maximum": 9,
         "required": False},
        {"name": "cage_ht", "label": {"en": "Mesh cages"}, "kind": "whole", "minimum": 0, "maximum": 9,
         "required": False, "show_if": "[study_arm] = 'HT'"},
        {"name": "cage_make", "label": {"en": "Make"}, "kind": "code", "required": False, "show_if": "[cage_ht] > 0",
         "choices": [{"code": "a", "label": {"en": "A"}}, {"code": "b", "label": {"en": "B"}}]},
        {"name": "cage_weight", "label": {"en": "Cage weight"}, "kind": "calculated", "places": 0,
         "formula": "if([study_arm] = 'HT', 7, 3)"},
        {"name": "cage_double", "label": {"en": "Double weight"}, "kind": "calculated", "places": 0,
         "formula": "[cage_weight] * 2"},
    ],
    "checks": [{"name": "many", "when": "[study_arm] = 'HT' and [cage_n] > 4", "says": {"en": "Many cages"}}],
}  # fmt: skip
TELLING = (*WORDS, "cage_ht", "Mesh cages", "Cage weight", "Double weight", "Why a hybrid", "not a hybrid")


@pytest.fixture
def by_arm(assigned, ada, alice, dana, as_person):
    """The patient of the arm HT, with answers and a query that tell of it."""
    with as_person(ada) as access:
        publishing.keep_draft(access=access, document=BY_ARM)
        publishing.publish(access=access, code="cage", note="first")
    with as_person(alice) as access:
        asked = {"access": access, "patient": assigned, "form": "baseline", "today": TODAY}
        patients.save_form(raw=BASELINE | BORN | {"study_arm": "HT", "cage_n": "6", "cage_ht": "2"}, **asked)
    with as_person(dana) as access:
        asked = {"access": access, "patient": assigned, "form": Form("baseline")}
        query = queries.raise_query(field="study_arm", text="Why a hybrid?", **asked)
        QueryMessage.objects.create(site_id=query.site_id, query=query, kind="raised", text="it is not a hybrid")
        seen = {"study_arm": "HT", "cage_n": 6}
        Query.objects.create(site_id=query.site_id, patient=assigned, form="baseline", rule="cage.many", seen=seen)
    return assigned


def test_what_is_asked_calculated_or_queried_by_the_arm_is_hidden_with_it(by_arm, browse, alice, bob, mona, as_person):
    for blind in (bob, mona):
        shown = seen_by(browse(blind), by_arm)
        assert [word for word in TELLING if word in shown] == []
        assert "Number of cages" in shown
    knowing = seen_by(browse(alice), by_arm)
    assert [word for word in ("Mesh cages", "Cage weight", "Why a hybrid") if word not in knowing] == []
    trail = b"".join(browse(bob).post(reverse("audit_csv")).streaming_content).decode()
    trail_text = re.sub(r'""\w+"": ""changed""', "", trail)
    assert [word for word in TELLING if word in trail_text and word != "study_arm"] == []  # its declaration may be read
    assert '""HT""' not in trail
    with as_person(bob):
        assert not Query.objects.exists()
        assert {"cage_ht", "study_arm"} < current_protocol.hidden_names()
    with as_person(alice):
        assert Query.objects.count() == 2 and not current_protocol.hidden_names()


def test_a_cohort_of_what_follows_from_the_arm_is_not_there_for_blind_roles(by_arm, browse, bob, dana, as_person, text):
    steps = [{"step": "category", "variable": "cage_make", "values": ["a"]}]
    with as_person(dana) as access:
        saved = SavedCohort.objects.create(name="Of make A", version=1, steps=steps, created_by_id=access.user_id)
    pages = reverse("cohorts"), reverse("cohort", args=[saved.pk]), f"/api/v1/cohorts/{saved.pk}/flow"
    assert [browse(dana).get(page).status_code for page in pages] == [200, 200, 200]
    assert [browse(bob).get(page).status_code for page in pages] == [200, 404, 404]
    assert "Of make A" not in text(browse(bob).get(pages[0]))


def test_plans_and_runs_of_what_follows_from_the_arm_are_not_there_for_blind_roles(
    by_arm, browse, bob, dana, as_person
):
    entry = {"code": "all", "title": {"en": "All", "ja": "全て"}, "rows": ["cage_double"]}
    with as_person(dana) as access:
        plan = plans.from_json({"name": "By weight", "grouping": "sex", "comparisons": [entry]})
        saved = saved_plans.save(access=access, name="By weight", plan=plan, cohort=cohorts.ALL)
        run = runs.request(access=access, plan=plan, cohort=cohorts.ALL)
    pages = (
        reverse("comparison_plan", args=[saved.pk]), reverse("comparison_run", args=[run.pk]),
        f"/api/v1/plans/{saved.pk}", f"/api/v1/comparisons/{run.pk}",
    )  # fmt: skip
    assert [browse(dana).get(page).status_code for page in pages] == [200] * 4
    assert [browse(bob).get(page).status_code for page in pages] == [404] * 4
    for page in (reverse("comparison_plans"), reverse("comparison")):
        assert b"By weight" in browse(dana).get(page).content
        assert b"By weight" not in browse(bob).get(page).content
    chosen = {"json": json.dumps(saved.plan), "use_json": "on", "act": "run"}
    for person, status in ((dana, 302), (bob, 422)):
        assert browse(person).post(reverse("comparison_plan_new"), chosen).status_code == status


def test_comparing_snapshots_tells_blind_roles_of_no_other_arm(by_arm, browse, alice, bob, dana, as_person, text):
    with as_person(dana) as access:
        before = snapshots.freeze(access=access, label="before").pk
    with as_person(alice) as access:
        asked = {"access": access, "patient": by_arm, "form": "baseline", "today": TODAY, "reason": "in the theatre"}
        patients.save_form(raw=BASELINE | BORN | {"study_arm": "TES", "cage_n": "5"}, **asked)
    address = f"{reverse('snapshot_compare')}?before={before}&after=now"
    knowing, blind = text(browse(dana).get(address)), text(browse(bob).get(address))
    assert "TES" in knowing and "study_arm" in knowing
    assert "TES" not in blind.replace("HT-TES", "") and "study_arm" not in blind and "cage_n" in blind


def test_no_file_has_what_follows_from_the_arm_for_blind_roles(by_arm, bob, dana, as_person):
    assert [word for word in TELLING if word in exported(bob, as_person)] == []
    assert "cage_weight" in exported(dana, as_person)


def test_no_file_has_it_for_blind_roles(assigned, bob, dana, as_person):
    assert "study_arm" not in exported(bob, as_person)
    assert "study_arm" in exported(dana, as_person)


def test_what_compares_the_arms_is_not_there_for_blind_roles(assigned, bob, dana, as_person):
    steps = [{"step": "category", "variable": "study_arm", "values": ["HT"]}]
    with as_person(dana) as access:
        SavedCohort.objects.create(name="HT", version=1, steps=steps, created_by_id=access.user_id)
        SavedCohort.objects.create(name="All", version=1, steps=[], created_by_id=access.user_id)
        plan = {"groups": [{"steps": steps}]}
        ComparisonRun.objects.create(plan=plan, cohort={"name": "all"}, requested_by_id=access.user_id)
    with as_person(bob):
        assert [cohort.name for cohort in SavedCohort.objects.all()] == ["All"]
        assert not ComparisonRun.objects.exists()
    with as_person(dana):
        assert SavedCohort.objects.count() == 2 and ComparisonRun.objects.exists()


def test_who_treats_patients_cannot_be_blind(about, bob, as_person):
    with pytest.raises(InvalidDefinition, match="cannot be blind"):
        about(blind=["coordinator"])
    about(blind=[])
    with as_person(bob) as access:
        assert not access.is_blind and catalogue.item("study_arm")


def test_the_arm_may_be_assigned_at_surgery(about, alice, enrolled, browse, text):
    about(arm_at="surgery")
    patient = enrolled(alice)
    assert 'name="study_arm"' in text(browse(alice).get(reverse("patient_surgery", args=[patient.pk])))
    assert 'name="study_arm"' not in text(browse(alice).get(reverse("patient_baseline", args=[patient.pk])))


# Criteria and approvals


def test_a_criterion_with_a_condition_is_checked_by_the_machine(about, alice, enrolled, as_person, browse, text):
    lines = "pain | Pain at the spine | 疼痛あり | [sins_pain] >= 1\nwilling | Wants surgery | 手術希望"
    criteria = documents.criteria_in(lines)
    assert documents.criteria_text(criteria) == lines
    about(inclusion=criteria)
    page = text(browse(alice).get(reverse("patient_baseline", args=[enrolled(alice).pk])))
    assert 'name="incl_willing"' in page and 'name="incl_pain"' not in page
    with pytest.raises(InvalidDefinition, match="pain"):
        about(inclusion=documents.criteria_in("pain | Pain | 疼痛 | [sins_pane] >= 1"))


def test_approvals_have_days_and_the_guide_says_whose_is_over(about, ada, as_person, north):
    approvals = documents.ethics_in("N01 | EC-34 | 2012-05-01 | 2015-04-30")
    assert documents.ethics_text(approvals) == "N01 | EC-34 | 2012-05-01 | 2015-04-30"
    about(ethics=approvals)
    with as_person(ada):
        assert {step.code: step.missing for step in setup.steps()}["ethics"] == "a renewed approval for N01"
    about(ethics=[*approvals, *documents.ethics_in("N01 | EC-34b | 2015-04-01")])
    with as_person(ada):
        assert {step.code: step.missing for step in setup.steps()}["ethics"] == ""
    with pytest.raises(InvalidDefinition, match="no day"):
        about(ethics=documents.ethics_in("N01 | EC-34 | May 2012"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "My study"), ("name", {"en": 5}), ("short_name", ["HT"]), ("short_name", "HT\nBcc: a@b.jp"),
        ("contact", 5), ("colour", 0x123456), ("logo", {}), ("arms", {"HT": "Hybrid"}), ("arms", ["HT"]),
        ("arms", [{"code": "HT", "label": "Hybrid"}]), ("inclusion", [{"label": {"en": "x"}}]), ("blind", "monitor"),
    ],
)  # fmt: skip
def test_what_a_file_says_in_another_shape_is_refused_and_breaks_no_page(key, value, about, client):
    with pytest.raises(InvalidDefinition) as refused:
        about(**{key: value})
    assert {fault.column for fault in refused.value.faults} == {key}
    assert client.get(reverse("login")).status_code == 200


# How it looks


def png(width=200, height=50):
    def chunk(kind, content):
        return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x99\xcc\xff" * width) * height)
    return branding.PNG + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_contrast_is_that_of_wcag():
    assert branding.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert branding.contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)  # #767676
    assert branding.contrast((119, 119, 119), (255, 255, 255)) < 4.5  # #777777


@pytest.mark.parametrize(("colour", "fits"), [("#ff9900", True), ("#777777", True), ("orange", False)])
def test_a_colour_that_cannot_be_read_is_refused_with_one_that_can(colour, fits, about):
    with pytest.raises(InvalidDefinition) as refused:
        about(accent=colour)
    (fault,) = refused.value.faults
    assert fault.column == "accent"
    if fits:
        nearest = fault.reason.en.split("; ")[1].split(" ")[0]
        about(accent=nearest)


def test_pages_carry_the_name_the_logo_the_colours_and_the_imprint(browse, ada, client, text):
    sent = {
        "name_en": "Hybrid against en bloc", "short_name": "HT-TES", "contact": "centre@example.org",
        "imprint": "A. Abe", "colour": "#4a1f6b", "accent": "#6b2fa0", "note": "our colours",
        "logo": SimpleUploadedFile("l.png", png()),
    }  # fmt: skip
    answer = browse(ada).post(reverse("study_about"), sent)
    assert answer.status_code == 302, text(answer)
    page = text(client.get(reverse("login")))
    for word in ("HT-TES", "Hybrid against en bloc", "centre@example.org", "A. Abe", "/brand/logo.png", "/brand.css"):
        assert word in page
    style = client.get(reverse("brand_style"))
    assert "--bar: #4a1f6b" in text(style) and "immutable" in style["Cache-Control"]
    assert client.get(reverse("brand_logo")).content == png()
    assert "/brand/logo.png" in text(browse(ada).get(reverse("study_protocol")))
    response = browse(ada).post(reverse("study_about"), {"short_name": "HT-TES", "note": "no logo sent"})
    assert response.status_code == 302 and client.get(reverse("brand_logo")).status_code == 200
    browse(ada).post(reverse("study_about"), {"short_name": "HT-TES", "note": "away", "without_logo": "on"})
    assert client.get(reverse("brand_logo")).status_code == 404


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"GIF89a", "no PNG"), (png(900, 50), "900 × 50"), (branding.PNG + b"0" * branding.LARGEST, "at most 64 kB")],
)
def test_a_logo_that_does_not_fit_is_refused(content, reason, browse, ada, text):
    sent = {"short_name": "X", "note": "logo", "logo": SimpleUploadedFile("logo.png", content)}
    refused = browse(ada).post(reverse("study_about"), sent)
    assert refused.status_code == 422 and reason in text(refused)


def test_mails_are_of_the_study(about, settings):
    about(contact="centre@example.org", imprint="A. Abe")
    words = b'["Invitation to Metaspine", "Come to Metaspine.", "a@b.jp"]'
    sealed = tasks.field_keys.deployment_cipher().encrypt(words)
    tasks.send_mail(sealed.decode())
    (sent,) = mail.outbox
    assert (sent.subject, sent.body) == (
        "Invitation to HT-TES", "Come to HT-TES.\n\n-- \nHT-TES\ncentre@example.org\nA. Abe\n"
    )  # fmt: skip
