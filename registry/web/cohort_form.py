"""The form that declares a cohort: one question for each step there can be, its address the cohort itself.

Every question is a parameter of the address under the step's code or the variable's name, so a link says who comes in.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from registry.analysis import refusals
from registry.analysis.cohorts import BASELINE_CHARACTERISTICS, STEPS, Step
from registry.analysis.words import UNITS
from registry.instruments import levels, variables
from registry.instruments.base import Label
from registry.instruments.timepoints import SCHEDULE
from sites.models import Site

BASELINE = SCHEDULE[0].code
AT_BASELINE = (*variables.OUTCOMES, *variables.GRADES, *variables.DOMAINS)
KNOWN = (*variables.OUTCOMES, *variables.DOMAINS)
RULES = ("one_to_three_consecutive_vertebrae", "no_tes")  # steps that are on or off


def _in_words(label):
    return capfirst(label.in_language(get_language() or "en"))


def _timepoint_of(variable):
    return {"timepoint": BASELINE} if variable in AT_BASELINE else {}


@dataclass(frozen=True)
class Section:
    """Questions under a heading; open where one of them is answered. `grid` is that of the known answers, or None."""

    title: str
    fields: list
    grid: list | None = None

    @property
    def open(self):
        return any(field.value() for field in self.fields)


class CohortForm(forms.Form):
    """`steps` (Step, …) of a valid form, in the order of the questions."""

    def __init__(self, data):
        super().__init__(data)
        self.sections = [
            (_("Lesion"), [self._rule(RULES[0]), *self._vertebrae(), *self._levels(), self._codes("segment_group")]),
            (_("Operation"), [self._rule(RULES[1]), self._codes("procedure"), *self._dates()]),
            (_("Patient and tumour"), [self._codes(name) for name in ("sex", "primary_tumour", "sins_class")]),
            (_("Before surgery"), []),
            (_("Components of the scores"), [self._categories(one) for one in variables.COMPONENTS]),
            (_("Sites"), [self._sites(), self._regions()]),
            (_("Follow-up"), [self._whole("followed_at_least", _("Days of follow-up, at least"))]),
        ]
        for variable in BASELINE_CHARACTERISTICS:
            if variable.kind == "continuous" and variable.name != "followup_months":
                place = 1 if variable.name in {"operative_time_min", "blood_loss_ml"} else 2
                self.sections[place][1].extend(self._limits(variable))
        for variable in variables.OUTCOMES:
            questions = self._limits(variable) if variable.kind == "continuous" else [self._categories(variable)]
            grades = [one for one in variables.GRADES if variable.recode and variable.recode.source == one.name]
            self.sections[3][1].extend([*questions, *map(self._grades, grades)])
        self.sections[3][1].extend(map(self._levels_of, variables.DOMAINS))
        self.sections = [Section(title, [self[name] for name in names if name]) for title, names in self.sections]
        self.sections.append(self._grid())

    # Questions; each gives the name of its field

    def _add(self, name, field):
        if isinstance(field.widget, (forms.Select, forms.NumberInput, forms.DateInput)):
            select = isinstance(field.widget, forms.Select)
            field.widget.attrs["class"] = "form-select" if select else "form-control"
        self.fields[name] = field
        return name

    def _several(self, name, label, choices):
        widget = forms.CheckboxSelectMultiple
        return self._add(name, forms.MultipleChoiceField(label=label, choices=choices, required=False, widget=widget))

    def _rule(self, code):
        return self._several(code, "", [("on", _in_words(STEPS[code].label))])

    def _codes(self, code):
        if code == "segment_group":
            return self._several(
                code, _("Segment"), [(one.code, _in_words(one.label)) for one in levels.SEGMENT_GROUPS]
            )
        return self._categories(variables.get(code))

    def _categories(self, variable):
        choices = [(one.code, _in_words(one.label)) for one in variable.categories]
        return self._several(variable.name, _in_words(variable.label), choices)

    def _grades(self, variable):
        """Single grades, below the question that joins several of them."""
        choices = [(one.code, f"{one.code}: {_in_words(one.label)}") for one in variable.categories]
        label = _("{variable}: single grades").format(variable=_in_words(variable.label))
        return self._several(variable.name, label, choices)

    def _levels_of(self, variable):
        """The levels of an EQ-5D-5L dimension, each with its number."""
        choices = [(str(one.code), f"{one.code}: {_in_words(one.label)}") for one in variable.categories]
        return self._several(variable.name, f"EQ-5D-5L · {_in_words(variable.label)}", choices)

    def _whole(self, name, label, least=0):
        return self._add(name, forms.IntegerField(label=label, min_value=least, required=False))

    def _vertebrae(self):
        yield self._whole("vertebrae_min", _("Consecutive vertebrae, at least"), 1)
        yield self._whole("vertebrae_max", _("Consecutive vertebrae, at most"), 1)

    def _levels(self):
        choices = [("", "–"), *((one, one) for one in levels.LEVELS)]
        yield self._add("level_first", forms.ChoiceField(label=_("Levels from"), choices=choices, required=False))
        yield self._add("level_last", forms.ChoiceField(label=_("Levels to"), choices=choices, required=False))

    def _dates(self):
        for name, label in (("operated_from", _("Operated from")), ("operated_until", _("Operated until"))):
            widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
            yield self._add(name, forms.DateField(label=label, required=False, widget=widget))

    def _limits(self, variable):
        unit = UNITS[variable.unit] if variable.unit in UNITS else Label(variable.unit, variable.unit)
        named = Label("{name} ({unit})", "{name}（{unit}）") if variable.unit else Label("{name}", "{name}")
        label = _in_words(named).format(name=_in_words(variable.label), unit=unit.in_language(get_language() or "en"))
        for end, told in (("min", _("{variable}, at least")), ("max", _("{variable}, at most"))):
            widget = forms.NumberInput(attrs={"step": 0.1**variable.decimals if variable is variables.HSUV else 1})
            field = forms.FloatField(label=told.format(variable=label), required=False, widget=widget)
            yield self._add(f"{variable.name}_{end}", field)

    def _sites(self):
        return self._several("site", _("Site"), [(one.code, str(one)) for one in Site.objects.order_by("code")])

    def _regions(self):
        regions = Site.objects.exclude(region="").order_by("region").values_list("region", flat=True).distinct()
        return self._several("region", _("Region"), [(one, one) for one in regions]) if regions else None

    def _grid(self):
        choices = [(f"{one.name}@{when.code}", "") for one in KNOWN for when in SCHEDULE]
        self._several("known", _("Known answers"), choices)
        chosen = set(self["known"].value() or ())
        rows = [
            (
                _in_words(one.label),
                [(f"{one.name}@{when.code}", f"{one.name}@{when.code}" in chosen, when) for when in SCHEDULE],
            )
            for one in KNOWN
        ]
        return Section(_("Completeness"), [self["known"]], [([_in_words(when.label) for when in SCHEDULE]), rows])

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
                raise forms.ValidationError(refusals.told(error, get_language() or "en")) from error
        return given

    def _steps(self, given):
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
        for variable in (*BASELINE_CHARACTERISTICS, *AT_BASELINE):
            yield from self._of_variable(given, variable)
        if given["followed_at_least"] is not None:
            yield Step("followed_at_least", {"days": given["followed_at_least"]})
        for one in given["known"]:
            variable, when = one.split("@")
            yield Step("measured", {"variable": variable, "timepoint": when})

    def _of_variable(self, given, variable):
        about = {"variable": variable.name} | _timepoint_of(variable)
        for end, code, parameter in (("min", "at_least", "minimum"), ("max", "at_most", "maximum")):
            value = given.get(f"{variable.name}_{end}")
            if value is not None:
                yield Step(code, about | {parameter: int(value) if value.is_integer() else value})
        chosen_by_category = variable in (*AT_BASELINE, *variables.COMPONENTS) and variable.kind == "categorical"
        if chosen_by_category and given[variable.name]:
            codes = {str(one.code): one.code for one in variable.categories}
            yield Step("category", about | {"values": [codes[one] for one in given[variable.name]]})


def address_of(steps):
    """The parameters of the address that asks for these steps: text after the question mark. ValueError for a step
    that the form does not ask for."""
    return urlencode([pair for step in steps for pair in _pairs(step.code, dict(step.parameters))])


def _pairs(code, given):
    if code in RULES:
        return [(code, "on")]
    if code == "consecutive_vertebrae":
        return [("vertebrae_min", given["minimum"]), ("vertebrae_max", given["maximum"])]
    if code == "levels_within":
        return [("level_first", given["first"]), ("level_last", given["last"])]
    if code == "operated_between":
        return [("operated_from", given["first"]), ("operated_until", given["last"])]
    if code in {"operated_from", "operated_until"}:
        return [(code, *given.values())]
    if code == "aged_at_least":
        return [("age_at_surgery_min", given["minimum"])]
    if code == "at_least":
        return [(f"{given['variable']}_min", given["minimum"])]
    if code == "at_most":
        return [(f"{given['variable']}_max", given["maximum"])]
    if code == "followed_at_least":
        return [(code, given["days"])]
    if code == "measured":
        return [("known", f"{given['variable']}@{given['timepoint']}")]
    return [(given.get("variable", code), one) for one in given["values"]]


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
