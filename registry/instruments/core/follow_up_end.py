"""Why follow-up ended while the patient was alive: consent withdrawn, or the patient lost to follow-up.

Not one of the contract's instruments: no column of `patients.csv`, but a file beside it. Declared in the same way, so
that the form, the table's columns and constraints, the file and the words of the pages have one source.
"""

from registry.instruments.base import Choice, Instrument, Item, Label

WITHDRAWN, LOST = "withdrawn", "lost"
KEEP, STOP = "keep", "stop"

KINDS = (
    Choice(WITHDRAWN, Label("consent withdrawn", "同意撤回")),
    Choice(LOST, Label("lost to follow-up", "追跡不能")),
)
REASONS = (
    Choice("burden", Label("the assessments are a burden", "評価の負担")),
    Choice("health", Label("too ill to go on", "体調不良のため継続困難")),
    Choice("privacy", Label("concern about the data", "データの取扱いへの不安")),
    Choice("moved", Label("moved away", "転居")),
    Choice("elsewhere", Label("cared for elsewhere", "転院・他施設で診療")),
    Choice("unreachable", Label("could not be reached", "連絡がつかない")),
    Choice("other", Label("another reason", "その他")),
    Choice("not_given", Label("no reason given", "理由の申し出なし")),
)
DATA_USES = (
    Choice(KEEP, Label("may be kept and used", "保存・利用してよい")),
    Choice(STOP, Label("must no longer be used", "今後は利用しない")),
)

FOLLOW_UP_END = Instrument(
    code="follow_up_end",
    version="1",
    title=Label("End of follow-up", "追跡の終了"),
    items=(
        Item(name="end_kind", label=Label("What happened", "終了の種類"), kind="code", choices=KINDS),
        Item(
            name="end_date",
            label=Label("From which day", "終了日"),
            kind="date",
            not_future=True,
            hint=Label(
                "The day of the withdrawal, or the last day on which the patient was reached.",
                "同意を撤回した日、または最後に連絡がついた日です。",
            ),
        ),
        Item(name="end_reason", label=Label("Reason", "理由"), kind="code", choices=REASONS),
        Item(
            name="end_data_use",
            label=Label("What was collected until then", "それまでに収集したデータ"),
            kind="code",
            choices=DATA_USES,
            required=False,
            hint=Label("Only when consent is withdrawn: what the patient decided.", "同意撤回の場合のみ：本人の意思"),
        ),
    ),
)
