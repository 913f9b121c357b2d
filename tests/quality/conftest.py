from tests.review.conftest import finished, own_form, patient, save  # noqa: F401 - fixtures
from tests.web.conftest import browse, text  # noqa: F401 - fixtures
