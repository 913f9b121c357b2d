"""Names say what a thing is: what a loop goes through is called by its noun, no value and nothing in a page `told`."""

import ast
import re
from pathlib import Path

from django.conf import settings

NO_NAMES = {"one", "found", "told", "kept", "once", "wire"}
WORD = rf"\b({'|'.join(NO_NAMES)})\b"
NEAR = re.compile(  # what may bind one: the rest of the files need no parsing
    rf"(?m)^[^#\"'\n]*{WORD} *(:|=[^=])|\bfor\b[^\n]*{WORD}[^\n]*\bin\b|\b(def|class|lambda|as|import)\b[^\n]*{WORD}"
    rf"|^ *{WORD},?$"
)
LOOP = re.compile(rf"{{% *for [^%]*?{WORD}[^%]*? in |{{% *(?:include|with|blocktranslate) [^%]*?{WORD}=")
KEY = re.compile(rf"[\"']{WORD}[\"'] *:")  # what a page is given
STAYS = {
    "registry/imports/files/excel/workbook.py: told",  # a key of imports that may be under way in an upgrade
    "tests/releases/0.1.0/fill.py: found",  # ran with that release's own code
    "tests/releases/0.1.0/fill.py: one",
}
FOLDERS = ("registry", "sites", "bench", "clients", "tests")


def bound(tree):
    """(line, name) of each variable, parameter, attribute, function and class that a module binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.alias):
            yield 0, node.asname or node.name


def test_nothing_is_called_by_what_happened_to_it():
    root = Path(settings.BASE_DIR)
    modules = [path for folder in FOLDERS for path in (root / folder).rglob("*.py")]
    texts = {path: path.read_text() for path in modules if path.parent.name != "migrations"}
    assert len(texts) > 100
    named = [
        f"{path.relative_to(root)}:{line}: {name}"
        for path, text in texts.items()
        if NEAR.search(text)
        for line, name in bound(ast.parse(text))
        if name in NO_NAMES and f"{path.relative_to(root)}: {name}" not in STAYS
    ]
    assert named == []


def test_nothing_that_a_template_goes_through_is_called_so_either():
    texts = {path: path.read_text() for path in (Path(settings.BASE_DIR) / "templates").rglob("*") if path.is_file()}
    assert len(texts) > 100
    assert [(path.name, loop[0]) for path, text in texts.items() for loop in LOOP.finditer(text)] == []


def test_nothing_that_a_page_is_given_is_called_so_either():
    pages = list((Path(settings.BASE_DIR) / "registry" / "web").rglob("*.py"))
    assert len(pages) > 100
    assert [(path.name, key[0]) for path in pages for key in KEY.finditer(path.read_text())] == []
