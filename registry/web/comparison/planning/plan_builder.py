"""A plan put together on a page: what was chosen becomes the plan's JSON, and back again.

`compiled` is the only way from choices to a plan. `choices_of` finds the choices of a plan that was made so; a plan
with more in it than the page asks is edited as JSON.
"""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from registry.analysis.design import cohorts, plans, saved_cohorts
from registry.analysis.design.groupings import EVERYBODY
from registry.analysis.design.named_groups import NAMED
from registry.analysis.design.sections import SECTIONS
from registry.analysis.design.variables import sources
from registry.instruments import timepoints
from registry.instruments.base import Label
from registry.instruments.core import adverse_events
from registry.models import SavedCohort
from registry.web.comparison.planning import recoding, repeated, section_fields
from registry.web.shared.lookup import number_in

MOST_GROUPS = 12
SHOWN_GROUPS = 3  # at first; a button shows another
SEGMENTS = "segment_group"
ANY = "any"
LAST = {"code": "last", "label": {"en": "Last visit", "ja": "最終来院"}, "take": "last"}
BASELINE = {"code": "baseline", "title": {"en": "Before surgery", "ja": "術前"}}
OUTCOMES = {"code": "outcomes", "title": {"en": "Outcomes", "ja": "転帰"}}
EVENTS = {"code": "events", "title": {"en": "Complications", "ja": "合併症"}}
CHANGES = {"code": "changes", "title": {"en": "Before and after, within groups", "ja": "群内の前後比較"}}
SURVIVAL = {"code": "survival", "title": {"en": "Survival from surgery", "ja": "手術からの生存"}}
MATCHED = {"code": "matched", "title": {"en": "Matched by propensity", "ja": "傾向スコアマッチング"}}
PAIRS = {"code": "pairs", "title": {"en": "Between the matched", "ja": "マッチした患者の比較"}, "matched": "matched"}


@dataclass(frozen=True)
class Template:
    """A kind of study to start from: what of the page is chosen already."""

    code: str
    label: object
    about: object
    choices: dict = field(default_factory=dict)


TEMPLATES = (
    Template("two_arms", _("Two arms"), _("Groups that you name, compared before surgery and at each visit."),
             {"grouping": NAMED, "sensitivity": ["complete_cases"]}),
    Template("matched", _("Matched cohorts"),
             _("Two groups matched by a propensity score, with balance and paired tests."),
             {"grouping": NAMED, "propensity": "1"}),
    Template("before_after", _("Before and after"), _("One group, each patient the own control."),
             {"grouping": EVERYBODY, "within": "1"}),
    Template("survival", _("Survival"), _("Kaplan–Meier curves, rates and hazard ratios of named groups."),
             {"grouping": NAMED, "survival": "1", "times": "12, 24"}),
)  # fmt: skip


def visits():
    """(code, Label) of the columns of the grid: every visit of the schedule, then the last one known."""
    return [(visit.code, visit.label) for visit in timepoints.planned()] + [(LAST["code"], _label(LAST["label"]))]


def _label(both):
    return Label(both["en"], both["ja"])


def compiled(given):
    """The JSON of the plan that these choices make. `given` has lists under `cells`, `events`, `repeats`,
    `sensitivity`, `covariates` and `levels_N`, texts otherwise. ValueError where a text is no number."""
    own = [variable for number in numbers_of(given, "item") if (variable := recoding.variable_of(given, number))]
    offered = sources.offered() | recoding.kinds(own)
    cells = [_cell(text) for text in given.get("cells", ())]
    plan = {"name": given.get("name") or "plan", "note": given.get("note", ""), "grouping": given["grouping"]}
    if given["grouping"] == NAMED:
        plan["named"] = [group for number in numbers_of(given, "name") if (group := _group(given, number))]
    entries = {kind.part: kind.entries(given) for kind in section_fields.KINDS}
    if any(visit == LAST["code"] for _name, visit in cells) or section_fields.asks(entries, LAST["code"]):
        plan["visits"] = [LAST]
    comparisons = list(_comparisons(given, cells, offered))
    if comparisons:
        plan["comparisons"] = comparisons
    events = [_event(kind, given.get("within_days")) for kind in given.get("events", ())]
    if declared := [*own, *events, *map(repeated.variable_of, given.get("repeats", ()))]:
        plan["variables"] = declared
    plan |= {part: told for part, told in entries.items() if told}
    if given.get("survival"):
        survival = SURVIVAL | {
            "event": [{"kind": "death"}],
            "times": section_fields.numbers(given.get("times") or "12"),
        }
        plan["endpoints"] = [survival, *plan.get("endpoints", ())]
    if given.get("propensity"):
        plan["propensity"] = [_propensity(given, cells, plan.get("named", []))]
    return plan


