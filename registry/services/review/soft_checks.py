"""What the soft checks find in a patient's forms, across all of them: for one patient here, for sets in `sweeping`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

from registry.instruments import catalogue, checks, extras, levels
from registry.instruments.patient_forms import PATIENT_FORMS
from registry.models import AdverseEvent, Assessment, OwnRecord, Patient, QueryForm, State
from registry.protocol import evaluate
from registry.services.follow_up import schedule
from registry.services.records.extras import switched_on
from registry.services.records.storing import as_json

PATIENT_NAMES = frozenset(catalogue.PATIENT_COLUMNS) | {
    name for instrument in catalogue.PATIENT_EXTRAS for name in instrument.part_names
}


def patient_names() -> frozenset[str | Any]:
    """Names of everything that stands on the patient's own row, the study's own items included."""
    own = catalogue.current().own
    return PATIENT_NAMES.union(*({item.name for item in catalogue.items(own.get(form, ()))} for form in PATIENT_FORMS))


_SURGERY = frozenset(item.name for item in catalogue.SURGERY.items)
_FOLLOW_UP = frozenset(
    item.name for item in (*catalogue.FOLLOW_UP.items, *catalogue.items(catalogue.EXTRAS["follow_up"]))
)
# Kinds of forms that have a row for each.
OF_RECORDS = (QueryForm.ASSESSMENT, QueryForm.ADVERSE_EVENT, QueryForm.OWN_RECORD)
_EVENT = frozenset(catalogue.ADVERSE_EVENT_COLUMNS) - PATIENT_NAMES
_ASSESSMENT = (
    frozenset(catalogue.ASSESSMENT_COLUMNS)
    | {item.name for item in catalogue.items(catalogue.ASSESSMENT_EXTRAS)}
    | {derived.name for instrument in catalogue.OF_ASSESSMENT for derived in instrument.derived}
) - PATIENT_NAMES


NEW = "new"


@dataclass(frozen=True)
class Form:
    """Which form of a patient: the kind, and for an assessment its timepoint, for an adverse event its id.

    own, record  of a repeating form of the study's own: its code, and the number of the record, None for a new one
    """

    kind: str
    timepoint: str | None = None
    event: int | None = None
    own: str | None = None
    record: int | None = None

    @property
    def code(self) -> str:
        """One word for it in addresses: baseline, 1m, event-17, rt_courses.5."""
        if self.own is not None:
            return f"{self.own}.{NEW if self.record is None else self.record}"
        return self.timepoint or (f"event-{self.event}" if self.event is not None else self.kind)

    @classmethod
    def of(cls, code: str, timepoints: Any) -> Any:
        """The form of a code; None where there is none of that name. `timepoints` are the codes of the schedule."""
        if code in (QueryForm.BASELINE, QueryForm.SURGERY, QueryForm.FOLLOW_UP):
            return cls(str(code))
        if code in timepoints:
            return cls(QueryForm.ASSESSMENT.value, timepoint=code)
        number = code.removeprefix("event-")
        if code.startswith("event-") and _is_number(number):
            return cls(QueryForm.ADVERSE_EVENT.value, event=int(number))
        own, _, number = code.partition(".")
        if (number == NEW or _is_number(number)) and own in {repeat.code for repeat in catalogue.current().repeats}:
            return cls(QueryForm.OWN_RECORD.value, own=own, record=None if number == NEW else int(number))
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 18


@dataclass(frozen=True)
class Finding:
    """A soft check that a form meets, with the answers that met it; `is_draft` while the form is one."""

    form: Form
    check: checks.SoftCheck
    seen: dict
    is_draft: bool = False

    @property
    def key(self) -> str:
        return f"{self.form.code}:{self.check.name}"

    @property
    def field(self) -> str | None:
        """The item to look at first: the last of the form's own that the check names."""
        return field_of(self.check)


def every_check(plan: Any) -> Any:
    """The soft checks, those of the visits' dates by one plan or by the registry's `Plans`."""
    return (*checks.SOFT_CHECKS, *checks.of_visits(plan))


def soft_checks() -> Any:
    """The soft checks that speak now: none about an extra that is switched off, which no form could mend."""
    return _of_what_is_on(switched_on()) + own_checks(catalogue.current())


@lru_cache(maxsize=8)
def own_checks(current: Any) -> Any:
    """The soft checks that own instruments declare, of those that are asked."""
    return tuple(
        checks.SoftCheck(
            name=f"{instrument.code}.{check.name}"[:63],
            items=check.items,
            unlikely=_unlikely(check),
            message=check.says,
            some=True,
        )
        for instrument in current.own_instruments
        if current.asks(instrument.code)
        for check in instrument.checks
        if check.items
    )


