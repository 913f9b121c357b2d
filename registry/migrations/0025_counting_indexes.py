from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built while people work, and the ones that they replace go afterwards
    dependencies = [
        ("registry", "0024_freezings"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="patient",
            index=models.Index(
                fields=["site", "surgery_date"], include=["in_error"], name="patient_by_surgery_counted"
            ),
        ),
        RemoveIndexConcurrently(model_name="patient", name="patient_by_surgery"),
        AddIndexConcurrently(
            model_name="adverseevent",
            index=models.Index(fields=["site", "patient"], include=["in_error"], name="adverse_event_by_site_counted"),
        ),
        RemoveIndexConcurrently(model_name="adverseevent", name="adverse_event_by_site"),
    ]
