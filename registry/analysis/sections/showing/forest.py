"""Forest plots: ratios with intervals on a logarithmic axis, one line each, with the numbers beside them."""

from dataclasses import dataclass

from registry.analysis.figures.canvas import INK, MUTED, note, wrapped
from registry.analysis.figures.chart import Chart, Column, numeric, sentence
from registry.analysis.presentation.numbers import number, p_value
from registry.analysis.sections.showing.texts import Names
from registry.instruments.base import Label

RATIOS = {
    "hazard": Label("Hazard ratio (95% CI)", "ハザード比（95%CI）"),
    "odds": Label("Odds ratio (95% CI)", "オッズ比（95%CI）"),
}
SUBGROUPS = Label("{title}: subgroups", "{title}：サブグループ")
TERMS = Label("{title}: odds ratios", "{title}：オッズ比")
INTERACTION = Label("P, interaction", "交互作用のP値")
OUTSIDE = Label("Arrows: an interval goes on beyond the axis.", "矢印は軸外に続く区間を示す。")
NOT_ESTIMATED = Label("not estimable", "推定不能")
LINE = Label("{name}: {ratio} ({low}–{high})", "{name}：{ratio}（{low}–{high}）")
COLUMNS = (
    Column("label", Label("Line", "項目")),
    numeric("estimate", Label("Ratio", "比"), 3),
    numeric("low", Label("95% CI from", "95%CI下限"), 3),
    numeric("high", Label("95% CI to", "95%CI上限"), 3),
    Column("p", Label("P", "P値"), lambda value, words: p_value(value)),
)
FURTHEST = 20.0  # of a ratio or its inverse: the axis goes no further


@dataclass(frozen=True)
class Line:
    """A line of the plot, under a heading (`of`) or a heading itself, whose P is that of the interaction."""

    label: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    of: str = ""
    heading: bool = False


def of_subgroups(result, names):
    lines = subgroup_lines(result, names)
    title = names.words(SUBGROUPS, title=names.title)
    again = lambda words: subgroup_lines(result, Names(result, words))  # noqa: E731
    return chart(f"endpoints-{result.code}-forest", title, lines, "hazard", again, names.words)


def subgroup_lines(result, names):
    """The Lines of subgroups, under a heading for each variable."""
    lines, last = [], None
    several = len({row.group for row in result.subgroups}) > 1
    for row in result.subgroups:
        at = (row.variable, row.group)
        if at != last:
            label = names.variable(row.variable) + (f", {names.group(row.group)}" if several else "")
            lines.append(Line(label, p=row.p_interaction, heading=True))
            last = at
        level = f"{names.level(row.variable, row.level)} (n = {row.n})"
        lines.append(Line(level, row.estimate, row.low, row.high, row.p, of=label))
    return lines


def of_terms(result, names):
    rows = [row for row in result.coefficients if row.level or row.estimate is not None]
    if not any(row.estimate for row in rows):
        return None

    def again(words):
        mine = Names(result, words)
        return [Line(mine.term(row), row.estimate, row.low, row.high, row.p) for row in rows]

    title = names.words(TERMS, title=names.title)
    return chart(f"models-{result.code}-forest", title, again(names.words), "odds", again, names.words)


def chart(code, title, lines, ratio, again, words):
    rows = tuple((full_label(line), line.estimate, line.low, line.high, line.p) for line in lines if not line.heading)
    return Chart(
        code=code,
        title=title,
        alt=sentence([spoken(row, words) for row in rows], words),
        columns=COLUMNS,
        rows=rows,
        draw=lambda w: draw(again(w), ratio, w),
    )


def full_label(line):
    return f"{line.of}: {line.label}" if line.of else line.label


def spoken(row, words):
    label, estimate, low, high, _ = row
    if estimate is None:
        return f"{label}: {words(NOT_ESTIMATED)}"
    return words(LINE, name=label, ratio=number(estimate, 2), low=number(low, 2), high=number(high, 2))


def draw(lines, ratio, words):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 1.2 + 0.27 * len(lines)), layout="constrained")
    axis, numbers = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    known = [line for line in lines if line.estimate is not None]
    ends = [abs_log(getattr(line, name)) for line in known for name in ("low", "high")]
    edge = min(FURTHEST, max([2.0, *ends]) * 1.15)
    clipped = False
    for place, line in enumerate(lines):
        if line.estimate is not None:
            clipped |= bar(axis, place, line, edge)
    axis.set_xscale("log")
    axis.set_xlim(1 / edge, edge)
    marks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if 1 / edge <= tick <= edge]
    axis.set_xticks(marks, [f"{tick:g}" for tick in marks])
    axis.minorticks_off()
    axis.axvline(1, color=MUTED, linewidth=0.8)
    labels = [wrapped(line.label, 46) if line.heading else "    " + line.label for line in lines]
    axis.set_yticks(range(len(lines)), labels)
    for label, line in zip(axis.get_yticklabels(), lines, strict=True):
        label.set_ha("right")
        label.set_fontweight("bold" if line.heading else "normal")
    axis.set_ylim(len(lines) - 0.5, -0.7)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel(words(RATIOS[ratio]))
    beside(numbers, lines, words)
    if clipped:
        note(figure, words(OUTSIDE))
    return figure


def abs_log(value):
    return max(value, 1 / value) if value else FURTHEST


def bar(axis, place, line, edge):
    """One line; whether an end lies beyond the axis."""
    low, high = max(line.low, 1 / edge), min(line.high, edge)
    axis.plot([low, high], [place, place], color=INK, linewidth=1.1)
    if 1 / edge <= line.estimate <= edge:
        axis.plot(line.estimate, place, marker="s", color=INK, markersize=4.5)
    beyond = [(1 / edge, "<") for _ in [0] if line.low < 1 / edge] + [(edge, ">") for _ in [0] if line.high > edge]
    for end, marker in beyond:
        axis.plot(end, place, marker=marker, color=INK, markersize=4.5, clip_on=False)
    return bool(beyond)


def beside(axis, lines, words):
    """The numbers, and P (of the interaction on a heading's line)."""
    for place, line in enumerate(lines):
        if line.heading:
            if line.p is not None:
                axis.text(0, place, f"{words(INTERACTION)} {p_value(line.p)}", va="center", fontsize=7, color=MUTED)
            continue
        if line.estimate is None:
            axis.text(0, place, words(NOT_ESTIMATED), va="center", fontsize=7.5, color=MUTED)
            continue
        parts = [number(getattr(line, name), 2) for name in ("estimate", "low", "high")]
        axis.text(0, place, f"{parts[0]} ({parts[1]}–{parts[2]})", va="center", fontsize=7.5)
        axis.text(0.75, place, f"P {p_value(line.p)}", va="center", fontsize=7.5)
    axis.set_xlim(0, 1)
    axis.axis("off")
