"""Redaction of logs: secrets in addresses, tokens and passwords are taken out of whatever is logged, by whom ever.

Imports nothing of Django: gunicorn reads this before there are settings. A test walks the resolver and fails on an
address with a secret that is not here.
"""

import logging
import re
import traceback
from typing import Any

TAKEN_OUT = "[redacted]"
# The beginnings of addresses whose rest is a secret, or as good as one.
ADDRESSES = ("answers", "invitation", "password/new", "digest/stop")
# Names of what a query, a header or a setting may carry.
NAMES = ("code", "state", "token", "key", "password", "secret", "client_secret", "id_token", "access_token", "csrf")

_SLASH = r"(?:/|%2f)"  # also percent-encoded, as in `?next=`
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (
            rf"({_SLASH}(?:{'|'.join(address.replace('/', _SLASH) for address in ADDRESSES)}){_SLASH}+)[^\s\"'<>?#&]+",
            rf"\1{TAKEN_OUT}",
        ),
        (rf"([?&;](?:{'|'.join(NAMES)})=)[^\s\"'<>&#]+", rf"\1{TAKEN_OUT}"),
        (r"((?:authorization|bearer|cookie)['\"]?\s*[:= ]\s*['\"]?(?:bearer\s+)?)[\w.~+/=-]{8,}", rf"\1{TAKEN_OUT}"),
        (r"msp_[\w-]+", f"msp_{TAKEN_OUT}"),
        (r"(://[^\s:/@]*:)[^\s@]+(@)", rf"\1{TAKEN_OUT}\2"),  # a password in the address of a server
    )
)
# What a secret of ours looks like wherever it stands: 256 bits in URL-safe base64, 43 characters of both cases.
_SHAPE = re.compile(r"(?:(?<=%2[Ff])|(?<![\w-]))(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{43}(?![\w-])", re.ASCII)


def redacted(text: str) -> str:
    """`text` without the secrets that it may hold."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _SHAPE.sub(TAKEN_OUT, text)


class Record(logging.LogRecord):
    """A log record that no handler can read a secret from: message, texts among its arguments, traceback."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.args = _each(self.args)
        if self.exc_info and self.exc_info[0]:
            self.exc_text = redacted("".join(traceback.format_exception(*self.exc_info)).rstrip("\n"))

    def getMessage(self) -> str:
        return redacted(super().getMessage())


def _each(arguments: Any) -> Any:
    if isinstance(arguments, tuple):
        return tuple(redacted(argument) if isinstance(argument, str) else argument for argument in arguments)
    if type(arguments) is dict:
        return {
            name: redacted(argument) if isinstance(argument, str) else argument for name, argument in arguments.items()
        }
    return arguments


class Formatter(logging.Formatter):
    """Takes secrets out of the whole line, traceback included, for processes that have not set up Django yet."""

    def format(self, record: Any) -> str:
        return redacted(super().format(record))


def install() -> None:
    """Have every logger of this process make records of this kind."""
    logging.setLogRecordFactory(Record)
