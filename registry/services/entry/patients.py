"""Enrolling patients and keeping their baseline, surgery, follow-up and adverse events."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.checks import EVENT_CHECKS
from registry.instruments.core.patient import age_on
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Erasure, Identity, Patient, State, Transfer
from registry.services.current_protocol import ARM, minimum_age
from registry.services.entry import known_patients
from registry.services.follow_up.ends import ask_no_more, broken_by_end
from registry.services.records import extras, identity
from registry.services.records.cleaning import InvalidAnswers, broken, cleaned_and_checked
from registry.services.records.storing import (
    ReasonRequired,
    check_may_change,
    check_not_signed,
    locked_for_update,
    require,
    set_values,
    store_update,
)
from registry.services.review.queries import settle
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import with_errors

ENROLMENTS = 0x4D53  # the lock that enrolments at one site take in turn


def items_of(form: Any) -> Any:
    """Every item that a form may store, whatever is switched on."""
    return catalogue.items(PATIENT_FORMS[form].instruments + catalogue.current().extras.get(form, ()))


INELIGIBLE_AGE = Label(
    "The study takes patients of {years} years and over; this patient was {age} on the day of consent.",
    "本研究の対象は{years}歳以上です。同意取得日の年齢は{age}歳です。",
)
NO_CONSENT = Label("A patient is enrolled only with consent.", "同意がない患者は登録できません。")
NOT_ENROLLING = Label(
    "This site takes patients who consent {days}. Another day would fit, or an administrator changes the site's days.",
    "この施設が登録できるのは、同意取得日が{days}の患者です。日付を確認するか、管理者が施設の期間を変更してください。",
)
ALREADY_RECORDED = Label("is already recorded on that day", "同じ日に同じ有害事象が登録されています")


def answers_of(patient: Patient, identifiers: Any = None) -> dict[str, Any | None]:
    """Every answer of a patient by item name; the birth date only where `identifiers` has it."""
    answers = {item.name: getattr(patient, item.name, None) for item in catalogue.current().items_of_patient}
    answers["birth_date"] = (identifiers or {}).get("birth_date")
    return answers


def _wait_for_others(site: Any) -> None:
    """Two enrolments at one site wait for each other here, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ENROLMENTS, site.pk])


def _next_patient_id(site: Any) -> str:
    _wait_for_others(site)  # so that none gets a number twice
    # A number is never given twice, though its patient be erased, moved to another site or was entered in error.
    with with_errors():
        taken = [
            patient_id for model in (Patient, Erasure, Transfer) for patient_id in _longest_last(_numbered(model, site))
        ]
    last = max((int(patient_id.rsplit("-", 1)[1]) for patient_id in taken), default=0)
    return f"{site.code}-{last + 1:04d}"


def _numbered(model: Any, site: Any) -> Any:
    return model.objects.filter(site=site, patient_id__regex=rf"^{site.code}-\d{{4,}}$")


def _longest_last(patients: Any) -> list:
    """The last number, or all of them where their order as text is not that of the numbers: past 9999."""
    last = patients.aggregate(last=Max("patient_id"))["last"]
    return (
        [last]
        if last and len(last.rsplit("-", 1)[1]) == 4 and not last.endswith("9999")
        else list(patients.values_list("patient_id", flat=True))
    )


def with_hospital_number(*, access: Access, site: Any, number: Any) -> list:
    """Patients of a site with this hospital number, for who may see it there; enrolments at the site wait until the
    transaction ends, so that nobody is enrolled between the question and the answer.
    """
    require(access, Can.IDENTIFY, site.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ENROLMENTS, site.pk])
    known = Identity.objects.filter(patient__site=site, hospital_number__isnull=False).select_related("patient")
    return [
        candidate.patient
        for candidate in known.order_by("patient_id")
        if identity.opened(candidate.patient_id, candidate.key, {"hospital_number": candidate.hospital_number})[
            "hospital_number"
        ]
        == number
    ]


class AlreadyEnrolled(Exception):
    """Somebody at the site may be this person: `known` (known_patients.Known) says who, and by what."""

    def __init__(self, known: list[known_patients.Known]) -> None:
        self.known = known
        super().__init__("already enrolled?")


