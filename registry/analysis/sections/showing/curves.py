"""Figures of endpoints: survival and cumulative incidence with those at risk, and a forest of subgroups."""

from registry.analysis.figures.canvas import color, dash, note, wrapped
from registry.analysis.figures.chart import Chart, Column, numeric, sentence
from registry.analysis.figures.survival_curves import ENDS, WITHHELD
from registry.analysis.presentation.numbers import p_phrase
from registry.analysis.sections.showing import forest
from registry.analysis.sections.showing.texts import TEST_NAMES, Names
from registry.instruments.base import Label

CODE = Column("group", Label("Group", "群"), lambda code, words: words.groups.get(code, code))
RATES = (
    CODE,
    numeric("time", Label("Months", "月"), 0),
    Column("at_risk", Label("At risk", "リスク集合")),
    numeric("estimate", Label("Share", "割合"), 3),
    numeric("low", Label("95% CI from", "95%CI下限"), 3),
    numeric("high", Label("95% CI to", "95%CI上限"), 3),
)
TITLES = {
    "survival": Label("{title}: free of the event", "{title}：イベントなしの割合"),
    "incidence": Label("{title}: cumulative incidence", "{title}：累積発生率"),
}
Y = {
    "survival": Label("Free of the event, %", "イベントなし（%）"),
    "incidence": Label("Cumulative incidence, %", "累積発生率（%）"),
}
NOTES = {
    "survival": Label(
        "Kaplan–Meier estimates with 95% confidence limits (log scale); ticks: censored.",
        "Kaplan-Meier推定値と95%信頼区間（対数変換）。縦線は打ち切り。",
    ),
    "incidence": Label(
        "Aalen–Johansen estimates with 95% confidence limits (log-log scale); competing events are not censored.",
        "Aalen-Johansen推定値と95%信頼区間（二重対数変換）。競合イベントは打ち切りとしない。",
    ),
}
X = Label("Months after surgery", "術後月数")
X_FROM = Label("Months from day {days} after surgery", "術後{days}日からの月数")
AT_RISK = Label("At risk", "リスク集合")
LEGEND = Label("{group} (n = {n})", "{group}（n = {n}）")
ALT = Label("{group} (n = {n}): {events} events; {points}", "{group}（n = {n}）：イベント{events}件、{points}")
POINT = Label("{percent}% at month {time}", "{time}か月で{percent}%")
COMMA = Label(", ", "、")
FEW_BANDS = 4  # curves; the confidence bands of more would cover each other
SHOWN_TESTS = {"survival": ("log_rank", "robust_log_rank"), "incidence": ("gray",)}
WEIGHTED_NOTES = {
    "survival": Label(
        "Weighted Kaplan–Meier estimates with robust 95% limits (log scale); ticks: censored. At risk: patients.",
        "重み付きKaplan-Meier推定値と頑健95%信頼区間（対数変換）。縦線は打ち切り。リスク集合は患者数。",
    ),
    "incidence": Label(
        "Weighted Aalen–Johansen estimates with robust 95% limits (log-log scale). At risk: patients.",
        "重み付きAalen-Johansen推定値と頑健95%信頼区間（二重対数変換）。リスク集合は患者数。",
    ),
}


def charts(result, words):
    names = Names(result, words)
    drawn = [curves(result, names, estimator) for estimator in TITLES if has(result, estimator)]
    if result.subgroups:
        drawn.append(forest.of_subgroups(result, names))
    return drawn


def has(result, estimator):
    return any(row.estimator == estimator for row in result.steps)


def curves(result, names, estimator):
    words = names.words
    rates = [row for row in result.rates if row.estimator == estimator]
    rows = tuple(tuple(getattr(row, column.name) for column in RATES) for row in rates)
    parts = [spoken(result, names, row, rates) for row in result.followed if row.n]
    return Chart(
        code=f"endpoints-{result.code}-{estimator}",
        title=words(TITLES[estimator], title=names.title),
        alt=sentence([*parts, tested(result, names, estimator)], words),
        columns=RATES,
        rows=rows,
        draw=lambda w: draw(result, Names(result, w), estimator),
    )


