"""What can this person see, and enrolment by site: who opens the pages and what stands there."""

import datetime as dt

import pytest
from django.urls import reverse

from registry.web.people.charts import PLOT, chart
from sites.models import AuditEvent, Membership, Site, User


@pytest.fixture
def patients(enrolled, alice, charlie):
    """Two patients at North, in January and March, and one at South, in March."""
    enrolled(alice)
    enrolled(alice, consent_date="2026-03-05")
    enrolled(charlie, consent_date="2026-03-09")


def seen(client, user):
    """The page's counts: site code to [patients, one a timepoint …, adverse events, identities]."""
    page = client.get(reverse("person_access", args=[user.pk]))
    return {site.code: counts for site, _, counts in page.context["rows"]}


@pytest.mark.parametrize(
    ("who", "counts"),
    [
        ("alice", {"N01": (2, 2)}),  # patients, identities
        ("charlie", {"S01": (1, 1)}),
        ("mona", {"N01": (2, 0)}),
        ("bob", {"N01": (2, 0), "S01": (1, 0)}),
        ("ada", {}),
    ],
)
def test_counts_are_those_of_the_persons_own_scope(client, request, ada, patients, who, counts):
    user = request.getfixturevalue(who)
    client.force_login(ada)
    assert {code: (row[0], row[-1]) for code, row in seen(client, user).items()} == counts


def test_an_ended_membership_sees_nothing(client, ada, alice, patients):
    Membership.objects.filter(user=alice).update(ends_on=dt.date(2020, 1, 1))
    client.force_login(ada)
    assert seen(client, alice) == {}
    assert "Ended" in client.get(reverse("person_access", args=[alice.pk])).content.decode()


def test_asking_is_on_record_as_done_by_who_asked(client, ada, alice, patients, as_person):
    client.force_login(ada)
    seen(client, alice)
    with as_person(ada):
        event = AuditEvent.objects.get(action="access_counted")
        assert (event.user_id, event.row_id) == (ada.pk, str(alice.pk))


@pytest.mark.parametrize(("reader", "status"), [("ada", 200), ("alice", 403), ("bob", 403), ("dana", 403)])
@pytest.mark.parametrize("page", ["people", "person_access"])
def test_only_administrators_open_the_pages_on_people(client, request, charlie, page, reader, status):
    client.force_login(request.getfixturevalue(reader))
    address = reverse(page, args=[charlie.pk] if page == "person_access" else [])
    assert client.get(address).status_code == status


def names(client, **asked):
    page = client.get(reverse("people"), asked)
    return {person.name for person, _ in page.context["rows"]}, page.content.decode()


def test_people_are_found_by_name_address_role_and_site(client, ada, alice, mona, charlie, north):
    User.objects.create_user("rolf@left.example", name="Rolf")
    User.objects.create_user("gone@left.example", name="Gone", is_active=False)
    client.force_login(ada)
    everybody, _ = names(client)
    assert {"Alice", "Rolf", "Gone"} <= everybody
    assert names(client, q="ALICE")[0] == {"Alice"}
    assert names(client, q="left.example  rol")[0] == {"Rolf"}  # every word, in name or address
    assert names(client, role="monitor")[0] == {"Mona"}
    assert names(client, site="S01")[0] == {"Charlie"}
    assert names(client, site="S01", role="monitor")[0] == set()  # one membership has to fit both
    assert names(client, role="none")[0] == {"Rolf"}
    assert names(client, role="nonsense")[0] == everybody
    people, page = names(client, q="%")
    assert people == set()
    assert "Nobody matches" in page


def test_the_list_of_people_has_pages_that_keep_the_search(client, ada):
    for number in range(51):
        User.objects.create_user(f"p{number}@many.example", name=f"Person {number:02}")
    client.force_login(ada)
    people, page = names(client, q="many.example")
    assert len(people) == 50
    assert "?q=many.example&amp;page=2" in page
    assert names(client, q="many.example", page=2)[0] == {"Person 50"}


def test_nobody_of_that_number_is_not_found(client, ada):
    client.force_login(ada)
    assert client.get(reverse("person_access", args=[999_999])).status_code == 404


@pytest.mark.parametrize(
    ("reader", "counts"),
    [
        ("alice", {"N01": 2}),
        ("charlie", {"S01": 1}),
        ("mona", {"N01": 2}),
        ("bob", {"N01": 2, "S01": 1}),
        ("dana", {"N01": 2, "S01": 1}),
        ("ada", {"N01": 2, "S01": 1}),
    ],
)
def test_enrolment_shows_the_sites_that_one_may_count(client, request, patients, reader, counts):
    client.force_login(request.getfixturevalue(reader))
    page = client.get(reverse("enrolment"))
    assert {site.site.code: site.n for site in page.context["enrolment"].sites} == counts


def test_enrolment_is_for_people_with_a_role(client, alice):
    client.force_login(alice)
    assert client.get(reverse("enrolment")).status_code == 200
    Membership.objects.filter(user=alice).update(ends_on=dt.date(2020, 1, 1))
    assert client.get(reverse("enrolment")).status_code == 403


def test_enrolment_by_month_and_target(client, ada, patients, north):
    Site.objects.filter(pk=north.pk).update(enrolment_target=8)
    client.force_login(ada)
    page = client.get(reverse("enrolment"))
    enrolment = page.context["enrolment"]
    assert enrolment.months == (dt.date(2026, 1, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 1))
    assert [(site.months, site.first, site.last) for site in enrolment.sites] == [
        ((1, 0, 1), dt.date(2026, 1, 10), dt.date(2026, 3, 5)),
        ((0, 0, 1), dt.date(2026, 3, 9), dt.date(2026, 3, 9)),
    ]
    assert (enrolment.n, enrolment.target, enrolment.by_month) == (3, 8, (1, 0, 2))
    assert 'value="2"' in page.content.decode()


def test_enrolment_of_nobody_says_so(client, ada, north):
    client.force_login(ada)
    assert "No patient is enrolled yet." in client.get(reverse("enrolment")).content.decode()


def test_the_number_of_queries_does_not_grow_with_sites(client, ada, patients, django_assert_max_num_queries):
    Site.objects.bulk_create(Site(code=f"X{number}", name="Other") for number in range(40))
    client.force_login(ada)
    with django_assert_max_num_queries(20):
        assert client.get(reverse("enrolment")).status_code == 200


@pytest.mark.parametrize(
    ("n", "highest", "lines", "ticks"),
    [
        (2, 1, (0, 1), ["2018-10", "2018-11"]),
        (12, 4, (0, 1, 2, 3, 4), ["2018-11", "2019-01", "2019-03", "2019-05", "2019-07", "2019-09"]),
        (97, 17, (0, 5, 10, 15, 20), [f"{year}-01" for year in range(2019, 2027)]),
        (300, 101, (0, 50, 100, 150), ["2020-01", "2025-01", "2030-01", "2035-01", "2040-01"]),
    ],
)
def test_the_chart_of_months_has_few_round_lines_and_ticks(n, highest, lines, ticks):
    months = tuple(dt.date(2018 + (9 + i) // 12, (9 + i) % 12 + 1, 1) for i in range(n))
    made = chart(months, (0,) * (n - 1) + (highest,))
    assert tuple(count for _, count in made.lines) == lines
    assert [f"{month:%Y-%m}" for _, month in made.ticks] == ticks
    (only,) = made.columns
    assert only.x + made.width <= 100
    assert only.y == pytest.approx(PLOT - only.height, abs=0.11)
    assert only.height == pytest.approx(PLOT * highest / lines[-1], abs=0.06)
