"""The patients of one stratum: drawn plausibly, then moved until the stratum's margins hold."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from registry.demo.clinical import (
    BARTHEL_LIMITS,
    FRANKEL,
    SINS_REST,
    barthel_items,
    expected_levels,
    sins_items,
    sins_location,
)
from registry.demo.health_states import (
    EQ5D_NAMES,
    GRID,
    LEVELS_OF,
    STATES,
    VALUES,
    HealthStateMoves,
    allowed_levels,
    nearest_state,
)
from registry.demo.repair import WholeNumbers, repair
from registry.demo.segi2025.figure5 import contradictions
from registry.instruments.core import tokuhashi
from registry.instruments.core.tokuhashi import PALSY_OF_FRANKEL, PRIMARY_OF_TUMOUR
from registry.instruments.levels import number

BEFORE, AFTER = 0, 1
REACH = {
    "age_at_surgery": 4, "operative_time_min": 25, "blood_loss_ml": 90, "followup_months": 40, "tokuhashi_total": 2,
    "pain_vas_mm": 12, "barthel_total": 2, "eq_vas": 12,
}  # fmt: skip
ALLOWED = {"age_at_surgery": (24, 91), "operative_time_min": (35, 900), "blood_loss_ml": (0, 4800)}

FIGURE_5_TRIALS = 24
# In what the groups are worse off (before surgery, at one month), in levels of the five dimensions, so that they differ
# domain by domain as Figure 5 says; their mean values are set by themselves.
WORSE_IN = {
    "cervical": ((-0.9, -1.2, 0.1, 0, 0), (0, 0, 0, 0, 0)),
    "thoracic": ((1.2, 0.5, -0.2, 0, 0), (-0.2, -0.2, -0.1, 0.1, 0.0)),
    "tls": ((-0.9, 0.1, 0.4, 0, 0), (0.1, 0.1, 0, 0, 0)),
}

RELIEF = (0.0, 0.9)  # how much less pain, and half as much less anxiety, before and at one month
PREFERENCE = 0.08  # what one squared level away from the expected one costs the search


@dataclass
class Person:
    """One patient, times in days from surgery. `answers` is (before, after) one month: column -> value or None."""

    stratum: str
    levels: list[str]
    illness: float
    mood: float
    sex: str = ""
    primary_tumour: str = ""
    procedure: str = ""
    age: int = 0
    operative_time_min: int = 0
    blood_loss_ml: int = 0
    followup_days: int = 0
    died: bool = False
    wound_event: bool = False
    neurological_event: bool = False
    sins: dict = field(default_factory=dict)
    tokuhashi: dict = field(default_factory=dict)
    answers: tuple[dict, dict] = field(default_factory=lambda: ({}, {}))


def people(stratum, rng):
    """The patients of a stratum that the cohort leaves out."""
    draw = _drawn(stratum, rng)
    draw.eq5d()
    return draw.persons


def study_people(strata, rng):
    """The patients of the three groups; the one the paper describes comes first in each.

    One group's health states after the other's are drawn again while that brings them nearer to what the paper says of
    the domains. Where the trials end before all of it holds, the nearest draw stays: it is said in words only.
    """
    draws = [_drawn(stratum, rng) for stratum in strata]
    for draw in draws:
        draw.eq5d()
    wrong = contradictions([draw.answers() for draw in draws])
    for trial in range(FIGURE_5_TRIALS):
        if not wrong:
            break
        draw = draws[trial % len(draws)]
        before = [[dict(answers) for answers in person.answers] for person in draw.persons]
        draw.eq5d()
        now = contradictions([draw.answers() for draw in draws])
        if now <= wrong:
            wrong = now
        else:
            for person, answers in zip(draw.persons, before, strict=True):
                person.answers = tuple(answers)
    return [person for draw in draws for person in draw.persons]


def _drawn(stratum, rng):
    """Everything of the stratum's patients but the health states, which come last."""
    draw = _Draw(stratum, rng)
    draw.disease()
    draw.surgery()
    draw.frankel()
    draw.barthel()
    draw.ecog()
    draw.pain_and_self_rating()
    draw.tokuhashi()
    draw.follow_up()
    draw.events()
    return draw


def _standard(x):
    x = np.asarray(x, dtype=float)
    return (x - x.mean()) / x.std()


