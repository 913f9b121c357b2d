"""Saved cohorts and the builder: versions that never change, a flow that adds up, and who may see the patients."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import override

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, saved_cohorts
from registry.analysis.design.cohorts import Cohort, Step, select
from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.models import ComparisonRun, SavedCohort
from registry.services.records import extras
from registry.web.cohorts.forms import CohortForm, address_of
from sites.models import AuditEvent, Site
from tests.analysis.conftest import SURGERY, answers, patient, store

LUNG = Step("primary_tumour", {"values": ["lung"]})
STEPS = (
    Step("one_to_three_consecutive_vertebrae"),
    Step("consecutive_vertebrae", {"minimum": 1, "maximum": 2}),
    Step("levels_within", {"first": "C3", "last": "L5"}),
    Step("no_tes"),
    Step("segment_group", {"values": ["thoracic", "tls"]}),
    Step("procedure", {"values": ["psf"]}),
    Step("sex", {"values": ["male"]}),
    LUNG,
    Step("sins_class", {"values": ["stable"]}),
    Step("site", {"values": ["N01"]}),
    Step("operated_from", {"first": "2024-01-01"}),
    Step("operated_until", {"last": "2024-12-31"}),
    Step("at_least", {"variable": "age_at_surgery", "minimum": 40}),
    Step("at_most", {"variable": "blood_loss_ml", "maximum": 500}),
    Step("category", {"variable": "frankel_abc", "timepoint": "preop", "values": ["D/E"]}),
    Step("at_most", {"variable": "pain_vas_mm", "timepoint": "preop", "maximum": 80}),
    Step("at_least", {"variable": "hsuv", "timepoint": "preop", "minimum": 0.25}),
    Step("category", {"variable": "ecog_ps", "timepoint": "preop", "values": ["0", "1"]}),
    Step("category", {"variable": "tokuhashi_organs", "values": ["0"]}),
    Step("category", {"variable": "eq5d_mobility", "timepoint": "preop", "values": [4, 5]}),
    Step("dated_from", {"variable": "consent_date", "first": "2024-01-01"}),
    Step("dated_until", {"variable": "consent_date", "last": "2024-12-31"}),
    Step("category", {"variable": "barthel_mobility", "timepoint": "preop", "values": ["0", "5"]}),
    Step("at_least", {"variable": "cobb_deg", "timepoint": "preop", "minimum": -10.5}),
    Step("category", {"variable": "tokuhashi_prognosis", "values": ["under_6_months"]}),
    Step("at_most", {"variable": "albumin_g_dl", "maximum": 3.5}),
    Step("category", {"variable": "kps", "timepoint": "1m", "values": ["90", "100"]}),
    Step("at_most", {"variable": "pain_vas_mm", "timepoint": "12m", "maximum": 30}),
    Step("followed_at_least", {"days": 30}),
    Step("measured", {"variable": "escc", "timepoint": "preop"}),
    Step("measured", {"variable": "hsuv", "timepoint": "1m"}),
    Step("measured", {"variable": "eq_vas", "timepoint": "1m"}),
)
POINTS = {f"sins_{name}": 0 for name in ("location", "pain", "bone_lesion", "alignment", "collapse", "posterolateral")}


@pytest.fixture
def signed_in(client, bob):
    client.force_login(bob)
    return client


@pytest.fixture
def saved(bob, as_person):
    def save(*steps, name="Lung", note=""):
        with as_person(bob) as access:
            return saved_cohorts.save(access=access, name=name, steps=steps, note=note)

    return save


def cohort(*steps):
    return Cohort("some", "1", Label("some", "some"), steps)


def test_the_address_of_every_step_gives_the_steps_back(db, north):
    form = CohortForm(QueryDict(address_of(STEPS)))
    assert form.is_valid(), form.errors
    assert {str(step) for step in form.steps} == {str(step) for step in STEPS}


def test_questions_that_pages_share_keep_no_answer(db, north):
    """Fields and what is drawn of them are made once; a page's answers and faults stand in its own alone."""

    def drawn(address):
        form = CohortForm(QueryDict(address))
        form.is_valid()
        sections = list(form.sections)
        return [section.open for section in sections], "".join(section.drawn for section in sections)

    blank = drawn("")
    assert not any(blank[0])
    assert " checked" not in blank[1]
    answered = drawn("sex=male&level_first=C3&known=eq_vas@1m&blood_loss_ml_max=x")
    assert sum(answered[0]) == 4
    assert answered[1].count(" checked") == 2
    assert answered[1].count("field-error") == 2
    wrong = drawn("sex=")
    assert (sum(wrong[0]), wrong[1].count("field-error")) == (1, 1)  # who follows the link of the summary sees it
    assert drawn("") == blank
    with override("ja"):
        assert drawn("")[1] != blank[1]
    Site.objects.create(code="W01", name="West Hospital")
    assert "W01 West Hospital" in drawn("")[1]
    assert "W01" not in blank[1]


