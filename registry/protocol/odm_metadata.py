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
from registry.protocol.notes import CHANGED, LOST, Carried, Note

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
    "DataAccessGroups": Label(
        "{n} data access groups: they are sites", "データアクセスグループ{n}件（施設として登録）"
    ),
}
SET_UP_ANEW = Label("{n} {v}", "{v} {n}件")

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
        for ref in form.iter("{*}ItemGroupRef"):
            oid = ref.get("ItemGroupOID", "")
            group = self.groups.get(oid)
            if group is None:
                self._tell(ref, NO_GROUP, oid)
                continue
            if group.get("Repeating") == "Yes":
                self._tell(group, REPEATS, group.get("Name") or oid)
            if condition := ref.get("CollectionExceptionConditionOID"):
                self._tell(ref, NOT_READ["CollectionExceptionConditionOID"], condition, oid)
            yield from group.iter("{*}ItemRef")

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
        self._choose(item, cells)
        self._limit(item, cells)
        for name, value in _not_read(item, ref):
            self._tell(item, NOT_READ[name], value, variable)
        return cells

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
            value = (check.findtext("{*}CheckValue") or "").strip()
            column = RANGE.get(comparator)
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
        kept = {id(said) for said in chosen.values()}
        self.unsaid.update(language or "–" for said in given if id(said) not in kept for language in said[:1])
        return {code: said[1] for code, said in chosen.items() if said}


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
