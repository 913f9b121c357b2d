"""What follows from what in the sections of a plan: counts that add up or stand twice, and shares of hidden counts."""

from itertools import product

from registry.analysis.design.variables.sources import BINARY
from registry.analysis.disclosure.relations import Cell, Relation, cells, if_whole, is_few, is_small
from registry.analysis.disclosure.small_cells import Few
from registry.analysis.results.comparisons import Brief
from registry.analysis.results.quality import Responder
from registry.analysis.results.written import Row, inside, rows_in


def relations(result, threshold):
    """Relations of the counts of every section of a result."""
    for code, of_entry in _OF_ENTRY.items():
        for entry in getattr(result, code):
            yield from of_entry(entry)
    for entry in result.propensity:
        yield from _of_unscored(entry, threshold)
    for entry in result.comparisons:
        yield from _of_left_out(entry, result.cohort.groups, threshold)


def _of_names(row, names, whole="n"):
    """Parts of a row and their whole, where it has all of them and they add up."""
    if all(isinstance(getattr(row, name), int) for name in (*names, whole)):
        yield from if_whole([Cell(row, name) for name in names], Cell(row, whole))


def _same(first, second):
    """A count that is told twice is hidden twice."""
    if first.value == second.value:
        yield Relation([first], second)


def _grouped(rows, names):
    """Rows by the values of some of their names."""
    hidden = {}
    for row in rows:
        hidden.setdefault(tuple(getattr(row, name) for name in names), []).append(row)
    return hidden


# Comparisons


def _of_comparison(entry):
    for row in entry.rows:
        for group in row.groups.values():
            yield from if_whole(cells(group.why), Cell(group, "missing"))
            if group.changed:
                yield from if_whole([Cell(group.changed, name) for name in group.changed.parts()], Cell(group, "n"))
            for part in filter(None, (group.baseline_of_compared, group.followup)):
                yield from _same(Cell(group, "n"), Cell(part, "n"))
        for codes, effect in _effects(row):
            yield from _of_effect(row, codes, effect)
        if row.worst_rank and row.worst_rank.died:
            yield from _of_worst_rank(row)


def _effects(row):
    """((first group, second), Effect) of the pairs of a row that have one."""
    for pair in product(row.groups, row.groups):
        if effect := row.effects.get("_vs_".join(pair)):
            yield pair, effect


def _of_effect(row, codes, effect):
    """The numbers of patients behind an effect are those of the groups."""
    for place, code in enumerate(codes):
        yield from _same(Cell(row.groups[code], "n"), Cell(effect.n, place))
    if effect.sets is not None:
        yield from _of_sets(row, effect)


def _of_sets(row, effect):
    """Complete sets tell of whom a value lacks: where few of a group do, neither sets nor their patients are told."""
    sizes = [Cell(effect, "sets"), *cells(effect.n)]
    for cell in sizes[1:]:
        yield from _same(cell, sizes[0])
    for group in row.groups.values():
        if is_few(group.missing):
            for cell in sizes:
                yield Relation([Cell(group, "missing"), cell])


def _of_left_out(entry, groups, threshold):
    """Who is left out of a number is the rest of the group, whose size every reader knows: few are hidden with it."""
    sizes = {row.group: row.n for row in entry.sizes} or groups
    for row in entry.rows:
        for size, cell in _numbers(row, sizes):
            if 0 < size - cell.value < threshold:
                yield Relation([Cell([Few(size - cell.value, threshold)], 0), cell])


def _numbers(row, sizes):
    """(size of the group, Cell) of every number of patients of a row beside those of its groups."""
    for code, group in row.groups.items():
        of_row = [(getattr(row, name) or {}).get(code) for name in _BASELINES]
        for part in filter(None, (group, *of_row, *(getattr(group, name) for name in _BASELINES))):
            yield sizes[code], Cell(part, "n")
    for again in filter(None, (row.complete_cases, row.worst_rank)):
        for code, cell in zip(row.groups, cells(again.n or ()), strict=False):
            yield sizes[code], cell
    for codes, effect in _effects(row):
        for code, cell in zip(codes, cells(effect.n), strict=False):
            yield sizes[code], cell


