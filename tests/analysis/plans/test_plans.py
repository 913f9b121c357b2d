"""Plans and cohorts as data: they go to JSON and back, and what does not fit is refused with what would."""

import json

import numpy as np
import pytest
from django.urls import reverse

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, groupings, methods, plans, thresholds
from registry.analysis.design import errors as design_errors
from registry.analysis.design.cohorts import Cohort, Step
from registry.analysis.presentation import narrative
from registry.analysis.running import runner, runs
from registry.instruments.base import Label
from registry.web.comparison.forms import ComparisonForm
from sites.tenancy.access import access_of
from tests.analysis.conftest import answers, patient, store, typed


def through_json(data):
    return json.loads(json.dumps(data))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"followups": ("3m", "12m"), "value_sets": ("NL", "UK"), "note": "x"},
        {"grouping": "sex", "overall_continuous": "t_test", "adjust": "holm", "pairwise_continuous": "mann_whitney"},
        {
            "grouping": "arms",
            "arms": groupings.Arms("procedure", ("psf", "pps"), ("bkp",)),
            "overall_continuous": "t_test",
        },
        {"segment_rule": (("segment_rule", "majority"), ("tl_starts_at", "T10"), ("majority_tie", "rostral"))},
    ],
)
def test_a_plan_goes_to_json_and_back(changes):
    plan = plans.segment_comparison(**changes)
    assert plans.from_json(through_json(plan.to_json())) == plan


@pytest.mark.django_db  # what fits are the visits of the registry's own schedule
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outcomes": ("karnofsky",)}, "outcomes: “karnofsky” does not fit; one of frankel_abc, ecog_ps_over_2"),
        ({"overall_continuous": "fisher_exact"}, "“fisher_exact” does not fit; one of anova, kruskal_wallis"),
        ({"overall_continuous": "t_test"}, "(t_test) compares two groups; Segment group (segment_group) has 3: use "),
        ({"deltas": ("frankel_abc",)}, "frankel_abc is no continuous variable among the outcomes"),
        ({"value_sets": ()}, "value_sets: name at least 1"),
        ({"followups": ("1m", "1m")}, "none twice"),
        ({"grouping": "eye_colour"}, "grouping: “eye_colour” does not fit; one of segment_group"),
        ({"segment_rule": (("tl_starts_at", "T9"),)}, "tl_starts_at must be one of T11, T10"),
        ({"alpha": 5}, "between 0 and 1"),
        ({"grouping": "arms"}, "arms: they belong to the grouping “arms”"),
        ({"arms": groupings.Arms("sex", ("male",), ("female",))}, "arms: they belong to the grouping “arms”"),
    ],
)
def test_what_does_not_fit_a_plan_is_refused(changes, says):
    with pytest.raises(ValueError, match="."):
        plans.segment_comparison(**changes)
    try:
        plans.segment_comparison(**changes)
    except ValueError as error:
        assert says in str(error)


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        (("eye_colour", ("blue",), ("brown",)), "“eye_colour” does not fit; one of segment_group, sex"),
        (("sex", ("male",), ()), "each arm needs at least one level of Sex (sex)"),
        (("sex", ("male",), ("male", "female")), "no level may be in both"),
        (("sex", ("male",), ("other",)), "from male (male), female (female)"),
    ],
)
def test_arms_that_are_none_are_refused(arms, says):
    with pytest.raises(design_errors.Refused) as caught:
        groupings.Arms(*arms)
    assert says in str(caught.value)
    assert caught.value.reason.ja.startswith("治療群")


