"""Every instrument of the registry, by the record that it belongs to. A new instrument is a file and a line here.

The order of the instruments is the order of the columns in the registry's files. Extras, which a registry switches on,
stand apart: the contract's files have the core columns and no others, whatever is switched on. An import takes extras
as further columns.
"""

from collections.abc import Mapping
from typing import Any

from registry.instruments.base import Derived, Instrument, Item
from registry.instruments.core.adverse_events import ADVERSE_EVENT
from registry.instruments.core.barthel import BARTHEL
from registry.instruments.core.ecog import ECOG_PS
from registry.instruments.core.eq5d5l import EQ5D5L, EQ_VAS
from registry.instruments.core.follow_up_end import FOLLOW_UP_END
from registry.instruments.core.frankel import FRANKEL
from registry.instruments.core.pain import PAIN_VAS
from registry.instruments.core.patient import DISEASE, ENROLMENT, FOLLOW_UP, SURGERY
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

PATIENT = (ENROLMENT, DISEASE, SURGERY, TOKUHASHI, SINS, FOLLOW_UP)
ASSESSMENT = (FRANKEL, ECOG_PS, PAIN_VAS, BARTHEL, EQ5D5L, EQ_VAS)
ADVERSE_EVENTS = (ADVERSE_EVENT,)

# Extras by the form that asks them.
EXTRAS = {
    "baseline": (CHARLSON, PROGNOSIS),
    "follow_up": (LOCAL_RECURRENCE, RADIOTHERAPY),
    "assessment": (RESPONDENT, KPS, AIS, ESCC, COBB, SOSG_OQ),
}
PATIENT_EXTRAS = EXTRAS["baseline"] + EXTRAS["follow_up"]
ASSESSMENT_EXTRAS = EXTRAS["assessment"]

EXTRA_NAMES = frozenset(
    part.name for extra in PATIENT_EXTRAS + ASSESSMENT_EXTRAS for part in (*extra.items, *extra.derived)
)

# Not of the contract and on no form of the protocol: it has a table, a form and a file of its own.
FOLLOW_UP_ENDS = (FOLLOW_UP_END,)

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

_INSTRUMENTS = {instrument.code: instrument for instrument in INSTRUMENTS}
_ITEMS = {item.name: item for item in ALL_ITEMS + FOLLOW_UP_END_ITEMS}
_DERIVED = {derived.name: derived for instrument in INSTRUMENTS for derived in instrument.derived}
_INSTRUMENT_OF = {
    part.name: instrument
    for instrument in INSTRUMENTS + FOLLOW_UP_ENDS
    for part in (*instrument.items, *instrument.derived)
}


def instrument(code: str) -> Instrument:
    """The instrument with this code; KeyError if there is none."""
    return _INSTRUMENTS[code]


def item(name: str) -> Item:
    """The item in the column `name`, keys such as `patient_id` included; KeyError if there is none."""
    return _ITEMS[name]


def derived(name: str) -> Derived:
    """The derived value `name`; KeyError if there is none."""
    return _DERIVED[name]


def part(name: str) -> Item | Derived:
    """The item or derived value `name`; KeyError if there is none."""
    return _ITEMS[name] if name in _ITEMS else _DERIVED[name]


def instrument_of(name: str) -> Instrument:
    """The instrument that the item or derived value `name` belongs to; KeyError if none."""
    return _INSTRUMENT_OF[name]


def derive(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Every derived value of `answers` (item name to clean value); None for one whose items are not all there."""
    return {name: value.compute(answers) for name, value in _DERIVED.items()}
