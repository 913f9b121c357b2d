"""Results for people: the journal's tables as text in cells, and every number on a line of its own.

A result keeps full precision; only here is anything rounded. The tables are built once, and pages and files
(`files`) show the same ones.
"""

from dataclasses import dataclass

from django.conf import settings

from registry.analysis.design import sections
from registry.analysis.disclosure import complementary, small_cells
from registry.analysis.presentation import narrative
from registry.analysis.presentation.numbers import ABSENT, count_percent, leaves, mean_sd, number, p_value
from registry.analysis.presentation.tested_p import mean_change, pairs_known, with_details
from registry.analysis.presentation.words import Words
from registry.analysis.reports.lesion_report import ALL, SCORES
from registry.analysis.results.result import Result
from registry.analysis.results.tables import ByValueSet
from registry.instruments import levels, value_sets, variables
from registry.instruments.base import Label
from registry.instruments.core import patient, sins
from sites.tenancy.access import Can


@dataclass(frozen=True)
class Row:
    """One line of a table: its label, the cells after it, and whether it belongs under the line before it."""

    label: str
    cells: tuple
    indent: bool = False


@dataclass(frozen=True)
class Table:
    """`header` names the columns, that of the labels first; `spans` (text, how many columns) stand above it.

    number  that of the table in the study; 0 for one that the study does not have
    part    what the kind of section that it is of is called; "" for those that every plan has
    """

    code: str
    title: str
    header: tuple
    rows: tuple
    spans: tuple = ()
    notes: tuple = ()
    number: int = 0
    part: str = ""


KNOWN = Label("n known (unknown)", "既知例数（不明）")
P = Label("P", "P値")
SECOND = {"chi_square": "P (χ²)", "chi_square_corrected": "P (χ², Yates)", "fisher_exact": "P (Fisher)"}
VARIABLE = Label("Variable", "変数")
NUMBERED = {
    "lesion_levels": 1,
    "characteristics": 2,
    "sins_by_procedure": 3,
    "recovery": 4,
    "adverse_events": 5,
    "between_groups": 6,
}
NUMBERED_TITLE = Label("Table {number}. {title}", "表{number}. {title}")
TITLES = {
    "lesion_levels": Label("Levels of the lesions (a lesion may have several)", "病変高位（重複あり）"),
    "sins_by_procedure": Label("SINS by procedure", "術式別のSINS"),
    "flow": Label("Patients", "対象患者"),
    "by_site": Label("By site: enrolled, left out at each step, analysed", "施設別：登録、各段階の除外、解析対象"),
    "characteristics": Label("Patient characteristics", "患者背景"),
    "recovery": Label("Before and after surgery, within each group", "群内の術前後比較"),
    "adverse_events": Label("Adverse events", "有害事象"),
    "between_groups": Label("Comparison between groups", "群間比較"),
    "eq5d_domains": Label("EQ-5D-5L dimensions: answers by level", "EQ-5D-5L 各項目の回答分布"),
    "sensitivity": Label("HSUV by each value set, before and after surgery", "換算表別のHSUV：術前後比較"),
    "sensitivity_between": Label("HSUV by each value set, between groups", "換算表別のHSUV：群間比較"),
}
# Columns of Table 3 are narrow.
SHORT_PROCEDURES = {
    "psf": Label("PSF", "PSF"),
    "pps": Label("PPS", "PPS"),
    "decompression": Label("Dec.", "除圧"),
    "anterior": Label("Ant.", "前方"),
    "bkp": Label("BKP", "BKP"),
    "tes": Label("TES", "TES"),
}
MOST_COLUMNS = 17  # of Table 3; with more it becomes several tables, of some groups each
INVOLVED = Label("Levels involved, total", "罹患椎体数（合計）")
PER_PATIENT = Label("Levels involved, per patient", "1例あたりの罹患椎体数")
LEVEL = Label("Level", "高位")
SINS = Label("SINS", "SINS")
TOTAL = Label("Total", "計")
MEAN_SD = Label("Mean ± SD", "平均±標準偏差")
BAND = Label("{name} ({first}–{last})", "{name}（{first}～{last}）")
LEVELS_NOTE = Label(
    "n (%) of the patients whose levels are known. A lesion of several vertebrae counts at each of them.",
    "値は病変高位が既知の患者に対するn（%）。複数椎体の病変は各高位に重複して数える。",
)
SINS_NOTE = Label(
    "Patients by SINS total and procedure; the class of stability above its scores, with % of the column. "
    "{procedures}. “Total” includes patients whose procedure is not known.",
    "SINS合計点と術式別の患者数。安定性分類の行は列に対する%。{procedures}。「計」は術式不明例を含む。",
)
PAIRED = Label("P of McNemar's test, complete pairs", "McNemar検定のP値（両時点がそろう例）")
PAIRED_NOTE = Label(
    "The study compared categories before and after with Fisher's test, as if the two times were different patients; "
    "McNemar's test of the same patients at both times suits the design better and stands below it.",
    "カテゴリ変数の術前後比較は、研究に従い両時点を独立とみなすFisherの正確確率検定で示し、"
    "対応を考慮したより適切なMcNemar検定の結果を下段に併記する。",
)


