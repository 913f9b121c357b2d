"""The audit trail in the browser: who sees whose events, page by page, and the file."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from itertools import product

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry.services.entry import patients
from registry.services.entry.assessments import save_assessment
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.web.audit import filters
from sites import audit
from sites.audit import sealing
from sites.models import AuditEvent, Site
from sites.moments import day_of
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered, everything
from tests.conftest import person


@pytest.fixture
def both(enrolled, alice, charlie):
    return enrolled(alice, birth_date="1951-02-23"), enrolled(charlie, birth_date="1947-11-29")


def trail(client, user, **asked):
    client.force_login(user)
    return client.get("/audit/", asked)


def rows_of(response):
    return [(row["event"].table_name, row["event"].row_id, row["what"]) for row in response.context["rows"]]


@pytest.mark.parametrize(
    ("who", "own", "other", "platform"),
    [
        ("alice", True, False, False),
        ("mona", True, False, False),
        ("bob", True, True, False),
        ("dana", True, True, False),
        ("ada", False, False, True),
    ],
)
def test_each_sees_the_events_of_their_sites_and_administrators_the_platforms(
    client, both, request, who, own, other, platform
):
    rows = rows_of(trail(client, request.getfixturevalue(who)))
    north, south = both
    assert (("registry_patient", north.pk, "Created") in rows) == own
    assert (("registry_patient", south.pk, "Created") in rows) == other
    assert any(table == "study_sites_membership" for table, _row, _what in rows) == platform


def test_encrypted_values_are_never_shown(client, both, alice, as_person):
    with as_person(alice):
        stored = AuditEvent.objects.get(table_name="registry_identity", row_id=both[0].pk)
    page = trail(client, alice, table="registry_identity")
    assert rows_of(page) == [("registry_identity", both[0].pk, "Created")]
    taken = b"".join(client.post("/audit/csv/").streaming_content).decode()
    assert both[0].pk in taken
    for body in (page.content.decode(), taken):
        assert stored.new["birth_date"] not in body
        assert stored.new["birth_date"].removeprefix("\\x") not in body
        assert stored.new["key"] == "***"


FILTERS = {
    "row": lambda north, alice: north.pk,
    "person": lambda north, alice: alice.pk,
    "table": lambda north, alice: "registry_assessment",
    "action": lambda north, alice: "acts",
    "first": lambda north, alice: "2000-01-01",
    "last": lambda north, alice: "2000-01-01",
}


@pytest.mark.parametrize(
    ("asked", "count"), [("row", 3), ("person", 5), ("table", 1), ("action", 1), ("first", 5), ("last", 0)]
)
def test_filters_narrow_the_trail(client, both, north, alice, ivo, as_person, asked, count):
    """Of five events by Alice three are about the patient's records; all are of today."""
    with as_person(alice) as access:
        save_assessment(access=access, patient=both[0], timepoint="preop", raw={"assessment_date": "2026-01-11"})
        audit.record("noted", site_id=north.pk, table="t", row_id="x")
        patients.save_form(access=access, patient=both[0], form="baseline", raw={"primary_tumour": "lung"})
    page = trail(client, ivo, **{asked: FILTERS[asked](both[0], alice)})
    expected = {"row": 4}.get(asked, count)
    assert len(page.context["rows"]) == expected


def test_one_kind_of_act_is_chosen_and_rows_say_whom_they_are_about(client, both, north, alice, as_person):
    with as_person(alice) as access:
        save_assessment(access=access, patient=both[0], timepoint="preop", raw={"assessment_date": "2026-01-11"})
        for act in ("noted", "sign_in", "identifiers_viewed"):
            audit.record(act, site_id=north.pk, table="registry_patient", row_id=both[0].pk)
    assert [what for _table, _row, what in rows_of(trail(client, alice, action="identifiers_viewed"))] == [
        "Identifiers viewed"
    ]
    assert len(rows_of(trail(client, alice, action="acts"))) == 3
    assert len(rows_of(trail(client, alice, action="drop table"))) == 6  # as if it were not there

    page = trail(client, alice, table="registry_assessment")
    (row,) = page.context["rows"]
    assert (row["subject"].patient_id, row["subject"].timepoint, row["subject"].label) == (
        both[0].pk, "preop", "Before surgery",
    )  # fmt: skip
    assert f'href="?row={both[0].pk}"' in page.content.decode()
    lines = csv.DictReader(io.StringIO(b"".join(client.post("/audit/csv/").streaming_content).decode("utf-8-sig")))
    about = [(line["patient"], line["timepoint"]) for line in lines if line["table"] == "registry_assessment"]
    assert about == [(both[0].pk, "preop")]


