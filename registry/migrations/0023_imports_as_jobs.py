"""Imports get the columns of every job: what was last done with one is its heartbeat."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("registry", "0022_indexes_of_drafts")]

    operations = [
        migrations.RenameField("import", "touched_at", "heartbeat_at"),
        *(
            migrations.AlterField(model, "heartbeat_at", models.DateTimeField(null=True, db_default=Now()))
            for model in ("import", "export", "comparisonrun")
        ),
        migrations.AddField("import", "started_at", models.DateTimeField(null=True)),
        migrations.AddField("import", "cancel_requested", models.BooleanField(default=False)),
        migrations.AddField("import", "progress", models.FloatField(default=0)),
        migrations.AddField("import", "stage", models.CharField(blank=True, max_length=80)),
        migrations.AlterField(
            "import",
            "status",
            models.CharField(
                choices=[
                    ("open", "Waiting for choices"),
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("checked", "Checked, not stored"),
                    ("done", "Stored"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                    ("discarded", "Discarded"),
                ],
                default="open",
                max_length=9,
            ),
        ),
    ]
