"""Electronic signatures: an investigator confirms a patient's forms, which locks them.

What is signed is a canonical text: JSON with sorted keys and no spaces, of the words that were confirmed, who confirmed
them, when, and every answer and reason of each form. Its SHA-256 is in the signature. Whoever has the data can compute
it again; a different hash says that something changed.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC

from django.db import transaction
from django.utils import timezone

from registry.instruments.base import Label
from registry.models import AdverseEvent, Assessment, Patient, Query, Signature, State
from registry.services import seen as shown
from registry.services.records.storing import ReasonRequired, require
from registry.services.review.forms import forms_of
from registry.services.review.soft_checks import OWN_FORMS, as_json
from sites import audit
from sites.models import User
from sites.tenancy.access import Can
from sites.tenancy.scope import because, current

MEANING = Label(
    "I confirm these data are complete and accurate",
    "これらのデータが完全かつ正確であることを確認します",
)
VALID, UNLOCKED, BROKEN = "valid", "unlocked", "broken"


class NotReady(Exception):
    """There is nothing to sign, or something stands against it. `ready` is the `Ready` that says what."""

    def __init__(self, ready):
        self.ready = ready
        super().__init__("the patient's forms cannot be signed as they are")


@dataclass(frozen=True)
class Ready:
    """What a signature of a patient would cover, and what stands against it.

    forms    FormRows that would be signed; unfinished: those that must be completed first
    queries  queries that are not settled, which are to be acknowledged
    """

    forms: list
    unfinished: list
    queries: list

    @property
    def is_ready(self):
        return bool(self.forms) and not self.unfinished


def ready(patient):
    """What could be signed of a patient now: finished forms that are not signed yet."""
    every = forms_of(patient)
    begun = [one for one in every if one.is_begun or one.form.kind in OWN_FORMS]
    return Ready(
        [one for one in begun if one.state in (State.COMPLETE, State.VERIFIED)],
        [one for one in begun if not one.is_finished],
        list(Query.objects.unsettled().filter(patient_id=patient.pk, site_id=patient.site_id).order_by("pk")),
    )


def note(patient, ready):
    """The note of a page that shows what a signature would cover (`seen.note`)."""
    return shown.note("sign", patient.pk, _shown(ready))


def _shown(ready):
    return shown.of_forms(ready.forms) | shown.of_queries(ready.queries)


@transaction.atomic
def sign(*, access, patient, language="en", acknowledged=(), seen=None):
    """Sign every finished form of a patient that is not signed yet, lock them, and return the Signature.

    The caller has asked for the password again. `acknowledged` are ids of the unsettled queries that the person saw.
    seen  `note` of the page that showed the answers; None where the system signs whatever is stored
    Raises NotReady, Unseen, PermissionDenied.
    """
    require(access, Can.SIGN, patient.site_id)
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    list(Assessment.objects.select_for_update().filter(patient_id=patient.pk).order_by("pk").values_list("pk"))
    list(AdverseEvent.objects.select_for_update().filter(patient_id=patient.pk).order_by("pk").values_list("pk"))
    found = ready(patient)
    if not found.is_ready or not {one.pk for one in found.queries} <= set(acknowledged):
        raise NotReady(found)
    if seen is not None:
        shown.check(seen, "sign", patient.pk, _shown(found))
    who = User.objects.get(pk=current().user_id)
    signature = Signature(
        site_id=patient.site_id,
        patient_id=patient.pk,
        signed_by=who,
        signed_at=timezone.now(),
        name=str(who)[:120],
        meaning=MEANING.in_language(language),
        forms=[_entry(one) for one in found.forms],
        acknowledged=[one.pk for one in found.queries],
    )
    signature.sha256 = digest(signature, found.forms)
    signature.save()
    with because("signed"):
        _set_states(patient, [(one, State.LOCKED) for one in found.forms])
    audit.record(
        "signed",
        site_id=patient.site_id,
        table="registry_patient",
        row_id=patient.pk,
        detail={"signature": signature.pk, "forms": [one.form.code for one in found.forms], "sha256": signature.sha256},
    )
    return signature


def _entry(one):
    return {
        "form": one.form.code,
        "kind": one.form.kind,
        "row": str(one.row.pk),
        "state": one.state,
        "columns": list(one.columns),
    }


def _set_states(patient, states):
    """Give forms their new states, one update for each row."""
    rows = {}
    for one, state in states:
        rows.setdefault((type(one.row), one.row.pk), {})[one.state_column] = state
    for (model, pk), columns in rows.items():
        model.objects.filter(pk=pk, site_id=patient.site_id).update(**columns)


def unlocking_note(patient):
    """The note of a page that shows which signatures a patient has (`seen.note`)."""
    return shown.note("unlock", patient.pk, _signatures_shown(patient))


def _signatures_shown(patient):
    rows = Signature.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("pk")
    return {f"signature-{one.pk}": {"name": one.name, "sha256": one.sha256} for one in rows}


@transaction.atomic
def unlock(*, access, patient, codes, reason, seen=None):
    """Open signed forms (by code) of a patient again, for a reason; returns the codes of those that were locked.

    They go back to what they were when they were signed.
    seen  `unlocking_note` of the page that showed the signatures; None for whatever there is
    Raises ReasonRequired, Unseen, PermissionDenied.
    """
    require(access, Can.SIGN, patient.site_id)
    if not reason.strip():
        raise ReasonRequired
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    if seen is not None:
        shown.check(seen, "unlock", patient.pk, _signatures_shown(patient))
    locked = [one for one in forms_of(patient) if one.state == State.LOCKED and one.form.code in set(codes)]
    if not locked:
        return []
    before = {}
    for signature in Signature.objects.filter(patient_id=patient.pk).order_by("pk"):
        before |= {entry["form"]: entry["state"] for entry in signature.forms}
    with because(reason.strip()):
        _set_states(patient, [(one, before.get(one.form.code, State.COMPLETE)) for one in locked])
        opened = [one.form.code for one in locked]
        audit.record(
            "unlocked",
            site_id=patient.site_id,
            table="registry_patient",
            row_id=patient.pk,
            detail={"forms": opened},
        )
    return opened


def canonical(signature, rows):
    """The text that is signed. `rows` are the FormRows of `signature.forms`, in that order; None where one is gone."""
    forms = [
        {
            "form": entry["form"],
            "row": entry["row"],
            "values": {name: as_json(getattr(one.row, name, None)) for name in entry["columns"]} if one else None,
            "missing": {name: one.row.missing[name] for name in entry["columns"] if name in one.row.missing}
            if one
            else None,
        }
        for entry, one in zip(signature.forms, rows, strict=True)
    ]
    signed = {
        "patient": signature.patient_id,
        "meaning": signature.meaning,
        "name": signature.name,
        "person": signature.signed_by_id,
        "at": signature.signed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "forms": forms,
    }
    return json.dumps(signed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(signature, rows):
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(signature, rows).encode()).hexdigest()


@dataclass(frozen=True)
class Checked:
    """A signature looked at again: `valid`, `unlocked` (forms may change, and have not) or `broken`.

    `open` are the codes of its forms that are not locked any more.
    """

    signature: Signature
    status: str
    open: tuple


def check(signature, rows):
    """Whether a signature still holds. `rows` are the patient's FormRows by code."""
    signed = [rows.get(entry["form"]) for entry in signature.forms]
    unlocked = tuple(
        entry["form"]
        for entry, one in zip(signature.forms, signed, strict=True)
        if one is None or one.state != State.LOCKED
    )
    if digest(signature, signed) != signature.sha256:
        return Checked(signature, BROKEN, unlocked)
    return Checked(signature, UNLOCKED if unlocked else VALID, unlocked)


def checked(patient, rows=None):
    """Every signature of a patient, looked at again, newest first. `rows` are the FormRows, where they are known."""
    signatures = list(
        Signature.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("-signed_at", "-pk")
    )
    if not signatures:
        return []
    by_code = {one.form.code: one for one in (forms_of(patient) if rows is None else rows)}
    return [check(one, by_code) for one in signatures]


CHUNK = 500


def verify_all():
    """Look at every signature in scope again; yields a `Checked` for each."""
    last = 0
    while batch := list(Signature.objects.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        ids = {one.patient_id for one in batch}
        patients = {one.pk: one for one in Patient.objects.filter(pk__in=ids)}
        assessments, events = {}, {}
        for model, rows in ((Assessment, assessments), (AdverseEvent, events)):
            for row in model.objects.filter(patient_id__in=ids).order_by("pk"):
                rows.setdefault(row.patient_id, []).append(row)
        for signature in batch:
            key = signature.patient_id
            found = forms_of(patients[key], assessments.get(key, []), events.get(key, []))
            yield check(signature, {one.form.code: one for one in found})
        last = batch[-1].pk
