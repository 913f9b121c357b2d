"""Every page by role, in empty signed-in pages, at several sizes of the registry; and how large each answer is.
Lists, grid, audit trail and cohort builder also narrowed by their filters.

    bin/bench pages [--assessments 10000 100000 1000000] [--starts] [--only /patients/ …] [--write]

Each page is asked for in turn with an empty signed-in page, so that whatever else the machine does meets both: what is
compared between sizes is how many empty pages a page costs, in the time that it takes and in the processor time of the
web server and of PostgreSQL's backends together, which a busy machine hardly changes. Limits are held to the latter:
1.5 between the largest and the smallest size, and 4 empty pages for a list, a start page or a dashboard, 60 kB for a
list. `--starts` asks for start pages and dashboards alone, at 18 700 and 187 000 assessments (10 000 and 100 000
patients) unless sizes are given.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from bench.shared.run_page import measured
from bench.shared.scratch import put_trail, registry_of
from bench.shared.server import Visitor, person, serving
from bench.shared.tables import markdown, put
from bench.transfer.export import memory

EMPTY = "/bench/empty/"
ROLES = ("coordinator", "investigator", "monitor", "data_manager", "statistician", "admin")
OF_SITE = ("coordinator", "investigator", "monitor")
# Filters that find few rows or none of a large registry, or nearly all; PATIENT, FIRST and LAST stand for a patient of
# the site, and for a month of a year ago.
FILTERED = (
    "/audit/?person=7", "/audit/?action=update", "/audit/?action=delete", "/audit/?action=export",
    "/audit/?table=registry_patient", "/audit/?table=registry_snapshot", "/audit/?row=PATIENT",
    "/queries/?state=all", "/grid/?state=query", "/grid/?state=draft", "/grid/?state=verified", "/grid/?state=locked",
    "/grid/?state=due", "/grid/?state=overdue", "/grid/?state=missed", "/grid/?due=1",
    "/cohorts/new/?sex=male", "/cohorts/new/?sex=male&by=site",
)  # fmt: skip
# Days of the trail, which is read from its end backwards to them.
DATED = ("/audit/?first=FIRST&last=LAST", "/audit/?last=LAST")
PATIENT = "B01-100"  # of the first site, in a registry of any size
A_PATIENT = 1.87  # assessments that the scratch registry has for each patient
GROWTH, LIST, BYTES = 1.5, 4.0, 60_000
LISTS = (
    "/patients/", "/audit/", "/queries/", "/people/", "/grid/", "/identification-log/", "/to-sign/read/",
    f"/audit/?row={PATIENT}",
)  # fmt: skip
STARTS = (
    "/", "/to-sign/", "/verification/", "/verification/share/", "/safety/", "/quality/", "/scorecard/", "/enrolment/",
    "/one-patient/", "/comparison/", "/cohorts/", "/sites/", "/system/",
)  # fmt: skip
REQUESTS, WARM_UP = 5, 2  # each page of each role at three sizes: ten minutes
PASSED_OVER = (
    "admin/",
    "api/",
    "fhir/",
    "sso/",
    "accounts/",
    "jsi18n",
    "health",
    "logout",
    "metrics",
    "bench/",
    "static/",
)


def addresses(patterns, prefix=""):
    """Every address of the resolver that has no argument."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if "<" in route or "(" in route or "^" in route or route.startswith(PASSED_OVER):
            continue
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, route)
        elif not route.endswith((".js", ".css", ".json", ".png", ".csv")):
            yield f"/{route}"


def of_patient(patterns, patient, prefix=""):
    """Every address that has a patient as its only argument."""
    import re

    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith(PASSED_OVER):
            continue
        if hasattr(pattern, "url_patterns"):
            yield from of_patient(pattern.url_patterns, patient, route)
        elif re.findall(r"<(?:\w+:)?(\w+)>", route) == ["patient_id"]:
            yield "/" + re.sub(r"<[^>]*>", patient, route)


def filtered(patient, *, dated=False):
    """Addresses of FILTERED for a registry of today."""
    from django.utils import timezone

    last = timezone.localdate() - timedelta(days=365)
    named = {"PATIENT": patient, "FIRST": last - timedelta(days=30), "LAST": last}
    for path in (*FILTERED, *DATED) if dated else FILTERED:
        for name, value in named.items():
            path = path.replace(name, str(value))
        yield path


def measure(assessments, only):
    """{role: {address: what `of_role` says}} of the pages that each role may open."""
    with registry_of(int(assessments / A_PATIENT)):
        from django.db import connections
        from django.urls import get_resolver

        from sites.models import Site

        put_trail()
        with connections["owner"].cursor() as cursor:
            cursor.execute("ANALYZE")
        site = Site.objects.order_by("code").first()
        resolver = get_resolver().url_patterns
        paths = [*addresses(resolver), *of_patient(resolver, PATIENT), *filtered(PATIENT, dated=True)]
        paths = [path for path in dict.fromkeys(paths) if not only or path in only]
        catch_up()
        with serving() as (port, process):
            measured_pages = {role: of_role(port, process, role, site, paths) for role in ROLES}
            print(f"{assessments:,} assessments: web server's memory {memory(process):.0f} MB", file=sys.stderr)
            return measured_pages


