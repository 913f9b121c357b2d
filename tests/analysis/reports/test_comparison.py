"""The comparison against the slow obvious version, row by row, and against the contract, key by key."""

import itertools
import json

import pytest
from scipy import stats

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner
from registry.instruments import variables
from tests.analysis.reports import slow
from tests.analysis.reports.slow import GROUPS, PAIRS, counted, described, grouped, known, value

CHARACTERISTICS = [
    "age_at_surgery", "sex", "primary_tumour", "tokuhashi_total", "sins_total", "sins_class",
    "procedure", "operative_time_min", "blood_loss_ml", "followup_months", "died",
]  # fmt: skip
OUTCOMES = ["frankel_abc", "ecog_ps_over_2", "pain_vas_mm", "barthel_total", "hsuv", "eq_vas"]
DELTAS = {"pain_vas_mm", "barthel_total", "hsuv", "eq_vas"}


def compare(as_system, cohort=cohorts.SEGI2024, **changes):
    with as_system():
        return runner.compare(plans.segment_comparison(**changes), cohort)


@pytest.fixture
def patients(compared_patients):
    return [patient for patient in compared_patients if slow.in_cohort(patient)]


@pytest.fixture
def result(compared_result):
    return compared_result


def categories(name):
    return [str(choice.code) for choice in variables.get(name).categories]


def agree(actual, expected):
    assert {name: actual[name] for name in expected} == pytest.approx(expected, rel=1e-9), expected


def test_the_flow_adds_up_and_equals_a_recount(compared_patients, patients, result):
    flow = result["cohort"]["flow"]
    assert flow[0] == {"step": "enrolled", "label": "Enrolled", "n": len(compared_patients)}
    assert flow[-1]["n"] == result["cohort"]["n"] == len(patients) == sum(result["cohort"]["groups"].values())
    for before, step in itertools.pairwise(flow):
        assert before["n"] == step["n"] + step["excluded"]
        assert step["reason"]
    assert result["cohort"]["groups"] == {group: len(ones) for group, ones in grouped(patients).items()}


def test_the_contract_of_the_result(result):
    assert list(result) == [
        "cohort", "method", "characteristics", "recovery", "adverse_events", "between_groups", "eq5d_domains",
        "figures", "survival", "eq5d_report", "lesion_levels", "sins_by_procedure",
    ]  # fmt: skip
    method = result["method"]
    assert (method["value_set"], method["segment_rule"]) == ("JP", "any_involvement/T11/1")
    assert method["snapshot"].startswith("sha256:") and "SciPy" in method["software"]
    assert [row["variable"] for row in result["characteristics"]] == CHARACTERISTICS
    assert [(row["variable"], row["group"]) for row in result["recovery"]] == [
        (name, group) for name in OUTCOMES for group in GROUPS
    ]
    assert [row["variable"] for row in result["adverse_events"]] == ["ssi_or_wound", "neurological"]
    assert [(row["variable"], row["timepoint"]) for row in result["between_groups"]] == [
        (name, timepoint) for name in OUTCOMES for timepoint in ("preop", "1m", *(("delta",) if name in DELTAS else ()))
    ]
    assert [row["timepoint"] for row in result["eq5d_domains"]] == ["preop", "1m"] * 5


def test_the_contract_of_the_rows(result):
    kinds = {"characteristics": set(), "recovery": {"group", "timepoint", "pairs", "baseline", "followup"},
             "adverse_events": set(), "between_groups": {"timepoint"}, "eq5d_domains": {"timepoint"}}  # fmt: skip
    for table, more in kinds.items():
        for row in result[table]:
            fields = {"variable", "kind", "test", "p"} | more | (set() if table == "recovery" else {"groups"})
            assert fields <= set(row), (table, row["variable"])
            cells = [row["baseline"], row["followup"]] if table == "recovery" else list(row["groups"].values())
            for group in cells:
                assert {"n", "missing"} | ({"mean", "sd"} if row["kind"] == "continuous" else {"counts"}) <= set(group)
    pairs = {"cervical_vs_thoracic", "thoracic_vs_tls", "cervical_vs_tls"}
    for row in (*result["between_groups"], *result["eq5d_domains"]):
        assert set(row["p"]) == pairs
        if row["kind"] == "categorical":
            assert row["test"] == "fisher_exact" and row["adjust"] == "benjamini_hochberg"
            assert set(row["p_raw"]) == pairs
        else:
            assert row["test"] == "tukey_hsd"
    for row in (*result["characteristics"], *result["adverse_events"]):
        assert row["test"] == ("anova" if row["kind"] == "continuous" else "fisher_exact")
        assert ("p_chi_square" in row) == (row["kind"] == "categorical")
    for row in result["recovery"]:
        assert row["test"] == ("wilcoxon_signed_rank" if row["kind"] == "continuous" else "fisher_exact")
        assert ("p_mcnemar" in row) == (row["kind"] == "categorical")
    assert [set(group["counts"]) for row in result["eq5d_domains"] for group in row["groups"].values()] == [
        set("12345")
    ] * 30


def test_a_result_is_plain_json(result):
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("table", ["characteristics", "adverse_events"])
def test_characteristics_and_events_equal_the_slow_version(patients, result, table):
    for row in result[table]:
        name, samples = row["variable"], {}
        for group, ones in grouped(patients).items():
            values = [value(patient, name) for patient in ones]
            if row["kind"] == "continuous":
                agree(row["groups"][group], described(values))
                samples[group] = known(values)
            else:
                expected = counted(values, categories(name))
                assert row["groups"][group] == expected
                samples[group] = list(expected["counts"].values())
        if row["kind"] == "continuous":
            assert row["p"] == pytest.approx(stats.f_oneway(*samples.values()).pvalue, rel=1e-9)
        else:
            seen = [column for column in zip(*samples.values(), strict=True) if sum(column)]
            assert row["p_chi_square"] == pytest.approx(stats.chi2_contingency(seen, False).pvalue, rel=1e-9)
            if len(seen) == 2:
                assert row["p"] == pytest.approx(slow.fisher_of_two_rows(seen), rel=1e-9)


