"""The sampling plan: the critical items of every form, drawn forms whole, deterministic, declared and dated."""

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from registry.models import ProtocolVersion
from registry.services.monitoring import sampling, verified_share
from registry.services.operations import site_counts
from registry.services.protocol import publishing
from registry.services.protocol.publishing import InvalidDefinition
from registry.services.review import verification
from registry.services.review.soft_checks import Form
from registry.web.review import verification as verification_page

SHARES = {"low": "0", "standard": "0", "high": "100"}
CRITICAL = ["frankel", "assessment_date", "surgery_date"]


@pytest.fixture
def declare(ada, as_person):
    def declaring(critical=CRITICAL, shares=SHARES, risks=None, note="first plan"):
        with as_person(ada) as access:
            return sampling.declare(access=access, critical=critical, shares=shares, risks=risks or {}, note=note)

    return declaring


@pytest.fixture
def left(north, mona, as_person):
    def reading():
        with as_person(mona):
            return sampling.forms_left(sampling.plan(), [north]).get(north.pk, (0, 0))

    return reading


def test_without_a_plan_everything_is_to_be_verified(finished, left, row_of):
    assert left() == (3, 3)
    assert sampling.Plan().wanted(row_of(finished), "N01") == row_of(finished).comparable


def test_a_plan_asks_for_its_critical_items_alone_where_nothing_is_drawn(
    finished, declare, left, mona, as_person, row_of
):
    declare()
    assert left() == (2, 3)  # the baseline has no critical item
    with as_person(mona) as access:
        assert sampling.plan().wanted(row_of(finished), "N01") == ("assessment_date", "frankel")
        verification.verify(access=access, form_row=row_of(finished), columns=["assessment_date", "frankel"])
        verification.verify(access=access, form_row=row_of(finished, Form("surgery")), columns=["surgery_date"])
    assert left() == (0, 3)


def test_a_critical_item_that_changed_after_it_was_verified_is_asked_about_again(
    finished, save, declare, left, mona, as_person, row_of
):
    declare()
    with as_person(mona) as access:
        verification.verify(access=access, form_row=row_of(finished), columns=["assessment_date", "frankel"])
    assert left() == (1, 3)
    save(frankel="E")
    assert left() == (2, 3)


def test_the_risk_of_a_site_sets_the_share(finished, declare, left, north):
    declare(risks={north.code: "high"})
    assert left() == (3, 3)
    declare(risks={north.code: "low"}, note="calmer")
    assert left() == (2, 3)


def test_what_is_drawn_is_the_same_in_python_and_in_the_database(db):
    forms = [(f"N01-{n:04}", form) for n in range(200) for form in ("preop", "1m")]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sampling.DRAWN} FROM unnest(%(p)s::text[], %(f)s::text[]) AS f (patient_id, form)",
            {"seed": "seed", "p": [patient for patient, _form in forms], "f": [form for _patient, form in forms]},
        )
        drawn = [n for (n,) in cursor.fetchall()]
    assert drawn == [sampling.drawn("seed", *form) for form in forms]
    assert 60 <= sum(n < 2000 for n in drawn) <= 100  # 20 % of 400, within what chance does


def test_a_plan_is_dated_has_its_author_and_keeps_its_draw(declare, ada, mona, as_person):
    first = declare()
    declare(critical=["frankel"], note="less")
    with as_person(mona):
        plan = sampling.plan()
        assert (plan.critical, plan.declared_by, plan.since > first.created_at) == (("frankel",), "Ada", True)
        assert plan.seed == first.document["monitoring"]["seed"]
        assert ProtocolVersion.objects.count() == 2


def test_what_somebody_else_declared_meanwhile_stays(ada, as_person):
    with as_person(ada) as access:
        sampling.plan()  # what this request knows of the protocol
        ProtocolVersion.objects.create(
            document={"enrolment": {"first": "2026-01-01", "last": "2028-01-01"}}, note="mine"
        )
        sampling.declare(access=access, critical=CRITICAL, shares=SHARES, risks={}, note="first plan")
        assert set(ProtocolVersion.objects.order_by("-pk")[0].document) == {"enrolment", "monitoring"}
        with connection.cursor() as cursor:  # and who comes now waits until this is stored
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND pid = pg_backend_pid()",
                [publishing.LOCK],
            )
            assert cursor.fetchone()[0] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"critical": ["birth_date"]},
        {"critical": ["no_such_item"]},
        {"shares": SHARES | {"low": "101"}},
        {"shares": SHARES | {"low": "-1"}},
        {"shares": SHARES | {"low": ""}},
        {"risks": {"X99": "high"}},
        {"risks": {"N01": "awful"}},
    ],
)
def test_what_cannot_be_sampled_is_refused_and_nothing_stored(declare, north, wrong):
    with pytest.raises(InvalidDefinition):
        declare(**wrong)
    assert not ProtocolVersion.objects.exists()


