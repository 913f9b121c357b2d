"""CDISC ODM metadata (ODM 1.3.x), REDCap's `project.xml` above all: its forms as rows of a REDCap data dictionary.

REDCap writes all that its dictionary has into extensions of its own; of other systems the standard's elements say what
the type, the choices, the range and the need of an answer are. What is beside the forms is noted by its name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from registry.instruments.base import Label
from registry.protocol import redcap
from registry.protocol.definitions import Fault
from registry.protocol.notes import CHANGED, LOST, Carried, Note, Unread

OF_REDCAP = "{https://projectredcap.org}"
# Columns of the dictionary, to attributes of REDCap's.
ATTRIBUTES = {
    "section": "SectionHeader",
    "note": "FieldNote",
    "validation": "TextValidationType",
    "identifier": "Identifier",
    "branching": "BranchingLogic",
    "required": "RequiredField",
    "alignment": "CustomAlignment",
    "number": "QuestionNumber",
    "matrix": "MatrixGroupName",
    "ranking": "MatrixRanking",
    "annotation": "FieldAnnotation",
}
# What the project calls otherwise than the dictionary.
TYPES = {"select": "dropdown", "textarea": "notes"}
VALIDATIONS = {"int": "integer", "float": "number"}
# Types of data of the standard, to validations.
OF_STANDARD = {"integer": "integer", "float": "number", "double": "number", "decimal": "number", "date": "date_ymd"}
OF_STANDARD |= {"time": "time", "text": "", "string": ""}
LONG_TEXT = 200  # characters of a text beyond which it is a note
LONGEST_TEXT, MOST_PLACES = 5000, 6
RANGE = {"GE": "minimum", "LE": "maximum"}
# Attributes and elements of an item that no dictionary has.
NOT_READ = {
    "CollectionExceptionConditionOID": Label("the condition {v}", "条件「{v}」"),
    "MethodOID": Label("the calculation {v}", "計算「{v}」"),
    "MeasurementUnitOID": Label("the unit {v}: write it into the label", "単位「{v}」（ラベルに含めてください）"),
    "Comparator": Label("the range check {v}", "範囲の確認「{v}」"),
    "CodeListOID": Label(
        "the code list {v}, which the file does not define", "コードリスト「{v}」（ファイルに定義がありません）"
    ),
    "CodedValue": Label("the choice “{v}”, which has no code", "コードのない選択肢「{v}」"),
    "SliderLabels": Label(
        "the limits of a slider ({v}), which the project's file does not say: 0 to 100 stand for them",
        "スライダー（{v}）の範囲（プロジェクトのファイルに含まれないため、0～100とします）",
    ),
}
# What is beside the forms, and where it is set up here.
BESIDE = {
    "StudyEventDef": Label("{n} events: they are visits of the schedule", "イベント{n}件（来院スケジュールで設定）"),
    "SubjectData": Label(
        "the data of {n} subjects: import the same file on the page “Import”",
        "被験者{n}名のデータ（同じファイルを「取り込み」で読み込んでください）",
    ),
    "RepeatingInstrument": Label(
        "that {n} instruments repeat: bring these alone, as forms that repeat",
        "繰り返し調査票{n}件（別に繰り返し調査票として読み込んでください）",
    ),
    "User": Label("{n} people: invite them", "担当者{n}名（招待してください）"),
    "Location": Label("{n} locations: they are sites", "場所{n}件（施設として登録）"),
    "DataAccessGroups": Label(
        "{n} data access groups: they are sites", "データアクセスグループ{n}件（施設として登録）"
    ),
}
SET_UP_ANEW = Label("{n} {v}", "{v} {n}件")
# Elements of the metadata that are read (or told above by their references), with the attributes of each that are, or
# that say nothing of a form. All others of the file, a vendor's own too, are noted by their names.
READ = {
    element: frozenset(attributes.split())
    for element, attributes in {
        "Study": "OID", "GlobalVariables": "", "StudyName": "", "StudyDescription": "", "ProtocolName": "",
        "AdminData": "StudyOID", "BasicDefinitions": "", "MeasurementUnit": "OID Name", "Symbol": "",
        "MetaDataVersion": "OID Name Description", "Include": "StudyOID MetaDataVersionOID",
        "FormDef": "OID Name Repeating", "ItemGroupDef": "OID Name Repeating",
        "ItemGroupRef": "ItemGroupOID OrderNumber Mandatory CollectionExceptionConditionOID",
        "ItemRef": "ItemOID OrderNumber Mandatory CollectionExceptionConditionOID MethodOID",
        "ItemDef": "OID Name DataType Length SignificantDigits", "Question": "", "TranslatedText": "lang",
        "MeasurementUnitRef": "MeasurementUnitOID", "RangeCheck": "Comparator SoftHard", "CheckValue": "",
        "CodeListRef": "CodeListOID", "CodeList": "OID Name DataType", "CodeListItem": "CodedValue OrderNumber",
        "Decode": "", "EnumeratedItem": "CodedValue OrderNumber", "MultiSelectListRef": "MultiSelectListID",
        "MultiSelectList": "ID Name DataType ActualDataType", "MultiSelectListItem": "CodedOptionValue",
    }.items()
}  # fmt: skip
READ_OF_REDCAP = {*ATTRIBUTES.values(), "FieldType", "Variable", "FormName", "Calculation", "SliderLabels"}
READ_OF_REDCAP |= {"CheckboxChoices", "FormattedTranslatedText", "RecordIdField"}
PASSED = {"Protocol", "ClinicalData", *BESIDE} - {"SubjectData"}  # told by their number, or no form
KEYS = ("OID", "CodedValue", "CodedOptionValue", "ID", "ItemOID", "ItemGroupOID")

SOFT = Label(
    "the range check {v} only warned there (SoftHard “Soft”): here it is the limit of the answer",
    "範囲の確認「{v}」は元のシステムでは警告のみ（SoftHard「Soft」）でしたが、ここでは入力の上限・下限になります",
)
LANGUAGE = Label(
    "{n} texts in the language “{v}”: labels are in English and Japanese, each once",
    "言語「{v}」の文章{n}件（ラベルは英語・日本語それぞれ1つです）",
)
OTHER_METADATA = Label(
    "the metadata version “{v}”: only the last one of the file with forms is read",
    "メタデータ版「{v}」（調査票を含む最後の版だけを読み取ります）",
)
TWICE = Label(
    "an earlier definition of “{v}”: the file defines it again, and the last one is read",
    "「{v}」の先の定義（再び定義されているため、最後の定義を読み取ります）",
)
REPEATS = Label(
    "that “{v}” repeats: bring it alone, as a form that repeats",
    "「{v}」の繰り返し（別に繰り返し調査票として読み込んでください）",
)
EMPTY = Label("the form “{v}”, which has no item", "調査票「{v}」（項目がありません）")
NO_FORM = Label("the item {v}, which no form asks", "項目「{v}」（どの調査票にもありません）")
NO_GROUP = Label(
    "the group of items {v}, which the file does not define", "項目グループ「{v}」（ファイルに定義がありません）"
)
NO_ITEM = Label("the item {v}, which the file does not define", "項目「{v}」（ファイルに定義がありません）")
NO_XML = Label("cannot be read as XML: {v}", "XMLとして読み取れません：{v}")
DOCTYPE = Label("declares a document type, which no ODM file needs", "ODMに不要な文書型宣言があります")
NO_FORMS = Label("is no ODM file with forms", "調査票を含むODMファイルではありません")


def read(content: bytes, record: str, taken: Any) -> Carried:
    """The documents of a file's forms, as `redcap.read` makes them; rows are lines of the file."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        return _refused(NO_XML.format(v=error.msg), error.lineno or 0)
    if root.getroottree().docinfo.doctype:
        return _refused(DOCTYPE)
    forms = _Forms(root)
    rows = list(forms.rows()) if etree.QName(root).localname == "ODM" else []
    if not rows:
        return Carried(faults=_refused(NO_FORMS).faults, notes=forms.notes)
    carried = redcap.read_fields(rows, record, taken)
    carried.notes += forms.notes
    _tell_of_the_rest(root, carried)
    carried.notes += forms.rest(root).notes()
    return carried


