"""Raw SQL in each role's own scope: what it may change of a record, a query and a signature."""

import pytest
from django.db import DatabaseError, connection, transaction

from registry.models import AdverseEvent, Assessment, Patient
from registry.services.entry import patients
from registry.services.review import queries
from registry.services.review.signing import sign
from sites.models import Membership
from sites.tenancy.scope import because
from tests.conftest import TODAY
from tests.review.conftest import PREOP

REFUSED = "own people|by others|not allowed|row-level security|permission denied|stays with|never changes|does not"


def run(sql, *params):
    """Rows touched, or None where the database refuses."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.rowcount
    except DatabaseError as error:
        assert any(part in str(error) for part in REFUSED.split("|")), error
        return None


@pytest.fixture
def everything_there(finished, alice, mona, as_person):
    with as_person(alice) as access:
        patients.save_adverse_event(
            access=access, patient=finished, raw={"kind": "csf_leak", "onset_date": "2026-03-11"}, today=TODAY
        )
    with as_person(mona) as access:
        queries.raise_query(access=access, patient=finished, form=PREOP, text="Why?")
    return finished


CLINICAL = [
    "UPDATE registry_assessment SET eq_vas = 1",
    "UPDATE registry_assessment SET missing = '{}', frankel = NULL",
    "UPDATE registry_patient SET sex = 'female'",
    "UPDATE registry_patient SET surgery_date = '2026-01-16'",
    "UPDATE registry_adverseevent SET clavien_dindo = 'V'",
    "UPDATE registry_patient SET site_id = (SELECT id FROM study_sites_site WHERE code = 'S01')",
    "UPDATE registry_patient SET patient_id = 'N01-0009'",
    "UPDATE registry_identity SET birth_date = NULL",
    "UPDATE registry_assessment SET state = 'draft'",
    "DELETE FROM registry_assessment",
    "DELETE FROM registry_adverseevent",
    "DELETE FROM registry_patient",
    "DELETE FROM registry_identity",
    (
        "INSERT INTO registry_assessment (patient_id, site_id, timepoint_id, assessment_date) "
        "SELECT patient_id, site_id, '24m', '2026-05-01' FROM registry_patient"
    ),
]


@pytest.mark.parametrize("who", ["mona", "dana", "bob", "ada", "charlie"])
def test_nobody_but_the_sites_own_people_changes_clinical_rows(everything_there, south, who, as_person, request):
    with as_person(request.getfixturevalue(who)), because("tried"):
        assert {sql: run(sql) for sql in CLINICAL if run(sql)} == {}


def test_the_sites_own_people_do(everything_there, south, alice, as_person):
    with as_person(alice), because("corrected"):
        assert run(CLINICAL[0]) == 1
        assert run(CLINICAL[2]) == 1
        assert run(CLINICAL[3]) == 1
        assert run(CLINICAL[4]) == 1
        assert run(CLINICAL[-1]) == 1
        assert run("DELETE FROM registry_adverseevent") == 1


def test_a_record_stays_with_its_site_whoever_asks(everything_there, north, south, alice, as_person, as_system):
    Membership.objects.create(user=alice, role="coordinator", site=south, starts_on="2018-01-01")
    move = f"UPDATE registry_patient SET site_id = {south.pk}"
    with as_person(alice) as access, because("moved"):
        assert access.scope().write == tuple(sorted((north.pk, south.pk)))
        assert run(move) is None
    with as_system(reason="moved"):  # `move_patient` alone moves a patient, with everything and on record
        assert run(move) is None
        assert Assessment.objects.get().site_id == north.pk


REVIEWS = {
    "verify": "UPDATE registry_assessment SET state = 'verified'",
    "mark": """UPDATE registry_assessment SET verified = '{"frankel": {"by": 1, "at": "2026-05-01"}}'""",
    "sign": "UPDATE registry_patient SET baseline_state = 'locked'",
    "adjudicate": "UPDATE registry_patient SET segment_adjudicated = 'tls'",
}


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("alice", set()),
        ("ivo", {"sign"}),
        ("mona", {"verify", "mark"}),
        ("dana", {"adjudicate"}),
        ("bob", set()),
        ("ada", set()),
        ("charlie", set()),
    ],
)
def test_each_role_reviews_what_is_its_own(everything_there, who, may, as_person, request):
    with as_person(request.getfixturevalue(who)), because("reviewed"):
        assert {name for name, sql in REVIEWS.items() if run(sql)} == may


def test_nothing_is_born_verified_or_signed(everything_there, alice, as_person, as_system):
    born = (
        "INSERT INTO registry_adverseevent (patient_id, site_id, kind, onset_date, state) "
        "SELECT patient_id, site_id, 'pneumonia', '2026-04-01', '{}' FROM registry_patient"
    )
    with as_person(alice):
        for state in ("verified", "locked"):
            with (
                pytest.raises(DatabaseError, match="begins neither"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(born.format(state))
        assert run(born.format("complete")) == 1
    with as_system():
        assert AdverseEvent.objects.filter(state="complete").count() == 2


def test_a_signed_form_changes_by_no_path(everything_there, ivo, alice, as_person, as_system, south):
    with as_person(ivo) as access:
        sign(
            access=access, patient=everything_there, acknowledged=[query.pk for query in everything_there.queries.all()]
        )
    paths = [
        "UPDATE registry_assessment SET eq_vas = 1",
        "UPDATE registry_assessment SET eq_vas = 1, state = 'complete'",
        """UPDATE registry_assessment SET missing = '{"frankel": "unknown"}', frankel = NULL""",
        "UPDATE registry_patient SET sex = 'female'",
        "UPDATE registry_patient SET blood_loss_ml = 1",
        "UPDATE registry_adverseevent SET clavien_dindo = 'V'",
        "UPDATE registry_identity SET birth_date = NULL",
        "UPDATE registry_assessment SET state = 'draft'",
        "DELETE FROM registry_assessment",
        "DELETE FROM registry_adverseevent",
        "DELETE FROM registry_patient",
    ]
    refusal = "signed form|does not go|not allowed"

    def goes(sql):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.rowcount > 0
        except DatabaseError as error:
            assert any(part in str(error) for part in refusal.split("|")), error
            return False

    for act in (as_person(alice), as_person(ivo), as_system()):
        with act, because("tried"):
            assert [sql for sql in paths if goes(sql)] == []
    with as_person(alice):
        # What is no part of a signed form still can: the follow-up, and later visits.
        assert run("UPDATE registry_patient SET vital_status = 'alive', last_contact_date = '2026-05-01'") == 1
        assert run(CLINICAL[-1]) == 1
        with because("mine"):
            assert run("UPDATE registry_assessment SET state = 'complete'") is None
    with as_person(ivo):
        assert run("UPDATE registry_assessment SET state = 'complete' WHERE state = 'locked'") is None  # no reason
        with because("typing error"):
            assert run("UPDATE registry_assessment SET state = 'complete' WHERE state = 'locked'") == 1


@pytest.mark.parametrize(
    ("who", "sql", "rows"),
    [
        ("mona", "UPDATE registry_query SET state = 'closed'", 1),
        ("dana", "UPDATE registry_query SET state = 'closed'", 1),
        ("alice", "UPDATE registry_query SET state = 'closed'", None),
        ("alice", "UPDATE registry_query SET state = 'answered'", 1),
        ("mona", "UPDATE registry_query SET state = 'answered'", None),
        ("bob", "UPDATE registry_query SET state = 'closed'", 0),
        ("charlie", "UPDATE registry_query SET state = 'answered'", 0),
        ("mona", "UPDATE registry_query SET text = 'I never asked'", None),
        ("mona", "UPDATE registry_query SET raised_at = '2020-01-01'", None),
        ("mona", "DELETE FROM registry_query", None),
        ("mona", "UPDATE registry_querymessage SET text = 'x'", None),
        ("mona", "DELETE FROM registry_querymessage", None),
        ("ivo", "UPDATE registry_signature SET name = 'x'", None),
        ("ivo", "DELETE FROM registry_signature", None),
    ],
)  # fmt: skip
def test_queries_and_signatures_are_only_added_to(everything_there, who, sql, rows, as_person, request):
    with as_person(request.getfixturevalue(who)), because("tried"):
        assert run(sql) == rows


def test_the_database_says_who_wrote_a_message(everything_there, mona, alice, as_person):
    with as_person(alice):
        run(
            "INSERT INTO registry_querymessage (site_id, query_id, kind, text, by_id, at) "
            "SELECT site_id, id, 'answered', 'x', %s, '2020-01-01' FROM registry_query",
            mona.pk,
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT by_id, at > now() - interval '1 hour' FROM registry_querymessage WHERE text = 'x'")
            assert cursor.fetchall() == [(alice.pk, True)]


def test_nobody_signs_for_another(everything_there, ivo, alice, as_person):
    forged = (
        "INSERT INTO registry_signature (site_id, patient_id, signed_by_id, signed_at, name, meaning, forms, "
        "acknowledged, sha256, mac) SELECT site_id, patient_id, %s, {}, 'x', 'x', '[]', '[]', repeat('0', 64), %s "
        "FROM registry_patient"
    )
    yesterday, mac = "now() - interval '1 day'", "0" * 64
    for person, who, at, bound, refusal in (
        (ivo, alice, "now()", mac, "one's own"),
        (ivo, ivo, yesterday, mac, "one's own"),
        (ivo, ivo, "now()", "", "the deployment's key"),
        (alice, alice, "now()", mac, "row-level security"),  # no investigator
    ):
        with as_person(person), pytest.raises(DatabaseError, match=refusal), transaction.atomic():
            connection.cursor().execute(forged.format(at), [who.pk, bound])
    assert Patient.objects.count() == 0  # outside any scope
