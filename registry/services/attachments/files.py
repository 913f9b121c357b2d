"""Attachments: adding a file, reading it, removing it.

A file is encrypted with the patient's own key, each bound to its row's patient and a number of its own, and kept in the
database: so it is in backups, under the policies of the patient's site, and unreadable once the identity is erased. A
virus scanner, where there is one, was asked about it before it came here (web/shared/transfers.py).
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from registry.instruments.base import Label
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import Attachment, Patient
from registry.services.records import identity
from registry.services.records.cleaning import InvalidAnswers
from registry.services.records.storing import Conflict, ReasonRequired, require
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import because

MB = 1024 * 1024
LARGEST = 10 * MB  # of one file
MOST = 100 * MB  # of all files of a patient
LONGEST_NAME = 120
Kind = Attachment.Kind
# What a file begins with, by the type that it is kept as.
TYPES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
SUFFIXES = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg"}
FORMS = ("patient", "consent", *PATIENT_FORMS, "assessment", "adverse_event", "own_record")

NO_FILE = Label("Choose a file.", "ファイルを選択してください。")
EMPTY = Label("The file is empty.", "ファイルが空です。")
TOO_LARGE = Label(
    "The file has {size} MB; 10 MB is the most. A scan at 200 dpi in grey would fit.",
    "ファイルは{size} MBです（上限10 MB）。200 dpi・グレースケールで取り込むと収まります。",
)
TOO_MUCH = Label(
    "The files of one patient may have 100 MB together; remove one that is not needed.",
    "1患者あたりの合計は100 MBまでです。不要なファイルを削除してください。",
)
UNKNOWN_TYPE = Label(
    "“{name}” is no PDF, PNG or JPEG file, whatever its name says. One of these would fit.",
    "「{name}」の内容はPDF・PNG・JPEGではありません。いずれかの形式で保存してください。",
)
UNKNOWN_KIND = Label("Choose what the file is.", "ファイルの種類を選択してください。")
UNKNOWN_FORM = Label("Choose what the file belongs to.", "ファイルの対象を選択してください。")


@dataclass(frozen=True)
class Opened:
    """A file as it was attached."""

    name: str
    media_type: str
    content: bytes


@transaction.atomic
def attach(
    *, access: Access, patient: Patient, name: str, content: bytes, kind: str, form: str = "patient", record: str = ""
) -> Attachment:
    """Attach a file to a patient, or to one of their forms, and return the Attachment.

    form, record  as in the model
    Raises InvalidAnswers by the names `file`, `kind` and `form`, PermissionDenied.
    """
    require(access, Can.ENTER, patient.site_id)
    require(access, Can.IDENTIFY, patient.site_id)
    Patient.objects.select_for_update().only("pk").get(pk=patient.pk)  # of two at once the second sees the sum
    media_type = _type_of(content)
    name = _plain(name, media_type)
    if errors := _faults(patient, name, content, media_type, kind, form):
        raise InvalidAnswers(errors)
    cipher = identity.cipher_of(patient)
    row = Attachment(
        site_id=patient.site_id,
        patient_id=patient.pk,
        form=form,
        record=record[:40],
        kind=kind,
        media_type=media_type,
        size=len(content),
        name=identity.seal(cipher, name.encode(), _bound(patient, "name")),
        content=identity.seal(cipher, content, _bound(patient, "content")),
        added_by_id=access.user_id if access is not None else None,
    )
    row.save(force_insert=True)
    return row


def _bound(patient: Patient, part: str) -> str:
    return f"{patient.pk}.attachment.{part}"


def _type_of(content: bytes) -> str:
    return next((media_type for begins, media_type in TYPES.items() if content.startswith(begins)), "")


def _plain(name: str, media_type: str) -> str:
    """The name without a path or what no file system takes, with the ending of what the file is."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(letter for letter in name if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    suffix = SUFFIXES.get(media_type, "")
    if suffix and not name.lower().endswith((suffix, ".jpeg")):
        name = name[: LONGEST_NAME - len(suffix)] + suffix
    return name[-LONGEST_NAME:] or "file"


def _faults(patient: Patient, name: str, content: bytes, media_type: str, kind: str, form: str) -> dict:
    errors: dict[str, list[Label]] = {}
    if not content:
        errors["file"] = [EMPTY]
    elif len(content) > LARGEST:
        errors["file"] = [TOO_LARGE.format(size=-(-len(content) // MB))]
    elif not media_type:
        errors["file"] = [UNKNOWN_TYPE.format(name=name)]
    elif (_held(patient).aggregate(sum=Sum("size"))["sum"] or 0) + len(content) > MOST:
        errors["file"] = [TOO_MUCH]
    if kind not in Kind.values:
        errors["kind"] = [UNKNOWN_KIND]
    if form not in FORMS:
        errors["form"] = [UNKNOWN_FORM]
    return errors


def _held(patient: Patient) -> Any:
    return Attachment.objects.filter(site_id=patient.site_id, patient_id=patient.pk, removed_at=None)


def of_patient(patient: Patient) -> list[tuple[Attachment, str]]:
    """(Attachment without its content, its name) of a patient's files, removed ones too, in order."""
    held = Attachment.objects.filter(site_id=patient.site_id, patient_id=patient.pk).defer("content")
    rows = list(held.select_related("added_by", "removed_by"))
    if not rows:
        return []
    cipher = identity.cipher_of(patient)
    return [(row, identity.unseal(cipher, row.name, _bound(patient, "name")).decode()) for row in rows]


def number_of(patient: Patient) -> int:
    """How many files a patient has; none where the scope does not reach them."""
    return _held(patient).count()


def opened(patient: Patient, row: Attachment) -> Opened:
    """A file decrypted. ValueError for one that was removed; UnreadableIdentity where its key is gone."""
    if row.content is None:
        raise ValueError("the file was removed")
    cipher = identity.cipher_of(patient)
    name = identity.unseal(cipher, row.name, _bound(patient, "name")).decode()
    return Opened(name, row.media_type, identity.unseal(cipher, row.content, _bound(patient, "content")))


@transaction.atomic
def remove(*, access: Access, row: Attachment, reason: str) -> Attachment:
    """Remove a file: its content is gone, that it was there stays on record. Raises Conflict, ReasonRequired."""
    require(access, Can.ENTER, row.site_id)
    reason = " ".join(reason.split())[:300]
    if not reason:
        raise ReasonRequired
    row = Attachment.objects.select_for_update(of=("self",)).defer("content").get(pk=row.pk)
    if row.removed_at is not None:
        raise Conflict(row)
    row.content, row.removed_at, row.removed_reason = None, timezone.now(), reason
    row.removed_by_id = access.user_id if access is not None else None
    with because(reason):
        row.save(update_fields=["content", "removed_at", "removed_reason", "removed_by"])
    return row
