"""What several tables say alike: what is known of some patients, a test with its P, an effect with its limits."""

from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Self

from registry.analysis.results.written import Row, optional

BEHIND_P = ("statistic", "df", "reason", "monte_carlo")  # of a test of pairs whose P is not adjusted


@dataclass
class Known(Row):
    """Of how many patients a value is known, and of how many it is not."""

    n: int
    missing: int


@dataclass
class Described(Known):
    """A continuous variable in one group, at one time."""

    mean: float | None
    sd: float | None
    median: float | None
    q1: float | None
    q3: float | None
    min: float | None
    max: float | None

    @classmethod
    def of(cls, description: Any, missing: int | None = None) -> Self:
        """From a `stats` Description; `missing` where it is not for the sample to know."""
        quartiles = description.first_quartile, description.third_quartile
        middle = description.mean, description.sd, description.median
        missing = description.missing if missing is None else missing
        return cls(description.n, missing, *middle, *quartiles, description.minimum, description.maximum)


@dataclass
class Counted(Known):
    """A categorical variable in one group, at one time. counts: code to number of patients."""

    counts: dict[str, int]


@dataclass
class Sampled(Row):
    """What a Monte Carlo P is worth."""

    standard_error: float
    resamples: int
    seed: int
    why: str = ""


@dataclass(kw_only=True)
class Tested(Row):
    """P of a test with its statistic, or why there is none."""

    p: float | None = None
    reason: str = optional("")
    statistic: float | None = optional()
    df: float | list[float] | None = optional()
    monte_carlo: Sampled | None = optional()


@dataclass
class Second(Row):
    """Another test of the same counts, which stands in its row under names that end in its code: `p_fisher_exact`."""

    code: str
    tested: Tested

    @classmethod
    def among(cls, data: dict[str, Any]) -> Self | None:
        code = next((name[2:] for name in data if name.startswith("p_") and name != "p_raw"), "")
        end = f"_{code}"
        own = {name.removesuffix(end): value for name, value in data.items() if name.endswith(end)}
        return cls(code, Tested.from_json(own)) if code else None

    def to_json(self) -> dict[str, Any]:
        return {f"{name}_{self.code}": value for name, value in self.tested.to_json().items()}


@dataclass(kw_only=True)
class Pairwise(Row):
    """A test of each pair of groups, by the pair's name. p_raw: P before it was adjusted over the row's pairs by
    `adjust`, where the test does not do so itself."""

    adjust: str = optional("")
    p_raw: dict[str, float | None] | None = optional()
    statistic: dict[str, float] | None = optional()
    df: dict[str, float] | None = optional()
    reason: dict[str, str] | None = optional()
    monte_carlo: dict[str, Sampled] | None = optional()
    p: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tested: dict[str, Tested], adjust: str = "", adjusted: dict[str, float | None] | None = None
    ) -> "Pairwise":
        """From the Tested of each pair, and P adjusted over them."""
        raw = {pair: test.p for pair, test in tested.items()}
        parts = {
            name: {pair: value for pair, test in tested.items() if (value := getattr(test, name)) not in (None, "")}
            for name in BEHIND_P
        }
        filled: dict[str, Any] = {name: of_pairs for name, of_pairs in parts.items() if of_pairs}
        if not adjust:
            return Pairwise(**filled, p=raw)
        return Pairwise(adjust=adjust, p_raw=raw, **filled, p=adjusted or {})

    def to_json(self) -> dict[str, Any]:
        written = super().to_json()
        if self.adjust or self._names is not None:
            return written
        head = takewhile(lambda name: name not in BEHIND_P, written)
        return {name: written[name] for name in (*head, "p")} | written


@dataclass(kw_only=True)
class Interval(Row):
    """An effect with its limits, behind what it is an effect of."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(kw_only=True)
class Estimate(Interval):
    """An effect with its limits and P."""

    p: float | None = None


@dataclass(kw_only=True)
class WithError(Row):
    """An estimate with its standard error and limits."""

    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None


def of_term(place: int, values: Any, fit: Any) -> dict[str, float]:
    """The parts of an Estimate of a term of a fitted model: its coefficient or ratio in `values`, limits and P."""
    return {"estimate": values[place], "low": fit.low[place], "high": fit.high[place], "p": fit.p[place]}
