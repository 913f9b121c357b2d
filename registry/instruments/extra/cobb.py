"""Segmental kyphosis: the Cobb angle from the vertebra above the lesion to the one below, kyphosis positive."""

from dataclasses import dataclass
from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label
from registry.instruments.levels import LEVEL_CHOICES

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


AFTER_SURGERY = "1w"  # a visit that a registry may plan: what the correction counts from


@dataclass(frozen=True)
class Difference:
    """Degrees between the angles of two visits, that of `of` less that of `minus`.

    Either is `before` surgery, `after` it (AFTER_SURGERY) or a visit `later` than that. Files state the same in SQL
    (`registry.exports.data.scores`); a test holds the two together.
    """

    name: str
    label: Label
    higher_is: str
    of: str
    minus: str

    def compute(self, angles: Any) -> Any:
        """The degrees; None unless both are known and measured in one posture. `angles`: (degrees, posture) of each."""
        (degrees, posture), (other, other_posture) = angles[self.of], angles[self.minus]
        if None in (degrees, posture, other, other_posture) or posture != other_posture:
            return None
        return degrees - other


CORRECTION = Difference("cobb_correction", Label("Correction", "矯正角"), "better", of="before", minus="after")
LOSS = Difference("cobb_correction_loss", Label("Loss of correction", "矯正損失"), "worse", of="later", minus="after")
