"""The other process of test_storm, `-m tests.guard.faults.storm cast|look`, on the database that the environment names.

cast SITES PATIENTS   makes sites, coordinators and patients; prints [[session key, [patient, …]], …] as JSON
look                  reads [[patient, timepoint], …] from standard input; prints, in this order, how often each
                      assessment is stored, how often its insert is on record, and what is stored
"""

import json
import os
import sys

import django

ANSWERS = {"assessment_date": "2026-01-11", "frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60"}


def cast(sites, patients):
    from bench.shared.server import session_of
    from sites.models import Site
    from sites.tenancy.access import Role
    from tests.conftest import TODAY, person
    from tests.guard.conftest import enrol

    made = []
    for number in range(int(sites)):
        site = Site.objects.create(code=f"W{number:02}", name=f"Site {number}")
        user = person(f"Storm{number}", Role.COORDINATOR, site)
        made.append([session_of(user), [enrol(user, site, TODAY).pk for _ in range(int(patients))]])
    return made


def look():
    from collections import Counter

    from django.db import transaction

    from registry.models import Assessment
    from sites.models import AuditEvent
    from sites.tenancy.scope import everything

    forms = [tuple(form) for form in json.load(sys.stdin)]
    with everything(), transaction.atomic():
        rows = list(Assessment.objects.values("patient_id", "timepoint_id", *ANSWERS))
        events = Counter(
            AuditEvent.objects.filter(table_name="registry_assessment", action="insert").values_list(
                "new__patient_id", "new__timepoint_id"
            )
        )
    stored = Counter((row["patient_id"], row["timepoint_id"]) for row in rows)
    answers = {(row["patient_id"], row["timepoint_id"]): {name: str(row[name]) for name in ANSWERS} for row in rows}
    return [[stored[form], events[form], answers.get(form)] for form in forms]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
    django.setup()
    json.dump({"cast": cast, "look": look}[sys.argv[1]](*sys.argv[2:]), sys.stdout)