@pytest.mark.parametrize(
    ("step", "who"),
    [
        (Step("consecutive_vertebrae", {"minimum": 2, "maximum": 3}), ["two"]),
        (Step("segment_group", {"values": ["cervical"]}), ["neck"]),
        (Step("operated_from", {"first": "2024-03-02"}), ["late"]),
        (Step("operated_until", {"last": "2024-02-29"}), []),
        (Step("at_least", {"variable": "age_at_surgery", "minimum": 81}), ["old"]),
        (Step("at_most", {"variable": "blood_loss_ml", "maximum": 299}), ["dry"]),
        (Step("category", {"variable": "frankel_abc", "timepoint": "preop", "values": ["A/B/C"]}), ["weak"]),
        (Step("at_most", {"variable": "hsuv", "timepoint": "preop", "maximum": 0.2}), ["weak"]),
        (Step("category", {"variable": "frankel", "timepoint": "preop", "values": ["C", "D"]}), ["weak"]),
        (Step("category", {"variable": "ecog_ps", "timepoint": "preop", "values": ["4"]}), ["bed"]),
        (Step("category", {"variable": "eq5d_mobility", "timepoint": "preop", "values": [4, 5]}), ["weak"]),
        (Step("category", {"variable": "sins_pain", "values": ["3"]}), ["hurt"]),
        (Step("category", {"variable": "sins_location", "values": ["0", "3"]}), ["hurt"]),
        (Step("category", {"variable": "tokuhashi_palsy", "values": ["0"]}), ["hurt"]),
        (Step("dated_from", {"variable": "consent_date", "first": "2024-02-21"}), ["asked"]),
        (Step("dated_until", {"variable": "consent_date", "last": "2024-02-19"}), []),
        (Step("at_least", {"variable": "cci_full", "minimum": 4}), ["ill"]),
        (Step("category", {"variable": "cci_liver", "values": ["3"]}), ["ill"]),
        (Step("at_most", {"variable": "albumin_g_dl", "maximum": 2.9}), ["ill"]),
        (Step("category", {"variable": "barthel_feeding", "timepoint": "preop", "values": ["0", "5"]}), ["bed"]),
        (Step("category", {"variable": "kps", "timepoint": "1m", "values": ["70", "80"]}), ["bent"]),
        (Step("category", {"variable": "ais", "timepoint": "1m", "values": ["D"]}), ["bent"]),
        (Step("category", {"variable": "escc", "timepoint": "1m", "values": ["1b", "1c"]}), ["bent"]),
        (Step("at_least", {"variable": "cobb_deg", "timepoint": "1m", "minimum": 20.1}), ["bent"]),
        (Step("at_least", {"variable": "cobb_deg", "timepoint": "1m", "minimum": 20.2}), []),
        (Step("at_most", {"variable": "cobb_deg", "timepoint": "1m", "maximum": -5.5}), ["straight"]),
        (Step("at_most", {"variable": "sosg_total", "timepoint": "1m", "maximum": 42.5}), ["bent"]),
        (Step("measured", {"variable": "kps", "timepoint": "1m"}), ["bent"]),
    ],
)
def test_a_step_keeps_those_whom_it_names(north, as_system, step, who):
    changed = {
        "two": {"lesion_levels": ("T5", "T6")},
        "gap": {"lesion_levels": ("T5", "T7")},
        "none": {"lesion_levels": None, "age_at_surgery": None, "blood_loss_ml": None},
        "neck": {"lesion_levels": ("C5",)},
        "late": {"surgery_date": SURGERY + dt.timedelta(days=1)},
        "old": {"age_at_surgery": 81},
        "dry": {"blood_loss_ml": 299},
        "weak": {"visits": {"preop": answers("55555", frankel="C")}},
        "fit": {"visits": {"preop": answers("11111", frankel="E")}},
        "bed": {"visits": {"preop": answers("11111", frankel="E", ecog_ps=4, barthel_feeding=5)}},
        "asked": {"consent_date": SURGERY - dt.timedelta(days=9)},
        "ill": dict.fromkeys((item.name for item in catalogue.CHARLSON.items), 0)
        | {"cci_liver": 3, "cci_diabetes": 1, "albumin_g_dl": Decimal("2.9")},
        "bent": {
            "visits": {"1m": {"kps": 70, "ais": "D", "escc": "1b", "cobb_deg": Decimal("20.1"), "sosg_total": 42}}
        },
        "straight": {"visits": {"1m": {"cobb_deg": Decimal("-5.5"), "sosg_total": Decimal("42.6")}}},
        "hurt": {"sins_pain": 3, "sins_location": 0, "tokuhashi_palsy": 0},
    }
    store(north, [patient(patient_id=f"N01-{name}", **more) for name, more in changed.items()])
    with as_system():
        frame = frames.read(cohorts.timepoints_needed(cohort(step)), keep_key=True)
        selection = select(cohort(step), frame)
        assert frames.patient_ids(frame["key"][selection.chosen]) == sorted(f"N01-{number}" for number in who)