def _refused(reason: Label, row: int = 0) -> Carried:
    return Carried(faults=[Fault(row, "", "", reason)])


def _tell_of_the_rest(root: Any, carried: Carried) -> None:
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    counts = Counter(etree.QName(element).localname for element in elements)
    for tag, reason in BESIDE.items():
        if counts[tag]:
            carried.notes.append(Note(0, "", "", LOST, reason.format(n=counts[tag])))
    for group in (element for element in elements if element.tag.startswith(OF_REDCAP)):
        name = etree.QName(group).localname
        if name.endswith("Group") and name.removesuffix("Group") not in BESIDE and len(group):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Group"))
            carried.notes.append(Note(group.sourceline, "", "", LOST, SET_UP_ANEW.format(n=len(group), v=words)))


class _Forms:
    """The forms of an ODM tree: `rows` gives (line, cells of a dictionary); `notes` tells then what is not in them."""

    def __init__(self, root: Any) -> None:
        self.notes: list[Note] = []
        self.unsaid: Counter[str] = Counter()  # language of texts that are not carried
        self.unread = Unread()
        self.is_of_redcap = root.get("SourceSystem") == "REDCap"
        self.scopes = self._scopes(root)
        self.items, self.lists = self._by_oid("ItemDef"), self._by_oid("CodeList")
        self.groups, self.several = self._by_oid("ItemGroupDef"), self._by_oid("MultiSelectList", "ID")

    def _scopes(self, root: Any) -> list[Any]:
        """The metadata that count: the last version with forms, or all where one includes another."""
        versions = list(root.iter("{*}MetaDataVersion"))
        if len(versions) < 2 or root.find(".//{*}MetaDataVersion/{*}Include") is not None:
            return [root]
        last = next((version for version in reversed(versions) if version.find("{*}FormDef") is not None), versions[-1])
        for version in versions:
            if version is not last:
                self._tell(version, OTHER_METADATA, version.get("OID") or version.get("Name") or "")
        return [last]

    def _by_oid(self, tag: str, key: str = "OID") -> dict[str, Any]:
        defined: dict[str, Any] = {}
        for element in (element for scope in self.scopes for element in scope.iter(f"{{*}}{tag}")):
            oid = element.get(key, "")
            if oid in defined:
                self._tell(defined[oid], TWICE, oid)
            defined[oid] = element
        return defined

    def _tell(self, element: Any, reason: Label, value: str, name: str = "", effect: str = LOST) -> None:
        shown = value[:80]
        self.notes.append(Note(element.sourceline or 0, "", name or shown, effect, reason.format(v=shown)))

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        seen: set[str] = set()
        asked: set[str] = set()
        for form, name in self._forms():
            refs = list(self._refs(form))
            if not refs:
                self._tell(form, EMPTY, name)
            for ref in refs:
                oid = ref.get("ItemOID", "")
                asked.add(oid)
                item = self.items.get(oid)
                if item is None:
                    self._tell(ref, NO_ITEM, oid)
                    continue
                variable = _variable(item)
                if self.is_of_redcap and _is_passed(item, variable in seen, f"{name}_complete"):
                    continue
                seen.add(variable)
                yield item.sourceline or 0, self._cells(item, ref, variable, name)
        self._tell_of_unused(asked)

    def _forms(self) -> Iterator[tuple[Any, str]]:
        """Each form and its name, which no other has."""
        names: set[str] = set()
        for form in (form for scope in self.scopes for form in scope.iter("{*}FormDef")):
            oid = form.get("OID") or ""
            name = called = _own(form, "FormName") or form.get("Name") or oid
            while name.lower() in names:
                name = f"{called} {oid}" if name == called and oid else f"{name} 2"
            names.add(name.lower())
            if form.get("Repeating") == "Yes":
                self._tell(form, REPEATS, called)
            yield form, name

    def _refs(self, form: Any) -> Iterator[Any]:
        for ref in _in_order(form, "ItemGroupRef"):
            oid = ref.get("ItemGroupOID", "")
            group = self.groups.get(oid)
            if group is None:
                self._tell(ref, NO_GROUP, oid)
                continue
            if group.get("Repeating") == "Yes":
                self._tell(group, REPEATS, group.get("Name") or oid)
            if condition := ref.get("CollectionExceptionConditionOID"):
                self._tell(ref, NOT_READ["CollectionExceptionConditionOID"], condition, oid)
            yield from _in_order(group, "ItemRef")

    def _tell_of_unused(self, asked: set[str]) -> None:
        for oid, item in self.items.items():
            if oid not in asked and not (self.is_of_redcap and not _own(item, "FieldType")):
                self._tell(item, NO_FORM, _variable(item) or oid)
        for language, count in self.unsaid.items():
            self.notes.append(Note(0, "", language, LOST, LANGUAGE.format(n=count, v=language)))

    def _cells(self, item: Any, ref: Any, variable: str, form: str) -> dict[str, Any]:
        said = self._said(_questions(item)) or {"en": str(item.get("Name", ""))}
        cells: dict[str, Any] = dict.fromkeys(redcap.COLUMNS, "")
        cells |= {"name": variable, "form": form, "label": said.pop("en")}
        cells["label_in"] = {language: plainly for language, text in said.items() if (plainly := redcap.plain(text))}
        cells |= {column: _own(item, name) for column, name in ATTRIBUTES.items()}
        if kind := _own(item, "FieldType"):
            cells["type"] = TYPES.get(kind, kind)
            cells["validation"] = VALIDATIONS.get(cells["validation"], cells["validation"])
            cells["choices"] = _own(item, "Calculation") or _own(item, "SliderLabels")
        else:
            cells |= _of_standard(item) | {"required": "y" if ref.get("Mandatory") == "Yes" else ""}
            cells |= self._sizes(item, cells, variable) | self._help(item)
        self._choose(item, cells)
        self._limit(item, cells)
        for name, value in _not_read(item, ref):
            self._tell(item, NOT_READ[name], value, variable)
        return cells

    def _sizes(self, item: Any, cells: dict[str, Any], name: str) -> dict[str, Any]:
        """How long a text and how exact a number may be; a length or number of digits that cannot be kept is told."""
        sizes: dict[str, Any] = {}
        is_listed = item.find("{*}CodeListRef") is not None or item.find("{*}MultiSelectListRef") is not None
        for attribute, key, most, is_kept in (
            ("Length", "max_length", LONGEST_TEXT, not cells["validation"]),
            ("SignificantDigits", "places", MOST_PLACES, cells["validation"] == "number"),
        ):
            text = item.get(attribute, "")
            if is_kept and text.isdecimal() and int(text[:9]) >= (1 if key == "max_length" else 0):
                sizes[key] = min(int(text[:9]), most)
            if text and not is_listed and str(sizes.get(key)) != text.lstrip("0").rjust(1, "0"):
                self.unread.add(item.sourceline or 0, "", f"ItemDef {attribute}", name, text)
        return sizes

    def _help(self, item: Any) -> dict[str, Any]:
        """What describes an item, beside the question that asks for it."""
        asked, described = _questions(item), item.findall("{*}Description/{*}TranslatedText")
        if not described or described == asked:
            return {}
        said = self._said(described)
        return {"note": said.pop("en", ""), "note_in": said}

    def rest(self, root: Any) -> Unread:
        """What the file says beside all this, by the names that it has there; `rows` must have been read."""
        for child in root.iterchildren("*"):
            self._pass(child, "")
        return self.unread

    def _pass(self, element: Any, place: str) -> None:
        """Note an element, or its parts, as far as nobody reads them; `place` is the item or part that it is in."""
        tag = etree.QName(element).localname
        if self._is_told(element, tag):
            return
        place = _variable(element) or _key(element) or place
        parts = list(element.iterchildren("*"))
        if tag in READ or _describes_item(element, tag) or any(etree.QName(part).localname in PASSED for part in parts):
            self._pass_attributes(element, tag, place)
            for part in parts:
                self._pass(part, place)
        elif value := _content(element):
            self.unread.add(element.sourceline or 0, "", tag, place, value)

    def _is_told(self, element: Any, tag: str) -> bool:
        """Whether an element is told elsewhere, or says nothing of a form."""
        if tag == "MetaDataVersion":  # an earlier one is told as a whole
            return not any(scope is element or scope.getparent() is None for scope in self.scopes)
        if self.is_of_redcap and tag in ("ItemDef", "ErrorMessage"):  # its own columns, and words that it makes itself
            return tag == "ErrorMessage" or not _own(element, "FieldType")
        is_redcaps = element.tag.startswith(OF_REDCAP) and (tag.endswith("Group") or tag in READ_OF_REDCAP)
        return tag in PASSED or is_redcaps

    def _pass_attributes(self, element: Any, tag: str, place: str) -> None:
        for name, value in element.attrib.items():
            space, local = etree.QName(name).namespace or "", etree.QName(name).localname
            known = READ_OF_REDCAP if f"{{{space}}}" == OF_REDCAP else READ.get(tag, frozenset())
            if local not in known and value.strip() not in ("", "No"):
                self.unread.add(element.sourceline or 0, "", f"{tag} {local}", place, value)

    def _choose(self, item: Any, cells: dict[str, Any]) -> None:
        """Fill in the choices of an item that has a list, of several answers where a system's extension says so."""
        for ref in item.iter("{*}CodeListRef", "{*}MultiSelectListRef"):
            is_one = etree.QName(ref).localname == "CodeListRef"
            oid = ref.get("CodeListOID" if is_one else "MultiSelectListID", "")
            listed = (self.lists if is_one else self.several).get(oid)
            if listed is None:
                self._tell(item, NOT_READ["CodeListOID"], oid, cells["name"])
            elif together := _own(listed, "CheckboxChoices"):
                cells["choices"] = together
            else:
                cells["pairs"] = list(self._pairs(listed, cells["name"]))
            if listed is not None and not _own(item, "FieldType"):
                cells |= {"type": "radio" if is_one else "checkbox", "validation": ""}

    def _pairs(self, listed: Any, name: str) -> Iterator[tuple[str, dict[str, str]]]:
        for line in listed.iter("{*}CodeListItem", "{*}EnumeratedItem", "{*}MultiSelectListItem"):
            said = self._said(line.iterfind("{*}Decode/{*}TranslatedText"))
            code = (line.get("CodedValue") or line.get("CodedOptionValue") or "").strip()
            if code:
                label = {language: redcap.plain(text) for language, text in said.items()}
                yield code, label | {"en": label.get("en") or code}
            else:
                self._tell(line, NOT_READ["CodedValue"], said.get("en", ""), name)

    def _limit(self, item: Any, cells: dict[str, Any]) -> None:
        """Fill in the limits of an item: of several the hard one; what only warned is told."""
        for check in sorted(item.iter("{*}RangeCheck"), key=lambda check: check.get("SoftHard") == "Soft"):
            comparator = check.get("Comparator") or ""
            values = [(value.text or "").strip() for value in check.iterfind("{*}CheckValue")]
            value, column = ", ".join(values), RANGE.get(comparator)
            if column is None or cells[column] or "pairs" in cells or cells["type"] == "notes":
                self._tell(check, NOT_READ["Comparator"], f"{comparator} {value}", cells["name"])
                continue
            cells[column] = value
            if check.get("SoftHard") == "Soft" and cells["validation"].startswith(("integer", "number")):
                self._tell(check, SOFT, f"{comparator} {value}", cells["name"], CHANGED)

    def _said(self, texts: Iterable[Any]) -> dict[str, str]:
        """{"en": text, "ja": text} of texts in languages, "en" of whatever there is; others are counted."""
        given = [(_language(text), "".join(text.itertext()).strip()) for text in texts]
        given = [(language, text) for language, text in given if text]
        if not given:
            return {}
        wanted = [("en", ("en", "")), ("ja", ("ja",))]
        chosen = {code: next((said for said in given if said[0].partition("-")[0] in of), None) for code, of in wanted}
        chosen["en"] = chosen["en"] or next((said for said in given if said is not chosen["ja"]), given[0])
        chosen_ids = {id(said) for said in chosen.values()}
        self.unsaid.update(language or "–" for said in given if id(said) not in chosen_ids for language in said[:1])
        return {code: said[1] for code, said in chosen.items() if said}


