"""Choices of a plan: what on the plan's page makes its JSON. `plan_builder` is the way there.

A plan opens as ticks in the grid where ticks make it, or else with a table and a row for each of its own; None is told
of one that the page cannot make, which is then edited as JSON.
"""

import dataclasses

from registry.analysis.design import plans
from registry.analysis.design.groupings import ARMS
from registry.analysis.design.variables import sources
from registry.analysis.design.variables.declared import label_of
from registry.analysis.sections.comparing import comparisons
from registry.web.comparison.planning import design_fields, offered, plan_builder, repeated, section_fields
from registry.web.comparison.planning.fields import SEVERAL, written

ANYHOW = (KeyError, ValueError, TypeError, AttributeError, IndexError)  # of a plan that has more than is asked
USED = (section_fields.PROPENSITY, section_fields.MODELS, section_fields.QUALITY)  # whose kinds have parts of their own


def choices_of(plan):
    """What on the page makes this plan's JSON; None for a plan that the page cannot make."""
    try:
        whole = plans.from_json(plan)
    except ValueError:
        return None
    for of_plan in (_by_ticks, _by_tables):
        try:
            given = of_plan(whole)
            if same(plans.from_json(plan_builder.compiled(given)), whole):
                return given
        except ANYHOW:
            continue
    return None


def same(plan, other):
    """Whether two Plans compute the same, whatever they are called and whatever their JSON leaves out."""
    return _canonical(plan) == _canonical(other)


def _canonical(plan):
    document = {name: part for name, part in plan.to_json().items() if name not in ("name", "note", "version")}
    document["comparisons"] = [
        {part.name: getattr(entry, part.name) for part in dataclasses.fields(entry) if part.name != "source"}
        for entry in plan.entries("comparisons")
    ]
    for kind in USED:
        if kind.part in document:
            document[kind.part] = [kind.used(entry) for entry in document[kind.part]]
    return _plain(document)


def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        if value.keys() <= {"variable", "visit"} and not value.get("visit"):
            return value.get("variable")
        return {name: _plain(part) for name, part in value.items()}
    return value


# Ticks in the grid, with tables of one's own after them


def _by_ticks(plan):
    given, document = _of_all(plan)
    entries = {entry["code"]: entry for entry in document.pop("comparisons", [])}
    ticked = {code: entries.pop(code) for code in plan_builder.TICKED if code in entries}
    variables = _ticked_variables(given, ticked, document.pop("variables", []))
    given |= _entries(design_fields.VARIABLES, variables)
    given |= _of_ticked(ticked, variables, given)
    _shown(given)
    rows = _own_rows(given, ticked)
    given |= _tables(entries.values(), rows)
    _survival(given, document)
    return _rest(given, document, rows)


def _ticked_variables(given, ticked, variables):
    """Those that no tick makes; the ticks of the others are put into `given`."""
    names = {code: [row["variable"] for row in ticked.get(code, {}).get("rows", ())] for code in ("events", "repeats")}
    given["events"] = [name.removeprefix("ae_") for name in names["events"]]
    made = {variable["name"]: variable for variable in variables}
    given["repeats"] = [repeated.choice_of(made[name]) for name in names["repeats"]]
    days = {made[name]["of"].get("last_day") for name in names["events"]} - {None}
    given["within_days"] = str(days.pop()) if days else ""
    return [entry for entry in variables if entry["name"] not in {*names["events"], *names["repeats"]}]


def _of_ticked(ticked, variables, given):
    rows = [
        row for code in ("baseline", "outcomes", "changes", "pairs") for row in ticked.get(code, {}).get("rows", ())
    ]
    outcomes = ticked.get("outcomes", {})
    document = {
        "cells": [*dict.fromkeys(map(written, map(_as_row, rows)))],
        "sensitivity": outcomes.get("sensitivity", []),
        "adjust": outcomes.get("adjust", "none"),
        "family": outcomes.get("family", "row"),
        "within": "1" if "changes" in ticked else "",
        "pairs": "1" if "pairs" in ticked else "",
    }
    kinds = _kinds(given)
    of_kind = {}
    for row in _between(ticked):
        of_kind.setdefault(kinds[row["variable"]], []).append(row)
    if "events" in ticked:
        of_kind.setdefault(sources.BINARY, []).extend(ticked["events"]["rows"])
    for kind, some in of_kind.items():
        for part in ("test", "effect"):
            if all(row.get(part) for row in some):
                document[f"{part}_{kind}"] = some[-1][part]
    return document


def _kinds(given):
    return {name: variable.kind for name, variable in plan_builder.compared(given).items()}


def _as_row(row):
    return {"variable": row} if isinstance(row, str) else row


def _between(ticked):
    return [_as_row(row) for code in ("baseline", "outcomes") for row in ticked.get(code, {}).get("rows", ())]


def _own_rows(given, ticked):
    """The rows of the tables of ticks that have a test of their own."""
    kinds = _kinds(given)
    own = {}
    for row in _between(ticked):
        usual = {part: given.get(f"{part}_{kinds[row['variable']]}", "") for part in ("test", "effect")}
        if "pairwise" in row or any(row.get(part, "") != usual[part] for part in usual):
            own[row["variable"], row.get("visit", "")] = row
    for code in ("changes", "pairs"):
        for row in map(_as_row, ticked.get(code, {}).get("rows", ())):
            if row.keys() & {"test", "effect", "from"}:
                place = row["variable"], row.get("visit", "")
                own[place] = own.get(place, {}) | row
    return list(own.values())


