"""The form that declares a cohort: one question for each step there can be, its address the cohort itself.

Every question is a parameter of the address under the step's code or the variable's name, so a link says who comes in.
An answer at a visit after the operation has the visit in its name (`pain_vas_mm@1m`).
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from registry.analysis.design import errors as design_errors
from registry.analysis.design.cohorts import OF_PATIENT, Step
from registry.instruments import variables
from registry.web.cohorts.questions import BASELINE, DATES, LIMITS, RULES, name_of, questions

AT_BASELINE = (*variables.OUTCOMES, *variables.GRADES, *variables.DOMAINS, *variables.FURTHER_OF_ASSESSMENT)


@dataclass(frozen=True)
class Section:
    """Questions under a heading; open where one of them is answered, or wrongly. `drawn` is their HTML."""

    title: str
    open: bool
    drawn: SafeString


class CohortForm(forms.Form):
    """`steps` (Step, …) of a valid form, in the order of the questions."""

    def __init__(self, data):
        super().__init__(data)
        self.questions = questions(data)
        self.fields.update(self.questions.fields)

    @property
    def sections(self):
        for place, (title, _names) in enumerate(self.questions.sections):
            yield Section(title, self.questions.concerns(place, self), self.questions.draw(place, self))

    # Steps

    def clean(self):
        given = super().clean()
        for first, last in (("vertebrae_min", "vertebrae_max"), ("level_first", "level_last")):
            if bool(given.get(first)) != bool(given.get(last)) and not {first, last} & self.errors.keys():
                self.add_error(last if given.get(first) else first, _("Give both ends."))
        if not self.errors:
            try:
                self.steps = tuple(self._steps(given))
            except ValueError as error:
                raise forms.ValidationError(design_errors.sentence(error, get_language() or "en")) from error
        return given

    def _steps(self, given):
        yield from self._plain_steps(given)
        asked = [
            *((variable, None) for variable in (*OF_PATIENT, *self.questions.own_of_patient)),
            *((variable, BASELINE) for variable in (*AT_BASELINE, *self.questions.own_assessed)),
            *self.questions.later,
        ]
        for variable, timepoint in asked:
            yield from self._of_variable(given, variable, timepoint)
        if given["followed_at_least"] is not None:
            yield Step("followed_at_least", {"days": given["followed_at_least"]})
        for answer in given["known"]:
            variable, when = answer.split("@")
            yield Step("measured", {"variable": variable, "timepoint": when})

    @staticmethod
    def _plain_steps(given):
        """Steps with a question of their own."""
        yield from (Step(code) for code in RULES[:1] if given[code])
        if given["vertebrae_min"]:
            ends = {"minimum": given["vertebrae_min"], "maximum": given["vertebrae_max"]}
            yield Step("consecutive_vertebrae", ends)
        if given["level_first"]:
            yield Step("levels_within", {"first": given["level_first"], "last": given["level_last"]})
        yield from (Step(code) for code in RULES[1:] if given[code])
        for code in ("segment_group", "procedure", "sex", "primary_tumour", "sins_class", "site", "region"):
            if given.get(code):
                yield Step(code, {"values": given[code]})
        for name, parameter in (("operated_from", "first"), ("operated_until", "last")):
            if given[name]:
                yield Step(name, {parameter: given[name].isoformat()})

    def _of_variable(self, given, variable, timepoint):
        name, about = name_of(variable.name, timepoint), {"variable": variable.name}
        if timepoint:
            about["timepoint"] = timepoint
        for end, (code, parameter) in LIMITS.items():
            value = given.get(f"{name}_{end}")
            if value is not None:
                yield Step(code, about | {parameter: int(value) if value.is_integer() else value})
        for end, (code, parameter) in DATES.items() if variable.kind == "date" else ():
            if value := given.get(f"{name}_{end}"):
                yield Step(code, about | {parameter: value.isoformat()})
        # Characteristics of the comparison have steps of their own.
        if variable.kind == "categorical" and variable not in variables.CHARACTERISTICS and given.get(name):
            codes = {str(category.code): category.code for category in variable.categories}
            yield Step("category", about | {"values": [codes[code] for code in given[name]]})


def address_of(steps):
    """The parameters of the address that asks for these steps: text after the question mark. ValueError for a step
    that the form does not ask for."""
    return urlencode([pair for step in steps for pair in _pairs(step.code, dict(step.parameters))])


# Steps with questions of their own: parameter of the step to name of the question.
QUESTIONS = {
    "consecutive_vertebrae": {"minimum": "vertebrae_min", "maximum": "vertebrae_max"},
    "levels_within": {"first": "level_first", "last": "level_last"},
    "operated_between": {"first": "operated_from", "last": "operated_until"},
    "operated_from": {"first": "operated_from"},
    "operated_until": {"last": "operated_until"},
    "aged_at_least": {"minimum": "age_at_surgery_min"},
    "followed_at_least": {"days": "followed_at_least"},
}


def _pairs(code, given):
    if code in RULES:
        return [(code, "on")]
    if code in QUESTIONS:
        return [(name, given[parameter]) for parameter, name in QUESTIONS[code].items()]
    if code == "measured":
        return [("known", f"{given['variable']}@{given['timepoint']}")]
    name = name_of(given.get("variable", code), given.get("timepoint"))
    for end, (ending, parameter) in (LIMITS | DATES).items():
        if code == ending:
            return [(f"{name}_{end}", given[parameter])]
    return [(name, value) for value in given["values"]]


class SaveForm(forms.Form):
    """Under which name the cohort is kept, and what it is for."""

    name = forms.CharField(label=gettext_lazy("Name of the cohort"), max_length=80)
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("What these patients are for. No names or patient numbers."),
    )

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"
