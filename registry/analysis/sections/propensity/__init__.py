"""Propensity: two groups made alike by matching or weighting on a score, with balance and the tests of what results.

    {"code": "ps", "title": {"en": "Matched cohort", "ja": "マッチング後コホート"},
     "treated": "hybrid", "control": "tes", "covariates": ["age_at_surgery", "sex", "sins_total"],
     "caliper": 0.02, "on": "score", "outcomes": [{"variable": "pain_vas_mm", "visit": "6m"}]}

Sets are kept with the result, and endpoints, models, transitions and quality of life may name the section (`matched`).
"""

from registry.analysis.sections.propensity.computing import dataset, estimate
from registry.analysis.sections.propensity.declaration import KIND, Propensity, from_json, is_weighted
from registry.analysis.sections.propensity.matching import Made, made, restricted

__all__ = ["KIND", "Made", "Propensity", "dataset", "estimate", "from_json", "is_weighted", "made", "restricted"]
