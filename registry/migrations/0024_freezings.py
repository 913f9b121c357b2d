"""Snapshots that somebody asked for: the jobs that they come of."""

import uuid

from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0023_imports_as_jobs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Freezing",
            fields=[
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True, db_default=Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("progress", models.FloatField(default=0)),
                ("stage", models.CharField(blank=True, max_length=80)),
                ("id", models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("label", models.CharField(max_length=80, verbose_name="label")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("error", models.JSONField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(on_delete=models.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"verbose_name": "freezing", "verbose_name_plural": "freezings", "ordering": ["-requested_at"]},
        ),
        migrations.AddConstraint(
            model_name="freezing",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["queued", "running"])), fields=("label",), name="freezing_label_once"
            ),
        ),
    ]