def test_seals_are_called_by_name_in_the_trail(client, ada, as_system):
    with as_system(reason="test"):
        sealing.seal()
    page = trail(client, ada)
    assert "seals of the audit trail" in {row["table"] for row in page.context["rows"]}
    assert not [row for row in page.context["rows"] if row["event"].table_name == sealing.SEALS and row["lines"]]


def test_the_trail_of_a_patient_has_its_queries(client, both, mona, alice, as_person):
    with as_person(mona) as access:
        queries.raise_query(
            access=access, patient=both[0], form=Form("baseline"), field="sex", text="Is this what the file says?"
        )
    tables = {table for table, _row, _what in rows_of(trail(client, alice, row=both[0].pk))}
    assert {"registry_query", "registry_querymessage"} <= tables


def test_pages_of_fifty_follow_each_other_without_gap(client, north, alice, as_person):
    with as_person(alice):
        for index in range(120):
            audit.record("noted", site_id=north.pk, table="t", row_id=index)
    seen, asked = [], {}
    for _page in range(3):
        page = trail(client, alice, **asked)
        seen += [int(row_id) for _table, row_id, _what in rows_of(page)]
        asked = {"before": page.context["rows"][-1]["event"].pk}
    assert seen == list(range(119, -1, -1))
    assert page.context["older"] == ""


def test_the_number_of_queries_does_not_depend_on_the_number_of_events(client, north, alice, bob, as_person):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/audit/")
        return len(captured)

    with as_person(alice):
        audit.record("noted", site_id=north.pk, table="t", row_id="x")
    client.force_login(bob)
    queries()
    few = queries()
    with as_person(alice):
        for index in range(60):
            audit.record("noted", site_id=north.pk, table="t", row_id=index)
    assert queries() == few


def test_the_file_has_the_events_of_the_filters_and_is_on_record(client, both, alice, north, as_person):
    with as_person(alice):
        audit.record("noted", site_id=north.pk, table="t", row_id="=1+1")
    client.force_login(alice)
    response = client.post("/audit/csv/?action=acts")
    lines = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert [(line["site"], line["row"], line["action"], line["person_name"]) for line in lines] == [
        ("N01", "'=1+1", "noted", "Alice")
    ]
    with as_person(alice):
        taken = AuditEvent.objects.get(action="audit_exported")
        assert (taken.site_id, taken.new, taken.user_id) == (north.pk, {"filters": {"action": "acts"}}, alice.pk)


def test_a_monitor_reads_the_trail_and_takes_no_file(client, both, mona, alice):
    client.force_login(mona)
    assert client.get("/audit/").status_code == 200
    assert client.post("/audit/csv/").status_code == 403
    client.force_login(alice)
    assert client.post("/audit/csv/").status_code == 200


def test_another_sites_patient_is_not_found_by_its_number(client, both, alice):
    assert rows_of(trail(client, alice, row=both[1].pk)) == []
    assert len(rows_of(trail(client, alice, row=both[0].pk))) == 2


@pytest.mark.parametrize(("who", "shown"), [("alice", True), ("mona", False), ("bob", False), ("dana", False)])
def test_free_text_that_may_name_someone_stays_with_the_site(client, both, request, alice, as_person, who, shown):
    with as_person(alice) as access:
        raw = {"kind": "other", "onset_date": "2026-03-11", "detail": "fell while Mr Sato watched"}
        patients.save_adverse_event(access=access, patient=both[0], raw=raw)
    user = request.getfixturevalue(who)
    (row,) = trail(client, user, table="registry_adverseevent").context["rows"]
    opened = trail(client, user, table="registry_adverseevent", open=str(row["event"].pk))
    assert len(opened.context["rows"][0]["lines"]) == row["fields"] > 0
    assert ("Mr Sato" in opened.content.decode()) == shown
    if who != "mona":
        taken = b"".join(client.post("/audit/csv/").streaming_content).decode()
        assert "registry_adverseevent" in taken
        assert ("Mr Sato" in taken) == shown


