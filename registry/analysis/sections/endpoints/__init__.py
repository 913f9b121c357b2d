"""Endpoints: time from surgery or a landmark to an event, with competing events, curves, tests and Cox models.

    {"code": "local_control", "title": {"en": "Local control", "ja": "局所制御"},
     "event": [{"kind": "adverse_event", "of": ["hardware_failure"]}], "competing": [{"kind": "death"}],
     "times": [12, 24, 60], "horizon": 60, "covariates": ["age_at_surgery", "sex"], "subgroups": ["sex"]}

Time is in months of 30.4375 days. A landmark is the day from which time counts; who left before it is counted and not
analysed. Where the cohort asks for a follow-up of some days, no curve starts before them: nobody could have died.
"""

from registry.analysis.sections.endpoints.computing import dataset, estimate
from registry.analysis.sections.endpoints.declaration import KIND, Endpoint, from_json

__all__ = ["KIND", "Endpoint", "dataset", "estimate", "from_json"]
