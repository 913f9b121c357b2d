"""Imports that can be followed and undone, their sealed parts, and mappings kept by name."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import audited


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0007_exports_and_snapshots"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Waiting for choices"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("checked", "Checked, not stored"),
                            ("done", "Stored"),
                            ("failed", "Failed"),
                            ("discarded", "Discarded"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                (
                    "act",
                    models.CharField(
                        choices=[("check", "Check"), ("store", "Store"), ("undo", "Undo")],
                        default="check",
                        max_length=5,
                    ),
                ),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("touched_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("key", models.BinaryField()),
                ("files", models.JSONField(default=list)),
                ("choices", models.JSONField(default=list)),
                ("mapping", models.JSONField(null=True)),
                ("mapping_name", models.CharField(blank=True, max_length=80)),
                ("counts", models.JSONField(default=dict)),
                ("seen", models.CharField(blank=True, max_length=64)),
                ("update", models.BooleanField(default=False)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("error", models.TextField(blank=True)),
                ("transaction_id", models.BigIntegerField(null=True)),
                ("trail_from", models.BigIntegerField(null=True)),
                ("trail_to", models.BigIntegerField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="registry.import",
                    ),
                ),
            ],
            options={
                "verbose_name": "import",
                "verbose_name_plural": "imports",
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="ImportMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True, verbose_name="name")),
                ("mapping", models.JSONField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "import mapping",
                "verbose_name_plural": "import mappings",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ImportPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                ("position", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "belongs_to",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="registry.import"
                    ),
                ),
            ],
            options={
                "verbose_name": "part of an import",
                "verbose_name_plural": "parts of imports",
                "constraints": [
                    models.UniqueConstraint(fields=("belongs_to", "name", "position"), name="import_part_once")
                ],
            },
        ),
        # What was uploaded and found stays out of the trail: it holds clinical values; the rows' own events tell.
        audited(
            "registry_import",
            site="",
            without=("key", "mapping", "choices", "touched_at", "attempts", "seen", "act", "trail_from", "trail_to"),
        ),
        audited("registry_importmapping", site=""),
    ]