@pytest.mark.parametrize(
    "step",
    [
        ("at_least", {"variable": "sex", "minimum": 1}),
        ("at_least", {"variable": "age_at_surgery", "minimum": float("nan")}),
        ("at_least", {"variable": "hsuv", "minimum": 0.5}),
        ("category", {"variable": "frankel_abc", "timepoint": "preop", "values": ["F"]}),
        ("consecutive_vertebrae", {"minimum": 3, "maximum": 2}),
        ("operated_from", {"first": "yesterday"}),
        ("segment_group", {"values": ["toe"]}),
        ("dated_from", {"variable": "consent_date", "first": "yesterday"}),
        ("dated_until", {"variable": "birth_date", "last": "1950-01-01"}),
        ("category", {"variable": "kps", "values": ["70"]}),
        ("category", {"variable": "kps", "timepoint": "1m", "values": ["75"]}),
        ("at_least", {"variable": "kps", "timepoint": "1m", "minimum": 70}),
    ],
)
def test_a_step_without_sense_is_refused(step, db):  # what is no item of the product may be one of the study's
    with pytest.raises(ValueError):
        Step(*step)


def test_forty_conditions_are_counted_and_a_thousand_refused(signed_in, north, db):
    store(north, [patient(), patient(sex="female")])
    bounds = {
        f"{name}_{end}": "0" if end == "min" else "3000"
        for name in ("pain_vas_mm", "eq_vas", "barthel_total", "operative_time_min", "blood_loss_ml", "age_at_surgery")
        for end in ("min", "max")
    }
    later = {
        f"{name}@{visit}_{end}": "0" if end == "min" else "3000"
        for name in ("pain_vas_mm", "eq_vas", "barthel_total")
        for visit in ("1m", "3m", "6m", "12m", "24m")
        for end in ("min", "max")
    }
    answer = signed_in.get("/cohorts/new/", bounds | later)
    assert answer.status_code == 200
    assert len(answer.context["form"].steps) >= 40
    step = {"step": "category", "variable": "sex", "values": ["male"]}
    many = {"name": "many", "version": "1", "steps": [step] * (cohorts.MOST_STEPS + 1)}
    with pytest.raises(cohorts.UnknownStep, match="at most 100 steps, and this one has 101"):
        cohorts.from_json(many)
    assert len(cohorts.from_json(many | {"steps": [step] * cohorts.MOST_STEPS}).steps) == cohorts.MOST_STEPS


def test_a_step_tells_its_codes_in_words():
    step = Step("category", {"variable": "frankel_abc", "timepoint": "preop", "values": ["D/E"]})
    assert step.label.en == "Frankel grade (Before surgery): D/E"
    assert (
        Step("procedure", {"values": ["psf", "pps"]}).label.ja == "主な術式：後方固定術、経皮的椎弓根スクリュー固定術"
    )


