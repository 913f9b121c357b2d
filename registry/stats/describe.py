"""Description of one sample."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from registry.stats.arrays import Moments, NotEstimable, tabulate, weighted_sum
from registry.stats.tails import t_quantile


@dataclass(frozen=True)
class Description:
    """What a table says of a sample; None where it cannot be said (mean of nobody, SD of one)."""

    n: int
    missing: int
    mean: float | None = None
    sd: float | None = None
    standard_error: float | None = None
    mean_low: float | None = None
    mean_high: float | None = None
    minimum: float | None = None
    first_quartile: float | None = None
    median: float | None = None
    third_quartile: float | None = None
    maximum: float | None = None
    mode: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None


def describe(sample: Any, confidence: float = 0.95) -> Description:
    """Describe a sample (array, Counts or mapping value -> count).

    sd              divisor n - 1; None for fewer than two. R: sd(x)
    mean_low, high  confidence interval of the mean by Student's t. R: t.test(x)$conf.int
    quartiles       R: quantile(x, c(.25, .5, .75)), type 7
    mode            the most frequent value, the smallest one where several tie
    skewness        m3 / m2^1.5, kurtosis m4 / m2^2 (3 for a normal), central moments with divisor n;
                    None for a constant sample
    """
    sample = tabulate(sample)
    n = sample.n
    if n == 0:
        return Description(0, sample.missing)
    moments = Moments.of(sample)
    first, median, third = quantiles(sample, (0.25, 0.5, 0.75))
    return Description(
        n=n,
        missing=sample.missing,
        mean=moments.mean,
        **spread(moments, confidence),
        minimum=float(sample.values[0]),
        first_quartile=first,
        median=median,
        third_quartile=third,
        maximum=float(sample.values[-1]),
        mode=float(sample.values[np.argmax(sample.counts)]),
        **shape(sample, moments),
    )


def spread(moments: Any, confidence: float) -> dict | dict[str, Any]:
    if moments.n < 2:
        return {}
    error = moments.sd / sqrt(moments.n)
    margin = t_quantile((1 + confidence) / 2, moments.n - 1) * error
    return {
        "sd": moments.sd,
        "standard_error": error,
        "mean_low": moments.mean - margin,
        "mean_high": moments.mean + margin,
    }


def shape(sample: Any, moments: Any) -> dict | dict[str, Any]:
    if moments.squares == 0:
        return {}
    away = sample.values - moments.mean
    square = away * away
    m2, m3, m4 = (weighted_sum(power, sample.counts) / moments.n for power in (square, square * away, square * square))
    return {"skewness": m3 / m2**1.5, "kurtosis": m4 / m2**2}


def quantiles(sample: Any, probabilities: Any) -> tuple[float, ...]:
    """Quantiles of a sample by linear interpolation. R: quantile(x, probabilities), type 7.

    Raises NotEstimable(`empty`).
    """
    sample = tabulate(sample)
    if sample.n == 0:
        raise NotEstimable("empty")
    reached = np.cumsum(sample.counts)  # the order statistics up to this 1-based position have this value

    def at(probability: Any) -> float:
        position = (sample.n - 1) * probability
        lower = int(position)
        values = sample.values[np.searchsorted(reached, [lower, min(lower + 1, sample.n - 1)], side="right")]
        return float(values[0] + (position - lower) * (values[1] - values[0]))

    return tuple(at(probability) for probability in probabilities)
