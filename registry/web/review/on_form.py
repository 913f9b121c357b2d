"""What a form's page shows of queries and verification: on top, and beside each field."""

from dataclasses import dataclass, field

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from registry.models import Query, State
from registry.services.review import queries, verification
from registry.services.review.forms import FormRow
from registry.services.review.queries import Said
from registry.services.review.soft_checks import expanded, findings_of
from registry.web.review.query_words import lines
from registry.web.review.signing import locked_by
from registry.web.review.verification import mark_in_words
from registry.web.shared import seen_words, wording
from registry.web.shared.lookup import names_of
from registry.web.shared.record_words import form_label, visit_labels
from sites.tenancy.access import Can

NOTE = 2000


@dataclass
class Doubt:
    """A soft check that the answers meet, to be mended or confirmed. `name` is the item of this page to look at."""

    key: str
    text: str
    name: str
    right: bool = False
    note: str = ""


@dataclass
class Review:
    """Queries and verification of one form, for its page."""

    queries: list = field(default_factory=list)
    may_ask: bool = False
    may_verify: bool = False
    verify_url: str = ""
    marks: dict = field(default_factory=dict)
    changed: list = field(default_factory=list)
    signature: object = None


def said_in(post):
    """What the person said about unlikely answers: `asked` and `right` are keys, `note:<key>` the words to one."""
    right = {key: post.get(f"note:{key}", "").strip()[:NOTE] for key in post.getlist("right")}
    return Said(asked=frozenset(post.getlist("asked")), right=right)


def doubts(findings, form, item_names, said=None):
    """`Doubt`s for findings, each beside an item of the page; those of another form say which."""
    labels = visit_labels()
    unlikely = []
    for finding in findings:
        text = wording.sentence(finding.check.message)
        if finding.form != form:
            text = f"{form_label(finding.form, labels)}: {text}"
        own = [name for name in expanded(finding.check.items) if name in item_names]
        right = said.right if said else {}
        name = own[-1] if own else next(iter(item_names))
        unlikely.append(Doubt(finding.key, text, name, finding.key in right, right.get(finding.key, "")))
    return unlikely


def draft_doubts(patient, form, row, item_names):
    """What a draft would be asked about when it is completed."""
    own = None if row is patient else [row]
    return doubts([finding for finding in findings_of(patient, own) if finding.form == form], form, item_names)


def review(request, patient, form, row, state):
    """The `Review` of a stored form, for the person who looks at it."""
    access = request.access
    shown = Review(
        may_ask=access.may(Can.QUERY, patient.site_id),
        may_verify=access.may(Can.VERIFY, patient.site_id) and row is not None and state not in ("empty", State.DRAFT),
        verify_url=reverse("verify_form", args=[patient.pk, form.code]),
    )
    if access.may(Can.ENTER, patient.site_id) or shown.may_ask:
        about = Query.objects.unsettled().filter(
            patient_id=patient.pk,
            site_id=patient.site_id,
            form=form.kind,
            timepoint_id=form.timepoint,
            event_id=form.event,
            own_record_id=form.record,
        )
        shown.queries = lines(about.order_by("pk"), threads=True)
        for line in shown.queries:
            line.seen = queries.note(line.query, patient, row)
            line.answers = seen_words.answers_about(line.query, patient, row)
    if row is not None and row.verified:
        form_row = FormRow(form, row)
        names = names_of({mark["by"] for mark in row.verified.values()})
        shown.marks = {
            name: mark_in_words(row.verified[name], names) for name in form_row.comparable if name in row.verified
        }
        shown.changed = verification.changed_since(row, form_row.comparable)
    if state == State.LOCKED:
        shown.signature = locked_by(patient, form.code)
    return shown


def attach(questions, review, patient, form, asked):
    """Put beside each question what is known about its item."""
    ask_url = f"{reverse('query_new', args=[patient.pk])}?form={form.code}&field=" if review.may_ask else ""
    for question in questions:
        question.queries = [line for line in review.queries if line.query.field == question.name]
        question.doubts = [doubt for doubt in asked if doubt.name == question.name]
        question.compared = review.marks.get(question.name)
        question.ask_url = ask_url + question.name if ask_url else ""


LEFT_OPEN = """SELECT EXISTS (SELECT FROM registry_query WHERE patient_id = %s AND form = %s
    AND timepoint_id IS NOT DISTINCT FROM %s AND event_id IS NOT DISTINCT FROM %s
    AND own_record_id IS NOT DISTINCT FROM %s
    AND state = 'open' AND rule IS NOT NULL)"""


def saved_note(patient, form):
    """A word about the queries that a save left behind, or nothing. Plain SQL: every save asks."""
    with connection.cursor() as cursor:
        cursor.execute(LEFT_OPEN, [patient.pk, form.kind, form.timepoint, form.event, form.record])
        return _("What hardly goes together is kept as a query.") if cursor.fetchone()[0] else ""
