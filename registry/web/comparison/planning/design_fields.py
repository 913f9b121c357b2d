"""Fields of a plan's design: steps of its groups, visits by a rule, variables, and the settings of the whole plan, each
a `fields.Kind` or a list of `fields.Field`.
"""

from dataclasses import fields as parts_of

from django.utils.translation import gettext_lazy as _

from registry.analysis.design import cohorts, methods, plans
from registry.analysis.design.errors import Refused
from registry.analysis.design.variables import declared, sources, visits
from registry.instruments import levels, value_sets, variables
from registry.instruments.base import Label
from registry.web.comparison.planning import recoding, repeated
from registry.web.comparison.planning.fields import (
    CHOICE,
    CODES,
    LINES,
    NUMBER,
    SEVERAL,
    TEXT,
    Field,
    Kind,
)
from registry.web.comparison.planning.plan_words import PARTS, RULE_CHOICES, RULES

# Groups: steps beside the levels that are chosen in the list of a group.

_OF_VARIABLE = ("category", "at_least", "at_most", "measured", "dated_from", "dated_until")
_OF_VALUES = ("category", "site", "region", "sex", "primary_tumour", "procedure", "sins_class", "segment_group")
_OF_MINIMUM = ("at_least", "aged_at_least", "consecutive_vertebrae")
_OF_FIRST = ("dated_from", "operated_between", "operated_from", "levels_within")
_OF_LAST = ("dated_until", "operated_between", "operated_until", "levels_within")


def _step(entry):
    """A step with values as the product has them: codes of some of its own variables are numbers."""
    if "values" in entry and "variable" in entry:
        entry["values"] = values_of(entry["variable"], entry["values"])
    return entry


def values_of(variable, typed):
    """Codes of a variable as a cohort's steps have them, of texts."""
    try:
        codes = {str(choice.code): choice.code for choice in cohorts.variable_of(variable).categories}
    except Refused:  # the step says it
        codes = {}
    return [codes.get(code, code) for code in typed]


def label_of_step(kind):
    """“{variable}{when}: {minimum} or more” without its places."""
    places = {"variable": _VARIABLE, "when": Label("", "")} | {
        name: Label("…", "…") for name in ("minimum", "maximum", "values", "days", "first", "last", "timepoint")
    }
    return kind.label.format(**places)


_VARIABLE = Label("what is chosen", "選んだ項目")
STEPS = Kind(
    "steps",
    "step",
    _("Further steps of a group: limits, dates, levels at a visit"),
    _("Another step"),
    Field("what", _("Who comes in"), CHOICE,
          tuple((code, label_of_step(kind)) for code, kind in cohorts.STEPS.items()), key="step"),
    (
        Field("group", _("Number of the group above"), NUMBER, default=1),
        Field("variable", _("Of what"), CHOICE, "everything", of=_OF_VARIABLE),
        Field("timepoint", _("At the visit"), CHOICE, "schedule", of=("category", "at_least", "at_most", "measured")),
        Field("values", _("Codes"), CODES, of=_OF_VALUES),
        Field("minimum", _("At least"), NUMBER, of=_OF_MINIMUM),
        Field("maximum", _("At most"), NUMBER, of=("at_most", "consecutive_vertebrae")),
        Field("days", _("Days"), NUMBER, of=("followed_at_least",)),
        Field("first", _("From (a date such as 2026-12-31, or a level such as T1)"), TEXT, of=_OF_FIRST),
        Field("last", _("Until (a date such as 2026-12-31, or a level such as T1)"), TEXT, of=_OF_LAST),
    ),
    None,
    _step,
    code_key="",
    title_key="",
    most=40,
    short=_("Step"),
)  # fmt: skip

# Visits by a rule


def _rule_in_words(values):
    day, within = values.get("day", "–"), values.get("within", "–")
    return {
        visits.LAST: Label("Last visit", "最終来院"),
        visits.LAST_BEFORE: Label("Last until day {day}", "{day}日までの最終").format(day=day),
        visits.NEAREST: Label("Day {day} ± {within}", "{day}日±{within}日").format(day=day, within=within),
    }[values["take"]]


VISITS = Kind(
    "visits",
    "visit",
    _("Visits by a rule"),
    _("Another visit"),
    Field("what", _("Which value counts"), CHOICE, (
        (visits.LAST, _("The last known value")),
        (visits.LAST_BEFORE, _("The last known value until a day")),
        (visits.NEAREST, _("The known value nearest to a day, within a window")),
    ), key="take"),
    (
        Field("day", _("Day after surgery"), NUMBER, of=(visits.LAST_BEFORE, visits.NEAREST)),
        Field("within", _("At most so many days from it"), NUMBER, of=(visits.NEAREST,)),
    ),
    _rule_in_words,
    title_key="label",
    hint=_("A rule looks at every visit after surgery, unscheduled ones too. “Check” puts it beside the visits of the "
           "schedule, and says how many values it has."),
    short=_("Visit"),
)  # fmt: skip

