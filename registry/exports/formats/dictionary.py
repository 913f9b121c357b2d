"""A data dictionary as REDCap imports one: a line for each item of the registry, from its declaration."""

import csv
import io

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, Digits, Total
from registry.protocol.expressions import renamed

HEADER = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
    "Text Validation Min", "Text Validation Max", "Identifier?",
    "Branching Logic (Show field only if...)", "Required Field?", "Custom Alignment",
    "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?", "Field Annotation",
)  # fmt: skip


def redcap_dictionary(language):
    """The dictionary as CSV, bytes. Direct identifiers are in it, marked as such: it describes, it holds no data."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for item in catalogue.PATIENT_KEYS:
        writer.writerow(line_of(item, "enrolment", language))
    for instrument in catalogue.current().instruments + catalogue.FOLLOW_UP_ENDS:
        for item in instrument.items:
            writer.writerow(line_of(item, instrument.code, language))
        for derived in instrument.derived:
            writer.writerow(_calculated(derived, instrument.code, language))
    return out.getvalue().encode()


def line_of(item, form, language, elsewhere=None):
    """The dictionary's line of an item. `elsewhere`: names of items of another event → how a condition names them."""
    kind, validation = {
        "integer": ("text", "integer"),
        "decimal": ("text", "number"),
        "date": ("text", "date_ymd"),
        "code": ("radio", ""),
        "levels": ("checkbox", ""),
        "codes": ("checkbox", ""),
        "partial_date": ("text", ""),
        "time": ("text", "time"),
        "text": ("text", ""),
    }[item.kind]
    choices = ""
    if item.choices:
        kind = "checkbox" if item.takes_several else "radio"
        validation = ""
        choices = " | ".join(f"{choice.code}, {choice.label.in_language(language)}" for choice in item.choices)
    if item.low_anchor:
        kind, validation = "slider", "number"
        choices = f"{item.low_anchor.in_language(language)} |  | {item.high_anchor.in_language(language)}"
    bounds = ("", "") if item.choices else (_text(item.minimum), _text(item.maximum))
    note = " ".join(filter(None, (item.unit, item.hint.in_language(language) if item.hint else "")))
    asked_if = renamed(item.show_if, elsewhere or {})
    return (
        item.name, form, "", kind, item.label.in_language(language), choices, note, validation, *bounds,
        "y" if item.identifying else "", asked_if, "y" if item.required else "",
        "", "", "", "", _reasons(item, language),
    )  # fmt: skip


def _reasons(item, language):
    if item in catalogue.PATIENT_KEYS:
        return ""
    reasons = " ".join(f"{code}={label.in_language(language)}" for code, label in MISSING_LABELS.items())
    return f"@MISSINGCODE {reasons}".replace("@MISSINGCODE", "Missing data codes:")


def _calculated(derived, form, language):
    return _read_only(derived.name, form, derived.label.in_language(language), formula(derived), "")


def derived_line(output, form, language):
    """The line of a column that shows no item as it was answered: a total, a class, a utility, a change."""
    validation = {"integer": "integer", "number": "number", "date": "date_ymd"}.get(output.kind, "")
    shown = formula_of(output.variable)
    return _read_only(output.name, form, output.label.in_language(language), shown, "" if shown else validation)


def _read_only(name, form, label, shown, validation):
    return (
        name, form, "", "calc" if shown else "text", label, shown,
        "", validation, "", "", "", "", "", "", "", "", "", "@READONLY",
    )  # fmt: skip


def formula_of(variable):
    """REDCap's formula of a column; "" where REDCap does not calculate it."""
    declared = variable.instrument.derived if variable.instrument else ()
    return next((formula(derived) for derived in declared if derived.name == variable.of), "")


def formula(derived):
    """A total or state as REDCap calculates it; "" for what it cannot. REDCap's sum passes blanks over, so that the
    total of a half-filled form would look like one of the whole: all items or nothing, as here.
    """
    if not isinstance(derived, (Total, Digits)):
        return ""
    blank = " or ".join(f"isblankormissingcode([{name}])" for name in derived.items)
    if isinstance(derived, Total):
        value = f"sum({', '.join(f'[{name}]' for name in derived.items)})"
    else:
        powers = [10**place for place in range(len(derived.items) - 1, -1, -1)]
        value = " + ".join(f"[{name}] * {power}" for name, power in zip(derived.items, powers, strict=True))
    return f"if({blank}, '', {value})"


def _text(value):
    return "" if value is None else str(value)
