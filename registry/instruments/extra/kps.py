"""Karnofsky performance status, and the ECOG grades published for it. A mapped grade replaces no measured one."""

from dataclasses import dataclass
from typing import Any

from registry.instruments.base import Choice, Instrument, Item, Label

DEAD = 0

STATUS = (
    Choice(100, Label("normal, no complaints", "正常、症状なし")),
    Choice(90, Label("normal activity, minor signs", "通常の活動可、軽い徴候あり")),
    Choice(80, Label("normal activity with effort", "努力すれば通常の活動可")),
    Choice(70, Label("cares for self, cannot work", "自分の世話は可、仕事は不可")),
    Choice(60, Label("occasional help", "ときに介助が必要")),
    Choice(50, Label("considerable help, frequent care", "かなりの介助と頻回の医療が必要")),
    Choice(40, Label("disabled, special care", "動けず、特別な介助が必要")),
    Choice(30, Label("severely disabled, hospital", "ほとんど動けず、入院が必要")),
    Choice(20, Label("very sick, active support", "重症、積極的な支持療法が必要")),
    Choice(10, Label("moribund", "危篤")),
    Choice(DEAD, Label("dead", "死亡")),
)

KPS = Instrument(
    code="kps",
    version="1",
    title=Label("Karnofsky performance status (KPS)", "Karnofskyパフォーマンスステータス（KPS）"),
    items=(
        Item(
            name="kps",
            label=Label("Karnofsky performance status", "Karnofskyパフォーマンスステータス"),
            choices=STATUS,
            hidden_codes=(DEAD,),
            hint=Label(
                "Published ECOG grades (Ma 2010): 100 is 0; 80–90 is 1; 60–70 is 2; 40–50 is 3; 10–30 is 4. "
                "The ECOG grade is recorded for itself.",
                "文献上のECOG対応（Ma 2010）：100は0、80～90は1、60～70は2、40～50は3、10～30は4。"
                "ECOGは別に評価して記録します。",
            ),
        ),
    ),
    how_to=Label(
        "Choose the description that fits the last days.",
        "最近の状態に最も近いものを選んでください。",
    ),
    higher_is="better",
    completed_by=Label("Clinician", "医療者"),
    citation="Karnofsky DA, Burchenal JH. In: MacLeod CM (ed.) Evaluation of chemotherapeutic agents. 1949:191–205",
    licence="Freely used. The labels are this project's own.",
    optional=True,
)


@dataclass(frozen=True)
class Mapping:
    """A published table of ECOG grades for KPS: grade → (lowest, highest) KPS; grades may share one."""

    name: str
    citation: str
    ranges: dict[int, tuple[int, int]]

    def grades(self, kps: Any) -> tuple[int, ...]:
        """The ECOG grades published for a KPS of 10 to 100, ascending; none for death and for no value."""
        return tuple(grade for grade, (low, high) in self.ranges.items() if low <= (kps or DEAD) <= high)

    def kps(self, ecog: Any) -> tuple[int, int] | None:
        """(lowest, highest) KPS published for an ECOG grade from 0 to 4; None for death and for no value."""
        return self.ranges.get(ecog)


MA_2010 = Mapping(
    "Ma 2010",
    "Ma C, et al. Eur J Cancer 2010;46:3175–3183. doi:10.1016/j.ejca.2010.06.126",
    {0: (100, 100), 1: (80, 90), 2: (60, 70), 3: (40, 50), 4: (10, 30)},
)
PRASAD_2018 = Mapping(
    "Prasad 2018 (lung)",
    "Prasad KT, et al. World J Clin Oncol 2018;9:140–147. doi:10.5306/wjco.v9.i7.140",
    {0: (100, 100), 1: (80, 90), 2: (70, 70), 3: (50, 60), 4: (10, 40)},
)
BUCCHERI_1996 = Mapping(
    "Buccheri 1996 (lung)",
    "Buccheri G, et al. Eur J Cancer 1996;32A:1135–1141",
    {0: (80, 100), 1: (80, 100), 2: (60, 70), 3: (10, 50), 4: (10, 50)},
)
MAPPINGS = (MA_2010, PRASAD_2018, BUCCHERI_1996)


def agree(kps: Any, ecog: Any) -> Any:
    """Whether any published mapping gives this ECOG grade for this KPS; dead agrees with dead."""
    if not kps or ecog == 5:
        return (kps == DEAD) == (ecog == 5)
    return any(ecog in mapping.grades(kps) for mapping in MAPPINGS)


def tokuhashi(kps: Any) -> Any:
    """The Tokuhashi points of the general condition for a KPS: poor to 40, moderate to 70, then good."""
    return (kps > 40) + (kps > 70)
