"""Ask the advisory service about every locked package: what `bin/audit` runs, with pip-audit.

Exit status 0: nothing is known; 1: a vulnerability is known; 2: not every package could be asked about, so nothing is
known either way. `bin/test` prints this and does not fail by it: what was published today is no fault of the tree.
"""

import json
import subprocess
import sys

LOCKED = ("requirements.txt", "requirements-embedded.txt")
SECONDS = 90


def asked():
    """pip-audit's report as JSON text; "" where it gave none. It reads the locked files and installs nothing."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command += ["--timeout", "10", "--format", "json", *(part for file in LOCKED for part in ("--requirement", file))]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS).stdout
    except subprocess.TimeoutExpired:
        return ""


def verdict(report):
    """(exit status, lines to print) for pip-audit's report. A package that was skipped was not asked about."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        packages = []
    lines = [
        f"VULNERABLE: {one['name']} {one['version']}: {bad['id']}, fixed in {', '.join(bad['fix_versions']) or '-'}"
        for one in packages
        for bad in one.get("vulns", ())
    ]
    skipped = sum("skip_reason" in one for one in packages)
    if skipped or not packages:
        asked_about = f"only {len(packages) - skipped} of {len(packages)} packages" if packages else "no package"
        lines.append(f"The advisory service could be asked about {asked_about}; of the others nothing is known.")
    if any(line.startswith("VULNERABLE") for line in lines):
        return 1, ["=" * 80, *lines, "=" * 80]
    return (2, lines) if lines else (0, [f"No vulnerability is known in {len(packages)} packages."])


def main():
    status, lines = verdict(asked())
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
