"""Variables of a plan: everything that was collected, at any visit, by name; cut, gathered, and why a value lacks."""

import datetime as dt

import numpy as np
import pytest

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.design.variables import columns, declared, sources
from registry.analysis.design.variables import visits as plan_visits
from registry.analysis.presentation.words import UNITS
from registry.instruments import catalogue
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient
from registry.services.protocol import bringing
from sites.tenancy.scope import everything
from tests.analysis.conftest import SURGERY, answers, patient, store
from tests.protocol.conftest import dose, publish  # noqa: F401  fixtures

DAY = dt.timedelta(days=1)


def made(data, *before):
    return declared.from_json(data, declared.Variables(before))


def asked(variable, visit="", names=None, value_set=None):
    """Columns of a variable over the registry as it is, the patients in the order of their IDs."""
    names = names or declared.Variables()
    variable = names.get(variable) if isinstance(variable, str) else variable
    with everything(reason="test"):
        frame = frames.read(tuple(columns.needed(variable, visit, names)), keep_key=True)
        ids = list(Patient.objects.order_by("patient_id").values_list("patient_id", flat=True))
    by_key = {key: place for place, key in enumerate(frame["key"].tolist())}
    order = np.array([by_key[frames.key_of(patient_id)] for patient_id in ids])
    values = columns.variable_columns(frame, variable, visit, names)
    return values, order


def values_of(variable, visit="", names=None):
    """[value or the reason why there is none] a patient: codes of categories, numbers otherwise."""
    values, order = asked(variable, visit, names)
    categories = [choice.code for choice in values.variable.categories]
    return [
        columns.WHY[values.why[place]]
        if not values.known[place]
        else categories[int(values.values[place])]
        if categories
        else float(values.values[place])
        for place in order
    ]


@pytest.fixture
def four(north):
    return store(
        north,
        [
            patient(
                visits={"preop": answers("21232", frankel="A", ecog_ps=2, kps=40), "1m": answers("11111", kps=60)},
                events=("pneumonia", "hematoma"),
            ),
            patient(
                sex="female",
                visits={"preop": answers(frankel="D", missing={"kps": "refused"}, ecog_ps=5)},
                vital_status="dead",
                death_date=SURGERY + 20 * DAY,
                last_contact_date=None,
            ),
            patient(surgery_date=SURGERY + 190 * DAY, visits={"preop": answers(frankel="E", kps=90)}),
            patient(visits={"1m": answers(kps=70), "3m": answers(kps=80, assessment_date=SURGERY + 91 * DAY)}),
        ],
    )


def test_items_are_variables_of_the_kind_of_their_declaration(four):
    known = sources.offered()
    assert known is sources.offered()  # worked out once for a protocol
    assert {name: known[name].kind for name in ("sex", "frankel", "kps", "consent_date", "ecog_ps", "hsuv")} == {
        "sex": "binary", "frankel": "ordinal", "kps": "ordinal", "consent_date": "date", "ecog_ps": "ordinal",
        "hsuv": "continuous",
    }  # fmt: skip
    assert values_of("sex") == ["male", "female", "male", "male"]
    assert values_of("frankel", "preop") == ["A", "D", "E", "no_visit"]
    assert values_of("hsuv", "1m")[0] == 1.0
    assert not {"hospital_number", "initials", "birth_date"} & known.keys()


def test_why_a_value_lacks_tells_missing_from_dead_and_from_not_yet_due(four):
    assert values_of("kps", "preop") == ["40", "refused", "90", "no_visit"]
    assert values_of("kps", "1m") == ["60", "died_before", "not_due", "70"]
    values, _ = asked("kps", "1m")
    assert values.reasons() == {"died_before": 1, "not_due": 1}
    assert values_of("ecog_ps_over_2", "preop") == ["<=2", "dead", "no_reason", "no_visit"]


def test_a_plan_cuts_collapses_and_names(four):
    low = made(
        {
            "name": "low", "label": {"en": "Frankel A–C", "ja": "A〜C"}, "of": {"item": "frankel"},
            "categories": [{"code": "abc", "holds": ["A", "B", "C"]}, {"code": "d", "holds": ["D"]}],
        }
    )  # fmt: skip
    assert (low.kind, low.label.ja) == ("binary", "A〜C")
    assert values_of(low, "preop") == ["abc", "d", "no_category", "no_visit"]
    as_number = made({"name": "karnofsky", "of": {"item": "kps"}, "kind": "continuous"})
    assert values_of(as_number, "preop") == [40.0, "refused", 90.0, "no_visit"]
    old = made(
        {"name": "old", "of": {"item": "age_at_surgery"},
         "categories": [{"code": "<65", "below": 65}, {"code": "65+", "from": 65}]}
    )  # fmt: skip
    assert values_of(old) == ["65+"] * 4


