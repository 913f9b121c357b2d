"""Forms from the instruments: what a page shows for an item, and what it sends back.

An item's rule stays in `Item.clean`, which the services call; here an item only becomes something to click or type in.
"""

from dataclasses import dataclass, field
from datetime import date, time
from functools import lru_cache

from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.timezone import localdate
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from registry.instruments import catalogue, levels
from registry.instruments.base import MISSING_LABELS, Bands, Digits, Instrument, InvalidValue, Item, Total
from registry.instruments.keys import ASSESSMENT_DATE
from registry.instruments.value_sets import ValueSet
from registry.protocol.definitions import Calculated
from registry.protocol.expressions import items_in
from registry.web.shared.drawing import spine
from registry.web.shared.lookup import number_in
from registry.web.shared.wording import calculated, says_code, shown, unit, utility, words

MOST_ROWS = 10  # more choices than this are a list to pick from
WIDE_TEXT = 200


def widget_of(item):
    """The name of the template that shows an item (templates/registry/widgets/)."""
    if item.kind in ("levels", "partial_date", "time"):
        return item.kind
    if item.kind == "codes":
        return "checks"
    if item.choices:
        return "rows" if len(item.choices) <= MOST_ROWS else "select"
    if item.low_anchor:
        return "line" if item.unit == "mm" else "thermometer"
    if item.kind == "text":
        return "textarea" if item.max_length > WIDE_TEXT else "text"
    return {"integer": "number", "decimal": "number", "date": "date"}[item.kind]


def typed(value):
    """A stored value as a form field holds it: text, or a list for a set of levels."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    return value.isoformat() if isinstance(value, date) else str(value)


@dataclass(frozen=True)
class Option:
    """One choice on the page. `key` is what picks it when typed while the group has the focus."""

    code: str
    label: str
    meaning: str
    key: str
    checked: bool
    previous: bool


@dataclass
class Question:
    """One item on a page: what is in the field, the reason for a missing value, and what is wrong with them.

    doubts     soft checks that it meets, for which the page asks whether they are right
    queries    unsettled queries about it; ask_url leads to where one is raised
    compared   its comparison with the source: {"by", "at", "changed_at"}, or None
    """

    item: Item
    value: str | list = ""
    reason: str = ""
    errors: list[str] = field(default_factory=list)
    previous: str | list = ""
    doubts: list = field(default_factory=list)
    queries: list = field(default_factory=list)
    ask_url: str = ""
    compared: dict | None = None

    @property
    def name(self):
        return self.item.name

    @property
    def widget(self):
        return widget_of(self.item)

    @property
    def template(self):
        return f"shared/widgets/{self.widget}.html"

    @property
    def is_group(self):
        return widget_of(self.item) in ("rows", "levels", "checks")

    @property
    def in_columns(self):
        return len(self.item.choices) > 6 and not self.says_code

    @property
    def answered(self):
        return bool(self.value) or bool(self.reason)

    @property
    def says_code(self):
        return says_code(self.item)

    @property
    def date_type(self):
        """A date field cannot hold what is no date, and what was typed is to be kept."""
        try:
            date.fromisoformat(self.value or "2000-01-01")
        except ValueError:
            return "text"
        return "date"

    @property
    def options(self):
        choices = [
            c for c in self.item.choices if c in self.item.form_choices or str(c.code) in (self.value, *self.value)
        ]
        codes = [str(choice.code) for choice in choices]
        keys = codes if self.says_code else [str(n) for n in range(1, len(codes) + 1)]
        return [
            Option(
                code=code,
                label=capfirst(words(choice.label)),
                meaning=capfirst(words(choice.meaning)) if choice.meaning else "",
                key=key,
                checked=code in self.value if isinstance(self.value, list) else code == self.value,
                previous=code in self.previous if isinstance(self.previous, list) else code == self.previous,
            )
            for choice, code, key in zip(choices, codes, keys, strict=True)
        ]

    @property
    def regions(self):
        """The drawn spine by region, for the widget of `levels`: (name, [(vertebra, whether it is chosen)])."""
        names = {"C": _("Cervical"), "T": _("Thoracic"), "L": _("Lumbar"), "S": _("Sacrum")}
        return [
            (names[letter], [(level, level.level in self.value) for level in drawn])
            for letter, drawn in spine.vertebrae().items()
        ]

    @property
    def segment(self):
        """What the ticked levels mean, for the widget of `levels`."""
        return segment_of(_cleaned(self.item, self.value))

    @property
    def ticks(self):
        """Marks of a vertical scale, drawn from 1020 (minimum) up to 20 (maximum); every tenth says its value."""
        low, high = self.item.minimum, self.item.maximum
        for value in range(low, high + 1, 2):
            y = round(1020 - 1000 * (value - low) / (high - low))
            yield {
                "y": y,
                "text_y": y + 9,
                "from": 78 if value % 10 == 0 else 88,
                "words": value if value % 10 == 0 else "",
            }

    @property
    def reason_options(self):
        return reason_options(get_language(), self.reason)

    @property
    def html(self):
        """The widget as HTML: what is clicked or typed in."""
        if self.errors or self.item.kind not in ("integer", "code"):
            return get_template(self.template).render({"question": self})
        return _widget_html(get_language(), self.item, self.value, self.previous)

    @property
    def asks_reason(self):
        return (self.item.required or bool(self.item.required_if)) and self.item.name != ASSESSMENT_DATE.name

    @property
    def previous_words(self):
        return shown(self.item, self.item.clean(self.previous)) if self.previous else ""


@dataclass
class Section:
    """One instrument on a page: a card, and a line in the list beside it. `value_set` values its health state."""

    instrument: Instrument
    questions: list[Question]
    value_set: ValueSet | None = None
    known: dict = field(default_factory=dict)  # answers of other forms that its calculations need

    @property
    def counted(self):
        return [question for question in self.questions if question.item.required]

    @property
    def answered(self):
        return sum(question.answered for question in self.counted)

    @property
    def has_errors(self):
        return any(question.errors for question in self.questions)

    @property
    def derived(self):
        """The derived values of what is in the fields: label and text."""
        answers = {
            **self.known,
            **{question.name: _cleaned(question.item, question.value) for question in self.questions},
        }
        return [
            {"label": words(derived.label), "text": _derived_text(derived, answers, self.value_set)}
            for derived in self.instrument.derived
        ]

    @property
    def worked_out(self):
        """Everything that follows from what is in the fields: the derived values, and the segment group of levels."""
        lines, none = self.derived, _("No level chosen yet.")
        for question in self.questions:
            if question.widget == "levels":
                group = words(question.segment["group"]) if question.segment["chosen"] else none
                lines.append({"label": _("Segment group"), "text": group})
        return lines

    @property
    def is_single(self):
        """Whether the card's title already says what the one question is."""
        return len(self.questions) == 1

    @property
    def names_owner(self):
        """Whether the instrument belongs to someone who is to be named with it."""
        return "©" in self.instrument.licence

    @property
    def reason_options(self):
        return reason_options(get_language(), "")

    @property
    def offers_not_done(self):
        return len(self.counted) > 2


