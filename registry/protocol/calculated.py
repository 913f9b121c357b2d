"""Calculated values of own instruments: of a record's answers and, where a formula names them, of its patient's.

They are stored nowhere; a file computes them in SQL, everything else here.
"""

from collections.abc import Iterable
from typing import Any

from registry.instruments import catalogue
from registry.instruments.base import Instrument


def calculated(instrument: Instrument, row: Any) -> dict[str, Any]:
    """Name to value of what an own instrument calculates of a record (a patient's, a visit's, one of a repeating
    form); None where an answer lacks."""
    return {
        derived.name: derived.compute({name: _answer(row, name) for name in derived.items})
        for derived in instrument.derived
    }


def _answer(row: Any, name: str) -> Any:
    if hasattr(row, name):
        return getattr(row, name)
    return getattr(getattr(row, "patient", None), name, None)


def read_with(instruments: Iterable[Instrument]) -> tuple[str, ...]:
    """What rows of these instruments are to be read with (`select_related`), so that no row asks for its patient."""
    names = {name for instrument in instruments for derived in instrument.derived for name in derived.items}
    of_patient = {item.name for item in catalogue.current().items_of_patient}
    return ("patient",) if names & of_patient else ()