def _shown(given):
    """KeyError for ticks that the page does not show: a browser would not send them back."""
    columns = [code for code, _label in plan_builder.visits(given)]
    cells = {
        cell
        for name, variable in plan_builder.compared(given).items()
        for cell in ([f"{name}@{code}" for code in columns] if variable.at_visit else [name])
    }
    repeats = {choice for _title, choices in repeated.offered(()) for choice, _label, _chosen in choices}
    events = {code for code, _label in plan_builder.kinds_of_events(True)}
    for part, shown in (("cells", cells), ("repeats", repeats), ("events", events)):
        if lost := set(given[part]) - shown:
            raise KeyError(*lost)


def _survival(given, document):
    """The tick of survival, where the first endpoint is what that makes."""
    endpoints = document.get("endpoints", [])
    if endpoints and endpoints[0] | {"times": 0} == plan_builder.SURVIVAL | {"times": 0}:
        given |= {"survival": "1", "times": ", ".join(map(str, endpoints.pop(0).get("times", section_fields.TIMES)))}


# A table and a row for each of the plan's own


def _by_tables(plan):
    given, document = _of_all(plan)
    given |= {"cells": [], "events": [], "repeats": []}
    given |= _entries(design_fields.VARIABLES, document.pop("variables", []))
    rows = []
    given |= _tables(document.pop("comparisons", []), rows)
    return _rest(given, document, rows)


def _tables(entries, rows):
    """The fields of tables; their rows are put to `rows`."""
    tables = []
    for number, entry in enumerate(entries, 1):
        rows += [_as_row(row) | {"table": f"table_{number}"} for row in entry["rows"]]
        title = label_of(entry.get("title"), comparisons.LABEL)
        tables.append(
            {"kind": comparisons.BETWEEN}
            | {name: part for name, part in entry.items() if name != "rows"}
            | {"title": {"en": title.en, "ja": title.ja}}
        )
    return _entries(section_fields.TABLES, tables)


# What both have


def _of_all(plan):
    """(choices of the plan's settings and groups, the JSON of the rest)."""
    document = plan.to_json()
    given = {"name": plan.name, "note": plan.note, "grouping": plan.grouping}
    for field in (*design_fields.OF_PLAN, *design_fields.TABLES_OF_STUDY):
        if hasattr(plan, field.part):
            value = getattr(plan, field.part)
            given[field.name] = field.typed(list(value) if field.kind == SEVERAL else value or "")
            if field.part.startswith("second") and not value:
                given[field.name] = design_fields.NONE
    main, *further = plan.value_sets
    given |= {"plan_value_set": main, "plan_value_sets": further}
    given |= {f"plan_{option}": value for option, value in plan.segment_rule}
    if plan.grouping == ARMS:
        arms = plan.arms.to_json()
        given |= {f"arm_{letter}": [f"{arms['variable']}:{level}" for level in arms[letter]] for letter in "ab"}
    given |= _groups(document.pop("named", ()))
    own = document.pop("visits", [])
    if (
        plan_builder.LAST in own
        and section_fields.asks(document, plan_builder.LAST["code"])
        and own[0] == plan_builder.LAST
    ):
        own = own[1:]
    return given | _entries(design_fields.VISITS, own), document


def _groups(named):
    given, steps = {}, []
    levels = {name for name, source in sources.offered().items() if offered.makes_groups(source)}
    for number, group in enumerate(named, 1):
        given |= {f"name_{number}": group["label"]["en"], f"ja_{number}": group["label"]["ja"]}
        given |= {f"code_{number}": group["code"], f"levels_{number}": []}
        rest = list(group["steps"])
        while rest and rest[0]["step"] == "category" and rest[0].keys() == {"step", "variable", "values"}:
            if rest[0]["variable"] not in levels:
                break
            step = rest.pop(0)
            given[f"levels_{number}"] += [f"{step['variable']}={code}" for code in step["values"]]
        steps += [step | {"group": number} for step in rest]
    return given | _entries(design_fields.STEPS, steps)


def _entries(kind, entries):
    """The fields of entries. KeyError where there are more than the page has."""
    entries = list(entries)
    if len(entries) > kind.most:
        raise KeyError(kind.prefix)
    return kind.choices(entries)


def _rest(given, document, rows):
    """The choices with those of the other sections and of all rows."""
    events, endpoints = [], []
    for number, entry in enumerate(document.get("endpoints", []), 1):
        first, *more = entry.get("event", [{"kind": "death"}])
        events += [event | {"endpoint": number} for event in more]
        competing = entry.get("competing", [])
        if competing != [{"kind": "death"}] or first["kind"] == "death":  # of which the page asks no competing death
            events += [event | {"endpoint": number, "role": "competing"} for event in competing]
            competing = []
        endpoints.append(entry | {"event": [first], "competing": competing})
    scores = []
    for number, entry in enumerate(document.get("propensity", []), 1):
        after = [list(cell) for cell in plan_builder.cells_of(given) if cell[1] not in ("", "preop")]
        outcomes = entry.get("outcomes", [])
        is_ticked = bool(after) and [[outcome["variable"], outcome.get("visit", "")] for outcome in outcomes] == after
        if is_ticked and not any("test" in outcome for outcome in outcomes):
            outcomes = []
        rows += [outcome | {"table": f"ps_{number}"} for outcome in outcomes]
        ticked = {"ticked": True} if is_ticked and not outcomes else {}
        scores.append({name: part for name, part in entry.items() if name != "outcomes"} | {"method": "matching"}
                      | ({"method": entry["method"]} if "method" in entry else {}) | ticked)  # fmt: skip
    given |= _entries(section_fields.ENDPOINTS, endpoints) | _entries(section_fields.EVENTS, events)
    given |= _entries(section_fields.PROPENSITY, scores) | _entries(section_fields.ROWS, rows)
    for kind in plan_builder.SECTIONED:
        given |= _entries(kind, document.get(kind.part, []))
    return given