def test_events_count_by_kind_and_within_days(four):
    assert values_of(made({"name": "e", "of": {"events": []}})) == ["yes", "no", "no", "no"]
    assert values_of(made({"name": "e", "of": {"events": ["hematoma"], "last_day": 1}})) == ["no"] * 4
    assert values_of(made({"name": "e", "of": {"events": ["hematoma", "csf_leak"], "last_day": 2}}))[0] == "yes"
    assert values_of(made({"name": "e", "of": {"events": [], "give": "count"}})) == [2.0, 0.0, 0.0, 0.0]
    assert values_of(made({"name": "e", "of": {"events": ["hematoma"], "give": "day"}}))[:2] == [2.0, "no_reason"]
    with everything(reason="test"):
        AdverseEvent.objects.filter(kind="pneumonia").update(clavien_dindo="IIIb")
        AdverseEvent.objects.filter(kind="hematoma").update(clavien_dindo="II")
    assert values_of(made({"name": "e", "of": {"events": [], "grade": "IIIa", "give": "count"}}))[0] == 1.0


def test_days_between_dates_and_changes(four):
    days = made({"name": "wait", "of": {"days": {"from": "consent_date", "to": "surgery_date"}, "unit": "days"}})
    assert values_of(days) == [10.0, 10.0, 200.0, 10.0]
    years = made({"name": "wait_y", "of": {"days": {"from": "consent_date", "to": "surgery_date"}, "unit": "years"}})
    assert values_of(years)[2] == 200 / 365.25
    # Japanese counts years of time and of a person's age by two words; an age under another name stays an age.
    age = made({"name": "age", "of": {"item": "age_at_surgery"}})
    assert [UNITS[variable.unit].ja for variable in (days, years, age)] == ["日", "年", "歳"]
    assert [UNITS[variable.unit].en for variable in (years, age)] == ["years", "years"]
    kps = made({"name": "karnofsky", "of": {"item": "kps"}, "kind": "continuous"})
    change = made({"name": "gain", "of": {"change": "karnofsky", "from": "preop"}}, kps)
    names = declared.Variables((kps, change))
    assert values_of(change, "1m", names)[0] == 20.0
    assert names.get("gain").label.en.startswith("Δ ")


def test_visits_by_rule(four):
    rules = [
        plan_visits.from_json({"code": "latest", "take": "last"}),
        plan_visits.from_json({"code": "early", "take": "last_before", "day": 60}),
        plan_visits.from_json({"code": "quarter", "take": "nearest", "day": 85, "within": 10}),
    ]
    names = declared.Variables((), rules)
    assert values_of("kps", "latest", names) == ["60", "no_visit", "no_visit", "80"]
    assert values_of("kps", "early", names) == ["60", "died_before", "not_due", "70"]
    assert values_of("kps", "quarter", names)[3] == "80"
    assert values_of("hsuv", "latest", names)[0] == 1.0


def test_own_items_are_variables_once_published(four, publish, dose):  # noqa: F811
    with pytest.raises(ValueError, match="collects no “srs_dose_gy”"):
        declared.Variables().get("srs_dose_gy")
    publish(dose)
    catalogue.current()  # as a process does that reads the protocol: its models have the fields then
    with everything(reason="test"):
        first = Assessment.objects.get(patient_id="N01-0001", timepoint_id="1m")
        first.srs_dose_gy, first.srs_fractions, first.srs_sites, first.srs_given = "24.6", 2, ("rib",), 1
        first.srs_intent, first.srs_planned = "cure", SURGERY
        first.save()
    assert values_of("srs_dose_gy", "1m")[0] == 24.6
    assert values_of("srs_sites:rib", "1m")[0] == "yes" and values_of("srs_sites:spine", "1m")[0] == "no"
    assert values_of("srs_given", "1m")[0] == "1" and values_of("srs_intent", "1m")[0] == "cure"
    assert values_of("srs_per", "1m")[0] == 12.3
    known = sources.offered()
    assert [known[name].kind for name in ("srs_given", "srs_per", "srs_planned")] == ["binary", "continuous", "date"]
    assert "srs_other" not in known