# A form has some 150 options, and a template takes longer to write them out than everything else on the page together.
# What they are is decided by the item and the answer; typed text and dates, which may identify, are not kept.


@lru_cache(maxsize=4096)
def _widget_html(language, item, value, previous):
    question = Question(item, value=value, previous=previous)
    return get_template(question.template).render({"question": question})


@lru_cache(maxsize=64)
def reason_options(language, chosen):
    """The options of a list of reasons for a missing value, as HTML."""
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        (
            (code, mark_safe(" selected") if code == chosen else "", words(label))
            for code, label in MISSING_LABELS.items()
        ),
    )


def _cleaned(item, value):
    try:
        return item.clean(value)
    except InvalidValue:
        return None


def segment_of(chosen):
    """The segment group of some levels (in order, or None), and why, for registry/segment_group.html."""
    code = levels.DEFAULT_RULE.group(chosen)
    return {
        "chosen": chosen,
        "levels": levels.in_runs(chosen or ()),
        "group": next(group.label for group in levels.SEGMENT_GROUPS if group.code == code),
        "reason": levels.DEFAULT_RULE.reason(chosen),
        "rule": levels.DEFAULT_RULE.in_words,
    }


# The page's script says the same with its own counts: these are the only spellings of them.
def _left(number):
    return ngettext("%(n)s item left", "%(n)s items left", number) % {"n": number}


def _of(value, maximum):
    return _("%(value)s of %(maximum)s") % {"value": value, "maximum": maximum}


