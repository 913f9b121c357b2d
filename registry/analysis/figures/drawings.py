"""All charts of a result in the order of the page, and each of them as a file."""

from registry.analysis.design import sections
from registry.analysis.figures import (
    answers,
    canvas,
    changes,
    distributions,
    flow,
    lesion_levels,
    profile_grid,
    survival_curves,
    trajectories,
)
from registry.analysis.presentation.words import Words

PARTS = {  # each, and the report of a result that it draws
    flow: "cohort",
    lesion_levels: "figures",
    distributions: "figures",
    trajectories: "figures",
    changes: "figures",
    answers: "figures",
    profile_grid: "eq5d_report",
    survival_curves: "survival",
}
FORMATS = canvas.FORMATS | {"csv": "text/csv; charset=utf-8"}


def charts(result, language="en"):
    """The Charts of a result, without drawing them; none of a result from before there were figures."""
    if result.figures is None and not result.method.sections:
        return []
    words = Words(result, language)
    charts_of_study = [
        chart
        for part, report in PARTS.items()
        if getattr(result, report) is not None
        for chart in part.charts(result, words)
    ]
    return [*charts_of_study, *sections.figures_of(result, words)]


def drawn(result, code, format, language="en", synthetic=False):
    """The bytes of one chart as svg, png, pdf or csv. KeyError for a code or a format that there is not."""
    FORMATS[format]
    chart = {chart.code: chart for chart in charts(result, language)}[code]
    if format == "csv":
        return chart.csv()
    return canvas.render(chart, Words(result, language), format, synthetic)
