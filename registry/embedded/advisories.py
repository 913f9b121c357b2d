"""Ask the advisory service about every locked package: what `bin/audit` runs, with pip-audit.

Exit status 0: nothing is known; 1: a vulnerability is known; 2: not every package could be asked about, so nothing is
known either way. `bin/test` prints this and does not fail by it: what was published today is no fault of the tree.

    bin/audit                  ask; where the service is out of reach, look at what was kept, and say how old it is
    bin/audit --save           ask, and keep the answers in advisories.json: made where the service can be reached
    bin/audit --offline        look at what was kept alone

METASPINE_ADVISORIES names another file than advisories.json beside the locked requirements.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.requirements import Requirement

from registry.embedded import PROJECT

LOCKED = ("requirements.txt", "requirements-embedded.txt")
SECONDS = 50  # for everything: whoever waits is told within a minute
OLDEST = 30  # days after which kept answers say nothing any more
PINNED = re.compile(r"^[A-Za-z0-9][^#\\\n]*==[^#\\\n]*", re.MULTILINE)


def locked():
    """Every package locked for this Python and machine as (name, version), sorted: those that pip-audit asks about."""
    texts = [(PROJECT / name).read_text() for name in LOCKED]
    every = [Requirement(line.strip()) for text in texts for line in PINNED.findall(text)]
    meant = [line for line in every if line.marker is None or line.marker.evaluate()]
    return sorted({(_plain(line.name), next(iter(line.specifier)).version) for line in meant})


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def asked():
    """pip-audit's report as JSON text; "" where it gave none. It reads the locked files and installs nothing."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command += ["--timeout", "5", "--format", "json", *(part for file in LOCKED for part in ("--requirement", file))]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS).stdout
    except subprocess.TimeoutExpired:
        return ""


def packages_of(report):
    """{(name, version): vulnerabilities} of the packages that pip-audit's report (JSON text) was told about."""
    try:
        dependencies = json.loads(report)["dependencies"]
        return {
            (_plain(dependency["name"]), dependency["version"]): dependency.get("vulns", [])
            for dependency in dependencies
            if "version" in dependency
        }
    except (ValueError, KeyError, TypeError):
        return {}


def last_answers(path, today):
    """(what `packages_of` a kept report says, lines about its age); nothing of one too old or from the future."""
    try:
        content = json.loads(path.read_text())
        taken, report = date.fromisoformat(content["taken_on"]), json.dumps(content["report"])
    except FileNotFoundError:
        return {}, []
    except (ValueError, KeyError, TypeError):
        return {}, [f"{path.name} is no file of kept answers: make it with `bin/audit --save`."]
    days = (today - taken).days
    age = f"{path.name} has the advisory service's answers of {taken}, {days} days ago"
    if not 0 <= days <= OLDEST:
        return {}, [f"{age}: they count for {OLDEST} days. Make it anew with `bin/audit --save`."]
    return packages_of(report), [f"{age}; what was published since is not in it."]


def verdict(wanted, answers, older=None, notes=()):
    """(exit status, lines to print).

    wanted  [(name, version)] of what is locked; told: {(name, version): vulnerabilities} that the service says now
    older   the same of kept answers, with `notes` about them, for the packages that it was not asked about
    """
    older = older or {}
    known = {package: answers.get(package, older.get(package)) for package in wanted}
    lines = [
        f"VULNERABLE: {name} {version}: {bad['id']}, fixed in {', '.join(bad['fix_versions']) or '-'}"
        for (name, version), vulnerabilities in known.items()
        for bad in vulnerabilities or ()
    ]
    unasked = [package for package in wanted if package not in answers]
    messages = [*notes] if unasked else []
    if unasked:
        messages.append(
            f"The advisory service could be asked about {len(wanted) - len(unasked)} of {len(wanted)} packages."
        )
    unknown = [f"{name} {version}" for (name, version), advisories in known.items() if advisories is None]
    if unknown or not wanted:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        messages.append(f"UNKNOWN: of {', '.join(unknown[:5])}{more} nothing is known either way.")
    if lines:
        return 1, ["=" * 80, *lines, *messages, "=" * 80]
    if unknown or not wanted:
        return 2, messages
    return 0, [*messages, f"No vulnerability is known in {len(wanted)} packages."]


def save(path, report, today):
    """Keep a report whose every package was asked about; returns whether it was."""
    if not set(locked()) <= packages_of(report).keys():
        return False
    path.write_text(json.dumps({"taken_on": str(today), "report": json.loads(report)}, indent=1) + "\n")
    return True


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="bin/audit", description=__doc__.splitlines()[0])
    parser.add_argument("--offline", action="store_true", help="ask nobody; look at what was kept")
    parser.add_argument("--save", action="store_true", help="keep the answers for where the service is out of reach")
    options = parser.parse_args(arguments)
    path = Path(os.environ.get("METASPINE_ADVISORIES") or PROJECT / "advisories.json")
    today = datetime.now(UTC).date()
    report = "" if options.offline else asked()
    if options.save and not save(path, report, today):
        print(f"Not every package could be asked about: {path.name} was not written.", file=sys.stderr)
    older, notes = last_answers(path, today)
    status, lines = verdict(locked(), packages_of(report), older, notes)
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
