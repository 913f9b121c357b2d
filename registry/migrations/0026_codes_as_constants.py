"""Lists of codes in check constraints as constants: PostgreSQL takes them as they are instead of making an array of them,
text by text, for each statement that writes the table. The same names refuse the same values.

The constraints of a table are replaced by one statement, which looks at its rows once.
"""

from django.db import migrations, models

# Model to (constraint, column, type of the codes, codes).
CODES = {
    "patient": [
        ("patient_baseline_state_known", "baseline_state", "text", "draft,complete,verified,locked"),
        ("patient_surgery_state_known", "surgery_state", "text", "draft,complete,verified,locked"),
        ("patient_sex_accepted", "sex", "text", "male,female"),
        (
            "patient_primary_tumour_accepted",
            "primary_tumour",
            "text",
            "lung,digestive,renal,breast,prostate,hematological,thyroid,unknown,other",
        ),
        ("patient_procedure_accepted", "procedure", "text", "psf,pps,decompression,anterior,bkp,tes"),
        ("patient_tokuhashi_general_condition_accepted", "tokuhashi_general_condition", "smallint", "0,1,2"),
        ("patient_tokuhashi_extraspinal_bone_accepted", "tokuhashi_extraspinal_bone", "smallint", "0,1,2"),
        ("patient_tokuhashi_vertebral_accepted", "tokuhashi_vertebral", "smallint", "0,1,2"),
        ("patient_tokuhashi_organs_accepted", "tokuhashi_organs", "smallint", "0,1,2"),
        ("patient_tokuhashi_primary_accepted", "tokuhashi_primary", "smallint", "0,1,2,3,4,5"),
        ("patient_tokuhashi_palsy_accepted", "tokuhashi_palsy", "smallint", "0,1,2"),
        ("patient_sins_location_accepted", "sins_location", "smallint", "0,1,2,3"),
        ("patient_sins_pain_accepted", "sins_pain", "smallint", "0,1,3"),
        ("patient_sins_bone_lesion_accepted", "sins_bone_lesion", "smallint", "0,1,2"),
        ("patient_sins_alignment_accepted", "sins_alignment", "smallint", "0,2,4"),
        ("patient_sins_collapse_accepted", "sins_collapse", "smallint", "0,1,2,3"),
        ("patient_sins_posterolateral_accepted", "sins_posterolateral", "smallint", "0,1,3"),
        ("patient_vital_status_accepted", "vital_status", "text", "alive,dead"),
        ("patient_cci_infarct_accepted", "cci_infarct", "smallint", "0,1"),
        ("patient_cci_heart_failure_accepted", "cci_heart_failure", "smallint", "0,1"),
        ("patient_cci_vascular_accepted", "cci_vascular", "smallint", "0,1"),
        ("patient_cci_cerebrovascular_accepted", "cci_cerebrovascular", "smallint", "0,1"),
        ("patient_cci_dementia_accepted", "cci_dementia", "smallint", "0,1"),
        ("patient_cci_pulmonary_accepted", "cci_pulmonary", "smallint", "0,1"),
        ("patient_cci_connective_accepted", "cci_connective", "smallint", "0,1"),
        ("patient_cci_ulcer_accepted", "cci_ulcer", "smallint", "0,1"),
        ("patient_cci_liver_accepted", "cci_liver", "smallint", "0,1,3"),
        ("patient_cci_diabetes_accepted", "cci_diabetes", "smallint", "0,1,2"),
        ("patient_cci_hemiplegia_accepted", "cci_hemiplegia", "smallint", "0,2"),
        ("patient_cci_renal_accepted", "cci_renal", "smallint", "0,2"),
        ("patient_cci_aids_accepted", "cci_aids", "smallint", "0,6"),
        ("patient_cci_tumour_accepted", "cci_tumour", "smallint", "0,2,6"),
        ("patient_cci_leukaemia_accepted", "cci_leukaemia", "smallint", "0,2"),
        ("patient_cci_lymphoma_accepted", "cci_lymphoma", "smallint", "0,2"),
        (
            "patient_primary_detail_accepted",
            "primary_detail",
            "text",
            "lung,stomach,oesophagus_pancreas,liver,gallbladder,colon,rectum,kidney,breast,prostate,thyroid,myeloma_lymphoma,uterus,bladder,melanoma,sarcoma,neuroendocrine,unknown,other",
        ),
        ("patient_tomita_growth_accepted", "tomita_growth", "smallint", "1,2,4"),
        ("patient_visceral_treatability_accepted", "visceral_treatability", "smallint", "0,2,4"),
        ("patient_visceral_spread_accepted", "visceral_spread", "smallint", "0,1,2"),
        ("patient_skeletal_metastases_accepted", "skeletal_metastases", "smallint", "1,2"),
        ("patient_hormone_dependent_accepted", "hormone_dependent", "smallint", "0,1"),
        ("patient_targeted_drug_accepted", "targeted_drug", "smallint", "0,1"),
        ("patient_katagiri_growth_accepted", "katagiri_growth", "smallint", "0,2,3"),
        ("patient_previous_chemotherapy_accepted", "previous_chemotherapy", "smallint", "0,1"),
        ("patient_walks_independently_accepted", "walks_independently", "smallint", "0,1"),
        ("patient_local_recurrence_accepted", "local_recurrence", "text", "absent,present"),
        ("patient_rt_before_accepted", "rt_before", "text", "none,conventional,stereotactic"),
        ("patient_rt_after_accepted", "rt_after", "text", "none,conventional,stereotactic"),
    ],
    "assessment": [
        ("assessment_state_known", "state", "text", "draft,complete,verified,locked"),
        ("assessment_frankel_accepted", "frankel", "text", "A,B,C,D,E"),
        ("assessment_ecog_ps_accepted", "ecog_ps", "smallint", "0,1,2,3,4,5"),
        ("assessment_barthel_feeding_accepted", "barthel_feeding", "smallint", "0,5,10"),
        ("assessment_barthel_bathing_accepted", "barthel_bathing", "smallint", "0,5"),
        ("assessment_barthel_grooming_accepted", "barthel_grooming", "smallint", "0,5"),
        ("assessment_barthel_dressing_accepted", "barthel_dressing", "smallint", "0,5,10"),
        ("assessment_barthel_bowels_accepted", "barthel_bowels", "smallint", "0,5,10"),
        ("assessment_barthel_bladder_accepted", "barthel_bladder", "smallint", "0,5,10"),
        ("assessment_barthel_toilet_accepted", "barthel_toilet", "smallint", "0,5,10"),
        ("assessment_barthel_transfer_accepted", "barthel_transfer", "smallint", "0,5,10,15"),
        ("assessment_barthel_mobility_accepted", "barthel_mobility", "smallint", "0,5,10,15"),
        ("assessment_barthel_stairs_accepted", "barthel_stairs", "smallint", "0,5,10"),
        ("assessment_eq5d_mobility_accepted", "eq5d_mobility", "smallint", "1,2,3,4,5"),
        ("assessment_eq5d_self_care_accepted", "eq5d_self_care", "smallint", "1,2,3,4,5"),
        ("assessment_eq5d_usual_activities_accepted", "eq5d_usual_activities", "smallint", "1,2,3,4,5"),
        ("assessment_eq5d_pain_discomfort_accepted", "eq5d_pain_discomfort", "smallint", "1,2,3,4,5"),
        ("assessment_eq5d_anxiety_depression_accepted", "eq5d_anxiety_depression", "smallint", "1,2,3,4,5"),
        ("assessment_respondent_accepted", "respondent", "text", "self,proxy,interviewer"),
        ("assessment_kps_accepted", "kps", "smallint", "100,90,80,70,60,50,40,30,20,10,0"),
        ("assessment_ais_accepted", "ais", "text", "A,B,C,D,E"),
        ("assessment_escc_accepted", "escc", "text", "0,1a,1b,1c,2,3"),
        (
            "assessment_cobb_upper_accepted",
            "cobb_upper",
            "text",
            "C1,C2,C3,C4,C5,C6,C7,T1,T2,T3,T4,T5,T6,T7,T8,T9,T10,T11,T12,L1,L2,L3,L4,L5,S",
        ),
        (
            "assessment_cobb_lower_accepted",
            "cobb_lower",
            "text",
            "C1,C2,C3,C4,C5,C6,C7,T1,T2,T3,T4,T5,T6,T7,T8,T9,T10,T11,T12,L1,L2,L3,L4,L5,S",
        ),
        ("assessment_cobb_modality_accepted", "cobb_modality", "text", "xray,ct,mri"),
        ("assessment_cobb_posture_accepted", "cobb_posture", "text", "standing,supine"),
        ("assessment_sosg_version_accepted", "sosg_version", "text", "v1,v2"),
        ("assessment_sosg_direction_accepted", "sosg_direction", "text", "higher_better,higher_worse"),
    ],
    "adverseevent": [
        (
            "adverse_event_kind_accepted",
            "kind",
            "text",
            "surgical_site_infection,wound_problem,neurological_deterioration,hematoma,csf_leak,cement_leakage,hardware_failure,deep_vein_thrombosis,intermuscular_vein_thrombosis,pulmonary_embolism,pneumonia,stress_ulcer,adjacent_fracture,radiation_fracture,massive_bleeding,other",
        ),
        ("adverse_event_clavien_dindo_accepted", "clavien_dindo", "text", "I,II,IIIa,IIIb,IVa,IVb,V"),
        (
            "adverse_event_ae_seriousness_accepted",
            "ae_seriousness",
            "text",
            "none,important,congenital,hospitalisation,disability,life_threatening,death",
        ),
        (
            "adverse_event_ae_relatedness_accepted",
            "ae_relatedness",
            "text",
            "not_related,unlikely,possible,probable,definite",
        ),
        ("adverse_event_ae_expectedness_accepted", "ae_expectedness", "text", "expected,unexpected"),
        (
            "adverse_event_ae_outcome_accepted",
            "ae_outcome",
            "text",
            "recovered,recovering,not_recovered,sequelae,fatal,unknown",
        ),
        ("adverse_event_ae_ctcae_grade_accepted", "ae_ctcae_grade", "smallint", "1,2,3,4,5"),
    ],
    "consent": [
        ("consent_agreed_language_accepted", "agreed_language", "text", "ja,en,other"),
    ],
    "consentwithdrawal": [
        ("withdrawal_withdrawn_part_accepted", "withdrawn_part", "text", "contact,data_use"),
    ],
    "ownrecord": [
        ("own_record_state_known", "state", "text", "draft,complete,verified,locked"),
    ],
    "followupend": [
        ("follow_up_end_end_kind_accepted", "end_kind", "text", "withdrawn,lost"),
        (
            "follow_up_end_end_reason_accepted",
            "end_reason",
            "text",
            "burden,health,privacy,moved,elsewhere,unreachable,other,not_given",
        ),
        ("follow_up_end_end_data_use_accepted", "end_data_use", "text", "keep,stop"),
    ],
    "screeningentry": [
        ("screening_screen_sex_accepted", "screen_sex", "text", "male,female"),
        (
            "screening_screen_outcome_accepted",
            "screen_outcome",
            "text",
            "screened,not_eligible,eligible,declined,not_approached,consented,enrolled,in_error",
        ),
        (
            "screening_screen_reason_accepted",
            "screen_reason",
            "text",
            "criterion,age,no_surgery,no_metastasis,no_capacity,too_ill,burden,privacy,treatment,not_given,missed,emergency,died,elsewhere,other",
        ),
    ],
}


