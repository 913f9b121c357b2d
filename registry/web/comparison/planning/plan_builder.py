"""Plan builder: what was chosen on a plan's page becomes the plan's JSON. `plan_choices` is the way back."""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from registry.analysis.design import cohorts, groupings, plans, saved_cohorts
from registry.analysis.design.errors import refusal
from registry.analysis.design.groupings import ARMS, EVERYBODY
from registry.analysis.design.named_groups import NAMED
from registry.analysis.design.sections import SECTIONS
from registry.analysis.design.variables import declared, sources
from registry.analysis.design.variables import visits as plan_visits
from registry.analysis.sections.comparing import comparison_tests
from registry.instruments import levels, timepoints
from registry.instruments.base import Label
from registry.instruments.core import adverse_events
from registry.models import SavedCohort
from registry.web.comparison.planning import design_fields, fields, repeated, section_fields
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
PAIRS = {"code": "pairs", "title": {"en": "Between the matched", "ja": "マッチした患者の比較"}}
TICKED = ("baseline", "outcomes", "events", "repeats", "changes", "pairs")  # tables of what is ticked, in their order
SECTIONED = (section_fields.MODELS, section_fields.QUALITY, section_fields.TRANSITIONS)
KINDS = (
    design_fields.STEPS, design_fields.VISITS, design_fields.VARIABLES, section_fields.ROWS, section_fields.TABLES,
    section_fields.PROPENSITY, section_fields.ENDPOINTS, section_fields.EVENTS, *SECTIONED,
)  # fmt: skip
SEVERAL = {"cells", "events", "repeats", "sensitivity"} | {
    declared_field.name
    for declared_field in (*design_fields.OF_PLAN, *design_fields.TABLES_OF_STUDY, *design_fields.ARMS)
    if declared_field.kind == fields.SEVERAL
}
SEVERAL_NUMBERED = re.compile(
    "|".join(
        (
            "levels",
            *(
                f"{kind.prefix}_{declared_field.name}"
                for kind in KINDS
                for declared_field in kind.fields
                if declared_field.kind == fields.SEVERAL
            ),
        )
    ).join(("(?:", f")_{fields.NUMBERED}"))
)


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
             {"grouping": NAMED, "ps_what_1": "matching", "ps_caliper_unit_1": "sd", "ps_ticked_1": "1", "pairs": "1"}),
    Template("before_after", _("Before and after"), _("One group, each patient the own control."),
             {"grouping": EVERYBODY, "within": "1"}),
    Template("survival", _("Survival"), _("Kaplan–Meier curves, rates and hazard ratios of named groups."),
             {"grouping": NAMED, "survival": "1", "times": "12, 24"}),
)  # fmt: skip


def visits(given):
    """(code, Label) of the columns of the grid: every visit of the schedule, the plan's own, then the last."""
    own = [(visit.code, visit.label) for visit in own_visits(given)]
    last = [] if LAST["code"] in dict(own) else [(LAST["code"], _label(LAST["label"]))]
    return [*((visit.code, visit.label) for visit in timepoints.planned()), *own, *last]


def _label(both):
    return Label(both["en"], both["ja"])


def own_visits(given):
    """The Visits that the plan declares, without those that do not fit yet."""
    return tuple(_readable(design_fields.VISITS, given, plan_visits.from_json))


def own_variables(given):
    """{name: Variable} of those that the plan declares, without those that do not fit yet."""
    known = (*own_visits(given), plan_visits.from_json(LAST))
    read = {}
    for variable in _readable(
        design_fields.VARIABLES, given, lambda data: declared.from_json(data, declared.Variables(read.values(), known))
    ):
        read[variable.name] = variable
    return read


def _readable(kind, given, read):
    for number in kind.codes(given):
        alone = {name: value for name, value in given.items() if _is_of(name, kind, number)}
        try:
            yield read(kind.numbered(alone)[number] | {kind.code_key: kind.codes(given)[number]})
        except (ValueError, KeyError, TypeError):  # told above the form
            continue


def _is_of(name, kind, number):
    return name.startswith(f"{kind.prefix}_") and name.endswith(f"_{number}")


def compared(given):
    """{name: Source or Variable} of what the grid offers, in its order: the plan's own, then by instrument."""
    by_title = {}
    for source in sources.offered().values():
        if source.name != sources.DAY_OF_VISIT.name:
            by_title.setdefault(source.title.en, {})[source.name] = source
    return own_variables(given) | {name: variable for some in by_title.values() for name, variable in some.items()}


