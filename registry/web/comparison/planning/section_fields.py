"""Fields of a plan's sections: endpoints with their events, models, quality of life, transitions, propensity, tables
and their rows, each a `fields.Kind`.
"""

from django.utils.translation import gettext_lazy as _

from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.variables import sources
from registry.analysis.sections.comparing import comparison_tests
from registry.analysis.sections.propensity.declaration import TESTS as PAIR_TESTS
from registry.analysis.sections.showing import texts
from registry.instruments.base import Label
from registry.web.comparison.planning.fields import (
    CHOICE,
    CODES,
    NUMBER,
    NUMBERS,
    SEVERAL,
    TICK,
    Field,
    Kind,
)

MATCHED = Field("matched", _("Of the matched or weighted patients alone"), CHOICE, "scores")
COVARIATES = Field("covariates", _("Covariates"), SEVERAL, "covariates")
NO_ADJUST = [(code, label) for code, label in ADJUSTMENTS.items() if code in ("none", "bonferroni", "holm")]


def _named(what, variable):
    """A title such as “Responders: Pain (VAS)”."""
    try:
        label = sources.get(variable).label
    except ValueError:  # one of the plan's own, or one that the plan refuses
        label = Label(variable, variable)
    return Label("{what}: {variable}", "{what}：{variable}").format(what=Label(*what), variable=label)


_OF_MODELS: dict[str, tuple[str, str]] = {
    "ancova": ("Analysis of covariance", "共分散分析"),
    "logistic": ("Logistic regression", "ロジスティック回帰"),
    "repeated": ("Repeated measures", "反復測定"),
}

MODELS = Kind(
    "models",
    "model",
    _("Models of an outcome"),
    _("Another model"),
    Field("what", _("Kind of model"), CHOICE, (
        ("ancova", _("Analysis of covariance: one visit, given the value before")),
        ("logistic", _("Logistic regression of two outcomes")),
        ("repeated", _("Repeated measures: a mixed model of several visits")),
    ), key="model"),
    (
        Field("outcome", _("What is modelled"), CHOICE, "items"),
        Field("visits", _("At these visits"), SEVERAL, "visits"),
        Field("baseline", _("Value before, at"), CHOICE, "visits"),
        Field("event", _("Codes that count as the event"), CODES, of=("logistic",)),
        COVARIATES,
        Field("structure", _("Covariance of a patient's visits"), CHOICE, tuple(texts.STRUCTURES.items()),
              "unstructured", ("repeated",)),
        Field("degrees", _("Degrees of freedom"), CHOICE, tuple(texts.DEGREES.items()), "satterthwaite", ("repeated",)),
        Field("adjust", _("Correction for several pairs"), CHOICE,
              (*NO_ADJUST, ("tukey", Label("Tukey's correction", "Tukey補正"))), "none"),
        MATCHED,
    ),
    lambda values: _named(_OF_MODELS[values["model"]], values.get("outcome", "")),
    short=_("Model"),
)  # fmt: skip

_OF_QUALITY: dict[str, tuple[str, str]] = {
    "qaly": ("QALYs", "QALY"),
    "course": ("Course", "経過"),
    "responders": ("Responders", "レスポンダー"),
}

QUALITY = Kind(
    "qol",
    "qol",
    _("Quality of life over time"),
    _("Another measure over time"),
    Field("what", _("What is told"), CHOICE, (
        ("qaly", _("QALYs: the area under a utility, death = 0")),
        ("course", _("Means without and with the dead")),
        ("responders", _("Responders by a least important change (MCID)")),
    ), key="measure"),
    (
        Field("variable", _("Which score"), CHOICE, "scales"),
        Field("visits", _("Visits, the first to compare with"), SEVERAL, "visits"),
        Field("horizon", _("Horizon, months"), NUMBER, of=("qaly",)),
        Field("gaps", _("Gaps between known values"), CHOICE, tuple(texts.GAPS.items()), "linear", ("qaly",)),
        Field("threshold", _("Least important change"), NUMBER, of=("responders",)),
        Field("dead", _("Value of the dead"), NUMBER, default=0, of=("course",)),
        MATCHED,
    ),
    lambda values: _named(_OF_QUALITY[values["measure"]], values.get("variable", "")),
    short=_("Measure"),
)  # fmt: skip

TRANSITIONS = Kind(
    "transitions",
    "transition",
    _("Transitions of a grade"),
    _("Another transition"),
    Field("what", _("Which grade"), CHOICE, "grades_at_visits", key="variable"),
    (
        Field("before", _("Before, at"), CHOICE, "visits"),
        Field("after", _("After, at"), CHOICE, "visits"),
        MATCHED,
    ),
    lambda values: _named(("Transitions", "推移"), values["variable"]),
    short=_("Transition"),
)  # fmt: skip

