"""Every address of the product, found in the resolver, and a small world to ask for them in."""

import io
import re
import zipfile
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.urls import URLPattern, get_resolver, reverse


@dataclass(frozen=True)
class Address:
    """One pattern of the resolver: its name with namespaces (its route where it has none) and its arguments' names."""

    name: str
    arguments: tuple[str, ...]
    route: str

    def url(self, values):
        if "regex" in self.arguments or self.name == self.route:
            return "/" + re.sub(r"\(\?P<url>.*", "nowhere/", self.route.lstrip("^/"))
        return reverse(self.name, kwargs={one: values[one] for one in self.arguments})


def addresses(resolver=None, namespaces=(), route=""):
    """Every `Address` of the project; none is left out, whatever it is called."""
    resolver = resolver or get_resolver()
    found = []
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            names = tuple(pattern.pattern.converters) or tuple(pattern.pattern.regex.groupindex)
            name = ":".join((*namespaces, pattern.name)) if pattern.name else here
            found.append(Address(name, names, here))
        else:
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            found += addresses(pattern, inner, here)
    return found


@dataclass
class World:
    """Who asks (name to User; None is somebody not signed in), and what they ask for.

    values   "own", "other" and "ghost" (there is none of it) to the arguments of addresses, by name
    secrets  site to texts that only its own people may read: direct identifiers
    records  site to texts that only those who read its patients may see
    """

    people: dict
    values: dict = field(default_factory=dict)
    secrets: dict = field(default_factory=dict)
    records: dict = field(default_factory=dict)


def body_of(response):
    """Everything that was sent, archives unpacked."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"\n".join(archive.read(name) for name in archive.namelist())
    return content.decode("utf-8", "replace")


def stored():
    """Rows of every table that keeps something of people or patients: name to count. Call it in the system's scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND (relname LIKE 'registry\\_%' OR relname LIKE 'study\\_sites\\_%') ORDER BY relname"
        )
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT '{one}', count(*) FROM {one}" for one in tables))
        return dict(cursor.fetchall())


class Undone(Exception):
    pass


def ask(client, user, method, url, data=None):
    """(status, body, headers) of one request, of which nothing stays in the database."""
    result = None
    try:
        with transaction.atomic():
            if user is not None and client.session.get("_auth_user_id") != str(user.pk):
                client.force_login(user)
            response = getattr(client, method)(url, data or {})
            result = response.status_code, body_of(response), response.headers
            raise Undone
    except Undone:
        return result
