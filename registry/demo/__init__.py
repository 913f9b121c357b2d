"""The demonstration registry: synthetic patients whose analysed cohort has the published margins of one study."""

from registry.demo.cohort import DEFAULT_SEED, Cohort, make_cohort
from registry.demo.files import write_cohort

__all__ = ["DEFAULT_SEED", "Cohort", "make_cohort", "write_cohort"]