TIMES = [12, 24, 60]
WHAT_EVENT = Field("what", _("What the event is"), CHOICE, (
    ("death", _("death")),
    ("adverse_event", _("A complication")),
    ("date", _("A date that is collected")),
    ("days", _("A number of days after surgery")),
    ("reached", _("A score that reaches a limit")),
), key="event")  # fmt: skip
OF_EVENT = (
    Field("events", _("Which complications; none for any"), SEVERAL, "events", of=("adverse_event",), key="of"),
    Field("grade", _("Of at least the grade"), CHOICE, "grades", of=("adverse_event",)),
    Field("variable", _("Date, days or score"), CHOICE, "everything", of=("date", "days", "reached")),
    Field("had", _("Whether it happened, where its day is not known"), CHOICE, "items", of=("date",)),
    Field("visits", _("At these visits"), SEVERAL, "visits", of=("reached",)),
    Field("at_least", _("At least"), NUMBER, of=("reached",)),
    Field("at_most", _("At most"), NUMBER, of=("reached",)),
    Field("in", _("Or one of these codes"), CODES, of=("reached",)),
)
PARTS_OF_EVENT = tuple(field.part for field in OF_EVENT)


def _to_event(entry):
    """The typed fields of an event put into the `event` of an endpoint, and death among the competing ones."""
    event = {"kind": entry.pop("event")} | {name: entry.pop(name) for name in PARTS_OF_EVENT if name in entry}
    competing = {"competing": [{"kind": "death"}]} if entry.pop("competing", False) else {}
    return entry | {"event": [event]} | competing


def _from_event(entry):
    """An endpoint of one event, as it is typed; `plan_choices` takes further ones away first."""
    (event,) = entry.pop("event", [{"kind": "death"}])
    event, competing = dict(event), entry.pop("competing", [])
    return entry | {"event": event.pop("kind"), "competing": bool(competing)} | event


_OF_EVENTS: dict[str, tuple[str, str]] = {
    "death": ("Survival", "生存"),
    "adverse_event": ("Time to a complication", "合併症までの期間"),
    "date": ("Time to the event", "イベントまでの期間"),
    "days": ("Time to the event", "イベントまでの期間"),
    "reached": ("Time to the limit of a score", "スコアの基準到達までの期間"),
}

ENDPOINTS = Kind(
    "endpoints",
    "endpoint",
    _("Time to an event"),
    _("Another endpoint"),
    WHAT_EVENT,
    (
        *OF_EVENT,
        Field("competing", _("Death is a competing event"), TICK, of=("adverse_event", "date", "days", "reached")),
        Field("landmark", _("Time counts from day"), NUMBER, default=0),
        Field("times", _("Rates at these months"), NUMBERS, default=TIMES),
        Field("horizon", _("Restricted mean up to month"), NUMBER),
        Field("tests", _("Tests beside the log-rank test"), SEVERAL, (
            ("trend", _("for trend")), ("stratified", _("stratified")))),
        Field("strata", _("Strata"), SEVERAL, "covariates"),
        Field("covariates", _("Covariates of a Cox model (ties by Efron)"), SEVERAL, "covariates"),
        Field("subgroups", _("Told again within each of"), SEVERAL, "covariates"),
        MATCHED,
    ),
    lambda values: Label(*_OF_EVENTS[values["event"]]),
    _to_event,
    _from_event,
    short=_("Endpoint"),
)  # fmt: skip
EVENTS = Kind(
    "events",
    "event",
    _("Further events of an endpoint: the first of them counts, or they compete with it"),
    _("Another event"),
    WHAT_EVENT,
    (
        Field("endpoint", _("Number of the endpoint above"), NUMBER, default=1),
        Field("role", _("How it counts"), CHOICE, (
            ("event", _("It is the endpoint too (composite)")), ("competing", _("It is a competing event"))),
            "event"),
        *OF_EVENT,
    ),
    None,
    lambda entry: {"kind": entry.pop("event"), **entry},
    lambda entry: {"event": entry.pop("kind"), **entry},
    code_key="",
    title_key="",
    short=_("Event"),
)  # fmt: skip

