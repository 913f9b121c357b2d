import django.db.models.deletion
from django.db import migrations, models

# The line stays when the record of its patient is erased; nobody is behind it then.
LEADS_TO = """
ALTER TABLE registry_screeningentry ADD CONSTRAINT registry_screeningentry_patient FOREIGN KEY (patient_id)
    REFERENCES registry_patient (patient_id) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0013_licensed_wording"),
        ("study_sites", "0004_audit_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScreeningEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(verbose_name="number in the log")),
                ("screened_on", models.DateField(blank=True, null=True)),
                ("screen_age", models.SmallIntegerField(blank=True, null=True)),
                ("screen_sex", models.CharField(blank=True, max_length=6, null=True)),
                ("screen_outcome", models.CharField(blank=True, max_length=14, null=True)),
                ("screen_reason", models.CharField(blank=True, max_length=13, null=True)),
                ("screen_criterion", models.CharField(blank=True, max_length=20, null=True)),
                ("version", models.IntegerField(db_default=1, default=1, editable=False)),
                ("updated_at", models.DateTimeField(editable=False, null=True)),
                ("updated_by_id", models.BigIntegerField(editable=False, null=True)),
                (
                    "patient",
                    models.OneToOneField(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="screening",
                        to="registry.patient",
                        verbose_name="patient",
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
                "verbose_name": "entry of the screening log",
                "verbose_name_plural": "entries of the screening log",
                "ordering": ["-screened_on", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("site", "number"), name="screening_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(("screen_outcome__isnull", False), ("screened_on__isnull", False)),
                        name="screening_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("screen_reason", None),
                                models.Q(
                                    ("screen_outcome__in", ["not_eligible", "declined", "not_approached"]),
                                    _negated=True,
                                ),
                            ),
                            models.Q(
                                ("screen_outcome", "not_eligible"),
                                (
                                    "screen_reason__in",
                                    [
                                        "criterion",
                                        "age",
                                        "no_surgery",
                                        "no_metastasis",
                                        "no_capacity",
                                        "too_ill",
                                        "other",
                                    ],
                                ),
                                ("screen_reason__isnull", False),
                            ),
                            models.Q(
                                ("screen_outcome", "declined"),
                                ("screen_reason__in", ["burden", "privacy", "treatment", "not_given", "other"]),
                                ("screen_reason__isnull", False),
                            ),
                            models.Q(
                                ("screen_outcome", "not_approached"),
                                ("screen_reason__in", ["missed", "emergency", "died", "elsewhere", "other"]),
                                ("screen_reason__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="screening_reason_of_outcome",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("screen_criterion", None),
                            models.Q(("screen_reason", "criterion"), ("screen_reason__isnull", False)),
                            _connector="OR",
                        ),
                        name="screening_criterion",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("patient", None), ("screen_outcome__in", ["enrolled", "in_error"]), _connector="OR"
                        ),
                        name="screening_enrolled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("screened_on__gte", "1900-01-01")), name="screening_screened_on_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("screen_age__gte", 0), ("screen_age__lte", 120)),
                        name="screening_screen_age_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("screen_sex__in", ["male", "female"])), name="screening_screen_sex_accepted"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "screen_outcome__in",
                                [
                                    "screened",
                                    "not_eligible",
                                    "eligible",
                                    "declined",
                                    "not_approached",
                                    "consented",
                                    "enrolled",
                                    "in_error",
                                ],
                            )
                        ),
                        name="screening_screen_outcome_accepted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "screen_reason__in",
                                [
                                    "criterion",
                                    "age",
                                    "no_surgery",
                                    "no_metastasis",
                                    "no_capacity",
                                    "too_ill",
                                    "burden",
                                    "privacy",
                                    "treatment",
                                    "not_given",
                                    "missed",
                                    "emergency",
                                    "died",
                                    "elsewhere",
                                    "other",
                                ],
                            )
                        ),
                        name="screening_screen_reason_accepted",
                    ),
                ],
            },
        ),
        migrations.RunSQL(LEADS_TO, migrations.RunSQL.noop),
    ]