def numbers_of(given, part):
    """Numbers of the repeated fields of a part of the page, such as `name_1`, ascending."""
    found = (re.fullmatch(rf"(?:{part})_(\d{{1,3}})", name) for name in given)
    return sorted(int(match[1]) for match in found if match)


def _cell(text):
    name, _at, visit = text.partition("@")
    return name, visit


def _comparisons(given, cells, offered):
    one_group = given["grouping"] == EVERYBODY
    before = [cell for cell in cells if cell[1] in ("", "preop")]
    after = [cell for cell in cells if cell not in before]
    options = {"adjust": given.get("adjust") or "none", "family": given.get("family") or "row"}
    if before:
        yield BASELINE | {"rows": [_row(given, cell, offered) for cell in before]}
    if after and not one_group:
        rows = {"rows": [_row(given, cell, offered) for cell in after]}
        yield OUTCOMES | options | {"sensitivity": list(given.get("sensitivity", ()))} | rows
    if given.get("events"):
        rows = [_test_of(given, "binary") | {"variable": _event_name(kind)} for kind in given["events"]]
        yield EVENTS | {"rows": rows}
    if given.get("repeats"):
        yield repeated.SECTION | {"rows": [{"variable": repeated.variable_of(one)["name"]} for one in given["repeats"]]}
    if given.get("within") and after:
        rows = [{"variable": name, "visit": visit} for name, visit in after if offered[name].kind != sources.DATE]
        yield CHANGES | {"kind": "within", "rows": rows}
    if given.get("propensity") and given.get("pairs") and cells:
        rows = [{"variable": name} | ({"visit": visit} if visit else {}) for name, visit in cells]
        yield PAIRS | {"rows": rows}


def _row(given, cell, offered):
    name, visit = cell
    kind = offered[name].kind if name in offered else ""
    return {"variable": name} | ({"visit": visit} if visit else {}) | _test_of(given, kind)


def _test_of(given, kind):
    chosen = {"test": given.get(f"test_{kind}"), "effect": given.get(f"effect_{kind}")}
    return {name: value for name, value in chosen.items() if value}


def _event_name(kind):
    return f"ae_{kind}"[:40]


def _event(kind, days):
    of = {"events": [] if kind == ANY else [kind], "give": "any"}
    if days:
        of |= {"first_day": 0, "last_day": section_fields.whole(days)}
    return {"name": _event_name(kind), "of": of}


def _group(given, number):
    """A named group of the page; None where nothing of it was filled in."""
    name, japanese = ((given.get(f"{part}_{number}") or "").strip() for part in ("name", "ja"))
    levels, cohort = given.get(f"levels_{number}", ()), given.get(f"cohort_{number}")
    if not (name or levels or cohort):
        return None
    steps = [{"step": step.code, **step.parameters} for step in _steps_of(cohort)] if cohort else []
    by_variable = {}
    for level in levels:
        variable, _colon, code = level.rpartition("=")
        by_variable.setdefault(variable, []).append(code)
    steps += [{"step": "category", "variable": variable, "values": codes} for variable, codes in by_variable.items()]
    return {
        "code": f"group_{number}",
        "label": {"en": name or f"Group {number}", "ja": japanese or name or f"第{number}群"},
        "steps": steps,
    }


def _steps_of(chosen):
    saved = SavedCohort.objects.filter(pk=number_in(chosen)).first()
    return saved_cohorts.cohort_of(saved).steps if saved else cohorts.get(chosen).steps


def _propensity(given, cells, named):
    codes = [group["code"] for group in named[:2]] or ["group_1", "group_2"]
    covariates = [
        {"variable": name, "visit": visit} if visit else name for name, visit in map(_cell, given.get("covariates", ()))
    ]
    after = [{"variable": name, "visit": visit} for name, visit in cells if visit not in ("", "preop")]
    entry = MATCHED | {"treated": codes[0], "control": codes[-1], "covariates": covariates, "outcomes": after}
    if given.get("caliper"):
        entry["caliper"] = float(section_fields.number(given["caliper"]))
        if given.get("ps_unit") != "score":
            entry["caliper_unit"] = "sd"
    return entry | section_fields.propensity(given)


def is_of_sections(plan):
    """Whether a plan's JSON has more than the tables of the segment study, so that this page and no other asks it."""
    return any(plan.get(part) for part in (*SECTIONS, "variables", "visits")) or plan.get("grouping") == EVERYBODY


def choices_of(plan):
    """What on the page makes this plan's JSON; None for a plan that the page cannot make."""
    try:
        given = _guessed(plan)
        again = compiled(given)
        if any(again.get(part) != _shape(plan, part) for part in _SHAPED) or _loses(plan, again) or _is_unseen(given):
            return None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return given


_OF_KINDS = tuple(kind.part for kind in section_fields.KINDS)
_SHAPED = ("grouping", "named", "visits", "variables", "comparisons", "propensity", *_OF_KINDS)
_OF_THE_FORM = {"name", "note", "version", *_SHAPED}  # what the page asks beside, or is compared by its shape


