"""Electronic signatures: an investigator confirms a patient's forms, which locks them.

What is signed is a canonical text: JSON with sorted keys and no spaces, of the words that were confirmed, who confirmed
them, when, and every answer and reason of each form. Its SHA-256 is in the signature: whoever has the data can compute
it again, and a different hash says that something changed. Beside it stands an HMAC under the deployment's key, so that
who changes data and hash in the database is found out too; and the audit trail tells of each signature's making.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient, Query, Signature, State
from registry.services import seen as shown
from registry.services.records.storing import ReasonRequired, as_json, require
from registry.services.review.forms import forms_of
from sites import audit
from sites.audit import alerts
from sites.models import AuditEvent, User
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import because, current, with_errors

MEANING = Label(
    "I confirm these data are complete and accurate",
    "これらのデータが完全かつ正確であることを確認します",
)
VALID, UNLOCKED, BROKEN = "valid", "unlocked", "broken"


class NotReady(Exception):
    """There is nothing to sign, or something stands against it. `ready` is the `Ready` that says what."""

    def __init__(self, ready: Any) -> None:
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
    def is_ready(self) -> bool:
        return bool(self.forms) and not self.unfinished


def ready(patient: Patient) -> Ready:
    """What could be signed of a patient now: finished forms that are not signed yet."""
    return ready_of_each([patient])[patient.pk]


def ready_of_each(patients: Sequence[Patient]) -> dict[str, Ready]:
    """The number of each of some patients to what could be signed now, in as many statements as for a single one."""
    of_patients = {
        "site_id__in": {patient.site_id for patient in patients},
        "patient_id__in": [patient.pk for patient in patients],
    }
    assessments = Assessment.objects.filter(**of_patients).select_related("timepoint")
    records = OwnRecord.objects.filter(**of_patients).order_by("form", "pk") if catalogue.current().repeats else ()
    rows = [
        _grouped(sorted(assessments, key=lambda assessment: assessment.timepoint.position)),
        _grouped(AdverseEvent.objects.filter(**of_patients).order_by("pk")),
        _grouped(records),
    ]
    queries = _grouped(Query.objects.unsettled().filter(**of_patients).order_by("pk"))
    return {
        patient.pk: _ready(forms_of(patient, *(of_kind.get(patient.pk, []) for of_kind in rows)), queries[patient.pk])
        for patient in patients
    }


def _grouped(rows: Iterable[Any]) -> defaultdict[str, list]:
    """Patient's number to rows, in their order."""
    of_each: defaultdict[str, list] = defaultdict(list)
    for row in rows:
        of_each[row.patient_id].append(row)
    return of_each


def _ready(every: list, queries: list) -> Ready:
    begun = [form for form in every if form.is_begun or form.form.kind in PATIENT_FORMS]
    return Ready(
        [form for form in begun if form.state in (State.COMPLETE, State.VERIFIED)],
        [form for form in begun if not form.is_finished],
        queries,
    )


def note(patient: Patient, ready: Any) -> str:
    """The note of a page that shows what a signature would cover (`seen.note`)."""
    return shown.note("sign", patient.pk, _shown(ready))


def _shown(ready: Any) -> Any:
    return shown.of_forms(ready.forms) | shown.of_queries(ready.queries)


@transaction.atomic
def sign(
    *, access: Access, patient: Patient, language: str = "en", acknowledged: Any = (), seen: Any = None
) -> Signature:
    """Sign every finished form of a patient that is not signed yet, lock them, and return the Signature.

    The caller has asked for the password again. `acknowledged` are ids of the unsettled queries that the person saw.
    seen  `note` of the page that showed the answers; None where the system signs whatever is stored
    Raises NotReady, Unseen, PermissionDenied.
    """
    require(access, Can.SIGN, patient.site_id)
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    for model in OF_PATIENT:
        list(model.objects.select_for_update().filter(patient_id=patient.pk).order_by("pk").values_list("pk"))
    forms = ready(patient)
    if not forms.is_ready or not {query.pk for query in forms.queries} <= set(acknowledged):
        raise NotReady(forms)
    if seen is not None:
        shown.check(seen, "sign", patient.pk, _shown(forms))
    who = User.objects.get(pk=current().user_id or 0)
    signature = Signature(
        site_id=patient.site_id,
        patient_id=patient.pk,
        signed_by=who,
        signed_at=timezone.now(),
        name=str(who)[:120],
        meaning=MEANING.in_language(language),
        forms=[_entry(form) for form in forms.forms],
        acknowledged=[query.pk for query in forms.queries],
    )
    text = canonical(signature, forms.forms)
    signature.sha256, signature.mac = sha256_of(text), mac_of(signature, text)
    signature.save()  # which puts the act on record: a trigger
    with because("signed"):
        _set_states(patient, [(form, State.LOCKED) for form in forms.forms])
    return signature