def _in_order(part: Any, tag: str) -> list[Any]:
    """The references of a form or group, by their numbers where each has one."""
    refs = list(part.iter(f"{{*}}{tag}"))
    numbers = [ref.get("OrderNumber", "") for ref in refs]
    if not all(number.isdecimal() for number in numbers):
        return refs
    return [ref for _, ref in sorted(zip(numbers, refs, strict=True), key=lambda numbered: int(numbered[0][:9]))]


def _key(element: Any) -> str:
    """What names an element in its file."""
    return next((element.get(name) for name in KEYS if element.get(name)), "")


def _describes_item(element: Any, tag: str) -> bool:
    """Whether it is an item's description: the label, or the help beside it."""
    return tag == "Description" and etree.QName(element.getparent()).localname == "ItemDef"


def _content(element: Any) -> str:
    """What an element says: its texts, or its attributes; "" where it says nothing or "no"."""
    text = " ".join("".join(element.itertext()).split())
    said = text or " ".join(value for part in element.iter("*") for value in part.attrib.values() if value.strip())
    return "" if said in ("", "0", "No") else said


def _own(element: Any, name: str) -> str:
    return str(element.get(OF_REDCAP + name, "")).strip()


def _is_passed(item: Any, is_seen: bool, status: str) -> bool:
    """Whether REDCap alone needs it: its own columns (group, survey, time, status), each further box of a list."""
    kind = _own(item, "FieldType")
    return not kind or _variable(item) == status or (is_seen and kind == "checkbox")


