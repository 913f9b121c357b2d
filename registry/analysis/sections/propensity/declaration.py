"""A propensity score as a plan declares it, and whether its patients are matched or weighted."""

from dataclasses import dataclass

from registry.analysis.design.errors import refusal
from registry.analysis.sections import declared
from registry.instruments.base import Label
from registry.stats.matching.nearest import CALIPERS, ORDERS
from registry.stats.matching.weights import ESTIMANDS

KIND = "propensity"
METHODS = ("matching", "weighting")
SCALES = ("score", "logit")
TESTS = ("paired_t", "wilcoxon_signed_rank", "signed_rank_exact", "mcnemar", "bowker")


@dataclass(frozen=True)
class Propensity(declared.Section):
    """A propensity score and what is done with it. Refused says what is wrong.

    treated, control  codes of the groups
    method            `matching` (ratio controls each, caliper in caliper_unit of `on`, order and seed, exact variables,
                      replacement) or `weighting` (estimand); as stats.matching has them
    continuous        test of pairs of a number, unless an outcome names its own
    outcomes          objects with variable, visit ("" for none) and perhaps test
    """

    code: str
    title: Label
    treated: str
    control: str
    covariates: tuple
    method: str = "matching"
    ratio: int = 1
    caliper: float | None = None
    caliper_unit: str = "score"
    on: str = "score"
    order: str = "largest"
    seed: int = 0
    exact: tuple = ()
    replace: bool = False
    estimand: str = "ate"
    denominator: str = "pooled"
    continuous: str = "paired_t"
    outcomes: tuple = ()

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        if self.treated == self.control:
            raise refusal(
                "{kind}: treated and control are two groups; both are {group}",
                "{kind}：treatedとcontrolには異なる群を指定してください（どちらも{group}）",
                kind=KIND,
                group=self.treated,
            )
        declared.some(KIND, "covariates", self.covariates, 1)
        declared.some(KIND, "exact", self.exact)
        declared.some(KIND, "outcomes", self.outcomes)
        choices = {
            "method": METHODS, "on": SCALES, "order": ORDERS, "caliper_unit": CALIPERS, "estimand": ESTIMANDS,
            "continuous": TESTS[:3], "denominator": ("pooled", "treated", "control"),
        }  # fmt: skip
        for place, fits in choices.items():
            declared.one_of(KIND, place, getattr(self, place), fits)
        declared.number(KIND, "ratio", self.ratio, least=1, most=10, whole=True)
        declared.number(KIND, "seed", self.seed, least=0, whole=True)
        if self.caliper is not None:
            declared.number(KIND, "caliper", self.caliper, above=0)
        for outcome in self.outcomes:
            if not isinstance(outcome, dict) or "variable" not in outcome or outcome.keys() - OUTCOME:
                raise refusal(
                    "{kind}: an outcome is an object with variable and, if need be, visit and test",
                    "{kind}：outcomesの要素にはvariableと、必要に応じてvisit、testを指定してください",
                    kind=KIND,
                )
            declared.one_of(KIND, "test", outcome.get("test", "paired_t"), TESTS)

    def variables(self):
        outcomes = ((outcome["variable"], outcome.get("visit", "")) for outcome in self.outcomes)
        return (*map(declared.reference, (*self.covariates, *self.exact)), *outcomes)


OUTCOME = {"variable", "visit", "test"}


def from_json(data):
    return declared.read(KIND, Propensity, data)


def is_weighted(section):
    """Whether a section gives weights instead of independent sets: a control that is used again is in several pairs."""
    return section.method == "weighting" or section.replace
