"""Merging two records of one patient, at one site or two: `merged` is taken into `kept`.

Nothing moves and nothing is deleted. What only `merged` has is copied; where both have a form, somebody chooses. Then
`merged` is marked as entered in error, with everything of its own, so that it leaves every count and comes back whole.
Until the next entry in `kept` the merge can be taken back: the copies are marked in their turn, and what they had
replaced counts again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import GeneratedField

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.core.patient import age_on
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import (
    AdverseEvent,
    Assessment,
    Attachment,
    Consent,
    ConsentWithdrawal,
    EnteredInError,
    Erasure,
    FollowUpEnd,
    Merge,
    OwnRecord,
    Patient,
    State,
)
from registry.models.records.moves import LONGEST_REASON
from registry.services.entry import entered_in_error
from registry.services.entry.patients import answers_of
from registry.services.follow_up.ends import ITEMS as END_ITEMS
from registry.services.records import identity
from registry.services.records.cleaning import InvalidAnswers, broken
from registry.services.records.storing import (
    Conflict,
    Locked,
    ReasonRequired,
    as_json,
    locked_for_update,
    require,
    store_update,
)
from registry.services.review.queries import settle
from sites import audit
from sites.database import constraints
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current, everything

KEPT, MERGED = "kept", "merged"
END = "follow_up_end"
EVENT = "event-"
MODELS: dict[str, Any] = {str(kind): model for kind, model in entered_in_error.MODELS.items()} | {END: FollowUpEnd}
EMPTY, SAME, ONLY_KEPT, ONLY_MERGED, DIFFER = "empty", "same", "only_kept", "only_merged", "differ"
# Columns of a row that are its own, and never those of a copy.
OF_ROW = frozenset(("id", "patient", "site", "version", "updated_at", "updated_by_id", "verified", "in_error", "state"))

SAME_RECORD = Label("is this very record", "同じ記録です")
SIGNED = Label(
    "A form that would change is signed: it must be unlocked first.",
    "変更される調査票が署名済みです。先に署名を解除してください。",
)
ERASED = Label(
    "The identifiers or the record of one of them were erased.", "一方の識別情報または記録が削除されています。"
)
ONLY_THERE = Label(
    "{merged} has what only its own record keeps: {what}. Record or attach it at {kept} first, then merge.",
    "{merged}には、その記録だけにあるもの（{what}）があります。先に{kept}に記録または添付してから統合してください。",
)
PARTICIPATION = (
    (Consent, "agreed_version", Label("consents", "同意")),
    (ConsentWithdrawal, "withdrawn_part", Label("withdrawals of parts of the consent", "同意の一部撤回")),
    (Attachment, "", Label("attached files", "添付ファイル")),
)
ANOTHER_END = Label("an end of follow-up that is another than here", "異なる内容の追跡終了")
CHOOSE = Label("Both have it: choose which one stays.", "両方にあります。残すほうを選んでください。")
log = logging.getLogger(__name__)

MISFIT = Label(
    "What would stay does not fit together: the database refused it. Choose otherwise, or correct one of them first.",
    "残す値どうしが矛盾するため、登録できません。別の選択をするか、先に修正してください。",
)
ENTERED_SINCE = Label(
    "Something has been entered since the merge: it can no longer be taken back as a whole.",
    "統合後に入力があったため、統合全体を取り消すことはできません。",
)


@dataclass(frozen=True)
class Part:
    """A form of which either record, or both, have something.

    code         a code of PATIENT_FORMS, or of a timepoint, or `event-` and the merged AdverseEvent's number
    state        SAME, ONLY_KEPT, ONLY_MERGED or DIFFER
    differences  [(name of column, row kept, the same merged)], for DIFFER
    """

    code: str
    state: str
    differences: tuple[tuple[str, Any, Any], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What a merge would do: the parts, and how much goes along or stays behind with `merged`."""

    parts: tuple[Part, ...]
    events: int = 0
    same_events: int = 0
    own_records: int = 0
    signed: int = 0
    versions: dict[str, Any] = field(default_factory=dict)

    @property
    def to_choose(self) -> list[str]:
        return [part.code for part in self.parts if part.state == DIFFER]


