"""Answers to EQ-5D-5L by level, before and after surgery and by group. Figure 5 of the segment study."""

from registry.analysis.disclosure import small_cells
from registry.analysis.figures.canvas import INK, LEVEL_COLOURS, note, panels, ticks, wrapped
from registry.analysis.figures.chart import (
    COUNT,
    DIMENSION,
    GROUP,
    PERCENT,
    TIMEPOINT,
    Chart,
    Column,
    N,
    sentence,
    share,
)
from registry.instruments import variables
from registry.instruments.base import Label
from registry.instruments.core import eq5d5l

TITLE = Label("EQ-5D-5L answers", "EQ-5D-5Lの回答分布")
COLUMNS = (DIMENSION, TIMEPOINT, GROUP, N, Column("level", Label("Level", "レベル")), COUNT, PERCENT)
ALT = Label(
    "{dimension}, {when}, {group} (n = {n}): any problem {any}%",
    "{dimension}、{when}、{group}（n = {n}）：問題あり{any}%",
)
DIFFER = Label("{pair} differ, P {marks}", "{pair}に差あり（P {marks}）")
NOTE = Label(
    "Numbers under the bars: patients who answered. Brackets: pairwise {test}{adjust}; "
    "* P < 0.05, ** P < 0.01, *** P < 0.001.",
    "棒の下の数字は回答した患者数。括弧は2群間の{test}{adjust}：* P < 0.05、** P < 0.01、*** P < 0.001。",
)
AXIS = Label("Patients, %", "患者の割合（%）")
LEVEL = Label("Level", "レベル")
MARKS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
MOST_BRACKETS = 6  # over one set of bars; more would hide what they say
STORY = 9  # percent of height that one bracket takes


def charts(result, words):
    rows = result.eq5d_domains
    if not rows:
        return []
    numbers = tuple(
        (row.variable, row.timepoint, group, cell.n, level, count, share(count, cell.n))
        for row in rows
        for group, cell in row.groups.items()
        for level, count in cell.counts.items()
    )
    alt = sentence([part for row in rows for part in _told(row, words, result.method.alpha)], words)
    return [
        Chart(
            code="eq5d-answers",
            title=words(TITLE),
            alt=alt,
            columns=COLUMNS,
            rows=numbers,
            draw=lambda w: draw(result, w),
        )
    ]


def _told(row, words, alpha):
    for group, cell in row.groups.items():
        untroubled = cell.counts["1"]
        troubled = share(small_cells.apart(untroubled, cell.n - untroubled), cell.n)
        yield words(
            ALT,
            dimension=words(variables.get(row.variable).label),
            when=words.timepoint(row.timepoint),
            group=words.groups[group],
            n=cell.n,
            any="–" if troubled is None else f"{troubled:.0f}",
        )
    for (first, second), mark in _significant(row, words, alpha):
        codes = list(words.groups.values())
        limit = next(str(limit) for limit, stars in MARKS if stars == mark)
        yield words(DIFFER, pair=f"{codes[first]} – {codes[second]}", marks=f"< {limit}")


def mark_of(p):
    """`***`, `**`, `*`, or nothing."""
    return next((mark for limit, mark in MARKS if p is not None and p < limit), "")


def _significant(row, words, alpha):
    """((place of the first group, of the second), mark) of the pairs that differ, shortest brackets first."""
    codes = list(words.groups)
    significant = []
    for pair, p in row.p.items():
        if p is not None and p < alpha and mark_of(p):
            significant.append((tuple(codes.index(code) for code in words.codes_of_pair(pair)), mark_of(p)))
    return sorted(significant, key=lambda bracket: (bracket[0][1] - bracket[0][0], bracket[0]))


def draw(result, words):
    rows = result.eq5d_domains
    names = list(dict.fromkeys(row.variable for row in rows))
    bars = len(words.groups) * len({row.timepoint for row in rows})
    columns = 3 if bars <= 9 else 1
    height, width = -(-len(names) // columns), max(8.4, 0.45 * bars + 1 if columns == 1 else 0)
    figure, axes = panels(height, columns, width=width, height=3.1 * height, sharey=True)
    flat = list(axes.flat)
    stories = max(min(len(_significant(row, words, result.method.alpha)), MOST_BRACKETS) for row in rows)
    for axis, name in zip(flat, names, strict=False):
        _panel(axis, [row for row in rows if row.variable == name], words, result.method.alpha, stories)
        axis.set_title(words(variables.get(name).label), loc="left")
    for axis in flat[len(names) :]:
        axis.axis("off")
    for row_of_axes in axes:
        row_of_axes[0].set_ylabel(words(AXIS))
    _legend(figure, words)
    adjust = words._with_adjustment(rows[0].test, rows).removeprefix(words.test(rows[0].test))
    note(figure, words(NOTE, test=words.test(rows[0].test), adjust=adjust))
    return figure


def _panel(axis, rows, words, alpha, stories):
    positions, labels = [], []
    for place, row in enumerate(rows):
        start = place * (len(words.groups) + 0.7)
        for offset, (code, name) in enumerate(words.groups.items()):
            _bar(axis, start + offset, row.groups[code])
            positions.append(start + offset)
            labels.append(f"{wrapped(name, 10)}\n{row.groups[code].n}")
        brackets = _significant(row, words, alpha)[:MOST_BRACKETS]
        for story, ((first, second), mark) in enumerate(brackets):
            _bracket(axis, start + first, start + second, 103 + STORY * story, mark)
        middle = start + (len(words.groups) - 1) / 2
        axis.text(middle, 103 + STORY * stories, words.timepoint(row.timepoint), ha="center", va="bottom", fontsize=7.5)
    ticks(axis, labels, positions, size=6)
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.set_ylim(0, 112 + STORY * stories)
    axis.spines["left"].set_bounds(0, 100)


def _bar(axis, x, counts):
    reached = 0
    for colour, count in zip(LEVEL_COLOURS, counts.counts.values(), strict=True):
        height = share(count, counts.n) or 0
        axis.bar(x, height, 0.82, reached, color=colour, edgecolor="#33414d", linewidth=0.4)
        if height >= 9:
            dark = LEVEL_COLOURS.index(colour) >= 2
            axis.text(
                x,
                reached + height / 2,
                f"{height:.0f}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if dark else INK,
            )
        reached += height


def _bracket(axis, left, right, y, mark):
    axis.plot([left, left, right, right], [y - 1.5, y, y, y - 1.5], color=INK, linewidth=0.8)
    axis.text((left + right) / 2, y - 0.5, mark, ha="center", va="bottom", fontsize=8)


def _legend(figure, words):
    from matplotlib.patches import Patch

    names = [words(choice.label) for choice in eq5d5l.DIMENSIONS[0].choices]
    names[-1] += f" / {words(eq5d5l.EXTREME)}"
    handles = [Patch(facecolor=c, edgecolor="#33414d", linewidth=0.4) for c in LEVEL_COLOURS]
    labels = [f"{place} {name}" for place, name in enumerate(names, 1)]
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
