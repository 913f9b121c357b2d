"""How the columns and values of somebody's file become the registry's: the mapping as data, what is suggested, what
is wrong with it, and what must still be said.

A target is an item's name (`sex`), an item's reason (`frankel_missing`) or one code of several (`lesion_levels:C7`,
for a tick box of its own); in a file with the visits side by side it is of one visit (`eq_vas@1m`), in one with the
records of a repeating form side by side of one record (`rtc_dose_gy#2`), while what values stand for is said
once for all of them. Nothing is guessed: a suggestion stands on the page until somebody agrees.
"""

import re
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import lru_cache

from registry.imports.files import notations, redcap, repeats
from registry.imports.files.redcap import plain
from registry.imports.files.repeats import NTH
from registry.instruments import catalogue, timepoints
from registry.instruments.base import MISSING_LABELS, TAGS, InvalidValue, Label
from registry.protocol.redcap import tick_column
from registry.services.files import file_formats
from registry.services.records import extras
from sites.models import Site
from sites.tenancy.scope import current

PATIENT = "patient_id"
SITE = "site_code"
TIMEPOINT = "timepoint"
RECORD = file_formats.RECORD
MOST_UNSCHEDULED = 20  # of a patient's unscheduled visits that the values of a file may name
REASON = "!"  # before a reason code where a value stands for a missing one
AT = "@"  # before the visit of a target
UNSCHEDULED, PASS_OVER = "unscheduled", "pass_over"  # what becomes of them
LEFT_OUT = ""  # a value that is no value; of a timepoint: the row is no assessment

REQUIRED_EMPTY = Label(
    "needs a column: no row of {file} is without it",
    "対応する列がありません。{file}のすべての行に必要です。",
)
SAME_TARGET = Label(
    "stands for the same as “{v}”: keep one of them",
    "「{v}」と同じ項目に対応しています。どちらか一方にしてください。",
)
UNIT_IN_NAME = Label(
    "says {u} in its name, and {v} is asked for: convert the values, and rename the column",
    "列名の単位は{u}ですが、{v}での入力が必要です。値を換算し、列名を直してください。",
)
NO_UNIT_ASKED = Label(
    "says {u} in its name, and a number without a unit is asked for: rename the column if that is what it holds",
    "列名の単位は{u}ですが、この項目に単位はありません。単位のない数値であれば列名を直してください。",
)
NOTHING_MAPPED = Label("No column is imported.", "取り込む列が選ばれていません。")

# What other systems call things; the items' own names and labels need no line here.
CALLED = {
    "recordid": PATIENT,
    "studyid": PATIENT,
    "subjectid": PATIENT,
    "participantid": PATIENT,
    "studysubjectid": PATIENT,  # of OpenClinica, whose SubjectKey nobody ever saw
    "subjectkey": PATIENT,  # of ODM, as the two below
    "siteref": SITE,
    "studyeventoid": TIMEPOINT,
    **dict.fromkeys(redcap.EVENT, TIMEPOINT),
    "visit": TIMEPOINT,
    **dict.fromkeys(redcap.GROUP, SITE),
    "hospital": SITE,
    "gender": "sex",
    "dob": "birth_date",
    "birthday": "birth_date",
    "ecog": "ecog_ps",
    "ps": "ecog_ps",
    "painvas": "pain_vas_mm",
    "bloodloss": "blood_loss_ml",
    "operativetime": "operative_time_min",
    "tumour": "primary_tumour",
    "primarytumor": "primary_tumour",
    "levels": "lesion_levels",
    **dict.fromkeys(("症例番号", "研究番号", "患者", "ptid", "patientno", "subjectno", "subject"), PATIENT),
    **dict.fromkeys(("施設コード", "病院名", "sitecode", "center", "centre"), SITE),
    **dict.fromkeys(("フランケル", "フランケル分類", "frankel分類", "frankelgrade"), "frankel"),
    **dict.fromkeys(("ebl", "術中出血量"), "blood_loss_ml"),
    **dict.fromkeys(("手術年月日", "opdate", "op日"), "surgery_date"),
    **dict.fromkeys(("最終観察日", "最終生存確認日"), "last_contact_date"),
    **dict.fromkeys(("生死", "生死区分"), "vital_status"),
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
    "sex": {"m": "male", "f": "female", "男": "male", "女": "female", "♂": "male", "♀": "female"},
    "vital_status": {"存命": "alive", "生": "alive", "死": "dead"},
}


