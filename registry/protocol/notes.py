"""Notes of an import: what of a foreign declaration was carried, changed or lost, with its place and the reason."""

from dataclasses import dataclass, field
from typing import Any

from registry.instruments.base import Label
from registry.protocol.definitions import Fault

CHANGED, LOST = "changed", "lost"


@dataclass(frozen=True)
class Note:
    """`row` and `column` are those of the file; `name` is the item that it is about."""

    row: int
    column: str
    name: str
    effect: str
    reason: Label


@dataclass
class Carried:
    """What became of a foreign file: documents of own instruments (code to document), notes, and what is wrong."""

    documents: dict[str, dict] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    seen: int = 0  # fields of the file

    def note(self, row: Any, column: Any, name: Any, effect: Any, en: str, ja: str, **values: Any) -> None:
        self.notes.append(Note(row, column, name, effect, Label(en, ja).format(**values)))

    @property
    def carried(self) -> int:
        """How many items the documents have."""
        return sum(len(document["items"]) for document in self.documents.values())
