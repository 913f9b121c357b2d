"""Every instrument of the registry, by the record that it belongs to. A new instrument is a file and a line here.

The order of the instruments is the order of the columns in the registry's files. Extras, which a registry switches on,
stand apart: the contract's files have the core columns and no others, whatever is switched on. An import takes extras
as further columns.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from registry.instruments.base import Derived, Instrument, Item
from registry.instruments.core.adverse_events import ADVERSE_EVENT
from registry.instruments.core.barthel import BARTHEL
from registry.instruments.core.consent import CONSENT, WITHDRAWAL
from registry.instruments.core.ecog import ECOG_PS
from registry.instruments.core.eq5d5l import EQ5D5L, EQ_VAS
from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.instruments.core.frankel import FRANKEL
from registry.instruments.core.pain import PAIN_VAS
from registry.instruments.core.patient import DISEASE, ENROLMENT, FOLLOW_UP, SURGERY
from registry.instruments.core.screening import SCREENING
from registry.instruments.core.sins import SINS
from registry.instruments.core.tokuhashi import TOKUHASHI
from registry.instruments.extra.ais import AIS
from registry.instruments.extra.charlson import CHARLSON
from registry.instruments.extra.cobb import COBB
from registry.instruments.extra.escc import ESCC
from registry.instruments.extra.kps import KPS
from registry.instruments.extra.local_recurrence import LOCAL_RECURRENCE
from registry.instruments.extra.prognosis import PROGNOSIS
from registry.instruments.extra.radiotherapy import RADIOTHERAPY
from registry.instruments.extra.respondent import RESPONDENT
from registry.instruments.extra.sosg_oq import SOSG_OQ
from registry.instruments.keys import ADVERSE_EVENT_KEYS, ASSESSMENT_KEYS, FOLLOW_UP_END_KEYS, PATIENT_KEYS
from registry.instruments.patient_forms import PATIENT_FORMS

PATIENT = (ENROLMENT, DISEASE, SURGERY, TOKUHASHI, SINS, FOLLOW_UP)
ASSESSMENT = (FRANKEL, ECOG_PS, PAIN_VAS, BARTHEL, EQ5D5L, EQ_VAS)
ADVERSE_EVENTS = (ADVERSE_EVENT,)

# Extras by the form that asks them.
EXTRAS = {
    "baseline": (CHARLSON, PROGNOSIS),
    "follow_up": (LOCAL_RECURRENCE, RADIOTHERAPY),
    "assessment": (RESPONDENT, KPS, AIS, ESCC, COBB, SOSG_OQ),
}
PATIENT_EXTRAS = tuple(instrument for form in PATIENT_FORMS for instrument in EXTRAS.get(form, ()))
ASSESSMENT_EXTRAS = EXTRAS["assessment"]

EXTRA_NAMES = frozenset(name for extra in PATIENT_EXTRAS + ASSESSMENT_EXTRAS for name in extra.part_names)

# Not of the contract and on no form of the protocol: it has a table, a form and a file of its own.
FOLLOW_UP_ENDS = (FOLLOW_UP_END,)
# What pages and the trail know the words of, beside the forms.
BESIDE_FORMS = (*FOLLOW_UP_ENDS, SCREENING, CONSENT, WITHDRAWAL)

OF_PATIENT = PATIENT + PATIENT_EXTRAS
OF_ASSESSMENT = ASSESSMENT + ASSESSMENT_EXTRAS
INSTRUMENTS = (*OF_PATIENT, *OF_ASSESSMENT, *ADVERSE_EVENTS)


def items(instruments: tuple[Instrument, ...]) -> tuple[Item, ...]:
    """The items of some instruments, in order."""
    return tuple(item for instrument in instruments for item in instrument.items)


PATIENT_ITEMS = PATIENT_KEYS + items(PATIENT)
ASSESSMENT_ITEMS = ASSESSMENT_KEYS + items(ASSESSMENT)
ADVERSE_EVENT_ITEMS = ADVERSE_EVENT_KEYS + items(ADVERSE_EVENTS)
FOLLOW_UP_END_ITEMS = FOLLOW_UP_END_KEYS + items(FOLLOW_UP_ENDS)

PATIENT_COLUMNS = tuple(item.name for item in PATIENT_ITEMS)
ASSESSMENT_COLUMNS = tuple(item.name for item in ASSESSMENT_ITEMS)
ADVERSE_EVENT_COLUMNS = tuple(item.name for item in ADVERSE_EVENT_ITEMS)

# Keys and every item that there is, extras included.
ALL_ITEMS = (
    *PATIENT_ITEMS,
    *ASSESSMENT_ITEMS,
    *ADVERSE_EVENT_ITEMS,
    *items(PATIENT_EXTRAS),
    *items(ASSESSMENT_EXTRAS),
)


REQUIRED, OPTIONAL, NOT_ASKED = ASKED = ("asked", "optional", "not_asked")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every instrument of a registry in one state of its protocol: the product's, and the study's own. Immutable.

    version     of the protocol; 0 for the product's instruments alone
    own         the study's own instruments by the form that asks them, retired ones included
    retired     codes of own instruments that no form asks any more: their answers stay
    conditions  item name to the typed trees of its show-if and required-if (registry.protocol.expressions)
    off         codes of core instruments that the protocol does not ask
    matrix      code of an instrument to visit to how it asks it there, where it is not simply asked: see ASKED
    """

    version: int = 0
    own: Mapping[str, tuple[Instrument, ...]] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    conditions: Mapping[str, Mapping[str, tuple]] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    matrix: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def extras(self) -> dict[str, tuple[Instrument, ...]]:
        """What a form may ask beside the core: the product's extras, then the study's own."""
        return {
            form: EXTRAS.get(form, ()) + self.own.get(form, ()) for form in (*PATIENT_FORMS, "assessment", "repeat")
        }

    @cached_property
    def own_instruments(self) -> tuple[Instrument, ...]:
        return tuple(instrument for some in self.own.values() for instrument in some)

    @cached_property
    def own_names(self) -> frozenset[str]:
        """Names of own items: columns that the protocol brought."""
        return frozenset(item.name for item in items(self.own_instruments))

    @cached_property
    def patient_extras(self) -> tuple[Instrument, ...]:
        return tuple(instrument for form in PATIENT_FORMS for instrument in self.extras[form])

    @cached_property
    def assessment_extras(self) -> tuple[Instrument, ...]:
        return self.extras["assessment"]

    @cached_property
    def repeats(self) -> tuple[Instrument, ...]:
        """Own instruments that are filled in as often as there is something to tell."""
        return self.own.get("repeat", ())

    @cached_property
    def extra_names(self) -> frozenset[str]:
        return frozenset(name for extra in self.patient_extras + self.assessment_extras for name in extra.part_names)

    @cached_property
    def of_patient(self) -> Any:
        return PATIENT + self.patient_extras

    @cached_property
    def of_assessment(self) -> Any:
        return ASSESSMENT + self.assessment_extras

    @cached_property
    def items_of_patient(self) -> tuple[Item, ...]:
        return items(self.of_patient)

    @cached_property
    def items_of_assessment(self) -> tuple[Item, ...]:
        return items(self.of_assessment)

    @cached_property
    def instruments(self) -> Any:
        return (*self.of_patient, *self.of_assessment, *ADVERSE_EVENTS, *self.repeats)

    @cached_property
    def all_items(self) -> Any:
        """Keys and every item that there is, extras and own ones included."""
        return (
            *PATIENT_ITEMS,
            *ASSESSMENT_ITEMS,
            *ADVERSE_EVENT_ITEMS,
            *items(self.patient_extras),
            *items(self.assessment_extras),
            *items(self.repeats),
        )

    @cached_property
    def _instruments(self) -> dict[str, Instrument]:
        return {instrument.code: instrument for instrument in self.instruments}

    @cached_property
    def _items(self) -> Any:
        return {item.name: item for item in self.all_items + items(BESIDE_FORMS)}

    @cached_property
    def _derived(self) -> dict[str, Derived]:
        return {derived.name: derived for instrument in self.instruments for derived in instrument.derived}

    @cached_property
    def _instrument_of(self) -> dict[str, Instrument]:
        return {part.name: instrument for instrument in self.instruments + BESIDE_FORMS for part in instrument.parts}

    def how(self, code: str, visit: str = "") -> str:
        """How the protocol asks the instrument (ASKED), at `visit` where one is given."""
        if code in self.off or code in self.retired:
            return NOT_ASKED
        return self.matrix.get(code, {}).get(visit, REQUIRED)

    def asks(self, code: str, visit: str = "") -> bool:
        return self.how(code, visit) != NOT_ASKED

    def as_asked(self, instrument: Instrument, visit: str = "") -> Instrument:
        """The instrument as a form of `visit` asks it: where it is optional, no item is required."""
        if self.how(instrument.code, visit) != OPTIONAL:
            return instrument
        return replace(instrument, items=tuple(replace(item, required=False) for item in instrument.items))

    def core(self, instruments: tuple[Instrument, ...], visit: str = "") -> tuple[Instrument, ...]:
        """Those of some core instruments that the protocol asks, as it asks them."""
        if not self.off and not self.matrix:
            return instruments
        return tuple(
            self.as_asked(instrument, visit) for instrument in instruments if self.asks(instrument.code, visit)
        )

    def derive(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value.compute(answers) for name, value in self._derived.items()}


