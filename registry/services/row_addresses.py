"""Addresses of rows, as `reverse` makes them, for what asks for the same ones again and again: saves and lists."""

from functools import cache
from typing import Any
from urllib.parse import quote

from django.urls import get_script_prefix, reverse
from django.utils.http import RFC3986_SUBDELIMS

LEFT_AS_IS = RFC3986_SUBDELIMS + "/~:@"  # by `reverse`, of a key
KEY = 9_070_605_040  # of no record: text and number alike


def address_of(name: str, *keys: Any) -> str:
    """As `reverse`, for the addresses of rows: where the keys stand in one is looked up once."""
    parts = _around_keys(name, len(keys), get_script_prefix())
    return "".join([parts[0], *(_quoted(key) + part for key, part in zip(keys, parts[1:], strict=True))])


def _quoted(key: Any) -> str:
    return quote(str(key), LEFT_AS_IS)


@cache
def _around_keys(name: str, keys: int, _prefix: str) -> list[str]:
    """The parts of an address before, between and after its keys, below a prefix."""
    return reverse(name, args=[KEY] * keys).split(str(KEY))
