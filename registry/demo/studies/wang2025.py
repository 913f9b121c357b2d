"""Wang 2025 as synthetic patients: 45 without and 41 with cement, of whom 15 and 11 have final values."""

from datetime import timedelta

import numpy as np

from registry.demo.studies import survival_times
from registry.demo.studies.paper import Paper
from registry.demo.studies.rows import (
    SEED,
    assessment_row,
    cohort,
    counted,
    day_of,
    eligible,
    enrolled,
    events,
    first_day,
    patient_row,
    recurrence,
    stored,
)
from registry.demo.studies.survival_times import MONTH, Curve
from registry.demo.studies.whole_numbers import fitted
from registry.instruments.levels import LEVELS
from registry.stats.arrays import NotEstimable
from registry.stats.ttest import paired_t, student_t

STUDY = "wang2025"
FIRST, LAST = first_day("2017-01-01"), first_day("2022-12-31")
UNTIL = first_day("2024-12-31")
SIZES, FINAL = (45, 41), (15, 11)
ARMS = ("control", "cement")
GRADES = "ABCDE"
LIMITS = {
    "pain": (4, 10), "pain_final": (0, 8), "time": (150, 420), "blood": (300, 700), "kps": (1, 7), "kps_final": (3, 10),
    "cobb": (8, 34), "cobb_final": (120, 340), "frankel_final": (1, 5),
}  # fmt: skip
THORACIC, LUMBAR = LEVELS[7:19], LEVELS[19:24]


