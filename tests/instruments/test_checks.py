from datetime import date, timedelta
from decimal import Decimal

import pytest

from registry.instruments import catalogue, checks
from registry.instruments.checks import OnlyWith, hard_errors, warnings
from registry.instruments.core.patient import PRIMARY_TUMOURS, age_on
from registry.instruments.core.tokuhashi import PALSY_OF_FRANKEL, PRIMARY_OF_TUMOUR

DAY = timedelta(days=1)
SURGERY = date(2024, 5, 10)
PATIENT = {
    "birth_date": date(1956, 2, 29),
    "consent_date": date(2024, 5, 1),
    "surgery_date": SURGERY,
    "last_contact_date": date(2024, 12, 1),
    "vital_status": "dead",
    "death_date": date(2024, 12, 3),
}


def names(findings):
    return [check.name for check in findings]


def test_a_record_in_order_breaks_nothing():
    assert hard_errors(PATIENT) == ()
    assert hard_errors({}) == ()


def test_dates_that_may_coincide():
    same = dict.fromkeys(("consent_date", "surgery_date", "last_contact_date", "death_date"), SURGERY)
    assert hard_errors(PATIENT | same) == ()


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"consent_date": PATIENT["birth_date"]}, ["birth_before_consent"]),
        ({"consent_date": SURGERY + DAY}, ["consent_not_after_surgery"]),
        ({"birth_date": SURGERY, "consent_date": None}, ["birth_before_surgery"]),
        ({"last_contact_date": SURGERY - DAY}, ["surgery_not_after_last_contact"]),
        ({"death_date": SURGERY - DAY, "last_contact_date": None}, ["surgery_not_after_death"]),
        (
            {"death_date": date(2024, 4, 30), "surgery_date": None, "last_contact_date": None},
            ["consent_not_after_death"],
        ),
        ({"last_contact_date": PATIENT["death_date"] + DAY}, ["last_contact_not_after_death"]),
        ({"vital_status": "alive"}, ["death_date_only_with_dead"]),
        ({"vital_status": None}, ["death_date_only_with_dead"]),
    ],
)
def test_a_broken_order_is_found(changes, broken):
    assert names(hard_errors(PATIENT | changes)) == broken


def test_the_living_have_no_date_of_death():
    assert hard_errors(PATIENT | {"vital_status": "alive", "death_date": None}) == ()
    assert hard_errors(PATIENT | {"death_date": None}) == ()  # dead, the day not yet known


def test_a_hard_check_says_what_would_be_right():
    strict, order, *_ = checks.PATIENT_CHECKS
    only = next(check for check in checks.PATIENT_CHECKS if check.name == "death_date_only_with_dead")
    assert str(strict.message) == "Date of consent must be after date of birth"
    assert order.message.ja == "「手術日」は「生年月日」より後の日付にしてください"
    assert str(only.message) == "Date of death is only for vital status “dead”"


ALL_CHECKS = (*checks.PATIENT_CHECKS, *checks.SOFT_CHECKS, *checks.of_visits(checks.SCHEDULE))


def test_names_are_unique_and_items_exist():
    assert len(set(names(ALL_CHECKS))) == len(ALL_CHECKS)
    derived = set(catalogue.derive({}))
    for check in ALL_CHECKS:
        assert check.message.en
        assert check.message.ja
        for name in check.items:
            assert name in derived or catalogue.item(name)
        if isinstance(check, OnlyWith):
            assert check.value in catalogue.item(check.other).codes


def fill(instrument, codes):
    return dict(zip((item.name for item in catalogue.instrument(instrument).items), codes, strict=True))


INDEPENDENT = fill("barthel", (10, 5, 5, 10, 10, 10, 10, 15, 15, 10))
DEPENDENT = dict.fromkeys(INDEPENDENT, 0)
NO_PROBLEMS = fill("eq5d5l", (1, 1, 1, 1, 1))

