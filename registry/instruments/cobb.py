"""Segmental kyphosis: the Cobb angle from the vertebra above the lesion to the one below, kyphosis positive."""

from .base import Choice, Instrument, Item, Label
from .levels import LEVEL_CHOICES

COBB = Instrument(
    code="cobb",
    version="1",
    title=Label("Cobb angle (segmental kyphosis)", "Cobb角（局所後弯）"),
    items=(
        Item(
            name="cobb_deg",
            label=Label("Cobb angle", "Cobb角"),
            kind="decimal",
            places=1,
            minimum=-90,
            maximum=120,
            unit="deg",
            hint=Label("Kyphosis is positive, lordosis negative.", "後弯を正、前弯を負とします。"),
        ),
        Item(name="cobb_upper", label=Label("Upper end vertebra", "上位終椎"), kind="code", choices=LEVEL_CHOICES),
        Item(name="cobb_lower", label=Label("Lower end vertebra", "下位終椎"), kind="code", choices=LEVEL_CHOICES),
        Item(
            name="cobb_modality",
            label=Label("Image", "画像"),
            kind="code",
            choices=(
                Choice("xray", Label("X-ray", "単純X線")),
                Choice("ct", Label("CT", "CT")),
                Choice("mri", Label("MRI", "MRI")),
            ),
        ),
        Item(
            name="cobb_posture",
            label=Label("Posture", "体位"),
            kind="code",
            choices=(Choice("standing", Label("standing", "立位")), Choice("supine", Label("supine", "臥位"))),
            hint=Label("Angles of different postures are not compared.", "体位の異なる計測値は比較しません。"),
        ),
    ),
    how_to=Label(
        "Between the superior endplate of the vertebra above the lesion and the inferior endplate of the one below it.",
        "罹患椎の1つ上の椎体の上位終板と、1つ下の椎体の下位終板のなす角です。",
    ),
    higher_is="worse",
    completed_by=Label("Surgeon or radiologist", "執刀医または放射線科医"),
    citation="Definition of the trauma literature; used in metastasis surgery by Wang 2025",
    optional=True,
)


def correction(before, after):
    """Degrees of kyphosis that the operation took away: the angle before minus that one week after; None if unknown."""
    return None if before is None or after is None else before - after


def loss_of_correction(after, later):
    """Degrees that came back: the angle at a later visit minus that one week after; None if unknown."""
    return None if after is None or later is None else later - after
