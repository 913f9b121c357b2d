"""The functions under test in the shape of r/reference.R: numeric vectors in, a flat list of numbers out."""

import numpy as np

from registry.stats.adjust import adjust
from registry.stats.anova import anova, tukey_hsd, welch_anova
from registry.stats.arrays import differences
from registry.stats.categorical import chi_square, mcnemar, mcnemar_exact
from registry.stats.describe import describe
from registry.stats.exact.fisher import fisher_exact
from registry.stats.rank import dunn, kruskal_wallis, mann_whitney, wilcoxon_signed_rank
from registry.stats.survival import kaplan_meier, log_rank
from registry.stats.ttest import paired_t, student_t, welch_t
from tests.stats.oracle import close


def described(x):
    d = describe(x)
    quartiles = [d.minimum, d.first_quartile, d.median, d.third_quartile, d.maximum]
    spread = [d.mean, d.sd, d.standard_error, d.mean_low, d.mean_high]
    return [d.n, d.missing, *spread, *quartiles, d.mode, d.skewness, d.kurtosis]


def f_and_p(test):
    return [test.statistic, test.p]


def welch_f(*groups):
    test = welch_anova(groups)
    return [test.statistic, test.df_between, test.df_within, test.p]


def tukey(*groups):
    pairs = [pair for pair in tukey_hsd(groups).pairs if pair.p is not None]
    return [number for pair in pairs for number in (pair.difference, pair.low, pair.high, pair.p)]


def t_test(test):
    return [test.statistic, test.df, test.p, test.low, test.high]


def dunn_pairs(*groups):
    pairs = [pair for pair in dunn(groups).pairs if pair.p is not None]
    return [number for pair in pairs for number in (pair.z, pair.p_raw, pair.p)]


def table(shape, cells):
    return np.reshape(cells, [int(size) for size in shape])


def table_test(test):
    return [test.statistic, test.df, test.p]


def curve(interval):
    def of(time, event):
        km = kaplan_meier(time, event, interval=interval)
        columns = km.at_risk, km.events, km.survival, km.standard_error, km.low, km.high
        return [km.median, km.median_low, km.median_high, *(number for column in columns for number in column.tolist())]

    return of


OURS = {
    "describe": described,
    "anova": lambda *groups: f_and_p(anova(groups)),
    "welch_anova": welch_f,
    "tukey": tukey,
    "student_t": lambda x, y: t_test(student_t(x, y)),
    "welch_t": lambda x, y: t_test(welch_t(x, y)),
    "paired_t": lambda x, y: t_test(paired_t(differences(x, y, decimals=None))),
    "wilcoxon": lambda x, y: f_and_p(wilcoxon_signed_rank(differences(x, y))),
    "mann_whitney": lambda x, y: f_and_p(mann_whitney(x, y)),
    "kruskal": lambda *groups: f_and_p(kruskal_wallis(groups)),
    "dunn": dunn_pairs,
    "chi_square": lambda *given: table_test(chi_square(table(*given))),
    "chi_square_corrected": lambda *given: table_test(chi_square(table(*given), correct=True)),
    "mcnemar": lambda *given: table_test(mcnemar(table(*given))),
    "mcnemar_exact": lambda *given: [mcnemar_exact(table(*given)).p],
    "fisher": lambda *given: [fisher_exact(table(*given)).p],
    "bonferroni": lambda p: adjust(p, "bonferroni"),
    "holm": lambda p: adjust(p, "holm"),
    "benjamini_hochberg": lambda p: adjust(p, "benjamini_hochberg"),
    "survival_log": curve("log"),
    "survival_log_log": curve("log_log"),
    "survival_plain": curve("plain"),
    "log_rank": lambda *given: f_and_p(log_rank(list(zip(given[::2], given[1::2], strict=True)))),
}


def differ(name, value, expected, coarse=False):
    """Where two lists of numbers differ by more than the promise: 1e-9 relative.

    Tukey's P is compared absolutely and its limits to 1e-6 relative: R's qtukey stops at 1e-4. R's ptukey itself is out
    by up to 1e-4 below ten degrees of freedom (SciPy agrees with us there to 1e-14): `coarse` allows for that.
    """

    def tolerated(place):
        relative, absolute = (1e-3, 2e-4) if coarse else (1e-6, 0) if place % 4 in (1, 2) else (1e-9, 1e-9)
        return relative * max(map(abs, expected[place - place % 4 : place - place % 4 + 3])) + absolute

    return close(value, expected, tolerated=tolerated if name == "tukey" else None)
