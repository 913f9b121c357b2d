"""The segment comparison again, slowly and obviously, from the dicts that a test stored: lists, SciPy and no codes."""

import datetime as dt
import statistics as st

import numpy as np
from scipy import stats
from scipy.special import gammaln

from registry.instruments import levels, value_sets
from registry.instruments.core.eq5d5l import DIMENSIONS
from tests.analysis.conftest import BARTHEL

GROUPS = ("cervical", "thoracic", "tls")
PAIRS = (("cervical", "thoracic"), ("thoracic", "tls"), ("cervical", "tls"))


def followup_days(patient):
    end = (
        patient["death_date"]
        if patient["vital_status"] == "dead" and patient.get("death_date")
        else patient["last_contact_date"]
    )
    if end is None:
        after = [code for code in patient["visits"] if code != "preop"]
        end = patient["surgery_date"] + dt.timedelta(days=30) if after else None
    return None if end is None or patient["surgery_date"] is None else (end - patient["surgery_date"]).days


def in_cohort(patient):
    return (
        levels.DEFAULT_RULE.group(patient["lesion_levels"]) in GROUPS
        and patient["procedure"] != "tes"
        and (followup_days(patient) or 0) >= 30
    )


def total(values, names):
    return sum(values[name] for name in names) if all(values.get(name) is not None for name in names) else None


def value(patient, name, timepoint=None):
    """The value of a variable for one patient; None where there is none."""
    if timepoint:
        visit = patient["visits"].get(timepoint, {})
        return {
            "frankel_abc": lambda: visit.get("frankel") and ("A/B/C" if visit["frankel"] in "ABC" else "D/E"),
            "ecog_ps_over_2": lambda: (
                None if visit.get("ecog_ps") in (None, 5) else (">2" if visit["ecog_ps"] > 2 else "<=2")
            ),
            "barthel_total": lambda: total(visit, BARTHEL),
            "hsuv": lambda: hsuv(visit),
        }.get(name, lambda: visit.get(name))()
    sins = total(patient, [n for n in patient if n.startswith("sins_")])
    return {
        "tokuhashi_total": lambda: total(patient, [n for n in patient if n.startswith("tokuhashi_")]),
        "sins_total": lambda: sins,
        "sins_class": lambda: "stable" if sins <= 6 else "potentially_unstable" if sins <= 12 else "unstable",
        "followup_months": lambda: followup_days(patient) / 30.4375,
        "died": lambda: {"dead": "yes", "alive": "no"}[patient["vital_status"]],
        "ssi_or_wound": lambda: yes({"surgical_site_infection", "wound_problem"} & set(patient["events"])),
        "neurological": lambda: yes("neurological_deterioration" in patient["events"]),
    }.get(name, lambda: patient[name])()


def yes(had):
    return "yes" if had else "no"


def hsuv(visit, code="JP"):
    digits = [visit.get(item.name) for item in DIMENSIONS]
    return None if None in digits else value_sets.get(code).hsuv(int("".join(map(str, digits))))


def known(values):
    return [value for value in values if value is not None]


def described(values):
    there = known(values)
    return {
        "n": len(there),
        "missing": len(values) - len(there),
        "mean": st.fmean(there),
        "sd": st.stdev(there),
        "median": st.median(there),
    }


def counted(values, categories):
    there = known(values)
    return {
        "n": len(there),
        "missing": len(values) - len(there),
        "counts": {category: there.count(category) for category in categories},
    }


def grouped(patients):
    return {
        group: [patient for patient in patients if levels.DEFAULT_RULE.group(patient["lesion_levels"]) == group]
        for group in GROUPS
    }


def pairwise_fisher(tables):
    raw = [stats.fisher_exact([tables[a], tables[b]]).pvalue for a, b in PAIRS]
    return raw, stats.false_discovery_control(raw, method="bh")


def tukey(samples):
    result = stats.tukey_hsd(*(samples[group] for group in GROUPS))
    return [result.pvalue[GROUPS.index(a), GROUPS.index(b)] for a, b in PAIRS]


def wilcoxon(before, after):
    difference = np.round(np.array(after) - np.array(before), 9)
    return stats.wilcoxon(difference, zero_method="wilcox", correction=True, method="asymptotic").pvalue


def fisher_of_two_rows(table):
    """Exact P of a 2 × c table by laying out every first row with the same margins."""
    first, columns = np.array(table[0]), np.array(table).sum(axis=0)
    cells = np.meshgrid(*(np.arange(column + 1) for column in columns[:-1]), indexing="ij")
    last = first.sum() - sum(cells)
    possible = (last >= 0) & (last <= columns[-1])
    rows = np.stack([*(cell[possible] for cell in cells), last[possible]])
    left = columns[:, None] - rows
    chances = -(gammaln(rows + 1) + gammaln(left + 1)).sum(axis=0)
    seen = -(gammaln(first + 1) + gammaln(columns - first + 1)).sum()
    weights = np.exp(chances - chances.max())
    return weights[chances <= seen + 1e-7].sum() / weights.sum()
