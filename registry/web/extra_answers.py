"""What a patient's page says of the extras: scores with their inputs, and the course of what the visits answer."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from registry.instruments import catalogue, cobb, extras, kps
from registry.services import extras as service
from registry.services.schedule import BASELINE
from registry.web import wording

AFTER_SURGERY = "1w"  # a visit that a registry may plan: what the correction of a deformity counts from
AGE = "age_at_surgery"


@dataclass(frozen=True)
class Part:
    """One term of a score: what it is, what was answered, its points or nothing."""

    label: str
    answers: str
    points: str


@dataclass(frozen=True)
class Shown:
    """One score: its value with what it means, or what it waits for."""

    score: object
    value: int | None
    meaning: str
    missing: str
    parts: list

    @property
    def title(self):
        return wording.words(self.score.title)

    @property
    def any_part(self):
        return any(part.points != wording.NOTHING for part in self.parts)

    @property
    def provisional(self):
        return wording.sentence(self.score.provisional) if self.score.provisional else ""


def of(patient, course):
    """The scores that are switched on, and what the visits answer by instrument. `course`: visits in order."""
    before = next((visit.assessment for visit in course if visit.code == BASELINE), None)
    return {
        "scores": [_shown(score, patient, before) for score in extras.scores(service.switched_on())],
        "groups": list(_groups([visit.assessment for visit in course])),
    }


def _shown(score, patient, before):
    answers = {
        name: getattr(before if name in catalogue.ASSESSMENT_COLUMNS else patient, name, None) for name in score.inputs
    }
    value = score.compute(answers)
    return Shown(
        score,
        value,
        wording.words(score.band(value)) if score.band(value) else "",
        wording.listed(_label(name) for name in score.missing(answers)),
        [_part(term, answers) for term in score.terms],
    )


def _part(term, answers):
    points = term.compute(answers)
    told = [_answer(name, answers[name]) for name in term.inputs if answers[name] is not None]
    return Part(wording.words(term.label), "; ".join(told), wording.NOTHING if points is None else str(points))


def _label(name):
    if name == AGE:
        return _("Age at surgery")
    try:
        return wording.words(catalogue.item(name).label)
    except KeyError:
        return wording.words(catalogue.derived(name).label)


def _answer(name, value):
    try:
        item = catalogue.item(name)
    except KeyError:
        return str(value)
    if item.choices:
        return wording.words(item.choice(value).label)
    return f"{wording.words(item.label)} {wording.shown(item, value)}"


# The course


def _groups(assessments):
    """(title, rows) of each extra that any visit answers; rows are (label, cell of each visit), the title of one empty.

    Beside KPS stands what is published for it, beside the angle its correction.
    """
    for instrument in catalogue.ASSESSMENT_EXTRAS:
        rows = []
        for item in instrument.items:
            cells = [_cell(item, one) for one in assessments]
            if any(cells):
                rows += [(wording.words(item.label), cells), *_beside(item.name, assessments)]
        if rows:
            yield wording.words(instrument.title) if len(instrument.items) > 1 else "", rows


def _cell(item, assessment):
    if assessment is None:
        return ""
    value = getattr(assessment, item.name)
    if value is None:
        return wording.reason(assessment.missing[item.name]) if item.name in assessment.missing else ""
    return wording.shown(item, value)


def _beside(name, assessments):
    """Rows that are computed from the one of item `name`."""
    if name == "kps":
        told = _("ECOG published for this KPS, not recorded: %(source)s")
        for mapping in kps.MAPPINGS:
            grades = [mapping.ecog(one.kps) if one else None for one in assessments]
            yield told % {"source": mapping.name}, ["" if one is None else str(one) for one in grades]
    elif name == "cobb_deg":
        by_code = {one.timepoint_id: one for one in assessments if one}
        after = by_code.get(AFTER_SURGERY)
        if after is not None and after.cobb_deg is not None:
            taken = cobb.correction(_like(by_code.get(BASELINE), after), after.cobb_deg)
            yield _("Correction"), [_degrees(taken) if one is after else "" for one in assessments]
            later = [
                cobb.loss_of_correction(after.cobb_deg, _like(one, after))
                if one and one.assessment_date > after.assessment_date
                else None
                for one in assessments
            ]
            yield _("Loss of correction"), [_degrees(one) for one in later]


def _like(one, other):
    """The angle of an assessment, if the posture is known and the other's: angles of two postures are not compared."""
    same = one is not None and one.cobb_posture is not None and one.cobb_posture == other.cobb_posture
    return one.cobb_deg if same else None


def _degrees(value):
    return "" if value is None else f"{value:+} deg".replace("-", wording.MINUS)
