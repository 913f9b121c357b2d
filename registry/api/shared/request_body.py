"""What a body sends: answers to items, reasons for missing ones, and why it is corrected; every fault at once."""

from dataclasses import dataclass, field
from urllib.parse import unquote

from django.db import IntegrityError
from django.http.request import HttpHeaders
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from registry.api.shared.item_fields import MISSING_SCHEMA, Declared, item_schema, whole
from registry.api.shared.problems import Problem, refused
from registry.instruments.base import MISSING_REASONS, InvalidValue
from registry.services.records.cleaning import InvalidAnswers, clean
from registry.services.records.storing import Conflict, ReasonRequired

REASON = whole("reason", "Why it is corrected: needed once a form is complete", ja="訂正の理由", max_length=500)
REASON_HEADER = "Change-Reason"
REASON_SENT = HttpHeaders.to_wsgi_name(REASON_HEADER)
UNIQUE_VIOLATION = "23505"
COMPLETE_SCHEMA = {
    "type": "boolean",
    "default": False,
    "description": "Whether the form is complete: then every item needs a value or a reason for having none.",
}


@dataclass
class Sent:
    """A body, taken apart. `errors` is what is wrong with its shape: name to reasons."""

    raw: dict
    missing: dict
    complete: bool
    reason: str
    more: dict
    errors: dict = field(default_factory=dict)


def read(request, items, *, body=None, more=(), forms=True):
    """The `Sent` of a request that sends answers to `items`.

    body   the body where something was taken out of it already
    more   further Items that the body may hold, cleaned here, at `Sent.more`
    forms  whether it may hold `missing` and `complete`
    """
    data, errors = dict(request.data if body is None else body), {}
    names = {item.name for item in items}
    missing, complete = (data.pop("missing", {}), data.pop("complete", False)) if forms else ({}, False)
    errors |= _faults_of_missing(missing, names)
    if not isinstance(complete, bool):
        errors["complete"] = [_("must be true or false")]
    further = {}
    for item in (*more, REASON):
        further[item.name] = _cleaned(item, data.pop(item.name, None), errors)
    reason = further.pop("reason") or _cleaned(REASON, unquote(request.META.get(REASON_SENT, "")), errors)
    for name in data.keys() - names:
        errors[name[:80]] = [_("is not a field of this request")]
    raw = {name: value for name, value in data.items() if name in names}
    return Sent(raw, missing if "missing" not in errors else {}, complete is True, reason or "", further, errors)


def _cleaned(item, value, errors):
    try:
        return item.clean(value)
    except InvalidValue as error:
        errors[item.name] = [error.reason]
        return None


def _faults_of_missing(missing, names):
    if not isinstance(missing, dict):
        return {"missing": [_("must be an object: name of the field to the reason")]}
    for name, reason in missing.items():
        if name not in names:
            return {"missing": [_("“%(name)s” is not a field of this request") % {"name": name[:80]}]}
        if reason is not None and reason not in MISSING_REASONS:
            return {"missing": [_("a reason must be one of %(codes)s") % {"codes": ", ".join(MISSING_REASONS)}]}
    return {}


def merged(sent, values, missing):
    """`sent` as a change of stored `values` and reasons: what it does not name stays, and a value ends a reason."""
    reasons = {name: reason for name, reason in missing.items() if sent.raw.get(name) is None}
    sent.raw = {
        **{name: value for name, value in values.items() if not sent.missing.get(name)},
        **sent.raw,
    }
    sent.missing = {name: reason for name, reason in (reasons | sent.missing).items() if reason}
    return sent


def store(sent, save):
    """What `save(raw=…, missing=…, complete=…, reason=…, today=…)` stores; Problem 422 naming every field at fault.

    Conflict and Locked pass. Nothing is stored where anything is wrong, because the request's transaction goes.
    """
    errors, stored = dict(sent.errors), None
    try:
        stored = save(raw=sent.raw, missing=sent.missing, complete=sent.complete, reason=sent.reason, today=localdate())
    except InvalidAnswers as error:
        errors = error.errors | errors
    except ReasonRequired:
        errors["reason"] = [_("is needed: this form is complete, so say why it is corrected")]
    except Conflict:
        if not errors:
            raise
    except IntegrityError as error:
        if getattr(error.__cause__, "sqlstate", "") != UNIQUE_VIOLATION:
            raise
        raise Problem(409, _("Somebody else stored the same in this moment. Read it again.")) from error
    if errors:
        raise refused(errors)
    return stored


def sent_fields(items, *, more=(), forms=True, reason=True):
    """Fields of the schema of such a body."""
    fields = {item.name: Declared(item_schema(item)) for item in (*items, *more)}
    if forms:
        fields |= {"missing": Declared(MISSING_SCHEMA), "complete": Declared(COMPLETE_SCHEMA)}
    if reason:
        fields["reason"] = Declared(item_schema(REASON))
    return fields


def all_faults(sent, items):
    """The Problem of a body that names no record to store it in: the faults of its answers are told as well."""
    errors = dict(sent.errors)
    try:
        clean(items, sent.raw, sent.missing, complete=sent.complete, today=localdate())
    except InvalidAnswers as error:
        errors = error.errors | errors
    return refused(errors)
