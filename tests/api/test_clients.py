"""The client packages for Python and R, each installed as people install it or imported, against a running registry."""

import os
import subprocess
import sys
from datetime import date

import polars as pl
import pytest
from django.db import transaction

from registry.models import Patient
from registry.services.entry.assessments import save_assessment
from sites.models import User
from sites.people.tokens import TokenScope
from sites.tenancy.access import access_of
from sites.tenancy.scope import entered
from tests.api.conftest import issued
from tests.stats.oracle import lacking
from tests.web.conftest import ASSESSMENT
from tests.working import ROOT

CLIENTS = ROOT / "clients"
sys.path.insert(0, str(CLIENTS / "python" / "metaspine"))

import metaspine  # noqa: E402 - from the checkout


@pytest.fixture
def followed(served):
    """The running registry, where N01-0001 was seen again after a month and refused EQ VAS."""
    alice = User.objects.get(name="Alice")
    access = access_of(alice)
    with entered(access.scope()), transaction.atomic():
        answers = ASSESSMENT | {"assessment_date": "2026-02-12", "pain_vas_mm": "15", "frankel": "D"}
        answers.pop("eq_vas")
        patient = Patient.objects.get(pk="N01-0001")
        save_assessment(
            access=access, patient=patient, timepoint="1m", raw=answers, missing={"eq_vas": "refused"}, complete=True
        )
    return served


def change_of_pain():
    return 15 - int(ASSESSMENT["pain_vas_mm"])


def test_an_analysis_frame_in_python(followed):
    visits = metaspine.registry(*followed).assessments(labels=True)
    assert visits.select("patient_id", "timepoint", "eq_vas", "eq_vas_missing").rows() == [
        ("N01-0001", "Before surgery", 60, None),
        ("N01-0001", "1 month", None, "Refused"),
        ("N01-0002", "Before surgery", 70, None),
    ]
    later = visits.row(1, named=True)
    assert later["delta_pain_vas_mm"] == change_of_pain()
    assert later["frankel"].startswith("D ") and later["assessment_date"] == date(2026, 2, 12)
    assert visits.schema["frankel"].categories.to_list()[0].startswith("A ")
    assert 0 < later["hsuv_jp"] < 1 and later["delta_hsuv_jp"] == 0


def test_a_frame_of_codes_and_one_of_few_columns(followed):
    here = metaspine.registry(*followed)
    assert here.assessments().schema["frankel"] == pl.Enum(["A", "B", "C", "D", "E"])
    few = here.assessments(fields=["patient_id", "hsuv_us"], value_sets=["US"])
    assert few.columns == ["patient_id", "hsuv_us"] and few.height == 3
    assert here.patients(labels=True, language="ja").select("sex").to_series().to_list() == ["男性", "男性"]
    assert here.adverse_events().height == here.follow_up_ends().height == 0


def test_pandas_keeps_whole_numbers_orders_and_what_is_missing(followed):
    pandas = pytest.importorskip("pandas")
    visits = metaspine.registry(*followed).assessments(labels=True, frame="pandas")
    assert visits["eq_vas"].dtype == "Int64" and visits["eq_vas"].isna().tolist() == [False, True, False]
    assert visits["frankel"].cat.ordered and not visits["eq_vas_missing"].cat.ordered
    assert visits["assessment_date"].dt.month.tolist()[1] == 2
    assert visits["hsuv_jp"].dtype == float
    assert visits.groupby("patient_id")["delta_pain_vas_mm"].sum().tolist() == [change_of_pain(), 0]
    assert isinstance(visits, pandas.DataFrame)


def test_the_codebook_and_who_is_left_out(followed):
    here = metaspine.registry(*followed)
    columns = {column.name: column for column in here.codebook() if column.table == "assessments"}
    assert list(columns["frankel"].codes) == ["A", "B", "C", "D", "E"] and columns["frankel"].ordered
    assert columns["eq_vas"].maximum == 100 and columns["eq_vas_missing"].reason_for == "eq_vas"
    assert here.contents()["patients"]["exported"] == 2