def _unlikely(check: Any) -> Callable[..., bool]:
    return lambda *values: evaluate.value(check.tree, dict(zip(check.items, values, strict=True))) is True


def checks_asked(plan: Any) -> Any:
    """Those of `every_check` that speak now: the same object for as long as the same do."""
    return _checks_asked(_Same(plan), switched_on(), catalogue.current())


class _Same:
    """Something that is compared by being the same object: what it holds takes longer to compare than to use."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __hash__(self) -> int:
        return id(self.held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.held is other.held


@lru_cache(maxsize=8)
def _checks_asked(plan: _Same, on: frozenset[str], protocol: catalogue.Catalogue) -> Any:
    return (*_of_what_is_on(on), *own_checks(protocol), *checks.of_visits(plan.held))


@cache
def _of_what_is_on(on: Any) -> Any:
    off = catalogue.EXTRA_NAMES.difference(*(extras.SWITCHES[code].items for code in on))
    return tuple(check for check in checks.SOFT_CHECKS if off.isdisjoint(expanded(check.items)))


@lru_cache(maxsize=512)
def _kind(names: frozenset[str], current: Any) -> QueryForm:
    for form in ("assessment", *reversed(PATIENT_FORMS)):
        if names & {item.name for item in catalogue.items(current.own.get(form, ()))}:
            return QueryForm(form)
    if form_of_repeat(names):
        return QueryForm.OWN_RECORD
    return _built_in_kind(names)


def form_of_repeat(names: Any) -> str:
    """Code of the repeating form that has one of these items; "" if none has."""
    names = set(names)
    of = (repeat.code for repeat in catalogue.current().repeats if not names.isdisjoint(repeat.part_names))
    return next(of, "")


def _built_in_kind(names: Any) -> Any:
    if names & _EVENT:
        return QueryForm.ADVERSE_EVENT
    if names & _ASSESSMENT:
        return QueryForm.ASSESSMENT
    if names & _SURGERY:
        return QueryForm.SURGERY
    return QueryForm.FOLLOW_UP if names & _FOLLOW_UP else QueryForm.BASELINE


def kind_of(check: Any) -> QueryForm:
    """The kind of form that a check is about: the one that has the most specific of its items."""
    return _kind(frozenset(check.items), catalogue.current())


def items_of(form_kind: Any, own: str | None = None) -> frozenset[str]:
    """Names of the items that a form of this kind shows; `own`: code of a repeating form, None for all of them."""
    if form_kind == QueryForm.OWN_RECORD:
        return frozenset(
            item.name for repeat in catalogue.current().repeats if own in (None, repeat.code) for item in repeat.items
        )
    if form_kind == QueryForm.ASSESSMENT:
        return frozenset(["assessment_date", *(item.name for item in catalogue.current().items_of_assessment)])
    if form_kind == QueryForm.ADVERSE_EVENT:
        return frozenset(item.name for item in catalogue.items(catalogue.ADVERSE_EVENTS))
    instruments = PATIENT_FORMS[form_kind].instruments + catalogue.current().extras.get(form_kind, ())
    return frozenset(item.name for item in catalogue.items(instruments) if not item.identifying)


def field_of(check: Any) -> str | None:
    own = [name for name in expanded(check.items) if name in items_of(kind_of(check))]
    return own[-1] if own else None


def expanded(names: Any) -> list[str]:
    """The items behind some names: a derived value stands for the items that it is made of."""
    items: list[str] = []
    for name in names:
        try:
            items += catalogue.derived(name).items
        except KeyError:
            items.append(name)
    return items


def answer_of(name: str, value: Any) -> Any:
    """A column's value as the checks take it: lesion levels stand in a mask, several codes of an own item in a text."""
    if name == "lesion_levels":
        return levels.from_mask(value)
    if isinstance(value, str) and name in catalogue.current().own_names and catalogue.item(name).kind == "codes":
        return tuple(value.split(";"))
    return value


def stand_in_birth_date(surgery: Any, age: Any) -> date | None:
    """A birth date that gives this age at surgery: checks of the age need no real one, and none is ever kept."""
    if surgery is None or age is None:
        return None
    return date(surgery.year - age, surgery.month, min(surgery.day, 28))


def patient_answers(patient: Patient, names: frozenset[str] | None = None) -> dict[str, Any | None]:
    """The patient's own answers by item name: those among `names`, or all of them."""
    own = _patient_items(catalogue.current())
    answers = {name: getattr(patient, name, None) for name in (own if names is None else own & names)}
    answers["birth_date"] = stand_in_birth_date(patient.surgery_date, patient.age_at_surgery)
    return answers


