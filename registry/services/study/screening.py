"""Screening log of a site: adding a line, correcting it, enrolling from it, and what it counts before enrolment.

A flow begins with whom the sites looked at (STROBE item 13, doi:10.1371/journal.pmed.0040296). Everybody enrolled was
screened, found eligible and consented, in the log or not; so its numbers add up with the enrolled of the registry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from registry.instruments.base import Choice, Label
from registry.instruments.core import screening as declared
from registry.models import Patient, ScreeningEntry
from registry.services.current_protocol import document_of, version
from registry.services.records.cleaning import InvalidAnswers, cleaned_and_checked
from registry.services.records.storing import ReasonRequired, locked_for_update, require, store_update
from sites.tenancy.access import Access, Can

ITEMS = declared.SCREENING.items
NUMBERS = 0x4D53_51  # the lock that new lines of one site take in turn

NEEDS_REASON = Label("Say why: choose one of the reasons for this outcome.", "この結果の理由を選択してください。")
NO_REASON = Label("This outcome has no reason: leave it empty.", "この結果に理由は不要です。空欄にしてください。")
OTHER_REASON = Label(
    "This reason does not go with the outcome; one of these would: {fits}",
    "結果に合わない理由です。選択できる理由：{fits}",
)
NO_CRITERION = Label(
    "Only where a criterion of the protocol is the reason.", "理由が「研究計画書の基準」の場合のみ入力します。"
)
UNKNOWN_CRITERION = Label(
    "“{code}” is no criterion of the protocol; one of these is: {fits}",
    "「{code}」は研究計画書の基準にありません。選択できる基準：{fits}",
)
FIXED = Label(
    "This person is enrolled as {patient}: the line stays “enrolled”.", "{patient}として登録済みのため変更できません。"
)
BY_ENROLLING = Label("Enrol the person from the log instead.", "ログから登録してください。")


def criteria() -> tuple[Choice, ...]:
    """The criteria of eligibility that the protocol has now, inclusion first."""
    about = document_of(version()).get("study") or {}
    declared_criteria = (*(about.get("inclusion") or ()), *(about.get("exclusion") or ()))
    return tuple(
        Choice(
            criterion["code"],
            Label(criterion["label"].get("en", ""), criterion["label"].get("ja") or criterion["label"].get("en", "")),
        )
        for criterion in declared_criteria
    )


@transaction.atomic
def add(*, access: Access, site: Any, raw: Any, today: Any = None) -> ScreeningEntry:
    """Add a line to the log of a site, under its next number. Raises InvalidAnswers, PermissionDenied."""
    require(access, Can.ENTER, site.pk)
    values = _clean(raw, today)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [NUMBERS, site.pk])
    last = ScreeningEntry.objects.filter(site=site).aggregate(last=Max("number"))["last"] or 0
    entry = ScreeningEntry.objects.create(site=site, number=last + 1, **values)
    entry.refresh_from_db()
    return entry


@transaction.atomic
def correct(
    *, access: Access, entry: ScreeningEntry, raw: Any, version: Any, reason: str, today: Any = None
) -> ScreeningEntry:
    """Correct a line, or say what became of the person. A reason is needed once the outcome was more than “screened”.

    version  of the line as it was seen
    Raises InvalidAnswers, Conflict, ReasonRequired, PermissionDenied.
    """
    require(access, Can.ENTER, entry.site_id)
    row = locked_for_update(ScreeningEntry, entry.pk, version)
    values = _clean(raw, today, row)
    if row.screen_outcome not in (declared.BEING_ASSESSED, declared.ELIGIBLE, declared.CONSENTED) and not (
        reason.strip()
    ):
        raise ReasonRequired
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return store_update(row, changed, reason)


def _clean(raw: Any, today: Any, row: ScreeningEntry | None = None) -> dict:
    if raw.get("screen_outcome") == declared.IN_ERROR:
        raw = {**raw, "screen_reason": "", "screen_criterion": ""}
    answers = cleaned_and_checked(
        ITEMS, raw, {}, lambda read, unread: _errors(read.values, unread, row), complete=False, today=today
    )
    return answers.values


def _errors(values: Any, unread: Any, row: ScreeningEntry | None) -> dict[str, list[Label]]:
    errors = {}
    for name in ("screened_on", "screen_outcome"):
        if values.get(name) is None and name not in unread:
            errors[name] = [Label("is needed", "必須です")]
    outcome = values.get("screen_outcome")
    if row is not None and row.patient_id and outcome not in (declared.ENROLLED, declared.IN_ERROR):
        errors["screen_outcome"] = [FIXED.format(patient=row.patient_id)]
    elif outcome == declared.ENROLLED and not (row is not None and row.patient_id):
        errors["screen_outcome"] = [BY_ENROLLING]
    if "screen_reason" not in unread and (fault := _reason_fault(outcome, values.get("screen_reason"))):
        errors["screen_reason"] = [fault]
    if fault := _criterion_fault(values.get("screen_reason"), values.get("screen_criterion")):
        errors["screen_criterion"] = [fault]
    return errors


def _reason_fault(outcome: Any, reason: Any) -> Label | None:
    fitting = declared.REASONS.get(outcome, ())
    if not fitting:
        return NO_REASON if reason and outcome is not None else None
    if reason is None:
        return NEEDS_REASON
    if reason not in [choice.code for choice in fitting]:
        return _listed(OTHER_REASON, fitting)
    return None


def _criterion_fault(reason: Any, criterion: Any) -> Label | None:
    if criterion is None:
        return None
    if reason != declared.CRITERION:
        return NO_CRITERION
    known = criteria()
    if criterion not in [choice.code for choice in known]:
        return _listed(UNKNOWN_CRITERION, known, code=criterion)
    return None


def _listed(said: Label, choices: Iterable[Choice], **more: Any) -> Label:
    labels = [choice.label for choice in choices]
    return Label(
        said.en.format(fits=", ".join(label.en for label in labels), **more),
        said.ja.format(fits="、".join(label.ja for label in labels), **more),
    )


def may_be_enrolled(entry: ScreeningEntry) -> bool:
    """Whether somebody can be enrolled from this line."""
    return entry.patient_id is None and entry.screen_outcome in (
        declared.BEING_ASSESSED,
        declared.ELIGIBLE,
        declared.CONSENTED,
    )


def enrolled(entry: ScreeningEntry, patient: Patient) -> None:
    """The person of this line became a patient; within the transaction that enrols. Raises InvalidAnswers."""
    row = locked_for_update(ScreeningEntry, entry.pk, None)
    if row.site_id != patient.site_id or not may_be_enrolled(row):
        raise InvalidAnswers({"screening": [FIXED.format(patient=row.patient_id or "–")]})
    row.screen_outcome, row.patient_id = declared.ENROLLED, patient.pk
    store_update(row, ["screen_outcome", "patient_id"], "")


# What it counts


@dataclass
class Screened:
    """How many persons of some sites were screened and left before enrolment, by what became of them and why.

    left  outcome to {reason: number}; a reason is "" where the outcome has none
    """

    left: dict[str, dict[str, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.left)

    def n(self, *outcomes: str) -> int:
        return sum(sum(self.left.get(outcome, {}).values()) for outcome in outcomes)

    def reasons(self, *outcomes: str) -> dict[str, int]:
        """Reason to number, the most frequent first; of persons whose outcome has no reason, the outcome itself."""
        counted: dict[str, int] = {}
        for outcome in outcomes:
            for reason, n in self.left.get(outcome, {}).items():
                counted[reason or outcome] = counted.get(reason or outcome, 0) + n
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))

    def steps(self, enrolled: int) -> list[dict]:
        """The steps of a flow up to the enrolled, whose number is given: dicts with step, n and, after the first,
        excluded and why (reason to number). Empty where nobody kept a log."""
        if not self.left:
            return []
        stages = (
            ("eligible", (declared.NOT_ELIGIBLE, declared.BEING_ASSESSED)),
            ("consented", (declared.DECLINED, declared.NOT_APPROACHED, declared.ELIGIBLE)),
            ("enrolled", (declared.CONSENTED,)),
        )
        remaining = enrolled + self.n(*(outcome for _step, outcomes in stages for outcome in outcomes))
        steps: list[dict] = [{"step": "screened", "n": remaining}]
        for step, outcomes in stages:
            remaining -= self.n(*outcomes)
            steps.append({"step": step, "n": remaining, "excluded": self.n(*outcomes), "why": self.reasons(*outcomes)})
        return steps

    def add(self, other: "Screened") -> None:
        for outcome, reasons in other.left.items():
            into = self.left.setdefault(outcome, {})
            for reason, n in reasons.items():
                into[reason] = into.get(reason, 0) + n


def by_site(table: str = ScreeningEntry._meta.db_table) -> dict[int, Screened]:
    """Site id to its Screened, of the sites in scope that keep a log; the registry counts whoever is enrolled.

    table  that of a snapshot (`Source.screening`), where it is not the registry's own; "" for none
    """
    counted: dict[int, Screened] = {}
    if not table:
        return counted
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT site_id, screen_outcome, screen_reason, count(*) FROM {table} WHERE screen_outcome <> %s "
            "GROUP BY 1, 2, 3",
            [declared.IN_ERROR],
        )
        rows = cursor.fetchall()
    for site_id, outcome, reason, n in rows:
        of_site = counted.setdefault(site_id, Screened())
        if outcome == declared.ENROLLED:
            of_site.left.setdefault(outcome, {})
        else:
            of_site.left.setdefault(outcome, {})[reason or ""] = n
    return counted


def of_sites(site_ids: Iterable[int]) -> Screened:
    """The Screened of some sites together."""
    wanted = set(site_ids)
    return together(of_site for site_id, of_site in by_site().items() if site_id in wanted)


def together(some: Iterable[Screened]) -> Screened:
    """The sum of several Screened."""
    whole = Screened()
    for screened in some:
        whole.add(screened)
    return whole
