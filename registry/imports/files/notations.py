"""Numbers, dates and vertebral levels as hospitals write them, read into the registry's own spelling, or refused with
what would do.

Every function takes a text and returns `(text, note)`: the note is None where nothing is worth telling, otherwise
True (“was read as”) or a
Label that says more. Raises InvalidValue, whose reason says why it is not clear.
"""

import re
import unicodedata
from contextlib import suppress
from datetime import date, datetime, timedelta

from django.utils import timezone

from registry.instruments import levels
from registry.instruments.base import IN_THOUSANDS, InvalidValue, Label

# What nobody sees: zero widths, soft hyphens, marks of the direction of writing, and selectors of a character's shape.
INVISIBLE = dict.fromkeys(
    [
        *(0x00AD, 0x034F, 0x061C, 0x180E, 0x2060, 0xFEFF),
        *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A),
        *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
    ],
    None,
)  # fmt: skip
# A footnote behind a number is none of its digits: raised, lowered, or in a circle beside others.
RAISED_DIGIT = re.compile(r"[⁰¹²³⁴-⁹₀-₉]|(?<=\d)[①-⑳⓪㉑-㉟㊱-㊿]|[①-⑳⓪㉑-㉟㊱-㊿](?=\d)")
# What looks like a hyphen; ー is the long vowel of katakana, which keyboards give for one.
_HYPHENS = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－ｰ─"), "-")
_WAVES = dict.fromkeys(map(ord, "〜～∼˜⁓"), "~")


def tidy(text):
    """A text without what nobody sees, in half width, with plain hyphens and waves, and single blanks."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    text = unicodedata.normalize("NFKC", text.translate(INVISIBLE).translate(_HYPHENS).translate(_WAVES))
    return re.sub(r"\s+", " ", text.translate(_HYPHENS).translate(_WAVES)).strip()


# Numbers

POINT, COMMA = "point", "comma"
SEPARATORS = {
    POINT: Label("1,234.5 (a point before the decimals)", "1,234.5（小数点はピリオド）"),
    COMMA: Label("1.234,5 (a comma before the decimals)", "1.234,5（小数点はコンマ）"),
}
UNITS = {
    "mL": ("ml", "cc", "ミリリットル"),
    "min": ("min", "mins", "min.", "minutes", "minute", "分"),
    "mm": ("mm", "ミリ", "ミリメートル"),
    "Gy": ("gy", "グレイ"),
    "deg": ("deg", "degrees", "°", "度"),
    "hours": ("hours", "hour", "h", "hr", "hrs", "時間"),
    "days": ("days", "day", "日"),
    "weeks": ("weeks", "week", "週"),
    "months": ("months", "month", "mo", "か月", "ヶ月", "カ月", "ヵ月", "月"),
    "years": ("years", "year", "y", "yrs", "歳", "年"),
}
# Units that no item is asked in, and what else stands in brackets behind a column's name.
_OTHER_UNITS = frozenset(
    (
        "cm",
        "m",
        "l",
        "dl",
        "cl",
        "リットル",
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "時間",
        "s",
        "sec",
        "seconds",
        "秒",
        "g",
        "kg",
        "cgy",
        "day",
        "days",
        "日",
        "week",
        "weeks",
        "週",
    )
)
_ALL_UNITS = _OTHER_UNITS.union(*UNITS.values())
_NO_UNITS = frozenset(
    (
        "点",
        "points",
        "point",
        "pts",
        "%",
        "/100",
        "0-100",
        "西暦",
        "和暦",
        "年月日",
        "年/月/日",
        "年-月-日",
        "日付",
        "date",
        "yyyy/mm/dd",
        "yyyy-mm-dd",
        "yyyymmdd",
        "y/m/d",
        "椎体",
        "grade",
        "級",
        "度",
        "回",
        "人",
        "例",
        "数",
        "-",
        "",
    )
)
# A tail without brackets: of `_m` and `_y` nobody knows whether they are a visit.
_UNIT_IN_NAME = re.compile(
    r"(.*[^\s_(\[【])\s*(?:[(\[【]\s*([^()\[\]【】]{1,20}?)\s*[)\]】]|[_ ](cm|d?l|cl|ml|cc|h|hrs?|min|sec|c?gy|k?g))",
    re.IGNORECASE,
)
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10}

OTHER_UNIT = Label("is in another unit: {v} is asked for", "単位が異なります。{v}で入力してください。")
NO_EXACT = Label(
    "says no exact number: write one, or the reason why there is none",
    "正確な数値ではありません。数値を入力するか、欠測理由を指定してください。",
)
RAISED = Label(
    "has a raised, lowered or circled digit, such as a footnote's: write the value alone",
    "上付き・下付き・丸付きの数字（注番号など）があります。値だけを入力してください。",
)
CLOCK = Label(
    "may be hours and minutes, or minutes and seconds: write the number of minutes",
    "「時間:分」か「分:秒」か判別できません。分単位の数値で入力してください。",
)
EITHER_NUMBER = Label(
    "may be {a} or {b}: say whether a point or a comma stands before decimals",
    "{a}とも{b}とも読めます。小数点がピリオドかコンマかを指定してください。",
)
_VAGUE = re.compile(
    r"[<>≦≧≤≥±≒~?]|\d\s*-\s*\d|約|程度|以上|以下|未満|超|前後|少量|多量|微量|about|approx", re.IGNORECASE
)
_DIGITS = r"[+-]?\d"


def read_number(item, text, separators=""):
    """A number of `item` (kind integer or decimal).

    separators  POINT or COMMA, where somebody has said what stands before decimals
    Thousands separators are never decimals of a whole number.
    """
    refuse_raised(text)
    plain = tidy(text)
    bare = _without_unit(item, plain)
    if item.kind == "integer" and item.unit == "min" and (minutes := _minutes(bare)):
        return minutes, True
    number = _spelled(item, bare.replace("¥", ""), separators)
    if number is None:
        _refuse_vague(item, bare)
        return (plain, (plain != text.strip()) or None) if plain.isascii() else (text, None)
    return number, (number != text.strip()) or None


def refuse_raised(text):
    """Raise InvalidValue for a text with a footnote's digit beside others, which `tidy` takes for one of them."""
    if not text.isascii() and RAISED_DIGIT.search(text):
        raise InvalidValue(RAISED)


