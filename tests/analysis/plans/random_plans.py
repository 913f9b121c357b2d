"""Plans and patients drawn from a seed, of every kind of section: few patients, ties, gaps, groups of one or nobody.

`METASPINE_RANDOM_PLANS=FIRST:COUNT` lets R compute so many of them again (test_plan_verification.py).
"""

import datetime as dt
import random
from itertools import pairwise

from tests.analysis.conftest import SURGERY, answers, patient

DAY = dt.timedelta(days=1)
VISITS = {"preop": -3, "1m": 30, "3m": 91, "6m": 183, "12m": 365}
AFTER = tuple(VISITS)[1:]
EVENTS = ("wound_problem", "neurological_deterioration", "pneumonia")
TUMOURS = ("lung", "breast", "renal", "other")


class People:
    """A registry drawn from a seed: how many, how many gaps, how much ties, who dies when."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.n = self.draw.choice([1, 2, 4, 7, 12, 20, 35, 50, 80, 120])
        self.gaps = self.draw.choice([0.0, 0.1, 0.1, 0.4, 0.8])
        self.step = self.draw.choice([1, 1, 5, 25, 100])  # what numbers are rounded to: ties
        self.deaths = self.draw.choice([0.0, 0.2, 0.5, 0.5, 1.0])
        self.days = self.draw.choice([(0, 5), (0, 60), (20, 400), (20, 900), (100, 100)])
        self.states = self.draw.choice(["12345", "12345", "15", "1", "5"])
        self.grades = self.draw.choice(["ABCDE", "BCD", "DE", "D"])
        self.tumours = self.draw.choice([TUMOURS, TUMOURS[:2], TUMOURS[:1]])

    def some(self, value):
        return None if self.draw.random() < self.gaps else value

    def number(self, low, high):
        at = self.draw.randint(low, high)
        return min(high, max(low, round(at / self.step) * self.step))

    def patients(self):
        return [self.patient(place) for place in range(self.n)]

    def patient(self, place):
        draw = self.draw
        dead, days = draw.random() < self.deaths, draw.randint(*self.days)
        end = SURGERY + days * DAY
        dated = draw.random() < 0.93
        left = {"vital_status": "alive", "death_date": None, "last_contact_date": self.some(end)}
        died = {"vital_status": "dead", "death_date": end if dated else None, "last_contact_date": end}
        return patient(
            sex=draw.choice(["female", "male"]),
            consent_date=SURGERY - draw.randint(0, 20) * DAY,
            age_at_surgery=self.some(self.number(30, 90)),
            primary_tumour=self.some(draw.choice(self.tumours)),
            procedure=self.some(draw.choice(["psf", "decompression", "pps"])),
            operative_time_min=self.some(self.number(60, 400)),
            blood_loss_ml=self.some(self.number(0, 3000)),
            lesion_levels=(draw.choice(["C3", "T6", "L1"]),),
            visits={code: self.visit(day) for code, day in VISITS.items() if day < days and draw.random() > self.gaps},
            events=tuple(draw.sample(EVENTS, draw.choice([0, 0, 1, 2]))),
            **(died if dead else left),
        )

    def visit(self, day):
        draw = self.draw
        state = "".join(draw.choice(self.states) for _ in range(5))
        moved = draw.choice([0, 0, 0, 1, -2]) if day > 0 else 0
        return answers(
            self.some(state),
            self.some(5 * draw.randint(0, 20)),
            frankel=self.some(draw.choice(self.grades)),
            ecog_ps=self.some(draw.randint(0, 4)),
            pain_vas_mm=self.some(self.number(0, 100)),
            eq_vas=self.some(self.number(0, 100)),
            assessment_date=SURGERY + (day + moved) * DAY,
        )


def named(code, *steps):
    return {"code": code, "label": {"en": code, "ja": f"群{code}"}, "steps": list(steps)}


def ages(*limits):
    """Groups by bands of age, of which some hold one patient or nobody."""
    ends = [29, *limits, 91]
    for low, high in pairwise(ends):
        young = {"step": "at_most", "variable": "age_at_surgery", "maximum": high}
        yield named(f"a{low + 1}", {"step": "aged_at_least", "minimum": low + 1}, young)


def tumours(*codes):
    return {"grouping": "named", "named": [named(code, {"step": "primary_tumour", "values": [code]}) for code in codes]}


GROUPINGS = {
    "sex": {"grouping": "sex"},
    "procedure": {"grouping": "procedure"},
    "segment": {"grouping": "segment_group"},
    "tumour": tumours(*TUMOURS[:3]),
    "two": tumours(*TUMOURS[:2]),
    "young": {"grouping": "named", "named": list(ages(31, 70))},
    "twelve": {"grouping": "named", "named": list(ages(*range(35, 86, 5)))},
}  # fmt: skip
CODES = {
    "sex": ("male", "female"), "procedure": ("psf", "decompression"), "segment": ("cervical", "thoracic"),
    "tumour": ("lung", "breast"), "two": ("lung", "breast"), "young": ("a32", "a71"), "twelve": ("a66", "a71"),
}  # fmt: skip
KINDS = {
    "age_at_surgery": "continuous", "blood_loss_ml": "continuous", "operative_time_min": "continuous", "sex": "binary",
    "primary_tumour": "nominal", "procedure": "nominal", "complication": "binary", "wait": "continuous",
    "count": "continuous", "band": "ordinal",
    "pain_vas_mm": "continuous", "hsuv": "continuous", "eq_vas": "continuous", "frankel": "ordinal", "low": "binary",
    "barthel_total": "continuous", "ecog_ps": "ordinal", "gain": "continuous",
}  # fmt: skip
AT_VISIT = ("pain_vas_mm", "hsuv", "eq_vas", "frankel", "low", "barthel_total", "ecog_ps")
VARIABLES = [
    {"name": "low", "label": {"en": "Frankel A–C", "ja": "Frankel A〜C"}, "of": {"item": "frankel"},
     "categories": [{"code": "abc", "holds": ["A", "B", "C"]}, {"code": "de", "holds": ["D", "E"]}]},
    {"name": "band", "label": {"en": "Age", "ja": "年齢"}, "of": {"item": "age_at_surgery"},
     "categories": [{"code": "young", "below": 60}, {"code": "middle", "from": 60, "below": 75},
                    {"code": "old", "from": 75}]},
    {"name": "complication", "of": {"events": []}},
    {"name": "wait", "of": {"days": {"from": "consent_date", "to": "death_date"}, "unit": "months"}},
    {"name": "gain", "of": {"change": "pain_vas_mm", "from": "preop"}},
    {"name": "count", "of": {"events": [], "give": "count", "last_day": 30}},
]  # fmt: skip
VISITS_BY_RULE = [
    {"code": "last", "take": "last"}, {"code": "near", "take": "nearest", "day": 90, "within": 40},
]  # fmt: skip
OF_PATIENT = tuple(name for name in KINDS if name not in (*AT_VISIT, "gain"))


class Drawn:
    """A plan drawn from a seed."""

    def __init__(self, seed):
        self.draw, self.seed = random.Random(seed), seed
        self.groups = self.draw.choice(list(GROUPINGS))
        self.two = self.groups in ("sex", "two")
        self.makes = {"sex": "sex", "procedure": "procedure"}.get(self.groups, "")

    def plan(self):
        draw = self.draw
        plan = {"name": f"random {self.seed}", "variables": VARIABLES, "visits": VISITS_BY_RULE}
        plan |= GROUPINGS[self.groups]
        plan |= {"overall_continuous": "t_test"} if self.two else {}
        plan |= {"adjust": draw.choice(["none", "holm", "benjamini_hochberg", "bonferroni"])}
        plan |= {"alpha": draw.choice([0.05, 0.05, 0.2]), "value_sets": [draw.choice(["JP", "UK", "US"])]}
        plan["propensity"] = [self.propensity(place) for place in range(draw.choice([0, 1, 2]))]
        self.matched = ["", *(entry["code"] for entry in plan["propensity"])]
        self.weighted = {e["code"] for e in plan["propensity"] if e.get("method") == "weighting" or e.get("replace")}
        for kind, most in (("comparisons", 3), ("endpoints", 2), ("models", 3), ("qol", 3), ("transitions", 2)):
            plan[kind] = [getattr(self, kind)(place) for place in range(draw.randint(0, most))]
        return {name: part for name, part in plan.items() if part != []}

    def some(self, *given, most=3):
        return self.draw.sample(given, self.draw.randint(0, min(most, len(given))))

    def titled(self, kind, place):
        return {"code": f"{kind}{place}", "title": {"en": f"{kind} {place}", "ja": f"{kind} {place}"}}

    def covariates(self, most=3):
        names = [name for name in OF_PATIENT if name not in (self.makes, "wait", "count", "complication")]
        more = [{"variable": name, "visit": "preop"} for name in ("pain_vas_mm", "frankel", "eq_vas")]
        return self.some(*names, *more, most=most)

    def propensity(self, place):
        draw = self.draw
        control, treated = CODES[self.groups]
        entry = self.titled("ps", place) | {"treated": treated, "control": control}
        entry["covariates"] = self.covariates() or ["age_at_surgery"]
        outcomes = self.some("blood_loss_ml", "complication", "pain_vas_mm", "low", "frankel", "hsuv", most=4)
        entry["outcomes"] = [{"variable": name, **({"visit": "1m"} if name in AT_VISIT else {})} for name in outcomes]
        entry["on"] = draw.choice(["score", "logit"])
        entry["continuous"] = draw.choice(["paired_t", "wilcoxon_signed_rank", "signed_rank_exact"])
        if draw.random() < 0.35:
            return entry | {"method": "weighting", "estimand": draw.choice(["ate", "att", "atc", "overlap"])}
        entry |= {"ratio": draw.choice([1, 1, 2, 5]), "order": draw.choice(["largest", "smallest", "data", "random"])}
        entry |= {"replace": draw.random() < 0.2, "seed": draw.randint(0, 9)}
        entry |= {"denominator": draw.choice(["pooled", "treated", "control"])}
        if draw.random() < 0.7:
            entry |= {"caliper": draw.choice([0.001, 0.05, 0.3, 50]), "caliper_unit": draw.choice(["score", "sd"])}
        if draw.random() < 0.3:
            entry["exact"] = self.some(*(name for name in ("sex", "procedure", "band") if name != self.makes)) or []
        return entry

    def comparisons(self, place):
        draw = self.draw
        kind, matched = draw.choice(["between", "between", "within"]), draw.choice(self.matched)
        kind = "between" if matched in self.weighted else kind
        offers = "weighted" if matched in self.weighted else "matched" if matched and kind == "between" else kind
        names = [name for name in KINDS if kind == "between" or name in AT_VISIT]
        rows = [self.row(name, kind, offers) for name in draw.sample(names, 4)]
        entry = self.titled("c", place) | {"kind": kind, "rows": rows, "confidence": draw.choice([0.95, 0.9, 0.99])}
        if matched:
            entry["matched"] = matched
        if kind == "between":
            entry |= {"adjust": draw.choice(["none", "holm", "benjamini_hochberg", "bonferroni"]),
                      "family": draw.choice(["row", "section"]), "interval": draw.choice(["wilson", "clopper_pearson"]),
                      "sensitivity": ["complete_cases"] + ["worst_rank"] * (matched not in self.weighted)}  # fmt: skip
        return entry

    def row(self, name, kind, offers):
        from registry.analysis.sections.comparing import comparison_tests as tests

        draw, of = self.draw, KINDS[name]
        none_of = () if self.two or offers != "between" else tests.TWO_GROUPS
        row = {"variable": name, "test": draw.choice([*(t for t in tests.offered(offers, of) if t not in none_of), ""])}
        if effects := tests.effects_offered(offers, of):
            row["effect"] = draw.choice([*effects, ""])
        if offers == "between" and draw.random() < 0.3 and (pair := tests.pairwise_offered(of)):
            row["pairwise"] = draw.choice(pair)
        if name not in OF_PATIENT:
            later = kind == "within" or name == "gain"
            row["visit"] = draw.choice(["1m", "6m", "last", "near"] if later else ["preop", "1m", "last"])
        return row

    def endpoints(self, place):
        draw = self.draw
        score = {"kind": "reached", "variable": "pain_vas_mm", "visits": ["1m", "3m", "6m"], "at_least": 60}
        grade = {"kind": "reached", "variable": "frankel", "visits": ["1m", "12m"], "in": ["A", "B"]}
        event = {"kind": "adverse_event", "of": list(EVENTS[:1])}
        death = {"kind": "death"}
        dated, anything = {"kind": "date", "variable": "death_date"}, {"kind": "adverse_event"}
        first = draw.choice([death, death, event, anything, score, grade, dated])
        entry = self.titled("t", place) | {"event": [first]}
        if first is not death and draw.random() < 0.6:
            entry["competing"] = [death]
        entry |= {"times": draw.choice([[], [0.5, 3, 6], [12, 240]]), "landmark": draw.choice([0, 0, 30, 60, 5000])}
        entry |= {"horizon": draw.choice([None, 1, 6, 600])}
        entry["tests"] = self.some("trend", "stratified")
        entry["strata"] = [name for name in self.some("sex", "procedure", "band", most=2) if name != self.makes]
        entry["covariates"] = self.covariates()
        entry["subgroups"] = [name for name in self.some("sex", "procedure", "band", most=2) if name != self.makes]
        entry["matched"] = draw.choice(self.matched)
        return {name: part for name, part in entry.items() if part is not None}

    def models(self, place):
        draw = self.draw
        model = draw.choice(["ancova", "logistic", "repeated"])
        entry = self.titled("m", place) | {"model": model, "covariates": self.covariates()}
        entry["matched"] = draw.choice(self.matched)
        entry["adjust"] = draw.choice(["none", "bonferroni", "holm", "tukey"])
        if model == "logistic":
            outcome = draw.choice(["frankel", "complication"] + ["sex"] * (self.groups != "sex"))
            of = {"frankel": (["1m"], ["D", "E"]), "complication": ([], ["yes"]), "sex": ([], ["female"])}[outcome]
            return entry | {"outcome": outcome, "visits": of[0], "event": of[1]}
        entry["outcome"] = draw.choice(["pain_vas_mm", "hsuv", "eq_vas", "barthel_total"])
        if model == "ancova":
            return entry | {"visits": [draw.choice(["1m", "6m", "last"])], "baseline": "preop"}
        entry |= {"visits": draw.choice([["1m", "3m"], ["1m", "3m", "6m"], ["1m", "3m", "6m", "12m"]])}
        entry |= {"structure": draw.choice(["unstructured", "compound_symmetry"])}
        return entry | {"degrees": draw.choice(["satterthwaite", "residual"]), "baseline": draw.choice(["", "preop"])}

    def qol(self, place):
        draw = self.draw
        entry = self.titled("q", place) | {"measure": draw.choice(["qaly", "course", "responders"])}
        entry |= {"variable": draw.choice(["hsuv", "hsuv", "pain_vas_mm"]), "matched": draw.choice(self.matched)}
        entry["visits"] = draw.choice([["preop", "1m"], ["preop", "1m", "3m", "6m"], list(VISITS)])
        if entry["measure"] == "qaly":
            entry |= {"variable": "hsuv", "horizon": draw.choice([1, 6, 12, 240])}
            entry["gaps"] = draw.choice(["linear", "carried", "complete"])
        if entry["measure"] == "course":
            entry["dead"] = draw.choice([0, 0, -0.5, 100])
        if entry["measure"] == "responders":
            entry["threshold"] = draw.choice([0.039, 0.1, 20])
        return entry

    def transitions(self, place):
        entry = self.titled("g", place) | {"variable": self.draw.choice(["frankel", "low", "ecog_ps"])}
        entry |= {"before": "preop", "after": self.draw.choice(["1m", "6m", "last"])}
        return entry | {"matched": self.draw.choice(self.matched)}
