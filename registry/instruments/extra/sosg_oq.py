"""SOSG-OQ: domain scores as the site's own scoring gives them.

No wording of the questionnaire is here, and nothing is computed from its items: its manual says how. Publications score
it in opposite directions, so that version and direction are stored with the scores.
"""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label


def _domain(name: str, en: str, ja: str, **more: Any) -> Item:
    return Item(name=f"sosg_{name}", label=Label(en, ja), kind="decimal", places=1, minimum=0, maximum=100, **more)


SOSG_OQ = Instrument(
    code="sosg_oq",
    version="1",
    title=Label("SOSG-OQ (domain scores)", "SOSG-OQ（領域別スコア）"),
    items=(
        Item(
            name="sosg_version",
            label=Label("Version", "版"),
            kind="code",
            choices=(
                Choice("v1", Label("1 (2010)", "第1版（2010年）")),
                Choice("v2", Label("2.0 (2018)", "2.0版（2018年）")),
            ),
        ),
        Item(
            name="sosg_direction",
            label=Label("Direction of the scores", "スコアの向き"),
            kind="code",
            choices=(
                Choice("higher_better", Label("higher is better", "高いほど良好")),
                Choice("higher_worse", Label("higher is worse", "高いほど不良")),
            ),
            hint=Label("Version 2.0 is usually scored higher is better.", "2.0版は通常、高いほど良好です。"),
        ),
        _domain("physical", "Physical function", "身体機能"),
        _domain("pain", "Pain", "痛み"),
        _domain("mental", "Mental health", "精神的健康"),
        _domain("social", "Social function", "社会的機能"),
        _domain(
            "neurological",
            "Neurological function",
            "神経機能",
            required=False,
            hint=Label("A domain of version 1 only.", "第1版のみの領域です。"),
        ),
        _domain("total", "Total", "合計"),
    ),
    how_to=Label(
        "Enter the scores from 0 to 100 that the manual gives; the registry computes none from the items.",
        "マニュアルに従って算出した0～100のスコアを入力します。項目からの自動計算は行いません。",
    ),
    completed_by=Label("Patient", "患者"),
    citation="Janssen SJ, et al. Spine J 2017;17:768–776. doi:10.1016/j.spinee.2015.07.456; Versteeg AL, et al. Cancer "
    "2018;124:1828–1838. doi:10.1002/cncr.31240",
    licence="The questionnaire is © AO Spine / Spine Oncology Study Group; no wording of it is here.",
    optional=True,
)
