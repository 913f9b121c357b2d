"""Small counts hidden wherever a result is shown; the result that is stored keeps them."""

from registry.analysis.results.written import inside

COUNTS = frozenset(
    {"n", "missing", "pairs", "in_no_group", "groups", "count", "counts", "involved"}
    | {"enrolled", "excluded", "analysed", "responders", "worsened"}
    | {
        "why",
        "any_problem",
        "classes",
        "better",
        "same",
        "worse",
        "improve",
        "no_change",
        "worsen",
        "mixed",
        "no_problems",
    }
    | {"events", "died", "censored", "at_risk", "at_risk_at_ticks"}
    | {"competing", "undated", "before_landmark", "before_start", "scored", "used", "unmatched", "sets", "values"}
    | {"wins", "losses", "ties"}
    | {"treated", "control", "up", "down", "before", "after", "unknown", "dead", "improved"}
)


class Few(int):
    """A count that is told only to be below a threshold; or to be at least that, where a small one would follow from
    it. It still counts as what it is, to draw and to sum up."""

    def __new__(cls, count, threshold):
        self = super().__new__(cls, count)
        self.threshold = threshold
        return self

    def __str__(self):
        return f"{'<' if self < self.threshold else '≥'}{self.threshold}"

    __repr__ = __str__

    def __format__(self, spec):
        return str(self)

    def __reduce__(self):
        return Few, (int(self), self.threshold)


def masked(result, threshold):
    """A result's JSON with every count from 1 to below the threshold a `Few`; itself for a threshold of 0.

    A zero stays: it is nobody's. What a small count would follow from is another module's (`complements`).
    """
    return _masked(result, threshold, counted=False) if threshold > 1 else result


def _masked(part, threshold, counted):
    if isinstance(part, dict):
        return {name: _masked(value, threshold, _counts(name, value, counted)) for name, value in part.items()}
    if isinstance(part, list):
        return [_masked(member, threshold, counted) for member in part]
    if counted and isinstance(part, int) and not isinstance(part, bool) and 0 < part < threshold:
        return Few(part, threshold)
    return part


def _counts(name, value, counted):
    """Whether what is under a name are counts. Rows in a dict or a list say so themselves, each by its own names."""
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if any(isinstance(row, (dict, list)) for row in rows):
        return False
    return counted or name in COUNTS


def like(row, derived):
    """What was computed from a row, a count or a dict of counts, hidden where the row's own small counts are."""
    threshold = max((few.threshold for few in _all(row) if isinstance(few, Few)), default=0)
    return _masked(derived, threshold, counted=True) if threshold else derived


def apart(hidden, derived):
    """A count that tells another one by subtraction: hidden where that one is."""
    return Few(derived, hidden.threshold) if isinstance(hidden, Few) and derived else derived


def _all(part):
    yield part
    for member in inside(part):
        yield from _all(member)
