"""The questions that declare a cohort: the fields of a form in sections.

They are some hundred with five hundred choices, and nearly the same on each view of the page: they are made once for a
language, a protocol, the sites and what an address asks, and drawn once as they stand without an answer.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from registry.analysis.design.cohorts import ASSESSED, BASELINE_CHARACTERISTICS, KINDS_OF_STEPS, MEASURED, STEPS
from registry.analysis.design.variables import sources
from registry.analysis.presentation.words import UNITS
from registry.instruments import catalogue, levels, variables
from registry.instruments.base import Instrument, Label
from registry.instruments.catalogue import Catalogue
from registry.instruments.timepoints import SCHEDULE, Timepoint, planned
from registry.services.records import extras
from registry.web.shared import cells
from registry.web.shared.cells import escape
from registry.web.shared.drawing import form_widgets
from registry.web.shared.wording import words
from sites.models import Site

BASELINE = SCHEDULE[0].code
FURTHER = {variable.name: variable for variable in (*variables.FURTHER_OF_PATIENT, *variables.FURTHER_OF_ASSESSMENT)}
# What a parameter of the address ends with, and the step that it asks for.
LIMITS = {"min": ("at_least", "minimum"), "max": ("at_most", "maximum")}
DATES = {"from": ("dated_from", "first"), "until": ("dated_until", "last")}
RULES = ("one_to_three_consecutive_vertebrae", "no_tes")  # steps that are on or off


def name_of(variable: str, timepoint: str | None) -> str:
    """The name of a question: the variable's, with the visit where it is not that before surgery."""
    return variable if timepoint in (None, BASELINE) else f"{variable}@{timepoint}"


def _in_words(label: Label) -> str:
    text = label.in_language(get_language() or "en")
    return text[:1].upper() + text[1:]


def _variables_of(instrument: Instrument, record: str) -> Iterator[variables.Variable]:
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


def _later() -> list[Timepoint]:
    """The visits after the one before surgery."""
    return [visit for visit in planned() if visit.code != BASELINE]


@lru_cache(4)
def _own(current: Catalogue) -> Mapping[str, tuple[variables.Variable, ...]]:
    """Code of each own instrument of the study to what a cohort may ask of it."""
    return {
        instrument.code: tuple(_variables_of(instrument, record))
        for record, some in ((sources.PATIENT, current.of_patient), (sources.VISIT, current.of_assessment))
        for instrument in some
        if instrument.own
    }


def _only_here(instrument: Instrument, own: Mapping) -> list[variables.Variable]:
    """What only cohorts ask of an instrument, or all of one of the study's own."""
    return [
        *(FURTHER[part.name] for part in instrument.parts if part.name in FURTHER),
        *own.get(instrument.code, ()),
    ]


def questions(data: QueryDict) -> "Questions":
    """The Questions of an address: with the instruments that the registry asks or the address speaks of, and the
    answers at later visits that it asks, or asks to be asked."""
    current = catalogue.current()
    own = _own(current)
    instruments = tuple(instrument.code for instrument in _instruments(data, current, own))
    assessed = {variable.name for variable in (*ASSESSED, *_of(current.of_assessment, instruments, own))}
    offered = Site.objects.order_by("code").only("code", "name", "name_ja", "region")
    sites = tuple((site.code, str(site), site.region) for site in offered)
    later = tuple(dict.fromkeys(_visits_asked(data, assessed)))
    return _made(get_language(), current, planned(), instruments, later, sites)


def _instruments(data: QueryDict, current: Catalogue, own: Mapping) -> Iterator[Instrument]:
    asked = {instrument.code for instrument in extras.asked()}
    spoken = "|".join((*data, *data.getlist("known"), *data.getlist("ask")))
    for instrument in (*current.of_patient, *current.of_assessment):
        parts = [re.escape(variable.name) for variable in _only_here(instrument, own)]
        if parts and (instrument.code in asked or re.search(rf"(^|\|)({'|'.join(parts)})(_|@|\||$)", spoken)):
            yield instrument


def _of(instruments: Iterable[Instrument], codes: Iterable[str], own: Mapping) -> list[variables.Variable]:
    """The variables of those own instruments that are among the codes."""
    return [variable for some in instruments if some.code in codes for variable in own.get(some.code, ())]