def tables(result, language="en"):
    """Every table of a result, in the order of the study."""
    words = Words(result, language)
    built = [
        _flow(result, words),
        *_lesion_levels(result, words),
        _overall("characteristics", result.characteristics, words),
        *_sins_by_procedure(result, words),
        _recovery("recovery", result.recovery, words),
        _overall("adverse_events", result.adverse_events, words),
        _between("between_groups", result.between_groups, words),
        _between("eq5d_domains", result.eq5d_domains, words),
        *_sensitivity(result, words),
        *sections.tables_of(result, words),
    ]
    return [table for table in built if table.rows]


def _title(code, words):
    title = words(TITLES[code])
    return words(NUMBERED_TITLE, number=NUMBERED[code], title=title) if code in NUMBERED else title


def flow(result, language="en"):
    """The steps of the cohort with labels and reasons in the language: dicts with step, label, n, excluded, reason."""
    return list(Words(result, language).flow())


def _flow(result, words):
    header = (
        words(Label("Step", "段階")),
        words(Label("Patients", "患者数")),
        words(Label("Excluded", "除外")),
        words(Label("Reason", "理由")),
    )
    rows = [
        Row(step["label"], (str(step["n"]), str(step.get("excluded", "")), step["reason"]))
        for step in words.whole_flow()
    ]
    return Table("flow", words(TITLES["flow"]), header, tuple(rows))


SITE, ENROLLED, ANALYSED = Label("Site", "施設"), Label("Enrolled", "登録"), Label("Analysed", "解析対象")


def by_site(result, language="en"):
    """The flow of each site as a Table, for the page of a run; None for a result from before it was kept.

    Files for readers leave it out: a journal prints no numbers of single sites.
    """
    if result.cohort.by_site is None:
        return None
    words = Words(result, language)
    reasons = [step["reason"] for step in words.flow()][1:]
    header = (words(SITE), words(ENROLLED), *reasons, words(ANALYSED))
    rows = tuple(
        Row(row.site, tuple(map(str, (row.enrolled, *row.excluded, row.analysed)))) for row in result.cohort.by_site
    )
    return Table("by_site", words(TITLES["by_site"]), header, rows)


def _overall(code, rows, words):
    """Tables 2 and 5: a column a group, then P; and P of the further test where the plan has one."""
    second = next((row.second.code for row in rows if row.second), None)
    header = (words(VARIABLE), *words.groups_with_n(), words(P), *([SECOND[second]] if second else []))
    lines = []
    for row in rows:
        variable = variables.get(row.variable)
        groups = [(words.groups[group], row.groups[group]) for group in words.groups]
        ends = [with_details(_p(row), row, words, groups)]
        if second:
            tested = row.second
            ends.append((tested and with_details(p_value(tested.tested.p), row, words, groups, second=tested)) or "")
        lines += _block(words, variable, [row.groups[group] for group in words.groups], ends, words.label(variable))
    return Table(
        code, _title(code, words), header, tuple(lines), notes=words.footnotes(rows), number=NUMBERED.get(code, 0)
    )