def test_repeating_forms_are_gathered(four, publish, north):  # noqa: F811
    document = bringing.library()["rt_courses"]
    publish(document)
    catalogue.current()
    items = {item["name"]: item for item in document["items"]}
    number = next(name for name, item in items.items() if item["kind"] in ("decimal", "whole"))
    with everything(reason="test"):
        for value in (8, 20):
            OwnRecord.objects.create(patient_id="N01-0001", site=north, form=document["code"], **{number: value})
    of = {"repeat": document["code"], "item": number}
    assert values_of(made({"name": "n", "of": of | {"give": "count"}})) == [2.0, 0.0, 0.0, 0.0]
    assert values_of(made({"name": "n", "of": of | {"give": "sum"}}))[0] == 28.0
    assert values_of(made({"name": "n", "of": of | {"give": "last"}}))[0] == 20.0
    assert values_of(made({"name": "n", "of": of | {"give": "any"}})) == ["yes", "no", "no", "no"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"name": "x", "of": {"item": "frankle"}}, "collects no “frankle”; it has frankel, frankel_abc"),
        ({"name": "X Y", "of": {"item": "frankel"}}, "“X Y” is no name"),
        ({"name": "x", "of": {"item": "frankel"}, "categories": [{"code": "a", "holds": ["F"]}]}, "holds some of"),
        ({"name": "x", "of": {"item": "frankel"}, "kind": "continuous"}, "is ordinal as it is declared"),
        ({"name": "x", "of": {"events": ["sneeze"]}}, "events are kinds of adverse events"),
        ({"name": "x", "of": {"events": [], "grade": "VI"}}, "grade “VI”; one of I, II"),
        ({"name": "x", "of": {"repeat": "rt"}}, "no repeating form “rt”"),
        ({"name": "x", "of": {"days": {"from": "sex", "to": "surgery_date"}}}, "“sex” is binary; what fits is date"),
        ({"name": "x", "of": {"change": "age_at_surgery"}}, "is not assessed at visits"),
        ({"name": "x", "of": {"eye": 1}}, "`of` has one of events, repeat"),
        ({"name": "x", "of": {"item": "sex"}, "colour": "red"}, "has no part colour"),
        (
            {"name": "x", "of": {"item": "age_at_surgery"},
             "categories": [{"code": "a", "below": 60}, {"code": "b", "from": 50}]},
            "no value in two of them",
        ),
    ],
)  # fmt: skip
def test_what_is_no_variable_is_refused_with_what_fits(data, says):
    with pytest.raises(ValueError, match=".") as caught:
        plans.from_json({"name": "p", "variables": [data]})
    assert says in str(caught.value)


def test_a_plan_with_variables_goes_to_json_and_back(four):
    data = {
        "name": "p",
        "visits": [{"code": "latest", "label": {"en": "Last", "ja": "最終"}, "take": "last"}],
        "variables": [
            {"name": "low", "of": {"item": "frankel"},
             "categories": [{"code": "a", "holds": ["A"]}, {"code": "b", "holds": ["B", "C"]}]},
            {"name": "gain", "of": {"change": "hsuv"}},
        ],
    }  # fmt: skip
    plan = plans.from_json(data)
    assert (plan.characteristics, plan.reports) == ((), ())
    assert plans.from_json(plan.to_json()) == plan


def test_cohorts_and_groups_ask_own_items(four, publish, dose, south):  # noqa: F811
    with pytest.raises(ValueError, match="srs_dose_gy"):
        cohorts.Step("at_least", {"variable": "srs_dose_gy", "minimum": 20, "timepoint": "1m"})
    publish(dose)
    catalogue.current()
    with everything(reason="test"):
        for number, gray in ((1, "24.0"), (4, "8.0")):
            row = Assessment.objects.get(patient_id=f"N01-000{number}", timepoint_id="1m")
            row.srs_dose_gy, row.srs_intent = gray, "cure"
            row.save()
    steps = (
        cohorts.Step("at_least", {"variable": "srs_dose_gy", "minimum": 20, "timepoint": "1m"}),
        cohorts.Step("category", {"variable": "srs_intent", "values": ["cure"], "timepoint": "1m"}),
        cohorts.Step("measured", {"variable": "srs_dose_gy", "timepoint": "1m"}),
    )
    cohort = cohorts.Cohort("own", "1", cohorts.ALL.label, steps)
    assert cohorts.from_json(cohort.to_json()).steps == steps
    assert steps[1].label.en == "Intent (1 month): Cure"
    with everything(reason="test"):
        frame = frames.read(cohorts.timepoints_needed(cohort))
        selection = cohorts.select(cohort, frame)
    assert [step["n"] for step in selection.flow] == [4, 1, 1, 1]