def test_only_administrators_declare(mona, as_person, north):
    with as_person(mona) as access, pytest.raises(PermissionDenied):
        sampling.declare(access=access, critical=CRITICAL, shares=SHARES, risks={}, note="mine")


def test_the_page_declares_and_says_what_does_not_fit(ada, north, browse, text):
    client, address = browse(ada), reverse("sampling_plan")
    sent = {"critical": CRITICAL, "share-low": "5", "share-standard": "x", "share-high": "30", "note": "plan"}
    answer = client.post(address, sent)
    assert answer.status_code == 422
    assert "Standard x: must be a whole number 0–100." in text(answer)
    assert client.post(address, sent | {"share-standard": "10", "note": ""}).status_code == 422
    assert client.post(address, sent | {"share-standard": "10", "risk-N01": "high"}).status_code == 302
    plan = sampling.plan()
    assert (plan.shares, plan.risks) == ({"low": 5, "standard": 10, "high": 30}, {"N01": "high"})


def test_the_next_form_leads_through_what_is_left_and_ends(finished, declare, mona, browse, text):
    declare()
    client, address = browse(mona), reverse("verify_next")
    assert client.get(address).url == reverse("verify_form", args=[finished.pk, "preop"])
    onward = client.get(address, {"patient": finished.pk, "form": "preop"})
    assert onward.url == reverse("verify_form", args=[finished.pk, "surgery"])
    again = client.get(address, {"patient": finished.pk, "form": "surgery"})
    assert again.url == reverse("verify_form", args=[finished.pk, "preop"])
    for form in ("preop", "surgery"):
        answer = client.post(reverse("verify_form", args=[finished.pk, form]), {"all": "next"})
        assert answer.status_code == 302
    assert "No form is left" in text(client.get(address, follow=True))


def test_the_list_shows_what_the_plan_asks_for_or_everything(finished, declare, mona, browse, monkeypatch):
    declare()
    client, address = browse(mona), reverse("to_verify")
    assert [row["code"] for row in client.get(address).context["rows"]] == ["surgery", "preop"]
    assert [row["code"] for row in client.get(address + "?plan=all").context["rows"]] == [
        "baseline",
        "surgery",
        "preop",
    ]
    page = client.get(reverse("verify_form", args=[finished.pk, "preop"]))
    assert [line["name"] for line in page.context["lines"] if line["is_wanted"]] == ["assessment_date", "frankel"]
    cache.clear()
    monkeypatch.setattr(site_counts, "is_large", lambda: True)
    waits = client.get("/").context["central"]
    assert [words for words, _url in waits["waits"]] == ["2 forms to verify"]
    assert waits["counted_at"] is not None
    monkeypatch.setattr(verification_page, "PAGE", 1)
    for count in (1, 5):  # forms were completed since the worker counted, or verified: the last page is reached
        counts = site_counts.Counted({1: (count, count)}, timezone.now())
        monkeypatch.setattr(site_counts, "counts", lambda *asked, counts=counts: counts)
        first = client.get(address)
        assert (first.context["count"], first.context["counted_at"] is None) == (
            (2, True) if count == 1 else (5, False)
        )
        assert b'rel="next"' in first.content
        for number in (2, 5):
            last = client.get(f"{address}?page={number}")
            assert [row["code"] for row in last.context["rows"]] == ["preop"]
            assert (last.context["count"], last.context["counted_at"], last.context["number"]) == (2, None, 2)
            assert b'rel="next"' not in last.content
    monkeypatch.setattr(verification_page, "READ_AT_MOST", 5)  # no page is so deep that many are read for it
    bounded = client.get(f"{address}?page=2")
    assert [row["code"] for row in bounded.context["rows"]] == ["surgery"]
    assert b"Choose a site or a form to reach those behind." in bounded.content


def test_the_share_verified_counts_marks_that_hold_by_site_and_item(finished, save, mona, north, as_person, row_of):
    with as_person(mona) as access:
        verification.verify(access=access, form_row=row_of(finished), columns=["frankel", "eq_vas"])
    save(frankel="E")
    with as_person(mona):
        assert verified_share.by_site([north.pk])[north.pk]["assessment"] == (1, {"eq_vas": 1})


def test_another_sites_forms_are_nowhere(finished, declare, south, browse):
    from sites.tenancy.access import Role
    from tests.conftest import person

    declare()
    client = browse(person("Sora", Role.MONITOR, south))
    assert client.get(reverse("to_verify")).context["rows"] == []
    assert client.get(reverse("verify_next")).url == reverse("to_verify")
    assert client.get(reverse("verified_share")).context["left"][0][1:3] == (0, 0)