def condition(column, kind, codes):
    template = f"%(expressions)s = ANY ('{{{codes}}}'::{kind}[])"
    return models.Func(models.F(column), template=template, output_field=models.BooleanField())


def as_list(column, kind, codes):
    """SQL of the condition as it was before."""
    quote = "{}" if kind == "smallint" else "'{}'"
    return f'"{column}" IN ({", ".join(quote.format(code) for code in codes.split(","))})'


def as_constant(column, kind, codes):
    return f"\"{column}\" = ANY ('{{{codes}}}'::{kind}[])"


def statement(model, written):
    """SQL that replaces the constraints of a model's table by those that `written` gives."""
    acts = []
    for name, column, kind, codes in CODES[model]:
        acts += [f"DROP CONSTRAINT IF EXISTS {name}", f"ADD CONSTRAINT {name} CHECK ({written(column, kind, codes)})"]
    return f"ALTER TABLE registry_{model} {', '.join(acts)}"


def in_state(model):
    for name, column, kind, codes in CODES[model]:
        constraint = models.CheckConstraint(condition=condition(column, kind, codes), name=name)
        yield migrations.RemoveConstraint(model, name)
        yield migrations.AddConstraint(model, constraint)


class Migration(migrations.Migration):
    atomic = (
        False  # each statement is whole and may be run again; in one transaction every table stayed locked to the end
    )
    dependencies = [("registry", "0025_counting_indexes"), ("study_sites", "0007_entry_in_steps")]

    operations = [
        migrations.RunSQL(
            statement(model, as_constant), statement(model, as_list), state_operations=list(in_state(model))
        )
        for model in CODES
    ]
