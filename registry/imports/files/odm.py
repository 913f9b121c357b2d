"""CDISC ODM-XML (1.3.x) snapshot to a table: a row for each event of a subject, a column for each item that has data.

Columns are called as the registry calls the item (by its name, OID, SAS name, question or description), else by its
question, else by its name. Reasons for nulls stand in a column `<name>_missing`. Read as it streams; a document type,
hence any entity of the file's own, is refused. What is no data of a form (comments, audit records, signatures) is told.
"""

import csv
import re
from pathlib import Path
from xml.parsers import expat

from registry.imports.files import reading
from registry.imports.files.excel.workbook import MARK, SHOWN, Sheet
from registry.instruments.base import Label
from registry.services.files.file_formats import MISSING_SUFFIX, OWN

SUBJECT, PLACE, EVENT, REPEAT = "SubjectKey", "SiteRef", "StudyEventOID", "StudyEventRepeatKey"
REFERENCE = "ReferenceData"
OURS = "Metaspine"
OF_SYSTEM = ("RecordIdField", "UniqueEventName", "FormName", "Variable", "schemaLocation", "lang")
NO_VISIT = ("patient", "adverse_event", "follow_up_end")  # events of our own files
DEEPEST = 60  # of elements within elements
MOST_ITEMS = 12_000_000
PASSED = {  # elements that are told: what each is
    "Comment": Label("comments", "コメント"),
    "AuditRecord": Label("audit records", "監査記録"),
    "Signature": Label("signatures", "署名"),
    REFERENCE: Label("values that are of no subject", "被験者に属さない値"),
}
FILES = ("ItemDataBase64Binary", "ItemDataHexBinary", "ItemDataBase64Float", "ItemDataHexFloat")
PASSED |= dict.fromkeys(FILES, Label("files", "ファイル"))
STANDARD = "http://www.cdisc.org/ns/odm/"

NO_XML = Label("cannot be read as XML: {v}", "XMLとして読み取れません：{v}")
NO_ODM = Label(
    "is XML, and no ODM file. Files of CDISC ODM 1.3, workbooks and CSV can be imported.",
    "XMLですが、ODMファイルではありません。CDISC ODM 1.3、Excelブック、CSVを取り込めます。",
)
DOCTYPE = Label("declares a document type, which no ODM file needs.", "ODMに不要な文書型宣言があります。")
NO_SNAPSHOT = Label(
    "says what changed (FileType, or TransactionType “{v}”), not how things are. Export a snapshot.",
    "変更（FileTypeまたはTransactionType「{v}」）のファイルです。スナップショットを出力してください。",
)
LACKING = Label("lacks the attribute {v} of ODM.", "ODMの属性{v}がありません。")
NOTHING = Label("holds no data of subjects.", "被験者のデータがありません。")
STRANGE = Label(
    "contains the character U+FDD0 or U+FDD1, which no text holds.", "文字として使えない文字が含まれています。"
)
NOT_READ = Label("{n} {what} of the ODM file are not imported", "ODMファイルの{what}{n}件は取り込みません")


