"""The mean change of each outcome with what would matter to a patient, and how many patients changed by as much."""

from registry.analysis.figures.canvas import INK, MUTED, color, horizontal_grid, note, panels, ticks, wrapped
from registry.analysis.figures.chart import (
    GROUP,
    MISSING,
    PERCENT,
    TIMEPOINT,
    VARIABLE,
    Chart,
    Column,
    N,
    numeric,
    sentence,
    share,
)
from registry.analysis.presentation.numbers import number
from registry.instruments import variables
from registry.instruments.base import Label

TITLE = Label("Mean change from before surgery", "術前からの平均変化量")
ALT = Label(
    "{outcome}, {when}, {group} (n = {n}): mean change {mean}, 95% CI {low} to {high}",
    "{outcome}、{when}、{group}（n = {n}）：平均変化量{mean}、95%信頼区間{low}～{high}",
)
NOTE = Label(
    "Points: mean change of the patients with both values; bars: 95% confidence interval (t). "
    "Dashed: minimal clinically important difference. {sources}",
    "点は両時点の値がある患者の平均変化量、線は95%信頼区間（t分布）、破線はMCID。{sources}",
)
RESPONDERS = Label("Patients who improved by the MCID or more", "MCID以上改善した患者")
RESPONDERS_ALT = Label(
    "{outcome}, {when}, {group} (n = {n}): {responders} patients improved by {threshold} or more",
    "{outcome}、{when}、{group}（n = {n}）：{threshold}以上の改善{responders}例",
)
RESPONDERS_NOTE = Label(
    "Responders: change for the better by the threshold or more (inclusive), of the patients with both values. "
    "{sources}",
    "レスポンダー：両時点の値がある患者のうち、閾値以上（閾値を含む）改善した患者。{sources}",
)
IMPROVED = Label("{outcome}: improved by ≥ {threshold}", "{outcome}：{threshold}以上の改善")
THRESHOLD = Column("threshold", Label("MCID", "MCID"), lambda value, words: f"{value:g}")
RESPONDED = Column("responders", Label("Improved by MCID", "MCID以上改善"))
WORSENED = Column("worsened", Label("Worsened by MCID", "MCID以上悪化"))
AXIS = Label("Patients, %", "患者の割合（%）")


def charts(result, words):
    return [*_mean_changes(result, words), *_responders(result, words)]


def _source(threshold, words):
    doi = f", doi:{threshold.doi}" if threshold.doi else ""
    return f"{threshold.value:g}: {threshold.source} ({words(threshold.setting)}{doi})"


def sources(result, words):
    """Where each threshold comes from, outcome by outcome."""
    by_outcome = {}
    for threshold in result.figures.thresholds:
        by_outcome.setdefault(threshold.variable, []).append(_source(threshold, words))
    return "; ".join(f"{words(variables.get(name).label)} {', '.join(places)}" for name, places in by_outcome.items())


def _bars(row, words):
    return {
        "outcome": words(variables.get(row.variable).label),
        "when": words.timepoint(row.timepoint),
        "group": words.groups[row.group],
        "n": row.n,
    }


def _mean_changes(result, words):
    rows = result.figures.changes
    if not rows:
        return []

    def shown(name, label):
        return Column(name, label, lambda value, words: value)

    columns = (
        VARIABLE,
        TIMEPOINT,
        GROUP,
        N,
        MISSING,
        *(
            numeric(name, label, 3)
            for name, label in (
                ("mean", Label("Mean change", "平均変化量")),
                ("sd", Label("SD", "標準偏差")),
                ("low", Label("95% CI from", "95%CI下限")),
                ("high", Label("95% CI to", "95%CI上限")),
            )
        ),
    )
    names = [column.name for column in columns]
    parts = []
    for row in rows:
        decimals = variables.get(row.variable).decimals
        numbers = {name: number(getattr(row, name), decimals) for name in ("mean", "low", "high")}
        parts.append(words(ALT, **_bars(row, words), **numbers))
    return [
        Chart(
            code="mean-changes",
            title=words(TITLE),
            alt=sentence(parts, words),
            columns=columns,
            rows=tuple(tuple(getattr(row, name) for name in names) for row in rows),
            draw=lambda w: _draw_changes(result, w),
        )
    ]