def _without_unit(item, text):
    for unit in sorted(UNITS.get(item.unit, ()), key=len, reverse=True):
        if text.casefold().endswith(unit) and text[: -len(unit)].strip()[-1:].isdigit():
            return text[: -len(unit)].strip()
    return text


def _minutes(text):
    if re.fullmatch(r"\d{1,3}:\d{2}(:\d{2})?", text):
        raise InvalidValue(CLOCK)
    hours = re.fullmatch(
        r"(\d{1,2}) ?(?:h|hr|hrs|hours?|時間) ?(?:(\d{1,2}) ?(?:m|min|minutes?|分)?)?", text, re.IGNORECASE
    )
    return str(int(hours[1]) * 60 + int(hours[2] or 0)) if hours else None


def _spelled(item, text, separators):
    """The number in the registry's spelling; None where it is none."""
    whole = item.kind == "integer"
    if re.fullmatch(rf"{_DIGITS}+", text):
        return text.lstrip("+") if text.startswith("+") else text
    if not whole and (match := re.fullmatch(r"([+-]?)\.(\d+)", text)):  # .5, as REDCap and SAS leave it
        return f"{match[1].lstrip('+')}0.{match[2]}"
    if whole and text.upper() in ROMAN and (item.choices or (item.maximum is not None and item.maximum <= 10)):
        return str(ROMAN[text.upper()])
    readings = {}
    for separator, group, point in ((POINT, r"[, ']", r"\."), (COMMA, r"[. ']", ",")):
        # Four and more digits without separators may come before decimals; groups are of three.
        shape = rf"([+-]?(?:\d+|\d{{1,3}}(?:{group}\d{{3}})+))(?:{point}(\d+))?"
        if match := re.fullmatch(shape, text):
            readings[separator] = re.sub(r"[^\d+-]", "", match[1]) + (f".{match[2]}" if match[2] else "")
    if whole:
        readings = _whole_readings(text, readings)
    return _chosen(item, readings, separators)


def _whole_readings(text, readings):
    """Readings without a decimal part that is not zero. Groups of a comma are thousands, whatever stands before
    decimals.
    """
    if re.fullmatch(IN_THOUSANDS + r"(\.0+)?", text):
        return dict.fromkeys((POINT, COMMA), readings[POINT].partition(".")[0])
    whole = {}
    for separator, reading in readings.items():
        number, _, decimals = reading.partition(".")
        if not decimals.strip("0"):
            whole[separator] = number
    return whole


