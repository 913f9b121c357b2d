"""Visits side by side against a row a visit: seconds a value of the check of an import, with every check.

PATIENTS patients (10 000) with their six visits, as the wide and as the long file of one export. Limit: a
value of the wide file, which is matched with columns and turned round, costs no more than one of the long file. Both
are checked in turns, ROUNDS times; the median of the ratios counts.
"""

import csv
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.scratch import ALL_VISITS, registry_of

PATIENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 5


def main():
    with registry_of(PATIENTS, ALL_VISITS), tempfile.TemporaryDirectory() as folder:
        paths = {shape: Path(folder) / f"{shape}.csv" for shape in ("long", "wide")}
        sizes = {shape: written(path, shape) for shape, path in paths.items()}
        rounds = [{shape: checked(path) for shape, path in paths.items()} for _ in range(ROUNDS)]  # in turns
        for shape, (rows, values) in sizes.items():
            seconds = statistics.median(of_round[shape] for of_round in rounds)
            print(
                f"{shape}: {rows:,} rows, {values:,} values, {seconds:.1f} s, {seconds / values * 1e6:.2f} µs a value"
            )
        same = sorted(of_round["wide"] / of_round["long"] for of_round in rounds)
        per_value = sizes["long"][1] / sizes["wide"][1]
        middle = statistics.median(same)
        print(f"wide to long, a value: {middle * per_value:.2f}   (limit: at most 1)")
        # A long file says whose and of when in every row, which counts as two values.
        print(f"wide to long, the same visits: {middle:.2f} ({same[0]:.2f} to {same[-1]:.2f})")


def written(path, shape):
    """Write the visits of the scratch registry to `path`; returns (rows, values that are not empty)."""
    from django.db import transaction

    from registry.exports import streaming
    from registry.exports.choices import Choices
    from registry.exports.data.selecting import selected
    from registry.instruments import catalogue
    from sites.tenancy.scope import current, everything

    asked = tuple(instrument.code for instrument in catalogue.ASSESSMENT)
    choices = Choices(shape=shape, content=("items",), instruments=asked)
    with everything(), transaction.atomic(), path.open("wb") as stream, selected(choices, current().read) as chosen:
        name = "patients" if shape == "wide" else "assessments"
        stream.writelines(streaming.blocks(streaming.table_of(chosen, name), choices))
    with path.open(newline="") as stream:
        counts = [sum(map(bool, row)) for row in csv.reader(stream)][1:]
    return len(counts), sum(counts)


def checked(path):
    """Seconds until an import of the file is checked, by the suggested mapping where it is no file of the registry."""
    from registry.imports import jobs
    from registry.imports.files import mapping
    from registry.imports.files.mapping import Mapping
    from registry.models import Import
    from sites.models import Membership, User
    from sites.tenancy.access import Role, access_of
    from sites.tenancy.scope import everything

    user, made = User.objects.get_or_create(email="bench@example.org", defaults={"name": "Bench"})
    if made:
        Membership.objects.create(user=user, role=Role.DATA_MANAGER, starts_on="2018-01-01")
    with everything():
        job = jobs.begin(access=access_of(user), files={path.name: path.read_bytes()})
        started = time.perf_counter()
        jobs.read_files(job)
        job.save(update_fields=["choices"])
        if jobs.step_of(job) == "columns":
            suggested = mapping.suggested(jobs.layouts_of(job)[0][1].counts)
            jobs.set_mapping(job, Mapping(columns=suggested), "check")
        assert jobs.request(job, Import.Act.CHECK)
        done = jobs.perform(job.pk)
        seconds = time.perf_counter() - started
    assert done.counts["errors"] == 0, jobs.report_of(done)["errors"].shown[:3]
    assert done.counts["files"]["assessments"]["unchanged"] > 0, done.counts
    return seconds


if __name__ == "__main__":
    main()
