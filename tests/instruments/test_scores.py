"""Scores beside Tokuhashi's and SINS, the published mappings of KPS, Charlson, the Cobb angle and ESCC."""

from decimal import Decimal

import pytest

from registry.instruments import catalogue, scores
from registry.instruments.core.tokuhashi import PRIMARY_OF_TUMOUR
from registry.instruments.extra import cobb, escc, kps, prognosis
from registry.instruments.scores import BAUER, CHARLSON_WITH_AGE, KATAGIRI, NESMS, TOMITA

NORMAL = {
    "platelets_1000_ul": 200,
    "calcium_mg_dl": Decimal("9.0"),
    "bilirubin_mg_dl": Decimal("0.8"),
    "crp_mg_dl": Decimal("0.10"),
    "ldh_iu_l": 180,
    "albumin_g_dl": Decimal("4.0"),
}
BEST = NORMAL | {
    "primary_detail": "breast",
    "hormone_dependent": 1,
    "visceral_treatability": 0,
    "visceral_spread": 0,
    "skeletal_metastases": 1,
    "previous_chemotherapy": 0,
    "walks_independently": 1,
    "ecog_ps": 1,
}
WORST = {
    "primary_detail": "lung",
    "targeted_drug": 0,
    "visceral_treatability": 4,
    "visceral_spread": 2,
    "skeletal_metastases": 2,
    "previous_chemotherapy": 1,
    "walks_independently": 0,
    "ecog_ps": 4,
    **NORMAL,
    "albumin_g_dl": Decimal("2.0"),
    "platelets_1000_ul": 50,
}


@pytest.mark.parametrize(
    ("score", "best", "worst"),
    [(TOMITA, 2, 10), (BAUER, 4, 0), (NESMS, 3, 0), (KATAGIRI, 0, 10)],
    ids=lambda value: value,
)
def test_the_range_of_each_score(score, best, worst):
    assert (score.compute(BEST), score.compute(WORST)) == (best, worst)
    assert {best, worst} == {score.minimum, score.maximum}
    assert score.missing(BEST) == score.missing(WORST) == ()
    assert score.missing({})
    assert score.compute({}) is None


@pytest.mark.parametrize(
    ("detail", "tomita", "bauer", "katagiri"),
    [
        ("lung", 4, 0, None),
        ("stomach", 4, 1, 3),
        ("oesophagus_pancreas", 4, 1, 3),
        ("liver", 4, 1, 3),
        ("gallbladder", 4, 1, 3),
        ("colon", 4, 1, 3),
        ("rectum", 4, 1, 3),
        ("kidney", 2, 2, 2),
        ("breast", 1, 2, None),
        ("prostate", 1, 1, None),
        ("thyroid", 1, 1, 0),
        ("myeloma_lymphoma", None, 2, 0),
        ("uterus", 2, 1, 2),
        ("bladder", None, 1, 3),
        ("melanoma", None, 1, 3),
        ("sarcoma", None, 1, 2),
        ("neuroendocrine", None, 1, None),
        ("unknown", 4, 1, 3),
        ("other", None, 1, 2),
    ],
)
def test_the_points_of_each_primary(detail, tomita, bauer, katagiri):
    """The table of primary tumours, row by row; None where another answer says it."""
    answers = {"primary_detail": detail}
    assert TOMITA.terms[0].compute(answers) == tomita
    assert sum(term.compute(answers) for term in BAUER.terms[1:3]) == bauer
    assert KATAGIRI.terms[0].compute(answers) == katagiri
    assert detail in catalogue.item("primary_detail").codes


def test_other_answers_decide_where_the_primary_does_not():
    growth = KATAGIRI.terms[0]
    assert [growth.compute({"primary_detail": "lung", "targeted_drug": answer}) for answer in (0, 1)] == [3, 2]
    assert [growth.compute({"primary_detail": "prostate", "hormone_dependent": answer}) for answer in (0, 1)] == [2, 0]
    assert growth.compute({"primary_detail": "neuroendocrine", "katagiri_growth": 0}) == 0
    assert growth.missing({"primary_detail": "neuroendocrine"}) == ("katagiri_growth",)
    assert growth.missing({"primary_detail": "breast"}) == ("hormone_dependent",)
    assert TOMITA.terms[0].missing({"primary_detail": "sarcoma"}) == ("tomita_growth",)
    assert TOMITA.compute(BEST | {"primary_detail": "sarcoma", "tomita_growth": 2}) == 3


def test_a_growth_that_was_left_over_does_not_overrule_the_primary_for_tomita():
    """A breast cancer grows slowly (1 point) in Tomita 2001, doi:10.1097/00007632-200102010-00016."""
    growth = TOMITA.terms[0]
    answers = {"primary_detail": "breast", "tomita_growth": 4}
    assert (growth.compute(answers), growth.used(answers)) == (1, ("primary_detail",))
    answers["primary_detail"] = "bladder"
    assert (growth.compute(answers), growth.used(answers)) == (4, ("primary_detail", "tomita_growth"))


