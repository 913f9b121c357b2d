"""Which elements a resource that is sent may have; every other is a fault.

FHIR lets a server pass over what it does not know. Whoever sent it would believe it stored, so here it is refused. What
says nothing of the patient (`meta`, `language`, a narrative that was generated from the rest, labels) is taken and not
stored: renderers and engines write it into whatever they send.
"""

from collections.abc import Iterator
from typing import Any

from registry.fhir.mapping import names
from registry.fhir.mapping.faults import Fault
from registry.instruments.base import Label

NOT_STORED = Label(
    "is not stored here, and nothing that is sent is passed over: leave it out",
    "は登録されない要素です。送信内容が無視されることはありません。この要素を除いて送信してください。",
)
WRONG_SHAPE = Label("must be {v}", "{v}でなければなりません")
AN_OBJECT, A_LIST = (
    Label("a JSON object", "JSONオブジェクト"),
    Label("a list of JSON objects", "JSONオブジェクトの配列"),
)
A_TEXT = Label("a text", "文字列")
ONLY = Label("can only be {v} here", "指定できるのは{v}のみです")
TWICE = Label("is there twice", "2回あります")
NO_VALUE = Label("takes a {v} and nothing else", "{v}のみを指定してください")

# A shape: element → None (a value, judged where it is read), `str` (any text), a tuple (the values that it may have), a
# shape, or a list with the shape of each of several. "extension" is url → element of its value.
_ANY: dict[str, Any] = {"resourceType": None, "id": str, "meta": None, "language": str,
                        "text": {"status": ("generated", "empty"), "div": str}}  # fmt: skip
_ABOUT_PATIENT = {"reference": str, "type": ("Patient",)}
_ANSWER = {
    "id": str,
    "valueCoding": {"id": str, "system": None, "code": None, "display": str},
    **{f"value{kind}": None for kind in ("Boolean", "Integer", "Decimal", "Date", "Time", "String")},
}
_ITEM = {
    "id": str,
    "linkId": None,
    "text": str,
    "answer": [_ANSWER],
    "extension": {names.MISSING: "valueCode", names.ABSENT: "valueCode"},
}
RESPONSE = _ANY | {
    "questionnaire": None,
    "status": None,
    "subject": _ABOUT_PATIENT,
    "authored": None,
    "item": [_ITEM],
    "extension": {names.TIMEPOINT: "valueCode", names.REASON: "valueString", names.WHOLE_FORM: "valueBoolean"},
}
_IDENTIFIER = {"use": ("usual", "official"), "system": None, "value": None}
PATIENT = _ANY | {
    "identifier": [_IDENTIFIER],
    "active": (True,),
    "gender": str,
    "birthDate": str,
    "deceasedBoolean": (False,),  # a death is entered with its day, after the enrolment
    "managingOrganization": {"identifier": _IDENTIFIER, "display": str},
    "extension": {names.CONSENT: "valueDate", names.ANOTHER_PERSON: "valueBoolean"},
}
BUNDLE = {"resourceType": None, "id": str, "meta": None, "language": str, "type": None, "timestamp": str,
          "entry": None}  # fmt: skip

_PYTHON = {"valueCode": str, "valueString": str, "valueDate": str, "valueBoolean": bool}


def misplaced(element: dict[str, Any], shape: dict[str, Any], path: str) -> Iterator[Fault]:
    """A fault for every element, at any depth, that the shape has not."""
    for name, value in element.items():
        below = f"{path}.{name[:40]}"
        if name not in shape:
            yield Fault(below, "not-supported", NOT_STORED)
        elif name == "extension":
            yield from _of_extensions(value, shape[name], below)
        elif shape[name] is str or isinstance(shape[name], tuple):
            yield from _of_value(value, shape[name], below)
        elif shape[name] is not None:
            yield from _of_objects(value, shape[name], below)


def _of_value(value: Any, wanted: Any, path: str) -> Iterator[Fault]:
    """The fault of a value that is no text, or none of those that it may be."""
    if wanted is str:
        if not isinstance(value, str):
            yield Fault(path, "structure", WRONG_SHAPE.format(v=A_TEXT))
    elif not any(type(value) is type(allowed) and value == allowed for allowed in wanted):  # 1 is not true
        yield Fault(path, "not-supported", ONLY.format(v=", ".join(map(_spelled, wanted))))


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_objects(value: Any, shape: Any, path: str) -> Iterator[Fault]:
    """The faults of an element that is an object, or a list of them where the shape is in a list."""
    if isinstance(shape, dict):
        entries, inner = [(path, value)], shape
    elif isinstance(value, list):
        entries, inner = [(f"{path}[{place}]", entry) for place, entry in enumerate(value)], shape[0]
    else:
        yield Fault(path, "structure", WRONG_SHAPE.format(v=A_LIST))
        return
    for below, entry in entries:
        if isinstance(entry, dict):
            yield from misplaced(entry, inner, below)
        else:
            yield Fault(below, "structure", WRONG_SHAPE.format(v=AN_OBJECT))


def _of_extensions(value: Any, kinds: dict[str, str], path: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, "structure", WRONG_SHAPE.format(v=A_LIST))
        return
    seen = set()
    for place, entry in enumerate(value):
        below = f"{path}[{place}]"
        url = entry.get("url") if isinstance(entry, dict) else None
        kind = kinds.get(url) if isinstance(url, str) else None
        if kind is None:
            yield Fault(below, "not-supported", NOT_STORED)
        elif url in seen:
            yield Fault(below, "duplicate", TWICE)
        elif entry.keys() != {"url", kind} or not isinstance(entry[kind], _PYTHON[kind]):
            yield Fault(below, "value", NO_VALUE.format(v=kind))
        if kind is not None:  # what is no text is no key of a set either
            seen.add(url)
