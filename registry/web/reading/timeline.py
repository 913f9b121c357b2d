"""The course of one patient: each measure at each timepoint, with its change from before surgery."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from registry.instruments import catalogue, value_sets, variables
from registry.instruments.core.ecog import DEAD
from registry.models import Utility
from registry.services.outcomes import BASELINE
from registry.web.shared import wording


@dataclass(frozen=True)
class Cell:
    """One value: its words, the change from baseline with its sign, and whether that is `better` or `worse`."""

    text: str = ""
    change: str = ""
    direction: str = ""
    note: str = ""


@dataclass(frozen=True)
class Row:
    label: str
    unit: str
    cells: list[Cell]


def signed(value, decimals):
    """A change as text: +0.120, −15, ±0."""
    sign = "±" if not round(value, decimals) else "+" if value > 0 else wording.MINUS
    return f"{sign}{abs(value):.{decimals}f}"


def _direction(change, higher_is):
    if not change or not higher_is:
        return ""
    return "better" if (change > 0) == (higher_is == "better") else "worse"


def _cells(values, texts, higher_is, decimals=0, notes=()):
    """A `Cell` for each of `values` (numbers or None); the first is the baseline."""
    baseline = values[0]
    cells = []
    for position, (value, text) in enumerate(zip(values, texts, strict=True)):
        change = None if position == 0 or value is None or baseline is None else value - baseline
        cells.append(
            Cell(
                text=text,
                change="" if change is None else signed(change, decimals),
                direction=_direction(change if change is None else round(change, decimals), higher_is),
                note=notes[position] if notes else "",
            )
        )
    return cells


def _reason(assessment, name):
    reason = assessment.missing.get(name)
    return wording.reason(reason) if reason else ""


def _place(item, code):
    # Who has died has no performance status, not a poor one.
    return None if code is None or (item.name == "ecog_ps" and code == DEAD) else item.codes.index(code)


def _graded(assessments, name):
    """A coded item: the code is shown; its place among the codes is what changes."""
    item, higher_is = catalogue.item(name), catalogue.instrument_of(name).higher_is
    codes = [getattr(assessment, name) if assessment else None for assessment in assessments]
    places = [
        None if code is None or (name == "ecog_ps" and code == DEAD) else item.codes.index(code) for code in codes
    ]
    texts = ["" if code is None else str(code) for code in codes]
    notes = [_reason(assessment, name) if assessment else "" for assessment in assessments]
    return Row(wording.words(item.label), wording.unit(item.unit), _cells(places, texts, higher_is, notes=notes))


def _measured(assessments, name):
    variable = variables.get(name)
    values = [getattr(visit, name) if visit else None for visit in assessments]
    texts = ["" if value is None else str(value) for value in values]
    notes = [_reason(assessment, name) if assessment else "" for assessment in assessments]
    return Row(
        wording.words(variable.label),
        wording.unit(variable.unit),
        _cells(values, texts, variable.higher_is, notes=notes),
    )


def _state(assessments):
    states = [assessment.eq5d_state if assessment else None for assessment in assessments]
    return Row(wording.words(catalogue.derived("eq5d_state").label), "", [Cell(str(choice or "")) for choice in states])


def utilities_of(assessments, value_sets_asked):
    """{(assessment's id, value set's code): Utility} as stored, of those of some assessments that have a state."""
    wanted = [assessment.pk for assessment in assessments if assessment and assessment.eq5d_state]
    stored = Utility.objects.filter(assessment_id__in=wanted, value_set__in=value_sets_asked)
    return {(utility.assessment_id, utility.value_set): utility for utility in stored}


def _utilities(assessments, value_set, stored):
    """HSUV of each assessment, and whether all are stored: a stale or absent one is taken from the value set itself."""
    values, fresh = [], True
    for assessment in assessments:
        if assessment is None or assessment.eq5d_state is None:
            values.append(None)
            continue
        known = stored.get((assessment.pk, value_set.code))
        if known and known.eq5d_state == assessment.eq5d_state:
            values.append(known.hsuv)
        else:
            values.append(value_set.hsuv(assessment.eq5d_state))
            fresh = False
    return values, fresh


def of(patient, visits, stored=None):
    """`rows` of measures, one cell for each of `visits`; `fresh` is whether every stored utility is up to date.

    stored  `utilities_of` the visits, where they are read with those of other patients
    """
    assessments = [visit.assessment for visit in visits]
    if not any(assessments):
        return None
    value_set = value_sets.get(patient.site.value_set)
    if stored is None:
        stored = utilities_of(assessments, [value_set.code])
    values, fresh = _utilities(assessments, value_set, stored)
    hsuv = Row(
        "HSUV",
        wording.words(value_set.label),
        _cells(values, ["" if utility is None else wording.utility(utility) for utility in values], "better", 3),
    )
    return {
        "rows": [
            _graded(assessments, "frankel"),
            _graded(assessments, "ecog_ps"),
            _measured(assessments, "pain_vas_mm"),
            _measured(assessments, "barthel_total"),
            _state(assessments),
            hsuv,
            _measured(assessments, "eq_vas"),
        ],
        "fresh": fresh,
        "baseline": BASELINE,
        "note": _("Change from before surgery in small figures."),
    }
