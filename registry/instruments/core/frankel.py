"""Frankel grade: the spinal cord deficit below the lesion."""

from registry.instruments.base import Choice, Instrument, Item, Label

GRADES = (
    Choice(
        "A",
        Label("complete", "完全麻痺"),
        Label("no motor and no sensory function below the level", "障害高位以下の運動・知覚機能がない"),
    ),
    Choice(
        "B",
        Label("sensory only", "知覚のみ残存"),
        Label("some sensation, no motor function", "知覚はある程度残るが運動機能がない"),
    ),
    Choice(
        "C",
        Label("motor useless", "運動不全（非実用的）"),
        Label("some motor power, of no practical use", "筋力はある程度あるが実用的でない"),
    ),
    Choice(
        "D",
        Label("motor useful", "運動不全（実用的）"),
        Label(
            "useful motor power; many walk, with or without aid", "実用的な筋力があり、多くは補助具の有無を問わず歩ける"
        ),
    ),
    Choice(
        "E",
        Label("normal", "正常"),
        Label(
            "no weakness, sensory loss or sphincter disturbance; abnormal reflexes allowed",
            "筋力低下・知覚障害・膀胱直腸障害がない（反射の異常はあってよい）",
        ),
    ),
)

FRANKEL = Instrument(
    code="frankel",
    version="1",
    title=Label("Frankel grade", "Frankel分類"),
    items=(Item(name="frankel", label=Label("Frankel grade", "Frankel分類"), kind="code", choices=GRADES),),
    how_to=Label(
        "Grade the motor and sensory function below the lesion on the day of the visit.",
        "評価日における障害高位以下の運動・知覚機能を評価してください。",
    ),
    higher_is="better",
    completed_by=Label("Examining physician", "診察した医師"),
    citation="Frankel HL, Hancock DO, Hyslop G, et al. Paraplegia 1969;7:179–192. doi:10.1038/sc.1969.30",
    licence="Published grading, no fee known. The labels are this project's own.",
)
