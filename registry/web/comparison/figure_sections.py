"""What the page of a comparison shows of its figures and of its EQ-5D report."""

from dataclasses import dataclass

from registry.analysis.documents import eq5d_tables
from registry.analysis.figures import drawings, flow
from registry.analysis.presentation.tables import Table
from registry.analysis.presentation.words import Words

MOST_ROWS = 300  # of a table on the page; a longer one is in its CSV


@dataclass(frozen=True)
class Section:
    """One chart, or one table of the report; `table` is None where it is too long for a page."""

    code: str
    title: str
    table: Table | None
    alt: str = ""
    note: str = ""


def sections(result, language):
    """The context of `comparison/figures/section.html` and `eq5d.html`."""
    words = Words(result, language)
    drawn = drawings.charts(result, language)
    charts = [Section(chart.code, chart.title, _short(chart, words), alt=chart.alt) for chart in drawn]
    return {
        "charts": [chart for chart in charts if chart.code != flow.CODE],
        "flow_chart": next(
            (chart for chart in charts if chart.code == flow.CODE), None
        ),  # the page draws it with links
        "chart_formats": list(drawings.FORMATS),
        "eq5d_report": [
            Section(number.code, number.title, _short(number, words), note=eq5d_tables.note(number.code, words))
            for number in eq5d_tables.numbers(result, language)
        ],
        "language": language,
    }


def _short(numbers, words):
    return numbers.table(words) if len(numbers.rows) <= MOST_ROWS else None