def _loses(plan, again):
    """Whether a part of a plan that the page does not ask, such as `as_of`, is another in what the page would make."""
    was, made = (plans.from_json(one).to_json() for one in (plan, again))
    return any(made.get(part) != was.get(part) for part in (made.keys() | was.keys()) - _OF_THE_FORM)


def _is_unseen(given):
    """Whether choices are among those that the page does not show: a browser would not send them back."""
    own = [variable for number in numbers_of(given, "item") if (variable := recoding.variable_of(given, number))]
    columns, cells = [code for code, _label in visits()], set()
    for name, source in (sources.offered() | recoding.kinds(own)).items():
        cells |= {f"{name}@{code}" for code in columns} if source.at_visit else {name}
    repeats = {choice for _title, choices in repeated.offered(()) for choice, _label, _chosen in choices}
    return (
        given["grouping"] not in (NAMED, SEGMENTS, EVERYBODY)
        or not cells - {"assessment_date"} >= set(given["cells"])
        or not repeats >= set(given["repeats"])
    )


def _shape(plan, part):
    """A part of a plan's JSON as the page writes it."""
    if part == "variables":
        return [recoding.shape(one) for one in plan.get(part, ())] or None
    if part == "endpoints":  # whose plan leaves out what is as by default
        return [_endpoint_shape(one) for one in plan.get(part, ())] or None
    return plan.get(part) or None


def _endpoint_shape(one):
    told = {"event": [{"kind": "death"}]} | one
    return told | {"times": section_fields.TIMES} if one["code"] == SURVIVAL["code"] and "times" not in one else told


def _guessed(plan):
    entries = {entry["code"]: entry for entry in plan.get("comparisons", ())}
    rows = [row for code in ("baseline", "outcomes") for row in entries.get(code, {}).get("rows", ())]
    if not rows and "changes" in entries:
        rows = entries["changes"]["rows"]
    given = {
        "name": plan["name"],
        "note": plan.get("note", ""),
        "grouping": plan["grouping"],
        "cells": [f"{row['variable']}@{row['visit']}" if row.get("visit") else row["variable"] for row in rows],
        "events": [row["variable"].removeprefix("ae_") for row in entries.get("events", {}).get("rows", ())],
        "repeats": [
            repeated.choice_of(variable) for variable in plan.get("variables", ()) if "repeat" in variable["of"]
        ],
        "sensitivity": entries.get("outcomes", {}).get("sensitivity", []),
        "adjust": entries.get("outcomes", {}).get("adjust", "none"),
        "family": entries.get("outcomes", {}).get("family", "row"),
        "within": "1" if "changes" in entries else "",
        "pairs": "1" if "pairs" in entries else "",
    }
    if plan["grouping"] == EVERYBODY and "changes" in entries:
        after = [f"{row['variable']}@{row['visit']}" for row in entries["changes"]["rows"]]
        given["cells"] = [*dict.fromkeys((*given["cells"], *after))]
    days = {variable["of"].get("last_day") for variable in plan.get("variables", ())} - {None}
    given["within_days"] = str(days.pop()) if days else ""
    own = [variable for variable in plan.get("variables", ()) if recoding.is_recoded(variable)]
    given |= recoding.choices_of(own)
    offered = sources.offered() | recoding.kinds(own)
    for row in rows:
        kind = offered[row["variable"]].kind
        given |= {f"{part}_{kind}": row[part] for part in ("test", "effect") if part in row}
    for number, group in enumerate(plan.get("named", ()), 1):
        given |= {f"name_{number}": group["label"]["en"], f"ja_{number}": group["label"]["ja"]}
        given[f"levels_{number}"] = [f"{step['variable']}={code}" for step in group["steps"] for code in step["values"]]
    endpoints = list(plan.get("endpoints", ()))
    if endpoints and endpoints[0]["code"] == SURVIVAL["code"]:
        given |= {"survival": "1", "times": ", ".join(map(str, endpoints.pop(0).get("times", section_fields.TIMES)))}
    for kind in section_fields.KINDS:
        given |= kind.choices(endpoints if kind.part == "endpoints" else plan.get(kind.part, ()))
    if plan.get("propensity"):
        entry = plan["propensity"][0]
        given["propensity"] = "1"
        given |= {"caliper": str(entry.get("caliper", ""))} | section_fields.of_propensity(entry)
        if "caliper" in entry and entry.get("caliper_unit") != "sd":
            given["ps_unit"] = "score"
        given["covariates"] = [
            covariate if isinstance(covariate, str) else f"{covariate['variable']}@{covariate['visit']}"
            for covariate in entry["covariates"]
        ]
    return given


def kinds_of_events():
    return [(choice.code, choice.label) for choice in adverse_events.KINDS]
