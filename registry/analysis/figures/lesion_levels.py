"""Where the lesions are: patients with a lesion of each level, by group. Table 1 and Figure 1 of the segment study."""

from registry.analysis.figures.canvas import color, group_panels, title, wrapped
from registry.analysis.figures.chart import COUNT, GROUP, PERCENT, Chart, Column, N, sentence, share
from registry.analysis.presentation.numbers import count_percent
from registry.instruments import levels
from registry.instruments.base import Label

TITLE = Label("Levels of the lesions", "病変高位の分布")
COLUMNS = (Column("level", Label("Level", "高位")), GROUP, N, COUNT, PERCENT)
ALT = Label("{group} (n = {n}): {counts}", "{group}（n = {n}）：{counts}")
AXIS = Label("Patients", "患者数")


def charts(result, words):
    rows = result.figures.levels
    numbers = tuple(
        (level, row.group, row.n, row.counts[level], share(row.counts[level], row.n))
        for row in rows
        for level in levels.LEVELS
        if row.counts[level]
    )
    parts = [
        words(
            ALT,
            group=words.groups[row.group],
            n=row.n,
            counts=", ".join(f"{level} {row.counts[level]}" for level in levels.LEVELS if row.counts[level]),
        )
        for row in rows
    ]
    alt = sentence(parts, words)
    return [
        Chart(code="levels", title=words(TITLE), alt=alt, columns=COLUMNS, rows=numbers, draw=lambda w: draw(rows, w))
    ]


def draw(rows, words):
    groups = [row.group for row in rows]
    figure, axes, firsts = group_panels(groups, [None], (2.3, 4.7), sharey=True, sharex=True)
    longest = max((count for row in rows for count in row.counts.values()), default=0) or 1
    for place, row in enumerate(rows):
        axis = axes[None, row.group]
        counts = [row.counts[level] for level in levels.LEVELS]
        axis.barh(range(len(counts)), counts, height=0.72, color=color(place), edgecolor="#33414d", linewidth=0.5)
        for y, count in enumerate(counts):
            if count:
                axis.text(count + longest * 0.02, y, count_percent(count, row.n), va="center", fontsize=6.5)
        title(axis, f"{wrapped(words.groups[row.group], 24)}\nn = {row.n}")
        axis.set_xlabel(words(AXIS))
        axis.set_xlim(0, longest * 1.35)
        axis.xaxis.get_major_locator().set_params(integer=True)
        for boundary in (7, 19, 24):  # under C7, T12 and L5
            axis.axhline(boundary - 0.5, color="#aab4bd", linewidth=0.6, linestyle=":")
        axis.tick_params(axis="y", length=0)
    firsts[0].set_yticks(range(len(levels.LEVELS)), levels.LEVELS)
    firsts[0].set_ylim(len(levels.LEVELS) - 0.4, -0.6)
    return figure
