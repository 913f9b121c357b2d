"""The registry: its tables as frames, its codebook, and who is in them."""

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import polars as pl

from metaspine import codebook
from metaspine.codebook import Column, Language
from metaspine.connection import Connection, Value
from metaspine.frames import labelled, to_pandas

if TYPE_CHECKING:
    import pandas as pd

JSON, PARQUET = "application/json", "application/vnd.apache.parquet"
CONTENT = ("items", "totals", "hsuv", "changes")
Kind = Literal["polars", "pandas"]


class Registry:
    """One registry, read with a token of the scope `export`."""

    def __init__(self, url: str, token: str, timeout: float = 300.0) -> None:
        self.connection = Connection(url, token, timeout)

    def __repr__(self) -> str:
        return f"Registry({self.connection.base!r})"

    @overload
    def table(
        self, name: str, *, frame: Literal["polars"] = "polars", labels: bool = ..., language: Language = ...,
        content: Sequence[str] = ..., value_sets: Sequence[str] = ..., **choices: Value,
    ) -> pl.DataFrame: ...  # fmt: skip
    @overload
    def table(
        self, name: str, *, frame: Literal["pandas"], labels: bool = ..., language: Language = ...,
        content: Sequence[str] = ..., value_sets: Sequence[str] = ..., **choices: Value,
    ) -> "pd.DataFrame": ...  # fmt: skip
    def table(
        self,
        name: str,
        *,
        frame: Kind = "polars",
        labels: bool = False,
        language: Language = "en",
        content: Sequence[str] = CONTENT,
        value_sets: Sequence[str] = ("JP",),
        **choices: Value,
    ) -> Any:
        """A table as a frame: the rows that an export with these choices has.

        choices  fields, missing, dates, shape, cohort, snapshot, site_code, as the API has them
        Raises Refused; a choice that there is not is named in `errors`.
        """
        if frame not in ("polars", "pandas"):
            raise ValueError(f"frame is polars or pandas, not {frame!r}")
        asked: dict[str, Value] = {"content": content, "value_sets": value_sets, "language": language, **choices}
        rows = pl.read_parquet(io.BytesIO(self.connection.get(f"data/{name}", asked, PARQUET)))
        if not labels and frame == "polars":
            return rows
        described = {key: value for key, value in asked.items() if key in OF_CODEBOOK}
        columns = [column for column in self.codebook(language=language, **described) if column.table == name]
        if labels:
            rows = labelled(rows, columns)
        return to_pandas(rows, {column.name for column in columns if column.ordered}) if frame == "pandas" else rows

    def patients(self, **choices: Any) -> Any:
        """A row for each patient; arguments as for `table`."""
        return self.table("patients", **choices)

    def assessments(self, **choices: Any) -> Any:
        """A row for each patient and timepoint, with HSUV, changes and reasons; arguments as for `table`."""
        return self.table("assessments", **choices)

    def adverse_events(self, **choices: Any) -> Any:
        """A row for each adverse event; arguments as for `table`."""
        return self.table("adverse_events", **choices)

    def follow_up_ends(self, **choices: Any) -> Any:
        """A row for each patient whose follow-up has ended; arguments as for `table`."""
        return self.table("follow_up_ends", **choices)

    def codebook(self, *, language: Language = "en", **choices: Value) -> list[Column]:
        """What each column of every table is; choices: content, value_sets, missing, dates, shape."""
        query = {"content": CONTENT} | {name: value for name, value in choices.items() if name != "language"}
        return codebook.read(json.loads(self.connection.get("codebook", query, JSON))["items"], language)

    def contents(self, **choices: Value) -> dict[str, Any]:
        """The tables with their rows, whether they are synthetic, and who is left out for which reason."""
        answer: dict[str, Any] = json.loads(self.connection.get("data", choices, JSON))
        return answer


OF_CODEBOOK = ("content", "value_sets", "missing", "dates", "shape")


def registry(url: str, token: str, timeout: float = 300.0) -> Registry:
    """The registry at an address, read with an API token."""
    return Registry(url, token, timeout)
