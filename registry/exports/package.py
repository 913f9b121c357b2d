"""One export as one zip archive: data, codebook, scripts, dictionary, manifest. All of it, or no file at all."""

import hashlib
import json
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from django.conf import settings
from django.db import connection
from django.utils import timezone

from registry.analysis.running.versions import product_version
from registry.exports import codebook
from registry.exports.data.datasets import count_sql, outputs, select_sql
from registry.exports.data.selecting import check_accounts
from registry.exports.formats import dictionary, scripts
from registry.exports.formats.files import Part

SYNTHETIC = {
    "en": "SYNTHETIC DATA: these patients do not exist",
    "ja": "架空のデータです。実在の患者ではありません",
}


@dataclass
class _Package:
    """The archive while it is written: what is in it, and how many rows of each dataset."""

    archive: zipfile.ZipFile
    files: list = field(default_factory=list)
    written: dict = field(default_factory=dict)

    def add(self, name, content, **about):
        with self.entry(name, **about) as stream:
            stream.write(content)

    @contextmanager
    def entry(self, name, **about):
        """A stream into the archive; the manifest gets its hash, its size and `about`."""
        info = zipfile.ZipInfo(name, timezone.localtime().timetuple()[:6])
        info.compress_type = zipfile.ZIP_STORED if name.endswith((".parquet", ".xlsx")) else zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        with self.archive.open(info, "w", force_zip64=True) as stream:
            counted = _Counted(stream)
            yield counted
        self.files.append({"name": name, "bytes": counted.size, "sha256": counted.digest.hexdigest(), **about})

    def add_file(self, name, path, **about):
        with self.entry(name, **about) as stream, path.open("rb") as content:
            while block := content.read(1 << 20):
                stream.write(block)

    def count(self, dataset, rows, there):
        before = self.written.get(dataset, (0, 0))
        self.written[dataset] = (before[0] + rows, before[1] + there)


class _Counted:
    """A stream that knows the hash and the size of what went through it."""

    def __init__(self, stream):
        self.stream, self.digest, self.size = stream, hashlib.sha256(), 0

    def write(self, content):
        self.digest.update(content)
        self.size += len(content)
        self.stream.write(content)


def write_package(path, selected, who):
    """Write the archive of a Selected to `path`; returns the manifest, a dict. `who` is a name for it.

    ExportFailed where rows are lacking; whoever calls removes what has been written by then.
    """
    choices = selected.choices
    tables = [(dataset, outputs(dataset, choices)) for dataset in selected.datasets]
    note = SYNTHETIC[choices.language] if settings.SYNTHETIC else ""
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        package = _Package(archive)
        _data(package, selected, tables, note or f"Metaspine {product_version()}")
        check_accounts(selected, package.written)
        manifest = _manifest(selected, package, who, tables)
        _documents(package, choices, tables, manifest, note)
        manifest["files"] = package.files
        archive.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    return manifest


def _data(package, selected, tables, note):
    """The data files: of all sites together, or a folder for each."""
    groups = {code: (pk,) for pk, code in selected.sites.items()} if selected.choices.by_site else None
    for folder, sites in (groups or {"": tuple(selected.sites)}).items():
        prefix = f"data/{folder}/" if folder else "data/"
        _write_group(package, selected, tables, sites, prefix, note)


def _write_group(package, selected, tables, sites, folder, note):
    queries = [(dataset, written, select_sql(dataset, written, sites)) for dataset, written in tables]
    there = {dataset.name: number_of(count_sql(dataset, sites)) for dataset, _ in tables}
    before = sum(rows for rows, _ in package.written.values())
    part = Part(
        choices=selected.choices,
        tables=queries,
        folder=folder,
        note=note,
        about=_about(selected),
        sites=selected.sites,
        tick=lambda rows: selected.tick(before + rows),
    )
    module, _, function = selected.choices.kind.writes.partition(".")
    counts = getattr(import_module(f"registry.exports.formats.{module}"), function)(package, part)
    for name, count in counts.items():
        package.count(name, count, there[name])


def number_of(sql):
    """The number that a query of one row and column has."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def _about(selected):
    """What an export is of: (what, value) pairs, for people."""
    choices, snapshot = selected.choices, selected.snapshot
    return [
        ("cohort", f"{choices.cohort.name}, version {choices.cohort.version}"),
        ("snapshot", f"{snapshot.label} ({snapshot.hash})" if snapshot else "none: the registry as it was"),
        ("enrolled", str(selected.enrolled)),
        ("exported", str(selected.exported)),
        *((f"excluded: {step['reason']}", str(step["excluded"])) for step in selected.flow[1:]),
        ("dates", choices.dates),
        ("missing", choices.missing),
    ]


def _manifest(selected, package, who, tables):
    choices, snapshot = selected.choices, selected.snapshot
    return {
        "product": f"metaspine {product_version()}",
        "synthetic": settings.SYNTHETIC,
        "created_at": timezone.now().isoformat(timespec="seconds"),
        "created_by": who,
        "choices": choices.to_json(),
        "snapshot": snapshot and {"id": str(snapshot.pk), "label": snapshot.label, "hash": snapshot.hash},
        "sites": list(selected.sites.values()),
        "patients": selected.patients,
        **({"screening": selected.screening} if selected.screening else {}),
        "rows": {name: rows for name, (rows, _) in package.written.items()},
        "columns": {dataset.name: [variable.name for variable in written] for dataset, written in tables},
        "files": [],
    }


def _documents(package, choices, tables, manifest, note):
    """The codebook in its three forms, the scripts where the data are CSV, REDCap's dictionary and a README."""
    title = {"en": "Codebook", "ja": "コードブック"}[choices.language]
    about = codebook.about(choices, manifest, note)
    package.add("codebook.csv", codebook.as_csv(codebook.rows(tables, choices)))
    package.add("codebook.html", codebook.as_html(tables, choices, title, about))
    package.add("codebook.pdf", codebook.as_pdf(choices, title, note or manifest["product"]))
    package.add("redcap_dictionary.csv", dictionary.redcap_dictionary(choices.language))
    if choices.format == "csv":
        package.add("data/read_metaspine.R", scripts.r_script(tables, choices, note).encode())
        sites = manifest["sites"] if choices.by_site else ()
        package.add("data/read_metaspine.sas", scripts.sas_script(tables, choices, note, sites).encode())
    package.add("README.txt", _readme(choices, manifest, note).encode())


def _readme(choices, manifest, note):
    lines = ["Metaspine: export", ""]
    if settings.SYNTHETIC:
        lines += [f"{text}." for text in SYNTHETIC.values()] + [""]
    lines += [f"{name}: {count} rows" for name, count in manifest["rows"].items()]
    patients = manifest["patients"]
    lines += ["", f"Patients enrolled: {patients['enrolled']}, exported: {patients['exported']}"]
    lines += [f"  excluded, {step['reason']}: {step['n']}" for step in patients["excluded"]]
    lines += [f"Screening log, {step['step']}: {step['n']}" for step in manifest.get("screening", ())]
    lines += [
        "",
        (
            f"Format: {choices.kind.label.en}; UTF-8. codebook.* explains every column, manifest.json has the hash of "
            "every file."
        ),
        "De-identified: age_at_surgery (completed years) instead of the date of birth; no free text.",
        "It is still personal data: keep it as your protocol says.",
    ]
    if choices.kind.style == "sheet":
        lines.append("A text that a spreadsheet would take for a formula has an apostrophe before it.")
    return "\n".join(lines) + "\n"
