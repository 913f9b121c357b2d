"""Cells of a workbook on their way: a text, or a text with the kind of cell that it was (`workbook.marked`).

A cell whose kind cannot hold the column is an error that shows what the sheet shows: TRUE is no millimetres, a date
no patient's number.
"""

import re

from registry.imports.files.excel.workbook import KINDS, MARK, SHOWN
from registry.instruments.base import InvalidValue, Label

PATIENT = "patient_id"

IS_DATE = Label("is a date in the sheet", "シートでは日付です")
IS_TIME = Label("is a time in the sheet: write the number", "シートでは時刻です。数値で入力してください。")
IS_PERCENTAGE = Label(
    "is a percentage in the sheet: write the number itself",
    "シートではパーセント表示です。数値そのものを入力してください。",
)
IS_LOGICAL = Label("is TRUE or FALSE in the sheet, not a value of this column", "シートでは論理値（TRUE／FALSE）です")
IS_NUMBER = Label(
    "is a number in the sheet, which keeps no zeros in front: format the column as text, or choose to "
    "take what the sheet shows",
    "シートでは数値のため、先頭の0が失われます。列を文字列にするか、シートの表示どおりに読むよう選んでください。",
)
SHOWN_OTHERWISE = Label(
    "is what the sheet shows; was read as {v}, which the cell holds",
    "シートの表示です。セルの値{v}として読み取りました。",
)
SHOWN_TAKEN = Label(
    "was taken as the sheet shows it; the cell holds {v}", "シートの表示どおりに読み取りました（セルの値は{v}です）"
)
HOLDS = Label("the cell holds {v}", "セルの値は{v}です")


def parts(cell):
    """(letter of the kind or "", text, what the sheet shows) of a cell."""
    if not cell.startswith(MARK):
        return "", cell, cell
    text, _, shown = cell[2:].partition(SHOWN)
    return cell[1], text, shown or text


def plain(cell):
    """The text of a cell."""
    return cell if not cell.startswith(MARK) else cell[2:].partition(SHOWN)[0]


def shown(cell):
    """What the sheet shows of a cell."""
    return parts(cell)[2]


def text_for(item, cell, *, numbers=False):
    """The text of a cell for a column of `item`; raises InvalidValue where the cell's kind cannot hold it.

    numbers  numbers may name patients, as the sheet shows them
    """
    if not cell.startswith(MARK):
        return cell
    kind, text, shows = parts(cell)
    kind = kind.lower()
    names_patient = item is not None and item.name == PATIENT
    if kind == "n":
        if names_patient and not numbers:
            raise InvalidValue(_told(IS_NUMBER, shows, text))
        return shows if item is not None and item.kind == "text" and shows.strip() else text
    if kind == "d" and (item is None or item.kind != "date"):
        if names_patient or item is None or item.kind != "text":
            raise InvalidValue(_told(IS_DATE, shows, text))
        return shows
    if kind == "p" and (item is None or item.kind != "text"):
        raise InvalidValue(_told(IS_PERCENTAGE, shows, text))
    if kind == "t" and (item is None or item.kind != "text"):
        raise InvalidValue(IS_TIME)
    if kind == "b" and not (item is not None and ((item.kind == "text" and not names_patient) or item.choices)):
        raise InvalidValue(IS_LOGICAL)
    return text


def otherwise_of(item, cell):
    """What must be told of a number that the sheet shows otherwise, for `item`: 31 as “not told”, 7000 as 7. None where
    it shows that number.
    """
    kind, text, shows = parts(cell)
    if kind.lower() != "n" or item.kind not in ("integer", "decimal", "text") or not _is_another(text, shows):
        return None
    return (SHOWN_TAKEN if item.kind == "text" and shows.strip() else SHOWN_OTHERWISE).format(v=text)


def _is_another(text, shows):
    digits = re.sub(r"[^\d.-]", "", shows)
    try:
        return shows != text and float(digits) != float(text)
    except ValueError:
        return True


def _told(label, shows, text):
    if shows == text:
        return label
    holds = HOLDS.format(v=text)
    return Label("{label} ({holds})", "{label}（{holds}）").format(label=label, holds=holds)


def kind_of(cell):
    """The name of a cell's kind, "text" for plain text."""
    kind = parts(cell)[0].lower()
    return KINDS.get(kind, "text")