def test_a_page_of_long_events_is_short_and_shows_the_fields_of_one_that_is_opened(client, ada, as_system):
    sites = [Site(code=f"L{place:02}", name=f"Long {place}", name_ja="長い", region="East") for place in range(50)]
    with as_system():
        Site.objects.bulk_create(sites)
    page = trail(client, ada, table="study_sites_site")
    rows = page.context["rows"]
    assert len(rows) == 50
    assert {(row["fields"] > 4, len(row["lines"])) for row in rows} == {(True, 0)}
    assert len(page.content) < 60_000
    event = rows[7]["event"]
    link = f"?table=study_sites_site&amp;open={event.pk}#e{event.pk}"
    assert f'href="{link}"' in page.content.decode()
    opened = trail(client, ada, table="study_sites_site", open=str(event.pk))
    assert [len(row["lines"]) for row in opened.context["rows"] if row["lines"]] == [rows[7]["fields"]]
    assert event.new["name"] in opened.content.decode() and event.new["name"] not in page.content.decode()


def test_days_are_found_by_the_numbers_of_events_that_follow_their_moments_nearly(committed, monkeypatch):
    monkeypatch.setattr(filters, "NEAR", 1)
    north, access = Site.objects.create(code="N01", name="North Hospital"), access_of(person("bob", "statistician"))
    begin = datetime(2100, 1, 1, tzinfo=UTC)  # after whatever is on record
    moments = [begin + timedelta(hours=6 * n - 5 * (n % 8)) for n in range(200)]  # of transactions of up to 35 hours
    with everything(using="owner"), transaction.atomic("owner"):
        AuditEvent.objects.using("owner").bulk_create(
            AuditEvent(
                at=at, site_id=north.pk, table_name="registry_query", row_id=str(n), action="update", transaction_id=n
            )
            for n, at in enumerate(moments)
        )
    days = [begin.date() + timedelta(days=n) for n in (-3, 0, 1, 20, 45, 49, 50, 60)]
    with entered(access.scope()), transaction.atomic():
        for first, last in product([None, *days], [None, *days]):
            narrowed = filters.Filters(table="registry_query", first=first, last=last)
            asked = filters.trail(access, narrowed).values_list("row_id", flat=True)
            assert {int(row) for row in asked} == {
                n for n, at in enumerate(moments) if (first or date.min) <= day_of(at) <= (last or date.max)
            }


@pytest.mark.parametrize(
    ("asked", "some"),
    [
        ({"first": "0001-01-01"}, True),
        ({"first": "9999-12-31"}, False),
        ({"last": "9999-12-30"}, True),
        ({"last": "9999-12-31"}, True),
        ({"last": "0001-01-01"}, False),
    ],
)
def test_the_first_and_the_last_days_of_the_calendar_are_days_too(client, both, bob, asked, some):
    assert rows_of(trail(client, bob, **asked)) == (rows_of(trail(client, bob)) if some else [])


@pytest.mark.parametrize(("action", "index"), [("export", "audit_of_acts"), ("delete", "audit_of_changes")])
def test_a_plan_for_any_person_reads_few_acts_by_their_index(enrolled, alice, as_person, action, index):
    """PostgreSQL keeps such a plan of what is asked often: it knows what stands in the statement and no parameter."""
    enrolled(alice)
    with as_person(alice) as access, connection.cursor() as cursor:
        asked = filters.trail(access, filters.Filters(action=action)).order_by("-pk")[:51]
        sql, parameters = asked.query.sql_with_params()
        places = ", ".join(["%s"] * len(parameters))
        values = psycopg.ClientCursor(connection.connection).mogrify(places, parameters)
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("PREPARE trail_asked AS " + sql % tuple(f"${n}" for n, _ in enumerate(parameters, 1)))
        cursor.execute(f"EXPLAIN EXECUTE trail_asked({values})")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE trail_asked")
    assert index in plan, plan
