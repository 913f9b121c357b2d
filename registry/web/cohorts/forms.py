"""The form that declares a cohort: one question for each step there can be, its address the cohort itself.

Every question is a parameter of the address under the step's code or the variable's name, so a link says who comes in.
An answer at a visit after the operation has the visit in its name (`pain_vas_mm@1m`).
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from registry.analysis.design import errors as design_errors
from registry.analysis.design.cohorts import (
    ASSESSED,
    BASELINE_CHARACTERISTICS,
    KINDS_OF_STEPS,
    MEASURED,
    OF_PATIENT,
    STEPS,
    Step,
)
from registry.analysis.design.variables import sources
from registry.analysis.presentation.words import UNITS
from registry.instruments import catalogue, levels, variables
from registry.instruments.base import Label
from registry.instruments.timepoints import SCHEDULE, planned
from registry.services.records import extras
from sites.models import Site

BASELINE = SCHEDULE[0].code
AT_BASELINE = (*variables.OUTCOMES, *variables.GRADES, *variables.DOMAINS, *variables.FURTHER_OF_ASSESSMENT)
FURTHER = {variable.name: variable for variable in (*variables.FURTHER_OF_PATIENT, *variables.FURTHER_OF_ASSESSMENT)}
# What a parameter of the address ends with, and the step that it asks for.
LIMITS = {"min": ("at_least", "minimum"), "max": ("at_most", "maximum")}
DATES = {"from": ("dated_from", "first"), "until": ("dated_until", "last")}
RULES = ("one_to_three_consecutive_vertebrae", "no_tes")  # steps that are on or off


def _in_words(label):
    return capfirst(label.in_language(get_language() or "en"))


def _name(variable, timepoint):
    """The name of a question: the variable's, with the visit where it is not that before surgery."""
    return variable if timepoint in (None, BASELINE) else f"{variable}@{timepoint}"


def _own(instrument, record):
    """What a cohort may ask of an own instrument of the study: each Source as a variable."""
    titled = Label("{instrument}: {item}", "{instrument}：{item}")
    several = record == sources.VISIT and len(instrument.items) > 1
    for part in instrument.parts:
        for source in sources.of_part(part, instrument, record):
            yield variables.Variable(
                name=source.name,
                label=titled.format(instrument=instrument.title, item=source.label) if several else source.label,
                kind=KINDS_OF_STEPS[source.kind],
                unit=source.unit,
                decimals=source.decimals,
                categories=source.categories,
            )


def _later():
    """The visits after the one before surgery."""
    return [visit for visit in planned() if visit.code != BASELINE]


