"""A process that saves assessments one after the other and is killed: `-m tests.guard.faults.saving USER PATIENT…`.

It says `saved PATIENT` once a save is committed, and `open PATIENT` inside the transaction of the last, which it does
not end.
"""

import os
import sys
import time

import django

ANSWERS = {"assessment_date": "2026-01-11", "frankel": "C", "ecog_ps": "2", "pain_vas_mm": "40", "eq_vas": "60"}


def save(user, patient_id):
    from registry.models import Patient
    from registry.services.entry.assessments import save_assessment
    from sites.tenancy.access import access_of

    access = access_of(user)
    patient = Patient.objects.get(pk=patient_id)
    return save_assessment(access=access, patient=patient, timepoint="preop", raw=ANSWERS)


def main(user_id, *patient_ids):
    from django.db import transaction

    from sites.models import User
    from sites.tenancy.access import access_of
    from sites.tenancy.scope import entered

    user = User.objects.get(pk=user_id)
    for patient_id in patient_ids:
        with entered(access_of(user).scope()), transaction.atomic():
            save(user, patient_id)
            if patient_id == patient_ids[-1]:
                print("open", patient_id, flush=True)
                time.sleep(600)
        print("saved", patient_id, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings")
    django.setup()
    main(*sys.argv[1:])
