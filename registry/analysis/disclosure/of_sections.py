"""What follows from what in the sections of a plan: counts that add up or stand twice, and shares of hidden counts."""

from itertools import product

from registry.analysis.design.variables.sources import BINARY
from registry.analysis.disclosure.relations import Cell, Relation, cells, if_whole, is_few
from registry.analysis.disclosure.small_cells import Few


def relations(result, threshold):
    """Relations of the counts of every section of a result."""
    for code, of_entry in _OF_ENTRY.items():
        for entry in result.get(code, ()):
            yield from of_entry(entry)
    for entry in result.get("propensity", ()):
        yield from _of_unscored(entry, threshold)
    for entry in result.get("comparisons", ()):
        yield from _of_left_out(entry, result["cohort"]["groups"], threshold)


def _of_names(row, names, whole="n"):
    """Parts of a row and their whole, where it has all of them and they add up."""
    if all(isinstance(row.get(name), int) for name in (*names, whole)):
        yield from if_whole([Cell(row, name) for name in names], Cell(row, whole))


def _same(first, second):
    """A count that is told twice is hidden twice."""
    if first.value == second.value:
        yield Relation([first], second)


def _grouped(rows, names):
    """Rows by the values of some of their names."""
    hidden = {}
    for row in rows:
        hidden.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return hidden


# Comparisons


def _of_comparison(entry):
    for row in entry["rows"]:
        for group in row["groups"].values():
            yield from if_whole(cells(group.get("why", {})), Cell(group, "missing"))
            if "changed" in group:
                yield from if_whole(cells(group["changed"]), Cell(group, "n"))
            for part in {"baseline_of_compared", "followup"} & group.keys():
                yield from _same(Cell(group, "n"), Cell(group[part], "n"))
        if "from" not in row:
            yield from _of_effects(row)
        if "died" in row.get("worst_rank", {}):
            yield from _of_worst_rank(row)


def _of_effects(row):
    """The numbers of patients behind an effect are those of the groups."""
    codes = list(row["groups"])
    for first, second in product(codes, codes):
        effect = row.get("effects", {}).get(f"{first}_vs_{second}")
        for place, code in enumerate((first, second) if effect else ()):
            yield from _same(Cell(row["groups"][code], "n"), Cell(effect["n"], place))
        if effect and "sets" in effect:
            yield from _of_sets(row, effect)


def _of_sets(row, effect):
    """Complete sets tell of whom a value lacks: where few of a group do, neither sets nor their patients are told."""
    sizes = [Cell(effect, "sets"), *cells(effect["n"])]
    for cell in sizes[1:]:
        yield from _same(cell, sizes[0])
    for group in row["groups"].values():
        if is_few(group["missing"]):
            for cell in sizes:
                yield Relation([Cell(group, "missing"), cell])


def _of_left_out(entry, groups, threshold):
    """Who is left out of a number is the rest of the group, whose size every reader knows: few are hidden with it."""
    sizes = {row["group"]: row["n"] for row in entry["sizes"]} if "sizes" in entry else groups
    for row in entry["rows"]:
        for size, cell in _numbers(row, sizes):
            if 0 < size - cell.value < threshold:
                yield Relation([Cell([Few(size - cell.value, threshold)], 0), cell])


def _numbers(row, sizes):
    """(size of the group, Cell) of every number of patients of a row beside those of its groups."""
    codes = list(row["groups"])
    for code in codes:
        of_code = [row["groups"][code], *(row.get(part, {}).get(code, {}) for part in _BASELINES)]
        for part in (*of_code, *(of_code[0].get(name, {}) for name in _BASELINES)):
            if "n" in part:
                yield sizes[code], Cell(part, "n")
    for name in ("complete_cases", "worst_rank"):
        for code, cell in zip(codes, cells(row.get(name, {}).get("n", ())), strict=False):
            yield sizes[code], cell
    for first, second in product(codes, codes):
        effect = row.get("effects", {}).get(f"{first}_vs_{second}", {})
        for code, cell in zip((first, second), cells(effect.get("n", ())), strict=False):
            yield sizes[code], cell


_BASELINES = ("baseline_of_compared", "baseline_of_all")


def _of_worst_rank(row):
    ranked = row["worst_rank"]
    for place, group in enumerate(row["groups"].values()):
        yield from if_whole([Cell(group, "n"), Cell(ranked["died"], place)], Cell(ranked["n"], place))
    if "wins" in ranked:  # of the complete pairs, whose number follows from those who lack a value
        yield Relation([Cell(ranked, name) for name in ("wins", "losses", "ties")])


# Endpoints and models


def _of_endpoint(entry):
    for row in entry["followed"]:
        yield Relation([Cell(row, name) for name in ("n", "missing", "before_landmark")])
        yield from _of_names(row, ("events", "competing", "censored"))
    sizes = {row["group"]: row for row in entry["followed"]}
    for row in entry["at_risk"]:
        if row["at_risk"]:
            yield from _same(Cell(sizes[row["group"]], "n"), Cell(row["at_risk"], 0))
    for row in entry["fits"]:
        yield Relation([Cell(row, "n"), Cell(row, "missing")])
    for rows in _grouped(entry["subgroups"], ("variable", "group")).values():
        two = [sizes[code] for code in sizes if code in _pair(rows[0]["group"], sizes)]
        for name in ("n", "events"):
            if sum(row[name] for row in rows) == sum(row[name] for row in two):
                yield Relation([Cell(row, name) for row in rows])


