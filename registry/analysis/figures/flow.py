"""Who came in, step by step, as STROBE asks: doi:10.1371/journal.pmed.0040296."""

from registry.analysis.figures.canvas import INK, MUTED, WIDTH, color, panels, wrapped
from registry.analysis.figures.chart import Chart, Column, sentence
from registry.instruments.base import Label

CODE = "flow"
TITLE = Label("Flow of patients", "対象患者のフロー")
STEP = Column("step", Label("Step", "段階"), lambda text, words: text)
REASON = Column("reason", Label("Reason", "理由"), lambda text, words: text)
COLUMNS = (
    STEP,
    Column("n", Label("Patients", "患者数")),
    Column("excluded", Label("Excluded", "除外"), lambda count, words: "" if count is None else str(count)),
    REASON,
)
IN_GROUP = Label("{group}: analysed", "{group}：解析対象")
IN_NO_GROUP = Label("In none of the groups", "いずれの群にも属さない")
EXCLUDED = Label("Excluded", "除外")
LEFT = Label("{n} excluded: {reason}", "{n}例除外：{reason}")
REMAIN = Label("{name}: n = {n}", "{name}：n = {n}")
LINE = 0.15  # inches of one line of text


def charts(result, words):
    steps = words.whole_flow()
    rows = [(step["label"], step["n"], step.get("excluded"), step["reason"]) for step in steps]
    rows += [(words(IN_GROUP, group=name), n, None, "") for name, n in _groups(result, words)]
    if result.cohort.in_no_group:
        rows.append((words(IN_NO_GROUP), result.cohort.in_no_group, None, ""))
    parts = []
    for step in steps:
        if step.get("excluded"):
            parts.append(words(LEFT, n=step["excluded"], reason=step["reason"]))
        parts.append(words(REMAIN, name=step["label"], n=step["n"]))
    parts += [words(REMAIN, name=name, n=n) for name, n in _groups(result, words)]
    alt = sentence(parts, words)
    return [
        Chart(code=CODE, title=words(TITLE), alt=alt, columns=COLUMNS, rows=tuple(rows), draw=lambda w: draw(result, w))
    ]


def _groups(result, words):
    return [(name, result.cohort.groups[code]) for code, name in words.groups.items()]


def draw(result, words):
    steps, groups = words.whole_flow(), _groups(result, words)
    tall, gap = 0.5, 0.62  # inches: a box, and the space to the next one
    height = len(steps) * tall + (len(steps) - 1) * gap + gap + 0.65 + 0.1
    figure, [[axes]] = panels(1, 1, height=height)
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    left, right = (0.1, 3.3), (3.9, WIDTH - 0.1)
    middle, y = sum(left) / 2, height - 0.05
    for place, step in enumerate(steps):
        if place:
            _line(axes, [(middle, y), (middle, y - gap)], arrow=True)
            _line(axes, [(middle, y - gap / 2), (right[0], y - gap / 2)], arrow=True)
            text = wrapped(step["reason"], 52)
            _box(
                axes,
                right,
                y - gap / 2,
                0.24 + LINE * (text.count("\n") + 1),
                f"{words(EXCLUDED)} (n = {step['excluded']})",
                text,
            )
            y -= gap
        _box(
            axes,
            left,
            y - tall / 2,
            tall,
            wrapped(step["label"][:1].upper() + step["label"][1:], 44),
            f"n = {step['n']}",
        )
        y -= tall
    _split(axes, groups, middle, y, gap, words, result.cohort.in_no_group)
    return figure


def _split(axes, groups, middle, y, gap, words, outside):
    """The groups side by side under the last box."""
    shown = [*groups, *([(words(IN_NO_GROUP), outside)] if outside else [])]
    width = (WIDTH - 0.2) / max(len(shown), 1)
    _line(axes, [(middle, y), (middle, y - gap / 2)])
    for place, (name, n) in enumerate(shown):
        x = 0.1 + width * (place + 0.5)
        _line(axes, [(middle, y - gap / 2), (x, y - gap / 2), (x, y - gap)], arrow=True)
        edge = color(place) if place < len(groups) else MUTED
        span = (x - min(width * 0.47, 1.2), x + min(width * 0.47, 1.2))
        _box(axes, span, y - gap - 0.3, 0.6, wrapped(name, max(8, int(width * 11))), f"n = {n}", edge)


def _box(axes, span, middle, height, first, second, edge=INK):
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (span[0], middle - height / 2), span[1] - span[0], height, facecolor="white", edgecolor=edge, linewidth=1.1
        )
    )
    axes.text(sum(span) / 2, middle, f"{first}\n{second}", ha="center", va="center", fontsize=7.5, linespacing=1.3)


def _line(axes, points, arrow=False):
    axes.plot(*zip(*points, strict=True), color=INK, linewidth=0.9)
    if arrow:
        axes.annotate(
            "",
            xy=points[-1],
            xytext=points[-2],
            arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
        )
