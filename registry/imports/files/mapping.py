"""How the columns and values of somebody's file become the registry's: the mapping as data, what is suggested, what
is wrong with it, and what must still be said.

A target is an item's name (`sex`), an item's reason (`frankel_missing`) or one level of a list (`lesion_levels:C7`,
for a tick box of its own). Nothing is guessed: a suggestion stands on the page until somebody agrees.
"""

import re
import unicodedata
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches

from registry.instruments import catalogue
from registry.instruments.base import MISSING_LABELS, InvalidValue, Label
from registry.services.files import file_formats
from registry.services.records import extras
from sites.models import Site

PATIENT = "patient_id"
SITE = "site_code"
TIMEPOINT = "timepoint"
REASON = "!"  # before a reason code where a value stands for a missing one
LEFT_OUT = ""  # a value that is no value; of a timepoint: the row is no assessment
MOST_VALUES = 60  # different values of a column that a page lists

DATE_FORMATS = {
    "iso": Label("2024-03-09 (year-month-day)", "2024-03-09（年-月-日）"),
    "ymd": Label("2024/3/9, 2024.3.9, 2024年3月9日, 20240309", "2024/3/9、2024.3.9、2024年3月9日、20240309"),
    "dmy": Label("9/3/2024 (day, month, year)", "9/3/2024（日・月・年）"),
    "mdy": Label("3/9/2024 (month, day, year)", "3/9/2024（月・日・年）"),
    "era": Label("R6.3.9, 令和6年3月9日 (Japanese era)", "R6.3.9、令和6年3月9日（和暦）"),
    "excel": Label("45360 (days, as Excel counts them)", "45360（Excelの通し日数）"),
}
EXCEL_BEGINS = date(1899, 12, 30)  # day 0 of every day since March 1900, in workbooks of the 1900 system
_NUMBERS = {
    "iso": re.compile(r"(\d{4})-(\d{2})-(\d{2})"),
    "ymd": re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})"),
    "dmy": re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})"),
    "mdy": re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})"),
    "era": re.compile(r"(明治|大正|昭和|平成|令和|[MTSHR])\.?(\d{1,2}|元)[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.I),
    "excel": re.compile(r"(\d{5})"),  # from 1927: four digits would be years
}
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_ERAS |= {"M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018}

REQUIRED_EMPTY = Label(
    "needs a column: no row of {file} is without it",
    "対応する列がありません。{file}のすべての行に必要です",
)
SAME_TARGET = Label(
    "stands for the same as “{v}”: keep one of them",
    "「{v}」と同じ項目に対応しています。どちらか一方にしてください",
)
NOTHING_MAPPED = Label("No column is imported.", "取り込む列が選ばれていません。")

# What other systems call things; the items' own names and labels need no line here.
CALLED = {
    "recordid": PATIENT,
    "studyid": PATIENT,
    "subjectid": PATIENT,
    "redcapeventname": TIMEPOINT,
    "eventname": TIMEPOINT,
    "visit": TIMEPOINT,
    "redcapdataaccessgroup": SITE,
    "dag": SITE,
    "hospital": SITE,
    "gender": "sex",
    "dob": "birth_date",
    "birthday": "birth_date",
    "ecog": "ecog_ps",
    "painvas": "pain_vas_mm",
    "bloodloss": "blood_loss_ml",
    "operativetime": "operative_time_min",
    "tumour": "primary_tumour",
    "primarytumor": "primary_tumour",
    "levels": "lesion_levels",
    "症例番号": PATIENT,
    "患者番号": PATIENT,
    "登録番号": PATIENT,
    "施設名": SITE,
    "病院": SITE,
    "評価時期": TIMEPOINT,
    "測定時期": TIMEPOINT,
    "原発": "primary_tumour",
    "原発巣": "primary_tumour",
    "病変高位": "lesion_levels",
}
# What people write for a code, beside its own name and labels.
WRITTEN = {
    "sex": {"m": "male", "f": "female", "男": "male", "女": "female"},
    "vital_status": {"存命": "alive", "生": "alive", "死": "dead"},
}


@dataclass
class Mapping:
    """columns   column of the source → target
    codes     target → value as written → code, LEFT_OUT, or REASON + a reason's code
    dates     target → key of DATE_FORMATS
    fixed     target → the one value of every row (site_code, timepoint)
    prefix    put before each patient ID
    comma     decimal commas: 12,0 is 12
    """

    columns: dict = field(default_factory=dict)
    codes: dict = field(default_factory=dict)
    dates: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    prefix: str = ""
    comma: bool = False

    to_json = asdict

    @classmethod
    def from_json(cls, data):
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in (data or {})})

    def sources(self, target):
        return [column for column, one in self.columns.items() if one == target]

    @property
    def targets(self):
        return {*self.columns.values(), *self.fixed} - {""}

    def files(self):
        """The registry's files that get rows: those of which more is mapped than what rows are named by."""
        named = {PATIENT, SITE, TIMEPOINT}
        items = {item_name(target) for target in self.targets} - named
        return [file for file in file_formats.ACCEPTED if items.intersection(file.columns)]

    def given(self, file):
        """Columns of a file that the mapping fills, in its order; their reasons behind."""
        items = {item_name(target) for target in self.targets}
        names = [name for name in file.columns if name in items]
        for name in names[:]:
            as_reason = any(code.startswith(REASON) for code in self.codes.get(name, {}).values())
            if as_reason or name + file_formats.MISSING_SUFFIX in self.targets:
                names.append(name + file_formats.MISSING_SUFFIX)
        return names


