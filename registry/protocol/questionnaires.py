"""FHIR R4 Questionnaire of an own instrument, in and out: types, answer options, enableWhen, ranges, translations."""

from collections.abc import Iterator
from typing import Any

from registry.instruments.base import Label
from registry.protocol import definitions, naming
from registry.protocol.definitions import Fault
from registry.protocol.expressions import InvalidExpression, compiled
from registry.protocol.notes import CHANGED, LOST, Carried

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
MINIMUM, MAXIMUM, PLACES = EXTENSION + "minValue", EXTENSION + "maxValue", EXTENSION + "maxDecimalPlaces"
UNIT, TRANSLATION = EXTENSION + "questionnaire-unit", EXTENSION + "translation"
OURS = "urn:metaspine:expression:"  # extensions with what FHIR R4 has no word for
KINDS = {
    "boolean": "yes_no", "integer": "whole", "decimal": "decimal", "quantity": "decimal", "date": "date",
    "time": "time", "string": "text", "text": "text", "url": "text", "dateTime": "text", "choice": "code",
    "open-choice": "code",
}  # fmt: skip
OPERATORS = {"=": "=", "!=": "<>", ">": ">", "<": "<", ">=": ">=", "<=": "<="}


def read(resource: dict, record: str = "assessment", taken: Any = ()) -> Carried:
    """The document of a Questionnaire, with notes of what it says that cannot be carried."""
    return _Reader(resource, record, taken).read()


def _extension(of: Any, url: str) -> Any:
    for extension in of.get("extension") or ():
        if extension.get("url") == url:
            return next((value for key, value in extension.items() if key.startswith("value")), None)
    return None


def _translated(of: Any, key: Any) -> dict[str, str]:
    """{"en": …, "ja": …} of a text with its translations."""
    texts = {"en": str(of.get(key) or "").strip()}
    for extension in (of.get(f"_{key}") or {}).get("extension") or ():
        parts = {part.get("url"): part for part in extension.get("extension") or ()}
        if extension.get("url") == TRANSLATION and str(parts.get("lang", {}).get("valueCode", "")).startswith("ja"):
            texts["ja"] = parts.get("content", {}).get("valueString", "")
    return texts


