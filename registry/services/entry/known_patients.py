"""Finding a patient by what the hospital knows: hospital number, initials, birth date and sex; at one's own site alone.

By the blind index beside the encrypted identifiers (`identity_marks`); what has no mark yet is opened and compared,
some 30 µs a patient. Only who may see the identifiers of a site finds anybody there, and nobody across sites.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from registry.instruments.keys import LOCAL_NUMBERS
from registry.models import Identity
from registry.services.records import identity
from registry.services.records.identity_marks import COLUMNS, marks
from sites.tenancy.access import Access, Can

HOSPITAL_NUMBER, BIRTH = "hospital_number", "birth_date"


@dataclass(frozen=True)
class Known:
    """A patient who may be the one to be enrolled, and by what: `hospital_number`, or `birth_date` (and sex)."""

    patient_id: str
    by: str


def identifiers_of(access: Access, patient_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Patient's number to {field: plain value}, of those of some patients whose identifiers one may see."""
    return _opened(_countable(access).filter(patient_id__in=patient_ids))


def search(access: Access, text: str) -> list[str]:
    """Numbers of patients whose hospital number or initials are `text`, in any spelling that enrolment takes."""
    wanted = marks({name: _spelled(item, text) for name, item in LOCAL_NUMBERS.items()})
    rows = _marked_alike(_countable(access), wanted)
    return sorted(row.pk for row, identifiers in rows if _agreeing(identifiers, wanted))


def alike(*, access: Access, site: Any, born: Any, sex: Any, hospital_number: str) -> list[Known]:
    """The `Known` of a site who may be the person of an enrolment form: same hospital number, or birth date and sex."""
    number = _spelled(LOCAL_NUMBERS[HOSPITAL_NUMBER], hospital_number)
    wanted = marks({HOSPITAL_NUMBER: number, BIRTH: born})
    known = []
    for row, identifiers in _marked_alike(_countable(access).filter(site=site).select_related("patient"), wanted):
        agreeing = _agreeing(identifiers, wanted)
        if COLUMNS[HOSPITAL_NUMBER] in agreeing:
            known.append(Known(row.pk, HOSPITAL_NUMBER))
        elif COLUMNS[BIRTH] in agreeing and row.patient.sex == sex:
            known.append(Known(row.pk, BIRTH))
    return sorted(known, key=lambda patient: patient.patient_id)


def _marked_alike(rows: Any, wanted: dict[str, bytes | None]) -> Iterator[tuple[Identity, dict[str, Any]]]:
    """(row, its marks) of those of which a mark may be wanted: by the blind index, and of what is not in it yet."""
    asked = identity.unmarked()
    for column, value in wanted.items():
        if value:
            asked |= Q(**{column: value})
    for row in rows.filter(asked):
        try:
            yield row, identity.marks_of(row)
        except identity.UnreadableIdentity:
            continue


def _agreeing(identifiers: dict[str, Any], wanted: dict[str, bytes | None]) -> list[str]:
    """Columns of the marks that are the wanted ones."""
    return [column for column, value in wanted.items() if value and identifiers[column] == value]


def _countable(access: Access) -> Any:
    """Identity rows of patients who count, of the sites whose identifiers one may see."""
    return Identity.objects.filter(site_id__in=access.sites_for(Can.IDENTIFY), patient__in_error=None)


def _opened(rows: Any) -> dict[str, dict[str, Any]]:
    """Patient's number to the plain values of Identity rows; what a key that is gone encrypted is left out."""
    values = {}
    for row in rows.iterator():
        try:
            values[row.pk] = identity.opened(row.pk, row.key, {name: getattr(row, name) for name in identity.FIELDS})
        except identity.UnreadableIdentity:
            continue
    return values


def _spelled(item: Any, text: str) -> str:
    try:
        return item.clean(text) or ""
    except ValueError:
        return ""
