"""A comparison computed again by R from its bundle; and what R says when somebody has changed a number."""

import csv
import io
import json
import shutil
import subprocess
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from registry.analysis.design import cohorts, plans
from registry.analysis.design.groupings import Arms
from registry.analysis.design.named_groups import Group, NamedGroups
from registry.analysis.documents import bundle, verification_numbers
from registry.analysis.running import runner
from registry.demo import write_cohort
from registry.imports import import_files
from registry.instruments import catalogue, timepoints
from registry.instruments.base import Label
from registry.models import ComparisonRun, Patient
from sites.models import AuditEvent, Site
from sites.tenancy.scope import Scope, entered
from tests.analysis.random_frames import Draw
from tests.working import ROOT

pytestmark = pytest.mark.long

VERIFY = bundle.VERIFY
needs_r = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed: apt-get install r-base-core")

DEFAULT = plans.segment_comparison(value_sets=("JP", "UK", "SG", "CA"))
RANKS = plans.segment_comparison(
    overall_continuous="kruskal_wallis",
    overall_categorical="chi_square",
    second_overall_categorical="fisher_exact",
    pairwise_continuous="dunn",
    pairwise_categorical="chi_square",
    adjust="holm",
    before_after_continuous="paired_t",
    before_after_categorical="mcnemar",
    second_before_after_categorical="fisher_exact",
)
TWO_GROUPS = plans.segment_comparison(
    grouping="sex",
    overall_continuous="t_test",
    overall_categorical="chi_square_corrected",
    pairwise_continuous="mann_whitney",
    pairwise_categorical="chi_square_corrected",
    adjust="bonferroni",
    followups=("1m", "6m"),
)
MANN_WHITNEY = plans.segment_comparison(
    grouping="sex", overall_continuous="mann_whitney", pairwise_continuous="welch_t", adjust="none"
)
REGIONS = plans.segment_comparison(grouping="region", baseline="3m", followups=("12m", "24m"))
STABILITY = plans.segment_comparison(
    grouping="sins_class",
    overall_continuous="welch_anova",
    pairwise_continuous="mann_whitney_exact",
    before_after_continuous="signed_rank_exact",
)
PROCEDURES = plans.segment_comparison(grouping="procedure", pairwise_continuous="dunn", characteristics=("sex", "died"))
ARMS = plans.segment_comparison(
    grouping="arms",
    arms=Arms("procedure", ("psf", "pps"), ("decompression",)),
    overall_continuous="t_test",
    pairwise_continuous="mann_whitney",
    followups=("3m",),
)
YOUNGER_MEN = (
    cohorts.Step("at_most", {"variable": "age_at_surgery", "maximum": 69}),
    cohorts.Step("category", {"variable": "sex", "values": ["male"]}),
)
NAMED = plans.segment_comparison(
    grouping="named",
    named=NamedGroups(
        (
            Group("old", Label("70 or older", "70歳以上"), (cohorts.Step("aged_at_least", {"minimum": 70}),)),
            Group("men", Label("Younger men", "70歳未満の男性"), YOUNGER_MEN),
        )
    ),
    overall_continuous="mann_whitney_exact",
    pairwise_continuous="welch_t",
    characteristics=("age_at_surgery", "sex"),
    domains=(),
)
PLANS = (DEFAULT, RANKS, TWO_GROUPS, MANN_WHITNEY, REGIONS, STABILITY, PROCEDURES, ARMS, NAMED)


