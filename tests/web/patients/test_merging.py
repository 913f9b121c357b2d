"""Moving a patient to another site, and merging two records of one patient: what comes along, and what holds."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, ProgrammingError, connection, transaction

from registry.models import (
    AdverseEvent,
    Assessment,
    ConsentWithdrawal,
    EnteredInError,
    Identity,
    Merge,
    Patient,
    PatientLink,
    Query,
    QueryMessage,
    SuspectedPair,
    Transfer,
    Utility,
)
from registry.services.entry import entered_in_error, merging, patient_links, patients, suspected_pairs, transfers
from registry.services.entry.assessments import save_assessment
from registry.services.follow_up import ends
from registry.services.operations import erasure
from registry.services.outcomes import compute_outcomes
from registry.services.quality import entry_delay
from registry.services.records import identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, Locked, ReasonRequired
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.services.study import consents
from sites.models import AuditEvent, Role, Site
from tests.conftest import TODAY, person
from tests.web.conftest import ASSESSMENT, SURGERY

WHY = "the same person, by the referring hospital"
DAY = "2026-01-12"


def visit(access, patient, timepoint="preop", **changes):
    raw = ASSESSMENT | {"assessment_date": DAY} | changes
    return save_assessment(access=access, patient=patient, timepoint=timepoint, raw=raw, today=TODAY)


def event(access, patient, day="2026-01-20", **more):
    raw = {"kind": "hematoma", "onset_date": day} | more
    return patients.save_adverse_event(access=access, patient=patient, raw=raw, today=TODAY)


def merged(access, survivor, other, **choices):
    return merging.merge(access=access, remaining=survivor, merged=other, choices=choices, reason=WHY)


def refreshed(patient):
    return Patient.objects.get(pk=patient.pk)


@pytest.fixture
def two(enrolled, alice, charlie, as_person):
    """(a patient of North with a visit, one of South with two visits, an event and a query of Dana's)."""
    ours, theirs = enrolled(alice), enrolled(charlie)
    with as_person(alice) as access:
        visit(access, ours)
    with as_person(charlie) as access:
        visit(access, theirs, pain_vas_mm="11")
        visit(access, theirs, "1m", assessment_date="2026-02-12")
        event(access, theirs)
    return refreshed_as(as_person, alice, ours), refreshed_as(as_person, charlie, theirs)


def refreshed_as(as_person, user, patient):
    with as_person(user):
        return refreshed(patient)


# Transfer


def test_a_patient_moves_with_everything(two, as_person, dana, alice, charlie, north, south):
    _ours, patient = two
    with as_person(dana) as access:
        queries.raise_query(access=access, patient=patient, form=Form("baseline"), text="Which level?")
        done = transfers.transfer(access=access, patient=patient, to=north, version=patient.version, reason=WHY)
        assert (done.site, done.to_site, done.patient_id) == (south, north, "S01-0001")
    with as_person(charlie):
        assert not Patient.objects.filter(pk=patient.pk).exists()
        assert not Assessment.objects.filter(patient_id=patient.pk).exists()
        assert not Identity.objects.filter(pk=patient.pk).exists()
        assert [row.reason for row in Transfer.objects.all()] == [WHY]
    with as_person(alice):
        moved = refreshed(patient)
        assert moved.site == north
        assert {row.site_id for row in Assessment.objects.filter(patient=moved)} == {north.pk}
        assert AdverseEvent.objects.get(patient=moved).site == north
        assert Query.objects.get(patient=moved, rule=None).site == north
        assert QueryMessage.objects.filter(query__patient=moved).exists()
        assert str(identity.read(moved)["birth_date"]) == "1955-04-03"


def test_the_delay_of_what_moved_is_counted_where_the_patient_is_now(
    two, as_person, dana, alice, charlie, north, south
):
    ours, patient = two

    def delays(user):
        with as_person(user):
            stored = entry_delay.rows([north.pk, south.pk], limit=9)
            return sorted((number, timepoint) for number, timepoint, _day, days in stored if days >= 0)

    assert delays(alice) == [(ours.pk, "preop")]
    at_south = delays(charlie)
    assert at_south == [(patient.pk, "1m"), (patient.pk, "preop")]
    for to, seen in ((north, [(ours.pk, "preop"), *at_south]), (south, [(ours.pk, "preop")])):  # away, and back
        with as_person(dana) as access:
            transfers.transfer(access=access, patient=refreshed(patient), to=to, version=None, reason=WHY)
        assert (delays(alice), delays(charlie)) == (seen, [] if to is north else at_south)
    # Who moved twice: the first move was between two other sites, and what was stored before it counts all the same.
    third = Site.objects.create(code="W01", name="West Hospital", name_ja="西病院")
    for to in (north, third):
        with as_person(dana) as access:
            transfers.transfer(access=access, patient=refreshed(patient), to=to, version=None, reason=WHY)
    with as_person(person("Wendy", Role.COORDINATOR, third)):
        assert len(entry_delay.rows([third.pk], limit=9)) == 2
        assert not Transfer.objects.filter(to_site=north).exists()


def test_both_sites_have_the_transfer_on_record(two, as_person, dana, alice, charlie, north, south):
    _ours, patient = two
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=patient, to=north, version=None, reason=WHY)
    for user, site in ((alice, north), (charlie, south)):
        with as_person(user):
            acts = AuditEvent.objects.filter(action="patient_transferred")
            assert [(act.site_id, act.row_id, act.reason) for act in acts] == [(site.pk, "S01-0001", WHY)]
    with as_person(charlie):  # what was recorded until then stays with the site
        assert AuditEvent.objects.filter(table_name="registry_patient", row_id="S01-0001", action="insert").exists()


