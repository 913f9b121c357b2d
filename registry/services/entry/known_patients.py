"""Finding a patient by what the hospital knows: hospital number, initials, birth date and sex; at one's own site alone.

Identifiers are encrypted one by one and nothing tells which are equal, so each of a site's is opened and compared: some
30 µs a patient. Only who may see the identifiers of a site finds anybody there, and nobody across sites.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.instruments.keys import LOCAL_NUMBERS
from registry.models import Identity
from registry.services.records import identity
from sites.tenancy.access import Access, Can

HOSPITAL_NUMBER, BIRTH = "hospital_number", "birth_date"


@dataclass(frozen=True)
class Known:
    """A patient who may be the one to be enrolled, and by what: `hospital_number`, or `birth_date` (and sex)."""

    patient_id: str
    by: str


def identifiers_of(access: Access, patient_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Patient's number to {field: plain value}, of those of some patients whose identifiers one may see."""
    return _opened(access, Identity.objects.filter(patient_id__in=patient_ids))


def search(access: Access, text: str) -> list[str]:
    """Numbers of patients whose hospital number or initials are `text`, in any spelling that enrolment takes."""
    wanted = {name: _spelled(item, text) for name, item in LOCAL_NUMBERS.items()}
    found = _opened(access, Identity.objects.all())
    return sorted(
        patient_id
        for patient_id, values in found.items()
        if any(value and folded(values[name]) == folded(value) for name, value in wanted.items())
    )


def alike(*, access: Access, site: Any, born: Any, sex: Any, hospital_number: str) -> list[Known]:
    """The `Known` of a site who may be the person of an enrolment form: same hospital number, or birth date and sex."""
    number = folded(_spelled(LOCAL_NUMBERS[HOSPITAL_NUMBER], hospital_number))
    identities = Identity.objects.filter(patient__site=site).select_related("patient")
    sexes = dict(identities.values_list("pk", "patient__sex"))
    known = []
    for patient_id, values in sorted(_opened(access, identities).items()):
        if number and folded(values[HOSPITAL_NUMBER]) == number:
            known.append(Known(patient_id, HOSPITAL_NUMBER))
        elif born and values[BIRTH] == born and sexes[patient_id] == sex:
            known.append(Known(patient_id, BIRTH))
    return known


def _opened(access: Access, rows: Any) -> dict[str, dict[str, Any]]:
    """Patient's number to the plain values of Identity rows; what a key that is gone encrypted is left out."""
    seen = rows.filter(site_id__in=access.sites_for(Can.IDENTIFY), patient__in_error=None)
    values = {}
    for row in seen.iterator():
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


def folded(text: str | None) -> str:
    """A number or initials without what spelling differs by."""
    return (text or "").replace(" ", "").replace(".", "").casefold()
