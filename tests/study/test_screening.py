"""Screening log: what it takes, what it counts, and where flows begin."""

import csv
import io

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from registry.analysis.data import frame as frames
from registry.analysis.data import packed_snapshots
from registry.analysis.design import cohorts
from registry.analysis.disclosure.complementary import complement
from registry.analysis.disclosure.small_cells import Few, masked
from registry.analysis.results.result import Result
from registry.exports.choices import Choices
from registry.exports.data.selecting import selected
from registry.models import Patient, ScreeningEntry
from registry.services.files import snapshots
from registry.services.protocol import setup
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from registry.services.study import screening
from sites.models import AuditEvent
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.conftest import TODAY
from tests.web.patients.test_patients import ENROLMENT

SCREENED = {"screened_on": "2026-01-05", "screen_outcome": "screened", "screen_age": "71", "screen_sex": "female"}
LEFT = (
    {"screen_outcome": "not_eligible", "screen_reason": "too_ill"},
    {"screen_outcome": "not_eligible", "screen_reason": "age"},
    {"screen_outcome": "not_eligible", "screen_reason": "too_ill"},
    {"screen_outcome": "declined", "screen_reason": "burden"},
    {"screen_outcome": "eligible"},
    {"screen_outcome": "consented"},
)


def add(access, site, **more):
    return screening.add(access=access, site=site, raw=SCREENED | more, today=TODAY)


@pytest.fixture
def log(alice, north, as_person):
    """Six persons of whom nobody is enrolled."""
    with as_person(alice) as access:
        return [add(access, north, **left) for left in LEFT]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({"screened_on": ""}, "screened_on"),
        ({"screened_on": "2027-01-01"}, "screened_on"),
        ({"screen_outcome": ""}, "screen_outcome"),
        ({"screen_outcome": "enrolled"}, "screen_outcome"),
        ({"screen_outcome": "declined"}, "screen_reason"),
        ({"screen_outcome": "declined", "screen_reason": "age"}, "screen_reason"),
        ({"screen_outcome": "eligible", "screen_reason": "age"}, "screen_reason"),
        ({"screen_criterion": "solitary"}, "screen_criterion"),
        ({"screen_age": "130"}, "screen_age"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_name(raw, fault, alice, north, as_person):
    with as_person(alice) as access, pytest.raises(InvalidAnswers) as refused:
        add(access, north, **raw)
    assert list(refused.value.errors) == [fault]


def test_a_criterion_is_one_of_the_protocol(ada, alice, north, as_person):
    criteria = [{"code": "solitary", "label": {"en": "Solitary metastasis", "ja": "単発転移"}}]
    with as_person(ada) as access:
        setup.save_about(access=access, about={"inclusion": criteria}, note="criteria")
    reason = {"screen_outcome": "not_eligible", "screen_reason": "criterion"}
    with as_person(alice) as access:
        assert add(access, north, **reason, screen_criterion="solitary").screen_criterion == "solitary"
        with pytest.raises(InvalidAnswers, match="Solitary metastasis"):
            add(access, north, **reason, screen_criterion="singular")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("screen_reason", "'age'"),  # of one who declined
        ("screen_reason", "NULL"),
        ("screen_criterion", "'solitary'"),
        ("screen_outcome", "'gone'"),
        ("patient_id", "'N01-0001'"),
        ("number", "99"),
        ("site_id", "0"),
    ],
)
def test_the_database_refuses_it_too(column, value, log, alice, enrolled, as_person):
    enrolled(alice)
    with as_person(alice), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE registry_screeningentry SET {column} = {value} WHERE id = %s", [log[3].pk])


def test_no_line_goes_and_other_sites_have_none(log, alice, charlie, as_person):
    with as_person(charlie):
        assert not ScreeningEntry.objects.exists()
    with as_person(alice), pytest.raises(DatabaseError), transaction.atomic():
        ScreeningEntry.objects.filter(pk=log[0].pk).delete()


def test_a_correction_needs_a_reason_once_the_outcome_is_final(log, alice, north, as_person):
    final, open_line = log[0], log[4]
    with as_person(alice) as access:
        raw = SCREENED | {"screen_outcome": "declined", "screen_reason": "privacy"}
        screening.correct(access=access, entry=open_line, raw=raw, version=1, reason="", today=TODAY)
        with pytest.raises(ReasonRequired):
            screening.correct(access=access, entry=final, raw=raw, version=1, reason=" ", today=TODAY)
        with pytest.raises(Conflict):
            screening.correct(access=access, entry=final, raw=raw, version=7, reason="x", today=TODAY)
        screening.correct(access=access, entry=final, raw=raw, version=1, reason="the wrong line", today=TODAY)
        event = AuditEvent.objects.filter(table_name="registry_screeningentry", row_id=str(final.pk)).latest("pk")
        assert event.reason == "the wrong line" and event.new["screen_reason"] == "privacy"