class _Reader:
    def __init__(self, resource: Any, record: str, taken: Any) -> None:
        self.resource, self.record, self.taken = resource, record, set(taken)
        self.result, self.row = Carried(), 0
        self.named: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.items: list[dict] = []
        self.rows: list[Any] = []

    def read(self) -> Carried:
        resource = self.resource
        if not isinstance(resource, dict) or resource.get("resourceType") != "Questionnaire":
            reason = Label("is no FHIR Questionnaire", "FHIRのQuestionnaireではありません")
            self.result.faults.append(Fault(0, "resourceType", "", reason))
            return self.result
        self._name_all(resource.get("item") or ())
        self._walk(resource.get("item") or (), [], None)
        code = naming.fitting(
            str(resource.get("name") or resource.get("id") or resource.get("title") or "form"), (), 20
        )
        title = _translated(resource, "title")
        document = {
            "metaspine": "instrument", "format": definitions.FORMAT, "code": code,
            "title": title if title["en"] else {"en": code}, "record": self.record, "items": self.items, "checks": [],
            "licence": str(resource.get("copyright") or ""),
        }  # fmt: skip
        self.result.documents[code] = document
        for fault in definitions.read(document, taken=self.taken).faults:
            row = self.rows[fault.row - 1] if 0 < fault.row <= len(self.rows) else 0
            self.result.faults.append(Fault(row, fault.column, fault.value, fault.reason))
        return self.result

    def _name_all(self, items: Any, taken: Any = None) -> None:
        taken = set(self.taken) if taken is None else taken
        for item in items:
            link = str(item.get("linkId") or "")
            if item.get("type") not in ("group", "display"):
                fitted = naming.fitting(link if link[:1].isalpha() else f"q_{link}", taken)
                taken.add(fitted)
                self.named[link], self.kinds[link] = fitted, item.get("type")
            self._name_all(item.get("item") or (), taken)

    def _note(self, name: Any, column: Any, effect: Any, en: str, ja: str, **values: Any) -> None:
        self.result.note(self.row, column, name, effect, en, ja, **values)

    def _walk(self, items: Any, conditions: Any, section: Any) -> None:
        for item in items:
            self.row += 1
            self.result.seen += 1
            own = [*conditions, *filter(None, [self._condition(item)])]
            if item.get("type") == "group":
                if item.get("repeats"):
                    self._note(item.get("linkId"), "repeats", LOST, "the repetition of a group", "グループの繰り返し")
                self._walk(item.get("item") or (), own, _translated(item, "text") if item.get("text") else section)
                section = None
                continue
            if item.get("type") == "display":
                self._note(item.get("linkId"), "text", LOST, "a text without an answer: {v}", "回答欄のない説明文：{v}",
                           v=str(item.get("text"))[:60])  # fmt: skip
                continue
            section = self._item(item, own, section)
            self._walk(item.get("item") or (), own, None)

    def _item(self, item_sent: dict, conditions: Any, section: Any) -> Any:
        """Add the item; the section that is still to be begun afterwards."""
        name = self.named[str(item_sent.get("linkId") or "")]
        kind = KINDS.get(str(item_sent.get("type")))
        if kind is None:
            self._note(name, "type", LOST, "an item of type “{v}”", "「{v}」型の項目", v=item_sent.get("type"))
            return section
        label = _translated(item_sent, "text")
        item = {"name": name, "label": label if label["en"] else {"en": name}, "kind": kind,
                "required": bool(item_sent.get("required"))}  # fmt: skip
        if section:
            item["section"] = section
        if kind == "code":
            item |= {"kind": "codes" if item_sent.get("repeats") else "code", "choices": self._choices(item_sent, name)}
        elif item_sent.get("repeats"):
            self._note(name, "repeats", LOST, "several answers to one item", "複数回答")
        self._limits(item_sent, item)
        self._lost(item_sent, name)
        if conditions:
            item["show_if"] = " and ".join(f"({text})" for text in conditions) if len(conditions) > 1 else conditions[0]
        for column in ("show_if", "required_if", "formula"):
            if text := _extension(item_sent, OURS + column):
                item[column] = text
        if item.get("formula"):
            item["kind"] = "calculated"
            item.pop("required")
        self.items.append(item)
        self.rows.append(self.row)
        return None

    def _limits(self, item_sent: dict, item: Any) -> None:
        if item["kind"] in ("whole", "decimal"):
            for column, url in (("minimum", MINIMUM), ("maximum", MAXIMUM)):
                if (value := _extension(item_sent, url)) is not None:
                    item[column] = value
            if unit := _extension(item_sent, UNIT):
                item["unit"] = unit.get("display") or unit.get("code") or ""
            if item["kind"] == "decimal":
                places = _extension(item_sent, PLACES)
                item["places"] = 6 if places is None else places
        if item_sent.get("maxLength"):
            item["max_length"] = min(int(item_sent["maxLength"]), 5000)
        if item["kind"] == "date":
            item["not_future"] = False

    def _lost(self, item_sent: dict, name: Any) -> None:
        if item_sent.get("type") in ("dateTime", "url", "quantity", "open-choice"):
            self._note(
                name,
                "type",
                CHANGED,
                "“{v}” becomes {k}",
                "「{v}」は{k}になります",
                v=item_sent["type"],
                k=KINDS[item_sent["type"]],
            )
        if item_sent.get("initial"):
            self._note(name, "initial", LOST, "the initial answer", "初期値")
        known = {MINIMUM, MAXIMUM, PLACES, UNIT}
        for extension in item_sent.get("extension") or ():
            url = str(extension.get("url"))
            if url not in known and not url.startswith(OURS):
                self._note(name, "extension", LOST, "the extension {v}", "拡張 {v}", v=url)

    def _choices(self, item_sent: dict, name: Any) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = []
        for option in item_sent.get("answerOption") or self._value_set(item_sent, name):
            coding = option.get("valueCoding") or {}
            plain = next((option[key] for key in ("valueString", "valueInteger") if key in option), None)
            code = str(coding.get("code") or plain or "")
            label = _translated(coding, "display") if coding else {"en": str(plain)}
            fitted = (
                code if definitions._CODE.fullmatch(code) else naming.fitting(code, [c["code"] for c in choices], 20)
            )
            if fitted != code:
                self._note(name, "answerOption", CHANGED, "the code “{v}” is {f} here", "コード「{v}」は{f}になります",
                           v=code, f=fitted)  # fmt: skip
            choices.append({"code": fitted, "label": label if label["en"] else {"en": code}})
        return choices

    def _value_set(self, item_sent: dict, name: Any) -> list[dict[str, Any]] | list:
        reference = str(item_sent.get("answerValueSet") or "")
        for contained in self.resource.get("contained") or ():
            if reference == f"#{contained.get('id')}":
                concepts = [
                    c for part in contained.get("compose", {}).get("include", ()) for c in part.get("concept", ())
                ]
                return [{"valueCoding": concept} for concept in concepts]
        if reference:
            self._note(name, "answerValueSet", LOST, "the codes of {v}, which are not in the file",
                       "{v}のコード（ファイルに含まれていません）", v=reference)  # fmt: skip
        return []

    def _condition(self, item_sent: dict) -> str:
        """The expression of an item's enableWhen; empty where it has none."""
        parts = [self._part(when) for when in item_sent.get("enableWhen") or ()]
        word = " and " if item_sent.get("enableBehavior") == "all" else " or "
        return word.join(f"({part})" if len(parts) > 1 else part for part in parts if part)

    def _part(self, when: Any) -> str:
        question = self.named.get(str(when.get("question") or ""))
        if question is None:
            self._note(
                str(when.get("question")), "enableWhen", LOST, "a condition on what is not here", "存在しない項目の条件"
            )
            return ""
        answer = next((value for key, value in when.items() if key.startswith("answer")), None)
        if when.get("operator") == "exists":
            return f"[{question}] {'<>' if answer else '='} ''"
        if isinstance(answer, dict):
            answer = answer.get("code")
        if isinstance(answer, bool):
            answer = int(answer)
        operator = OPERATORS.get(when.get("operator"), "=")
        repeats = self._repeats(str(when.get("question")), self.resource.get("item") or ())
        if repeats and self.kinds.get(str(when["question"])) in ("choice", "open-choice"):
            return f"[{question}({answer})] {operator} 1"
        return f"[{question}] {operator} '{answer}'" if isinstance(answer, str) else f"[{question}] {operator} {answer}"

    def _repeats(self, link: str, items: Any) -> bool:
        return any(
            (str(item.get("linkId")) == link and item.get("repeats")) or self._repeats(link, item.get("item") or ())
            for item in items
        )


