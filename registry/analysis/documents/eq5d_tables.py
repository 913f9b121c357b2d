"""The EQ-5D report as tables, in the order of Devlin 2020: profiles, their change, EQ VAS, values."""

from dataclasses import replace

from registry.analysis.disclosure import small_cells
from registry.analysis.figures.chart import (
    COUNT,
    DIMENSION,
    GROUP,
    MISSING,
    PERCENT,
    TIMEPOINT,
    Column,
    N,
    Numbers,
    Part,
    numeric,
    part,
    share,
)
from registry.analysis.presentation.numbers import number
from registry.analysis.presentation.words import Words
from registry.analysis.reports.eq5d_report import CLASSES, LEVELS, MOST_FREQUENT
from registry.instruments.base import Label

TITLES = {
    "levels": Label("Answers by level, and any problem (levels 2–5)", "レベル別回答数と「問題あり」（レベル2～5）"),
    "profiles": Label("The {most_frequent} most frequent profiles", "頻度の高い{most_frequent}プロファイル").format(
        most_frequent=MOST_FREQUENT
    ),
    "change": Label("Paretian classification of health change", "パレート式健康変化分類（PCHC）"),
    "change-no-problems": Label(
        "Paretian classification of health change, with “No problems”", "パレート式健康変化分類（「問題なし」を区別）"
    ),
    "dimension-change": Label("Change by dimension", "項目別の変化"),
    "level-sum-scores": Label("Level sum score (5 best, 25 worst)", "レベル合計点（LSS：5が最良、25が最悪）"),
    "level-frequency-scores": Label("Level frequency score, and the mean value", "レベル頻度スコア（LFS）と平均効用値"),
    "eq-vas": Label("EQ VAS", "EQ VAS"),
    "values": Label("EQ-5D-5L values (HSUV)", "EQ-5D-5L効用値（HSUV）"),
}
CLASS_LABELS = dict(
    zip(
        CLASSES,
        (
            Label("No change", "変化なし"),
            Label("Improve", "改善"),
            Label("Worsen", "悪化"),
            Label("Mixed change", "混合変化"),
        ),
        strict=True,
    )
)
SUMMARY = (
    ("mean", Label("Mean", "平均")),
    ("standard_error", Label("Standard error", "標準誤差")),
    ("median", Label("Median", "中央値")),
    ("mode", Label("Mode", "最頻値")),
    ("sd", Label("SD", "標準偏差")),
    ("kurtosis", Label("Kurtosis", "尖度")),
    ("skewness", Label("Skewness", "歪度")),
    ("min", Label("Minimum", "最小")),
    ("max", Label("Maximum", "最大")),
    ("range", Label("Range", "範囲")),
    ("q1", Label("Lower quartile", "第1四分位")),
    ("q3", Label("Upper quartile", "第3四分位")),
)
SHAPES = {"kurtosis", "skewness"}
NOTES = {
    "levels": Label(
        "Each answer that there is counts, whether or not the other dimensions were answered.",
        "他の項目の回答の有無にかかわらず、各項目の回答を集計。",
    ),
    "change-no-problems": Label(
        "The four classes: percent of those with problems at one time or both; the two totals: percent of all.",
        "4分類はいずれかの時点で問題のある患者に対する割合、2つの合計は全患者に対する割合。",
    ),
    "values": Label(
        "Skewness and kurtosis with divisor n; a normal distribution has kurtosis 3.",
        "歪度・尖度はnで除した値（正規分布の尖度は3）。",
    ),
}
KNOWN_OF = (GROUP, TIMEPOINT, N, MISSING)


def numbers(result, language="en"):
    """The tables of the report as Numbers; none of a result from before there was a report."""
    if result.eq5d_report is None:
        return []
    report, words = result.eq5d_report, Words(result, language)
    return [_NUMBERS[code](code, report, words(title)) for code, title in TITLES.items()]


def tables(result, words, most_rows):
    """The report as Tables with their notes; without those of more rows than that."""
    for table_numbers in numbers(result, words.language):
        if 0 < len(table_numbers.rows) <= most_rows:
            yield replace(table_numbers.table(words), notes=tuple(filter(None, [note(table_numbers.code, words)])))


def note(code, words):
    """What must be said under a table; empty for most."""
    return words(NOTES[code]) if code in NOTES else ""


def _known(row):
    return row.group, row.timepoint, row.n, row.missing


