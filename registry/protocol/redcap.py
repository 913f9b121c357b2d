"""REDCap data dictionary, in and out: the CSV that a REDCap project's designer uploads and downloads.

A form becomes the document of an own instrument; branching and calculations stay as they are, with new names where
REDCap's do not fit. What cannot be carried is noted, never dropped silently.
"""

import codecs
import csv
import html
import io
import re
from collections.abc import Mapping
from typing import Any

from registry.instruments.base import Item, Label
from registry.protocol import definitions, naming
from registry.protocol.definitions import Fault
from registry.protocol.expressions import InvalidExpression, names, renamed
from registry.protocol.notes import CHANGED, LOST, Carried

# The columns of the designer's file, and the names that the API gives them.
COLUMNS = {
    "name": ("Variable / Field Name", "field_name"),
    "form": ("Form Name", "form_name"),
    "section": ("Section Header", "section_header"),
    "type": ("Field Type", "field_type"),
    "label": ("Field Label", "field_label"),
    "choices": ("Choices, Calculations, OR Slider Labels", "select_choices_or_calculations"),
    "note": ("Field Note", "field_note"),
    "validation": ("Text Validation Type OR Show Slider Number", "text_validation_type_or_show_slider_number"),
    "minimum": ("Text Validation Min", "text_validation_min"),
    "maximum": ("Text Validation Max", "text_validation_max"),
    "identifier": ("Identifier?", "identifier"),
    "branching": ("Branching Logic (Show field only if...)", "branching_logic"),
    "required": ("Required Field?", "required_field"),
    "alignment": ("Custom Alignment", "custom_alignment"),
    "number": ("Question Number (surveys only)", "question_number"),
    "matrix": ("Matrix Group Name", "matrix_group_name"),
    "ranking": ("Matrix Ranking?", "matrix_ranking"),
    "annotation": ("Field Annotation", "field_annotation"),
}
MOST_FIELDS = 9000  # of a file
NEEDED = ("name", "form", "type", "label")
# What a type of field takes of the columns that only some take; what stands there of another is noted.
TAKEN = {
    "text": ("validation", "minimum", "maximum"), "slider": ("choices", "minimum", "maximum"), "calc": ("choices",),
    "radio": ("choices",), "dropdown": ("choices",), "checkbox": ("choices",),
}  # fmt: skip
SOME_TAKE = ("choices", "validation", "minimum", "maximum")
# Validations of text that say that an answer names a person or leads to one.
OF_PERSONS = re.compile(r"email|phone.*|ssn|v?mrn.*|(zip|post|postal)code.*|.*_?zip")
# What a document says, to the column of the file that says it.
COLUMN_OF = {
    "name": "name", "kind": "type", "label": "label", "choices": "choices", "formula": "choices", "minimum": "minimum",
    "maximum": "maximum", "show_if": "branching", "places": "validation", "max_length": "type", "checks": "minimum",
}  # fmt: skip


def read(content: bytes, record: str = "assessment", taken: Any = ()) -> Carried:
    """The documents of a data dictionary's forms. `taken`: names of columns that exist already."""
    return _Reader(record, taken).read(content)


def read_fields(rows: list[tuple[int, dict[str, Any]]], record: str, taken: Any = ()) -> Carried:
    """The documents of fields that another file holds: (its row, cells by the keys of COLUMNS).

    Beside them a file may give `label_in` and `note_in` ({language: text} beside the English one), `max_length` of a
    text, `places` of a number and, in the place of the column of choices, `pairs` [(code, {language: label})], whose
    texts may hold the signs that separate choices there.
    """
    return _Reader(record, taken).read_fields(rows)


