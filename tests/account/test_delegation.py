"""The delegation log: who held which role where, from when until when, and who gave it and ended it."""

import csv
import io

import pytest
from django.urls import reverse

from sites.models import Membership


def log(client, site, **more):
    return client.get("/delegation/", {"site": site} | more)


@pytest.mark.parametrize(
    ("who", "own", "other"),
    [
        ("ada", 200, 200),
        ("ivo", 200, 404),
        ("mona", 200, 404),
        ("alice", 403, 403),
        ("bob", 403, 403),
        ("dana", 403, 403),
    ],
)
def test_who_may_read_it(client, request, north, south, charlie, who, own, other):
    client.force_login(request.getfixturevalue(who))
    for page in ("/delegation/", "/delegation/file/"):
        assert client.get(page, {"site": "N01"}).status_code == own
        answer = client.get(page, {"site": "S01"})
        assert answer.status_code == other
        assert (b"Charlie" in answer.content) is (other == 200)
    central = log(client, "central")
    assert central.status_code == {"ada": 200, "ivo": 404, "mona": 404}.get(who, 403)


def test_it_tells_who_gave_a_role_and_who_ended_it(client, browser, ada, alice, north, mona):
    client.force_login(ada)
    role = {"role": "investigator", "site": north.pk, "starts_on": "2026-02-01", "ends_on": ""}
    assert client.post(reverse("person_role", args=[alice.pk]), role).status_code == 302
    given = Membership.objects.get(user=alice, role="investigator")
    ended = client.post(reverse("membership", args=[given.pk]), {"ends_on": "2026-03-31"})
    assert ended.status_code == 302
    given.refresh_from_db()
    assert (str(given.starts_on), str(given.ends_on)) == ("2026-02-01", "2026-03-31")

    reader = browser()
    reader.force_login(mona)
    rows = {(row.person, str(row.role)): row for row in log(reader, "N01").context["rows"]}
    item = rows["Alice", "Investigator"]
    assert (item.granted_by, item.ended_by, item.state) == ("Ada", "Ada", "past")
    assert rows["Alice", "Site coordinator"].granted_by == ""  # the system's
    lines = list(csv.DictReader(io.StringIO(reader.get("/delegation/file/").content.decode("utf-8-sig"))))
    line = next(line for line in lines if line["role"] == "Investigator")
    assert (line["site"], line["from"], line["until"], line["granted_by"]) == ("N01", "2026-02-01", "2026-03-31", "Ada")


def test_that_the_file_was_taken_is_on_record(client, mona, as_person):
    client.force_login(mona)
    client.get("/delegation/file/")
    from sites.models import AuditEvent

    with as_person(mona):
        assert AuditEvent.objects.get(action="delegation_log_exported").user_id == mona.pk


def test_a_role_is_refused_in_words(client, ada, alice, north, south):
    client.force_login(ada)
    url = reverse("person_role", args=[alice.pk])
    twice = {"role": "coordinator", "site": north.pk, "starts_on": "2018-01-01"}
    for wrong in (twice, twice | {"site": ""}, twice | {"role": "admin"}, twice | {"starts_on": "2026-02-30"}):
        assert client.post(url, wrong).status_code == 422
    assert client.post(url, twice | {"site": south.pk}).status_code == 302


def test_what_began_stays_and_the_last_administrator_too(client, ada, alice, south):
    client.force_login(ada)
    membership = alice.memberships.get()
    sent = {"role": "monitor", "site": south.pk, "starts_on": "2026-02-01", "ends_on": "2030-01-01"}
    assert client.post(reverse("membership", args=[membership.pk]), sent).status_code == 302
    membership.refresh_from_db()
    assert (membership.role, str(membership.starts_on), str(membership.ends_on)) == (
        "coordinator",
        "2018-01-01",
        "2030-01-01",
    )
    last = reverse("membership", args=[ada.memberships.get().pk])
    assert client.post(last, {"ends_on": "2030-01-01"}).status_code == 422