def spoken(result, names, row, rates):
    if row.withheld:
        return names.words(WITHHELD, group=names.group(row.group), n=row.n)
    points = [
        names.words(POINT, percent=f"{100 * rate.estimate:.0f}", time=f"{rate.time:g}")
        for rate in rates
        if rate.group == row.group and rate.estimate is not None
    ]
    return names.words(
        ALT,
        group=names.group(row.group),
        n=row.n,
        events=row.events,
        points=names.words(COMMA).join(points) or "–",
    )


def tested(result, names, estimator):
    shown = SHOWN_TESTS[estimator]
    row = next((test for test in result.tests if test.test in shown and not test.group), None)
    if row is None or row.p is None:
        return ""
    return f"{names.words(TEST_NAMES[row.test])} {p_phrase(row.p)}"


def draw(result, names, estimator):
    from matplotlib.figure import Figure

    words = names.words
    steps = [row for row in result.steps if row.estimator == estimator]
    under = 0.3 + 0.2 * len(result.at_risk)
    figure = Figure(figsize=(6.8, 3.6 + under), layout="constrained")
    axis, table = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, under])
    places = {row.group: names.place(row.group, place) for place, row in enumerate(result.at_risk)}
    sizes = {row.group: row.n for row in result.followed}
    for row in steps:
        label = words(LEGEND, group=names.group(row.group), n=sizes[row.group])
        step(axis, row, places[row.group], label, estimator, banded=len(steps) <= FEW_BANDS)
    day = result.landmark_day
    axis.set(ylim=(0, 103), ylabel=words(Y[estimator]), xlabel=words(X_FROM, days=day) if day else words(X))
    axis.set_xlim(0, result.ticks[-1] or 1)
    axis.set_xticks(result.ticks)
    axis.tick_params(labelbottom=True)
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.grid(axis="y")
    axis.legend(loc="lower left" if estimator == "survival" else "upper left")
    place = ("right", 0.97, "top") if estimator == "survival" else ("right", 0.03, "bottom")
    axis.text(0.99, place[1], tested(result, names, estimator), transform=axis.transAxes, ha=place[0], va=place[2])
    at_risk(table, result, names)
    notes = [words((WEIGHTED_NOTES if result.weighted else NOTES)[estimator])]
    if least := result.least_at_risk:
        notes.append(words(ENDS, n=least))
    note(figure, " ".join(notes))
    return figure


def step(axis, row, place, label, estimator, banded):
    start = 100 if estimator == "survival" else 0
    time = [0, *row.time]
    course = [start, *(100 * value for value in row.estimate)]
    look = {"color": color(place), "linestyle": dash(place), "linewidth": 1.8}
    axis.step(time, course, where="post", label=label, **look)
    if banded:
        ends = [[start, *filled(getattr(row, side), course[1:])] for side in ("low", "high")]
        axis.fill_between(time, *ends, step="post", color=color(place), alpha=0.13, linewidth=0)
    left = [(t, s) for t, s, c in zip(time[1:], course[1:], row.censored, strict=True) if c]
    if left and estimator == "survival":
        axis.plot(*zip(*left, strict=True), linestyle="none", marker="|", markersize=5, color=color(place), alpha=0.8)


def filled(limits, course):
    """Limits in percent; where there is none, the curve itself."""
    return [value if limit is None else 100 * limit for limit, value in zip(limits, course, strict=True)]


def at_risk(axis, result, names):
    labels = [wrapped(names.group(row.group), 26) for row in result.at_risk]
    for place, row in enumerate(result.at_risk):
        for tick, count in zip(result.ticks, row.at_risk, strict=True):
            axis.text(tick, place, str(count), ha="center", va="center", fontsize=7)
    axis.set_yticks(range(len(labels)), labels, fontsize=7)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_title(names.words(AT_RISK), loc="left", fontsize=7.5)
    axis.tick_params(length=0, labelbottom=False)
    axis.tick_params(axis="y", pad=14)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