_BASELINES = ("baseline_of_compared", "baseline_of_all")


def _of_worst_rank(row):
    ranked = row.worst_rank
    for place, group in enumerate(row.groups.values()):
        yield from if_whole([Cell(group, "n"), Cell(ranked.died, place)], Cell(ranked.n, place))
    if ranked.wins is not None:  # of the complete pairs, whose number follows from those who lack a value
        yield Relation([Cell(ranked, name) for name in ("wins", "losses", "ties")])


# Endpoints and models


def _of_endpoint(entry):
    for row in entry.followed:
        yield Relation([Cell(row, name) for name in ("n", "missing", "before_landmark")])
        yield from _of_names(row, ("events", "competing", "censored"))
    sizes = {row.group: row for row in entry.followed}
    for row in entry.at_risk:
        if row.at_risk:
            yield from _same(Cell(sizes[row.group], "n"), Cell(row.at_risk, 0))
    for row in entry.fits:
        yield Relation([Cell(row, "n"), Cell(row, "missing")])
    for rows in _grouped(entry.subgroups, ("variable", "group")).values():
        two = [sizes[code] for code in sizes if code in _pair(rows[0].group, sizes)]
        for name in ("n", "events"):
            if sum(getattr(row, name) for row in rows) == sum(getattr(row, name) for row in two):
                yield Relation([Cell(row, name) for row in rows])


def _pair(name, codes):
    return next(((a, b) for a, b in product(codes, codes) if a != b and f"{a}_vs_{b}" == name), ())


def _of_model(entry):
    for row in entry.fits:
        yield from _of_fit(row)


def _of_fit(row):
    if isinstance(row.n, int) and isinstance(row.missing, int):
        yield Relation([Cell(row, "n"), Cell(row, "missing")])


# Propensity, quality of life, transitions


def _of_propensity(entry):
    sizes = {row.group: row for row in entry.sizes}
    for row in sizes.values():
        yield from _of_names(row, ("used", "unmatched"), "scored")
    for (group,), rows in _grouped(entry.overlap, ("group",)).items():
        yield from if_whole([Cell(row, "count") for row in rows], Cell(sizes[group], "scored"))
    yield from _of_matches(entry, sizes)
    pairs = {(row.variable, row.visit): row for row in entry.outcomes}
    for at, rows in _grouped(entry.categories, ("variable", "visit")).items():
        for side in _SIDES:
            yield from if_whole([Cell(row, side) for row in rows], Cell(pairs[at], "n"))


def _of_matches(entry, sizes):
    """A set has one treated patient, so that sets less complete ones are those of whom a value lacks."""
    for row in entry.fits:
        yield from _of_fit(row)
        if row.sets is not None:
            yield from _same(Cell(sizes[entry.treated], "used"), Cell(row, "sets"))
            yield from _same(Cell(row, "sets"), Cell(sizes[entry.treated], "used"))
    for row in entry.outcomes:
        yield from _of_fit(row)


def _of_unscored(entry, threshold):
    """Who has no score is the rest of the group, whose size every reader knows."""
    for row in entry.sizes:
        if isinstance(row.n, int) and 0 < row.n - row.scored < threshold:
            yield Relation([Cell([Few(row.n - row.scored, threshold)], 0), Cell(row, "scored")])


def _of_quality(entry):
    for row in entry.years:
        yield Relation([Cell(row, "n"), Cell(row, "unknown")])
    for row in entry.course:
        yield Relation([Cell(row, name) for name in ("n", "missing", "died")])
    for row in entry.responders:
        yield from _of_names(row, ("improved", "same", "worse"))