def _block(words, variable, cells, ends, label):
    """The lines of one variable: `told` a cell each, `ends` (P) on the first line alone."""
    blank = ("",) * len(ends)
    if variable.kind == "continuous":
        lines = [Row(label, (*(mean_sd(cell, variable.decimals) for cell in cells), *ends))]
    elif variable.categories == variables.YES_NO:
        lines = [Row(label, (*_counts(cells, "yes"), *ends))]
    else:
        lines = [Row(label, (*("" for _ in cells), *ends))]
        lines += [
            Row(words(choice.label), (*_counts(cells, str(choice.code)), *blank), indent=True)
            for choice in variable.categories
        ]
    return [*lines, Row(words(KNOWN), (*map(_known, cells), *blank), indent=True)]


def _known(cells):
    """“27 (4)”: of how many the value is known, and of how many it is not."""
    return f"{cells.n} ({cells.missing})"


def _counts(cells, code):
    return tuple(count_percent(cell.counts[code], cell.n) for cell in cells)


def _p(row):
    """P as printed, marked where it was sampled and not computed exactly."""
    return p_value(row.p) + ("*" if row.monte_carlo and row.p is not None else "")


def _recovery(code, rows, words, label=None):
    """Table 4: baseline, follow-up and P of each group side by side; one block for each follow-up.

    label  (row) -> what stands before a block, where that is not its variable
    """
    spans = (("", 1), *((text, 3) for text in words.groups_with_n()))
    lines, blocks = [], {}
    for row in rows:
        name = label(row) if label else words.label(variables.get(row.variable))
        blocks.setdefault((name, row.timepoint), []).append(row)
    several = len({timepoint for _, timepoint in blocks}) > 1
    for (name, timepoint), per_group in blocks.items():
        text = name + (f", {words.at(timepoint)}" if several else "")
        lines += _side_by_side(words, variables.get(per_group[0].variable), per_group, text, label is None)
    after = words(Label("after", "術後")) if several else words.timepoint(next(iter(blocks))[1] if rows else "")
    header = (words(VARIABLE), *((words.baseline, after, words(P)) * len(words.groups)))
    notes = words.footnotes(rows)
    if any(row.test == "fisher_exact" and row.second and row.second.code == "mcnemar" for row in rows):
        notes = (*notes, words(PAIRED_NOTE))
    return Table(code, _title(code, words), header, tuple(lines), spans, notes, NUMBERED.get(code, 0))


def _side_by_side(words, variable, per_group, label, with_changes):
    """The same lines as `_block`, with P behind each pair of cells, and P of the further test under them."""
    cells = [cell for row in per_group for cell in (row.baseline, row.followup)]
    lines = _block(words, variable, cells, (), label)
    p = [
        with_details(_p(row), row, words, _of_times(row, words), more=_of_change(row, words, with_changes))
        for row in per_group
    ]
    woven = [
        Row(line.label, _woven(line.cells, p if place == 0 else [""] * len(p)), line.indent)
        for place, line in enumerate(lines)
    ]
    for code in dict.fromkeys(row.second.code for row in per_group if row.second):
        name = words(PAIRED) if code == "mcnemar" else SECOND.get(code, f"p_{code}")
        further = _woven([""] * len(cells), [_further_p(row, words) for row in per_group])
        woven.append(Row(name, further, indent=True))
    return woven


def _of_times(row, words):
    """What was known at both times, of a category, whose two times are compared as if they were different patients."""
    if row.kind == "continuous":
        return ()
    return ((words.baseline, row.baseline), (words.timepoint(row.timepoint), row.followup))


def _of_change(row, words, with_changes):
    """Complete pairs of a number and their mean change, which stands in the row of changes between the groups."""
    if row.kind != "continuous":
        return []
    changes = (
        other.groups[row.group]
        for other in words.result.between_groups
        if with_changes and other.followup == row.timepoint and other.variable == row.variable
    )
    return [*pairs_known(row.pairs, words), *mean_change(next(changes, None), words)]


