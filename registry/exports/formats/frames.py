"""Parquet, SPSS and Stata: whole datasets as typed columns, small integers wherever the declared range allows it."""

from dataclasses import replace

from registry.exports.choices import SENTINELS
from registry.exports.data.datasets import short_name
from registry.exports.formats import files
from registry.exports.formats.ordering import is_ordered, label_of
from registry.instruments.base import MISSING_LABELS, TAGS
from registry.instruments.variables import VARIABLES

_CONTINUOUS = {variable.name for variable in VARIABLES if variable.kind == "continuous"}
LONGEST_LABEL = 80  # of a variable in Stata


def parquet(archive, part):
    return files.frames(archive, part, write_parquet)


def sav(archive, part):
    return files.frames(archive, part, write_sav)


def dta(archive, part):
    return files.frames(archive, part, write_dta)


def write_parquet(path, frame, written, language, note):
    """Codes are an enumeration of the declared ones, in their order; labels of columns are in the file's metadata."""
    labels = {f"label:{variable.name}": variable.label.in_language(language) for variable in written}
    frame.write_parquet(path, metadata={"note": note, **labels})


def write_sav(path, frame, written, language, note):
    """Every code is a number with a label. Tagged reasons are the user-missing values −901 to −906."""
    import pyreadstat

    ranges = {
        variable.name: [{"lo": min(SENTINELS.values()), "hi": max(SENTINELS.values())}]
        for variable in written
        if variable.tagged
    }
    pyreadstat.write_sav(
        frame,
        str(path),
        file_label=note[:64],
        note=[note],
        column_labels={variable.name: variable.label.in_language(language) for variable in written},
        variable_value_labels=_value_labels(written, language, SENTINELS),
        missing_ranges=ranges,
        variable_measure={variable.name: _measure(variable) for variable in written},
        variable_format={variable.name: "F8.0" for variable in written if variable.kind == "integer"}
        | {variable.name: "F10.6" for variable in written if variable.kind == "number"},
    )


def write_dta(path, frame, written, language, note):
    """Every code is a number with a label. Tagged reasons are Stata's own .a to .f; long names are shortened."""
    import polars as pl
    import pyreadstat

    tags = {SENTINELS[reason]: tag for reason, tag in TAGS.items()}
    names = {variable.name: short_name(variable.name) for variable in written}
    tagged = [
        variable.name
        for variable in written
        if variable.tagged and (frame[variable.name] <= max(SENTINELS.values())).any()
    ]
    objects = [
        # Numbers and letters in one column: what the writer turns into extended missing values.
        pl.Series(name, [tags.get(value, value) for value in frame[name].to_list()], dtype=pl.Object)
        for name in tagged
    ]
    # Stata is told of tags only where a column has them.
    labels = _value_labels([replace(variable, tagged=variable.name in tagged) for variable in written], language, TAGS)
    pyreadstat.write_dta(
        frame.with_columns(objects).rename(names),
        str(path),
        file_label=note[:LONGEST_LABEL],
        column_labels={
            names[variable.name]: variable.label.in_language(language)[:LONGEST_LABEL] for variable in written
        },
        variable_value_labels={names[name]: meanings for name, meanings in labels.items()},
        missing_user_values={names[name]: sorted(TAGS.values()) for name in tagged},
        version=14,  # format 118: every edition since Stata 14 opens it
    )


def _value_labels(written, language, reasons):
    """Name to value to label, of the columns that have codes or tags."""
    meanings = {}
    for variable in written:
        labels = {choice.code: label_of(variable, place, language) for place, choice in enumerate(variable.choices)}
        if variable.tagged:
            labels |= {mark: MISSING_LABELS[reason].in_language(language) for reason, mark in reasons.items()}
        if labels:
            meanings[variable.name] = labels
    return meanings


def _measure(variable):
    if (
        variable.kind in ("number", "date")
        or variable.variable.of in _CONTINUOUS
        or (variable.kind == "integer" and not variable.choices)
    ):
        return "scale"
    return "ordinal" if is_ordered(variable) else "nominal"
