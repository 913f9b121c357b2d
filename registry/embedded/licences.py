"""Licence inventory of the dependencies: docs/licences.md, as `bin/licences` writes it.

What a package says of itself (SPDX expression, else trove classifiers, else its first line), what is vendored, and the
programs beside them. The product's own licence is its owner's to choose and stands nowhere here.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, files, metadata

from packaging.requirements import Requirement

from registry.embedded import PROJECT

PAGE = PROJECT / "docs" / "licences.md"
# File of locked packages → what they are for.
SETS = {
    "requirements.txt": "Needed to run",
    "requirements-embedded.txt": "Needed where PostgreSQL and the broker come from wheels (`bin/demo`)",
    "requirements-dev.txt": "Needed only to test and to write documents",
}
VENDORED = ("static/vendor", "tests/vendor")
# What the image or the tests take from Debian, which tells each licence in /usr/share/doc/<package>/copyright.
PROGRAMS = {
    "PostgreSQL": "PostgreSQL Licence",
    "Redis or Valkey": "BSD-3-Clause (Redis up to 7.2, Valkey); later Redis: RSALv2, SSPLv1 or AGPL-3.0",
    "Python": "PSF-2.0",
    "IPAex Gothic": "IPA Font Licence 1.0 (embedded in PDFs and figures)",
    "R with survival, nlme, MASS, MatchIt, cmprsk, exactRankTests, emmeans": "GPL; called by tests, never linked",
    "R's haven, httr2, jsonlite, readr, tibble": "MIT; called by tests and by the client package for R",
    "LibreOffice Calc": "MPL-2.0; called by tests",
    "LForms (npm, fetched by a test)": "its own terms (US National Library of Medicine); called by a test",
}
HEAD = """# Licences of what Metaspine is built on

Written by `bin/licences` from what the installed packages say of themselves; a test holds it to the locked
requirements. The product's own licence is its owner's to choose. Weak copyleft is named where it is: psycopg (LGPL) is
imported as it comes, certifi (MPL) is a list of certificates; neither is changed here.
"""
# Names of trove classifiers that have one SPDX expression.
SPDX = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "BSD License": "BSD",
}
PINNED = re.compile(r"^[A-Za-z0-9][^#\\\n]*==[^#\\\n]*", re.MULTILINE)


def locked(name):
    """Names of the packages that one file of requirements locks for this Python and machine, sorted."""
    every = [Requirement(line.strip()) for line in PINNED.findall((PROJECT / name).read_text())]
    return sorted({line.name.lower() for line in every if line.marker is None or line.marker.evaluate()})


def licence_of(package):
    """What a package says its licence is; LookupError for one that is not installed or says nothing."""
    try:
        about = metadata(package)
    except PackageNotFoundError as error:
        raise LookupError(f"{package} is not installed") from error
    if expression := about.get("License-Expression"):
        return expression
    classified = [
        line.rpartition(":: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    classified = [SPDX.get(name, name) for name in classified if name != "DFSG approved"]
    said = (about.get("License") or "").strip().partition("\n")[0][:60]
    if classified:
        return "; ".join(classified)
    if said:
        return said
    return _of_file(package)


def _of_file(package):
    """The licence that a package's own file of it is headed with."""
    for path in files(package) or ():
        if re.match(r"(licen[sc]e|copying)", path.name, re.IGNORECASE):
            text = path.locate().read_text(errors="replace")
            for name, expression in {"Apache License": "Apache-2.0", "MIT License": "MIT"}.items():
                if name in text:
                    return expression
            return text.strip().partition("\n")[0][:60]
    raise LookupError(f"{package} says no licence")


def vendored():
    """Folder of each vendored package → the first line of its licence."""
    folders = [folder for place in VENDORED for folder in sorted((PROJECT / place).iterdir()) if folder.is_dir()]
    return {str(folder.relative_to(PROJECT)): _first_line(folder / "LICENSE") for folder in folders}


def _first_line(path):
    return next(line.strip() for line in path.read_text().splitlines() if line.strip())


def page():
    """The text of docs/licences.md."""
    parts, listed = [HEAD], set()
    for name, purpose in SETS.items():
        packages = [package for package in locked(name) if package not in listed]
        listed.update(packages)
        lines = [f"| {package} | {licence_of(package)} |" for package in packages]
        parts.append("\n".join([f"## {purpose}\n", "| package | licence |", "|---|---|", *lines]) + "\n")
    for title, rows in (("Vendored files", vendored()), ("Programs beside it", PROGRAMS)):
        lines = [f"| {name} | {licence} |" for name, licence in rows.items()]
        parts.append("\n".join([f"## {title}\n", "| what | licence |", "|---|---|", *lines]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE.relative_to(PROJECT), file=sys.stderr)