def compare(remaining: Patient, merged: Patient) -> Comparison:
    """The `Comparison` of two records, under a scope that reaches both."""
    theirs, ours = _visits(merged), _visits(remaining)
    events, known = _events(merged), {_key(event): event for event in _events(remaining)}
    records, ours_too = _records(merged), list(map(_contents, _records(remaining)))
    parts = [_part(form, remaining, merged, names_of(form)) for form in PATIENT_FORMS]
    parts += [_visit(code, ours.get(code), theirs.get(code)) for code in dict.fromkeys((*ours, *theirs))]
    both = [(event, known[_key(event)]) for event in events if _key(event) in known]
    parts += [part for event, same in both if (part := _event(event, same)).state == DIFFER]
    ends = FollowUpEnd.objects.filter(pk__in=[remaining.pk, merged.pk])
    rows = [remaining, merged, *ours.values(), *theirs.values(), *events, *known.values(), *records, *ends]
    return Comparison(
        tuple(part for part in parts if part.state != EMPTY),
        events=len(events) - len(both),
        same_events=len(both),
        own_records=sum(_contents(record) not in ours_too for record in records),
        signed=entered_in_error.hangs_on(merged).signed,
        versions={f"{row._meta.model_name}-{row.pk}": {"version": row.version} for row in rows},
    )


def _event(event: AdverseEvent, same: AdverseEvent) -> Part:
    """The merged record's event beside the kept one's of that kind and day."""
    return _part(f"{EVENT}{event.pk}", same, event, names_of(EVENT))


def names_of(form: Any) -> tuple[str, ...]:
    """Columns of the row that hold the answers of one of a patient's forms, of an assessment, or of an EVENT."""
    model: Any
    first: tuple[str, ...]
    if form in PATIENT_FORMS:
        model, first, core, extras = Patient, (), PATIENT_FORMS[form].instruments, form
    elif form == EVENT:
        model, first, core, extras = AdverseEvent, (), catalogue.ADVERSE_EVENTS, "adverse_event"
    else:
        model, first, core, extras = Assessment, (ASSESSMENT_DATE.name,), catalogue.ASSESSMENT, "assessment"
    stored = {column.name for column in model._meta.concrete_fields}
    items = catalogue.items((*core, *catalogue.current().extras.get(extras, ())))
    return (*first, *(item.name for item in items if item.name in stored))


def _part(code: Any, remaining: Any, merged: Any, names: Any) -> Part:
    begun = [any(_answer(row, name) is not None for name in names) for row in (remaining, merged)]
    unlike = tuple((name, remaining, merged) for name in names if _answer(remaining, name) != _answer(merged, name))
    if begun == [True, True]:
        return Part(code, DIFFER if unlike else SAME, unlike)
    return Part(code, ONLY_KEPT if begun[0] else ONLY_MERGED if begun[1] else EMPTY)


def _visit(code: Any, remaining: Any, merged: Any) -> Part:
    if remaining is None or merged is None:
        return Part(code, ONLY_MERGED if remaining is None else ONLY_KEPT)
    return _part(code, remaining, merged, names_of(code))


def _answer(row: Any, name: str) -> Any:
    value = getattr(row, name)
    return getattr(row, "missing", {}).get(name) if value is None else value


def _of(model: Any, patient: Patient) -> Any:
    return model.objects.filter(site_id=patient.site_id, patient_id=patient.pk, in_error=None)


def _visits(patient: Patient) -> dict[str, Any]:
    return {visit.timepoint_id: visit for visit in _of(Assessment, patient).order_by("timepoint__position", "pk")}


def _events(patient: Patient) -> list[Any]:
    return list(_of(AdverseEvent, patient).order_by("onset_date", "pk"))


def _records(patient: Patient) -> list[Any]:
    return list(_of(OwnRecord, patient).order_by("pk"))


def _key(event: Any) -> tuple:
    return event.kind, event.onset_date


