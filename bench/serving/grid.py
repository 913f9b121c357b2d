"""The grid's first screen at 100 000 patients against the same page at 1 000. Limit: within 1.5 times.

For a coordinator of one site and for someone who reads all sites. Both registries have as many rows on the page. The
two sizes cannot be asked in turn, because a process has one database: each is measured in turn with an empty
signed-in page, and what is compared is how many empty pages the grid costs.
"""

import json
import statistics
import subprocess
import sys

from bench.shared.run_page import alternately
from bench.shared.scratch import registry_of
from bench.shared.server import Visitor, person, serving

GRID, EMPTY = "/grid/", "/bench/empty/"
LIMIT = 1.5


def page_times(patients):
    """{who: [median ms of the first screen, median ms of an empty page, rows on the screen]}."""
    with registry_of(patients):
        from sites.models import Membership, Site

        # At 1 000 patients one site has too few to fill a page; this person has several.
        coordinator = person("coordinator", Site.objects.first())
        few = Site.objects.order_by("code")[1:4] if patients < 50_000 else ()
        for site in few:
            Membership.objects.create(user=coordinator, role="coordinator", site=site)
        taken_times = {}
        with serving() as (port, _):
            for who, user in (("coordinator", coordinator), ("statistician", person("statistician"))):
                visitor = Visitor(port, user)
                times = alternately(visitor, (EMPTY, GRID))
                rows = visitor.get(GRID)[1].count(b'<th scope="row"')
                taken_times[who] = *(1000 * statistics.median(times[path]) for path in (GRID, EMPTY)), rows
        return taken_times


def in_its_own_process(patients):
    """A process has one database."""
    output = subprocess.run([sys.executable, __file__, str(patients)], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main():
    if len(sys.argv) > 1:
        print(json.dumps(page_times(int(sys.argv[1]))))
        return 0
    small, large = in_its_own_process(1_000), in_its_own_process(100_000)
    print(f"grid, first screen           at 1 000               at 100 000        ratio (limit: {LIMIT})")
    ratios = []
    for who in small:
        parts = []
        for grid, empty, rows in (small[who], large[who]):
            parts.append(f"{grid:5.1f} ms = {grid / empty:4.1f} empty pages ({rows} rows)")
        ratios.append((large[who][0] / large[who][1]) / (small[who][0] / small[who][1]))
        print(f"{who:<13} {'  '.join(parts)} {ratios[-1]:6.2f}")
    return 0 if max(ratios) <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