# What people write for a reason why a value is missing.
MISSING_WORDS = dict.fromkeys(("未測定", "未施行", "未検", "検査せず", "測定せず", "notdone", "nd"), "not_done")
MISSING_WORDS |= dict.fromkeys(("不詳", "記載なし", "unk", "uk", "missing", "欠測", "欠損"), "unknown")


TAGGED = {f".{tag}": REASON + reason for reason, tag in TAGS.items()}  # as exports tag a value that lacks

# What people write into a column of ticks.
TICKED = dict.fromkeys(
    (
        "true",
        "checked",
        "yes",
        "y",
        "on",
        "はい",
        "有",
        "あり",
        "有り",
        "ある",
        "陽性",
        "○",
        "〇",
        "◯",
        "●",
        "✓",
        "✔",
        "☑",
        "■",
        "レ",
        "+",
        "(+)",
    ),
    "1",
)  # an x may be a tick, and × is none: asked
TICKED |= dict.fromkeys(
    (
        "false",
        "unchecked",
        "no",
        "n",
        "off",
        "いいえ",
        "無",
        "なし",
        "無し",
        "ない",
        "陰性",
        "×",
        "✗",
        "☐",
        "□",
        "-",
        "(-)",
    ),
    "0",
)


@dataclass
class Mapping:
    """columns   column of the source → target
    codes     target → value as written → code, LEFT_OUT, or REASON + a reason's code
    dates     target → keys of DATE_FORMATS
    fixed     target → the one value of every row (site_code, timepoint)
    prefix    put before each patient ID
    separators  what stands before decimals (notations.POINT, COMMA); "" where nobody has said so
    numbers   numbers of a sheet name patients, as the sheet shows them
    repeats   what becomes of the rows of REDCap's repeated forms: UNSCHEDULED visits, or PASS_OVER
    hidden    answers that other answers hide are left out and told; otherwise they are errors
    """

    columns: dict = field(default_factory=dict)
    codes: dict = field(default_factory=dict)
    dates: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    prefix: str = ""
    separators: str = ""
    numbers: bool = False
    repeats: str = ""
    hidden: bool = False

    to_json = asdict

    @classmethod
    def from_json(cls, data):
        """The mapping of JSON; one that was kept earlier had a tick for decimal commas, and one date format a
        column.
        """
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in (data or {})}
        if data and data.get("comma"):
            known.setdefault("separators", notations.COMMA)
        dates = known.get("dates", {})
        known["dates"] = {target: [keys] if isinstance(keys, str) else list(keys) for target, keys in dates.items()}
        return cls(**known)

    @property
    def targets(self):
        """Targets without their visits; the timepoint where columns say it."""
        names = {base_of(target) for target in (*self.columns.values(), *self.fixed)} - {""}
        return names | ({TIMEPOINT} if self.is_wide else set())

    @property
    def is_wide(self):
        """Whether columns are of different visits."""
        return any(AT in target for target in self.columns.values())

    @property
    def is_both(self):
        """Whether other columns of a wide file are of a visit that a row names itself."""
        named = {*map(item_name, (*self.columns.values(), *self.fixed))}
        return TIMEPOINT in named or not self.is_wide

    def files(self):
        """The registry's files that get rows: those of which more is mapped than what rows are named by."""
        named = {PATIENT, SITE, TIMEPOINT, RECORD}
        items = {item_name(target) for target in self.targets} - named
        return [file for file in file_formats.accepted() if items.intersection(file.columns)]

    def given(self, file):
        """Columns of a file that the mapping fills, in its order; their reasons behind."""
        items = {item_name(target) for target in self.targets}
        names = [name for name in file.columns if name in items]
        for name in names[:]:
            as_reason = any(code.startswith(REASON) for code in self.codes.get(name, {}).values())
            if as_reason or name + file_formats.MISSING_SUFFIX in self.targets:
                names.append(name + file_formats.MISSING_SUFFIX)
        return names