def test_a_growth_that_is_stated_overrules_the_primary_for_katagiri():
    """Head and neck, which is no code of the primary, is rapid in Katagiri 2014, doi:10.1002/cam4.292."""
    growth = KATAGIRI.terms[0]
    assert growth.compute({"primary_detail": "other", "katagiri_growth": 3}) == 3
    answers = {"primary_detail": "breast", "katagiri_growth": 0, "hormone_dependent": 0}
    assert (growth.compute(answers), growth.of_code(answers)) == (0, 2)
    assert growth.used(answers) == ("primary_detail", "katagiri_growth")
    assert growth.used(answers | {"katagiri_growth": None}) == ("primary_detail", "hormone_dependent")


def test_death_is_no_poor_performance():
    """Katagiri 2014 gives the point for ECOG 3 and 4."""
    ecog = KATAGIRI.terms[3]
    assert [ecog.compute({"ecog_ps": grade}) for grade in (0, 1, 2, 3, 4, 5)] == [0, 0, 0, 1, 1, None]
    assert ecog.missing({"ecog_ps": 5}) == ("ecog_ps",)


@pytest.mark.parametrize(
    ("changes", "points"),
    [
        ({}, 0),
        ({"crp_mg_dl": Decimal("0.40")}, 1),
        ({"crp_mg_dl": Decimal("0.39")}, 0),
        ({"ldh_iu_l": 250}, 1),
        ({"albumin_g_dl": Decimal("3.6")}, 1),
        ({"albumin_g_dl": Decimal("3.7")}, 0),
        ({"platelets_1000_ul": 99}, 2),
        ({"calcium_mg_dl": Decimal("10.3")}, 2),
        ({"bilirubin_mg_dl": Decimal("1.4")}, 2),
        ({"bilirubin_mg_dl": Decimal("1.4"), "crp_mg_dl": Decimal("5.00")}, 2),  # critical outranks abnormal
        ({"bilirubin_mg_dl": Decimal("1.4"), "crp_mg_dl": None, "platelets_1000_ul": None}, 2),
        ({"platelets_1000_ul": None, "crp_mg_dl": Decimal("5.00")}, None),
        ({"ldh_iu_l": None, "crp_mg_dl": Decimal("5.00")}, 1),
        ({"ldh_iu_l": None}, None),
    ],
)
def test_the_laboratory_of_katagiri(changes, points):
    laboratory = KATAGIRI.terms[2]
    assert laboratory.compute(NORMAL | changes) == points
    assert bool(laboratory.missing(NORMAL | changes)) == (points is None)


def test_nesms_is_capped_and_provisional():
    assert NESMS.provisional
    assert not any(score.provisional for score in scores.SCORES if score is not NESMS)
    assert NESMS.compute(BEST) == 3  # 2 + 1 + 1
    assert NESMS.compute(BEST | {"albumin_g_dl": Decimal("3.5"), "walks_independently": 0}) == 3
    assert NESMS.compute(BEST | {"albumin_g_dl": Decimal("3.4"), "walks_independently": 0}) == 2
    low = BEST | {"primary_detail": "lung", "skeletal_metastases": 2}
    assert (BAUER.compute(low), NESMS.compute(low)) == (1, 2)
    assert NESMS.missing(BEST | {"visceral_spread": None}) == ("visceral_spread",)


@pytest.mark.parametrize(
    ("score", "bands"),
    [
        (TOMITA, {2: 0, 3: 0, 4: 1, 5: 1, 6: 2, 7: 2, 8: 3, 10: 3}),
        (BAUER, {0: 0, 1: 0, 2: 1, 3: 2, 4: 2}),
        (KATAGIRI, {0: 0, 3: 0, 4: 1, 6: 1, 7: 2, 10: 2}),
    ],
)
def test_the_bands_of_a_score(score, bands):
    assert {value: [label for _, label in score.bands].index(score.band(value)) for value in bands} == bands
    assert score.band(None) is None


def test_charlson_counts_the_higher_grade_and_age():
    full, without = (catalogue.derived(name) for name in ("cci_full", "cci_without_cancer"))
    items = catalogue.instrument("charlson").items
    assert (len(items), full.compute({item.name: max(item.codes) for item in items})) == (16, 33)
    answers = {item.name: 0 for item in items} | {"cci_tumour": 6, "cci_liver": 3}
    assert (full.compute(answers), without.compute(answers)) == (9, 3)
    ages = {49: 9, 50: 10, 59: 10, 60: 11, 70: 12, 79: 12, 80: 13}
    for age, expected in ages.items():
        assert CHARLSON_WITH_AGE.compute({"cci_full": 9, "age_at_surgery": age}) == expected
    assert CHARLSON_WITH_AGE.missing({"cci_full": 9}) == ("age_at_surgery",)


