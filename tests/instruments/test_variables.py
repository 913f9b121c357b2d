import pytest

from registry.instruments import catalogue, variables
from registry.instruments.base import MISSING_REASONS
from registry.instruments.core.adverse_events import KINDS


def test_the_comparison_has_its_variables_in_the_order_of_print():
    assert [variable.name for variable in variables.OUTCOMES] == [
        "frankel_abc",
        "ecog_ps_over_2",
        "pain_vas_mm",
        "barthel_total",
        "hsuv",
        "eq_vas",
    ]
    assert [variable.name for variable in variables.CHARACTERISTICS] == [
        "age_at_surgery",
        "sex",
        "primary_tumour",
        "tokuhashi_total",
        "sins_total",
        "sins_class",
        "procedure",
        "operative_time_min",
        "blood_loss_ml",
        "followup_months",
        "died",
    ]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("frankel_abc", {"A": "A/B/C", "B": "A/B/C", "C": "A/B/C", "D": "D/E", "E": "D/E", None: None}),
        ("ecog_ps_over_2", {0: "<=2", 1: "<=2", 2: "<=2", 3: ">2", 4: ">2", 5: None, None: None}),
        ("died", {"dead": "yes", "alive": "no", None: None}),
    ],
)
def test_a_recode_puts_every_code_in_a_group_or_says_why_not(name, groups):
    variable = variables.get(name)
    recode = variable.recode
    assert {code: recode(code) for code in groups} == groups
    assert {*recode.groups, *recode.missing} == set(catalogue.item(recode.source).codes)
    assert {category.code for category in variable.categories} == set(recode.groups.values())
    assert set(recode.missing.values()) <= set(MISSING_REASONS)
    with pytest.raises(KeyError):
        recode("nonsense")


def test_the_dead_have_no_performance_status():
    assert variables.get("ecog_ps_over_2").recode.missing == {5: "dead"}


@pytest.mark.parametrize("variable", variables.VARIABLES, ids=lambda variable: variable.name)
def test_every_variable_can_be_printed(variable):
    assert variable.label.en
    assert variable.label.ja
    assert (variable.kind == "categorical") == bool(variable.categories)
    assert variable.kind in ("categorical", "continuous")
    assert variables.get(variable.name) is variable


def test_a_change_is_printed_like_its_variable():
    delta = variables.get("delta_hsuv")
    assert (delta.name, delta.label.en, delta.decimals, delta.higher_is) == (
        "delta_hsuv",
        "Δ EQ-5D-5L value (HSUV)",
        3,
        "better",
    )
    assert variables.get("delta_pain_vas_mm").unit == "mm"
    with pytest.raises(ValueError, match="not continuous"):
        variables.get("delta_frankel_abc")
    with pytest.raises(KeyError):
        variables.get("nonsense")


def test_events_are_kinds_of_adverse_events():
    kinds = {choice.code for choice in KINDS}
    assert {kind for variable in variables.EVENTS for kind in variable.events} <= kinds
