"""Forms of a page as a browser without scripts would send them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit


@dataclass
class Form:
    """`url` without its query; `fields` are names to texts, or to lists where a name stands for several values."""

    url: str
    method: str
    fields: dict = field(default_factory=dict)

    def put(self, name, value):
        if name in self.fields:
            before = self.fields[name]
            self.fields[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            self.fields[name] = value


class _Reader(HTMLParser):
    def __init__(self, url):
        super().__init__()
        self.url, self.forms, self.loose = url, {}, []
        self.here = self.select = self.text = None

    def handle_starttag(self, tag, attributes):
        got = dict(attributes)
        read = getattr(self, f"_{tag}", None)
        if read:
            read(got)

    def _form(self, got):
        action = urlsplit(urljoin(self.url, got.get("action") or self.url)).path
        self.here = Form(action, (got.get("method") or "get").lower())
        self.forms[got.get("id") or len(self.forms)] = self.here

    def _put(self, got, value):
        if got.get("name") and "disabled" not in got:
            self.loose.append((got.get("form") or self.here, got["name"], value))

    def _input(self, got):
        kind = got.get("type", "text")
        if kind in ("submit", "button", "image", "reset", "file"):
            return
        if kind in ("checkbox", "radio"):
            if "checked" in got:
                self._put(got, got.get("value", "on"))
        else:
            self._put(got, got.get("value") or "")

    def _select(self, got):
        self.select = (got, [])

    def _option(self, got):
        if self.select:
            self.select[1].append((got.get("value", ""), "selected" in got))

    def _textarea(self, got):
        self.text = (got, [])

    def handle_data(self, data):
        if self.text:
            self.text[1].append(data)

    def handle_endtag(self, tag):
        if tag == "form":
            self.here = None
        elif tag == "textarea" and self.text:
            got, parts = self.text
            self._put(got, "".join(parts).removeprefix("\n"))
            self.text = None
        elif tag == "select" and self.select:
            got, options = self.select
            chosen = [value for value, selected in options if selected]
            if not chosen and options and "multiple" not in got:
                chosen = [options[0][0]]
            for value in chosen:
                self._put(got, value)
            self.select = None


def forms(page, url):
    """Every `Form` of the page that was at `url`."""
    reader = _Reader(url)
    reader.feed(page)
    for owner, name, value in reader.loose:
        form = reader.forms.get(owner) if isinstance(owner, str) else owner
        if form:
            form.put(name, value)
    return list(reader.forms.values())