def catch_up():
    """What the worker keeps, as it would have by now: counts by site, flow, list and export of everybody enrolled."""
    from registry import tasks
    from registry.analysis.design import cohort_flows
    from registry.analysis.design.cohort_lists import Behind
    from registry.analysis.design.cohorts import ALL, Cohort
    from registry.exports.choices import Choices
    from registry.exports.preview import PreviewOf
    from sites.models import Site
    from sites.tenancy.scope import everything

    tasks.keep_counts()
    tasks.count_scorecards()
    everybody = Cohort("new", "0", ALL.label, ())
    with everything():
        every_site = tuple(Site.objects.order_by("pk").values_list("pk", flat=True))
        men = cohort_flows.FlowOf(Cohort("new", "0", ALL.label, _steps("sex=male")))
        for question in (cohort_flows.FlowOf(everybody), men, Behind(everybody), PreviewOf(Choices(), every_site)):
            cohort_flows.keep(question, 0)


def _steps(query):
    """The steps of a cohort in the address of the builder."""
    from django.http import QueryDict

    from registry.web.cohorts.forms import CohortForm

    form = CohortForm(QueryDict(query))
    if not form.is_valid():
        raise ValueError(form.errors)
    return form.steps


def of_role(port, process, role, site, paths):
    """{address: [empty pages in processor time, in time, ms, bytes]} of the pages that a role may open."""
    from registry import tasks

    tasks.keep_counts()  # as every five minutes: until when nothing had changed
    visitor = Visitor(port, person(role, site if role in OF_SITE else None))
    costs = {}
    for path in paths:
        status, body = visitor.get(path)
        if status >= 500:
            print(f"{role} {path}: {status}", file=sys.stderr, flush=True)
        if status != 200 or b"<html" not in body[:200]:
            continue
        spent = {EMPTY: [], path: []}
        for turn in range(WARM_UP + REQUESTS):
            for address, of_address in spent.items():
                before = processor_seconds(process)
                taken = measured(visitor, address)
                after = processor_seconds(process)
                if turn >= WARM_UP:
                    worked = sum(seconds - before.get(thread, 0) for thread, seconds in after.items())
                    of_address.append((worked, taken))
        worked, taken = _medians(spent[path])
        empty_worked, empty_taken = _medians(spent[EMPTY])
        costs[path] = [worked / empty_worked, taken / empty_taken, 1000 * taken, len(body)]
        print(f"{role} {path} {costs[path]}", file=sys.stderr, flush=True)
    return costs


def _medians(spent):
    return [statistics.median(each) for each in zip(*spent, strict=True)]


def processor_seconds(process):
    """{thread: seconds} that each of the web server's and of the backends of its database has worked so far."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        backends = [pid for (pid,) in cursor.fetchall()]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    seconds = {}
    for pid in (process.pid, *children, *backends):
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # it has ended
                seconds[thread.parent.name] = int(thread.read_text().split()[0]) / 1e9
    return seconds


def in_its_own_process(assessments, only):
    """A process has one database."""
    command = [sys.executable, __file__, "--one", str(assessments), "--only", *only]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assessments", type=int, nargs="+")
    parser.add_argument("--starts", action="store_true", help="start pages and dashboards alone")
    parser.add_argument("--only", nargs="*", default=[], help="addresses; without it every page")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.only)))
        return 0
    asked = options.assessments or ([18_700, 187_000] if options.starts else [10_000, 100_000, 1_000_000])
    only = [*options.only, *(STARTS if options.starts else ())]
    sizes = {}
    for size in sorted(asked):
        sizes[size] = in_its_own_process(size, only)
        if options.write:  # whatever becomes of the next size
            put("pages", table(sizes))
    return printed(sizes)


def lines(sizes):
    """(role, address, [what `of_role` says at each size], growth, whether beyond a limit) of each page."""
    unknown = [float("nan")] * 3 + [0]
    for role in ROLES:
        for path in list(sizes.values())[-1][role]:
            cost = [of_size[role].get(path, unknown) for of_size in sizes.values()]
            growth, (empty_pages, _taken, _ms, size) = cost[-1][0] / cost[0][0], cost[-1]
            beyond = growth > GROWTH or (path in LISTS and size > BYTES)
            yield role, path, cost, growth, beyond or (path in (*LISTS, *STARTS) and empty_pages > LIST)


def table(sizes):
    """The table of docs/performance.md: what a page costs at each size, its growth, and its time and kB at the last."""
    rows = [
        [
            f"{role} `{path}`",
            *(f"{of_size[0]:.1f}" for of_size in cost),
            f"{growth:.2f}",
            f"{cost[-1][1]:.1f}",
            f"{cost[-1][3] / 1000:.0f}",
        ]
        for role, path, cost, growth, _beyond in lines(sizes)
    ]
    return markdown(["page", *(f"{size:,}" for size in sizes), "growth", "in time", "kB"], rows)


def printed(sizes):
    """Print a line for each page and role; returns 1 where a limit is missed."""
    missed = 0
    print(f"{'role':<13} {'page':<40} " + " ".join(f"{size:>17,}" for size in sizes) + "   growth      kB")
    for role, path, cost, growth, beyond in lines(sizes):
        missed += beyond
        columns = " ".join(f"{worked:5.1f}×{taken:5.1f}×{ms:4.0f}ms" for worked, taken, ms, _size in cost)
        end = "  beyond the limit" if beyond else ""
        print(f"{role:<13} {path:<40} {columns} {growth:8.2f} {cost[-1][3] / 1000:7.0f}{end}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