def decoded(content: bytes) -> tuple[str, str]:
    """(text, encoding) of a file: UTF-16 by its mark, UTF-8, Shift-JIS, or else Western European."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), "UTF-16"
    for encoding, called in (("utf-8-sig", "UTF-8"), ("cp932", "Shift-JIS")):
        try:
            return content.decode(encoding), called
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "ISO 8859-1"


def tick_column(name: str, code: Any) -> str:
    """What REDCap calls the column of a tick box: a sign in a code is “_”, `drugs____3` the box of -3."""
    return f"{name}___{re.sub(r'[^a-z0-9_]', '_', str(code).lower())}"


def plain(text: str) -> str:
    """A label without HTML, in one line."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"</?[A-Za-z!][^>]*>", " ", text or ""))).strip()


def _delimited(text: str) -> tuple[str, str]:
    """(text without a first line `sep=;`, its separator), the separator as that line or the header has it."""
    first, _, rest = text.partition("\n")
    if match := re.fullmatch(r'"?sep=([,;\t])"?\r?', first, re.IGNORECASE):
        return rest, match[1]
    return text, max(",;\t", key=first.count)


def _as_heading(text: str) -> str:
    """A heading as it is compared: spaces, case and signs are written in many ways."""
    return re.sub(r"[\W_]+", "", text).casefold()


