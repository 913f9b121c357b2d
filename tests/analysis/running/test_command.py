"""`manage.py compare_segments`, as an operator runs it."""

import io
import json
import os
import threading

import pytest
from django.core.management import CommandError, call_command

from registry.analysis.design import cohorts, plans
from registry.analysis.running import runner


def compared(*arguments):
    out = io.StringIO()
    call_command("compare_segments", *arguments, stdout=out)
    return out.getvalue()


def test_json_is_the_default_and_equals_the_runner(random_patients, as_system):
    with as_system():
        expected = runner.compare(plans.SEGMENT_COMPARISON, cohorts.SEGI2024)
    assert json.loads(compared()) == expected


def test_options(random_patients):
    result = json.loads(compared("--cohort", "all", "--value-set", "NL", "--baseline", "1m", "--followup", "3m"))
    assert (result["cohort"]["name"], result["method"]["value_set"]) == ("all", "NL")
    assert (result["method"]["baseline"], result["method"]["followups"]) == ("1m", ["3m"])


@pytest.mark.parametrize("format", ["json", "csv", "html", "docx"])
def test_every_format_goes_to_a_file(random_patients, tmp_path, format):
    path = tmp_path / f"out.{format}"
    assert compared("--format", format, "--output", str(path)) == ""
    assert path.stat().st_size > 5000
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_pipe_is_written_to_and_stays_a_pipe(random_patients, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    compared("--output", str(pipe))
    reader.join()
    assert json.loads(read[0])["cohort"]["name"] == "segi2024"
    assert pipe.is_fifo()


def test_csv_has_one_number_a_line(random_patients):
    import csv

    result, lines = json.loads(compared()), list(csv.DictReader(io.StringIO(compared("--format", "csv"))))
    assert list(lines[0]) == ["table", "variable", "group", "timepoint", "category", "statistic", "value"]

    def value(*where):
        (values,) = [line["value"] for line in lines if list(line.values())[:6] == list(where)]
        return values

    row = result["characteristics"][0]
    assert float(value("characteristics", "age_at_surgery", "tls", "", "", "mean")) == row["groups"]["tls"]["mean"]
    assert float(value("characteristics", "age_at_surgery", "", "", "", "p")) == row["p"]
    frankel = result["recovery"][0]
    assert (
        int(value("recovery", "frankel_abc", "cervical", "preop", "A/B/C", "count"))
        == (frankel["baseline"]["counts"]["A/B/C"])
    )
    assert float(value("recovery", "frankel_abc", "cervical", "1m", "", "p_mcnemar")) == frankel["p_mcnemar"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cohort", "everyone"], "“everyone” is no cohort; one of segi2024, all"),
        (["--value-set", "XX"], "“XX” does not fit; one of AE, AU"),
        (["--followup", "2m"], "followups: “2m” does not fit; one of preop, 1m"),
        (["--baseline", "1m"], "the baseline 1m cannot be a follow-up too"),
        (["--format", "xml"], "“xml” is no format; one of json, csv, html, docx"),
        (["--output", "."], "cannot write .: Is a directory"),
        (["--output", "/no/such/folder/out.json"], "cannot write /no/such/folder/out.json: No such file"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence_and_exit_2(db, arguments, says):
    with pytest.raises(CommandError) as refused:
        compared(*arguments)
    assert says in str(refused.value)
    assert refused.value.returncode == 2


def test_an_empty_registry_is_no_error(db):
    assert json.loads(compared())["cohort"]["n"] == 0
