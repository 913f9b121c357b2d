"""A QuestionnaireResponse for the answers to one instrument, written and read."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo

from registry.fhir.mapping import elements, names
from registry.fhir.mapping.faults import Fault, InvalidResource, path_of
from registry.fhir.mapping.questionnaires import TYPES, canonical, kind_of, type_of
from registry.instruments import catalogue
from registry.instruments.base import MISSING_REASONS, Bands, Label
from registry.protocol import evaluate

STATUSES = ("in-progress", "completed", "amended")

NOT_ONE = Label("must be a QuestionnaireResponse", "QuestionnaireResponseではありません")
NO_QUESTIONNAIRE = Label("names no questionnaire of this server", "このサーバーの質問票ではありません")
OTHER_VERSION = Label("is of another version; this server has {v}", "版が異なります。このサーバーの版は{v}です。")
NO_SUBJECT = Label("must be a reference Patient/…", "Patient/…への参照が必要です")
NO_STATUS = Label("must be in-progress, completed or amended", "in-progress、completed、amendedのいずれかです")
UNKNOWN_ITEM = Label("is no item of this questionnaire", "この質問票の項目ではありません")
TWICE = Label("is there twice", "同じ項目が2回あります")
ONE_ANSWER = Label("takes one answer", "回答は1つです")
WRONG_TYPE = Label("takes an answer of type {v}", "{v}型で回答してください")
WRONG_SYSTEM = Label("takes codes of the system {v}", "コード体系は{v}です")
UNKNOWN_REASON = Label("is no reason for a missing value here", "欠測理由ではありません")
NO_TIMEPOINT = Label("needs the extension {v} with the timepoint", "時期を示す拡張{v}が必要です").format(
    v=names.TIMEPOINT
)
NO_VISIT = Label("names a timepoint, and these answers belong to none", "時期のない質問票に時期が指定されています")
NO_DATE = Label(
    "needs the day of the assessment (YYYY-MM-DD), or a moment with its offset",
    "評価日（YYYY-MM-DD）、または時差つきの日時が必要です",
)


@dataclass
class Response:
    """What a QuestionnaireResponse says, ready for the services.

    raw, missing  item's name → value as sent, and → reason code
    masked        names of items that were read as masked: they stay as they are
    """

    instrument: object
    patient_id: str
    status: str = "in-progress"
    timepoint: str | None = None
    day: str = ""
    raw: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    masked: set = field(default_factory=set)
    reason: str = ""
    id: str = ""

    @property
    def completed(self):
        return self.status != "in-progress"


def is_answered(instrument, values, missing):
    """Whether every required item that is asked and may be shown has a value or a reason."""
    return all(
        values.get(item.name) is not None or item.name in missing
        for item in instrument.items
        if item.required and not item.identifying and _is_asked(item, values)
    )


def _is_asked(item, values):
    """Whether an item's show-if (enableWhen) lets it be asked beside these answers."""
    tree = catalogue.current().conditions.get(item.name, {}).get("show_if")
    return tree is None or evaluate.value(tree, values, None) is not False


def written(instrument, patient_id, values, missing, base, *, timepoint=None, day=None, event=None, version=None,
            updated_at=None, masked=()):  # fmt: skip
    """The QuestionnaireResponse of an instrument's stored answers.

    values   item and derived value → what is stored; identifying items are left out, whatever they hold
    missing  item → reason code
    masked   identifying items that have a value
    """
    items = [_written_item(item, values.get(item.name), missing.get(item.name)) for item in instrument.items
             if not item.identifying]  # fmt: skip
    items += [_masked(item) for item in instrument.items if item.identifying and item.name in masked]
    items += [_written_derived(derived, values.get(derived.name)) for derived in instrument.derived]
    meta = {"versionId": str(version)} if version is not None else {}
    if updated_at is not None:
        meta["lastUpdated"] = updated_at.isoformat(timespec="milliseconds")
    resource = {
        "resourceType": "QuestionnaireResponse",
        "id": names.response_id(instrument, patient_id, timepoint=timepoint, event=event),
        "meta": meta,
        "extension": [{"url": names.TIMEPOINT, "valueCode": timepoint}] if timepoint else [],
        "questionnaire": canonical(base, instrument),
        "status": "completed" if is_answered(instrument, values, missing) else "in-progress",
        "subject": {"reference": f"Patient/{names.encoded(patient_id)}"},
        "authored": day.isoformat() if day else "",
        "item": [entry for entry in items if entry],
    }
    return {name: value for name, value in resource.items() if value not in ({}, [], "")}


