"""JSON as the API takes it: an object of UTF-8 text without null bytes, and no name twice."""

import json

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

# Deeper than anything that is sent here on purpose, shallower than what would exhaust the stack.
DEEPEST = 20


class JSONObject(BaseParser):
    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None):
        """The object in the body, empty for no body. ParseError says what is wrong."""
        try:
            text = stream.read().decode("utf-8")
            data = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number) if text.strip() else {}
        except UnicodeDecodeError:
            raise ParseError(_("The body is not UTF-8.")) from None
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not JSON: %(why)s.") % {"why": str(error)[:120]}) from None
        if not isinstance(data, dict):
            raise ParseError(_("The body must be a JSON object."))
        _check(data, 0)
        return data


def _once(pairs):
    names = [name for name, _value in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {json.dumps(twice[:40])} stands twice in one object")
    return dict(pairs)


def _no_number(text):
    raise ValueError(f"{text} is no number")


def _check(data, depth):
    if depth > DEEPEST:
        raise ParseError(_("The body is nested too deeply."))
    if isinstance(data, str):
        if "\x00" in data or any("\ud800" <= character <= "\udfff" for character in data):
            raise ParseError(_("The body has a text that cannot be stored: a null byte, or half a character."))
    elif isinstance(data, dict):
        for name, value in data.items():
            _check(name, depth)
            _check(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            _check(value, depth + 1)
