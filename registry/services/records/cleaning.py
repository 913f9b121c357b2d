"""Cleaning a form's answers: the one way from what was typed, sent or read to what is stored."""

from dataclasses import dataclass, field

from registry.instruments import checks
from registry.instruments.base import MISSING_REASONS, InvalidValue, Label


class InvalidAnswers(ValueError):
    """Answers that cannot be stored. `errors` maps an item's name ("" for the form) to the reasons, as labels."""

    def __init__(self, errors):
        self.errors = errors
        super().__init__("; ".join(f"{name}: {label}" for name, labels in errors.items() for label in labels))


@dataclass
class Answers:
    """Cleaned values and reasons for missing ones, by item name."""

    values: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)


REQUIRED = Label("needs a value or a reason why there is none", "値または欠測理由を入力してください")
BOTH = Label("has a value and a reason for having none", "値と欠測理由の両方が入力されています")


def clean(items, raw, missing, *, complete, today=None):
    """`Answers` for the raw values of `items` (name to text or value) and reasons (name to code).

    `complete` asks for a value or a reason in every required item. Raises InvalidAnswers naming every fault at once.
    """
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
                Label(f"“{reason}” is not a reason for a missing value", f"「{reason}」は欠測理由ではありません")
            ]
        elif reason is not None and value is not None:
            errors[item.name] = [BOTH]
        elif reason is None and value is None and complete and item.required:
            errors[item.name] = [REQUIRED]
        answers.values[item.name] = value
        if reason:
            answers.missing[item.name] = reason
    if errors:
        raise InvalidAnswers(errors)
    return answers


def broken(values):
    """The hard checks that `values` break, as errors of the item that is to be mended."""
    errors = {}
    for check in checks.hard_errors(values):
        item = check.later if isinstance(check, checks.DateOrder) else check.item
        errors.setdefault(item, []).append(check.message)
    return errors