def test_recovery_equals_the_slow_version(patients, result):
    by_group = grouped(patients)
    for row in result["recovery"]:
        before, after = (
            [value(patient, row["variable"], timepoint) for patient in by_group[row["group"]]]
            for timepoint in ("preop", "1m")
        )
        both = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
        assert row["pairs"] == len(both)
        if row["kind"] == "continuous":
            agree(row["baseline"], described(before))
            agree(row["followup"], described(after))
            assert row["p"] == pytest.approx(slow.wilcoxon(*zip(*both, strict=True)), rel=1e-9)
            continue
        names = categories(row["variable"])
        assert row["baseline"] == counted(before, names)
        assert row["followup"] == counted(after, names)
        table = [list(row[part]["counts"].values()) for part in ("baseline", "followup")]
        assert row["p"] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)
        worse, better = both.count((names[1], names[0])), both.count((names[0], names[1]))
        statistic = (abs(worse - better) - 1) ** 2 / (worse + better) if worse != better else 0
        assert row["p_mcnemar"] == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-9)


def test_comparison_between_groups_equals_the_slow_version(patients, result):
    for row in result["between_groups"]:
        name, samples = row["variable"], {}
        for group, ones in grouped(patients).items():
            if row["timepoint"] == "delta":
                before, after = ([value(patient, name, when) for patient in ones] for when in ("preop", "1m"))
                values = [None if a is None or b is None else b - a for a, b in zip(before, after, strict=True)]
            else:
                values = [value(patient, name, row["timepoint"]) for patient in ones]
            if row["kind"] == "continuous":
                agree(row["groups"][group], described(values))
                samples[group] = known(values)
            else:
                assert row["groups"][group] == counted(values, categories(name))
                samples[group] = list(row["groups"][group]["counts"].values())
        if row["kind"] == "continuous":
            assert list(row["p"].values()) == pytest.approx(slow.tukey(samples), abs=1e-8)
        else:
            raw, adjusted = slow.pairwise_fisher(samples)
            assert list(row["p_raw"].values()) == pytest.approx(raw, rel=1e-9)
            assert list(row["p"].values()) == pytest.approx(list(adjusted), rel=1e-9)


def test_eq5d_domains_equal_the_slow_version(patients, result):
    for row in result["eq5d_domains"]:
        tables = {}
        for group, ones in grouped(patients).items():
            values = [value(patient, row["variable"], row["timepoint"]) for patient in ones]
            expected = counted([None if v is None else str(v) for v in values], list("12345"))
            assert row["groups"][group] == expected
            tables[group] = list(expected["counts"].values())
        raw = []
        for a, b in PAIRS:
            exact = row["p_raw"][f"{a}_vs_{b}"]
            assert exact == pytest.approx(slow.fisher_of_two_rows([tables[a], tables[b]]), rel=1e-9)
            raw.append(exact)
        assert list(row["p"].values()) == pytest.approx(list(stats.false_discovery_control(raw)), rel=1e-12)


def test_all_enrolled_may_be_compared_and_some_are_in_no_group(random_patients, as_system):
    result = compare(as_system, cohorts.ALL)
    grouped_n = sum(len(ones) for ones in grouped(random_patients).values())
    assert [step["step"] for step in result["cohort"]["flow"]] == ["enrolled"]
    assert (result["cohort"]["n"], result["cohort"]["in_no_group"]) == (
        len(random_patients),
        len(random_patients) - grouped_n,
    )


def test_further_value_sets_are_a_sensitivity_analysis(patients, random_patients, as_system, result):
    both = compare(as_system, value_sets=("JP", "UK"))
    assert both["recovery"] == result["recovery"]
    (uk,) = both["sensitivity"]
    expected = [slow.hsuv(patient["visits"].get("1m", {}), "UK") for patient in grouped(patients)["tls"]]
    agree(uk["between_groups"][1]["groups"]["tls"], described(expected))
    assert uk["recovery"] == compare(as_system, value_sets=("UK",))["recovery"][12:15]


def test_running_again_gives_the_same_result_whatever_the_order_of_rows(random_patients, as_system):
    from django.db import connection

    result = compare(as_system)
    assert compare(as_system) == result
    with as_system(), connection.cursor() as cursor:  # a new version of each row at the end of the table
        cursor.execute("UPDATE registry_patient SET baseline_state = baseline_state WHERE sex = 'male'")
    assert compare(as_system) == result


def test_a_changed_value_changes_the_fingerprint(random_patients, as_system):
    from registry.models import Patient

    result = compare(as_system)
    with as_system():
        Patient.objects.filter(sex="male").order_by("pk")[:1].get()
        patient = Patient.objects.order_by("pk").first()
        Patient.objects.filter(pk=patient.pk).update(age_at_surgery=(patient.age_at_surgery or 50) + 1)
    assert compare(as_system)["method"]["snapshot"] != result["method"]["snapshot"]


def test_a_person_sees_the_patients_of_the_own_site_only(random_patients, as_person, alice, charlie):
    plan = plans.SEGMENT_COMPARISON
    with as_person(alice):
        assert runner.compare(plan, cohorts.ALL)["cohort"]["n"] == len(random_patients)
    with as_person(charlie):
        assert runner.compare(plan, cohorts.ALL)["cohort"]["n"] == 0
