"""The comparison pages, for those who may compare and for everyone else."""

import datetime as dt
import io
import json
import re
import uuid
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from docx import Document

from registry.analysis.design import cohorts, plans
from registry.analysis.design.groupings import Arms
from registry.analysis.documents import files, rendered_cache
from registry.analysis.figures import drawings
from registry.analysis.presentation import tables as presentation
from registry.analysis.running import runs
from registry.models import ComparisonRun, Patient, Snapshot
from registry.web.comparison import views
from registry.web.comparison.stages import seconds_left
from sites.models import AuditEvent
from tests.analysis.conftest import typed

FORM = {
    "cohort_name": "segi2024",
    "grouping": "segment_group",
    "baseline": "preop",
    "followups": ["1m"],
    "value_set": "JP",
    "overall_continuous": "anova",
    "overall_categorical": "fisher_exact",
    "pairwise_continuous": "tukey_hsd",
    "pairwise_categorical": "fisher_exact",
    "before_after_continuous": "wilcoxon_signed_rank",
    "before_after_categorical": "fisher_exact",
    "adjust": "benjamini_hochberg",
    "note": "",
}


def a_run(by, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024, **fields):
    return ComparisonRun.objects.create(plan=plan.to_json(), cohort=cohort.to_json(), requested_by=by, **fields)


@pytest.fixture
def done(compared_result, bob):
    snapshot = compared_result["method"]["snapshot"]
    return a_run(bob, status="done", result=compared_result, snapshot=snapshot, progress=1)


PAGES = ["comparison", "comparison_new", "comparison_run", "comparison_progress"]


def address(name, run):
    return reverse(name, args=[] if name in {"comparison", "comparison_new"} else [run.pk])


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("who", "status"), [("bob", 200), ("dana", 200), ("alice", 404), ("mona", 404), ("ada", 404)])
def test_only_those_who_may_compare_know_the_pages(client, bob, request, name, who, status):
    run = a_run(bob)
    client.force_login(request.getfixturevalue(who))
    assert client.get(address(name, run)).status_code == status


@pytest.mark.parametrize("name", ["comparison_cancel", "comparison_again"])
@pytest.mark.parametrize(("who", "status"), [("bob", 302), ("alice", 404)])
def test_only_those_who_may_compare_act_on_a_run(client, bob, request, name, who, status):
    run = a_run(bob)
    client.force_login(request.getfixturevalue(who))
    assert client.post(address(name, run)).status_code == status


def test_a_stranger_is_asked_to_sign_in(client, bob):
    assert client.get(address("comparison", None)).status_code == 302


def test_a_new_comparison_is_queued_with_what_was_asked(client, bob, as_system):
    client.force_login(bob)
    sent = FORM | {
        "followups": ["1m", "6m"],
        "further_value_sets": ["UK", "JP"],
        "note": "for a talk",
        "adjust": "holm",
    }
    response = client.post(reverse("comparison_new"), sent)
    run = ComparisonRun.objects.get()
    assert (response.status_code, response["Location"]) == (302, address("comparison_run", run))
    plan = plans.from_json(run.plan)
    assert (plan.followups, plan.value_sets, plan.adjust, plan.note) == (
        ("1m", "6m"),
        ("JP", "UK"),
        "holm",
        "for a talk",
    )
    assert (run.status, run.requested_by, run.cohort["name"]) == ("queued", bob, "segi2024")
    with as_system():
        assert AuditEvent.objects.get(action="comparison_requested", row_id=str(run.pk)).user_id == bob.pk


def test_two_arms_and_variables_are_asked_for(client, bob):
    client.force_login(bob)
    sent = FORM | {
        "grouping": "arms",
        "arm_a": ["procedure:psf", "procedure:pps"],
        "arm_b": ["procedure:bkp"],
        "overall_continuous": "t_test",
        "second_overall_categorical": "none",
        "outcomes": ["frankel_abc", "hsuv"],
        "tl_starts_at": "T10",
    }
    assert client.post(reverse("comparison_new"), sent).status_code == 302
    run = ComparisonRun.objects.get()
    plan = plans.from_json(run.plan)
    assert plan.arms == Arms("procedure", ("psf", "pps"), ("bkp",))
    assert (plan.second_overall_categorical, plan.outcomes, plan.deltas) == ("", ("frankel_abc", "hsuv"), ("hsuv",))
    assert (plan.rule.tl_starts_at, plan.characteristics) == ("T10", plans.SEGMENT_COMPARISON.characteristics)
    form = client.get(reverse("comparison_new"), {"from": run.pk}).context["form"]
    assert form["arm_a"].value() == sent["arm_a"] and form["second_overall_categorical"].value() == "none"
    assert "Two arms" in client.get(reverse("comparison")).content.decode()


