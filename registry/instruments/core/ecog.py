"""ECOG performance status: what a person with cancer can do in daily life."""

from registry.instruments.base import Choice, Instrument, Item, Label

DEAD = 5

STATUS = (
    Choice(
        0,
        Label("fully active", "制限なし"),
        Label("active without any restriction", "発病前と同じ活動が制限なくできる"),
    ),
    Choice(
        1,
        Label("restricted in strenuous activity", "激しい活動のみ制限"),
        Label("walks, and can do light work", "歩行でき、軽い作業はできる"),
    ),
    Choice(
        2,
        Label("self-care, no work", "身の回りは可能、作業は不可"),
        Label("walks and is up for more than half of the waking hours", "歩行でき、日中の50%を超えて起きている"),
    ),
    Choice(
        3,
        Label("limited self-care", "身の回りも限られる"),
        Label("in bed or chair for more than half of the waking hours", "日中の50%を超えて床か椅子で過ごす"),
    ),
    Choice(
        4,
        Label("disabled", "全介助"),
        Label("no self-care, always in bed or chair", "身の回りのことができず、終日床か椅子で過ごす"),
    ),
    Choice(DEAD, Label("dead", "死亡"), Label("set by the record of the death", "死亡の記録により設定される")),
)

ECOG_PS = Instrument(
    code="ecog_ps",
    version="1",
    title=Label("ECOG performance status", "ECOGパフォーマンスステータス"),
    items=(
        Item(
            name="ecog_ps",
            label=Label("ECOG performance status", "ECOGパフォーマンスステータス"),
            choices=STATUS,
            hidden_codes=(DEAD,),
        ),
    ),
    how_to=Label(
        "Choose the description that fits the last days. A death is recorded in the follow-up, not here.",
        "最近の状態に最も近いものを選んでください。死亡はここではなく追跡の欄に記録します。",
    ),
    higher_is="worse",
    completed_by=Label("Clinician", "医療者"),
    citation="Oken MM, Creech RH, Tormey DC, et al. Am J Clin Oncol 1982;5:649–655. "
    "doi:10.1097/00000421-198212000-00014",
    licence="Freely used with the citation. The labels are this project's own.",
)
