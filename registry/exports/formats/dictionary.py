"""A data dictionary as REDCap imports one: a line for each item of the registry, from its declaration."""

import csv
import io

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS

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
        writer.writerow(_line(item, "enrolment", language))
    for instrument in catalogue.current().instruments + catalogue.FOLLOW_UP_ENDS:
        for item in instrument.items:
            writer.writerow(_line(item, instrument.code, language))
        for derived in instrument.derived:
            writer.writerow(_calculated(derived, instrument.code, language))
    return out.getvalue().encode()


def _line(item, form, language):
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
        kind = "checkbox" if item.kind in ("levels", "codes") else "radio"
        validation = ""
        choices = " | ".join(f"{choice.code}, {choice.label.in_language(language)}" for choice in item.choices)
    if item.low_anchor:
        kind, validation = "slider", "number"
        choices = f"{item.low_anchor.in_language(language)} |  | {item.high_anchor.in_language(language)}"
    bounds = ("", "") if item.choices else (_text(item.minimum), _text(item.maximum))
    note = " ".join(filter(None, (item.unit, item.hint.in_language(language) if item.hint else "")))
    return (
        item.name, form, "", kind, item.label.in_language(language), choices, note, validation, *bounds,
        "y" if item.identifying else "", "", "y" if item.required else "", "", "", "", "", _reasons(item, language),
    )  # fmt: skip


def _reasons(item, language):
    if item in catalogue.PATIENT_KEYS:
        return ""
    reasons = " ".join(f"{code}={label.in_language(language)}" for code, label in MISSING_LABELS.items())
    return f"@MISSINGCODE {reasons}".replace("@MISSINGCODE", "Missing data codes:")


def _calculated(derived, form, language):
    sums = f"sum({', '.join(f'[{name}]' for name in derived.items)})"
    formula = sums if type(derived).__name__ == "Total" else ""
    return (
        derived.name, form, "", "calc" if formula else "text", derived.label.in_language(language), formula,
        "", "", "", "", "", "", "", "", "", "", "", "@READONLY",
    )  # fmt: skip


def _text(value):
    return "" if value is None else str(value)
