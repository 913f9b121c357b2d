"""Zheng 2021 as synthetic patients: 64 with hybrid therapy, 93 with TES, of whom a propensity score matches 55 pairs.

Who has which covariates together takes a search of minutes (`design`). What it found with the seed of the
demonstration is kept (`rows.stored`), with the days of relapse and death; another seed searches anew.
"""

from datetime import timedelta
from functools import partial
from itertools import pairwise

import numpy as np
from scipy.stats import t as t_distribution

from registry.demo.clinical import sins_items
from registry.demo.studies import survival_times
from registry.demo.studies.matching_design import Design, search
from registry.demo.studies.paper import Paper
from registry.demo.studies.rows import (
    SEED,
    assessment_row,
    cohort,
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
from registry.demo.studies.whole_numbers import Fit, Wanted, drawn, fitted
from registry.instruments.core import tokuhashi
from registry.instruments.core.sins import location_points
from registry.instruments.levels import LEVELS
from registry.stats.rank import mann_whitney, wilcoxon_signed_rank
from registry.stats.ttest import student_t

STUDY = "zheng2021"
FIRST, LAST, UNTIL = (first_day(day) for day in ("2012-01-01", "2019-05-31", "2021-04-30"))
ARMS, SIZES, MATCHED = ("HT", "TES"), (64, 93), 55
STRATA = (9, 55, 38, 55)  # HT unmatched and matched, TES unmatched and matched
NUMBERS = {"age": (40, 72), "tokuhashi": (9, 12), "pain": (5, 10), "sins": (7, 18), "sosg": (42, 86)}
CATEGORIES = ("sex", "region", "histology", "ecog", "escc", "ais")
HISTOLOGY = ("rcc", "thyroid", "liver", "rectal", "colorectal", "melanoma")
PRIMARY = {"rcc": "renal", "thyroid": "thyroid", "liver": "digestive", "rectal": "digestive",
           "colorectal": "digestive", "melanoma": "other"}  # fmt: skip
PRIMARY_POINTS = {"rcc": 3, "thyroid": 5, "liver": 1, "rectal": 4, "colorectal": 2, "melanoma": 2}
AIS = "BCD"
AFTER = {"pain_after": (0, 3), "sosg_after": (15, 75), "sins_after": (3, 8)}
DONE = {"time": (120, 480), "blood": (20, 260), "stay": (6, 30), "srs": (15, 35)}
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
    able = [
        (patient_id, person["arm"], surgery, person["end_days"])
        for person, patient_id, _, surgery in placed
        if person["pair"] >= 0
    ]
    return cohort(STUDY, seed, paper, patients, assessments, events(able, paper.kinds, rng))


# -- who has what together: searched, and kept -------------------------------------------------------------------------


def design(paper, rng):
    """People with covariates, the number of their pair (-1 for none) and their days. Takes minutes."""
    values = {name: _numbers(paper, name, rng) for name in NUMBERS}
    values |= {name: _categories(paper, name, rng) for name in CATEGORIES}
    cuts = np.cumsum((0, *STRATA))
    strata = tuple(np.arange(start, stop) for start, stop in pairwise(cuts))
    spreads = {name: _spread(paper, name, values[name], strata) for name in NUMBERS}
    pairs = search(Design(values, strata, frozenset(CATEGORIES), spreads, _unlikely), rng)
    pair_of = {int(patient): number for number, pair in enumerate(pairs) for patient in pair}
    courses = _courses(rng)
    people = []
    for stratum, places in enumerate(strata):
        for order, i in enumerate(places):
            course = courses[stratum // 2][order] if stratum % 2 else _other_course(rng)
            person = {"arm": ARMS[stratum // 2], "pair": pair_of.get(int(i), -1)}
            person |= {name: int(values[name][i]) for name in (*NUMBERS, *CATEGORIES)}
            people.append(person | course)
    _give_results(paper, people, rng)
    _pair_results(paper, people, rng)
    return people


def _numbers(paper, name, rng):
    """(157,) of a covariate: matched and all patients print as in the paper, and so does the test of all."""
    matched = [paper.box(f"{name}_matched", group, MATCHED) for group in (0, 1)]
    everybody = [paper.box(name, group, n) for group, n in enumerate(SIZES)]
    ours, theirs, our_sum, their_sum = (box.totals[0] for box in (*matched, *everybody))
    totals = (our_sum - ours, ours, their_sum - theirs, theirs)
    spreads = [
        (sum(box.within) / 2 / (box.n - 1)) ** 0.5 for box in (everybody[0], matched[0], everybody[1], matched[1])
    ]
    start = [drawn(n, total / n, sd, *NUMBERS[name], rng) for n, total, sd in zip(STRATA, totals, spreads, strict=True)]
    wanted = [Wanted((1,), matched[0], ours), Wanted((3,), matched[1], theirs),
              Wanted((0, 1), everybody[0], our_sum), Wanted((2, 3), everybody[1], their_sum)]  # fmt: skip
    test = student_t if paper.rows[name]["test"] == "student_t" else partial(mann_whitney, correct=False)
    fit = Fit(start, wanted, [NUMBERS[name]] * 4, lambda v: test(v[0] + v[1], v[2] + v[3]).p, paper.p_box(name))
    return np.concatenate([rng.permutation(vector) for vector in fit.run(rng)]).astype(float)


def _categories(paper, name, rng):
    """(157,) places among the codes of a covariate."""
    parts = []
    for group in (0, 1):
        matched = paper.counts(f"{name}_matched", group)
        others = [n - m for n, m in zip(paper.counts(name, group), matched, strict=True)]
        parts += [rng.permutation(np.repeat(np.arange(len(matched)), counts)) for counts in (others, matched)]
    return np.concatenate(parts).astype(float)


def _spread(paper, name, values, strata):
    """(low, high) of the SD of the differences of pairs with which the paired t test prints the paper's P."""
    mean = abs(values[strata[1]].sum() - values[strata[3]].sum()) / MATCHED
    ends = [mean / t_distribution.isf(p / 2, MATCHED - 1) * MATCHED**0.5 for p in paper.p_box(f"{name}_matched")]
    return tuple(sorted(ends))


def _unlikely(values):
    """How many have a Tokuhashi score that no patient with one metastasis of that kind has."""
    points = np.array([PRIMARY_POINTS[code] for code in HISTOLOGY])[values["histology"].astype(int)]
    least = 6 + points + (values["ais"] > 0)
    return int(((values["tokuhashi"] < least) | (values["tokuhashi"] > least + 2)).sum())


def _between(text):
    return (float(text) - 0.05) / 100 + 1e-6, (float(text) + 0.05) / 100 - 1e-6


def _courses(rng):
    """For both arms the days of the matched: end, death, relapse."""
    paper = Paper(STUDY)

    def curve(rates, medians, group, first, **more):
        rates = dict(zip((12, 24, 60), map(_between, paper.rows[rates]["printed"][group]), strict=True))
        return Curve(MATCHED, rates, int(paper.rows[medians]["printed"][group]), first, 2670, **more)

    leaving = ((1, 4), (0, 5), (3, 9), (0, 6))
    of_death = [curve("survival_rates", "survival_median", group, 230, ends=leaving) for group in (0, 1)]
    of_relapse = [
        curve("local_rates", "local_median", group, 40, events=paper.counts("relapses", group)[0]) for group in (0, 1)
    ]
    middles = {round(group_curve.median * MONTH) for group_curve in (*of_death, *of_relapse)}
    deaths = survival_times.steered(
        [survival_times.deaths(group_curve, rng) for group_curve in of_death],
        paper.p_box("survival_rates"),
        rng,
        middles,
        230,
    )
    ends = [days for days, _ in deaths]
    relapses = [
        survival_times.relapses(group_curve, days, rng) for group_curve, days in zip(of_relapse, ends, strict=True)
    ]
    relapses = survival_times.steered(relapses, paper.p_box("local_rates"), rng, middles, 40, ends)
    return [
        [
            {"end_days": int(end), "died": int(dead), "relapse_days": int(day) if relapsed else None}
            for end, dead, day, relapsed in zip(*died, *relapse, strict=True)
        ]
        for died, relapse in zip(deaths, relapses, strict=True)
    ]


def _other_course(rng):
    """Days of somebody who was not matched."""
    end = int(min(230 + rng.exponential(1300), 2670))
    relapse = int(rng.integers(60, end)) if rng.random() < 0.5 else None
    return {"end_days": end, "died": int(rng.random() < 0.75), "relapse_days": relapse}


# -- what was done and what came of it ---------------------------------------------------------------------------------


def _give_results(paper, people, rng):
    """Operation, stay, radiosurgery and the state at 6 months; the matched print as in the paper."""
    results = {}
    for name, limits in (DONE | AFTER).items():
        boxes = [paper.box(name, group, MATCHED) for group in (0, 1)]
        start = [boxes[0].totals[0], boxes[1].totals[0]]
        results[name] = fitted(boxes, start, [limits] * 2, rng)
    margins = [[1] * counts[0] + [0] * counts[1] for counts in paper.rows["margins"]["printed"]]
    for group, arm in enumerate(ARMS):
        matched = [person for person in people if person["arm"] == arm and person["pair"] >= 0]
        shuffled = {name: rng.permutation(both[group]).tolist() for name, both in results.items()}
        positive = rng.permutation(margins[group]).tolist()
        for i, person in enumerate(matched):
            person |= {name: int(values[i]) for name, values in shuffled.items()} | {"positive": int(positive[i])}
        _give_grades(paper.rows["ais_transitions"]["printed"][group], matched, rng)
        others = [person for person in people if person["arm"] == arm and person["pair"] < 0]
        for person in others:
            like = matched[int(rng.integers(len(matched)))]
            person |= {name: like[name] for name in (*shuffled, "positive")}
            person["ais_after"] = "BCDE"[min(3, person["ais"] + int(rng.integers(0, 3)))]


PAIRED = ("stay", "pain_after", "sosg_after", "sins_after")  # whose paired t test can print as the paper's


def _pair_results(paper, people, rng, tries=4000):
    """Exchange results within an arm until the paired test of the matched pairs prints as in the paper."""
    arms = [
        sorted(
            (person for person in people if person["arm"] == arm and person["pair"] >= 0),
            key=lambda patient: patient["pair"],
        )
        for arm in ARMS
    ]
    for name in (*PAIRED, "ais_after"):
        low, high = paper.p_box(name)
        p = _paired_p(name, arms)
        for _ in range(tries):
            if low < p < high:
                break
            arm = arms[int(rng.integers(2))]
            first, second = (arm[int(i)] for i in rng.integers(MATCHED, size=2))
            if name == "ais_after" and first["ais"] != second["ais"]:
                continue
            first[name], second[name] = second[name], first[name]
            then = _paired_p(name, arms)
            if abs(then - (low + high) / 2) <= abs(p - (low + high) / 2) or rng.random() < 0.01:
                p = then
            else:
                first[name], second[name] = second[name], first[name]


def _paired_p(name, arms):
    ours, theirs = (np.array([person[name] for person in arm]) for arm in arms)
    if name == "ais_after":
        ours, theirs = (np.array(["ABCDE".find(str(grade)) for grade in arm]) for arm in (ours, theirs))
    differences = (ours - theirs).astype(float)
    if name == "ais_after":
        return wilcoxon_signed_rank(differences, correct=False).p
    t = differences.mean() / differences.std(ddof=1) * MATCHED**0.5
    return 2 * float(t_distribution.sf(abs(t), MATCHED - 1))


def _give_grades(transitions, people, rng):
    for before, after in transitions.items():
        grades = [grade for grade, n in after.items() for _ in range(n)]
        mine = [person for person in people if AIS[person["ais"]] == before]
        for person, place in zip(mine, rng.permutation(len(grades)), strict=True):
            person["ais_after"] = grades[place]


# -- rows --------------------------------------------------------------------------------------------------------------


def _patient(person, patient_id, consent, surgery, criteria, rng):
    region, histology = ("thoracic", "lumbar")[person["region"]], HISTOLOGY[person["histology"]]
    levels = THORACIC if region == "thoracic" else LUMBAR
    person |= {
        "sex": ("male", "female")[person["sex"]],
        "primary_tumour": PRIMARY[histology],
        "procedure": "psf" if person["arm"] == "HT" else "tes",
        "operative_time_min": person["time"],
        "blood_loss_ml": person["blood"] * 10,
    }
    person["levels"], components = _level(person, levels, rng)
    en_bloc = person["arm"] == "TES"
    admitted = int(min(rng.integers(1, 4), person["stay"] - 1))
    return patient_row(
        person, patient_id, consent, surgery, rng,
        **_tokuhashi(person["tokuhashi"], histology, person["ais"] > 0),
        **components,
        **criteria, study_arm=person["arm"], study_arm_why=None, lesion_region=region, primary_histology=histology,
        resection="tes" if en_bloc else "intralesional",
        margin="intralesional" if not en_bloc else "marginal" if person["positive"] else "wide",
        margin_positive=person["positive"],
        admitted_on=surgery - timedelta(days=admitted),
        discharged_on=surgery + timedelta(days=person["stay"] - admitted), discharged_to="home",
        srs_given=1, srs_date=surgery + timedelta(days=person["srs"]), srs_dose_gy=24, srs_fractions=1,
        **recurrence(person, surgery),
    )  # fmt: skip


def _level(person, levels, rng):
    """([vertebra], SINS components): one whose location leaves a sum for the other components."""
    for place in rng.permutation(len(levels)):
        location = max(location_points([levels[place]]))
        try:
            return [levels[place]], sins_items(person["sins"], location, person["primary_tumour"], rng)
        except ValueError:
            continue
    raise ValueError(f"no vertebra goes with a SINS of {person['sins']}")


def _tokuhashi(total, histology, moves):
    """Items with this total: of one metastasis where that can be, else with what lies outside the spine."""
    points = {"primary": PRIMARY_POINTS[histology], "palsy": int(moves), "general_condition": 1,
              "extraspinal_bone": 2, "vertebral": 2, "organs": 2}  # fmt: skip
    most = {"general_condition": 2, "palsy": 1, "primary": 5}
    for name, way in (("general_condition", 1), ("extraspinal_bone", -1), ("organs", -1), ("primary", 1)):
        steps = total - sum(points.values())
        if name == "general_condition" or (steps > 0) == (way > 0):
            points[name] = min(max(points[name] + steps, 0), most.get(name, 2))
    if sum(points.values()) != total:
        raise ValueError(f"no Tokuhashi items of {histology} add up to {total}")
    return {item.name: points[item.name.removeprefix("tokuhashi_")] for item in tokuhashi.ITEMS}


def _assessments(person, patient_id, surgery, rng):
    before = surgery - timedelta(days=int(rng.integers(0, 8)))
    first = {"ecog_ps": person["ecog"] + 1, "escc": "23"[person["escc"]], "ais": AIS[person["ais"]],
             "pain_vas_10": person["pain"], "sosg_oq_total": person["sosg"]}  # fmt: skip
    after = {"ais": person["ais_after"], "pain_vas_10": person["pain_after"], "sosg_oq_total": person["sosg_after"]}
    seen = day_of(surgery, 183, 14, rng)
    return [
        assessment_row(patient_id, "preop", before, first),
        assessment_row(patient_id, "6m", seen, after | _sins_after(person, rng)),
    ]


def _sins_after(person, rng):
    """The components after surgery with this total; the location stays, and little else is left."""
    location = max(location_points(person["levels"]))
    rest = person["sins_after"] - location
    while True:
        bone, collapse = int(rng.integers(0, 3)), int(rng.integers(0, 4))
        posterior, pain = int(rng.choice([0, 1, 3])), int(rng.choice([0, 1]))
        if bone + collapse + posterior + pain == rest:
            names = ("location", "pain", "bone", "alignment", "collapse", "posterior")
            values = (location, pain, bone, 0, collapse, posterior)
            return {f"psins_{name}": value for name, value in zip(names, values, strict=True)}
