"""Assessments in, with every check, policy and the audit trail, against a raw COPY into a bare table.

200 000 assessments of patients who are stored, in the file that the export writes, reasons for missing values included.
Limits: at least 0.05 times the raw COPY's rows a second, and at least 10 times django-import-export's default path,
measured on a sample. Both write permanent tables and wait until their commit is on disk; the `COPY` reads the same file
into the same columns, reasons included, without an index. What PostgreSQL alone needs to move the same rows into a
table with the same columns, constraints, key and indexes, without reading a file, policies or trail, is printed beside.

They take turns: in each of ROUNDS (5, or the second argument) the file is copied COPIES times, a second or two in all,
moved, and imported, each after a checkpoint and without autovacuum, so that neither falls into another's measurement.
Medians count, and the range of the rounds is told. Beside the ratio by the clock stands the one by processor time: what
the connection that stores takes, in raw COPYs.
"""

import csv
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from bench.shared.scratch import registry_of

ASSESSMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
COPIES = 4
SAMPLE = 2_000
NOT_VACUUMED = ("registry_assessment", "registry_patient", "study_sites_auditevent")


def main():
    with registry_of(int(ASSESSMENTS / 1.87)), tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path = folder / "assessments.csv"
        rows = written(path)
        sample = folder / "sample.csv"
        full_rows(path, sample)
        empty()
        library = SAMPLE / by_import_export(sample)
        report([in_turn(path, folder) for _ in range(ROUNDS)], rows, library)


def in_turn(path, folder):
    """One round: (seconds, seconds of the processor) of the COPY, of the insert with constraints, and of the import."""
    copies = [measured("owner", by_copy, path) for _ in range(COPIES)]
    copied = tuple(sum(of_each) / COPIES for of_each in zip(*copies, strict=True))
    moved = measured("owner", by_insert)
    empty()
    return copied, moved, measured("default", by_import, folder)


def report(rounds, rows, library):
    copied, moved, imported = zip(*rounds, strict=True)
    raw, guarded, ours = (
        rows / statistics.median(wall for wall, _ in of_each) for of_each in (copied, moved, imported)
    )
    print(f"{rows:,} assessments, {len(rounds)} rounds; django-import-export on {SAMPLE:,} of them")
    for name, speed, of_each in (
        ("raw COPY into a bare table", raw, copied),
        ("constraints, key, indexes", guarded, moved),
        ("import_csv", ours, imported),
    ):
        speeds = sorted(rows / wall for wall, _ in of_each)
        print(f"{name:26} {speed:10,.0f} rows a second ({speeds[0]:,.0f} to {speeds[-1]:,.0f})")
    print(f"django-import-export       {library:10,.0f} rows a second")
    ratios = sorted(copy / own for (copy, _), (own, _) in zip(copied, imported, strict=True))
    middle = statistics.median(ratios)
    print(f"constraints to raw COPY    {guarded / raw:10.3f}")
    print(f"ratio to the raw COPY      {middle:10.3f}   ({ratios[0]:.3f} to {ratios[-1]:.3f}; limit: at least 0.050)")
    print(f"ratio to the library       {ours / library:10.1f}   (limit: at least 10)")
    costs = [own / copy for (_, copy), (_, own) in zip(copied, imported, strict=True) if copy]
    if costs:
        print(f"processor time of storing  {statistics.median(costs):10.1f} raw COPYs")


def measured(alias, act, *arguments):
    """(seconds, seconds of the processor of the connection's process, 0 where it is on no machine of ours) of an act
    that begins after a checkpoint.
    """
    from django.db import connections

    checkpoint()
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    before = processor_seconds(pid)
    seconds = act(*arguments)
    return seconds, processor_seconds(pid) - before


def checkpoint():
    """A checkpoint, which a role that may make databases causes by making one from the template's files."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        name = f"{connections['owner'].settings_dict['NAME']}_c"
        cursor.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        cursor.execute(f"DROP DATABASE {name}")


def processor_seconds(pid):
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists() or not stat.read_text().partition("(")[2].startswith("postgres"):
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(path):
    """Write the scratch registry's assessments to `path`, as the contract has them; returns their number."""
    from django.db import transaction

    from registry.exports.data import tables
    from registry.services.files import file_formats
    from sites.tenancy.scope import current, everything

    with everything(), transaction.atomic(), path.open("wb") as stream:
        stream.writelines(tables.blocks(file_formats.ASSESSMENTS, tables.Selection(current().read)))
    with path.open("rb") as stream:
        return sum(1 for _ in stream) - 1


