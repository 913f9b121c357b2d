"""Extra instruments: which are switched on, what a form asks for because of it, and what stays when one is off."""

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Q

from registry.instruments import catalogue, extras
from registry.instruments.base import Instrument, InvalidValue, Item, Label
from registry.models import Assessment, InstrumentSwitch, Patient, State
from registry.services import standing
from registry.services.current_protocol import at
from registry.services.records.cleaning import InvalidAnswers
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current, everything

CORE = {"assessment": catalogue.ASSESSMENT}
SWITCHED_OFF = Label("is switched off in this registry", "本レジストリでは使用していません")


def switched_on(*, now: bool = False) -> frozenset[Any]:
    """Codes of the switches that are on. They take effect within a second; `now` asks the database."""
    known = standing.read() if now else standing.current()
    return known.switches.intersection(extras.SWITCHES)


@transaction.atomic
def switch(*, access: Access, code: str, on: Any) -> bool:
    """Switch an extra (a code of `extras.SWITCHES`) on or off; whether that changed anything.

    Off hides it for new entry and keeps what is stored. Raises PermissionDenied, KeyError.
    """
    if access is not None:
        access.require(Can.ADMINISTER)
    if code not in extras.SWITCHES:
        raise KeyError(code)
    row = InstrumentSwitch.objects.select_for_update().filter(pk=code).first()
    if (row.on if row else False) == on:
        return False
    InstrumentSwitch(code=code, on=on).save()
    standing.forget()
    return True


def shown(form: Any, visit: str = "") -> Any:
    """The extra instruments that a form asks now, at `visit` where one is given."""
    return extras.shown(form, switched_on(), visit)


def core(form: Any, visit: str = "") -> Any:
    """The core instruments that a form asks now, at `visit` where one is given."""
    return catalogue.current().core(CORE[form], visit)


def core_of(instruments: Any, visit: str = "") -> Any:
    """Those of some core instruments that are asked now."""
    return catalogue.current().core(instruments, visit)


def core_items(
    instruments: Any, row: Any, raw: Any, missing: Any, *, visit: str = "", asked_by: Any = None
) -> tuple[Item, ...]:
    """The items of a form's core, as the protocol asks them, to be cleaned.

    asked_by  the version of the protocol by which the form was completed; None for one that becomes complete now
    Raises InvalidAnswers where an item that is not asked would change.
    """
    protocol = catalogue.current() if asked_by is None else at(asked_by)
    items = catalogue.items(protocol.core(instruments, visit))
    names = {item.name for item in items}
    others = [item for item in catalogue.items(instruments) if item.name not in names]
    if others:
        _refuse(others, row, raw, missing)
    return items


def asked() -> Any:
    """Every instrument that some form asks now: the core and the extras that are on, in the order of the catalogue."""
    on = switched_on()
    current = catalogue.current()
    extra = {instrument.code: instrument for form in current.extras for instrument in extras.shown(form, on)}
    optional = {instrument.code for form in current.extras.values() for instrument in form} | current.off
    return [
        extra.get(instrument.code, instrument)
        for instrument in current.instruments
        if instrument.code in extra or instrument.code not in optional
    ]


def asked_among(instruments: Any) -> tuple:
    """Those of some extra instruments that a form asks now, with the items that it asks."""
    codes = {instrument.code for instrument in instruments}
    return tuple(instrument for instrument in asked() if instrument.code in codes) if codes else ()


def stored(form: Any, row: Any, instruments: Any) -> list:
    """Extras that are not among `instruments`, with the items that `row` answers: [(Instrument, [Item])]."""
    asked = {item.name for item in catalogue.items(instruments)}
    stored = []
    for instrument in catalogue.current().extras.get(form, ()):
        answered = [item for item in instrument.items if item.name not in asked and is_answered(row, item.name)]
        if answered:
            stored.append((instrument, answered))
    return stored


def is_answered(row: Any, name: str) -> bool:
    return row is not None and (getattr(row, name) is not None or name in row.missing)