@pytest.mark.parametrize(
    ("mapping", "grades"),
    [
        (kps.MA_2010, {100: 0, 90: 1, 80: 1, 70: 2, 60: 2, 50: 3, 40: 3, 30: 4, 20: 4, 10: 4}),
        (kps.PRASAD_2018, {100: 0, 90: 1, 80: 1, 70: 2, 60: 3, 50: 3, 40: 4, 30: 4, 20: 4, 10: 4}),
    ],
)
def test_the_ecog_grades_published_for_kps(mapping, grades):
    assert {points: mapping.grades(points) for points in grades} == {
        points: (grade,) for points, grade in grades.items()
    }
    assert [mapping.grades(answer) for answer in (0, None)] == [(), ()]
    for points, grade in grades.items():
        low, high = mapping.kps(grade)
        assert low <= points <= high
    assert mapping.kps(5) is None


def test_buccheri_publishes_two_grades_for_most_of_kps():
    """Buccheri G, et al. Eur J Cancer 1996;32A:1135–1141: 80–100 is ECOG 0–1, 60–70 is 2, below 60 is 3–4."""
    expected = {100: (0, 1), 80: (0, 1), 70: (2,), 60: (2,), 50: (3, 4), 10: (3, 4), 0: ()}
    assert {points: kps.BUCCHERI_1996.grades(points) for points in expected} == expected


def test_kps_and_ecog_agree_where_any_mapping_says_so():
    assert kps.agree(60, 2) and kps.agree(60, 3)
    assert not kps.agree(60, 1)
    assert kps.agree(90, 0) and kps.agree(100, 1) and kps.agree(50, 4)  # Buccheri alone
    assert not kps.agree(70, 0) and not kps.agree(60, 4)
    assert kps.agree(0, 5) and not kps.agree(0, 4) and not kps.agree(50, 5)


def test_the_tokuhashi_points_of_kps():
    """Tokuhashi 2005, doi:10.1097/01.brs.0000180401.06919.a5: 10–40 poor, 50–70 moderate, 80–100 good."""
    codes = [code for code in catalogue.item("kps").codes if code]
    assert [kps.tokuhashi(code) for code in codes] == [2, 2, 2, 1, 1, 1, 0, 0, 0, 0]


def test_a_corrected_angle_and_its_loss():
    angles = {"before": (Decimal("21.5"), "supine"), "after": (Decimal("9.0"), "supine"), "later": (None, "supine")}
    assert cobb.CORRECTION.compute(angles) == Decimal("12.5")
    assert cobb.LOSS.compute(angles | {"later": (Decimal("13.5"), "supine")}) == Decimal("4.5")
    assert cobb.LOSS.compute(angles) is None
    for posture in ("standing", None):
        assert cobb.CORRECTION.compute(angles | {"before": (Decimal("21.5"), posture)}) is None


def test_high_grades_of_escc_compress_the_cord():
    assert [escc.is_high(code) for code in catalogue.item("escc").codes] == [False] * 4 + [True] * 2
    assert escc.is_high(None) is None


def test_details_of_the_primary_belong_to_a_tumour():
    tumours = catalogue.item("primary_tumour").codes
    for detail in catalogue.item("primary_detail").codes:
        assert any(prognosis.fits(detail, tumour) for tumour in tumours)
    assert prognosis.fits("colon", "digestive") and not prognosis.fits("colon", "lung")


def _tumours_of(detail):
    return {tumour for tumour in catalogue.item("primary_tumour").codes if prognosis.fits(detail, tumour)}


def test_the_segment_study_groups_what_it_does_not_name_as_other():
    """Segi 2024, doi:10.1177/21925682241297948: nine groups; digestive is tract, liver, gallbladder, pancreas."""
    for detail in ("uterus", "bladder", "melanoma", "sarcoma"):
        assert _tumours_of(detail) == {"other"}
    assert _tumours_of("neuroendocrine") == {"other", "digestive"}
    assert _tumours_of("other") == {"other", "digestive", "hematological"}
    assert _tumours_of("gallbladder") == {"digestive"} and _tumours_of("myeloma_lymphoma") == {"hematological"}


def test_the_tokuhashi_points_of_each_primary_are_some_that_its_tumour_may_have():
    """Tokuhashi 2005, doi:10.1097/01.brs.0000180401.06919.a5, the row of the primary site."""
    assert set(prognosis.TOKUHASHI_PRIMARY) == set(catalogue.item("primary_detail").codes)
    for detail, points in prognosis.TOKUHASHI_PRIMARY.items():
        assert all(points & PRIMARY_OF_TUMOUR[tumour] for tumour in _tumours_of(detail)), detail
