"""The kinds of sections that a plan may have beside the tables of the segment study: a module and a line each."""

from registry.analysis.sections.comparing import comparisons
from registry.analysis.sections.kinds import ENDPOINTS, MODELS, PROPENSITY, QUALITY, TRANSITIONS

SECTIONS = (
    comparisons.SECTION,
    PROPENSITY,
    ENDPOINTS,
    MODELS,
    QUALITY,
    TRANSITIONS,
)