def _contents(row: Any) -> dict[str, Any]:
    """What a copy of a row has of it."""
    return {
        column.name: getattr(row, column.name)
        for column in row._meta.concrete_fields
        if column.name not in OF_ROW and not isinstance(column, GeneratedField)
    }


@transaction.atomic
def merge(
    *, access: Access, remaining: Patient, merged: Patient, choices: dict[str, str], reason: Any, check: Any = None
) -> Merge:
    """Take the record `merged` into `kept`, and return the Merge.

    choices  code of each part that both have differently, to KEPT or MERGED
    reason   at most 300 characters, without anything that identifies
    check    called with the `Comparison` under the locks: raises where it is not what the person saw
    Raises PermissionDenied, ReasonRequired, Locked, Conflict, and InvalidAnswers by part, `with` or "".
    """
    for patient in (remaining, merged):
        require(access, Can.RECONCILE, patient.site_id)
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if remaining.pk == merged.pk:
        raise InvalidAnswers({"with": [SAME_RECORD]})
    if not reason:
        raise ReasonRequired
    with everything(user_id=access.user_id if access else None, reason=reason):
        rows = {number: _locked(number) for number in sorted((remaining.pk, merged.pk))}  # two at once: in one order
        remaining, merged = rows[remaining.pk], rows[merged.pk]
        if Erasure.objects.filter(patient_id__in=rows).exists():
            raise InvalidAnswers({"": [ERASED]})
        if left_behind := _left_behind(remaining, merged):
            raise InvalidAnswers({"": [left_behind]})
        comparison = compare(remaining, merged)
        if check is not None:
            check(comparison)
        taken = _taken(comparison, choices)
        try:
            with transaction.atomic():
                return _carried_out(remaining, merged, comparison, taken, reason)
        except (IntegrityError, ValidationError) as error:
            log.warning("merge refused: %s", constraints.broken(error))
            raise InvalidAnswers({"": [MISFIT]}) from None


def _left_behind(remaining: Patient, merged: Patient) -> Label | None:
    """What a merge would leave with the record that counts no more, in words: it may not get lost, and is not copied.

    A consent or a withdrawal that `kept` has too is none; a file is always one.
    """
    kinds = []
    for model, column, label in PARTICIPATION:
        held = {"corrected_at": None} if model is ConsentWithdrawal else {}
        held |= {"removed_at": None} if model is Attachment else {}
        known = _of(model, remaining).filter(**held).values_list(column, flat=True) if column else ()
        theirs = _of(model, merged).filter(**held)
        if (theirs.exclude(**{f"{column}__in": list(known)}) if column else theirs).exists():
            kinds.append(label)
    ends = [_end(patient) for patient in (remaining, merged)]
    if None not in ends and ends[0] != ends[1]:
        kinds.append(ANOTHER_END)
    if not kinds:
        return None
    what = Label(", ".join(kind.en for kind in kinds), "、".join(kind.ja for kind in kinds))
    return ONLY_THERE.format(merged=merged.pk, kept=remaining.pk, what=what)


def _end(patient: Patient) -> dict[str, Any] | None:
    """The answers of how a patient's follow-up ended, or None."""
    end = FollowUpEnd.objects.filter(pk=patient.pk).first()
    return {item.name: getattr(end, item.name) for item in END_ITEMS} if end else None


def _locked(number: str) -> Any:
    """The row of a patient who counts, locked; Conflict for one that was marked meanwhile."""
    try:
        return locked_for_update(Patient, number, None)
    except Patient.DoesNotExist:
        raise Conflict(None) from None


def _taken(comparison: Comparison, choices: dict[str, str]) -> set[str]:
    """Codes of the parts that come from the merged record. Raises InvalidAnswers where somebody has to choose."""
    open_parts = [code for code in comparison.to_choose if choices.get(code) not in (KEPT, MERGED)]
    if open_parts:
        raise InvalidAnswers({code: [CHOOSE] for code in open_parts})
    chosen = {code for code in comparison.to_choose if choices[code] == MERGED}
    return chosen | {part.code for part in comparison.parts if part.state == ONLY_MERGED}