@lru_cache(maxsize=8)
def _patient_items(protocol: catalogue.Catalogue) -> frozenset[str]:
    return frozenset(item.name for item in protocol.items_of_patient)


def findings_of(patient: Patient, records: Any = None, every: Any = None, stored: Any = None) -> list:
    """The `Finding`s of a patient as stored now. `patient` must be.

    records  assessments and adverse events to look at, and nothing else; None for every form
    every    the checks to make; None for those of `checks_asked`
    stored   with no `records`: those to look at beside the patient's own forms, where they are read; None for all
    """
    every = checks_asked(schedule.plans()) if every is None else every
    findings = []
    if records is None:
        known = patient_answers(patient)
        for check in every:
            kind = kind_of(check)
            if kind not in OF_RECORDS:
                state = getattr(patient, f"{kind}_state", None)
                findings += _met(Form(str(kind)), [check], known, state == State.DRAFT)
        records = _records_of(patient) if stored is None else stored
    for row in records:
        form = form_of_record(row)
        own, asked = _checks_of(every, form)
        # An assessment's attribute `timepoint` would be a query.
        names = (_names_of(form) & asked) - {"timepoint"}
        answers = patient_answers(patient, asked) | {name: getattr(row, name, None) for name in names}
        answers["timepoint"] = form.timepoint
        findings += _met(form, own, answers, row.state == State.DRAFT)
    return findings


def _records_of(patient: Patient) -> list:
    of_patient = {"site_id": patient.site_id, "patient_id": patient.pk}
    return [
        *Assessment.objects.filter(**of_patient).order_by("pk"),
        *AdverseEvent.objects.filter(**of_patient).order_by("pk"),
        *(OwnRecord.objects.filter(**of_patient).order_by("pk") if catalogue.current().repeats else ()),
    ]


def findings_if(patient: Patient, form: Any, answers: Any) -> list[Finding]:
    """The `Finding`s of one form, were it stored with `answers` (item name to clean value, None for no answer)."""
    known = patient_answers(patient) | answers
    known |= {name: value for name, value in catalogue.derive(known).items() if value is not None}
    known["timepoint"] = form.timepoint
    own, _asked = _checks_of(checks_asked(schedule.plans()), form)
    return _met(form, own, known, False)


def of_patient_asked(kind: str) -> frozenset[str]:
    """Names of the patient's own items that the checks of a kind of form look at."""
    current = catalogue.current()
    _checks, asked = _checks_of_kind(_Same(checks_asked(schedule.plans())), kind, None, current)
    return _patient_items(current) & asked


def _checks_of(every: Any, form: Form) -> tuple[list, frozenset[str]]:
    """Those of some checks that are about this form, and the names of what they look at."""
    return _checks_of_kind(_Same(every), form.kind, form.own, catalogue.current())


@lru_cache(maxsize=64)
def _checks_of_kind(
    same: _Same, kind: str, own: str | None, current: catalogue.Catalogue
) -> tuple[list, frozenset[str]]:
    every = same.held
    of_kind = [check for check in every if _kind(frozenset(check.items), current) == kind]
    of_form = [check for check in of_kind if own is None or form_of_repeat(expanded(check.items)) == own]
    return of_form, frozenset(name for check in of_form for name in check.items)


def _names_of(form: Form) -> Any:
    """Names of what stands in the row of a visit, an event or an own record."""
    if form.kind == QueryForm.OWN_RECORD:
        return items_of(form.kind, form.own)
    return _EVENT if form.event is not None else _ASSESSMENT | _own_of_visits()


def _own_of_visits() -> set[str]:
    return {item.name for item in catalogue.items(catalogue.current().own.get("assessment", ()))}


def form_of_record(row: Any) -> Form:
    if isinstance(row, AdverseEvent):
        return Form(QueryForm.ADVERSE_EVENT.value, event=row.pk)
    if isinstance(row, OwnRecord):
        return Form(QueryForm.OWN_RECORD.value, own=row.form, record=row.pk)
    return Form(QueryForm.ASSESSMENT.value, timepoint=row.timepoint_id)


def _met(form: Any, own: Any, answers: Any, is_draft: Any) -> list[Finding]:
    return [Finding(form, check, seen(check, answers), is_draft) for check in own if check.applies(answers)]


def seen(check: Any, answers: Any) -> dict[Any, str | float | int | Any]:
    """The answers that a check looked at, as JSON holds them; identifying ones left out."""
    return {name: as_json(answers[name]) for name in check.items if name != "birth_date"}