class _Reader:
    def __init__(self, record: str, taken: Any) -> None:
        self.record, self.taken = record, set(taken)
        self.result = Carried()
        self.rows_of: dict[str, list[int]] = {}  # code of a document to the file's row of each of its items
        self.codes: dict[str, str] = {}  # name of a form, in small letters, to the code of its document
        self.named: dict[str, str] = {}  # REDCap's name to the item's
        self.sections: dict[str, tuple[int, str]] = {}  # form to the heading, with its row, that no item stands under
        self.header = {key: known[0] for key, known in COLUMNS.items()}

    def read(self, content: Any) -> Carried:
        rows = self._rows(content)
        return self.result if rows is None else self.read_fields(rows)

    def read_fields(self, rows: list[tuple[int, dict[str, Any]]]) -> Carried:
        self.result.seen = len(rows)
        if len(rows) > MOST_FIELDS:
            self._fault(1, "", str(len(rows)), "has {v} fields; at most {m} can be read: divide the file",
                        "項目が{v}件あります（{m}件まで）。ファイルを分けてください", m=MOST_FIELDS)  # fmt: skip
            return self.result
        for place, (row, cells) in enumerate(self._name_all(rows)):
            self._field(row, cells, is_first=place == 0)
        self._check()
        return self.result

    def _fault(self, row: Any, column: Any, value: Any, en: str, ja: str, **values: Any) -> None:
        reason = Label(en, ja).format(v=value[:80], **values)
        self.result.faults.append(Fault(row, self.header.get(column, column), value[:80], reason))

    def _note(self, row: Any, column: Any, name: Any, effect: Any, en: str, ja: str, **values: Any) -> None:
        self.result.note(row, self.header.get(column, column), name, effect, en, ja, **values)

    def _rows(self, content: Any) -> list[tuple[int, dict[str, str]]] | None:
        """[(row of the file, cells by our names)], or None where it is no dictionary."""
        text, encoding = decoded(content)
        self.header = {}
        if encoding not in ("UTF-8", "UTF-16"):
            self._note(0, "", "", CHANGED, "the file is not UTF-8 and was read as {v}: look at its labels",
                       "UTF-8ではないため{v}として読み取りました。ラベルを確認してください", v=encoding)  # fmt: skip
        text, delimiter = _delimited(text.lstrip("\ufeff"))
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            self._fault(line, "", "", "holds the character NUL, which no text does: save the file as CSV UTF-8",
                        "文字として使えないNULが含まれています。CSV UTF-8で保存してください")  # fmt: skip
            return None
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            numbered, line = [], 1  # a label may have several lines: its row is the first
            for cells in lines:
                numbered.append((line, cells))
                line = lines.line_num + 1
        except csv.Error as error:
            self._fault(lines.line_num, "", str(error), "cannot be read as CSV: {v}", "CSVとして読み取れません：{v}")
            return None
        head = [cell.strip() for cell in numbered[0][1]] if numbered else []
        plainly = [_as_heading(cell) for cell in head]
        places = {
            key: next((plainly.index(heading) for heading in map(_as_heading, known) if heading in plainly), None)
            for key, known in COLUMNS.items()
        }
        self.header = {key: head[place] for key, place in places.items() if place is not None}
        lacking = [COLUMNS[key][0] for key in NEEDED if places[key] is None]
        if lacking:
            self._fault(
                1, "", ", ".join(head)[:80], "is no REDCap data dictionary: it lacks {l}",
                "REDCapのデータディクショナリではありません（{l}の列がありません）", l=", ".join(lacking),
            )  # fmt: skip
            return None

        def cell(cells: Any, key: Any, place: int | None) -> Any:
            text = cells[place].strip() if place is not None and place < len(cells) else ""
            return "" if text == "NA" and key not in ("name", "label") else text  # as R writes nothing

        rows = [
            (row, {key: cell(cells, key, place) for key, place in places.items()})
            for row, cells in numbered[1:]
            if any(cells)
        ]
        self._tell_of_others(head, {*places.values()}, numbered[1:])
        if not rows:
            self._fault(1, "", "", "has no field", "項目がありません")
        return rows

    def _tell_of_others(self, head: list[str], known: set[int | None], rows: Any) -> None:
        """Note the columns that are none of a dictionary's, and the cells that stand under no heading."""
        for place, heading in enumerate(head):
            filled = sum(place < len(cells) and bool(cells[place].strip()) for _row, cells in rows)
            if place not in known and filled:
                self._note(1, heading, "", LOST, "the column “{v}”, which is none of REDCap's ({n} values)",
                           "REDCapにない列「{v}」（値{n}件）", v=heading[:60], n=filled)  # fmt: skip
        for row, cells in rows:
            if any(cell.strip() for cell in cells[len(head) :]):
                self._fault(
                    row, "", ", ".join(cells[len(head) :]),
                    "has more cells than the header: is a comma or quote lacking? “{v}” stands under no heading",
                    "見出しより列が多い行です（「{v}」）。引用符やカンマを確認してください",
                )  # fmt: skip

    def _name_all(self, rows: Any) -> list[tuple[int, Any]]:
        """An item's name for every field, before any expression is read: the rows whose name no earlier one has."""
        taken, fields = set(self.taken), []
        for row, cells in rows:
            name = cells["name"]
            if name.lower() in self.named:
                self._fault(
                    row, "name", name, "is the name of an earlier field too; “{f}” would fit",
                    "前の項目と同じ名前です（例：「{f}」）", f=naming.fitting(name, taken),
                )  # fmt: skip
                continue
            fields.append((row, cells))
            fitted = naming.fitting(name, taken)
            taken.add(fitted)
            self.named[name.lower()] = fitted
            if fitted != name:
                self._note(row, "name", fitted, CHANGED, "“{v}” is called “{f}” here",
                           "「{v}」は「{f}」という名前になります", v=name[:80], f=fitted)  # fmt: skip
        return fields

    def _code(self, row: int, form: str) -> str:
        """The code of a form's document, told where another form's name agrees in what a code can hold."""
        if form.lower() not in self.codes:
            code = naming.fitting(form or "form", set(self.codes.values()), 20)
            if code != (plainly := naming.fitting(form or "form", (), 20)):
                self._note(row, "form", code, CHANGED, "the form “{v}” has the code “{f}”: “{c}” is another form's",
                           "調査票「{v}」のコードは「{f}」になります（「{c}」は別の調査票のコード）",
                           v=form[:80], f=code, c=plainly)  # fmt: skip
            self.codes[form.lower()] = code
        return self.codes[form.lower()]

    def _document(self, row: int, cells: Any) -> dict:
        title = cells["form"].replace("_", " ").strip().capitalize() or "Form"
        code = self._code(row, cells["form"])
        self.rows_of.setdefault(code, [])
        return self.result.documents.setdefault(
            code,
            {
                "metaspine": "instrument", "format": definitions.FORMAT, "code": code, "title": {"en": title},
                "record": self.record, "items": [], "checks": [],
            },
        )  # fmt: skip

    def _field(self, row: Any, cells: Any, *, is_first: bool) -> None:
        name = self.named[cells["name"].lower()]
        if cells["section"]:
            self._drop_section(cells["form"])
            self.sections[cells["form"]] = row, cells["section"]
        if self._left_out(row, cells, name, is_first=is_first):
            return
        document = self._document(row, cells)
        if cells["type"] == "descriptive":
            self._note(row, "label", name, LOST, "a text without an answer: {v}", "回答欄のない説明文：{v}",
                       v=plain(cells["label"])[:60])  # fmt: skip
            return
        item = {
            "name": name,
            "label": {"en": plain(cells["label"]) or name} | cells.get("label_in", {}),
            "required": cells["required"].lower() == "y",
        }
        if cells["note"]:
            item["help"] = {"en": plain(cells["note"])} | cells.get("note_in", {})
        if cells["form"] in self.sections:  # also of a field before it that was left out
            item["section"] = {"en": plain(self.sections.pop(cells["form"])[1])}
        made = _TYPES.get(cells["type"].lower())
        if made is None:
            self._fault(
                row, "type", cells["type"],
                "is no type of REDCap; {k} would fit", "REDCapの項目型ではありません（{k}）",
                k=", ".join(_TYPES),
            )  # fmt: skip
            return
        made(self, row, cells, item)
        self._branching(row, cells, item)
        self._layout(row, cells, name)
        self._tell_of_unused(row, cells, name)
        self._tell_of_texts(row, cells, name)
        document["items"].append(item)
        self.rows_of[document["code"]].append(row)

    def _left_out(self, row: Any, cells: Any, name: Any, *, is_first: bool) -> bool:
        is_key = is_first and re.search(r"(^|_)(id|no|number|record)$|^record", cells["name"].lower())
        if is_key and cells["type"] == "text":
            self._note(row, "name", name, LOST, "the record's identifier: the patient's number stands for it",
                       "レコードIDには患者IDを使います")  # fmt: skip
            return True
        if cells["identifier"].lower() == "y":
            self._note(
                row, "identifier", name, LOST, "names a person: own instruments hold no direct identifiers",
                "個人を特定する項目のため取り込みません",
            )  # fmt: skip
            return True
        if OF_PERSONS.fullmatch(cells["validation"].lower()):
            self._note(
                row, "validation", name, LOST, "“{v}” names a person: own instruments hold no direct identifiers",
                "「{v}」は個人を特定しうる項目のため取り込みません", v=cells["validation"],
            )  # fmt: skip
            return True
        if cells["type"] in ("file", "sql"):
            self._note(row, "type", name, LOST, "a field of type “{v}”", "「{v}」型の項目", v=cells["type"])
            return True
        return False

    # Types

    def _text(self, row: Any, cells: Any, item: Any) -> None:
        validation = cells["validation"].lower()
        item["kind"] = "text"
        if not validation:
            item |= {"max_length": cells["max_length"]} if "max_length" in cells else {}
        elif validation == "integer":
            item["kind"] = "whole"
        elif validation.startswith("number"):
            match = re.match(r"number_(\d)dp", validation)
            item |= {"kind": "decimal", "places": int(match[1]) if match else cells.get("places", 6)}
        elif validation.startswith("date_"):
            item |= {"kind": "date", "not_future": False}
        elif validation == "time":
            item["kind"] = "time"
        else:
            self._note(row, "validation", item["name"], CHANGED, "“{v}” is kept as text and not checked",
                       "「{v}」は文字として取り込み、形式は確認しません", v=validation)  # fmt: skip
        self._limits(row, cells, item)

    def _limits(self, row: Any, cells: Any, item: Any) -> None:
        for column in ("minimum", "maximum"):
            raw = cells[column].replace(",", ".") if item["kind"] in ("decimal", "whole") else cells[column]
            if not raw:
                continue
            if item["kind"] in ("whole", "decimal") and re.fullmatch(r"-?\d+(\.\d+)?", raw):
                item[column] = raw
            else:
                self._note(row, column, item["name"], LOST, "the limit {v}", "範囲の設定 {v}", v=cells[column])

    def _notes(self, row: Any, cells: Any, item: Any) -> None:
        item |= {"kind": "text", "max_length": cells.get("max_length", 5000)}

    def _coded(self, row: Any, cells: Any, item: Any) -> None:
        item |= {"kind": "code", "choices": self._choices(row, cells)}

    def _checkbox(self, row: Any, cells: Any, item: Any) -> None:
        item |= {"kind": "codes", "choices": self._choices(row, cells)}

    def _choices(self, row: Any, cells: Any) -> list:
        if "pairs" in cells:  # a file that has each choice by itself
            return [{"code": code, "label": label} for code, label in cells["pairs"]]
        choices = []
        for part in re.split(r"\s*\|\s*|\n", cells["choices"].strip()):
            if not part.strip():
                continue
            code, comma, label = part.partition(",")
            if not comma:
                self._fault(
                    row, "choices", part, "“{v}” is no choice; “code, label” would fit",
                    "「{v}」は選択肢として読めません（「コード, ラベル」）",
                )  # fmt: skip
            else:
                choices.append({"code": code.strip(), "label": {"en": plain(label) or code.strip()}})
        return choices

    def _yesno(self, row: Any, cells: Any, item: Any) -> None:
        item["kind"] = "yes_no"

    def _truefalse(self, row: Any, cells: Any, item: Any) -> None:
        choices = [
            {"code": "1", "label": {"en": "True", "ja": "真"}},
            {"code": "0", "label": {"en": "False", "ja": "偽"}},
        ]
        item |= {"kind": "code", "choices": choices}

    def _slider(self, row: Any, cells: Any, item: Any) -> None:
        item |= {"kind": "whole", "minimum": cells["minimum"] or 0, "maximum": cells["maximum"] or 100}
        if cells["choices"]:
            item["help"] = {"en": plain(cells["choices"].replace("|", "–"))}
        self._note(row, "type", item["name"], CHANGED, "a slider becomes a number", "スライダーは数値入力になります")

    def _calc(self, row: Any, cells: Any, item: Any) -> None:
        item |= {"kind": "calculated", "formula": renamed(cells["choices"], self.named), "places": 6}
        item.pop("required")

    # Beside the type

    def _branching(self, row: Any, cells: Any, item: Any) -> None:
        if cells["branching"]:
            item["show_if"] = renamed(cells["branching"], self.named)

    def _layout(self, row: Any, cells: Any, name: Any) -> None:
        if cells["annotation"].strip():
            self._note(row, "annotation", name, LOST, "the annotation {v}", "注釈 {v}", v=cells["annotation"][:60])
        for column, en, ja in (
            ("matrix", "the layout as a matrix “{v}”", "マトリックス表示「{v}」"),
            ("alignment", "the alignment {v}", "配置 {v}"),
            ("number", "the question's number {v}", "質問番号 {v}"),
            ("ranking", "the ranking of a matrix (each choice once): {v}", "マトリックスの順位付け（{v}）"),
        ):
            if cells[column] and not (column == "ranking" and cells[column].lower() == "n"):
                self._note(row, column, name, LOST, en, ja, v=cells[column][:60])

    def _tell_of_unused(self, row: Any, cells: Any, name: Any) -> None:
        """Note what stands in a column that a field of its type does not take, and words other than y and n."""
        taken = TAKEN.get(cells["type"].lower(), ())
        for column in SOME_TAKE:
            if cells[column] and column not in taken and not ("pairs" in cells and column == "choices"):
                self._note(row, column, name, LOST, "“{v}”, which a field of type “{t}” does not take here",
                           "「{v}」（「{t}」型では使いません）", v=cells[column][:60], t=cells["type"])  # fmt: skip
        for column in ("required", "identifier"):
            if cells[column].lower() not in ("", "y", "n"):
                self._note(row, column, name, LOST, "“{v}”, which is neither y nor n",
                           "「{v}」（yでもnでもありません）", v=cells[column][:60])  # fmt: skip

    def _tell_of_texts(self, row: Any, cells: Any, name: Any) -> None:
        """Note what REDCap puts into its texts: answers of other fields, fields, pictures and links."""
        for column in ("section", "label", "note"):
            text = cells[column]
            for written in _PUT_IN.findall(text):
                if _is_put_in(written, self.named):
                    self._note(row, column, name, CHANGED, "{v} stands in the text as it is written",
                               "{v}は文章中にそのまま表示されます", v=written[:60])  # fmt: skip
            for tag in dict.fromkeys(match.lower() for match in _EMBEDDED.findall(text)):
                self._note(row, column, name, LOST, "what <{v}> shows or leads to", "<{v}>の表示やリンク", v=tag)

    def _drop_section(self, form: str) -> None:
        """Note a heading under which no item stands."""
        if form in self.sections:
            row, text = self.sections.pop(form)
            self._note(row, "section", "", LOST, "the heading “{v}”, under which no field came along",
                       "見出し「{v}」（取り込む項目がありません）", v=plain(text)[:60])  # fmt: skip

    # The whole

    def _check(self) -> None:
        """Read each document; an expression that reaches what was left out or another event is left out and noted."""
        for form in [*self.sections]:
            self._drop_section(form)
        documents = self.result.documents
        for code in [code for code, document in documents.items() if not document["items"]]:
            del documents[code]
        left = {name: naming.fitting(name) for name in self.named}
        have = {item["name"] for document in documents.values() for item in document["items"]}
        for code, document in documents.items():
            asked = list(zip(self.rows_of[code], document["items"], strict=True))
            for row, item in asked:
                self._drop_unreachable(row, item, have, left)
            asked = [(row, item) for row, item in asked if item.get("kind") != "gone"]
            self.rows_of[code], document["items"] = [row for row, _ in asked], [item for _, item in asked]
        items = {code: definitions.items_of(document) for code, document in documents.items()}
        for code, document in documents.items():
            others = {item.name: item for other, those in items.items() if other != code for item in those}
            self._read(document, self.rows_of[code], others)

    def _drop_unreachable(self, row: Any, item: Any, have: Any, left: Any) -> None:
        for column in ("show_if", "formula"):
            text = item.get(column)
            if not text:
                continue
            if reason := _unreachable(text, have):
                self._note(
                    row, COLUMN_OF[column], item["name"], LOST, "{v}: " + reason.en, "{v}：" + reason.ja, v=text[:80]
                )
                del item[column]
                if column == "formula":
                    item["kind"] = "gone"
                    have.discard(item["name"])

    def _read(self, document: Mapping, rows: Any, others: Mapping[str, Item]) -> None:
        reading = definitions.read(document, taken=self.taken, known=others)
        for fault in reading.faults:
            row = rows[fault.row - 1] if 0 < fault.row <= len(rows) else 1
            column = self.header.get(COLUMN_OF.get(fault.column, ""), fault.column)
            self.result.faults.append(Fault(row, column, fault.value, fault.reason))
        self.result.faults.sort(key=lambda fault: fault.row)