def test_a_number_that_moved_away_is_not_given_again(two, enrolled, as_person, dana, charlie, north):
    _ours, patient = two
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=patient, to=north, version=None, reason=WHY)
    assert enrolled(charlie).pk == "S01-0002"


def test_what_is_derived_moves_too(two, as_person, as_system, dana, alice, north):
    _ours, patient = two
    with as_system():
        compute_outcomes([patient.pk])
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=patient, to=north, version=None, reason=WHY)
    with as_person(alice):
        moved = Assessment.objects.filter(patient=patient).values_list("pk", flat=True)
        assert Utility.objects.filter(assessment_id__in=moved).exists()


@pytest.mark.parametrize("who", ["alice", "charlie", "mona", "bob", "ada"])
def test_nobody_but_a_data_manager_moves_or_merges(two, as_person, request, who, north):
    ours, patient = two
    with as_person(request.getfixturevalue(who)) as access:
        with pytest.raises(PermissionDenied):
            transfers.transfer(access=access, patient=patient, to=north, version=None, reason=WHY)
        with pytest.raises(PermissionDenied):
            merged(access, ours, patient)


def test_a_transfer_needs_a_reason_another_site_and_what_was_seen(two, as_person, dana, north, south):
    _ours, patient = two
    with as_person(dana) as access:
        for error, to, version, reason in (
            (ReasonRequired, north, None, " "),
            (InvalidAnswers, south, None, WHY),
            (Conflict, north, patient.version + 1, WHY),
        ):
            with pytest.raises(error):
                transfers.transfer(access=access, patient=patient, to=to, version=version, reason=reason)
        assert refreshed(patient).site == south


def test_no_statement_of_the_application_moves_a_patient(two, as_person, as_system, dana, charlie, ada, north):
    _ours, patient = two
    with as_system(reason=WHY), pytest.raises(ProgrammingError, match="unless move_patient"), transaction.atomic():
        Patient.objects.filter(pk=patient.pk).update(site_id=north.pk)
    with as_system(reason=WHY), pytest.raises(ProgrammingError), transaction.atomic():
        Assessment.objects.filter(patient_id=patient.pk).update(site_id=north.pk)
    for user in (dana, charlie, ada):
        with as_person(user), pytest.raises(DatabaseError), transaction.atomic():
            call_move(patient.pk, north.pk)
    with as_system(), pytest.raises(ProgrammingError, match="with a reason"), transaction.atomic():
        call_move(patient.pk, north.pk)
    with as_system(reason=WHY), pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry_transfer (site_id, to_site_id, patient_id, reason) VALUES (1, 2, 'X', 'y')"
        )


def call_move(number, site_id):
    with connection.cursor() as cursor:
        cursor.execute("SELECT move_patient(%s, %s)", [number, site_id])


# Merge


def test_what_only_the_other_record_has_comes_in_and_the_choice_decides(two, as_person, dana, alice):
    ours, theirs = two
    with as_person(dana) as access:
        comparison = merging.compare(ours, theirs)
        assert {part.code: part.state for part in comparison.parts} == {
            "baseline": "same", "preop": "differ", "1m": "only_merged",
        }  # fmt: skip
        assert [name for name, *_ in comparison.parts[1].differences] == ["pain_vas_mm"]
        with pytest.raises(InvalidAnswers) as refused:
            merged(access, ours, theirs)
        assert list(refused.value.errors) == ["preop"]
        merged(access, ours, theirs, preop="merged")
    with as_person(alice):
        pains = {row.timepoint_id: row.pain_vas_mm for row in Assessment.objects.filter(patient=ours)}
        assert pains == {"preop": 11, "1m": int(ASSESSMENT["pain_vas_mm"])}
        # What was copied was entered before, in the other record: it tells nothing of how fast anybody enters.
        assert [row[:2] for row in entry_delay.rows([ours.site_id], limit=9)] == []
        assert AdverseEvent.objects.get(patient=ours).kind == "hematoma"