def item_name(target):
    return target.split(":")[0].removesuffix(file_formats.MISSING_SUFFIX)


def targets():
    """Groups of what a column may stand for: [(Label of the group, [(target, Label)])]."""
    named = [(PATIENT, catalogue.item(PATIENT).label), (SITE, catalogue.item(SITE).label)]
    named.append((TIMEPOINT, catalogue.item(TIMEPOINT).label))
    groups = [(Label("What a row is about", "行の識別"), named)]
    date_item = catalogue.item("assessment_date")
    groups.append((Label("Assessment", "評価"), [(date_item.name, date_item.label)]))
    for instrument in extras.asked():
        lines = []
        for item in instrument.items:
            lines.append((item.name, item.label))
            if item.kind == "levels":
                lines += [
                    (f"{item.name}:{one.code}", Label(f"{item.label.en}: {one.code}", f"{item.label.ja}：{one.code}"))
                    for one in item.choices
                ]
        groups.append((instrument.title, lines))
    for instrument in catalogue.FOLLOW_UP_ENDS:  # their labels, such as “Reason”, say little beside everything else
        en, ja = instrument.title.en, instrument.title.ja
        lines = [(one.name, Label(f"{en}: {one.label.en}", f"{ja}：{one.label.ja}")) for one in instrument.items]
        groups.append((instrument.title, lines))
    named = {target for _, lines in groups for target, _ in lines}
    reasons = [
        (one.name, one.label) for file in file_formats.ACCEPTED for one in file.reasons if item_name(one.name) in named
    ]
    groups.append((Label("Reasons for missing values", "欠測理由"), reasons))
    return groups


def known_targets():
    return {target for _, lines in targets() for target, _ in lines}


def plain(text):
    """A name or label without what people write differently: case, width, spaces and signs."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", str(text))).casefold()


def _names():
    """Plain spelling → target, the items' own names before labels before what others call them."""
    known = dict(CALLED)
    for _, lines in reversed(targets()):
        for target, label in lines:
            known |= {plain(label.en): target, plain(label.ja): target}
    for target in known_targets():
        known[plain(target)] = target
    return known


def suggested(header):
    """A target for each column that has a name we know or nearly know; each target once."""
    names, found, taken = _names(), {}, set()
    for column in header:
        target = _tick_box(column) or names.get(plain(column))
        if target and target not in taken:
            found[column] = target
            taken.add(target)
    for column in header:
        near = get_close_matches(plain(column), names, n=1, cutoff=0.9) if column not in found else []
        if near and names[near[0]] not in taken and len(plain(column)) > 5:
            found[column] = names[near[0]]
            taken.add(found[column])
    return found


def _tick_box(column):
    """`lesion_levels___c7`, as REDCap names a tick box, as a target."""
    name, sign, code = column.partition("___")
    if not sign:
        return None
    target = f"{_names().get(plain(name), name)}:{code.upper()}"
    return target if target in known_targets() else None


