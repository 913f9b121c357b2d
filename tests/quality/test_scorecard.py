"""A site's scorecard: against the network without names, outcomes by case mix; its page, PDF and mail."""

import dataclasses

import numpy as np
import pytest
from django.core.cache import caches
from django.urls import reverse
from django.utils import timezone

from registry import tasks
from registry.services.quality import scorecard_letters, scorecards
from registry.services.quality.scorecards import Adjusted, Network, Share
from registry.web.quality import scorecard
from sites.models import AuditEvent


@pytest.fixture
def counted(north, south):
    """A network in which North has 30 of 60, four others 200 of 1000 in all, and one is too small to be shown."""
    others = {1000 + n: Share(50, 250) for n in range(4)} | {2000: Share(2, 4)}
    shares = {"in_window": {north.pk: Share(30, 60), **others}, "death_90": {north.pk: Share(4, 60), **others}}
    adjusted = {"death_90": {north.pk: Adjusted(6, 4.0, 58, 2)}}
    network = Network(timezone.now(), shares, adjusted, {})
    caches["durable"].set(scorecards.KEY, network, 60)
    yield network
    caches["durable"].delete(scorecards.KEY)


def test_a_site_stands_against_others_without_names_and_small_ones_are_hidden(counted, north):
    in_window, death = scorecards.measures(counted, north.pk)
    assert in_window.own == Share(30, 60)
    assert in_window.others == [(250, 50)] * 4
    assert in_window.target == pytest.approx(232 / 1064)
    assert in_window.beyond == "99.8"
    assert death.beyond == "95"
    assert death.adjusted.ratio == pytest.approx(
        (1.5, 0.5504735634, 3.2648685056), rel=1e-9
    )  # poisson.test(6)$conf.int / 4


def test_who_is_too_small_gets_no_verdict_and_few_others_are_no_points(counted, north):
    few = dataclasses.replace(
        counted, shares={"in_window": {north.pk: Share(3, 9), 1000: Share(50, 250), 1001: Share(50, 250)}}
    )
    (measure,) = scorecards.measures(few, north.pk)
    assert (measure.others, measure.beyond, measure.target) == ([], None, None)
    few.shares["in_window"][north.pk] = Share(30, 60)  # with its own number, the network's would tell the other two's
    (measure,) = scorecards.measures(few, north.pk)
    assert (measure.others, measure.beyond, measure.target) == ([], None, None)
    assert "Network" not in str(scorecard._line(measure)["verdict"])


def test_expected_is_the_sum_of_the_models_probabilities():
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(400, 5))
    sites = rng.integers(1, 5, 400)
    event = (rng.random(400) < 1 / (1 + np.exp(-inputs[:, 0]))).astype(float)
    inputs[:7, 2] = np.nan
    expected = scorecards._expected(np.column_stack([sites, event, inputs]))
    assert sum(of_site.left_out for of_site in expected.values()) == 7
    # The score equations of the intercept: over all sites as many are expected as were observed.
    assert sum(of_site.expected for of_site in expected.values()) == pytest.approx(
        sum(of_site.observed for of_site in expected.values()), rel=1e-9
    )


def test_the_worker_counts_what_the_page_shows(db, finished, alice, browse):
    caches["durable"].delete(scorecards.KEY)
    client = browse(alice)
    assert client.get(reverse("scorecard_pdf")).url == reverse("scorecard")
    assert client.get(reverse("scorecard")).context["counted"] is None  # and a worker is asked
    tasks.count_scorecards()
    measures = {line["measure"].code: line["measure"] for line in client.get(reverse("scorecard")).context["lines"]}
    assert set(measures) == {"in_window", "forms_whole", "event_30", "death_90"}
    assert measures["forms_whole"].own == Share(1, 1)
    caches["durable"].delete(scorecards.KEY)


def test_the_page_names_no_other_site_and_says_what_was_adjusted_for(counted, alice, south, browse, text):
    page = text(browse(alice).get(reverse("scorecard")))
    assert "Your site: 30 of 60 (50 %). Network: 22 %." in page
    assert "Beyond the 99.8 % limits: hardly chance alone." in page
    assert "Observed 6, expected by case mix 4.0: ratio 1.50 (95 % interval 0.55 to 3.26)." in page
    assert "2 patients are left out of this" in page
    assert south.code not in page.replace("S01", "")


def test_the_pdf_is_made_and_on_record(counted, alice, browse, as_system):
    answer = browse(alice).get(reverse("scorecard_pdf"))
    assert answer.content.startswith(b"%PDF")
    with as_system():
        assert AuditEvent.objects.filter(action="scorecard_downloaded").count() == 1


@pytest.mark.parametrize("who", ["mona", "dana", "bob", "ada"])
def test_it_is_for_the_sites_own_people(request, who, counted, browse):
    client = browse(request.getfixturevalue(who))
    assert [client.get(reverse(name)).status_code for name in ("scorecard", "scorecard_pdf")] == [404, 404]


def test_the_mail_of_the_month_has_the_link_and_comes_once(counted, alice, mona):
    today = timezone.localdate()
    caches["durable"].delete(f"scorecard-mail-{today:%Y-%m}-{alice.pk}")
    ((subject, body, to),) = scorecard_letters.letters(today)
    assert (subject, to) == ("Metaspine: this month's scorecard of your site", alice.email)
    assert f"{reverse('scorecard')}?site=N01" in body
    assert f"{reverse('scorecard_pdf')}?site=N01" in body
    assert "S01" not in body
    assert list(scorecard_letters.letters(today)) == []


def test_points_and_limits_lie_in_the_box(counted, north):
    drawn = scorecard.funnel(scorecards.measures(counted, north.pk)[0])
    points = [*drawn.others, drawn.own]
    points += [
        tuple(map(float, pair.split(","))) for both in drawn.limits.values() for line in both for pair in line.split()
    ]
    assert all(0 <= x <= scorecard.WIDTH and 0 <= y <= scorecard.HEIGHT for x, y in points)
