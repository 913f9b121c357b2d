"""A command that asks an empty database says so; one that has patients says nothing of it."""

import io

import pytest
from django.core.management import call_command


@pytest.mark.parametrize("command", ["export_csv", "export_data", "compare_segments"])
def test_an_empty_database_is_told_in_a_sentence(command, tmp_path, monkeypatch, as_system, bring_in, good):
    monkeypatch.setenv("METASPINE_DATA", "/srv/other")
    arguments = {"export_csv": [tmp_path / "a"], "export_data": [tmp_path / "a.zip"]}
    arguments["compare_segments"] = ["--format", "json"]
    messages = []
    for _ in range(2):
        err = io.StringIO()
        call_command(command, *arguments[command], stdout=io.StringIO(), stderr=err)
        messages.append(err.getvalue())
        bring_in(good)
        arguments[command][0] = tmp_path / "b.zip" if command == "export_data" else arguments[command][0]
    assert "no patients (/srv/other)" in messages[0]
    assert "no patients" not in messages[1]