def base_of(target):
    """A target without its visit, or the number of its record."""
    return target.partition(AT)[0].partition(NTH)[0]


def beside_of(target):
    """What tells a column from those of the same item beside it: `@1m` or `#2`; "" for one that stands alone."""
    return target[len(base_of(target)) :]


def item_name(target):
    return base_of(target).split(":")[0].removesuffix(file_formats.MISSING_SUFFIX)


def is_of_visit(target):
    """Whether a target may be of a visit: an item of an assessment, or its reason."""
    names = next(file for file in file_formats.accepted() if file == file_formats.ASSESSMENTS).columns
    return item_name(target) in names and item_name(target) not in (PATIENT, TIMEPOINT)


def targets():
    """Groups of what a column may stand for: [(Label of the group, [(target, Label)])]."""
    named = [(PATIENT, catalogue.item(PATIENT).label), (SITE, catalogue.item(SITE).label)]
    named.append((TIMEPOINT, catalogue.item(TIMEPOINT).label))
    if catalogue.current().repeats:
        named.append((RECORD, file_formats.RECORD_ITEM.label))
    groups = [(Label("What a row is about", "行の識別"), named)]
    date_item = catalogue.item("assessment_date")
    groups.append((Label("Assessment", "評価"), [(date_item.name, date_item.label)]))
    for instrument in extras.asked():
        lines = []
        for item in instrument.items:
            lines.append((item.name, item.label))
            if item.takes_several:
                lines += [
                    (
                        f"{item.name}:{choice.code}",
                        Label("{item}: {choice}", "{item}：{choice}").format(item=item.label, choice=choice.label),
                    )
                    for choice in item.choices
                ]
        groups.append((instrument.title, lines))
    for instrument in catalogue.FOLLOW_UP_ENDS:  # their labels, such as “Reason”, say little beside everything else
        lines = [
            (item.name, Label("{end}: {item}", "{end}：{item}").format(end=instrument.title, item=item.label))
            for item in instrument.items
        ]
        groups.append((instrument.title, lines))
    named = {target for _, lines in groups for target, _ in lines}
    reasons = [
        (reason.name, reason.label)
        for file in file_formats.accepted()
        for reason in file.reasons
        if item_name(reason.name) in named
    ]
    groups.append((Label("Reasons for missing values", "欠測理由"), reasons))
    return groups


def known_targets():
    return {target for _, lines in targets() for target, _ in lines}


# What a column is called beside a visit: “date 1M”, where alone it may be any date.
BESIDE_VISIT = dict.fromkeys(
    ("date", "visitdate", "日付", "評価日", "測定日", "検査日", "受診日", "実施日"), "assessment_date"
)
_MONTHS_WORDS = (
    "m",
    "mo",
    "mos",
    "month",
    "months",
    "か月",
    "ヶ月",
    "カ月",
    "ヵ月",
    "ケ月",
    "箇月",
    "ヶ月後",
    "か月後",
    "カ月後",
    "ヵ月後",
)
_BEFORE = ("preop", "pre", "presurgery", "baseline", "bl", "術前", "手術前", "before", "preoperative", "t0")


def visit_spellings():
    """Plain spelling → code of a timepoint: 術前, 1M, 3か月, month 3, 術後6ヶ月, 1年."""
    visit_of = {}
    for code, label in visits():
        spellings = [code, label.en, label.ja]
        if code == "preop":
            spellings += _BEFORE
        if months := re.fullmatch(r"(\d+)m", code):
            number = int(months[1])
            ways = [f"{number}{word}" for word in _MONTHS_WORDS] + [f"{word}{number}" for word in ("m", "mo", "month")]
            if number % 12 == 0:
                ways += [f"{number // 12}{word}" for word in ("y", "yr", "year", "years", "年", "年後")]
                ways += [f"{word}{number // 12}" for word in ("y", "year")]
            spellings += ways
            spellings += [
                f"{before}{way}"
                for way in ways
                for before in ("術後", "postop", "post", "po", "fu", "followup", "after")
            ]
        visit_of |= {plain(visit_of): code for visit_of in spellings if plain(visit_of)}
    return visit_of


