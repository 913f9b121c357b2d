"""Minimal clinically important differences: the smallest change that matters to a patient, each with its source.

The one place to add a threshold or to change one. None is validated in spinal metastases for the EQ-5D-5L value, and
none is declared where none was found: no line is drawn and no responder counted for such an outcome.
"""

from dataclasses import asdict, dataclass

from registry.instruments.base import Label


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A change of `value` or more, in the direction that is better, makes a responder: the threshold is inclusive.

    variable   name of a continuous outcome of `instruments.variables`
    value_set  code of the only value set it holds for; "" for any
    """

    variable: str
    value: float
    setting: Label
    source: str
    doi: str = ""
    value_set: str = ""

    def to_json(self):
        return asdict(self) | {"setting": {"en": self.setting.en, "ja": self.setting.ja}}


THRESHOLDS = (
    Threshold(
        variable="hsuv",
        value=0.039,
        setting=Label("cervical intraepithelial neoplasia", "子宮頸部上皮内腫瘍"),
        source="Hu 2020",
        doi="10.1186/s12955-020-01578-8",
    ),
    Threshold(
        variable="hsuv",
        value=0.071,
        setting=Label("coronary heart disease after PCI", "PCI後の冠動脈疾患"),
        source="Zheng 2023",
        doi="10.3389/fcvm.2023.1074969",
    ),
    Threshold(
        variable="hsuv",
        value=0.03,
        setting=Label("cancer, Australian value set", "がん（オーストラリア換算表）"),
        source="Bourke 2024",
        doi="10.1186/s12955-024-02294-3",
        value_set="AU",
    ),
    Threshold(
        variable="eq_vas",
        value=7,
        setting=Label("cancer", "がん"),
        source="Pickard 2007",
        doi="10.1186/1477-7525-5-70",
    ),
    Threshold(
        variable="eq_vas",
        value=19.6,
        setting=Label("surgery for spinal metastases", "転移性脊椎腫瘍手術"),
        source="Yin 2025",
        doi="10.3171/2025.3.SPINE241329",
    ),
)


def of(variable, value_set):
    """The Thresholds of an outcome, smallest first, that hold for a value set."""
    fitting = (one for one in THRESHOLDS if one.variable == variable and one.value_set in ("", value_set))
    return tuple(sorted(fitting, key=lambda one: one.value))