def is_xml(head):
    """Whether a file's first bytes are those of XML."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or head[:4] in (b"\xff\xfe<\0", b"\xfe\xff\0<")


def read(path, folder, knows):
    """The `Sheet` of the ODM file at `path`, its rows as `sheet-0.csv` in `folder`. Raises reading.Unreadable.

    knows  whether a name is a column's that the registry knows
    """
    reader = _OfRedcap() if _is_of_redcap(path) else _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = reader.text, _refuse_doctype
    reader.line = lambda: parser.CurrentLineNumber
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise reading.Unreadable(NO_XML.format(v=expat.errors.messages[error.code]), error.lineno) from None
    except KeyError as error:
        raise reading.Unreadable(LACKING.format(v=error.args[0]), parser.CurrentLineNumber) from None
    return reader.write(folder / "sheet-0.csv", knows)


def _refuse_doctype(*_):
    raise reading.Unreadable(DOCTYPE)


def _is_of_redcap(path):
    with path.open("rb") as stream:
        return re.search(rb"""SourceSystem\s*=\s*["']REDCap["']""", stream.read(4096)) is not None


class _Reader:
    NAMING = {name: name for name in (SUBJECT, PLACE, EVENT, REPEAT)}  # what names a row → its column

    def __init__(self):
        self.depth, self.ours, self.texts = 0, False, None
        self.items, self.units, self.lists, self.places = {}, {}, {}, {}  # by OID
        self.events = {}
        self.rows, self.columns, self.passed = [], {}, {}
        self.extensions = {}  # names of attributes of a vendor's own
        self.item = self.list = self.coded = self.unit = None
        self.said = 0

    # Elements

    def start(self, tag, attributes):
        space, _, tag = tag.rpartition(" ")
        self.depth += 1
        if self.depth > 1 and space and not space.startswith(STANDARD):
            self._pass_extension(space, tag, attributes)
            return
        if (self.depth == 1 and tag != "ODM") or self.depth > DEEPEST:
            raise reading.Unreadable(NO_ODM)
        if (kind := attributes.get("TransactionType", "Insert")) not in ("Insert", "Context"):
            raise reading.Unreadable(NO_SNAPSHOT.format(v=kind), self.line())
        if tag in PASSED:
            self.passed[tag] = self.passed.get(tag, 0) + 1
        begin = getattr(self, f"_start_{tag.lower()}", None)
        if begin is not None:
            begin(attributes)
        elif tag.startswith("ItemData") and tag not in FILES:
            self._start_data(tag, attributes)

    def _pass_extension(self, space, tag, attributes):
        """An element of a vendor's own: told where it stands among the data, whatever it holds."""
        if self.depth > DEEPEST:
            raise reading.Unreadable(NO_ODM)
        if self.subject is not None:
            name = f"{tag} ({space})"
            self.passed[name] = self.passed.get(name, 0) + 1

    def end(self, tag):
        space, _, tag = tag.rpartition(" ")
        self.depth -= 1
        if self.depth and space and not space.startswith(STANDARD):
            return
        finish = getattr(self, f"_end_{tag.lower()}", None)
        if finish is not None:
            finish()
        elif tag.startswith("ItemData") and tag not in FILES:
            self._end_data()

    def text(self, characters):
        if self.texts is not None:
            self.texts.append(characters)

    def _start_odm(self, attributes):
        self.ours = attributes.get("SourceSystem") == OURS
        if attributes.get("FileType") == "Transactional":
            raise reading.Unreadable(NO_SNAPSHOT.format(v="Transactional"))

    # What the data mean

    def _start_itemdef(self, attributes):
        oid = attributes["OID"]
        names = [attributes.get("Name", ""), oid, oid.rpartition(".")[2], attributes.get("SASFieldName", "")]
        self.item = self.items[oid] = {"names": names, "question": ""}

    def _end_itemdef(self):
        self.item = None

    def _start_studyeventdef(self, attributes):
        self.events[attributes["OID"]] = attributes.get("Name") or attributes["OID"]

    def _start_location(self, attributes):
        self.places[attributes["OID"]] = attributes.get("Name") or attributes["OID"]

    def _start_measurementunit(self, attributes):
        self.unit = attributes["OID"]
        self.units[self.unit] = attributes.get("Name", "")

    def _end_measurementunit(self):
        self.unit = None

    def _start_codelistref(self, attributes):
        if self.item is not None:
            self.item["list"] = attributes["CodeListOID"]

    def _start_measurementunitref(self, attributes):
        if self.data is not None:
            self.data["unit"] = attributes["MeasurementUnitOID"]
        elif self.item is not None:
            self.item.setdefault("units", []).append(attributes["MeasurementUnitOID"])

    def _start_codelist(self, attributes):
        self.list = self.lists.setdefault(attributes["OID"], {})

    def _start_codelistitem(self, attributes):
        self.coded = attributes["CodedValue"]
        self.list[self.coded] = ""

    def _end_codelistitem(self):
        self.coded = None

    def _start_translatedtext(self, attributes):
        self.texts = []

    def _end_translatedtext(self):
        text, self.texts = " ".join("".join(self.texts or ()).split()), None
        if self.coded is not None:
            self.list[self.coded] = self.list[self.coded] or text
        elif self.item is not None:
            self.item["names"].append(text)
            self.item["question"] = self.item["question"] or text

    # The data

    data = subject = None
    place = event = repeat = ""
    form = group = ("", "")

    def _start_subjectdata(self, attributes):
        self.subject, self.values, self.keys = attributes[SUBJECT], [], {}
        self.place = self.event = self.repeat = ""
        self.of_subject, self.of_event = self._extensions(attributes), {}

    def _extensions(self, attributes):
        """Attributes of a vendor's own, by their local names: the subject's number there, the day of the visit."""
        children = {}
        for name, text in attributes.items():
            space, _, local = name.rpartition(" ")
            if space and local not in OF_SYSTEM and text.strip():
                self.extensions[local] = None
                children[local] = text
        return children

    def _end_subjectdata(self):
        self._end_studyeventdata()  # of what stands in no event
        self.subject = None

    def _start_siteref(self, attributes):
        oid = attributes["LocationOID"]
        self.place = self.places.get(oid, oid)

    def _start_studyeventdata(self, attributes):
        oid = attributes[EVENT]
        self.event = self.events.get(oid, oid)
        if self.ours:  # by its code where it is a visit, else by none: its items say what it is
            code = oid.removeprefix("SE.")
            self.event = "" if code in NO_VISIT or code.startswith(OWN) else code
        self.repeat = attributes.get(REPEAT, "")
        self.values, self.keys, self.of_event = [], {}, self._extensions(attributes)

    def _start_formdata(self, attributes):
        self.form = attributes.get("FormOID", ""), attributes.get("FormRepeatKey", "")
        self.group = ("", "")

    def _start_itemgroupdata(self, attributes):
        self.group = attributes.get("ItemGroupOID", ""), attributes.get("ItemGroupRepeatKey", "")

    def _end_studyeventdata(self):
        """The rows of an event: one of all that comes once, and one of each repeat of a form or group, wherever it
        stands. What is said of the event itself (its day) is said of the first alone: no repeat is a visit of its own.
        """
        rows, first, latest = [], {}, {}  # (line, {column: text}), and of each repeat
        for place, column, text, line in self.values:
            row = latest.get(of := self._repeat_of(place))
            if row is None or column in row[1]:  # a column that has its value begins another row
                row = latest[of] = (max(line, 2), self._naming(of) | self.of_subject)
                first.setdefault(of, row)
                rows.append(row)
            row[1][column] = text
        if rows:
            first.get((), rows[0])[1].update(self.of_event)
        self.rows += rows
        self.values = []

    def _naming(self, of):
        """What names a row, of which repeat of the event it may be."""
        return {SUBJECT: self.subject, PLACE: self.place, EVENT: self.event, REPEAT: self.repeat}

    def _repeat_of(self, place):
        """Which repeat within its event a (form, group) is of, each with its key; () of what comes once."""
        form, group = place
        of = form if len(self.keys[form[0]]) > 1 else ()
        return (*of, *group) if len(self.keys[*form, group[0]]) > 1 else of

    def _start_data(self, tag, attributes):
        if self.subject is None:
            self.passed[REFERENCE] = self.passed.get(REFERENCE, 0) + 1
            return
        self.said += 1
        if self.said > MOST_ITEMS:
            raise reading.Unreadable(Label("has too many values.", "値が多すぎます。"))
        self.data = {"oid": attributes["ItemOID"], "value": attributes.get("Value"), "unit": "", "reason": ""}
        self.data["null"] = attributes.get("IsNull") == "Yes"
        if tag != "ItemData":  # ItemDataInteger and its like hold the value as their text
            self.texts = []

    def _start_flagvalue(self, attributes):
        self.texts = []

    def _end_flagvalue(self):
        if self.data is not None:
            self.data["reason"] = "".join(self.texts or ()).strip()
        self.texts = None

    def _end_data(self):
        data, self.data = self.data, None
        if data is None:
            return
        if data["value"] is None and self.texts is not None:
            data["value"] = "".join(self.texts)
        self.texts = None
        if data["null"]:
            if data["reason"]:
                self._put(data["oid"] + MISSING_SUFFIX, data["reason"])
            return
        self._put(data["oid"], self._shown(data))

    def _put(self, column, text):
        if MARK in text or SHOWN in text:
            raise reading.Unreadable(STRANGE, self.line())
        self.keys.setdefault(self.form[0], set()).add(self.form[1])
        self.keys.setdefault((*self.form, self.group[0]), set()).add(self.group[1])
        self.values.append(((self.form, self.group), column, text, self.line()))
        self.columns[column] = None

    def _shown(self, data):
        value, item = data["value"] or "", self.items.get(data["oid"], {})
        if self.ours:
            return value
        decoded = self.lists.get(item.get("list"), {}).get(value, "")
        if decoded and decoded != value:
            return f"{value} = {decoded}"
        units = [data["unit"]] if data["unit"] else item.get("units", ())
        return f"{value} {self.units.get(units[0], units[0])}" if len(units) == 1 and value else value

    # The table

    def write(self, path, knows):
        if not self.rows:
            raise reading.Unreadable(NOTHING)
        columns = {name: called for name, called in self.NAMING.items() if any(row[name] for _, row in self.rows)}
        columns = {name: name for name in self.extensions} | columns  # a number that people know before the key
        columns |= {column: self._called(column, knows) for column in self.columns}
        sheet = Sheet("ODM")
        with Path(path).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([1, *columns.values()])
            for line, row in self.rows:
                writer.writerow([line, *(row.get(column, "") for column in columns)])
                sheet.cells += len(row)
        sheet.rows = len(self.rows) + 1
        for tag, count in self.passed.items():
            sentence = NOT_READ.format(n=count, what=PASSED.get(tag, tag))
            sheet.told.append([sentence.en, sentence.ja])
        return sheet

    def _called(self, column, knows):
        oid = column.removesuffix(MISSING_SUFFIX) if column not in self.items else column
        item = self.items.get(oid, {"names": [oid], "question": ""})
        known = next((name for name in item["names"] if name and knows(name)), "")
        return (known or self._unknown(item) or oid) + (MISSING_SUFFIX if oid != column else "")

    def _unknown(self, item):
        return item["question"] or item["names"][0]


class _OfRedcap(_Reader):
    """A project of REDCap (`project.xml`), whose ODM says less than the extensions beside it: the table is that of the
    project's export as CSV, with the label beside each code.

    A form repeats where the project says so, never a group. Ticks are columns, as in the CSV.
    """

    SPACE = "https://projectredcap.org"
    INSTRUMENT, INSTANCE = "Repeat Instrument", "Repeat Instance"
    NAMING = {SUBJECT: SUBJECT, EVENT: "Event Name", INSTRUMENT: INSTRUMENT, INSTANCE: INSTANCE}
    CLASSIC = "event_1_arm_1"  # the event of a project without any

    def __init__(self):
        super().__init__()
        self.repeating = set()  # (unique name of an event, form or "" where the event itself repeats)

    def _own(self, attributes, name):
        return attributes.get(f"{self.SPACE} {name}", "")

    def _pass_extension(self, space, tag, attributes):
        if tag in ("RepeatingInstrument", "RepeatingEvent"):
            self.repeating.add((self._own(attributes, "UniqueEventName"), self._own(attributes, "RepeatInstrument")))
        super()._pass_extension(space, tag, attributes)

    def _start_studyeventdef(self, attributes):
        super()._start_studyeventdef(attributes)
        if arm := self._own(attributes, "ArmNum"):  # as an export of labels has it
            name = self._own(attributes, "EventName") or attributes.get("Name", "")
            self.events[attributes["OID"]] = f"{name} (Arm {arm}: {self._own(attributes, 'ArmName')})"

    def _start_itemdef(self, attributes):
        super()._start_itemdef(attributes)
        self.item["is_tick"] = self._own(attributes, "FieldType") == "checkbox"

    def _start_subjectdata(self, attributes):
        super()._start_subjectdata(attributes)
        self.record, self.unique = self._own(attributes, "RecordIdField"), self.CLASSIC

    def _start_studyeventdata(self, attributes):
        super()._start_studyeventdata(attributes)
        self.unique = self._own(attributes, "UniqueEventName") or self.CLASSIC

    def _repeat_of(self, place):
        form, key = place[0]
        repeats = (self.unique, form.removeprefix("Form.")) in self.repeating or len(self.keys[form]) > 1
        return (form, key) if repeats else ()

    def _naming(self, of):
        form, key = of or ("", self.repeat if (self.unique, "") in self.repeating else "")
        instrument = form.removeprefix("Form.")
        return {SUBJECT: self.subject, EVENT: self.event, self.INSTRUMENT: instrument, self.INSTANCE: key}

    def _end_data(self):
        if self.data is not None and self.data["oid"] == self.record:  # the subject's key once more
            self.data = self.texts = None
        super()._end_data()

    def _shown(self, data):
        is_tick = self.items.get(data["oid"], {}).get("is_tick")
        return data["value"] or "" if is_tick else super()._shown(data)

    def _unknown(self, item):
        return item["names"][0]
