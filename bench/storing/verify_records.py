"""`verify_records` of a million assessments, one in ten corrected, against a `COPY` of the whole audit trail.

`bin/bench verify_records [ASSESSMENTS]`. Limit: at most 20 times the COPY, and memory that does not grow.
"""

import resource
import sys
import time

from bench.shared.scratch import TABLES, registry_of

ASSESSMENTS = 1_000_000
A_PATIENT = 1.87  # assessments that bench/shared/scratch.py makes of each
KEYS = {"registry_patient": "patient_id"}


def record():
    """Events of the made-up rows, as the triggers of one bulk load would have written them, and of corrections."""
    from django.db import connections

    from sites.tenancy.scope import current, everything, execute

    with everything(using="owner", reason="corrected"), connections["owner"].cursor() as owner:
        owner.execute("BEGIN")
        execute(owner, current())
        for table in TABLES:
            owner.execute(
                f"""
                INSERT INTO study_sites_auditevent
                    (site_id, table_name, row_id, action, request_id, reason, transaction_id, new)
                SELECT site_id, '{table}', {KEYS.get(table, "id")}, 'insert', '', '',
                       pg_current_xact_id()::text::bigint,
                       to_jsonb((jsonb_strip_nulls(to_jsonb(r)) - '{{version,updated_at,updated_by_id}}'::text[])::text)
                FROM {table} AS r
                """
            )
        owner.execute("UPDATE registry_assessment SET eq_vas = 100 - eq_vas WHERE id % 10 = 0 AND eq_vas <> 50")
        owner.execute("COMMIT")
        for table in ("study_sites_auditevent", "registry_assessment"):
            owner.execute(f"VACUUM ANALYZE {table}")


def copied():
    """Seconds that a COPY of the trail takes, and how many events it has."""
    from django.db import connections

    started, rows = time.perf_counter(), 0
    with connections["owner"].cursor() as owner, owner.copy("COPY study_sites_auditevent TO STDOUT") as copy:
        for block in copy:
            rows += bytes(block).count(b"\n")
    return time.perf_counter() - started, rows


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ASSESSMENTS
    with registry_of(int(count / A_PATIENT)):
        from registry.services.operations import record_replay

        record()
        seconds, events = copied()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, compared, unexplained = time.perf_counter(), 0, 0
        for _table, rows, cells in record_replay.verify():
            compared += rows
            unexplained += sum(1 for _ in cells)
        taken = time.perf_counter() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert not unexplained, unexplained
    print(f"COPY of the trail {seconds:8.1f} s for {events:,} events")
    print(f"verify_records    {taken:8.1f} s for {compared:,} rows: {taken / compared * 1e6:.0f} s a million")
    print(f"ratio             {taken / seconds:8.1f}   (limit: at most 20)")
    print(f"memory            {grown:+8.0f} MB")


if __name__ == "__main__":
    main()