def _visits_asked(data, assessed):
    """The answers at later visits that an address asks, or asks to be asked: {(variable, code of the timepoint): None},
    in their order."""
    visits = {}
    for name in (*data, *data.getlist("ask")):
        variable, at, end = name.partition("@")
        timepoint = re.sub(f"_({'|'.join(LIMITS)})$", "", end)
        if at and variable in assessed and timepoint in {visit.code for visit in _later()}:
            visits[assessed[variable], timepoint] = None
    return visits


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
        current = catalogue.current()
        self.own = {
            instrument.code: tuple(_own(instrument, record))
            for record, some in ((sources.PATIENT, current.of_patient), (sources.VISIT, current.of_assessment))
            for instrument in some
            if instrument.own
        }
        self.instruments = list(self._instruments())
        self.own_assessed = self._of_own(current.of_assessment)
        self.later = _visits_asked(data, {variable.name: variable for variable in (*ASSESSED, *self.own_assessed)})
        self.sections = [
            (_("Lesion"), [self._rule(RULES[0]), *self._vertebrae(), *self._levels(), self._codes("segment_group")]),
            (_("Operation"), [self._rule(RULES[1]), self._codes("procedure"), *self._dates()]),
            (_("Patient and tumour"), [self._codes(name) for name in ("sex", "primary_tumour", "sins_class")]),
            (_("Before surgery"), []),
            (_("Components of the scores"), [self._categories(component) for component in variables.COMPONENTS]),
        ]
        for variable in BASELINE_CHARACTERISTICS:
            if variable.kind == "continuous" and variable.name != "followup_months":
                place = 1 if variable.name in {"operative_time_min", "blood_loss_ml"} else 2
                self.sections[place][1].extend(self._limits(variable))
        for variable in variables.OUTCOMES:
            grades = [grade for grade in variables.GRADES if variable.recode and variable.recode.source == grade.name]
            for grade in (variable, *grades):
                self.sections[3][1].extend(self._questions(grade))
        for variable in variables.DOMAINS:
            self.sections[3][1].extend(self._questions(variable))
        for instrument in self.instruments:
            title, names = self._of_instrument(instrument)
            if instrument in catalogue.PATIENT:
                self.sections[2][1].extend(names)
            else:
                self.sections.append((title, names))
        later = [name for variable, timepoint in self.later for name in self._questions(variable, timepoint)]
        self.sections += [
            (_("At later visits"), [*later, self._ask()]),
            (_("Sites"), [self._sites(), self._regions()]),
            (_("Follow-up"), [self._whole("followed_at_least", _("Days of follow-up, at least"))]),
        ]
        self.sections = [Section(title, [self[name] for name in names if name]) for title, names in self.sections]
        self.sections.append(self._grid())

    def _instruments(self):
        """Instruments with answers that only cohorts ask: those that the registry asks, and others that the address
        speaks of."""
        asked = {instrument.code for instrument in extras.asked()}
        spoken = "|".join((*self.data, *self.data.getlist("known"), *self.data.getlist("ask")))
        for instrument in (*catalogue.current().of_patient, *catalogue.current().of_assessment):
            parts = [re.escape(variable.name) for variable in self._variables(instrument)]
            if parts and (instrument.code in asked or re.search(rf"(^|\|)({'|'.join(parts)})(_|@|\||$)", spoken)):
                yield instrument

    def _variables(self, instrument):
        """What only cohorts ask of an instrument, or all of one of the study's own."""
        further = [FURTHER[part.name] for part in instrument.parts if part.name in FURTHER]
        return [*further, *self.own.get(instrument.code, ())]

    def _of_own(self, instruments):
        """The variables of those own instruments that the page asks."""
        asked = {instrument.code for instrument in self.instruments}
        return [item for some in instruments if some.code in asked for item in self.own.get(some.code, ())]

    def _of_instrument(self, instrument):
        """The title of its section, and the names of its fields."""
        title = _in_words(instrument.title)
        if instrument in catalogue.current().of_assessment:
            title = _("{instrument}, before surgery").format(instrument=title)
        return title, [name for part in self._variables(instrument) for name in self._questions(part)]

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
                code, _("Segment"), [(group.code, _in_words(group.label)) for group in levels.SEGMENT_GROUPS]
            )
        return self._categories(variables.get(code))

    def _questions(self, variable, timepoint=BASELINE):
        """The questions about a variable, at a visit where it is asked at one."""
        if variable.kind == "continuous":
            yield from self._limits(variable, timepoint)
        elif variable.kind == "date":
            yield from self._dated(variable, timepoint)
        else:
            yield self._categories(variable, timepoint)

    def _categories(self, variable, timepoint=BASELINE):
        """Codes to tick; a grade or a number of points stands before its words."""
        label = _in_words(variable.label)
        graded = variable in (*variables.GRADES, *variables.DOMAINS) or self._is_further(variable)
        label_of = self._graded if graded else lambda choice: _in_words(choice.label)
        if variable in variables.GRADES and timepoint == BASELINE:  # below the question that joins several of them
            label = _("{variable}: single grades").format(variable=label)
        if variable in variables.DOMAINS:
            label = f"EQ-5D-5L · {label}"
        choices = [(str(category.code), label_of(category)) for category in variable.categories]
        return self._several(_name(variable.name, timepoint), self._at(label, timepoint), choices)

    def _is_further(self, variable):
        return variable.name in FURTHER or any(variable in some for some in self.own.values())

    @staticmethod
    def _graded(choice):
        code, label = str(choice.code), _in_words(choice.label)
        is_grade = len(code) <= 3 and code.lower() != label.lower()
        return f"{code}: {label}" if is_grade else label

    @staticmethod
    def _at(label, timepoint):
        if timepoint == BASELINE:
            return label
        when = next(visit for visit in planned() if visit.code == timepoint)
        return _("{variable} ({visit})").format(variable=label, visit=_in_words(when.label))

    def _whole(self, name, label, least=0):
        return self._add(name, forms.IntegerField(label=label, min_value=least, required=False))

    def _vertebrae(self):
        yield self._whole("vertebrae_min", _("Consecutive vertebrae, at least"), 1)
        yield self._whole("vertebrae_max", _("Consecutive vertebrae, at most"), 1)

    def _levels(self):
        choices = [("", "–"), *((level, level) for level in levels.LEVELS)]
        yield self._add("level_first", forms.ChoiceField(label=_("Levels from"), choices=choices, required=False))
        yield self._add("level_last", forms.ChoiceField(label=_("Levels to"), choices=choices, required=False))

    def _dates(self):
        for name, label in (("operated_from", _("Operated from")), ("operated_until", _("Operated until"))):
            yield self._date(name, label)

    def _dated(self, variable, timepoint=BASELINE):
        about = self._at(_in_words(variable.label), timepoint)
        for end, label in (("from", _("{variable}, from")), ("until", _("{variable}, until"))):
            yield self._date(f"{_name(variable.name, timepoint)}_{end}", label.format(variable=about))

    def _date(self, name, label):
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        return self._add(name, forms.DateField(label=label, required=False, widget=widget))

    def _limits(self, variable, timepoint=BASELINE):
        unit = UNITS[variable.unit] if variable.unit in UNITS else Label(variable.unit, variable.unit)
        named = Label("{name} ({unit})", "{name}（{unit}）") if variable.unit else Label("{name}", "{name}")
        label = _in_words(named).format(name=_in_words(variable.label), unit=unit.in_language(get_language() or "en"))
        label = self._at(label, timepoint)
        fine = variable is variables.HSUV or self._is_further(variable)
        for end, title in (("min", _("{variable}, at least")), ("max", _("{variable}, at most"))):
            widget = forms.NumberInput(attrs={"step": f"{10**-variable.decimals:g}" if fine else 1})
            field = forms.FloatField(label=title.format(variable=label), required=False, widget=widget)
            yield self._add(f"{_name(variable.name, timepoint)}_{end}", field)

    def _sites(self):
        return self._several("site", _("Site"), [(site.code, str(site)) for site in Site.objects.order_by("code")])

    def _regions(self):
        regions = Site.objects.exclude(region="").order_by("region").values_list("region", flat=True).distinct()
        return self._several("region", _("Region"), [(region, region) for region in regions]) if regions else None

    def _assessed(self, offered):
        """Those of the variables that this registry asks at its visits."""
        further = {part.name for instrument in self.instruments for part in instrument.parts}
        built_in = [variable for variable in offered if variable.name not in FURTHER or variable.name in further]
        return [*built_in, *self.own_assessed]

    def _ask(self):
        """Which answer at a later visit to ask about: the page then has that question."""
        offered = self._assessed(ASSESSED)
        choices = [
            (
                _in_words(when.label),
                [(f"{variable.name}@{when.code}", _in_words(variable.label)) for variable in offered],
            )
            for when in _later()
        ]
        label = _("Ask about an answer at a later visit")
        return self._add("ask", forms.ChoiceField(label=label, choices=[("", "–"), *choices], required=False))

    def _grid(self):
        known = self._assessed(MEASURED)
        choices = [(f"{variable.name}@{when.code}", "") for variable in known for when in planned()]
        self._several("known", _("Known answers"), choices)
        chosen = set(self["known"].value() or ())
        rows = []
        for variable in known:
            names = [(f"{variable.name}@{when.code}", when) for when in planned()]
            rows.append((_in_words(variable.label), [(name, name in chosen, when) for name, when in names]))
        return Section(_("Completeness"), [self["known"]], [([_in_words(when.label) for when in planned()]), rows])

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
            *((variable, None) for variable in (*OF_PATIENT, *self._of_own(catalogue.current().of_patient))),
            *((variable, BASELINE) for variable in (*AT_BASELINE, *self.own_assessed)),
            *self.later,
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
        name, about = _name(variable.name, timepoint), {"variable": variable.name}
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
    name = _name(given.get("variable", code), given.get("timepoint"))
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
