"""The codebook: what each column is, and labels for its codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["en", "ja"]


@dataclass(frozen=True)
class Column:
    """One column of a table, as the registry explains it.

    kind        integer, number, code, date or text
    ordered     whether its codes stand in an order
    codes       code to label, in the order of the codes
    reason_for  the column whose missing values it explains, if it does
    """

    table: str
    name: str
    label: str
    kind: str
    unit: str
    minimum: int | None
    maximum: int | None
    ordered: bool
    codes: Mapping[str | int, str]
    timepoint: str
    reason_for: str
    instrument: str
    higher_is: str
    source: str
    licence: str

    def labels(self) -> dict[str | int, str]:
        """Code to what stands for it in a frame with labels: grades and points keep their code in front."""
        if not self.ordered:
            return dict(self.codes)
        return {code: label if label.startswith(str(code)) else f"{code} {label}" for code, label in self.codes.items()}


def read(items: list[dict[str, Any]], language: Language) -> list[Column]:
    """The Columns of what the registry answers."""
    return [_column(item, language) for item in items]


def _column(item: dict[str, Any], language: Language) -> Column:
    plain = {name: item[name] for name in Column.__dataclass_fields__ if name in item}
    codes = {code["code"]: code["label"][language] for code in item["codes"]}
    return Column(**plain | {"name": item["column"], "label": item["label"][language], "codes": codes})
