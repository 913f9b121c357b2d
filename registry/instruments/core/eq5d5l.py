"""EQ-5D-5L and EQ VAS: the patient's own health today.

Only dimension names and short level labels are here. The questionnaire belongs to the EuroQol Research Foundation,
and a site that holds a licence brings its wording. The health state's value is in `value_sets`.
"""

from typing import Any

from registry.instruments.base import Choice, Digits, Instrument, Item, Label

NO, SLIGHT, MODERATE, SEVERE = (
    Label("no problems", "問題なし"),
    Label("slight", "少し"),
    Label("moderate", "中程度"),
    Label("severe", "かなり"),
)
UNABLE = Label("unable", "できない")
EXTREME = Label("extreme", "極度")


def _dimension(name: str, label: Any, worst: Any) -> Item:
    levels = (NO, SLIGHT, MODERATE, SEVERE, worst)
    choices = tuple(Choice(code, level) for code, level in enumerate(levels, start=1))
    return Item(name=f"eq5d_{name}", label=label, choices=choices)


DIMENSIONS = (
    _dimension("mobility", Label("Mobility", "移動の程度"), UNABLE),
    _dimension("self_care", Label("Self-care", "身の回りの管理"), UNABLE),
    _dimension("usual_activities", Label("Usual activities", "ふだんの活動"), UNABLE),
    _dimension("pain_discomfort", Label("Pain / discomfort", "痛み／不快感"), EXTREME),
    _dimension("anxiety_depression", Label("Anxiety / depression", "不安／ふさぎ込み"), EXTREME),
)

PATIENT = Label("Patient", "患者本人")
LICENCE = (
    "© EuroQol Research Foundation. Its use must be registered with or licensed by EuroQol; "
    "the questionnaire's wording is not part of this product."
)
CITATION = "Herdman M, Gudex C, Lloyd A, et al. Qual Life Res 2011;20:1727–1736. doi:10.1007/s11136-011-9903-x"

EQ5D5L = Instrument(
    code="eq5d5l",
    version="1",
    title=Label("EQ-5D-5L", "EQ-5D-5L"),
    items=DIMENSIONS,
    derived=(
        Digits(
            name="eq5d_state",
            label=Label("EQ-5D-5L health state", "EQ-5D-5L 健康状態"),
            items=tuple(item.name for item in DIMENSIONS),
            minimum=11111,
            maximum=55555,
        ),
    ),
    how_to=Label(
        "The patient's own answers about today. Two levels ticked in one dimension count as missing.",
        "今日の状態についての患者本人の回答です。1つの項目に2つ印がある場合は欠測とします。",
    ),
    higher_is="worse",
    completed_by=PATIENT,
    citation=CITATION,
    licence=LICENCE,
)

EQ_VAS = Instrument(
    code="eq_vas",
    version="1",
    title=Label("EQ VAS", "EQ VAS"),
    items=(
        Item(
            name="eq_vas",
            label=Label("EQ VAS (health today)", "EQ VAS（今日の健康状態）"),
            minimum=0,
            maximum=100,
            hint=Label("High is good: 0 to 100.", "数値が大きいほど良い状態です（0～100）。"),
            low_anchor=Label("worst imaginable health", "想像できる最も悪い健康状態"),
            high_anchor=Label("best imaginable health", "想像できる最も良い健康状態"),
        ),
    ),
    how_to=Label("The patient's own rating of health today.", "今日の健康状態についての患者本人の評価です。"),
    higher_is="better",
    completed_by=PATIENT,
    citation=CITATION,
    licence=LICENCE,
)
