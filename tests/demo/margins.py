"""The study's tables recomputed from the files alone, with code that shares nothing with the generator.

`python -m tests.demo.margins DIR` prints every published figure beside the one of the files in DIR as Markdown.
"""

import csv
import sys
from collections import Counter
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import stats

from registry.demo.segi2025 import published
from registry.instruments import value_sets
from registry.instruments.levels import DEFAULT_RULE

GROUPS = ("cervical", "thoracic", "tls")
PAIRS = ((0, 1), (1, 2), (0, 2))
DAYS_PER_MONTH = 30.4375
BARTHEL = tuple(
    f"barthel_{name}"
    for name in [
        "feeding",
        "bathing",
        "grooming",
        "dressing",
        "bowels",
        "bladder",
        "toilet",
        "transfer",
        "mobility",
        "stairs",
    ]
)
EQ5D = tuple(
    f"eq5d_{name}" for name in ["mobility", "self_care", "usual_activities", "pain_discomfort", "anxiety_depression"]
)
TOKUHASHI = tuple(
    f"tokuhashi_{name}" for name in ["general_condition", "extraspinal_bone", "vertebral", "organs", "primary", "palsy"]
)
SINS = tuple(f"sins_{name}" for name in ["location", "pain", "bone_lesion", "alignment", "collapse", "posterolateral"])


