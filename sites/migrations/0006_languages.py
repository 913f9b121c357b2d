"""Languages of people are those that have a catalogue; codes such as pt-br fit. No row is rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("study_sites", "0005_site_contact_and_activation")]
    operations = [
        migrations.AlterField(
            model_name=model,
            name="language",
            field=models.CharField(default="en", max_length=5, verbose_name="language"),
        )
        for model in ("user", "invitation")
    ]
