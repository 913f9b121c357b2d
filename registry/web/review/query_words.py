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

RULES = {check.name: check for check in (*checks.SOFT_CHECKS, *checks.of_visits(checks.SCHEDULE))}


def question(query):
    """The question in words: as it was asked, or as the rule's declaration says it."""
    return query.text or rule_in_words(query.rule)


def rule_in_words(code):
    rule = RULES.get(code) or next((check for check in own_checks(catalogue.current()) if check.name == code), None)
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
    people = {query.raised_by_id for query in queries}
    if threads:
        people |= {message.by_id for query in queries for message in query.messages.all()}
    names = names_of(people)
    return [
        Line(
            query,
            form_label(form_of(query), labels),
            item_label(query.field),
            question(query),
            form_url(query.patient_id, form_of(query)),
            _steps(query, names) if threads else [],
            names.get(query.raised_by_id, "") if query.rule is None else _("Rule"),
        )
        for query in queries
    ]


def _steps(query, names):
    return [
        Step(step.kind, step.get_kind_display(), names.get(step.by_id) or _("Rule"), step.at, step.text)
        for step in sorted(query.messages.all(), key=lambda message: message.pk)
    ]
