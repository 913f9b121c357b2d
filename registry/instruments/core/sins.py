"""Spinal Instability Neoplastic Score: mechanical instability caused by a tumour. Codes are points."""

from typing import Any

from registry.instruments.base import Bands, Choice, Instrument, Item, Label, Total


def _item(name: str, label: Any, *levels: Any, hint: Label | None = None) -> Item:
    """A component whose choices are (points, label), most severe last."""
    choices = tuple(Choice(points, level) for points, level in levels)
    return Item(name=f"sins_{name}", label=label, choices=choices, hint=hint)


ITEMS = (
    _item(
        "location",
        Label("Location", "部位"),
        (0, Label("rigid (S2–S5)", "強固部（S2～S5）")),
        (1, Label("semirigid (T3–T10)", "半強固部（T3～T10）")),
        (2, Label("mobile (C3–C6, L2–L4)", "可動部（C3～C6、L2～L4）")),
        (3, Label("junctional (occiput–C2, C7–T2, T11–L1, L5–S1)", "移行部（後頭骨～C2、C7～T2、T11～L1、L5～S1）")),
        hint=Label(
            "For several vertebrae, score each and record the least stable one.",
            "複数椎の場合は各椎体を採点し、最も不安定な椎体の値を記録してください。",
        ),
    ),
    _item(
        "pain",
        Label("Pain", "疼痛"),
        (0, Label("pain-free", "なし")),
        (1, Label("occasional, not mechanical", "時々あるが動作時痛ではない")),
        (3, Label("mechanical", "動作・荷重時痛、または臥床で軽快")),
    ),
    _item(
        "bone_lesion",
        Label("Bone lesion", "骨病変の性状"),
        (0, Label("blastic", "造骨性")),
        (1, Label("mixed", "混合性")),
        (2, Label("lytic", "溶骨性")),
    ),
    _item(
        "alignment",
        Label("Alignment", "脊椎アライメント"),
        (0, Label("normal", "正常")),
        (2, Label("new deformity (kyphosis or scoliosis)", "新たな変形（後弯・側弯）")),
        (4, Label("subluxation or translation", "脱臼・すべり")),
    ),
    _item(
        "collapse",
        Label("Vertebral body collapse", "椎体圧潰"),
        (0, Label("none of these", "いずれもなし")),
        (1, Label("no collapse, over 50 % of the body involved", "圧潰なし、椎体の50%を超える浸潤")),
        (2, Label("less than 50 %", "50%未満の圧潰")),
        (3, Label("more than 50 %", "50%を超える圧潰")),
        hint=Label("Exactly 50 % counts as less than 50 %.", "ちょうど50%の場合は「50%未満」とします。"),
    ),
    _item(
        "posterolateral",
        Label("Posterolateral elements", "後側方要素の浸潤"),
        (0, Label("none", "なし")),
        (1, Label("one side", "片側")),
        (3, Label("both sides", "両側")),
    ),
)

NAMES = tuple(item.name for item in ITEMS)

# The location's points of each vertebra. `S` does not say which sacral segment: S1 is junctional, the rest is rigid.
_LOCATION = {
    3: ("C1", "C2", "C7", "T1", "T2", "T11", "T12", "L1", "L5", "S"),
    2: ("C3", "C4", "C5", "C6", "L2", "L3", "L4"),
    1: ("T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10"),
    0: ("S",),
}


def location_points(levels: Any) -> set[int]:
    """The points that the location of a lesion with these levels may score: a set, one for each vertebra."""
    return {points for points, vertebrae in _LOCATION.items() if set(levels) & set(vertebrae)}


STABILITY = (
    (6, Choice("stable", Label("stable", "安定"))),
    (12, Choice("potentially_unstable", Label("potentially unstable", "不安定の可能性"))),
    (18, Choice("unstable", Label("unstable", "不安定"))),
)

SINS = Instrument(
    code="sins",
    version="2010",
    title=Label("Spinal Instability Neoplastic Score", "SINS（脊椎腫瘍不安定性スコア）"),
    items=ITEMS,
    derived=(
        Total(name="sins_total", label=Label("SINS, total", "SINS 合計"), items=NAMES, minimum=0, maximum=18),
        Bands(name="sins_class", label=Label("SINS, class", "SINS 分類"), items=NAMES, bands=STABILITY),
    ),
    higher_is="worse",
    how_to=Label(
        "Score the state before surgery from imaging and the history of pain.",
        "手術前の画像と疼痛の病歴から採点してください。",
    ),
    completed_by=Label("Surgeon or radiologist", "脊椎外科医・放射線科医"),
    citation="Fisher CG, DiPaola CP, Ryken TC, et al. Spine 2010;35:E1221–E1229. doi:10.1097/BRS.0b013e3181e16ae2",
    licence="Scoring facts, free to use with the citation. The labels are this project's own.",
)