def _written_item(item, value, reason):
    if reason:
        return {"linkId": item.name, "extension": [_absent(names.ABSENT_CODES[reason]),
                                                   {"url": names.MISSING, "valueCode": reason}]}  # fmt: skip
    if value is None:
        return None
    values = value if isinstance(value, (tuple, list)) else (value,)
    return {"linkId": item.name, "answer": [_answer(item, value) for value in values]}


def _absent(code):
    return {"url": names.ABSENT, "valueCode": code}


def _masked(item):
    return {"linkId": item.name, "extension": [_absent(names.MASKED)]}


def _answer(item, value):
    if item.choices:
        display = item.choice(value).label.en
        return {"valueCoding": {"system": names.code_system(item.name), "code": str(value), "display": display}}
    element = f"value{TYPES[kind_of(item)].capitalize()}"
    if isinstance(value, date):
        return {element: value.isoformat()}
    if isinstance(value, time):
        return {element: value.strftime("%H:%M:%S")}
    return {element: float(value) if item.kind == "decimal" else value}


def _written_derived(derived, value):
    if value is None:
        return None
    if isinstance(derived, Bands):
        label = next(choice.label for choice in derived.choices if choice.code == value)
        coding = {"system": names.code_system(derived.name), "code": value, "display": label.en}
        return {"linkId": derived.name, "answer": [{"valueCoding": coding}]}
    kind = type_of(derived)
    if kind == "date":
        value = value.isoformat()
    if kind == "decimal":
        value = float(value)
    return {"linkId": derived.name, "answer": [{f"value{kind.capitalize()}": value}]}


# Reading


def read(resource, zone: tzinfo | None = None, base: str = ""):
    """The `Response` that a QuestionnaireResponse is. Raises InvalidResource naming everything that is wrong.

    zone  the study's: the day of a moment is the day that it was there
    base  this server's address: a patient's on another one is another patient
    """
    if not isinstance(resource, dict) or resource.get("resourceType") != "QuestionnaireResponse":
        raise InvalidResource([Fault("QuestionnaireResponse", "structure", NOT_ONE)])
    faults: list[Fault] = []
    instrument = _instrument(resource, faults)
    patient_id = _subject(resource, base, faults)
    status = resource.get("status")
    if status not in STATUSES:
        faults.append(Fault("QuestionnaireResponse.status", "value", NO_STATUS))
    faults += elements.misplaced(resource, elements.RESPONSE, "QuestionnaireResponse")
    if instrument is None:
        raise InvalidResource(faults)
    response = Response(instrument, patient_id, status or "in-progress", id=str(resource.get("id") or ""))
    response.reason = str(extension_of(resource, names.REASON, "valueString") or "")[:200]
    if instrument in catalogue.current().of_assessment:
        _read_visit(resource, response, faults, zone)
    elif extension_of(resource, names.TIMEPOINT, "valueCode") is not None:
        faults.append(Fault("QuestionnaireResponse.extension", "not-supported", NO_VISIT))
    _read_items(resource, response, faults)
    if faults:
        raise InvalidResource(faults)
    return response


def _instrument(resource, faults):
    address, _, version = str(resource.get("questionnaire") or "").partition("|")
    instrument = names.instruments().get(address.rpartition("Questionnaire/")[2])
    if instrument is None:
        faults.append(Fault("QuestionnaireResponse.questionnaire", "not-found", NO_QUESTIONNAIRE))
    elif version and version != instrument.version:
        reason = OTHER_VERSION.format(v=instrument.version)
        faults.append(Fault("QuestionnaireResponse.questionnaire", "not-supported", reason))
    return instrument


