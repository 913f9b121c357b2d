"""The patient's own forms: enrolment, disease, surgery and follow-up."""

from datetime import date

from registry.instruments.base import Choice, Instrument, Item, Label
from registry.instruments.levels import LEVEL_CHOICES

SITE_STAFF = Label("Site staff", "施設スタッフ")

SEXES = (Choice("male", Label("male", "男性")), Choice("female", Label("female", "女性")))

PRIMARY_TUMOURS = (
    Choice("lung", Label("lung", "肺")),
    Choice(
        "digestive",
        Label("digestive", "消化器"),
        Label("gastrointestinal tract, liver, gallbladder, pancreas", "消化管・肝・胆嚢・膵"),
    ),
    Choice("renal", Label("renal", "腎")),
    Choice("breast", Label("breast", "乳腺")),
    Choice("prostate", Label("prostate", "前立腺")),
    Choice(
        "hematological",
        Label("hematological", "血液"),
        Label("myeloma, lymphoma, leukaemia", "骨髄腫・リンパ腫・白血病"),
    ),
    Choice("thyroid", Label("thyroid", "甲状腺")),
    Choice("unknown", Label("unknown origin", "原発不明")),
    Choice("other", Label("other", "その他")),
)

PROCEDURES = (
    Choice("psf", Label("posterior fusion or fixation", "後方固定術")),
    Choice("pps", Label("percutaneous pedicle screws", "経皮的椎弓根スクリュー固定術")),
    Choice("decompression", Label("decompression alone", "除圧術のみ")),
    Choice("anterior", Label("anterior procedure", "前方手術")),
    Choice("bkp", Label("balloon kyphoplasty", "バルーン椎体形成術（BKP）")),
    Choice("tes", Label("total en bloc spondylectomy", "腫瘍脊椎骨全摘術（TES）")),
)

VITAL_STATUSES = (Choice("alive", Label("alive", "生存")), Choice("dead", Label("dead", "死亡")))

ENROLMENT = Instrument(
    code="enrolment",
    version="1",
    title=Label("Enrolment", "登録"),
    items=(
        Item(name="sex", label=Label("Sex", "性別"), kind="code", choices=SEXES),
        Item(name="birth_date", label=Label("Date of birth", "生年月日"), kind="date", identifying=True),
        Item(
            name="consent_date",
            label=Label("Date of consent", "同意取得日"),
            kind="date",
            hint=Label("On or before the day of surgery.", "手術日以前の日付です。"),
        ),
    ),
    completed_by=SITE_STAFF,
)

DISEASE = Instrument(
    code="disease",
    version="1",
    title=Label("Disease", "疾患"),
    items=(
        Item(name="primary_tumour", label=Label("Primary tumour", "原発腫瘍"), kind="code", choices=PRIMARY_TUMOURS),
        Item(
            name="lesion_levels",
            label=Label("Levels of the lesion", "病変高位"),
            kind="levels",
            choices=LEVEL_CHOICES,
            hint=Label(
                "The vertebrae that are the reason for this surgery, from C1 to S.",
                "今回の手術の対象となる椎体（C1～S）をすべて選んでください。",
            ),
        ),
    ),
    completed_by=SITE_STAFF,
)

SURGERY = Instrument(
    code="surgery",
    version="1",
    title=Label("Surgery", "手術"),
    items=(
        Item(
            name="procedure",
            label=Label("Main procedure", "主な術式"),
            kind="code",
            choices=PROCEDURES,
            hint=Label("One main procedure for each patient.", "1症例につき主な術式を1つ選んでください。"),
        ),
        Item(name="surgery_date", label=Label("Date of surgery", "手術日"), kind="date"),
        Item(
            name="operative_time_min",
            label=Label("Operative time", "手術時間"),
            minimum=1,
            maximum=2880,
            unit="min",
        ),
        Item(name="blood_loss_ml", label=Label("Blood loss", "出血量"), minimum=0, maximum=50_000, unit="mL"),
    ),
    completed_by=SITE_STAFF,
)

FOLLOW_UP = Instrument(
    code="follow_up",
    version="1",
    title=Label("Follow-up", "追跡"),
    items=(
        Item(
            name="last_contact_date",
            label=Label("Date of last contact", "最終確認日"),
            kind="date",
            hint=Label("The last day on which the status was known.", "生存状況を最後に確認した日です。"),
        ),
        Item(name="vital_status", label=Label("Vital status", "生存状況"), kind="code", choices=VITAL_STATUSES),
        Item(
            name="death_date",
            label=Label("Date of death", "死亡日"),
            kind="date",
            required=False,
            hint=Label("Only for a patient who has died.", "死亡した患者のみ入力してください。"),
        ),
    ),
    completed_by=SITE_STAFF,
)


def age_on(day: date, birth_date: date) -> int:
    """Age in completed years. Someone born on 29 February completes a year on 1 March of a common year."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
