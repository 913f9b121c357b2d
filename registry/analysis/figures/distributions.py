"""Each outcome before and after surgery, by group: boxes over the distribution of the values."""

from registry.analysis.figures.canvas import INK, color, group_panels, horizontal_grid, note, ticks, title, wrapped
from registry.analysis.figures.chart import GROUP, MISSING, TIMEPOINT, Chart, N, numeric, sentence
from registry.analysis.presentation.numbers import number
from registry.instruments import variables
from registry.instruments.base import Label

ALT = Label(
    "{group}, {when} (n = {n}): median {median}, quartiles {q1} to {q3}",
    "{group}、{when}（n = {n}）：中央値{median}、四分位範囲{q1}～{q3}",
)
TITLE = Label("{outcome}: before and after surgery", "{outcome}：術前後の分布")
NOTE = Label(
    "Box: quartiles and median; whiskers: to the last value within 1.5 interquartile ranges; diamond: mean; "
    "shape behind: all values, rounded to {step}.",
    "箱は四分位数と中央値、ひげは四分位範囲の1.5倍以内の最遠値、菱形は平均、背景は{step}単位に丸めた全値の分布。",
)
WIDE_FROM = 3  # patients with one value, from where on its bar may take the full width
FIELDS = (
    ("mean", Label("Mean", "平均")),
    ("low", Label("Lower whisker", "下ひげ")),
    ("q1", Label("Lower quartile", "第1四分位")),
    ("median", Label("Median", "中央値")),
    ("q3", Label("Upper quartile", "第3四分位")),
    ("high", Label("Upper whisker", "上ひげ")),
    ("min", Label("Minimum", "最小")),
    ("max", Label("Maximum", "最大")),
)


def charts(result, words):
    by_outcome = {}
    for row in result.figures.distributions:
        by_outcome.setdefault(row.variable, []).append(row)
    return [_chart(variables.get(name), rows, words) for name, rows in by_outcome.items()]


def _chart(variable, rows, words):
    decimals = variable.decimals
    columns = (GROUP, TIMEPOINT, N, MISSING, *(numeric(name, label, decimals) for name, label in FIELDS))
    numbers = tuple(
        (row.group, row.timepoint, row.n, row.missing, *(getattr(row, name) for name, _ in FIELDS)) for row in rows
    )
    parts = [
        words(
            ALT,
            group=words.groups[row.group],
            when=words.timepoint(row.timepoint),
            n=row.n,
            **{name: number(getattr(row, name), decimals) for name in ("median", "q1", "q3")},
        )
        for row in rows
    ]
    return Chart(
        code=f"distribution-{variable.name}",
        title=words(TITLE, outcome=words(variable.label)),
        alt=sentence(parts, words),
        columns=columns,
        rows=numbers,
        draw=lambda w: draw(variable, rows, w),
    )


def draw(variable, rows, words):
    groups = list(words.groups)
    slots = len(rows) // max(len(groups), 1)
    figure, axes, firsts = group_panels(groups, [None], (0.5 + 0.85 * slots, 2.7), sharey=True)
    for place, code in enumerate(groups):
        axis = axes[None, code]
        mine = [row for row in rows if row.group == code]
        for x, row in enumerate(mine):
            _strip(axis, x, row, color(place))
        _boxes(axis, mine)
        title(axis, wrapped(words.groups[code], 22))
        labels = [f"{wrapped(words.timepoint(row.timepoint), 12)}\nn = {row.n}" for row in mine]
        ticks(axis, labels, size=7)
        axis.set_xlim(-0.6, len(mine) - 0.4)
        horizontal_grid(axis)
    for axis in firsts:
        axis.set_ylabel(words.label(variable))
    note(figure, words(NOTE, step=number(rows[0].step, 2 if rows[0].step < 1 else 0)))
    return figure


def _strip(axis, x, row, colour):
    """The distribution as a symmetrical shape: a bar for each rounded value, as wide as it is frequent."""
    if not row.n:
        return
    values, counts = zip(*row.counts, strict=True)
    widths = [0.9 * count / max(*counts, WIDE_FROM) for count in counts]
    axis.barh(values, widths, row.step, [x - width / 2 for width in widths], color=colour, alpha=0.55, linewidth=0)


def _boxes(axis, rows):
    shown = [(x, row) for x, row in enumerate(rows) if row.n]
    if not shown:
        return
    line = {"color": INK, "linewidth": 1}
    axis.bxp(
        [
            {
                "med": row.median,
                "q1": row.q1,
                "q3": row.q3,
                "whislo": row.low,
                "whishi": row.high,
                "mean": row.mean,
            }
            for _, row in shown
        ],
        positions=[x for x, _ in shown],
        widths=0.26,
        showfliers=False,
        showmeans=True,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": (1, 1, 1, 0.75), "edgecolor": INK, "linewidth": 1},
        medianprops={"color": INK, "linewidth": 2},
        meanprops={"marker": "D", "markersize": 4, "markerfacecolor": "white", "markeredgecolor": INK},
        whiskerprops=line,
        capprops=line,
    )
