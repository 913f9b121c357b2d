"""What changed since somebody opened a page that asks for a confirmation, in words: `seen.Difference`s as lines."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from registry.instruments import catalogue
from registry.models import QueryState
from registry.services.records import changes
from registry.services.review import queries
from registry.services.review.soft_checks import Form
from registry.services.seen import MISSING
from registry.web.shared import record_words, wording
from registry.web.shared.lookup import names_of

NOT_SHOWN = "–"


@dataclass
class Line:
    """One difference: where it is, what the page showed, what is stored now, and who changed it when (if known)."""

    where: str
    item: str
    was: str
    now: str
    who: str = ""
    at: datetime | None = None


def lines_of(differences, forms=()):
    """`Line`s of differences. `forms` are the FormRows as stored now, for who changed what in them."""
    labels = record_words.visit_labels()
    rows = {form.form.code: form.row for form in forms}
    wanted = {difference.part for difference in differences} & rows.keys()
    changed = {code: changes.since(rows[code], 0) for code in wanted}
    names = names_of({change.by for change_of in changed.values() for change in change_of.values()})
    lines = []
    for difference in differences:
        line = Line(_part(difference.part, labels), *_cells(difference))
        change = changed.get(difference.part, {}).get(difference.name)
        if change:
            line.who, line.at = names.get(change.by) or _("System"), change.at
        lines.append(line)
    return lines


def _part(code, labels):
    if code.startswith("query-"):
        return _("Query %(number)s") % {"number": code.removeprefix("query-")}
    form = Form.of(code, labels)
    return record_words.form_label(form, labels) if form else _WORDS.get(code, lambda: code)()


_WORDS = {"answers": lambda: _("Answers"), "form": lambda: _("Form"), "end": lambda: _("End of follow-up")}


def _cells(difference):
    """(item, was, now)"""
    if not difference.name:
        return "", _("was there") if difference.was else _("was not there"), _("there") if difference.now else _("gone")
    if difference.name == "state":
        states = dict(QueryState.choices)
        return _("State"), *(str(states.get(state, state or NOT_SHOWN)) for state in (difference.was, difference.now))
    if difference.name == "step":
        return _("Thread"), _("as shown"), _("another message")
    return answer_label(difference.name), *(
        in_words(difference.name, answer) for answer in (difference.was, difference.now)
    )


def answer_label(name):
    """What an answer or a derived value is called."""
    label = record_words.item_label(name)
    try:
        return wording.words(catalogue.derived(name).label) if label == name else label
    except KeyError:
        return label


def in_words(name, value):
    """A value of a note in words: as JSON has it, or {"missing": code}."""
    if isinstance(value, dict):
        return wording.reason(value[MISSING])
    try:
        item = catalogue.item(name)
    except KeyError:
        return NOT_SHOWN if value is None else str(value)
    return wording.answer(item, changes.typed(item, value), "")


def answers_about(query, patient, row):
    """(label, value in words) of what a query is about, as stored now; the arguments are those of `queries`' own."""
    return [
        (answer_label(name), in_words(name, value))
        for name, value in queries.answers_about(query, patient, row).items()
    ]


def answers(form_row, names):
    """(label, value in words) of some columns of a form, for a page on which somebody confirms them."""
    return list(zip(map(answer_label, names), values(form_row, names), strict=True))


def values(form_row, names, worded=wording.shown):
    """Values in words of some columns of a form, or why there is none. worded: a `wording.Worded`, for many forms."""
    row = form_row.row
    return [
        wording.reason(row.missing[name]) if name in row.missing else worded(catalogue.item(name), getattr(row, name))
        for name in names
    ]