def _two(entry, difference):
    """The rows of the two groups that a difference is of, at its visit."""
    rows = [*entry.years, *entry.course, *entry.responders]
    two = _pair(difference.group, [row.group for row in rows])
    return [row for row in rows if row.group in two and getattr(row, "visit", "") == difference.visit]


def _of_transitions(entry):
    moved = {row.group: row for row in entry.moved}
    margins = {(row.group, row.grade): row for row in entry.margins}
    for side in ("before", "after"):
        for (group, grade), rows in _grouped(entry.cells, ("group", side)).items():
            yield from if_whole([Cell(row, "count") for row in rows], Cell(margins[group, grade], side))
        for (group,), rows in _grouped(entry.margins, ("group",)).items():
            yield from if_whole([Cell(row, side) for row in rows], Cell(moved[group], "n"))
    for row in moved.values():
        yield from _of_names(row, ("up", "same", "down"))


_OF_ENTRY = {
    "comparisons": _of_comparison,
    "endpoints": _of_endpoint,
    "models": _of_model,
    "propensity": _of_propensity,
    "qol": _of_quality,
    "transitions": _of_transitions,
}

# Shares


def hide_shares(result, threshold):
    """Take away in place the shares whose count, or whose whole, is hidden: they tell it."""
    for code in _OF_ENTRY:
        for row in rows_in(getattr(result, code)):
            _hide(row)
    for row in (row for entry in result.comparisons for row in entry.rows):
        _hide_effects(row)
    for row in _listed(result):
        if _any_hidden(row):
            _without_statistic(row)
    for entry in result.models:
        _hide_df(entry)
    for entry in result.endpoints:
        _hide_together(entry, threshold)
    for entry in result.qol:
        _hide_differences(entry, threshold)
    for entry in result.propensity:
        _hide_balance(entry, threshold)
        _hide_weights(entry)
        _hide_outcomes(entry)


# Names of counts in a row, and the numbers beside them from which those follow.
_SHARES = (
    (("counts", "n"), ("share", "low", "high")),
    (("improved", "n"), ("share", "low", "high")),
    (("count",), ("percent", "weight")),
    (("used", "unmatched", "scored"), ("effective",)),
)


def _hide(row):
    for counts, shares in _SHARES:
        if row.holds(counts[0]) and any(_hidden(getattr(row, name, None)) for name in counts):
            row.clear(shares)
    if isinstance(row, Brief) and row.weighted:
        _hide_weighted(row)


def _hide_weighted(row):
    """Weighted shares of a category of few: with the others they tell that there are any, and about how many."""
    for code in row.weighted:
        if is_few(row.n) or is_few(row.counts[code]):
            row.weighted[code] = None


def _hide_effects(row):
    """Differences and ratios of two shares, or of the means of few, and their standardised difference: with what is
    told of one group they tell the other's."""
    for codes, effect in _effects(row):
        groups = (row.groups[code] for code in codes)
        if any(_tells_share(group) if row.kind == BINARY else is_small(group.n) for group in groups):
            effect.clear(("estimate", "low", "high", "smd"))


def _tells_share(group):
    return any(map(_hidden, (group.n, group.counts)))


def _listed(part):
    """The rows of every list of a part of a result."""
    for inner in inside(part):
        if isinstance(part, list) and isinstance(inner, Row):
            yield inner
        yield from _listed(inner)


def _hide_df(entry):
    """Degrees of freedom of a model's terms are its patients less its terms: they go with the number of patients."""
    if _any_hidden(entry.fits):
        for row in (*entry.coefficients, *entry.contrasts, *entry.terms):
            _without_statistic(row)


def _any_hidden(part):
    return is_few(part) or any(map(_any_hidden, inside(part)))


def _emptied(part):
    """The same shape without numbers: F has two degrees of freedom, and a row of pairs a statistic each."""
    if isinstance(part, dict):
        return {name: _emptied(inner) for name, inner in part.items()}
    return [None] * len(part) if isinstance(part, list) else None