def test_a_table_whose_list_has_no_tick_is_left_out(client, bob):
    client.force_login(bob)
    ticked = {"outcomes": ["hsuv"], "characteristics": ["sex"], "variables_shown": "1"}
    assert client.post(reverse("comparison_new"), FORM | ticked).status_code == 302
    plan = plans.from_json(ComparisonRun.objects.get().plan)
    assert (plan.outcomes, plan.characteristics, plan.events, plan.domains) == (("hsuv",), ("sex",), (), ())
    form = client.get(reverse("comparison_new")).context["form"]
    assert form["variables_shown"].value() == "1" and form["events"].value() == plans.SEGMENT_COMPARISON.events


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grouping": "arms"}, "all of one variable"),
        ({"grouping": "arms", "arm_a": ["sex:male"], "arm_b": ["procedure:psf"]}, "all of one variable"),
        ({"grouping": "arms", "arm_a": ["sex:male"], "arm_b": ["sex:male"]}, "no level may be in both"),
        ({"followups": []}, "This field is required"),
        ({"baseline": "1m"}, "cannot be a follow-up too"),
        ({"overall_continuous": "t_test"}, "compares two groups"),
        ({"value_set": "XX"}, "not one of the available choices"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_starts(client, bob, changes, says):
    client.force_login(bob)
    response = client.post(reverse("comparison_new"), FORM | changes)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert ComparisonRun.objects.count() == 0


def test_a_new_comparison_may_start_from_an_earlier_one(client, bob):
    client.force_login(bob)
    run = a_run(bob, plans.segment_comparison(followups=("3m",), value_sets=("NL",)), cohorts.ALL)
    form = client.get(reverse("comparison_new"), {"from": run.pk}).context["form"]
    assert (form["followups"].value(), form["value_set"].value(), form["cohort_name"].value()) == (("3m",), "NL", "all")
    assert client.get(reverse("comparison_new"), {"from": "nonsense"}).status_code == 200


@pytest.mark.parametrize("listed", [views.LISTED, 3])
def test_a_finished_run_shows_answer_flow_tables_and_source(client, bob, done, listed, monkeypatch):
    monkeypatch.setattr(views, "LISTED", listed)
    client.force_login(bob)
    page = client.get(address("comparison_run", done)).content.decode()
    flow = done.result["cohort"]["flow"]
    assert f"{flow[-1]['n']} of {flow[0]['n']} enrolled patients were analysed" in page
    for text in ("Patient characteristics", "Before and after surgery, within each group", "Comparison between groups"):
        assert text in page
    assert done.result["method"]["snapshot"] in page
    figures = drawings.charts(typed(done.result))
    assert page.count('<img src="') == len(figures) - 1  # the flow is drawn by the page, with links
    assert all(f"figures/{figure.code}.pdf" in page for figure in figures)
    contents = page.split('class="on-this-page', 1)[1].split("</nav>")[0]
    assert ("<summary>Tables (" in contents) == (listed == 3)
    anchors = set(re.findall(r'href="#([\w-]+)"', contents))
    assert (
        "downloads" in anchors and "table-recovery" in anchors and all(f'id="{anchor}"' in page for anchor in anchors)
    )
    assert "style=" not in page  # the content security policy would drop it


def test_a_finished_run_is_shown_in_japanese(client, bob, done):
    client.force_login(bob)
    client.cookies["django_language"] = "ja"
    page = client.get(address("comparison_run", done)).content.decode()
    assert "患者背景" in page and "病変部位群" in page


def test_a_run_under_way_polls_and_can_be_cancelled(client, bob):
    client.force_login(bob)
    run = a_run(bob)
    page = client.get(address("comparison_run", run)).content.decode()
    assert 'http-equiv="refresh"' in page and "hx-get" in page
    assert "HX-Refresh" not in client.get(address("comparison_progress", run))
    client.post(address("comparison_cancel", run))
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert client.get(address("comparison_progress", run))["HX-Refresh"] == "true"
    assert "hx-get" not in client.get(address("comparison_run", run)).content.decode()


def test_a_running_run_says_how_long_it_will_take(client, bob):
    client.force_login(bob)
    now = timezone.now()
    run = a_run(bob, status="running", started_at=now - dt.timedelta(seconds=30), heartbeat_at=now, progress=0.5)
    assert seconds_left(run, now) == 30
    assert "seconds left" in client.get(address("comparison_progress", run)).content.decode()
    run.progress = 0.05
    assert seconds_left(run, now) is None


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_plan_that_does_not_fit_any_more_is_still_listed(client, bob, language):
    client.force_login(bob)
    client.cookies["django_language"] = language
    error = "The plan cannot be carried out: no.\nこの計画は実行できません：不可。"
    run = a_run(bob, status="failed", error=error)
    ComparisonRun.objects.filter(pk=run.pk).update(plan=run.plan | {"grouping": "eye_colour"})
    assert "eye_colour" in client.get(address("comparison", run)).content.decode()
    page = client.get(address("comparison_run", run)).content.decode()
    assert ("この計画は" in page, "cannot be carried out" in page) == (language == "ja", language == "en")


def test_the_numbers_of_a_runs_flow_open_the_patients_behind_them(client, bob, done, random_patients):
    client.force_login(bob)
    page = client.get(address("comparison_run", done)).content.decode()
    links = [unescape(match) for match in re.findall(r'<a href="(/cohorts/preview/patients/[^"]+)"', page)]
    flow, groups = done.result["cohort"]["flow"], done.result["cohort"]["groups"]
    expected = [flow[0]["n"], *(n for step in flow[1:] for n in (step["excluded"], step["n"])), *groups.values()]
    counted = [client.get(link).context for link in links]
    assert [context["page"].paginator.count for context in counted] == [n for n in expected if n]
    assert [context["then"] for context in counted] == [n for n in expected if n]
    for odd in ("&group=toe", "&run=x"):
        assert client.get(links[-1] + odd).status_code == 404


def test_a_run_keeps_its_flow_by_site(client, bob, done, random_patients, as_system):
    client.force_login(bob)
    by_site = {row["site"]: row for row in done.result["cohort"]["by_site"]}
    with as_system():
        Patient.objects.filter(pk=random_patients[0]["patient_id"]).update(procedure="tes")
    page = client.get(address("comparison_run", done)).content.decode()
    table = page[page.index("By site: enrolled") :].partition("</table>")[0]
    cells = re.findall(r'<td class="number">(.*?)</td>', table)
    assert cells == [str(n) for row in by_site.values() for n in (row["enrolled"], *row["excluded"], row["analysed"])]
    assert sum(row["enrolled"] for row in by_site.values()) == len(random_patients)
    older = a_run(bob, status="done", result=done.result | {"cohort": _without(done.result["cohort"], "by_site")})
    page = client.get(address("comparison_run", older)).content.decode()
    assert "By site: enrolled" not in page and "By site, as the registry is today" in page


def _without(part, name):
    return {key: value for key, value in part.items() if key != name}


def test_a_failed_run_says_why_and_runs_again_in_its_own_row(client, bob):
    client.force_login(bob)
    run = a_run(bob, status="failed", error="The database did not answer.", attempts=3)
    assert "The database did not answer." in client.get(address("comparison_run", run)).content.decode()
    client.post(address("comparison_again", run))
    run.refresh_from_db()
    assert (run.status, run.attempts, run.error, ComparisonRun.objects.count()) == ("queued", 0, "", 1)


def test_repeating_a_finished_run_makes_a_new_one_and_leaves_the_result(client, bob, done):
    client.force_login(bob)
    response = client.post(address("comparison_again", done))
    (new,) = ComparisonRun.objects.exclude(pk=done.pk)
    assert response["Location"] == address("comparison_run", new)
    assert (new.plan, new.cohort, new.status) == (done.plan, done.cohort, "queued")
    done.refresh_from_db()
    assert done.status == "done"


@pytest.mark.parametrize(
    ("format", "kind"),
    [("json", "application/json"), ("csv", "text/csv; charset=utf-8"),
     ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")],
)  # fmt: skip
@pytest.mark.parametrize(("who", "status"), [("bob", 200), ("alice", 404)])
def test_downloads(client, done, request, format, kind, who, status):
    client.force_login(request.getfixturevalue(who))
    response = client.get(reverse("comparison_download", args=[done.pk, format]))
    assert response.status_code == status
    if status == 200:
        assert response["Content-Type"] == kind
        assert response["Content-Disposition"].startswith("attachment; ") and len(response.content) > 1000


def test_the_json_download_keeps_the_order_of_the_contract(client, bob, done):
    client.force_login(bob)
    fresh = done.result
    done.refresh_from_db()  # which sorts the keys
    sent = json.loads(client.get(reverse("comparison_download", args=[done.pk, "json"])).content)
    assert sent == fresh
    for name in ("characteristics", "between_groups", "eq5d_domains"):
        for ours, other in zip(sent[name], fresh[name], strict=True):
            assert json.dumps(ours["groups"]) == json.dumps(other["groups"])
            assert json.dumps(ours["p"]) == json.dumps(other["p"])


def test_a_word_document_has_every_table(client, bob, done):
    client.force_login(bob)
    response = client.get(reverse("comparison_download", args=[done.pk, "docx"]))
    assert response["Content-Type"] == "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    document = Document(io.BytesIO(response.content))
    tables, figures = presentation.tables(typed(done.result)), drawings.charts(typed(done.result))
    headings = [paragraph.text for paragraph in document.paragraphs if paragraph.style.name == "Heading 2"]
    assert [table.title for table in tables] == headings[: len(tables)]
    assert len(document.tables) > len(tables)  # and those of the EQ-5D report
    drawn = [shape._inline.docPr for shape in document.inline_shapes]
    assert [(chart.get("title"), chart.get("descr")) for chart in drawn] == [
        (figure.title, figure.alt) for figure in figures
    ]


def test_the_html_file_has_every_figure_in_it(client, bob, done):
    client.force_login(bob)
    response = client.get(reverse("comparison_download", args=[done.pk, "html"]))
    assert response["Content-Type"] == "text/html; charset=utf-8"
    page = response.content.decode()
    figures = drawings.charts(typed(done.result))
    assert page.count('<svg role="img" aria-label="') == page.count("<figcaption>") == len(figures)
    named = re.findall(r'<svg[^>]*>|\bid="([^"]+)"', page)
    named = [match for match in named if match]
    assert len(set(named)) == len(named)
    assert "<script" not in page and "src=" not in page


def test_files_that_a_worker_has_prepared_are_not_made_again(client, bob, done, monkeypatch):
    result = done.result
    del result["figures"]  # drawing all of them four times takes long; the tests above see them in their files
    done = a_run(bob, status="done", result=result, snapshot="x")
    rendered_cache.prepare(a_run(bob).pk)  # not finished: nothing to prepare
    rendered_cache.prepare(done.pk)
    monkeypatch.setattr(files, "renderer", None)
    client.force_login(bob)
    for language, title in (("en", "Methods"), ("ja", "方法")):
        client.cookies["django_language"] = language
        for format in ("docx", "html"):
            response = client.get(reverse("comparison_download", args=[done.pk, format]))
            assert response.status_code == 200
        document = Document(io.BytesIO(client.get(reverse("comparison_download", args=[done.pk, "docx"])).content))
        assert title in [paragraph.text for paragraph in document.paragraphs]


def test_the_list_says_which_data_a_run_was_made_on(client, bob, as_system):
    with as_system():
        frozen = Snapshot.objects.create(label="Board 2026", hash="sha256:0f", rows={}, columns={})
    a_run(bob)
    client.force_login(bob)
    assert "Board 2026" not in client.get(reverse("comparison")).content.decode()
    a_run(bob, frozen=frozen)
    assert f'<a href="/snapshots/{frozen.pk}/">Board 2026</a>' in client.get(reverse("comparison")).content.decode()


@pytest.mark.parametrize("format", ["xls", "json"])
def test_there_is_nothing_to_download_before_there_is_a_result_or_in_another_format(client, bob, format):
    client.force_login(bob)
    assert client.get(reverse("comparison_download", args=[a_run(bob).pk, format])).status_code == 404
    assert client.get(reverse("comparison_run", args=[uuid.uuid4()])).status_code == 404


def test_the_list_takes_the_same_queries_for_many_runs(client, bob, django_assert_num_queries):
    client.force_login(bob)
    client.get(reverse("comparison"))
    a_run(bob)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as query:
        client.get(reverse("comparison"))
    for _ in range(20):
        a_run(bob)
    with django_assert_num_queries(len(query)):
        client.get(reverse("comparison"))


def test_requesting_needs_the_permission(as_person, alice, bob, north):
    from django.core.exceptions import PermissionDenied

    plan, cohort = plans.SEGMENT_COMPARISON, cohorts.SEGI2024
    with as_person(alice) as access, pytest.raises(PermissionDenied):
        runs.request(access=access, plan=plan, cohort=cohort)
    with as_person(bob) as access:
        assert runs.request(access=access, plan=plan, cohort=cohort).status == "queued"


def test_a_finished_page_is_composed_once_for_each_language(client, bob, done):
    client.force_login(bob)
    pages = {}
    for code in ("en", "ja"):
        client.cookies["django_language"] = code
        pages[code] = client.get(address("comparison_run", done)).content.decode()
    assert "患者背景" in pages["ja"] and "患者背景" not in pages["en"]
    with CaptureQueriesContext(connection) as asked:
        again = client.get(address("comparison_run", done)).content.decode()
    assert "患者背景" in again and not any('"result"' in query["sql"] for query in asked)
