"""Stored values and declared labels as the reader's language says them."""

from datetime import date
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.analysis.presentation.words import UNITS
from registry.instruments import levels
from registry.instruments.base import MISSING_LABELS, InvalidValue
from registry.instruments.timepoints import SCHEDULE
from registry.services.records.cleaning import REQUIRED
from sites.moments import day_of

NOTHING = "–"
MINUS = "\N{MINUS SIGN}"


def in_japanese():
    return (get_language() or "").startswith("ja")


def words(label):
    """A declared `Label` in the language of the page; anything else as it is."""
    return label.in_language(get_language()) if hasattr(label, "in_language") else label


def day(value):
    """A date, or the day of a moment where the registry is, as the clinic writes it: 3 Mar 2026, 2026年3月3日; a dash
    for none.
    """
    return _day_in(get_language(), day_of(value)) if value else NOTHING


@lru_cache(maxsize=8192)
def _day_in(_language, value):
    """`day` of a date in the language of the page: a list says the same days again and again."""
    return date_format(value, "Y年n月j日" if in_japanese() else "j M Y")


def moment(value):
    """A moment in the time zone of the registry: the day with hours and minutes."""
    return f"{day(value)} {localtime(value):%H:%M}" if value else NOTHING


def said(item, reason, may_lack=True):
    """A reason as a sentence about `item`: those of `Item.clean` begin in the middle of one.

    may_lack  whether the page offers reasons for having no value
    """
    if reason == REQUIRED and not may_lack:
        return _("%(item)s is needed.") % {"item": words(item.label)}
    if not reason.en[:1].islower():
        return words(reason)
    return f"{item.label.ja}：{reason.ja}" if in_japanese() else f"{item.label.en} {reason.en}."


def all_said(errors, item_of):
    """Reasons by item name as sentences, on a page that offers no reasons for having no value.

    item_of  name to Item
    """
    return {
        name: [said(item_of(name), reason, may_lack=False) for reason in reasons] for name, reasons in errors.items()
    }


def sentence(label):
    """A declared message with the full stop that its language ends a sentence with."""
    text = words(label)
    return text if text[-1] in ".。" else f"{text}{'。' if in_japanese() else '.'}"


def says_code(item):
    """Whether an item's codes say something to the clinic: points and grades do, words of the database do not.

    Nor does a code that is its label: a vertebra.
    """
    return any(str(choice.code) != choice.label.en for choice in item.choices) and all(
        isinstance(code, int) or code[:1].isupper() or code[:1].isdigit() for code in item.codes
    )


class Worded:
    """`shown` for pages of many lines: what they have in common is worded once. finish: what is made of each text."""

    def __init__(self, finish=str):
        self.finish, self.known = finish, {}

    def __call__(self, item, value):
        key = item.name, value
        if key not in self.known:
            self.known[key] = self.finish(shown(item, value))
        return self.known[key]


def shown(item, value):
    """A stored value in words, as a table or a history prints it. A date may be text as JSON has it."""
    if value is None or value in ("", ()):
        return NOTHING
    if item.kind == "levels":
        return levels.in_runs(value)
    if item.kind == "date":
        return day(date.fromisoformat(value) if isinstance(value, str) else value)
    if item.kind == "codes":
        return listed(_coded(item, part) for part in (value.split(";") if isinstance(value, str) else value))
    if item.kind == "time":
        return value[:5] if isinstance(value, str) else value.strftime("%H:%M")
    if item.choices:
        return _coded(item, value)
    return f"{value} {unit(item.unit)}".strip()


def unit(text):
    """A unit of the declarations as it is read: min, 分. What an own item writes stays as it is."""
    return words(UNITS[text]) if text in UNITS else text or ""


def _coded(item, value):
    try:
        label = words(item.choice(value).label)
    except KeyError:
        return str(value)
    return f"{value} {label}" if says_code(item) else capfirst(label)


def calculated(derived, value):
    """A calculated value in words, with its unit; a dash where it cannot be worked out."""
    if value is None:
        return NOTHING
    if derived.kind == "boolean":
        return _("Yes") if value else _("No")
    if derived.kind == "date":
        return day(value)
    return f"{value} {unit(derived.unit)}".strip().replace("-", MINUS) if derived.kind == "number" else str(value)


def listed(texts):
    """Some words one after the other, as the language of the page lists them."""
    return ("、" if in_japanese() else ", ").join(texts)


_UNITS = {"d": ("d", "日"), "w": ("wk", "週"), "m": ("mo", "か月"), "y": ("yr", "年")}


def short_visit(code):
    """A visit's code as a narrow column's heading says it: Pre, 1 mo, 術前, 1か月; any other code as it is."""
    if code == SCHEDULE[0].code:
        return _("Pre")
    if code[-1:] not in _UNITS or not code[:-1].isdecimal():
        return code.upper()
    unit = _UNITS[code[-1]][in_japanese()]
    return f"{code[:-1]}{unit}" if in_japanese() else f"{code[:-1]} {unit}"


def utility(value):
    """A health state utility value as it is shown: three decimals, a true minus sign."""
    return f"{value:.3f}".replace("-", MINUS)


def reason(code):
    """Why there is no answer, in words; a dash for no reason."""
    return words(MISSING_LABELS[code]) if code in MISSING_LABELS else code or NOTHING


def segment(code):
    """What a segment group is called."""
    return words(next(group.label for group in levels.SEGMENT_GROUPS if group.code == code))


def segment_of(patient):
    """The segment group that counts for a patient, in words: the adjudicated one if there is one; a dash before."""
    if not (patient.lesion_levels or patient.segment_adjudicated):
        return NOTHING
    return segment(patient.segment_adjudicated or patient.segment_group)


def site_name(site):
    return site.name_ja if in_japanese() and site.name_ja else site.name


def meant(item, value):
    """The value that was meant by what is in a field, or the text itself where it means none."""
    try:
        return item.clean(value)
    except InvalidValue:
        return value


def answer(item, value, why):
    """An answer as a page shows it: its value, or why there is none (a code of MISSING_LABELS)."""
    return reason(why) if why else shown(item, meant(item, value))


def stored(item, row):
    """The answer to an item that is stored in a row with reasons for what is missing, as a page shows it."""
    return answer(item, getattr(row, item.name), row.missing.get(item.name))
