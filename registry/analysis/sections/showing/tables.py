"""The tables of a section's result: which rows they have, what their columns are called, and how a number is shown.

A table is declared as a title and Fields; what stands in no Field is in JSON and CSV alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from registry.analysis.disclosure.small_cells import Few
from registry.analysis.presentation.numbers import ABSENT, number
from registry.analysis.presentation.tables import Row, Table
from registry.analysis.sections.showing import opening
from registry.analysis.sections.showing.texts import TEST_NAMES, TEXTS, Names
from registry.instruments.base import Label

ALL = Label("All groups", "全群")
ESTIMATE = Label("Estimate (95% CI)", "推定値（95%CI）")
P = Label("P", "P値")
N = Label("n", "n")


@dataclass(frozen=True)
class Field:
    """A column: its heading, and (row, names) -> text."""

    label: Label
    show: Callable


@dataclass(frozen=True)
class Layout:
    """A table of a section: the part of the result whose rows it has, those of them that `only` lets in."""

    part: str
    title: Label
    fields: tuple
    only: Callable = field(default=lambda row: True)


def tables(result, words):
    """The Tables of a section's result, in the order of LAYOUTS; those without a row are left out."""
    names = Names(result, words)
    built = [table(result, layout, place, names) for place, layout in enumerate(LAYOUTS[result.kind])]
    return tuple(built_table for built_table in built if built_table.rows)


def table(result, layout, place, names):
    words = names.words
    rows = [row for row in getattr(result, layout.part) if layout.only(row)]
    first, *others = layout.fields
    lines = tuple(Row(first.show(row, names), tuple(other.show(row, names) for other in others)) for row in rows)
    title = words(TITLE, section=names.title, part=words(layout.title))
    notes = tuple(names.why(reason) for reason in dict.fromkeys(getattr(row, "reason", "") for row in rows) if reason)
    if notes:
        notes = (words(NOT_ESTIMABLE, reasons=names.join(notes)),)
    header = tuple(words(column.label) for column in layout.fields)
    return Table(f"{result.kind}-{result.code}-{layout.part}{place}", title, header, lines, (), notes)


TITLE = Label("{section}: {part}", "{section}：{part}")
NOT_ESTIMABLE = Label("–: not estimable, or as said: {reasons}.", "–：推定不能。理由：{reasons}。")


# How a row's values are shown


def count(name, label):
    return Field(label, lambda row, names: ABSENT if getattr(row, name) is None else str(getattr(row, name)))


def figure(name, label, decimals=2):
    return Field(label, lambda row, names: number(getattr(row, name), decimals))


def percent(name, label, decimals=1):
    return Field(label, lambda row, names: number(hundred(getattr(row, name)), decimals))


def hundred(value):
    return None if value is None else 100 * value


def interval(name, low, high, label=ESTIMATE, decimals=2, scale=1):
    """“0.87 (0.76–0.99)”; limits below zero are parted by “to”."""

    def show(row, names):
        parts = [None if getattr(row, part) is None else scale * getattr(row, part) for part in (name, low, high)]
        return limits(*parts, decimals, names)

    return Field(label, show)


def median(name, label):
    """“12.8 (8.9–not reached)” of a curve that stays above one half."""

    def show(row, names):
        if not row.n or row.withheld:
            return ABSENT
        parts = [getattr(row, name + end) for end in ("", "_low", "_high")]
        shown = [names.words(NOT_REACHED) if part is None else number(part, 1) for part in parts]
        return shown[0] if parts[0] is None and parts[1] is None else f"{shown[0]} ({shown[1]}–{shown[2]})"

    return Field(label, show)


NOT_REACHED = Label("not reached", "未到達")


def limits(value, low, high, decimals, names):
    if value is None:
        return ABSENT
    if low is None and high is None:
        return number(value, decimals)
    ends = [number(end, decimals) for end in (low, high)]
    between = "–" if all(end is None or end >= 0 for end in (low, high)) else names.words(TO)
    return f"{number(value, decimals)} ({ends[0]}{between}{ends[1]})"


TO = Label(" to ", "～")


def p(tested, name="p", label=P):
    """A P that opens what `tested(row, names)` tells of it."""
    return Field(label, lambda row, names: opening.opened(row, names, name, tested))


def mean_sd(mean, sd, label, decimals=2):
    def show(row, names):
        if getattr(row, mean) is None:
            return ABSENT
        spread = getattr(row, sd)
        text = number(getattr(row, mean), decimals)
        return text if spread is None else f"{text} ± {number(spread, decimals)}"

    return Field(label, show)


