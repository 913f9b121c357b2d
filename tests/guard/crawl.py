"""Every address of the product, found in the resolver, and a small world to ask for them in."""

import copy
import io
import re
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from django.db import connection, transaction
from django.urls import URLPattern, get_resolver, reverse

from sites.logs import request_id
from sites.tenancy.scope import everything
from tests.guard import permissions


@dataclass(frozen=True)
class Address:
    """One pattern of the resolver: its name with namespaces (its route where it has none) and its arguments' names."""

    name: str
    arguments: tuple[str, ...]
    route: str

    @property
    def of_the_api(self):
        """Whether the address says itself what methods it understands; pages understand GET and POST alone."""
        return self.route.startswith("api/")

    def url(self, values):
        if "regex" in self.arguments or self.name == self.route:
            return "/" + re.sub(r"\(\?P<url>.*", "nowhere/", self.route.lstrip("^/"))
        return reverse(self.name, kwargs={argument: values[argument] for argument in self.arguments})


def addresses(resolver=None, namespaces=(), route=""):
    """Every `Address` of the project; none is left out, whatever it is called."""
    resolver = resolver or get_resolver()
    rows = []
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            names = tuple(pattern.pattern.converters) or tuple(pattern.pattern.regex.groupindex)
            name = ":".join((*namespaces, pattern.name)) if pattern.name else here
            rows.append(Address(name, names, here))
        else:
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            rows += addresses(pattern, inner, here)
    return rows


@dataclass
class World:
    """Who asks (name to User; None is somebody not signed in), and what they ask for.

    others   people of the other site, by role
    values   "own", "other" and "ghost" (there is none of it) to the arguments of addresses, by name
    secrets  "own" and "other" to direct identifiers, in every form that a page may show
    records  "own" and "other" to the numbers of the site's patients
    """

    people: dict
    others: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    secrets: dict = field(default_factory=dict)
    records: dict = field(default_factory=dict)

    def arguments(self, rule, place):
        values = self.values[place]
        return values | {name: values.get(argument, argument) for name, argument in rule.arguments.items()}

    def actor(self, role, place):
        """Who acts with a role at a place."""
        return self.others.get(role, self.people[role]) if place == "other" else self.people[role]

    def hidden_from(self, who):
        """Texts that no answer to this person may hold, whatever is asked."""
        hidden = [*self.secrets["other"]]
        if who not in permissions.ENTRY:
            hidden += self.secrets["own"]
        if who not in permissions.CENTRAL:
            hidden += self.records["other"]
        if who not in permissions.READERS:
            hidden += self.records["own"]
        return hidden


def body_of(response):
    """Everything that was sent, archives unpacked."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"\n".join(archive.read(name) for name in archive.namelist())
    return content.decode("utf-8", "replace")


@cache
def tables():
    """Every table that keeps something of people or patients."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND (relname LIKE 'registry\\_%' OR relname LIKE 'study\\_sites\\_%') ORDER BY relname"
        )
        return [name for (name,) in cursor.fetchall()]


def stored():
    """Rows of each of those tables: name to count. Call it in the system's scope."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables()))
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Answer:
    """`text` is the body and the headers without what differs every time; `stored` the rows that came or went."""

    status: int
    text: str
    stored: dict


NOTED_FOR = 10_000  # seconds, more than any walk takes


class Undone(Exception):
    pass


_CHANCE = re.compile(
    r"""name="(csrfmiddlewaretoken|submission)" value="[^"]*"|csrftoken=\S+|sessionid=\S+|expires=[^;]+"""
    r"""|'Content-Length': '\d+'|'RateLimit-\w+': '\d+'|data-left="\d+" """.strip()
)


# A statement that may write; after one that only reads, or keeps a session, the rows of every table need no count.
_MAY_WRITE = re.compile(r"\b(INSERT|UPDATE|DELETE|COPY|CREATE|TRUNCATE|audit_act|nextval)\b", re.IGNORECASE)


class _Writes:
    """Notices whether any statement of a request may have written something."""

    def __init__(self):
        self.seen = False

    def __call__(self, execute, sql, params, many, context):
        self.seen = self.seen or (bool(_MAY_WRITE.search(str(sql))) and "django_session" not in str(sql))
        return execute(sql, params, many, context)


@contextmanager
def undone():
    """Nothing of what is done within stays in the database."""
    try:
        with transaction.atomic():
            yield
            raise Undone
    except Undone:
        pass


class Asker:
    """Asks as one person; of no request does anything stay, neither in the database nor in the browser."""

    def __init__(self, client, user):
        self.client, self.before = client, None
        if user is not None:
            client.force_login(user)
            self._is_there()
        rebase([self])

    def _is_there(self):
        """Note once that they are there: as each request is undone, each would write it anew."""
        session = self.client.session
        session["seen_at"] = time.time() + NOTED_FOR
        session.save()

    def _came(self):
        """What came or went since `before`: name of the table to the number of rows."""
        with everything():
            after = stored()
        return {name: count - self.before[name] for name, count in after.items() if count != self.before[name]}

    def page(self, url, sent=None):
        """(Text, address) of a page, or of its answer to what is sent; what it remembers stays until all is undone."""
        response = self.client.get(url, follow=True) if sent is None else self.client.post(url, sent)
        return body_of(response), response.request["PATH_INFO"]

    def __call__(self, method, url, sent, **more):
        """The `Answer` to one request; `more` goes to the test client."""
        cookies, answer, writes = copy.deepcopy(self.client.cookies), None, _Writes()
        with undone():
            with connection.execute_wrapper(writes):
                response = getattr(self.client, method)(url, sent, **more)
                text = f"{response.headers} {response.cookies} {body_of(response)}"
                text = text.replace(response.headers.get(request_id.HEADER) or "\0", "")
            came = self._came() if writes.seen else {}
            answer = Answer(response.status_code, _CHANCE.sub("", text), came)
        self.client.cookies = cookies
        return answer


def rebase(askers):
    """What is stored now is what each of their requests is compared with."""
    with everything():
        before = stored()
    for asker in askers:
        asker.before = before
