"""The schedule in versions, visits outside the plan, and follow-up that ends early."""

import datetime as dt
import random

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from registry.exports import choices as asked
from registry.exports.data.datasets import datasets
from registry.exports.data.tables import Selection, blocks
from registry.imports.files import mapping
from registry.instruments import catalogue
from registry.instruments.base import InvalidValue
from registry.instruments.timepoints import SCHEDULE, Plans, Version, unscheduled_number
from registry.models import Assessment, FollowUpEnd, Patient, ScheduleVersion, Timepoint
from registry.services import standing
from registry.services.entry.assessments import save_assessment
from registry.services.entry.patients import save_form
from registry.services.files import file_formats
from registry.services.follow_up import ends as follow_up
from registry.services.follow_up import schedule, visits
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired
from sites.models import AuditEvent
from tests.conftest import TODAY

TOMORROW = TODAY + dt.timedelta(days=1)
DAY = dt.timedelta(days=1)


def typed(plan=SCHEDULE):
    """A plan as the page sends it."""
    return [
        {
            "code": timepoint.code,
            "label": timepoint.label.en,
            "label_ja": timepoint.label.ja,
            "day": str(timepoint.day),
            "before": str(timepoint.before),
            "after": str(timepoint.after),
        }
        for timepoint in plan
    ]


def changed(code, **values):
    return [row | values if row["code"] == code else row for row in typed()]


FURTHER = {"code": "36m", "label": "36 months", "label_ja": "術後36か月", "day": "1095", "before": "60", "after": "60"}


@pytest.fixture
def publish(ada, as_person):
    def send(rows, start=TOMORROW, note="Protocol amendment 2"):
        with as_person(ada) as access:
            return schedule.publish(access=access, effective_from=str(start), visits=rows, note=note, today=TODAY)

    return send


def errors_of(call, *arguments, **more):
    with pytest.raises(InvalidAnswers) as caught:
        call(*arguments, **more)
    return {key: [reason.en for reason in reasons] for key, reasons in caught.value.errors.items()}


# -- Versions --------------------------------------------------------------------------------------------------------


def test_the_registry_begins_with_the_declared_schedule(db):
    assert schedule.plans().on(TODAY) == SCHEDULE