def _chosen(item, readings, separators):
    fitting = {separator: reading for separator, reading in readings.items() if _fits(item, reading)}
    values = {*map(float, fitting.values())}
    if not fitting:
        return next(iter(readings.values()), None) if len({*readings.values()}) == 1 else readings.get(separators)
    if len(values) == 1:
        only = fitting.get(separators) or next(iter(fitting.values()))
        if separators and separators not in fitting:
            return None
        # A comma before decimals is only believed where somebody says so.
        return only if separators or POINT in fitting else None
    if separators in fitting:
        return fitting[separators]
    a, b = fitting.values()
    raise InvalidValue(EITHER_NUMBER.format(a=a, b=b))


def _fits(item, text):
    try:
        item.clean(text)
    except InvalidValue:
        return False
    return True


def _refuse_vague(item, text):
    if _VAGUE.search(text):
        raise InvalidValue(NO_EXACT)
    unit = re.fullmatch(rf"{_DIGITS}[\d.,]* ?([^\W\d_]+|[%°℃μ]\w*)", text)
    if item.unit and unit and not set(unit[1]) <= set("OoIl"):
        raise InvalidValue(OTHER_UNIT.format(v=item.unit))


def name_and_unit(column):
    """(name, unit) of a column such as 出血量（mL）, `pain_vas_cm`; the unit is "" where the name says none."""
    match = _UNIT_IN_NAME.fullmatch(tidy(column))
    unit = (match[2] or match[3]).casefold() if match else ""
    return (match[1], unit) if match and unit in _ALL_UNITS | _NO_UNITS else (column, "")


def is_unit(text):
    """Whether a text says in what something is measured, or how it is written, and no more: (mm), 点, 年/月/日."""
    bare = tidy(text).strip("()[]【】 ").casefold()
    return bare in _ALL_UNITS | _NO_UNITS


def other_unit(item, column):
    """The unit that the name of a column says where a number of `item` is asked in another one, otherwise ""."""
    unit = name_and_unit(column)[1]
    if item.kind not in ("integer", "decimal") or item.choices or unit not in _ALL_UNITS:
        return ""
    right = UNITS.get(item.unit, (item.unit.casefold(),)) if item.unit else _ALL_UNITS - _OTHER_UNITS
    return "" if unit in right else unit


def has_separator(text):
    """Whether what stands before decimals matters for a number."""
    return bool(re.search(r"\d[.,]\d", tidy(text)))


# Dates