def test_a_refusal_names_what_is_wrong_and_never_the_token(followed):
    url, token = followed
    here = metaspine.registry(url, token)
    with pytest.raises(metaspine.Refused) as refused:
        here.assessments(fields=["eq_vas", "rumour"])
    assert (refused.value.status, list(refused.value.errors)) == (400, ["fields"])
    with pytest.raises(metaspine.Refused) as refused:
        metaspine.registry(url, "msp_wrong").patients()
    assert refused.value.status == 401
    with pytest.raises(metaspine.Refused, match="a token with the scope “export”"):
        metaspine.registry(url, issued(User.objects.get(name="Alice"), (TokenScope.READ,))).patients()
    assert token not in repr(here) + repr(here.connection)
    assert metaspine.registry(f"{url}/api/v1/patients", f"{token}\n").patients().height == 2
    assert metaspine.registry(f"{url}/spine/", token).connection.base == f"{url}/spine/api/v1/"
    with pytest.raises(ValueError, match="^this is no token: one is of letters, digits, - and _$"):
        metaspine.registry(url, f"{token}\n{token}")
    with pytest.raises(ValueError, match="https"):
        metaspine.registry("http://registry.example.org", token)
    with pytest.raises(ConnectionError, match="no registry answers at http://127.0.0.1:9/api/v1/"):
        metaspine.registry("http://127.0.0.1:9", token).patients()
    with pytest.raises(metaspine.Refused, match="answers with text/html. Is it the address of a registry"):
        here.connection.get("docs", {}, "application/json")  # a page, as another address or version may answer


MYPY = ("--strict", "--disable-error-code=import-untyped", "--config-file", os.devnull)


def test_the_package_is_typed():
    package = CLIENTS / "python" / "metaspine"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *MYPY, "-p", "metaspine"],
        cwd=package, env=os.environ | {"MYPY_CACHE_DIR": os.devnull}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


# R


def r(script, **environment):
    done = subprocess.run(["Rscript", "-e", script], env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


LACKING = lacking(("httr2", "jsonlite", "readr", "tibble"))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library of R with the package, installed as people install it."""
    folder = tmp_path_factory.mktemp("library")
    command = [
        "R",
        "CMD",
        "INSTALL",
        "--no-docs",
        "--no-test-load",
        f"--library={folder}",
        str(CLIENTS / "r" / "metaspine"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


FRAME = """
library(metaspine)
here <- registry(Sys.getenv("URL"))
visits <- here |> assessments(labels = TRUE)
later <- visits[2, ]
cat(nrow(visits), as.character(visits$timepoint), sep = ";"); cat("\n")
cat(visits$eq_vas, as.character(visits$eq_vas_missing), sep = ";"); cat("\n")
cat(later$delta_pain_vas_mm, later$delta_hsuv_jp, format(later$assessment_date), is.ordered(later$frankel), sep = ";")
cat("\n")
cat(substr(levels(visits$frankel), 1, 1), substr(as.character(later$frankel), 1, 1), sep = ""); cat("\n")
cat(class(visits)[1], class(visits$eq_vas), attr(visits$eq_vas, "label"), sep = ";"); cat("\n")
codes <- here |> assessments(fields = c("frankel", "ecog_ps"))
cat(names(codes), class(codes$frankel), class(codes$ecog_ps), sep = ";"); cat("\n")
cat(assessments(here, fields = "eq_vas")$eq_vas, sep = ";"); cat("\n")
refused <- tryCatch(assessments(here, fields = "rumour"), metaspine_refused = function(error) error)
cat(refused$status, names(refused$errors), sep = ";"); cat("\n")
away <- tryCatch(patients(registry("http://127.0.0.1:9/spine/", "x\\n")), error = conditionMessage)
cat(sub("api/v1.*", "api/v1", away)); cat("\n")
cat(nrow(patients(here)), nrow(adverse_events(here)), contents(here)$patients$exported, sep = ";"); cat("\n")
cat(any(grepl(Sys.getenv("METASPINE_TOKEN"), capture.output(print(here), str(here)), fixed = TRUE)))
"""


@pytest.mark.r
@pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")
def test_an_analysis_frame_in_r(followed, library):
    url, token = followed
    lines = r(FRAME, URL=url, METASPINE_TOKEN=token, R_LIBS=str(library), LC_ALL="C").splitlines()
    assert lines == [
        "3;Before surgery;1 month;Before surgery",
        "60;NA;70;NA;Refused;NA",
        f"{change_of_pain()};0;2026-02-12;TRUE",
        "ABCDED",
        "tbl_df;integer;EQ VAS (health today)",
        "frankel;ecog_ps;character;integer",
        "60;NA;70",
        "400;fields",
        "no registry answers at http://127.0.0.1:9/spine/api/v1",
        "2;0;2",
        "FALSE",
    ]