_PUT_IN = re.compile(r"\[[A-Za-z][^\[\]]*\]|\{[a-z][a-z0-9_]*(?::icons)?\}")
_EMBEDDED = re.compile(r"<(a|img|iframe|video|audio|embed|object)\b", re.IGNORECASE)


def _is_put_in(written: str, fields: Mapping[str, str]) -> bool:
    """Whether brackets in a text stand for a field's answer, the field itself or what REDCap knows."""
    inside = re.split(r"[:(]", written[1:-1])[0].strip().lower()
    return inside in fields or (written[0] == "[" and bool(_SMART.match(written)))


_EVENT = re.compile(r"\[[^\]]+\]\s*\[[^\]]+\]")
_SMART = re.compile(r"\[([a-z]+-[a-z-]+)[\]:]")


def _unreachable(text: str, have: Any) -> Label | None:
    """Why an expression cannot be carried at all: it needs what no form here has. None where it may."""
    if _EVENT.search(text):
        return Label("reaches another event", "別のイベントを参照しています")
    if match := _SMART.search(text):
        return Label(f"needs [{match[1]}]", f"[{match[1]}]が必要です")
    try:
        lacking = sorted(names(text) - have)
    except InvalidExpression:
        return None  # a fault, with its place
    if lacking:
        listed = ", ".join(lacking)
        return Label("needs what was not carried ({listed})", "取り込まれない項目（{listed}）が必要です").format(
            listed=listed
        )
    return None


