"""The transition diagram: patients of each grade before, drawn as bands to their grade after, a panel a group."""

from registry.analysis.disclosure.small_cells import Few
from registry.analysis.figures.canvas import INK, MUTED, group_panels, note, wrapped
from registry.analysis.figures.chart import Chart, Column, numeric, sentence
from registry.analysis.sections.showing.texts import Names
from registry.instruments.base import Label

TITLE = Label("{title}: transitions", "{title}：推移")
SPOKEN = Label("{group}: {before} to {after} {count}", "{group}：{before}から{after}へ{count}例")
NOTE = Label(
    "Width: patients. Colour: the grade before; known at both visits.",
    "幅は患者数、色は前のグレード。両時点の値がある患者。",
)
PANEL = Label("{group} (n = {n})", "{group}（n = {n}）")
COLUMNS = (
    Column("group", Label("Group", "群"), lambda code, words: words.groups.get(code, code)),
    Column("before", Label("Before", "前")),
    Column("after", Label("After", "後")),
    Column("count", Label("Patients", "患者数")),
    numeric("percent", Label("% of those before", "前の群に対する%"), 0),
)
SHADES = ("#08519c", "#4292c6", "#9ecae1", "#E69F00", "#D55E00", "#8a5a00", "#55636f", "#CC79A7")
WIDTH = 24  # letters of a line beside a bar
GAP, BAR = 0.06, 0.07  # of the panel's height, between grades; of its width, of a grade's bar


def charts(result, words):
    if not any(row.n for row in result.moved):
        return []
    names = Names(result, words)
    cells = [row for row in result.cells if row.count]
    rows = tuple((row.group, names.grade(row.before), names.grade(row.after), row.count, hidden(row)) for row in cells)
    parts = [words(SPOKEN, group=names.group(row[0]), before=row[1], after=row[2], count=row[3]) for row in rows]
    return [
        Chart(
            code=f"transitions-{result.code}-diagram",
            title=words(TITLE, title=names.title),
            alt=sentence(parts, words),
            columns=COLUMNS,
            rows=rows,
            draw=lambda w: draw(result, Names(result, w)),
        )
    ]


def hidden(row):
    return None if isinstance(row.count, Few) else row.percent


def draw(result, names):
    groups = [row.group for row in result.moved]
    figure, placed, _ = group_panels(groups, [""], (4.3, 3.2))
    for row in result.moved:
        axis = placed["", row.group]
        axis.set_title(names.words(PANEL, group=names.group(row.group), n=row.n))
        axis.axis("off")
        panel(axis, [cell for cell in result.cells if cell.group == row.group and cell.count], result, names)
    note(figure, names.words(NOTE))
    return figure


def panel(axis, cells, result, names):
    grades = [entry.code for entry in result.grades]
    total = sum(int(cell.count) for cell in cells) or 1
    used = {
        side: [g for g in grades if any(getattr(cell, side) == g for cell in cells)] for side in ("before", "after")
    }
    heights = {}
    for side in ("before", "after"):
        free = 1 - GAP * (max(map(len, used.values())) - 1)
        top = 1.0
        for grade in used[side]:
            height = free * sum(int(cell.count) for cell in cells if getattr(cell, side) == grade) / total
            heights[side, grade] = [top, height, top]
            top -= height + GAP
    shade = {grade: SHADES[place % len(SHADES)] for place, grade in enumerate(grades)}
    for cell in sorted(cells, key=lambda entry: (grades.index(entry.before), grades.index(entry.after))):
        band(axis, cell, heights, total, shade, used)
    for (side, grade), (top, height, _) in heights.items():
        left = 0.0 if side == "before" else 1 - BAR
        axis.bar(left, height, BAR, top - height, align="edge", color=shade[grade] if side == "before" else MUTED)
        x, side_of = (-0.03, "right") if side == "before" else (1.03, "left")
        label = wrapped(names.grade(grade), WIDTH)
        axis.text(x, top - height / 2, label, ha=side_of, va="center", fontsize=6.5, color=INK, in_layout=False)
    axis.set_xlim(-0.8, 1.8)
    axis.set_ylim(-0.05, 1.05)


def band(axis, cell, heights, total, shade, used):
    """One band, as wide as its patients, by a smooth curve; ends are stacked in the order of the grades."""
    import numpy as np

    free = 1 - GAP * (max(map(len, used.values())) - 1)
    width = free * int(cell.count) / total
    tops = []
    for side in ("before", "after"):
        slot = heights[side, getattr(cell, side)]
        tops.append(slot[2])
        slot[2] -= width
    t = np.linspace(0, 1, 40)
    course = tops[0] + (tops[1] - tops[0]) * t * t * (3 - 2 * t)
    x = BAR + t * (1 - 2 * BAR)
    axis.fill_between(x, course - width, course, color=shade[cell.before], alpha=0.55, linewidth=0)
