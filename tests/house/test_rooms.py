"""Rooms: a folder that holds more than a dozen modules is several subjects, and none of them is seen in it."""

from collections import Counter

from tests.working import ROOT

MOST = 12


def test_no_folder_holds_more_than_a_dozen_modules():
    folders = ("registry", "sites", "tests", "bench", "clients")
    modules = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    sizes = Counter(str(path.parent) for path in modules if path.name != "__init__.py")
    assert {"registry/web/entry", "sites", "bench/shared", "tests/guard"} <= sizes.keys()
    too_large = {folder: size for folder, size in sizes.items() if size > MOST and "migrations" not in folder}
    assert too_large == {}