def _further_p(row, words):
    text = p_value(row.second and row.second.tested.p)
    return with_details(text, row, words, second=row.second, more=pairs_known(row.pairs, words))


def _woven(cells, p):
    return tuple(cell for place, pair_p in enumerate(p) for cell in (cells[2 * place], cells[2 * place + 1], pair_p))


def _between(code, rows, words, label=None):
    """Table 6 and Figure 5: a column a group, then P of each pair. `label` as in `_recovery`."""
    pairs = words.pairs(rows)
    header = (words(VARIABLE), *words.groups_with_n(), *pairs.values())
    lines = []
    for row in rows:
        variable = variables.get(row.variable)
        if row.timepoint == "delta":
            variable = variable.delta
        p = tuple(with_details(_p_of_pair(row, pair), row, words, _groups_of(pair, row, words), pair) for pair in pairs)
        text = f"{label(row) if label else words.label(variable)}, {words.at(row.when)}"
        lines += _block(words, variable, [row.groups[group] for group in words.groups], p, text)
    spans = (("", 1 + len(words.groups)), (words(P), len(pairs))) if pairs else ()
    return Table(code, _title(code, words), header, tuple(lines), spans, words.footnotes(rows), NUMBERED.get(code, 0))


def _groups_of(pair, row, words):
    return [(words.groups[group], row.groups[group]) for group in words.codes_of_pair(pair)]


def _sensitivity(result, words):
    """HSUV by the main value set and by each further one, side by side: before and after, and between groups."""
    if not result.sensitivity:
        return
    hsuv = ([row for row in table if row.variable == "hsuv"] for table in (result.recovery, result.between_groups))
    every = [ByValueSet(result.method.value_set, *hsuv), *result.sensitivity]
    sets = {id(row): entry.value_set for entry in every for row in (*entry.recovery, *entry.between_groups)}

    def named(row):
        code = sets[id(row)]
        name = f"{words(value_sets.get(code).label)} ({code})"
        return f"Δ {name}" if row.timepoint == "delta" else name

    yield _recovery("sensitivity", [row for entry in every for row in entry.recovery], words, named)
    yield _between("sensitivity_between", [row for entry in every for row in entry.between_groups], words, named)


def _lesion_levels(result, words):
    """Table 1: patients with a lesion of each level, a column a group."""
    if result.lesion_levels is None:  # a result from before there was this table
        return
    rows = {row.group: row for row in result.lesion_levels.groups}
    rows_of_groups = [rows[group] for group in words.groups]
    lines = [Row(level, tuple(_or_zero(row.counts[level], row.n) for row in rows_of_groups)) for level in levels.LEVELS]
    lines.append(Row(words(INVOLVED), tuple(str(row.involved) for row in rows_of_groups)))
    lines.append(Row(words(PER_PATIENT), tuple(_per_patient(row) for row in rows_of_groups)))
    lines.append(Row(words(KNOWN), tuple(map(_known, rows_of_groups))))
    header = (words(LEVEL), *words.groups_with_n())
    yield Table("lesion_levels", _title("lesion_levels", words), header, tuple(lines), (), (words(LEVELS_NOTE),), 1)


def _per_patient(row):
    return ABSENT if isinstance(row.involved, small_cells.Few) else number(row.per_patient, 2)


def _or_zero(count, n):
    return count_percent(count, n) if count else "0"


def _sins_by_procedure(result, words):
    """Table 3: patients by SINS total, a column a procedure in each group; several tables where there are many."""
    if result.sins_by_procedure is None:
        return
    by_group = {group: [] for group in words.groups}
    for row in result.sins_by_procedure.rows:
        by_group[row.group].append(row)
    some, width = [], 0
    for group, rows in by_group.items():
        if some and width + len(rows) > MOST_COLUMNS:
            yield _sins_table(some, by_group, words)
            some, width = [], 0
        some.append(group)
        width += len(rows)
    if some:
        yield _sins_table(some, by_group, words)


