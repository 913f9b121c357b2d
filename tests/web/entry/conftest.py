"""A patient of Alice's, and the form of the first visit."""

import pytest

from registry.models import Assessment


@pytest.fixture
def patient(enrolled, alice):
    return enrolled(alice)


@pytest.fixture
def url(patient):
    return f"/patients/{patient.pk}/assessments/preop/"


@pytest.fixture
def stored(as_person, alice):
    def read(model=Assessment):
        with as_person(alice):
            return model.objects.get()

    return read
