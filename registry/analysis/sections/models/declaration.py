"""A model as a plan declares it: ANCOVA, logistic regression, or the mixed model for repeated measures."""

from dataclasses import dataclass

from registry.analysis.design.errors import listed, refusal
from registry.analysis.design.variables.sources import CONTINUOUS
from registry.analysis.sections import declared
from registry.instruments.base import Label
from registry.stats.models.repeated import DEGREES, STRUCTURES

KIND = "models"
MODELS = ("ancova", "logistic", "repeated")
ADJUST = ("none", "bonferroni", "holm", "tukey")


@dataclass(frozen=True)
class Model(declared.Section):
    """A model as declared. Refused says what is wrong.

    outcome     variable; for `logistic` one of `event`, codes of its categories that count as the event
    visits      where it is measured: one, or at least two for `repeated`; () for a variable of the patient (`logistic`)
    baseline    visit of the value before, which `ancova` needs; "" for none
    covariates  beside the groups: names, or objects with variable and visit
    structure, degrees  of the mixed model, as stats.models.repeated has them
    adjust      of contrasts over the pairs of groups, at each visit
    matched     code of a propensity section
    """

    code: str
    title: Label
    model: str
    outcome: str
    visits: tuple = ()
    baseline: str = ""
    event: tuple = ()
    covariates: tuple = ()
    structure: str = "unstructured"
    degrees: str = "satterthwaite"
    adjust: str = "none"
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        for place, fits in {"model": MODELS, "structure": STRUCTURES, "degrees": DEGREES, "adjust": ADJUST}.items():
            declared.one_of(KIND, place, getattr(self, place), fits)
        for place in ("visits", "event", "covariates"):
            declared.some(KIND, place, getattr(self, place))
        if self.baseline and self.baseline in self.visits:
            raise refusal(
                "{kind}: the baseline {visit} is among the visits",
                "{kind}：基準時点{visit}がvisitsに含まれています",
                kind=KIND,
                visit=self.baseline,
            )
        least, most = {"ancova": (1, 1), "logistic": (0, 1), "repeated": (2, 30)}[self.model]
        if not least <= len(self.visits) <= most or len(set(self.visits)) != len(self.visits):
            raise refusal(
                "{kind}: {model} takes {least} to {most} visits, none twice; given {given}",
                "{kind}：{model}には重複しない{least}〜{most}時点が必要です（指定：{given}）",
                kind=KIND,
                model=self.model,
                least=least,
                most=most,
                given=listed(self.visits) or "–",
            )
        if self.model == "ancova" and not self.baseline:
            raise refusal(
                "{kind}: ancova needs a baseline, a visit", "{kind}：ancovaにはbaseline（時点）が必要です", kind=KIND
            )

    def check(self, names):
        if self.model != "logistic":
            names.get(self.outcome, (CONTINUOUS,))
            return
        codes = [str(choice.code) for choice in names.get(self.outcome).categories]
        if codes or self.event:
            check_event(self, codes)

    def variables(self):
        visits = (*filter(None, (self.baseline,)), *(self.visits or ("",)))
        return (*((self.outcome, visit) for visit in visits), *map(declared.reference, self.covariates))


def check_event(section, codes):
    """Refused where logistic regression is not told which of the outcome's codes count as the event."""
    wanted = [str(code) for code in section.event]
    if not wanted or not set(wanted) <= set(codes):
        raise refusal(
            "{kind}: “event” names the categories of {variable} that count as the event; they are {fits}",
            "{kind}：eventには{variable}のうちイベントとするカテゴリを指定してください。使えるもの：{fits}",
            kind=KIND,
            variable=section.outcome,
            fits=listed(codes) or "1, 0",
        )


def from_json(data):
    return declared.read(KIND, Model, data)
