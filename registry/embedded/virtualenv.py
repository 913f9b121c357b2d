"""Make the project's virtual environment; run by bin/environment with any Python 3.11+, before anything is installed.

    python registry/embedded/virtualenv.py FOLDER KIND      KIND: run | test

The folder is emptied first if we made it, and left alone otherwise. A stamp in it, written last, says for which
requirements it is whole; an interrupted installation has none.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RUN = ("requirements.txt", "requirements-embedded.txt")
KINDS = {"run": RUN, "test": (*RUN, "requirements-dev.txt")}
OURS = "made-by-metaspine"  # without this file in it, a folder is somebody else's and is left alone
EXAMPLE = "METASPINE_VENV=/path/to/folder METASPINE_DATA=/path/to/another"


def stamp(folder, kind):
    """(path, content) of the stamp. bin/environment compares the same content before it starts Python at all."""
    texts = [(PROJECT / name).read_text() for name in KINDS[kind]]
    return folder / f"whole-for-{kind}", f"{folder}\n" + "".join(texts)


def whole(folder, kind):
    path, content = stamp(folder, kind)
    return path.exists() and path.read_text() == content


def prepare(folder, kind):
    """Make or complete the environment. Two at once: the second waits and finds it whole."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.parent, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if whole(folder, kind):
        return
    if not whole(folder, "run"):
        if any(folder.iterdir()) and not (folder / OURS).exists():
            stop(f"{folder} is in use for something else: name an empty or new folder, {EXAMPLE}")
        make(folder)
    install(folder, kind)


def make(folder):
    # Called from inside the old environment (`activate`), we must not lose the Python that runs this.
    python = getattr(sys, "_base_executable", sys.executable)
    (folder / OURS).touch()
    for old in folder.iterdir():  # all but our sign, so that an interruption leaves it
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        elif old.name != OURS:
            old.unlink()
    say(f"Making a virtual environment in {folder} (once, about a minute) ...")
    made = subprocess.run([python, "-m", "venv", folder], capture_output=True, text=True, check=False)
    if made.returncode:
        if any(word in made.stdout + made.stderr for word in ("ensurepip", "No module named venv")):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            stop(f"Python's venv module is incomplete: apt-get install python{version}-venv, then try again.")
        stop(f"Cannot make a virtual environment in {folder}: {last_line(made.stdout + made.stderr)}")


def install(folder, kind):
    """What this kind needs in one run of pip; compiled afterwards, on all cores, which pip does on one."""
    sources = [option for name in KINDS[kind] for option in ("-r", PROJECT / name)]
    options = ["--disable-pip-version-check", "--no-compile", "--require-hashes", *sources]
    log = folder / "install.log"
    with open(log, "w") as output:
        pip = [folder / "bin/python", "-m", "pip", "install", *options]
        done = subprocess.run(pip, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = log.read_text(errors="replace")
        if "No space left" in lines:
            stop(f"The disk is full: free some space for {folder}, then try again.")
        if "DO NOT MATCH THE HASHES" in lines:
            stop(f"A downloaded package is not the one that was locked: see {log} before you trust your network.")
        stop(f"pip could not install the packages: check the network (or a mirror's settings) and try again; see {log}")
    for packages in folder.glob("lib/python*/site-packages"):
        # Not every file of a package is meant for this Python: what cannot be compiled is left as it is.
        compiling = [folder / "bin/python", "-m", "compileall", "-qq", "-j", "0", packages]
        subprocess.run(compiling, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        (packages / "metaspine.pth").write_text(f"{PROJECT}\n")  # `pytest FILE` finds the project from anywhere
    for other, needed in KINDS.items():
        if set(needed) <= set(KINDS[kind]):
            path, content = stamp(folder, other)
            path.write_text(content)


def say(text):
    print(text, file=sys.stderr, flush=True)


def stop(sentence):
    say(sentence)
    sys.exit(1)


def last_line(text):
    return (text.strip().splitlines() or ["no reason given"])[-1]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        prepare(folder, sys.argv[2])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        stop(f"Cannot write to {error.filename or folder} ({error.strerror}): choose other folders, {EXAMPLE}")
