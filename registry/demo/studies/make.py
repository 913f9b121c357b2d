"""The synthetic cohort of a study, by the study's name."""

from registry.demo.studies import wang2025, zheng2021
from registry.demo.studies.rows import SEED as DEFAULT_SEED
from registry.demo.studies.rows import StudyCohort

MAKERS = {"wang2025": wang2025.make, "zheng2021": zheng2021.make}


def make_study(name, seed=DEFAULT_SEED) -> StudyCohort:
    """The cohort of one study (a key of MAKERS); KeyError for another name. The same seed gives the same patients."""
    return MAKERS[name](seed)