def _variable(item: Any) -> str:
    """The field's name: the same of all boxes of a tick list; of another system the item's, or its key."""
    return _own(item, "Variable") or item.get("Name") or item.get("OID") or ""


def _language(text: Any) -> str:
    return str(text.get("{http://www.w3.org/XML/1998/namespace}lang") or "").replace("_", "-").lower()


def _questions(item: Any) -> list[Any]:
    """The texts that ask for an item: REDCap's with their formats, the question's, or else those that describe it."""
    for path in (f"{{*}}Question/{OF_REDCAP}FormattedTranslatedText", "{*}Question/{*}TranslatedText"):
        if texts := item.findall(path):
            return list(texts)
    return list(item.findall("{*}Description/{*}TranslatedText"))


def _of_standard(item: Any) -> dict[str, str]:
    """Type and validation of an item, as the standard's type of data and length say."""
    data_type, length = item.get("DataType", "text"), item.get("Length", "")
    is_long = data_type in ("text", "string") and length.isdecimal() and int(length[:9]) > LONG_TEXT
    return {"type": "notes" if is_long else "text", "validation": OF_STANDARD.get(data_type, data_type)}


def _not_read(item: Any, ref: Any) -> Iterator[tuple[str, str]]:
    for name in ("CollectionExceptionConditionOID", "MethodOID"):
        if ref.get(name):
            yield name, ref.get(name)
    for unit in item.iter("{*}MeasurementUnitRef"):
        yield "MeasurementUnitOID", unit.get("MeasurementUnitOID", "")
    if _own(item, "FieldType") == "slider":
        yield "SliderLabels", _own(item, "SliderLabels")