@transaction.atomic
def enrol(
    *,
    access: Access,
    site: Any,
    raw: Any,
    missing: Any = None,
    consented: bool = False,
    hospital_number: str = "",
    initials: str = "",
    today: Any = None,
    other_than: Any = None,
) -> Any:
    """Enrol a patient at `site` and return the Patient, with the site's next number.

    raw       the enrolment form: sex, birth_date, consent_date
    consented that consent was given and the eligibility criteria were checked
    other_than  numbers of patients alike who are known to be other persons; None where nobody can be asked
    Raises InvalidAnswers, PermissionDenied, and AlreadyEnrolled if there is somebody else to ask about.
    """
    require(access, Can.ENTER, site.pk)
    answers = may_be_enrolled(raw, missing, consented, hospital_number, initials, today)
    if refusal := not_enrolling(site, answers.values["consent_date"]):
        raise InvalidAnswers({"consent_date": [refusal]})
    born = answers.values["birth_date"]
    if other_than is not None:
        _ask_who(access, site, born, answers.values["sex"], hospital_number, other_than)
    values = {name: value for name, value in answers.values.items() if name != "birth_date"}
    patient = Patient.objects.create(patient_id=_next_patient_id(site), site=site, missing=answers.missing, **values)
    identity.write(patient, birth_date=born, hospital_number=hospital_number.strip(), initials=initials.strip())
    patient.refresh_from_db()
    return patient


def _ask_who(access: Access, site: Any, born: Any, sex: Any, hospital_number: str, other_than: Any) -> None:
    _wait_for_others(site)  # so that nobody is enrolled between the question and the answer
    known = known_patients.alike(access=access, site=site, born=born, sex=sex, hospital_number=hospital_number)
    if asked := [patient for patient in known if patient.patient_id not in other_than]:
        raise AlreadyEnrolled(asked)


def not_enrolling(site: Any, consent: Any) -> Label | None:
    """Why a site takes nobody who consents on that day, a Label; None if it does, or no day is given."""
    if consent is None or site.enrols(consent):
        return None
    days = (site.activated_on or "", site.closed_on or "")
    return Label(*(NOT_ENROLLING.in_language(code).format(days="–".join(map(str, days))) for code in ("en", "ja")))


def may_be_enrolled(
    raw: Any,
    missing: Any = None,
    consented: bool = False,
    hospital_number: str = "",
    initials: str = "",
    today: Any = None,
) -> Any:
    """The clean `Answers` of an enrolment form, wherever it is to be. Raises InvalidAnswers with every fault."""
    misspelled = identity.misspelled({"hospital_number": hospital_number, "initials": initials})
    return cleaned_and_checked(
        catalogue.ENROLMENT.items,
        raw,
        missing or {},
        lambda read, unread: _not_enrolled(read.values, unread, consented) | misspelled,
        complete=True,
        today=today,
    )


def _not_enrolled(values: Any, unread: Any, consented: Any) -> dict[str, list[Label]]:
    """What stands against enrolling somebody with these values, by item; `unread` could not be read."""
    errors = broken(values)
    born, consent = values.get("birth_date"), values.get("consent_date")
    if not consented or (consent is None and "consent_date" not in unread):
        errors.setdefault("consent_date", []).append(NO_CONSENT)
    elif born is not None and consent is not None and age_on(consent, born) < minimum_age():
        reason = INELIGIBLE_AGE.format(years=minimum_age(), age=age_on(consent, born))
        errors.setdefault("birth_date", []).append(reason)
    return errors


