"""What a patient's page says of the extras: scores with their inputs, and the course of what the visits answer."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from registry.instruments import catalogue, extras
from registry.instruments.extra import cobb, escc, kps
from registry.instruments.extra.prognosis import NO_YES
from registry.services.follow_up.schedule import BASELINE
from registry.services.records import extras as service
from registry.web.shared import wording

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


def of(patient, visits):
    """The scores that are switched on, and what visits answer to instruments that are. `visits`: in order."""
    before = next((visit.assessment for visit in visits if visit.code == BASELINE), None)
    on = service.switched_on()
    return {
        "scores": [_shown(score, patient, before) for score in extras.scores(on)],
        "groups": list(course(extras.shown("assessment", on), [visit.assessment for visit in visits])),
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
    lines = [_answer(name, answers[name]) for name in term.used(answers) if answers[name] is not None]
    return Part(wording.words(term.label), "; ".join(lines), wording.NOTHING if points is None else str(points))


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
    if name in catalogue.ASSESSMENT_COLUMNS:
        return wording.shown(item, value)  # the ECOG grade says more than its words
    if item.choices:
        return wording.words(item.choice(value).label)
    return f"{wording.words(item.label)} {wording.shown(item, value)}"


# The course


def course(instruments, assessments):
    """(title, rows) of each extra that any visit answers; rows are (label, cell of each visit), the title of one empty.

    Beside KPS stands what is published for it, beside ESCC what it means, beside the angle its correction.
    """
    for instrument in instruments:
        rows = []
        for item in instrument.items:
            cells = [_cell(item, assessment) for assessment in assessments]
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
    beside = _BESIDE.get(name)
    return beside(assessments) if beside else ()


def _published_grades(assessments):
    source = _("ECOG published for this KPS, not recorded: %(source)s")
    for mapping in kps.MAPPINGS:
        grades = [mapping.grades(assessment.kps) if assessment else () for assessment in assessments]
        yield source % {"source": mapping.name}, ["–".join(map(str, grade)) for grade in grades]


def _compression(assessments):
    high = [escc.is_high(assessment.escc) if assessment else None for assessment in assessments]
    compressed = ["" if value is None else wording.words(NO_YES[value].label) for value in high]
    yield wording.words(escc.COMPRESSION), compressed


def _corrections(assessments):
    """The correction of the angle and its loss, from the visit after surgery on; none without that visit's angle."""
    by_code = {assessment.timepoint_id: assessment for assessment in assessments if assessment}
    after = by_code.get(cobb.AFTER_SURGERY)
    if after is None or after.cobb_deg is None:
        return
    angles = {"before": _angle(by_code.get(BASELINE)), "after": _angle(after)}
    taken = _difference(cobb.CORRECTION, angles)
    lost = [
        _difference(cobb.LOSS, angles | {"later": _angle(assessment)})
        if assessment and assessment.assessment_date > after.assessment_date
        else ""
        for assessment in assessments
    ]
    yield wording.words(cobb.CORRECTION.label), [taken if assessment is after else "" for assessment in assessments]
    yield wording.words(cobb.LOSS.label), lost


def _angle(assessment):
    return (assessment.cobb_deg, assessment.cobb_posture) if assessment else (None, None)


def _difference(declared, angles):
    """Degrees between the angles of two visits, in words; why there are none where the postures may not be mixed."""
    degrees = declared.compute(angles)
    if degrees is not None:
        return f"{degrees:+} deg".replace("-", wording.MINUS)
    (first, posture), (second, other) = angles[declared.of], angles[declared.minus]
    if None in (first, second):
        return ""
    return _("posture unknown") if None in (posture, other) else _("postures differ")


_BESIDE = {"kps": _published_grades, "escc": _compression, "cobb_deg": _corrections}
