"""Consents of a patient: which version of the form was signed, whether a newer one asks for consent again, what was
withdrawn.

The versions stand in the protocol (`versions`). A version that asks again is due for everybody who takes part and
signed an older one; of who has no recorded consent the day of consent at enrolment decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from registry.instruments.base import Label
from registry.instruments.core import consent as declared
from registry.models import Consent, ConsentWithdrawal, Patient
from registry.services.current_protocol import FORGETTING, document_of
from registry.services.current_protocol import version as protocol_version
from registry.services.follow_up.ends import ask_no_more
from registry.services.records.cleaning import InvalidAnswers, cleaned_and_checked
from registry.services.records.storing import Conflict, ReasonRequired, locked_for_update, require, store_update
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import because

ITEMS = declared.CONSENT.items
WITHDRAWAL_ITEMS = declared.WITHDRAWAL.items
CONTACT, DATA_USE = declared.CONTACT, declared.DATA_USE

NEEDED = Label("is needed", "必須です")
UNKNOWN_VERSION = Label(
    "“{code}” is no version of the consent form; one of these is: {fits}",
    "「{code}」という同意文書の版はありません。選択できる版：{fits}",
)
NO_VERSION = Label(
    "The protocol has no version of the consent form yet.", "研究計画書に同意文書の版がまだ登録されていません。"
)
ALREADY = Label("This version is recorded for this patient already.", "この版の同意は登録済みです。")
TOO_EARLY = Label("is before this version was in force ({day})", "この版の発効日（{day}）より前です")
BEFORE_CONSENT = Label("is before the consent at enrolment", "登録時の同意取得日より前です")
WITHDRAWN_ALREADY = Label("This is withdrawn already.", "すでに撤回済みです。")


@dataclass(frozen=True)
class FormVersion:
    """A version of the consent form: since which day it is in force (None: always), and whether those who signed an
    older one are asked again."""

    code: str
    label: Label
    since: date | None = None
    asks_again: bool = False
    languages: tuple[str, ...] = ()


def versions() -> tuple[FormVersion, ...]:
    """The versions of the consent form that the protocol has, the newest last; read once for each of its versions."""
    number = protocol_version()
    if number not in _known:
        _known.clear()
        about = document_of(number).get("study") or {}
        _known[number] = tuple(_version(version) for version in about.get("consent") or ())
    return _known[number]


_known: dict[int, tuple[FormVersion, ...]] = {}
FORGETTING.append(_known.clear)


def _version(version: Any) -> FormVersion:
    text = version.get("label") or {}
    return FormVersion(
        version["code"],
        Label(text.get("en") or version["code"], text.get("ja") or text.get("en") or version["code"]),
        date.fromisoformat(version["since"]) if version.get("since") else None,
        bool(version.get("again")),
        tuple(version.get("languages") or ()),
    )


def asked_again(known: tuple[FormVersion, ...], today: date) -> int | None:
    """The place of the newest version that asks everybody again and is in force; None where there is none."""
    places = [
        place
        for place, version in enumerate(known)
        if version.asks_again and (version.since is None or version.since <= today)
    ]
    return places[-1] if places else None


@dataclass(frozen=True)
class Standing:
    """How a patient's consent stands: what was signed, what is withdrawn now, and the version that is due, if any."""

    consents: tuple[Consent, ...]
    withdrawals: tuple[ConsentWithdrawal, ...]
    due: FormVersion | None

    @property
    def withdrawn(self) -> dict[str, ConsentWithdrawal]:
        return {row.withdrawn_part: row for row in self.withdrawals if row.corrected_at is None}


def standing(patient: Patient, today: date, *, ended: bool) -> Standing:
    """The Standing of a patient; of whom follow-up has `ended` nothing is due."""
    consents = tuple(Consent.objects.filter(site_id=patient.site_id, patient_id=patient.pk))
    withdrawals = tuple(ConsentWithdrawal.objects.filter(site_id=patient.site_id, patient_id=patient.pk))
    known = versions()
    place = asked_again(known, today)
    if place is None or ended or patient.vital_status == "dead":
        return Standing(consents, withdrawals, None)
    enough = {version.code for version in known[place:]}
    signed = any(row.agreed_version in enough for row in consents)
    return Standing(consents, withdrawals, None if signed or _enrolled_since(patient, known[place]) else known[place])


def _enrolled_since(patient: Patient, version: FormVersion) -> bool:
    """Whether the patient consented first when the version was in force already."""
    return version.since is not None and patient.consent_date is not None and patient.consent_date >= version.since


_DUE = """
    SELECT p.patient_id FROM registry_patient AS p
    WHERE p.site_id = ANY (%s) AND p.vital_status IS DISTINCT FROM 'dead' AND p.consent_date < %s
      AND NOT EXISTS (SELECT FROM registry_followupend AS e WHERE e.site_id = p.site_id AND e.patient_id = p.patient_id)
      AND NOT EXISTS (SELECT FROM registry_consent AS c WHERE c.site_id = p.site_id AND c.patient_id = p.patient_id
                      AND c.agreed_version = ANY (%s))
    ORDER BY p.patient_id LIMIT %s
"""


def due(site_ids: Iterable[int], today: date, limit: int) -> tuple[FormVersion | None, list[str]]:
    """(the version that is asked for again, numbers of patients of some sites for whom it is due); at most `limit`."""
    known = versions()
    place = asked_again(known, today)
    if place is None:
        return None, []
    codes = [version.code for version in known[place:]]
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [list(site_ids), known[place].since or date.max, codes, limit])
        return known[place], [number for (number,) in cursor.fetchall()]


