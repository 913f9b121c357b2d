"""Exports as jobs with a file that expires, and snapshots: frozen states of the registry that never change."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import audited, policies

KEEP_SNAPSHOT = """
CREATE FUNCTION keep_snapshot() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a snapshot never changes' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER keep_snapshot BEFORE UPDATE OR DELETE ON registry_snapshot
    FOR EACH ROW EXECUTE FUNCTION keep_snapshot();
CREATE TRIGGER keep_snapshot_part BEFORE UPDATE OR DELETE ON registry_snapshotpart
    FOR EACH ROW EXECUTE FUNCTION keep_snapshot();
CREATE TRIGGER keep_frozen BEFORE UPDATE OF frozen_id ON registry_comparisonrun
    FOR EACH ROW WHEN (OLD.status = 'done' AND OLD.frozen_id IS DISTINCT FROM NEW.frozen_id)
    EXECUTE FUNCTION keep_snapshot();
"""
LET_GO = """
DROP TRIGGER keep_frozen ON registry_comparisonrun;
DROP TRIGGER keep_snapshot_part ON registry_snapshotpart;
DROP TRIGGER keep_snapshot ON registry_snapshot;
DROP FUNCTION keep_snapshot();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0006_schedule"),
        ("study_sites", "0003_seal_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Ready"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("choices", models.JSONField()),
                ("site_ids", models.JSONField()),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("rows_expected", models.BigIntegerField(default=0)),
                ("rows_written", models.BigIntegerField(default=0)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("error", models.JSONField(null=True)),
                ("filename", models.CharField(blank=True, max_length=120)),
                ("size", models.BigIntegerField(null=True)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("manifest", models.JSONField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "export",
                "verbose_name_plural": "exports",
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("label", models.CharField(max_length=80, unique=True, verbose_name="label")),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("hash", models.CharField(max_length=80)),
                ("rows", models.JSONField()),
                ("columns", models.JSONField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "snapshot",
                "verbose_name_plural": "snapshots",
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="comparisonrun",
            name="frozen",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="registry.snapshot"
            ),
        ),
        migrations.CreateModel(
            name="SnapshotPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=20)),
                ("position", models.PositiveIntegerField()),
                ("hash", models.CharField(max_length=64)),
                ("data", models.BinaryField()),
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
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="registry.snapshot"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of a snapshot",
                "verbose_name_plural": "parts of snapshots",
                "ordering": ["snapshot", "table", "site", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("snapshot", "table", "site", "position"), name="snapshot_part_once")
                ],
            },
        ),
        policies("registry_snapshotpart"),
        # The parts are copies of rows whose own changes are in the trail; that one was made is recorded as an act.
        audited("registry_snapshot", site=""),
        migrations.RunSQL(KEEP_SNAPSHOT, LET_GO),
    ]