def compiled(given):
    """The JSON of the plan that these choices make. `given` has lists under the names of SEVERAL and SEVERAL_NUMBERED,
    texts otherwise. Refused where a text is no number, or a row or an event belongs to nothing."""
    plan = {"name": given.get("name") or "plan", "note": given.get("note", ""), "grouping": given["grouping"]}
    plan |= _grouped(given)
    rows = _Rows(given)
    tables = [*_ticked(given, rows), *_own_tables(given, rows)]
    variables = [
        *design_fields.VARIABLES.entries(given),
        *(_event(kind, given.get("within_days")) for kind in _in_order(given, "events", dict(kinds_of_events(True)))),
        *map(repeated.variable_of, _in_order(given, "repeats", repeated.codes())),
    ]
    sections = {
        "comparisons": tables,
        "endpoints": _endpoints(given),
        **{kind.part: kind.entries(given) for kind in SECTIONED},
        "propensity": [_propensity(given, number, entry, rows) for number, entry in _scores(given).items()],
    }
    rows.require_used()
    own = design_fields.VISITS.entries(given)
    if LAST["code"] not in [visit["code"] for visit in own] and section_fields.asks(
        {"variables": [variable["of"] for variable in variables], **sections}, LAST["code"]
    ):
        own = [LAST, *own]
    plan |= {name: part for name, part in {"variables": variables, "visits": own, **sections}.items() if part}
    return plan | _settings(given, is_sectioned=any((variables, own, *sections.values())))


def numbers_of(given, part):
    """Numbers of the repeated fields of a part of the page, such as `name_1`, ascending."""
    matches = (re.fullmatch(rf"(?:{part})_{fields.NUMBERED}", name) for name in given)
    return sorted(int(match[1]) for match in matches if match)


def _in_order(given, part, known):
    """What is ticked of a part, in the order of the page; what the page does not know last."""
    chosen, places = given.get(part, ()), list(known)
    return sorted(chosen, key=lambda code: places.index(code) if code in places else len(places))


# Groups and settings


def _grouped(given):
    if given["grouping"] == NAMED:
        return {"named": _named(given)}
    if given["grouping"] != ARMS:
        return {}
    arms = [[level.split(":", 1) for level in given.get(arm.name, ()) if ":" in level] for arm in design_fields.ARMS]
    names = {variable for arm in arms for variable, _level in arm}
    if len(names) != 1:
        raise refusal(
            "arms: choose the levels of both arms, all of one variable",
            "治療群：両群の水準を、同じ1つの変数から選んでください",
        )
    return {"arms": {"variable": names.pop()} | {
        letter: [level for _variable, level in arm] for letter, arm in zip("ab", arms, strict=True)
    }}  # fmt: skip


def groups_of(given):
    """(code, Label) of the plan's groups as they are chosen, where they are known before the data are."""
    if given.get("grouping", NAMED) == NAMED:
        return [(group["code"], _label(group["label"])) for group in _named(given)]
    if given["grouping"] == ARMS:
        return list(zip(groupings.ARM_CODES, (Label("Arm A", "A群"), Label("Arm B", "B群")), strict=True))
    known = groupings.GROUPINGS.get(given["grouping"])
    return [(choice.code, choice.label) for choice in (known.groups or () if known else ())]


def _named(given):
    steps = {}
    for step in design_fields.STEPS.entries(given):
        steps.setdefault(step.pop("group", 1), []).append(step)
    groups = {number: _group(given, number, steps.pop(number, [])) for number in numbers_of(given, "name")}
    if steps:
        raise refusal(
            "a step is of group {number}, which there is not",
            "段階の群番号{number}に当たる群がありません",
            number=next(iter(steps)),
        )
    return [group for group in groups.values() if group]


def _group(given, number, further):
    """A named group of the page; None where nothing of it was filled in."""
    name, japanese = ((given.get(f"{part}_{number}") or "").strip() for part in ("name", "ja"))
    levels_chosen, cohort = given.get(f"levels_{number}", ()), given.get(f"cohort_{number}")
    if not (name or levels_chosen or cohort or further):
        return None
    steps = [{"step": step.code, **step.parameters} for step in _steps_of(cohort)] if cohort else []
    by_variable = {}
    for level in levels_chosen:
        variable, _colon, code = level.rpartition("=")
        by_variable.setdefault(variable, []).append(code)
    steps += [
        {"step": "category", "variable": variable, "values": design_fields.values_of(variable, codes)}
        for variable, codes in by_variable.items()
    ]
    return {
        "code": given.get(f"code_{number}") or f"group_{number}",
        "label": {"en": name or f"Group {number}", "ja": japanese or name or f"第{number}群"},
        "steps": [*steps, *further],
    }


def _steps_of(chosen):
    saved = SavedCohort.objects.filter(pk=number_in(chosen)).first()
    return saved_cohorts.cohort_of(saved).steps if saved else cohorts.get(chosen).steps