def test_the_other_record_leaves_every_count_and_says_where_it_is(two, as_person, dana, charlie):
    ours, theirs = two
    with as_person(dana) as access:
        merged(access, ours, theirs, preop="kept")
        assert [row.pk for row in Patient.objects.all()] == [ours.pk]
        assert AuditEvent.objects.filter(action="records_merged").count() == 2
    with as_person(charlie) as access:
        entry = EnteredInError.objects.get(record=theirs.pk)
        assert (entry.merged_into, entry.reason, entry.marked_by) == (ours.pk, WHY, dana)
        with pytest.raises(InvalidAnswers) as refused:
            entered_in_error.take_back(access=access, entry=entry, reason="no")
        assert ours.pk in refused.value.errors[""][0].en
        with pytest.raises(ProgrammingError, match="by taking the merge back"), transaction.atomic():
            EnteredInError.objects.filter(pk=entry.pk).update(taken_back_at=entry.marked_at, taken_back_reason="no")


def test_a_patients_own_form_is_taken_over_and_given_back(enrolled, alice, as_person, dana):
    ours, theirs = enrolled(alice), enrolled(alice)
    with as_person(alice) as access:
        patients.save_form(access=access, patient=theirs, form="surgery", raw=SURGERY, today=TODAY)
        ours, theirs = refreshed(ours), refreshed(theirs)
    with as_person(dana) as access:
        done = merged(access, ours, theirs)
        survivor = refreshed(ours)
        assert (survivor.surgery_date, survivor.procedure) == (theirs.surgery_date, theirs.procedure)
        assert survivor.age_at_surgery == theirs.age_at_surgery
        merging.take_back(access=access, done=done, reason="two brothers")
        survivor = refreshed(ours)
        assert (survivor.surgery_date, survivor.procedure, survivor.missing) == (None, None, ours.missing)


def test_a_merge_is_taken_back_whole(two, as_person, dana, alice, charlie):
    ours, theirs = two
    with as_person(dana) as access:
        done = merged(access, ours, theirs, preop="merged")
        merging.take_back(access=access, done=done, reason="two brothers")
        assert Merge.objects.get(pk=done.pk).taken_back_by == dana
        with pytest.raises(Conflict):
            merging.take_back(access=access, done=done, reason="again")
    with as_person(alice):
        assert [row.pain_vas_mm for row in Assessment.objects.filter(patient=ours)] == [int(ASSESSMENT["pain_vas_mm"])]
        assert not AdverseEvent.objects.filter(patient=ours).exists()
    with as_person(charlie):
        assert Assessment.objects.filter(patient=theirs).count() == 2
        assert AdverseEvent.objects.filter(patient=theirs).count() == 1


@pytest.mark.parametrize("what", ["correction", "new visit"])
def test_the_next_entry_ends_the_way_back(two, as_person, dana, alice, what):
    ours, theirs = two
    with as_person(dana) as access:
        done = merged(access, ours, theirs, preop="merged")
    with as_person(alice) as access:
        if what == "new visit":
            visit(access, ours, "3m", assessment_date="2026-04-12")
        else:
            Assessment.objects.filter(patient=ours, timepoint="1m").update(frankel="C")
    with as_person(dana) as access, pytest.raises(InvalidAnswers):
        merging.take_back(access=access, done=done, reason="two brothers")


def test_a_signed_form_is_not_merged(two, as_person, as_system, dana):
    ours, theirs = two
    with as_system(reason="signed"):
        Assessment.objects.filter(patient=theirs, timepoint="1m").update(state="complete")
        Assessment.objects.filter(patient=theirs, timepoint="1m").update(state="locked")
    with as_person(dana) as access, pytest.raises(Locked):
        merged(access, ours, theirs, preop="kept")


def test_who_erases_a_patient_erases_what_was_merged_into_them(two, as_person, as_system, dana, alice):
    ours, theirs = two
    with as_person(dana) as access:
        merged(access, ours, theirs, preop="merged")
    with as_person(alice) as access:
        end = {"end_kind": "withdrawn", "end_date": "2026-05-01", "end_reason": "burden", "end_data_use": "stop"}
        ends.end_follow_up(access=access, patient=ours, raw=end, today=TODAY)
    with as_person(dana) as access:
        erasure.erase(access=access, patient=ours, extent="everything", typed=ours.pk, reason="letter")
    with as_system(in_error=True):
        assert not Patient.objects.exists()
        assert not Merge.objects.exists()
        assert not Identity.objects.exists()


