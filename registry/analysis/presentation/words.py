"""What a result's codes are called, in one language."""

from copy import copy
from itertools import permutations

from registry.analysis.design import cohorts, methods, named_groups, plans
from registry.analysis.presentation import screening
from registry.analysis.results.written import plain
from registry.instruments import timepoints, variables
from registry.instruments.base import Label

SYNTHETIC = Label("SYNTHETIC DATA: these patients do not exist", "架空データ：実在の患者ではありません")
MONTE_CARLO = Label(
    "* Sampled (Monte Carlo), because the exact test is beyond reach for this table.",
    "* 正確計算が困難なためモンテカルロ法による推定値。",
)
NOTE = Label(
    "Values are mean ± SD or n (%) of the patients whose value is known.",
    "値は平均±標準偏差またはn（既知例に対する%）。",
)
LABEL_UNIT = Label("{name}, {unit}", "{name}（{unit}）")
UNITS = {
    variables.YEARS_OF_AGE: Label("years", "歳"),
    "years": Label("years", "年"),
    "months": Label("months", "か月"),
    "days": Label("days", "日"),
    "hours": Label("hours", "時間"),
    "deg": Label("deg", "度"),
    "min": Label("min", "分"),
}
P_NOTE = Label("P: {tests}.", "P値：{tests}。")

NOT_ESTIMABLE = Label("–: not estimable. {reasons}.", "–：推定不能。{reasons}。")
WHY_NOT = {  # the reasons of `stats` and of the runner, after “not estimable because”
    "there are no observations": "観察値がない",
    "a group has no observations": "観察値のない群がある",
    "fewer than two groups have observations": "観察値のある群が2つ未満",
    "there are too few observations": "観察値が少なすぎる",
    "the values do not vary": "値にばらつきがない",
    "every difference is zero": "差がすべて0",
    "a row or a column of the table is empty": "分割表に空の行または列がある",
    "no pair changed": "変化した対がない",
    "no event was observed": "イベントが観察されなかった",
    "a cell of the table is empty, so the ratio has no interval": "分割表に空のセルがあり、比の信頼区間がない",
    "a covariate does not vary": "共変量にばらつきがない",
    "a covariate is determined by the others": "共変量が他の共変量から決まる",
    "a hazard ratio goes to zero or infinity, as without an event in a group": (
        "ハザード比が0または無限大に向かう（群にイベントがない場合など）"
    ),
    "a covariate separates those with the outcome from those without": "共変量が結果の有無を完全に分ける",
    "the fit did not converge": "推定が収束しなかった",
    "the covariance is singular": "共分散行列が特異である",
    "fewer than two visits have values": "値のある時点が2つ未満",
    "nobody could be matched": "対にできる患者がいない",
    "tables of pairs take one control for each treated patient": "対の分割表には1対1のマッチングが必要",
    "the test takes no weights": "重み付き患者には用いられない検定である",
    "it defines the groups": "群の定義に用いた変数のため検定なし",
    "it has no ranks at a visit": "来院時の順位がない変数である",
    "it is not declared which way is worse": "どちらの方向が悪いか宣言されていない",
    "the plan asks for no test": "計画で検定を指定していない",
    "nobody was followed so long": "その時点まで追跡された患者がいない",
    "nobody was followed to the horizon, so the last value of the curve is carried on to it": (
        "上限まで追跡された患者がいないため、曲線の最後の値を延長した"
    ),
    "the strata hold it constant": "層別因子のため層内で一定である",
    "the model could not be fitted": "モデルを推定できなかった",
    "the test takes a table of two categories, or of several for Bowker's": (
        "2カテゴリの表（Bowker検定では複数カテゴリ）を要する検定である"
    ),
    "weights compare numbers and variables of two categories": "重み付けでは数値と2カテゴリの変数のみ比較できる",
    "the test compares two groups": "2群を比較する検定である",
    "few patients or events stand behind it": "該当する患者またはイベントが少数のため示さない",
}


def why_not(reason):
    """The Label of a row's `reason`: why there is no P."""
    why = reason.removeprefix("not estimable because ")
    sentence, opening, at = why.partition(" (")
    sentence_in_japanese = WHY_NOT.get(why) or WHY_NOT.get(sentence, sentence) + (
        f"（{at.removesuffix(')')}）" if opening else ""
    )
    return Label(why, sentence_in_japanese)


