"""Backups that were made by the schedule, and the drills that restored one."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_background")]

    operations = [
        migrations.CreateModel(
            name="BackupRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("backup", "Backup"), ("drill", "Drill")], max_length=6)),
                ("began_at", models.DateTimeField(db_default=Now())),
                ("seconds", models.FloatField(default=0)),
                ("file", models.CharField(blank=True, max_length=200)),
                ("size", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
                ("seals", models.BigIntegerField(default=0)),
                ("identities", models.BigIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "verbose_name": "backup",
                "verbose_name_plural": "backups",
                "indexes": [models.Index(fields=["kind", "-began_at"], name="backup_by_kind")],
            },
        ),
    ]
