"""Peak memory of a plan of 60 variables, read and compared between two groups, of a million patients.

    bin/bench plan [--patients 1000000]

Prints the seconds and the peak memory of `manage.py compare --plan` (limit 1000 MB); exit 1 above the limit. Half of
the variables are of the patient or of before surgery, the others of later visits; each has its test, effect with
interval, why values lack, and its baseline.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.scratch import registry_of

ROOT = Path(__file__).parents[2]
VARIABLES, MEGABYTES = 60, 1000
SEXES = [
    {
        "code": code,
        "label": {"en": code, "ja": code},
        "steps": [{"step": "category", "variable": "sex", "values": [code]}],
    }
    for code in ("male", "female")
]
VISITS = ("preop", "1m", "3m", "6m", "12m")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--patients", type=int, default=1_000_000)
    count = arguments.parse_args().patients
    with registry_of(count), tempfile.TemporaryDirectory() as folder:
        rows = rows_of(VARIABLES)
        path, output = Path(folder) / "plan.json", Path(folder) / "result.json"
        entry = {"code": "all", "title": {"en": "All", "ja": "全て"}, "rows": rows}
        path.write_text(json.dumps({"name": "bench", "grouping": "named", "named": SEXES, "comparisons": [entry]}))
        command = [sys.executable, "manage.py", "compare", "--plan", str(path), "--cohort", "all"]
        started = time.perf_counter()
        subprocess.run([*command, "--format", "json", "--output", str(output)], cwd=ROOT, env=os.environ, check=True)
        seconds = time.perf_counter() - started
        n_rows = len(json.loads(output.read_bytes())["comparisons"][0]["rows"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"plan of {n_rows} variables {seconds:8.1f} s   {count:,} patients")
    print(f"peak memory          {peak:8.0f} MB  limit {MEGABYTES} MB")
    return 0 if peak < MEGABYTES and n_rows == VARIABLES else 1


def rows_of(count):
    """The first variables that the registry collects: those of the patient, then those of each visit in turn."""
    from registry.analysis.design.variables import sources

    offered = [variable for variable in sources.offered().values() if variable.kind != sources.DATE]
    of_patient = [variable.name for variable in offered if not variable.at_visit][: count // 3]
    of_visit = [variable.name for variable in offered if variable.at_visit]
    at_visits = [{"variable": name, "visit": visit} for visit in VISITS for name in of_visit]
    return [*of_patient, *at_visits][:count]


if __name__ == "__main__":
    sys.exit(main())