def _derived_text(derived, answers, value_set):
    value = derived.compute(answers)
    if isinstance(derived, Calculated):
        return calculated(derived, value)
    if value is None:
        return _left(sum(answers[name] is None for name in derived.items))
    if isinstance(derived, Bands):
        return words(next(choice.label for choice in derived.choices if choice.code == value))
    if isinstance(derived, Digits) and value_set:
        return f"{value} · HSUV {utility(value_set.hsuv(value))} ({words(value_set.label)})"
    return _of(value, derived.maximum)


def sections(instruments, values, missing, errors=None, previous=None, without=(), value_set=None, known=None):
    """The `Section`s of some instruments.

    values, missing, previous  item name to what the field holds (`typed`), to reason code, to the earlier answer
    errors                     item name to a list of sentences
    """
    errors, previous = errors or {}, previous or {}
    return [
        Section(
            instrument,
            [
                question(item, values, missing, errors, previous)
                for item in instrument.items
                if item.name not in without
            ],
            value_set,
            known or {},
        )
        for instrument in instruments
    ]


def question(item, values, missing, errors=None, previous=None):
    return Question(
        item,
        value=values.get(item.name, ""),
        reason=missing.get(item.name, ""),
        errors=(errors or {}).get(item.name, []),
        previous=(previous or {}).get(item.name, ""),
    )


def submitted(post, instruments, leading=(), without=()):
    """What was sent: raw values and reasons by item name.

    A reason for a whole instrument (`<code>_not_done`) stands for each of its items that has neither.
    """
    raw, missing = {}, {}
    for item in leading:
        raw[item.name] = post.get(item.name, "").strip()
    for instrument in instruments:
        everything = post.get(f"{instrument.code}_not_done", "")
        for item in instrument.items:
            if item.name in without:
                continue
            several = item.takes_several
            value = post.getlist(item.name) if several else post.get(item.name, "").strip()
            reason = post.get(f"{item.name}_missing", "")
            raw[item.name] = value
            if reason or (everything and not value and item.required):
                missing[item.name] = reason or everything
    return raw, missing


def version_in(post, name="version"):
    """The version of a record that a page sent; None where it sent none, or what can be none."""
    return number_in(post.get(name), 10)


def _conditions(instruments, known, conditions=None):
    """What decides in the browser what is asked: trees by item, and answers of the patient that they need."""
    shown_here = {item.name for item in catalogue.items(instruments)}
    conditions = catalogue.current().conditions if conditions is None else conditions
    trees = {name: some for name, some in conditions.items() if name in shown_here}
    needed = {name for some in trees.values() for tree in some.values() for name in items_in(tree)}
    needed |= {name for instrument in instruments for derived in instrument.derived for name in derived.items}
    elsewhere = {name: typed(known[name]) for name in needed - shown_here if known.get(name) is not None}
    return {"conditions": trees, "known": elsewhere, "today": localdate().isoformat()} if trees or elsewhere else {}


def live(instruments, value_set, known=None, conditions=None):
    """What the page's script needs to keep derived values alive: their declarations and words, as plain data."""
    kinds = {Total: "total", Digits: "digits", Bands: "bands", Calculated: "calculated"}
    calculations = []
    for instrument in instruments:
        for derived in instrument.derived:
            calculation = {
                "section": instrument.code,
                "label": words(derived.label),
                "kind": kinds[type(derived)],
                "items": list(derived.items),
                "maximum": derived.maximum,
            }
            if isinstance(derived, Bands):
                calculation["bands"] = [[upper, words(choice.label)] for upper, choice in derived.bands]
            if isinstance(derived, Calculated):
                calculation |= {
                    "tree": derived.tree,
                    "of": derived.kind,
                    "places": derived.places,
                    "unit": unit(derived.unit),
                }
            calculations.append(calculation)
    return {
        "derived": calculations,
        **_conditions(instruments, known or {}, conditions),
        "values": reverse("value_set", args=[value_set.code, value_set.version]),
        "country": words(value_set.label),
        "words": {
            "left": [
                _left(number)
                for number in range(1 + max((len(calculation["items"]) for calculation in calculations), default=0))
            ],
            "of": _of("{value}", "{maximum}"),
            "range": _("Must be a whole number from {min} to {max} {unit}."),
            "decimal": _("Must be a number from {min} to {max} {unit}, decimal digits at most {places}."),
            "least": _("Must be a whole number of at least {min} {unit}."),
            "unsaved": _("Not saved yet"),
            "clear": _("Clear"),
            "yes": _("Yes"),
            "no": _("No"),
        },
    }