def _pair(name, codes):
    return next(((a, b) for a, b in product(codes, codes) if a != b and f"{a}_vs_{b}" == name), ())


def _of_model(entry):
    for row in entry["fits"]:
        if isinstance(row.get("n"), int) and isinstance(row.get("missing"), int):
            yield Relation([Cell(row, "n"), Cell(row, "missing")])


# Propensity, quality of life, transitions


def _of_propensity(entry):
    sizes = {row["group"]: row for row in entry["sizes"]}
    for row in sizes.values():
        yield from _of_names(row, ("used", "unmatched"), "scored")
    for (group,), rows in _grouped(entry["overlap"], ("group",)).items():
        yield from if_whole([Cell(row, "count") for row in rows], Cell(sizes[group], "scored"))
    yield from _of_matches(entry, sizes)
    pairs = {(row["variable"], row["visit"]): row for row in entry["outcomes"]}
    for at, rows in _grouped(entry["categories"], ("variable", "visit")).items():
        for side in _SIDES:
            yield from if_whole([Cell(row, side) for row in rows], Cell(pairs[at], "n"))


def _of_matches(entry, sizes):
    """A set has one treated patient, so that sets less complete ones are those of whom a value lacks."""
    for row in entry["fits"]:
        yield from _of_model({"fits": [row]})
        if row.get("sets") is not None:
            yield from _same(Cell(sizes[entry["treated"]], "used"), Cell(row, "sets"))
            yield from _same(Cell(row, "sets"), Cell(sizes[entry["treated"]], "used"))
    for row in entry["outcomes"]:
        yield from _of_model({"fits": [row]})


def _of_unscored(entry, threshold):
    """Who has no score is the rest of the group, whose size every reader knows."""
    for row in entry["sizes"]:
        if isinstance(row["n"], int) and 0 < row["n"] - row["scored"] < threshold:
            yield Relation([Cell([Few(row["n"] - row["scored"], threshold)], 0), Cell(row, "scored")])


def _of_quality(entry):
    for row in entry.get("years", ()):
        yield Relation([Cell(row, "n"), Cell(row, "unknown")])
    for row in entry.get("course", ()):
        yield Relation([Cell(row, name) for name in ("n", "missing", "died")])
    for row in entry.get("responders", ()):
        yield from _of_names(row, ("improved", "same", "worse"))


def _two(entry, difference):
    """The rows of the two groups that a difference is of, at its visit."""
    rows = [row for name in ("years", "course", "responders") for row in entry.get(name, ())]
    two = _pair(difference["group"], [row["group"] for row in rows])
    return [row for row in rows if row["group"] in two and row.get("visit", "") == difference["visit"]]


def _of_transitions(entry):
    moved = {row["group"]: row for row in entry["moved"]}
    margins = {(row["group"], row["grade"]): row for row in entry["margins"]}
    for side in ("before", "after"):
        for (group, grade), rows in _grouped(entry["cells"], ("group", side)).items():
            yield from if_whole([Cell(row, "count") for row in rows], Cell(margins[group, grade], side))
        for (group,), rows in _grouped(entry["margins"], ("group",)).items():
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
        for entry in result.get(code, ()):
            _hide(entry)
    for row in (row for entry in result.get("comparisons", ()) for row in entry["rows"]):
        _hide_effects(row)
    for part in result.values():
        _hide_statistics(part)
    for entry in result.get("models", ()):
        _hide_df(entry)
    for entry in result.get("endpoints", ()):
        _hide_together(entry, threshold)
    for entry in result.get("qol", ()):
        _hide_differences(entry, threshold)
    for entry in result.get("propensity", ()):
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


def _hide(part):
    if isinstance(part, list):
        for inner in part:
            _hide(inner)
    if not isinstance(part, dict):
        return
    for counts, shares in _SHARES:
        if counts[0] in part and any(_hidden(part.get(name)) for name in counts):
            for name in shares:
                if name in part:
                    part[name] = None
    _hide_weighted(part)
    for inner in part.values():
        _hide(inner)


def _hide_weighted(part):
    """Weighted shares of a category of few: with the others they tell that there are any, and about how many."""
    shares = part.get("weighted")
    for code in shares if isinstance(shares, dict) else ():
        if is_few(part["n"]) or is_few(part["counts"][code]):
            shares[code] = None


def _hide_effects(row):
    """Differences and ratios of two shares, or of the means of few, and their standardised difference: with what is
    told of one group they tell the other's."""
    codes = list(row["groups"])
    for first, second in product(codes, codes):
        effect = row.get("effects", {}).get(f"{first}_vs_{second}", {})
        groups = (row["groups"][first], row["groups"][second]) if effect else ()
        if any(map(_tells_few if row["kind"] != BINARY else _tells_share, groups)):
            effect |= dict.fromkeys({"estimate", "low", "high", "smd"} & effect.keys())


