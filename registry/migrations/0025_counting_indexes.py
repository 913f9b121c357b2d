from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0024_freezings"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="patient", name="patient_by_surgery"),
        migrations.AddIndex(
            model_name="patient",
            index=models.Index(fields=["site", "surgery_date"], include=["in_error"], name="patient_by_surgery"),
        ),
        migrations.RemoveIndex(model_name="adverseevent", name="adverse_event_by_site"),
        migrations.AddIndex(
            model_name="adverseevent",
            index=models.Index(fields=["site", "patient"], include=["in_error"], name="adverse_event_by_site"),
        ),
    ]