def test_the_links_of_a_moved_patient_move(two, as_person, dana, alice, charlie, north):
    _ours, patient = two
    with as_person(charlie) as access:
        patient_links.create(
            access=access, patient=patient, timepoint="3m", language="en", respondent="patient", valid="1d"
        )
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=patient, to=north, version=None, reason=WHY)
    with as_person(alice):
        assert [row.site_id for row in PatientLink.objects.filter(patient=patient)] == [north.pk]


# Pages


def test_a_data_manager_merges_by_what_the_page_shows(two, browse, dana, as_person, alice):
    ours, theirs = two
    client = browse(dana)
    address = f"/patients/{ours.pk}/merge/"
    assert client.get(f"{address}?with=nobody").status_code == 422
    assert client.get(f"{address}?with={ours.pk}").status_code == 422
    page = client.get(f"{address}?with={theirs.pk.lower()}")
    rows = [row for line in page.context["parts"] for row in line["rows"]]
    assert [(ours_shown, theirs_shown) for _label, ours_shown, theirs_shown in rows] == [("40 mm", "11 mm")]
    sent = {"with": theirs.pk, "seen": page.context["seen"], "reason": WHY}
    unchosen = client.post(address, sent)
    assert (unchosen.status_code, list(unchosen.context["errors"])) == (422, ["preop"])
    assert client.post(address, sent | {"choice-preop": "kept"}).status_code == 302
    page = client.get(f"/patients/{ours.pk}/")
    assert f"{theirs.pk} was merged into this record" in page.content.decode()
    undo = f"/merges/{page.context['merges'][0].pk}/take-back/"
    assert client.post(undo, {"reason": ""}).status_code == 422
    assert client.post(undo, {"reason": "two brothers"}).status_code == 302


def test_a_reason_stands_beside_the_value_of_the_other_record(two, browse, dana, as_person, charlie):
    ours, theirs = two
    with as_person(charlie) as access:
        seen = Assessment.objects.get(patient=theirs, timepoint="preop")
        raw = ASSESSMENT | {"assessment_date": DAY, "pain_vas_mm": "40", "eq_vas": ""}
        save_assessment(
            access=access, patient=theirs, timepoint="preop", raw=raw, missing={"eq_vas": "too_ill"},
            version=seen.version, today=TODAY,
        )  # fmt: skip
    page = browse(dana).get(f"/patients/{ours.pk}/merge/?with={theirs.pk}")
    rows = [row for line in page.context["parts"] for row in line["rows"]]
    assert [(label, ours_shown, theirs_shown) for label, ours_shown, theirs_shown in rows] == [
        ("EQ VAS (health today)", "60", "Too ill")
    ]


def test_who_saw_something_else_merges_nothing(two, browse, dana, as_person, charlie):
    ours, theirs = two
    client = browse(dana)
    page = client.get(f"/patients/{ours.pk}/merge/?with={theirs.pk}")
    with as_person(charlie):
        Assessment.objects.filter(patient=theirs, timepoint="1m").update(frankel="C")
    sent = {"with": theirs.pk, "seen": page.context["seen"], "reason": WHY, "choice-preop": "kept"}
    refused = client.post(f"/patients/{ours.pk}/merge/", sent)
    assert refused.status_code == 409
    with as_person(dana):
        assert not Merge.objects.exists()


def test_a_data_manager_moves_a_patient_and_everybody_reads_of_it(two, browse, dana, alice, north, south):
    _ours, patient = two
    client, address = browse(dana), f"/patients/{patient.pk}/transfer/"
    sent = {"to": north.pk, "reason": WHY, "version": patient.version}
    for wrong, status in (({"to": ""}, 422), ({"reason": ""}, 422), ({"version": 99}, 409), ({"version": ""}, 409)):
        assert client.post(address, sent | wrong).status_code == status
    assert client.post(address, sent).status_code == 302
    assert (
        "Moved from S01 South Hospital to N01 North Hospital"
        in browse(alice).get(f"/patients/{patient.pk}/").content.decode()
    )
    history = client.get(f"/patients/{patient.pk}/history/").content.decode()
    assert WHY in history
    assert "Created" in history  # at the site before


