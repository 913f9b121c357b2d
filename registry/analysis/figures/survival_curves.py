"""Survival after surgery by group, with those still at risk under the curves."""

from registry.analysis.figures.canvas import color, dash, note, wrapped
from registry.analysis.figures.chart import GROUP, MISSING, Chart, Column, N, numeric, sentence
from registry.analysis.presentation.numbers import number, p_phrase
from registry.instruments.base import Label

TITLE = Label("Survival after surgery", "術後生存")
ALT = Label(
    "{group} (n = {n}): {events} died; median survival {median} months; {survival}",
    "{group}（n = {n}）：死亡{events}例、生存期間中央値{median}か月、{survival}",
)
AT = Label("{percent}% alive at {time} months", "{time}か月生存率{percent}%")
AFTER = Label("months counted from day {days} after surgery", "月数は術後{days}日から")
LOG_RANK = Label("log-rank {p}", "ログランク検定 {p}")
NO_P = Label("log-rank test not estimable", "ログランク検定は算出不能")
X_AXIS = Label("Months after surgery", "術後月数")
X_FROM = Label("Months from day {days} after surgery", "術後{days}日からの月数")
Y_AXIS = Label("Survival, %", "生存率（%）")
AT_RISK = Label("At risk", "リスク集合")
MOST_BANDS = 4  # curves; the confidence bands of more would cover each other
NOTE = Label(
    "Kaplan–Meier estimates with 95% confidence limits (log scale); ticks: last contact alive.",
    "Kaplan-Meier推定値と95%信頼区間（対数変換）。縦線は生存中の最終確認。",
)
SELECTED = Label(
    "Only patients followed for at least {days} days were analysed; curves start on that day, since nobody among them "
    "could die before.",
    "{days}日以上追跡された患者のみを解析した。それ以前の死亡は含まれないため、曲線はその日から始まる。",
)
OLD = Label(  # of results stored before curves had a landmark
    "Only patients followed for at least {days} days were analysed, so nobody could die before.",
    "{days}日以上追跡された患者のみを解析したため、それ以前の死亡は含まれない。",
)
FOLLOW_UP = Label(
    "Median follow-up (reverse Kaplan–Meier) {median} months.", "追跡期間中央値（逆Kaplan-Meier法）{median}か月。"
)
NOT_REACHED = Label("not reached", "未到達")
WITHHELD = Label(
    "{group} (n = {n}): not shown, as few patients or events stand behind it",
    "{group}（n = {n}）：該当する患者またはイベントが少数のため示さない",
)
ENDS = Label(
    "Curves end where fewer than {n} are at risk; groups in which a number of patients or events is hidden have none.",
    "曲線はリスク集合が{n}例未満となる時点で終え、患者数またはイベント数を伏せた群の曲線は示さない。",
)
MEDIAN = Column(
    "median",
    Label("Median, months", "中央値（月）"),
    lambda v, words: words(NOT_REACHED) if v is None else number(v, 1),
)
LANDMARK = Column("time", Label("Months", "月"), lambda value, words: f"{value:g}")
COLUMNS = (
    GROUP,
    N,
    MISSING,
    Column("events", Label("Died", "死亡")),
    MEDIAN,
    LANDMARK,
    Column("at_risk", Label("At risk", "リスク集合")),
    numeric("survival", Label("Survival", "生存率"), 3),
    numeric("low", Label("95% CI from", "95%CI下限"), 3),
    numeric("high", Label("95% CI to", "95%CI上限"), 3),
)


def charts(result, words):
    survival = result.survival
    if not any(curve.n and not curve.withheld for curve in survival.curves):
        return []
    numbers = tuple(
        (curve.group, curve.n, curve.missing, curve.events, curve.median, *_landmark(point))
        for curve in survival.curves
        for point in curve.landmarks
    )
    parts = [_alt(curve, words) for curve in survival.curves] + [_p(survival, words)]
    if survival.landmark_day:
        parts.append(words(AFTER, days=survival.landmark_day))
    return [
        Chart(
            code="survival",
            title=words(TITLE),
            alt=sentence(parts, words),
            columns=COLUMNS,
            rows=numbers,
            draw=lambda w: draw(result, w),
        )
    ]


