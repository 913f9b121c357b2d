"""Erasures: a table that is only ever added to, and triggers that refuse what was erased to come back."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import WRITE, audited, kept

GUARDS = """
-- Once a statement: a bulk load of a million patients asks once. The argument is the extent that forbids the rows.
CREATE FUNCTION refuse_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_erasure AS e JOIN added AS a USING (patient_id) WHERE e.extent = ANY (TG_ARGV)) THEN
        RAISE EXCEPTION 'what was erased at a patient''s wish does not come back'
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'patient_erased';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse_erased AFTER INSERT ON registry_patient REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased('everything');
CREATE TRIGGER refuse_erased AFTER INSERT ON registry_identity REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_erased('identifiers', 'everything');
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0009_faster_loading"),
        ("study_sites", "0007_faster_loading"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("patient_id", models.CharField(db_collation="C", max_length=40, verbose_name="patient ID")),
                (
                    "extent",
                    models.CharField(
                        choices=[("identifiers", "Direct identifiers only"), ("everything", "The whole record")],
                        max_length=11,
                        verbose_name="what was erased",
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("rows", models.JSONField(default=dict, verbose_name="rows")),
                (
                    "erased_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="erased"),
                ),
                (
                    "erased_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="erased by",
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
                "verbose_name": "erasure",
                "verbose_name_plural": "erasures",
                "ordering": ["-erased_at", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("patient_id", "extent"), name="erasure_once"),
                    models.CheckConstraint(
                        condition=models.Q(("extent__in", ["identifiers", "everything"])), name="erasure_extent_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="erasure_has_reason"
                    ),
                ],
            },
        ),
        # Only the system's own scope adds a row: the service that erases enters it after it has asked who may.
        kept(
            "registry_erasure",
            insert=f"site_id = {WRITE} AND (SELECT current_setting('app.administers', true)) = 'on'",
        ),
        audited("registry_erasure"),
        migrations.RunSQL(
            GUARDS,
            """
            DROP TRIGGER refuse_erased ON registry_identity;
            DROP TRIGGER refuse_erased ON registry_patient;
            DROP FUNCTION refuse_erased();
            """,
        ),
    ]
