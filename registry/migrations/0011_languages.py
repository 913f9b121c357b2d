"""Languages of patients' links are those that have a catalogue. No row is rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0010_entered_in_error")]
    operations = [
        migrations.AlterField(
            model_name="patientlink",
            name="language",
            field=models.CharField(max_length=5, verbose_name="language"),
        )
    ]
