"""A browser without scripts: beside what a test types it sends the note of what its page shows."""

import re

from django.test import Client

# Pages whose forms confirm what they show, by their addresses; and the page that has the form, where it is another.
CONFIRMING = re.compile(
    r"/(patients/[^/]+/(verify/[^/]+|signatures|unlock|erase)|queries/\d+|queries/many|patient-links/\d+|import/[0-9a-f-]{36})/"
)
FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
ACTION = re.compile(r'action="([^"?]*)')
SEEN = re.compile(r'name="seen" value="([^"]*)"')


def notes(page, url):
    """What the forms of a page at `url` carry as notes: the address that each is sent to → its note."""
    by_name = {}
    for attributes, body in FORM.findall(page):
        action, seen = ACTION.search(attributes), SEEN.search(body)
        if seen:
            by_name.setdefault((action and action[1]) or url, seen[1])
    return by_name


class Browser(Client):
    """Opens the page before it sends a form that confirms, unless the test says what had been `seen`."""

    def note_on(self, url):
        """The note of the form that is sent to `url`, from the page as it is now; "" where there is none."""
        path = url.partition("?")[0]
        page = super().get(url.replace("/unlock/", "/signatures/"))
        return notes(page.content.decode(), path).get(path, "") if page.status_code == 200 else ""

    def post(self, path, data=None, *args, **more):
        plain = data is None or (isinstance(data, dict) and not args)
        if plain and "seen" not in (data or {}) and CONFIRMING.fullmatch(path.partition("?")[0]):
            data = (data or {}) | {"seen": self.note_on(path)}
        return super().post(path, data, *args, **more)