def _carried_out(remaining: Any, merged: Any, comparison: Comparison, taken: set[str], reason: str) -> Merge:
    sources = {
        "visits": _visits(merged),
        "events": _events(merged),
        "own": _records(merged),
        "end": _end(merged),
    }
    # The mark first: it refuses what is signed, and two records that count never have the same answers twice.
    entry = entered_in_error.marked(row=merged, version=None, reason=reason, merged_into=remaining.pk)
    before = _take_forms(remaining, merged, [form for form in PATIENT_FORMS if form in taken], reason)
    copied = [*_copies(remaining, sources, taken, reason), *_take_end(remaining, sources["end"])]
    remaining = Patient.objects.get(pk=remaining.pk)
    settle(remaining)
    done = Merge.objects.create(
        site_id=remaining.site_id,
        patient_id=remaining.pk,
        merged=merged.pk,
        entry=entry.pk,
        reason=reason,
        copied=copied,
        before=before,
        version=remaining.version,
        merged_by_id=current().user_id,
    )
    audit.record_for_sites(
        "records_merged",
        {remaining.site_id, merged.site_id},
        table=Patient._meta.db_table,
        row_id=remaining.pk,
        detail={"kept": remaining.pk, "merged": merged.pk},
    )
    return done


def _take_forms(remaining: Any, merged: Any, forms: list[str], reason: str) -> dict[str, Any]:
    """Put the answers of some of the patient's own forms into `kept`; returns what was replaced, as JSON has it.

    The identifiers stay those of `kept`: the site's own people keep them.
    """
    if not forms:
        return {}
    columns = []
    for form in forms:
        declared = PATIENT_FORMS[form]
        if declared.state_column and getattr(remaining, declared.state_column) == State.LOCKED:
            raise Locked
        columns += [*names_of(form), *filter(None, (declared.state_column, declared.asked_by_column))]
    if "surgery" in forms:
        columns.append("age_at_surgery")
    before = {name: as_json(getattr(remaining, name)) for name in columns} | {"missing": remaining.missing}
    names = {name for form in forms for name in names_of(form)}
    for name in columns:
        setattr(remaining, name, _state(getattr(merged, name)) if name.endswith("_state") else getattr(merged, name))
    remaining.missing = {name: why for name, why in remaining.missing.items() if name not in names} | {
        name: why for name, why in merged.missing.items() if name in names
    }
    answers = answers_of(remaining, identity.read(remaining))
    if errors := broken(answers):
        raise InvalidAnswers({"": [reasons[0] for reasons in errors.values()]})
    if answers["birth_date"] and remaining.surgery_date:
        remaining.age_at_surgery = age_on(remaining.surgery_date, answers["birth_date"])
    store_update(remaining, [*columns, "missing"], reason)
    return before


def _state(state: Any) -> Any:
    """What was compared with the source, or signed, was the other record."""
    return State.DRAFT if state == State.DRAFT else State.COMPLETE


def _copies(remaining: Any, sources: Any, taken: set[str], reason: str) -> Iterator[dict[str, Any]]:
    """Copy visits, events and own records; yields what `Merge.copied` keeps of each."""
    ours = _visits(remaining)
    for code, visit in sources["visits"].items():
        if code in taken:
            replaced = code in ours and entered_in_error.marked(row=ours[code], version=None, reason=reason)
            yield _copy(remaining, visit, replaced.pk if replaced else None)
    known = {_key(event): event for event in _events(remaining)}
    for event in sources["events"]:
        same = known.get(_key(event))
        if same is None:
            yield _copy(remaining, event, None)
        elif f"{EVENT}{event.pk}" in taken:
            yield _copy(remaining, event, entered_in_error.marked(row=same, version=None, reason=reason).pk)
    ours_too = list(map(_contents, _records(remaining)))
    yield from (_copy(remaining, record, None) for record in sources["own"] if _contents(record) not in ours_too)


def _copy(remaining: Any, row: Any, replaced: Any) -> dict[str, Any]:
    model = type(row)
    copy = model.objects.create(
        patient_id=remaining.pk, site_id=remaining.site_id, state=_state(row.state), **_contents(row)
    )
    copy.refresh_from_db()
    return {
        "form": str(entered_in_error.KINDS[model]),
        "record": copy.pk,
        "version": copy.version,
        "replaced": replaced,
    }


