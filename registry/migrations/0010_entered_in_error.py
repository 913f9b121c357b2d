"""Records that were entered in error: a mark on each, and why; what has the mark is no twin of what has not."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# As with other tables of a patient's: the rows go with the patient.
SAME_SITE = """
ALTER TABLE registry_enteredinerror ADD CONSTRAINT registry_enteredinerror_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0009_saved_plans"),
        ("study_sites", "0004_audit_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EnteredInError",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "form",
                    models.CharField(
                        choices=[
                            ("patient", "Patient"),
                            ("assessment", "Assessment"),
                            ("adverse_event", "Adverse event"),
                            ("own_record", "Own record"),
                        ],
                        max_length=13,
                        verbose_name="form",
                    ),
                ),
                ("record", models.CharField(max_length=40, verbose_name="record")),
                ("code", models.CharField(blank=True, max_length=20, verbose_name="timepoint or form")),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "marked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="marked"),
                ),
                ("taken_back_at", models.DateTimeField(null=True, verbose_name="taken back")),
                (
                    "taken_back_reason",
                    models.CharField(blank=True, max_length=300, verbose_name="reason for taking it back"),
                ),
            ],
            options={
                "verbose_name": "entry in error",
                "verbose_name_plural": "entries in error",
                "ordering": ["-pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="adverseevent",
            name="adverse_event_once",
        ),
        migrations.RemoveConstraint(
            model_name="assessment",
            name="assessment_once_a_timepoint",
        ),
        migrations.RemoveConstraint(
            model_name="query",
            name="query_once_a_rule",
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="assessment",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="followupend",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="ownrecord",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="patient",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="patientlink",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddField(
            model_name="query",
            name="in_error",
            field=models.BigIntegerField(editable=False, null=True, verbose_name="entered in error"),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.UniqueConstraint(
                fields=("patient", "kind", "onset_date", "in_error"), name="adverse_event_once", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.UniqueConstraint(
                fields=("patient", "timepoint", "in_error"), name="assessment_once_a_timepoint", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="query",
            constraint=models.UniqueConstraint(
                condition=models.Q(("rule__isnull", False)),
                fields=("patient", "form", "timepoint", "event", "rule", "in_error"),
                name="query_once_a_rule",
                nulls_distinct=False,
            ),
        ),
        migrations.AddField(
            model_name="enteredinerror",
            name="marked_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="marked by",
            ),
        ),
        migrations.AddField(
            model_name="enteredinerror",
            name="patient",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="registry.patient",
            ),
        ),
        migrations.AddField(
            model_name="enteredinerror",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="study_sites.site",
                verbose_name="site",
            ),
        ),
        migrations.AddField(
            model_name="enteredinerror",
            name="taken_back_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="taken back by",
            ),
        ),
        migrations.AddIndex(
            model_name="enteredinerror",
            index=models.Index(fields=["site", "patient"], name="entered_in_error_by_patient"),
        ),
        migrations.AddConstraint(
            model_name="enteredinerror",
            constraint=models.UniqueConstraint(
                condition=models.Q(("taken_back_at", None)), fields=("form", "record"), name="entered_in_error_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="enteredinerror",
            constraint=models.CheckConstraint(
                condition=models.Q(("form__in", ["patient", "assessment", "adverse_event", "own_record"])),
                name="entered_in_error_form_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="enteredinerror",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="entered_in_error_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="enteredinerror",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("taken_back_at", None), ("taken_back_reason", "")),
                    models.Q(("taken_back_at__isnull", False), models.Q(("taken_back_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="entered_in_error_taken_back_for_a_reason",
            ),
        ),
        migrations.RunSQL(SAME_SITE, migrations.RunSQL.noop),
    ]