_TYPES = {
    "text": _Reader._text,
    "notes": _Reader._notes,
    "radio": _Reader._coded,
    "dropdown": _Reader._coded,
    "checkbox": _Reader._checkbox,
    "yesno": _Reader._yesno,
    "truefalse": _Reader._truefalse,
    "slider": _Reader._slider,
    "calc": _Reader._calc,
    "descriptive": None,
    "file": None,
    "sql": None,
}

# Out

_WRITTEN = {
    "whole": ("text", "integer"),
    "decimal": ("text", "number"),
    "code": ("radio", ""),
    "codes": ("checkbox", ""),
    "yes_no": ("yesno", ""),
    "date": ("text", "date_ymd"),
    "partial_date": ("text", ""),
    "time": ("text", "time"),
    "text": ("text", ""),
    "calculated": ("calc", ""),
}


def write(documents: Any, language: str = "en") -> tuple[bytes, list]:
    """(the data dictionary, notes of what it cannot say) of some documents, in one language."""
    carried = Carried()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([names[0] for names in COLUMNS.values()])
    writer.writerow(_cells(name="record_id", form=documents[0]["code"], type="text", label="Record ID"))
    row = 2
    for document in documents:
        for item in document["items"]:
            row += 1
            writer.writerow(_written(document, item, language))
            _note_lost(carried, row, item)
        for check in document.get("checks") or ():
            carried.note(row, "checks", check.get("name", ""), LOST, "a check on answers", "回答の確認ルール")
    return out.getvalue().encode("utf-8"), carried.notes


