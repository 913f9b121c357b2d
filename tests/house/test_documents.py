"""The documents as a site, and the inventory of licences: whole, and of what is locked now."""

import subprocess
import sys

import pytest

from registry.embedded import PROJECT, licences


def test_the_site_of_documents_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    front = (tmp_path / "index.html").read_text()
    assert front.count("<img") >= 3 and "CHANGELOG.html" in front
    for page in tmp_path.rglob("*.html"):
        assert 'src="http' not in page.read_text(), page  # it needs no network


@pytest.mark.parametrize("name", licences.SETS)
def test_the_inventory_has_every_locked_package(name):
    listed = {line.split(" | ")[0].removeprefix("| ") for line in licences.PAGE.read_text().splitlines()}
    assert set(licences.locked(name)) - listed == set()
    assert set(licences.vendored()) - listed == set()


def test_no_licence_of_a_package_is_unknown():
    assert [
        package for name in licences.SETS for package in licences.locked(name) if not licences.licence_of(package)
    ] == []
    with pytest.raises(LookupError, match="is not installed"):
        licences.licence_of("no-such-package")
