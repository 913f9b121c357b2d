"""Charlson comorbidity index. Codes are points; within liver, diabetes and tumour the higher grade alone counts.

Nearly everybody here has a metastatic solid tumour (6 points), so that a total without cancer is derived beside the
full one; the total with age points is in `scores`, for it needs the age at surgery.
"""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label, Total

ABSENT = Choice(0, Label("absent", "なし"))


def _disease(name: str, en: str, ja: str, points: int = 1) -> Item:
    present = Choice(points, Label("present", "あり"))
    return Item(name=f"cci_{name}", label=Label(en, ja), choices=(ABSENT, present))


def _graded(name: str, en: str, ja: str, *grades: Any) -> Item:
    choices = (ABSENT, *(Choice(points, Label(*words)) for points, words in grades))
    return Item(name=f"cci_{name}", label=Label(en, ja), choices=choices)


OTHER_ITEMS = (
    _disease("infarct", "Myocardial infarct", "心筋梗塞"),
    _disease("heart_failure", "Congestive heart failure", "うっ血性心不全"),
    _disease("vascular", "Peripheral vascular disease", "末梢血管疾患"),
    _disease("cerebrovascular", "Cerebrovascular disease", "脳血管疾患"),
    _disease("dementia", "Dementia", "認知症"),
    _disease("pulmonary", "Chronic pulmonary disease", "慢性肺疾患"),
    _disease("connective", "Connective tissue disease", "膠原病"),
    _disease("ulcer", "Peptic ulcer", "消化性潰瘍"),
    _graded("liver", "Liver disease", "肝疾患", (1, ("mild", "軽度")), (3, ("moderate or severe", "中等度以上"))),
    _graded(
        "diabetes",
        "Diabetes",
        "糖尿病",
        (1, ("without end-organ damage", "臓器障害なし")),
        (2, ("with end-organ damage", "臓器障害あり")),
    ),
    _disease("hemiplegia", "Hemiplegia", "片麻痺", 2),
    _disease("renal", "Moderate or severe renal disease", "中等度以上の腎疾患", 2),
    _disease("aids", "AIDS", "AIDS", 6),
)
CANCER_ITEMS = (
    _graded(
        "tumour",
        "Solid tumour",
        "固形癌",
        (2, ("without metastasis", "転移なし")),
        (6, ("metastatic", "転移あり")),
    ),
    _disease("leukaemia", "Leukaemia", "白血病", 2),
    _disease("lymphoma", "Lymphoma", "リンパ腫", 2),
)
ITEMS = OTHER_ITEMS + CANCER_ITEMS

CHARLSON = Instrument(
    code="charlson",
    version="1",
    title=Label("Charlson comorbidity index", "Charlson併存疾患指数"),
    items=ITEMS,
    derived=(
        Total(
            name="cci_full",
            label=Label("Charlson index", "Charlson指数"),
            items=tuple(item.name for item in ITEMS),
            minimum=0,
            maximum=33,
        ),
        Total(
            name="cci_without_cancer",
            label=Label("Charlson index without cancer", "Charlson指数（がんを除く）"),
            items=tuple(item.name for item in OTHER_ITEMS),
            minimum=0,
            maximum=23,
        ),
    ),
    how_to=Label(
        "Say for each disease whether it was present before surgery.",
        "各疾患について、術前の有無を記録します。",
    ),
    higher_is="worse",
    completed_by=Label("Clinician", "医療者"),
    citation="Charlson ME, Pompei P, Ales KL, MacKenzie CR. J Chronic Dis 1987;40:373–383. "
    "doi:10.1016/0021-9681(87)90171-8",
    licence="Free to use with the citation. The labels are this project's own.",
    optional=True,
)
