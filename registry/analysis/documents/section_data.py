"""The data sets behind a plan's sections, for the bundle: what was declared, and the patients' columns, as CSV.

`sections.csv` has a line for each setting of each section; the folder `sections` a file for each, a row a patient. Rows
are sorted by what they hold, so that their order tells nothing of who was entered when.
"""

import csv
import io

import numpy as np

from registry.analysis.design import sections

HEADER = ("section", "key", "value")
BETWEEN = "|"


def files(data):
    """File name to list of texts, of every section of a run's Data that has a data set."""
    settings, contents = [], {}
    for code, entries in data.plan.sections:
        if sections.SECTIONS[code].analysed is None:
            continue
        for entry in entries:
            declared, columns = sections.SECTIONS[code].analysed(data, entry)
            name = f"{code}/{entry.code}"
            levels = {f"levels/{key}": levels_of(column) for key, column in columns.items() if is_coded(column)}
            settings += [(name, *line) for line in (*flat(declared), *levels.items())]
            contents[f"sections/{code}-{entry.code}.csv"] = [table(columns)]
    return {"sections.csv": [written(HEADER, settings)]} | contents if settings else {}


def is_coded(column):
    return bool(getattr(column, "categories", ()))


def levels_of(column):
    return BETWEEN.join(str(code) for code, _ in column.categories)


def flat(value, path=()):
    """(key, text) of everything declared: `times/0`, `event/0/kind`."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from flat(part, (*path, name))
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from flat(part, (*path, str(place)))
    else:
        yield "/".join(path), "" if value is None else str(value)


def table(columns):
    """A CSV of columns (n,): codes of categories, numbers at full precision, nothing where unknown."""
    numbers = [np.asarray(getattr(column, "values", column), float) for column in columns.values()]
    order = np.lexsort([np.nan_to_num(values, nan=-np.inf) for values in reversed(numbers)])
    texts = [texts_of(column, values[order]) for column, values in zip(columns.values(), numbers, strict=True)]
    return written(columns, zip(*texts, strict=True))


def texts_of(column, values):
    distinct, places = np.unique(values, return_inverse=True)
    texts = [text(column, value) for value in distinct.tolist()]
    return np.array(texts or [""], object)[places]


def text(column, value):
    if np.isnan(value):
        return ""
    if is_coded(column):
        return str(column.categories[int(value)][0])
    return str(int(value)) if value.is_integer() else repr(value)


def written(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