@pytest.mark.parametrize("variable", list(groupings.ARM_VARIABLES))
def test_two_arms_are_the_levels_that_make_them(random_patients, as_system, variable):
    codes = [choice.code for choice in groupings.ARM_VARIABLES[variable].groups]
    arms = groupings.Arms(variable, tuple(codes[:1]), tuple(codes[1:]))
    few = {"characteristics": ("age_at_surgery",), "outcomes": ("eq_vas",), "deltas": (), "events": (), "domains": ()}
    plan = plans.segment_comparison(grouping="arms", arms=arms, overall_continuous="mann_whitney", **few)
    with as_system():
        result = runner.compare(plan, cohorts.SEGI2024)
        levels = runner.compare(plans.segment_comparison(grouping=variable, **few), cohorts.SEGI2024)
    sizes = levels["cohort"]["groups"]
    assert result["cohort"]["groups"] == {"arm_a": sizes[codes[0]], "arm_b": sum(sizes[code] for code in codes[1:])}
    assert result["cohort"]["in_no_group"] == levels["cohort"]["in_no_group"]
    assert result["method"]["arms"] == arms.to_json() and result["method"]["pairs"] == ["arm_a_vs_arm_b"]
    methods = narrative.methods(typed(result))
    assert "two arms" in methods.lower() and "Mann–Whitney U test" in methods and "Within each group" in methods
    assert "Between pairs of groups" not in narrative.methods(
        typed(result | {"between_groups": [], "eq5d_domains": []})
    )


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (lambda: plans.segment_comparison(outcomes=("karnofsky",)), "outcomes：「karnofsky」は使えません"),
        (
            lambda: plans.segment_comparison(overall_continuous="t_test"),
            "ですが、病変部位群（segment_group）は3群です。",
        ),
        (lambda: plans.from_json({"name": "x", "tests": []}), "計画にない項目です：tests"),
        (lambda: Step("of_good_cheer"), "「of_good_cheer」という段階はありません"),
        (lambda: Step("levels_within", {"first": "L1", "last": "T1"}), "L1はT1より下位です"),
        (lambda: Step("operated_from", {"first": "yesterday"}), "日付は2024-12-31のように"),
        (lambda: Step("measured", {"variable": "hsuv", "timepoint": "9m"}), "「9m」という時点はありません"),
    ],
)
def test_refusals_speak_japanese_too(refused, says, db):
    with pytest.raises(design_errors.Refused) as caught:
        refused()
    assert says in design_errors.sentence(caught.value, "ja")
    assert design_errors.sentence(caught.value, "en") == str(caught.value)


HIGH_AND_LOW = [
    {
        "code": "high",
        "label": {"en": "SINS 13 or more", "ja": "SINS 13以上"},
        "steps": [{"step": "at_least", "variable": "sins_total", "minimum": 13}],
    },
    {
        "code": "low",
        "label": {"en": "SINS 6 or less", "ja": "SINS 6以下"},
        "steps": [{"step": "at_most", "variable": "sins_total", "maximum": 6}],
    },
]
FEW = {"characteristics": ("age_at_surgery",), "events": (), "domains": (), "overall_continuous": "mann_whitney"}


def named_plan(groups=HIGH_AND_LOW, **changes):
    given = {"name": "segment_comparison", "grouping": "named", "named": groups} | FEW | changes
    return plans.from_json(through_json(given))


def test_named_groups_are_those_who_pass_the_steps(random_patients, as_system):
    plan = named_plan()
    assert plans.from_json(through_json(plan.to_json())) == plan
    with as_system():
        result = runner.compare(plan, cohorts.ALL)
    cohort = result["cohort"]
    assert list(cohort["groups"]) == ["high", "low"]
    assert sum(cohort["groups"].values()) + cohort["in_no_group"] == cohort["n"]
    high = cohorts.Cohort("high", "1", cohorts.ALL.label, plan.named.groups[0].steps)
    with as_system():
        alone = runner.compare(plans.SEGMENT_COMPARISON, high)
    assert cohort["groups"]["high"] == alone["cohort"]["n"] > 0
    assert cohort["groups"]["low"] > 0
    assert (result["method"]["named"], result["method"]["pairs"]) == (HIGH_AND_LOW, ["high_vs_low"])
    assert "SINS 13 or more" in " ".join(narrative.answer(typed(result)))
    assert "SINS 13以上" in " ".join(narrative.answer(typed(result), "ja"))
    assert "Named groups" in narrative.methods(typed(result))


def test_named_groups_must_not_share_patients(random_patients, as_system):
    both = [
        HIGH_AND_LOW[0],
        HIGH_AND_LOW[1] | {"steps": [{"step": "at_most", "variable": "sins_total", "maximum": 14}]},
    ]
    with (
        as_system(),
        pytest.raises(design_errors.Refused, match="would be in two groups, such as “SINS 13 or more”"),
    ):
        runner.compare(named_plan(both), cohorts.ALL)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (HIGH_AND_LOW[:1], "name two to 12 groups"),
        ([HIGH_AND_LOW[0], HIGH_AND_LOW[0]], "a code of its own"),
        ([HIGH_AND_LOW[0], HIGH_AND_LOW[1] | {"code": "a_vs_b"}], "without “_vs_”"),
        ([HIGH_AND_LOW[0], HIGH_AND_LOW[1] | {"label": {"en": "Low", "ja": " "}}], "an English and a Japanese name"),
        ([HIGH_AND_LOW[0], HIGH_AND_LOW[1] | {"steps": []}], "no step"),
        ([HIGH_AND_LOW[0], {"code": "low"}], "a list of steps"),
        ([HIGH_AND_LOW[0], HIGH_AND_LOW[1] | {"steps": [{"step": "tall"}]}], "no step of a cohort"),
        (None, "they belong to the grouping “named”"),
    ],
)
def test_named_groups_that_are_none_are_refused(groups, says):
    with pytest.raises(ValueError, match=says):
        named_plan(groups)
    with pytest.raises(ValueError, match="they belong to the grouping “named”"):
        named_plan(grouping="sex")


