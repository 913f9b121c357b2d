"""What the results of all kinds of sections have: who they are, and what their variables are called."""

from dataclasses import KW_ONLY, dataclass, field

from registry.analysis.results.written import Row
from registry.instruments.base import Label


@dataclass
class Named(Row):
    """What a variable of a section is called, its unit, and its categories by their code."""

    label: Label
    unit: str
    levels: dict[str, Label]


@dataclass
class SectionResult(Row):
    """The result of an entry of a plan's section. names: of its variables, so that it reads by itself."""

    kind: str
    code: str
    title: Label
    _: KW_ONLY
    names: dict[str, Named] = field(default_factory=dict)
