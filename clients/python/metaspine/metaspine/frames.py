"""Frames: labels for codes as ordered categories, and pandas without a detour by way of Arrow."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import polars as pl

from metaspine.codebook import Column

if TYPE_CHECKING:
    import pandas as pd


def labelled(frame: pl.DataFrame, columns: Iterable[Column]) -> pl.DataFrame:
    """The frame with labels for codes, as enumerations in the order of the codes."""
    coded = [column for column in columns if column.codes and column.name in frame.columns]
    return frame.with_columns(_with_labels(frame.schema[column.name], column) for column in coded)


def _with_labels(kind: pl.DataType, column: Column) -> pl.Expr:
    labels = column.labels()
    values = pl.col(column.name)
    if isinstance(kind, pl.Enum):
        values = values.cast(pl.String)
    # Two codes of one label would be one category: then the codes tell them apart.
    if len(set(labels.values())) < len(labels):
        labels = {code: f"{code} {label}" for code, label in labels.items()}
    return values.replace_strict(list(labels), list(labels.values()), return_dtype=pl.Enum(list(labels.values())))


def to_pandas(frame: pl.DataFrame, ordered: Collection[str]) -> "pd.DataFrame":
    """The same rows in pandas. `ordered`: columns whose categories stand in an order."""
    import pandas as pd

    return pd.DataFrame({name: _series(frame[name], name in ordered) for name in frame.columns})


def _series(values: pl.Series, ordered: bool) -> Any:
    import numpy as np
    import pandas as pd

    kind = values.dtype
    if isinstance(kind, pl.Enum):
        codes = values.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        return pd.Categorical.from_codes(codes, categories=kind.categories.to_list(), ordered=ordered)
    if kind.is_integer():
        return pd.arrays.IntegerArray(
            values.cast(pl.Int64).fill_null(0).to_numpy().copy(), values.is_null().to_numpy().copy()
        )
    if kind == pl.Date:
        return values.cast(pl.Datetime("ms")).to_numpy().astype("datetime64[s]")
    if kind.is_float():
        return values.fill_null(np.nan).to_numpy()
    return pd.array(values.to_list(), dtype="string")