def _settings(given, is_sectioned):
    """Parts of the plan beside its sections. A plan without any section says of each table of the segment study whether
    it has it: what it leaves out would be as in that study."""
    document = fields.taken((*design_fields.OF_PLAN, *design_fields.TABLES_OF_STUDY), given)
    sets = [document.pop("value_set", design_fields.MAIN_VALUE_SET), *document.pop("value_sets", [])]
    if sets != [design_fields.MAIN_VALUE_SET]:
        document["value_sets"] = list(dict.fromkeys(sets))
    rule = {option: document.pop(design_fields.OF_RULE + option, "") for option in levels.OPTIONS}
    if any(rule.values()):
        document["segment_rule"] = {option: value for option, value in rule.items() if value}
    for place, value in document.items():
        if value == design_fields.NONE and place.startswith("second"):
            document[place] = ""
    return document if is_sectioned else {name: [] for name in (*plans.TABLES, "reports")} | document


# Rows and tables


OF_ROW = ("test", "effect", "pairwise", "from")


class _Rows:
    """The rows of the page that are not ticked, by what they belong to: "" for the tables of what is ticked."""

    def __init__(self, given):
        self.by_table = {}
        for row in section_fields.ROWS.entries(given):
            self.by_table.setdefault(row.pop("table", ""), []).append(row)
        self.tests = {}
        for row in self.by_table.pop("", []):
            for visit in row.get("visits") or [row.get("visit", "")]:
                self._put(row["variable"], visit, {name: row[name] for name in OF_ROW if name in row})

    def _put(self, variable, visit, tests):
        if (variable, visit) in self.tests:
            raise refusal(
                "“{variable}” is in two rows without a table at the same visit",
                "「{variable}」には、表を指定しない同じ時点の行が2つあります",
                variable=variable,
            )
        self.tests[variable, visit] = tests

    def take(self, table):
        return self.by_table.pop(table, [])

    def require_used(self):
        if self.by_table:
            raise refusal(
                "a row is of {table}, which there is not any more",
                "行が属する{table}は、もうありません",
                table=next(iter(self.by_table)).replace("_", " "),
            )


def _cell(text):
    name, _at, visit = text.partition("@")
    return name, visit


def cells_of(given, rows=None):
    """(name, visit) of what is ticked, and of rows that belong there, in the order of the grid."""
    tests = (rows or _Rows(given)).tests
    chosen = dict.fromkeys((*map(_cell, given.get("cells", ())), *tests))
    names, columns = list(compared(given)), ["", *dict(visits(given))]
    places = {name: place for place, name in enumerate(names)}
    return sorted(
        chosen,
        key=lambda cell: (
            places.get(cell[0], len(names)), columns.index(cell[1]) if cell[1] in columns else len(columns)
        ),
    )  # fmt: skip


def _ticked(given, rows):
    """The tables of what is ticked."""
    cells, offered = cells_of(given, rows), _kinds(given)
    one_group = given["grouping"] == EVERYBODY
    before = [cell for cell in cells if cell[1] in ("", "preop")]
    after = [cell for cell in cells if cell not in before]
    dated = [cell for cell in after if offered.get(cell[0]) == sources.DATE]
    if one_group:
        _require_within(given, after, dated)
    options = {"adjust": given.get("adjust") or "none", "family": given.get("family") or "row"}
    if before:
        yield BASELINE | {"rows": [_row(given, cell, offered, rows) for cell in before]}
    if after and not one_group:
        listed = {"rows": [_row(given, cell, offered, rows) for cell in after]}
        sensitivity = _in_order(given, "sensitivity", dict(section_fields.SENSITIVITY))
        yield OUTCOMES | options | {"sensitivity": sensitivity} | listed
    if given.get("events"):
        kinds = _in_order(given, "events", dict(kinds_of_events(True)))
        yield EVENTS | {"rows": [_usual(given, "binary") | {"variable": _event_name(kind)} for kind in kinds]}
    if given.get("repeats"):
        records = _in_order(given, "repeats", repeated.codes())
        yield repeated.SECTION | {"rows": [{"variable": repeated.variable_of(record)["name"]} for record in records]}
    if given.get("within") and after:
        within = [cell for cell in after if cell not in dated]
        yield CHANGES | {"kind": "within", "rows": [_paired(cell, offered, rows, "within") for cell in within]}
    scores = section_fields.PROPENSITY.codes(given)
    if given.get("pairs") and not scores:
        raise refusal(
            "tables of the matched need a score: add one, or untick “Tables of the matched patients”",
            "マッチした患者の表には傾向スコアが要ります。スコアを追加するか、「マッチした患者の表」の選択を外してください。",
        )
    if given.get("pairs") and cells:
        listed = {"rows": [_paired(cell, offered, rows, comparison_tests.MATCHED) for cell in cells]}
        yield PAIRS | {"matched": next(iter(scores.values()))} | listed