def _entry(form: Any) -> dict[str, Any]:
    return {
        "form": form.form.code,
        "kind": form.form.kind,
        "row": str(form.row.pk),
        "state": form.state,
        "columns": list(form.columns),
    }


def _set_states(patient: Patient, states: Any) -> None:
    """Give forms their new states, one update for each row."""
    rows: dict[tuple, dict[str, str]] = {}
    for form, state in states:
        rows.setdefault((type(form.row), form.row.pk), {})[form.state_column] = state
    for (model, pk), columns in rows.items():
        model.objects.filter(pk=pk, site_id=patient.site_id).update(**columns)


def unlocking_note(patient: Patient) -> str:
    """The note of a page that shows which signatures a patient has (`seen.note`)."""
    return shown.note("unlock", patient.pk, _signatures_shown(patient))


def _signatures_shown(patient: Patient) -> dict[str, dict[str, Any]]:
    rows = Signature.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("pk")
    return {f"signature-{row.pk}": {"name": row.name, "sha256": row.sha256} for row in rows}


@transaction.atomic
def unlock(*, access: Access, patient: Patient, codes: Any, reason: Any, seen: Any = None) -> list | list[str]:
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
    locked = [form for form in forms_of(patient) if form.state == State.LOCKED and form.form.code in set(codes)]
    if not locked:
        return []
    before: dict[str, str] = {}
    for signature in Signature.objects.filter(patient_id=patient.pk).order_by("pk"):
        before |= {entry["form"]: entry["state"] for entry in signature.forms}
    with because(reason.strip()):
        _set_states(patient, [(form, before.get(form.form.code, State.COMPLETE)) for form in locked])
        opened = [form.form.code for form in locked]
        audit.record(
            "unlocked",
            site_id=patient.site_id,
            table="registry_patient",
            row_id=patient.pk,
            detail={"forms": opened},
        )
    return opened


