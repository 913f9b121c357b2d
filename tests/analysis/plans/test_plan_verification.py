"""R computes every number of a plan's sections again from the bundle."""

import io
import os
import random

import pytest
from django.db import transaction

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts, plans
from registry.analysis.documents import bundle
from registry.analysis.running import runner
from sites.tenancy.scope import everything
from tests.analysis.conftest import store
from tests.analysis.plans.random_plans import Drawn, People
from tests.analysis.plans.test_plan_comparisons import GROUPS, PLAN
from tests.analysis.running.test_bundle import needs_r, unpacked, verify, wrong

THREE = [
    {"code": code, "label": {"en": code, "ja": code}, "steps": [{"step": "primary_tumour", "values": [code]}]}
    for code in ("lung", "breast", "renal")
]


def content_of(data):
    plan, cohort = plans.from_json(data), cohorts.get("all")
    with everything(reason="test"):
        frame = frames.read(runner.timepoints_needed(plan, cohort))
        result = runner.run(plan, cohort, frame)
        return bundle.bundle(result, frame, plan)


def random_plan(seed):
    """Any variables at any visits by any tests and effects that fit them."""
    from registry.analysis.sections.comparing import comparison_tests as tests

    generate = random.Random(seed)
    groups = generate.choice([GROUPS, THREE])
    kinds = {
        "age_at_surgery": "continuous", "blood_loss_ml": "continuous", "sins_total": "continuous", "sex": "binary",
        "sins_class": "ordinal", "procedure": "nominal", "pain_vas_mm": "continuous", "hsuv": "continuous",
        "eq_vas": "continuous", "frankel": "ordinal", "low": "binary", "complication": "binary",
        "barthel_total": "continuous", "wait": "continuous", "gain": "continuous", "count": "continuous",
    }  # fmt: skip
    of_patient = {"age_at_surgery", "blood_loss_ml", "sins_total", "sex", "sins_class", "procedure", "complication"}
    of_patient |= {"wait", "count"}
    entries = []
    for place in range(3):
        kind = generate.choice(["between", "between", "within"])
        names = [name for name in kinds if kind == "between" or name not in of_patient | {"gain"}]
        rows = []
        for name in generate.sample(names, 4):
            fits = [t for t in tests.offered(kind, kinds[name]) if len(groups) == 2 or t not in tests.TWO_GROUPS]
            row = {"variable": name, "test": generate.choice(fits)}
            if effects := tests.effects_offered(kind, kinds[name]):
                row["effect"] = generate.choice(effects)
            if name not in of_patient:
                row["visit"] = "1m" if kind == "within" or name == "gain" else generate.choice(["preop", "1m", "last"])
            rows.append(row)
        entry = {"code": f"e{place}", "kind": kind, "rows": rows, "confidence": generate.choice([0.95, 0.9])}
        if kind == "between":
            entry |= {"adjust": generate.choice(["none", "holm", "benjamini_hochberg", "bonferroni"]),
                      "family": generate.choice(["row", "section"]), "sensitivity": ["worst_rank", "complete_cases"],
                      "interval": generate.choice(["wilson", "clopper_pearson"])}  # fmt: skip
        entries.append(entry)
    constant = {"variable": "never", "effect": "mean_difference"}  # zeros, of which R tells a difference of 0
    entries.append({"code": "constant", "kind": "between", "rows": [constant]})
    more = [
        {"name": "wait", "of": {"days": {"from": "consent_date", "to": "death_date"}, "unit": "months"}},
        {"name": "gain", "of": {"change": "pain_vas_mm", "from": "preop"}},
        {"name": "count", "of": {"events": [], "give": "count", "last_day": 30}},
        {"name": "never", "of": {"events": ["hematoma"], "give": "count", "last_day": 0}},
    ]
    two = {"overall_continuous": "t_test"} if len(groups) == 2 else {}
    return {
        "name": f"random {seed}", "grouping": "named", "named": groups, "variables": [*PLAN["variables"], *more],
        "visits": [{"code": "last", "take": "last"}], "comparisons": entries, **two,
    }  # fmt: skip


@pytest.mark.r
@needs_r
def test_r_computes_a_plans_comparisons_again(random_patients, tmp_path):
    made = [PLAN, *(random_plan(seed) for seed in range(3))]
    for place, data in enumerate(made):
        unpacked(tmp_path / str(place), content_of(data))
    checked = verify(*(tmp_path / str(place) for place in range(len(made))))
    assert checked.returncode == 0, "\n".join(wrong(checked)) + checked.stderr
    assert "0 differ, 0 on one side alone" in checked.stdout


MORE = os.environ.get("METASPINE_RANDOM_PLANS", "")


@pytest.mark.r
@needs_r
@pytest.mark.skipif(not MORE, reason="so many as one likes: METASPINE_RANDOM_PLANS=FIRST:COUNT, some 10 s each")
def test_r_computes_as_many_drawn_plans_again(north, tmp_path):
    first, count = map(int, MORE.split(":"))
    for seed in range(first, first + count):
        with everything(reason="test"), transaction.atomic():
            store(north, People(seed).patients())
            unpacked(tmp_path / str(seed), content_of(Drawn(seed).plan()))
            transaction.set_rollback(True)
    checked = verify(*(tmp_path / str(seed) for seed in range(first, first + count)))
    assert checked.returncode == 0, "\n".join(wrong(checked)) + checked.stderr


def test_a_bundle_is_the_same_bytes_each_time(random_patients):
    assert io.BytesIO(content_of(PLAN)).getvalue() == content_of(PLAN)
