"""Rows of the registry's files for the patients of a study: one invented hospital, dates, and items behind totals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from registry import protocol
from registry.demo.segi2025.cohort import ADVERSE_EVENT_COLUMNS, ASSESSMENT_COLUMNS, PATIENT_COLUMNS, DemoSite
from registry.instruments.core.patient import age_on
from registry.protocol import naming

SITE = DemoSite("S01", "Demonstration hospital 01 (synthetic)", "デモ病院01（架空）", "Demonstration")
PROTOCOLS = Path(protocol.__file__).parent / "studies"
KEPT = Path(__file__).parent / "kept"
SEED = 2026  # of the demonstration: whose people are kept
ABOUT = """SYNTHETIC DATA - 架空データ

Nobody in these files exists. The patients were drawn by a computer program (registry/demo/studies, study {study}, seed
{seed}); the hospital is invented. Their summary figures equal those published by
{paper},
as far as numbers can have them, which says nothing about any single patient. Do not use these files for research or
for decisions about care. docs/demonstration-data.md says how they are made, and which figures cannot be had.
"""


@dataclass(frozen=True)
class StudyCohort:
    """Rows of the files of one study (column -> value, None for an empty cell)."""

    study: str
    seed: int
    about: str
    patients: tuple[Mapping, ...]
    assessments: tuple[Mapping, ...]
    adverse_events: tuple[Mapping, ...]
    sites: tuple[DemoSite, ...] = (SITE,)

    @property
    def patient_columns(self):
        return (*PATIENT_COLUMNS, *(name for name in self.patients[0] if name not in PATIENT_COLUMNS))

    @property
    def assessment_columns(self):
        extra = {name: None for row in self.assessments for name in row if name not in ASSESSMENT_COLUMNS}
        return (*ASSESSMENT_COLUMNS, *extra)


def protocol_of(study):
    """The document of a study's protocol."""
    return json.loads((PROTOCOLS / f"{study}.json").read_text())


def cohort(study, seed, paper, patients, assessments, events):
    about = ABOUT.format(study=study, seed=seed, paper=paper.title)
    return StudyCohort(study, seed, about, tuple(patients), tuple(assessments), tuple(events))


def stored(study):
    """The people of the demonstration's seed as a search once found them; FileNotFoundError where nobody kept them."""
    return [json.loads(line) for line in (KEPT / f"{study}.jsonl").read_text(encoding="utf-8").splitlines()]


def keep(study, people):
    """Keep what a search found, one person a line."""
    lines = [json.dumps(person, ensure_ascii=False, default=int) for person in people]
    (KEPT / f"{study}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def eligible(study):
    """Answers to the study's criteria and its consent form, of somebody who was enrolled."""
    about = protocol_of(study)["study"]
    answers = {naming.fitting(f"incl_{criterion['code']}"): 1 for criterion in about["inclusion"]}
    answers |= {naming.fitting(f"excl_{criterion['code']}"): 0 for criterion in about["exclusion"]}
    return answers


def enrolled(people, first, last, until, rng):
    """(person, patient_id, consent, surgery) in the order of surgery, on a day from `first` to `last`.

    Nobody is seen after `until`: whoever was followed for longest was operated on early enough for that.
    """
    placed = []
    for person in people:
        latest = min(last, until - timedelta(days=int(person["end_days"])))
        surgery = first + timedelta(days=int(rng.integers(0, (latest - first).days + 1)))
        placed.append((surgery, surgery - timedelta(days=int(rng.integers(1, 11))), person))
    placed.sort(key=lambda placed_person: placed_person[:2])
    return [
        (person, f"{SITE.code}-{number:04d}", consent, surgery)
        for number, (surgery, consent, person) in enumerate(placed, start=1)
    ]


def patient_row(person, patient_id, consent, surgery, rng, **more):
    """The core columns of a patient, then `more`. `person` has the names of the columns that it gives."""
    end = surgery + timedelta(days=int(person["end_days"]))
    row = {
        "patient_id": patient_id,
        "site_code": SITE.code,
        "sex": person["sex"],
        "birth_date": _birth_date(surgery, person["age"], rng),
        "consent_date": consent,
        "primary_tumour": person["primary_tumour"],
        "lesion_levels": ";".join(person["levels"]),
        "procedure": person["procedure"],
        "surgery_date": surgery,
        "operative_time_min": person["operative_time_min"],
        "blood_loss_ml": person["blood_loss_ml"],
        "last_contact_date": end,
        "vital_status": "dead" if person["died"] else "alive",
        "death_date": end if person["died"] else None,
    }
    return {name: row.get(name, more.get(name)) for name in PATIENT_COLUMNS} | {
        name: value for name, value in more.items() if name not in PATIENT_COLUMNS
    }


def _birth_date(surgery, age, rng):
    while True:
        day = surgery - timedelta(days=int(rng.integers(0, 365)) + round(age * 365.25))
        if age_on(surgery, day) == age:
            return day


def assessment_row(patient_id, code, day, answers):
    return (
        dict.fromkeys(ASSESSMENT_COLUMNS)
        | {"patient_id": patient_id, "timepoint": code, "assessment_date": day}
        | (answers)
    )


def recurrence(person, surgery):
    """The columns of local recurrence."""
    day = person["relapse_days"]
    if day is None:
        return {"local_recurrence": "absent", "local_recurrence_date": None}
    return {"local_recurrence": "present", "local_recurrence_date": surgery + timedelta(days=int(day))}


def events(patients, kinds, rng):
    """Rows of adverse events: `kinds` is a group to {kind: patients}, one event a patient, in the first weeks.

    patients  [(patient_id, group, surgery date, days followed)]; those who may have one
    """
    rows = []
    for group, wanted in kinds.items():
        able = [patient for patient in patients if patient[1] == group]
        order = rng.permutation(len(able))
        for place, kind in zip(order, (kind for kind, n in wanted.items() for _ in range(n)), strict=False):
            patient_id, _group, surgery, _days = able[place]
            onset = surgery + timedelta(days=int(rng.integers(*LATE.get(kind, (1, 25)))))
            rows.append(dict(zip(ADVERSE_EVENT_COLUMNS, (patient_id, kind, onset), strict=True)))
    return sorted(rows, key=lambda row: (row["patient_id"], row["onset_date"]))


LATE = {"hardware_failure": (60, 180), "cement_leakage": (0, 1), "csf_leak": (0, 3)}  # days after surgery


def counted(counts, codes, rng):
    """The codes, as often as their counts say, in random order."""
    values = [code for code, n in zip(codes, counts, strict=True) for _ in range(n)]
    return [values[place] for place in rng.permutation(len(values))]


def day_of(surgery, target, spread, rng, latest=None):
    """A day near a visit's target."""
    days = target + int(rng.integers(-spread, spread + 1))
    return surgery + timedelta(days=days if latest is None else min(days, latest))


def first_day(text):
    return date.fromisoformat(text)