def _require_within(given, after, dated):
    """Refused where a tick after surgery is in no table of the only group."""
    if after and not given.get("within"):
        raise refusal(
            "one group has nothing to compare after surgery: tick “Also before and after within each group”",
            "1群では術後に比較するものがありません。「各群内の前後比較も行う」を選んでください。",
        )
    if dated:
        raise refusal(
            "one group has nothing to compare of a date after surgery: untick “{name}”",
            "1群では術後の日付に比較するものがありません。「{name}」の選択を外してください。",
            name=_everything(given)[dated[0][0]].label,
        )


def _everything(given):
    return sources.offered() | own_variables(given)


def _kinds(given):
    """{name: kind} of everything that is collected or the plan's own."""
    return {name: variable.kind for name, variable in _everything(given).items()}


def _at(cell):
    name, visit = cell
    return {"variable": name} | ({"visit": visit} if visit else {})


def _row(given, cell, offered, rows):
    """A row of a table between groups: by the test of its own, unless that is one of pairs alone, or of its kind."""
    kind, own = offered.get(cell[0], ""), rows.tests.get(cell, {})
    of_pairs = (*comparison_tests.offered("within", kind), *comparison_tests.effects_offered("within", kind))
    between = (*comparison_tests.offered("between", kind), *comparison_tests.effects_offered("between", kind))
    return (
        _at(cell)
        | _usual(given, kind)
        | {name: code for name, code in own.items() if name != "from" and (code in between or code not in of_pairs)}
    )


def _paired(cell, offered, rows, kind):
    """A row of a table of pairs: by the test of its own, where that is one of pairs."""
    of_kind = offered.get(cell[0], "")
    fits = (*comparison_tests.offered(kind, of_kind), *comparison_tests.effects_offered(kind, of_kind), "none")
    own = rows.tests.get(cell) or {}
    fitting = {name: own[name] for name in ("test", "effect") if own.get(name) in fits}
    return _at(cell) | fitting | ({"from": own["from"]} if kind == "within" and "from" in own else {})


def _usual(given, kind):
    chosen = {"test": given.get(f"test_{kind}"), "effect": given.get(f"effect_{kind}")}
    return {name: value for name, value in chosen.items() if value}


def _own_tables(given, rows):
    for number, entry in section_fields.TABLES.numbered(given).items():
        yield entry | {"rows": rows.take(f"table_{number}")}


def _event_name(kind):
    return f"ae_{kind}"[:40]


def _event(kind, days):
    of = {"events": [] if kind == ANY else [kind], "give": "any"}
    if days:
        of |= {"first_day": 0, "last_day": fields.whole(days)}
    return {"name": _event_name(kind), "of": of}


# Endpoints and scores


def _endpoints(given):
    numbered = section_fields.ENDPOINTS.numbered(given)
    for event in section_fields.EVENTS.entries(given):
        number, role = event.pop("endpoint", 1), event.pop("role", "event")
        if number not in numbered:
            raise refusal(
                "an event is of endpoint {number}, which there is not",
                "イベントの番号{number}に当たるエンドポイントがありません",
                number=number,
            )
        numbered[number][role] = [*numbered[number].get(role, ()), event]
    if not given.get("survival"):
        return list(numbered.values())
    times = fields.numbers(given.get("times") or "12")
    return [SURVIVAL | {"event": [{"kind": "death"}], "times": times}, *numbered.values()]


def _scores(given):
    return section_fields.PROPENSITY.numbered(given)


def _propensity(given, number, entry, rows):
    codes = [code for code, _label in groups_of(given)[:2]] or ["group_1", "group_2"]
    outcomes = []
    if entry.pop("ticked", False):
        outcomes = [_at(cell) for cell in cells_of(given) if cell[1] not in ("", "preop")]
    for row in rows.take(f"ps_{number}"):
        test = {"test": row["test"]} if "test" in row else {}
        visits_of = row.get("visits") or [row.get("visit", "")]
        outcomes += [_at((row["variable"], visit)) | test for visit in visits_of]
    groups = {"treated": codes[0], "control": codes[-1], "covariates": []}
    return groups | entry | ({"outcomes": outcomes} if outcomes else {})


def is_of_sections(plan):
    """Whether a plan's JSON has more than the tables of the segment study, so that this page and no other asks it."""
    return any(plan.get(part) for part in (*SECTIONS, "variables", "visits")) or plan.get("grouping") == EVERYBODY


def kinds_of_events(with_any=False):
    every = [(choice.code, choice.label) for choice in adverse_events.KINDS]
    return [(ANY, _("any complication")), *every] if with_any else every