def make(seed):
    """The StudyCohort of this study."""
    paper = Paper(STUDY)
    people = stored(STUDY) if seed == SEED else design(paper, np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    placed = enrolled(people, FIRST, LAST, UNTIL, rng)
    criteria = eligible(STUDY)
    patients, assessments = [], []
    for person, patient_id, consent, surgery in placed:
        patients.append(_patient(person, patient_id, consent, surgery, criteria, rng))
        assessments += _assessments(person, patient_id, surgery, rng)
    about = [(patient_id, person["arm"], surgery, person["end_days"]) for person, patient_id, _, surgery in placed]
    rows = events(about, paper.kinds, rng)
    leaked = {row["patient_id"] for row in rows if row["kind"] == "cement_leakage"}
    for patient in patients:
        if patient["cement_used"]:
            leak = patient["patient_id"] in leaked
            patient |= {"cement_leak": "epidural" if leak else "none", "cement_leak_ill": 0 if leak else None}
    return cohort(STUDY, seed, paper, patients, assessments, rows)


# -- people ------------------------------------------------------------------------------------------------------------


def whole(paper, row, sizes, limits, rng, by_t=True):
    """Whole numbers of both arms that print as the row's means, SDs and P."""
    window = paper.p_box(row) if by_t else None
    boxes = [paper.box(row, group, n) for group, n in enumerate(sizes)]
    totals = [box.totals[0] for box in boxes]
    limits = paper.rows[row].get("range") or [limits] * len(sizes)
    test = (lambda vectors: student_t(*vectors).p) if window else None
    return fitted(boxes, totals, limits, rng, test, window)


def design(paper, rng):
    """Everybody with what was measured and their days. Takes seconds."""
    values = {
        name: whole(paper, name, SIZES, LIMITS.get(name), rng) for name in ("age", "time", "blood", "pain", "cobb")
    }
    values["kps"] = whole(paper, "kps", SIZES, LIMITS["kps"], rng)
    final = {name: whole(paper, name, FINAL, LIMITS[name], rng) for name in ("pain_final", "kps_final", "cobb_final")}
    final["frankel_final"] = [
        whole(paper, "frankel_final", FINAL[:1], LIMITS["frankel_final"], rng)[0],
        [5] * 9 + [4] * 2,
    ]
    survived, relapsed = _courses(rng)
    people = []
    for arm, size in enumerate(SIZES):
        codes = {
            row: counted(paper.counts(row, arm), paper.rows[row]["codes"], rng)
            for row in ("sex", "primary", "region", "fracture", "frankel")
        }
        mine = [
            {
                "arm": ARMS[arm], "sex": codes["sex"][i], "primary_tumour": codes["primary"][i],
                "region": codes["region"][i], "fracture": codes["fracture"][i], "frankel": codes["frankel"][i],
                "age": values["age"][arm][i], "operative_time_min": values["time"][arm][i],
                "blood_loss_ml": values["blood"][arm][i], "pain": values["pain"][arm][i],
                "kps": values["kps"][arm][i], "cobb": values["cobb"][arm][i],
                "end_days": survived[arm][0][i], "died": bool(survived[arm][1][i]),
                "relapse_days": relapsed[arm][i], "procedure": "psf", "final": None,
            }
            for i in range(size)
        ]  # fmt: skip
        _give_final(mine, {name: both[arm] for name, both in final.items()}, arm, rng)
        people += mine
    for person in people:
        person["levels"] = _levels(person["region"], rng)
    return people


def _courses(rng):
    """([(days, deaths)], [days of relapse or None]) of both arms."""
    curves = [
        Curve(45, {12: (0.5999, 0.6001)}, 22, 95, 2700, ((0, 0), (1, 2)), 43),
        Curve(41, {12: (0.6340, 0.6342)}, 39, 95, 2770, ((0, 0), (10, 10)), 31),
    ]
    medians = {round(22 * MONTH), round(39 * MONTH)}
    while True:
        survived = survival_times.steered(
            [survival_times.deaths(curve, rng) for curve in curves], (0.0345, 0.0355), rng, medians, 95
        )
        if all((days > 730 + 45).sum() >= n + 2 for (days, _), n in zip(survived, FINAL, strict=True)):
            break
    relapsed = []
    for (days, _), early, late in zip(survived, (5, 4), (5, 0), strict=True):
        chosen = rng.permutation(np.flatnonzero(days > 220))[: early + late]
        when = dict.fromkeys(range(len(days)))
        for place, i in enumerate(chosen):
            low, high = (60, 178) if place < early else (200, int(days[i]) - 5)
            when[int(i)] = int(rng.integers(low, max(high, low + 1)))
        relapsed.append([when[i] for i in range(len(days))])
    return survived, relapsed


def _give_final(people, final, arm, rng):
    """Final values to some who were alive at 24 months: better than before, and the Cobb angle near the first."""
    alive = [person for person in people if person["end_days"] > 730 + 45]
    n = FINAL[arm]
    grades = sorted(final["frankel_final"])
    for _ in range(5000):
        some = [alive[i] for i in rng.permutation(len(alive))[:n]]
        some.sort(key=lambda patient: patient["frankel"])
        if all(GRADES.index(patient["frankel"]) < grade for patient, grade in zip(some, grades, strict=True)) and _cobb(
            some, final["cobb_final"], arm, rng
        ):
            break
    else:
        raise NotEstimable("no_match")
    pain = sorted(final["pain_final"])
    kps = sorted(final["kps_final"], reverse=True)
    by_grade = sorted(range(n), key=lambda i: -grades[i] + rng.random())
    for rank, i in enumerate(by_grade):
        some[i]["final"] |= {"frankel": GRADES[grades[i] - 1], "pain": pain[rank], "kps": kps[rank]}


def _cobb(some, finals, arm, rng):
    """Give each the final angle of the same rank, a little shuffled, where the change is as the paper tells it."""
    order = sorted(range(len(some)), key=lambda i: some[i]["cobb"] + rng.normal(0, 1.5))
    given = dict(zip(order, (value / 10 for value in sorted(finals)), strict=True))
    changes = np.array([given[i] - some[i]["cobb"] for i in range(len(some))], float)
    p = paired_t(changes).p
    if (p < 0.05) != (arm == 0) or changes.mean() < 0:
        return False
    for i, person in enumerate(some):
        person["final"] = {"cobb": given[i]}
    return True


def _levels(region, rng):
    if region == "both":
        return ["T12", "L1"]
    levels = THORACIC if region == "thoracic" else LUMBAR
    start = int(rng.integers(0, len(levels)))
    return list(levels[start : start + (2 if rng.random() < 0.2 else 1)])


# -- rows --------------------------------------------------------------------------------------------------------------


def _patient(person, patient_id, consent, surgery, criteria, rng):
    srs = int(rng.integers(14, 22))
    single = bool(rng.random() < 0.6)
    fractions = 1 if single else int(rng.integers(3, 7))
    cement = person["arm"] == "cement"
    return patient_row(
        person, patient_id, consent, surgery, rng,
        **criteria, study_arm=person["arm"], study_arm_why=None,
        lesion_region=person["region"], path_fracture=person["fracture"],
        cement_used=int(cement), cement_where="body;screws" if cement else None,
        cement_ml=round(float(rng.normal(4.2, 0.8)), 1) if cement else None, cement_leak=None, cement_leak_ill=None,
        srs_given=1, srs_date=surgery + timedelta(days=srs),
        srs_dose_gy=24 if single else 6 * fractions, srs_fractions=fractions,
        **recurrence(person, surgery),
    )  # fmt: skip


VISITS = (("1w", 7, 2), ("3m", 91, 14), ("6m", 183, 20), ("12m", 365, 25), ("24m", 730, 30))


def _assessments(person, patient_id, surgery, rng):
    before = surgery - timedelta(days=int(rng.integers(0, 8)))
    answers = {"frankel": person["frankel"], "pain_vas_10": person["pain"], "kps": person["kps"] * 10}
    rows = [assessment_row(patient_id, "preop", before, answers)]
    final, grade = person["final"], GRADES.index(person["frankel"])
    aim = final or {
        "frankel": GRADES[min(4, grade + int(rng.integers(0, 3)))],
        "pain": int(rng.integers(1, 6)),
        "kps": min(10, person["kps"] + int(rng.integers(1, 5))),
        "cobb": person["cobb"] + int(rng.integers(0, 4)),
    }
    for (code, day, spread), share in zip(VISITS, (0.3, 0.6, 0.8, 0.9, 1.0), strict=True):
        if code == "24m" and final is None:
            continue
        if code not in ("1w", "24m") and (day + spread > person["end_days"] or rng.random() < 0.1):
            continue
        seen = day_of(surgery, day, spread, rng)
        answers = {
            "frankel": GRADES[grade + round(share * (GRADES.index(aim["frankel"]) - grade))],
            "pain_vas_10": round(person["pain"] + share * (aim["pain"] - person["pain"])),
            "kps": 10 * round(person["kps"] + share * (aim["kps"] - person["kps"])),
            "cobb_deg": person["cobb"]
            if code == "1w"
            else round(person["cobb"] + share * (aim["cobb"] - person["cobb"]), 1),
        }
        answers |= _image(person)
        rows.append(assessment_row(patient_id, code, seen, answers))
    return rows


def _image(person):
    first, last = LEVELS.index(person["levels"][0]), LEVELS.index(person["levels"][-1])
    upper, lower = LEVELS[max(0, first - 1)], LEVELS[min(len(LEVELS) - 1, last + 1)]
    return {"cobb_upper": upper, "cobb_lower": lower, "cobb_modality": "xray", "cobb_posture": "standing"}