def _cells(**values: Any) -> list[str]:
    return [str(values.get(key) or "") for key in COLUMNS]


def _text(label: Any, language: str) -> Any:
    return label if isinstance(label, str) else (label or {}).get(language) or (label or {}).get("en") or ""


def _written(document: Mapping, item: Any, language: str) -> list[str]:
    kind, validation = _WRITTEN[item["kind"]]
    if item["kind"] == "text" and int(item.get("max_length") or 200) > 200:
        kind = "notes"
    if item["kind"] == "decimal" and 1 <= int(item.get("places") or 0) <= 4:
        validation = f"number_{item['places']}dp"
    choices = " | ".join(
        f"{choice['code']}, {_text(choice['label'], language)}" for choice in item.get("choices") or ()
    )
    return _cells(
        name=item["name"],
        form=document["code"],
        section=_text(item.get("section"), language),
        type=kind,
        label=_text(item["label"], language),
        choices=item.get("formula") or choices,
        note=_text(item.get("help"), language),
        validation=validation,
        minimum="" if item.get("minimum") is None else str(item["minimum"]),
        maximum="" if item.get("maximum") is None else str(item["maximum"]),
        branching=item.get("show_if"),
        required="y" if item.get("required", True) and item["kind"] != "calculated" else "",
    )


def _note_lost(carried: Any, row: Any, item: Any) -> None:
    if item.get("required_if"):
        carried.note(
            row, "required_if", item["name"], LOST, "required only if {v}", "条件付き必須 {v}", v=item["required_if"]
        )
    if item["kind"] == "partial_date":
        carried.note(row, "kind", item["name"], CHANGED, "a partial date becomes text", "部分日付は文字になります")
