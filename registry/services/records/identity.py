"""Direct identifiers: encrypted with a key of the patient's own, which is encrypted with the deployment's key.

AES-256-GCM throughout; each ciphertext is bound to its patient and field, so that it cannot be moved to another.
"""

import hashlib
import os
from base64 import urlsafe_b64decode
from datetime import date
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q

from registry.instruments.base import InvalidValue, Label
from registry.instruments.keys import LOCAL_NUMBERS
from registry.models import Erasure, Identity, Patient
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.identity_marks import COLUMNS, marks

FIELDS = tuple(COLUMNS)
ERASED = Label(
    "was destroyed at the patient's wish and is not stored again", "本人の意思により削除済みのため、再登録できません"
)
MARKS = tuple(COLUMNS.values())
BATCH = 500  # rows marked by one statement
_NONCE = 12
KEY_ID = 4  # bytes before a wrapped key that say which of the deployment's encrypted it


class UnreadableIdentity(Exception):
    """The ciphertext was written with a key that is not in METASPINE_FIELD_KEYS, or was tampered with."""


@cache
def _deployment_keys(encoded: Any) -> dict:
    """Key id to cipher; the first key encrypts, the others still decrypt."""
    keys = {}
    for key in encoded:
        raw = urlsafe_b64decode(key)
        if len(raw) != 32:
            raise ImproperlyConfigured("Each of METASPINE_FIELD_KEYS must be 32 bytes, urlsafe base64.")
        keys[hashlib.sha256(raw).digest()[:KEY_ID]] = AESGCM(raw)
    return keys


def _seal(cipher: Any, text: Any, bound_to: Any) -> Any:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, text, bound_to.encode())


def _open(cipher: Any, sealed: Any, bound_to: Any) -> Any:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
    except InvalidTag as error:
        raise UnreadableIdentity(f"identifiers of {bound_to} cannot be decrypted") from error


def _wrap(key: Any, patient_id: str) -> Any:
    key_id, cipher = next(iter(_deployment_keys(tuple(settings.FIELD_KEYS)).items()))
    return key_id + _seal(cipher, key, patient_id)


def _unwrap(wrapped: Any, patient_id: str) -> Any:
    wrapped = bytes(wrapped)
    cipher = _deployment_keys(tuple(settings.FIELD_KEYS)).get(wrapped[:KEY_ID])
    if cipher is None:
        raise UnreadableIdentity(f"the key of {patient_id} was encrypted with a key that is no longer configured")
    return _open(cipher, wrapped[KEY_ID:], patient_id)


def wrapped_key(name: str) -> tuple[bytes, Any]:
    """(key, key encrypted with the deployment's): a new key for what is to be sealed under `name`."""
    key = AESGCM.generate_key(256)
    return key, _wrap(key, name)


def unwrapped_key(wrapped: Any, name: str) -> Any:
    """The key that `wrapped_key` made; UnreadableIdentity where the deployment's key is gone."""
    return _unwrap(wrapped, name)


def newest_key_id() -> Any:
    """What a key wrapped with the first of METASPINE_FIELD_KEYS begins with."""
    return next(iter(_deployment_keys(tuple(settings.FIELD_KEYS))))


def rewrapped(wrapped: Any, name: str) -> Any:
    """A wrapped key, encrypted with the first of METASPINE_FIELD_KEYS instead; UnreadableIdentity as above."""
    return _wrap(_unwrap(wrapped, name), name)


def cipher_of(patient: Patient) -> Any:
    """The cipher of a patient's own key, which a patient without identifiers gets now, for files beside them.

    Raises InvalidAnswers for a patient whose identifiers were erased.
    """
    row = Identity.objects.filter(patient_id=patient.pk).only("key").first()
    if row is not None:
        return AESGCM(_unwrap(row.key, patient.pk))
    write(patient)
    return AESGCM(_unwrap(Identity.objects.only("key").get(patient_id=patient.pk).key, patient.pk))


def seal(cipher: Any, content: bytes, bound_to: str) -> bytes:
    """`content` as ciphertext that can be opened under the same name alone."""
    return _seal(cipher, content, bound_to)


def unseal(cipher: Any, ciphertext: Any, bound_to: str) -> bytes:
    """What `seal` made a ciphertext of; UnreadableIdentity for another one."""
    return _open(cipher, bytes(ciphertext), bound_to)


