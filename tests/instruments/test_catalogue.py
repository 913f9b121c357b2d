"""The wire format: names, order and codes that other systems rely on. Typed here on purpose, to notice a change."""

import pytest

from registry.instruments import catalogue

PATIENTS = """
patient_id site_code sex birth_date consent_date primary_tumour lesion_levels procedure surgery_date operative_time_min
blood_loss_ml tokuhashi_general_condition tokuhashi_extraspinal_bone tokuhashi_vertebral tokuhashi_organs
tokuhashi_primary tokuhashi_palsy sins_location sins_pain sins_bone_lesion sins_alignment sins_collapse
sins_posterolateral last_contact_date vital_status death_date
"""
ASSESSMENTS = """
patient_id timepoint assessment_date frankel ecog_ps pain_vas_mm barthel_feeding barthel_bathing barthel_grooming
barthel_dressing barthel_bowels barthel_bladder barthel_toilet barthel_transfer barthel_mobility barthel_stairs
eq5d_mobility eq5d_self_care eq5d_usual_activities eq5d_pain_discomfort eq5d_anxiety_depression eq_vas
"""
ADVERSE_EVENTS = """
patient_id kind onset_date clavien_dindo detail ae_seriousness ae_relatedness ae_expectedness ae_outcome ae_end_date
ae_ctcae_grade ae_meddra_code ae_term
"""


def test_columns_are_those_of_the_wire_format_in_its_order():
    assert tuple(PATIENTS.split()) == catalogue.PATIENT_COLUMNS
    assert tuple(ASSESSMENTS.split()) == catalogue.ASSESSMENT_COLUMNS
    assert tuple(ADVERSE_EVENTS.split()) == catalogue.ADVERSE_EVENT_COLUMNS


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("sex", ("male", "female")),
        (
            "primary_tumour",
            ("lung", "digestive", "renal", "breast", "prostate", "hematological", "thyroid", "unknown", "other"),
        ),
        ("procedure", ("psf", "pps", "decompression", "anterior", "bkp", "tes")),
        ("vital_status", ("alive", "dead")),
        ("timepoint", ("preop", "1m", "3m", "6m", "12m", "24m")),
        ("frankel", ("A", "B", "C", "D", "E")),
        ("ecog_ps", (0, 1, 2, 3, 4, 5)),
        ("barthel_feeding", (0, 5, 10)),
        ("barthel_bathing", (0, 5)),
        ("barthel_grooming", (0, 5)),
        ("barthel_dressing", (0, 5, 10)),
        ("barthel_bowels", (0, 5, 10)),
        ("barthel_bladder", (0, 5, 10)),
        ("barthel_toilet", (0, 5, 10)),
        ("barthel_transfer", (0, 5, 10, 15)),
        ("barthel_mobility", (0, 5, 10, 15)),
        ("barthel_stairs", (0, 5, 10)),
        ("eq5d_pain_discomfort", (1, 2, 3, 4, 5)),
        ("tokuhashi_primary", (0, 1, 2, 3, 4, 5)),
        ("tokuhashi_palsy", (0, 1, 2)),
        ("sins_location", (0, 1, 2, 3)),
        ("sins_pain", (0, 1, 3)),
        ("sins_bone_lesion", (0, 1, 2)),
        ("sins_alignment", (0, 2, 4)),
        ("sins_collapse", (0, 1, 2, 3)),
        ("sins_posterolateral", (0, 1, 3)),
    ],
)
def test_codes_are_those_of_the_wire_format(name, codes):
    assert catalogue.item(name).codes == codes


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "unit"),
    [
        ("pain_vas_mm", 0, 100, "mm"),
        ("eq_vas", 0, 100, ""),
        ("operative_time_min", 1, 2880, "min"),
        ("blood_loss_ml", 0, 50_000, "mL"),
    ],
)
def test_ranges_and_units(name, lowest, highest, unit):
    item = catalogue.item(name)
    assert (item.minimum, item.maximum, item.unit) == (lowest, highest, unit)


def test_the_two_scales_from_0_to_100_say_which_end_is_good():
    assert catalogue.instrument("pain_vas").higher_is == "worse"
    assert catalogue.instrument("eq_vas").higher_is == "better"
    for name in ("pain_vas_mm", "eq_vas"):
        assert catalogue.item(name).low_anchor
        assert catalogue.item(name).high_anchor
        assert catalogue.item(name).hint


def test_ecog_5_is_stored_but_not_offered():
    ecog = catalogue.item("ecog_ps")
    assert ecog.clean("5") == 5
    assert [choice.code for choice in ecog.form_choices] == [0, 1, 2, 3, 4]
    assert catalogue.item("frankel").form_choices == catalogue.item("frankel").choices


def test_identifying_items_are_marked():
    names = catalogue.PATIENT_COLUMNS + catalogue.ASSESSMENT_COLUMNS + catalogue.ADVERSE_EVENT_COLUMNS
    assert {name for name in names if catalogue.item(name).identifying} == {"birth_date", "detail", "ae_term"}


def test_look_up_by_name(db):
    assert catalogue.instrument("barthel").title.en == "Barthel index"
    assert catalogue.derived("barthel_total").maximum == 100
    assert catalogue.instrument_of("barthel_total") is catalogue.instrument("barthel")
    assert catalogue.instrument_of("sins_pain") is catalogue.instrument("sins")
    for look_up in (catalogue.instrument, catalogue.item, catalogue.derived, catalogue.instrument_of):
        with pytest.raises(KeyError):
            look_up("nonsense")


def answers(instrument, codes):
    return dict(zip((item.name for item in catalogue.instrument(instrument).items), codes, strict=True))


def test_totals_classes_and_the_state():
    derived = catalogue.derive(
        answers("barthel", (10, 5, 5, 10, 10, 5, 10, 15, 15, 5))
        | answers("eq5d5l", (2, 1, 2, 3, 2))
        | answers("tokuhashi", (2, 1, 0, 2, 5, 2))
        | answers("sins", (3, 3, 2, 0, 1, 1))
    )
    assert derived == {
        "barthel_total": 90,
        "eq5d_state": 21232,
        "tokuhashi_total": 12,
        "tokuhashi_prognosis": "at_least_1_year",
        "sins_total": 10,
        "sins_class": "potentially_unstable",
    } | {derived.name: None for extra in catalogue.INSTRUMENTS if extra.optional for derived in extra.derived}


@pytest.mark.parametrize(
    ("name", "items", "classes"),
    [
        (
            "sins_class",
            ("sins_location", "sins_alignment"),
            {0: "stable", 6: "stable", 7: "potentially_unstable", 12: "potentially_unstable", 13: "unstable"},
        ),
        (
            "tokuhashi_prognosis",
            ("tokuhashi_primary", "tokuhashi_palsy"),
            {8: "under_6_months", 9: "at_least_6_months", 11: "at_least_6_months", 12: "at_least_1_year"},
        ),
    ],
)
def test_the_published_cuts(name, items, classes):
    """SINS: Fisher 2010. Tokuhashi: Tokuhashi 2005. A class depends on the sum alone, so one item carries it."""
    derived = catalogue.derived(name)
    for total, code in classes.items():
        assert derived.compute(dict.fromkeys(derived.items, 0) | {items[0]: total}) == code