def faults(mapping):
    """What is wrong with the columns: {column or target: Label}; "" for the mapping as a whole."""
    found, known = {}, known_targets()
    by_target = {}
    for column, target in mapping.columns.items():
        if target and target not in known:
            found[column] = Label("stands for nothing known", "対応先が不明です")
        elif target in by_target:
            found[column] = SAME_TARGET.format(v=by_target[target])
        elif target:
            by_target[target] = column
    files = mapping.files()
    if not files:
        found[""] = NOTHING_MAPPED
    for file in files:
        for name in file.mandatory:
            if name not in mapping.targets:
                found.setdefault(name, REQUIRED_EMPTY.format(file=file.filename))
    for code in mapping.fixed.values():
        if not code.strip():
            found[""] = NOTHING_MAPPED
    return found


# Values


def choices_of(target):
    """What a value of `target` may stand for: [(code, Label)]; empty where it is no choice."""
    name = item_name(target)
    if target.endswith(file_formats.MISSING_SUFFIX):
        return [(code, label) for code, label in MISSING_LABELS.items()]
    if name == SITE:
        return [
            (one.code, Label(f"{one.code} {one.name}", f"{one.code} {one.name_ja or one.name}")) for one in _sites()
        ]
    if ":" in target:
        return [("1", Label("ticked", "チェックあり")), ("0", Label("not ticked", "チェックなし"))]
    item = catalogue.item(name)
    return [] if item.kind == "levels" else [(str(one.code), one.label) for one in item.choices]


def _sites():
    return Site.objects.order_by("code")


def suggested_code(target, value):
    """The code whose name or label a value is; "" where none is for certain."""
    wanted, options = plain(value), choices_of(target)
    for code, label in options:
        if wanted and wanted in (plain(code), plain(label.en), plain(label.ja)):
            return code
    after_number = plain(re.sub(r"^\s*\d+\s*[,.:=)\-]\s*", "", str(value)))
    for code, label in options:
        if after_number and after_number in (plain(label.en), plain(label.ja)):
            return code
    if wanted in WRITTEN.get(target, ()):
        return WRITTEN[target][wanted]
    if target not in (SITE, TIMEPOINT) and ":" not in target and not target.endswith(file_formats.MISSING_SUFFIX):
        for reason, label in MISSING_LABELS.items():
            if wanted and wanted in (plain(reason), plain(label.en), plain(label.ja)):
                return REASON + reason
    return _suggested_timepoint(wanted, dict(options)) if target == TIMEPOINT else ""


def _suggested_timepoint(text, codes):
    text = re.sub(r"arm\d+$", "", text)
    if re.search(r"baseline|preop|presurg|before|術前", text):
        return "preop"
    for pattern, times in (
        (r"(\d+)(?:m|mo|month|か月|ヶ月|カ月|ヵ月)", 1),
        (r"month(\d+)", 1),
        (r"(\d+)(?:y|year|年)", 12),
    ):
        if (found := re.search(pattern, text)) and f"{int(found[1]) * times}m" in codes:
            return f"{int(found[1]) * times}m"
    return ""


@dataclass
class Column:
    """What the values of one mapped column need: `values` to be said what they stand for, `formats` of its dates."""

    target: str
    column: str
    values: list = field(default_factory=list)  # (value, how many rows, chosen or suggested code)
    more: int = 0
    formats: list = field(default_factory=list)  # keys of DATE_FORMATS that read some value
    unread: dict = field(default_factory=dict)  # key → how many values it does not read
    format: str = ""

    @property
    def choices(self):
        return choices_of(self.target)


def unsaid(mapping, counts):
    """Whether something must still be said about the values."""
    asked, commas = questions(mapping, counts)
    if commas and not mapping.comma:
        return True
    for one in asked:
        said, options = mapping.codes.get(one.target, {}), {code for code, _label in one.choices}
        if any(value.strip() not in said and value not in options for value, _rows, _code in one.values):
            return True
        if one.formats and not one.format:
            return True
    return False


def questions(mapping, counts):
    """(columns about whose values something is said, whether some number has a comma).

    counts  column → {value: rows}
    """
    asked, commas = [], False
    for column in counts:  # in the order of the file
        target = mapping.columns.get(column)
        if not target:
            continue
        item = None if target == SITE or ":" in target else catalogue_item(target)
        if item is not None and item.kind == "date":
            one = _dates(mapping, target, column, counts[column])
        elif choices_of(target):
            one = _codes(mapping, target, column, counts[column])
        else:
            one = _others(mapping, target, column, counts[column], item)
            commas = commas or any(re.fullmatch(r"\s*\d+[,，]\d+\s*", value) for value in counts[column])
        if one:
            asked.append(one)
    return asked, commas