def visit_reader():
    """A function that gives the code of the timepoint that a text names, or ""."""
    known = visit_spellings()
    return lru_cache(maxsize=50_000)(lambda text: known.get(plain(text), ""))  # as `_finder`


def _splitter(names):
    """A function that splits a column's name into a target and its visit, (None, "") for others."""
    visits = visit_spellings()
    lengths = sorted({len(spelling) for spelling in visits}, reverse=True)

    def split(column):
        text = plain(column)
        if text.endswith("missing"):  # eq_vas_1m_missing, as an export names the reasons
            target, code = split(text.removesuffix("missing"))
            reason = f"{target}{file_formats.MISSING_SUFFIX}"
            if target and names.get(plain(reason)) == reason:
                return reason, code
        for length in (length for length in lengths if length < len(text)):
            for rest, spelling in ((text[:-length], text[-length:]), (text[length:], text[:length])):
                target = (names.get(rest) or BESIDE_VISIT.get(rest)) if spelling in visits else None
                if target and is_of_visit(target):
                    return target, visits[spelling]
        return None, ""

    return split


def knower():
    """A function that gives the target that a column's name is known for, of a visit or not, or ""."""
    return _finder(_names())


def _finder(names):
    """A function that gives a column's target by its name, where need be without the unit in brackets behind it; ""
    for one that is not known, or that says another unit than is asked for.
    """
    split, nth = _splitter(names), repeats.splitter()

    def find(column):
        target = _tick_box(column) or ""
        for name in dict.fromkeys((column, notations.name_and_unit(column)[0])):
            if target := target or names.get(plain(name)) or _beside(name, split, nth) or "":
                break
        return "" if target and unit_beside(column, target) else target

    # The first rows of a wide file have thousands of cells and few different ones.
    return lru_cache(maxsize=50_000)(find)


def unit_beside(column, target):
    """The unit that a column's name says and its target is not asked in; an item's own name is what it is."""
    if not notations.name_and_unit(column)[1] or item_name(target) in (SITE, TIMEPOINT) or ":" in target:
        return ""
    item = catalogue_item(target)
    own = plain(column) in map(plain, (item.name, item.label.en, item.label.ja))
    return "" if own else notations.other_unit(item, column)


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
    names, suggestions, taken = _names(), {}, set()
    find = _finder(names)
    for column in header:
        target = find(column)
        if target and target not in taken:
            suggestions[column] = target
            taken.add(target)
    suggestions = repeats.begun_at_first(suggestions)
    signs = {beside_of(target)[:1] for target in suggestions.values()}
    if AT in signs and TIMEPOINT not in taken:  # of which visit a name without one is, nobody knows
        suggestions = {
            column: target for column, target in suggestions.items() if AT in target or not is_of_visit(target)
        }
    for column in header:
        near = get_close_matches(plain(column), names, n=1, cutoff=0.9) if column not in suggestions else []
        # Nearly a name, and of which visit or record, nobody knows.
        if near and (
            (AT in signs and is_of_visit(names[near[0]])) or (NTH in signs and repeats.form_of(names[near[0]]))
        ):
            continue
        if near and unit_beside(column, names[near[0]]):
            continue
        if near and names[near[0]] not in taken and len(plain(column)) > 5:
            suggestions[column] = names[near[0]]
            taken.add(suggestions[column])
    first = next(iter(header), "")
    if PATIENT not in taken and first and first not in suggestions and redcap.is_export(header):
        suggestions[first] = PATIENT  # REDCap writes the record's ID first, whatever it is called
    return suggestions


def _beside(column, split, nth):
    """The target of a column that stands beside others of its item, for other visits or other records."""
    base, visit = split(column)
    if base:
        return f"{base}{AT}{visit}"
    base, number = nth(column)
    return f"{base}{NTH}{number}" if base else None