def test_the_flow_adds_up_from_screened_to_enrolled(log, alice, enrolled, north, as_person, as_system):
    enrolled(alice)
    with as_person(alice) as access:
        wrong = add(access, north, screen_outcome="declined", screen_reason="other")
        raw = SCREENED | {"screen_outcome": "in_error", "screen_reason": "other"}
        screening.correct(access=access, entry=wrong, raw=raw, version=1, reason="twice", today=TODAY)
    with as_system():
        frame = frames.read(())
        flow = cohorts.select(cohorts.ALL, frame).flow
        assert flow[0]["n"] == 1
        assert flow[0]["screening"] == [
            {"step": "screened", "n": 7},
            {"step": "eligible", "n": 4, "excluded": 3, "why": {"too_ill": 2, "age": 1}},
            {"step": "consented", "n": 2, "excluded": 2, "why": {"burden": 1, "eligible": 1}},
            {"step": "enrolled", "excluded": 1, "why": {"consented": 1}},
        ]
        with selected(Choices(), [north.pk]) as export:
            assert [step["n"] for step in export.screening] == [7, 4, 2, 1]
    snapshot = packed_snapshots.freeze(access=None, label="With its log")
    with as_person(alice) as access:
        add(access, north, screen_outcome="declined", screen_reason="other")
    with as_system():
        assert cohorts.select(cohorts.ALL, packed_snapshots.read(snapshot, ())).flow == flow
        assert cohorts.select(cohorts.ALL, frames.read(())).flow != flow
        with selected(Choices(snapshot=str(snapshot.pk)), [north.pk]) as export:
            assert export.screening[0]["n"] == 7
        assert snapshots.verify(snapshot) and snapshot.rows["screening"] == 7


def test_small_numbers_of_the_log_are_hidden_and_follow_from_nothing():
    steps = screening.Screened({"not_eligible": {"age": 2, "too_ill": 20}, "consented": {"": 9}}).steps(50)
    del steps[-1]["n"]
    cohort = {"flow": [{"step": "enrolled", "n": 50, "screening": steps}], "n": 50, "groups": {}, "in_no_group": 50}
    result = Result.from_json(masked({"cohort": cohort}, 5))
    complement(result, 5)
    eligible = result.cohort.flow[0].screening[1]
    assert isinstance(eligible.why["age"], Few)
    assert isinstance(eligible.why["too_ill"], Few)  # or the two would follow from their sum


def test_somebody_is_enrolled_from_the_log(log, browse, alice, as_person, text):
    client, line = browse(alice), log[4]
    page = client.get(f"{reverse('enrol')}?screening={line.pk}")
    assert "From line 5 of the screening log of N01." in text(page)
    sent = client.post(reverse("enrol"), ENROLMENT | {"screening": line.pk})
    assert sent.status_code == 302, text(sent)
    with as_person(alice) as access:
        line.refresh_from_db()
        assert (line.screen_outcome, line.patient_id) == ("enrolled", Patient.objects.get().pk)
        with pytest.raises(InvalidAnswers):
            raw = SCREENED | {"screen_outcome": "eligible"}
            screening.correct(access=access, entry=line, raw=raw, version=line.version, reason="no", today=TODAY)
    again = client.post(reverse("enrol"), ENROLMENT | {"screening": line.pk, "submission": "another", "initials": "B"})
    assert again.status_code == 422
    with as_person(alice):
        assert Patient.objects.count() == 1


def test_the_line_stays_without_its_patient(log, alice, enrolled, as_person, as_system):
    patient = enrolled(alice)
    with as_person(alice):
        screening.enrolled(log[4], patient)
    with as_system():
        Patient.objects.filter(pk=patient.pk).delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        log[4].refresh_from_db()
        assert log[4].patient_id is None and log[4].screen_outcome == "enrolled"


def test_pages_and_file(log, browse, alice, charlie, bob, text, settings):
    client = browse(alice)
    page = client.get(reverse("screening"))
    assert "too ill (2)" in text(page) and page.content.decode().count("<tr") > 6
    assert client.get(reverse("screening") + "?outcome=declined").context["page"].paginator.count == 1
    entry = reverse("screening_entry", args=[log[0].pk])
    assert "Line 1" in text(client.get(entry))
    refused = client.post(entry, SCREENED | {"screen_outcome": "declined", "version": "1", "reason": "x"})
    assert refused.status_code == 422 and "choose one of the reasons" in text(refused)
    assert client.post(entry, SCREENED | {"version": "9", "reason": "x"}).status_code == 409
    assert client.post(entry, SCREENED | {"in_error": "", "version": "1", "reason": "twice"}).status_code == 302
    settings.SYNTHETIC = True
    answer = client.get(reverse("screening_csv"))
    assert 'filename="synthetic-metaspine-screening-' in answer["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [row["screen_outcome"] for row in rows[:2]] == ["in_error", "not_eligible"] and rows[0]["site_code"] == "N01"
    with entered(access_of(alice).scope()), transaction.atomic():
        assert AuditEvent.objects.filter(action="screening_exported").exists()
    assert browse(charlie).get(entry).status_code == 404
    assert "The log is empty" in text(browse(charlie).get(reverse("screening")))
    assert "Screened" in text(browse(bob).get(reverse("cohort_new") + "?all=on"))