def test_thresholds_may_come_from_a_file(tmp_path, settings, stored, as_system):
    entry = {"variable": "eq_vas", "value": 12, "setting": {"en": "here", "ja": "当院"}, "source": "Own 2026"}
    path = tmp_path / "mcid.json"
    path.write_text(json.dumps([entry]))
    settings.MCID = str(path)
    stored([patient(visits={"preop": answers(eq_vas=50), "1m": answers(eq_vas=50 + gain)}) for gain in (11, 12, 40)])
    with as_system():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.ALL)
    (row,) = [row for row in result["figures"]["responders"] if row["n"]]
    assert (row["threshold"], row["responders"]) == (12, 2)
    assert "EQ VAS (health today) 12 (Own 2026)" in narrative.methods(typed(result))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[", "cannot be read"),
        ('[{"variable": "sex", "value": 1, "setting": {"en": "a", "ja": "b"}, "source": "x"}]', "“sex” does not fit"),
        ('[{"variable": "hsuv", "value": 0, "setting": {"en": "a", "ja": "b"}, "source": "x"}]', "no change above 0"),
        ('[{"variable": "hsuv", "value": 1, "setting": {"en": "a", "ja": "b"}, "source": ""}]', "names its source"),
    ],
)
def test_a_file_of_thresholds_without_sense_is_refused(tmp_path, content, says):
    path = tmp_path / "mcid.json"
    path.write_text(content)
    with pytest.raises(design_errors.Refused, match=says):
        thresholds.read(str(path))


TWICE = {"code": "x", "title": {"en": "x", "ja": "x"}, "measure": "qaly", "variable": "hsuv", "visits": ["preop", "1m"]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "a plan is an object with a name"),
        ({}, "a plan is an object with a name"),
        ({"name": "x", "tests": []}, "no part of a plan: tests"),
        ({"name": "x", "alpha": float("nan")}, "alpha: nan is no finite number"),
        ({"name": "x", "qol": [TWICE | {"horizon": float("inf")}]}, "qol 1 horizon: inf is no finite number"),
        ({"name": "x", "qol": [TWICE | {"horizon": 6}, TWICE | {"horizon": 12}]}, "qol: x is there twice"),
        (
            {"name": "x", "qol": [TWICE | {"horizon": 6}, TWICE | {"code": "y", "horizon": 6, "visits": ["preop"]}]},
            "Quality of life over time 2, visits: a list of at least 2",
        ),
    ],
)
def test_what_is_no_plan_is_refused(data, says):
    with pytest.raises(design_errors.Refused, match=says):
        plans.from_json(data)


EVERY_STEP = Cohort(
    "mine",
    "2",
    Label("mine", "mine"),
    (
        Step("site", {"values": ["N01"]}),
        Step("region", {"values": ["East"]}),
        Step("sex", {"values": ["male"]}),
        Step("primary_tumour", {"values": ["lung", "breast"]}),
        Step("procedure", {"values": ["psf"]}),
        Step("sins_class", {"values": ["stable"]}),
        Step("levels_within", {"first": "T4", "last": "T8"}),
        Step("operated_between", {"first": "2024-01-01", "last": "2024-12-31"}),
        Step("aged_at_least", {"minimum": 60}),
        Step("followed_at_least", {"days": 90}),
        Step("measured", {"variable": "hsuv", "timepoint": "1m"}),
    ),
)
STABLE = dict.fromkeys(
    ["sins_location", "sins_pain", "sins_bone_lesion", "sins_alignment", "sins_collapse", "sins_posterolateral"], 0
)
LEAVES = [  # one patient for each step of EVERY_STEP after the first, in order, who leaves there
    {"sex": "female"},
    {"primary_tumour": "renal"},
    {"procedure": None},
    {"sins_pain": 3, "sins_location": 3, "sins_alignment": 4},
    {"lesion_levels": ("T8", "T9")},
    {"surgery_date": None},
    {"age_at_surgery": 59},
    {"last_contact_date": None, "visits": {}},
    {"visits": {"1m": {"eq5d_mobility": 1}}},
]


