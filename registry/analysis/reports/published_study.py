"""A published study beside this registry: each number that a paper prints and this registry can compute.

What a paper prints is data (registry/protocol/published). Values come by the variables of plans, tests and matching by
`registry.stats`: nothing here is peculiar to one paper.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from registry import protocol
from registry.analysis.data import frame as frames
from registry.analysis.design.variables import columns, declared
from registry.instruments.base import Label
from registry.services.protocol import setup
from registry.stats.arrays import NotEstimable
from registry.stats.categorical import chi_square, mcnemar_exact
from registry.stats.exact.fisher import fisher_exact
from registry.stats.matching.nearest import nearest
from registry.stats.matching.score import propensity
from registry.stats.ordered.symmetry import bowker
from registry.stats.rank import mann_whitney, wilcoxon_signed_rank
from registry.stats.survival import kaplan_meier, log_rank, survival_at
from registry.stats.ttest import paired_t, student_t

FOLDER = Path(protocol.__file__).parent / "published"
MONTH = 30.4375  # days
CALIPER = 0.02
COVARIATES = (
    ("age_at_surgery", ""), ("sex", ""), ("lesion_region", ""), ("primary_histology", ""), ("tokuhashi_total", ""),
    ("ecog_ps", "preop"), ("escc", "preop"), ("pain_vas_10", "preop"), ("sins_total", ""), ("ais", "preop"),
    ("sosg_oq_total", "preop"),
)  # fmt: skip
TESTS = {
    "student_t": Label("t test", "t検定"), "paired_t": Label("paired t test", "対応のあるt検定"),
    "mann_whitney": Label("Mann–Whitney", "Mann–Whitney検定"), "chi_square": Label("chi-square", "カイ二乗検定"),
    "fisher": Label("Fisher’s exact", "Fisherの正確検定"), "mcnemar_exact": Label("exact McNemar", "正確McNemar検定"),
    "bowker": Label("Bowker", "Bowker検定"), "signed_rank": Label("signed rank", "符号付順位検定"),
    "log_rank": Label("log-rank", "ログランク検定"),
}  # fmt: skip
# Tests of matched pairs are of other pairs than the paper's.
PAIRED = Label(
    "the test is of matched pairs, and who was matched with whom is not published",
    "対応のある検定ですが、実際のマッチングの組み合わせは公表されていません",
)
PAIRED_TESTS = ("paired_t", "mcnemar_exact", "bowker", "signed_rank")
ELSE = Label("the paper and these patients differ", "論文の値と一致しません")


@dataclass(frozen=True)
class Line:
    """One row of a paper: what it prints of each group and as P, and the same from this registry."""

    id: str
    where: str
    label: Label
    printed: tuple[str, ...]
    ours: tuple[str, ...]
    n: tuple[int, ...]
    p_printed: str = ""
    p_ours: str = ""
    test: Label | None = None
    reason: Label | None = None
    note: Label | None = None

    @property
    def differing(self):
        """For each group and then for P whether it differs."""
        pairs = [*zip(self.printed, self.ours, strict=True), (self.p_printed, self.p_ours)]
        return [not _same(theirs, ours) for theirs, ours in pairs]

    @property
    def agrees(self):
        return not any(self.differing)

    @property
    def numbers(self):
        """How many numbers of the paper stand here."""
        return len(self.printed) + bool(self.p_printed)


def _same(theirs, ours):
    if theirs[:1] in "<>" and theirs:
        bound = float(theirs[1:])
        low = ours[:1] == "<"
        value = float(ours.lstrip("<>") or "nan")
        return value <= bound if theirs[0] == "<" else value >= bound and not low
    return theirs == ours


def studies():
    """Names of the studies whose numbers come along."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def document(study):
    """What the paper prints; KeyError for a study that is not there."""
    if study not in studies():
        raise KeyError(study)
    return json.loads((FOLDER / f"{study}.json").read_text())


def of_registry():
    """The study whose protocol this registry has, "" for none whose numbers come along."""
    number = (setup.document().get("study") or {}).get("number", "")
    return next((name for name in studies() if number and document(name)["number"] == number), "")


def lines(study):
    """The Lines of a study, in the order of the paper. In the scope of who asks.

    Raises Refused where the registry does not collect what the study needs, KeyError for an unknown study.
    """
    printed = document(study)
    patients = _Patients(printed)
    return [patients.line(row) for row in printed["rows"]]


