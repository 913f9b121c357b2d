"""A demonstration with something to do today: a few patients of one site, operated in the last weeks.

They are patients whom the study leaves out because of their levels, with all their dates moved to now and what has not
happened yet taken away. Nobody is added: whom the study counts, and every figure of it, stays as it is.
"""

from dataclasses import replace
from datetime import timedelta

from registry.instruments import levels

MOST_VERTEBRAE = 3  # that the study takes, side by side
# Days since surgery, and which assessments are there. By the protocol's schedule, on the day of loading:
WAITING = (
    (9, ("preop",)),  # nothing is due
    (31, ("preop",)),  # 1 month due
    (39, ("preop",)),  # due, the window closes within a week
    (44, ("preop",)),  # due, it closes today
    (58, ("preop",)),  # overdue
    (67, ("preop",)),  # overdue, counts as missed in a few days
    (80, ("preop", "1m")),  # 3 months due
    (109, ("preop", "1m")),  # due, it closes within a week
)
ASKED_ABOUT = 80  # whose assessment at one month the demonstration's query is about: days since surgery


def with_recent_patients(cohort, today, site_code):
    """(the Cohort with some patients of a site moved to the weeks before `today`, who they are)

    Who: WAITING's days since surgery to patient_id. The site's patients are numbered anew, in the order of consent.
    The same cohort and day give the same result. ValueError where the site has too few patients whom the study leaves
    out.
    """
    recorded = {}
    for row in cohort.assessments:
        recorded.setdefault(row["patient_id"], set()).add(row["timepoint"])
    spare = [patient for patient in cohort.patients if patient["site_code"] == site_code and _left_out(patient)]
    moved = {}
    for days, columns in reversed(WAITING):
        donor = next((patient for patient in spare if recorded[patient["patient_id"]].issuperset(columns)), None)
        if donor is None:
            raise ValueError(f"{site_code} has too few patients whom the study leaves out")
        spare.remove(donor)
        moved[donor["patient_id"]] = (today - timedelta(days=days) - donor["surgery_date"], days, frozenset(columns))
    assessments = [row for assessment in cohort.assessments for row in _assessment(assessment, moved)]
    seen = {row["patient_id"]: row["assessment_date"] for row in assessments}  # the last one of each
    patients = [_patient(patient, moved, seen) for patient in cohort.patients]
    events = [event for event in cohort.adverse_events if event["patient_id"] not in moved]
    numbers = _numbered(patients, site_code)
    changed = replace(
        cohort,
        patients=tuple(sorted(_renumbered(patients, numbers), key=lambda patient: patient["patient_id"])),
        assessments=tuple(_renumbered(assessments, numbers)),
        adverse_events=tuple(_renumbered(events, numbers)),
    )
    return changed, {days: numbers[patient_id] for patient_id, (_shift, days, _kept) in moved.items()}


def _left_out(patient):
    involved = patient["lesion_levels"].split(";")
    return len(involved) > MOST_VERTEBRAE or not levels.is_consecutive(involved)


def _assessment(row, moved):
    if row["patient_id"] not in moved:
        return [row]
    shift, _days, columns = moved[row["patient_id"]]
    return [row | {"assessment_date": row["assessment_date"] + shift}] if row["timepoint"] in columns else []


def _patient(row, moved, seen):
    if row["patient_id"] not in moved:
        return row
    shift = moved[row["patient_id"]][0]
    dates = {name: row[name] + shift for name in ("birth_date", "consent_date", "surgery_date")}
    last = max(dates["surgery_date"], seen[row["patient_id"]])
    return row | dates | {"last_contact_date": last, "vital_status": "alive", "death_date": None}


def _numbered(patients, site_code):
    own = sorted(
        (patient for patient in patients if patient["site_code"] == site_code),
        key=lambda patient: patient["consent_date"],
    )
    return {patient["patient_id"]: f"{site_code}-{number:04d}" for number, patient in enumerate(own, start=1)}


def _renumbered(rows, numbers):
    return [row | {"patient_id": numbers.get(row["patient_id"], row["patient_id"])} for row in rows]
