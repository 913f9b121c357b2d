"""JSON of a result's rows: dataclasses whose fields are its names, written and read back to the byte.

What does not apply is left out of the JSON (`optional`); a part of its own may stand among the values of its row
(`within`). Fields by keyword alone stand behind the others, also where they are inherited. A row that was read has
the names that stood there, in their order: what an earlier release did not write has its default, and is not written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, field, fields
from functools import cache
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

import numpy as np

from registry.instruments.base import Label

Read = Callable[[Any], Any]


def optional(default: Any = None, called: str = "") -> Any:
    """A field that is left out of the JSON while it has its default; `dict` and `list` are empty ones.

    called  its name in JSON, where Python reserves that
    """
    metadata = {"optional": True, "called": called}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def within(among: Read) -> Any:
    """A field whose parts stand among the row's own; `among` gives it of the row's JSON, None where there are none."""
    return field(default=None, metadata={"within": among})


class Row:
    """A dataclass that is a JSON object."""

    _names: tuple[str, ...] | None = None  # of the JSON that it was read from

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The row of a JSON object. ValueError where it is none."""
        if not isinstance(data, dict):
            raise ValueError(f"{cls.__name__}: {data!r} is no object")
        row = cls.__new__(cls)
        for part, name, read in _parts(cls):
            if among := part.metadata.get("within"):
                setattr(row, part.name, among(data))
            else:
                setattr(row, part.name, read(data[name]) if name in data else _default(part))
        row._names = tuple(data)
        return row

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for part, name, _read in _parts(type(self)):
            value = getattr(self, part.name)
            if part.metadata.get("within"):
                written |= value.to_json() if value is not None else {}
            elif self._holds(part, name, value):
                written[name] = plain(value)
        return {name: written[name] for name in self._names or () if name in written} | written

    def _holds(self, part: Field[Any], name: str, value: Any) -> bool:
        """Whether a part is written."""
        if self._names is None:
            return not part.metadata.get("optional") or value != _default(part)
        return name in self._names or value != _default(part)

    def holds(self, name: str) -> bool:
        """Whether the row's JSON has a field of this name."""
        return any(
            part.name == name and self._holds(part, written, getattr(self, name))
            for part, written, _read in _parts(type(self))
        )

    def clear(self, names: Iterable[str]) -> None:
        """Take the values of some fields away, those that the row's JSON has."""
        for name in names:
            if self.holds(name):
                setattr(self, name, None)

    def parts(self) -> dict[str, Any]:
        """The values of the row's fields by their names, as another row takes them."""
        return {part.name: getattr(self, part.name) for part, _name, _read in _parts(type(self))}


def inside(part: Any) -> Iterable[Any]:
    """What is in a row, a dict or a list; nothing in a number or a text."""
    if isinstance(part, Row):
        return part.parts().values()
    return part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def rows_in(part: Any) -> Iterator[Row]:
    """Every row of a part of a result, however deep it stands; a row before those inside it."""
    if isinstance(part, Row):
        yield part
    for inner in inside(part):
        yield from rows_in(inner)


def plain(value: Any) -> Any:
    """A value as dicts, lists, texts and numbers: NaN and numpy's numbers become None and plain ones."""
    if isinstance(value, Row):
        return value.to_json()
    if isinstance(value, Label):
        return {"en": value.en, "ja": value.ja}
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return [plain(part) for part in value.tolist()]
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _default(part: Field[Any]) -> Any:
    if part.default_factory is not MISSING:
        return part.default_factory()
    return None if part.default is MISSING else part.default


def _parts_of(cls: Any) -> tuple[tuple[Field[Any], str, Read], ...]:
    """The fields of a row as its constructor takes them, each with its name in JSON and what reads its value."""
    hints = get_type_hints(cls)
    in_order = sorted(fields(cls), key=lambda part: bool(part.kw_only))
    return tuple((part, part.metadata.get("called") or part.name, _reader(hints[part.name])) for part in in_order)


_parts: Callable[[Any], tuple[tuple[Field[Any], str, Read], ...]] = cache(_parts_of)


def _as_it_is(data: Any) -> Any:
    return data


def _reader(hint: Any) -> Read:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _of_several([part for part in parts if part is not type(None)])
    if isinstance(hint, type) and issubclass(hint, Row):
        return hint.from_json
    if hint is Label:
        return lambda data: Label(data["en"], data["ja"])
    read = _reader(parts[-1]) if origin in (list, dict) else _as_it_is
    if read is _as_it_is:
        return _as_it_is
    if origin is list:
        return lambda data: [read(part) for part in data]
    return lambda data: {name: read(part) for name, part in data.items()}


def _of_several(hints: list[Any]) -> Read:
    """Of a value that may be None, or of rows that differ by what they must have."""
    if len(hints) > 1:
        rows = [hint for hint in hints if isinstance(hint, type) and issubclass(hint, Row)]
        return (lambda data: _fitting(rows, data).from_json(data)) if rows else _as_it_is
    read = _reader(hints[0])
    return read if read is _as_it_is else lambda data: None if data is None else read(data)


def _fitting(rows: list[Any], data: dict[str, Any]) -> Any:
    def needed(row: Any) -> set[str]:
        return {name for part, name, _ in _parts(row) if part.default is MISSING and part.default_factory is MISSING}

    return next(row for row in rows if needed(row) <= data.keys())
