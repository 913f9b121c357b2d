"""A monitor's work on the forms of `tests/review`."""

from tests.review.conftest import finished, own_form, patient, row_of, save, steps, stored  # noqa: F401 - fixtures
from tests.web.conftest import browse, text  # noqa: F401 - fixtures
