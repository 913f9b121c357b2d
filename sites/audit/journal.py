"""The journal of seals: what must outlive the database is kept in a file outside of it, to which is only ever added.

Who owns the database can remove seals and events together, or put back last week's; no look inside shows it. So each
seal's number and hash are written here, a line each, and compared whenever the trail is sealed or verified. Each line
carries an HMAC over itself and the line before, under the deployment's key: a changed, removed or inserted line shows.

One line is a JSON object with `kind`:
    seal      number, hash, events, first_at, last_at
    accepted  number, hash of the seal from which sealing went on after later ones were lost, with reason
    verified  number, hash of the seal up to which the trail held; whole: whether from the beginning on
    stamped   number, hash and an RFC 3161 time stamp of that hash (base64)
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

TAIL = 1 << 16  # bytes from the end in which the last lines are looked for first


@dataclass
class Contents:
    """A journal that was read as a whole.

    seals     number to line, of those that the database must have
    given_up  lines of seals that were lost and accepted as lost, with that act's line: [(acceptance, [seals])]
    verified  the last line of that kind that still counts, or None
    damage    what is wrong with the file, as clauses
    """

    seals: dict = field(default_factory=dict)
    given_up: list = field(default_factory=list)
    stamped: list = field(default_factory=list)
    verified: dict | None = None
    damage: list = field(default_factory=list)

    @property
    def last(self) -> Any:
        return self.seals[max(self.seals)] if self.seals else None


def path(using: str = DEFAULT_DB_ALIAS) -> Any:
    """The journal of a database. The name follows from the address that the application connects to."""
    return settings.SEAL_FOLDER / f"{connections[using].settings_dict['NAME']}.seals"


def _keys() -> list[bytes]:
    return [hmac.digest(urlsafe_b64decode(key), b"metaspine seal journal", "sha256") for key in settings.FIELD_KEYS]


def _mac(key: Any, before: Any, line: Any) -> str:
    return hmac.digest(key, before.encode() + json.dumps(line, sort_keys=True).encode(), hashlib.sha256).hex()


def _is_ours(before: Any, line: Any) -> bool:
    rest = {name: value for name, value in line.items() if name != "mac"}
    return any(hmac.compare_digest(_mac(key, before, rest), str(line.get("mac"))) for key in _keys())


@contextlib.contextmanager
def opened(using: str = DEFAULT_DB_ALIAS) -> Any:
    """The journal, to be added to, with nobody else adding meanwhile. OSError where it cannot be written."""
    where = path(using)
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(where, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Journal(file)


class Damaged(Exception):
    """The journal was changed by somebody else: what it says of the newest seal cannot be trusted."""


class Journal:
    def __init__(self, file: Any) -> None:
        self._file = file

    def append(self, kind: Any, **values: Any) -> None:
        """Add a line and wait until the disk has it."""
        line = {"kind": kind, "at": timezone.now().isoformat(timespec="seconds"), **values}
        line["mac"] = _mac(_keys()[0], self._end(), line)
        size = self._file.seek(0, os.SEEK_END)
        if size:
            self._file.seek(size - 1)
            torn = self._file.read(1) != b"\n"  # the power went while a line was written: begin a new one
        self._file.write((b"\n" if size and torn else b"") + json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _end(self) -> Any:
        """The HMAC of the last line, whatever it is worth: "" where there is none."""
        try:
            last = self._last(lambda line: True)
        except Damaged:
            return "damaged"
        return last["mac"] if last else ""

    def last_seal(self) -> dict | None:
        """The line of the newest seal that the database must have, or None."""
        return self._last(lambda line: line["kind"] in ("seal", "accepted"))

    def _last(self, wanted: Any) -> dict | None:
        """The last line that is `wanted`, looked for from the end. Damaged where it is not ours."""
        end = self._file.seek(0, os.SEEK_END)
        length = TAIL
        while True:
            start = max(0, end - length)
            self._file.seek(start)
            texts = self._file.read(end - start).split(b"\n")[1 if start else 0 :]
            lines = [line for line in map(_parsed, texts) if line is not None]
            for place in reversed(range(1 if start else 0, len(lines))):  # each needs the one before it
                if wanted(lines[place]):
                    if not _is_ours(lines[place - 1]["mac"] if place else "", lines[place]):
                        raise Damaged(f"{self._file.name}: a line was changed, or lines before it are gone.")
                    return lines[place]
            if not start:
                return None
            length *= 8


def _parsed(text: str) -> dict | None:
    with contextlib.suppress(ValueError):
        line = json.loads(text)
        if isinstance(line, dict) and {"kind", "mac"} <= line.keys():
            return line
    return None


def read(using: str = DEFAULT_DB_ALIAS) -> Contents:
    """The Contents of a database's journal; empty where there is none."""
    contents = Contents()
    before = ""
    try:
        file = path(using).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return contents
    except OSError as error:
        contents.damage.append(f"it cannot be read: {error.strerror}")
        return contents
    with file:
        for number, text in enumerate(file, 1):
            line = _parsed(text)
            if line is None:
                continue  # a torn line; one that was spoiled shows at the next, whose HMAC covers it
            if not _is_ours(before, line):
                contents.damage.append(f"line {number} was changed, or lines before it are gone")
            else:
                _take(contents, line)
            before = line["mac"]
    return contents


def _take(last: Any, line: Any) -> None:
    kind = line["kind"]
    if kind == "seal":
        last.seals[line["number"]] = line
    elif kind == "accepted":
        lost = [last.seals.pop(number) for number in sorted(last.seals) if number > line["number"]]
        last.given_up.append((line, lost))
        if line["number"]:
            last.seals.setdefault(line["number"], line)
        if last.verified and last.verified["number"] > line["number"]:
            last.verified = None
    elif kind == "verified":
        last.verified = line
    elif kind == "stamped":
        last.stamped.append(line)
