"""What the prognostic scores beside Tokuhashi's ask. Each question is asked once, whichever scores need it."""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label

NO_YES = (Choice(0, Label("no", "いいえ")), Choice(1, Label("yes", "はい")))

# The registry's list of primary tumours in the detail that the scores need.
PRIMARIES = (
    Choice("lung", Label("lung", "肺")),
    Choice("stomach", Label("stomach", "胃")),
    Choice("oesophagus_pancreas", Label("oesophagus, pancreas", "食道・膵")),
    Choice("liver", Label("liver", "肝")),
    Choice("gallbladder", Label("gallbladder", "胆嚢")),
    Choice("colon", Label("colon", "結腸")),
    Choice("rectum", Label("rectum", "直腸")),
    Choice("kidney", Label("kidney", "腎")),
    Choice("breast", Label("breast", "乳腺")),
    Choice("prostate", Label("prostate", "前立腺")),
    Choice("thyroid", Label("thyroid", "甲状腺")),
    Choice("myeloma_lymphoma", Label("myeloma, lymphoma", "骨髄腫・リンパ腫")),
    Choice("uterus", Label("uterus", "子宮")),
    Choice("bladder", Label("bladder", "膀胱")),
    Choice("melanoma", Label("melanoma", "悪性黒色腫")),
    Choice("sarcoma", Label("sarcoma", "肉腫")),
    Choice("neuroendocrine", Label("carcinoid, neuroendocrine", "カルチノイド・神経内分泌腫瘍")),
    Choice("unknown", Label("unknown origin", "原発不明")),
    Choice("other", Label("other", "その他")),
)

# The tumour of the enrolment (`primary_tumour`) that each belongs to, of the nine of the segment study
# (doi 10.1177/21925682241297948).
TUMOUR_OF = {
    "lung": "lung",
    "stomach": "digestive",
    "oesophagus_pancreas": "digestive",
    "liver": "digestive",
    "gallbladder": "digestive",
    "colon": "digestive",
    "rectum": "digestive",
    "kidney": "renal",
    "breast": "breast",
    "prostate": "prostate",
    "thyroid": "thyroid",
    "myeloma_lymphoma": "hematological",
    "uterus": "other",
    "bladder": "other",
    "melanoma": "other",
    "sarcoma": "other",
    "unknown": "unknown",
}

# Two that may belong to several: `digestive` is the whole tract, `hematological` has leukaemia too.
TUMOURS_OF = {
    "neuroendocrine": ("other", "digestive"),
    "other": ("other", "digestive", "hematological"),
}


def fits(detail: Any, tumour: str) -> bool:
    """Whether the detailed primary belongs to the tumour of the enrolment, as the segment study groups them."""
    return tumour in TUMOURS_OF.get(detail, (TUMOUR_OF.get(detail),))


# The points of the primary site in the revised Tokuhashi score (doi:10.1097/01.brs.0000180401.06919.a5) that each may
# have: of sarcomas the osteosarcoma has none, of neuroendocrine tumours the carcinoid has five; others count as other.
TOKUHASHI_PRIMARY = {
    **dict.fromkeys(("lung", "stomach", "oesophagus_pancreas", "bladder"), frozenset({0})),
    **dict.fromkeys(("liver", "gallbladder", "unknown"), frozenset({1})),
    **dict.fromkeys(("colon", "myeloma_lymphoma", "melanoma", "other"), frozenset({2})),
    **dict.fromkeys(("kidney", "uterus"), frozenset({3})),
    "rectum": frozenset({4}),
    **dict.fromkeys(("thyroid", "breast", "prostate"), frozenset({5})),
    "sarcoma": frozenset({0, 2}),
    "neuroendocrine": frozenset({2, 5}),
}


def _laboratory(name: str, en: str, ja: str, unit: str, minimum: Any, maximum: Any, places: Any) -> Item:
    kind = "decimal" if places else "integer"
    return Item(name=name, label=Label(en, ja), kind=kind, places=places, minimum=minimum, maximum=maximum, unit=unit)


