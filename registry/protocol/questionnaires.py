"""FHIR R4 Questionnaire of an own instrument, in and out: types, answer options, enableWhen, ranges, translations."""

import json
from collections.abc import Iterator
from typing import Any

from registry.instruments.base import Label
from registry.protocol import definitions, naming
from registry.protocol.definitions import Fault
from registry.protocol.expressions import InvalidExpression, compiled
from registry.protocol.notes import CHANGED, LOST, Carried, Unread

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
MINIMUM, MAXIMUM, PLACES = EXTENSION + "minValue", EXTENSION + "maxValue", EXTENSION + "maxDecimalPlaces"
UNIT, TRANSLATION = EXTENSION + "questionnaire-unit", EXTENSION + "translation"
OURS = "urn:metaspine:expression:"  # extensions with what FHIR R4 has no word for
LONGEST_TEXT = 5000  # characters
KINDS = {
    "boolean": "yes_no", "integer": "whole", "decimal": "decimal", "quantity": "decimal", "date": "date",
    "time": "time", "string": "text", "text": "text", "url": "text", "dateTime": "text", "choice": "code",
    "open-choice": "code",
}  # fmt: skip
# What is read of each part (or is the resource's own keeping); all else that a file says is noted by its name.
NOTHING: tuple[Any, ...] = (None, False, "", [], {})  # is said of what is not so
READ = {
    part: frozenset(keys.split())
    for part, keys in {
        "Questionnaire": "resourceType id meta text name title status url copyright item contained subjectType "
        "language",
        "group": "linkId type text item enableWhen enableBehavior repeats",
        "display": "linkId type text",
        "item": "linkId type text item enableWhen enableBehavior repeats required maxLength answerOption "
        "answerValueSet initial extension",
        "answerOption": "initialSelected", "Coding": "code display", "enableWhen": "question operator",
        "ValueSet": "resourceType id meta text status url name title compose expansion", "compose": "include",
        "include": "concept", "concept": "code display abstract contains",
    }.items()
}  # fmt: skip
OPERATORS = {"=": "=", "!=": "<>", ">": ">", "<": "<", ">=": ">=", "<=": "<="}


def read(resource: dict, record: str = "assessment", taken: Any = ()) -> Carried:
    """The document of a Questionnaire, with notes of what it says that cannot be carried."""
    return _Reader(resource, record, taken).read()


def _members(of: Any, key: str) -> list[dict]:
    """The objects of what should be a list of them."""
    raw = of.get(key) if isinstance(of, dict) else None
    return [member for member in raw if isinstance(member, dict)] if isinstance(raw, list) else []


def _extension(of: Any, url: str) -> Any:
    for extension in _members(of, "extension"):
        if extension.get("url") == url:
            return next((value for key, value in extension.items() if key.startswith("value")), None)
    return None


def _translated(of: Any, key: Any) -> dict[str, str]:
    """{"en": …, "ja": …} of a text with its translations."""
    texts = {"en": str(of.get(key) or "").strip()}
    for extension in _members(of.get(f"_{key}"), "extension"):
        parts = {str(part.get("url")): part for part in _members(extension, "extension")}
        if extension.get("url") == TRANSLATION and str(parts.get("lang", {}).get("valueCode", "")).startswith("ja"):
            texts["ja"] = str(parts.get("content", {}).get("valueString", ""))
    return texts


