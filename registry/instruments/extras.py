"""What a registry may switch on beside its core: an extra instrument, or a score of extra and core answers."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from registry.instruments import catalogue
from registry.instruments.base import Instrument, Label
from registry.instruments.extra import cobb, escc
from registry.instruments.extra.prognosis import PROGNOSIS
from registry.instruments.scores import CHARLSON_WITH_AGE, PROGNOSTIC, SCORES, Score


@dataclass(frozen=True)
class Switch:
    """One thing to switch on. `forms` are the forms that ask for more then: baseline, follow_up, assessment."""

    code: str
    title: Label
    forms: tuple[str, ...]
    items: frozenset[str]
    source: str
    licence: str


def _of(instrument: Instrument, form: Any) -> Switch:
    names = frozenset(item.name for item in instrument.items)
    return Switch(instrument.code, instrument.title, (form,), names, instrument.citation, instrument.licence)


def _of_score(score: Any) -> Switch:
    names = frozenset(score.inputs) & {item.name for item in PROGNOSIS.items}
    return Switch(score.code, score.title, ("baseline",), names, score.citation, score.licence)


SWITCHES = {
    switch.code: switch
    for switch in (
        *(_of(instrument, "assessment") for instrument in catalogue.EXTRAS["assessment"]),
        *(_of(instrument, "baseline") for instrument in catalogue.EXTRAS["baseline"] if instrument is not PROGNOSIS),
        *(_of_score(score) for score in PROGNOSTIC),
        *(_of(instrument, "follow_up") for instrument in catalogue.EXTRAS["follow_up"]),
    )
}

# Columns that exports compute beside the answers to extras: nobody answers them.
COMPUTED = frozenset(
    {escc.COMPRESSION_NAME, cobb.CORRECTION.name, cobb.LOSS.name}
    | {score.column for score in SCORES}
    | {derived.name for extra in catalogue.PATIENT_EXTRAS + catalogue.ASSESSMENT_EXTRAS for derived in extra.derived}
)


def shown(form: str, on: Collection[str], visit: str = "") -> tuple[Instrument, ...]:
    """The extra instruments that a form asks while the switches `on` are on, with those items that they need.

    Own instruments among them are asked as the protocol has it, at `visit` where one is given.
    """
    wanted = frozenset().union(*(SWITCHES[code].items for code in on))
    instruments, current = [], catalogue.current()
    for instrument in current.extras.get(form, ()):
        if not current.asks(instrument.code, visit):
            continue
        if instrument.own:
            instruments.append(current.as_asked(instrument, visit))
            continue
        items = tuple(item for item in instrument.items if item.name in wanted)
        if items:
            instruments.append(instrument if items == instrument.items else replace(instrument, items=items))
    return tuple(instruments)


def scores(on: Collection[str]) -> tuple[Score, ...]:
    """The scores that are computed while the switches `on` are on."""
    return tuple(score for score in (CHARLSON_WITH_AGE, *PROGNOSTIC) if score.code in on)
