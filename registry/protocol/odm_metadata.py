"""CDISC ODM metadata (ODM 1.3.x), REDCap's `project.xml` above all: its forms as rows of a REDCap data dictionary.

REDCap writes all that its dictionary has into extensions of its own; of other systems the standard's elements say what
the type, the choices, the range and the need of an answer are. What is beside the forms is noted by its name.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from registry.instruments.base import Label
from registry.protocol import redcap
from registry.protocol.definitions import Fault
from registry.protocol.notes import LOST, Carried, Note

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
OF_STANDARD |= {"time": "time", "partialDate": "", "text": "", "string": ""}
RANGE = {"GE": "minimum", "LE": "maximum"}
# Attributes and elements of an item that no dictionary has.
NOT_READ = {
    "CollectionExceptionConditionOID": Label("the condition {v}", "条件「{v}」"),
    "MethodOID": Label("the calculation {v}", "計算「{v}」"),
    "MeasurementUnitOID": Label("the unit {v}: write it into the label", "単位「{v}」（ラベルに含めてください）"),
    "Comparator": Label("the range check {v}", "範囲の確認「{v}」"),
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
    rows = list(_Forms(root).rows()) if etree.QName(root).localname == "ODM" else []
    if not rows:
        return _refused(NO_FORMS)
    carried = redcap.read_fields([row[:2] for row in rows], record, taken)
    for line, cells, lost in rows:
        for name, value in lost:
            carried.notes.append(Note(line, name, cells["name"], LOST, NOT_READ[name].format(v=value)))
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
    """The forms of an ODM tree: `rows` gives (line, cells of a dictionary, [(what is not read, its value)])."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.items, self.lists = self._by_oid("ItemDef"), self._by_oid("CodeList")
        self.groups = {oid: list(group.iter("{*}ItemRef")) for oid, group in self._by_oid("ItemGroupDef").items()}

    def _by_oid(self, tag: str) -> dict[str, Any]:
        return {element.get("OID"): element for element in self.root.iter(f"{{*}}{tag}")}

    def rows(self) -> Iterator[tuple[int, dict[str, str], list[tuple[str, str]]]]:
        seen, is_of_redcap = set(), self.root.get("SourceSystem") == "REDCap"
        for form in self.root.iter("{*}FormDef"):
            name = _own(form, "FormName") or form.get("Name") or form.get("OID")
            for ref in self._refs(form):
                item = self.items.get(ref.get("ItemOID"))
                if item is None or (variable := _variable(item)) in seen or variable == f"{name}_complete":
                    continue
                if is_of_redcap and not _own(item, "FieldType"):  # a column of the system's own: group, survey, time
                    continue
                seen.add(variable)
                yield item.sourceline, self._cells(item, ref, variable, name), list(_not_read(item, ref))

    def _refs(self, form: Any) -> Iterator[Any]:
        for group in form.iter("{*}ItemGroupRef"):
            yield from self.groups.get(group.get("ItemGroupOID"), ())

    def _cells(self, item: Any, ref: Any, variable: str, form: str) -> dict[str, str]:
        cells = dict.fromkeys(redcap.COLUMNS, "") | {"name": variable, "form": form, "label": _label(item)}
        cells |= {column: _own(item, name) for column, name in ATTRIBUTES.items()}
        kind = _own(item, "FieldType")
        listed = self.lists.get(next((own.get("CodeListOID") for own in item.iter("{*}CodeListRef")), ""))
        if kind:
            cells["type"] = TYPES.get(kind, kind)
            cells["validation"] = VALIDATIONS.get(cells["validation"], cells["validation"])
        else:
            cells["type"] = "text" if listed is None else "radio"
            data_type = item.get("DataType", "text")
            cells["validation"] = "" if listed is not None else OF_STANDARD.get(data_type, data_type)
            cells["required"] = "y" if ref.get("Mandatory") == "Yes" else ""
        cells["choices"] = _own(item, "Calculation") or _own(item, "SliderLabels") or _choices(listed)
        for check in item.iter("{*}RangeCheck"):
            if column := RANGE.get(check.get("Comparator")):
                cells[column] = (check.findtext("{*}CheckValue") or "").strip()
        return cells


def _own(element: Any, name: str) -> str:
    return str(element.get(OF_REDCAP + name, "")).strip()


def _variable(item: Any) -> str:
    """The field's name: the same of all boxes of a tick list; of another system the item's, or its key."""
    return _own(item, "Variable") or item.get("Name") or item.get("OID") or ""


def _label(item: Any) -> str:
    question = item.find("{*}Question")
    texts = [] if question is None else [*question.iter(f"{OF_REDCAP}FormattedTranslatedText", "{*}TranslatedText")]
    formatted = [text for text in texts if text.tag.startswith(OF_REDCAP)]
    return next(("".join(text.itertext()).strip() for text in formatted or texts), "") or str(item.get("Name", ""))


def _choices(listed: Any) -> str:
    if listed is None:
        return ""
    if together := _own(listed, "CheckboxChoices"):
        return together
    lines = [(item.get("CodedValue"), item.find("{*}Decode/{*}TranslatedText")) for item in listed]
    return " | ".join(
        f"{code}, {code if text is None else ' '.join(''.join(text.itertext()).split())}"
        for code, text in lines
        if code
    )


def _not_read(item: Any, ref: Any) -> Iterator[tuple[str, str]]:
    for name in ("CollectionExceptionConditionOID", "MethodOID"):
        if ref.get(name):
            yield name, ref.get(name)
    for unit in item.iter("{*}MeasurementUnitRef"):
        yield "MeasurementUnitOID", unit.get("MeasurementUnitOID", "")
    if _own(item, "FieldType") == "slider":
        yield "SliderLabels", _own(item, "SliderLabels")
    for check in item.iter("{*}RangeCheck"):
        if check.get("Comparator") not in RANGE:
            yield "Comparator", f"{check.get('Comparator')} {(check.findtext('{*}CheckValue') or '').strip()}"
