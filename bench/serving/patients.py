"""The patient list at 1 000 000 assessments against the same page at 1 000. Limit: within 1.5 times.

For a coordinator of one site and for someone who reads all sites. Both registries have as many rows on the page.
"""

import json
import statistics
import subprocess
import sys
import time

from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving

ASSESSMENTS_A_PATIENT = 1.87
VISITS = 60


def page_times(assessments):
    """Median milliseconds of the list: {who: ms}, and how many rows the page showed."""
    with registry_of(int(assessments / ASSESSMENTS_A_PATIENT)):
        from sites.models import Membership, Site

        # At 1 000 assessments one site has too few patients to fill a page; this person has several.
        coordinator = person("coordinator", Site.objects.first())
        few = Site.objects.order_by("code")[1:8] if assessments < 100_000 else ()
        for site in few:
            Membership.objects.create(user=coordinator, role="coordinator", site=site)
        page_seconds = {}
        with serving() as (port, _):
            for who, user in (("coordinator", coordinator), ("statistician", person("statistician"))):
                visitor = Visitor(port, user)
                for _warm in range(8):
                    status, body = visitor.get("/patients/")
                if status != 200:
                    raise RuntimeError(f"the list answered {status}")
                times = []
                for _visit in range(VISITS):
                    started = time.perf_counter()
                    visitor.get("/patients/")
                    times.append(time.perf_counter() - started)
                page_seconds[who] = statistics.median(times) * 1000, body.count(b"<tr")
        return page_seconds


def in_its_own_process(assessments):
    """A process has one database."""
    output = subprocess.run([sys.executable, __file__, str(assessments)], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main():
    if len(sys.argv) > 1:
        print(json.dumps(page_times(int(sys.argv[1]))))
        return
    small, large = in_its_own_process(1_000), in_its_own_process(1_000_000)
    print("patient list              at 1 000    at 1 000 000     ratio   (limit: 1.5)")
    for who, (time_small, rows_small) in small.items():
        time_large, rows_large = large[who]
        print(
            f"{who:<14} {time_small:8.1f} ms ({rows_small} rows) {time_large:8.1f} ms ({rows_large} rows)"
            f" {time_large / time_small:8.2f}"
        )


if __name__ == "__main__":
    main()
