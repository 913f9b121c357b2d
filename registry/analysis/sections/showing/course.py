"""Figures of models and of quality of life: means over the visits with their intervals, and forests of odds ratios."""

from dataclasses import dataclass

from registry.analysis.figures.canvas import color, dash, horizontal_grid, note, panels
from registry.analysis.figures.chart import Chart, Column, numeric, sentence
from registry.analysis.presentation.numbers import number
from registry.analysis.sections.showing import forest
from registry.analysis.sections.showing.texts import Names
from registry.instruments.base import Label

TITLE = Label("{title}: course", "{title}：経過")
POINT = Label("{group}, {visit}: {mean} ({low} to {high})", "{group}、{visit}：{mean}（{low}～{high}）")
MEANS = Label("Least-squares means with 95% confidence limits.", "最小二乗平均と95%信頼区間。")
SURVIVORS = Label(
    "Means with 95% limits: solid, survivors with a value; pale, with the dead counted.",
    "平均と95%信頼区間。濃い線は値のある生存者、淡い線は死亡例を含む。",
)
COLUMNS = (
    Column("group", Label("Group", "群"), lambda code, words: words.groups.get(code, code)),
    Column("visit", Label("Visit", "時点")),
    Column("n", Label("n", "n")),
    numeric("estimate", Label("Mean", "平均"), 3),
    numeric("low", Label("95% CI from", "95%CI下限"), 3),
    numeric("high", Label("95% CI to", "95%CI上限"), 3),
)
WITH_DEAD = (
    numeric("mean_with_dead", Label("Mean with the dead", "死亡例を含む平均"), 3),
    numeric("low_with_dead", Label("95% CI from", "95%CI下限"), 3),
    numeric("high_with_dead", Label("95% CI to", "95%CI上限"), 3),
)


@dataclass(frozen=True)
class Line:
    """Rows drawn as a line: the names of its mean and limits, and how dark it is."""

    rows: list
    names: tuple = ("estimate", "low", "high")
    alpha: float = 1.0


def of_models(result, words):
    names = Names(result, words)
    if result.model == "logistic":
        drawn = forest.of_terms(result, names)
        return [drawn] if drawn else []
    if result.model != "repeated" or not any(row.estimate is not None for row in result.means):
        return []
    return [chart(result, names, result.means, COLUMNS, [Line(result.means)], MEANS)]


def of_quality(result, words):
    if not any(row.mean_with_dead is not None for row in result.course):
        return []
    pale = Line(result.course, ("mean_with_dead", "low_with_dead", "high_with_dead"), 0.4)
    lines = [pale, Line(result.course)]
    return [chart(result, Names(result, words), result.course, COLUMNS + WITH_DEAD, lines, SURVIVORS)]


def chart(result, names, rows, columns, lines, small_print):
    parts = [
        names.words(
            POINT,
            group=names.group(row.group),
            visit=names.visit(row.visit),
            mean=number(row.estimate, 3),
            low=number(row.low, 3),
            high=number(row.high, 3),
        )
        for row in rows
        if row.estimate is not None
    ]
    return Chart(
        code=f"{result.kind}-{result.code}-course",
        title=names.words(TITLE, title=names.title),
        alt=sentence(parts, names.words),
        columns=columns,
        rows=tuple(
            tuple(names.visit(row.visit) if column.name == "visit" else getattr(row, column.name) for column in columns)
            for row in rows
        ),
        draw=lambda w: draw(result, Names(result, w), lines, small_print),
    )


def draw(result, names, lines, small_print):
    figure, axes = panels(1, 1, width=6.2, height=3.4)
    axis = axes[0][0]
    visits = result.visits
    groups = list(dict.fromkeys(row.group for row in lines[0].rows))
    shift = 0.08
    for line in lines:
        for place, group in enumerate(groups):
            mean, low, high = line.names
            mine = [row for row in line.rows if row.group == group and getattr(row, mean) is not None]
            at = [visits.index(row.visit) + shift * (place - (len(groups) - 1) / 2) for row in mine]
            told_means = [getattr(row, mean) for row in mine]
            ends = [
                [
                    abs(
                        getattr(row, mean)
                        - (getattr(row, end) if getattr(row, end) is not None else getattr(row, mean))
                    )
                    for row in mine
                ]
                for end in (low, high)
            ]
            axis.errorbar(
                at, told_means, ends, color=color(names.place(group, place)), linestyle=dash(names.place(group, place)),
                marker="o", markersize=4, capsize=2.5,
                linewidth=1.5, alpha=line.alpha, label=names.group(group) if line.alpha == 1 else None,
            )  # fmt: skip
    axis.set_xticks(range(len(visits)), [names.visit(visit) for visit in visits])
    axis.set_ylabel(names.variable(getattr(result, "outcome", "") or result.variable))
    horizontal_grid(axis)
    axis.legend(loc="best")
    note(figure, names.words(small_print))
    return figure