def _sins_table(groups, by_group, words):
    order = {choice.code: place for place, choice in enumerate(patient.PROCEDURES)}
    cells = [
        row for group in groups for row in sorted(by_group[group], key=lambda row: order.get(row.procedure, len(order)))
    ]
    lines, start = [], 0
    for last, choice in sins.STABILITY:
        name = words(BAND, name=words(choice.label), first=start, last=last)
        lines.append(Row(name, tuple(count_percent(row.classes[choice.code], row.n) for row in cells)))
        for score in SCORES[start : last + 1]:
            lines.append(Row(str(score), tuple(str(row.counts[str(score)]) for row in cells), indent=True))
        start = last + 1
    lines.append(Row(words(MEAN_SD), tuple(mean_sd(row, 1) for row in cells)))
    lines.append(Row(words(KNOWN), tuple(map(_known, cells))))
    header = (words(SINS), *(_procedure(row.procedure, words) for row in cells))
    sizes = dict(zip(words.groups, words.groups_with_n(), strict=True))
    spans = (("", 1), *((sizes[group], len(by_group[group])) for group in groups))
    seen = {row.procedure for row in cells}
    meant = (
        f"{words(SHORT_PROCEDURES[procedure.code])}: {words(procedure.label)}"
        for procedure in patient.PROCEDURES
        if procedure.code in seen
    )
    note = words(SINS_NOTE, procedures="; ".join(meant) or ABSENT)
    return Table("sins_by_procedure", _title("sins_by_procedure", words), header, tuple(lines), spans, (note,), 3)


def _procedure(code, words):
    return words(TOTAL) if code == ALL else words(SHORT_PROCEDURES[code])


def _p_of_pair(row, pair):
    mark = "*" if pair in (row.monte_carlo or {}) else ""
    return p_value(row.p[pair]) + mark


# The order of keys

_KEYS = """
    cohort method characteristics recovery adverse_events between_groups eq5d_domains sensitivity
    figures survival eq5d_report lesion_levels sins_by_procedure
    name version steps step label site enrolled n excluded analysed reason flow groups in_no_group by_site days values
    variable group procedure timepoint followup kind test adjust p_raw p p_chi_square p_mcnemar pairs baseline missing
    mean sd median q1 q3 min max counts
    plan plan_version value_set value_set_version segment_rule grouping followups snapshot software synthetic tests
    frozen hash
"""


def in_order(stored):
    """A result's JSON read back from jsonb, which sorts keys by itself, with every key where the runner had put it."""
    method = stored["method"]
    codes = [str(choice.code) for variable in variables.VARIABLES for choice in variable.categories]
    names = [*_KEYS.split(), *sections.SECTIONS, *(code for code in codes if not code.isdecimal()), *levels.LEVELS]
    rank = {key: place for place, key in enumerate(dict.fromkeys((*method["groups"], *method["pairs"], *names)))}

    def place_of(key):
        return rank.get(key, len(rank)), int(key) if key.isdecimal() else -1, key

    def ordered(part):
        if isinstance(part, list):
            return [ordered(member) for member in part]
        if isinstance(part, dict):
            return {key: ordered(part[key]) for key in sorted(part, key=place_of)}
        return part

    return ordered(stored)


# What is shown


def shown(result):
    """The result as it may be shown: small counts hidden where the installation asks for that, and what tells them."""
    if settings.SMALL_CELLS <= 1:
        return result
    masked = Result.from_json(small_cells.masked(result.to_json(), settings.SMALL_CELLS))
    complementary.complement(masked, settings.SMALL_CELLS)
    return masked


SEES_EVERY_NUMBER = Can.EXPORT  # who may carry the patients' records out sees what small cells hide


def for_reader(result, access):
    """The JSON of a result as somebody gets it: whole for who may export, else as shown, its hidden counts as text."""
    return result.to_json() if access.may(SEES_EVERY_NUMBER) else _in_words(shown(result).to_json())


