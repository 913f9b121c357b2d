"""Every number of a result as one line of a file, so that another program can be asked for each.

The result is walked without a list of what it ought to hold: whatever number or null stands in a row becomes a line,
and a statistic that somebody adds tomorrow is asked for from then on.
"""

from registry.analysis.design.sections import SECTIONS
from registry.analysis.presentation.numbers import leaves
from registry.analysis.running.runner import REPORTS

COLUMNS = (
    "table", "row", "value_set", "variable", "kind", "group", "timepoint", "followup", "baseline", "test", "adjust",
    "statistic", "code", "value",
)  # fmt: skip
NOT_TABLES = ("cohort", "method", *REPORTS)
NAMED = {"dimension": "variable", "procedure": "variable"}  # what a row of a report calls otherwise
CONTEXT = ("variable", "kind", "group", "timepoint", "followup", "test", "adjust")  # texts of a row that place it


def lines(result):
    """Dicts with the keys of COLUMNS, one a number of `result`, the JSON of one; `value` is a number, or None for a
    statistic that is not estimable. ValueError for a part of the result that cannot be walked.
    """
    numbers = list(_cohort(result["cohort"]))
    for table, rows in result.items():
        if table not in NOT_TABLES and table not in SECTIONS:
            for value_set, name, row in _rows(table, rows, result["method"]["value_set"]):
                numbers += _row(result["method"], name, value_set, row)
    for name in REPORTS:
        numbers += _report(result["method"], name, result.get(name, {}))
    for code in SECTIONS:
        for place, entry in enumerate(result.get(code, ()), 1):
            numbers += _report(result["method"], f"{code}/{entry.get('code', place)}", entry)
    row, last = -1, None
    for line in numbers:
        own = line.pop("of")
        row, last = (row if own is last else row + 1), own
        yield dict.fromkeys(COLUMNS, "") | line | {"row": row}


def _cohort(cohort):
    """Counts of patients; the parameters of the steps are no statistics."""
    base = {"table": "cohort", "of": cohort}
    yield base | {"statistic": "n", "value": cohort["n"]}
    yield base | {"statistic": "in_no_group", "value": cohort["in_no_group"]}
    for group, n in cohort["groups"].items():
        yield base | {"statistic": "n", "group": group, "value": n}
    for place, step in enumerate(cohort["flow"]):
        for statistic in ("n", "excluded"):
            if statistic in step:
                yield base | {"statistic": f"flow_{statistic}", "code": place, "value": step[statistic]}
    for row in cohort.get("by_site", ()):
        at = base | {"group": row["site"]}
        yield at | {"statistic": "site_enrolled", "value": row["enrolled"]}
        for place, excluded in enumerate(row["excluded"], 1):
            yield at | {"statistic": "site_excluded", "code": place, "value": excluded}
        yield at | {"statistic": "site_analysed", "value": row["analysed"]}


def _rows(table, rows, value_set):
    """(value set, name of the table, row); further value sets have tables of their own inside."""
    for row in rows:
        if "variable" in row:
            yield value_set, table, row
            continue
        inner = {name: part for name, part in row.items() if name != "value_set"}
        for name, part in inner.items():
            if not isinstance(part, list):
                raise ValueError(f"{table}: {name} is neither a row nor a table")
            yield from _rows(name, part, row["value_set"])


def _row(method, table, value_set, row):
    context = {name: row[name] for name in CONTEXT if isinstance(row.get(name), str)}
    if row["variable"] == "hsuv":
        context["value_set"] = value_set
    base = {"table": table, "of": row, "baseline": method["baseline"]} | context
    for path, value in leaves(row):
        yield base | _place(path, base, method) | {"value": value}


def _report(method, name, report):
    """Lines of a report: its lists of rows, its single row, and the numbers beside them. A path stands whole in
    `statistic`."""
    for part, content in report.items():
        if isinstance(content, dict) or (
            isinstance(content, list) and all(isinstance(member, dict) for member in content)
        ):
            for row in content if isinstance(content, list) else [content]:
                context = {NAMED.get(key, key): row[key] for key in (*NAMED, *CONTEXT) if isinstance(row.get(key), str)}
                base = {"table": f"{name}/{part}", "of": row, "baseline": method["baseline"]} | context
                for path, value in leaves(row):
                    yield base | {"statistic": "/".join(path), "value": value}
        else:
            for path, value in leaves(content, (part,)):
                yield {"table": name, "of": report, "statistic": "/".join(path), "value": value}


TEXT_COLUMNS = ("table", "row", "path", "value")


def texts(result):
    """Rows of TEXT_COLUMNS: every text of the sections that says how a number was computed, `row` as in `lines`.

    A text of the entry itself has no row.
    """
    numbered = list(lines(result))
    for code in SECTIONS:
        for place, entry in enumerate(result.get(code, ()), 1):
            table = f"{code}/{entry.get('code', place)}"
            yield from _texts_of(table, "", {name: part for name, part in entry.items() if isinstance(part, str)})
            for name, rows in entry.items():
                if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                    inner = f"{table}/{name}"
                    ids = dict.fromkeys(line["row"] for line in numbered if line["table"] == inner)
                    for row_id, row in zip(ids, [row for row in rows if _numbers_in(row)], strict=True):
                        yield from _texts_of(inner, row_id, row)


def _numbers_in(row):
    return any(True for _ in leaves(row))


def _texts_of(table, row_id, part, path=()):
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from _texts_of(table, row_id, inner, (*path, name))
    elif isinstance(part, str) and path[0] not in ("label", "title", "categories"):
        yield table, row_id, "/".join(path), part


def _place(path, base, method):
    """What a path says: of which group or pair, when, which statistic, and of which category."""
    placed, statistic = {}, []
    parts = iter(path)
    for part in parts:
        if part == "groups" or part in method["pairs"]:
            placed["group"] = next(parts) if part == "groups" else part
        elif part == "baseline":
            placed["timepoint"] = base["baseline"]
        elif part == "followup":
            placed["timepoint"] = base["timepoint"]
        elif part == "counts":
            statistic.append(part)
            placed["code"] = next(parts)
        else:
            statistic.append(part)
    return placed | {"statistic": "/".join(statistic)}
