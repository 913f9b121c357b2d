"""What the pages compute from declarations, as SQL: scores, differences of angles, compression of the cord.

Scores are the same sums as `registry.instruments.scores` computes, null where a term is unknown.
"""

from registry.instruments.extra import escc
from registry.instruments.scores import Depending, Points, Rungs, Score


def sql(score, column):
    """SQL of a score. `column` gives the SQL of an answer by the item's name."""
    total = " + ".join(f"({_term(term, column)})" for term in score.terms)
    # `least` would take the cap for an unknown sum.
    return f"(CASE WHEN ({total}) > {score.maximum} THEN {score.maximum} ELSE {total} END)"


def _term(term, column):
    match term:
        case Points(points=None):
            return column(term.item)
        case Points():
            return _cases(column(term.item), term.points)
        case Depending():
            grades = {
                code: _cases(column(point[0]), point[1]) if isinstance(point, tuple) else point
                for code, point in term.points.items()
            }
            by_code = _cases(column(term.item), grades)
            first, second = (column(term.other), by_code) if term.overrules else (by_code, column(term.other))
            return f"coalesce({first}, {second})"
        case Rungs():
            return _rungs(term, column)
    raise TypeError(f"no SQL for {type(term).__name__}")


def _cases(value, points):
    whens = " ".join(f"WHEN {code!r} THEN {point}" for code, point in points.items())
    return f"CASE {value} {whens} END"


def _rungs(term, column):
    whens = []
    for points, conditions in term.rungs:
        held = " OR ".join(_condition(condition, column) for condition in conditions)
        whens.append(f"WHEN {held} THEN {points} WHEN ({held}) IS NULL THEN NULL")
    return f"CASE {' '.join(whens)} ELSE 0 END"


def _condition(condition, column):
    value = sql(condition.of, column) if isinstance(condition.of, Score) else column(condition.of)
    return f"{value} >= {condition.at_least}" if condition.under is None else f"{value} < {condition.under}"


def difference(declared, aliases):
    """SQL of a `cobb.Difference`. `aliases` are those of the assessments, by moment."""
    of, minus = aliases[declared.of], aliases[declared.minus]
    return f"(CASE WHEN {of}.cobb_posture = {minus}.cobb_posture THEN {of}.cobb_deg - {minus}.cobb_deg END)"


def compression(alias):
    """SQL of `escc.is_high` as 0 or 1."""
    return f"({alias}.escc IN ({', '.join(map(repr, escc.HIGH))}))::int"
