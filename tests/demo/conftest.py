import pytest

from registry.demo import DEFAULT_SEED, write_cohort
from tests.demo.margins import Files


@pytest.fixture(scope="session", params=(1, 2, DEFAULT_SEED))
def folder(request, cohort_of, tmp_path_factory):
    """The files of one seed; every seed must give the study's margins."""
    directory = tmp_path_factory.mktemp(f"demo{request.param}")
    write_cohort(cohort_of(request.param), directory)
    return directory


@pytest.fixture(scope="session")
def files(folder):
    return Files(folder)
