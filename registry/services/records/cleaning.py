"""Cleaning a form's answers: the one way from what was typed, sent or read to what is stored."""

from dataclasses import dataclass, field
from typing import Any

from registry.instruments import catalogue, checks
from registry.instruments.base import MISSING_REASONS, InvalidValue, Item, Label
from registry.protocol import evaluate


class InvalidAnswers(ValueError):
    """Answers that cannot be stored. `errors` maps an item's name ("" for the form) to the reasons, as labels.

    readable  the `Answers` that could be read, where it was cleaning that refused
    """

    def __init__(self, errors: Any, readable: Any = None) -> None:
        self.errors, self.readable = errors, readable
        super().__init__("; ".join(f"{name}: {label}" for name, labels in errors.items() for label in labels))


@dataclass
class Answers:
    """Cleaned values and reasons for missing ones, by item name."""

    values: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)


REQUIRED = Label("needs a value or a reason why there is none", "値または欠測理由を入力してください")
NOT_ASKED = Label(
    "is not asked here, because of other answers of this form; leave it empty",
    "この調査票の他の回答により、この項目は尋ねません（空欄にしてください）",
)
BOTH = Label("has a value and a reason for having none", "値と欠測理由の両方が入力されています")


def clean(
    items: Any, raw: Any, missing: Any, *, complete: bool, today: Any = None, known: Any = None, conditions: Any = None
) -> Answers:
    """`Answers` for the raw values of `items` (name to text or value) and reasons (name to code).

    `complete` asks for a value or a reason in every required item that is asked. `known()` gives answers of the patient
    that decide, beside those of the form, what is asked; an item that is not asked has neither value nor reason.
    `conditions` are those of the catalogue that holds, unless others are given. Raises InvalidAnswers naming every
    fault at once.
    """
    answers, errors = _read(items, raw, missing, today)
    asked = Asked(answers.values, known, today, conditions)
    for item in items:
        if item.name in errors:
            continue
        if not asked.is_shown(item):
            answers.missing.pop(item.name, None)
            if answers.values[item.name] is not None:
                errors[item.name] = [NOT_ASKED]
        elif complete and not is_answered(answers, item.name) and asked.is_required(item):
            errors[item.name] = [REQUIRED]
    if errors:
        raise InvalidAnswers(errors, readable=_without(answers, errors))
    return answers


def _read(items: Any, raw: Any, missing: Any, today: Any) -> tuple[Answers, dict]:
    """(Answers, errors) of each item by itself."""
    answers, errors = Answers(), {}
    for item in items:
        reason = missing.get(item.name) or None
        try:
            value = item.clean(raw.get(item.name), today=today)
        except InvalidValue as error:
            errors[item.name] = [error.reason]
            continue
        if reason is not None and reason not in MISSING_REASONS:
            errors[item.name] = [
                Label("“{reason}” is not a reason for a missing value", "「{reason}」は欠測理由ではありません").format(
                    reason=reason
                )
            ]
        elif reason is not None and value is not None:
            errors[item.name] = [BOTH]
        answers.values[item.name] = value
        if reason:
            answers.missing[item.name] = reason
    return answers, errors


def _without(answers: Any, errors: Any) -> Answers:
    """The answers without those that are in error: no other rule says anything of these."""
    return Answers(
        {name: value for name, value in answers.values.items() if name not in errors},
        {name: reason for name, reason in answers.missing.items() if name not in errors},
    )


def cleaned_and_checked(items: Any, raw: Any, missing: Any, check: Any, **how: Any) -> Any:
    """`Answers` as `clean` gives them, if `check` has nothing against them either: every fault is named at once.

    check  takes the Answers that could be read, and the names of those that could not; gives errors by item name
    Raises InvalidAnswers.
    """
    try:
        answers, errors = clean(items, raw, missing, **how), {}
    except InvalidAnswers as error:
        answers, errors = error.readable, error.errors
    errors = {**check(answers, errors.keys()), **errors}  # what cannot be read has one fault
    if errors:
        raise InvalidAnswers(errors, readable=answers)
    return answers


def is_answered(answers: Any, name: str) -> bool:
    return answers.values[name] is not None or name in answers.missing


class Asked:
    """What of a form is asked, by its answers: the show-if and required-if of own items.

    answers  item name to clean value; `known()` gives more of them, of the patient, where a condition needs any
    """

    def __init__(self, answers: Any, known: Any = None, today: Any = None, conditions: Any = None) -> None:
        self.conditions = catalogue.current().conditions if conditions is None else conditions
        self.own, self.known, self.today = answers, known, today
        self.merged: dict[str, Any] | None = None

    def _holds(self, item: Item, column: Any) -> Any:
        tree = self.conditions.get(item.name, {}).get(column)
        if tree is None:
            return None
        if self.merged is None:
            self.merged = {**(self.known() if self.known else {}), **self.own}
        return evaluate.value(tree, self.merged, self.today)

    def is_shown(self, item: Item) -> bool:
        return self._holds(item, "show_if") is not False

    def is_required(self, item: Item) -> Any:
        return item.required or self._holds(item, "required_if") is True


def broken(values: Any, of: Any = checks.PATIENT_CHECKS) -> dict[str, list[Label]]:
    """The hard checks (among `of`) that `values` break, as errors of the item that is to be mended."""
    errors: dict[str, list[Label]] = {}
    for check in checks.hard_errors(values, of):
        item = check.later if isinstance(check, checks.DateOrder) else check.item
        errors.setdefault(item, []).append(check.message_about(values))
    return errors