PROPENSITY = Kind(
    "propensity",
    "ps",
    _("Matching and weighting by a propensity score"),
    _("Another score"),
    Field("what", _("Matched or weighted"), CHOICE, (
        ("matching", _("Matching")), ("weighting", _("Weighting"))), key="method"),
    (
        Field("treated", _("Group that is matched, the first if not chosen"), CHOICE, "groups"),
        Field("control", _("Group of the controls, the second if not chosen"), CHOICE, "groups"),
        Field("covariates", _("Covariates of the score"), SEVERAL, "covariates"),
        Field("estimand", _("Weights for"), CHOICE, (
            ("ate", _("all patients (ATE, inverse probability)")), ("att", _("those treated (ATT)")),
            ("atc", _("the controls (ATC)")), ("overlap", _("those who could have had either (overlap)"))),
            "ate", ("weighting",)),
        Field("ratio", _("Controls for each patient"), NUMBER, default=1, of=("matching",)),
        Field("caliper", _("Caliper"), NUMBER, of=("matching",)),
        Field("caliper_unit", _("Unit of the caliper"), CHOICE, (
            ("score", _("that of the score itself")), ("sd", _("standard deviations of the score"))),
            "score", ("matching",)),
        Field("on", _("Nearest by"), CHOICE, tuple(texts.SCALES.items()), "score", ("matching",)),
        Field("order", _("Who chooses first"), CHOICE, tuple(texts.ORDERS.items()), "largest", ("matching",)),
        Field("seed", _("Seed of the random order"), NUMBER, default=0, of=("matching",)),
        Field("exact", _("Exactly alike in"), SEVERAL, "covariates", of=("matching",)),
        Field("replace", _("A control may be used again"), TICK, of=("matching",)),
        Field("continuous", _("Test of pairs of a number"), CHOICE,
              tuple((code, comparison_tests.ALL_TESTS[code].label) for code in PAIR_TESTS[:3]), "paired_t",
              ("matching",)),
        Field("denominator", _("Standard deviation of the differences in balance"), CHOICE, (
            ("pooled", _("of both groups")), ("treated", _("of those treated")), ("control", _("of the controls"))),
            "pooled"),
        Field("ticked", _("Compare them in what is ticked above after surgery, too"), TICK),
    ),
    lambda values: Label("Matched by propensity", "傾向スコアマッチング")
    if values["method"] == "matching"
    else Label("Weighted by propensity", "傾向スコアによる重み付け"),
    short=_("Score"),
)  # fmt: skip

FAMILIES = (("row", _("the pairs of each row")), ("section", _("the whole table")))
SENSITIVITY = (("complete_cases", _("Complete cases")), ("worst_rank", _("The dead ranked worst")))

TABLES = Kind(
    "comparisons",
    "table",
    _("Tables of your own"),
    _("Another table"),
    Field("what", _("What is compared"), CHOICE, (
        ("between", _("Groups with each other")), ("within", _("Before and after, within each group"))), key="kind"),
    (
        MATCHED,
        Field("adjust", _("Correction for several tests"), CHOICE, tuple(ADJUSTMENTS.items()), "none"),
        Field("family", _("Over"), CHOICE, FAMILIES, "row"),
        Field("sensitivity", _("Sensitivity"), SEVERAL, SENSITIVITY),
        Field("confidence", _("Confidence of the intervals"), NUMBER, default=0.95),
        Field("interval", _("Intervals of proportions"), CHOICE, (
            ("wilson", Label("Wilson", "Wilson法")),
            ("clopper_pearson", Label("Clopper–Pearson", "Clopper-Pearson法"))),
            "wilson"),
        Field("exploratory", _("Its numbers are exploratory"), TICK),
    ),
    lambda values: Label("Comparisons", "比較")
    if values["kind"] == "between"
    else Label("Before and after", "前後比較"),
    short=_("Table"),
)  # fmt: skip


def _of_visits(entry):
    """A row of one visit names it as `visit`."""
    visits = entry.pop("visits", [])
    return entry | ({"visit": visits[0]} if len(visits) == 1 else {"visits": visits} if visits else {})


def _to_visits(entry):
    visits = entry.pop("visits", None) or [entry.pop("visit", "")]
    entry.pop("visit", None)
    return entry | ({"visits": visits} if any(visits) else {})


ROWS = Kind(
    "rows",
    "row",
    _("Rows with a test of their own, and rows of your tables"),
    _("Another row"),
    Field("what", _("What is compared"), CHOICE, "everything", key="variable"),
    (
        Field("visits", _("At these visits"), SEVERAL, "visits"),
        Field("table", _("In which table"), CHOICE, "tables"),
        Field("test", _("Test"), CHOICE, "tests"),
        Field("effect", _("Effect that is told"), CHOICE, "effects"),
        Field("pairwise", _("Test of two groups at a time"), CHOICE, "pairwise"),
        Field("from", _("Before and after: since"), CHOICE, "visits"),
    ),
    None,
    _of_visits,
    _to_visits,
    code_key="",
    title_key="",
    hint=_("A row without a table is one that is ticked above, or is put with those: its test stands in place of the "
           "usual one."),
    most=100,
    short=_("Row"),
)  # fmt: skip

VISITS = ("visits", "visit", "baseline", "before", "after", "from")


def asks(part, visit):
    """Whether entries name a visit."""
    if isinstance(part, dict):
        return any(visit in (part.get(name), *_listed(part.get(name))) for name in VISITS) or any(
            asks(inner, visit) for inner in part.values()
        )
    return isinstance(part, list) and any(asks(inner, visit) for inner in part)


def _listed(value):
    return value if isinstance(value, list) else ()
