"""Excel workbook (.xlsx, .xlsm) to CSV: the cells that are there, whatever the file says of its size, prefix or
variant.

Run as a program of its own (`python -I workbook.py FILE FOLDER`), so that a file that was made to hurt stops this
process and
no other: everything that a file can make large is counted while it is read (`Limits`), memory, time and output are
held to by the
operating system. The standard library alone: nothing of the registry is loaded.

Libraries were weighed: openpyxl believes the sheet's own `dimension` and holds all shared strings, python-calamine
lays out every cell between
the first and the last one and tells of neither hidden rows nor merged cells. Here a cell that is not in the file
costs nothing.

Written are `sheet-<n>.csv`, a line for each row that has a value: the row's number, then the texts of its cells up to
the last one that has a
value. A cell that is no plain text begins with MARK and the letter of its kind (`KINDS`), see `marked`; and
`sheets.json` with what else a
person should know (`Sheet`), or why the file is refused.
"""

import csv
import json
import posixpath
import re
import resource
import sys
import zipfile
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from xml.parsers import expat

# A noncharacter of Unicode, which no text holds: hospitals' own characters (gaiji) are in the private use area.
MARK, SHOWN = "\ufdd0", "\ufdd1"
# Kinds of cells that are no text; upper case where a formula gave the value.
KINDS = {
    "n": "number",
    "p": "percentage",
    "d": "date",
    "t": "time",
    "b": "true or false",
    "e": "error",
    "s": "text",
    "u": "formula",
}
LOOKS = ("struck", "partly", "unseen", "otherwise", "zero")
LISTED = 200  # hidden rows, merged ranges and the like that are named; the rest is counted
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384


@dataclass(frozen=True)
class Limits:
    """What one workbook may cost. Bytes are counted as they are unpacked: what the archive says of itself may be
    wrong.
    """

    unpacked: int = 400_000_000
    written: int = 600_000_000
    cells: int = 12_000_000  # with a value
    strings: int = 2_000_000  # different texts
    rows: int = LAST_ROW
    sheets: int = 200
    depth: int = 40  # of elements within elements
    text: int = 100_000  # characters of one cell; Excel itself takes 32 767
    memory: int = 1_500_000_000
    seconds: int = 120  # of the processor


class Refused(Exception):
    """A workbook that is not read: `code` names the reason, `n` its number."""

    def __init__(self, code, n=0):
        super().__init__(code)
        self.code, self.n = code, n


@dataclass
class Sheet:
    """What is told of a sheet beside its cells. Lists hold the first LISTED; `*_count` says how many there are."""

    name: str
    hidden: bool = False
    rows: int = 0  # with a value
    cells: int = 0
    formulas: int = 0
    errors: int = 0
    merged: list = field(default_factory=list)
    merged_count: int = 0
    hidden_rows: list = field(default_factory=list)  # that hold a value
    hidden_rows_count: int = 0
    hidden_columns: list = field(default_factory=list)  # numbers, the first is 1, that hold a value
    # [row, what of LOOKS, [columns], what the sheet shows]: cells that look as if they said something else. A column's
    # number is 1 for the first, and [0] stands for every cell of the row.
    looks: list = field(default_factory=list)
    looks_count: int = 0
    from_1904: bool = False  # days are counted from 1904
    told: list = field(default_factory=list)  # [English, Japanese] of what else was passed over


def marked(kind, text, shown=""):
    """A cell that is no plain text, as the CSV has it. `shown`: what the sheet shows, where that is another text."""
    return f"{MARK}{kind}{text}{SHOWN}{shown}" if shown and shown != text else f"{MARK}{kind}{text}"


# The archive


