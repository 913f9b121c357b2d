"""Links by which patients answer for themselves: for those who enter data at the site, and whoever holds the link."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from sites.protection import WRITE, audited, kept

HELD = "(SELECT nullif(current_setting('app.link', true), ''))"
THEIRS = f"{WRITE} OR token_hash = {HELD}"

# What a link is for never changes, nor do answers once they are sent; whoever holds the link answers and sends, no more.
GUARD = f"""
ALTER TABLE registry_patientlink ADD CONSTRAINT registry_patientlink_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION patient_link_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.site_id, NEW.patient_id, NEW.timepoint, NEW.token_hash, NEW.respondent, NEW.created_by_id,
        NEW.created_at, NEW.expires_at) IS DISTINCT FROM
       (OLD.id, OLD.site_id, OLD.patient_id, OLD.timepoint, OLD.token_hash, OLD.respondent, OLD.created_by_id,
        OLD.created_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'what a patient''s link is for never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.submitted_at IS NOT NULL
       AND (NEW.answers, NEW.submitted_at) IS DISTINCT FROM (OLD.answers, OLD.submitted_at) THEN
        RAISE EXCEPTION 'a patient''s answers stay as they were sent' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF {HELD} IS NOT NULL AND (NEW.revoked_at, NEW.settled_at, NEW.settled_by_id, NEW.refusal)
       IS DISTINCT FROM (OLD.revoked_at, OLD.settled_at, OLD.settled_by_id, OLD.refusal) THEN
        RAISE EXCEPTION 'whoever holds a link answers, no more' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_link_kept BEFORE UPDATE ON registry_patientlink
    FOR EACH ROW EXECUTE FUNCTION patient_link_kept();
"""
UNGUARD = """
DROP TRIGGER patient_link_kept ON registry_patientlink;
DROP FUNCTION patient_link_kept();
ALTER TABLE registry_patientlink DROP CONSTRAINT registry_patientlink_same_site;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0011_drafts"),
        ("study_sites", "0007_faster_loading"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PatientLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("timepoint", models.CharField(max_length=16, verbose_name="timepoint")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("ja", "Japanese")], max_length=5, verbose_name="language"
                    ),
                ),
                (
                    "respondent",
                    models.CharField(
                        choices=[
                            ("self", "the patient"),
                            ("proxy", "somebody else for the patient"),
                            ("interviewer", "the patient, asked by an interviewer"),
                        ],
                        default="self",
                        max_length=11,
                        verbose_name="who answers",
                    ),
                ),
                ("answers", models.JSONField(default=dict, verbose_name="answers")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("expires_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("refusal", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="patient_links",
                        to="registry.patient",
                    ),
                ),
                (
                    "settled_by",
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
                "verbose_name": "patient link",
                "verbose_name_plural": "patient links",
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["site", "patient", "timepoint"], name="patient_link_of_form")],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
        kept(
            "registry_patientlink",
            insert=f"site_id = {WRITE}",
            update=f"site_id = {THEIRS}",
            read=THEIRS,
        ),
        audited("registry_patientlink", without=["token_hash"]),
    ]
