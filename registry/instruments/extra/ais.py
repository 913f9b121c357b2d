"""ASIA impairment scale: deficit below the lesion. It looks like the Frankel grade and is defined otherwise."""

from registry.instruments.base import Choice, Instrument, Item, Label

GRADES = (
    Choice(
        "A",
        Label("complete", "完全"),
        Label("no sensory or motor function in S4–S5", "S4～S5の知覚・運動ともに消失"),
    ),
    Choice(
        "B",
        Label("sensory incomplete", "知覚のみ残存"),
        Label(
            "sensation down to S4–S5, no motor function more than three levels below the motor level",
            "S4～S5の知覚は残存し、運動レベルより3髄節を超えて下位の運動は消失",
        ),
    ),
    Choice(
        "C",
        Label("motor incomplete, mostly below grade 3", "運動残存、半数超がMMT 3未満"),
        Label(
            "more than half of the key muscles below the level have a grade under 3",
            "障害高位以下の主要筋の半数超がMMT 3未満",
        ),
    ),
    Choice(
        "D",
        Label("motor incomplete, at least half grade 3 or more", "運動残存、半数以上がMMT 3以上"),
        Label(
            "at least half of the key muscles below the level have grade 3 or more",
            "障害高位以下の主要筋の半数以上がMMT 3以上",
        ),
    ),
    Choice(
        "E",
        Label("normal", "正常"),
        Label("normal, in a patient who had a deficit", "過去に障害があった患者で、知覚・運動ともに正常"),
    ),
)

AIS = Instrument(
    code="ais",
    version="1",
    title=Label("ASIA impairment scale (AIS)", "ASIA機能障害尺度（AIS）"),
    items=(Item(name="ais", label=Label("AIS grade", "AISグレード"), kind="code", choices=GRADES),),
    how_to=Label(
        "C and D need a voluntary anal contraction, or sensation in S4–S5 with motor function more than three levels "
        "below the motor level. A patient who never had a deficit has no grade: choose “Not applicable”.",
        "CとDには随意の肛門収縮、またはS4～S5の知覚残存と運動レベルより3髄節を超える下位の運動残存が必要です。"
        "障害の既往がない患者は「該当なし」を選んでください。",
    ),
    higher_is="better",
    completed_by=Label("Trained examiner", "訓練を受けた検者"),
    citation="Maynard FM, et al. Spinal Cord 1997;35:266–274. doi:10.1038/sj.sc.3100432; revision of 2019: ASIA/ISCoS "
    "committee. Spinal Cord 2019;57:815–817. doi:10.1038/s41393-019-0350-9",
    licence="The worksheet is © American Spinal Injury Association and not part of the product; the labels are ours.",
    optional=True,
)
