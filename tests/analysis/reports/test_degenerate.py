"""Data that determine little or nothing: a statistic that does not exist is null, with a reason; no other suffers."""

import pytest

from registry.analysis.design import cohorts, plans
from registry.analysis.documents import files
from registry.analysis.presentation import narrative
from registry.analysis.running import runner
from registry.instruments import value_sets
from tests.analysis.conftest import answers, patient, typed

LESIONS = {"cervical": ("C3",), "thoracic": ("T6",), "tls": ("L1",)}
TABLES = ("characteristics", "recovery", "adverse_events", "between_groups", "eq5d_domains")


@pytest.fixture
def compare(as_system):
    def run(cohort=cohorts.SEGI2024, **changes):
        with as_system():
            return runner.compare(plans.segment_comparison(**changes), cohort)

    return run


def row(result, table, variable, **where):
    return next(
        item
        for item in result[table]
        if item["variable"] == variable and all(item[name] == value for name, value in where.items())
    )


def missing_p(result):
    """Every place without a P, and whether it says why."""
    for table in TABLES:
        for item in result[table]:
            for field in [name for name in item if name == "p" or (name.startswith("p_") and name != "p_raw")]:
                reason = item.get("reason" + field.removeprefix("p"))
                if isinstance(item[field], dict):
                    yield from (((reason or {}).get(pair), p) for pair, p in item[field].items())
                else:
                    yield reason, item[field]


def assert_every_gap_has_a_reason(result):
    for reason, p in missing_p(result):
        assert (reason is None) == (p is not None)
        assert p is not None or reason.startswith("not estimable because ")


@pytest.mark.parametrize("format", files.FORMATS)
def test_an_empty_registry(db, compare, format):
    result = compare()
    assert [step["n"] for step in result["cohort"]["flow"]] == [0, 0, 0, 0]
    assert all(p is None for _, p in missing_p(result))
    assert_every_gap_has_a_reason(result)
    assert narrative.answer(typed(result)) == ["No patient came into this comparison."]
    assert files.renderer(format)(typed(result), "en")


def test_one_group_has_its_own_recovery_but_nobody_to_be_compared_with(stored, compare):
    stored([patient(visits={"preop": answers(pain_vas_mm=50 + i), "1m": answers(pain_vas_mm=i)}) for i in range(8)])
    result = compare()
    assert_every_gap_has_a_reason(result)
    assert row(result, "recovery", "pain_vas_mm", group="thoracic")["p"] < 0.05
    assert row(result, "recovery", "pain_vas_mm", group="tls")["p"] is None
    assert row(result, "characteristics", "age_at_surgery")["reason"] == (
        "not estimable because fewer than two groups have observations"
    )
    between = row(result, "between_groups", "pain_vas_mm", timepoint="1m")
    assert set(between["p"].values()) == {None} and set(between["reason"]) == set(between["p"])
    assert between["groups"]["cervical"] == dict.fromkeys(["mean", "sd", "median", "q1", "q3", "min", "max"]) | {
        "n": 0,
        "missing": 0,
    }


def test_two_groups_leave_one_pair(stored, compare):
    stored(
        [
            patient(lesion_levels=LESIONS[group], visits={"1m": answers(pain_vas_mm=base + i, frankel="AE"[i % 2])})
            for group, base in (("cervical", 10), ("tls", 60))
            for i in range(6)
        ]
    )
    result = compare()
    assert_every_gap_has_a_reason(result)
    for name in ("pain_vas_mm", "frankel_abc"):
        between = row(result, "between_groups", name, timepoint="1m")
        assert [pair for pair, p in between["p"].items() if p is not None] == ["cervical_vs_tls"]
    assert row(result, "between_groups", "pain_vas_mm", timepoint="1m")["p"]["cervical_vs_tls"] < 0.001


def test_values_that_do_not_vary(stored, compare):
    """R: fisher.test of a table with an empty column gives P = 1; aov and TukeyHSD of constants give NaN."""
    visits = {"preop": answers("11111", 100, pain_vas_mm=0, frankel="E"), "1m": answers("11111", 100, pain_vas_mm=0)}
    stored([patient(lesion_levels=LESIONS[group], visits=visits) for group in LESIONS for _ in range(4)])
    result = compare()
    assert_every_gap_has_a_reason(result)
    age = row(result, "characteristics", "age_at_surgery")
    assert (age["p"], age["reason"]) == (None, "not estimable because the values do not vary")
    sex = row(result, "characteristics", "sex")
    assert (sex["p"], sex["p_chi_square"]) == (1, None)
    assert sex["reason_chi_square"] == "not estimable because a row or a column of the table is empty"
    assert row(result, "recovery", "hsuv", group="tls")["reason"] == "not estimable because every difference is zero"
    assert set(row(result, "between_groups", "frankel_abc", timepoint="preop")["p"].values()) == {1}


