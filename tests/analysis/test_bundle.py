"""A comparison computed again by R from its bundle; and what R says when somebody has changed a number."""

import csv
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from registry.analysis import bundle, cohorts, expected, plans, runner
from tests.analysis.random_frames import Draw

PROJECT = Path(__file__).parents[2]
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
    grouping="sex", overall_continuous="mann_whitney", pairwise_continuous="t_test", adjust="none"
)
REGIONS = plans.segment_comparison(grouping="region", baseline="3m", followups=("12m", "24m"))
STABILITY = plans.segment_comparison(grouping="sins_class", pairwise_continuous="mann_whitney")
PROCEDURES = plans.segment_comparison(grouping="procedure", pairwise_continuous="dunn", characteristics=("sex", "died"))
PLANS = (DEFAULT, RANKS, TWO_GROUPS, MANN_WHITNEY, REGIONS, STABILITY, PROCEDURES)


def compared(plan, cohort=cohorts.ALL, **drawn):
    frame = Draw(**drawn).frame(plan.timepoints)
    return runner.run(plan, cohort, frame), frame


def unpacked(folder, content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def verify(*folders, script=VERIFY):
    command = ["Rscript", "--vanilla", script, *folders]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wrong(done):
    return [line for line in done.stdout.splitlines() if not line.startswith(("ok ", " "))] + [done.stderr]


@pytest.mark.r
@needs_r
def test_r_computes_every_number_of_random_comparisons(tmp_path):
    folders = []
    for seed in range(21):
        plan = PLANS[seed % len(PLANS)]
        result, frame = compared(plan, seed=seed, cohort=cohorts.SEGI2024 if seed % 3 == 0 else cohorts.ALL)
        folders.append(unpacked(tmp_path / f"{seed}-{plan.grouping}", bundle.bundle(result, frame, plan)))
    done = verify(*folders)
    assert done.returncode == 0, "\n".join(wrong(done))
    assert done.stdout.endswith("VERIFIED\n") and "skipped." in done.stdout
