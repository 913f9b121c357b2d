"""Revised Tokuhashi score: life expectancy before treatment of a spinal metastasis. Codes are points."""

from typing import Any

from registry.instruments.base import Bands, Choice, Instrument, Item, Label, Total


def _item(name: str, label: Any, *levels: Any, hint: Label | None = None) -> Item:
    """A component whose levels score 0, 1, 2, …"""
    choices = tuple(Choice(points, level) for points, level in enumerate(levels))
    return Item(name=f"tokuhashi_{name}", label=label, choices=choices, hint=hint)


ITEMS = (
    _item(
        "general_condition",
        Label("General condition (Karnofsky)", "全身状態（Karnofsky）"),
        Label("poor (10–40)", "不良（10～40）"),
        Label("moderate (50–70)", "中等度（50～70）"),
        Label("good (80–100)", "良好（80～100）"),
    ),
    _item(
        "extraspinal_bone",
        Label("Extraspinal bone metastases", "脊椎以外の骨転移数"),
        Label("3 or more", "3か所以上"),
        Label("1–2", "1～2か所"),
        Label("none", "なし"),
    ),
    _item(
        "vertebral",
        Label("Vertebral metastases", "脊椎転移の数"),
        Label("3 or more", "3椎以上"),
        Label("2", "2椎"),
        Label("1", "1椎"),
    ),
    _item(
        "organs",
        Label("Major organ metastases", "主要臓器転移"),
        Label("unremovable", "切除不能"),
        Label("removable", "切除可能"),
        Label("none", "なし"),
    ),
    _item(
        "primary",
        Label("Primary site", "原発巣"),
        Label("lung, osteosarcoma, stomach, bladder, oesophagus, pancreas", "肺・骨肉腫・胃・膀胱・食道・膵"),
        Label("liver, gallbladder, unidentified", "肝・胆嚢・不明"),
        Label("other", "その他"),
        Label("kidney, uterus", "腎・子宮"),
        Label("rectum", "直腸"),
        Label("thyroid, breast, prostate, carcinoid", "甲状腺・乳腺・前立腺・カルチノイド"),
        hint=Label(
            "Colon and blood cancers are not in the published table and count as other.",
            "結腸癌と血液腫瘍は原表にないため「その他」とします。",
        ),
    ),
    _item(
        "palsy",
        Label("Palsy (Frankel)", "麻痺（Frankel）"),
        Label("complete (A, B)", "完全（A・B）"),
        Label("incomplete (C, D)", "不全（C・D）"),
        Label("none (E)", "なし（E）"),
    ),
)

NAMES = tuple(item.name for item in ITEMS)

PALSY_OF_FRANKEL = {"A": 0, "B": 0, "C": 1, "D": 1, "E": 2}

# The points of the primary site that a primary tumour of the registry may score.
PRIMARY_OF_TUMOUR = {
    "lung": {0},
    "digestive": {0, 1, 2, 4},
    "renal": {3},
    "breast": {5},
    "prostate": {5},
    "hematological": {2},
    "thyroid": {5},
    "unknown": {1},
    "other": {0, 2, 3, 5},
}

VERTEBRAE_OF_POINTS = {2: 1, 1: 2}  # the most vertebrae that the points of `tokuhashi_vertebral` allow; 0 allows any

PROGNOSIS = (
    (8, Choice("under_6_months", Label("under 6 months", "6か月未満"))),
    (11, Choice("at_least_6_months", Label("6 months or more", "6か月以上"))),
    (15, Choice("at_least_1_year", Label("1 year or more", "1年以上"))),
)

TOKUHASHI = Instrument(
    code="tokuhashi",
    version="2005",
    title=Label("Revised Tokuhashi score", "徳橋スコア（改訂版）"),
    items=ITEMS,
    derived=(
        Total(
            name="tokuhashi_total",
            label=Label("Tokuhashi score, total", "徳橋スコア 合計"),
            items=NAMES,
            minimum=0,
            maximum=15,
        ),
        Bands(
            name="tokuhashi_prognosis",
            label=Label("Tokuhashi score, predicted survival", "徳橋スコア 予測予後"),
            items=NAMES,
            bands=PROGNOSIS,
        ),
    ),
    how_to=Label(
        "Score the state before surgery. The total estimates survival for a group of patients, not for one person.",
        "手術前の状態で採点してください。合計点は集団としての予後推定であり、個人の予後を示すものではありません。",
    ),
    higher_is="better",
    completed_by=Label("Clinician", "医師"),
    citation="Tokuhashi Y, Matsuzaki H, Oda H, et al. Spine 2005;30:2186–2191. doi:10.1097/01.brs.0000180401.06919.a5",
    licence="Scoring facts, free to use with the citation. The labels are this project's own.",
)