def _visits_asked(data: QueryDict, assessed: set[str]) -> Iterator[tuple[str, str]]:
    """(name of the variable, code of the timepoint) of the answers at later visits that an address asks, or asks to be
    asked, in their order."""
    visits = {visit.code for visit in _later()}
    for name in (*data, *data.getlist("ask")):
        variable, _at, end = name.partition("@")
        timepoint = re.sub(f"_({'|'.join(LIMITS)})$", "", end)
        if variable in assessed and timepoint in visits:
            yield variable, timepoint


# Names of variables: comparing these themselves compares each of their categories.
POINTS = {variable.name for variable in (*variables.GRADES, *variables.DOMAINS)}
SINGLE_GRADES = {variable.name for variable in variables.GRADES}
EQ5D = {variable.name for variable in variables.DOMAINS}


class Questions:
    """What a form asks. Immutable once it is made: requests share it.

    fields          name to its field
    sections        (title, names of its fields)
    known           (name, in words) of the rows of the grid of known answers
    later           (variable, code of the timepoint) of the answers at later visits
    own_of_patient, own_assessed  the variables of the study's own instruments
    """

    def __init__(self, current: Catalogue, instruments: tuple, later: tuple, sites: tuple) -> None:
        self.own = _own(current)
        self.own_names = {variable.name for some in self.own.values() for variable in some}
        self.instruments = [
            instrument for instrument in (*current.of_patient, *current.of_assessment) if instrument.code in instruments
        ]
        self.own_of_patient = _of(current.of_patient, instruments, self.own)
        self.own_assessed = _of(current.of_assessment, instruments, self.own)
        assessed = {variable.name: variable for variable in (*ASSESSED, *self.own_assessed)}
        self.later = [(assessed[name], timepoint) for name, timepoint in later]
        self.fields: dict[str, forms.Field] = {}
        self.known: list[tuple[str, str]] = []
        self.drawn: dict[int, SafeString] = {}
        sections = [
            (_("Lesion"), [self._rule(RULES[0]), *self._vertebrae(), *self._levels(), self._codes("segment_group")]),
            (_("Operation"), [self._rule(RULES[1]), self._codes("procedure"), *self._dates()]),
            (_("Patient and tumour"), [self._codes(name) for name in ("sex", "primary_tumour", "sins_class")]),
            (_("Before surgery"), []),
            (_("Components of the scores"), [self._categories(component) for component in variables.COMPONENTS]),
        ]
        for variable in BASELINE_CHARACTERISTICS:
            if variable.kind == "continuous" and variable.name != "followup_months":
                place = 1 if variable.name in {"operative_time_min", "blood_loss_ml"} else 2
                sections[place][1].extend(self._limits(variable))
        for variable in variables.OUTCOMES:
            grades = [grade for grade in variables.GRADES if variable.recode and variable.recode.source == grade.name]
            for grade in (variable, *grades):
                sections[3][1].extend(self._about(grade))
        for variable in variables.DOMAINS:
            sections[3][1].extend(self._about(variable))
        for instrument in self.instruments:
            title, names = self._of_instrument(instrument)
            if instrument in catalogue.PATIENT:
                sections[2][1].extend(names)
            else:
                sections.append((title, names))
        sections += [
            (
                _("At later visits"),
                [
                    *(name for variable, timepoint in self.later for name in self._about(variable, timepoint)),
                    self._ask(),
                ],
            ),
            (_("Sites"), [self._sites(sites), self._regions(sites)]),
            (_("Follow-up"), [self._whole("followed_at_least", _("Days of follow-up, at least"))]),
            (_("Completeness"), [self._known()]),
        ]
        self.sections = [(title, [name for name in names if name]) for title, names in sections]

    def concerns(self, place: int, form: forms.Form) -> bool:
        """Whether a form's address answers a question of a section, or something is wrong with one."""
        _title, names = self.sections[place]
        address: Any = form.data  # a QueryDict
        return any(any(address.getlist(name)) or name in form.errors for name in names)

    def draw(self, place: int, form: forms.Form) -> SafeString:
        """The questions of a section as they stand in a form; where it does not concern them they are drawn once."""
        _title, names = self.sections[place]
        if self.concerns(place, form):
            return self._draw(names, form)
        if place not in self.drawn:
            self.drawn[place] = self._draw(names, form)
        return self.drawn[place]

    def _draw(self, names, form):
        if names == ["known"]:
            return self._grid(set(form["known"].value() or ()))
        return cells.joined(['<div class="questions">', *(_drawn(form[name]) for name in names), "</div>"])

    def _grid(self, chosen):
        """The known answers, a row for each and a column for each visit."""
        visits = [(when.code, escape(_in_words(when.label)), escape(words(when.label))) for when in planned()]
        heads = "".join(f'<th scope="col">{head}</th>' for _code, head, _at in visits)
        lines = (
            f'<tr><th scope="row">{escape(label)}</th>'
            + "".join(_known_cell(f"{name}@{code}", chosen, f"{escape(label)}, {at}") for code, _head, at in visits)
            + "</tr>"
            for name, label in self.known
        )
        return cells.joined(
            [
                f'<p class="hint">{escape(_("Only patients who have these answers come in."))}</p>',
                '<div class="table-scroll" id="field-known">',
                f'<table class="grid known"><thead><tr><td></td>{heads}</tr></thead><tbody>',
                *lines,
                "</tbody></table></div>",
            ]
        )

    def _of_instrument(self, instrument):
        """The title of its section, and the names of its fields."""
        title = _in_words(instrument.title)
        if instrument in catalogue.current().of_assessment:
            title = _("{instrument}, before surgery").format(instrument=title)
        return title, [name for part in _only_here(instrument, self.own) for name in self._about(part)]

    # Making the fields; each gives the name of its field

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

    def _about(self, variable, timepoint=BASELINE):
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
        graded = variable.name in POINTS or self._is_further(variable)
        label_of = self._graded if graded else lambda choice: _in_words(choice.label)
        if variable.name in SINGLE_GRADES and timepoint == BASELINE:  # below the question that joins several of them
            label = _("{variable}: single grades").format(variable=label)
        if variable.name in EQ5D:
            label = f"EQ-5D-5L · {label}"
        choices = [(str(category.code), label_of(category)) for category in variable.categories]
        return self._several(name_of(variable.name, timepoint), self._at(label, timepoint), choices)

    def _is_further(self, variable):
        return variable.name in FURTHER or variable.name in self.own_names

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
            yield self._date(f"{name_of(variable.name, timepoint)}_{end}", label.format(variable=about))

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
            yield self._add(f"{name_of(variable.name, timepoint)}_{end}", field)

    def _sites(self, sites):
        return self._several("site", _("Site"), [(code, name) for code, name, _region in sites])

    def _regions(self, sites):
        regions = sorted({region for _code, _name, region in sites if region})
        return self._several("region", _("Region"), [(region, region) for region in regions]) if regions else None

    def _assessed(self, offered):
        """Those of the variables that this registry asks at its visits."""
        further = {part.name for instrument in self.instruments for part in instrument.parts}
        built_in = [variable for variable in offered if variable.name not in FURTHER or variable.name in further]
        return [*built_in, *self.own_assessed]

    def _ask(self):
        """Which answer at a later visit to ask about: the page then has that question."""
        offered = [(variable.name, _in_words(variable.label)) for variable in self._assessed(ASSESSED)]
        choices = [
            (_in_words(when.label), [(f"{name}@{when.code}", label) for name, label in offered]) for when in _later()
        ]
        label = _("Ask about an answer at a later visit")
        return self._add("ask", forms.ChoiceField(label=label, choices=[("", "–"), *choices], required=False))

    def _known(self):
        known = self._assessed(MEASURED)
        choices = [(f"{variable.name}@{when.code}", "") for variable in known for when in planned()]
        self.known = [(variable.name, _in_words(variable.label)) for variable in known]
        return self._several("known", _("Known answers"), choices)


@lru_cache(32)
def _made(
    language: str, current: Catalogue, visits: tuple[Timepoint, ...], instruments: tuple, later: tuple, sites: tuple
) -> Questions:
    return Questions(current, instruments, later, sites)


def _drawn(field: BoundField) -> str:
    if isinstance(field.field.widget, forms.CheckboxSelectMultiple):
        return form_widgets.ticks(field, "question-wide")
    if field.name != "ask":
        return form_widgets.question(field)
    button = f'<button class="btn btn-outline-primary">{escape(_("Ask"))}</button>'
    return f'<div class="ask-later">{form_widgets.question(field)}{button}</div>'


def _known_cell(value, chosen, label):
    """A cell of the grid of known answers; `label`, which is escaped, says of what and when."""
    checked = " checked" if value in chosen else ""
    return (
        f'<td><label><input type="checkbox" name="known" value="{escape(value)}"{checked}>'
        f'<span class="visually-hidden">{label}</span></label></td>'
    )