def _draw_changes(result, words):
    rows = result.figures.changes
    names = list(dict.fromkeys(row.variable for row in rows))
    columns = 2 if len(names) > 1 else 1
    height = -(-len(names) // columns)
    bars = len([row for row in rows if row.variable == names[0]])
    width = max(7.2, columns * (0.6 + 0.6 * bars))
    figure, axes = panels(height, columns, width=width, height=0.4 + 2.6 * height)
    for axis, name in zip(axes.flat, names, strict=False):
        mine = [row for row in rows if row.variable == name]
        lines = [threshold for threshold in result.figures.thresholds if threshold.variable == name]
        _change_panel(axis, variables.get(name), mine, lines, words)
    for axis in list(axes.flat)[len(names) :]:
        axis.axis("off")
    note(figure, words(NOTE, sources=sources(result, words)))
    return figure


def _change_panel(axis, variable, rows, lines, words):
    codes = list(words.groups)
    for x, row in enumerate(rows):
        if row.mean is None:
            continue
        spread = None if row.low is None else [[row.mean - row.low], [row.high - row.mean]]
        axis.errorbar(
            x, row.mean, spread, fmt="o", markersize=6, capsize=4, linewidth=1.4, color=INK, markeredgecolor=INK,
            markerfacecolor=color(codes.index(row.group)),
        )  # fmt: skip
    axis.axhline(0, color=MUTED, linewidth=0.9)
    for line in lines:
        y = line.value if variable.higher_is == "better" else -line.value
        axis.axhline(y, color="#D55E00", linewidth=0.9, linestyle=(0, (5, 3)))
        axis.annotate(
            f"MCID {line.value:g}",
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=6,
            color="#a04400",
        )
    _group_ticks(axis, rows, words)
    axis.set_xlim(-0.6, len(rows) - 0.15 if lines else len(rows) - 0.4)
    axis.set_title(words.label(variable.delta), loc="left")
    horizontal_grid(axis)


def _group_ticks(axis, rows, words):
    several = len({row.timepoint for row in rows}) > 1
    labels = []
    for row in rows:
        when = f"\n{words.timepoint(row.timepoint)}" if several else ""
        labels.append(f"{wrapped(words.groups[row.group], 14)}{when}\nn = {row.n}")
    ticks(axis, labels)


def _responders(result, words):
    rows = result.figures.responders
    if not rows:
        return []
    columns = (VARIABLE, THRESHOLD, TIMEPOINT, GROUP, N, MISSING, RESPONDED, PERCENT, WORSENED)
    numbers = tuple(
        (
            row.variable,
            row.threshold,
            row.timepoint,
            row.group,
            row.n,
            row.missing,
            row.responders,
            share(row.responders, row.n),
            row.worsened,
        )
        for row in rows
    )
    parts = [
        words(RESPONDERS_ALT, **_bars(row, words), responders=row.responders, threshold=f"{row.threshold:g}")
        for row in rows
    ]
    return [
        Chart(
            code="responders",
            title=words(RESPONDERS),
            alt=sentence(parts, words),
            columns=columns,
            rows=numbers,
            draw=lambda w: _draw_responders(result, w),
        )
    ]


def _draw_responders(result, words):
    by_threshold = {}
    for row in result.figures.responders:
        by_threshold.setdefault((row.variable, row.threshold), []).append(row)
    columns = 2 if len(by_threshold) > 1 else 1
    height = -(-len(by_threshold) // columns)
    bars = len(next(iter(by_threshold.values())))
    width = max(7.2, columns * (0.6 + 0.6 * bars))
    figure, axes = panels(height, columns, width=width, height=0.4 + 2.5 * height, sharey=True)
    codes = list(words.groups)
    for axis, ((name, threshold), rows) in zip(axes.flat, by_threshold.items(), strict=False):
        for x, row in enumerate(rows):
            part = share(row.responders, row.n)
            height_of_bar = part or 0
            axis.bar(x, height_of_bar, 0.6, color=color(codes.index(row.group)), edgecolor="#33414d", linewidth=0.6)
            text = f"{row.responders} / {row.n}" if row.n else "–"
            text = text if part is None else f"{part:.0f}%\n{text}"
            axis.text(x, height_of_bar + 2, text, ha="center", va="bottom", fontsize=6.5)
        _group_ticks(axis, rows, words)
        axis.set_ylim(0, 124)
        axis.set_yticks([0, 25, 50, 75, 100])
        axis.spines["left"].set_bounds(0, 100)
        axis.set_title(
            words(IMPROVED, outcome=words(variables.get(name).label), threshold=f"{threshold:g}"), loc="left"
        )
    for axis in list(axes.flat)[len(by_threshold) :]:
        axis.axis("off")
    for row_of_axes in axes:
        row_of_axes[0].set_ylabel(words(AXIS))
    note(figure, words(RESPONDERS_NOTE, sources=sources(result, words)))
    return figure
