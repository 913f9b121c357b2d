"""Own instruments of a test's registry, and a protocol that is forgotten with the test's transaction."""

import pytest

from registry.services.entry.assessments import save_assessment
from registry.services.protocol import publishing
from tests.conftest import TODAY

DOSE = {
    "metaspine": "instrument",
    "format": 1,
    "code": "srs",
    "title": {"en": "Stereotactic radiosurgery", "ja": "定位放射線治療"},
    "record": "assessment",
    "citation": "Synthetic 2026",
    "items": [
        {"name": "srs_given", "label": {"en": "Given?", "ja": "実施"}, "kind": "yes_no"},
        {"name": "srs_dose_gy", "label": {"en": "Dose", "ja": "線量"}, "kind": "decimal", "places": 1, "minimum": 0,
         "maximum": 80, "unit": "Gy", "show_if": "[srs_given] = 1"},
        {"name": "srs_fractions", "label": {"en": "Fractions", "ja": "分割回数"}, "kind": "whole", "minimum": 1,
         "maximum": 60, "show_if": "[srs_given] = 1"},
        {"name": "srs_sites", "label": {"en": "Fields", "ja": "照射野"}, "kind": "codes", "required": False,
         "choices": [{"code": "rib", "label": {"en": "Rib"}}, {"code": "spine", "label": {"en": "Spine"}},
                     {"code": "other", "label": {"en": "Other"}}]},
        {"name": "srs_other", "label": {"en": "Which other"}, "kind": "text", "required": False,
         "show_if": "[srs_sites(other)] = 1", "required_if": "[srs_sites(other)] = 1"},
        {"name": "srs_first", "label": {"en": "First day"}, "kind": "partial_date", "required": False},
        {"name": "srs_at", "label": {"en": "At"}, "kind": "time", "required": False},
        {"name": "srs_planned", "label": {"en": "Planned on"}, "kind": "date", "required": False},
        {"name": "srs_intent", "label": {"en": "Intent"}, "kind": "code", "required": False,
         "choices": [{"code": "cure", "label": {"en": "Cure"}}, {"code": "relief", "label": {"en": "Relief"}}]},
        {"name": "srs_per", "label": {"en": "Dose per fraction", "ja": "1回線量"}, "kind": "calculated", "places": 1,
         "formula": "[srs_dose_gy] / [srs_fractions]", "unit": "Gy"},
    ],
    "checks": [{"name": "high", "when": "[srs_per] > 24", "says": {"en": "More than 24 Gy a fraction"}}],
}  # fmt: skip


@pytest.fixture
def dose():
    """A document of an own instrument with an item of every kind, asked at each assessment."""
    import copy

    document = copy.deepcopy(DOSE)
    document["checks"] = [
        {"name": "high", "when": "[srs_dose_gy] / [srs_fractions] > 24", "says": {"en": "More than 24 Gy a fraction"}}
    ]
    return document


@pytest.fixture
def publish(ada, as_person):
    """`publish(document)` makes it part of the protocol; `publish(document, note="…")`."""

    def act(document, note="first version"):
        with as_person(ada) as access:
            publishing.keep_draft(access=access, document=document)
            return publishing.publish(access=access, code=document["code"], note=note)

    return act


@pytest.fixture
def patient(alice, enrolled):
    return enrolled(alice)


@pytest.fixture
def save(alice, as_person, patient):
    def act(raw, timepoint="preop", **more):
        with as_person(alice) as access:
            return save_assessment(
                access=access, patient=patient, timepoint=timepoint, raw=raw, today=TODAY, **{"complete": True} | more
            )

    return act
