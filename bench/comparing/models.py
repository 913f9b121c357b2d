"""Models on many patients: ours against R's functions on the same data, one after the other.

    bin/bench models [cox] [repeated] [matching] [--rounds 2]

cox       10 covariates, 1 000 000 patients, days in whole numbers: survival::coxph; limit 3
repeated  mixed model for repeated measures, 10 000 patients x 6 visits, unstructured: nlme::gls; limit 5
matching  score by 12 covariates, 1:1 nearest within a caliper, balance and paired t of 100 000 patients: glm and a
          greedy loop in plain R; limit 20
Seconds are those of the processor, without start and reading: a busy machine changes no ratio. Prints ratios and how
far the numbers differ; exit 1 where a ratio is below its limit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from registry.stats import tails

LIMITS = {"cox": 3, "repeated": 5, "matching": 20}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--share", type=float, default=1, help="of the patients, for a short look")
    asked = arguments.parse_args()
    slow = False
    tails.normal_two_sided(1)  # SciPy is there before anything is timed
    for name in asked.names or LIMITS:
        with tempfile.TemporaryDirectory() as folder:
            data = DATA[name](asked.share)
            for column, values in data.items():
                np.asarray(values, "<f8").tofile(Path(folder) / column)
            rounds = [(timed(OURS[name], data), by_r(name, folder)) for _ in range(asked.rounds)]
        mine, theirs = (min(part, key=lambda run: run[0]) for part in zip(*rounds, strict=True))
        apart = np.max(np.abs(np.array(mine[1]) - theirs[1]) / (np.abs(theirs[1]) + 1e-9))
        ratio = theirs[0] / mine[0]
        print(f"{name:9} here {mine[0]:7.2f} s   R {theirs[0]:7.2f} s   ratio {ratio:6.1f}   limit {LIMITS[name]}")
        print(f"          numbers differ by at most {apart:.1e} (relative)")
        if name == "repeated":
            more = mine[1][-1] - theirs[1][-1]
            print(f"          restricted log-likelihood here less that of gls: {more:+.1e} (greater is nearer)")
        slow |= ratio < LIMITS[name]
    return 1 if slow else 0


def timed(function, data):
    started = time.process_time()
    numbers = function(data)
    return time.process_time() - started, numbers


def by_r(name, folder):
    """Seconds and numbers."""
    command = ["Rscript", "--vanilla", Path(__file__).parent / "models.R", name, folder]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return printed["seconds"], np.array(printed["numbers"])


def of_cox(share):
    random = np.random.default_rng(1)
    n = int(1_000_000 * share)
    x = np.column_stack([random.normal(size=(n, 5)), random.binomial(1, [0.2, 0.3, 0.4, 0.5, 0.1], (n, 5))])
    hazard = np.exp(x @ np.linspace(-0.5, 0.5, 10)) / 900
    died = random.exponential(1 / hazard)
    end = random.uniform(30, 2000, n)
    return {"time": np.ceil(np.minimum(died, end)), "event": died <= end, "x": x.T}


def cox(data):
    from registry.stats.survival.cox import cox as fit

    model = fit(data["time"], data["event"], data["x"].T)
    return [*model.coefficient, *model.standard_error]


def of_repeated(share):
    random = np.random.default_rng(2)
    n, visits = int(10_000 * share), 6
    group, baseline = random.integers(0, 2, n), random.normal(50, 10, n)
    spread = 0.6 ** np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
    mean = 0.4 * baseline[:, None] + group[:, None] * np.linspace(0, 4, visits) + np.arange(visits)
    y = mean + random.multivariate_normal(np.zeros(visits), 100 * spread, n)
    y[random.random(n) < 0.4, 4:] = np.nan
    y[random.random((n, visits)) < 0.05] = np.nan
    return {"y": y, "group": group, "baseline": baseline}


def repeated(data):
    from registry.stats.models.repeated import repeated_measures

    model = repeated_measures(data["y"], data["group"], data["baseline"])
    return [*model.coefficient, *model.standard_error, model.log_likelihood]


def of_matching(share):
    random = np.random.default_rng(3)
    n = int(100_000 * share)
    x = np.column_stack([random.normal(size=(n, 6)), random.binomial(1, 0.3, (n, 6))])
    treated = random.random(n) < 1 / (1 + np.exp(-(x @ np.linspace(-0.4, 0.4, 12) - 1)))
    return {"x": x.T, "treated": treated, "y": x.sum(axis=1) + 0.3 * treated + random.normal(size=n)}


def matching(data):
    from registry.stats.arrays import differences
    from registry.stats.matching.balance import balance
    from registry.stats.matching.nearest import nearest
    from registry.stats.matching.score import propensity
    from registry.stats.ttest import paired_t

    x, treated = data["x"].T, data["treated"]
    score = propensity(treated, x)
    pairs = nearest(score.score, treated, caliper=0.02)
    after = balance(x, treated, weights=pairs.weights)
    of_treated, of_controls = pairs.pairs.T
    test = paired_t(differences(data["y"][of_controls], data["y"][of_treated], decimals=None))
    return [len(pairs.pairs), test.statistic, *after.difference]


DATA = {"cox": of_cox, "repeated": of_repeated, "matching": of_matching}
OURS = {"cox": cox, "repeated": repeated, "matching": matching}

if __name__ == "__main__":
    sys.exit(main())
