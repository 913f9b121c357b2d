"""The whole demonstration registry: strata put together, with sites, dates, numbers and reasons for what is missing."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from registry.demo.segi2025 import published
from registry.demo.segi2025.later import course
from registry.demo.segi2025.people import AFTER, BEFORE, people, study_people
from registry.demo.segi2025.strata import analysed, left_out
from registry.instruments import catalogue
from registry.instruments.core.patient import age_on
from registry.instruments.timepoints import SCHEDULE, timepoint

DEFAULT_SEED = 2024
FIRST_DAY, LAST_DAY = date.fromisoformat(published.FIRST_DAY), date.fromisoformat(published.LAST_DAY)
LAST_VISIT = date(2021, 9, 30)  # nobody is seen after this day
CONSENT_BEFORE = 24  # days
BEFORE_SURGERY, ONE_MONTH = SCHEDULE[0], timepoint("1m")
ATTENDANCE = {"1m": 0.95, "3m": 0.9, "6m": 0.86, "12m": 0.82, "24m": 0.8}

# Why something is missing: what the patient answers, and what staff record.
ASKED = ("pain_vas_mm", "eq5d_", "eq_vas")  # how the names of what the patient answers begin
WHY_NOT_ASKED = {"unknown": 0.35, "refused": 0.25, "too_ill": 0.25, "not_done": 0.15}
WHY_NOT_RECORDED = {"unknown": 0.6, "not_done": 0.4}
FURTHER_EVENTS = (("csf_leak", 0.02), ("hematoma", 0.015), ("deep_vein_thrombosis", 0.02), ("pneumonia", 0.02),
                  ("hardware_failure", 0.02))  # fmt: skip

KEYS = tuple(item.name for item in catalogue.ASSESSMENT_KEYS)
MEASURED = tuple(name for name in catalogue.ASSESSMENT_COLUMNS if name not in KEYS)
MISSING_SUFFIX = "_missing"
PATIENT_COLUMNS = catalogue.PATIENT_COLUMNS
ASSESSMENT_COLUMNS = catalogue.ASSESSMENT_COLUMNS + tuple(name + MISSING_SUFFIX for name in MEASURED)
ADVERSE_EVENT_COLUMNS = ("patient_id", "kind", "onset_date")

REGIONS = (
    ("Hokkaido", 3), ("Tohoku", 4), ("Kanto", 9), ("Chubu", 8), ("Kinki", 6),
    ("Chugoku", 3), ("Shikoku", 2), ("Kyushu", 3),
)  # fmt: skip


@dataclass(frozen=True)
class DemoSite:
    """An invented hospital."""

    code: str
    name: str
    name_ja: str
    region: str


@dataclass(frozen=True)
class Cohort:
    """Rows of the three files (column -> value, None for an empty cell), and the sites they belong to."""

    seed: int
    sites: tuple[DemoSite, ...]
    patients: tuple[dict, ...]
    assessments: tuple[dict, ...]
    adverse_events: tuple[dict, ...]


def make_cohort(seed=DEFAULT_SEED):
    """413 synthetic patients of 38 invented sites. The same seed gives the same patients; any seed the same margins."""
    rng = np.random.default_rng(seed)
    persons = study_people(analysed(rng), rng)
    persons += [person for stratum in left_out(rng) for person in people(stratum, rng)]
    sites = _sites()
    placed = _enrolled(persons, sites, rng)
    patients, assessments, events = [], [], []
    for person, patient_id, site_code, consent, surgery in placed:
        patient = _patient_row(person, patient_id, site_code, consent, surgery, rng)
        patients.append(patient)
        assessments += _assessment_rows(person, patient, rng)
        events += _event_rows(person, patient, rng)
    return Cohort(seed, sites, tuple(patients), tuple(assessments), tuple(events))


# -- sites, dates and numbers ----------------------------------------------------------------------------------------


def _sites():
    regions = [region for region, n in REGIONS for _ in range(n)]
    return tuple(
        DemoSite(f"S{i:02d}", f"Demonstration hospital {i:02d} (synthetic)", f"デモ病院{i:02d}（架空）", region)
        for i, region in enumerate(regions, start=1)
    )


def _enrolled(persons, sites, rng):
    """(person, patient_id, site_code, consent, surgery), numbered within each site in the order of consent."""
    weights = rng.gamma(1.6, size=len(sites))
    # A large centre and a small one for a start, so that the first sites of a demonstration have something to show.
    weights = np.sort(weights)[::-1][np.argsort(np.arange(len(sites)) + rng.normal(0, 6, len(sites)))]
    more = rng.choice(len(sites), size=len(persons) - len(sites), p=weights / weights.sum())
    at = rng.permutation(np.concatenate([np.arange(len(sites)), more]))
    placed = []
    for person, site in zip(persons, at, strict=True):
        surgery = _surgery_day(person, rng)
        earliest = max(FIRST_DAY, surgery - timedelta(days=CONSENT_BEFORE))
        consent = surgery - timedelta(days=int((surgery - earliest).days * rng.random() ** 1.7))
        placed.append((int(site), consent, surgery, person))
    placed.sort(key=lambda patient: patient[:3])
    numbers, rows = dict.fromkeys(range(len(sites)), 0), []
    for site, consent, surgery, person in placed:
        numbers[site] += 1
        code = sites[site].code
        rows.append((person, f"{code}-{numbers[site]:04d}", code, consent, surgery))
    return rows


def _surgery_day(person, rng):
    """Within the enrolment period, and early enough for the patient's follow-up to end before the last visit."""
    first = FIRST_DAY + timedelta(days=CONSENT_BEFORE // 3)
    last = min(LAST_DAY, LAST_VISIT - timedelta(days=person.followup_days))
    return first + timedelta(days=int(rng.integers(0, (last - first).days + 1)))


# -- rows --------------------------------------------------------------------------------------------------------------


def _patient_row(person, patient_id, site_code, consent, surgery, rng):
    end = surgery + timedelta(days=person.followup_days)
    row = dict(
        patient_id=patient_id,
        site_code=site_code,
        sex=person.sex,
        birth_date=_birth_date(surgery, person.age, rng),
        consent_date=consent,
        primary_tumour=person.primary_tumour,
        lesion_levels=";".join(person.levels),
        procedure=person.procedure,
        surgery_date=surgery,
        operative_time_min=person.operative_time_min,
        blood_loss_ml=person.blood_loss_ml,
        **person.tokuhashi,
        **person.sins,
        last_contact_date=end,
        vital_status="dead" if person.died else "alive",
        death_date=end if person.died else None,
    )
    return {name: row[name] for name in PATIENT_COLUMNS}


def _birth_date(surgery, age, rng):
    """A birthday that makes `age` the completed years on the day of surgery."""
    while True:
        day = surgery - timedelta(days=int(rng.integers(0, 365)) + round(age * 365.25))
        if age_on(surgery, day) == age:
            return day


def _assessment_rows(person, patient, rng):
    surgery = patient["surgery_date"]
    asked, recorded = (
        str(rng.choice(list(reasons), p=list(reasons.values()))) for reasons in (WHY_NOT_ASKED, WHY_NOT_RECORDED)
    )

    def row(code, day, answers):
        values = {name: answers.get(name) for name in MEASURED}
        reasons = {
            name + MISSING_SUFFIX: (asked if name.startswith(ASKED) else recorded) if value is None else None
            for name, value in values.items()
        }
        keys = dict(zip(KEYS, (patient["patient_id"], code, surgery + timedelta(days=day)), strict=True))
        return keys | values | reasons

    waited = (surgery - patient["consent_date"]).days
    before = -int(rng.integers(0, min(waited, BEFORE_SURGERY.before, 10) + 1))
    rows = [row(BEFORE_SURGERY.code, before, person.answers[BEFORE])]
    attended = {visit.code: day for visit in SCHEDULE[1:] if (day := _visit_day(person, visit, rng)) is not None}
    if (day := attended.pop(ONE_MONTH.code, None)) is not None:
        rows.append(row(ONE_MONTH.code, day, person.answers[AFTER]))
    later = course(person, attended.values(), rng)
    return rows + [row(code, day, later[day]) for code, day in attended.items()]


def _visit_day(person, visit, rng):
    """The day of a visit after surgery, near its target and inside its window, or None where there was none."""
    if person.followup_days < visit.day - visit.before // 2 or person.stratum == "lost":
        return None
    always = visit is ONE_MONTH and person.stratum in published.GROUPS
    if rng.random() > ATTENDANCE[visit.code] and not always:
        return None
    day = visit.day + round(float(rng.normal(0, visit.after / 3)))
    return min(max(day, visit.day - visit.before), visit.day + visit.after, person.followup_days)


def _event_rows(person, patient, rng):
    def onset(first, last):
        last = min(last, person.followup_days)
        return patient["surgery_date"] + timedelta(days=int(rng.integers(min(first, last), last + 1)))

    events = []
    if person.wound_event:
        infection, problem = published.WOUND_KINDS
        kinds = ((infection,), (problem,), (problem, infection))[int(rng.choice(3, p=[0.55, 0.3, 0.15]))]
        events += [(kind, onset(6, 28)) for kind in kinds]
    if person.neurological_event:
        events.append(("neurological_deterioration", onset(0, 14)))
    events += [(kind, onset(0, 60)) for kind, chance in FURTHER_EVENTS if rng.random() < chance]
    if person.procedure == "bkp" and rng.random() < 0.3:
        events.append(("cement_leakage", onset(0, 1)))
    rows = [(patient["patient_id"], kind, day) for kind, day in sorted(events, key=lambda event: event[1])]
    return [dict(zip(ADVERSE_EVENT_COLUMNS, row, strict=True)) for row in rows]
