"""A patient's sheet: everything that a signature would cover, on one page, in the order of what matters.

First the course (each measure from visit to visit) and the adverse events, then each form by instrument. What somebody
asks about (a query that is not closed) and what hardly goes together (a soft check) stands marked beside the answer.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace

from django.utils.translation import get_language

from registry.instruments import catalogue
from registry.models import QueryForm
from registry.services.review.queries import form_of
from registry.services.review.soft_checks import expanded, findings_of
from registry.web.reading import timeline, written
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

    @cached_property
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

    @property
    def written_course(self):
        return written.course(self.course)

    @property
    def written_parts(self):
        return written.parts(self.parts)


def of(patient, forms, queries, labels):
    """The `Sheet` of some of a patient's FormRows.

    queries  `query_words.Line`s of the queries that are not closed
    labels   timepoint's code to what it is called
    """
    return of_each([(patient, forms, queries)], labels)[0]


def of_each(asked, labels):
    """The `Sheet`s of some patients, (patient, forms, queries) each as of `of`: one statement for all of them."""
    visits = [_visits(forms, labels) for _patient, forms, _queries in asked]
    assessments = [visit.assessment for of_patient in visits for visit in of_patient]
    stored = timeline.utilities_of(assessments, {patient.site.value_set for patient, _forms, _queries in asked})
    worded = wording.Worded()
    return [
        _sheet(patient, forms, queries, labels, of_patient, timeline.of(patient, of_patient, stored), worded)
        for (patient, forms, queries), of_patient in zip(asked, visits, strict=True)
    ]


def _visits(forms, labels):
    return [
        SimpleNamespace(code=form.form.timepoint, label=form_label(form.form, labels), assessment=form.row)
        for form in forms
        if form.form.kind == QueryForm.ASSESSMENT
    ]


def _sheet(patient, forms, queries, labels, visits, course, worded):
    doubts = _doubts(patient, [form.row for form in forms if form.row is not patient])
    parts = [_part(patient, form, queries, doubts, labels, worded) for form in forms]
    return Sheet(patient.pk, visits, course, sorted(parts, key=lambda part: not part.marked))


def _doubts(patient, records):
    """(form's code, item) to the words of each soft check that the stored answers meet, of the patient's own forms and
    of `records`.
    """
    cells = {}
    for finding in findings_of(patient, stored=records):
        for name in expanded(finding.check.items):
            cells.setdefault((finding.form.code, name), []).append(wording.sentence(finding.check.message))
    return cells


def _part(patient, form, queries, doubts, labels, worded):
    asked = [line for line in queries if form_of(line.query) == form.form]
    language, current, groups = get_language(), catalogue.current(), {}
    for name, value in zip(form.columns, seen_words.values(form, form.columns, worded), strict=True):
        title, label = _called(name, language, current)
        answer = Answer(
            label,
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


@lru_cache(4096)  # some hundred columns, in the languages that are read
def _called(name, _language, _current):
    """(the instrument's title, what the item is called below it); no title for an item of none."""
    try:
        return wording.words(catalogue.instrument_of(name).title), wording.words(catalogue.part(name).label)
    except KeyError:
        return "", seen_words.answer_label(name)