def _levels(code, report, title):
    columns = (
        DIMENSION,
        *KNOWN_OF,
        *(part(f"level_{level}", Label("Level {level}", "レベル{level}").format(level=level)) for level in LEVELS),
        part("any_problem", Label("Any problem", "問題あり")),
    )
    rows = tuple(
        (
            row.dimension,
            *_known(row),
            *(Part(row.counts[str(level)], row.n) for level in LEVELS),
            Part(row.any_problem, row.n),
        )
        for row in report.levels
    )
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _profiles(code, report, title):
    columns = (
        GROUP,
        TIMEPOINT,
        Column(
            "profile",
            Label("Profile", "プロファイル"),
            lambda state, words: str(state) if state else words(MISSING.label),
        ),
        COUNT,
        PERCENT,
        numeric("cumulative", Label("Cumulative %", "累積%"), 1),
    )
    rows = tuple(line for row in report.profiles for line in _profile_lines(row))
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _profile_lines(row):
    """The most frequent profiles, then the worst of all, then those without a profile."""
    reached = 0
    for profile in row.most_frequent:
        reached = small_cells.like(row, reached + profile.count)
        yield (
            row.group,
            row.timepoint,
            profile.state,
            profile.count,
            share(profile.count, row.n),
            share(reached, row.n),
        )
    worst = row.worst
    yield row.group, row.timepoint, worst.state, worst.count, share(worst.count, row.n), None
    yield row.group, row.timepoint, None, row.missing, None, None


def _change(code, report, title):
    columns = (*KNOWN_OF, *(part(name, label) for name, label in CLASS_LABELS.items()))
    rows = tuple((*_known(row), *(Part(row.classes[name], row.n) for name in CLASSES)) for row in report.profile_change)
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _change_no_problems(code, report, title):
    columns = (
        *KNOWN_OF,
        *(part(name, label) for name, label in CLASS_LABELS.items()),
        part("with_problems", Label("Total with problems", "問題あり計")),
        part("no_problems", Label("No problems", "問題なし")),
    )
    rows = []
    for row in report.profile_change:
        untroubled = row.no_problems
        troubled = row.n - untroubled
        classes = row.classes | {"no_change": row.classes["no_change"] - untroubled}
        troubled, classes = small_cells.like(row, troubled), small_cells.like(row, classes)
        troubled = small_cells.apart(untroubled, troubled)
        classes["no_change"] = small_cells.apart(untroubled, classes["no_change"])
        parts = [Part(classes[name], troubled) for name in CLASSES]
        rows.append((*_known(row), *parts, Part(troubled, row.n), Part(untroubled, row.n)))
    return Numbers(code=code, title=title, columns=columns, rows=tuple(rows))


def _dimension_change(code, report, title):
    shown = {name: CLASS_LABELS[name] for name in ("improve", "no_change", "worsen")}
    columns = (DIMENSION, *KNOWN_OF, *(part(name, label) for name, label in shown.items()))
    rows = tuple(
        (row.dimension, *_known(row), *(Part(getattr(row, name), row.n) for name in shown))
        for row in report.dimension_change
    )
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _level_sum_scores(code, report, title):
    names = ("mean", "sd", "median", "q1", "q3")
    labels = dict(SUMMARY)
    columns = (*KNOWN_OF, *(numeric(name, labels[name], 1) for name in names))
    rows = tuple((*_known(row), *(getattr(row, name) for name in names)) for row in report.level_sum_scores)
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _level_frequency_scores(code, report, title):
    columns = (
        GROUP,
        TIMEPOINT,
        Column("score", Label("LFS", "LFS")),
        COUNT,
        PERCENT,
        numeric("mean_value", Label("Mean value", "平均効用値"), 3),
    )
    rows = tuple(
        (
            row.group,
            row.timepoint,
            score.score,
            score.count,
            share(score.count, row.n),
            score.mean_value,
        )
        for row in report.level_frequency_scores
        for score in row.scores
    )
    return Numbers(code=code, title=title, columns=columns, rows=rows)


def _summary(field, decimals):
    def build(code, report, title):
        columns = (
            *KNOWN_OF,
            *(
                Column(name, label, lambda value, words, d=2 if name in SHAPES else decimals: number(value, d))
                for name, label in SUMMARY
            ),
        )
        rows = tuple((*_known(row), *(getattr(row, name) for name, _ in SUMMARY)) for row in getattr(report, field))
        return Numbers(code=code, title=title, columns=columns, rows=rows)

    return build


_NUMBERS = {
    "levels": _levels,
    "profiles": _profiles,
    "change": _change,
    "change-no-problems": _change_no_problems,
    "dimension-change": _dimension_change,
    "level-sum-scores": _level_sum_scores,
    "level-frequency-scores": _level_frequency_scores,
    "eq-vas": _summary("eq_vas", 1),
    "values": _summary("values", 3),
}