def _take_end(remaining: Any, end: Any) -> Iterator[dict[str, Any]]:
    """A withdrawal or loss that was recorded there holds here, unless one is recorded here already."""
    if end is None or FollowUpEnd.objects.filter(pk=remaining.pk).exists():
        return
    row = FollowUpEnd.objects.create(patient_id=remaining.pk, site_id=remaining.site_id, **end)
    row.refresh_from_db()
    yield {"form": END, "record": remaining.pk, "version": row.version, "replaced": None}


def merges_of(patient: Patient) -> list[Merge]:
    """The Merges into a patient's record that hold, newest first."""
    return list(Merge.objects.filter(site_id=patient.site_id, patient_id=patient.pk, taken_back_at=None))


@transaction.atomic
def take_back(*, access: Access, done: Merge, reason: Any) -> Merge:
    """Undo a merge: `merged` counts again as it was, and `kept` is as before. Returns the Merge.

    Raises PermissionDenied, ReasonRequired, Conflict where it was taken back already, and InvalidAnswers where
    something was entered since.
    """
    with everything(in_error=True):
        merged_site = Patient.objects.values_list("site_id", flat=True).get(pk=done.merged)
    for site_id in (done.site_id, merged_site):
        require(access, Can.RECONCILE, site_id)
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise ReasonRequired
    with everything(user_id=access.user_id if access else None, reason=reason, in_error=True):
        for number in sorted((done.patient_id, done.merged)):
            locked_for_update(Patient, number, None)
        done = Merge.objects.select_for_update().get(pk=done.pk)
        if done.taken_back_at is not None:
            raise Conflict(done)
        remaining = Patient.objects.get(pk=done.patient_id)
        if entered_since(done, remaining):
            raise InvalidAnswers({"": [ENTERED_SINCE]})
        for part in done.copied:
            _uncopied(part, reason)
        _put_back(remaining, done.before, reason)
        entered_in_error.taken_back(entry=EnteredInError.objects.get(pk=done.entry), reason=reason)
        done.taken_back_by_id, done.taken_back_reason, done.taken_back_at = current().user_id, reason, done.merged_at
        done.save(update_fields=["taken_back_by", "taken_back_reason", "taken_back_at"])
        settle(Patient.objects.get(pk=remaining.pk))
        return done


def entered_since(done: Merge, remaining: Patient) -> bool:
    """Whether anything was entered in the patient's record since the merge, under a scope that reaches it."""
    if remaining.version != done.version or remaining.in_error is not None:
        return True
    for part in done.copied:
        row = MODELS[part["form"]].objects.filter(pk=part["record"]).first()
        if row is None or row.version != part["version"] or row.in_error is not None:
            return True
    return any(
        _of(model, remaining).filter(updated_at__gt=done.merged_at).exclude(pk__in=_keys(done, model)).exists()
        for model in (Assessment, AdverseEvent, OwnRecord)
    )


def _keys(done: Merge, model: Any) -> list[Any]:
    return [part["record"] for part in done.copied if MODELS[part["form"]] is model]


def _uncopied(part: dict[str, Any], reason: str) -> None:
    model = MODELS[part["form"]]
    if model is FollowUpEnd:
        FollowUpEnd.objects.filter(pk=part["record"]).delete()
        return
    entered_in_error.marked(row=model.objects.get(pk=part["record"]), version=None, reason=reason)
    if part["replaced"]:
        entered_in_error.taken_back(entry=EnteredInError.objects.get(pk=part["replaced"]), reason=reason)


def _put_back(remaining: Any, before: dict[str, Any], reason: str) -> None:
    if not before:
        return
    for name, value in before.items():
        setattr(remaining, name, _read(name, value))
    store_update(remaining, list(before), reason)


def _read(name: str, value: Any) -> Any:
    """A stored value from what JSON has of it (`as_json`)."""
    column: Any = Patient._meta.get_field(name)
    return value if name == "missing" or value is None else column.to_python(value)
