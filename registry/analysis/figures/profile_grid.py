"""The health profile grid: the rank of each patient's EQ-5D-5L profile before and after. doi:10.1002/hec.1608."""

from registry.analysis.figures.canvas import MUTED, color, group_panels, note, title, wrapped
from registry.analysis.figures.chart import GROUP, MISSING, TIMEPOINT, Chart, Column, N, sentence
from registry.instruments.base import Label

TITLE = Label("EQ-5D-5L health profile grid", "EQ-5D-5L 健康プロファイルグリッド")
ALT = Label(
    "{group}, {when} (n = {n}): the value of the profile rose in {better}, stayed in {same}, fell in {worse}",
    "{group}、{when}（n = {n}）：プロファイルの効用値が上昇{better}、不変{same}、低下{worse}",
)
X_AXIS = Label("Rank before (1 best, 3125 worst)", "術前の順位（1が最良、3125が最悪）")
Y_AXIS = Label("Rank, {when}", "{when}の順位")
NOTE = Label(
    "Rank of the profile by its value ({value_set}); below the diagonal: better afterwards. "
    "Area of a circle: patients, in cells of {step} ranks.",
    "効用値（{value_set}）によるプロファイルの順位。対角線より下は改善。円の面積は{step}順位ごとの患者数。",
)
PANEL = Label("{group}\nn = {n}: {better} better, {worse} worse", "{group}\nn = {n}：改善{better} 悪化{worse}")
COLUMNS = (
    GROUP,
    TIMEPOINT,
    N,
    MISSING,
    Column("better", Label("Better", "改善")),
    Column("same", Label("Same rank", "同順位")),
    Column("worse", Label("Worse", "悪化")),
)
RANKS = 3125
POINT, LARGEST = 14, 160  # square points: a circle for one patient, and the largest of a panel at most


def charts(result, words):
    rows = result.eq5d_report.grid
    names = [column.name for column in COLUMNS]
    parts = [
        words(
            ALT,
            group=words.groups[row.group],
            when=words.timepoint(row.timepoint),
            **{name: getattr(row, name) for name in ("n", "better", "same", "worse")},
        )
        for row in rows
    ]
    return [
        Chart(
            code="eq5d-grid",
            title=words(TITLE),
            alt=sentence(parts, words),
            columns=COLUMNS,
            rows=tuple(tuple(getattr(row, name) for name in names) for row in rows),
            draw=lambda w: draw(result.eq5d_report, w),
        )
    ]


def draw(report, words):
    rows = report.grid
    groups, followups = list(words.groups), list(dict.fromkeys(row.timepoint for row in rows))
    figure, axes, firsts = group_panels(groups, followups, (2.4, 2.6), sharex=True, sharey=True)
    for row in rows:
        axis = axes[row.timepoint, row.group]
        _panel(axis, row, color(groups.index(row.group)))
        axis.set_xlabel(words(X_AXIS), fontsize=6.5)
        counts = {name: getattr(row, name) for name in ("n", "better", "worse")}
        title(axis, words(PANEL, group=wrapped(words.groups[row.group], 24), **counts), fontsize=7.5)
    lines = len(firsts) // len(followups)
    for place, axis in enumerate(firsts):
        axis.set_ylabel(words(Y_AXIS, when=words.timepoint(followups[place // lines])))
    note(figure, words(NOTE, value_set=report.value_set, step=rows[0].step))
    return figure


def _panel(axis, row, colour):
    axis.plot([0, RANKS], [0, RANKS], color=MUTED, linewidth=0.9)
    if row.counts:
        before, after, counts = zip(*row.counts, strict=True)
        step, area = row.step, min(POINT, LARGEST / max(counts))
        axis.scatter(
            [(level + 0.5) * step for level in before],
            [(level + 0.5) * step for level in after],
            s=[area * count for count in counts],
            color=colour,
            edgecolor="#33414d",
            linewidth=0.5,
            alpha=0.85,
            clip_on=False,
            zorder=3,
        )
    ticks = (1, 1000, 2000, RANKS)
    axis.set(xlim=(0, RANKS), ylim=(0, RANKS), aspect="equal", xticks=ticks, yticks=ticks)
    axis.tick_params(labelsize=6.5)