def test_a_cohort_goes_to_json_and_back():
    for cohort in (cohorts.SEGI2024, cohorts.ALL, EVERY_STEP):
        back = cohorts.from_json(through_json(cohort.to_json()))
        assert (back.name, back.version, back.steps) == (cohort.name, cohort.version, cohort.steps)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (("of_good_cheer", {}), "“of_good_cheer” is no step of a cohort; one of one_to_three"),
        (("sex", {"values": ["m"]}), "m: must be one of male, female"),
        (("followed_at_least", {"days": -1}), "days must be a whole number of at least 0"),
        (("followed_at_least", {}), "missing 1 required"),
        (("levels_within", {"first": "L1", "last": "T1"}), "L1 is below T1"),
        (("operated_between", {"first": "2024-02-01", "last": "2024-01-01"}), "is after"),
        (("measured", {"variable": "sex", "timepoint": "1m"}), "is not assessed at a timepoint"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(step, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        Step(*step)


def test_every_step_takes_out_those_it_names(north, south, as_system):
    north.region, south.region = "East", "West"
    north.save()
    south.save()
    fitting = STABLE | {"visits": {"1m": answers("11111")}}
    store(north, [patient(**fitting), *(patient(**fitting | left) for left in LEAVES)])
    store(south, [patient(**fitting)])
    with as_system():
        frame = frames.read(("preop", "1m"))
        selection = cohorts.select(EVERY_STEP, frame)
    # The other region's only patient has left with the other site already.
    assert [step.get("excluded") for step in selection.flow] == [None, 1, 0, *(1 for _ in LEAVES)]
    assert selection.flow[-1]["n"] == 1
    north_row, south_row = selection.by_site
    assert (north_row["site"], north_row["analysed"]) == ("N01", 1)
    assert south_row == {
        "site": "S01",
        "enrolled": 1,
        "excluded": [int(step.code == "site") for step in EVERY_STEP.steps],
        "analysed": 0,
    }


@pytest.mark.parametrize("grouping", ["sex", "region", "primary_tumour", "procedure", "sins_class"])
def test_other_groupings(random_patients, as_system, grouping):
    with as_system():
        result = runner.compare(plans.segment_comparison(grouping=grouping, domains=()), cohorts.SEGI2024)
    groups = result["cohort"]["groups"]
    assert sum(groups.values()) + result["cohort"]["in_no_group"] == result["cohort"]["n"]
    assert len(result["method"]["pairs"]) == len(groups) * (len(groups) - 1) // 2


@pytest.mark.parametrize("pairwise", ["dunn", "t_test", "mann_whitney"])
@pytest.mark.parametrize("overall", ["kruskal_wallis", "anova"])
def test_other_tests(random_patients, as_system, pairwise, overall):
    chosen = {"pairwise_continuous": pairwise, "overall_continuous": overall, "before_after_continuous": "paired_t"}
    plan = plans.segment_comparison(adjust="holm", domains=(), **chosen)
    with as_system():
        result = runner.compare(plan, cohorts.SEGI2024)
    row = next(row for row in result["between_groups"] if row["variable"] == "pain_vas_mm")
    assert (row["test"], row["adjust"]) == (pairwise, "holm")
    assert all(row["p"][pair] >= p for pair, p in row["p_raw"].items())
    assert result["characteristics"][0]["test"] == overall


def test_a_test_of_two_groups_says_so_where_the_data_have_another_number(stored, as_system):
    stored([patient()])
    plan = plans.segment_comparison(grouping="region", overall_continuous="t_test")
    with as_system():
        row = runner.compare(plan, cohorts.ALL)["characteristics"][0]
    assert (row["p"], row["reason"]) == (None, "not estimable because the test compares two groups")


def test_a_large_table_is_sampled_and_says_so():
    few, many = np.array([[30, 20, 10], [20, 30, 10], [10, 20, 30]]), np.array([[900, 800, 700]] * 3)
    assert methods.FISHER.run(few).method == "fisher_exact"
    sampled = methods.FISHER.run(many)
    assert (sampled.method, sampled.p, methods.FISHER.run(many).p) == ("fisher_monte_carlo", 1.0, 1.0)
    assert sampled.resamples == 50_000


def test_the_page_asks_the_same_of_named_groups_again(client, bob, random_patients, as_system):
    run = runs.request(access=access_of(bob), plan=named_plan(), cohort=cohorts.ALL)
    with as_system():
        first = ComparisonForm(earlier=run)
        assert first.fields["grouping"].choices[-1] == ("named", "SINS 13 or more, SINS 6 or less")
        given = {name: value for name, value in first.initial.items() if value is not None}
        again = ComparisonForm(given | {"variables_shown": "1"}, earlier=run)
        assert again.is_valid()
        assert again.plan == named_plan()
        assert ("named", "SINS 13 or more, SINS 6 or less") not in ComparisonForm().fields["grouping"].choices
    client.force_login(bob)
    page = client.get(reverse("comparison_new"), {"from": run.pk}).content.decode()
    assert f"?from={run.pk}" in page and "SINS 13 or more, SINS 6 or less" in page
