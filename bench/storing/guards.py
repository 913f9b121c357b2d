"""What the guards cost: a save through the service with policies, triggers and scope against one without.

Both insert and correct an assessment, one transaction each, on one connection; the bare ones on the same table with its
triggers and policies switched off and no scope set. Limit: at most 2 times the bare time.
Then how long sealing and verifying the trail takes: `bin/bench guards [EVENTS]`, a million unless it says otherwise.
"""

import sys
import time
from contextlib import nullcontext

from bench.shared.scratch import registry_of

STORED = 20_000  # patients
SAVES = 300  # in each of the rounds
ROUNDS = 4
TABLES = ("registry_patient", "registry_assessment")


def switch(on):
    from django.db import connections

    word = "ENABLE" if on else "DISABLE"
    with connections["owner"].cursor() as owner:
        for table in TABLES:
            owner.execute(f"ALTER TABLE {table} {word} TRIGGER USER; ALTER TABLE {table} {word} ROW LEVEL SECURITY")


def seconds_a_save(patients, timepoint, scope):
    """Mean time of an insert and a correction through the service, each in its own transaction."""
    from django.db import transaction

    from registry.services.entry.assessments import save_assessment
    from sites.tenancy.scope import entered

    def save(patient, **more):
        with entered(scope) if scope else nullcontext(), transaction.atomic():
            return save_assessment(access=None, patient=patient, timepoint=timepoint, **more)

    raw = {"assessment_date": "2026-01-11", "frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60"}
    started = time.perf_counter()
    for patient in patients:
        row = save(patient, raw=raw)
        save(patient, raw=raw | {"eq_vas": "70"}, version=row.version)
    return (time.perf_counter() - started) / len(patients) / 2


def saves():
    from django.db import transaction

    from registry.models import Assessment, Patient
    from sites.models import Site
    from sites.tenancy.scope import Scope, everything

    with everything(), transaction.atomic():
        stored = Assessment.objects.count()
        without = Patient.objects.exclude(assessments__timepoint_id="24m").order_by("pk")
        patients = list(without[: SAVES * ROUNDS * 2])
    sites = tuple(Site.objects.order_by("pk").values_list("pk", flat=True))
    scope = Scope(sites, sites, sites, user_id=1, request_id="bench", reason="")
    seconds = {"guarded": [], "bare": []}
    for _round in range(ROUNDS):
        for name, timed in seconds.items():
            chosen, patients = patients[:SAVES], patients[SAVES:]
            switch(name == "guarded")
            timed.append(seconds_a_save(chosen, "24m", scope if name == "guarded" else None))
    switch(True)
    best = {name: min(durations) * 1000 for name, durations in seconds.items()}
    print(f"{stored:,} assessments stored, {SAVES * ROUNDS} inserts and as many corrections each")
    print(f"bare save      {best['bare']:8.2f} ms")
    print(f"guarded save   {best['guarded']:8.2f} ms")
    print(f"ratio          {best['guarded'] / best['bare']:8.2f}   (limit: at most 2.00)")


def seals(events):
    from django.db import connections

    from sites.audit import sealing

    with connections["owner"].cursor() as owner:
        owner.execute(
            """
            INSERT INTO study_sites_auditevent
                (site_id, table_name, row_id, action, user_id, request_id, reason, transaction_id, new)
            SELECT i %% 50 + 1, 'registry_assessment', i::text, 'insert', i %% 200, md5(i::text), '',
                   pg_current_xact_id()::text::bigint, jsonb_build_object(
                       'patient_id', 'S07-' || i / 6, 'timepoint_id', '1m', 'assessment_date', '2026-01-01',
                       'frankel', 'C', 'ecog_ps', 2, 'pain_vas_mm', i %% 100, 'eq5d_mobility', 3, 'eq5d_self_care', 2,
                       'eq5d_usual_activities', 2, 'eq5d_pain_discomfort', 1, 'eq5d_anxiety_depression', 1,
                       'eq_vas', i %% 100, 'state', 'complete')
            FROM generate_series(1, %s) AS i
            """,
            [events],
        )
    started = time.perf_counter()
    made = sealing.seal()
    sealed = time.perf_counter()
    report = sealing.verify()
    verified = time.perf_counter()
    assert not report.findings, report.findings
    print(f"sealing        {sealed - started:8.1f} s for {report.sealed:,} events in {len(made)} seals")
    print(f"verifying      {verified - sealed:8.1f} s")


def main():
    with registry_of(STORED):
        saves()
        seals(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)


if __name__ == "__main__":
    main()
