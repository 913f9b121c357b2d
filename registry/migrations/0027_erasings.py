"""Erasures that were asked for and are not done: the jobs that they come of."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0026_codes_as_constants"),
        ("study_sites", "0008_audit_of_changes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasing",
            fields=[
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
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
                ("patient_id", models.CharField(db_collation="C", max_length=40, verbose_name="patient ID")),
                (
                    "extent",
                    models.CharField(
                        choices=[("identifiers", "Direct identifiers only"), ("everything", "The whole record")],
                        max_length=11,
                        verbose_name="what is erased",
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("error", models.JSONField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="study_sites.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "requested erasure",
                "verbose_name_plural": "requested erasures",
                "ordering": ["-requested_at"],
                "constraints": [
                    models.UniqueConstraint(fields=("patient_id", "extent"), name="erasing_once"),
                    models.CheckConstraint(
                        condition=models.Q(("extent__in", ["identifiers", "everything"])), name="erasing_extent_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="erasing_has_reason"
                    ),
                ],
            },
        ),
    ]
