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

ADVERSE_EVENT = Instrument(
    code="adverse_event",
    version="1",
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
    ),
    completed_by=Label("Site staff", "施設スタッフ"),
    citation="Dindo D, Demartines N, Clavien PA. Ann Surg 2004;240:205–213. doi:10.1097/01.sla.0000133083.54934.ae",
)
