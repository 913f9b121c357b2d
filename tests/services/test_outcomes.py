"""Utilities and changes: stored values equal the published set, and computing twice changes nothing."""

import io

import pytest
from django.core.management import call_command

from registry.instruments import value_sets
from registry.instruments.core.eq5d5l import DIMENSIONS
from registry.models import Assessment, Change, Utility
from registry.services import outcomes
from registry.services.entry.assessments import save_assessment


@pytest.fixture
def assessed(enrolled, alice, as_person):
    patient = enrolled(alice)
    dimensions = [item.name for item in DIMENSIONS]
    with as_person(alice) as access:
        for timepoint, date, state, pain in (("preop", "2026-01-11", "45344", 40), ("1m", "2026-02-12", "13315", 10)):
            raw = {"assessment_date": date, "pain_vas_mm": pain} | dict(zip(dimensions, state, strict=True))
            save_assessment(access=access, patient=patient, timepoint=timepoint, raw=raw)
    return patient


@pytest.mark.parametrize("patient_only", [True, False])
def test_the_first_case_of_the_study(assessed, as_system, patient_only):
    """Segi et al. 2025, case 1: HSUV 0.210 to 0.575, pain VAS 40 to 10 mm."""
    only = [assessed.pk] if patient_only else None
    with as_system():
        assert (outcomes.compute_utilities("JP", only), outcomes.compute_changes("JP", only)) == (2, 1)
        assert [round(u.hsuv, 3) for u in Utility.objects.order_by("assessment_id")] == [0.210, 0.575]
        change = Change.objects.get()
        japan = value_sets.get("JP")
        assert change.delta_hsuv == japan.hsuv(13315) - japan.hsuv(45344)
        assert (change.delta_pain_vas_mm, change.delta_eq_vas) == (-30, None)


def test_computing_again_changes_nothing_and_a_correction_is_followed(assessed, as_system):
    with as_system():
        outcomes.compute_utilities("JP")
        assert (outcomes.compute_utilities("JP"), outcomes.compute_changes("JP")) == (0, 1)
        Assessment.objects.filter(timepoint_id="1m").update(eq5d_mobility=5)
        assert (outcomes.compute_utilities("JP"), outcomes.compute_changes("JP")) == (1, 1)
        stored = Utility.objects.get(eq5d_state=53315)
        assert stored.hsuv == value_sets.get("JP").hsuv(53315)
        Assessment.objects.filter(timepoint_id="1m").update(eq5d_mobility=None)
        assert outcomes.compute_utilities("JP") == 0
        assert [u.eq5d_state for u in Utility.objects.all()] == [45344]


def test_the_command_looks_at_what_was_stored_since_and_when_asked_at_all(assessed, as_system, monkeypatch):
    looked_at = []
    compute = outcomes.compute_utilities
    monkeypatch.setattr(
        outcomes, "compute_utilities", lambda code, some: looked_at.append(some and set(some)) or compute(code, some)
    )

    def run(*arguments):
        out = io.StringIO()
        call_command("compute_utilities", "--value-set", "JP", *arguments, stdout=out)
        return out.getvalue().split(" utilities")[0]

    assert [run(), run()] == ["JP: 2", "JP: 0"]
    assert looked_at == [None]  # nothing was written since: no form is read
    with as_system(reason="corrected"):
        Assessment.objects.filter(timepoint_id="1m").update(eq5d_mobility=5)
    assert [run(), run("--all")] == ["JP: 1", "JP: 0"]
    assert looked_at == [None, {assessed.pk}, None]


def test_a_deleted_assessment_takes_its_outcomes_along(assessed, as_system):
    with as_system():
        outcomes.compute_utilities("JP")
        outcomes.compute_changes("JP")
        Assessment.objects.all().delete()
        assert (Utility.objects.count(), Change.objects.count()) == (0, 0)


def test_an_unknown_value_set_is_refused(db):
    with pytest.raises(KeyError):
        outcomes.compute_utilities("XX")