@pytest.fixture(scope="module", autouse=True)
def built_in():
    """Drawn frames know no database: the instruments and the schedule are the product's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "_read_current", lambda: catalogue.BUILT_IN)
        patch.setattr(timepoints, "_read_planned", lambda: timepoints.SCHEDULE)
        yield


def compared(plan, cohort=cohorts.ALL, **drawn):
    frame = Draw(**drawn).frame(plan.timepoints)
    return runner.run(plan, cohort, frame), frame


def unpacked(folder, content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def verify(*folders, script=VERIFY):
    command = ["Rscript", "--vanilla", script, *folders] if script == VERIFY else [script, *folders]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wrong(done):
    return [line for line in done.stdout.splitlines() if not line.startswith(("ok ", "setting ", " "))] + [done.stderr]


def verdicts(done):
    """Name of each folder to what R says of it at last."""
    return dict(
        line.split(": ") for line in done.stdout.splitlines() if line.endswith(": VERIFIED") or "NOT VERIFIED" in line
    )


def files(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


# What R finds

COHORTS = len(PLANS)


@pytest.mark.r
@needs_r
def test_r_computes_every_number_of_random_comparisons(tmp_path):
    folders = []
    for seed in range(COHORTS):
        plan = PLANS[seed % len(PLANS)]
        result, frame = compared(plan, seed=seed, cohort=cohorts.SEGI2024 if seed % 3 == 0 else cohorts.ALL)
        folders.append(unpacked(tmp_path / f"{seed}-{plan.grouping}", bundle.bundle(result, frame, plan)))
    done = verify(*folders)
    assert done.returncode == 0, "\n".join(wrong(done))
    assert verdicts(done) == {folder.name: "VERIFIED" for folder in folders}
    assert done.stdout.count(" 0 on one side alone, 0 skipped;") == COHORTS


@pytest.mark.r
@needs_r
def test_r_agrees_that_little_data_determine_little(tmp_path):
    """Nobody; one patient; one group; groups of one; nobody with any value; nothing that varies."""
    drawn = {
        "nobody": {"n": 0},
        "one": {"n": 1},
        "two": {"n": 2},
        "few": {"n": 4},
        "one-group": {"n": 30, "lesions": [2]},
        "odd": {"n": 25, "oddity": 1.0},
        "odder": {"n": 60, "oddity": 1.0},
    }
    folders = []
    for plan in (DEFAULT, RANKS):
        for seed, (name, how) in enumerate(drawn.items()):
            result, frame = compared(plan, seed=seed, **how)
            folders.append(
                unpacked(tmp_path / f"{name}-{plan.pairwise_continuous}", bundle.bundle(result, frame, plan))
            )
    done = verify(*folders)
    assert done.returncode == 0, "\n".join(wrong(done))
    assert "not estimable" in done.stdout


LARGE = plans.segment_comparison(
    characteristics=("primary_tumour", "procedure"), outcomes=("frankel_abc",), deltas=(), events=(), domains=()
)


@pytest.mark.r
@needs_r
def test_a_table_beyond_the_exact_test_is_compared_within_the_error_of_sampling(tmp_path):
    result, frame = compared(LARGE, seed=3, n=6000, lesions=range(6), oddity=0)
    assert "monte_carlo" in result["characteristics"][0]
    done = verify(unpacked(tmp_path, bundle.bundle(result, frame, LARGE)))
    assert done.returncode == 0, "\n".join(wrong(done))
    assert "sampled: 5 standard errors" in done.stdout and "chosen, not computed" in done.stdout


@pytest.mark.r
@needs_r
def test_quick_leaves_out_what_takes_r_long_and_says_so(tmp_path):
    result, frame = compared(LARGE, seed=5, n=200, lesions=range(6), oddity=0)
    path = tmp_path / "comparison.zip"
    path.write_bytes(bundle.bundle(result, frame, LARGE))
    done = verify("--quick", path, script=ROOT / "bin" / "verify-with-r")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "primary_tumour p: --quick: exact test of a 3 x 9 table" in done.stdout
    assert " 0 skipped;" not in done.stdout


# What R says of a forgery


def falsified(text, column, changed, **where):
    rows = table(text)
    item = next(row for row in rows if all(row[name] == value for name, value in where.items()))
    item[column] = changed(item[column])
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def slightly(number):
    return repr(float(number) * (1 + 1e-8))


RESULT = "expected.csv"
FORGERIES = {
    "a mean": (RESULT, "value", slightly, {"statistic": "mean"}),
    "a P": (RESULT, "value", slightly, {"statistic": "p", "test": "wilcoxon_signed_rank"}),
    "an adjusted P": (RESULT, "value", slightly, {"statistic": "p", "adjust": "benjamini_hochberg"}),
    "a Tukey P": (RESULT, "value", lambda p: repr(float(p) + 1e-7), {"statistic": "p", "test": "tukey_hsd"}),
    "a count": (RESULT, "value", lambda n: str(int(n) + 1), {"statistic": "counts", "code": "male"}),
    "the excluded": (RESULT, "value", lambda n: str(int(n) + 1), {"statistic": "flow_excluded", "code": "2"}),
    "a site's enrolled": (RESULT, "value", lambda n: str(int(n) + 1), {"statistic": "site_enrolled"}),
    "a site's excluded": (RESULT, "value", lambda n: str(int(n) + 1), {"statistic": "site_excluded"}),
    "a site's analysed": (RESULT, "value", lambda n: str(int(n) + 1), {"statistic": "site_analysed"}),
    "a P withheld": (RESULT, "value", lambda p: "", {"statistic": "p", "test": "anova"}),
    "a survival": (RESULT, "value", slightly, {"table": "survival/curves", "statistic": "steps/survival/9"}),
    "a log-rank P": (RESULT, "value", slightly, {"table": "survival/log_rank", "statistic": "p"}),
    "a profile": (RESULT, "value", lambda n: str(int(n) + 1), {"table": "eq5d_report/profiles"}),
    "a box": (RESULT, "value", slightly, {"table": "figures/distributions", "statistic": "q3"}),
    "an unknown statistic": (RESULT, "statistic", lambda name: "charm", {"statistic": "sd"}),
    "a death": ("data.csv", "died", lambda answer: "no", {"died": "yes"}),
    "an answer": ("data.csv", "pain_vas_mm_1m", lambda n: str(int(n) + 1), {"pain_vas_mm_1m": "10"}),
    "a group": ("data.csv", "group", lambda code: "tls", {"group": "cervical"}),
    "a utility": ("data.csv", "hsuv_1m", lambda value: "0.5", {}),
}
# R computes these each by itself: all that are changed in one bundle must be found, and no other. The flow and what
# sites say of it are held against each other.
FLOW = {"the excluded", "a site's enrolled", "a site's excluded", "a site's analysed"}
NUMBERS = {name for name, (file, column, *_) in FORGERIES.items() if (file, column) == (RESULT, "value")} - FLOW


FEW = plans.segment_comparison(
    characteristics=("age_at_surgery", "sex"), outcomes=("frankel_abc", "pain_vas_mm", "hsuv"), deltas=("hsuv",)
)


def forged(folder, name):
    file, column, changed, where = FORGERIES[name]
    text = (folder / file).read_text()
    (folder / file).write_text(falsified(text, column, changed, **where))
    assert (folder / file).read_text() != text


@pytest.mark.r
@needs_r
def test_a_changed_number_is_found(tmp_path):
    result, frame = compared(FEW, cohorts.SEGI2024, seed=1, n=90, lesions=range(6), oddity=0)
    content = bundle.bundle(result, frame, FEW)
    folders = [unpacked(tmp_path / "as it was", content), unpacked(tmp_path / "numbers", content)]
    for name in FORGERIES:
        if name in NUMBERS:
            forged(folders[1], name)
        else:
            folders.append(unpacked(tmp_path / name, content))
            forged(folders[-1], name)
    done = verify(*folders)
    assert done.returncode == 1
    assert verdicts(done) == {"as it was": "VERIFIED"} | {folder.name: "NOT VERIFIED" for folder in folders[1:]}
    of_numbers = done.stdout.partition("numbers: ")[2].partition("numbers: NOT VERIFIED")[0]
    assert f", {len(NUMBERS)} differ, 0 on one side alone," in of_numbers
    assert [line.split()[:2] for line in done.stdout.splitlines() if " charm " in line] == [["NOT", "COMPUTED"]]
    assert done.stderr == ""


@pytest.mark.r
@needs_r
def test_what_is_no_bundle_cannot_be_verified(tmp_path):
    (tmp_path / "no.zip").write_text("no")
    script = ROOT / "bin" / "verify-with-r"
    assert verify(tmp_path / "no.zip", script=script).returncode == 2
    assert verify(tmp_path / "none.zip", script=script).returncode == 2
    assert verify(tmp_path).returncode == 2


# The files


@pytest.fixture(scope="module")
def bundled():
    result, frame = compared(DEFAULT, cohorts.SEGI2024, seed=1, n=90, lesions=range(6), oddity=0)
    return result, frame, files(bundle.bundle(result, frame, DEFAULT))


def numbers(part):
    if isinstance(part, dict):
        return [number for inner in part.values() for number in numbers(inner)]
    if isinstance(part, list):
        return [number for inner in part for number in numbers(inner)]
    return [] if isinstance(part, str) else [part]


def test_no_number_of_the_result_is_forgotten(bundled):
    result, _, text = bundled
    claimed = [None if row["value"] == "" else float(row["value"]) for row in table(text["expected.csv"])]
    there = [number for name, part in result.items() if name not in ("cohort", "method") for number in numbers(part)]
    first = len(claimed) - len(there)
    assert claimed[first:] == there
    counts = (*result["cohort"]["flow"], *result["cohort"]["by_site"])
    cohort = [float(number) for row in counts for number in numbers(row)]
    assert claimed[:first] == [
        *(result["cohort"]["n"], result["cohort"]["in_no_group"]), *result["cohort"]["groups"].values(), *cohort
    ]  # fmt: skip
    assert json.loads(text["result.json"]) == result


def test_a_result_of_another_shape_is_refused(bundled):
    result, _, _ = bundled
    with pytest.raises(ValueError, match="neither a row nor a table"):
        list(verification_numbers.lines(result | {"sensitivity": [{"value_set": "UK", "n": 3}]}))


def test_the_data_hold_the_cohort_without_identifiers(bundled):
    result, _, text = bundled
    rows, codebook = table(text["data.csv"]), table(text["codebook.csv"])
    assert len(rows) == result["cohort"]["n"]
    assert [row["row"] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
    assert list(rows[0]) == [line["column"] for line in codebook]
    assert not {"patient_id", "site", "site_code", "surgery_date"} & set(rows[0])
    for line in codebook:
        assert line["label_en"] and line["label_ja"]
        seen = {row[line["column"]] for row in rows} - {""}
        if line["codes"]:
            assert seen <= set(line["codes"].split("|"))
            assert len(line["codes_ja"].split("|")) == len(line["codes"].split("|"))
    assert {"eq5d_state_preop", "hsuv_preop", "hsuv_1m_UK", "died", "ssi_or_wound", "frankel_1m"} <= set(rows[0])


def test_the_same_comparison_gives_the_same_bytes(bundled):
    result, frame, _ = bundled
    assert bundle.bundle(result, frame, DEFAULT) == bundle.bundle(result, frame, DEFAULT)


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_readme_says_what_it_is(bundled, settings, synthetic):
    settings.SYNTHETIC = synthetic
    result, frame, _ = bundled
    readme = files(bundle.bundle(result, frame, DEFAULT))["README.txt"]
    assert ("SYNTHETIC DATA" in readme) == synthetic
    for part in (
        result["method"]["snapshot"],
        result["method"]["segment_rule"],
        "doi:10.",
        "Rscript verify.R",
        "NumPy",
    ):
        assert part in readme


def test_no_bundle_once_the_data_have_changed(bundled):
    result, _, _ = bundled
    _, other = compared(DEFAULT, seed=2)
    with pytest.raises(bundle.DataChanged):
        bundle.bundle(result, other, DEFAULT)


# The command and the page


def command(*arguments):
    out = io.StringIO()
    call_command("compare_bundle", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def done(random_patients, as_system, bob):
    with as_system():
        result = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
    return ComparisonRun.objects.create(
        plan=plans.SEGMENT_COMPARISON.to_json(),
        cohort=cohorts.SEGI2024.to_json(),
        requested_by=bob,
        status="done",
        result=result,
        snapshot=result["method"]["snapshot"],
        progress=1,
    )


@pytest.fixture
def demonstration(db, tmp_path, cohort_of):
    cohort = cohort_of()
    with entered(Scope(reason="demonstration")):
        Site.objects.bulk_create(Site(code=site.code, name=site.name, region=site.region) for site in cohort.sites)
        write_cohort(cohort, tmp_path)
        assert import_files(tmp_path, reason="demonstration").stored


@pytest.mark.r
@needs_r
def test_the_demonstration_registry_is_verified(demonstration, tmp_path):
    command(str(tmp_path / "demo.zip"))
    checked = verify(tmp_path / "demo.zip", "--quick", script=ROOT / "bin" / "verify-with-r")
    assert checked.returncode == 0, "\n".join(wrong(checked))
    assert "demo: 203 patients" in checked.stdout


@pytest.mark.r
@needs_r
def test_a_bundle_from_the_command_line_is_verified(random_patients, tmp_path):
    path = tmp_path / "segments.zip"
    assert "bin/verify-with-r" in command(str(path), "--value-set", "JP", "NL")
    assert [path.name for path in tmp_path.iterdir()] == ["segments.zip"]
    checked = verify(path, script=ROOT / "bin" / "verify-with-r")
    assert checked.returncode == 0, "\n".join(wrong(checked))


def test_patient_ids_are_there_when_asked_for(random_patients, tmp_path):
    assert command(str(tmp_path / "a.zip"), "--patient-ids", "--cohort", "all")
    rows = table(files((tmp_path / "a.zip").read_bytes())["data.csv"])
    assert {row["patient_id"]: row["age_at_surgery"] for row in rows} == {
        patient["patient_id"]: "" if patient["age_at_surgery"] is None else str(patient["age_at_surgery"])
        for patient in random_patients
    }


def test_a_stored_run_from_the_command_line(done, tmp_path, as_system):
    command(str(tmp_path / "stored.zip"), "--run", str(done.pk))
    command(str(tmp_path / "new.zip"))
    stored, new = ((tmp_path / name).read_bytes() for name in ("stored.zip", "new.zip"))
    assert files(stored)["data.csv"] == files(new)["data.csv"]
    assert json.loads(files(stored)["result.json"]) == done.result
    with as_system():
        assert AuditEvent.objects.filter(action="export", site_id=None).count() == 2


def test_what_cannot_be_bundled_leaves_no_file(done, tmp_path):
    for arguments in (["--run", "00000000-0000-0000-0000-000000000000"], ["--plan", "none.json"], ["--cohort", "few"]):
        with pytest.raises(CommandError):
            command(str(tmp_path / "none.zip"), *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_page_gives_the_bundle_and_records_an_export(client, done, bob, as_system):
    client.force_login(bob)
    address = reverse("comparison_download", args=[done.pk, "bundle"])
    assert address in client.get(reverse("comparison_run", args=[done.pk])).content.decode()
    response = client.get(address)
    assert (response.status_code, response["Content-Type"]) == (200, "application/zip")
    text = files(b"".join(response.streaming_content))
    assert len(table(text["data.csv"])) == done.result["cohort"]["n"]
    with as_system():
        event = AuditEvent.objects.get(action="export", site_id=None)
    assert (event.user_id, event.row_id, event.new["identified"]) == (bob.pk, str(done.pk), False)


def test_nobody_else_gets_the_bundle(client, done, alice, ada):
    for user in (alice, ada):
        client.force_login(user)
        assert client.get(reverse("comparison_download", args=[done.pk, "bundle"])).status_code == 404


def test_the_page_says_so_once_the_data_have_changed(client, done, bob, random_patients, as_system):
    with as_system():
        Patient.objects.filter(pk=random_patients[0]["patient_id"]).update(age_at_surgery=44)
    client.force_login(bob)
    response = client.get(reverse("comparison_download", args=[done.pk, "bundle"]), follow=True)
    assert "The data have changed since" in response.content.decode()
    with as_system():
        assert not AuditEvent.objects.filter(action="export").exists()