def test_who_was_operated_before_keeps_the_plan(publish, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(standing, "FRESH", float("inf"))  # asked once a second, and anew after a change
    assert schedule.plans().on(TOMORROW) == SCHEDULE
    with pytest.raises(RuntimeError), transaction.atomic():
        publish(changed("3m", day="94"))
        assert schedule.plans().on(TOMORROW) != SCHEDULE
        raise RuntimeError
    assert schedule.plans().on(TOMORROW) == SCHEDULE
    with django_assert_num_queries(0):
        schedule.plans()
    publish(changed("3m", day="95", before="10", after="10"))
    plans = schedule.plans()
    assert plans.on(TODAY) == SCHEDULE
    assert standing._known["standing"] is None  # what is not committed is nobody else's
    later = {timepoint.code: timepoint for timepoint in plans.on(TOMORROW)}
    assert (later["3m"].day, later["3m"].before, later["3m"].after) == (95, 10, 10)
    assert later["1m"] == SCHEDULE[1]


def test_a_further_timepoint_between_or_after(publish):
    nine = {"code": "9m", "label": "9 months", "label_ja": "術後9か月", "day": "270", "before": "20", "after": "20"}
    publish([*typed(), FURTHER, nine])
    codes = ["preop", "1m", "3m", "6m", "9m", "12m", "24m", "36m"]
    assert [visit.code for visit in schedule.plans().on(TOMORROW)] == codes
    assert [timepoint.code for timepoint in schedule.plans().timepoints] == codes
    assert list(Timepoint.objects.values_list("code", flat=True)) == codes


def test_a_later_version_may_leave_it_out_again(publish):
    publish([*typed(), FURTHER])
    publish(typed(), start=TOMORROW + 10 * DAY)
    plans = schedule.plans()
    assert [len(plans.on(day)) for day in (TODAY, TOMORROW, TOMORROW + 10 * DAY)] == [6, 7, 6]


def test_a_version_for_the_same_day_replaces_the_one_before(publish):
    publish([*typed(), FURTHER])
    publish(changed("1m", after="10"))
    assert len(schedule.plans().on(TOMORROW)) == 6
    assert [start for start, _end, _plan in schedule.plans().spans()] == [None, TOMORROW]


def test_the_products_visits_may_be_left_out_but_for_the_one_before_surgery(publish):
    """A study with visits of its own: who was operated before keeps the visits that were planned."""
    others = [
        FURTHER | {"code": code, "day": str(day), "before": "7", "after": "7"} for code, day in (("2w", 14), ("6w", 42))
    ]
    publish([row for row in typed() if row["code"] in ("preop", "3m")] + others)
    assert [visit.code for visit in schedule.plans().on(TOMORROW)] == ["preop", "2w", "6w", "3m"]
    assert [visit.code for visit in schedule.plans().on(TODAY)] == ["preop", "1m", "3m", "6m", "12m", "24m"]
    assert {"1m", "24m", "6w"} <= {visit.code for visit in schedule.plans().timepoints}


@pytest.mark.parametrize(
    ("rows", "where", "why"),
    [
        (changed("3m", day="ninety"), "day-2", "must be a whole number"),
        (changed("3m", day=""), "day-2", "is needed"),
        (changed("3m", day="20"), "day-2", "must come after the visit 1m"),
        (changed("3m", before="60"), "day-2", "before the window of 1m has closed"),
        (changed("preop", after="5"), "after-0", "must end on the day of surgery"),
        (typed()[1:], "", "The visit preop cannot be left out: changes are counted from it."),
        ([*typed(), FURTHER | {"code": "u1"}], "code-6", "must be a number and d, w, m or y"),
        ([*typed(), FURTHER, FURTHER], "code-7", "is there twice"),
        ([*typed(), FURTHER | {"label_ja": ""}], "label_ja-6", "is needed"),
        (typed(), "", "in force already"),
    ],
)
def test_what_cannot_be_published(publish, rows, where, why):
    errors = errors_of(publish, rows)
    assert why in errors[where][0]
    assert ScheduleVersion.objects.count() == 1


@pytest.mark.parametrize(("start", "where"), [("", "effective_from"), ("soon", "effective_from")])
def test_the_day_is_needed(publish, start, where):
    assert where in errors_of(publish, changed("1m", after="10"), start=start)
    assert "note" in errors_of(publish, changed("1m", after="10"), note="  ")


def test_nobodys_plan_changes_afterwards(publish, enrolled, alice, as_person):
    rows = changed("1m", after="10")
    patient = enrolled(alice)
    with as_person(alice):
        Patient.objects.filter(pk=patient.pk).update(surgery_date=TODAY - 5 * DAY)
    assert "effective_from" in errors_of(publish, rows, start=TODAY - 5 * DAY)
    publish(rows, start=TODAY - 4 * DAY)  # nobody has been operated since
    assert schedule.plans().of(patient_at(TODAY - 5 * DAY), TODAY) == SCHEDULE


def patient_at(surgery_date, **changes):
    return Patient(**({"surgery_date": surgery_date} | changes))


def test_only_an_administrator_publishes(as_person, alice, dana, ada):
    for user in (alice, dana):
        with as_person(user) as access, pytest.raises(PermissionDenied):
            schedule.publish(access=access, effective_from=str(TOMORROW), visits=typed(), note="x", today=TODAY)


def test_a_version_is_on_record_and_never_changes(publish, ada, as_person):
    version = publish(changed("1m", after="10"))
    with as_person(ada):
        events = AuditEvent.objects.filter(table_name="registry_scheduledvisit", action="insert")
        assert {event.user_id for event in events.filter(new__version_id=version.pk)} == {ada.pk}
    for change in (
        lambda: ScheduleVersion.objects.filter(pk=version.pk).update(note="other"),
        lambda: version.visits.filter(timepoint="1m").update(days_after=30),
        lambda: version.visits.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            change()


# -- Python and SQL say the same ---------------------------------------------------------------------------------------


def test_sql_waits_for_what_python_waits_for(enrolled, alice, north, as_person):
    """A hundred patients at random under three versions; each visit in the same state by both."""
    chance = random.Random(7)
    versions = [
        Version(dt.date(1900, 1, 1), SCHEDULE),
        Version(TODAY - 400 * DAY, SCHEDULE[:4]),
        Version(TODAY - 100 * DAY, SCHEDULE),
    ]
    plans = Plans(tuple(versions))
    with as_person(alice):
        people = [random_patient(chance, north, number) for number in range(100)]
        ends = follow_up.ends_of([person.pk for person in people])
        recorded = {}
        for assessment in Assessment.objects.all():
            recorded.setdefault(assessment.patient_id, {})[assessment.timepoint_id] = assessment
        by_python = {
            (person.pk, visit.code, visit.state, visit.last, visit.missed_from)
            for person in people
            for visit in visits.visits(
                person, plans.of(person, TODAY), recorded.get(person.pk, {}), TODAY, ends.get(person.pk)
            )
            if visit.state in ("due", "overdue")
        }
        waiting = visits.awaited([north.pk], plans, TODAY)
        by_sql = {
            (visit.patient_id, visit.code, visit.state(TODAY), visit.last, visit.missed_from) for visit in waiting
        }
        counts = visits.awaited_by_site([north.pk], plans, TODAY)[north.pk]
    assert by_sql == by_python
    assert len(by_sql) > 20
    assert {state for _pk, _code, state, _last, _missed in by_sql} == {"due", "overdue"}
    assert sum(counts) == len(by_sql)


def random_patient(chance, site, number):
    surgery = TODAY - chance.randint(-40, 1100) * DAY if chance.random() < 0.95 else None
    dead = chance.random() < 0.3
    patient = Patient.objects.create(
        patient_id=f"N01-{number:04}",
        site=site,
        surgery_date=surgery,
        vital_status="dead" if dead else chance.choice(["alive", None]),
        death_date=surgery + chance.randint(0, 500) * DAY if dead and surgery and chance.random() < 0.8 else None,
    )
    if chance.random() < 0.3:
        kind = chance.choice(["withdrawn", "lost"])
        FollowUpEnd.objects.create(
            patient=patient,
            site=site,
            end_kind=kind,
            end_date=(surgery or TODAY) + chance.randint(-5, 400) * DAY,
            end_reason="other",
            end_data_use="keep" if kind == "withdrawn" else None,
        )
    for timepoint in SCHEDULE:
        if surgery and chance.random() < 0.3:
            Assessment.objects.create(patient=patient, site=site, timepoint_id=timepoint.code, assessment_date=surgery)
    return patient


def test_what_is_least_known(enrolled, alice, north, as_person):
    with as_person(alice) as access:
        for vas in (None, None, 50):
            patient = enrolled(alice)
            Patient.objects.filter(pk=patient.pk).update(surgery_date=TODAY - 40 * DAY)
            raw = {"assessment_date": str(TODAY - 10 * DAY), "pain_vas_mm": "10", "frankel": "E", "ecog_ps": "1"}
            raw |= {item.name: "1" for item in file_formats.ASSESSMENTS.items if item.name.startswith("eq5d_")}
            raw |= {item.name: "5" for item in file_formats.ASSESSMENTS.items if item.name.startswith("barthel_")}
            save_assessment(access=access, patient=patient, timepoint="1m", raw=raw | {"eq_vas": str(vas or "")})
        known = visits.least_known(visits.known_by_site([north.pk], schedule.plans(), TODAY).values())
    assert (known["1m"].measure, known["1m"].unknown, known["1m"].reached) == ("eq_vas", 2, 3)
    assert known["preop"].unknown == known["preop"].reached == 3
    assert "3m" not in known


# -- End of follow-up --------------------------------------------------------------------------------------------------

WITHDRAWN = {"end_kind": "withdrawn", "end_date": "2026-03-01", "end_reason": "burden", "end_data_use": "keep"}


@pytest.fixture
def operated(enrolled, alice, as_person):
    patient = enrolled(alice)
    with as_person(alice):
        Patient.objects.filter(pk=patient.pk).update(surgery_date="2026-01-15")
        return Patient.objects.get(pk=patient.pk)


def states(patient):
    end = follow_up.end_of(patient)
    return [visit.state for visit in visits.visits(patient, SCHEDULE, {}, TODAY, end)]


def test_withdrawal_closes_what_follows_and_is_taken_back(operated, alice, as_person):
    with as_person(alice) as access:
        before = states(operated)
        end = follow_up.end_follow_up(access=access, patient=operated, raw=WITHDRAWN, today=TODAY)
        assert states(operated) == ["overdue", "missed", *["withdrawn"] * 4]
        with pytest.raises(ReasonRequired):
            follow_up.resume_follow_up(access=access, patient=operated, version=end.version, reason=" ")
        follow_up.resume_follow_up(access=access, patient=operated, version=end.version, reason="consents again")
        assert states(operated) == before
        events = AuditEvent.objects.filter(table_name="registry_followupend", row_id=operated.pk).order_by("pk")
        assert [(event.action, event.reason) for event in events] == [("insert", ""), ("delete", "consents again")]


def test_lost_to_follow_up_and_a_correction(operated, alice, as_person):
    lost = {"end_kind": "lost", "end_date": "2026-02-20", "end_reason": "moved", "end_data_use": "keep"}
    with as_person(alice) as access:
        end = follow_up.end_follow_up(access=access, patient=operated, raw=lost, today=TODAY)
        assert end.end_data_use is None
        assert states(operated) == ["overdue", *["lost"] * 5]
        later = lost | {"end_date": "2026-05-20"}
        with pytest.raises(ReasonRequired):
            follow_up.end_follow_up(access=access, patient=operated, raw=later, version=1, today=TODAY)
        with pytest.raises(Conflict):
            follow_up.end_follow_up(access=access, patient=operated, raw=later, version=None, today=TODAY)
        follow_up.end_follow_up(
            access=access, patient=operated, raw=later, version=end.version, reason="letter", today=TODAY
        )
        assert states(operated) == ["overdue", "missed", "overdue", *["lost"] * 3]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end_date": "2026-01-01"}, "end_date"),  # before the consent
        ({"end_date": "2026-06-02"}, "end_date"),  # tomorrow
        ({"end_date": ""}, "end_date"),
        ({"end_reason": "mood"}, "end_reason"),
        ({"end_kind": ""}, "end_kind"),
        ({"end_data_use": ""}, "end_data_use"),
    ],
)
def test_an_end_that_cannot_be(operated, alice, as_person, changes, field):
    with as_person(alice) as access:
        errors = errors_of(
            follow_up.end_follow_up, access=access, patient=operated, raw=WITHDRAWN | changes, today=TODAY
        )
        assert field in errors
        assert follow_up.end_follow_up(access=access, patient=operated, raw=WITHDRAWN, today=TODAY).pk == operated.pk


