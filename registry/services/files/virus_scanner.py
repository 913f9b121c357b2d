r"""Virus scanner of uploads: a clamd that METASPINE_CLAMD names is asked about each file before anything is kept.

Its protocol is INSTREAM: `zINSTREAM\\0`, then each piece with its length as four bytes, then four zero bytes; the
answer is `stream: OK` or `stream: NAME FOUND`. Source: clamd(8). Without the setting no file is scanned; with it a file
that could not be scanned is refused.
"""

import logging
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from registry.instruments.base import Explained, Label

log = logging.getLogger(__name__)

SECONDS = 60
PIECE = 1 << 20
ANSWER = 4096

INFECTED = Label(
    "“{name}” was refused: the virus scanner found {v} in it.",
    "「{name}」は拒否されました：ウイルス検査で{v}を検出しました。",
)
NOT_SCANNED = Label(
    "“{name}” was refused: it could not be scanned for viruses. Try again later, or tell the operator.",
    "「{name}」は拒否されました：ウイルス検査ができませんでした。時間をおいて再度お試しいただくか、管理者にご連絡ください。",
)


class Refused(Explained):
    """A file may not come in; `reason` is a Label for whoever sent it."""


def scan(uploads: Any) -> None:
    """Ask about Django's uploaded files. Raises Refused about the first that may not come in."""
    if not settings.CLAMD:
        return
    for upload in uploads:
        name = upload.name
        try:
            answer = _asked(upload)
        except (OSError, ValueError) as fault:
            log.error("the virus scanner did not answer: %s", fault)
            raise Refused(NOT_SCANNED.format(name=name[:120])) from fault
        verdict = answer.removeprefix("stream: ")
        if verdict.endswith(" FOUND"):
            log.warning("the virus scanner found %s in an upload", verdict.removesuffix(" FOUND")[:120])
            raise Refused(INFECTED.format(name=name[:120], v=verdict.removesuffix(" FOUND")[:120]))
        if verdict != "OK":
            log.error("the virus scanner answered %s", answer[:200])
            raise Refused(NOT_SCANNED.format(name=name[:120]))


def _asked(upload: Any) -> str:
    """clamd's answer about one file."""
    with _connected(settings.CLAMD) as scanner:
        scanner.sendall(b"zINSTREAM\0")
        upload.seek(0)
        for piece in upload.chunks(PIECE):
            scanner.sendall(struct.pack("!I", len(piece)) + piece)
        upload.seek(0)
        scanner.sendall(struct.pack("!I", 0))
        answer = b""
        while not answer.endswith(b"\0") and len(answer) < ANSWER and (more := scanner.recv(ANSWER)):
            answer += more
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def _connected(address: Any) -> Any:
    """A socket to `tcp://host:port` or `unix:///path`; ValueError for another address."""
    parts = urlsplit(address)
    if parts.scheme == "unix" and parts.path:
        scanner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        scanner.settimeout(SECONDS)
        scanner.connect(parts.path)
        return scanner
    if parts.scheme == "tcp" and parts.hostname:
        return socket.create_connection((parts.hostname, parts.port or 3310), timeout=SECONDS)
    raise ValueError("METASPINE_CLAMD is tcp://host:port or unix:///path")
