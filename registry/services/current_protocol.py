"""The catalogue of the protocol that holds now: built once for each version, and asked once a request.

A process asks the database for the newest version at most once a second; a version is immutable, so what was built
of it is kept. Whoever publishes calls `forget`.
"""

import json
import time
from dataclasses import replace
from threading import Lock
from typing import Any

from django.db import connection

from registry.instruments import catalogue
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models.study import own
from registry.protocol import definitions
from registry.protocol.expressions import items_in
from sites.database.per_request_cache import once_a_request
from sites.tenancy.scope import current as scope

FRESH = 1.0  # seconds
_known = {"at": 0.0, "version": 0}
_built = {0: catalogue.BUILT_IN}
_blind: dict[int, Any] = {}
_blind_roles: dict[int, frozenset] = {}
_telling: dict[int, frozenset[str]] = {}
ARM = "study_arm"  # the instrument that the arms of the study become
_building = Lock()


def _newest() -> Any:
    now = time.monotonic()
    if now - _known["at"] > FRESH or not _known["at"]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM registry_protocolversion")
            _known["version"] = cursor.fetchone()[0]
        _known["at"] = now
    return _known["version"]


@once_a_request
def version() -> Any:
    """The number of the protocol's newest version; 0 where none was published."""
    return _newest()


def forget() -> None:
    """Ask the database again: something was published, or taken back with a transaction."""
    _known["at"] = 0.0
    version.forget()


YOUNGEST = 20  # years at consent, where the protocol says nothing else: the study that the registry was made for
_minimum_age: dict[int, int] = {}


def minimum_age() -> int:
    """Years that a patient of the study must have on the day of consent; read once for each version."""
    number = version()
    if number not in _minimum_age:
        _minimum_age.clear()
        about = document_of(number).get("study") or {}
        _minimum_age[number] = int(about.get("minimum_age") or YOUNGEST)
    return _minimum_age[number]


FORGETTING: list = [_minimum_age.clear]  # what else keeps something of a version, and forgets it with this


def is_known() -> Any:
    """Whether this process has built the catalogue of any version."""
    return len(_built) > 1 or _known["version"] > 0


def forget_all() -> None:
    """Forget every version: the database is another, or was taken back to an earlier state."""
    forget()
    _known["version"] = _synced["version"] = 0
    _built.clear()
    _built[0] = catalogue.BUILT_IN
    _blind.clear()
    _blind_roles.clear()
    _telling.clear()
    for forget_more in FORGETTING:
        forget_more()
    own.sync({})


def current() -> Any:
    """The Catalogue of the protocol that holds now; without the arms for whoever must not know them."""
    protocol = at(version())
    return _without_arms(protocol) if scope().blind else protocol


def hidden_names() -> frozenset[str]:
    """Own items and calculations that whoever asks must not know: those of `_telling_arms`; for most people, none."""
    return telling_names() if scope().blind else frozenset()


def telling_names() -> frozenset[str]:
    """Names of own items and calculations that tell of the arm, by the protocol that holds now."""
    number = version()
    if number not in _telling:
        _telling.clear()
        _telling[number] = _telling_arms(at(number))
    return _telling[number]


def _without_arms(protocol: Any) -> Any:
    """What a protocol asks but for the arm and what would tell it, the same object each time."""
    if protocol.version not in _blind:
        if len(_blind) > 20:
            _blind.clear()
        hidden = _telling_arms(protocol)
        own = {
            record: tuple(left for instrument in some if (left := _without(instrument, hidden)).parts)
            for record, some in protocol.own.items()
        }
        conditions = {name: trees for name, trees in protocol.conditions.items() if name not in hidden}
        _blind[protocol.version] = replace(protocol, own=own, conditions=conditions)
    return _blind[protocol.version]


def _telling_arms(protocol: Any) -> frozenset[str]:
    """Names of the arm's items, and of all items and calculations whose expressions name one of these."""
    named = {
        part.name: set(getattr(part, "items", ()))
        for own_instrument in protocol.own_instruments
        for part in own_instrument.parts
    }
    for name, trees in protocol.conditions.items():
        for tree in trees.values():
            named.setdefault(name, set()).update(items_in(tree))
    hidden = {
        name
        for own_instrument in protocol.own_instruments
        if own_instrument.code == ARM
        for name in own_instrument.part_names
    }
    while further := {name for name, others in named.items() if others & hidden} - hidden:
        hidden |= further
    return frozenset(hidden)