class _Archive:
    """The parts of a workbook's archive, unpacked piece by piece and counted."""

    def __init__(self, path, limits):
        self.left, self.limits = limits.unpacked, limits
        try:
            self.zip = zipfile.ZipFile(path)
            self.names = {name.replace("\\", "/").lstrip("/").casefold(): name for name in self.zip.namelist()}
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Refused("broken") from error

    def has(self, name):
        return name.lstrip("/").casefold() in self.names

    def pieces(self, name):
        try:
            with self.zip.open(self.names[name.lstrip("/").casefold()]) as stream:
                while piece := stream.read(1 << 16):
                    self.left -= len(piece)
                    if self.left < 0:
                        raise Refused("unpacked", self.limits.unpacked // 1_000_000)
                    yield piece
        except RuntimeError as error:  # a password of the archive's own
            raise Refused("protected") from error
        except (KeyError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise Refused("broken") from error
        except Exception as error:  # zlib.error, lzma.LZMAError: the library passes on what unpacks
            if isinstance(error, (Refused, MemoryError)):
                raise
            raise Refused("broken") from error


def _parse(archive, name, start, end, text=None):
    """Feed a part to the handlers: `start(local name, attributes)`, `end(local name)`, `text(characters)`.

    Names come without prefix and namespace, so that `x:row`, strict and transitional files are alike. A document
    type, hence
    any entity of a file's own, is refused; so is what is nested deeper than any workbook.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text, parser.ordered_attributes = True, False
    depth, deepest = 0, archive.limits.depth

    def started(tag, attributes):
        nonlocal depth
        depth += 1
        if depth > deepest:
            raise Refused("deep")
        start(tag[tag.rfind(" ") + 1 :], attributes)

    def ended(tag):
        nonlocal depth
        depth -= 1
        end(tag[tag.rfind(" ") + 1 :])

    def refuse(*_):
        raise Refused("doctype")

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        for piece in archive.pieces(name):
            parser.Parse(piece)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Refused("broken") from error


def _plain(attributes):
    """Attributes by their names without a namespace."""
    return {name[name.rfind(" ") + 1 :]: value for name, value in attributes.items()}


def _relations(archive, part):
    """Id → (kind of the relation, name of the part) of what `part` relates to."""
    folder, _, name = part.rpartition("/")
    file, relations = f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels", {}

    def start(tag, attributes):
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "").replace("\\", "/")
            target = target if target.startswith("/") else f"{folder}/{target}"
            kind = attributes.get("Type", "").rpartition("/")[2]
            relations[attributes.get("Id")] = kind, posixpath.normpath(target).lstrip("/")

    if archive.has(file):
        _parse(archive, file, start, lambda tag: None)
    return relations


# Styles


_BUILT_IN = {
    9: "0%",
    10: "0.00%",
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    14: "yyyy/m/d",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy/m/d h:mm",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    # East Asian ones, which a file names by their number alone.
    27: "ge.m.d",
    28: 'ggge"年"m"月"d"日"',
    29: 'ggge"年"m"月"d"日"',
    30: "m/d/yy",
    31: 'yyyy"年"m"月"d"日"',
    32: 'h"時"mm"分"',
    33: 'h"時"mm"分"ss"秒"',
    34: 'yyyy"年"m"月"',
    35: 'm"月"d"日"',
    36: "ge.m.d",
    50: "ge.m.d",
    51: 'ggge"年"m"月"d"日"',
    52: 'yyyy"年"m"月"',
    53: 'm"月"d"日"',
    54: 'ggge"年"m"月"d"日"',
    55: 'yyyy"年"m"月"',
    56: 'm"月"d"日"',
    57: "ge.m.d",
    58: 'ggge"年"m"月"d"日"',
}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_DAY = re.compile(r"[ydge]", re.IGNORECASE)
_CLOCK = re.compile(r"[hs]", re.IGNORECASE)


@dataclass(frozen=True)
class _Format:
    """A number format: `kind` n, p (a percentage), d (a day, or a day with its time) or t (a time alone), and its first
    section; of numbers all sections.
    """

    kind: str = "n"
    code: str = ""
    texts: str = "@"  # the section for texts


def _format(code):
    shape = _format_of_numbers(code)
    sections = _sections(code)
    if len(sections) > 3 or (len(sections) == 1 and "@" in _LITERAL.sub("", code)):
        return replace(shape, texts=sections[-1])
    return shape


def _format_of_numbers(code):
    section = code.split(";")[0]
    bare = re.sub(r"[eE][+-]", "", _LITERAL.sub("", section))
    if bare.casefold() in ("general", "標準", "@") and section == code:
        return _Format()
    bare = re.sub(r"general|am/pm|a/p", "", bare, flags=re.IGNORECASE)
    months = re.search(r"m", bare, re.IGNORECASE) and not re.search(r"[0#?]", bare)
    if _DAY.search(bare) or (months and not _CLOCK.search(bare)):
        return _Format("d", section)
    if _CLOCK.search(bare):
        return _Format("t", section)
    return _Format("p" if "%" in bare else "n", code)


def _formats(archive, part):
    """(the `_Format` of each cell style, `_Looks`) as the workbook declares them."""
    custom, styles, inside, looks = {}, [], [], _Looks()

    def start(tag, attributes):
        inside.append(tag)
        if tag == "numFmt":
            custom[attributes.get("numFmtId")] = attributes.get("formatCode", "")
        elif tag == "xf" and "cellXfs" in inside:
            styles.append(attributes.get("numFmtId", "0"))
        looks.start(tag, attributes, inside)

    if part and archive.has(part):
        _parse(archive, part, start, lambda tag: inside.pop())
    known = {}
    for number in {*styles}:
        code = custom.get(number, _BUILT_IN.get(int(number) if number.isdigit() else 0, ""))
        known[number] = _format(code)
    return [known[number] for number in styles], looks


# How cells look

_WHITE, _BLACK = "FFFFFF", "000000"
_INDEXED = {"0": _BLACK, "1": _WHITE, "8": _BLACK, "9": _WHITE, "64": _BLACK, "65": _WHITE}
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _colour(attributes):
    """A colour as one can compare it: what is the same under two names is the same here for black and white alone."""
    if "rgb" in attributes:
        return attributes["rgb"][-6:].upper()
    if "tint" not in attributes and attributes.get("theme") in ("0", "1"):
        return (_WHITE, _BLACK)[int(attributes["theme"])]
    if attributes.get("indexed") in _INDEXED:
        return _INDEXED[attributes["indexed"]]
    return tuple(sorted(attributes.items()))


class _Looks:
    """Which cell styles strike a value out, or write it in the colour of its ground, and which conditional formats may.

    by_style     number of a cell style → what of LOOKS
    conditional  numbers of the conditional formats
    """

    def __init__(self):
        self.fonts, self.fills, self.cell_styles, self.conditional_styles = [], [], [], []

    def start(self, tag, attributes, inside):
        dxf = "dxfs" in inside
        if tag == "dxf":
            self.conditional_styles.append([{}, {}, ""])
        elif tag in ("font", "fill"):
            listed = self.fonts if tag == "font" else self.fills
            if dxf:
                self.conditional_styles[-1][tag == "fill"] = {}
            else:
                listed.append({})
        elif tag == "numFmt" and dxf:
            self.conditional_styles[-1][2] = attributes.get("formatCode", "")
        elif tag == "xf" and "cellXfs" in inside:
            self.cell_styles.append((attributes.get("fontId", ""), attributes.get("fillId", "")))
        elif "font" in inside or "fill" in inside:
            within = "font" if "font" in inside else "fill"
            if dxf:
                part = self.conditional_styles[-1][within == "fill"]
            else:
                part = (self.fonts if within == "font" else self.fills)[-1]
            part[tag] = attributes

    @property
    def by_style(self):
        looks = {}
        for number, (font, fill) in enumerate(self.cell_styles):
            font = self.fonts[int(font)] if font.isdigit() and int(font) < len(self.fonts) else {}
            fill = self.fills[int(fill)] if fill.isdigit() and int(fill) < len(self.fills) else {}
            if look := _look(font, fill):
                looks[str(number)] = look
        return looks

    @property
    def conditional(self):
        return {
            str(number)
            for number, (font, fill, code) in enumerate(self.conditional_styles)
            if _look(font, fill) or (code and not re.search(r"[0#?@ydgmhse]", _LITERAL.sub("", code), re.IGNORECASE))
        }


def _look(font, fill):
    """What of LOOKS a font upon a fill is, "" for what is plainly read."""
    if "strike" in font and _on(font["strike"].get("val", "1")):
        return "struck"
    if "color" not in font:
        return ""
    pattern = fill.get("patternFill", {}).get("patternType", "solid" if "bgColor" in fill else "none")
    if pattern not in ("none", "solid") or "gradientFill" in fill:
        return ""
    # A conditional format names its one colour as the background's.
    ground = fill.get("fgColor", fill.get("bgColor", {})) if pattern == "solid" else {"rgb": _WHITE}
    return "unseen" if _colour(font["color"]) == _colour(ground) else ""


class _Runs:
    """The runs of a rich text as they come: a raised digit is written as one, and what is struck out is noted."""

    def __init__(self):
        self.begin()

    def begin(self):
        """A new text begins."""
        self.is_struck = self.is_raised = False
        self.struck = self.plain = 0  # characters

    def start(self, tag, attributes):
        if tag == "r":
            self.is_struck = self.is_raised = False
        elif tag == "strike":
            self.is_struck = _on(attributes.get("val", "1"))
        elif tag == "vertAlign":
            self.is_raised = attributes.get("val") == "superscript"

    def shown(self, characters):
        if self.is_struck:
            self.struck += len(characters.strip())
        else:
            self.plain += len(characters.strip())
        return characters.translate(_RAISED) if self.is_raised else characters

    @property
    def look(self):
        return "" if not self.struck else "partly" if self.plain else "struck"


# Values as the sheet means and shows them


_ERAS = (
    (date(2019, 5, 1), "R", "令和"),
    (date(1989, 1, 8), "H", "平成"),
    (date(1926, 12, 25), "S", "昭和"),
    (date(1912, 7, 30), "T", "大正"),
    (date(1868, 1, 25), "M", "明治"),
)
_SHOWN = re.compile(
    r'"([^"]*)"|\\(.)|\[[^\]]*\]|_.|\*.|(yyyy|yy|y|ggg|gg|g|ee|e|mmmm|mmm|mm|m|dddd|ddd|dd|d|AM/PM|hh|h|ss|s)',
    re.IGNORECASE,
)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def moment_of(serial, from_1904=False):
    """The day and time that Excel counts as `serial`; None before the calendar begins, and for the day that 1900
    never had.
    """
    if from_1904:
        begins = datetime(1904, 1, 1)
    elif serial >= 61:
        begins = datetime(1899, 12, 30)
    else:
        begins = datetime(1899, 12, 31)
    if serial < 0 or (not from_1904 and 60 <= serial < 61) or serial >= 2_958_466:
        return None
    return begins + timedelta(seconds=round(serial * 86_400))


def shown_moment(moment, code):
    """A day and time as the format shows it; the pieces that are not known here are left out."""
    era = next((era for era in _ERAS if moment.date() >= era[0]), (date(1, 1, 1), "", ""))
    year = moment.year - era[0].year + 1
    pieces, place, after_hours = [], 0, False
    for match in _SHOWN.finditer(code):
        pieces.append(code[place : match.start()])
        place, token = match.end(), (match[3] or "").lower()
        minutes = token in ("m", "mm") and (after_hours or re.match(r"[^a-z]*s", code[match.end() :], re.IGNORECASE))
        values = {
            "yyyy": moment.year,
            "y": moment.year,
            "yy": f"{moment.year % 100:02}",
            "ggg": era[2],
            "gg": era[2][:1],
            "g": era[1],
            "e": year,
            "ee": f"{year:02}",
            "m": moment.minute if minutes else moment.month,
            "mm": f"{moment.minute if minutes else moment.month:02}",
            "mmm": MONTHS[moment.month - 1],
            "mmmm": MONTHS[moment.month - 1],
            "d": moment.day,
            "dd": f"{moment.day:02}",
            "h": moment.hour,
            "hh": f"{moment.hour:02}",
            "s": moment.second,
            "ss": f"{moment.second:02}",
        }
        pieces.append(match[1] or match[2] or str(values.get(token, "")))
        after_hours = token in ("h", "hh") if token else after_hours
    return ("".join(pieces) + code[place:]).strip()


def number_text(text):
    """A number of the file as people read it: whole numbers without a point, and 15 digits, as Excel keeps them."""
    if text.isdigit() and len(text) < 16:
        return str(int(text))
    value = float(text)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return format(value, ".15g")


_SECTION = re.compile(r'((?:"[^"]*"|\\.|[^;])*)(?:;|$)')
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]")
_HOLDS = {"<": lt, ">": gt, "=": eq, "<=": le, ">=": ge, "<>": ne}
_PIECE = re.compile(
    r'"([^"]*)"|\\(.)|\[[^\]]*\]|_.|\*.|(General|標準|@)|((?:[#0?][#0?,]*)?(?:\.[0#?]+)?,*(?<=[#0?.,]))|(.)',
    re.IGNORECASE,
)
HIDDEN = " "  # shown of a number that its format hides


def shown_number(value, code):
    """A number as its format shows it: digits, thousands, per cents and literal text; HIDDEN where it shows nothing, ""
    for formats that are not known here.
    """
    section, signed = _section_for(value, code)
    pieces, digits, times = [], 0, 100 if "%" in _LITERAL.sub("", section) else 1
    for match in _PIECE.finditer(section):
        quoted, escaped, general, mask, other = match.groups()
        if mask or general:
            digits += 1
            pieces.append(_masked(value * times, mask) if mask else format(value, ".10g"))
        elif other and (other.isalpha() or other == "/"):
            return ""  # scientific notation, fractions
        else:
            pieces.append(quoted or escaped or other or "")
    if digits > 1:
        return ""
    text = "".join(pieces).strip()
    return (f"-{text}" if value < 0 and not signed and digits else text) or HIDDEN


def _sections(code):
    """The sections of a format: of positive numbers, negative ones, zero, texts, as far as it has them."""
    return [match[1] for match in _SECTION.finditer(code)][: len(re.sub(r'"[^"]*"|\\.|[^;]', "", code)) + 1]


def shown_text(text, section):
    """A text as the section of its format shows it; HIDDEN where it shows nothing."""
    pieces = [
        text if general else quoted or escaped or other or ""
        for quoted, escaped, general, mask, other in (match.groups() for match in _PIECE.finditer(section))
    ]
    return "".join(pieces).strip() or HIDDEN


def _section_for(value, code):
    """(the section of a format that shows a value, whether it says the sign itself)."""
    sections = _sections(code)
    for section in sections[:2]:
        if (condition := _CONDITION.search(section)) and _HOLDS[condition[1]](value, float(condition[2])):
            return section, False
    if any(_CONDITION.search(section) for section in sections):
        return next((section for section in sections if not _CONDITION.search(section)), "General"), False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    return sections[2 if value == 0 and len(sections) > 2 else 0], False


def _masked(value, mask):
    """The digits of a number as a mask such as #,##0.00 shows them, without its sign; commas behind are thousands."""
    bare = mask.rstrip(",")
    value = abs(value) / 1000 ** (len(mask) - len(bare))
    whole, _, decimals = bare.partition(".")
    text = format(value, f"{',' if ',' in whole else ''}.{len(decimals)}f")
    head, point, tail = text.partition(".")
    return head.rjust(whole.replace(",", "").count("0"), "0") + point + tail


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def _text(text):
    """A text of the file: Excel writes control characters as _x000D_, and no text of a person's holds our marks."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for strange in ("\0", MARK, SHOWN):
        if strange in text:
            text = text.replace(strange, "\ufffd")
    return text


# Shared strings


class _Strings:
    """The texts that cells name by number: rich text joined, without what is printed over the characters (rPh).

    looks  number of a text, as cells name it → what of LOOKS
    """

    def __init__(self, limits):
        self.limits, self.whole, self.pieces = limits, [], []
        self.is_text, self.over = False, 0
        self.runs, self.looks = _Runs(), {}

    def start(self, tag, attributes):
        if tag == "t":
            self.is_text = not self.over
        elif tag == "si":
            self.pieces.clear()
            self.runs.begin()
        elif tag == "rPh":
            self.over += 1
        else:
            self.runs.start(tag, attributes)

    def end(self, tag):
        if tag == "t":
            self.is_text = False
        elif tag == "rPh":
            self.over -= 1
        elif tag == "si":
            if look := self.runs.look:
                self.looks[str(len(self.whole))] = look
            self.take(_text("".join(self.pieces)))

    def take(self, text):
        if len(text) > self.limits.text:
            raise Refused("text", self.limits.text)
        self.whole.append(text)
        if len(self.whole) > self.limits.strings:
            raise Refused("strings", self.limits.strings)

    def text(self, characters):
        if self.is_text:
            self.pieces.append(self.runs.shown(characters))


def _strings(archive, part):
    strings = _Strings(archive.limits)
    if part and archive.has(part):
        _parse(archive, part, strings.start, strings.end, strings.text)
    return strings


# Sheets


_NAME = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


def column_number(letters):
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number):
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _on(text):
    return text in ("1", "true", "on")


def _is_below(text, least):
    """Whether a height or width is smaller than anybody sees."""
    try:
        return text is not None and float(text) < least
    except ValueError:
        return False


class _Reader:
    """One sheet's cells, as they come, to the rows of its CSV file."""

    def __init__(self, sheet, strings, formats, looks, from_1904, writer, totals, limits):
        self.sheet, self.strings, self.formats, self.from_1904 = sheet, strings.whole, formats, from_1904
        self.looks_of_styles, self.conditional, self.looks_of_texts = looks.by_style, looks.conditional, strings.looks
        self.has_looks = bool(self.looks_of_styles or self.looks_of_texts or any(of.texts != "@" for of in formats))
        self.looks, self.runs, self.ranges, self.hides_zeros = {}, _Runs(), [], False
        self.writer, self.totals, self.limits = writer, totals, limits
        self.row, self.column, self.cells, self.row_hidden = 0, 0, {}, False
        self.hidden_ranges, self.used, self.rows_hidden_by_default = [], set(), False
        self.numbers = {}  # (text, style) → the cell's text: values and formats repeat themselves
        self.places = {}  # letters → number of the column
        self.in_cell = self.in_value = self.in_formula = False
        self.over = 0
        self.kind = self.style = ""
        self.pieces, self.formula, self.has_formula = [], [], False

    def start(self, tag, attributes):
        if tag == "c":
            self._start_cell(attributes)
        elif tag in {"v", "t"}:
            self.in_value = self.in_cell and not self.over
        elif tag == "row":
            self._start_row(attributes)
        elif tag == "f":
            self.in_formula = self.has_formula = self.in_cell
        elif tag == "rPh":
            self.over += 1
        else:
            self._start_other(tag, attributes)

    def _start_other(self, tag, attributes):
        if self.in_cell:
            self.runs.start(tag, attributes)
        elif tag == "mergeCell":
            self.sheet.merged_count += 1
            if len(self.sheet.merged) < LISTED:
                self.sheet.merged.append(attributes.get("ref", "")[:30])
        elif tag == "col" and (_on(attributes.get("hidden")) or _is_below(attributes.get("width"), 0.3)):
            self.hidden_ranges.append((int(attributes.get("min", 0)), int(attributes.get("max", 0))))
        elif tag == "sheetFormatPr":
            self.rows_hidden_by_default = _on(attributes.get("zeroHeight"))
        elif tag == "sheetView" and not _on(attributes.get("showZeros", "1")):
            self.hides_zeros = self.has_looks = True
        elif tag == "conditionalFormatting":
            self.range = attributes.get("sqref", "")
        elif tag == "cfRule" and attributes.get("dxfId") in self.conditional:
            self.ranges.append(self.range)

    def _start_row(self, attributes):
        number = attributes.get("r")
        before, self.row = self.row, int(number) if number and number.isdigit() else self.row + 1
        if not before < self.row <= LAST_ROW:
            raise Refused("broken")
        hidden = attributes.get("hidden")
        self.row_hidden = (
            _on(hidden) or _is_below(attributes.get("ht"), 1) or (hidden is None and self.rows_hidden_by_default)
        )
        self.column, self.cells, self.looks = 0, {}, {}

    def _start_cell(self, attributes):
        place = attributes.get("r")
        if place is None:
            self.column += 1
        else:
            letters = place.rstrip("0123456789$")
            column = self.places.get(letters)
            if column is None:
                match = _NAME.fullmatch(place)
                if not match or column_number(match[1]) > LAST_COLUMN:
                    raise Refused("broken")
                column = self.places[letters] = column_number(match[1])
            self.column = column
        self.in_cell, self.kind, self.style = True, attributes.get("t", "n"), attributes.get("s", "0")
        self.pieces, self.formula, self.has_formula = [], [], False
        self.runs.begin()

    def text(self, characters):
        if self.in_value:
            self.pieces.append(self.runs.shown(characters) if self.kind == "inlineStr" else characters)
        elif self.in_formula:
            self.formula.append(characters)

    def end(self, tag):
        if tag in {"v", "t"}:
            self.in_value = False
        elif tag == "c":
            self._end_cell()
        elif tag == "row":
            self._end_row()
        elif tag == "f":
            self.in_formula = False
        elif tag == "rPh":
            self.over -= 1

    def _end_cell(self):
        self.in_cell = False
        raw = self.pieces[0] if len(self.pieces) == 1 else "".join(self.pieces)
        if not raw and not self.has_formula:
            return
        text = self._value(raw)
        if self.has_formula:
            text = self._computed(text, raw)
        if not text:
            return
        if len(text) > self.limits.text:
            raise Refused("text", self.limits.text)
        if self.column in self.cells:  # two values of one cell: which would be shown, nobody knows
            raise Refused("broken")
        self.cells[self.column] = text
        if (self.has_looks or self.runs.struck) and (look := self._look(raw, text)):
            self.looks.setdefault(look, []).append(self.column)
        self.totals["cells"] += 1
        if self.totals["cells"] > self.limits.cells:
            raise Refused("cells", self.limits.cells)

    def _look(self, raw, text):
        """(what of LOOKS a cell is, what the sheet shows), None for one that is plainly read."""
        if look := self.looks_of_styles.get(self.style) or self.runs.look:
            return look, ""
        if self.kind == "s" and (look := self.looks_of_texts.get(raw)):
            return look, ""
        if text[0] != MARK or text[1] == "S":
            return self._look_of_text(text.removeprefix(f"{MARK}S"))
        return ("zero", "") if self.hides_zeros and text[1] in "nN" and text[2:].partition(SHOWN)[0] == "0" else None

    def _shape(self):
        style = int(self.style) if self.style.isdigit() else 0
        return self.formats[style] if style < len(self.formats) else _Format()

    def _look_of_text(self, text):
        section = self._shape().texts
        if section == "@" or not (plain := text.strip()):
            return None
        shown = shown_text(text, section)
        return None if shown == plain else ("unseen", "") if shown == HIDDEN else ("otherwise", shown[:80])

    def _value(self, raw):
        kind = self.kind
        if not raw:
            return ""
        if kind == "s":
            try:
                return self.strings[int(raw)]
            except (ValueError, IndexError):
                raise Refused("broken") from None
        if kind in {"n", ""}:
            known = self.numbers.get((raw, self.style))
            if known is None:
                known = self.numbers[raw, self.style] = self._number(raw)
                if len(self.numbers) > 200_000:
                    self.numbers.clear()
            return known
        if kind == "b":
            return marked("b", "TRUE" if _on(raw.strip()) else "FALSE")
        if kind == "e":
            self.sheet.errors += 1
            return marked("e", _text(raw))
        if kind == "d":
            return self._iso(raw)
        return _text(raw)  # inlineStr, str

    def _number(self, raw):
        shape = self._shape()
        try:
            text = number_text(raw.strip())
        except (ValueError, OverflowError):
            raise Refused("broken") from None
        if shape.kind in "np":
            return marked(shape.kind, text, shown_number(float(raw), shape.code) if shape.code else "")
        serial = float(raw)
        if shape.kind == "t" and (serial < 1 or "[" in shape.code):
            seconds = round(serial * 86_400)
            clock = f"{seconds // 3600}:{seconds % 3600 // 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
            return marked("t", clock)
        moment = moment_of(serial, self.from_1904)
        if moment is None:  # the sheet shows ###### for these
            return marked("n", text, "######")
        shown = shown_moment(moment, shape.code)
        day = moment.date().isoformat()
        if moment.hour or moment.minute or moment.second:
            return marked("d", moment.isoformat(sep=" ", timespec="seconds" if moment.second else "minutes"), shown)
        return marked("d", day, shown)

    def _iso(self, raw):
        try:
            moment = datetime.fromisoformat(raw.strip())
        except ValueError:
            return _text(raw)
        bare = moment.time() == moment.min.time()
        return marked("d", moment.date().isoformat() if bare else moment.isoformat(sep=" ", timespec="minutes"))

    def _computed(self, text, raw):
        self.sheet.formulas += 1
        if not raw and self.kind != "str":  # a text that is empty is a value
            return marked("u", "=" + _text("".join(self.formula))[:200])
        if not text:
            return ""
        if text.startswith(MARK):
            return MARK + text[1].upper() + text[2:]
        return marked("S", text)

    def _end_row(self):
        if not self.cells:
            return
        self.sheet.rows += 1
        self.totals["rows"] += 1
        if self.totals["rows"] > self.limits.rows * 2:
            raise Refused("rows", self.limits.rows)
        self.used.update(self.cells)
        cells = [""] * (max(self.cells) + 1)
        cells[0] = str(self.row)
        for column, text in self.cells.items():
            cells[column] = text
        self.writer.writerow(cells)
        self.sheet.cells += len(self.cells)
        if self.row_hidden:
            self.sheet.hidden_rows_count += 1
            if len(self.sheet.hidden_rows) < LISTED:
                self.sheet.hidden_rows.append(self.row)
        for (look, shown), columns in self.looks.items():
            self.sheet.looks_count += 1
            if len(self.sheet.looks) < LISTED:
                is_whole = len(columns) == len(self.cells) > 1
                self.sheet.looks.append([self.row, look, [0] if is_whole else columns, shown])
        self.cells = {}

    def finish(self):
        self.sheet.hidden_columns = sorted(
            column for column in self.used if any(first <= column <= last for first, last in self.hidden_ranges)
        )[:LISTED]
        if self.ranges:
            named = ", ".join(dict.fromkeys(self.ranges))[:200]
            self.sheet.told.append(
                [
                    f"a conditional format strikes values out or hides them in some cells of {named}; all come in",
                    f"条件付き書式により{named}の一部の値に取り消し線が付くか表示されませんが、すべて取り込みます",
                ]
            )


class _Bounded:
    """A text stream that refuses to grow beyond what is left."""

    def __init__(self, stream, totals, limits):
        self.stream, self.totals, self.limits = stream, totals, limits

    def write(self, text):
        self.totals["written"] += len(text)
        if self.totals["written"] > self.limits.written:
            raise Refused("unpacked", self.limits.written // 1_000_000)
        self.stream.write(text)


def read(path, folder, limits=None):
    """The sheets of the workbook at `path`, as `Sheet`s; their rows in `folder`. Raises Refused."""
    limits = limits or Limits()
    archive = _Archive(path, limits)
    main = _main_part(archive)
    relations = _relations(archive, main)
    by_kind = dict(relations.values())
    listed, from_1904 = _listed(archive, main)
    if len(listed) > limits.sheets:
        raise Refused("sheets", limits.sheets)
    formats, looks = _formats(archive, by_kind.get("styles"))
    strings = _strings(archive, by_kind.get("sharedStrings"))
    totals, sheets = {"cells": 0, "rows": 0, "written": 0}, []
    for name, hidden, relation in listed:
        kind, part = relations.get(relation, ("", ""))
        if kind != "worksheet":  # a sheet of a chart, or a macro's
            continue
        if not archive.has(part):
            raise Refused("broken")
        sheet = Sheet(name, hidden, from_1904=from_1904)
        with (Path(folder) / f"sheet-{len(sheets)}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(_Bounded(stream, totals, limits), lineterminator="\n")
            reader = _Reader(sheet, strings, formats, looks, from_1904, writer, totals, limits)
            _parse(archive, part, reader.start, reader.end, reader.text)
            reader.finish()
        _tell_of_comments(sheet, _commented(archive, part))
        sheets.append(sheet)
    return sheets


def _commented(archive, part):
    """The cells of a sheet that somebody commented on, each once."""
    places = {}

    def start(tag, attributes):
        if tag in ("comment", "threadedComment"):
            places[attributes.get("ref", "")[:12]] = None

    for kind, name in _relations(archive, part).values():
        if kind in ("comments", "threadedComment") and archive.has(name):
            try:
                _parse(archive, name, start, lambda tag: None)
            except Refused as refusal:  # the sheet itself can be read
                if refusal.code == "unpacked":
                    raise
    return list(places)


def _tell_of_comments(sheet, places):
    if places:
        named = ", ".join(places[:5]) + (", …" if len(places) > 5 else "")
        sheet.told.append(
            [
                f"cells with a comment ({len(places)}), which is not imported: {named}",
                f"コメントのあるセル（{len(places)}件：{named}）のコメントは取り込みません",
            ]
        )


def _main_part(archive):
    if archive.has("content.xml") and archive.has("META-INF/manifest.xml"):
        raise Refused("opendocument")
    if any(name.endswith(".iwa") or name == "index.zip" for name in archive.names):
        raise Refused("numbers")
    main = next(
        (part for kind, part in _relations(archive, "").values() if kind == "officeDocument"), "xl/workbook.xml"
    )
    if main.endswith(".bin"):
        raise Refused("binary")
    if main.startswith(("word/", "ppt/")):
        raise Refused("document")
    if not archive.has(main) or not main.startswith("xl/"):
        raise Refused("broken" if archive.has("[Content_Types].xml") else "archive")
    return main


def _listed(archive, main):
    """([(name, hidden, relation), …], whether days are counted from 1904)."""
    sheets, from_1904 = [], []

    def start(tag, attributes):
        if tag == "sheet":
            known = _plain(attributes)
            sheets.append(
                (_text(known.get("name", ""))[:80], known.get("state", "visible") != "visible", known.get("id"))
            )
        elif tag == "workbookPr":
            from_1904.append(_on(attributes.get("date1904")))

    _parse(archive, main, start, lambda tag: None)
    return sheets, any(from_1904)


# The process


def _hold_to(limits):
    """Have the operating system stop this process beyond the limits, and with the one that began it."""
    for name, value in (("AS", limits.memory), ("CPU", limits.seconds), ("FSIZE", limits.written * 4), ("CORE", 0)):
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL: Linux alone has it
    except (AttributeError, OSError, ImportError):
        pass


def main(path, folder):
    limits = Limits()
    _hold_to(limits)
    try:
        answer = {"sheets": [asdict(sheet) for sheet in read(path, folder, limits)]}
    except Refused as refused:
        answer = {"refused": refused.code, "n": refused.n}
    except MemoryError:
        answer = {"refused": "memory", "n": limits.memory // 1_000_000}
    except RecursionError:
        answer = {"refused": "deep"}
    (Path(folder) / "sheets.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