def _subject(resource, base, faults):
    subject = resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    kind, _, text = str(reference or "").rpartition("/")
    try:
        if kind not in ("Patient", f"{base}/Patient"):
            raise ValueError(kind)
        return names.decoded(text)
    except ValueError:
        faults.append(Fault("QuestionnaireResponse.subject", "required", NO_SUBJECT))
        return ""


def extension_of(element, url, kind):
    for entry in dictionaries(element.get("extension")):
        if entry.get("url") == url:
            return entry.get(kind)
    return None


def dictionaries(value):
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _read_visit(resource, response, faults, zone):
    timepoint = extension_of(resource, names.TIMEPOINT, "valueCode")
    if not isinstance(timepoint, str) or not timepoint:
        faults.append(Fault("QuestionnaireResponse.extension", "required", NO_TIMEPOINT))
    else:
        response.timepoint = timepoint
    response.day = _day(str(resource.get("authored") or ""), zone)
    if not response.day:
        faults.append(Fault("QuestionnaireResponse.authored", "required", NO_DATE))


def _day(text, zone):
    """The day of a date, or of a moment with its offset where the study is; empty where it is neither."""
    if "T" not in text:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return moment.astimezone(zone).date().isoformat() if moment.tzinfo else ""


def _read_items(resource, response, faults):
    items = {item.name: item for item in response.instrument.items}
    derived = {derived.name for derived in response.instrument.derived}
    seen = set()
    for sent in dictionaries(resource.get("item")):
        name = str(sent.get("linkId") or "")
        path = path_of(name.replace("'", ""))
        if name in seen:
            faults.append(Fault(path, "duplicate", TWICE))
        elif name in items:
            _read_item(items[name], sent, path, response, faults)
        elif name not in derived:  # a derived value is computed anew, whatever was sent
            faults.append(Fault(path, "not-found", UNKNOWN_ITEM))
        seen.add(name)
    # Nobody reads them here, so leaving one out does not mean that it is to go.
    masked = {item.name for item in response.instrument.items if item.identifying}
    response.masked |= masked - response.raw.keys() - response.missing.keys()


def _read_item(item, sent, path, response, faults):
    reason = extension_of(sent, names.MISSING, "valueCode")
    absent = extension_of(sent, names.ABSENT, "valueCode")
    answers = dictionaries(sent.get("answer"))
    if absent == names.MASKED and not answers:
        response.masked.add(item.name)
        return
    reason = reason or names.REASON_OF.get(absent) or absent
    if reason:
        if reason not in MISSING_REASONS:
            faults.append(Fault(path, "code-invalid", UNKNOWN_REASON))
        else:
            response.missing[item.name] = reason
    if len(answers) > 1 and not item.takes_several:
        faults.append(Fault(path, "structure", ONE_ANSWER))
        return
    values = []
    for answer in answers:
        fault, value = _value(item, answer)
        if fault:
            faults.append(Fault(path, "value", fault))
            return
        values.append(value)
    if values:
        response.raw[item.name] = values if item.takes_several else values[0]


def _value(item, answer):
    """(what is wrong or None, the raw value) of one answer."""
    if item.choices:
        coding = answer.get("valueCoding")
        if _has_others(answer, "valueCoding") or not isinstance(coding, dict) or "code" not in coding:
            return WRONG_TYPE.format(v="valueCoding"), None
        system = names.code_system(item.name)
        if coding.get("system") not in (None, system):
            return WRONG_SYSTEM.format(v=system), None
        return None, str(coding["code"])
    kind, wanted = {
        "integer": ("valueInteger", int),
        "decimal": ("valueDecimal", (int, float)),
        "date": ("valueDate", str),
        "partial_date": ("valueDate", str),
        "time": ("valueTime", str),
        "text": ("valueString", str),
    }[item.kind]
    value = answer.get(kind)
    if _has_others(answer, kind) or not isinstance(value, wanted) or isinstance(value, bool):
        return WRONG_TYPE.format(v=kind), None
    return None, value.removesuffix(":00") if item.kind == "time" and len(value) == 8 else value


def _has_others(answer, kind):
    """Whether an answer has a value of another type than it takes, beside this or instead."""
    return any(name.startswith("value") and name != kind for name in answer)