def test_a_death_before_the_end_is_refused_and_one_after_it_is_not(operated, alice, as_person):
    with as_person(alice) as access:
        follow_up.end_follow_up(access=access, patient=operated, raw=WITHDRAWN, today=TODAY)
        form = {"access": access, "patient": operated, "form": "follow_up", "today": TODAY}
        raw = {"vital_status": "dead", "death_date": "2026-02-28", "last_contact_date": "2026-02-28"}
        assert errors_of(save_form, raw=raw, **form) == {"death_date": [follow_up.END_AFTER.en]}
        raw |= {"death_date": "2026-03-02"}
        assert save_form(raw=raw, version=Patient.objects.get(pk=operated.pk).version, **form).death_date


def test_an_end_after_a_death_recorded_meanwhile_is_refused(operated, alice, as_person):
    with as_person(alice) as access:
        raw = {"vital_status": "dead", "death_date": "2026-02-28", "last_contact_date": "2026-02-28"}
        save_form(access=access, patient=operated, form="follow_up", raw=raw, today=TODAY)
        asked = {"access": access, "patient": operated, "today": TODAY}  # the patient as read before that
        assert errors_of(follow_up.end_follow_up, raw=WITHDRAWN, **asked) == {"end_date": [follow_up.AFTER_DEATH.en]}
        assert follow_up.end_follow_up(raw=WITHDRAWN | {"end_date": "2026-02-28"}, **asked).pk == operated.pk


