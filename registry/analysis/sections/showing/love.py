"""Figures of propensity: the love plot of balance before and after, and the overlap of scores."""

from registry.analysis.figures.canvas import MUTED, color, note, panels, wrapped
from registry.analysis.figures.chart import Chart, Column, numeric, sentence
from registry.analysis.presentation.numbers import number
from registry.analysis.sections.showing.texts import Names
from registry.instruments.base import Label

LOVE = Label("{title}: balance", "{title}：バランス")
OVERLAP = Label("{title}: overlap of scores", "{title}：スコアの重なり")
BEFORE, AFTER = Label("before", "調整前"), Label("after", "調整後")
X = Label("Standardised difference (absolute)", "標準化差（絶対値）")
NOTE = Label("Dashed: 0.1. In units of the spread before.", "破線は0.1。単位は調整前の標準偏差。")
SPOKEN = Label("{name}: {before} before, {after} after", "{name}：調整前{before}、調整後{after}")
SCORE, PATIENTS = Label("Propensity score", "傾向スコア"), Label("Patients", "患者数")
SUMMED = Label("Sum of weights", "重みの合計")
RANGE = Label(
    "{group}: scores before from {low} to {high}, {n} patients", "{group}：調整前のスコア{low}～{high}、{n}例"
)
BALANCE = (
    Column("label", Label("Covariate", "共変量")),
    numeric("smd_before", Label("SMD, before", "標準化差（前）"), 3),
    numeric("smd_after", Label("SMD, after", "標準化差（後）"), 3),
    numeric("ratio_before", Label("Variance ratio, before", "分散比（前）"), 2),
    numeric("ratio_after", Label("Variance ratio, after", "分散比（後）"), 2),
)
BINS = (
    Column("group", Label("Group", "群"), lambda code, words: words.groups.get(code, code)),
    numeric("low", Label("From", "以上"), 2),
    numeric("high", Label("Below", "未満"), 2),
    Column("count", Label("Patients, before", "患者数（前）")),
    numeric("weight", Label("Sum of weights, after", "重みの合計（後）"), 1),
)


def charts(result, words):
    names, charts_made = Names(result, words), []
    if result.balance:
        charts_made.append(love(result, names))
    if any(row.count for row in result.overlap):
        charts_made.append(overlap(result, names))
    return charts_made


def labelled(row, names):
    name = names.at_visit(row.variable, row.visit)
    return f"{name}: {names.level(row.variable, row.level)}" if row.level else name


def love(result, names):
    rows = tuple(
        (labelled(row, names), *(getattr(row, column.name) for column in BALANCE[1:])) for row in result.balance
    )
    parts = [names.words(SPOKEN, name=row[0], before=number(row[1], 2), after=number(row[2], 2)) for row in rows]
    return Chart(
        code=f"propensity-{result.code}-love",
        title=names.words(LOVE, title=names.title),
        alt=sentence(parts, names.words),
        columns=BALANCE,
        rows=rows,
        draw=lambda w: draw_love(result, Names(result, w)),
    )


def draw_love(result, names):
    rows = result.balance
    figure, axes = panels(1, 1, width=6.4, height=1.1 + 0.24 * len(rows))
    axis = axes[0][0]
    for name, label, place, filled in (("smd_before", BEFORE, 5, False), ("smd_after", AFTER, 6, True)):
        points = [(abs(getattr(row, name)), at) for at, row in enumerate(rows) if getattr(row, name) is not None]
        if points:
            face = color(place) if filled else "white"
            axis.plot(
                *zip(*points, strict=True), "o" if filled else "D", color=color(place), markerfacecolor=face,
                markersize=5, label=names.words(label),
            )  # fmt: skip
    axis.axvline(0.1, color=MUTED, linestyle=(0, (4, 2)), linewidth=0.9)
    axis.axvline(0, color=MUTED, linewidth=0.8)
    axis.set_yticks(range(len(rows)), [wrapped(labelled(row, names), 44) for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(left=0)
    axis.set_xlabel(names.words(X))
    axis.grid(axis="y")
    axis.set_axisbelow(True)
    axis.legend(loc="best")
    note(figure, names.words(NOTE))
    return figure


def overlap(result, names):
    rows = tuple(tuple(getattr(row, column.name) for column in BINS) for row in result.overlap)
    parts = [spread(result, names, getattr(result, side)) for side in ("treated", "control")]
    return Chart(
        code=f"propensity-{result.code}-overlap",
        title=names.words(OVERLAP, title=names.title),
        alt=sentence(parts, names.words),
        columns=BINS,
        rows=rows,
        draw=lambda w: draw_overlap(result, Names(result, w)),
    )


def spread(result, names, code):
    mine = [row for row in result.overlap if row.group == code and row.count]
    if not mine:
        return ""
    n = sum(int(row.count) for row in mine)
    ends = {"low": number(mine[0].low, 2), "high": number(mine[-1].high, 2)}
    return names.words(RANGE, group=names.group(code), n=n, **ends)


def draw_overlap(result, names):
    """Treated upwards, controls downwards, before and after side by side."""
    figure, axes = panels(1, 2, width=7.0, height=2.9, sharey=False)
    for axis, value, title, label in zip(
        axes[0], ("count", "weight"), (BEFORE, AFTER), (PATIENTS, SUMMED), strict=True
    ):
        for sign, side, place in ((1, "treated", 0), (-1, "control", 1)):
            group = getattr(result, side)
            mine = [row for row in result.overlap if row.group == group]
            axis.bar(
                [row.low for row in mine], [sign * (getattr(row, value) or 0) for row in mine], width=0.05,
                align="edge", color=color(names.place(group, place)), edgecolor="white", linewidth=0.4,
                label=names.group(group),
            )  # fmt: skip
        axis.axhline(0, color=MUTED, linewidth=0.8)
        axis.set_xlim(0, 1)
        axis.set_title(names.words(title))
        axis.set_xlabel(names.words(SCORE))
        axis.set_ylabel(names.words(label))
        axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes[0][0].legend(loc="best")
    return figure
