"""Adverse events: one record an event. Local recurrence is an oncological outcome and is not one of them."""

from registry.instruments.base import Choice, Instrument, Item, Label

KINDS = (
    Choice("surgical_site_infection", Label("surgical site infection", "手術部位感染")),
    Choice("wound_problem", Label("wound problem without infection", "創部トラブル（感染なし）")),
    Choice("neurological_deterioration", Label("neurological deterioration", "神経症状の悪化")),
    Choice("hematoma", Label("postoperative hematoma", "術後血腫")),
    Choice("csf_leak", Label("dural tear or CSF leak", "硬膜損傷・髄液漏")),
    Choice("cement_leakage", Label("cement leakage", "セメント漏出")),
    Choice("hardware_failure", Label("hardware failure", "インプラント障害")),
    Choice("deep_vein_thrombosis", Label("deep vein thrombosis", "深部静脈血栓症")),
    Choice("intermuscular_vein_thrombosis", Label("intermuscular vein thrombosis", "筋肉内静脈血栓症")),
    Choice("pulmonary_embolism", Label("pulmonary embolism", "肺塞栓症")),
    Choice("pneumonia", Label("pneumonia", "肺炎")),
    Choice("stress_ulcer", Label("stress ulcer", "ストレス潰瘍")),
    Choice("adjacent_fracture", Label("adjacent vertebral fracture", "隣接椎体骨折")),
    Choice("radiation_fracture", Label("vertebral fracture after radiotherapy", "放射線治療後の椎体骨折")),
    Choice("massive_bleeding", Label("massive intra-operative bleeding", "術中大量出血")),
    Choice("other", Label("other", "その他")),
)

CLAVIEN_DINDO = (
    Choice("I", Label("deviation, simple drugs only", "逸脱（簡単な薬剤のみ）")),
    Choice("II", Label("other drugs, transfusion, parenteral nutrition", "その他の薬剤・輸血・静脈栄養")),
    Choice("IIIa", Label("intervention without general anaesthesia", "全身麻酔を要しない処置")),
    Choice("IIIb", Label("intervention with general anaesthesia", "全身麻酔下の処置")),
    Choice("IVa", Label("intensive care, one organ", "集中治療（単一臓器）")),
    Choice("IVb", Label("intensive care, several organs", "集中治療（多臓器）")),
    Choice("V", Label("death", "死亡")),
)

# ICH E2A: the gravest criterion that is met. All but the first make an event a serious one.
NOT_SERIOUS = "none"
SERIOUSNESS = (
    Choice(NOT_SERIOUS, Label("not serious", "重篤でない")),
    Choice("important", Label("other medically important event", "その他の医学的に重要な事象")),
    Choice("congenital", Label("congenital anomaly", "先天異常")),
    Choice("hospitalisation", Label("hospital admission or longer stay", "入院または入院期間の延長")),
    Choice("disability", Label("persistent disability", "永続的または顕著な障害")),
    Choice("life_threatening", Label("life-threatening", "生命を脅かす")),
    Choice("death", Label("death", "死亡")),
)
SERIOUS = tuple(choice.code for choice in SERIOUSNESS if choice.code != NOT_SERIOUS)

RELATEDNESS = (
    Choice("not_related", Label("not related", "関連なし")),
    Choice("unlikely", Label("unlikely", "おそらく関連なし")),
    Choice("possible", Label("possible", "関連の可能性あり")),
    Choice("probable", Label("probable", "おそらく関連あり")),
    Choice("definite", Label("definite", "明らかに関連あり")),
)

EXPECTEDNESS = (Choice("expected", Label("expected", "既知")), Choice("unexpected", Label("unexpected", "未知")))

OUTCOMES = (
    Choice("recovered", Label("recovered", "回復")),
    Choice("recovering", Label("recovering", "軽快")),
    Choice("not_recovered", Label("not recovered", "未回復")),
    Choice("sequelae", Label("recovered with sequelae", "後遺症あり")),
    Choice("fatal", Label("fatal", "死亡")),
    Choice("unknown", Label("unknown", "不明")),
)

CTCAE = (
    Choice(1, Label("mild", "軽症")),
    Choice(2, Label("moderate", "中等症")),
    Choice(3, Label("severe", "重症")),
    Choice(4, Label("life-threatening", "生命を脅かす")),
    Choice(5, Label("death", "死亡")),
)

SAFETY = "2"  # the version that brought what a safety report asks

ADVERSE_EVENT = Instrument(
    code="adverse_event",
    version=SAFETY,
    title=Label("Adverse event", "有害事象"),
    items=(
        Item(name="kind", label=Label("Kind", "種類"), kind="code", choices=KINDS),
        Item(name="onset_date", label=Label("Date of onset", "発生日"), kind="date"),
        Item(
            name="clavien_dindo",
            label=Label("Clavien–Dindo grade", "Clavien-Dindo分類"),
            kind="code",
            choices=CLAVIEN_DINDO,
            required=False,
        ),
        Item(
            name="detail",
            label=Label("Detail", "詳細"),
            kind="text",
            max_length=500,
            required=False,
            identifying=True,  # free text may name someone
            hint=Label("No names or other identifying details.", "氏名など個人を特定できる情報は書かないでください。"),
        ),
        Item(
            name="ae_seriousness",
            label=Label("Seriousness", "重篤性"),
            kind="code",
            choices=SERIOUSNESS,
            required=False,
            since=SAFETY,
            section=Label("Safety report", "安全性報告"),
            hint=Label(
                "The gravest criterion that is met. Named people are told of a serious event within minutes.",
                "該当する最も重い基準を選んでください。重篤な事象は数分以内に担当者へ通知されます。",
            ),
        ),
        Item(
            name="ae_relatedness",
            label=Label("Relation to the surgery", "手術との因果関係"),
            kind="code",
            choices=RELATEDNESS,
            required=False,
            since=SAFETY,
        ),
        Item(
            name="ae_expectedness",
            label=Label("Expectedness", "予測性"),
            kind="code",
            choices=EXPECTEDNESS,
            required=False,
            since=SAFETY,
        ),
        Item(
            name="ae_outcome",
            label=Label("Outcome of the event", "転帰"),
            kind="code",
            choices=OUTCOMES,
            required=False,
            since=SAFETY,
        ),
        Item(
            name="ae_end_date",
            label=Label("Date of the end", "終了日"),
            kind="date",
            required=False,
            since=SAFETY,
        ),
        Item(
            name="ae_ctcae_grade",
            label=Label("CTCAE grade", "CTCAEグレード"),
            choices=CTCAE,
            required=False,
            since=SAFETY,
        ),
        Item(
            name="ae_meddra_code",
            label=Label("MedDRA code", "MedDRAコード"),
            minimum=10_000_000,
            maximum=99_999_999,
            required=False,
            since=SAFETY,
            hint=Label("Eight digits, of the lowest level term.", "下層語の8桁のコード"),
        ),
        Item(
            name="ae_term",
            label=Label("Term or other coding", "用語またはその他のコード"),
            kind="text",
            max_length=120,
            required=False,
            identifying=True,  # free text may name someone
            since=SAFETY,
            hint=Label("No names or other identifying details.", "氏名など個人を特定できる情報は書かないでください。"),
        ),
    ),
    completed_by=Label("Site staff", "施設スタッフ"),
    citation="Dindo D, Demartines N, Clavien PA. Ann Surg 2004;240:205–213. doi:10.1097/01.sla.0000133083.54934.ae",
)