def test_one_patient_a_group_has_a_mean_and_no_spread(stored, compare):
    stored([patient(lesion_levels=LESIONS[group], age_at_surgery=60 + i) for i, group in enumerate(LESIONS)])
    result = compare()
    assert_every_gap_has_a_reason(result)
    age = row(result, "characteristics", "age_at_surgery")
    assert (age["groups"]["tls"]["mean"], age["groups"]["tls"]["sd"]) == (62, None)
    assert age["reason"] == "not estimable because there are too few observations"


def test_all_missing(stored, compare):
    nothing = dict.fromkeys(
        ["sex", "primary_tumour", "operative_time_min", "blood_loss_ml", "age_at_surgery", "vital_status"]
    )
    stored([patient(lesion_levels=LESIONS[group], **nothing) for group in LESIONS for _ in range(3)])
    result = compare()
    assert_every_gap_has_a_reason(result)
    for name in ("sex", "blood_loss_ml", "died"):
        row_of_name = row(result, "characteristics", name)
        assert (row_of_name["p"], [group["n"] for group in row_of_name["groups"].values()]) == (None, [0, 0, 0])
        assert [group["missing"] for group in row_of_name["groups"].values()] == [3, 3, 3]


def test_a_death_without_a_date_is_followed_to_the_last_contact_and_unknown_follow_up_is_left_out(stored, compare):
    stored(
        [
            patient(vital_status="dead", death_date=None),
            patient(last_contact_date=None),
            patient(last_contact_date=None, visits={"1m": answers(pain_vas_mm=1)}),
            patient(surgery_date=None),
        ]
    )
    flow = compare()["cohort"]["flow"]
    assert (flow[-1]["n"], flow[-1]["excluded"]) == (2, 2)


def test_a_partly_answered_eq5d_counts_in_its_dimensions_and_has_no_value(stored, compare):
    stored([patient(visits={"1m": {"eq5d_mobility": 3, "eq5d_self_care": 1}})])
    result = compare()
    mobility = row(result, "eq5d_domains", "eq5d_mobility", timepoint="1m")["groups"]["thoracic"]
    assert mobility == {"n": 1, "missing": 0, "counts": {"1": 0, "2": 0, "3": 1, "4": 0, "5": 0}}
    assert row(result, "eq5d_domains", "eq5d_usual_activities", timepoint="1m")["groups"]["thoracic"]["missing"] == 1
    assert row(result, "between_groups", "hsuv", timepoint="1m")["groups"]["thoracic"]["missing"] == 1


def test_a_dead_patient_has_no_performance_status(stored, compare):
    stored([patient(visits={"1m": answers(ecog_ps=status)}) for status in (2, 3, 5)])
    group = row(compare(), "between_groups", "ecog_ps_over_2", timepoint="1m")["groups"]["thoracic"]
    assert group == {"n": 2, "missing": 1, "counts": {">2": 1, "<=2": 1}}


def test_what_was_adjudicated_goes_before_the_rule(stored, compare):
    stored([patient(), patient(segment_adjudicated="tls"), patient(segment_adjudicated="multisegment")])
    cohort = compare()["cohort"]
    assert (cohort["n"], cohort["groups"]) == (2, {"cervical": 0, "thoracic": 1, "tls": 1})


def test_another_segment_rule(stored, compare):
    stored([patient(lesion_levels=("T9", "T10", "T11")), patient(lesion_levels=("T10", "T11"))])
    majority = {"segment_rule": "majority", "tl_starts_at": "T11", "majority_tie": "away_from_thoracic"}
    assert compare()["cohort"]["groups"] == {"cervical": 0, "thoracic": 0, "tls": 2}
    other = compare(segment_rule=tuple(majority.items()))
    assert other["cohort"]["groups"] == {"cervical": 0, "thoracic": 1, "tls": 1}
    assert other["method"]["segment_rule"] == "majority/T11/away_from_thoracic/1"


@pytest.mark.parametrize(
    ("state", "value"),
    [("11111", 1.0), ("55555", -0.025449), ("45344", value_sets.get("JP").hsuv(45344))],
)
def test_the_value_of_a_state(stored, compare, state, value):
    stored([patient(visits={"1m": answers(state)})])
    group = row(compare(), "between_groups", "hsuv", timepoint="1m")["groups"]["thoracic"]
    assert group["mean"] == pytest.approx(value, abs=1e-12)


def test_floating_point_does_not_break_ties(stored, compare):
    """Four equal gains of HSUV by different states: R: wilcox.test(rep(.1, 4), exact = FALSE)$p.value is 0.07186064."""
    stored([patient(visits={"preop": answers(eq_vas=v), "1m": answers(eq_vas=v + 10)}) for v in (10, 33, 57, 81)])
    tested = row(compare(), "recovery", "eq_vas", group="thoracic")
    assert (tested["p"], tested["pairs"]) == (pytest.approx(0.07186064, abs=1e-8), 4)