def test_the_flow_adds_up_by_site_too(random_patients, south, as_system):
    store(south, [patient()])
    with as_system():
        frame = frames.read(cohorts.timepoints_needed(cohort(*STEPS)))
        selection = select(cohort(*STEPS), frame)
    assert frame.n == selection.chosen.size + sum(step["excluded"] for step in selection.flow[1:])
    assert [row["site"] for row in selection.by_site] == ["N01", "S01"]
    for report in selection.by_site:
        assert report["enrolled"] == report["analysed"] + sum(report["excluded"])
    assert sum(row["analysed"] for row in selection.by_site) == selection.chosen.size
    for place, step in enumerate(selection.flow[1:]):
        assert sum(row["excluded"][place] for row in selection.by_site) == step["excluded"]


def test_only_what_a_step_names_is_read(north, as_system):
    store(north, [patient(visits={"1m": {"kps": 70}})])
    step = Step("category", {"variable": "kps", "timepoint": "1m", "values": ["70"]})
    assert cohorts.timepoints_needed(cohort(LUNG, step, step)) == ("kps@1m",)
    with as_system():
        usual, frame = frames.read(("1m",)), frames.read(("1m", "kps@1m"))
        assert select(cohort(step), frame).chosen.tolist() == [0]
    assert set(frame.data) - set(usual.data) == {"kps@1m"}
    assert frame["frankel@1m"].tolist() == usual["frankel@1m"].tolist()
    assert frame.snapshot != usual.snapshot
    for name in ("hospital_number", "consent_date@1m", "kps", "kps@never"):
        with pytest.raises(ValueError, match="not a timepoint"):
            frames.checked((name,))


def test_the_builder_asks_what_the_registry_asks(signed_in, as_system):
    def asked(**query):
        return set(signed_in.get(reverse("cohort_new"), query).context["form"].fields)

    assert {"barthel_stairs", "consent_date_from"} <= asked() and "kps" not in asked()
    assert "kps" in asked(kps="70")  # a link stays what it says
    assert {"pain_vas_mm@3m_max", "frankel@3m"} <= asked(ask="pain_vas_mm@3m") | asked(ask="frankel@3m")
    with as_system(), transaction.atomic():
        extras.switch(access=None, code="kps", on=True)
    assert "kps" in asked() and "kps@1m" in asked(ask="kps@1m") and "escc" not in asked()


# Saved


def test_a_name_saved_again_is_a_new_version_unless_nothing_changed(bob, saved, as_system):
    first, same, second = saved(LUNG), saved(LUNG), saved(LUNG, Step("no_tes"))
    assert (first.pk, first.version, second.version, second.created_by) == (same.pk, 1, 2, bob)
    assert saved_cohorts.cohort_of(second).steps == (LUNG, Step("no_tes"))
    assert saved_cohorts.saved_as(saved_cohorts.cohort_of(second)) == second
    with as_system():
        events = AuditEvent.objects.filter(table_name="registry_savedcohort")
        assert [event.row_id for event in events.order_by("pk")] == [str(first.pk), str(second.pk)]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "segi2024", "All"])
def test_a_name_that_cannot_be_is_refused(saved, name):
    with pytest.raises(ValueError):
        saved(LUNG, name=name)


def test_a_saved_cohort_never_changes(saved):
    cohort = saved(LUNG)
    for change in (lambda: SavedCohort.objects.update(name="Other"), cohort.delete):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            change()
    assert SavedCohort.objects.get().name == "Lung"


def test_only_those_who_may_compare_save(alice, bob, as_person):
    from django.core.exceptions import PermissionDenied

    with as_person(alice) as access, pytest.raises(PermissionDenied):
        saved_cohorts.save(access=access, name="Mine", steps=())
    with as_person(bob) as access:
        assert saved_cohorts.save(access=access, name="Mine", steps=()).version == 1


# Pages


@pytest.mark.parametrize("name", ["cohorts", "cohort_new", "cohort_patients", "cohort"])
@pytest.mark.parametrize(("who", "status"), [("bob", 200), ("dana", 200), ("alice", 404), ("mona", 404), ("ada", 404)])
def test_only_those_who_may_compare_know_the_pages(client, saved, request, name, who, status):
    cohort = saved(LUNG)
    client.force_login(request.getfixturevalue(who))
    assert client.get(reverse(name, args=[cohort.pk] if name == "cohort" else [])).status_code == status


