"""Extra instruments: a switch for each, their columns on the records of the forms that ask them, and their guards."""

import django.db.models.expressions
from django.db import migrations, models

from registry.instruments import catalogue
from registry.instruments.keys import ASSESSMENT_DATE
from registry.models.clinical import BASELINE, SURGERY
from registry.models.columns import stored_items
from sites.protection import audited


def record_stored(table, forms, before):
    """Operation: which columns belong to which form, so that a change of a completed one needs a reason.

    forms, before  pairs of a state column and the items of its form, from now on and as they were
    """
    sql = [
        f"CREATE OR REPLACE TRIGGER record_stored BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION "
        f"record_stored({', '.join(_argument(state, items) for state, items in one)})"
        for one in (forms, before)
    ]
    return migrations.RunSQL(*sql)


def _argument(state, items):
    return f"'{state}', '{','.join(item.name for item in items)}'"


BASELINE_ITEMS, SURGERY_ITEMS = stored_items(BASELINE), stored_items(SURGERY)
ASSESSMENT_ITEMS = (ASSESSMENT_DATE, *stored_items(catalogue.ASSESSMENT))
EXTRAS = {form: stored_items(instruments) for form, instruments in catalogue.EXTRAS.items()}


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0008_imports"),
        ("study_sites", "0006_api_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="InstrumentSwitch",
            fields=[
                ("code", models.CharField(max_length=20, primary_key=True, serialize=False, verbose_name="instrument")),
                ("on", models.BooleanField(verbose_name="switched on")),
            ],
            options={
                "verbose_name": "extra instrument",
                "verbose_name_plural": "extra instruments",
                "ordering": ["code"],
            },
        ),
        migrations.AddField(
            model_name="assessment",
            name="ais",
            field=models.CharField(blank=True, max_length=1, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="escc",
            field=models.CharField(blank=True, max_length=2, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="kps",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_aids",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_cerebrovascular",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_connective",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_dementia",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_diabetes",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_heart_failure",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_hemiplegia",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_infarct",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_leukaemia",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_liver",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_lymphoma",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_pulmonary",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_renal",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_tumour",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_ulcer",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_vascular",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="local_recurrence",
            field=models.CharField(blank=True, max_length=7, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="local_recurrence_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("kps__in", [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0])),
                name="assessment_kps_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("ais__in", ["A", "B", "C", "D", "E"])), name="assessment_ais_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("escc__in", ["0", "1a", "1b", "1c", "2", "3"])), name="assessment_escc_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kps__isnull", True), models.Q(("missing__has_key", "kps"), _negated=True), _connector="OR"
                    ),
                    models.Q(
                        ("ais__isnull", True), models.Q(("missing__has_key", "ais"), _negated=True), _connector="OR"
                    ),
                    models.Q(
                        ("escc__isnull", True), models.Q(("missing__has_key", "escc"), _negated=True), _connector="OR"
                    ),
                ),
                name="assessment_extra_or_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_infarct__in", [0, 1])), name="patient_cci_infarct_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_heart_failure__in", [0, 1])), name="patient_cci_heart_failure_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_vascular__in", [0, 1])), name="patient_cci_vascular_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_cerebrovascular__in", [0, 1])), name="patient_cci_cerebrovascular_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_dementia__in", [0, 1])), name="patient_cci_dementia_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_pulmonary__in", [0, 1])), name="patient_cci_pulmonary_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_connective__in", [0, 1])), name="patient_cci_connective_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_ulcer__in", [0, 1])), name="patient_cci_ulcer_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_liver__in", [0, 1, 3])), name="patient_cci_liver_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_diabetes__in", [0, 1, 2])), name="patient_cci_diabetes_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_hemiplegia__in", [0, 2])), name="patient_cci_hemiplegia_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_renal__in", [0, 2])), name="patient_cci_renal_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_aids__in", [0, 6])), name="patient_cci_aids_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_tumour__in", [0, 2, 6])), name="patient_cci_tumour_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_leukaemia__in", [0, 2])), name="patient_cci_leukaemia_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("cci_lymphoma__in", [0, 2])), name="patient_cci_lymphoma_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("local_recurrence__in", ["absent", "present"])),
                name="patient_local_recurrence_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("local_recurrence_date__gte", "1900-01-01")),
                name="patient_local_recurrence_date_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("local_recurrence_date__isnull", True),
                    models.Q(("local_recurrence", "present"), ("local_recurrence__isnull", False)),
                    _connector="OR",
                ),
                name="patient_recurrence_date_only_with_recurrence",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("local_recurrence_date__gte", models.F("surgery_date"))),
                name="patient_surgery_not_after_recurrence",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("death_date__gte", models.F("local_recurrence_date"))),
                name="patient_recurrence_not_after_death",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("cci_infarct__isnull", True),
                        models.Q(("missing__has_key", "cci_infarct"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_heart_failure__isnull", True),
                        models.Q(("missing__has_key", "cci_heart_failure"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_vascular__isnull", True),
                        models.Q(("missing__has_key", "cci_vascular"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_cerebrovascular__isnull", True),
                        models.Q(("missing__has_key", "cci_cerebrovascular"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_dementia__isnull", True),
                        models.Q(("missing__has_key", "cci_dementia"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_pulmonary__isnull", True),
                        models.Q(("missing__has_key", "cci_pulmonary"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_connective__isnull", True),
                        models.Q(("missing__has_key", "cci_connective"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_ulcer__isnull", True),
                        models.Q(("missing__has_key", "cci_ulcer"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_liver__isnull", True),
                        models.Q(("missing__has_key", "cci_liver"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_diabetes__isnull", True),
                        models.Q(("missing__has_key", "cci_diabetes"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_hemiplegia__isnull", True),
                        models.Q(("missing__has_key", "cci_hemiplegia"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_renal__isnull", True),
                        models.Q(("missing__has_key", "cci_renal"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_aids__isnull", True),
                        models.Q(("missing__has_key", "cci_aids"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_tumour__isnull", True),
                        models.Q(("missing__has_key", "cci_tumour"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_leukaemia__isnull", True),
                        models.Q(("missing__has_key", "cci_leukaemia"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cci_lymphoma__isnull", True),
                        models.Q(("missing__has_key", "cci_lymphoma"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("local_recurrence__isnull", True),
                        models.Q(("missing__has_key", "local_recurrence"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("local_recurrence_date__isnull", True),
                        models.Q(("missing__has_key", "local_recurrence_date"), _negated=True),
                        _connector="OR",
                    ),
                ),
                name="patient_extra_or_reason",
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_full",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.expressions.CombinedExpression(
                    django.db.models.expressions.CombinedExpression(
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            django.db.models.expressions.CombinedExpression(
                                                                django.db.models.expressions.CombinedExpression(
                                                                    django.db.models.expressions.CombinedExpression(
                                                                        django.db.models.expressions.CombinedExpression(
                                                                            models.F("cci_infarct"),
                                                                            "+",
                                                                            models.F("cci_heart_failure"),
                                                                        ),
                                                                        "+",
                                                                        models.F("cci_vascular"),
                                                                    ),
                                                                    "+",
                                                                    models.F("cci_cerebrovascular"),
                                                                ),
                                                                "+",
                                                                models.F("cci_dementia"),
                                                            ),
                                                            "+",
                                                            models.F("cci_pulmonary"),
                                                        ),
                                                        "+",
                                                        models.F("cci_connective"),
                                                    ),
                                                    "+",
                                                    models.F("cci_ulcer"),
                                                ),
                                                "+",
                                                models.F("cci_liver"),
                                            ),
                                            "+",
                                            models.F("cci_diabetes"),
                                        ),
                                        "+",
                                        models.F("cci_hemiplegia"),
                                    ),
                                    "+",
                                    models.F("cci_renal"),
                                ),
                                "+",
                                models.F("cci_aids"),
                            ),
                            "+",
                            models.F("cci_tumour"),
                        ),
                        "+",
                        models.F("cci_leukaemia"),
                    ),
                    "+",
                    models.F("cci_lymphoma"),
                ),
                output_field=models.SmallIntegerField(null=True),
            ),
        ),
        migrations.AddField(
            model_name="patient",
            name="cci_without_cancer",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.expressions.CombinedExpression(
                    django.db.models.expressions.CombinedExpression(
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                django.db.models.expressions.CombinedExpression(
                                                    django.db.models.expressions.CombinedExpression(
                                                        django.db.models.expressions.CombinedExpression(
                                                            django.db.models.expressions.CombinedExpression(
                                                                models.F("cci_infarct"),
                                                                "+",
                                                                models.F("cci_heart_failure"),
                                                            ),
                                                            "+",
                                                            models.F("cci_vascular"),
                                                        ),
                                                        "+",
                                                        models.F("cci_cerebrovascular"),
                                                    ),
                                                    "+",
                                                    models.F("cci_dementia"),
                                                ),
                                                "+",
                                                models.F("cci_pulmonary"),
                                            ),
                                            "+",
                                            models.F("cci_connective"),
                                        ),
                                        "+",
                                        models.F("cci_ulcer"),
                                    ),
                                    "+",
                                    models.F("cci_liver"),
                                ),
                                "+",
                                models.F("cci_diabetes"),
                            ),
                            "+",
                            models.F("cci_hemiplegia"),
                        ),
                        "+",
                        models.F("cci_renal"),
                    ),
                    "+",
                    models.F("cci_aids"),
                ),
                output_field=models.SmallIntegerField(null=True),
            ),
        ),
        record_stored(
            "registry_patient",
            [("baseline_state", BASELINE_ITEMS + EXTRAS["baseline"]), ("surgery_state", SURGERY_ITEMS)],
            [("baseline_state", BASELINE_ITEMS), ("surgery_state", SURGERY_ITEMS)],
        ),
        record_stored(
            "registry_assessment",
            [("state", ASSESSMENT_ITEMS + EXTRAS["assessment"])],
            [("state", ASSESSMENT_ITEMS)],
        ),
        audited("registry_instrumentswitch", key="code", site=""),
    ]
