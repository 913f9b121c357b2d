"""The scripts' own environment: believed only when whole, and never made in somebody else's folder."""

import os
import subprocess

from registry.embedded import PROJECT, virtualenv
from registry.embedded.virtualenv import KINDS, OURS, stamp, whole


def prepare(folder, **settings):
    """(exit code, standard output, standard error) of what every script in bin/ begins with."""
    script = f'. "{PROJECT}/bin/environment"; prepare run; echo "$python"'
    environment = os.environ | {"METASPINE_VENV": str(folder)} | settings
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def made(folder):
    """A folder as a finished installation leaves it, with an interpreter that says which it is."""
    (folder / "bin").mkdir(parents=True)
    (folder / OURS).touch()
    (folder / "bin/python").write_text("#!/bin/sh\n")
    (folder / "bin/python").chmod(0o755)
    for kind in KINDS:
        path, content = stamp(folder, kind)
        path.write_text(content)
    return folder


def test_a_whole_environment_is_used_at_once(tmp_path):
    folder = made(tmp_path / "an environment")
    assert prepare(folder) == (0, f"{folder}/bin/python\n", "")


def test_one_for_tests_is_made_by_one_run_of_pip_and_serves_for_running_too(tmp_path, monkeypatch):
    folder, asked = tmp_path / "venv", []

    def run(command, **more):
        asked.append(command[2])
        (folder / "lib/python3/site-packages").mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(virtualenv.subprocess, "run", run)
    virtualenv.prepare(folder, "test")
    assert asked == ["venv", "pip", "compileall"]
    assert [whole(folder, kind) for kind in KINDS] == [True, True]


def test_one_for_other_requirements_or_moved_from_elsewhere_is_not_whole(tmp_path):
    folder = made(tmp_path / "venv")
    assert whole(folder, "run")
    path, content = stamp(folder, "run")
    path.write_text(content + "one-more==1\n")
    assert not whole(folder, "run")
    path.write_text(content)
    assert whole(folder, "run")
    assert not whole(folder.rename(tmp_path / "moved"), "run")


def test_an_old_python_is_refused_in_one_sentence(tmp_path):
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    code, out, err = prepare(made(tmp_path / "venv"), PYTHON=str(old))
    assert (code, out) == (1, "")
    assert err == f"Python 3.11 or newer is needed, and PYTHON={old} is not: set PYTHON to one that is.\n"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    code, out, err = prepare(tmp_path)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "in use for something else" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    code, _, err = prepare(tmp_path / "file/venv")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "METASPINE_VENV=" in err
