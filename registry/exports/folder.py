"""Writing the files into a folder, or into one zip archive as it is sent."""

import os
import zipfile
from contextlib import closing

from django.conf import settings

from registry.exports.data import tables
from registry.services.files import file_formats

README = "README.txt"


def download_name(name):
    """The name under which a file leaves by the browser: of made-up patients it says so, since CSV cannot."""
    return f"synthetic-{name}" if settings.SYNTHETIC else name


def readme(selection, rows):
    """What a reader of the files must know. `rows` is name of file to number of rows; nothing in it but the data's."""
    lines = ["Metaspine: CSV export", ""]
    if settings.SYNTHETIC:
        lines += ["SYNTHETIC DATA: these patients do not exist.", "架空のデータです。実在の患者ではありません。", ""]
    lines += [f"{file.filename}: {rows[file.name]} rows" for file in file_formats.FILES]
    if left_out := tables.left_out(selection):
        lines += ["", f"Left out: {left_out} patients, consent to the use of the data withdrawn."]
    lines += [
        "",
        "Encoding UTF-8, cells separated by commas, dates YYYY-MM-DD, decimal point. An empty cell means no value;",
        f"the column <name>{file_formats.MISSING_SUFFIX} gives the reason where there is one.",
        "A text that a spreadsheet would take for a formula has an apostrophe before it; the import takes it away.",
    ]
    if selection.identified:
        lines += ["", "Contains direct identifiers (dates of birth). Keep it at the patients' own site."]
    else:
        lines += ["", "De-identified: age_at_surgery (completed years) instead of the date of birth; no free text."]
        lines += [
            "So the import takes patients.csv by itself and asks what its columns stand for; the others as they are."
        ]
    return "\n".join(lines) + "\n"


def write_folder(folder, selection):
    """Write the files and README.txt into `folder` (a Path); returns the number of rows by name of file.

    Each is written under a temporary name and renamed when all are complete: a failed export leaves no file.
    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, temporary = {}, {}
    try:
        for file in file_formats.FILES:
            temporary[file.filename] = folder / f".{file.filename}.{os.getpid()}"
            with closing(tables.blocks(file, selection)) as parts:
                _write(temporary[file.filename], parts)
            rows[file.name] = tables.count(file, selection)
        temporary[README] = folder / f".{README}.{os.getpid()}"
        _write(temporary[README], [readme(selection, rows).encode()])
        for name, path in temporary.items():
            path.replace(folder / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return rows


def _write(path, parts):
    # Patients' data are for whoever exports them, until they decide otherwise.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for part in parts:
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())


class _Outgoing:
    """Where `zipfile` writes to: what has been written and not yet taken. It cannot seek, so nothing is kept."""

    def __init__(self):
        self.parts = []

    def write(self, part):
        self.parts.append(bytes(part))
        return len(part)

    def flush(self):
        pass

    def take(self):
        parts, self.parts = b"".join(self.parts), []
        return parts


def zip_blocks(selection, rows):
    """The files and README.txt as one zip archive, in blocks of bytes."""
    outgoing = _Outgoing()
    with zipfile.ZipFile(outgoing, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(README, readme(selection, rows))
        for file in file_formats.FILES:
            with archive.open(file.filename, "w", force_zip64=True) as entry:
                for block in tables.blocks(file, selection):
                    entry.write(block)
                    if ready := outgoing.take():
                        yield ready
    yield outgoing.take()