def full_rows(path, sample):
    """Write the first SAMPLE rows with a value in each cell to `sample`: the library stores an empty cell as an empty
    text, which the database refuses. It knows nothing of columns with reasons either."""
    from registry.services.files import file_formats

    wanted = len(file_formats.ASSESSMENTS.columns)
    with path.open() as whole, sample.open("w") as part:
        rows = (row[:wanted] for row in csv.reader(whole))
        csv.writer(part).writerows(islice((row for row in rows if all(row)), SAMPLE + 1))


def empty():
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE registry_assessment, study_sites_auditevent")
        for table in NOT_VACUUMED:
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        cursor.execute("VACUUM ANALYZE registry_assessment, registry_patient")


def by_copy(path):
    """Seconds of COPY into a table with the same columns and nothing else."""
    from django.db import connections

    from registry.services.files import file_formats

    columns = ", ".join(file_formats.column_of(name) for name in file_formats.ASSESSMENTS.columns)
    reasons = ", ".join(f"NULL::text AS {reason.name}" for reason in file_formats.ASSESSMENTS.reasons)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_raw")
        cursor.execute(
            "CREATE TABLE bench_raw WITH (autovacuum_enabled = off) AS "
            f"SELECT {columns}, {reasons} FROM registry_assessment WITH NO DATA"
        )
        started = time.perf_counter()
        with cursor.copy("COPY bench_raw FROM STDIN WITH (FORMAT csv, HEADER)") as copy, path.open("rb") as stream:
            while block := stream.read(1 << 16):
                copy.write(block)
        return time.perf_counter() - started


def by_insert():
    """Seconds of INSERT … SELECT of what `by_copy` left, into a table with the constraints, key and indexes."""
    from django.db import connections, transaction

    from registry.services.files import file_formats
    from sites.tenancy.scope import everything

    columns = ", ".join(file_formats.column_of(name) for name in file_formats.ASSESSMENTS.columns)
    # Even the owner of the table of patients sees them in a scope only.
    with everything(using="owner"), transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_guarded")
        cursor.execute("CREATE TABLE bench_guarded (LIKE registry_assessment INCLUDING ALL)")
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = 'registry_assessment'::regclass AND contype = 'f'"
        )
        for (key,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE bench_guarded ADD {key}")
        started = time.perf_counter()
        cursor.execute(
            f"INSERT INTO bench_guarded (site_id, {columns}) "
            f"SELECT patient.site_id, {columns} FROM bench_raw JOIN registry_patient AS patient USING (patient_id)"
        )
        assert cursor.rowcount > 0
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return time.perf_counter() - started


def by_import(folder):
    from registry.imports import import_files

    started = time.perf_counter()
    report = import_files(folder)
    seconds = time.perf_counter() - started
    assert report.stored, report.errors.shown[:3]
    return seconds


def by_import_export(path):
    """Seconds of the library's default path: a ModelResource, row by row, with its diffs and savepoints."""
    from django.db import connections, transaction
    from import_export.resources import ModelResource
    from tablib import Dataset

    from registry.models import Assessment, Patient
    from registry.services.files import file_formats
    from sites.tenancy.scope import everything

    class Assessments(ModelResource):
        class Meta:
            model = Assessment
            import_id_fields = ("patient", "timepoint")
            fields = ("patient", "site", *file_formats.ASSESSMENTS.columns[1:], "missing")

    with connections["owner"].cursor() as cursor:  # the library sets the sequence anew after an import
        application = connections["default"].settings_dict["USER"]
        cursor.execute(f"GRANT UPDATE ON SEQUENCE registry_assessment_id_seq TO {application}")
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    with everything(), transaction.atomic():
        places = dict(Patient.objects.values_list("pk", "site_id"))
    for row in rows:
        row |= {"patient": row["patient_id"], "site": places[row["patient_id"]], "missing": "{}"}
    data = Dataset(*([text or None for text in row.values()] for row in rows), headers=list(rows[0]))
    started = time.perf_counter()
    with everything():
        result = Assessments().import_data(data, dry_run=False, use_transactions=True, raise_errors=True)
    assert result.totals["new"] == len(rows), result.totals
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
