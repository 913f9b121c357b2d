"""Comparisons of variables between groups, or before and after: each row its test, effect with interval, n and why
values lack. The section `comparisons` of a plan.

    {"code": "outcomes", "title": {"en": "Outcomes", "ja": "転帰"}, "kind": "between", "adjust": "holm",
     "family": "row", "confidence": 0.95, "sensitivity": ["worst_rank", "complete_cases"], "exploratory": true,
     "rows": [{"variable": "kps", "visits": ["preop", "1w", "last"], "test": "mann_whitney_exact",
               "effect": "hodges_lehmann"}]}

`kind` is `between` (groups) or `within` (each group, `from` a visit, `preop` where it is left out, to each of
`visits`). `matched` names a propensity section of the plan: its matched patients alone are then compared, between
groups by paired tests of the sets. `family` is what P is adjusted over: the pairs of a `row`, or every pair of the
`section`. A row may name one `visit` or several `visits`; a variable of the patient has none.
"""

import json
from dataclasses import dataclass

from registry.analysis.design.errors import listed, one_of, refusal
from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.sections import Section
from registry.analysis.design.variables import sources
from registry.analysis.design.variables.columns import needed
from registry.analysis.design.variables.declared import Variable, label_of
from registry.analysis.sections import propensity, reading
from registry.analysis.sections.comparing import compared, compared_tables, comparison_tests, matched, weighted
from registry.instruments.base import Label

BETWEEN, WITHIN = "between", "within"
FAMILIES = ("row", "section")
SENSITIVITY = ("complete_cases", "worst_rank")
INTERVALS = ("wilson", "clopper_pearson")
LABEL = Label("Comparisons", "比較")


@dataclass(frozen=True)
class Row:
    """A variable at a visit ("" for what is of the patient), how it is tested, and by what effect it is told."""

    variable: Variable
    visit: str
    test: str
    effect: str
    pairwise: str = ""
    start: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One entry of the section."""

    code: str
    title: Label
    kind: str
    rows: tuple[Row, ...]
    adjust: str
    family: str
    confidence: float
    sensitivity: tuple[str, ...]
    interval: str
    exploratory: bool
    matched: str
    source: str  # the entry's JSON as it was given

    def to_json(self):
        return json.loads(self.source)


def read(entry, names):
    """The Comparison of an entry's JSON. Refused says what fits."""
    known = {
        "code",
        "title",
        "kind",
        "rows",
        "adjust",
        "family",
        "confidence",
        "sensitivity",
        "interval",
        "exploratory",
        "matched",
    }
    if unknown := sorted(entry.keys() - known):
        raise refusal(
            "no part {unknown}; it may have {fits}",
            "使えない項目があります：{unknown}。使えるもの：{fits}",
            unknown=listed(unknown),
            fits=listed(sorted(known)),
        )
    kind = one_of("kind", entry.get("kind", BETWEEN), (BETWEEN, WITHIN))
    of_sets = matched.declared(entry.get("matched", ""))
    offers = (comparison_tests.MATCHED, comparison_tests.WEIGHTED) if of_sets and kind == BETWEEN else (kind,)
    rows = tuple(row for given in entry["rows"] for row in _rows(given, kind, offers, names))
    if not rows:
        raise refusal("name at least one row", "行を1つ以上指定してください")
    sensitivity = tuple(entry.get("sensitivity") or ())
    for name in sensitivity:
        one_of("sensitivity", name, SENSITIVITY)
    confidence = entry.get("confidence", 0.95)
    if not isinstance(confidence, float) or not 0.5 <= confidence < 1:
        raise refusal("confidence: from 0.5 to below 1, such as 0.95", "confidence：0.5以上1未満（例：0.95）")
    return Comparison(
        code=str(entry["code"]),
        title=label_of(entry.get("title"), LABEL),
        kind=kind,
        rows=rows,
        adjust=one_of("adjust", entry.get("adjust", "none"), ADJUSTMENTS),
        family=one_of("family", entry.get("family", "row"), FAMILIES),
        confidence=confidence,
        sensitivity=sensitivity,
        interval=one_of("interval", entry.get("interval", "wilson"), INTERVALS),
        exploratory=bool(entry.get("exploratory", False)),
        matched=of_sets,
        source=json.dumps(entry, ensure_ascii=False),
    )


