"""Models of an outcome: ANCOVA on the baseline, logistic regression, and the mixed model for repeated measures.

{"code": "hsuv_course", "title": {"en": "HSUV over time", "ja": "HSUVの経過"}, "model": "repeated",
 "outcome": "hsuv", "baseline": "preop", "visits": ["1m", "3m", "6m"], "covariates": ["age_at_surgery"]}
"""

from registry.analysis.sections.models.computing import dataset, estimate
from registry.analysis.sections.models.declaration import KIND, Model, from_json

__all__ = ["KIND", "Model", "dataset", "estimate", "from_json"]