# A check, answers that meet it, and a change after which they no longer do.
SUSPICIOUS = [
    ("severe_palsy_but_walks", {"frankel": "B", "barthel_mobility": 15}, {"frankel": "C"}),
    ("bedbound_but_independent", {"ecog_ps": 4, **INDEPENDENT}, {"barthel_stairs": None}),
    ("active_but_dependent", {"ecog_ps": 0, **DEPENDENT}, {"ecog_ps": 1}),
    ("kps_against_ecog", {"ecog_ps": 0, "kps": 70}, {"kps": 90}),
    (
        "kps_against_tokuhashi",
        {"timepoint": "preop", "tokuhashi_general_condition": 2, "kps": 70},
        {"tokuhashi_general_condition": 1},
    ),
    (
        "walking_against_barthel",
        {"timepoint": "preop", "walks_independently": 1, "barthel_mobility": 5},
        {"barthel_mobility": 10},
    ),
    ("ais_against_frankel", {"frankel": "C", "ais": "E"}, {"ais": "D"}),
    ("cobb_vertebrae_in_order", {"cobb_upper": "T8", "cobb_lower": "T6"}, {"cobb_lower": "T10"}),
    (
        "primary_detail_against_tumour",
        {"primary_detail": "colon", "primary_tumour": "lung"},
        {"primary_detail": "lung"},
    ),
    ("primary_detail_against_tokuhashi", {"primary_detail": "colon", "tokuhashi_primary": 4}, {"tokuhashi_primary": 2}),
    ("tomita_growth_against_primary", {"primary_detail": "lung", "tomita_growth": 1}, {"primary_detail": "melanoma"}),
    ("katagiri_growth_against_primary", {"primary_detail": "liver", "katagiri_growth": 2}, {"primary_detail": "other"}),
    (
        "katagiri_growth_against_hormones",
        {"primary_detail": "breast", "hormone_dependent": 1, "katagiri_growth": 2},
        {"hormone_dependent": 0},
    ),
    (
        "katagiri_growth_against_targeted_drug",
        {"primary_detail": "lung", "targeted_drug": 0, "katagiri_growth": 2},
        {"targeted_drug": 1},
    ),
    (
        "solitary_against_tokuhashi",
        {"skeletal_metastases": 1, "tokuhashi_extraspinal_bone": 1, "tokuhashi_vertebral": 2},
        {"skeletal_metastases": 2},
    ),
    ("visceral_spread_against_tokuhashi", {"visceral_spread": 0, "tokuhashi_organs": 1}, {"visceral_spread": 1}),
    ("tomita_against_tokuhashi_organs", {"visceral_treatability": 0, "tokuhashi_organs": 0}, {"tokuhashi_organs": 2}),
    *(
        (f"{what}_without_radiotherapy_{when}", {f"rt_{when}": "none", name: value}, {f"rt_{when}": "stereotactic"})
        for when in ("before", "after")
        for what, name, value in (
            ("date", f"rt_{when}_date", SURGERY),
            ("dose", f"rt_{when}_dose_gy", 30),
            ("fractions", f"rt_{when}_fractions", 10),
        )
    ),
    ("radiotherapy_after_death", {"rt_after_date": SURGERY + DAY, "death_date": SURGERY}, {"rt_after_date": SURGERY}),
    (
        "recurrence_after_last_contact",
        {"local_recurrence_date": SURGERY + DAY, "last_contact_date": SURGERY},
        {"last_contact_date": SURGERY + DAY},
    ),
    (
        "neurological_domain_of_version_2",
        {"sosg_version": "v2", "sosg_neurological": Decimal("50.0")},
        {"sosg_version": "v1"},
    ),
    ("dead_but_assessed", {"ecog_ps": 5, "frankel": "E"}, {"frankel": None}),
    ("good_health_but_severe_pain", {"eq_vas": 80, "pain_vas_mm": 80}, {"pain_vas_mm": 79}),
    ("no_problems_but_pain", {**NO_PROBLEMS, "pain_vas_mm": 70}, {"eq5d_pain_discomfort": 2}),
    ("cannot_walk_but_walks", {"eq5d_mobility": 5, "barthel_mobility": 15}, {"eq5d_mobility": 4}),
    (
        "tokuhashi_palsy_against_frankel",
        {"timepoint": "preop", "tokuhashi_palsy": 2, "frankel": "D"},
        {"timepoint": "1m"},
    ),
    ("tokuhashi_primary_against_tumour", {"tokuhashi_primary": 5, "primary_tumour": "lung"}, {"tokuhashi_primary": 0}),
    (
        "tokuhashi_vertebrae_against_levels",
        {"tokuhashi_vertebral": 2, "lesion_levels": ("T1", "T2")},
        {"tokuhashi_vertebral": 1},
    ),
    ("sins_location_against_levels", {"sins_location": 3, "lesion_levels": ("T5", "T6")}, {"sins_location": 1}),
    ("large_blood_loss", {"blood_loss_ml": 5001}, {"blood_loss_ml": 5000}),
    ("long_operation", {"operative_time_min": 901}, {"operative_time_min": 900}),
    (
        "unusual_age",
        {"birth_date": date(2006, 5, 11), "surgery_date": SURGERY},
        {"birth_date": date(2006, 5, 10)},
    ),
    ("assessed_after_death", {"assessment_date": SURGERY + DAY, "death_date": SURGERY}, {"death_date": SURGERY + DAY}),
    (
        "assessed_long_before_consent",
        {"assessment_date": date(1962, 3, 4), "consent_date": SURGERY},
        {"assessment_date": SURGERY - 366 * DAY},
    ),
    (
        "follow_up_before_surgery",
        {"timepoint": "1m", "assessment_date": SURGERY - DAY, "surgery_date": SURGERY},
        {"assessment_date": SURGERY + 30 * DAY},
    ),
    ("event_before_surgery", {"onset_date": SURGERY - DAY, "surgery_date": SURGERY}, {"onset_date": SURGERY}),
    ("event_after_death", {"onset_date": SURGERY + DAY, "death_date": SURGERY}, {"onset_date": SURGERY}),
    (
        "outside_visit_window",
        {"timepoint": "1m", "assessment_date": SURGERY + 45 * DAY, "surgery_date": SURGERY},
        {"assessment_date": SURGERY + 44 * DAY},
    ),
]