def _rows(given, kind, offers, names):
    given = {"variable": given} if isinstance(given, str) else given
    if unknown := sorted(given.keys() - {"variable", "visit", "visits", "test", "pairwise", "effect", "from"}):
        raise refusal("a row has no part {unknown}", "行に使えない項目があります：{unknown}", unknown=listed(unknown))
    variable = names.get(given["variable"])
    if kind == WITHIN and not variable.at_visit:
        raise refusal(
            "“{name}” is not assessed at visits, so it has no before and after",
            "「{name}」は来院時の項目ではないため前後比較できません",
            name=variable.name,
        )
    visits = given.get("visits") or [given.get("visit", "")]
    if variable.at_visit and not all(visits):
        raise refusal(
            "“{name}” is assessed at visits: name one, such as preop",
            "「{name}」は来院時の項目です。preopなどの時点を指定してください。",
            name=variable.name,
        )
    tests = [code for offer in offers for code in comparison_tests.offered(offer, variable.kind)]
    effects = [code for offer in offers for code in comparison_tests.effects_offered(offer, variable.kind)]
    test = given.get("test", "")
    effect = given.get("effect", "")
    for place, value, choices in (("test", test, tests), ("effect", effect, effects)):
        if value:
            one_of(f"{variable.name}: {place}", value, (*choices, "none"))
    pairwise = given.get("pairwise", "")
    if pairwise:
        one_of(f"{variable.name}: pairwise", pairwise, comparison_tests.pairwise_offered(variable.kind))
    start = names.visit(given.get("from", "preop"), variable) if kind == WITHIN else ""
    for visit in visits if variable.at_visit else ("",):
        yield Row(variable, names.visit(visit, variable), test, effect, pairwise, start)


def uses(entry, plan):
    """(Variable, visit) of everything that an entry reads, each once, in the order of its rows."""
    baseline = plan.baseline
    pairs = {}
    for row in entry.rows:
        pairs[row.variable, row.visit] = None
        if row.start:
            pairs[row.variable, row.start] = None
        elif row.visit and row.visit != baseline and row.variable.kind != sources.DATE:
            pairs[row.variable, baseline] = None
    return tuple(pairs)


def columns_needed(entry, plan):
    for variable, visit in uses(entry, plan):
        yield from needed(variable, visit, plan.names)
    if entry.matched:
        yield from reading.needed(reading.propensity_of(entry.matched, plan), plan)


def check(entry, plan):
    """Refused where `matched` is no section of the plan, or the entry asks of weights what only pairs have."""
    if not entry.matched:
        return
    is_weighted = propensity.is_weighted(reading.propensity_of(entry.matched, plan))
    if is_weighted and (entry.kind == WITHIN or "worst_rank" in entry.sensitivity):
        raise refusal(
            "matched: “{code}” gives weights, so its patients have no independent pairs: they are compared between "
            "groups, and of sensitivity there is complete_cases",
            "matched：「{code}」は重み付けのため独立した対がありません。群間比較のみで、感度分析はcomplete_casesが使えます。",
            code=entry.matched,
        )
    kind = comparison_tests.WEIGHTED if is_weighted else comparison_tests.MATCHED
    for row in entry.rows if entry.kind == BETWEEN else ():
        offered = comparison_tests.offered(kind, row.variable.kind)
        effects = comparison_tests.effects_offered(kind, row.variable.kind)
        for place, value, choices in (("test", row.test, offered), ("effect", row.effect, effects)):
            if value:
                one_of(f"{row.variable.name}: {place}", value, (*choices, "none"))


SECTION = Section(
    code="comparisons",
    label=LABEL,
    read=read,
    needed=columns_needed,
    uses=uses,
    further=weighted.columns,
    check=check,
    compute=compared.compute,
    tables=compared_tables.tables,
    answers=compared_tables.answers,
    methods=compared_tables.methods,
)
