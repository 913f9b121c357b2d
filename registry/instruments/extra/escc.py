"""Epidural spinal cord compression by Bilsky: grades are strings, in an order, and never averaged."""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label

GRADES = (
    Choice("0", Label("bone only", "骨内のみ")),
    Choice("1a", Label("epidural, sac not deformed", "硬膜外、硬膜嚢の変形なし")),
    Choice("1b", Label("sac deformed, cord not touched", "硬膜嚢の変形あり、脊髄に接触なし")),
    Choice("1c", Label("sac deformed, cord touched, not compressed", "硬膜嚢の変形と脊髄への接触あり、圧迫なし")),
    Choice("2", Label("cord compressed, CSF visible", "脊髄圧迫あり、髄液が見える")),
    Choice("3", Label("cord compressed, no CSF visible", "脊髄圧迫あり、髄液が見えない")),
)
HIGH = ("2", "3")  # compression of the cord
COMPRESSION_NAME = "escc_compression"  # of its column
COMPRESSION = Label("Cord compressed (grades 2 and 3)", "脊髄圧迫あり（グレード2・3）")  # what `is_high` says

ESCC = Instrument(
    code="escc",
    version="1",
    title=Label("Epidural spinal cord compression (Bilsky ESCC)", "硬膜外脊髄圧迫（Bilsky ESCC）"),
    items=(Item(name="escc", label=Label("ESCC grade", "ESCCグレード"), kind="code", choices=GRADES),),
    how_to=Label(
        "Axial T2-weighted MRI at the worst site. Below the conus it describes compression of the sac only: "
        "choose “Not applicable” where it does not fit.",
        "最も圧迫の強い高位のT2強調横断像で判定します。円錐より下位では硬膜嚢の圧迫のみを表すため、"
        "当てはまらない場合は「該当なし」を選んでください。",
    ),
    higher_is="worse",
    completed_by=Label("Radiologist or surgeon", "放射線科医または執刀医"),
    citation="Bilsky MH, Laufer I, Fourney DR, et al. J Neurosurg Spine 2010;13:324–328. doi:10.3171/2010.3.SPINE09459",
    licence="Free to use with the citation. The labels are this project's own.",
    optional=True,
)


def is_high(grade: Any) -> bool | None:
    """Whether the cord is compressed: grades 2 and 3; None for no grade."""
    return None if grade is None else grade in HIGH
