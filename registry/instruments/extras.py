"""What a registry may switch on beside its core: an extra instrument, or a score of extra and core answers."""

from collections.abc import Collection
from dataclasses import dataclass

from . import catalogue
from .base import Instrument, Label


@dataclass(frozen=True)
class Switch:
    """One thing to switch on. `forms` are the forms that ask for more then: baseline, follow_up, assessment."""

    code: str
    title: Label
    forms: tuple[str, ...]
    items: frozenset[str]
    source: str
    licence: str


def _of(instrument, form):
    names = frozenset(item.name for item in instrument.items)
    return Switch(instrument.code, instrument.title, (form,), names, instrument.citation, instrument.licence)


SWITCHES = {
    one.code: _of(one, form) for form in ("assessment", "baseline", "follow_up") for one in catalogue.EXTRAS[form]
}


def shown(form: str, on: Collection[str]) -> tuple[Instrument, ...]:
    """The extra instruments that a form asks while the switches `on` are on."""
    return tuple(one for one in catalogue.EXTRAS.get(form, ()) if one.code in on)
