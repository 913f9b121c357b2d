"""Fisher's exact test of the study's 9 x 3 table (primary tumour by segment): this program and R, one after the other.

bin/bench fisher            both, each in a process of its own; R takes about 90 seconds
bin/bench fisher --ours     this program alone
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

CERVICAL = (4, 3, 2, 6, 3, 3, 3, 3, 4)
THORACIC = (18, 12, 11, 8, 10, 7, 1, 5, 10)
TLS = (16, 17, 19, 6, 6, 4, 8, 3, 11)

OURS = f"""
import json, time
from registry.stats.exact.fisher import fisher_exact
start = time.perf_counter()
p = fisher_exact({(CERVICAL, THORACIC, TLS)}).p
print(json.dumps([p, time.perf_counter() - start]))
"""
R = f"""
table <- matrix(c{CERVICAL + THORACIC + TLS}, 9)
seconds <- system.time(p <- fisher.test(table, workspace = 2e8)$p.value)[["elapsed"]]
cat(sprintf("[%.15g, %.3f]\\n", p, seconds))
"""


def measured(command):
    """Run a command that prints [P, seconds]: P, seconds, its peak memory in MB, and its seconds with start-up."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} failed")
    p, seconds = json.loads(printed)
    return p, seconds, usage.ru_maxrss / 1024, perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", action="store_true", help="do not run R")
    programs = {"Metaspine": [sys.executable, "-c", OURS]}
    if not parser.parse_args().ours:
        if shutil.which("Rscript") is None:
            sys.exit("Rscript is not on the PATH; --ours measures this program alone")
        programs["R"] = ["Rscript", "-e", R]
    results = {name: measured(command) for name, command in programs.items()}
    for name, (p, seconds, memory, whole) in results.items():
        print(f"{name:10} P = {p:.13f}   {seconds:8.2f} s ({whole:.2f} s with start-up)   peak {memory:5.0f} MB")
    if len(results) == 2:
        ours, r = results.values()
        print(f"R takes {r[1] / ours[1]:.1f} times as long; P differ by a relative {abs(ours[0] / r[0] - 1):.1e}")


if __name__ == "__main__":
    main()
