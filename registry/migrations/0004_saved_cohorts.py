"""Cohorts that people save, and which patients a comparison analysed."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import audited

# What a finished run holds never changes, whatever its columns are.
KEEP_RESULT = """
CREATE OR REPLACE FUNCTION keep_result() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.status = 'done' AND ({new}) IS DISTINCT FROM ({old}) THEN
        RAISE EXCEPTION 'the result of a comparison never changes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def keeping(*columns):
    return KEEP_RESULT.format(
        new=", ".join(f"NEW.{one}" for one in columns), old=", ".join(f"OLD.{one}" for one in columns)
    )


BEFORE = ("result", "status", "plan", "cohort", "snapshot")
KEEP_COHORT = """
CREATE FUNCTION keep_cohort() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a saved cohort never changes: save another version' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER keep_cohort BEFORE UPDATE OR DELETE ON registry_savedcohort
    FOR EACH ROW EXECUTE FUNCTION keep_cohort();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_guards"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="SavedCohort",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("version", models.PositiveIntegerField()),
                ("steps", models.JSONField()),
                ("note", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "saved cohort",
                "verbose_name_plural": "saved cohorts",
                "ordering": ["name", "-version"],
                "constraints": [models.UniqueConstraint(fields=("name", "version"), name="saved_cohort_version_once")],
            },
        ),
        migrations.AddField("comparisonrun", "patients", models.JSONField(null=True)),
        migrations.RunSQL(keeping(*BEFORE, "patients"), keeping(*BEFORE)),
        migrations.RunSQL(
            KEEP_COHORT, "DROP TRIGGER keep_cohort ON registry_savedcohort; DROP FUNCTION keep_cohort();"
        ),
        audited("registry_savedcohort", site=""),
    ]