def _numbers(z, wanted, low, high, skewed=False):
    """Whole numbers with about the wanted mean and SD, ordered as z, inside [low, high]."""
    mean, sd = wanted.moments.mean, wanted.moments.sd
    if skewed:  # log-normal
        sigma = np.sqrt(np.log1p((sd / mean) ** 2))
        x = np.exp(np.log(mean) - sigma**2 / 2 + sigma * z)
    else:
        x = mean + sd * z
    return np.clip(np.rint(x), low, high).astype(int).tolist()


def _by_rank(score, counts, known, fixed):
    """Codes handed out by rank: the lowest scores get the first code of `counts`. `fixed` is patient -> code."""
    left = dict(counts)
    for code in fixed.values():
        left[code] -= 1
    order = sorted((i for i in known if i not in fixed), key=lambda i: score[i])
    codes = [code for code, n in left.items() for _ in range(n)]
    if len(codes) != len(order):  # rough strata: as many as there are, evenly
        codes = [codes[k * len(codes) // len(order)] for k in range(len(order))]
    return {**dict(zip(order, codes, strict=True)), **fixed}


class _Draw:
    """The steps, in the order in which one thing depends on another. Vectors are in the order of `persons`."""

    def __init__(self, stratum, rng):
        self.stratum, self.rng, n = stratum, rng, stratum.n
        self.case = stratum.case
        self.frozen = (0,) if self.case else ()
        levels = list(stratum.levels)
        if self.case:
            levels.insert(0, levels.pop(levels.index([self.case.level])))
        noise = rng.normal(size=(9, n))
        self.illness = (_standard(noise[0]), _standard(0.75 * noise[0] + 0.66 * noise[1]))
        self.function = (_standard(noise[2] - 0.2 * noise[0]), _standard(noise[2] - 0.2 * noise[0] + 0.6 * noise[3]))
        self.hurt = (_standard(noise[4] + 0.2 * noise[0]), _standard(noise[5] + 0.2 * noise[0]))
        self.mood = _standard(noise[6] + 0.3 * noise[0])
        self.noise = noise[7:]
        self.persons = [
            Person(stratum.name, run, illness=float(ill), mood=float(mood))
            for run, ill, mood in zip(levels, self.illness[AFTER], self.mood, strict=True)
        ]
        # The same patients tend to be the unknown ones, whatever the instrument: the ill ones first.
        order = np.argsort(-self.illness[AFTER] + 1.2 * rng.normal(size=n))
        self.unknown_first = [int(i) for i in order if i not in self.frozen]

    def known(self, unknown, at_both=0):
        """Patients known (before, after), `unknown` many of them missing at each time and `at_both` at both."""
        before, after = unknown
        missing = (
            self.unknown_first[:at_both] + self.unknown_first[after : after + before - at_both],
            self.unknown_first[:after],
        )
        return tuple([i for i in range(self.stratum.n) if i not in lost] for lost in missing)

    def fit(self, name, values, low, high, frozen=None):
        """One vector moved to the moments that the stratum wants of `name`."""
        if not self.stratum.exact:
            return values
        moves = WholeNumbers([low], [high], REACH[name])
        frozen = self.frozen if frozen is None else frozen
        return repair([values], [self.stratum.single[name]], moves, self.rng, frozen=frozen)[0]

    def answers(self):
        """Per patient (before, after)."""
        return [person.answers for person in self.persons]

    # -- who they are, and the operation ------------------------------------------------------------------------

    def disease(self):
        rng, stratum, n = self.rng, self.stratum, self.stratum.n
        tumours = [code for code, count in stratum.primary.items() for _ in range(count)]
        tumours = [tumours[i] for i in rng.permutation(n)]
        if self.case:
            at = tumours.index("lung")
            tumours[0], tumours[at] = tumours[at], tumours[0]
        # Women are those with breast cancer, never those with prostate cancer, then anyone.
        lean = {"breast": -10.0, "prostate": 10.0}
        score = [lean.get(tumour, rng.normal()) for tumour in tumours]
        if self.case:
            score[0] = 20.0
        male = set(sorted(range(n), key=lambda i: -score[i])[: stratum.male])
        low, high = ALLOWED["age_at_surgery"]
        ages = _numbers(_standard(self.noise[0]), stratum.single["age_at_surgery"], low, high)
        if self.case:
            ages[0] = self.case.decade + int(rng.integers(0, 10))
        ages = self.fit("age_at_surgery", ages, [low] * n, [high] * n)
        for i, person in enumerate(self.persons):
            person.sex, person.primary_tumour, person.age = "male" if i in male else "female", tumours[i], ages[i]

    def surgery(self):
        rng, stratum, n = self.rng, self.stratum, self.stratum.n
        locations = [self._locations(person.levels) for person in self.persons]
        cost = rng.random((n, n))
        for i, options in enumerate(locations):
            for j, (procedure, total) in enumerate(stratum.cells):
                if not any(0 <= total - location <= SINS_REST for location in options):
                    cost[i, j] = 1e6
                if i in self.frozen and procedure != "psf":
                    cost[i, j] = 1e6
        rows, columns = linear_sum_assignment(cost)
        if stratum.exact and cost[rows, columns].max() >= 1e6:
            raise RuntimeError(f"no patient for every SINS total of {stratum.name}")
        for i, j in zip(rows, columns, strict=True):
            person, (procedure, total) = self.persons[i], stratum.cells[j]
            fits = [location for location in locations[i] if 0 <= total - location <= SINS_REST]
            location = int(rng.choice(fits or [min(locations[i])]))
            person.procedure = procedure
            person.sins = sins_items(max(total, location), location, person.primary_tumour, rng)
        extent = np.array([len(person.levels) for person in self.persons])
        small = np.array([{"bkp": -2.2, "pps": -0.7}.get(person.procedure, 0.2) for person in self.persons])
        size = _standard(small + 0.3 * extent + self.noise[1])
        bleeding = _standard(small + 0.5 * size + rng.normal(0, 0.9, n))
        for name, z in (("operative_time_min", size), ("blood_loss_ml", bleeding)):
            low, high = ALLOWED[name]
            values = _numbers(z, stratum.single[name], low, high, skewed=True)
            for person, value in zip(self.persons, self.fit(name, values, [low] * n, [high] * n), strict=True):
                setattr(person, name, value)

    @staticmethod
    def _locations(levels):
        return sorted({sins_location(levels, rigid) for rigid in (False, True)})

    # -- examinations -------------------------------------------------------------------------------------------

    def record(self, name, time, known):
        """Put the values of `known` (patient -> value) into the answers, None for everyone else."""
        for i, person in enumerate(self.persons):
            person.answers[time][name] = known.get(i)

    def frankel(self):
        self._grades("frankel", self.function, self.case and self.case.frankel)

    def ecog(self):
        scores = []
        for time in (BEFORE, AFTER):
            function = np.array(
                [
                    (self.barthel_totals[time][i] - 13) / 6 if self.barthel_totals[time][i] is not None else f
                    for i, f in enumerate(self.function[time])
                ]
            )
            scores.append(-function + 0.4 * self.illness[time] + self.rng.normal(0, 0.35, self.stratum.n))
        self._grades("ecog_ps", scores, self.case and self.case.ecog)

    def _grades(self, name, scores, case):
        known = self.known(self.stratum.grades_unknown[name])
        for time in (BEFORE, AFTER):
            fixed = {0: case[time]} if case else {}
            grades = _by_rank(scores[time], self.stratum.grades[name][time], known[time], fixed)
            self.record(name, time, grades)

    def barthel(self):
        limits = [
            [BARTHEL_LIMITS[person.answers[time]["frankel"]] for person in self.persons] for time in (BEFORE, AFTER)
        ]
        low = [[-(-limit[0] // 5) for limit in vector] for vector in limits]
        high = [[limit[1] // 5 for limit in vector] for vector in limits]
        z = [
            0.75 * self.function[time] - 0.45 * self.illness[time] + self.rng.normal(0, 0.4, self.stratum.n)
            for time in (BEFORE, AFTER)
        ]
        case = self.case and [total // 5 for total in self.case.barthel]
        self.barthel_totals = self._scale("barthel_total", z, low, high, case)
        for time in (BEFORE, AFTER):
            for person, total in zip(self.persons, self.barthel_totals[time], strict=True):
                points = None if total is None else 5 * total
                person.answers[time].update(barthel_items(points, person.answers[time]["frankel"], self.rng))

    def pain_and_self_rating(self):
        n = self.stratum.n
        everything = ([[0] * n] * 2, [[100] * n] * 2)
        self.pain = self._scale("pain_vas_mm", self.hurt, *everything, self.case and self.case.pain)
        z = [
            -0.6 * self.illness[time] - 0.3 * self.hurt[time] - 0.3 * self.mood + self.rng.normal(0, 0.6, n)
            for time in (BEFORE, AFTER)
        ]
        # Nobody in great pain calls his health excellent.
        high = [[75 if (mm or 0) >= 75 else 100 for mm in vector] for vector in self.pain]
        rating = self._scale("eq_vas", z, [[0] * n] * 2, high, self.case and self.case.eq_vas)
        for name, vectors in (("pain_vas_mm", self.pain), ("eq_vas", rating)):
            for time in (BEFORE, AFTER):
                self.record(name, time, dict(enumerate(vectors[time])))

    def _scale(self, name, z, low, high, case):
        """(before, after) whole numbers of a scale, None where unknown, with the moments that the stratum wants."""
        plan = self.stratum.scales[name]
        known = self.known(plan.unknown, plan.unknown_at_both)
        first, second = _standard(z[BEFORE]), _standard(z[AFTER])
        r = plan.correlation
        new = _standard(second - (first @ second / len(first)) * first)
        z = first, r * first + np.sqrt(1 - r * r) * new
        states = []
        for time, wanted in enumerate((plan.before, plan.after)):
            values = _numbers(z[time], wanted, low[time], high[time])
            if time == AFTER and plan.change and plan.within_p and plan.within_p[0] > 0:
                values = self._improved(states[BEFORE], z, plan, low[time], high[time])
            if case:
                values[0] = case[time]
            states.append([value if i in set(known[time]) else None for i, value in enumerate(values)])
        if not self.stratum.exact:
            return states
        wanted = (plan.before, plan.after, plan.change)
        return repair(
            states, wanted, WholeNumbers(low, high, REACH[name]), self.rng, frozen=self.frozen, within_p=plan.within_p
        )

    @staticmethod
    def _improved(before, z, plan, low, high):
        """After = before + a change of skewed shape: most gain and one or two lose much.

        Where P is moderate, it says more about the shape of the changes than mean and SD do.
        """
        change, a, b = plan.change.moments, plan.before.moments.sd, plan.after.moments.sd
        better = 1 if change.total > 0 else -1
        shape = _standard(-np.exp(-1.3 * better * _standard(b * z[AFTER] - a * z[BEFORE])))
        values = [(start or 0) + change.mean + better * change.sd * s for start, s in zip(before, shape, strict=True)]
        return np.clip(np.rint(values), low, high).astype(int).tolist()

    # -- health states ------------------------------------------------------------------------------------------

    def eq5d(self):
        plan = self.stratum.scales["hsuv"]
        known = self.known(plan.unknown, plan.unknown_at_both)
        allowed = [[allowed_levels(person.answers[time]) for person in self.persons] for time in (BEFORE, AFTER)]
        dislike, states = [], []
        for time, wanted in enumerate((plan.before, plan.after)):
            levels = self._shifted(self._expected(time), allowed[time], wanted, time)
            start = [nearest_state(row, options) for row, options in zip(levels, allowed[time], strict=True)]
            if self.case:
                start[0] = STATES.index(self.case.eq5d[time])
            dislike.append((PREFERENCE * ((GRID - levels[:, None, :]) ** 2).sum(axis=2)).tolist())
            states.append([state if i in set(known[time]) else None for i, state in enumerate(start)])
        if self.stratum.exact:
            wanted = (plan.before, plan.after, plan.change)
            states = repair(
                states,
                wanted,
                HealthStateMoves(allowed),
                self.rng,
                worth=VALUES,
                cost=lambda time, i, state: dislike[time][i][state],
                frozen=self.frozen,
                within_p=plan.within_p,
            )
        for time in (BEFORE, AFTER):
            for person, state in zip(self.persons, states[time], strict=True):
                levels = (None,) * 5 if state is None else LEVELS_OF[state]
                person.answers[time].update(zip(EQ5D_NAMES, levels, strict=True))

    def _expected(self, time):
        moments = self.stratum.scales["pain_vas_mm"]
        wanted = (moments.before, moments.after)[time].moments
        rows = []
        for i, person in enumerate(self.persons):
            answers, pain = person.answers[time], person.answers[time]["pain_vas_mm"]
            rows.append(
                expected_levels(
                    answers["frankel"],
                    answers["ecog_ps"],
                    None if pain is None else (pain - wanted.mean) / wanted.sd,
                    answers,
                    float(self.illness[time][i]),
                    person.mood,
                    self.rng,
                )
            )
        worse_in = WORSE_IN.get(self.stratum.name, np.zeros((2, 5)))[time]
        return np.array(rows) + np.array(worse_in) - RELIEF[time] * np.array([0, 0, 0, 1, 0.5])

    def _shifted(self, levels, allowed, wanted, time):
        """Expected levels moved up or down alike until their mean value is the wanted one.

        Before surgery the groups differ in what they can do and not in pain or mood (Figure 5), so only the first
        three dimensions move; at one month all of them do.
        """
        moving = np.array([1.0, 1.0, 1.0, 0.0, 0.0] if time == BEFORE else [1.0] * 5)
        low, high = -3.0, 3.0
        for _ in range(14):
            shift = (low + high) / 2
            states = [nearest_state(row + shift * moving, a) for row, a in zip(levels, allowed, strict=True)]
            mean = sum(VALUES[state] for state in states) / len(states)
            low, high = (shift, high) if mean > wanted.moments.mean else (low, shift)
        return levels + low * moving

    # -- scores and outcome -------------------------------------------------------------------------------------

    def tokuhashi(self):
        rng, fixed = self.rng, []
        for person in self.persons:
            palsy = PALSY_OF_FRANKEL[person.answers[BEFORE]["frankel"]]
            primary = int(rng.choice(sorted(PRIMARY_OF_TUMOUR[person.primary_tumour])))
            fixed.append((max(0, 3 - number(person.levels)), primary, palsy))
        low = [sum(points) for points in fixed]
        high = [least + 6 for least in low]
        known = [person.answers[BEFORE]["ecog_ps"] for person in self.persons]
        ecog = np.array([2 if grade is None else grade for grade in known])
        z = _standard(0.5 * _standard(low) - 0.5 * ecog - 0.5 * self.illness[BEFORE])
        totals = _numbers(z, self.stratum.single["tokuhashi_total"], low, high)
        for person, points, total, grade in zip(
            self.persons, fixed, self.fit("tokuhashi_total", totals, low, high, frozen=()), ecog, strict=True
        ):
            general, bone, organs = self._three_parts(total - sum(points), grade)
            scores = (general, bone, points[0], organs, *points[1:])
            person.tokuhashi = dict(zip(tokuhashi.NAMES, scores, strict=True))

    def _three_parts(self, total, ecog):
        """General condition, bone and organ points (0-2 each) with this sum, the first near what ECOG says."""
        usual = 2 if ecog <= 1 else 1 if ecog == 2 else 0
        options = [
            (general, bone, total - general - bone)
            for general in range(3)
            for bone in range(3)
            if 0 <= total - general - bone <= 2
        ]
        weights = np.array([(1.0, 0.25, 0.03)[abs(general - usual)] for general, _, _ in options])
        return options[int(self.rng.choice(len(options), p=weights / weights.sum()))]

    def follow_up(self):
        stratum, rng, n = self.stratum, self.rng, self.stratum.n
        low, high = stratum.followup_range
        z = _standard(-0.5 * self.illness[AFTER] + rng.normal(size=n))
        days = _numbers(z, stratum.single["followup_months"], low, high, skewed=stratum.name != "cervical")
        order = sorted(range(len(self.frozen), n), key=lambda i: days[i])
        frozen = [order[0], order[-1]][: len(stratum.extremes)]
        for i, value in zip(frozen, stratum.extremes, strict=True):
            days[i] = value
        days = self.fit("followup_months", days, [low] * n, [high] * n, frozen=frozen)
        # The dead are mostly ill and seen for a short time.
        risk = [self.illness[AFTER][i] - days[i] / 250 + rng.normal(0, 0.8) for i in range(n)]
        dead = set(sorted(range(len(self.frozen), n), key=lambda i: -risk[i])[: stratum.died])
        for i, person in enumerate(self.persons):
            person.followup_days, person.died = days[i], i in dead

    def events(self):
        rng, stratum = self.rng, self.stratum
        candidates = list(range(len(self.frozen), stratum.n))
        wound = rng.choice(candidates, stratum.wound_events, replace=False)
        worse = sorted(candidates, key=lambda i: self._frankel_change(i) + 0.3 * rng.random())
        for i in wound:
            self.persons[i].wound_event = True
        for i in worse[: stratum.neurological_events]:
            self.persons[i].neurological_event = True

    def _frankel_change(self, i):
        before, after = (self.persons[i].answers[time]["frankel"] for time in (BEFORE, AFTER))
        return 0 if before is None or after is None else FRANKEL.index(after) - FRANKEL.index(before)
