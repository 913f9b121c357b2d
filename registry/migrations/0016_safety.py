"""What a safety report asks of an adverse event, and who was told of a serious one."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# As with other tables of a patient's: the rows go with the patient.
SAME_SITE = """
ALTER TABLE registry_safetynotice ADD CONSTRAINT registry_safetynotice_same_site FOREIGN KEY (site_id, patient_id)
    REFERENCES registry_patient (site_id, patient_id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
AWAY = "ALTER TABLE registry_safetynotice DROP CONSTRAINT registry_safetynotice_same_site;"


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0015_consents"),
        ("study_sites", "0006_languages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SafetyNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seriousness", models.CharField(max_length=16, verbose_name="seriousness")),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="made"),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                ("tried_at", models.DateTimeField(null=True, verbose_name="last tried")),
                ("tries", models.SmallIntegerField(default=0, verbose_name="tries")),
                ("fault", models.CharField(blank=True, max_length=100, verbose_name="why it failed")),
                ("acknowledged_at", models.DateTimeField(null=True, verbose_name="acknowledged")),
            ],
            options={
                "verbose_name": "safety notice",
                "verbose_name_plural": "safety notices",
                "ordering": ["-pk"],
            },
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_ctcae_grade",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_end_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_expectedness",
            field=models.CharField(blank=True, max_length=10, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_meddra_code",
            field=models.IntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_outcome",
            field=models.CharField(blank=True, max_length=13, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_relatedness",
            field=models.CharField(blank=True, max_length=11, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_seriousness",
            field=models.CharField(blank=True, max_length=16, null=True),
        ),
        migrations.AddField(
            model_name="adverseevent",
            name="ae_term",
            field=models.CharField(blank=True, max_length=120, null=True),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "ae_seriousness__in",
                        [
                            "none",
                            "important",
                            "congenital",
                            "hospitalisation",
                            "disability",
                            "life_threatening",
                            "death",
                        ],
                    )
                ),
                name="adverse_event_ae_seriousness_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ae_relatedness__in", ["not_related", "unlikely", "possible", "probable", "definite"])
                ),
                name="adverse_event_ae_relatedness_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ae_expectedness__in", ["expected", "unexpected"])),
                name="adverse_event_ae_expectedness_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ae_outcome__in", ["recovered", "recovering", "not_recovered", "sequelae", "fatal", "unknown"])
                ),
                name="adverse_event_ae_outcome_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ae_end_date__gte", "1900-01-01")), name="adverse_event_ae_end_date_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ae_ctcae_grade__in", [1, 2, 3, 4, 5])),
                name="adverse_event_ae_ctcae_grade_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ae_meddra_code__gte", 10000000), ("ae_meddra_code__lte", 99999999)),
                name="adverse_event_ae_meddra_code_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="adverseevent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ae_end_date__gte", models.F("onset_date"))),
                name="adverse_event_onset_not_after_end",
            ),
        ),
        migrations.AddField(
            model_name="safetynotice",
            name="event",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="notices",
                to="registry.adverseevent",
            ),
        ),
        migrations.AddField(
            model_name="safetynotice",
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
            model_name="safetynotice",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AddField(
            model_name="safetynotice",
            name="site",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="study_sites.site",
                verbose_name="site",
            ),
        ),
        migrations.AddIndex(
            model_name="safetynotice",
            index=models.Index(fields=["site", "patient"], name="safety_notice_by_patient"),
        ),
        migrations.AddIndex(
            model_name="safetynotice",
            index=models.Index(
                condition=models.Q(("acknowledged_at", None)), fields=["person"], name="safety_notice_waiting"
            ),
        ),
        migrations.AddConstraint(
            model_name="safetynotice",
            constraint=models.UniqueConstraint(fields=("event", "person", "seriousness"), name="safety_notice_once"),
        ),
        migrations.RunSQL(SAME_SITE, AWAY),
    ]