class _Reader:
    def __init__(self, resource: Any, record: str, taken: Any) -> None:
        self.resource, self.record, self.taken = resource, record, set(taken)
        self.result, self.row = Carried(), 0
        self.named: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.coded: dict[tuple[str, str], str] = {}  # (item, code as sent) → the code that it has here
        self.items: list[dict] = []
        self.rows: list[Any] = []
        self.unread = Unread()

    def read(self) -> Carried:
        resource = self.resource
        if not isinstance(resource, dict) or resource.get("resourceType") != "Questionnaire":
            reason = Label("is no FHIR Questionnaire", "FHIRのQuestionnaireではありません")
            self.result.faults.append(Fault(0, "resourceType", "", reason))
            return self.result
        self._name_all(_members(resource, "item"))
        self._code_all(_members(resource, "item"))
        self._walk(_members(resource, "item"), [], None)
        self._tell_of_resource()
        self.result.notes += self.unread.notes()
        if not self.items:
            reason = Label("has no question that can be carried", "取り込める質問がありません")
            self.result.faults.append(Fault(0, "item", "", reason))
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
            self._name_all(_members(item, "item"), taken)

    def _code_all(self, items: Any) -> None:
        """The code here of every choice, before any condition is read."""
        for item in items:
            name = self.named.get(str(item.get("linkId") or ""), "")
            taken: list[str] = []
            for code, _label in self._options(item) if item.get("type") in ("choice", "open-choice") else ():
                fits = not code or definitions._CODE.fullmatch(code)  # what has none is told, with its row
                fitted = code if fits else naming.fitting(code, taken, 20)
                taken.append(fitted)
                self.coded.setdefault((name, code), fitted)
            self._code_all(_members(item, "item"))

    def _note(self, name: Any, column: Any, effect: Any, en: str, ja: str, **values: Any) -> None:
        self.result.note(self.row, column, name, effect, en, ja, **values)

    def _pass(self, of: Any, part: str, place: str) -> None:
        """Note what a part says beside what is read of it; its value[x] and answer[x] are, and its texts' languages."""
        for key, value in of.items() if isinstance(of, dict) else ():
            if key.startswith("_"):
                self._pass_texts(value, f"{part}.{key[1:]}", place)
            elif key not in READ[part] and not key.startswith(("value", "answer")) and value not in NOTHING:
                self.unread.add(self.row, key, f"{part}.{key}", place, _said(value))

    def _pass_texts(self, beside: Any, part: str, place: str) -> None:
        """Note what stands beside a text, but for its Japanese translation: other languages, its format."""
        for extension in _members(beside, "extension"):
            parts = {str(part.get("url")): part for part in _members(extension, "extension")}
            language = str(parts.get("lang", {}).get("valueCode", ""))
            if extension.get("url") != TRANSLATION:
                self.unread.add(self.row, part, f"{part} {extension.get('url')}", place)
            elif not language.startswith("ja"):
                self.unread.add(self.row, part, f"{part} ({language})", place)

    def _pass_item(self, item: Any) -> None:
        place, kind = str(item.get("linkId") or ""), item.get("type")
        calculated = {"readOnly"} if _extension(item, OURS + "formula") else set()
        said = {key: value for key, value in item.items() if key not in calculated}
        self._pass(said, kind if kind in ("group", "display") else "item", place)
        for option in _members(item, "answerOption"):
            self._pass(option, "answerOption", place)
            if "valueCoding" in option:
                self._pass(option["valueCoding"], "Coding", place)
        for when in _members(item, "enableWhen"):
            self._pass(when, "enableWhen", place)

    def _tell_of_resource(self) -> None:
        """Note what the Questionnaire says of itself that no document has."""
        resource = self.resource
        self.row = 0
        self._pass(resource, "Questionnaire", "")
        if (language := str(resource.get("language") or "en")).partition("-")[0] != "en":
            self._note("", "language", CHANGED, "the texts are in “{v}” and stand in the place of the English ones",
                       "文章の言語は「{v}」です（英語の欄に入ります）", v=language)  # fmt: skip
        if resource.get("subjectType") not in (None, [], ["Patient"]):
            self.unread.add(0, "subjectType", "Questionnaire.subjectType", "", _said(resource["subjectType"]))
        if resource.get("status") == "retired":
            self.unread.add(0, "status", "Questionnaire.status", "", "retired")
        if resource.get("modifierExtension"):
            self._refuse_modifiers(0)
        used = {str(item.get("answerValueSet")) for item in _all_items(resource)}
        for contained in _members(resource, "contained"):
            place = f"#{contained.get('id')}"
            if place in used:
                self._tell_of_codes(contained, place)
            else:
                self.unread.add(0, "contained", "contained", place, str(contained.get("resourceType") or ""))

    def _tell_of_codes(self, contained: dict, place: str) -> None:
        """Note what a value set says beside its codes and their texts."""
        self._pass(contained, "ValueSet", place)
        self._pass(contained.get("compose"), "compose", place)
        for include in _members(contained.get("compose"), "include"):
            self._pass(include, "include", place)
            for concept in _members(include, "concept"):
                self._pass(concept, "concept", place)
        for concept in _expanded(_members(contained.get("expansion"), "contains")):
            self._pass(concept, "concept", place)

    def _refuse_modifiers(self, row: int) -> None:
        """A modifier changes what the rest means: whoever does not know it must not go on."""
        reason = Label("is a modifier that is not known here: what it changes cannot be said", "この修飾子は扱えません")
        self.result.faults.append(Fault(row, "modifierExtension", "", reason))

    def _walk(self, items: Any, conditions: Any, section: Any) -> None:
        for item in items:
            self.row += 1
            self.result.seen += 1
            self._pass_item(item)
            if item.get("modifierExtension"):
                self._refuse_modifiers(self.row)
            own = [*conditions, *filter(None, [self._condition(item)])]
            if item.get("type") == "group":
                if item.get("repeats"):
                    self._note(item.get("linkId"), "repeats", LOST, "the repetition of a group", "グループの繰り返し")
                self._walk(_members(item, "item"), own, _translated(item, "text") if item.get("text") else section)
                section = None
                continue
            if item.get("type") == "display":
                self._note(item.get("linkId"), "text", LOST, "a text without an answer: {v}", "回答欄のない説明文：{v}",
                           v=str(item.get("text"))[:60])  # fmt: skip
                continue
            section = self._item(item, own, section)
            self._walk(_members(item, "item"), own, None)

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
            if isinstance(unit := _extension(item_sent, UNIT), dict):
                item["unit"] = unit.get("display") or unit.get("code") or ""
            if item["kind"] == "decimal":
                places = _extension(item_sent, PLACES)
                item["places"] = 6 if places is None else places
        if item_sent.get("maxLength"):
            self._longest(item_sent["maxLength"], item)
        if item["kind"] == "date":
            item["not_future"] = False

    def _longest(self, longest: Any, item: Any) -> None:
        length = min(longest, LONGEST_TEXT) if isinstance(longest, int) else longest
        item["max_length"] = length
        if length != longest:
            self._note(item["name"], "maxLength", CHANGED, "{v} characters become {k}", "{v}文字は{k}文字になります",
                       v=longest, k=length)  # fmt: skip
        elif item["kind"] != "text":
            self.unread.add(self.row, "maxLength", "item.maxLength", item["name"], str(longest))

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
        if any(option.get("initialSelected") for option in _members(item_sent, "answerOption")):
            self._note(name, "answerOption", LOST, "the answer that is chosen at first", "初期選択")
        for extension in _members(item_sent, "extension"):
            url = str(extension.get("url"))
            if url not in known and not url.startswith(OURS):
                self._note(name, "extension", LOST, "the extension {v}", "拡張 {v}", v=url)

    def _choices(self, item_sent: dict, name: Any) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = []
        for code, label in self._options(item_sent):
            fitted = self.coded.get((name, code), code)
            if fitted != code:
                self._note(name, "answerOption", CHANGED, "the code “{v}” is {f} here", "コード「{v}」は{f}になります",
                           v=code, f=fitted)  # fmt: skip
            choices.append({"code": fitted, "label": label})
        reference = str(item_sent.get("answerValueSet") or "")
        if reference and not choices:
            self._note(name, "answerValueSet", LOST, "the codes of {v}, which are not in the file",
                       "{v}のコード（ファイルに含まれていません）", v=reference)  # fmt: skip
        return choices

    def _options(self, item_sent: dict) -> Iterator[tuple[str, dict[str, str]]]:
        """(code, label) of each answer that is offered, as it was sent: by a code, a reference or a plain value."""
        concepts = [{"valueCoding": concept} for concept in self._contained(str(item_sent.get("answerValueSet") or ""))]
        for option in _members(item_sent, "answerOption") or concepts:
            value = next((value for key, value in option.items() if key.startswith("value")), None)
            if isinstance(value, dict):
                code = str(value.get("code") or value.get("reference") or value.get("display") or "")
                label = _translated(value, "display")
            else:
                code = "" if value is None else str(value)
                label = {"en": code}
            yield code, label if label["en"] else {"en": code}

    def _contained(self, reference: str) -> list[dict]:
        """The concepts of a value set in the file: composed, or expanded with groups of their own."""
        of_set = (c for c in _members(self.resource, "contained") if reference == f"#{c.get('id')}")
        for contained in of_set:
            composed = [c for part in _members(contained.get("compose"), "include") for c in _members(part, "concept")]
            return composed or _expanded(_members(contained.get("expansion"), "contains"))
        return []

    def _condition(self, item_sent: dict) -> str:
        """The expression of an item's enableWhen; empty where it has none."""
        parts = [self._part(when) for when in _members(item_sent, "enableWhen")]
        word = " and " if item_sent.get("enableBehavior") == "all" else " or "
        return word.join(f"({part})" if len(parts) > 1 else part for part in parts if part)

    def _part(self, when: Any) -> str:
        link = str(when.get("question") or "")
        question = self.named.get(link)
        if question is None or KINDS.get(str(self.kinds[link])) is None:
            self._note(link, "enableWhen", LOST, "a condition on what is not here", "存在しない項目の条件")
            return ""
        answer = next((value for key, value in when.items() if key.startswith("answer")), None)
        if when.get("operator") == "exists":
            return f"[{question}] {'<>' if answer else '='} ''"
        operator = OPERATORS.get(str(when.get("operator")))
        answer = self._answer(question, answer)
        if operator is None or answer is None:
            self._note(link, "enableWhen", LOST, "a condition without an operator or an answer that is known",
                       "演算子または値が不明な条件")  # fmt: skip
            return ""
        if self._repeats(link, _members(self.resource, "item")) and self.kinds[link] in ("choice", "open-choice"):
            return f"[{question}({answer})] {operator} 1"
        return f"[{question}] {operator} '{answer}'" if isinstance(answer, str) else f"[{question}] {operator} {answer}"

    def _answer(self, question: str, answer: Any) -> Any:
        """What a condition compares with: a number, or the text of a code as it is here; None where it says nothing."""
        if isinstance(answer, dict):  # a quantity, a code, a reference
            answer = answer.get("value", answer.get("code") or answer.get("reference") or answer.get("display"))
        if isinstance(answer, bool):
            return int(answer)
        if isinstance(answer, str):
            answer = self.coded.get((question, answer), answer)
            return None if "'" in answer else answer
        return answer if isinstance(answer, (int, float)) else self.coded.get((question, str(answer)))

    def _repeats(self, link: str, items: Any) -> bool:
        return any(
            (str(item.get("linkId")) == link and item.get("repeats")) or self._repeats(link, _members(item, "item"))
            for item in items
        )


def _said(value: Any) -> str:
    """A value of a file in short."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:80]


def _all_items(of: Any) -> Iterator[dict]:
    for item in _members(of, "item"):
        yield item
        yield from _all_items(item)


def _expanded(concepts: list[dict]) -> list[dict]:
    """The concepts of an expansion in one list; one that only groups others is none."""
    flat = []
    for concept in concepts:
        if not concept.get("abstract") and concept.get("code"):
            flat.append(concept)
        flat += _expanded(_members(concept, "contains"))
    return flat


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