def read(folder, name):
    with (Path(folder) / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day(text):
    return date.fromisoformat(text)


def total(row, names):
    return sum(int(row[name]) for name in names) if all(row[name] != "" for name in names) else None


def age(row):
    born, operated = day(row["birth_date"]), day(row["surgery_date"])
    return operated.year - born.year - ((operated.month, operated.day) < (born.month, born.day))


def followup_days(row):
    return (day(row["death_date"] or row["last_contact_date"]) - day(row["surgery_date"])).days


def followup_months(row):
    return followup_days(row) / DAYS_PER_MONTH


def hsuv(row):
    if any(row[name] == "" for name in EQ5D):
        return None
    return value_sets.get("JP").hsuv(int("".join(row[name] for name in EQ5D)))


def whole(name):
    return lambda row: int(row[name]) if row[name] != "" else None


SCALES = {
    "pain_vas_mm": whole("pain_vas_mm"),
    "barthel_total": lambda row: total(row, BARTHEL),
    "hsuv": hsuv,
    "eq_vas": whole("eq_vas"),
}
CHARACTERISTICS = {
    "age_at_surgery": age,
    "tokuhashi_total": lambda row: total(row, TOKUHASHI),
    "sins_total": lambda row: total(row, SINS),
    "operative_time_min": whole("operative_time_min"),
    "blood_loss_ml": whole("blood_loss_ml"),
    "followup_months": followup_months,
}
BINARY = {
    "frankel_abc": lambda row: row["frankel"] in "ABC" if row["frankel"] else None,
    "ecog_ps_over_2": lambda row: int(row["ecog_ps"]) > 2 if row["ecog_ps"] else None,
}
MOMENTS = {"preop": "preop", "1m": "month1"}


def fixed(x, decimals):
    """x printed with so many decimals; of the exact binary value, so that no tie is decided by an earlier rounding."""
    return str(Decimal(float(x)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN))


def mean_sd(values, decimals):
    return f"{fixed(np.mean(values), decimals)} ± {fixed(np.std(values, ddof=1), decimals)}"


def tukey(groups):
    """P of the three pairs; R: TukeyHSD(aov(y ~ g))."""
    matrix = stats.tukey_hsd(*groups).pvalue
    return [float(matrix[pair]) for pair in PAIRS]


def anova(groups):
    return float(stats.f_oneway(*groups).pvalue)


def chi_square(table):
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def fisher_bh(counts):
    """Pairwise Fisher of (first, second) counts, Benjamini-Hochberg over the three pairs."""
    raw = [float(stats.fisher_exact([counts[i], counts[j]]).pvalue) for i, j in PAIRS]
    return stats.false_discovery_control(raw).tolist()


def signed_rank(changes):
    """R: wilcox.test(round(d, 9), correct = TRUE, exact = FALSE)."""
    changes = np.round(changes, 9)
    return float(
        stats.wilcoxon(changes[changes != 0], correction=True, method="asymptotic", zero_method="wilcox").pvalue
    )


class Files:
    """The analysed patients of a folder, in the three groups, and their assessments."""

    def __init__(self, folder):
        self.patients = read(folder, "patients")
        self.assessments = {(row["patient_id"], row["timepoint"]): row for row in read(folder, "assessments")}
        self.events = read(folder, "adverse_events")

    @cached_property
    def steps(self):
        """The cohort's steps: (name, the patients left)."""
        few = [p for p in self.patients if DEFAULT_RULE.group(p["lesion_levels"].split(";")) in GROUPS]
        no_tes = [p for p in few if p["procedure"] != "tes"]
        followed = [p for p in no_tes if followup_days(p) >= 30]
        names = ("enrolled", "one_to_three_consecutive", "no_tes", "followed_one_month")
        return list(zip(names, (self.patients, few, no_tes, followed), strict=True))

    @cached_property
    def groups(self):
        analysed = self.steps[-1][1]
        return [[p for p in analysed if DEFAULT_RULE.group(p["lesion_levels"].split(";")) == group] for group in GROUPS]

    def characteristic(self, name):
        return [[CHARACTERISTICS[name](p) for p in group] for group in self.groups]

    def counts(self, column, codes):
        tallies = [Counter(p[column] for p in group) for group in self.groups]
        return {code: tuple(tally[code] for tally in tallies) for code in codes}

    def at(self, patient, timepoint, value):
        row = self.assessments.get((patient["patient_id"], timepoint))
        return None if row is None else value(row)

    def values(self, timepoint, value):
        """Per group a value or None a patient."""
        return [[self.at(p, timepoint, value) for p in group] for group in self.groups]

    def changes(self, value):
        pairs = [
            zip(*both, strict=True) for both in zip(self.values("preop", value), self.values("1m", value), strict=True)
        ]
        return [[None if None in pair else pair[1] - pair[0] for pair in group] for group in pairs]

    def levels(self):
        return [Counter(level for p in group for level in p["lesion_levels"].split(";")) for group in self.groups]

    def patients_with(self, *kinds):
        having = {event["patient_id"] for event in self.events if event["kind"] in kinds}
        return tuple(sum(p["patient_id"] in having for p in group) for group in self.groups)

    def domain_p(self, dimension, timepoint):
        """Figure 5: P of the three pairs, level counts, chi-square in place of Fisher's test, Benjamini-Hochberg."""
        counts = [
            [sum(v == level for v in group) for level in range(1, 6)]
            for group in self.values(timepoint, whole(dimension))
        ]
        raw = []
        for i, j in PAIRS:
            table = np.array([counts[i], counts[j]])
            raw.append(chi_square(table[:, table.sum(axis=0) > 0]))
        return stats.false_discovery_control(raw).tolist()


def known(groups):
    return [[v for v in group if v is not None] for group in groups]


def unknown(groups):
    return tuple(sum(v is None for v in group) for group in groups)


def rows(files):
    """(table, row, what, published, ours) of every published figure."""
    out = [("Flow", name, "n", str(n), str(len(left))) for (name, n), (_, left) in
           zip(published.FLOW, files.steps, strict=True)]  # fmt: skip
    for g, group in enumerate(GROUPS):
        ours = files.levels()[g]
        shown = [f"{level} {n}" for level, n in published.LEVELS[g].items()]
        out.append(
            ("1", f"levels, {group}", "n", ", ".join(shown), ", ".join(f"{k} {ours[k]}" for k in published.LEVELS[g]))
        )
        assert set(ours) == set(published.LEVELS[g]), group
    for name, row in published.CHARACTERISTICS.items():
        values = files.characteristic(name)
        out += [
            ("2", name, group, f"{p.mean:.{p.decimals}f} ± {p.sd:.{p.decimals}f}", mean_sd(v, p.decimals))
            for group, p, v in zip(GROUPS, row.groups, values, strict=True)
        ]
        out.append(("2", name, "P", row.p[0], published.printed_p(anova(values))))
    sins_class = [
        Counter("stable" if t <= 6 else "potentially_unstable" if t <= 12 else "unstable" for t in group)
        for group in files.characteristic("sins_total")
    ]
    categorical = {
        "sex": (
            {
                "male": published.MALE,
                "female": tuple(n - m for n, m in zip(published.SIZES, published.MALE, strict=True)),
            },
            files.counts("sex", ("male", "female")),
        ),
        "primary_tumour": (published.PRIMARY, files.counts("primary_tumour", published.PRIMARY)),
        "sins_class": (
            published.SINS_CLASS,
            {code: tuple(group[code] for group in sins_class) for code in published.SINS_CLASS},
        ),
        "procedure": (published.PROCEDURE, files.counts("procedure", published.PROCEDURE)),
        "died": (
            {
                "dead": published.DIED,
                "alive": tuple(n - d for n, d in zip(published.SIZES, published.DIED, strict=True)),
            },
            files.counts("vital_status", ("dead", "alive")),
        ),
    }
    for name, (theirs, ours) in categorical.items():
        out += [("2", name, code, _slashed(theirs[code]), _slashed(ours[code])) for code in theirs]
        p = chi_square(np.array(list(ours.values())))
        out.append(("2", name, "P (χ²)", published.CATEGORICAL_P[name], published.printed_p(p)))
    out += _recovery(files)
    wound = files.patients_with(*published.WOUND_KINDS)
    nerve = files.patients_with("neurological_deterioration")
    out.append(("5", "SSI / wound", "n", _slashed(published.WOUND_EVENT), _slashed(wound)))
    out.append(("5", "neurological", "n", _slashed(published.NEUROLOGICAL_EVENT), _slashed(nerve)))
    return out


def _recovery(files):
    out = []
    for name, value in BINARY.items():
        both = {}
        for timepoint, moment in MOMENTS.items():
            groups = files.values(timepoint, value)
            ours = tuple((g.count(True), g.count(False), g.count(None)) for g in groups)
            both[timepoint] = ours
            theirs = published.BINARY[name][moment]
            out.append(("4", name, timepoint, _nested(theirs), _nested(ours)))
            p = fisher_bh([counts[:2] for counts in ours])
            out.append(("6", name, f"{timepoint} P", _commas(published.BINARY_BETWEEN_P[name][moment]), _p(p)))
        p = [float(stats.fisher_exact([a[:2], b[:2]]).pvalue) for a, b in zip(*both.values(), strict=True)]
        out.append(("4", name, "P within", _commas(published.BINARY_WITHIN_P[name]), _p(p)))
    for name, value in SCALES.items():
        scale = published.SCALES[name]
        three = {"preop": files.values("preop", value), "1m": files.values("1m", value), "change": files.changes(value)}
        for moment, groups in three.items():
            row = getattr(scale, MOMENTS.get(moment, moment))
            if row is None:
                continue
            out.append(("4", name, f"{moment} unknown", _slashed(row.unknown), _slashed(unknown(groups))))
            values = known(groups)
            theirs = [f"{p.mean:.{p.decimals}f} ± {p.sd:.{p.decimals}f}" for p in row.groups]
            ours = [mean_sd(v, p.decimals) for v, p in zip(values, row.groups, strict=True)]
            out.append(("4", name, moment, " / ".join(theirs), " / ".join(ours)))
            out.append(("6", name, f"{moment} P", _commas(row.p), _p(tukey(values))))
        p = [signed_rank(np.array(changes, dtype=float)) for changes in known(three["change"])]
        out.append(("4", name, "P within", _commas(scale.within_p), _p(p)))
    return out


def _slashed(numbers):
    return " / ".join(str(n) for n in numbers)


def _nested(triples):
    return "; ".join(_slashed(triple) for triple in triples)


def _commas(texts):
    return ", ".join(texts)


def _p(values):
    return _commas([published.printed_p(p) for p in values])


def markdown(files):
    lines = ["| Table | Row | What | Published | Here | |", "|---|---|---|---|---|---|"]
    for table, row, what, theirs, ours in rows(files):
        lines.append(f"| {table} | {row} | {what} | {theirs} | {ours} | {'' if theirs == ours else '**differs**'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(Files(sys.argv[1])))