class _Patients:
    """The patients of a registry as a paper groups them."""

    def __init__(self, printed):
        self.printed, self.names = printed, declared.Variables()
        self.has_matched = any(row.get("set") == "matched" for row in printed["rows"])
        self.frame = frames.read(tuple(dict.fromkeys(self._needed())))
        arm = self.column("study_arm")
        places = [
            [choice.code for choice in arm.variable.categories].index(group["code"]) for group in printed["groups"]
        ]
        self.groups = [np.flatnonzero(arm.codes == place) for place in places]

    def _needed(self):
        wanted = [("study_arm", "")] + (list(COVARIATES) if self.has_matched else [])
        for row in self.printed["rows"]:
            wanted += [
                (variable, visit)
                for variable, visit in _variables_of(row)
                if variable not in ("adverse_event", "survival")
            ]
        wanted += [("local_recurrence_date", ""), ("surgery_date", "")]
        for name, visit in dict.fromkeys(wanted):
            yield from columns.needed(self.variable(name), visit, self.names)
        yield from columns.needed(self.any_event, "", self.names)

    def variable(self, name):
        return self.names.get(name)

    @cached_property
    def any_event(self):
        given = {"name": "any_event", "of": {"events": [], "give": "any"}}
        return declared.from_json(given, self.names)

    @cached_property
    def _made(self):
        return {}

    def column(self, name, visit=""):
        variable = self.any_event if name == "adverse_event" else self.variable(name)
        if (name, visit) not in self._made:
            self._made[name, visit] = columns.variable_columns(self.frame, variable, visit, self.names)
        return self._made[name, visit]

    # -- who is matched

    @cached_property
    def pairs(self):
        """(m, 2) places of the first group's patients and of their partners."""
        members = np.concatenate(self.groups)
        treated = np.repeat([1.0, 0.0], [len(group) for group in self.groups])
        parts = []
        for name, visit in COVARIATES:
            column = self.column(name, visit)
            values = column.values[members]
            if column.variable.is_number:
                parts.append(values)
            else:
                parts += [
                    np.where(np.isnan(values), np.nan, values == code)
                    for code in np.unique(values[~np.isnan(values)])[1:]
                ]
        score = propensity(treated, np.column_stack(parts)).score
        return members[nearest(score, treated, caliper=CALIPER, order="smallest").pairs]

    def members(self, row):
        if row.get("set") != "matched":
            return self.groups
        return [self.pairs[:, 0], self.pairs[:, 1]]

    # -- lines

    def line(self, row):
        try:
            ours, n, p = getattr(self, f"_{row['kind']}")(row, self.members(row))
        except NotEstimable as error:
            ours, n, p = ("–",) * len(row["printed"]), (0,) * len(row["printed"]), None
            reason = Label(str(error), str(error))
        else:
            reason = None
        places = self.printed["places"]
        line = Line(
            row["id"], row["where"], Label(**row["label"]), tuple(map(_text, row["printed"])), tuple(ours), tuple(n),
            row["p"], _p(p, places) if row["p"] else "", TESTS.get(row.get("test", "")),
            note=Label(**row["note"]) if "note" in row else None,
        )  # fmt: skip
        if line.agrees and reason is None:
            return line
        return Line(**{**vars(line), "reason": reason or self._reason(row, line)})

    def _reason(self, row, line):
        if "cannot" in row:
            return Label(**row["cannot"])
        if row.get("test") in PAIRED_TESTS and line.differing[-1] and not any(line.differing[:-1]):
            return PAIRED
        return ELSE

    def _p_of(self, row, samples, table=None, pairs=None):
        """P by the test that the row names, or None."""
        test = row.get("test")
        if test in ("student_t", "mann_whitney"):
            return {"student_t": student_t, "mann_whitney": _uncorrected}[test](*samples).p
        if test in ("chi_square", "fisher"):
            full = np.asarray(table)[:, np.asarray(table).sum(axis=0) > 0]
            return (chi_square(full) if test == "chi_square" else fisher_exact(full)).p
        if test in PAIRED_TESTS:
            return _paired(test, *pairs)
        return None

    def _mean_sd(self, row, groups):
        visit = row.get("visit", "")
        column = self.column(row["variable"], visit)
        values = column.values
        if categories := column.variable.categories:
            score = row.get("score") or {str(choice.code): float(choice.code) for choice in categories}
            codes = np.array([score.get(str(choice.code), np.nan) for choice in categories] + [np.nan])
            values = codes[column.codes]
        samples = [values[group] for group in groups]
        pairs = samples if row.get("set") == "matched" else None
        known = [sample[~np.isnan(sample)] for sample in samples]
        spread = row.get("spread", "sd")
        ours = []
        for place, sample in enumerate(known):
            sample = sample / row.get("unit", 1)
            which = spread if isinstance(spread, str) else spread[place]
            width = sample.std(ddof=1) / (sample.size**0.5 if which == "se" else 1)
            decimals = len(row["printed"][place].split(" ± ")[0].partition(".")[2])
            ours.append(f"{_rounded(sample.mean(), decimals)} ± {_rounded(width, decimals)}")
        return ours, [sample.size for sample in known], self._p_of(row, known, pairs=pairs)

    def _counts(self, row, groups):
        column = self.column(row["variable"], row.get("visit", ""))
        codes = [str(choice.code) for choice in column.variable.categories]
        places = [codes.index(_code(code, codes)) for code in row["codes"]]
        table = [[int((column.codes[group] == place).sum()) for place in places] for group in groups]
        ranks = np.append(np.array([places.index(p) if p in places else np.nan for p in range(len(codes))]), np.nan)
        samples = [ranks[column.codes[group]] for group in groups]
        known = [sample[~np.isnan(sample)] for sample in samples]
        pairs = samples if row.get("set") == "matched" else None
        ours = [_text(counts) for counts in table]
        return ours, [sample.size for sample in known], self._p_of(row, known, table, pairs)

    def _any_event(self, row, groups):
        column = self.column("adverse_event")
        table = [[int((column.codes[group] == place).sum()) for place in (0, 1)] for group in groups]
        return [_text(counts) for counts in table], [len(group) for group in groups], self._p_of(row, None, table)

    def _transitions(self, row, groups):
        before, after = self.column(row["variable"], "preop"), self.column(row["variable"], "6m")
        codes = [str(choice.code) for choice in before.variable.categories]
        ours = []
        for group, printed in zip(groups, row["printed"], strict=True):
            numbers = {
                first: {
                    last: int(
                        ((before.codes[group] == codes.index(first)) & (after.codes[group] == codes.index(last))).sum()
                    )
                    for last in lasts
                }
                for first, lasts in printed.items()
            }
            ours.append(_text(numbers))
        return ours, [len(group) for group in groups], None

    # -- time

    def _times(self, row, group):
        """(months, events) of a group: to death, or to local relapse, of those who were operated on."""
        followed = self.frame["followup_days"][group] / MONTH
        if row["variable"] == "survival":
            return followed, self.frame["vital_status"][group] == self.frame.codes["vital_status"].index("dead")
        relapse = self.column("local_recurrence_date").values[group] - self.column("surgery_date").values[group]
        return np.where(np.isnan(relapse), followed, relapse / MONTH), ~np.isnan(relapse)

    def _curves(self, row, groups):
        times = [self._times(row, group) for group in groups]
        p = log_rank(times).p if row.get("test") == "log_rank" else None
        return [kaplan_meier(*time) for time in times], p

    def _survival_at(self, row, groups):
        curves, p = self._curves(row, groups)
        months = np.atleast_1d(row["months"])
        ours = []
        for curve, printed in zip(curves, row["printed"], strict=True):
            texts = printed if isinstance(printed, list) else [printed]
            rates = [100 * at.survival for at in survival_at(curve, [float(month) for month in months])]
            compared = [
                _rounded(rate, len(text.rstrip("%").partition(".")[2])) + ("%" if text.endswith("%") else "")
                for rate, text in zip(rates, texts, strict=True)
            ]
            ours.append(_text(compared if isinstance(printed, list) else compared[0]))
        return ours, [len(group) for group in groups], p

    def _median(self, row, groups):
        curves, p = self._curves(row, groups)
        return [_rounded(curve.median, 0) for curve in curves], [len(group) for group in groups], p

    def _within(self, row, groups):
        ours = []
        for group in groups:
            months, relapsed = self._times(row, group)
            early = int((relapsed & (months * MONTH <= row["days"])).sum())
            ours.append(_text([len(group) - early, early]))
        return ours, [len(group) for group in groups], None


