"""mkdocs hook: pages of the site that lie beside docs/ in the project, and the links between them.

README.md is the front page. Whatever else of the project a document links to (a setting's example, a package's README)
comes along under the same path, so that the site is whole by itself.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.structure.files import File

PROJECT = Path(__file__).resolve().parents[2]
FRONT = "README.md"
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#:]+)(#[^)\s]*)?\)")


def place_of(path):
    """Where a file of the project, by its path there, lies on the site."""
    if path == FRONT:
        return "index.md"
    return path.removeprefix("docs/")


def relinked(text, source):
    """The Markdown of the project's file `source` with links as the site has them; also the files that it names."""
    named = []

    def moved(match):
        path = normpath(str(PurePosixPath(source).parent / match[2]))
        if not (PROJECT / path).is_file():
            return match[0]
        named.append(path)
        target = relpath(place_of(path), str(PurePosixPath(place_of(source)).parent))
        return f"{match[1]}{target}{match[3] or ''})"

    return LINK.sub(moved, text), named


def on_files(files, config):
    """Add what the documents name beyond docs/, and what that names in turn."""
    waiting = [FRONT, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.startswith("docs/"):
            files.append(_of_project(path, config))
        if path.endswith(".md"):
            waiting += relinked((PROJECT / path).read_text(), path)[1]
    return files


def _of_project(path, config):
    if path.endswith(".md"):
        return File.generated(config, place_of(path), content=relinked((PROJECT / path).read_text(), path)[0])
    return File.generated(config, place_of(path), abs_src_path=str(PROJECT / path))


def on_page_markdown(markdown, page, config, files):
    """A document of docs/ with links as the site has them."""
    return markdown if page.file.generated_by else relinked(markdown, f"docs/{page.file.src_uri}")[0]