def _tick_box(column):
    """`lesion_levels___c7` or `Lesion levels (choice=C7)`, as REDCap names a tick box, as a target."""
    name, choice = redcap.tick_of(column)
    if not name:
        return None
    of = _names().get(plain(name), name)
    try:
        item = catalogue_item(of)
    except KeyError:
        return None
    choices = item.choices if item.takes_several else ()
    for known in choices:
        if column.strip().lower() == tick_column(name, known.code):
            return f"{of}:{known.code}"
    for known in choices:
        if plain(choice) in map(plain, (str(known.code), known.label.en, known.label.ja)):
            return f"{of}:{known.code}"
    return None


def faults(mapping):
    """What is wrong with the columns: {column or target: Label}; "" for the mapping as a whole."""
    reasons, known = {}, known_targets()
    by_target = {}
    for column, target in mapping.columns.items():
        if target and (base_of(target) not in known or not _beside_is_right(target)):
            reasons[column] = Label("stands for nothing known", "対応先が不明です")
        elif target in by_target:
            reasons[column] = SAME_TARGET.format(v=by_target[target])
        elif target and (unit := unit_beside(column, target)):
            item = catalogue_item(target)
            asked = item.unit or ("" if item.minimum is None else f"{item.minimum}–{item.maximum}")
            reasons[column] = UNIT_IN_NAME.format(u=unit, v=asked) if asked else NO_UNIT_ASKED.format(u=unit)
        elif target:
            by_target[target] = column
    files = mapping.files()
    for file in files:
        # Of stored patients the site is known; of others the check says so.
        for name in (name for name in file.mandatory if name != SITE):
            if name not in mapping.targets or (name == TIMEPOINT and _lacks_timepoint(mapping)):
                reasons.setdefault(name, REQUIRED_EMPTY.format(file=file.filename))
    if not files or not all(code.strip() for code in mapping.fixed.values()):
        reasons[""] = NOTHING_MAPPED
    return reasons


def _beside_is_right(target):
    """Whether there is such a visit, or may be such a record."""
    if beside_of(target).startswith(NTH):
        return bool(repeats.number_of(target))
    visit = beside_of(target)[1:]
    return AT not in target or (is_of_visit(target) and visit in dict(visits()))


def _lacks_timepoint(mapping):
    """Whether a wide file has columns of assessments whose visit nobody knows."""
    alone = [target for target in mapping.columns.values() if target and AT not in target and is_of_visit(target)]
    return bool(alone) and not mapping.is_both


# Values


def visits():
    """The visits that the schedule plans: [(code, Label)]."""
    return [(visit.code, visit.label) for visit in timepoints.planned()]


def choices_of(target):
    """What a value of `target` may stand for: [(code, Label)]; empty where it is no choice."""
    target = base_of(target)
    name = item_name(target)
    if target.endswith(file_formats.MISSING_SUFFIX):
        return [(code, label) for code, label in MISSING_LABELS.items()]
    if name == SITE:
        return [
            (site.code, Label(f"{site.code} {site.name}", f"{site.code} {site.name_ja or site.name}"))
            for site in _sites()
        ]
    if ":" in target:
        return [("1", Label("ticked", "チェックあり")), ("0", Label("not ticked", "チェックなし"))]
    if name == TIMEPOINT:
        extra = map(timepoints.unscheduled, range(1, MOST_UNSCHEDULED + 1))
        return [*visits(), *((visit.code, visit.label) for visit in extra)]
    item = catalogue_item(name)
    return [] if item.takes_several else [(str(choice.code), choice.label) for choice in item.choices]


def _sites():
    """Sites in scope: of others a file of somebody who imports for the own site says nothing."""
    return Site.objects.filter(pk__in=current().read).order_by("code")


def suggested_code(target, value):
    """The code whose name or label a value is; "" where none is for certain."""
    if notations.RAISED_DIGIT.search(str(value)):  # a footnote, unless the label itself has it
        return next((code for code, label in choices_of(target) if str(value).strip() in (label.en, label.ja)), "")
    return _suggested_code(target, value)


