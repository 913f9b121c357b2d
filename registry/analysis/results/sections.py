"""What the results of all kinds of sections have: who they are, and what their variables are called."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from registry.analysis.results.written import Row, optional
from registry.instruments.base import Label


@dataclass
class SectionResult(Row):
    """The result of an entry of a plan's section. names: label, unit and levels of its variables, by their name, so
    that it reads by itself."""

    kind: str
    code: str
    title: Label
    _: KW_ONLY
    names: dict[str, Any] = optional()
