"""Recording and correcting assessments."""

from functools import lru_cache
from typing import Any

from registry.instruments import catalogue
from registry.instruments.base import Item, Label
from registry.instruments.keys import ASSESSMENT_DATE
from registry.models import Assessment, Patient, State
from registry.services.follow_up.schedule import ensure_timepoint
from registry.services.records import drafts, extras
from registry.services.records.cleaning import cleaned_and_checked
from registry.services.records.storing import (
    Conflict,
    check_may_change,
    check_not_signed,
    in_a_transaction,
    require,
    set_values,
    store_update,
)
from registry.services.review.queries import OPEN_OF_ASSESSMENT, weigh
from registry.services.review.soft_checks import of_patient_asked
from sites.database.fast_rows import Rows, insert, lock, rows_of
from sites.tenancy.access import Access, Can

ITEMS = catalogue.items(catalogue.ASSESSMENT)  # the core, as it is asked where the protocol says nothing else
KEYS = ("patient_id", "site_id", "timepoint_id", "missing", "state", "asked_by")
CHANGING = ("missing", "state", "asked_by")  # besides the answers
ASKED = (OPEN_OF_ASSESSMENT, drafts.OF_ASSESSMENT)  # of what is stored, by the statement that stores it
DERIVED = tuple(derived for instrument in catalogue.OF_ASSESSMENT for derived in instrument.derived)
NOT_OFFERED = Label("“{v}” is only for a patient whose death is on record", "「{v}」は死亡が記録された患者のみの値です")
DATE_REQUIRED = Label("needs the day of the assessment", "評価日を入力してください")


def save_assessment(
    *,
    access: Access,
    patient: Patient,
    timepoint: Any,
    raw: Any,
    missing: Any = None,
    complete: bool = False,
    version: Any = None,
    reason: str = "",
    said: Any = None,
    today: Any = None,
    row: Assessment | None = None,
) -> Any:
    """Save the assessment of `patient` at `timepoint` (a code) and return it.

    raw, missing  item name to what was typed, and to reason code; `assessment_date` is in raw
    complete      every item needs a value or a reason, and the form leaves the draft state
    version       the version that was read, or None for a new assessment
    row           the stored record where the caller has it `locked` already
    said          what the person said about unlikely answers (queries.Said); None where nobody can be asked
    What is returned says by `may_leave_queries = False` where no query of a rule is open about it, and by
    `may_leave_draft = False` where whoever saved it has no draft of it.
    Raises InvalidAnswers, Conflict (someone else saved first), Locked, ReasonRequired, PermissionDenied, and Unlikely
    if there is something to ask. Then nothing is stored, and a transaction that was open before can go on.
    """
    require(access, Can.ENTER, patient.site_id)
    if version is None:
        return _record(patient, timepoint, raw, missing or {}, complete, said, today)
    return _correct(patient, timepoint, row, raw, missing or {}, complete, version, reason, said, today)


def looked_at() -> tuple[str, ...] | None:
    """Names of a patient's columns that saving an assessment looks at; None where a condition of the study's own may
    look at any of them."""
    if catalogue.current().conditions:
        return None
    return _looked_at(rows_of(Patient), of_patient_asked("assessment"))


@lru_cache(maxsize=8)
def _looked_at(stored: Rows, asked: frozenset[str]) -> tuple[str, ...]:
    # Who and where it is, whether the plan and the checks of age have a day of surgery, whether the patient has died.
    names = {"patient_id", "site_id", "surgery_date", "age_at_surgery", "vital_status", *asked}
    return tuple(name for name in stored.names if name in names)


def locked(patient: Patient, timepoint: Any) -> Any:
    """The Assessment of `patient` at a timepoint, locked until the end of the transaction; None where there is none."""
    return lock(Assessment, "patient_id = %s AND timepoint_id = %s", [patient.pk, timepoint])