def test_the_list_is_empty_and_then_it_is_not(signed_in, saved):
    assert "No cohort has been saved yet" in signed_in.get(reverse("cohorts")).content.decode()
    saved(LUNG, name="Lung only")
    page = signed_in.get(reverse("cohorts")).content.decode()
    assert "Lung only" in page and "Primary tumour: lung" in page and "No cohort has been saved" not in page


def test_the_builder_shows_the_flow_and_the_patients_behind_it(signed_in, north, south):
    store(north, [patient(), patient(primary_tumour="breast")])
    store(south, [patient(primary_tumour=None)])
    response = signed_in.get(reverse("cohort_new"), {"primary_tumour": "lung", "by": "site"})
    assert [step["n"] for step in response.context["flow"]] == [3, 1]
    assert response.context["flow"][1]["excluded"] == 2
    assert response.context["by_site"]["S01"] == {"site": "S01", "enrolled": 1, "excluded": [1], "analysed": 0}
    address = reverse("cohort_patients")
    listed = {
        (step, at): list(signed_in.get(address, {"primary_tumour": "lung", "step": step, "at": at}).context["page"])
        for step in ("0", "1", "analysed")
        for at in ("", "S01")
    }
    assert listed == {
        ("0", ""): ["N01-0001", "N01-0002", "S01-0001"],
        ("0", "S01"): ["S01-0001"],
        ("1", ""): ["N01-0002", "S01-0001"],
        ("1", "S01"): ["S01-0001"],
        ("analysed", ""): ["N01-0001"],
        ("analysed", "S01"): [],
    }
    for step in ("2", "-1", "x", "9" * 50):
        assert signed_in.get(address, {"primary_tumour": "lung", "step": step}).status_code == 404


def test_empty_answers_do_not_stay_in_the_address(signed_in):
    response = signed_in.get(reverse("cohort_new"), {"primary_tumour": "lung", "level_first": "", "by": "site"})
    assert (response.status_code, response["Location"]) == (302, "/cohorts/new/?primary_tumour=lung&by=site")


@pytest.mark.parametrize(
    "asked",
    [
        {"primary_tumour": "toe"},
        {"level_first": "T1"},
        {"level_first": "L1", "level_last": "T1"},
        {"operated_from": "soon"},
        {"age_at_surgery_min": "nan"},
        {"vertebrae_min": "1", "vertebrae_max": "99"},
        {"known": "sex@1m"},
    ],
)
def test_what_makes_no_sense_is_said(signed_in, asked):
    response = signed_in.get(reverse("cohort_new"), asked)
    assert response.status_code == 422
    assert "error-summary" in response.content.decode()
    assert signed_in.get(reverse("cohort_patients"), asked).status_code == 404


def test_a_cohort_is_saved_and_compared(signed_in, saved):
    address = f"{reverse('cohort_new')}?{address_of([LUNG])}"
    response = signed_in.post(address, {"name": "Lung", "note": "for a talk"})
    cohort = SavedCohort.objects.get()
    assert (response.status_code, response["Location"]) == (302, reverse("cohort", args=[cohort.pk]))
    assert (cohort.steps, cohort.note) == ([{"step": "primary_tumour", "values": ["lung"]}], "for a talk")
    assert signed_in.post(address, {"name": "segi2024"}).status_code == 422
    assert signed_in.post(address, {}).status_code == 422
    form = signed_in.get(reverse("comparison_new"), {"saved": cohort.pk}).context["form"]
    assert form["cohort_name"].value() == f"saved:{cohort.pk}"
    from tests.analysis.running.test_comparison_pages import FORM

    started = signed_in.post(reverse("comparison_new"), FORM | {"cohort_name": f"saved:{cohort.pk}"})
    run = ComparisonRun.objects.get()
    assert started.status_code == 302 and cohorts.from_json(run.cohort) == saved_cohorts.cohort_of(cohort)
    again = signed_in.get(reverse("comparison_new"), {"from": run.pk}).context["form"]
    assert again["cohort_name"].value() == f"saved:{cohort.pk}"


def test_the_pages_speak_japanese(signed_in, saved, north):
    cohort = saved(LUNG)
    signed_in.cookies["django_language"] = "ja"
    page = signed_in.get(reverse("cohort", args=[cohort.pk])).content.decode()
    assert "原発腫瘍：肺" in page
    assert "コホート" in page