# Variables


def _to_of(entry):
    """What was typed as the `of` of a variable."""
    what, of = entry.pop("what"), {}
    parts = {name: entry.pop(name) for name in ("name", "label", "categories", "kind", "unit", "decimals", "higher_is")
            if name in entry}  # fmt: skip
    if what == "days":
        span = {end: entry.pop(place, "") for end, place in (("from", "first"), ("to", "last"))}
        of = {"days": span, "unit": entry.pop("span", "days")}
    elif what == "change":
        of = {"change": entry.pop("change", ""), "from": entry.pop("from", "preop")}
    elif what == "events":
        of = {"events": entry.pop("events", []), "give": entry.pop("give", "any")} | entry
    elif what == "repeat":
        of = repeated.of_choice(entry.pop("repeat", "") or ":any") | entry
    else:
        of = {"item": entry.pop("item", "")}
    if lines := parts.pop("categories", ""):
        parts["categories"] = recoding.categories(lines, recoding.is_number(of))
    return parts | {"of": of}


def _from_of(entry):
    """A variable as it is typed; what its source says by itself is left out."""
    of, flat = entry.pop("of"), {}
    by_itself = _by_itself(entry["name"], of, entry.get("categories"))
    for part in ("label", "kind", "unit", "decimals", "higher_is"):
        if part in entry and entry[part] == by_itself.get(part):
            entry.pop(part)
    if "unit" in entry or "higher_is" in entry:
        entry = {name: value for name, value in entry.items() if name not in ("unit", "higher_is") or value}
    if entry.get("categories"):
        entry["categories"] = recoding.lines(entry["categories"])
    if "days" in of:
        span = of["days"]
        flat = {"what": "days", "first": span["from"], "last": span["to"], "span": of.get("unit", "days")}
    elif "change" in of:
        flat = {"what": "change", "change": of["change"], "from": of.get("from", "preop")}
    elif "events" in of:
        flat = {"what": "events", **of}
    elif "repeat" in of:
        more = {"dated": of["dated"]} if of.get("dated") else {}
        choice = ":".join(filter(None, (of["repeat"], of.get("give", "any"), of.get("item"))))
        flat = {"what": "repeat", "repeat": choice} | more
    else:
        flat = {"what": "item", "item": of["item"]}
    return entry | flat


def _by_itself(name, of, categories):
    """The JSON of a variable of which nothing is said but what it is of and how it is cut; {} where that is not known
    without the rest of the plan."""
    try:
        data = {"name": name, "of": of} | ({"categories": categories} if categories else {})
        return declared.from_json(data, declared.Variables()).to_json()
    except Refused:
        return {}


VARIABLES = Kind(
    "variables",
    "var",
    _("Variables that you cut, collapse, name or work out"),
    _("Another variable"),
    Field("what", _("Made of"), CHOICE, (
        ("item", _("What is collected: cut, collapsed or named")),
        ("days", _("Days between two dates")),
        ("change", _("The change since a visit")),
        ("events", _("Complications")),
        ("repeat", _("Records of a repeating form")),
    )),
    (
        Field("item", _("What is collected"), CHOICE, "everything", of=("item",)),
        Field("first", _("From the date"), CHOICE, "dates", of=("days",)),
        Field("last", _("To the date"), CHOICE, "dates", of=("days",)),
        Field("span", _("Told in"), CHOICE, tuple(declared.UNIT_LABELS.items()), "days", ("days",)),
        Field("change", _("Change of"), CHOICE, "scales", of=("change",)),
        Field("from", _("Since"), CHOICE, "visits", "preop", ("change",)),
        Field("events", _("Which complications; none for any"), SEVERAL, "events", of=("events",)),
        Field("grade", _("Of at least the grade"), CHOICE, "grades", of=("events",)),
        Field("first_day", _("From day"), NUMBER, of=("events",)),
        Field("last_day", _("Until day"), NUMBER, of=("events",)),
        Field("give", _("What of them"), CHOICE, (
            ("any", _("whether there was one")), ("count", _("how many")), ("day", _("the day of the first"))),
            "any", ("events",)),
        Field("repeat", _("What of the records"), CHOICE, "repeats", of=("repeat",)),
        Field("dated", _("Ordered by the date item"), TEXT, of=("repeat",)),
        Field("categories", _("Categories"), LINES),
        Field("kind", _("Kind, if not its own"), CHOICE,
              tuple((kind, sources.KIND_LABELS[kind]) for kind in sources.KINDS if kind != sources.DATE)),
        Field("unit", _("Unit, if not its own"), TEXT),
        Field("decimals", _("Decimals, if not its own"), NUMBER),
        Field("higher_is", _("Higher is, if not its own"), CHOICE, (("better", _("better")), ("worse", _("worse")))),
    ),
    lambda values: None,
    _to_of,
    _from_of,
    code_key="name",
    title_key="label",
    hint=_("One category a line: its name, a colon, and the codes it holds (A–C: A, B, C), or of a number a range "
           "(under 50: <50; 50 to 69: 50-70; 70 and over: >=70). A Japanese name follows a vertical bar. What no "
           "category holds is unknown. “Check” puts the variable into the lists, where its visits are chosen."),
    most=40,
    short=_("Variable"),
)  # fmt: skip