def _without(instrument: Any, hidden: frozenset[str]) -> Any:
    """An instrument without some items and calculations, and without the checks that name one of them."""
    if hidden.isdisjoint({*instrument.part_names, *(name for check in instrument.checks for name in check.items)}):
        return instrument
    return replace(
        instrument,
        items=tuple(item for item in instrument.items if item.name not in hidden),
        derived=tuple(part for part in instrument.derived if part.name not in hidden),
        checks=tuple(check for check in instrument.checks if hidden.isdisjoint(check.items)),
    )


def blind_roles() -> frozenset:
    """The roles that the study keeps from knowing its arms."""
    number = version()
    if number not in _blind_roles:
        _blind_roles.clear()
        _blind_roles[number] = frozenset((document_of(number).get("study") or {}).get("blind") or ())
    return _blind_roles[number]


def at(number: Any) -> Any:
    """The Catalogue of one version of the protocol."""
    protocol = _built.get(number)
    if protocol is None:
        with _building:
            protocol = _built.get(number) or _build(number)
    if number == _known["version"] and _synced["version"] != number:
        _synced["version"] = number
        own.sync({model: _items_of(protocol, model) for model in set(own.MODELS.values())})
    return protocol


_synced = {"version": 0}


def _items_of(protocol: Any, model: Any) -> list:
    return [
        item
        for form, of_model in own.MODELS.items()
        if of_model is model
        for instrument in protocol.own.get(form, ())
        for item in instrument.items
    ]


def document_of(number: Any) -> Any:
    """The document of a version; the empty protocol for 0."""
    if not number:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT document::text FROM registry_protocolversion WHERE id = %s", [number])
        return json.loads(cursor.fetchone()[0])


def _build(number: Any) -> Any:
    if len(_built) > 20:
        _built.clear()
    _built[number] = build(document_of(number), number)
    return _built[number]


def build(document: Any, number: int = 0) -> Any:
    """The Catalogue of a protocol's document. ValueError where an instrument in it cannot be read."""
    declared = document.get("instruments") or []
    of: dict[str, list] = {}
    for entry in declared:
        known = known_to(entry, declared)
        reading = definitions.read(entry["document"], version=str(entry["version"]), known=known, stored=True)
        if reading.faults:
            raise ValueError(f"{entry['document'].get('code')}: {reading.faults[0]}")
        of.setdefault(entry["document"]["record"], []).append(reading.instrument)
    instruments = [instrument for some in of.values() for instrument in some]
    conditions: dict[str, dict] = {}
    for entry, instrument in zip(
        sorted(declared, key=lambda entry: list(of).index(entry["document"]["record"])), instruments, strict=True
    ):
        conditions |= definitions.expressions_of([instrument], known_to(entry, declared))
    retired = frozenset(entry["document"]["code"] for entry in declared if entry.get("retired"))
    matrix = {code: dict(visits) for code, visits in (document.get("matrix") or {}).items()}
    return catalogue.Catalogue(
        version=number,
        own={record: tuple(some) for record, some in of.items()},
        retired=retired,
        conditions=conditions,
        off=frozenset(document.get("off") or ()),
        matrix=matrix,
    )


def known_to(entry: Any, declared: Any = ()) -> Any:
    """Items that the expressions of an instrument may name beside its own: of the patient, and of the same record."""
    record = entry["document"].get("record")
    known = {item.name: item for item in catalogue.items(catalogue.OF_PATIENT) if not item.identifying}
    if record == "assessment":
        known |= {item.name: item for item in catalogue.items(catalogue.OF_ASSESSMENT)}
    beside = (*PATIENT_FORMS, *([] if record == "repeat" else [record]))
    for about in (other["document"] for other in declared):
        if about.get("code") != entry["document"].get("code") and about.get("record") in beside:
            known |= {item.name: item for item in _bare_items(about)}
    return known


def _bare_items(document: Any) -> list:
    return [replace(item, show_if="", required_if="") for item in definitions.items_of(document)]