def _suggested_code(target, value):
    if (tagged := TAGGED.get(str(value).strip())) and _may_lack(target):
        return tagged  # before a code: `.e` of an export is no grade E
    wanted, options = plain(redcap.event_of(value) if target == TIMEPOINT else value), choices_of(target)
    if code := _of_label(redcap.event_of(value) if target == TIMEPOINT else value, options) or _of_numbered(
        str(value), options
    ):
        return code
    written, bare = TICKED if ":" in target else WRITTEN.get(target, {}), notations.tidy(str(value)).casefold()
    if wanted in written or bare in written:
        return written.get(wanted) or written[bare]
    if code := _behind_its_scale(target, str(value), dict(options)):
        return code
    if suggestion := _as_number(target, value, dict(options)):
        return suggestion
    if _may_lack(target):
        if wanted in MISSING_WORDS:
            return REASON + MISSING_WORDS[wanted]
        for reason, label in MISSING_LABELS.items():
            if wanted and wanted in (plain(reason), plain(label.en), plain(label.ja)):
                return REASON + reason
    return _suggested_timepoint(wanted, dict(options)) if target == TIMEPOINT else ""


def _may_lack(target):
    """Whether a value of a target may stand for a reason why there is none."""
    return target not in (SITE, TIMEPOINT) and ":" not in target and not target.endswith(file_formats.MISSING_SUFFIX)


_SCALE = re.compile(
    r"(?:frankel|フランケル|ecog|p\.?s\.?|performance status|grade|グレード|level|レベル|asia|\s)+"
    r"(?:分類)?\s*[:=]?\s*(?=[^\s])",
    re.IGNORECASE,
)


def _behind_its_scale(target, value, codes):
    """The code behind the name of its scale: PS2, Frankel C, Grade 3, レベル2; and before its label: 2:歩行可."""
    if target in (SITE, TIMEPOINT) or ":" in target:
        return ""
    tidy = notations.tidy(value)
    match = _SCALE.match(tidy)
    code = tidy[match.end() :] if match else re.sub(r"\s*[:：].*$", "", tidy)
    return code if code in codes else ""


def _of_label(value, options):
    """The code whose name or label a value is: to the letter, or else without signs where that is no other's: “>50%”
    and “<50%” are told apart.
    """
    for spelt in (lambda text: notations.tidy(str(text)).casefold(), plain):
        wanted = spelt(value)
        codes = {code for code, label in options if wanted and wanted in map(spelt, (code, label.en, label.ja))}
        if codes:
            return codes.pop() if len(codes) == 1 else ""
    return ""


def _of_numbered(value, options):
    """The code of `1: male`, as people number labels, and of `M = Male`, as code lists of ODM come."""
    given, sign, decoded = value.partition(" = ")
    label_alone = decoded or re.sub(r"^\s*\d+\s*[,.:=)\-]\s*", "", value)
    if code := _of_label(label_alone, [(label.en, label) for _, label in options]):
        return next(known for known, label in options if label.en == code)
    return given if sign and given in dict(options) else ""


def _as_number(target, value, codes):
    """The code that a number in another notation is: Ⅲ, ＃2."""
    item = None if target in (SITE, TIMEPOINT) or ":" in target else catalogue_item(target)
    if item is None or item.kind != "integer":
        return ""
    try:
        number, _ = notations.read_number(item, str(value))
    except InvalidValue:
        return ""
    return number if number in codes else ""


def _suggested_timepoint(text, codes):
    if text in (spellings := visit_spellings()):
        return spellings[text]
    if re.search(r"baseline|preop|presurg|before|術前", text):
        return "preop"
    for pattern, times in (
        (r"(\d+)(?:m|mo|month|か月|ヶ月|カ月|ヵ月)", 1),
        (r"month(\d+)", 1),
        (r"(\d+)(?:y|year|年)", 12),
    ):
        if (match := re.search(pattern, text)) and f"{int(match[1]) * times}m" in codes:
            return f"{int(match[1]) * times}m"
    return ""


def catalogue_item(target):
    """The item that judges a value of `target`; a reason has one of its own."""
    target = base_of(target)
    return file_formats.judges().get(target) or catalogue.item(item_name(target))
