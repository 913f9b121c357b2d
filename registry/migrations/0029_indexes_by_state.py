from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


def by_state(name, state, *fields):
    """Forms in a state, but for complete ones, in the order of the grid."""
    others = models.Q((f"{state}__in", ["draft", "verified", "locked"]))
    return models.Index(condition=others, fields=[state, "site", *fields], include=["in_error"], name=name)


class Migration(migrations.Migration):
    atomic = False  # built while people work, and the ones that they replace go afterwards
    dependencies = [
        ("registry", "0028_marked_rows"),
    ]

    operations = [
        AddIndexConcurrently("patient", by_state("patient_by_baseline", "baseline_state", "patient_id")),
        AddIndexConcurrently("patient", by_state("patient_by_surgery_form", "surgery_state", "patient_id")),
        AddIndexConcurrently("assessment", by_state("assessment_by_state", "state", "patient", "timepoint")),
        RemoveIndexConcurrently("assessment", "assessment_draft"),
        AddIndexConcurrently(
            "patient",
            models.Index(
                fields=["site", "surgery_date"],
                include=["in_error", "patient_id", "vital_status", "death_date"],
                name="patient_by_surgery_waiting",
            ),
        ),
        RemoveIndexConcurrently("patient", "patient_by_surgery_counted"),
    ]
