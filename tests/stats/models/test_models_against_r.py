"""Models against R: lm, glm, nlme's gls, and emmeans."""

import numpy as np

from registry.stats.models.linear import ancova, linear
from registry.stats.models.logistic import logistic
from registry.stats.models.means import contrasts, least_squares_means
from registry.stats.models.repeated import repeated_measures
from registry.stats.models.terms import Design, Factor, Number
from tests.stats.oracle import Room, against_r


def fit_of(y, g, b):
    groups = int(g.max()) + 1
    return linear(y, Design({"g": Factor(g, groups), "b": Number(b)}, [("g",), ("b",)]))


def fitted(model):
    return [*model.coefficient, *model.standard_error, *model.p]


def means(fit):
    return [getattr(mean, name) for name in ("estimate", "standard_error", "low", "high") for mean in fit]


def differences(fit):
    fields = ("estimate", "standard_error", "p", "low", "high")
    return [getattr(contrast, name) for name in fields for contrast in fit]


def covariance_of(y, g, b, **options):
    return ancova(y, g, b, int(g.max()) + 1, **options)


def f_tests(y, g, b):
    fitted = covariance_of(y, g, b)
    return [fitted.group.statistic, fitted.group.p, fitted.slopes.statistic, fitted.slopes.p]


def logistic_of(event, cells):
    model = logistic(event, cells.reshape(-1, event.size).T)
    return [*fitted(model), *model.low, *model.high, model.deviance, model.null_deviance]


def repeated(cells, g, b, **options):
    return repeated_measures(cells.reshape(g.size, -1), g.astype(int), b, degrees="residual", **options)


def fixed(model):
    return [*model.coefficient, *model.standard_error, model.log_likelihood]


OURS = {
    "linear": lambda *given: [*fitted(model := fit_of(*given)), model.residual_sd, model.r_squared],
    "ancova_means": lambda *given: means(covariance_of(*given).means),
    "ancova_contrasts": lambda *given: differences(covariance_of(*given).contrasts),
    "ancova_tukey": lambda *given: differences(covariance_of(*given, adjust="tukey").contrasts),
    "ancova_tests": f_tests,
    "logistic": logistic_of,
    "logistic_means": lambda event, g, b: logistic(event, np.column_stack([g, b])).fitted,
    "repeated_unstructured": lambda *given: fixed(repeated(*given)),
    "repeated_by_gls": lambda *given: fixed(repeated(*given)),
    "repeated_compound": lambda *given: fixed(repeated(*given, structure="compound_symmetry")),
    "repeated_covariance": lambda *given: repeated(*given).of_visits.ravel(),
    "repeated_means": lambda *given: means(least_squares_means(repeated(*given), ["visit", "group"])),
    "repeated_contrasts": lambda *given: differences(contrasts(repeated(*given), "group", "visit")),
}


def groups(random, least=2):
    n, k = random.integers(30, 70), random.integers(least, 5)
    g = np.arange(n) % k
    b = random.normal(50, 10, n).round()
    return (b * 0.5 + 3 * g + random.normal(0, 6, n)).round(1), g, b


def events(random):
    n = random.integers(40, 90)
    kinds = [random.normal(60, 9, n).round(1), random.binomial(1, 0.4, n), random.poisson(3, n)]
    x = [kinds[kind] for kind in random.permutation(3)[: random.integers(1, 4)]]
    return random.binomial(1, random.uniform(0.2, 0.8), n), np.concatenate(x)


def event_by_group(random):
    n = random.integers(40, 90)
    return random.binomial(1, 0.5, n), np.arange(n) % 2, random.normal(50, 10, n).round()


def courses(random):
    n, visits = random.integers(40, 80), random.integers(2, 4)
    g, b = np.arange(n) % 2, random.normal(50, 10, n).round()
    y = 20 + 0.5 * b[:, None] + g[:, None] * np.arange(visits) * 2 + random.normal(0, 5, (n, 1))
    y = (y + random.normal(0, random.uniform(2, 6, visits), (n, visits))).round(1)
    y[:, 1:][random.random((n, visits - 1)) < 0.12] = np.nan
    return y.ravel(), g, b


SHAPES = {
    **dict.fromkeys(["linear", "ancova_means", "ancova_contrasts", "ancova_tests"], groups),
    "ancova_tukey": lambda random: groups(random, 3),
    "logistic": events,
    "logistic_means": event_by_group,
    **dict.fromkeys([name for name in OURS if name.startswith("repeated")], courses),
}
REML = (1e-6, 1e-6)  # ours ends where the next step would gain less than 1e-18 of the log-likelihood
ROOM = Room(
    "models",
    OURS,
    SHAPES,
    packages=("nlme", "emmeans"),
    tolerance={
        **dict.fromkeys([name for name in OURS if name.startswith("repeated")], REML),
        "repeated_by_gls": (1e-3, 1e-3),  # what gls's search leaves; polished in the reference, the others
        **dict.fromkeys(["logistic", "logistic_means"], (1e-6, 1e-9)),  # glm's errors are those before its last step
        "ancova_tukey": (1e-6, 1e-9),  # R's qtukey stops there
    },
    unlike=("separation",),
    cases=15,
    fewer={name: 3 for name in OURS if name.startswith("repeated")},  # of which R takes a second each
    least=3,
)

test_quoted, test_all_are_quoted, test_r_prints_them, test_random = against_r(ROOM)