def _in_words(part):
    if isinstance(part, dict):
        return {name: _in_words(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_in_words(inner) for inner in part]
    return str(part) if isinstance(part, small_cells.Few) else part


CSV_HEADER = ("table", "variable", "group", "timepoint", "category", "statistic", "value")


def numbers(result):
    """Every number of the tables, one a line, with the columns of CSV_HEADER."""
    if mark := narrative.mark(result):
        yield "method", "synthetic", "", "", "", "text", mark
    yield from _flow_lines(result.cohort)
    yield from _lines(result.to_json())


def _lines(result):
    """Those of a result's JSON: what a row does not have is no line."""
    for name in ("value_set", "segment_rule", "snapshot", "software"):
        yield "method", name, "", "", "", "text", result["method"][name]
    for table in ("characteristics", "recovery", "adverse_events", "between_groups", "eq5d_domains"):
        for row in result[table]:
            yield from _row_lines(table, row, result["method"]["baseline"])
    for code, part in (("lesion_levels", "groups"), ("sins_by_procedure", "rows")):
        for row in result.get(code, {}).get(part, ()):
            yield from _told_lines((code, row.get("procedure", code), row["group"], ""), _without_names(row))
    yield from _sensitivity_lines(result)
    for table, row in sections.rows_of(result):
        yield from _section_lines(table, row)


def _sensitivity_lines(result):
    for entry in result.get("sensitivity", ()):
        for table in ("recovery", "between_groups"):
            for row in entry[table]:
                yield from _row_lines(f"{table}:{entry['value_set']}", row, result["method"]["baseline"])


def _section_lines(table, row):
    """The numbers of a row of a section; the curves themselves are in the JSON and in their figure's CSV."""
    if table.endswith("/steps"):
        return
    ends = (str(row[name]) for name in ("before", "after", "grade") if isinstance(row.get(name), str))
    category = row.get("level") or "/".join(ends)
    when = row.get("visit") or row.get("timepoint", "")
    where = (table, row.get("variable", ""), row.get("group", ""), when, category)
    for name, value in row.items():
        if isinstance(value, str) and value and name in _SAID:
            yield *where, name, value
        elif not isinstance(value, (str, list)) and name not in ("label", "categories"):
            for path, number in leaves(value, (name,)):
                yield *where, "/".join(path), _cell(number)


_SAID = ("test", "estimator", "model", "reason", "reference", "term")  # texts of a section's row that are no place


def _flow_lines(cohort):
    for step in cohort.flow:
        yield "cohort", step.step, "", "", "", "n", step.n
        if step.excluded is not None:
            yield "cohort", step.step, "", "", "", "excluded", step.excluded
    for row in cohort.by_site or ():
        yield "cohort", "enrolled", row.site, "", "", "n", row.enrolled
        for step, excluded in zip(cohort.flow[1:], row.excluded, strict=True):
            yield "cohort", step.step, row.site, "", "", "excluded", excluded
        yield "cohort", "analysed", row.site, "", "", "n", row.analysed


def _row_lines(table, row, baseline):
    variable, timepoint = row["variable"], row.get("timepoint", "")
    for group, cell in row.get("groups", {}).items():
        yield from _told_lines((table, variable, group, timepoint), cell)
    for part, when in (("baseline", baseline), ("followup", timepoint)):
        if isinstance(row.get(part), dict):
            yield from _told_lines((table, variable, row["group"], when), row[part])
    if "pairs" in row:
        yield table, variable, row["group"], timepoint, "", "pairs", row["pairs"]
    for field in [name for name in row if name == "p" or name.startswith("p_")]:
        values = row[field] if isinstance(row[field], dict) else {row.get("group", ""): row[field]}
        for group, value in values.items():
            yield table, variable, group, timepoint, "", field, _cell(value)


def _without_names(row):
    return {name: value for name, value in row.items() if name not in ("group", "procedure")}


def _told_lines(start, cell):
    for name, value in cell.items():
        if name in ("counts", "classes"):
            for category, count in value.items():
                yield *start, category, "count", count
        else:
            yield *start, "", name, _cell(value)


def _cell(value):
    """The number itself, which csv writes as the shortest text that reads back the same; empty for none."""
    return "" if value is None else value
