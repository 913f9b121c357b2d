"""Grid of what is compared, and when: a table an instrument, a tick a visit, each with how many patients are known.

A page has the tables of which something is ticked; the others are fetched when they are opened.
"""

from django.utils.translation import gettext as _

from registry.analysis.design.variables import known, sources
from registry.analysis.sections.comparing import comparison_tests
from registry.web.comparison.planning import plan_builder
from registry.web.comparison.planning.offered import text

OWN = "own"  # the plan's own variables


class Grid:
    """The tables for some choices: `instruments()` of a page, `instrument(code)` alone."""

    def __init__(self, given):
        self.given = given
        self.ticked = set(given.get("cells", ()))
        self.visits = plan_builder.visits(given)
        self.counted_at = None
        self._counts = None

    @property
    def counts(self):
        if self._counts is None:
            self._counts, self.counted_at = known.counts()
        return self._counts

    @property
    def visits_shown(self):
        return [(code, text(label)) for code, label in self.visits]

    def instruments(self, whole=False):
        """[{"code", "title", "open", "rows"}]; rows None for what is fetched when it is opened."""
        lines = []
        if own := plan_builder.own_variables(self.given).values():
            lines.append({"code": OWN, "title": _("Variables of this plan"), "open": True, "rows": self._rows(own)})
        for code, some in self._by_title().items():
            is_open = any(self._is_ticked(source) for source in some)
            rows = self._rows(some) if is_open or whole else None
            lines.append({"code": code, "title": text(some[0].title), "open": is_open, "rows": rows})
        return lines

    def instrument(self, code):
        """{"title", "rows"} of the instrument with a code, its English title; None where there is none."""
        some = self._by_title().get(code)
        return some and {"title": text(some[0].title), "rows": self._rows(some)}

    def lost(self):
        """[(value, label)] of the ticks that no table has: of a visit or a variable that the plan has no more."""
        compared, lines = plan_builder.compared(self.given), []
        for value in dict.fromkeys(self.given.get("cells", ())):
            name, _at, visit = value.partition("@")
            row = compared.get(name)
            if row is None or visit not in (dict(self.visits) if row.at_visit else ("",)):
                lines.append((value, ", ".join(filter(None, (text(row.label) if row else name, visit)))))
        return lines

    def _by_title(self):
        by_title = {}
        for source in sources.offered().values():
            if source.name != sources.DAY_OF_VISIT.name:
                by_title.setdefault(source.title.en, []).append(source)
        return by_title

    def _is_ticked(self, source):
        return not self.ticked.isdisjoint(
            [f"{source.name}@{code}" for code, _label in self.visits] if source.at_visit else [source.name]
        )

    def _rows(self, some):
        return [self._row(row) for row in some]

    def _row(self, row):
        """(label, kind, usual test, cell of the patient or None, cells of the visits)."""
        cells = [self._cell(row, code) for code, _label in self.visits] if row.at_visit else []
        of_patient = None if row.at_visit else self._cell(row, "")
        return text(row.label), text(sources.KIND_LABELS[row.kind]), _usual(row.kind), of_patient, cells

    def _cell(self, row, visit):
        """A cell: a variable of the plan is known for whom its item is; a rule is counted by “Check”."""
        value = f"{row.name}@{visit}" if visit else row.name
        name = row.origin.get("item") if hasattr(row, "origin") else row.name
        return {"value": value, "n": self.counts.get((name, visit)), "ticked": value in self.ticked, "visit": visit}


def _usual(kind):
    """The test that a row of this kind has by itself, between two groups."""
    test = comparison_tests.test_of("between", kind, "", 2)
    return text(test.label) if test else ""
