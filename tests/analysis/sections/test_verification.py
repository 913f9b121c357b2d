"""R computes every number of endpoints, models, propensity, quality of life and transitions again from the bundle."""

import copy
import csv
import json

import pytest

from registry.analysis.data import frame as frames
from registry.analysis.design import plans
from registry.analysis.documents import bundle
from registry.analysis.running import runner
from registry.models import AdverseEvent, Assessment, Patient
from sites.tenancy.scope import everything
from tests.analysis.conftest import store
from tests.analysis.running.test_bundle import needs_r, unpacked, verify, wrong
from tests.analysis.sections.test_in_a_run import EVERYBODY, PLAN, people

THREE = [
    {"code": code, "label": {"en": code, "ja": code}, "steps": [{"step": "primary_tumour", "values": [code]}]}
    for code in ("lung", "breast", "renal")
]


def of_three():
    """Three groups, trends, strata, Tukey's adjustment."""
    plan = copy.deepcopy(PLAN) | {"grouping": "named", "named": THREE, "adjust": "holm"}
    plan["propensity"][0] |= {"treated": "lung", "control": "breast", "covariates": ["age_at_surgery", "sex"]}
    plan["endpoints"][0] |= {"tests": ["trend", "stratified"], "strata": ["sex"]}
    for model in plan["models"]:
        model["adjust"] = "tukey"
    return plan


def of_weights():
    """Weights, several controls, exact variables, landmarks, other covariances and rules for gaps."""
    plan = copy.deepcopy(PLAN)
    (matched,) = plan["propensity"]
    outcomes = [{"variable": "pain_vas_mm", "visit": "1m"}, {"variable": "frankel", "visit": "1m"}]
    several = {"code": "k2", "ratio": 2, "caliper": 0.5, "caliper_unit": "sd", "on": "logit", "order": "smallest"}
    ranked = [outcomes[0] | {"test": "signed_rank_exact"}, outcomes[1] | {"test": "wilcoxon_signed_rank"}]
    plan["propensity"] = [
        matched | {"method": "weighting", "outcomes": outcomes},
        matched | several | {"exact": ["procedure"], "outcomes": ranked},
    ]
    for endpoint in plan["endpoints"]:
        endpoint["matched"] = "ps"
    plan["endpoints"][0]["landmark"] = 60
    plan["endpoints"].append(plan["endpoints"][0] | {"code": "k2", "matched": "k2", "tests": ["stratified"]})
    for place, model in enumerate(plan["models"]):
        model |= {"adjust": "holm", "matched": "k2" if place else ""}
    plan["models"][2] |= {"structure": "compound_symmetry", "degrees": "residual"}
    plan["qol"][0]["gaps"] = "carried"
    plan["qol"].append(plan["qol"][0] | {"code": "q3", "gaps": "complete", "horizon": 3})
    return plan


def content_of(data):
    plan = plans.from_json(json.loads(json.dumps(data)))
    with everything(reason="test"):
        frame = frames.read(runner.timepoints_needed(plan, EVERYBODY))
        return bundle.bundle(runner.run(plan, EVERYBODY, frame), frame, plan)


def emptied():
    with everything(reason="test"):
        for model in (AdverseEvent, Assessment, Patient):
            model.objects.all().delete()


@pytest.mark.r
@needs_r
def test_r_computes_every_section_again(north, tmp_path):
    """Many patients, few, and so few that little can be estimated: R agrees on that too."""
    cases = [(70, 7, PLAN), (9, 3, of_three()), (30, 5, of_three()), (45, 6, of_weights())]
    for place, (n, seed, plan) in enumerate(cases):
        store(north, people(n, seed))
        unpacked(tmp_path / str(place), content_of(plan))
        emptied()
    checked = verify(*(tmp_path / str(place) for place in range(len(cases))))
    assert checked.returncode == 0, "\n".join(wrong(checked)) + checked.stderr
    assert "0 differ, 0 on one side alone" in checked.stdout


def test_the_bundle_holds_what_stands_behind_each_section(north, tmp_path):
    store(north, people(30, 5))
    content = content_of(PLAN)
    assert content == content_of(PLAN)
    unpacked(tmp_path / "bundle", content)
    names = {path.name for path in (tmp_path / "bundle" / "sections").iterdir()}
    assert names == {
        f"{kind}-{entry['code']}.csv"
        for kind in ("propensity", "endpoints", "models", "qol", "transitions")
        for entry in PLAN[kind]
    }
    with open(tmp_path / "bundle" / "sections" / "endpoints-os.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert [row["group"] for row in rows] == sorted((row["group"] for row in rows), key=["male", "female"].index)
