"""Notes of an import: what of a foreign declaration was carried, changed or lost, with its place and the reason."""

from dataclasses import dataclass, field
from typing import Any

from registry.instruments.base import Label
from registry.protocol.definitions import Fault

CHANGED, LOST = "changed", "lost"
NAMED = 5  # of the places of what is not read that a note names
NOT_CARRIED = Label("{what} ({n} times): {places}", "{what}（{n}件）：{places}")


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


class Unread:
    """What a file says that nobody here reads: of each kind one note, which names it, how often and where it stands."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[str, str], list[tuple[int, str, str]]] = {}

    def add(self, row: int, column: str, what: str, place: str, value: str = "") -> None:
        """`what` is the name that the file gives it, `place` the item or part that has it."""
        self.kinds.setdefault((column, what), []).append((row, place, " ".join(value.split())))

    def notes(self) -> list[Note]:
        return [self._note(column, what, seen) for (column, what), seen in self.kinds.items()]

    def _note(self, column: str, what: str, seen: list[tuple[int, str, str]]) -> Note:
        places = [" = ".join(filter(None, (place[:40], value[:40]))) for _, place, value in seen[:NAMED]]
        listed = "; ".join(filter(None, places)) + ("; …" if len(seen) > NAMED else "")
        row, place, _ = seen[0]
        reason = NOT_CARRIED.format(what=what[:80], n=len(seen), places=listed or "–")
        return Note(row, column, place[:80], LOST, reason)
