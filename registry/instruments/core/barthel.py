"""Barthel index, the original ten items: what a person does in basic daily living, 0 to 100.

Codes are points. Not to be mixed with the 0–20 version or with Shah's modified points.
"""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label, Total


def _item(name: str, label: Any, *levels: Any) -> Item:
    """An item whose levels rise in steps of five points from zero."""
    choices = tuple(Choice(5 * step, level) for step, level in enumerate(levels))
    return Item(name=f"barthel_{name}", label=label, choices=choices)


DEPENDENT = Label("dependent", "全介助")
NEEDS_HELP = Label("needs help", "要介助")
SOME_HELP = Label("some help", "部分介助")
INDEPENDENT = Label("independent", "自立")
UNABLE = Label("unable", "不能")
INCONTINENT = Label("incontinent", "失禁状態")
OCCASIONAL = Label("occasional accident", "時に失禁")
CONTINENT = Label("continent", "失禁なし")

ITEMS = (
    _item("feeding", Label("Feeding", "食事"), UNABLE, NEEDS_HELP, INDEPENDENT),
    _item("bathing", Label("Bathing", "入浴"), DEPENDENT, INDEPENDENT),
    _item("grooming", Label("Grooming", "整容"), NEEDS_HELP, INDEPENDENT),
    _item("dressing", Label("Dressing", "更衣"), DEPENDENT, NEEDS_HELP, INDEPENDENT),
    _item("bowels", Label("Bowels", "排便"), INCONTINENT, OCCASIONAL, CONTINENT),
    _item(
        "bladder",
        Label("Bladder", "排尿"),
        Label("incontinent, or catheter not self-managed", "失禁状態、またはカテーテルを自己管理できない"),
        OCCASIONAL,
        CONTINENT,
    ),
    _item("toilet", Label("Toilet use", "トイレ動作"), DEPENDENT, SOME_HELP, INDEPENDENT),
    _item(
        "transfer",
        Label("Transfer (bed to chair)", "移乗（ベッド・椅子間）"),
        Label("unable, no sitting balance", "不能（座位を保てない）"),
        Label("major help", "多くの介助"),
        Label("minor help", "わずかな介助"),
        INDEPENDENT,
    ),
    _item(
        "mobility",
        Label("Mobility (on level ground)", "移動（平地）"),
        Label("immobile, or under 45 m", "不動、または45 m未満"),
        Label("independent in a wheelchair", "車椅子で自立"),
        Label("walks with one helper", "1人の介助で歩行"),
        Label("walks independently, aid allowed", "歩行自立（補助具可）"),
    ),
    _item("stairs", Label("Stairs", "階段昇降"), UNABLE, NEEDS_HELP, INDEPENDENT),
)

BARTHEL = Instrument(
    code="barthel",
    version="1",
    title=Label("Barthel index", "Barthel指数"),
    items=ITEMS,
    derived=(
        Total(
            name="barthel_total",
            label=Label("Barthel index, total", "Barthel指数 合計"),
            items=tuple(item.name for item in ITEMS),
            minimum=0,
            maximum=100,
        ),
    ),
    how_to=Label(
        "Record what the person did in the last one or two days, not what they could do.",
        "「できる」動作ではなく、過去1～2日に実際に「している」動作を記録してください。",
    ),
    higher_is="better",
    completed_by=Label("Nurse, therapist or physician", "看護師・療法士・医師"),
    citation="Mahoney FI, Barthel DW. Md State Med J 1965;14:61–65",
    licence="© Maryland State Medical Society. Free for non-commercial use with the citation; "
    "commercial use needs permission.",
)