def _landmark(point):
    return tuple(getattr(point, name) for name in ("time", "at_risk", "survival", "low", "high"))


def _alt(curve, words):
    if curve.withheld:
        return words(WITHHELD, group=words.groups[curve.group], n=curve.n)
    points = [
        words(AT, percent=f"{100 * point.survival:.0f}", time=f"{point.time:g}")
        for point in curve.landmarks
        if point.survival is not None
    ]
    median = words(NOT_REACHED) if curve.median is None else number(curve.median, 1)
    group = words.groups[curve.group]
    return words(ALT, group=group, n=curve.n, events=curve.events, median=median, survival=", ".join(points))


def _p(survival, words):
    p = survival.log_rank.p
    return words(NO_P) if p is None else words(LOG_RANK, p=p_phrase(p))


def draw(result, words):
    survival = result.survival
    under = 0.3 + 0.17 * len(survival.curves)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.8, 3.6 + under), layout="constrained")
    axis, table = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, under])
    for place, curve in enumerate(survival.curves):
        _curve(axis, curve, place, words, banded=len(survival.curves) <= MOST_BANDS)
    axis.set(ylim=(0, 103), ylabel=words(Y_AXIS), xlabel=_x_label(survival, words))
    axis.set_xlim(0, survival.ticks[-1] or 1)
    axis.set_xticks(survival.ticks)
    axis.tick_params(labelbottom=True)
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.grid(axis="y")
    axis.legend(loc="lower left")
    axis.text(0.99, 0.97, _p(survival, words), transform=axis.transAxes, ha="right", va="top", fontsize=8)
    _at_risk(table, survival, words)
    note(figure, " ".join([words(NOTE), *_followed(result, words)]))
    return figure


def _x_label(survival, words):
    day = survival.landmark_day
    return words(X_FROM, days=day) if day else words(X_AXIS)


def _followed(result, words):
    """How long patients were followed, and from when on the curves run."""
    survival = result.survival
    if least := survival.least_at_risk:
        yield words(ENDS, n=least)
    median = survival.follow_up and survival.follow_up.median
    if median is not None:
        yield words(FOLLOW_UP, median=number(median, 1))
    label = SELECTED if survival.landmark_day else OLD
    for step in result.cohort.steps:
        if step["step"] == "followed_at_least" and step["days"]:
            yield words(label, days=step["days"])


def _curve(axis, curve, place, words, banded):
    steps = curve.steps
    label = f"{words.groups[curve.group]} (n = {curve.n})"
    if not curve.n or curve.withheld:
        return
    time = [0, *steps.time]
    survival = [100, *(100 * share for share in steps.survival)]
    axis.step(time, survival, where="post", color=color(place), linestyle=dash(place), linewidth=1.8, label=label)
    bounds = [
        [100, *(100 * (bound if bound is not None else 0) for bound in getattr(steps, side))]
        for side in ("low", "high")
    ]
    if banded:
        axis.fill_between(time, *bounds, step="post", color=color(place), alpha=0.13, linewidth=0)
    left = [(t, s) for t, s, c in zip(time[1:], survival[1:], steps.censored, strict=True) if c]
    if left:
        axis.plot(*zip(*left, strict=True), linestyle="none", marker="|", markersize=5, color=color(place), alpha=0.8)


def _at_risk(axis, survival, words):
    names = [wrapped(words.groups[curve.group], 24).replace("\n", "") for curve in survival.curves]
    for place, curve in enumerate(survival.curves):
        for tick, count in zip(survival.ticks, curve.at_risk_at_ticks, strict=True):
            axis.text(tick, place, str(count), ha="center", va="center", fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_title(words(AT_RISK), loc="left", fontsize=7.5)
    axis.tick_params(length=0, labelbottom=False)
    axis.tick_params(axis="y", pad=14)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
