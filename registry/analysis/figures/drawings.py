"""All charts of a result in the order of the page, and each of them as a file."""

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

PARTS = (flow, lesion_levels, distributions, trajectories, changes, answers, profile_grid, survival_curves)
FORMATS = canvas.FORMATS | {"csv": "text/csv; charset=utf-8"}


def charts(result, language="en"):
    """The Charts of a result, without drawing them; none of a result from before there were figures."""
    if "figures" not in result:
        return []
    words = Words(result, language)
    return [chart for part in PARTS for chart in part.charts(result, words)]


def drawn(result, code, format, language="en", synthetic=False):
    """The bytes of one chart as svg, png, pdf or csv. KeyError for a code or a format that there is not."""
    FORMATS[format]
    chart = {chart.code: chart for chart in charts(result, language)}[code]
    if format == "csv":
        return chart.csv()
    return canvas.render(chart, Words(result, language), format, synthetic)
