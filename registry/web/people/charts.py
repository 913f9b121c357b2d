"""Bar charts as numbers for an inline SVG: the pages' Content Security Policy allows no inline style."""

from dataclasses import dataclass
from datetime import date

from registry.web.shared import cells

HEIGHT = 24
STEP = 4  # of a bar and the gap after it
WIDTH = 3

PLOT = 140  # pixels from the axis to the highest line of the wide chart
MOST_LINES = 4
MOST_TICKS = 9  # of their words every second one is left out where the page is narrow


def bars(counts, highest):
    """The path of the bars of `counts` in a box of HEIGHT, `highest` filling it; what is not zero is at least one high.

    One path, because a rectangle a month of fifty sites was most of the page.
    """
    heights = [(place, max(1.0, round(HEIGHT * n / highest, 1))) for place, n in enumerate(counts) if n]
    return "".join(f"M{place * STEP} {HEIGHT}h{WIDTH}v-{height:g}h-{WIDTH}z" for place, height in heights)


@dataclass(frozen=True)
class Column:
    """One month of the wide chart: `x` in per cent of its width, `y` and `height` in pixels."""

    month: date
    n: int
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Chart:
    """A wide chart that is stretched and whose words are not: percentages across, pixels down, PLOT high.

    lines  (y, count) from zero upwards; ticks: (x, first day of a month)
    """

    columns: tuple[Column, ...]
    width: float
    lines: tuple[tuple[float, int], ...]
    ticks: tuple[tuple[float, date], ...]
    by_year: bool

    @property
    def drawn_columns(self):
        """The columns as SVG: of each month's a template takes several times longer. They hold numbers alone."""
        return cells.joined(
            f'<rect x="{column.x}%" y="{column.y}" width="{self.width}%" height="{column.height}">'
            f"<title>{column.month:%Y-%m}: {column.n}</title></rect>"
            for column in self.columns
        )


def chart(months, counts):
    """The chart of `counts` of `months`: first days of months without a gap, at least one of a count above zero."""
    share = 100 / len(months)
    line = _line_step(max(counts))
    top = -(-max(counts) // line) * line
    tick = _tick_step(len(months))
    return Chart(
        tuple(
            Column(month, n, round(i * share, 3), round(PLOT - PLOT * n / top, 1), round(PLOT * n / top, 1))
            for i, (month, n) in enumerate(zip(months, counts, strict=True))
            if n
        ),
        round(share * 0.8, 3),
        tuple((round(PLOT - PLOT * n / top, 1), n) for n in range(0, top + 1, line)),
        tuple(
            (round(i * share, 3), month)
            for i, month in enumerate(months)
            if (month.year * 12 + month.month - 1) % tick == 0
        ),
        tick >= 12,
    )


def _line_step(highest):
    """The smallest of 1, 2, 5, 10, 20 … with which MOST_LINES lines reach `highest`."""
    step, factors = 1, (2, 2.5, 2)
    while highest > step * MOST_LINES:
        step, factors = int(step * factors[0]), (*factors[1:], factors[0])
    return step


def _tick_step(n):
    """Months from one tick to the next, so that `n` months have at most MOST_TICKS of them."""
    steps = (1, 2, 3, 6, 12, 24, 60)
    return next((step for step in steps if n <= step * MOST_TICKS), 120)
