"""Tail areas and quantiles of the normal, t, F and chi-square distributions.

SciPy is imported at the first call: a web process that never tests anything never pays for it. `scipy.special` gives
all that is needed; `scipy.stats` would cost three times its memory.
"""

from typing import Any


def normal_two_sided(z: float) -> float:
    """P(|Z| >= |z|). R: 2 * pnorm(-abs(z))"""
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(z)))


def normal_quantile(p: Any) -> float:
    """R: qnorm(p)"""
    from scipy.special import ndtri

    return float(ndtri(p))


def t_two_sided(t: Any, df: Any) -> float:
    """P(|T| >= |t|). R: 2 * pt(-abs(t), df)"""
    from scipy.special import betainc

    # The incomplete beta function keeps its relative precision far into the tail.
    return float(betainc(df / 2, 0.5, df / (df + t * t)))


def t_quantile(p: Any, df: Any) -> float:
    """R: qt(p, df)"""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def f_upper(f: Any, df1: Any, df2: Any) -> float:
    """P(F >= f). R: pf(f, df1, df2, lower.tail = FALSE)"""
    from scipy.special import betainc

    return float(betainc(df2 / 2, df1 / 2, df2 / (df2 + df1 * f)))


def chi_square_upper(x: Any, df: Any) -> float:
    """P(X >= x). R: pchisq(x, df, lower.tail = FALSE)"""
    from scipy.special import gammaincc

    return float(gammaincc(df / 2, x / 2))


def binomial_half_two_sided(k: Any, n: Any) -> float:
    """Two-sided P of k successes in n fair trials. R: binom.test(k, n)$p.value"""
    from scipy.special import bdtr

    return min(1.0, float(2 * bdtr(min(k, n - k), n, 0.5)))
