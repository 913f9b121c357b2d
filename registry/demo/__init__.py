"""The demonstration registry: synthetic patients whose analysed cohort has the published margins of one study."""

from registry.demo.files import write_cohort
from registry.demo.segi2025.cohort import DEFAULT_SEED, Cohort, make_cohort

__all__ = ["DEFAULT_SEED", "Cohort", "make_cohort", "write_cohort"]
