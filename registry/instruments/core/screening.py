"""Screening log: whom a site looked at for the study, and what became of it. Of who is not enrolled there is no more.

Declared as the forms are, so that the page, the table's columns and constraints, the CSV and the API have one source.
It names nobody: a number of the site's own log, an age, a sex, an outcome and its reason.
"""

from registry.instruments.base import Choice, Instrument, Item, Label
from registry.instruments.core.patient import SEXES

BEING_ASSESSED, NOT_ELIGIBLE, ELIGIBLE, DECLINED, NOT_APPROACHED, CONSENTED, ENROLLED, IN_ERROR = (
    "screened",
    "not_eligible",
    "eligible",
    "declined",
    "not_approached",
    "consented",
    "enrolled",
    "in_error",
)

OUTCOMES = (
    Choice(BEING_ASSESSED, Label("screened, still being assessed", "スクリーニング中（判定前）")),
    Choice(NOT_ELIGIBLE, Label("not eligible", "不適格")),
    Choice(ELIGIBLE, Label("eligible, not decided yet", "適格（意思確認前）")),
    Choice(DECLINED, Label("eligible, declined", "適格・不同意")),
    Choice(NOT_APPROACHED, Label("eligible, not enrolled for another reason", "適格・その他の理由で未登録")),
    Choice(CONSENTED, Label("consented, not enrolled yet", "同意済み・未登録")),
    Choice(ENROLLED, Label("enrolled", "登録済み")),
    Choice(IN_ERROR, Label("entered in error: does not count", "誤記載（集計外）")),
)

CRITERION = "criterion"
WHY_NOT_ELIGIBLE = (
    Choice(CRITERION, Label("a criterion of the protocol", "研究計画書の基準")),
    Choice("age", Label("age", "年齢")),
    Choice("no_surgery", Label("no surgery planned", "手術予定なし")),
    Choice("no_metastasis", Label("no spinal metastasis", "脊椎転移ではない")),
    Choice("no_capacity", Label("cannot give consent", "同意能力なし")),
    Choice("too_ill", Label("too ill", "全身状態不良")),
)
WHY_DECLINED = (
    Choice("burden", Label("the assessments are a burden", "評価の負担")),
    Choice("privacy", Label("concern about the data", "データの取扱いへの不安")),
    Choice("treatment", Label("wants another treatment", "他の治療を希望")),
    Choice("not_given", Label("no reason given", "理由の申し出なし")),
)
WHY_NOT_APPROACHED = (
    Choice("missed", Label("was not asked in time", "説明の機会なし")),
    Choice("emergency", Label("emergency surgery", "緊急手術")),
    Choice("died", Label("died before", "登録前に死亡")),
    Choice("elsewhere", Label("cared for elsewhere", "転院・他施設で診療")),
)
OTHER = Choice("other", Label("another reason", "その他"))

# Outcome to the reasons that it may have, and must have one of; the others have none.
REASONS = {
    NOT_ELIGIBLE: (*WHY_NOT_ELIGIBLE, OTHER),
    DECLINED: (*WHY_DECLINED, OTHER),
    NOT_APPROACHED: (*WHY_NOT_APPROACHED, OTHER),
}

SCREENING = Instrument(
    code="screening",
    version="1",
    title=Label("Screening log", "スクリーニングログ"),
    items=(
        Item(name="screened_on", label=Label("Screened on", "スクリーニング日"), kind="date"),
        Item(
            name="screen_age",
            label=Label("Age", "年齢"),
            minimum=0,
            maximum=120,
            required=False,
        ),
        Item(name="screen_sex", label=Label("Sex", "性別"), kind="code", choices=SEXES, required=False),
        Item(
            name="screen_outcome",
            label=Label("Outcome", "結果"),
            kind="code",
            choices=OUTCOMES,
            hidden_codes=(ENROLLED, IN_ERROR),
            hint=Label(
                "Whoever is enrolled from the log becomes “enrolled” by that.",
                "ログから登録すると「登録済み」になります。",
            ),
        ),
        Item(
            name="screen_reason",
            label=Label("Reason", "理由"),
            kind="code",
            choices=(*WHY_NOT_ELIGIBLE, *WHY_DECLINED, *WHY_NOT_APPROACHED, OTHER),
            required=False,
            hint=Label(
                "Why not eligible, why declined, or why not enrolled.", "不適格・不同意・未登録の理由を選択します。"
            ),
        ),
        Item(
            name="screen_criterion",
            label=Label("Criterion of the protocol", "該当する基準"),
            kind="text",
            max_length=20,
            required=False,
        ),
    ),
)