def _code(code, codes):
    """The code of a category as the variable has it: 1 and 0 of a yes and no are called so."""
    return str(code) if str(code) in codes else {"1": "yes", "0": "no"}[str(code)]


def _variables_of(row):
    if row["kind"] == "transitions":
        return [(row["variable"], "preop"), (row["variable"], "6m")]
    return [(row["variable"], row.get("visit", ""))]


def _uncorrected(first, second):
    return mann_whitney(first, second, correct=False)


def _paired(test, first, second):
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both], second[both]
    if test == "paired_t":
        return paired_t(first - second).p
    if test == "signed_rank":
        return wilcoxon_signed_rank(first - second, correct=False).p
    size = int(max(first.max(), second.max())) + 1
    table = np.zeros((size, size), int)
    np.add.at(table, (first.astype(int), second.astype(int)), 1)
    return (mcnemar_exact(table) if test == "mcnemar_exact" else bowker(table)).p


def _rounded(value, decimals):
    """As papers round: half away from zero, after what floating point lost."""
    return f"{np.floor(abs(float(value)) * 10**decimals + 0.5 + 1e-9) / 10**decimals:.{decimals}f}"


def _p(p, places):
    return "" if p is None or np.isnan(p) else f"{p:.{places}f}"


def _text(printed):
    if isinstance(printed, dict):
        return "; ".join(
            f"{first}→" + " ".join(f"{last} {n}" for last, n in lasts.items()) for first, lasts in printed.items()
        )
    if isinstance(printed, list):
        return " / ".join(map(str, printed))
    return str(printed)


def agreement(all_compared):
    """(numbers that agree, numbers compared) of some Lines."""
    compared = sum(line.numbers for line in all_compared)
    differing = sum(
        sum(line.differing[: len(line.printed)]) + (line.differing[-1] if line.p_printed else 0)
        for line in all_compared
    )
    return compared - differing, compared
