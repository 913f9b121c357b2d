"""Pain on a visual analogue scale, in millimetres."""

from registry.instruments.base import Instrument, Item, Label

PAIN_VAS = Instrument(
    code="pain_vas",
    version="1",
    title=Label("Pain VAS", "疼痛VAS"),
    items=(
        Item(
            name="pain_vas_mm",
            label=Label("Pain (VAS)", "疼痛（VAS）"),
            minimum=0,
            maximum=100,
            unit="mm",
            hint=Label("High is bad: 0 to 100 mm.", "数値が大きいほど痛みが強い状態です（0～100 mm）。"),
            low_anchor=Label("no pain", "痛みなし"),
            high_anchor=Label("worst pain", "最悪の痛み"),
        ),
    ),
    how_to=Label(
        "Measure the mark on the 100 mm line in whole millimetres. A 0–10 number is not converted here.",
        "100 mmの線上の印をミリメートル単位の整数で測ってください。0～10の点数は換算しません。",
    ),
    higher_is="worse",
    completed_by=Label("Patient", "患者本人"),
)
