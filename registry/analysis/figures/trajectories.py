"""From before surgery to afterwards, line by line: rounded values that occurred together, and how often."""

from registry.analysis.figures.canvas import BETTER, SAME, WORSE, group_panels, note, ticks, title, wrapped
from registry.analysis.figures.chart import COUNT, GROUP, TIMEPOINT, Chart, numeric, sentence
from registry.analysis.presentation.numbers import number
from registry.instruments import variables
from registry.instruments.base import Label

TITLE = Label("{outcome}: individual courses", "{outcome}：個々の推移")
ALT = Label(
    "{group}, {when} (n = {n}): {better} better, {same} the same, {worse} worse than before surgery",
    "{group}、{when}（n = {n}）：術前より改善{better}、不変{same}、悪化{worse}",
)
PANEL = Label(
    "{group}\nn = {n}: {better} better, {same} same, {worse} worse",
    "{group}\nn = {n}：改善{better} 不変{same} 悪化{worse}",
)
NOTE = Label(
    "Values are rounded to {step}; a line is the wider the more patients it stands for. "
    "Only patients with both values. Same: no change after rounding.",
    "値は{step}単位に丸め、線の太さは患者数を表す。両時点の値がある患者のみ。不変は丸めた値が同じことを示す。",
)
NAMES = {"better": Label("better", "改善"), "same": Label("same", "不変"), "worse": Label("worse", "悪化")}
THIN_UNTIL = 8  # patients on one line, below which no line takes its full width
LOOKS = {"same": (SAME, "-"), "better": (BETTER, "-"), "worse": (WORSE, (0, (4, 1.5)))}  # drawn in this order


def charts(result, words):
    by_outcome = {}
    for row in result.figures.trajectories:
        by_outcome.setdefault(row.variable, []).append(row)
    baseline = result.method.baseline
    return [_chart(variables.get(name), rows, words, baseline) for name, rows in by_outcome.items()]


def _chart(variable, rows, words, baseline):
    decimals = 2 if variable.decimals == 3 else 0
    columns = (
        GROUP,
        TIMEPOINT,
        numeric("before", Label("Before", "術前"), decimals),
        numeric("after", Label("After", "術後"), decimals),
        COUNT,
    )
    numbers = tuple((row.group, row.timepoint, *number) for row in rows for number in row.counts)
    parts = [
        words(
            ALT,
            group=words.groups[row.group],
            when=words.timepoint(row.timepoint),
            n=row.n,
            **_kinds(variable, row),
        )
        for row in rows
    ]
    return Chart(
        code=f"trajectories-{variable.name}",
        title=words(TITLE, outcome=words(variable.label)),
        alt=sentence(parts, words),
        columns=columns,
        rows=numbers,
        draw=lambda w: draw(variable, rows, w, baseline),
    )


def _kind(variable, before, after):
    if before == after:
        return "same"
    return "better" if (after > before) == (variable.higher_is == "better") else "worse"


def _kinds(variable, row):
    """How many patients became better, stayed and became worse, by rounded values."""
    directions = dict.fromkeys(("better", "same", "worse"), 0)
    for before, after, count in row.counts:
        directions[_kind(variable, before, after)] += count
    return directions


def draw(variable, rows, words, baseline):
    from matplotlib.lines import Line2D

    groups, followups = list(words.groups), list(dict.fromkeys(row.timepoint for row in rows))
    figure, axes, firsts = group_panels(groups, followups, (2.3, 2.7), sharey=True)
    for row in rows:
        axis = axes[row.timepoint, row.group]
        _panel(axis, variable, row)
        name = wrapped(words.groups[row.group], 24)
        title(axis, words(PANEL, group=name, n=row.n, **_kinds(variable, row)), fontsize=7.5)
        ticks(axis, [wrapped(words.timepoint(code), 12) for code in (baseline, row.timepoint)], size=7)
        axis.set_xlim(-0.12, 1.12)
    for axis in firsts:
        axis.set_ylabel(words.label(variable))
    handles = [Line2D([], [], color=LOOKS[kind][0], linestyle=LOOKS[kind][1], linewidth=1.5) for kind in NAMES]
    figure.legend(handles, [words(label) for label in NAMES.values()], loc="outside upper left", ncols=3)
    step = rows[0].step
    note(figure, words(NOTE, step=number(step, 2 if step < 1 else 0)))
    return figure


def _panel(axis, variable, row):
    most = max((count for *_, count in row.counts), default=1)
    thin = 0.5 if row.n > 60 else 0.8
    for kind, (colour, style) in LOOKS.items():
        for before, after, count in row.counts:
            if _kind(variable, before, after) == kind:
                width = thin + 3 * (count - 1) / max(most - 1, THIN_UNTIL)
                axis.plot([0, 1], [before, after], color=colour, linestyle=style, linewidth=width, alpha=0.6)
