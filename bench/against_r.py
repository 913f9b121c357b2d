"""The segment comparison against R, which reads the exported CSV and computes the same statistics.

    bin/bench against_r [--patients 1000000]

R runs the verification script of the comparison's bundle with --quick: without the tables that only R is slow at.
Prints both times and their ratio (limit: at least 20); exit 1 below it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.scratch import registry_of
from bench.server import PROJECT

TIMES = 20


def timed(*command):
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return time.perf_counter() - started, done


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--patients", type=int, default=1_000_000)
    count = arguments.parse_args().patients
    manage = sys.executable, str(PROJECT / "manage.py")
    with registry_of(count), tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "bundle.zip")
        ours, done = timed(*manage, "compare_segments", "--format", "json", "--output", f"{folder}/result.json")
        done.check_returncode()
        timed(*manage, "compare_bundle", file)[1].check_returncode()
        theirs, done = timed(str(PROJECT / "bin/verify-with-r"), file, "--quick")
    ratio = theirs / ours
    print(*done.stdout.splitlines()[-3:], sep="\n")
    print(f"compare_segments    {ours:8.1f} s   {count:,} patients")
    print(f"R                   {theirs:8.1f} s")
    print(f"ratio               {ratio:8.1f}     limit: at least {TIMES}")
    return 0 if ratio >= TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