def sealed(patient_id: str, values: Any, key: Any = None) -> dict[str, Any]:
    """Columns of `Identity` for plain `values` (field of FIELDS to text, date or None), with a new key unless given.

    Returns {"key": wrapped key, field: ciphertext or None for each field in `values`}.
    """
    key = key or AESGCM.generate_key(256)
    cipher = AESGCM(key)
    columns = {"key": _wrap(key, patient_id)}
    for field, value in values.items():
        text = value.isoformat() if isinstance(value, date) else value
        columns[field] = _seal(cipher, text.encode(), f"{patient_id}.{field}") if text else None
    return columns


def opened(patient_id: str, wrapped_key: Any, ciphertexts: Any) -> Any:
    """Plain values for ciphertexts (field to bytes or None), the birth date as a date; or UnreadableIdentity."""
    cipher = AESGCM(_unwrap(wrapped_key, patient_id))
    values = {}
    for field, ciphertext in ciphertexts.items():
        text = _open(cipher, bytes(ciphertext), f"{patient_id}.{field}").decode() if ciphertext else None
        values[field] = date.fromisoformat(text) if text and field == "birth_date" else text
    return values


def read(patient: Patient) -> Any:
    """The identifiers of a patient, or None where the scope does not reach them or there are none."""
    row = Identity.objects.filter(patient_id=patient.pk).first()
    return row and opened(patient.pk, row.key, {field: getattr(row, field) for field in FIELDS})


def misspelled(values: Any) -> dict:
    """What is wrong with a number of the hospital or initials, by name."""
    return _spelling(values)[1]


def _spelling(values: Any) -> tuple[dict, dict]:
    """(values in their one spelling, errors by name) of numbers of the hospital and initials."""
    errors, spelled = {}, dict(values)
    for name, item in LOCAL_NUMBERS.items():
        if name in values:
            try:
                spelled[name] = item.clean(values[name])
            except InvalidValue as error:
                errors[name] = [error.reason]
    return spelled, errors


def _spelled(values: Any) -> dict:
    """Numbers of the hospital and initials in their one spelling. Raises InvalidAnswers."""
    spelled, errors = _spelling(values)
    if errors:
        raise InvalidAnswers(errors)
    return spelled


def write(patient: Patient, **values: Any) -> None:
    """Store some identifiers of a patient, leaving the others as they are; what is equal is not written again.

    Raises InvalidAnswers for a patient whose identifiers were erased, and for a character that does not belong there.
    """
    values = _spelled(values)
    row = Identity.objects.select_for_update().filter(patient_id=patient.pk).first()
    if row is None:
        if Erasure.objects.filter(patient_id=patient.pk).exists():
            raise InvalidAnswers({"birth_date": [ERASED]})
        columns = sealed(patient.pk, values) | _marked(values)
        Identity.objects.create(patient=patient, site_id=patient.site_id, **columns)
        return
    known = opened(patient.pk, row.key, {field: getattr(row, field) for field in FIELDS})
    changed = {field: value for field, value in values.items() if (value or None) != known[field]}
    if changed:
        columns = sealed(patient.pk, changed, key=_unwrap(row.key, patient.pk))
        del columns["key"]  # the same key: leave its ciphertext alone
        columns |= _marked(known | changed)
        for field, ciphertext in columns.items():
            setattr(row, field, ciphertext)
        row.save(update_fields=list(columns))


def _marked(values: Any) -> dict[str, Any]:
    return marks(values) | {"marked_with": newest_key_id()}


def marks_of(row: Identity) -> dict[str, Any]:
    """Marks of a row by column: those that stand in it, or what they would be. UnreadableIdentity as above."""
    if row.marked_with is not None and bytes(row.marked_with) == newest_key_id():
        return {column: value and bytes(value) for column, value in ((name, getattr(row, name)) for name in MARKS)}
    return marks(opened(row.pk, row.key, {field: getattr(row, field) for field in FIELDS}))


def unmarked() -> Q:
    """The condition of rows whose marks are not there, or of a former key."""
    return Q(marked_with=None) | ~Q(marked_with=newest_key_id())


def fill_marks() -> int:
    """Mark what is not marked with the newest key yet; returns how many rows, of those in scope."""
    done = 0
    rows = Identity.objects.filter(unmarked()).order_by("pk")
    last = ""
    while batch := list(rows.filter(pk__gt=last).select_for_update()[:BATCH]):
        last = batch[-1].pk
        readable = [row for row in batch if _mark(row)]
        Identity.objects.bulk_update(readable, [*MARKS, "marked_with"])
        done += len(readable)
    return done


def _mark(row: Identity) -> bool:
    """Put the marks into a row; False for one that cannot be read."""
    try:
        columns = marks_of(row) | {"marked_with": newest_key_id()}
    except UnreadableIdentity:
        return False
    for name, value in columns.items():
        setattr(row, name, value)
    return True