class Words:
    """Called with a Label, its text in the language."""

    def __init__(self, result, language):
        self.result, self.language = result, language
        method = result.method
        grouping = named_groups.of_method(method)
        known = {choice.code: choice.label for choice in grouping.groups or ()}
        self.groups = {code: known[code].in_language(language) if code in known else code for code in method.groups}
        self.sizes = result.cohort.groups

    def __call__(self, label, **values):
        return (label.format(**values) if values else label).in_language(self.language)

    def of_groups(self, sizes):
        """These words for a part of the groups: group code to number of patients."""
        narrowed = copy(self)
        narrowed.groups, narrowed.sizes = {code: self.groups[code] for code in sizes}, sizes
        return narrowed

    def groups_with_n(self):
        return [f"{name} (n = {self.sizes[code]})" for code, name in self.groups.items()]

    def label(self, variable):
        unit = UNITS.get(variable.unit, Label(variable.unit, variable.unit))
        return self(LABEL_UNIT, name=self(variable.label), unit=self(unit)) if variable.unit else self(variable.label)

    @property
    def baseline(self):
        return self.timepoint(self.result.method.baseline)

    def timepoint(self, code):
        if unscheduled := timepoints.unscheduled_number(code) if code else None:
            return self(timepoints.unscheduled(unscheduled).label)
        return self(timepoints.timepoint(code).label) if code else ""

    def visit(self, code):
        """What a visit is called, of the schedule or of the plan's own; "" for none."""
        own = {visit["code"]: visit["label"] for visit in self.result.method.visits or ()}
        if code in own:
            return self(Label(**own[code]))
        return self.timepoint(code)

    def at(self, code):
        """A timepoint inside a sentence: “before surgery”, “at 1 month”."""
        label = timepoints.timepoint(code).label
        if self.language.startswith("ja"):
            return label.ja
        return label.en[0].lower() + label.en[1:] if code == timepoints.SCHEDULE[0].code else f"at {label.en}"

    def codes_of_pair(self, pair):
        """The two group codes of a pair such as `cervical_vs_thoracic`."""
        return next(two for two in permutations(self.groups, 2) if "_vs_".join(two) == pair)

    def pairs(self, rows):
        """Pair code to text, of all the pairs in some rows."""
        known = {"_vs_".join(two) for two in permutations(self.groups, 2)}
        pairs = [pair for pair in self.result.method.pairs if pair in known] if rows else ()
        return {pair: " – ".join(self.groups[code] for code in self.codes_of_pair(pair)) for pair in pairs}

    def flow(self):
        """The cohort's flow with labels and reasons in the language."""
        cohort = self.result.cohort
        steps = (None, *cohorts.from_json(cohort.to_json()).steps)
        for counted, step in zip(cohort.flow, steps, strict=True):
            yield counted.to_json() | {
                "label": self(step.label if step else cohorts.enrolled(counted.in_error or 0)),
                "reason": self(step.reason) if step else "",
            }

    def before(self):
        """The steps before enrolment with labels and reasons in the language; empty where no site keeps a log."""
        return screening.steps_in_language(plain(self.result.cohort.flow[0].screening or []), self.language)

    def whole_flow(self):
        """The flow from whom sites looked at, where they keep a screening log, to the analysed."""
        return screening.whole(self.before(), list(self.flow()))

    def test(self, code):
        return self(methods.BY_CODE[code].label)

    def footnotes(self, rows):
        """How the values are given and which tests the P-values come from."""
        if not rows:
            return ()
        used = dict.fromkeys(row.test for row in rows)
        text = ", ".join(self._with_adjustment(code, rows) for code in used)
        notes = [self(NOTE), self(P_NOTE, tests=text)]
        if any(row.monte_carlo for row in rows):
            notes.append(self(MONTE_CARLO))
        if reasons := self._not_estimable(rows):
            notes.append(self(NOT_ESTIMABLE, reasons="; ".join(reasons)))
        return tuple(notes)

    def _not_estimable(self, rows):
        """Each reason why a P is lacking, with the variables that lack it."""
        reasons = {}
        for row in rows:
            for why in reasons_of(row):
                reasons.setdefault(why, {})[self(variable_of(row).label)] = True
        listed = self(Label(", ", "、"))
        return [
            self(Label("{why}: {what}", "{why}：{what}"), why=self(why_not(why)), what=listed.join(names))
            for why, names in reasons.items()
        ]

    def _with_adjustment(self, code, rows):
        adjusted = next((adjust for row in rows if row.test == code and (adjust := getattr(row, "adjust", ""))), "none")
        if adjusted == "none":
            return self.test(code)
        return f"{self.test(code)} ({self(methods.ADJUSTMENTS[adjusted])})"


def reasons_of(row):
    """Why a row of the segment study's tables has no P, or some of its pairs, or its further test."""
    reasons = list(row.reason.values()) if isinstance(row.reason, dict) else [row.reason]
    second = getattr(row, "second", None)
    return [reason for reason in (*reasons, second and second.tested.reason) if reason]


def variable_of(row):
    """The Variable of a row of a result, its change for a row of changes."""
    variable = variables.get(row.variable)
    return variable.delta if getattr(row, "timepoint", "") == "delta" else variable


def cohort_label(name):
    return cohorts.COHORTS[name].label if name in cohorts.COHORTS else Label(name, name)


def plan_label(name):
    return plans.LABELS.get(name, Label(name, name))