@in_a_transaction
def _correct(
    patient: Patient,
    timepoint: Any,
    row: Any,
    raw: Any,
    missing: Any,
    complete: bool,
    version: Any,
    reason: Any,
    said: Any,
    today: Any,
) -> Any:
    # As with a new one, whatever refuses does so before anything is written.
    row = row or locked(patient, timepoint)
    if row is None or row.version != version:
        raise Conflict(row)
    check_not_signed(row.state)
    answers = _clean(row, patient, timepoint, raw, missing, complete or row.state != State.DRAFT, today)
    check_may_change(row.state, reason)
    changed = set_values(row, answers)
    if complete and row.state == State.DRAFT:
        row.state, row.asked_by = State.COMPLETE, catalogue.current().version or None
        changed += ["state", "asked_by"]
    _derive(row)
    weighed = weigh(patient, record=row, about=_names(), said=said) if row.state != State.DRAFT else None
    row = store_update(row, changed, reason, asked=ASKED, beside=(*CHANGING, *answers.values))
    if weighed:
        row.may_leave_queries = weighed.settle(is_open=row.may_leave_queries if changed else None)
    return row


def _derive(row: Any) -> None:
    """Give a record that is not stored yet what the database will compute of it."""
    answers = {name: getattr(row, name) for name in _names()}
    for derived in DERIVED:
        setattr(row, derived.name, derived.compute(answers))


@in_a_transaction
def _record(
    patient: Patient, timepoint: Any, raw: Any, missing: Any, complete: bool, said: Any, today: Any
) -> Assessment:
    # Whatever refuses does so before anything is written, so that there is nothing for a savepoint to undo.
    answers = _clean(None, patient, timepoint, raw, missing, complete, today)
    row = Assessment(
        patient_id=patient.pk,
        site_id=patient.site_id,
        timepoint_id=timepoint,
        missing=answers.missing,
        state=State.COMPLETE if complete else State.DRAFT,
        asked_by=catalogue.current().version or None if complete else None,
        **answers.values,
    )
    _derive(row)
    weighed = weigh(patient, record=row, about=_names(), said=said) if complete else None
    ensure_timepoint(timepoint)
    if not insert(row, (*KEYS, *answers.values), ASKED):
        raise Conflict(Assessment.objects.filter(patient_id=patient.pk, timepoint_id=timepoint).first())
    if weighed:
        row.may_leave_queries = weighed.settle(is_open=row.may_leave_queries)
    return row


def known_items() -> Any:
    return catalogue.current().items_of_patient


def _names() -> Any:
    return _names_in(catalogue.current())


@lru_cache(maxsize=8)
def _names_in(protocol: catalogue.Catalogue) -> tuple[str, ...]:
    return (ASSESSMENT_DATE.name, *(item.name for item in protocol.items_of_assessment))


@lru_cache(maxsize=8)
def _with_hidden_codes(protocol: catalogue.Catalogue) -> tuple[Item, ...]:
    return tuple(item for item in protocol.items_of_assessment if item.hidden_codes)


def _clean(row: Any, patient: Patient, timepoint: Any, raw: Any, missing: Any, complete: bool, today: Any) -> Any:
    completing = row is None or extras.is_completing(row.state)
    asked_by = None if completing else row.asked_by or 0
    core = extras.core_items(catalogue.ASSESSMENT, row, raw, missing, visit=timepoint, asked_by=asked_by)
    extra, extra_raw, extra_missing = extras.to_clean(
        "assessment", row, raw, missing, completing=completing, visit=timepoint, asked_by=asked_by
    )

    def check(read: Any, unread: Any) -> dict | dict[str, list[Label]]:
        errors = _codes_of_death(patient, read, row)
        if read.values.get("assessment_date") is None and "assessment_date" not in unread:
            errors["assessment_date"] = [DATE_REQUIRED]
        return errors

    return cleaned_and_checked(
        (ASSESSMENT_DATE, *core, *extra),
        raw | extra_raw,
        missing | extra_missing,
        check,
        complete=complete,
        today=today,
        known=lambda: {item.name: getattr(patient, item.name, None) for item in known_items()},
    )


def _codes_of_death(patient: Patient, answers: Any, row: Any = None) -> dict | dict[str, list[Label]]:
    """No form offers ECOG 5 or KPS 0: they are for patients whose death is on record; what a file brought may stay."""
    if patient.vital_status == "dead":
        return {}
    return {
        item.name: [_not_offered(item.choice(value).label)]
        for item in _with_hidden_codes(catalogue.current())
        if (value := answers.values.get(item.name)) in item.hidden_codes and value != getattr(row, item.name, None)
    }


def _not_offered(label: Any) -> Label:
    return Label(NOT_OFFERED.en.format(v=label.en), NOT_OFFERED.ja.format(v=label.ja))