# Settings of the whole plan, and the tables of the segment study.

MAIN_VALUE_SET = value_sets.DEFAULT
_VALUE_SETS = tuple((value_set.code, value_set.label) for value_set in value_sets.ALL)
OF_RULE = "rule of segments: "  # before an option of the rule, one of which has the name of a part of the plan
NONE = "none"  # in place of a further test
_DEFAULTS = {part.name: part.default for part in parts_of(plans.Plan)}
_TESTS = tuple(place for place in PARTS if place.startswith(("overall", "pairwise", "before_after", "second")))


def _tests(place):
    none = ((NONE, _("none")),) if place.startswith("second") else ()
    return (*none, *((test.code, test.label) for test in plans.tests_for(place)))


def _pairs(some):
    return tuple((variable.name, variable.label) for variable in some)


OF_PLAN = (
    Field("plan_version", PARTS["version"], TEXT, default="1", key="version"),
    Field("plan_as_of", PARTS["as_of"], TEXT, key="as_of"),
    Field("plan_alpha", PARTS["alpha"], NUMBER, default=0.05, key="alpha"),
    Field("plan_baseline", PARTS["baseline"], CHOICE, "schedule", "preop", key="baseline"),
    Field("plan_followups", PARTS["followups"], SEVERAL, "schedule", ["1m"], key="followups"),
    Field("plan_value_set", _("EQ-5D-5L value set"), CHOICE, _VALUE_SETS, MAIN_VALUE_SET, key="value_set"),
    Field("plan_value_sets", _("Further value sets"), SEVERAL, _VALUE_SETS, key="value_sets"),
    *(Field(f"plan_{rule}", label, CHOICE, tuple((code, RULE_CHOICES.get(code, code)) for code in levels.OPTIONS[rule]),
            getattr(levels.DEFAULT_RULE, rule), key=OF_RULE + rule) for rule, label in RULES.items()),
)  # fmt: skip
TABLES_OF_STUDY = (
    Field("plan_characteristics", PARTS["characteristics"], SEVERAL, _pairs(variables.CHARACTERISTICS),
          key="characteristics"),
    Field("plan_outcomes", PARTS["outcomes"], SEVERAL, _pairs(variables.OUTCOMES), key="outcomes"),
    Field("plan_deltas", PARTS["deltas"], SEVERAL,
          _pairs(outcome for outcome in variables.OUTCOMES if outcome.kind == "continuous"), key="deltas"),
    Field("plan_events", PARTS["events"], SEVERAL, _pairs(variables.EVENTS), key="events"),
    Field("plan_domains", PARTS["domains"], SEVERAL, _pairs(variables.DOMAINS), key="domains"),
    Field("plan_reports", PARTS["reports"], SEVERAL, tuple(
        (code, label) for code, label in zip(plans.REPORTS, (
            _("Figures"), _("Survival"), _("EQ-5D-5L answers"), _("Levels of the lesions"), _("SINS by procedure")),
            strict=True)), key="reports"),
    *(Field(f"plan_{place}", PARTS[place], CHOICE, _tests(place), _DEFAULTS[place], key=place) for place in _TESTS),
    Field("plan_adjust", PARTS["adjust"], CHOICE, tuple(methods.ADJUSTMENTS.items()), _DEFAULTS["adjust"],
          key="adjust"),
)  # fmt: skip
ARMS = (
    Field("arm_a", _("Arm A"), SEVERAL, "levels_of_arms"),
    Field("arm_b", _("Arm B"), SEVERAL, "levels_of_arms"),
)
