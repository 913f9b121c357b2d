"""A Questionnaire for each instrument. Names of dimensions and short labels only: no publisher's wording is here."""

from registry.fhir.mapping import names
from registry.instruments.base import Bands
from registry.protocol.questionnaires import OURS, enable_when

MINIMUM = "http://hl7.org/fhir/StructureDefinition/minValue"
MAXIMUM = "http://hl7.org/fhir/StructureDefinition/maxValue"
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
UCUM = "http://unitsofmeasure.org"


def canonical(base, instrument):
    """The address that responses name, with the version."""
    return f"{base}/Questionnaire/{names.resource_id(instrument.code)}|{instrument.version}"


def questionnaire(instrument, base):
    """The instrument as a Questionnaire; `base` is the address of the FHIR server, without a slash at its end."""
    resource = {
        "resourceType": "Questionnaire",
        "id": names.resource_id(instrument.code),
        "url": canonical(base, instrument).partition("|")[0],
        "version": instrument.version,
        "name": "".join(part.capitalize() for part in instrument.code.split("_")),
        **_translated("title", instrument.title),
        "status": "active",
        "subjectType": ["Patient"],
        "item": [
            *(_item(item, instrument) for item in instrument.items),
            *map(_derived, instrument.derived),
        ],
    }
    if instrument.how_to:
        resource |= _translated("description", instrument.how_to)
    if instrument.citation:
        resource["purpose"] = f"Source: {instrument.citation}"
    if instrument.licence:
        resource["copyright"] = instrument.licence
    return resource


def _translated(name, label):
    """An element in English with its Japanese."""
    parts = [{"url": "lang", "valueCode": "ja"}, {"url": "content", "valueString": label.ja}]
    return {name: label.en, f"_{name}": {"extension": [{"url": names.TRANSLATION, "extension": parts}]}}


def _item(item, instrument):
    item_shown = {"linkId": item.name, **_translated("text", item.label), "type": TYPES[kind_of(item)]}
    if item.name in names.LOINC_CODES:
        item_shown["code"] = names.codings(item.name, item.label.en)
    if item.required:
        item_shown["required"] = True
    extensions = _conditions(item, instrument, item_shown)
    if item.choices:
        item_shown["answerOption"] = [
            {"valueCoding": _coding(item.name, choice.code, choice.label)} for choice in item.form_choices
        ]
    elif item.kind in ("integer", "decimal"):
        value = f"value{item.kind.capitalize()}"
        for url, bound in ((MINIMUM, item.minimum), (MAXIMUM, item.maximum)):
            if bound is not None:
                extensions.append({"url": url, value: float(bound) if item.kind == "decimal" else bound})
        if item.unit:
            extensions.append({"url": UNIT, "valueCoding": {"system": UCUM, "code": item.unit, "display": item.unit}})
    elif item.kind == "text":
        item_shown["maxLength"] = item.max_length
    if item.takes_several:
        item_shown["repeats"] = True
    return {"linkId": item_shown.pop("linkId"), **({"extension": extensions} if extensions else {}), **item_shown}


# FHIR's type of an item, and the element that holds an answer of it. A date of FHIR may be a month or a year alone.
TYPES = {
    "choice": "choice", "integer": "integer", "decimal": "decimal", "date": "date", "partial_date": "date",
    "time": "time", "text": "string",
}  # fmt: skip


def kind_of(item):
    """The key of TYPES that an item has: a closed set of values is a choice, whatever its codes are."""
    return "choice" if item.choices else item.kind


def _conditions(item, instrument, item_shown):
    """Add when an item is asked; returns the extensions that say what FHIR R4 has no word for."""
    if not item.show_if:
        return []
    known = {other.name: other for other in instrument.items}
    when = enable_when(item.show_if, known)
    if when is None:
        return [{"url": f"{OURS}show_if", "valueString": item.show_if}]
    item_shown |= when | {"enableWhen": [_of_choice(part, known[part["question"]]) for part in when["enableWhen"]]}
    return []


def _of_choice(part, question):
    """A part of enableWhen; of a question that is a choice here, whatever its codes are, by its Coding."""
    if not question.choices or part["operator"] == "exists":
        return part
    answer = next(name for name in part if name.startswith("answer"))
    value = part[answer]["code"] if answer == "answerCoding" else part[answer]
    code = str(int(value)) if isinstance(value, (bool, int, float)) else value
    label = next((choice.label for choice in question.form_choices if str(choice.code) == code), None)
    coding = {"system": names.code_system(question.name), "code": code} | ({"display": label.en} if label else {})
    return {name: given for name, given in part.items() if name != answer} | {"answerCoding": coding}


def type_of(derived):
    """The type of a derived value: whole, unless an own calculation says otherwise."""
    kind = getattr(derived, "kind", "")
    if kind == "number":
        return "decimal" if derived.places else "integer"
    return {"text": "string", "date": "date"}.get(kind, "integer")


def _derived(derived):
    item_shown = {"linkId": derived.name, **_translated("text", derived.label), "readOnly": True}
    if derived.name in names.LOINC_CODES:
        item_shown["code"] = names.codings(derived.name, derived.label.en)
    if isinstance(derived, Bands):
        options = [{"valueCoding": _coding(derived.name, choice.code, choice.label)} for choice in derived.choices]
        return item_shown | {"type": "choice", "answerOption": options}
    return item_shown | {"type": type_of(derived)}


def _coding(name, code, label):
    return {"system": names.code_system(name), "code": str(code), "display": label.en}
