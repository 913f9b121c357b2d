"""Patients who moved to another site, and records of one patient that were merged."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# As with other tables of a patient's: the rows move and go with the patient.
SAME_SITE = """
ALTER TABLE registry_merge ADD CONSTRAINT registry_merge_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0016_safety"),
        ("study_sites", "0006_languages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="enteredinerror",
            name="merged_into",
            field=models.CharField(blank=True, db_default="", default="", max_length=40, verbose_name="merged into"),
        ),
        migrations.CreateModel(
            name="Merge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("merged", models.CharField(db_collation="C", max_length=40, verbose_name="merged record")),
                ("entry", models.BigIntegerField(verbose_name="entry in error")),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("copied", models.JSONField(default=list)),
                ("before", models.JSONField(default=dict)),
                ("version", models.IntegerField(verbose_name="version")),
                (
                    "merged_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="merged"),
                ),
                ("taken_back_at", models.DateTimeField(null=True, verbose_name="taken back")),
                (
                    "taken_back_reason",
                    models.CharField(blank=True, max_length=300, verbose_name="reason for taking it back"),
                ),
                (
                    "merged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="merged by",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="registry.patient",
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
                (
                    "taken_back_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="taken back by",
                    ),
                ),
            ],
            options={
                "verbose_name": "merge",
                "verbose_name_plural": "merges",
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["site", "patient"], name="merge_by_patient")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("reason", ""), _negated=True), name="merge_has_reason"),
                    models.UniqueConstraint(
                        condition=models.Q(("taken_back_at", None)), fields=("merged",), name="merge_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("patient_id", models.CharField(db_collation="C", max_length=40, verbose_name="patient ID")),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "transferred_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="transferred"
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
                (
                    "to_site",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="study_sites.site",
                        verbose_name="to site",
                    ),
                ),
                (
                    "transferred_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="transferred by",
                    ),
                ),
            ],
            options={
                "verbose_name": "transfer",
                "verbose_name_plural": "transfers",
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["patient_id"], name="transfer_by_patient")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="transfer_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("site", models.F("to_site")), _negated=True),
                        name="transfer_to_another_site",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SAME_SITE, migrations.RunSQL.noop),
    ]
