"""Radiotherapy of the operated levels, before and after surgery. Doses are those prescribed, in gray."""

from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label

NONE = "none"
KINDS = (
    Choice(NONE, Label("none", "なし")),
    Choice("conventional", Label("conventional", "通常照射")),
    Choice("stereotactic", Label("stereotactic", "定位照射")),
)


def _course(when: Any, kind: Any, day: Any, dose: Any, fractions: Any) -> tuple[Item, Item, Item, Item]:
    """The items of one course: its kind, and a day, a dose and fractions where there was one."""
    return (
        Item(name=f"rt_{when}", label=kind, kind="code", choices=KINDS),
        Item(name=f"rt_{when}_date", label=day, kind="date", required=False),
        Item(
            name=f"rt_{when}_dose_gy",
            label=dose,
            kind="decimal",
            places=1,
            minimum=0,
            maximum=150,
            unit="Gy",
            required=False,
        ),
        Item(name=f"rt_{when}_fractions", label=fractions, minimum=1, maximum=60, required=False),
    )


RADIOTHERAPY = Instrument(
    code="radiotherapy",
    version="1",
    title=Label("Radiotherapy of the operated levels", "手術高位の放射線治療"),
    items=(
        *_course(
            "before",
            Label("Radiotherapy before surgery", "術前の放射線治療"),
            Label("Last day of the radiotherapy before surgery", "術前の放射線治療の最終日"),
            Label("Dose before surgery", "術前の線量"),
            Label("Fractions before surgery", "術前の分割回数"),
        ),
        *_course(
            "after",
            Label("Radiotherapy after surgery", "術後の放射線治療"),
            Label("First day of the radiotherapy after surgery", "術後の放射線治療の開始日"),
            Label("Dose after surgery", "術後の線量"),
            Label("Fractions after surgery", "術後の分割回数"),
        ),
    ),
    completed_by=Label("Site staff", "施設スタッフ"),
    optional=True,
)