def to_clean(
    form: Any, row: Any, raw: Any, missing: Any, *, completing: Any, visit: str = "", asked_by: Any = None
) -> tuple[tuple[Item, ...], dict[str, Any], dict[str, Any]]:
    """(items, raw, missing) of a form's extras, to be cleaned together with those of its core.

    row         the stored record, or None; what the request does not speak of stays as it is there
    completing  whether the form becomes complete now. Of one that was complete before an extra was switched on, the
                extra asks nothing until somebody answers a part of it.
    asked_by    the version of the protocol by which the form was completed; None for one that becomes complete now
    Raises InvalidAnswers where an extra that is off would change.
    """
    on = shown(form, visit)
    names = {item.name for item in catalogue.items(on)}
    refuse_off(form, row, raw, missing, names)
    items: list[Item] = []
    for instrument in on:
        own = instrument.items if asked_by is None else _as_asked_by(asked_by, form, instrument, visit)
        begun = any(_is_sent(item.name, raw, missing) or is_answered(row, item.name) for item in own)
        items += own if completing or begun else [replace(item, required=False) for item in own]
    spoken = {name for name in names if name in raw or name in missing}
    stored = {name: getattr(row, name) for name in names - spoken} if row is not None else {}
    reasons = {name: row.missing[name] for name in names - spoken if name in row.missing} if row is not None else {}
    return (
        tuple(items),
        stored | {name: raw[name] for name in spoken if name in raw},
        reasons | {name: missing[name] for name in spoken if name in missing},
    )


def _as_asked_by(version: Any, form: Any, instrument: Instrument, visit: Any) -> Any:
    """The items of an instrument; an own one requires what the version of the protocol that asked it required."""
    if not instrument.own:
        return instrument.items
    protocol = at(version)
    before = next(
        (
            instrument_before
            for instrument_before in protocol.own.get(form, ())
            if instrument_before.code == instrument.code
        ),
        None,
    )
    asked = before and protocol.asks(before.code, visit)
    required = {item.name for item in protocol.as_asked(before, visit).items if item.required} if asked else set()
    return tuple(replace(item, required=item.required and item.name in required) for item in instrument.items)


def _is_sent(name: str, raw: Any, missing: Any) -> bool:
    return raw.get(name) not in (None, "", (), []) or bool(missing.get(name))


def refuse_off(form: Any, row: Any, raw: Any, missing: Any, names: Any) -> None:
    """Refuse answers to extras of this form that are off, but not what says the same as is stored."""
    off = [item for item in catalogue.items(catalogue.current().extras.get(form, ())) if item.name not in names]
    _refuse(off, row, raw, missing)


def _refuse(items: Any, row: Any, raw: Any, missing: Any) -> None:
    errors = {}
    for item in items:
        if not _is_sent(item.name, raw, missing):
            continue
        try:
            value = item.clean(raw.get(item.name))
        except InvalidValue as error:
            errors[item.name] = [error.reason]
            continue
        stored = (getattr(row, item.name), row.missing.get(item.name)) if row is not None else (None, None)
        if (value, missing.get(item.name) or None) != stored:
            errors[item.name] = [SWITCHED_OFF]
    if errors:
        raise InvalidAnswers(errors)


def is_completing(state: Any) -> Any:
    """Whether a form in this state becomes complete when it is stored as complete; follow-up (None) always does."""
    return state is None or state == State.DRAFT


def count_stored(code: str) -> int:
    """How many records answer an item of this switch, at all sites: only the number leaves this function."""
    items = extras.SWITCHES[code].items
    count = 0
    with everything(user_id=current().user_id, in_error=True), transaction.atomic():
        for model in (Patient, Assessment):
            own = sorted(items & {field.name for field in model._meta.concrete_fields})
            if own:
                answered = reduce(or_, (Q(**{f"{name}__isnull": False}) for name in own))
                count += model.objects.filter(answered).order_by().count()
    return count
