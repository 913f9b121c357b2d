"""The page of a finished comparison against an empty signed-in page: median server time of 60 requests each.

    python -m bench.shared.run_page [--patients 1000]

Both are asked for in turn on one connection, so that whatever else the machine does meets both. The ratio is to stay
below 3: a finished run never changes, and what it shows is kept rendered.
"""

import argparse
import statistics
import time

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving

REQUESTS = 60
WARM_UP = 5
LIMIT = 3.0
EMPTY = "/cohorts/"  # a page with the frame and a table without rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1000)
    with registry_of(parser.parse_args().patients):
        user = person("statistician")
        page = f"/comparison/{finished_run(user)}/"
        with serving() as (port, _process):
            visitor = Visitor(port, user)
            started = time.perf_counter()
            measured(visitor, page)
            first = time.perf_counter() - started
            times = alternately(visitor, (EMPTY, page))
    empty, run = (1000 * statistics.median(times[path]) for path in (EMPTY, page))
    print(f"empty page {empty:.1f} ms, comparison {run:.1f} ms (the first time {1000 * first:.0f} ms)")
    print(f"ratio {run / empty:.2f}, to stay below {LIMIT}")
    return 0 if run < LIMIT * empty else 1


def finished_run(user):
    from registry.analysis.design import cohorts, plans
    from registry.analysis.running import runs
    from sites.tenancy.access import access_of
    from sites.tenancy.scope import entered

    access = access_of(user)
    with entered(access.scope()):
        run = runs.request(access=access, plan=plans.SEGMENT_COMPARISON, cohort=cohorts.SEGI2024)
    runs.perform(run.pk)
    run.refresh_from_db()
    if run.status != run.Status.DONE:
        raise SystemExit(f"the comparison did not finish: {run.error}")
    return run.pk


def alternately(visitor, paths):
    times = {path: [] for path in paths}
    for turn in range(WARM_UP + REQUESTS):
        for path in paths:
            taken = measured(visitor, path)
            if turn >= WARM_UP:
                times[path].append(taken)
    return times


def measured(visitor, path):
    started = time.perf_counter()
    status, body = visitor.get(path)
    taken = time.perf_counter() - started
    if status != 200:
        raise SystemExit(f"{path} answered {status}: {body[:200]}")
    return taken


if __name__ == "__main__":
    raise SystemExit(main())
