"""JSON as the API takes it: an object of UTF-8 text without null bytes, and no name twice."""

import json

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from registry.instruments.spelling import NOT_STORED, TOO_DEEP, Unfit, read_json

# Deeper than anything that is sent here on purpose, shallower than what would exhaust the stack.
DEEPEST = 20
SAID = {
    TOO_DEEP: gettext_lazy("The body is nested too deeply."),
    NOT_STORED: gettext_lazy("The body has a text that cannot be stored: a null byte, or half a character."),
}


class JSONObject(BaseParser):
    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None):
        """The object in the body, empty for no body. ParseError says what is wrong."""
        try:
            text = stream.read().decode("utf-8")
            hooks = {"object_pairs_hook": _once, "parse_constant": _no_number}
            data = read_json(text, DEEPEST, **hooks) if text.strip() else {}
        except UnicodeDecodeError:
            raise ParseError(_("The body is not UTF-8.")) from None
        except Unfit as error:
            raise ParseError(str(SAID[error.reason])) from None
        except ValueError as error:
            raise ParseError(_("The body is not JSON: %(why)s.") % {"why": str(error)[:120]}) from None
        if not isinstance(data, dict):
            raise ParseError(_("The body must be a JSON object."))
        return data


def _once(pairs):
    names = [name for name, _value in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {json.dumps(twice[:40])} stands twice in one object")
    return dict(pairs)


def _no_number(text):
    raise ValueError(f"{text} is no number")
