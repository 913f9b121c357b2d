"""Searches: parameters that are understood, days and moments with their prefix, pages. Everything else is refused."""

import re
from datetime import date, datetime, timedelta
from datetime import time as clock

from django.utils import timezone

from registry.fhir.mapping import capability
from registry.fhir.server.resource import Refused
from registry.instruments.base import Label

MOST = 200  # resources of a page
USUAL = 50
BAD_COUNT = Label("_count must be a whole number from 1 to 200.", "_countは1から200までの整数です。")
UNKNOWN_PARAMETER = Label(
    "{name} is not a parameter of this search; one of {known}.", "{name}は検索に使えません（{known}）。"
)
TWICE = Label(
    "{name} is given twice: separate values by commas.", "{name}が2回あります。値はコンマで区切ってください。"
)
EMPTY = Label("{name} needs a value.", "{name}に値を指定してください。")
BAD_MOMENT = Label(
    "_lastUpdated takes a day or a moment with its offset, after eq, gt, ge, lt or le: ge2026-11-01.",
    "_lastUpdatedはeq・gt・ge・lt・leの後に日付または時差つきの日時です（ge2026-11-01）。",
)
BAD_TOTAL = Label("_total is none, estimate or accurate.", "_totalはnone・estimate・accurateのいずれかです。")
BAD_INCLUDE = Label("_include takes {known}.", "_includeに使えるのは{known}です。")
OF_EVERY_SEARCH = ("_count", "_after", "_format", "_pretty", "_total")
REPEATED = ("_lastUpdated", "_include")  # all of them must hold, or are meant
INCLUDES = capability.INCLUDES


def check(request, resource):
    """Refused for a parameter that is not understood: to leave it out would answer with more than was asked for."""
    own = tuple(name for name, _ in capability.RESOURCES[resource][1])
    known = (*own, *OF_EVERY_SEARCH, *(("_include",) if resource in INCLUDES else ()))
    _leave_out(request, known)
    for name, values in request.GET.lists():
        if name not in known:
            names = {"name": name[:40], "known": ", ".join(known)}
            raise Refused(400, UNKNOWN_PARAMETER.format(**names), "not-supported")
        if len(values) > 1 and name not in REPEATED:
            raise Refused(400, TWICE.format(name=name), "not-supported")
        if "" in values:
            raise Refused(400, EMPTY.format(name=name), "value")
    if request.GET.get("_total", "none") not in ("none", "estimate", "accurate"):
        raise Refused(400, BAD_TOTAL, "value")
    for include in request.GET.getlist("_include"):
        if include not in INCLUDES.get(resource, ()):
            raise Refused(400, BAD_INCLUDE.format(known=", ".join(INCLUDES[resource])), "not-supported")


def _leave_out(request, known):
    """With `Prefer: handling=lenient` what is unknown is ignored, as the link `self` tells; a modifier never is."""
    preferred = re.split(r"[,;]\s*", request.headers.get("Prefer", "").lower())
    unknown = [name for name in request.GET if name not in known and ":" not in name]
    if "handling=lenient" not in preferred or not unknown:
        return
    asked = request.GET.copy()
    for name in unknown:
        del asked[name]
    request._request.GET, request._request.META["QUERY_STRING"] = asked, asked.urlencode()


def count_of(request):
    text = request.GET.get("_count", str(USUAL))
    if not re.fullmatch(r"\d{1,4}", text) or not 1 <= int(text) <= MOST:
        raise Refused(400, BAD_COUNT, "value")
    return int(text)


def wants_total(request):
    return request.GET.get("_total", "none") != "none"


def several(request, name):
    """The values of a parameter, of which one must hold; None where it is not given."""
    return request.GET[name].split(",") if name in request.GET else None


def updated(request):
    """{"gte": moment, "lt": moment} of `_lastUpdated`: lookups of the moment of the last change; empty without it."""
    bounds = {}
    for text in request.GET.getlist("_lastUpdated"):
        prefix, value = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
        first, after = _span(value)
        for side, moment in _BOUNDS.get(prefix, _none)(first, after).items():
            narrower = max if side == "gte" else min
            bounds[side] = narrower(bounds.get(side, moment), moment)
    return bounds


_BOUNDS = {
    "eq": lambda first, after: {"gte": first, "lt": after},
    "ge": lambda first, after: {"gte": first},
    "gt": lambda first, after: {"gte": after},
    "lt": lambda first, after: {"lt": first},
    "le": lambda first, after: {"lt": after},
}


def _none(first, after):
    raise Refused(400, BAD_MOMENT, "value")


def _span(text):
    """The first moment of a day or second, and the first behind it. A day is one of where the study is."""
    text = text.replace(" ", "+")  # a plus sign that an address lost
    try:
        if "T" not in text:
            day = date.fromisoformat(text)
            zone = timezone.get_default_timezone()
            return tuple(datetime.combine(day + timedelta(days=n), clock(), zone) for n in (0, 1))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None or not 1900 < moment.year < 9000:
        raise Refused(400, BAD_MOMENT, "value")
    return moment, moment + (timedelta(milliseconds=1) if moment.microsecond else timedelta(seconds=1))


def is_within(bounds, moment):
    """Whether a row that was changed at `moment` (or never) is within the bounds of `updated`."""
    if not bounds:
        return True
    if moment is None:
        return False
    return bounds.get("gte", moment) <= moment and ("lt" not in bounds or moment < bounds["lt"])