@transaction.atomic
def record(*, access: Access, patient: Patient, raw: Any, today: Any = None) -> Consent:
    """Record that a patient signed a version of the form. Raises InvalidAnswers, PermissionDenied."""
    require(access, Can.ENTER, patient.site_id)
    Patient.objects.select_for_update().only("pk").get(pk=patient.pk)  # of two at once the second sees the first
    values = _clean(patient, raw, today)
    row = Consent.objects.create(site_id=patient.site_id, patient_id=patient.pk, **values)
    row.refresh_from_db()
    return row


@transaction.atomic
def correct(
    *, access: Access, patient: Patient, row: Consent, raw: Any, version: Any, reason: str, today: Any = None
) -> Consent:
    """Correct a recorded consent, with a reason. Raises InvalidAnswers, Conflict, ReasonRequired, PermissionDenied."""
    require(access, Can.ENTER, patient.site_id)
    row = locked_for_update(Consent, row.pk, version)
    values = _clean(patient, raw, today, row)
    if not reason.strip():
        raise ReasonRequired
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return store_update(row, changed, reason)


def _clean(patient: Patient, raw: Any, today: Any, row: Consent | None = None) -> Any:
    def check(read: Any, unread: Any) -> dict[str, list[Label]]:
        errors = {
            item.name: [NEEDED] for item in ITEMS if read.values.get(item.name) is None and item.name not in unread
        }
        return errors | _version_faults(patient, read.values, row)

    return cleaned_and_checked(ITEMS, raw, {}, check, complete=False, today=today).values


def _version_faults(patient: Patient, values: Any, row: Consent | None) -> dict[str, list[Label]]:
    code, signed, known = values.get("agreed_version"), values.get("agreed_on"), versions()
    if code is None or (
        row is not None and row.agreed_version == code and code not in [form_version.code for form_version in known]
    ):
        return {}
    chosen = next((version for version in known if version.code == code), None)
    if chosen is None:
        fits = ", ".join(version.code for version in known)
        return {"agreed_version": [UNKNOWN_VERSION.format(code=code, fits=fits) if known else NO_VERSION]}
    others = Consent.objects.filter(site_id=patient.site_id, patient_id=patient.pk, agreed_version=code)
    if (others.exclude(pk=row.pk) if row else others).exists():
        return {"agreed_version": [ALREADY]}
    if signed and chosen.since and signed < chosen.since:
        return {"agreed_on": [TOO_EARLY.format(day=chosen.since.isoformat())]}
    if signed and patient.consent_date and signed < patient.consent_date:
        return {"agreed_on": [BEFORE_CONSENT]}
    return {}


@transaction.atomic
def withdraw(*, access: Access, patient: Patient, raw: Any, today: Any = None) -> ConsentWithdrawal:
    """Record that a part of the consent is withdrawn; what it forbids stops at once. Raises InvalidAnswers."""
    require(access, Can.ENTER, patient.site_id)
    Patient.objects.select_for_update().only("pk").get(pk=patient.pk)

    def check(read: Any, unread: Any) -> dict[str, list[Label]]:
        values = read.values
        errors = {
            item.name: [NEEDED]
            for item in WITHDRAWAL_ITEMS
            if values.get(item.name) is None and item.name not in unread
        }
        day = values.get("withdrawn_on")
        if day and patient.consent_date and day < patient.consent_date:
            errors["withdrawn_on"] = [BEFORE_CONSENT]
        if is_withdrawn(patient, values.get("withdrawn_part")):
            errors["withdrawn_part"] = [WITHDRAWN_ALREADY]
        return errors

    values = cleaned_and_checked(WITHDRAWAL_ITEMS, raw, {}, check, complete=False, today=today).values
    row = ConsentWithdrawal.objects.create(
        site_id=patient.site_id,
        patient_id=patient.pk,
        recorded_by_id=access.user_id if access is not None else None,
        **values,
    )
    if row.withdrawn_part == CONTACT:
        ask_no_more(patient)
    return row


def is_withdrawn(patient: Patient, part: Any) -> bool:
    """Whether a part of the consent is withdrawn now."""
    rows = ConsentWithdrawal.objects.filter(site_id=patient.site_id, patient_id=patient.pk, withdrawn_part=part)
    return rows.filter(corrected_at=None).exists()


@transaction.atomic
def correct_withdrawal(*, access: Access, row: ConsentWithdrawal, reason: str) -> ConsentWithdrawal:
    """Say that a withdrawal was recorded wrongly: it holds no longer, and stays on record.

    Raises Conflict where that was said already, ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, row.site_id)
    reason = " ".join(reason.split())[:300]
    if not reason:
        raise ReasonRequired
    row = ConsentWithdrawal.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.corrected_at is not None:
        raise Conflict(row)
    row.corrected_by_id = access.user_id if access is not None else None
    row.corrected_at, row.correction = timezone.now(), reason
    with because(reason):
        row.save(update_fields=["corrected_by", "corrected_at", "correction"])
    return row


def first_of(patient: Patient, raw: Any, today: Any = None) -> Consent | None:
    """Record the consent that came with the enrolment, within its transaction; None where the protocol has no version.

    raw  agreed_version, agreed_language, agreed_taken_by; the day is that of the enrolment. Raises InvalidAnswers.
    """
    if not versions():
        return None
    given = {**raw, "agreed_on": patient.consent_date.isoformat() if patient.consent_date else ""}
    try:
        values = _clean(patient, given, today)
    except InvalidAnswers as error:
        day = error.errors.pop("agreed_on", None)  # which the form asks under another name
        raise InvalidAnswers(error.errors | ({"consent_date": day} if day else {})) from error
    return Consent.objects.create(site_id=patient.site_id, patient_id=patient.pk, **values)
