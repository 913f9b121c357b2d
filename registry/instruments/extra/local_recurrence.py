"""Local recurrence at the operated levels: an oncological outcome with a date of its own, not an adverse event."""

from registry.instruments.base import Choice, Instrument, Item, Label

PRESENT = "present"

LOCAL_RECURRENCE = Instrument(
    code="local_recurrence",
    version="1",
    title=Label("Local recurrence", "局所再発"),
    items=(
        Item(
            name="local_recurrence",
            label=Label("Local recurrence", "局所再発"),
            kind="code",
            choices=(
                Choice("absent", Label("none known", "確認されていない")),
                Choice(PRESENT, Label("present", "あり")),
            ),
            hint=Label(
                "Tumour that comes back or grows again at the levels of the operation.",
                "手術高位における腫瘍の再発または再増大です。",
            ),
        ),
        Item(
            name="local_recurrence_date",
            label=Label("Date of the local recurrence", "局所再発の確認日"),
            kind="date",
            required=False,
            hint=Label("The day on which it was first seen.", "最初に確認された日です。"),
        ),
    ),
    completed_by=Label("Site staff", "施設スタッフ"),
    optional=True,
)
