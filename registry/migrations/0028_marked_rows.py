from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

# Rows of which something was compared with the source: the report of a monitoring visit looks for no others.
MARKED = models.Q(("verified", {}), _negated=True)


class Migration(migrations.Migration):
    atomic = False  # built while people work
    dependencies = [
        ("registry", "0027_erasings"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="patient",
            index=models.Index(condition=MARKED, fields=["site", "patient_id"], name="patient_marked"),
        ),
        AddIndexConcurrently(
            model_name="assessment",
            index=models.Index(condition=MARKED, fields=["site", "patient"], name="assessment_marked"),
        ),
        AddIndexConcurrently(
            model_name="adverseevent",
            index=models.Index(condition=MARKED, fields=["site", "patient"], name="adverse_event_marked"),
        ),
    ]