@transaction.atomic
def save_form(
    *,
    access: Access,
    patient: Patient,
    form: Any,
    raw: Any,
    missing: Any = None,
    complete: bool = False,
    version: Any = None,
    reason: str = "",
    said: Any = None,
    today: Any = None,
) -> Any:
    """Save one form of a patient (a key of PATIENT_FORMS) and return the stored Patient.

    said  what the person said about unlikely answers (queries.Said); None where nobody can be asked
    Raises InvalidAnswers, Conflict, Locked, ReasonRequired, PermissionDenied, and Unlikely if there is something
    to ask.
    """
    require(access, Can.ENTER, patient.site_id)
    instruments, state_column = PATIENT_FORMS[form].instruments, PATIENT_FORMS[form].state_column
    row = locked_for_update(Patient, patient.pk, version)
    if state_column:
        check_not_signed(getattr(row, state_column))
    missing, state = missing or {}, getattr(row, state_column) if state_column else None
    completing = extras.is_completing(state)
    asked_by = None if completing else getattr(row, f"{form}_asked_by") or 0
    core = extras.core_items(instruments, row, raw, missing, asked_by=asked_by)
    extra, extra_raw, extra_missing = extras.to_clean(form, row, raw, missing, completing=completing, asked_by=asked_by)
    items = (*core, *extra)
    sent = [item for item in items if item.name in raw or item.name in missing]
    stored = answers_of(row, identity.read(row))

    def check(read: Any, unread: Any) -> dict:
        merged = stored | read.values | dict.fromkeys(unread)
        return {**broken_by_end(row, read.values), **_outside(row, read.values), **broken(merged)}

    answers = cleaned_and_checked(
        items if complete else sent,
        raw | extra_raw,
        missing | extra_missing,
        check,
        complete=complete,
        today=today,
        known=lambda: answers_of(row),
    )
    if state_column:
        check_may_change(getattr(row, state_column), reason)
    _check_arm(row, answers, reason)
    merged = stored | answers.values
    if "birth_date" in answers.values:
        identity.write(row, birth_date=answers.values.pop("birth_date"))
    changed = set_values(row, answers)
    if row.age_at_surgery != (age := _age(merged)) and merged["birth_date"]:
        row.age_at_surgery = age
        changed.append("age_at_surgery")
    if state_column and complete and getattr(row, state_column) == State.DRAFT:
        setattr(row, state_column, State.COMPLETE)
        setattr(row, f"{form}_asked_by", catalogue.current().version or None)
        changed += [state_column, f"{form}_asked_by"]
    row = store_update(row, changed, reason)
    if "vital_status" in changed and row.vital_status == "dead":
        ask_no_more(row)
    settle(row, about=[item.name for item in items], said=said)
    return row


def _check_arm(row: Patient, answers: Any, reason: str) -> None:
    """Another arm than the one assigned needs a reason, in a draft too. Raises ReasonRequired."""
    before = getattr(row, ARM, None)
    if before is not None and answers.values.get(ARM, before) != before and not reason.strip():
        raise ReasonRequired


def _outside(row: Any, values: Any) -> dict[str, list[Label]]:
    """What stands against another day of consent at the patient's site; nothing is read where it stays."""
    consent = values.get("consent_date", row.consent_date)
    refusal = not_enrolling(row.site, consent) if consent != row.consent_date else None
    return {"consent_date": [refusal]} if refusal else {}


def _age(answers: Any) -> int | None:
    born, operated = answers["birth_date"], answers["surgery_date"]
    return age_on(operated, born) if born and operated else None


@transaction.atomic
def save_adverse_event(
    *,
    access: Access,
    patient: Patient,
    raw: Any,
    event: Any = None,
    reason: str = "",
    said: Any = None,
    today: Any = None,
) -> Any:
    """Record an adverse event of `patient`, or correct `event` (with a reason).

    event  as it was read: what somebody else changed since is a Conflict
    said   what the person said about unlikely answers (queries.Said); None where nobody can be asked
    Raises InvalidAnswers, Conflict, Locked, ReasonRequired, PermissionDenied, and Unlikely if there is something
    to ask.
    """
    require(access, Can.ENTER, patient.site_id)

    def check(read: Any, unread: Any) -> dict[str, list[Label]]:
        day = {"kind": read.values.get("kind"), "onset_date": read.values.get("onset_date")}
        twin = AdverseEvent.objects.filter(patient=patient, **day)
        others = twin.exclude(pk=event.pk) if event else twin
        errors = broken(read.values, EVENT_CHECKS)
        return {"kind": [ALREADY_RECORDED], **errors} if not unread & day.keys() and others.exists() else errors

    items = catalogue.items(catalogue.ADVERSE_EVENTS)
    answers = cleaned_and_checked(items, raw, {}, check, complete=True, today=today)
    if event is None:
        row = AdverseEvent.objects.create(patient=patient, site_id=patient.site_id, **answers.values)
    else:
        row = locked_for_update(AdverseEvent, event.pk, event.version)
        check_may_change(row.state, reason)
        row = store_update(row, set_values(row, answers), reason)
    settle(patient, record=row, about=answers.values, said=said)
    return row