def text(name, label, texts=TEXTS):
    """A code as its words."""
    return Field(label, lambda row, names: names.words(texts[code]) if (code := getattr(row, name)) in texts else code)


def share(count_name, of, label):
    """“17 (55%)”; no share of a hidden count."""

    def show(row, names):
        part, whole = getattr(row, count_name), getattr(row, of)
        if isinstance(part, Few) or isinstance(whole, Few) or not whole:
            return str(part)
        return f"{part} ({100 * part / whole:.0f}%)"

    return Field(label, show)


GROUP = Field(Label("Group", "群"), lambda row, names: names.group(row.group))
GROUP_OR_ALL = Field(GROUP.label, lambda row, names: names.group(row.group) if row.group else names.words(ALL))
TERM = Field(Label("Term", "項目"), lambda row, names: names.term(row))
VISIT = Field(Label("Visit", "時点"), lambda row, names: names.visit(row.visit))
VARIABLE = Field(Label("Variable", "変数"), lambda row, names: names.at_visit(row.variable, getattr(row, "visit", "")))
TEST = text("test", Label("Test", "検定"), TEST_NAMES)
LEVEL = Field(Label("Category", "カテゴリ"), lambda row, names: names.level(row.variable, row.level))

LAYOUTS = {
    "endpoints": (
        Layout(
            "followed",
            Label("follow-up and events", "追跡とイベント"),
            (
                GROUP,
                count("n", N),
                count("missing", Label("Unknown", "不明")),
                count("before_landmark", Label("Before the landmark", "ランドマーク前")),
                count("before_start", Label("Event before the start", "起点前のイベント")),
                count("events", Label("Events", "イベント")),
                count("competing", Label("Competing", "競合イベント")),
                count("censored", Label("Censored", "打ち切り")),
                count("undated", Label("Day not known", "日付不明")),
                median("median", Label("Median, months (95% CI)", "中央値、月（95%CI）")),
                median("follow_up", Label("Follow-up, months (95% CI)", "追跡期間、月（95%CI）")),
            ),
        ),
        Layout(
            "rates",
            Label("rates at chosen times", "各時点の割合"),
            (
                GROUP,
                text("estimator", Label("Estimate", "推定")),
                figure("time", Label("Months", "月"), 0),
                count("at_risk", Label("At risk", "リスク集合")),
                interval("estimate", "low", "high", Label("% (95% CI)", "%（95%CI）"), 1, 100),
            ),
        ),
        Layout(
            "restricted",
            Label("restricted mean time", "境界内平均時間"),
            (
                GROUP,
                figure("horizon", Label("Up to, months", "上限、月"), 0),
                interval("estimate", "low", "high", Label("Months (95% CI)", "月（95%CI）"), 1),
                p(opening.of_restricted),
            ),
        ),
        Layout(
            "tests",
            Label("tests between groups", "群間の検定"),
            (
                TEST,
                GROUP_OR_ALL,
                count("n", N),
                figure("statistic", Label("χ²", "χ²"), 2),
                count("df", Label("df", "自由度")),
                p(opening.of_group_test, "p_raw", Label("P before adjustment", "補正前P値")),
                p(opening.of_group_test),
            ),
        ),
        Layout(
            "hazards",
            Label("Cox models", "Cox回帰"),
            (
                text("model", Label("Model", "モデル")),
                TERM,
                interval("estimate", "low", "high", Label("Hazard ratio (95% CI)", "ハザード比（95%CI）")),
                p(opening.of_hazard),
                p(opening.of_proportional, "ph_p", Label("P, proportional hazards", "比例ハザード性のP値")),
            ),
        ),
        Layout(
            "fits",
            Label("Cox models as a whole", "Cox回帰の全体"),
            (
                text("model", Label("Model", "モデル")),
                count("n", N),
                count("events", Label("Events", "イベント")),
                count("missing", Label("Covariate unknown", "共変量不明")),
                p(opening.of_cox_fit, "p", Label("P, likelihood ratio", "尤度比検定のP値")),
                p(opening.of_proportional, "ph_p", Label("P, proportional hazards", "比例ハザード性のP値")),
            ),
        ),
        Layout(
            "subgroups",
            Label("subgroups", "サブグループ"),
            (
                VARIABLE,
                LEVEL,
                GROUP,
                count("n", N),
                count("events", Label("Events", "イベント")),
                interval("estimate", "low", "high", Label("Hazard ratio (95% CI)", "ハザード比（95%CI）")),
                p(opening.of_subgroup),
                p(opening.of_interaction, "p_interaction", Label("P, interaction", "交互作用のP値")),
            ),
        ),
    ),
    "models": (
        Layout(
            "coefficients",
            Label("terms", "各項目"),
            (TERM, interval("estimate", "low", "high", decimals=3), p(opening.of_coefficient)),
        ),
        Layout(
            "means",
            Label("least-squares means", "最小二乗平均"),
            (GROUP, VISIT, count("n", N), interval("estimate", "low", "high", decimals=3)),
        ),
        Layout(
            "contrasts",
            Label("differences between groups, the later minus the earlier", "群間差（後の群－前の群）"),
            (
                GROUP,
                VISIT,
                interval("estimate", "low", "high", decimals=3),
                figure("df", Label("df", "自由度"), 1),
                p(opening.of_contrast, "p_raw", Label("P before adjustment", "補正前P値")),
                p(opening.of_contrast),
            ),
        ),
        Layout(
            "terms",
            Label("tests of terms", "項目の検定"),
            (
                text("term", Label("Term", "項目")),
                figure("statistic", Label("F", "F値"), 2),
                figure("df", Label("df", "自由度"), 0),
                figure("df_residual", Label("df, residual", "残差自由度"), 1),
                p(opening.of_term),
            ),
        ),
        Layout(
            "fits",
            Label("the model as a whole", "モデル全体"),
            (
                count("n", Label("Patients", "患者数")),
                count("values", Label("Values", "測定数")),
                count("events", Label("Events", "イベント")),
                count("missing", Label("Not in the model", "モデル外")),
                figure("spread", Label("Residual SD", "残差標準偏差"), 3),
                figure("r_squared", Label("R²", "R²"), 3),
                figure("log_likelihood", Label("Log-likelihood (REML)", "対数尤度（REML）"), 2),
                p(opening.of_model_fit, "p", Label("P, likelihood ratio", "尤度比検定のP値")),
            ),
        ),
        Layout(
            "covariance",
            Label("covariance of a patient's values", "患者内の共分散"),
            (
                Field(
                    Label("Visits", "時点"),
                    lambda row, names: f"{names.visit(row.first)} × {names.visit(row.second)}",
                ),
                figure("covariance", Label("Covariance", "共分散"), 4),
                figure("correlation", Label("Correlation", "相関"), 3),
            ),
        ),
    ),
    "propensity": (
        Layout(
            "sizes",
            Label("patients", "患者数"),
            (
                GROUP,
                count("n", N),
                count("scored", Label("With a score", "スコアあり")),
                count("used", Label("Analysed", "解析対象")),
                count("unmatched", Label("Without a partner", "相手なし")),
                figure("effective", Label("Effective n", "有効例数"), 1),
            ),
        ),
        Layout(
            "balance",
            Label("balance before and after", "調整前後のバランス"),
            (
                VARIABLE,
                LEVEL,
                figure("treated_before", Label("Treated, before", "治療群（前）")),
                figure("control_before", Label("Control, before", "対照群（前）")),
                figure("smd_before", Label("SMD, before", "標準化差（前）"), 3),
                figure("ratio_before", Label("Variance ratio, before", "分散比（前）")),
                figure("treated_after", Label("Treated, after", "治療群（後）")),
                figure("control_after", Label("Control, after", "対照群（後）")),
                figure("smd_after", Label("SMD, after", "標準化差（後）"), 3),
                figure("ratio_after", Label("Variance ratio, after", "分散比（後）")),
            ),
        ),
        Layout(
            "outcomes",
            Label("outcomes, treated minus control", "アウトカム（治療群－対照群）"),
            (
                VARIABLE,
                count("n", Label("Pairs or patients", "対または患者数")),
                count("missing", Label("Unknown", "不明")),
                mean_sd("treated_mean", "treated_sd", Label("Treated", "治療群")),
                mean_sd("control_mean", "control_sd", Label("Control", "対照群")),
                text("effect", Label("Effect", "効果")),
                interval("estimate", "low", "high", decimals=3),
                TEST,
                p(opening.of_outcome),
            ),
        ),
        Layout(
            "categories",
            Label("categories in matched pairs", "マッチした対のカテゴリ"),
            (
                VARIABLE,
                LEVEL,
                count("treated", Label("Treated", "治療群")),
                count("control", Label("Control", "対照群")),
            ),
        ),
        Layout(
            "scores",
            Label("model of the score", "スコアのモデル"),
            (
                TERM,
                interval("estimate", "low", "high", Label("Odds ratio (95% CI)", "オッズ比（95%CI）")),
                p(opening.of_score),
            ),
        ),
        Layout(
            "fits",
            Label("the score and its use", "スコアとその使用"),
            (
                count("n", Label("With a score", "スコアあり")),
                count("missing", Label("Without", "なし")),
                count("sets", Label("Sets", "マッチ組数")),
                figure("caliper", Label("Caliper", "キャリパー"), 4),
                figure("largest_weight", Label("Largest weight", "最大重み"), 2),
            ),
        ),
    ),
    "qol": (
        Layout(
            "years",
            Label("QALYs", "QALY"),
            (
                GROUP,
                count("n", N),
                count("unknown", Label("Unknown", "不明")),
                count("died", Label("Died within", "期間内死亡")),
                interval("mean", "low", "high", Label("Mean (95% CI)", "平均（95%CI）"), 3),
                figure("sd", Label("SD", "標準偏差"), 3),
                interval("median", "q1", "q3", Label("Median (quartiles)", "中央値（四分位）"), 3),
            ),
        ),
        Layout(
            "course",
            Label("without and with the dead", "死亡例を除く場合と含む場合"),
            (
                GROUP,
                VISIT,
                count("n", N),
                count("missing", Label("Unknown", "不明")),
                count("died", Label("Died before", "来院前死亡")),
                interval("mean", "low", "high", Label("Mean of survivors (95% CI)", "生存者の平均（95%CI）"), 3),
                interval(
                    "mean_with_dead",
                    "low_with_dead",
                    "high_with_dead",
                    Label("Mean with the dead (95% CI)", "死亡例を含む平均（95%CI）"),
                    3,
                ),
            ),
        ),
        Layout(
            "responders",
            Label("responders", "レスポンダー"),
            (
                GROUP,
                VISIT,
                count("n", N),
                count("missing", Label("Unknown", "不明")),
                share("improved", "n", Label("Improved", "改善")),
                share("same", "n", Label("Same", "不変")),
                share("worse", "n", Label("Worse", "悪化")),
                interval("share", "low", "high", Label("% improved (95% CI)", "改善率%（95%CI）"), 1, 100),
            ),
        ),
        Layout(
            "differences",
            Label("differences between groups, the later minus the earlier", "群間差（後の群－前の群）"),
            (
                GROUP,
                VISIT,
                count("n", N),
                interval("estimate", "low", "high", decimals=3),
                TEST,
                p(opening.of_difference),
            ),
        ),
        Layout(
            "worst_rank",
            Label("with the dead ranked lowest", "死亡例を最下位とした検定"),
            (VISIT, TEST, count("n", N), count("dead", Label("Dead", "死亡")), p(opening.of_ranks)),
        ),
    ),
    "transitions": (
        Layout(
            "cells",
            Label("from before to after", "前後の推移"),
            (
                GROUP,
                Field(Label("Before", "前"), lambda row, names: names.grade(row.before)),
                Field(Label("After", "後"), lambda row, names: names.grade(row.after)),
                Field(
                    Label("Patients (% of those before)", "患者数（前の群に対する%）"),
                    lambda row, names: (
                        str(row.count)
                        if isinstance(row.count, Few) or row.percent is None
                        else f"{row.count} ({row.percent:.0f}%)"
                    ),
                ),
            ),
            lambda row: bool(row.count),
        ),
        Layout(
            "margins",
            Label("grades before and after", "前後の分布"),
            (
                GROUP,
                Field(Label("Grade", "グレード"), lambda row, names: names.grade(row.grade)),
                count("before", Label("Before", "前")),
                count("after", Label("After", "後")),
            ),
        ),
        Layout(
            "moved",
            Label("who moved", "変化した患者"),
            (
                GROUP,
                count("n", Label("Pairs", "対")),
                count("missing", Label("Unknown", "不明")),
                share("up", "n", Label("To a later grade", "後のグレードへ")),
                share("same", "n", Label("Same", "不変")),
                share("down", "n", Label("To an earlier grade", "前のグレードへ")),
            ),
        ),
        Layout(
            "tests",
            Label("tests", "検定"),
            (
                TEST,
                GROUP_OR_ALL,
                count("n", N),
                figure("statistic", Label("Statistic", "統計量")),
                count("df", Label("df", "自由度")),
                p(opening.of_transition),
            ),
        ),
    ),
}