def _tells_share(group):
    return any(_hidden(group[name]) for name in ("n", "counts"))


def _tells_few(group):
    """Whether a group's mean or shift is of fewer patients than the threshold."""
    return is_few(group["n"]) and group["n"] < group["n"].threshold


def _hide_statistics(part):
    """Statistics and df of a row with a hidden count: rank sums, chi-squares of two categories, df of t tests."""
    if isinstance(part, list):
        for row in part:
            if isinstance(row, dict) and _any_hidden(row):
                _without_statistic(row)
            _hide_statistics(row)
    elif isinstance(part, dict):
        for inner in part.values():
            _hide_statistics(inner)


def _hide_df(entry):
    """Degrees of freedom of a model's terms are its patients less its terms: they go with the number of patients."""
    if _any_hidden(entry["fits"]):
        for row in (row for part in ("coefficients", "contrasts", "terms") for row in entry[part]):
            _without_statistic(row)


def _any_hidden(part):
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return is_few(part) or any(map(_any_hidden, inner))


def _emptied(part):
    """The same shape without numbers: F has two degrees of freedom, and a row of pairs a statistic each."""
    if isinstance(part, dict):
        return {name: _emptied(inner) for name, inner in part.items()}
    return [None] * len(part) if isinstance(part, list) else None


def _without_statistic(part):
    for name, inner in part.items():
        if name.partition("_")[0] in ("statistic", "df"):
            part[name] = _emptied(inner)
        elif isinstance(inner, dict):
            _without_statistic(inner)


def _hide_together(entry, threshold):
    """Numbers of several groups together, where that of one is hidden, or where they leave out few: with the sizes of
    groups and the other numbers they tell it."""
    sizes = {row["group"]: row for row in entry["followed"]}
    for row in (*entry["tests"], *entry["fits"]):
        codes = _pair(row.get("group", ""), sizes) or sizes
        for name in ("n", "events"):
            if row.get(name) and _tells_of([sizes[code][name] for code in codes], [row[name]], threshold):
                Cell(row, name).hide(threshold)
                _without_statistic(row)
    for rows in _grouped(entry["subgroups"], ("variable", "group")).values():
        codes = _pair(rows[0]["group"], sizes)
        for name in ("n", "events"):
            numbers = [row[name] for row in rows]
            if any(numbers) and _tells_of([sizes[code][name] for code in codes], numbers, threshold):
                least = min((row for row in rows if row[name]), key=lambda row: row[name])
                Cell(least, name).hide(threshold)
                _without_statistic(least)


def _tells_of(of_groups, together, threshold):
    """Whether the numbers `together`, all shown, tell one of the groups that is hidden, or the few who are left out."""
    if any(map(is_few, together)):
        return False
    return any(map(is_few, of_groups)) or 0 < sum(of_groups) - sum(together) < threshold


def _hide_differences(entry, threshold):
    """How many two groups have together, where that of one is hidden; and differences of shares of responders."""
    for row in entry.get("differences", ()):
        two = _two(entry, row)
        if any(is_few(part["n"]) for part in two) and not is_few(row["n"]):
            Cell(row, "n").hide(threshold)
            _without_statistic(row)
        if any(is_few(part[name]) for part in two if "improved" in part for name in ("improved", "n")):
            row |= dict.fromkeys(("estimate", "low", "high"))


def _hidden(count):
    return any(map(is_few, count.values())) if isinstance(count, dict) else is_few(count)


def _hide_balance(entry, threshold):
    """Shares of categories before and after, where the number of patients gives a small count."""
    sides = (("treated", entry["treated"]), ("control", entry["control"]))
    sizes = {row["group"]: row for row in entry["sizes"]}
    for row in entry["balance"]:
        for (side, group), (moment, whole) in product(sides, (("before", "scored"), ("after", "used"))):
            share, name = row.get(f"{side}_{moment}"), f"{side}_{moment}"
            if row["level"] and share is not None and 0 < round(share * sizes[group][whole]) < threshold:
                row |= dict.fromkeys((name, f"smd_{moment}", f"ratio_{moment}"))


def _hide_weights(entry):
    """Weights of the treated add up to those who were used, and pairs count them: both go where that is hidden."""
    for row in entry["sizes"]:
        if any(is_few(row[name]) for name in ("used", "unmatched", "scored")):
            entry["pairs"] = []
            for part in entry["overlap"]:
                if part["group"] == row["group"]:
                    part["weight"] = None


def _hide_outcomes(entry):
    """Differences of two shares of matched pairs, where a count behind one of them is hidden."""
    counted = _grouped(entry["categories"], ("variable", "visit"))
    for row in entry["outcomes"]:
        categories = counted.get((row["variable"], row["visit"]), ())
        if row["effect"] == "risk_difference" and any(
            is_few(category[side]) for category in categories for side in _SIDES
        ):
            row |= dict.fromkeys(("estimate", "low", "high"))


_SIDES = ("treated", "control")
