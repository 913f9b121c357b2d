"""Queries as pages say them: which form, which item, which question, in the reader's language."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from registry.instruments import catalogue, checks
from registry.models import Query, QueryState
from registry.services.review.queries import form_of
from registry.services.review.soft_checks import own_checks
from registry.web.shared import wording
from registry.web.shared.lookup import names_of
from registry.web.shared.record_words import form_label, form_url, item_label, visit_labels

RULES = {check.name: check for check in (*checks.SOFT_CHECKS, checks.outside_window(checks.SCHEDULE))}


def question(query):
    """The question in words: as it was asked, or as the rule's declaration says it."""
    return query.text or rule_in_words(query.rule)


def rule_in_words(code):
    rule = RULES.get(code) or next((one for one in own_checks(catalogue.current()) if one.name == code), None)
    return wording.sentence(rule.message) if rule else code or ""


@dataclass
class Step:
    """One message of a thread, to be read."""

    kind: str
    label: str
    who: str
    at: object
    text: str


@dataclass
class Line:
    """A query as lists and forms show it; `steps` where the thread is shown."""

    query: Query
    form: str
    item: str
    question: str
    url: str
    steps: list
    raised_by: str
    seen: str = ""  # the note for a step that is taken from where the query is shown
    answers: list = field(default_factory=list)  # what it is about, as stored now: (label, value in words)

    @property
    def last(self):
        return next((step for step in reversed(self.steps) if step.text), None)

    @property
    def is_open(self):
        return self.query.state == QueryState.OPEN


def lines(queries, *, threads=False, labels=None):
    """The `Line`s of some queries, with a constant number of statements. `threads` adds their messages."""
    queries = list(queries.prefetch_related("messages") if threads else queries)
    if not queries:
        return []
    labels = visit_labels() if labels is None else labels
    people = {one.raised_by_id for one in queries}
    if threads:
        people |= {message.by_id for one in queries for message in one.messages.all()}
    names = names_of(people)
    return [
        Line(
            one,
            form_label(form_of(one), labels),
            item_label(one.field),
            question(one),
            form_url(one.patient_id, form_of(one)),
            _steps(one, names) if threads else [],
            names.get(one.raised_by_id, "") if one.rule is None else _("Rule"),
        )
        for one in queries
    ]


def _steps(query, names):
    return [
        Step(one.kind, one.get_kind_display(), names.get(one.by_id) or _("Rule"), one.at, one.text)
        for one in sorted(query.messages.all(), key=lambda message: message.pk)
    ]