def test_not_at_another_site(operated, charlie, mona, as_person):
    for user in (charlie, mona):
        with as_person(user) as access, pytest.raises(PermissionDenied):
            follow_up.end_follow_up(access=access, patient=operated, raw=WITHDRAWN, today=TODAY)
    with as_person(charlie):
        assert follow_up.end_of(operated) is None


# -- Outside the plan --------------------------------------------------------------------------------------------------


def test_any_number_of_unscheduled_visits(operated, alice, as_person):
    with as_person(alice) as access:
        for number in range(1, 13):
            recorded = set(Assessment.objects.filter(patient=operated).values_list("timepoint_id", flat=True))
            code = schedule.next_unscheduled(recorded)
            assert code == f"u{number}"
            raw = {"assessment_date": f"2026-02-{number:02}", "pain_vas_mm": str(number)}
            save_assessment(access=access, patient=operated, timepoint=code, raw=raw, today=TODAY)
        by_visit = {assessment.timepoint_id: assessment for assessment in Assessment.objects.filter(patient=operated)}
        others = visits.others(SCHEDULE, by_visit, schedule.labels())
        file = b"".join(blocks(file_formats.ASSESSMENTS, Selection(sites=(operated.site_id,)))).decode()
    assert [other.code for other in others] == [f"u{number}" for number in range(1, 13)]
    assert others[11].label == "Unscheduled 12"
    # `u10` comes after `u9` in the file too.
    assert [line.split(",")[1] for line in file.splitlines()[1:]] == [f"u{number}" for number in range(1, 13)]
    assert [timepoint.code for timepoint in schedule.plans().timepoints] == [timepoint.code for timepoint in SCHEDULE]


@pytest.mark.parametrize("code", ["u0", "u01", "u", "U1", "1m", "u1000"])
def test_what_is_no_unscheduled_visit(code):
    assert unscheduled_number(code) is None


WEEK = {"code": "1w", "label": "1 week", "label_ja": "術後1週", "day": "7", "before": "3", "after": "3"}


def test_files_name_every_visit_of_the_schedule(publish):
    visit = catalogue.item("timepoint")
    with pytest.raises(InvalidValue, match="must be one of preop, 1m, 3m, 6m, 12m, 24m"):
        visit.clean("1w")
    publish([*typed(), WEEK])
    assert visit.clean(" 1w ") == "1w"
    with pytest.raises(InvalidValue, match="must be one of preop, 1w, 1m, 3m"):
        visit.clean("2w")
    assert ("1w", "1 week") in [(code, label.en) for code, label in mapping.choices_of("timepoint")]
    names = [variable.name for variable in datasets(asked.from_json({"shape": "wide"}))[0].variables]
    assert names.index("frankel_preop") < names.index("frankel_1w") < names.index("frankel_1m")