BUILT_IN = Catalogue()
_read_current: Callable[[], Catalogue] = lambda: BUILT_IN  # noqa: E731 - replaced by `provide`


def provide(read: Callable[[], Catalogue]) -> None:
    """Have `current` ask `read`: this room knows no database."""
    global _read_current
    _read_current = read


def current() -> Catalogue:
    """The registry's instruments as its protocol has them now; cheap, and the same throughout a request."""
    return _held.get() or _read_current()


_held: ContextVar[Catalogue | None] = ContextVar("held_catalogue", default=None)


@contextmanager
def held() -> Iterator[None]:
    """`current` stays as it is now, whatever is published: for a computation, whose threads ask no database."""
    token = _held.set(current())
    try:
        yield
    finally:
        _held.reset(token)


def _looked_up(kinds: tuple[str, ...], name: str) -> Any:
    """What the product declares needs no look at the protocol: own names are never the same."""
    for kind in kinds:
        if name in getattr(BUILT_IN, kind):
            return getattr(BUILT_IN, kind)[name]
    if any(name in getattr(BUILT_IN, kind) for kind in ("_items", "_derived", "_instruments")):
        raise KeyError(name)
    protocol = current()
    for kind in kinds:
        if name in getattr(protocol, kind):
            return getattr(protocol, kind)[name]
    raise KeyError(name)


def instrument(code: str) -> Instrument:
    """The instrument with this code; KeyError if there is none."""
    return _looked_up(("_instruments",), code)


def item(name: str) -> Item:
    """The item in the column `name`, keys such as `patient_id` included; KeyError if there is none."""
    return _looked_up(("_items",), name)


def derived(name: str) -> Derived:
    """The derived value `name`; KeyError if there is none."""
    return _looked_up(("_derived",), name)


def part(name: str) -> Item | Derived:
    """The item or derived value `name`; KeyError if there is none."""
    return _looked_up(("_items", "_derived"), name)


def instrument_of(name: str) -> Instrument:
    """The instrument that the item or derived value `name` belongs to; KeyError if none."""
    return _looked_up(("_instrument_of",), name)


def derive(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Every value that the product derives of `answers` (item name to clean value); None for one whose items are not
    all there. What own instruments calculate is theirs (`Derived.compute`)."""
    return BUILT_IN.derive(answers)