def catalogue_item(target):
    """The item that judges a value of `target`; a reason has one of its own."""
    for file in file_formats.ACCEPTED:
        for one in (*file.items, *file.reasons):
            if one.name == target:
                return one
    return catalogue.item(item_name(target))


def _codes(mapping, target, column, counts):
    options, said = dict(choices_of(target)), mapping.codes.get(target, {})
    values = [one for one in counts if one.strip()]
    if all(value in options for value in values) and not said:
        return None
    listed = sorted(values, key=lambda one: -counts[one])
    return Column(
        target,
        column,
        values=[(one, counts[one], said.get(one.strip(), suggested_code(target, one))) for one in listed[:MOST_VALUES]],
        more=max(0, len(listed) - MOST_VALUES),
    )


def _others(mapping, target, column, counts, item):
    """Values that an item without choices does not take: a number for “unknown”, a word."""
    if item is None or item.kind == "text":
        return None
    said = mapping.codes.get(target, {})
    refused = [one for one in counts if one.strip() and (one.strip() in said or not _accepts(item, one))]
    if not refused:
        return None
    listed = sorted(refused, key=lambda one: -counts[one])
    return Column(
        target,
        column,
        values=[(one, counts[one], said.get(one.strip(), suggested_code(target, one))) for one in listed[:MOST_VALUES]],
        more=max(0, len(listed) - MOST_VALUES),
    )


def _accepts(item, text):
    """Whether a value needs no word of its own: of 12,0 the page asks once for all numbers."""
    if item.kind == "integer":
        spellings = [number(text, True)[0], number(text, False)[0]]
    else:
        spellings = [text.replace(",", ".") if item.kind == "decimal" else tidy_levels(text)[0]]
    for spelling in spellings:
        try:
            item.clean(spelling)
        except InvalidValue:
            continue
        return True
    return False


def _dates(mapping, target, column, counts):
    values = [one for one in counts if one.strip() and one.strip() not in mapping.codes.get(target, {})]
    if all(read_date(one, "iso") for one in values) and target not in mapping.dates:
        return None
    unread = {key: sum(read_date(one, key) is None for one in values) for key in DATE_FORMATS}
    formats = [key for key in DATE_FORMATS if unread[key] < len(values)]
    strange = [one for one in values if not any(read_date(one, key) for key in DATE_FORMATS)]
    return Column(
        target,
        column,
        values=[
            (one, counts[one], mapping.codes.get(target, {}).get(one.strip(), suggested_code(target, one)))
            for one in strange[:MOST_VALUES]
        ],
        formats=formats,
        unread={key: unread[key] for key in formats},
        format=mapping.dates.get(target, ""),
    )


def read_date(text, key):
    """The date that `text` is in one of DATE_FORMATS, as text ISO 8601; None if it is none. ISO 8601 always is."""
    text = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        key = "iso"
    found = _NUMBERS[key].fullmatch(text)
    if not found:
        return None
    parts = [one for one in found.groups() if one is not None]
    if key == "excel":
        return (EXCEL_BEGINS + timedelta(days=int(parts[0]))).isoformat()
    if key == "era":
        era, year, month, day = parts
        year = _ERAS[era.upper()] + (1 if year == "元" else int(year))
    elif key == "dmy":
        day, month, year = parts
    elif key == "mdy":
        month, day, year = parts
    else:
        year, month, day = parts
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def number(text, comma):
    """(text of a whole number without a decimal part that is zero, whether it was rewritten)."""
    plain_text = unicodedata.normalize("NFKC", text).strip()
    found = re.fullmatch(r"([+-]?\d+)[.]0+" if not comma else r"([+-]?\d+)[,.]0+", plain_text)
    return (found[1], True) if found else (text, False)


def tidy_levels(text):
    """(levels separated as the registry does, whether they were rewritten)."""
    parts = [one for one in re.split(r"[;,、，\s/]+", unicodedata.normalize("NFKC", text).upper()) if one]
    tidy = ";".join(parts)
    return (tidy, True) if tidy != text.strip() else (text, False)