def _without_statistic(row):
    """Statistics and df go with a hidden count: rank sums, chi-squares of two categories, df of t tests."""
    for name, inner in row.parts().items():
        if name.partition("_")[0] in ("statistic", "df"):
            setattr(row, name, _emptied(inner))
        elif not isinstance(inner, list):
            for part in [inner] if isinstance(inner, Row) else inside(inner):
                if isinstance(part, Row):
                    _without_statistic(part)


def _hide_together(entry, threshold):
    """Numbers of several groups together, where that of one is hidden, or where they leave out few: with the sizes of
    groups and the other numbers they tell it."""
    sizes = {row.group: row for row in entry.followed}
    for row in (*entry.tests, *entry.fits):
        codes = _pair(getattr(row, "group", ""), sizes) or sizes
        for name in ("n", "events"):
            count = getattr(row, name, None)
            if count and _tells_of([getattr(sizes[code], name) for code in codes], [count], threshold):
                Cell(row, name).hide(threshold)
                _without_statistic(row)
    for rows in _grouped(entry.subgroups, ("variable", "group")).values():
        codes = _pair(rows[0].group, sizes)
        for name in ("n", "events"):
            shown = [Cell(row, name) for row in rows if getattr(row, name)]
            numbers = [getattr(row, name) for row in rows]
            if shown and _tells_of([getattr(sizes[code], name) for code in codes], numbers, threshold):
                least = min(shown, key=lambda cell: cell.value)
                least.hide(threshold)
                _without_statistic(least.part)


def _tells_of(of_groups, together, threshold):
    """Whether the numbers `together`, all shown, tell one of the groups that is hidden, or the few who are left out."""
    if any(map(is_few, together)):
        return False
    return any(map(is_few, of_groups)) or 0 < sum(of_groups) - sum(together) < threshold


def _hide_differences(entry, threshold):
    """How many two groups have together, where that of one is hidden; and differences of shares of responders."""
    for row in entry.differences:
        two = _two(entry, row)
        if any(is_few(part.n) for part in two) and not is_few(row.n):
            Cell(row, "n").hide(threshold)
            _without_statistic(row)
        if any(is_few(part.improved) or is_few(part.n) for part in two if isinstance(part, Responder)):
            row.clear(_EFFECT)


def _hidden(count):
    return any(map(is_few, count.values())) if isinstance(count, dict) else is_few(count)


def _hide_balance(entry, threshold):
    """Shares of categories before and after, where the number of patients gives a small count."""
    sides = (("treated", entry.treated), ("control", entry.control))
    sizes = {row.group: row for row in entry.sizes}
    for row in entry.balance:
        for (side, group), (moment, whole) in product(sides, (("before", "scored"), ("after", "used"))):
            share = getattr(row, f"{side}_{moment}")
            if row.level and share is not None and 0 < round(share * getattr(sizes[group], whole)) < threshold:
                row.clear((f"{side}_{moment}", f"smd_{moment}", f"ratio_{moment}"))


def _hide_weights(entry):
    """Weights of the treated add up to those who were used, and pairs count them: both go where that is hidden."""
    for row in entry.sizes:
        if any(map(is_few, (row.used, row.unmatched, row.scored))):
            entry.pairs = []
            for part in entry.overlap:
                if part.group == row.group:
                    part.weight = None


def _hide_outcomes(entry):
    """Differences of two shares of matched pairs, where a count behind one of them is hidden."""
    counted = _grouped(entry.categories, ("variable", "visit"))
    for row in entry.outcomes:
        categories = counted.get((row.variable, row.visit), ())
        if row.effect == "risk_difference" and any(
            is_few(getattr(category, side)) for category in categories for side in _SIDES
        ):
            row.clear(_EFFECT)


_SIDES = ("treated", "control")
_EFFECT = ("estimate", "low", "high")
