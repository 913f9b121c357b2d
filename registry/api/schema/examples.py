"""Examples of bodies in the schema, one for each operation that has one; the tests send them as they stand."""

PATIENT = "S07-0012"

BODIES = {
    "patients_post": {
        "site_code": "S07",
        "sex": "female",
        "birth_date": "1960-01-02",
        "consent_date": "2026-01-10",
        "consented": True,
        "hospital_number": "123456",
        "initials": "AB",
    },
    "patient_baseline_patch": {"primary_tumour": "lung", "lesion_levels": ["T5", "T6"]},
    "patient_surgery_patch": {
        "procedure": "psf",
        "surgery_date": "2026-01-15",
        "missing": {"blood_loss_ml": "unknown"},
    },
    "patient_follow_up_patch": {"last_contact_date": "2026-03-01", "vital_status": "alive"},
    "patient_identifiers_patch": {"hospital_number": "123457", "reason": "mistyped"},
    "assessments_post": {
        "patient_id": PATIENT,
        "timepoint": "1m",
        "assessment_date": "2026-02-14",
        "frankel": "D",
        "ecog_ps": 2,
        "pain_vas_mm": 40,
        "missing": {"eq_vas": "refused"},
    },
    "assessment_patch": {"eq_vas": 55, "reason": "read from the paper form"},
    "adverse_events_post": {
        "patient_id": PATIENT,
        "kind": "pneumonia",
        "onset_date": "2026-01-20",
        "clavien_dindo": "II",
    },
    "adverse_event_patch": {"clavien_dindo": "IIIa", "reason": "graded again"},
    "patient_in_error_post": {"reason": "enrolled twice"},
    "assessment_in_error_post": {"reason": "of another patient"},
    "adverse_event_in_error_post": {"reason": "recorded twice"},
    "entry_take_back_post": {"reason": "it was right"},
    "own_records_post": {"patient_id": PATIENT, "form": "rt_courses", "missing": {}, "complete": False},
    "own_record_patch": {"missing": {}, "complete": False, "reason": "read from the letter of the radiotherapist"},
    "batch_post": {
        "requests": [
            {
                "method": "POST",
                "path": "assessments",
                "body": {"patient_id": PATIENT, "timepoint": "3m", "assessment_date": "2026-04-14", "ecog_ps": 1},
            },
            {
                "method": "PATCH",
                "path": f"assessments/{PATIENT}/3m",
                "if_match": '"1"',
                "body": {"pain_vas_mm": 20},
            },
        ]
    },
    "cohorts_post": {
        "name": "Lung or breast",
        "note": "For the annual report",
        "steps": [{"step": "primary_tumour", "values": ["lung", "breast"]}],
    },
    "queries_post": {
        "patient_id": PATIENT,
        "form": "assessment",
        "timepoint": "preop",
        "field": "frankel",
        "text": "The notes say D. Which is right?",
    },
    "query_answer_post": {"text": "D: corrected."},
    "query_reopen_post": {"text": "It still says C."},
    "query_close_post": {},
    "exports_post": {"format": "sav", "shape": "wide", "content": ["items", "totals"], "missing": "tagged"},
    "export_presets_post": {"name": "Monthly", "shared": False, "choices": {"format": "sav", "shape": "wide"}},
    "import_decision_post": {"decision": "discard"},
    "snapshots_post": {"label": "Interim analysis", "note": "For the safety board"},
    "comparisons_post": {"cohort": "segi2024", "plan": {"followups": ["1m"], "value_sets": ["JP"]}},
}
REQUIRED = {
    "Enrolment": ["site_code", "sex", "birth_date", "consent_date", "consented"],
    "AssessmentNew": ["patient_id", "timepoint", "assessment_date"],
    "AdverseEventNew": ["patient_id", "kind", "onset_date"],
    "OwnRecordNew": ["patient_id", "form"],
    "Batch": ["requests"],
    "CohortNew": ["name", "steps"],
    "ExportPresetNew": ["name", "choices"],
    "ImportNew": ["file"],
    "ImportDecision": ["decision"],
    "QueryNew": ["patient_id", "form", "text"],
    "QueryStep": ["text"],
    "SnapshotNew": ["label"],
}
