"""All tables of the segment comparison against R, which reads the exported CSV and runs the same tests.

    bin/bench against_r [--patients 1000000] [--rounds 2] [--all]

Ours is `manage.py compare_segments` as a process of its own, from the database to the JSON, with the figures' numbers,
survival and the EQ-5D report, which R is spared. It is timed twice: on a snapshot, which like R's CSV is a copy of the
data prepared beforehand, and on the registry as it is, for which R would have to export first (the time of that is
printed too, and not counted). R runs against_r.R, beside this file. They take turns; the best time of each counts.
Prints all, R's parts, the ratios (limit, on a snapshot: at least 20), and how many P agree; exit 1 where one differs
or the ratio is below its limit. With --all also the time R takes for every number of the result, as bin/verify-with-r
--quick has it computed from the bundle, where selection and derived columns are given.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.scratch import registry_of
from bench.shared.server import PROJECT

TIMES = 20
SNAPSHOT = "bench"
AGREE = 1e-6  # relative; sampled P are not compared
RELIABLE = 1e-4  # Tukey's P, absolute: R's ptukey is good to about that


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--patients", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--all", action="store_true", help="also every number, by bin/verify-with-r --quick")
    asked = arguments.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start would compile what it imports
    with registry_of(asked.patients), tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        exporting = export(folder)
        freeze()
        frozen, live, theirs = [], [], []
        for _ in range(asked.rounds):
            frozen.append(by_registry(folder, "--snapshot", SNAPSHOT))
            live.append(by_registry(folder))
            theirs.append(by_r(folder))
        frozen.append(by_registry(folder, "--snapshot", SNAPSHOT))
        verifying = by_verification(folder) if asked.all else None
        result = json.loads((folder / "result.json").read_bytes())
    seconds, printed = min(theirs)
    apart, compared = disagreeing(result, printed)
    ratio = seconds / min(frozen)
    for line in printed:
        if line[0] == "seconds":
            print(f"  R: {line[1]:16} {float(line[2]):8.1f} s")
    print(f"of a snapshot       {min(frozen):8.1f} s   {asked.patients:,} patients; {shown(frozen)}")
    print(f"of the registry     {min(live):8.1f} s   {shown(live)}")
    print(
        f"R, of the CSV       {seconds:8.1f} s   {shown(time for time, _ in theirs)}; exporting took {exporting:.1f} s"
    )
    print(f"ratio, snapshot     {ratio:8.1f}     limit: at least {TIMES}")
    print(f"ratio, registry     {seconds / min(live):8.1f}     with the export {(seconds + exporting) / min(live):.1f}")
    if verifying:
        print(f"R, every number     {verifying:8.1f} s   {verifying / min(frozen):.1f} times as long as here")
    print(f"P that agree        {compared - len(apart):8}     of {compared}")
    print(*apart, sep="\n")
    return 0 if ratio >= TIMES and not apart else 1


def shown(times):
    return "runs of " + ", ".join(f"{time:.1f}" for time in times) + " s"


def freeze():
    from registry.analysis.data import packed_snapshots
    from sites.tenancy.scope import everything

    with everything(reason="bench"):
        packed_snapshots.freeze(access=None, label=SNAPSHOT)


def export(folder):
    """Write what R reads; seconds."""
    from registry.instruments import value_sets

    started = time.perf_counter()
    manage("export_csv", "--de-identified", folder)
    with (folder / "value_set.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("state", "value"), *value_sets.get(value_sets.DEFAULT).table().items()])
    return time.perf_counter() - started


def manage(*command):
    subprocess.run([sys.executable, PROJECT / "manage.py", *command], check=True, stdout=subprocess.DEVNULL)


def by_registry(folder, *options):
    started = time.perf_counter()
    manage("compare_segments", *options, "--output", folder / "result.json")
    return time.perf_counter() - started


def by_r(folder):
    """Seconds, and what it printed: a list of lists of cells."""
    started = time.perf_counter()
    command = ["Rscript", "--vanilla", Path(__file__).parent / "against_r.R", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - started, list(csv.reader(done.stdout.splitlines()))


def by_verification(folder):
    manage("compare_bundle", folder / "bundle.zip")
    started = time.perf_counter()
    command = [PROJECT / "bin/verify-with-r", folder / "bundle.zip", "--quick"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def disagreeing(result, printed):
    """Lines about P that R has otherwise, and how many P were compared."""
    apart, compared = [], 0
    for _, table, variable, group, timepoint, p in (line for line in printed if line[0] == "p"):
        mine, tolerance = claimed(result, table, variable, group, timepoint)
        if mine is None:
            continue
        compared += 1
        if abs(mine - float(p)) > max(AGREE * mine, tolerance):
            apart.append(f"  {table} {variable} {group} {timepoint}: {mine} here, {p} by R")
    return apart, compared


def claimed(result, table, variable, group, timepoint):
    """Our P and how far R may be from it; None where either was sampled."""
    for row in result[table]:
        if row["variable"] != variable or row.get("timepoint", "") != timepoint:
            continue
        if table == "recovery" and row["group"] != group.split()[0]:
            continue
        if group in ("chi_square", "sampled"):
            return (row["p_chi_square"], 0) if group == "chi_square" else (None, 0)
        if "mcnemar" in group:
            return row["p_mcnemar"], 0
        p = row["p"] if isinstance(row["p"], float) else row["p"].get(group)
        return (None, 0) if "monte_carlo" in row else (p, RELIABLE if row["test"] == "tukey_hsd" else 0)
    raise LookupError(f"no row {table} {variable} {group} {timepoint}")


if __name__ == "__main__":
    sys.exit(main())
