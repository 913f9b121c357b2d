"""Parquet, SPSS and Stata: whole datasets as typed columns, small integers wherever the declared range allows it."""

from dataclasses import replace

from registry.exports.choices import SENTINELS, TAGS
from registry.exports.datasets import short_name
from registry.exports.formats import files
from registry.exports.formats.ordering import is_ordered, label_of
from registry.instruments.base import MISSING_LABELS
from registry.instruments.variables import VARIABLES

_CONTINUOUS = {one.name for one in VARIABLES if one.kind == "continuous"}
LONGEST_LABEL = 80  # of a variable in Stata


def parquet(archive, part):
    return files.frames(archive, part, write_parquet)


def sav(archive, part):
    return files.frames(archive, part, write_sav)


def dta(archive, part):
    return files.frames(archive, part, write_dta)


def write_parquet(path, frame, written, language, note):
    """Codes are an enumeration of the declared ones, in their order; labels of columns are in the file's metadata."""
    labels = {f"label:{one.name}": one.label.in_language(language) for one in written}
    frame.write_parquet(path, metadata={"note": note, **labels})


def write_sav(path, frame, written, language, note):
    """Every code is a number with a label. Tagged reasons are the user-missing values −901 to −906."""
    import pyreadstat

    ranges = {
        one.name: [{"lo": min(SENTINELS.values()), "hi": max(SENTINELS.values())}] for one in written if one.tagged
    }
    pyreadstat.write_sav(
        frame,
        str(path),
        file_label=note[:64],
        note=[note],
        column_labels={one.name: one.label.in_language(language) for one in written},
        variable_value_labels=_value_labels(written, language, SENTINELS),
        missing_ranges=ranges,
        variable_measure={one.name: _measure(one) for one in written},
        variable_format={one.name: "F8.0" for one in written if one.kind == "integer"}
        | {one.name: "F10.6" for one in written if one.kind == "number"},
    )


def write_dta(path, frame, written, language, note):
    """Every code is a number with a label. Tagged reasons are Stata's own .a to .f; long names are shortened."""
    import polars as pl
    import pyreadstat

    tags = {SENTINELS[reason]: tag for reason, tag in TAGS.items()}
    names = {one.name: short_name(one.name) for one in written}
    tagged = [one.name for one in written if one.tagged and (frame[one.name] <= max(SENTINELS.values())).any()]
    objects = [
        # Numbers and letters in one column: what the writer turns into extended missing values.
        pl.Series(name, [tags.get(value, value) for value in frame[name].to_list()], dtype=pl.Object)
        for name in tagged
    ]
    # Stata is told of tags only where a column has them.
    labels = _value_labels([replace(one, tagged=one.name in tagged) for one in written], language, TAGS)
    pyreadstat.write_dta(
        frame.with_columns(objects).rename(names),
        str(path),
        file_label=note[:LONGEST_LABEL],
        column_labels={names[one.name]: one.label.in_language(language)[:LONGEST_LABEL] for one in written},
        variable_value_labels={names[name]: told for name, told in labels.items()},
        missing_user_values={names[name]: sorted(TAGS.values()) for name in tagged},
        version=14,  # format 118: every edition since Stata 14 opens it
    )


def _value_labels(written, language, reasons):
    """Name to value to label, of the columns that have codes or tags."""
    found = {}
    for one in written:
        labels = {choice.code: label_of(one, place, language) for place, choice in enumerate(one.choices)}
        if one.tagged:
            labels |= {mark: MISSING_LABELS[reason].in_language(language) for reason, mark in reasons.items()}
        if labels:
            found[one.name] = labels
    return found


def _measure(one):
    if one.kind in ("number", "date") or one.variable.of in _CONTINUOUS or (one.kind == "integer" and not one.choices):
        return "scale"
    return "ordinal" if is_ordered(one) else "nominal"
