"""Whose data must no longer be used: patients who withdrew consent, or that part of it, and those erased since.

Comparisons and exports leave them out and count them; programs of the centre do not find them. Their own site does: it
keeps the record, and whoever erases it must see whom.
"""

from typing import Any

from django.db.models import Exists, OuterRef, Q

from registry.instruments.core.consent import DATA_USE
from registry.instruments.core.follow_up_end import STOP
from registry.models import ConsentWithdrawal, Patient
from sites.tenancy.access import Access, Can

# SQL of their numbers, within the scope. Never read from a snapshot: a frozen state holds who has withdrawn since.
WITHDRAWN = f"""SELECT patient_id FROM registry_followupend WHERE end_data_use = '{STOP}'
    UNION SELECT patient_id FROM registry_consentwithdrawal WHERE withdrawn_part = '{DATA_USE}' AND corrected_at IS NULL
    UNION SELECT patient_id FROM registry_erasure WHERE extent = 'everything'"""


def of_use_to(access: Access, rows: Any, patient: str = "patient__") -> Any:
    """The rows of a queryset without such patients', but for whoever works at the patient's own site.

    patient  how the rows refer to their patient; "" for patients themselves
    """
    own = _own_sites(access)
    if set(own).issuperset(access.scope().read):
        return rows
    withdrawn = ConsentWithdrawal.objects.filter(
        patient_id=OuterRef(f"{patient}pk" if patient else "pk"), withdrawn_part=DATA_USE, corrected_at=None
    )
    stopped = Q(**{f"{patient}follow_up_end__end_data_use": STOP}) | Exists(withdrawn)
    return rows.filter(Q(site_id__in=own) | ~stopped)


def _own_sites(access: Access) -> Any:
    return access.of_owner.sites_for(Can.ENTER, Can.VERIFY)


def patient_of_use_to(access: Access, patient_id: str, names: tuple[str, ...] | None = None) -> Any:
    """The patient with this id, as a program may see it; Patient.DoesNotExist otherwise. `names` as of
    `one_visible_to`."""
    patient = Patient.objects.one_visible_to(access, patient_id, names)
    if patient.site_id in _own_sites(access):
        return patient
    if not of_use_to(access, Patient.objects.filter(pk=patient.pk), patient="").exists():
        raise Patient.DoesNotExist(patient_id)
    return patient