# Out

_TYPES = {
    "whole": "integer", "decimal": "decimal", "code": "choice", "codes": "choice", "yes_no": "boolean", "date": "date",
    "partial_date": "string", "time": "time", "text": "string", "calculated": "decimal",
}  # fmt: skip


def write(document: dict, url: str = "") -> dict:
    """The Questionnaire of a document. What R4 cannot say stands in extensions of our own, which `read` understands."""
    instrument = definitions.read(document).instrument
    scope = {item.name: item for item in instrument.items} if instrument else {}
    items: list[dict] = []
    group: Any = None
    for item in document["items"]:
        if item.get("section"):
            group = {"linkId": f"section_{item['name']}", "type": "group", **_text(item["section"], "text"), "item": []}
            items.append(group)
        (items if group is None else group["item"]).append(_written(item, scope))
    resource = {
        "resourceType": "Questionnaire", "id": document["code"].replace("_", "-"), "name": document["code"],
        **_text(document["title"], "title"), "status": "active", "subjectType": ["Patient"], "item": items,
    }  # fmt: skip
    if url:
        resource["url"] = url
    if document.get("licence"):
        resource["copyright"] = document["licence"]
    return resource


def _text(label: Any, key: Any) -> dict[Any, Any | str]:
    label = label if isinstance(label, dict) else {"en": label}
    texts = {key: label.get("en") or label.get("ja") or ""}
    if label.get("ja") and label["ja"] != texts[key]:
        parts = [{"url": "lang", "valueCode": "ja"}, {"url": "content", "valueString": label["ja"]}]
        texts[f"_{key}"] = {"extension": [{"url": TRANSLATION, "extension": parts}]}
    return texts