@pytest.mark.parametrize(("name", "answers", "change"), SUSPICIOUS, ids=[name for name, *_ in SUSPICIOUS])
def test_answers_that_hardly_go_together_are_pointed_at(name, answers, change):
    assert names(warnings(answers)) == [name]
    assert warnings(answers | change) == ()


def test_every_soft_check_has_an_example():
    soft = set(names(ALL_CHECKS)) - set(names(checks.PATIENT_CHECKS))
    assert {name for name, *_ in SUSPICIOUS} == soft


def test_nothing_is_suspicious_about_missing_answers():
    assert warnings({}) == ()
    assert warnings(dict.fromkeys(catalogue.PATIENT_COLUMNS + catalogue.ASSESSMENT_COLUMNS)) == ()


def test_a_registry_may_have_its_own_windows():
    answers = {"timepoint": "24m", "assessment_date": SURGERY + DAY, "surgery_date": SURGERY}
    assert names(warnings(answers)) == ["outside_visit_window"]
    assert warnings(answers, schedule=checks.SCHEDULE[:2]) == ()


@pytest.mark.parametrize(
    ("levels", "points"),
    [("T5", {1}), ("T10;T11", {1, 3}), ("L2", {2}), ("S", {0, 3}), ("L5;S", {0, 3}), ("C2;C3", {3, 2})],
)
def test_the_location_points_of_a_lesion(levels, points):
    location = next(check for check in checks.SOFT_CHECKS if check.name == "sins_location_against_levels")
    possible = {
        code
        for code in catalogue.item("sins_location").codes
        if not location.applies({"sins_location": code, "lesion_levels": tuple(levels.split(";"))})
    }
    assert possible == points


def test_the_tables_of_the_checks_cover_every_code():
    assert tuple(PALSY_OF_FRANKEL) == catalogue.item("frankel").codes
    assert set(PRIMARY_OF_TUMOUR) == {choice.code for choice in PRIMARY_TUMOURS}
    assert set().union(*PRIMARY_OF_TUMOUR.values()) == set(catalogue.item("tokuhashi_primary").codes)


@pytest.mark.parametrize(
    ("day", "years"),
    [(date(2024, 2, 28), 67), (date(2024, 2, 29), 68), (date(2025, 2, 28), 68), (date(2025, 3, 1), 69)],
)
def test_age_is_in_completed_years(day, years):
    assert age_on(day, date(1956, 2, 29)) == years