DATE_FORMATS = {
    "iso": Label("2024-03-09 (year-month-day)", "2024-03-09（年-月-日）"),
    "ymd": Label(
        "2024/3/9, 2024.3.9, 2024年3月9日, 20240309, 24/3/9", "2024/3/9、2024.3.9、2024年3月9日、20240309、24/3/9"
    ),
    "dmy": Label("9/3/2024, 9/3/24 (day, month, year)", "9/3/2024、9/3/24（日・月・年）"),
    "mdy": Label("3/9/2024, 3/9/24 (month, day, year)", "3/9/2024、3/9/24（月・日・年）"),
    "era": Label("R6.3.9, 令和6年3月9日 (Japanese era)", "R6.3.9、令和6年3月9日（和暦）"),
    "named": Label("9 Mar 2024, March 9, 2024", "9 Mar 2024、March 9, 2024"),
    "excel": Label("45360 (days, as Excel counts them)", "45360（Excelの通し日数）"),
}
EXCEL_BEGINS = date(1899, 12, 30)  # day 0 of every day since March 1900, in workbooks of the 1900 system
_DATES = {
    "iso": re.compile(r"(\d{4})-(\d{2})-(\d{2})"),
    "ymd": re.compile(r"(\d{4}|\d{2})([-/.年]) ?(\d{1,2}) ?(?:\2|月) ?(\d{1,2})日?|(\d{4})()(\d{2})(\d{2})"),
    "dmy": re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})"),
    "mdy": re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})"),
    "era": re.compile(
        r"(明治|大正|昭和|平成|令和|[明大昭平令]|[MTSHR])[. ]?(\d{1,2}|元)[-/.年] ?(\d{1,2})[-/.月] ?(\d{1,2})日?",
        re.IGNORECASE,
    ),
    "excel": re.compile(r"(\d{5})"),  # from 1927: four digits would be years
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMED = (
    re.compile(r"(?P<d>\d{1,2})(?:st|nd|rd|th)?[-/. ]*(?P<m>[a-z]{3,9})\.?,?[-/. ]*(?P<y>\d{4}|\d{2})", re.IGNORECASE),
    re.compile(r"(?P<m>[a-z]{3,9})\.? (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})", re.IGNORECASE),
    re.compile(r"(?P<y>\d{4})[-/. ]?(?P<m>[a-z]{3,9})[-/. ]?(?P<d>\d{1,2})", re.IGNORECASE),
)
_CLOCK_BEHIND = re.compile(
    r"(?:T| )? ?(?:午前|午後)?(\d{1,2})(?::|時)(\d{2})(?:分)?(?:(?::)?(\d{2})(?:\.\d+)?秒?)? "
    r"?(am|pm)?(?:Z| ?UTC| ?[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # most dates of a file: nothing stands behind them
_WEEKDAY = re.compile(
    r"\(([月火水木金土日])(?:曜日?)?[・、 ]?(?:祝日?|振?休日?)?\)|([月火水木金土日])曜日?"
    r"|\(?\b(mon|tue|wed|thu|fri|sat|sun)(?:s|nes|rs|ur)?(?:day)?\b\.?\)?,?",
    re.IGNORECASE,
)
_WEEKDAYS = {
    "月": "Monday", "火": "Tuesday", "水": "Wednesday", "木": "Thursday", "金": "Friday", "土": "Saturday",
    "日": "Sunday",
}  # fmt: skip
# Name and letter of an era → its first and last day.
_ERAS = {
    ("明治", "明", "M"): (date(1868, 1, 25), date(1912, 7, 29)),
    ("大正", "大", "T"): (date(1912, 7, 30), date(1926, 12, 24)),
    ("昭和", "昭", "S"): (date(1926, 12, 25), date(1989, 1, 7)),
    ("平成", "平", "H"): (date(1989, 1, 8), date(2019, 4, 30)),
    ("令和", "令", "R"): (date(2019, 5, 1), date.max),
}
TWO_DIGITS = Label(
    "A year of two digits is the last one before the end of this year; for births the last one {n} years ago or more.",
    "2桁の年は今年までの直近の年、生年月日では{n}年以上前の直近の年として読みます。",
)
NO_DATE = Label("is not a date written like {v}", "{v}の形式の日付ではありません")
PARTIAL = Label(
    "has no day: write the whole date, or the reason why it is not known",
    "日がありません。年月日を入力するか、欠測理由を指定してください。",
)
OUTSIDE_ERA = Label(
    "{era} runs from {first} to {last}: this day is not in it", "{era}は{first}から{last}までで、この日は含まれません"
)
EITHER_DATE = Label(
    "may be {a} or {b}: choose one way of writing", "{a}とも{b}とも読めます。書き方を1つ選んでください。"
)
OTHER_DAY = Label(
    "is a moment: {a} where it was written, {b} in the study's time zone. Write the day alone",
    "時刻付きの日時です（記録元では{a}、研究の時間帯では{b}）。日付だけを入力してください。",
)
OTHER_WEEKDAY = Label(
    "{day} is a {right}, not a {said}: write the right day",
    "{day}は{right}曜日で、{said}曜日ではありません。日付を確認してください。",
)
TIME_DROPPED = Label("was read as {v}: the time is not kept", "{v}として読み取りました。時刻は保存しません。")
_PARTIAL = re.compile(
    r"\d{4}([-/.年] ?(\d{1,2}|[?x]+|不明) ?月?)?年?|\d{4}[-/.年] ?(\d{1,2}|[?x]+|不明)[-/.月] "
    r"?([?x]+|不明|00?|上旬|中旬|下旬|頃|ごろ)日?|\d{1,2}/\d{4}"
    r"|(明治|大正|昭和|平成|令和|[MTSHR])\.?(\d{1,2}|元)[-/.年] ?\d{0,2}月?",
    re.IGNORECASE,
)


def read_date(text, formats, *, today=None, adult=0):
    """A date written in one of `formats` (keys of DATE_FORMATS), as text ISO 8601, which is always read.

    adult  years that lie between a birth and today at least, for years of two digits
    """
    if is_iso := bool(_ISO_DAY.fullmatch(text)):  # which no other format reads as another day
        with suppress(ValueError):
            return date.fromisoformat(text).isoformat(), None
    plain, clock, weekday = (text, False, None) if is_iso else _day_alone(text)
    readings, fault = _readings(plain, ("iso", *formats), weekday, today, adult)
    if len(readings) > 1:
        a, b = readings[:2]
        raise InvalidValue(EITHER_DATE.format(a=a, b=b))
    if readings:
        day = readings[0]
        return day, TIME_DROPPED.format(v=day) if clock else None
    # What is a date of another way of writing, but for its era or weekday, is told so.
    if fault := fault or _readings(plain, DATE_FORMATS, weekday, today, adult)[1]:
        raise fault
    if _PARTIAL.fullmatch(plain):
        raise InvalidValue(PARTIAL)
    shown = [DATE_FORMATS[key] for key in formats or ("iso",)]
    raise InvalidValue(_no_date(shown))


def _readings(plain, formats, weekday, today, adult):
    """(the days that a text is, in some of `formats`, on the weekday that it names; why it is none, or None)."""
    readings, fault = [], None
    for key in formats:
        try:
            readings.append(_date_in(plain, key, today or date.today(), adult))
        except InvalidValue as error:
            fault = error
    days = sorted({*filter(None, readings)})
    if not days or weekday is None:
        return days, fault
    right = [day for day in days if date.fromisoformat(day).weekday() == weekday]
    return right, fault if right else _of_another_weekday(days[0], weekday)


def _of_another_weekday(day, said):
    there, ja = date.fromisoformat(day).weekday(), [*_WEEKDAYS]
    en = OTHER_WEEKDAY.en.format(day=day, right=_WEEKDAYS[ja[there]], said=_WEEKDAYS[ja[said]])
    return InvalidValue(Label(en, OTHER_WEEKDAY.ja.format(day=day, right=ja[there], said=ja[said])))


def _day_alone(text):
    """A date without what may stand beside it, whether that is a time other than midnight, and the weekday that it
    names (0 is Monday) or None.
    """
    refuse_raised(text)
    plain, weekday = tidy(text), None
    if match := _WEEKDAY.search(plain):
        said = (match[1] or match[2] or match[3]).casefold()
        weekday = next(n for n, names in enumerate(_WEEKDAYS.items()) if said in (names[0], names[1][:3].casefold()))
        plain = tidy(f"{plain[: match.start()]} {plain[match.end() :]}")
    _refuse_other_day(plain)
    return *without_time(plain), weekday


def _no_date(shown):
    return Label(
        NO_DATE.en.format(v=" / ".join(date_shown.en for date_shown in shown)),
        NO_DATE.ja.format(v="・".join(date_shown.ja for date_shown in shown)),
    )


def _refuse_other_day(text):
    """A moment with its offset, as programs write midnight of somewhere else, may be of another day here."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S* ?(?:Z|UTC|[+-]\d{2}:?\d{2})", text, re.IGNORECASE):
        return
    try:
        moment = datetime.fromisoformat(re.sub(r" ?(?:Z|UTC)$", "+00:00", text, flags=re.IGNORECASE))
    except ValueError:
        return
    here = moment.astimezone(timezone.get_default_timezone()).date()
    if here != moment.date():
        raise InvalidValue(OTHER_DAY.format(a=moment.date().isoformat(), b=here.isoformat()))


def without_time(text):
    """(the day of a text, whether a time other than midnight stands behind it)."""
    match = _CLOCK_BEHIND.search(text)
    if not match or not re.search(r"\d|日", text[: match.start()][-1:]):
        return text, False
    midnight = (
        not any(int(part or 0) for part in match.groups()[:3])
        and "午後" not in match[0]
        and (match[4] or "am").lower() == "am"
    )
    return text[: match.start()].strip().rstrip("T").strip(), not midnight


def _date_in(text, key, today, adult):
    """The date that `text` is in one format, ISO 8601; None if it is none."""
    if key == "named":
        return _named(text, today, adult)
    match = _DATES[key].fullmatch(text)
    if not match:
        return None
    parts = [part for part in match.groups() if part is not None]
    if key == "excel":
        return (EXCEL_BEGINS + timedelta(days=int(parts[0]))).isoformat()
    if key == "era":
        return _era(*parts)
    if key != "iso":
        parts = [part for place, part in enumerate(parts) if place != 1]  # what separates them
    orders = {"dmy": (2, 1, 0), "mdy": (2, 0, 1)}
    year, month, day = (parts[place] for place in orders.get(key, (0, 1, 2)))
    return _day(year, month, day, today, adult)


def _named(text, today, adult):
    for shape in _NAMED:
        if (match := shape.fullmatch(text)) and (month := match["m"][:3].lower()) in _MONTHS:
            return _day(match["y"], _MONTHS.index(month) + 1, match["d"], today, adult)
    return None


def _day(year, month, day, today, adult):
    try:
        moment = date(int(year), int(month), int(day))
        if len(str(year)) == 2:
            century = today.year // 100 * 100
            moment = moment.replace(year=century + moment.year)
            if moment.year > today.year - adult:
                moment = moment.replace(year=moment.year - 100)
    except ValueError:
        return None
    return moment.isoformat()


def _era(era, year, month, day):
    names, (first, last) = next(era_names for era_names in _ERAS.items() if era.upper() in era_names[0])
    try:
        moment = date(first.year - 1 + (1 if year == "元" else int(year)), int(month), int(day))
    except ValueError:
        return None
    if not first <= moment <= last:
        ends = last.isoformat() if last != date.max else "…"
        raise InvalidValue(OUTSIDE_ERA.format(era=names[0], first=first.isoformat(), last=ends))
    return moment.isoformat()


# Vertebral levels

NO_LEVELS = Label(
    "is not a list of vertebral levels such as C7;T1 or T5-T7", "C7;T1やT5-T7のような椎体高位の一覧ではありません"
)
_REGIONS = {
    "TH": "T",
    "頸椎": "C",
    "頚椎": "C",
    "胸椎": "T",
    "腰椎": "L",
    "仙椎": "S",
    "仙骨": "S",
    "頸": "C",
    "頚": "C",
    "胸": "T",
    "腰": "L",
    "仙": "S",
}
_REGIONS |= {"SACRUM": "S", "SACRAL": "S"}
_REGION = re.compile("|".join(sorted(_REGIONS, key=len, reverse=True)))
_NUMBERS = r"\d{1,2}(?:[-~・,、]\d{1,2})*"
_PART = re.compile(r"([CTLS])?\.?(\d{1,2})?")


def read_levels(text):
    """Vertebral levels separated as the registry does: Th5, ranges (T5-7, T12-L2), S1–S5, 第5胸椎 and #."""
    refuse_raised(text)
    plain = tidy(text).upper().replace("ー", "-")
    for shape in (r"第({})({})", r"^({})({})$"):  # 第5胸椎, 第3-5腰椎, 12胸椎: the region stands behind its numbers
        plain = re.sub(shape.format(_NUMBERS, "頸椎|頚椎|胸椎|腰椎|仙椎"), r"\2\1", plain)
    plain = _REGION.sub(lambda match: _REGIONS[match[0]], plain)
    plain = re.sub(r"[#№]|VERTEBRAE?|椎体|LEVELS?", "", plain)
    plain = re.sub(r"\s*(?:-|~|から|TO)\s*", "-", plain)
    plain = re.sub(r"([CTLS])[. ]+(?=\d)", r"\1", plain)
    plain = re.sub(r"(\d)(?=[CTLS]\d)|と|及び|および|\bAND\b", r"\1,", plain)  # C7T1, Th5と6
    places_read, region = [], ""
    for part in filter(None, re.split(r"[;,、，・/+&\s]+", plain)):
        ends = part.split("-")
        if len(ends) > 2:
            raise InvalidValue(NO_LEVELS)
        places = []
        for end in ends:
            level, region = _level(end, region)
            places.append(levels.LEVELS.index(level))
        if places[0] > places[-1]:
            raise InvalidValue(NO_LEVELS)
        places_read += levels.LEVELS[places[0] : places[-1] + 1]
    wanted = ";".join(dict.fromkeys(places_read))
    return wanted, (wanted != text.strip()) or None


def _level(text, region):
    shape = _PART.fullmatch(text)
    if not shape or not text or (shape[1] is None and (shape[2] is None or not region)):
        raise InvalidValue(NO_LEVELS)
    region = shape[1] or region
    if region == "S" and (shape[2] is None or 1 <= int(shape[2]) <= 5):  # the sacrum is one level here
        return "S", region
    level = f"{region}{int(shape[2])}" if shape[2] else region
    if level not in levels.LEVELS:
        raise InvalidValue(NO_LEVELS)
    return level, region
