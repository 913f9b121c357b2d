"""The fields by which a plan's page asks endpoints, models, quality of life, transitions and how patients are matched.

A Kind of section is declared once: its fields make the form, the JSON of an entry, and the choices of that JSON again.
A field that is as by default is left out of the JSON, as the plan itself leaves it out.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from django.utils.translation import gettext_lazy as _

from registry.analysis.design.errors import refusal
from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.variables import sources
from registry.analysis.sections.showing import texts
from registry.instruments.base import Label, half_width_number

MOST = 12  # of a kind of section, on the page
CHOICE, SEVERAL, NUMBER, NUMBERS, CODES, TICK, TEXT = "choice", "several", "number", "numbers", "codes", "tick", "text"


@dataclass(frozen=True)
class Field:
    """A field of an entry: `options` are (code, Label or lazy text) pairs, or what the page offers under that name.

    key      its name in the JSON, `name` where it is the same
    default  what the plan takes where the JSON has nothing
    of       the kinds of entry that have it; () for all
    """

    name: str
    label: object
    kind: str
    options: tuple | str = ()
    default: object = ""
    of: tuple = ()
    key: str = ""

    def taken(self, given, kind):
        """(whether it stands in the JSON, value) of what was typed."""
        if self.of and kind not in self.of:  # hidden: what was typed before another kind was chosen is not read
            return False, None
        value = READ[self.kind](given)
        return value not in ("", []) and value is not False and value != self.default, value

    def typed(self, value):
        """What is typed to have a value of the JSON."""
        return WRITTEN[self.kind](value)


def number(text):
    """12 or 0.2 as typed. Refused says what is no number."""
    text = half_width_number(unicodedata.normalize("NFKC", text).replace("−", "-").strip())
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise refusal(
            "“{text}” is no number; such as 12 or 0.2",
            "「{text}」は数値ではありません。12や0.2のように入力してください",
            text=text,
        )
    return float(text) if "." in text else int(text)


def whole(text):
    """A whole number as typed. Refused says what is none."""
    value = number(text)
    if value != int(value):
        raise refusal(
            "“{text}” is no whole number; such as 30",
            "「{text}」は整数ではありません。30のように入力してください",
            text=text,
        )
    return int(value)


def numbers(text):
    return [number(part) for part in re.split(r"[,\s、]+", text.strip()) if part]


def reference(text):
    """The JSON of a variable, perhaps at a visit: `kps`, or {"variable": "kps", "visit": "1m"} for `kps@1m`."""
    name, _at, visit = text.partition("@")
    return {"variable": name, "visit": visit} if visit else name


def written(reference):
    return reference if isinstance(reference, str) else f"{reference['variable']}@{reference['visit']}"


READ = {
    CHOICE: str,
    TEXT: lambda text: text.strip(),
    SEVERAL: lambda values: [reference(value) for value in values],
    NUMBER: lambda text: number(text) if text.strip() else "",
    NUMBERS: numbers,
    CODES: lambda text: [code for code in re.split(r"[,\s、]+", text.strip()) if code],
    TICK: bool,
}
WRITTEN = {
    CHOICE: str,
    TEXT: str,
    SEVERAL: lambda values: [written(value) for value in values],
    NUMBER: lambda value: f"{value:.15g}",
    NUMBERS: lambda values: ", ".join(f"{value:.15g}" for value in values),
    CODES: ", ".join,
    TICK: lambda value: "1" if value else "",
}
EMPTY: dict[str, list] = {SEVERAL: []}


@dataclass(frozen=True)
class Kind:
    """A kind of section on the page: `part` of the plan, `prefix` of its fields, and the field that says what it is.

    chosen   the field without which there is no entry; its name in the JSON
    titles   of each choice of it, where it has a declared list
    nested   (entry's JSON as typed) -> the plan's, and back, where these differ
    """

    part: str
    prefix: str
    label: object
    another: object
    chosen: Field
    fields: tuple
    title: Callable
    nested: Callable = lambda entry: entry
    flat: Callable = lambda entry: entry

    @property
    def all(self):
        return (self.chosen, *self.fields)

    def name(self, field, number):
        return f"{self.prefix}_{field}_{number}"

    def entries(self, given):
        """The JSON of every entry that was filled in, in its order."""
        found = (re.fullmatch(rf"{self.prefix}_what_(\d{{1,3}})", name) for name in given)
        numbers = sorted(int(match[1]) for match in found if match and given[match[0]])
        return [self._entry(given, number, code) for number, code in self._codes(given, numbers).items()]

    def _codes(self, given, numbers):
        """{number: code} of entries: that which is given, or the prefix with the first number from its own that no
        other entry has."""
        codes = {number: given.get(self.name("code", number), "") for number in numbers}
        for number in numbers:
            if not codes[number]:
                free = (f"{self.prefix}_{other}" for other in count(number))
                codes[number] = next(code for code in free if code not in codes.values())
        return codes

    def _entry(self, given, number, code):
        kind, entry = given[self.name("what", number)], {"code": code}
        values = {self.chosen.key: kind}
        for field in self.fields:
            stands, value = field.taken(given.get(self.name(field.name, number), EMPTY.get(field.kind, "")), kind)
            if stands:
                values[field.key or field.name] = value
        title = {end: given.get(self.name(f"title_{end}", number), "").strip() for end in ("en", "ja")}
        by_itself = self.title(values)
        told = {"en": title["en"] or by_itself.en, "ja": title["ja"] or title["en"] or by_itself.ja}
        return self.nested(entry | {"title": told} | values)

    def choices(self, entries):
        """The fields that make these entries. KeyError for one that has more than the page asks."""
        given = {}
        for number, entry in enumerate(entries, 1):
            flat = dict(self.flat(dict(entry)))
            given[self.name("code", number)] = flat.pop("code")
            title, by_itself = flat.pop("title"), self.title(flat)
            if title != {"en": by_itself.en, "ja": by_itself.ja}:
                given |= {self.name(f"title_{end}", number): title[end] for end in ("en", "ja")}
            given[self.name("what", number)] = flat.pop(self.chosen.key)
            for field in self.fields:
                if (field.key or field.name) in flat:
                    given[self.name(field.name, number)] = field.typed(flat.pop(field.key or field.name))
            if flat:
                raise KeyError(*flat)
        return given


MATCHED = Field("matched", _("Of the matched or weighted patients alone"), TICK)
COVARIATES = Field("covariates", _("Covariates"), SEVERAL, "covariates")
NO_ADJUST = [(code, label) for code, label in ADJUSTMENTS.items() if code in ("none", "bonferroni", "holm")]


def _of_matched(entry):
    return entry | {"matched": "matched"} if entry.get("matched") else entry


def _to_matched(entry):
    if entry.get("matched", "matched") != "matched":
        raise KeyError("matched")
    return entry


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
              (*NO_ADJUST, ("tukey", Label("Tukey's correction", "Tukey補正"))), "none", ("ancova", "repeated")),
        MATCHED,
    ),
    lambda values: _named(_OF_MODELS[values["model"]], values.get("outcome", "")),
    _of_matched,
    _to_matched,
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
        Field("variable", _("Which score"), CHOICE, "items"),
        Field("visits", _("Visits, the first to compare with"), SEVERAL, "visits"),
        Field("horizon", _("Horizon, months"), NUMBER, of=("qaly",)),
        Field("gaps", _("Gaps between known values"), CHOICE, tuple(texts.GAPS.items()), "linear", ("qaly",)),
        Field("threshold", _("Least important change"), NUMBER, of=("responders",)),
        Field("dead", _("Value of the dead"), NUMBER, default=0, of=("course",)),
        MATCHED,
    ),
    lambda values: _named(_OF_QUALITY[values["measure"]], values.get("variable", "")),
    _of_matched,
    _to_matched,
)  # fmt: skip

TRANSITIONS = Kind(
    "transitions",
    "transition",
    _("Transitions of a grade"),
    _("Another transition"),
    Field("what", _("Which grade"), CHOICE, "items", key="variable"),
    (
        Field("before", _("Before, at"), CHOICE, "visits"),
        Field("after", _("After, at"), CHOICE, "visits"),
        MATCHED,
    ),
    lambda values: _named(("Transitions", "推移"), values["variable"]),
    _of_matched,
    _to_matched,
)  # fmt: skip

TIMES = [12, 24, 60]
OF_EVENT = {
    "adverse_event": ("of", "grade"),
    "date": ("variable",),
    "reached": ("variable", "visits", "at_least", "at_most"),
}


def _to_event(entry):
    """The typed fields of an event put into the `event` of an endpoint, and death among the competing ones."""
    kind = entry.pop("event")
    event = {"kind": kind} | {name: entry.pop(name) for name in OF_EVENT.get(kind, ()) if name in entry}
    competing = {"competing": [{"kind": "death"}]} if entry.pop("competing", False) else {}
    return _of_matched(entry | {"event": [event]} | competing)


def _from_event(entry):
    (event,) = entry.pop("event", [{"kind": "death"}])
    event, competing = dict(event), entry.pop("competing", [])
    if competing not in ([], [{"kind": "death"}]):
        raise KeyError("competing")
    return _to_matched(entry) | {"event": event.pop("kind"), "competing": bool(competing)} | event


_OF_EVENTS: dict[str, tuple[str, str]] = {
    "death": ("Survival", "生存"),
    "adverse_event": ("Time to a complication", "合併症までの期間"),
    "date": ("Time to the event", "イベントまでの期間"),
    "reached": ("Time to the limit of a score", "スコアの基準到達までの期間"),
}

ENDPOINTS = Kind(
    "endpoints",
    "endpoint",
    _("Time to an event"),
    _("Another endpoint"),
    Field("what", _("What the event is"), CHOICE, (
        ("death", _("death")),
        ("adverse_event", _("A complication")),
        ("date", _("A date that is collected")),
        ("reached", _("A score that reaches a limit")),
    ), key="event"),
    (
        Field("events", _("Which complications; none for any"), SEVERAL, "events", of=("adverse_event",), key="of"),
        Field("grade", _("Of at least the grade"), CHOICE, "grades", of=("adverse_event",)),
        Field("variable", _("Date or score"), CHOICE, "everything", of=("date", "reached")),
        Field("visits", _("At these visits"), SEVERAL, "visits", of=("reached",)),
        Field("at_least", _("At least"), NUMBER, of=("reached",)),
        Field("at_most", _("At most"), NUMBER, of=("reached",)),
        Field("competing", _("Death is a competing event"), TICK, of=("adverse_event", "date", "reached")),
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
)  # fmt: skip
KINDS = (ENDPOINTS, MODELS, QUALITY, TRANSITIONS)

# How patients are matched or weighted: one entry, whose fields have no number.
PROPENSITY = (
    Field("ps_method", _("Matched or weighted"), CHOICE, (
        ("matching", _("Matching")), ("weighting", _("Weighting"))), "matching", key="method"),
    Field("ps_estimand", _("Weights for"), CHOICE, (
        ("ate", _("all patients (ATE, inverse probability)")), ("att", _("those treated (ATT)")),
        ("atc", _("the controls (ATC)")), ("overlap", _("those who could have had either (overlap)"))),
        "ate", ("weighting",), key="estimand"),
    Field("ps_ratio", _("Controls for each patient"), NUMBER, default=1, of=("matching",), key="ratio"),
    Field("ps_on", _("Nearest by"), CHOICE, tuple(texts.SCALES.items()), "score", ("matching",), key="on"),
    Field("ps_order", _("Who chooses first"), CHOICE, tuple(texts.ORDERS.items()), "largest", ("matching",),
          key="order"),
    Field("ps_seed", _("Seed of the random order"), NUMBER, default=0, of=("matching",), key="seed"),
    Field("ps_exact", _("Exactly alike in"), SEVERAL, "covariates", of=("matching",), key="exact"),
    Field("ps_replace", _("A control may be used again"), TICK, of=("matching",), key="replace"),
)  # fmt: skip


def asks(part, visit):
    """Whether entries name a visit."""
    if isinstance(part, dict):
        return any(visit in (part.get(name), *_listed(part.get(name))) for name in VISITS) or any(
            asks(inner, visit) for inner in part.values()
        )
    return isinstance(part, list) and any(asks(inner, visit) for inner in part)


VISITS = ("visits", "visit", "baseline", "before", "after")


def _listed(value):
    return value if isinstance(value, list) else ()


def propensity(given):
    """The JSON of how patients are matched or weighted, without what is as by default."""
    kind, told = given.get("ps_method") or "matching", {}
    for field in PROPENSITY:
        stands, value = field.taken(given.get(field.name, EMPTY.get(field.kind, "")), kind)
        if stands:
            told[field.key] = value
    return told


def of_propensity(entry):
    return {field.name: field.typed(entry[field.key]) for field in PROPENSITY if field.key in entry}


def _several_of(kind):
    return "|".join(f"{kind.prefix}_{field.name}_\\d+" for field in kind.fields if field.kind == SEVERAL)


SEVERAL_NAMES = re.compile(
    "|".join((*filter(None, map(_several_of, KINDS)), *(field.name for field in PROPENSITY if field.kind == SEVERAL)))
)