PROGNOSIS = Instrument(
    code="prognosis",
    version="1",
    title=Label("Prognostic scores", "予後予測スコア"),
    items=(
        Item(
            name="primary_detail",
            label=Label("Primary tumour in detail", "原発腫瘍（詳細）"),
            kind="code",
            choices=PRIMARIES,
        ),
        Item(
            name="tomita_growth",
            label=Label("Growth of the primary (Tomita)", "原発腫瘍の発育速度（富田）"),
            choices=(
                Choice(1, Label("slow", "緩徐")),
                Choice(2, Label("moderate", "中等度")),
                Choice(4, Label("rapid", "急速")),
            ),
            required=False,
            hint=Label(
                "Only where the tumour in detail does not say: bladder, blood, melanoma, sarcoma, carcinoid, other.",
                "原発腫瘍（詳細）から決まらない場合のみ：膀胱・血液・黒色腫・肉腫・カルチノイド・その他。",
            ),
        ),
        Item(
            name="visceral_treatability",
            label=Label("Visceral metastases (Tomita)", "内臓転移（富田）"),
            choices=(
                Choice(0, Label("none", "なし")),
                Choice(2, Label("treatable", "治療可能")),
                Choice(4, Label("untreatable", "治療不能")),
            ),
        ),
        Item(
            name="visceral_spread",
            label=Label("Visceral or cerebral metastases (Katagiri, Bauer)", "内臓・脳転移（片桐・Bauer）"),
            choices=(
                Choice(0, Label("none", "なし")),
                Choice(1, Label("nodular", "結節性")),
                Choice(
                    2, Label("disseminated", "播種性"), Label("pleural, peritoneal, leptomeningeal", "胸膜・腹膜・髄膜")
                ),
            ),
        ),
        Item(
            name="skeletal_metastases",
            label=Label("Skeletal metastases, the spine included", "骨転移（脊椎を含む）"),
            choices=(Choice(1, Label("solitary", "単発")), Choice(2, Label("multiple", "多発"))),
        ),
        Item(
            name="hormone_dependent",
            label=Label("Hormone-dependent tumour", "ホルモン依存性"),
            choices=NO_YES,
            required=False,
            hint=Label("Breast and prostate only.", "乳癌・前立腺癌のみ。"),
        ),
        Item(
            name="targeted_drug",
            label=Label("Treated with a targeted drug", "分子標的薬による治療"),
            choices=NO_YES,
            required=False,
            hint=Label("Lung only.", "肺癌のみ。"),
        ),
        Item(
            name="katagiri_growth",
            label=Label("Growth of the primary (Katagiri)", "原発腫瘍の発育速度（片桐）"),
            choices=(
                Choice(0, Label("slow", "緩徐")),
                Choice(2, Label("moderate", "中等度")),
                Choice(3, Label("rapid", "急速")),
            ),
            required=False,
            hint=Label(
                "Only where the tumour in detail does not say (carcinoid), or says otherwise: head and neck is rapid.",
                "原発腫瘍（詳細）から決まらない場合（カルチノイド）や異なる場合のみ。頭頸部は「急速」。",
            ),
        ),
        Item(name="previous_chemotherapy", label=Label("Previous chemotherapy", "化学療法の既往"), choices=NO_YES),
        Item(
            name="walks_independently",
            label=Label("Walks independently before treatment", "治療前の独歩"),
            choices=NO_YES,
        ),
        _laboratory("albumin_g_dl", "Albumin", "アルブミン", "g/dL", 0, 8, 1),
        _laboratory("crp_mg_dl", "CRP", "CRP", "mg/dL", 0, 60, 2),
        _laboratory("ldh_iu_l", "LDH", "LDH", "IU/L", 1, 30_000, 0),
        _laboratory("platelets_1000_ul", "Platelets", "血小板", "10³/µL", 1, 3_000, 0),
        _laboratory("calcium_mg_dl", "Calcium", "カルシウム", "mg/dL", 1, 25, 1),
        _laboratory("bilirubin_mg_dl", "Total bilirubin", "総ビリルビン", "mg/dL", 0, 60, 1),
    ),
    how_to=Label(
        "Before surgery. The scores are computed from these answers and stand on the patient's page. They estimate "
        "groups, not a person, and order no treatment.",
        "術前の状態を記録します。スコアは自動計算され、患者ページに表示されます。集団の推定であり、治療方針を指示するものではありません。",
    ),
    completed_by=Label("Clinician", "医療者"),
    optional=True,
)
