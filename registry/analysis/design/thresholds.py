"""Minimal clinically important differences: the smallest change that matters to a patient, each with its source.

Published ones are declared here; an installation may name a file of its own instead (METASPINE_MCID, a JSON list whose
entries have the fields of Threshold). None is validated in spinal metastases for the EQ-5D-5L value, and none is
declared where none was found: no line is drawn and no responder counted for such an outcome. That is so for pain VAS
and the Barthel index: Hirota 2024 (doi:10.1097/brs.0000000000005062), of such a registry, is where to look. Differences
between groups (Shiroiwa 2016, 0.061 between people with and without a disease), those of EQ-5D-3L values and means over
a value set are no changes of a patient and not declared either.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

from registry.analysis.design.errors import Refused, listed, refusal
from registry.instruments import variables
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

    def __post_init__(self):
        fits = [outcome.name for outcome in variables.OUTCOMES if outcome.kind == "continuous"]
        if self.variable not in fits:
            raise refusal(
                "MCID: “{variable}” does not fit; one of {fits}",
                "MCID：「{variable}」は使えません。使えるもの：{fits}",
                variable=self.variable,
                fits=listed(fits),
            )
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)) or not self.value > 0:
            raise refusal(
                "MCID: {value} is no change above 0", "MCID：{value}は正の変化量ではありません", value=self.value
            )
        if not self.source:
            raise refusal("MCID: every threshold names its source", "MCID：閾値には出典が必要です")

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
        value=5,
        setting=Label("cancer", "がん"),
        source="Bourke 2024",
        doi="10.1186/s12955-024-02294-3",
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
    fitting = (
        threshold
        for threshold in (read(settings.MCID) if settings.MCID else THRESHOLDS)
        if threshold.variable == variable and threshold.value_set in ("", value_set)
    )
    return tuple(sorted(fitting, key=lambda threshold: threshold.value))


@cache
def read(path):
    """The Thresholds of a JSON file. Refused for a file that cannot be read or an entry that makes no sense."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return tuple(Threshold(**entry | {"setting": Label(**entry["setting"])}) for entry in entries)
    except Refused:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise refusal(
            "MCID: {path} cannot be read as a list of thresholds ({why})",
            "MCID：{path}を閾値の一覧として読めません（{why}）",
            path=path,
            why=error,
        ) from error