def _written(item: Any, scope: Any) -> dict[str, Any]:
    kind = item["kind"]
    item_shown = {"linkId": item["name"], **_text(item["label"], "text"), "type": _TYPES[kind]}
    if kind == "calculated":
        item_shown["readOnly"] = True
    elif item.get("required"):
        item_shown["required"] = True
    if kind == "codes":
        item_shown["repeats"] = True
    if item.get("choices"):
        item_shown["answerOption"] = [
            {"valueCoding": {"code": str(choice["code"]), **_text(choice["label"], "display")}}
            for choice in item["choices"]
        ]
    if kind == "text" and item.get("max_length"):
        item_shown["maxLength"] = int(item["max_length"])
    extensions = list(_extensions(item, kind))
    if text := item.get("show_if"):
        if when := enable_when(text, scope):
            item_shown |= when
        else:
            extensions.append({"url": OURS + "show_if", "valueString": text})
    if extensions:
        item_shown["extension"] = extensions
    return item_shown


def _extensions(item: Any, kind: str) -> Iterator[dict[str, Any]]:
    value = "valueInteger" if kind == "whole" else "valueDecimal"
    for column, url in (("minimum", MINIMUM), ("maximum", MAXIMUM)):
        if item.get(column) not in (None, ""):
            number = float(item[column])
            yield {"url": url, value: int(number) if kind == "whole" or number.is_integer() else number}
    if kind == "decimal":
        yield {"url": PLACES, "valueInteger": int(item.get("places") or 0)}
    if item.get("unit"):
        yield {"url": UNIT, "valueCoding": {"display": item["unit"]}}
    for column in ("required_if", "formula"):
        if item.get(column):
            yield {"url": OURS + column, "valueString": item[column]}


def enable_when(text: str, scope: Any) -> dict[str, Any] | None:
    """enableWhen of an expression that is comparisons with constants, all joined by one word; None of any other."""
    try:
        tree = compiled(text, scope, "boolean").tree
    except InvalidExpression:
        return None
    word = tree[0] if tree[0] in ("and", "or") else "and"
    parts = [_when(node, scope) for node in (tree[1:] if tree[0] in ("and", "or") else [tree])]
    if None in parts:
        return None
    shown: dict[str, Any] = {"enableWhen": parts}
    if len(parts) > 1:
        shown["enableBehavior"] = "all" if word == "and" else "any"
    return shown


_FHIR_OPERATORS = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _when(tree: Any, scope: Any) -> Any:
    negated = tree[0] == "not"
    tree = tree[1] if negated else tree
    if tree[0] == "blank" and tree[1][0] == "item":
        return {"question": tree[1][1], "operator": "exists", "answerBoolean": negated}
    operator = _FHIR_OPERATORS.get(tree[0])
    if operator is None or (negated and operator != "=") or tree[1][0] not in ("item", "tick"):
        return None
    if tree[2][0] not in ("number", "text"):
        return None
    return _against(tree, "!=" if negated else operator, scope)


def _against(tree: Any, operator: str, scope: Any) -> Any:
    item, value = scope.get(tree[1][1]), tree[2][1]
    if item is None or item.kind in ("date", "time"):
        return None
    condition = {"question": item.name, "operator": operator}
    if tree[1][0] == "tick":
        return condition | {"answerCoding": {"code": tree[1][2]}} if (operator, value) == ("=", 1.0) else None
    if item.choices == definitions.NO_YES:
        return condition | {"answerBoolean": bool(value)}
    if item.choices:
        code = str(int(value)) if isinstance(value, float) else value
        return condition | {"answerCoding": {"code": code}} if operator in ("=", "!=") else None
    if isinstance(value, str):
        return condition | {"answerString": value}
    return condition | ({"answerInteger": int(value)} if item.kind == "integer" else {"answerDecimal": value})
