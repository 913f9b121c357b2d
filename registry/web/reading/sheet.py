"""A patient's sheet: everything that a signature would cover, on one page, in the order of what matters.

First the course (each measure from visit to visit) and the adverse events, then each form by instrument. What somebody
asks about (a query that is not closed) and what hardly goes together (a soft check) stands marked beside the answer.
"""

from dataclasses import dataclass
from types import SimpleNamespace

from registry.instruments import catalogue
from registry.models import QueryForm
from registry.services.review.queries import form_of
from registry.services.review.soft_checks import expanded, findings_of
from registry.web.reading import timeline
from registry.web.shared import seen_words, wording
from registry.web.shared.record_words import form_label, form_url


@dataclass(frozen=True)
class Answer:
    """One answer: its label and value in words, the questions asked about it, and what is unlikely in it."""

    label: str
    value: str
    queries: tuple = ()
    doubts: tuple = ()

    @property
    def is_marked(self):
        return bool(self.queries or self.doubts)


@dataclass(frozen=True)
class Part:
    """A form: its name, state and address, its answers by instrument as (title, answers), and the marked ones."""

    code: str
    label: str
    state: str
    url: str
    groups: list
    queries: tuple = ()

    @property
    def marked(self):
        return [answer for _title, answers in self.groups for answer in answers if answer.is_marked]


@dataclass(frozen=True)
class Sheet:
    """What is read of a patient: `course` (see `timeline.of`, None without a visit) with its `visits`, and `parts`."""

    patient_id: str
    visits: list
    course: dict | None
    parts: list[Part]

    @property
    def marks(self):
        """How many answers carry a query or a doubt."""
        return sum(len(part.marked) for part in self.parts)


def of(patient, forms, queries, labels):
    """The `Sheet` of some of a patient's FormRows.

    queries  `query_words.Line`s of the queries that are not closed
    labels   timepoint's code to what it is called
    """
    doubts = _doubts(patient)
    parts = [_part(patient, form, queries, doubts, labels) for form in forms]
    visits = [
        SimpleNamespace(code=form.form.timepoint, label=form_label(form.form, labels), assessment=form.row)
        for form in forms
        if form.form.kind == QueryForm.ASSESSMENT
    ]
    return Sheet(patient.pk, visits, timeline.of(patient, visits), sorted(parts, key=lambda part: not part.marked))


def _doubts(patient):
    """(form's code, item) to the words of each soft check that the stored answers meet."""
    cells = {}
    for finding in findings_of(patient, None):
        for name in expanded(finding.check.items):
            cells.setdefault((finding.form.code, name), []).append(wording.sentence(finding.check.message))
    return cells


def _part(patient, form, queries, doubts, labels):
    asked = [line for line in queries if form_of(line.query) == form.form]
    groups = {}
    for name, (label, value) in zip(form.columns, seen_words.answers(form, form.columns), strict=True):
        title = _instrument(name)
        answer = Answer(
            wording.words(catalogue.part(name).label) if title else label,
            value,
            tuple(line.question for line in asked if line.query.field == name),
            tuple(doubts.get((form.form.code, name), ())),
        )
        groups.setdefault(title, []).append(answer)
    return Part(
        form.form.code,
        form_label(form.form, labels),
        form.state if form.is_begun else "empty",
        form_url(patient.pk, form.form),
        list(groups.items()),
        tuple(line.question for line in asked if line.query.field not in form.columns),
    )


def _instrument(name):
    try:
        return wording.words(catalogue.instrument_of(name).title)
    except KeyError:
        return ""
