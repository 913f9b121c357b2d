"""An endpoint as a plan declares it: event, competing events, landmark, times, tests, covariates, subgroups."""

from dataclasses import dataclass

from registry.analysis.sections import declared
from registry.instruments.base import Label

KIND = "endpoints"
TESTS = ("log_rank", "trend", "stratified")
DEATH = declared.frozen({"kind": "death"})


@dataclass(frozen=True)
class Endpoint(declared.Section):
    """A time-to-event outcome as declared. Refused says what is wrong.

    event, competing  lists of events as `Patients.event` takes them; the first of a list counts
    landmark          days after surgery from which time counts
    times, horizon    months at which rates are told; to which the mean is restricted, None for none
    tests             beside the log-rank test, which is always told: `trend` over the groups' order, `stratified`
    strata            variables whose combinations are the strata of that test and of the Cox models
    covariates        of a Cox model beside the group; a model of the group alone is always told
    subgroups         variables by whose categories the hazard ratio of two groups is told again
    matched           code of a propensity section, whose patients alone are analysed, with robust errors by set; where
                      it weights them, curves, tests and models are of the weighted patients (`weighted_times`)
    """

    code: str
    title: Label
    event: tuple = (DEATH,)
    competing: tuple = ()
    landmark: int = 0
    times: tuple = (12, 24, 60)
    horizon: float | None = None
    tests: tuple = ()
    strata: tuple = ()
    covariates: tuple = ()
    subgroups: tuple = ()
    matched: str = ""

    def __post_init__(self):
        declared.check_code(KIND, self.code)
        for name in ("event", "competing"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, dict) else given)
        declared.some(KIND, "event", self.event, 1)
        for place in ("competing", "times", "tests", "strata", "covariates", "subgroups"):
            declared.some(KIND, place, getattr(self, place))
        for test in self.tests:
            declared.one_of(KIND, "tests", test, TESTS)
        declared.number(KIND, "landmark", self.landmark, least=0, whole=True)
        for time in self.times:
            declared.number(KIND, "times", time, above=0)
        if self.horizon is not None:
            declared.number(KIND, "horizon", self.horizon, above=0)

    def variables(self):
        """What is read of the patients: (variable, visit)."""
        return tuple(map(declared.reference, (*self.strata, *self.covariates, *self.subgroups)))


def from_json(data):
    return declared.read(KIND, Endpoint, data)
