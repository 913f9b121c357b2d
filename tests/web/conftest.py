"""Pages as each of the cast sees them."""

import pytest

from tests.browsing import Browser

# A complete assessment as a browser sends it.
ASSESSMENT = {
    "assessment_date": "2026-01-12",
    "version": "",
    "frankel": "D",
    "ecog_ps": "2",
    "pain_vas_mm": "40",
    "barthel_feeding": "10",
    "barthel_bathing": "0",
    "barthel_grooming": "5",
    "barthel_dressing": "5",
    "barthel_bowels": "10",
    "barthel_bladder": "10",
    "barthel_toilet": "5",
    "barthel_transfer": "10",
    "barthel_mobility": "10",
    "barthel_stairs": "0",
    "eq5d_mobility": "2",
    "eq5d_self_care": "1",
    "eq5d_usual_activities": "2",
    "eq5d_pain_discomfort": "3",
    "eq5d_anxiety_depression": "2",
    "eq_vas": "60",
}
SURGERY = {
    "procedure": "psf",
    "surgery_date": "2026-01-15",
    "operative_time_min": "180",
    "blood_loss_ml": "300",
}
BASELINE = {
    "sex": "male",
    "consent_date": "2026-01-10",
    "primary_tumour": "lung",
    "lesion_levels": ["T5", "T6"],
    "tokuhashi_general_condition": "1",
    "tokuhashi_extraspinal_bone": "2",
    "tokuhashi_vertebral": "1",
    "tokuhashi_organs": "2",
    "tokuhashi_primary": "0",
    "tokuhashi_palsy": "1",
    "sins_location": "1",
    "sins_pain": "3",
    "sins_bone_lesion": "2",
    "sins_alignment": "0",
    "sins_collapse": "2",
    "sins_posterolateral": "1",
}


@pytest.fixture
def browse():
    """`browse(alice)` is a browser in which that person is signed in."""

    def sign_in(user):
        client = Browser()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def text():
    """`text(response)` is the page as one line of HTML, to look for sentences in."""
    return lambda response: " ".join(response.content.decode().split())