def canonical(signature: Any, rows: Any) -> str:
    """The text that is signed. `rows` are the FormRows of `signature.forms`, in that order; None where one is gone."""
    forms = [
        {
            "form": entry["form"],
            "row": entry["row"],
            "values": {name: as_json(getattr(row.row, name, None)) for name in entry["columns"]} if row else None,
            "missing": {name: row.row.missing[name] for name in entry["columns"] if name in row.row.missing}
            if row
            else None,
        }
        for entry, row in zip(signature.forms, rows, strict=True)
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


def sha256_of(text: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal: anybody who has the data can compute it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _keys() -> list[bytes]:
    return [hmac.digest(urlsafe_b64decode(key), b"metaspine signature", "sha256") for key in settings.FIELD_KEYS]


def _macs(signature: Any, text: Any) -> list[str]:
    """HMAC of the canonical text and of the queries that were acknowledged, under each of the deployment's keys."""
    whole = json.dumps([text, signature.acknowledged], ensure_ascii=False).encode()
    return [hmac.digest(key, whole, hashlib.sha256).hex() for key in _keys()]


def mac_of(signature: Any, text: Any) -> str:
    """What binds a signature to the deployment's key, in hexadecimal: who owns the database cannot compute it."""
    return _macs(signature, text)[0]


@dataclass(frozen=True)
class Checked:
    """A signature looked at again: `valid`, `unlocked` (forms may change, and have not) or `broken`.

    open   codes of its forms that are not locked any more
    fault  why it is broken: `data` (answers are not those that were signed), `key` (not made with the deployment's key)
           or `trail` (the audit trail tells of no such signature)
    keyed  False for a signature of release 0.1.0, which has a hash and no HMAC: it holds by what the trail says of it
    """

    signature: Signature
    status: str
    open: tuple
    fault: str = ""
    keyed: bool = True


def check(signature: Any, rows: Any, event: Any) -> Checked:
    """Whether a signature still holds.

    rows      the patient's FormRows by code; those entered in error since, by code and the row's key
    event     what the trail says of the signature's making (`recorded`), or None
    """
    signed = [rows.get((entry["form"], entry["row"])) or rows.get(entry["form"]) for entry in signature.forms]
    unlocked = tuple(
        entry["form"]
        for entry, form in zip(signature.forms, signed, strict=True)
        if form is None or form.state != State.LOCKED
    )
    fault = _fault(signature, canonical(signature, signed), event)
    status = BROKEN if fault else UNLOCKED if unlocked else VALID
    return Checked(signature, status, unlocked, fault, bool(signature.mac))


def _fault(signature: Any, text: Any, event: Any) -> str:
    if sha256_of(text) != signature.sha256:
        return "data"
    if event is None or event != _as_recorded(signature):
        return "trail"
    if signature.mac and not any(hmac.compare_digest(mac, signature.mac) for mac in _macs(signature, text)):
        return "key"
    return ""


def _as_recorded(signature: Any) -> tuple:
    return signature.sha256, signature.mac, signature.signed_by_id, signature.acknowledged


def recorded(signatures: Any) -> dict[int, tuple[Any, ...]]:
    """What the trail says of the making of some signatures: id to what `_as_recorded` is of the row."""
    events = AuditEvent.objects.filter(
        site_id__in={signature.site_id for signature in signatures},
        table_name=Signature._meta.db_table,
        row_id__in=[str(signature.pk) for signature in signatures],
        action="insert",
    )
    return {
        int(event.row_id): tuple(
            event.new.get(name, blank)
            for name, blank in (("sha256", ""), ("mac", ""), ("signed_by_id", None), ("acknowledged", []))
        )
        for event in events
    }


def checked(patient: Patient, rows: Any = None) -> list[Checked]:
    """Every signature of a patient, looked at again, newest first: `Checked`. What nothing explains is put on record.

    rows  the FormRows, where they are known
    """
    signatures = list(
        Signature.objects.filter(patient_id=patient.pk, site_id=patient.site_id).order_by("-signed_at", "-pk")
    )
    if not signatures:
        return []
    by_code = {form.form.code: form for form in (forms_of(patient) if rows is None else rows)}
    by_code |= _in_error(patient)
    states = recorded(signatures)
    looked_at = [check(signature, by_code, states.get(signature.pk)) for signature in signatures]
    for broken in looked_at:
        if broken.status == BROKEN:
            _put_on_record(broken)
    return looked_at


def _put_on_record(broken: Checked) -> None:
    """Put a broken signature that no unlocking explains on record, once an hour: administrators are told of it."""
    signature = broken.signature
    of_site = AuditEvent.objects.filter(site_id=signature.site_id)
    if (
        broken.fault == "data"
        and of_site.filter(action="unlocked", row_id=signature.patient_id, at__gt=signature.signed_at).exists()
    ):
        return
    row, since = str(signature.pk), timezone.now() - alerts.PAUSE
    if not of_site.filter(action="signature_broken", row_id=row, at__gt=since).exists():
        audit.record(
            "signature_broken",
            site_id=signature.site_id,
            table=Signature._meta.db_table,
            row_id=row,
            detail={"why": broken.fault},
        )


def _in_error(patient: Patient) -> Any:
    """FormRows of a patient's that were entered in error, by code and key: another form may have their code by now."""
    with with_errors():
        return _by_row(patient, [row for model in OF_PATIENT for row in _records(model, patient) if row.in_error])


OF_PATIENT = (Assessment, AdverseEvent, OwnRecord)


def _records(model: Any, patient: Patient) -> Any:
    return model.objects.filter(site_id=patient.site_id, patient_id=patient.pk)


def _by_row(patient: Patient, rows: Any) -> Any:
    forms = forms_of(patient, *([row for row in rows if isinstance(row, model)] for model in OF_PATIENT))
    return {(form.form.code, str(form.row.pk)): form for form in forms if form.row is not patient}


CHUNK = 500


def _by_patient(model: Any, patient_ids: Any) -> dict[str, list]:
    return _grouped(model.objects.filter(patient_id__in=patient_ids).order_by("pk"))


def verify_all() -> Iterator[Checked]:
    """Look at every signature in scope again; yields a `Checked` for each."""
    last = 0
    while batch := list(Signature.objects.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        ids = {signature.patient_id for signature in batch}
        patients = {patient.pk: patient for patient in Patient.objects.filter(pk__in=ids)}
        states = recorded(batch)
        records = {model: _by_patient(model, ids) for model in OF_PATIENT}
        for signature in batch:
            key = signature.patient_id
            of_each = [records[model].get(key, []) for model in OF_PATIENT]
            rows = {form.form.code: form for form in forms_of(patients[key], *of_each)}
            every = [row for of_model in of_each for row in of_model]
            yield check(signature, rows | _by_row(patients[key], every), states.get(signature.pk))
        last = batch[-1].pk
