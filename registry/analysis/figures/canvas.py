"""What every drawing shares: colours, fonts, sizes, and how it becomes a file. matplotlib is imported when drawing.

The same numbers give the same bytes: no dates, and fixed identifiers inside SVG.
"""

import io
import logging
import re
import textwrap
import threading
from contextlib import contextmanager
from functools import cache

from registry.analysis.figures import fonts
from registry.analysis.presentation.words import SYNTHETIC

INK, MUTED, GRID, AMBER = "#1d2b36", "#55636f", "#dde4ea", "#8a5a00"
# Okabe and Ito's colours, one a group in the order of the plan, as in the stylesheet; then again from the first.
GROUP_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2", "#999999", INK)
DASHES = ("-", (0, (6, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
LEVEL_COLOURS = ("#deebf7", "#9ecae1", "#4292c6", "#08519c", "#08264d")  # answers 1 to 5, as in the stylesheet
BETTER, WORSE, SAME = "#0072B2", "#D55E00", "#8a949c"

WIDTH = 7.2  # inches: two columns of a journal
DPI = 300
MOST_IN_LINE = 4  # panels side by side
SPACING = 1.35  # of lines, enough for Japanese
LAST_LATIN = 0x2E80
LONG = 40  # characters: a line of prose, not of a name
JAPANESE = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic", "Hiragino Sans", "Yu Gothic")
LATIN = ("Liberation Sans", "Arial", "Helvetica", "DejaVu Sans")
FORMATS = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}

_DRAWING = threading.Lock()  # matplotlib's settings are the process's own, not the thread's


def color(place):
    return GROUP_COLOURS[place % len(GROUP_COLOURS)]


def dash(place):
    return DASHES[place % len(DASHES)]


@cache
def _installed():
    from matplotlib import font_manager

    font_manager.fontManager.addfont(fonts.japanese())
    return {entry.name for entry in font_manager.fontManager.ttflist}


def _families(language):
    latin = [name for name in LATIN if name in _installed()]
    japanese = [name for name in JAPANESE if name in _installed()] if language.startswith("ja") else []
    # Families that a reader's machine may have follow: SVG keeps text as text.
    return list(dict.fromkeys((*japanese[:1], *latin, *LATIN)))


def _settings(language):
    return {
        "font.family": _families(language),
        "font.size": 8,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.titlesize": 8.5,
        "axes.titleweight": "bold",
        "axes.labelsize": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 7.5,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "metaspine",
        "pdf.fonttype": 42,
        "savefig.facecolor": "white",
    }


@contextmanager
def drawing(language):
    """matplotlib with the product's settings, for one thread at a time."""
    import matplotlib as mpl

    mpl.use("Agg", force=False)
    for noisy in ("matplotlib.font_manager", "fontTools"):  # families that are absent, and each glyph put into a PDF
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with _DRAWING, mpl.rc_context(_settings(language)):
        yield


def render(chart, words, format, synthetic=False):
    """A Chart as the bytes of an SVG, a PNG of 300 dpi or a PDF. KeyError for another format.

    words  in the language of the drawing; synthetic  whether to say that the patients are made up
    """
    FORMATS[format]
    with drawing(words.language):
        figure = chart.draw(words)
        if synthetic:
            figure.suptitle(words(SYNTHETIC), x=0.995, ha="right", fontsize=7, fontweight="bold", color=AMBER)
        _lay_out(figure, format)
        out = io.BytesIO()
        figure.savefig(out, format=format, dpi=DPI, metadata=_metadata(format, chart))
    return out.getvalue()


def _lay_out(figure, format):
    """Place everything now, as `savefig` would do after a first drawing that nobody sees."""
    figure.set_dpi(DPI)
    _canvas(format)(figure)  # it measures the texts
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)


def _canvas(format):
    if format == "svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG as Canvas
    elif format == "pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf as Canvas
    else:
        from matplotlib.backends.backend_agg import FigureCanvasAgg as Canvas
    return Canvas


def _metadata(format, chart):
    if format == "svg":
        return {"Date": None, "Title": chart.title, "Description": chart.alt}
    if format == "pdf":
        return {"CreationDate": None, "Title": chart.title, "Subject": chart.alt}
    return {"Software": None, "Title": chart.title, "Description": chart.alt}


def panels(rows, columns, width=WIDTH, height=None, **options):
    """A Figure and its axes (rows, columns), which never touch each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height or 2.6 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def group_panels(groups, rows, each, **options):
    """A Figure with a panel for each row of `rows` and each group; many groups take several lines.

    each  (width, height) of one panel, inches. Returns the Figure, {(row, group): axes}, and the axes that stand first
    in their lines.
    """
    lines = -(-len(groups) // MOST_IN_LINE) if len(groups) > MOST_IN_LINE else 1
    columns = -(-len(groups) // lines)
    width, height = max(6.2, each[0] * columns), 0.6 + each[1] * lines * len(rows)
    figure, axes = panels(lines * len(rows), columns, width=width, height=height, **options)
    placed = {
        (row, group): axes[place * lines + number // columns][number % columns]
        for place, row in enumerate(rows)
        for number, group in enumerate(groups)
    }
    for axis in set(axes.flat) - set(placed.values()):
        axis.axis("off")
    return figure, placed, [line[0] for line in axes]


def title(axis, text, **options):
    axis.set_title(text, linespacing=SPACING, **options)


def ticks(axis, labels, positions=None, size=6.5):
    """Labels of several lines under places that need no tick marks."""
    axis.set_xticks(range(len(labels)) if positions is None else positions, labels, fontsize=size, linespacing=SPACING)
    axis.tick_params(axis="x", length=0)


def note(figure, text):
    """Small print under the whole figure, as wide as the figure whichever font is there."""
    width = int(figure.get_figwidth() * 21)
    figure.supxlabel(wrapped(text, width), x=0.005, ha="left", fontsize=6.5, color=MUTED, linespacing=SPACING)


def wrapped(text, width):
    """Broken into lines as wide as `width` Latin characters; Japanese ones count twice and need no spaces."""
    if any(ord(letter) > LAST_LATIN for letter in text):
        return _wrapped_japanese(text, width)
    return "\n".join(textwrap.wrap(text, width, break_long_words=False)) or text


def _wrapped_japanese(text, width):
    """Broken between words where it may be: after a middle dot in a name, else anywhere but inside Latin.

    What is too long for a line by itself is broken wherever the line ends.
    """
    parts = (
        re.findall(r"[^・]+・?", text) if "・" in text and width < 40 else re.findall(r"[!-~–]+[ ]?|.[、。）]*", text)
    )
    parts = [piece for part in parts for piece in ([part] if _breadth(part) <= width else list(part))]
    lines = [""]
    for part in parts:
        if lines[-1] and _breadth(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _breadth(text):
    return sum(2 if ord(letter) > LAST_LATIN else 1 for letter in text.rstrip())


def horizontal_grid(axes):
    axes.grid(axis="y")
    axes.set_axisbelow(True)
