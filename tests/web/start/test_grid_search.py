"""The grid's searches show who has such a form by the cells of the grid itself, in the order of the numbers.

The registry is drawn: forms in every state, also such as few have, people who died or left, dates of surgery for every
state of the schedule, unscheduled visits, a visit entered in error.
"""

import random
import re
from itertools import pairwise, product

import pytest
from django.db import connections, transaction
from django.utils import timezone

from bench.shared.scratch import ALL_VISITS, put_patients
from registry.instruments.timepoints import SCHEDULE, Plans, Version
from registry.models import FollowUpEnd, Patient
from registry.services.follow_up import visits
from registry.web.start import grid, grid_search
from sites.models import Site
from sites.tenancy.scope import current, everything, execute
from tests.conftest import person

PATIENTS = 300
STATES = ("draft", "due", "overdue", "missed", "complete", "verified", "locked")
# Nobody's surgery is of today in the scratch registry; few forms are verified or signed, and those at the last sites.
DRAWN = """
    UPDATE registry_patient SET surgery_date = current_date - 1000 + abs(hashtext(patient_id)) % 1040,
        consent_date = current_date - 1010, vital_status = 'alive', death_date = NULL, last_contact_date = NULL,
        missing = missing - 'last_contact_date' || '{"last_contact_date": "unknown"}';
    UPDATE registry_patient SET surgery_date = NULL, surgery_state = 'draft' WHERE abs(hashtext(patient_id)) % 40 = 7;
    UPDATE registry_patient SET vital_status = 'dead', death_date = surgery_date + 100,
        missing = missing - 'death_date' WHERE abs(hashtext(patient_id)) % 9 = 1;
    UPDATE registry_patient SET surgery_state = 'locked' WHERE abs(hashtext(patient_id)) % 50 = 3;
    UPDATE registry_assessment SET state = 'verified' WHERE state = 'complete' AND id % 25 = 2;
    UPDATE registry_assessment SET state = 'locked' WHERE state = 'complete' AND id % 31 = 2
        AND site_id > (SELECT max(id) - 4 FROM study_sites_site);
    DELETE FROM registry_assessment WHERE id % 3 = 1
"""


def draw():
    put_patients(PATIENTS, (*ALL_VISITS, ("u1", 50, 0.1)))
    tables = ("registry_patient", "registry_assessment")
    with everything(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("BEGIN")
        execute(cursor, current())
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in DRAWN.split(";"):
            cursor.execute(statement)
        cursor.execute("COMMIT")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    with everything(), transaction.atomic():
        operated = Patient.objects.exclude(surgery_date=None).order_by("pk")[::11]
        FollowUpEnd.objects.bulk_create(
            FollowUpEnd(
                patient=patient,
                site_id=patient.site_id,
                end_kind="lost",
                end_date=patient.surgery_date,
                end_reason="moved",
            )
            for patient in operated
        )


def cells(client, query=""):
    """{number: {column: state}} of every page of the grid in their order; how many the first page says there are."""
    rows, after, count = {}, "", None
    while True:
        page = client.get(f"/grid/?{query}&after={after}").context
        count = (page["count"], page["many"]) if count is None else count
        for row in re.findall(r"<tr>(.*?)</tr>", page["rows"], re.DOTALL):
            number = re.search(r'/patients/([^/"]+)/"', row)[1]
            states = [state for state, _none in re.findall(r'cell state-(\w+)"|(cell-none)', row)]
            rows[number] = dict(zip([column.code for column in page["columns"]], states, strict=True))
            after = number
        if not page["more"]:
            return rows, count


def matching(rows, form, state, *, due):
    """Numbers of whom a form is in the state, by what the cells say."""
    planned = [timepoint.code for timepoint in SCHEDULE]
    asked_due = {form} if form in planned else set(planned)
    return [
        number
        for number, states in rows.items()
        if (not state or any(states[code] == state for code in states if form in ("", code)))
        and (not due or any(states[code] in ("due", "overdue") for code in asked_due))
    ]


@pytest.mark.long
def test_searches_show_who_has_such_a_form(committed, client, monkeypatch):
    draw()
    client.force_login(person("manager", "data_manager"))
    rows, _count = cells(client)
    numbers = list(rows)
    assert (len(numbers), numbers) == (PATIENTS, sorted(numbers))
    forms = ("", "baseline", "surgery", *(timepoint.code for timepoint in SCHEDULE), "u")
    searches = [(form, state, False) for form, state in product(forms, STATES)]
    searches += [("", "", True), ("6m", "", True), ("", "verified", True), ("", "complete", True), ("", "missed", True)]
    few = 0
    for looked_at, size in ((1_000, 50), (30, 29)):  # all of those who might match, and the first of very many
        monkeypatch.setattr(grid_search, "IN_STATE", looked_at)
        monkeypatch.setattr(grid, "PAGE", size)
        for form, state, due in searches:
            expected = matching(rows, form, state, due=due)
            few += 0 < len(expected) < 20
            shown, (count, many) = cells(client, f"form={form}&state={state}{'&due=1' if due else ''}")
            assert list(shown) == expected, (form, state, due)
            assert count <= len(expected) if many else count == len(expected), (form, state, due)
            assert looked_at == 30 or not many
    assert few > 20  # states that few have were among them
    site = Site.objects.order_by("code").last()
    at_site = [number for number in matching(rows, "", "verified", due=False) if number.startswith(f"{site.code}-")]
    assert at_site
    assert list(cells(client, f"state=verified&site={site.code}")[0]) == at_site
    assert list(cells(client, f"state=verified&q={at_site[0]}")[0]) == at_site[:1]
    assert list(cells(client, "state=overdue&q=-1")[0]) == [
        number for number in matching(rows, "", "overdue", due=False) if "-1" in number
    ]


def test_spans_are_the_dates_of_surgery_of_whom_a_visit_may_be_in_a_state():
    today = timezone.localdate()
    later = tuple(timepoint for timepoint in SCHEDULE if timepoint.code != "3m")
    plans = Plans((Version(today - 900 * visits.DAY, SCHEDULE), Version(today - 77 * visits.DAY, later)))
    drawn = random.Random(7).sample(range(-1_200, 60), 400)
    for state in ("due", "overdue", "missed"):
        for code in ("", *(timepoint.code for timepoint in SCHEDULE)):
            spans = visits.surgery_spans(plans, today, state, code)
            assert all(before[1] < after[0] for before, after in pairwise(spans))
            for days in drawn:
                patient = Patient(surgery_date=today + days * visits.DAY)
                states = {
                    visit.code: visit.state for visit in visits.visits(patient, plans.of(patient, today), {}, today)
                }
                wanted = state in states.values() if not code else states.get(code) == state
                assert wanted == any(first <= patient.surgery_date <= last for first, last in spans), (state, code)
