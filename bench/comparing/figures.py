"""Figures and files of a finished comparison of many patients against those of few: processor time, limit 3.

    bin/bench figures [--few 1000] [--many 100000]

Each figure as SVG, and each file of a run, made once from the result alone, in English.
"""

import argparse
import json
import subprocess
import sys
import time

from bench.shared.run_page import finished_run
from bench.shared.scratch import registry_of
from bench.shared.server import PROJECT, person

LIMIT = 3.0


def times():
    """{what is made: seconds of processor time} of one comparison of everybody in the registry."""
    from registry.analysis.documents import files
    from registry.analysis.figures import drawings
    from registry.analysis.presentation import tables
    from registry.analysis.running import runs
    from registry.models import ComparisonRun

    result = runs.result_of(ComparisonRun.objects.get(pk=finished_run(person("statistician"))))
    shown = tables.shown(result)
    drawings.drawn(shown, drawings.charts(shown)[0].code, "svg")  # what is loaded once
    spent = {}
    for chart in drawings.charts(shown):
        spent[f"figure {chart.code}"] = _spent(lambda chart=chart: drawings.drawn(shown, chart.code, "svg"))
    for format in files.FORMATS:
        spent[f"file {format}"] = _spent(lambda format=format: files.renderer(format)(result))
    return spent


def _spent(make):
    began = time.process_time()
    make()
    return time.process_time() - began


def apart(count):
    """`times()` of a registry of so many patients, in a process of its own."""
    command = [sys.executable, "-m", "bench.comparing.figures", "--one", str(count)]
    return json.loads(subprocess.check_output(command, cwd=PROJECT).splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with registry_of(options.one):
            print(json.dumps(times()))
        return 0
    few, many = apart(options.few), apart(options.many)
    for name in many:
        print(f"{name:40} {few.get(name, float('nan')):6.2f} s {many[name]:6.2f} s")
    ratio = sum(many.values()) / sum(few.values())
    print(f"all {sum(few.values()):.1f} s and {sum(many.values()):.1f} s, ratio {ratio:.2f}, to stay below {LIMIT}")
    return 0 if ratio < LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