def test_a_site_is_told_that_its_record_was_merged(two, browse, dana, charlie, as_person):
    ours, theirs = two
    with as_person(dana) as access:
        merged(access, ours, theirs, preop="kept")
    page = browse(charlie).get(f"/patients/?q={theirs.pk}").content.decode()
    assert f"merged into {ours.pk}" in page
    page = browse(charlie).get("/entered-in-error/").content.decode()
    assert f"merged into {ours.pk}" in page
    assert "/entered-in-error/1" not in page


def test_what_only_the_merged_record_says_of_the_consent_is_not_lost(two, as_person, dana, alice, charlie):
    ours, theirs = two
    said = {"withdrawn_part": "contact", "withdrawn_on": DAY}
    with as_person(charlie) as access:
        consents.withdraw(access=access, patient=theirs, raw=said, today=TODAY)
    with as_person(dana) as access, pytest.raises(InvalidAnswers) as refused, transaction.atomic():
        merged(access, ours, theirs, preop="kept")
    (reason,) = refused.value.errors[""]
    assert "withdrawals of parts of the consent" in reason.en
    assert ours.pk in reason.en
    with as_person(alice) as access:
        consents.withdraw(access=access, patient=ours, raw=said, today=TODAY)
    with as_person(dana) as access:
        merged(access, ours, theirs, preop="kept")
        assert consents.is_withdrawn(refreshed(ours), "contact")


def test_of_one_event_told_otherwise_in_both_somebody_chooses(two, browse, as_person, dana, alice):
    ours, theirs = two
    with as_person(alice) as access:
        event(access, ours, detail="drained by Dr Q.N.", ae_outcome="recovered")
    page = browse(dana).get(f"/patients/{ours.pk}/merge/?with={theirs.pk}")
    (line,) = (line for line in page.context["parts"] if line["part"].code.startswith("event-"))
    assert ("for the site alone", "for the site alone") in [tuple(cells) for _label, *cells in line["rows"]]
    assert "Dr Q.N." not in page.content.decode()
    code = line["part"].code
    with as_person(dana) as access:
        with pytest.raises(InvalidAnswers) as refused, transaction.atomic():
            merged(access, ours, theirs, preop="kept")
        assert list(refused.value.errors) == [code]
        done = merged(access, ours, theirs, preop="kept", **{code: "merged"})
        assert AdverseEvent.objects.get(patient=ours).ae_outcome is None
        merging.take_back(access=access, done=done, reason="two brothers")
        assert AdverseEvent.objects.get(patient=ours).ae_outcome == "recovered"


def test_another_end_of_follow_up_is_not_lost(two, as_person, dana, alice, charlie):
    ours, theirs = two
    for user, patient, use in ((alice, ours, "keep"), (charlie, theirs, "stop")):
        with as_person(user) as access:
            end = {"end_kind": "withdrawn", "end_date": "2026-03-01", "end_reason": "burden", "end_data_use": use}
            ends.end_follow_up(access=access, patient=patient, raw=end, today=TODAY)
    with as_person(dana) as access, pytest.raises(InvalidAnswers) as refused, transaction.atomic():
        merged(access, ours, theirs, preop="kept")
    assert "an end of follow-up that is another" in refused.value.errors[""][0].en


def test_a_question_about_two_records_follows_who_moves(two, as_person, as_system, dana, charlie, north, south):
    ours, theirs = two
    with as_system():
        SuspectedPair.objects.create(first=ours.pk, first_site=north, second=theirs.pk, second_site=south)
    with as_person(dana) as access:
        transfers.transfer(access=access, patient=theirs, to=north, version=None, reason=WHY)
        pair = SuspectedPair.objects.get()
        assert (pair.first_site, pair.second_site) == (north, north)
        suspected_pairs.decide(access=access, pair=pair, state="two", reason=WHY)
    with as_person(charlie):  # the site that was left learns nothing of what is decided now
        assert not AuditEvent.objects.filter(action="pair_decided").exists()


def test_consents_and_withdrawals_move_with_a_patient(two, as_person, dana, charlie, north):
    _ours, theirs = two
    with as_person(charlie) as access:
        consents.withdraw(
            access=access, patient=theirs, raw={"withdrawn_part": "data_use", "withdrawn_on": DAY}, today=TODAY
        )
    with as_person(dana) as access:
        seen = refreshed(theirs)
        transfers.transfer(access=access, patient=seen, to=north, reason=WHY, version=seen.version)
        assert refreshed(theirs).site_id == north.pk
        assert consents.is_withdrawn(refreshed(theirs), "data_use")
        (withdrawal,) = ConsentWithdrawal.objects.filter(patient_id=theirs.pk)
        assert withdrawal.site_id == north.pk
