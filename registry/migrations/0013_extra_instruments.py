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
        f"CREATE OR REPLACE TRIGGER record_stored BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION "
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
        ("registry", "0012_patient_links"),
        ("study_sites", "0007_faster_loading"),
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
            name="cobb_deg",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="cobb_lower",
            field=models.CharField(blank=True, max_length=3, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="cobb_modality",
            field=models.CharField(blank=True, max_length=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="cobb_posture",
            field=models.CharField(blank=True, max_length=8, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="cobb_upper",
            field=models.CharField(blank=True, max_length=3, null=True),
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
            model_name="assessment",
            name="sosg_direction",
            field=models.CharField(blank=True, max_length=13, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_mental",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_neurological",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_pain",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_physical",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_social",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_total",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="assessment",
            name="sosg_version",
            field=models.CharField(blank=True, max_length=2, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="albumin_g_dl",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=2, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="bilirubin_mg_dl",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=3, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="calcium_mg_dl",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=3, null=True),
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
            name="crp_mg_dl",
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="hormone_dependent",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="katagiri_growth",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="ldh_iu_l",
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
        migrations.AddField(
            model_name="patient",
            name="platelets_1000_ul",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="previous_chemotherapy",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="primary_detail",
            field=models.CharField(blank=True, max_length=19, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_after",
            field=models.CharField(blank=True, max_length=12, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_after_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_after_dose_gy",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_after_fractions",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_before",
            field=models.CharField(blank=True, max_length=12, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_before_date",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_before_dose_gy",
            field=models.DecimalField(blank=True, decimal_places=1, max_digits=4, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="rt_before_fractions",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="skeletal_metastases",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="targeted_drug",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="tomita_growth",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="visceral_spread",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="visceral_treatability",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="patient",
            name="walks_independently",
            field=models.SmallIntegerField(blank=True, null=True),
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
                condition=models.Q(("cobb_deg__gte", -90), ("cobb_deg__lte", 120)), name="assessment_cobb_deg_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cobb_upper__in",
                        [
                            "C1",
                            "C2",
                            "C3",
                            "C4",
                            "C5",
                            "C6",
                            "C7",
                            "T1",
                            "T2",
                            "T3",
                            "T4",
                            "T5",
                            "T6",
                            "T7",
                            "T8",
                            "T9",
                            "T10",
                            "T11",
                            "T12",
                            "L1",
                            "L2",
                            "L3",
                            "L4",
                            "L5",
                            "S",
                        ],
                    )
                ),
                name="assessment_cobb_upper_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cobb_lower__in",
                        [
                            "C1",
                            "C2",
                            "C3",
                            "C4",
                            "C5",
                            "C6",
                            "C7",
                            "T1",
                            "T2",
                            "T3",
                            "T4",
                            "T5",
                            "T6",
                            "T7",
                            "T8",
                            "T9",
                            "T10",
                            "T11",
                            "T12",
                            "L1",
                            "L2",
                            "L3",
                            "L4",
                            "L5",
                            "S",
                        ],
                    )
                ),
                name="assessment_cobb_lower_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("cobb_modality__in", ["xray", "ct", "mri"])),
                name="assessment_cobb_modality_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("cobb_posture__in", ["standing", "supine"])),
                name="assessment_cobb_posture_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_version__in", ["v1", "v2"])), name="assessment_sosg_version_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_direction__in", ["higher_better", "higher_worse"])),
                name="assessment_sosg_direction_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_physical__gte", 0), ("sosg_physical__lte", 100)),
                name="assessment_sosg_physical_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_pain__gte", 0), ("sosg_pain__lte", 100)), name="assessment_sosg_pain_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_mental__gte", 0), ("sosg_mental__lte", 100)),
                name="assessment_sosg_mental_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_social__gte", 0), ("sosg_social__lte", 100)),
                name="assessment_sosg_social_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_neurological__gte", 0), ("sosg_neurological__lte", 100)),
                name="assessment_sosg_neurological_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=models.Q(("sosg_total__gte", 0), ("sosg_total__lte", 100)),
                name="assessment_sosg_total_accepted",
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
                    models.Q(
                        ("cobb_deg__isnull", True),
                        models.Q(("missing__has_key", "cobb_deg"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_upper__isnull", True),
                        models.Q(("missing__has_key", "cobb_upper"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_lower__isnull", True),
                        models.Q(("missing__has_key", "cobb_lower"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_modality__isnull", True),
                        models.Q(("missing__has_key", "cobb_modality"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("cobb_posture__isnull", True),
                        models.Q(("missing__has_key", "cobb_posture"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_version__isnull", True),
                        models.Q(("missing__has_key", "sosg_version"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_direction__isnull", True),
                        models.Q(("missing__has_key", "sosg_direction"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_physical__isnull", True),
                        models.Q(("missing__has_key", "sosg_physical"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_pain__isnull", True),
                        models.Q(("missing__has_key", "sosg_pain"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_mental__isnull", True),
                        models.Q(("missing__has_key", "sosg_mental"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_social__isnull", True),
                        models.Q(("missing__has_key", "sosg_social"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_neurological__isnull", True),
                        models.Q(("missing__has_key", "sosg_neurological"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("sosg_total__isnull", True),
                        models.Q(("missing__has_key", "sosg_total"), _negated=True),
                        _connector="OR",
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
                condition=models.Q(
                    (
                        "primary_detail__in",
                        [
                            "lung",
                            "stomach",
                            "oesophagus_pancreas",
                            "liver",
                            "gallbladder",
                            "colon",
                            "rectum",
                            "kidney",
                            "breast",
                            "prostate",
                            "thyroid",
                            "myeloma_lymphoma",
                            "uterus",
                            "bladder",
                            "melanoma",
                            "sarcoma",
                            "neuroendocrine",
                            "unknown",
                            "other",
                        ],
                    )
                ),
                name="patient_primary_detail_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("tomita_growth__in", [1, 2, 4])), name="patient_tomita_growth_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("visceral_treatability__in", [0, 2, 4])),
                name="patient_visceral_treatability_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("visceral_spread__in", [0, 1, 2])), name="patient_visceral_spread_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("skeletal_metastases__in", [1, 2])), name="patient_skeletal_metastases_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("hormone_dependent__in", [0, 1])), name="patient_hormone_dependent_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("targeted_drug__in", [0, 1])), name="patient_targeted_drug_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("katagiri_growth__in", [0, 2, 3])), name="patient_katagiri_growth_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("previous_chemotherapy__in", [0, 1])), name="patient_previous_chemotherapy_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("walks_independently__in", [0, 1])), name="patient_walks_independently_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("albumin_g_dl__gte", 0), ("albumin_g_dl__lte", 8)),
                name="patient_albumin_g_dl_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("crp_mg_dl__gte", 0), ("crp_mg_dl__lte", 60)), name="patient_crp_mg_dl_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("ldh_iu_l__gte", 1), ("ldh_iu_l__lte", 30000)), name="patient_ldh_iu_l_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("platelets_1000_ul__gte", 1), ("platelets_1000_ul__lte", 3000)),
                name="patient_platelets_1000_ul_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("calcium_mg_dl__gte", 1), ("calcium_mg_dl__lte", 25)),
                name="patient_calcium_mg_dl_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("bilirubin_mg_dl__gte", 0), ("bilirubin_mg_dl__lte", 60)),
                name="patient_bilirubin_mg_dl_accepted",
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
                condition=models.Q(("rt_before__in", ["none", "conventional", "stereotactic"])),
                name="patient_rt_before_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_before_date__gte", "1900-01-01")), name="patient_rt_before_date_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_before_dose_gy__gte", 0), ("rt_before_dose_gy__lte", 150)),
                name="patient_rt_before_dose_gy_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_before_fractions__gte", 1), ("rt_before_fractions__lte", 60)),
                name="patient_rt_before_fractions_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_after__in", ["none", "conventional", "stereotactic"])),
                name="patient_rt_after_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_after_date__gte", "1900-01-01")), name="patient_rt_after_date_accepted"
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_after_dose_gy__gte", 0), ("rt_after_dose_gy__lte", 150)),
                name="patient_rt_after_dose_gy_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_after_fractions__gte", 1), ("rt_after_fractions__lte", 60)),
                name="patient_rt_after_fractions_accepted",
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
                condition=models.Q(("surgery_date__gte", models.F("rt_before_date"))),
                name="patient_radiotherapy_before_surgery",
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(("rt_after_date__gte", models.F("surgery_date"))),
                name="patient_radiotherapy_after_surgery",
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
                        ("primary_detail__isnull", True),
                        models.Q(("missing__has_key", "primary_detail"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("tomita_growth__isnull", True),
                        models.Q(("missing__has_key", "tomita_growth"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("visceral_treatability__isnull", True),
                        models.Q(("missing__has_key", "visceral_treatability"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("visceral_spread__isnull", True),
                        models.Q(("missing__has_key", "visceral_spread"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("skeletal_metastases__isnull", True),
                        models.Q(("missing__has_key", "skeletal_metastases"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("hormone_dependent__isnull", True),
                        models.Q(("missing__has_key", "hormone_dependent"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("targeted_drug__isnull", True),
                        models.Q(("missing__has_key", "targeted_drug"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("katagiri_growth__isnull", True),
                        models.Q(("missing__has_key", "katagiri_growth"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("previous_chemotherapy__isnull", True),
                        models.Q(("missing__has_key", "previous_chemotherapy"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("walks_independently__isnull", True),
                        models.Q(("missing__has_key", "walks_independently"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("albumin_g_dl__isnull", True),
                        models.Q(("missing__has_key", "albumin_g_dl"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("crp_mg_dl__isnull", True),
                        models.Q(("missing__has_key", "crp_mg_dl"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("ldh_iu_l__isnull", True),
                        models.Q(("missing__has_key", "ldh_iu_l"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("platelets_1000_ul__isnull", True),
                        models.Q(("missing__has_key", "platelets_1000_ul"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("calcium_mg_dl__isnull", True),
                        models.Q(("missing__has_key", "calcium_mg_dl"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("bilirubin_mg_dl__isnull", True),
                        models.Q(("missing__has_key", "bilirubin_mg_dl"), _negated=True),
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
                    models.Q(
                        ("rt_before__isnull", True),
                        models.Q(("missing__has_key", "rt_before"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_before_date__isnull", True),
                        models.Q(("missing__has_key", "rt_before_date"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_before_dose_gy__isnull", True),
                        models.Q(("missing__has_key", "rt_before_dose_gy"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_before_fractions__isnull", True),
                        models.Q(("missing__has_key", "rt_before_fractions"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_after__isnull", True),
                        models.Q(("missing__has_key", "rt_after"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_after_date__isnull", True),
                        models.Q(("missing__has_key", "rt_after_date"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_after_dose_gy__isnull", True),
                        models.Q(("missing__has_key", "rt_after_dose_gy"), _negated=True),
                        _connector="OR",
                    ),
                    models.Q(
                        ("rt_after_fractions__isnull", True),
                        models.Q(("missing__has_key", "rt_after_fractions"), _negated=True),
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
