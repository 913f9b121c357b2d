"""Reading a workbook in a process of its own, which is stopped where it takes too much memory or time.

Temporary folders hold patients' data in the clear: each is locked for as long as its process lives, and what a killed
one left is removed.
"""

import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from registry.imports.files.excel import workbook
from registry.imports.files.excel.workbook import Sheet
from registry.imports.files.reading import Unreadable
from registry.instruments.base import Label

log = logging.getLogger(__name__)

PREFIX = "metaspine-import-"
# Of the clock, for a process that no longer gets anywhere: a file is held to its time of the processor
# (`Limits.seconds`), and a machine that does much other work needs many times as long for that.
SECONDS = 1_800

NO_WORKBOOK = Label(
    "cannot be opened as an Excel workbook: it is damaged or was cut off. Open it in Excel and save it anew as .xlsx.",
    "Excelブックとして開けません（破損または途中で切れています）。Excelで開き、.xlsx形式で保存し直してください。",
)
SPLIT_IT = Label(
    "Save the sheet as CSV, or divide it into several files.",
    "シートをCSVで保存するか、複数のファイルに分けてください。",
)
REASONS = {
    "broken": NO_WORKBOOK,
    "doctype": NO_WORKBOOK,
    "deep": NO_WORKBOOK,
    "protected": Label(
        "is protected by a password. Save it without one.", "パスワードで保護されています。解除して保存してください。"
    ),
    "archive": Label(
        "is an archive (.zip). Unpack it, and upload the files in it.",
        "圧縮ファイル（.zip）です。展開してから、中のファイルをアップロードしてください。",
    ),
    "opendocument": Label(
        "is an OpenDocument spreadsheet. Save it as .xlsx or CSV.",
        "OpenDocument形式です。.xlsxまたはCSVで保存してください。",
    ),
    "numbers": Label(
        "is a document of Apple Numbers. Export it as Excel (.xlsx) or CSV.",
        "Apple Numbersの書類です。Excel（.xlsx）またはCSVで書き出してください。",
    ),
    "document": Label(
        "is a document of Word or PowerPoint. Put its table into a sheet, and save that as .xlsx.",
        "WordまたはPowerPointの文書です。表をシートに移し、.xlsxで保存してください。",
    ),
    "binary": Label(
        "is a binary workbook (.xlsb). Save it as .xlsx.", "バイナリ形式（.xlsb）です。.xlsxで保存してください。"
    ),
    "unpacked": Label("unpacks to more than {n} MB.", "展開すると{n}MBを超えます。"),
    "cells": Label("has more than {n} cells with a value.", "値のあるセルが{n}を超えています。"),
    "strings": Label("has more than {n} different texts.", "異なる文字列が{n}を超えています。"),
    "rows": Label("has more than {n} rows.", "行が{n}を超えています。"),
    "sheets": Label("has more than {n} sheets.", "シートが{n}を超えています。"),
    "text": Label("has a cell of more than {n} characters.", "1つのセルが{n}文字を超えています。"),
    "memory": Label("takes more than {n} MB of memory to read.", "読み取りに{n}MBを超えるメモリーが必要です。"),
    "time": Label("takes more than {n} seconds to read.", "読み取りに{n}秒以上かかります。"),
}
_TOO_LARGE = {"unpacked", "cells", "strings", "rows", "sheets", "text", "memory", "time"}


def reason(code, n=0):
    """Why a workbook is refused, and what would do."""
    label = REASONS[code].format(n=f"{n:,}")
    return (
        Label("{label} {split_it}", "{label}{split_it}").format(label=label, split_it=SPLIT_IT)
        if code in _TOO_LARGE
        else label
    )


def read_workbook(path, folder, seconds=SECONDS):
    """The `Sheet`s of the workbook at `path`, their rows as `sheet-<n>.csv` in `folder`. Raises Unreadable."""
    command = [sys.executable, "-I", workbook.__file__, str(path), str(folder)]
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(command, timeout=seconds, check=False, env=environment, capture_output=True)
    except subprocess.TimeoutExpired:
        raise Unreadable(reason("time", seconds)) from None
    answer = Path(folder) / "sheets.json"
    if not answer.is_file():  # stopped by a limit of the operating system, or by a defect of ours
        log.warning(
            "a workbook was not read: exit code %s, %s", done.returncode, done.stderr[-600:].decode(errors="replace")
        )
        code, n = ("time", workbook.Limits.seconds) if done.returncode < 0 else ("broken", 0)
        raise Unreadable(reason(code, n))
    content = json.loads(answer.read_text(encoding="utf-8"))
    if "refused" in content:
        raise Unreadable(reason(content["refused"], content.get("n", 0)))
    return [Sheet(**sheet) for sheet in content["sheets"]]


# Temporary folders


@contextmanager
def private_folder():
    """A folder that only this user may open, gone at the end; left by a killed process, it is gone with the next
    `remove_left`.
    """
    remove_left()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, _locked(name):
        yield Path(name)


@contextmanager
def _locked(name):
    handle = os.open(name, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_left():
    """Remove the folders of processes that are no more; returns how many."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A folder that was made this moment and is not locked yet would be taken for a left one.
                if _is_new(folder):
                    continue
                shutil.rmtree(folder)
                removed += 1
            finally:
                os.close(handle)
    return removed


def _is_new(folder):
    import time

    return time.time() - folder.stat().st_ctime < 5
