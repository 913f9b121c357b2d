"""What every drawing shares: colours, fonts, sizes, and how it becomes a file. matplotlib is imported when drawing.

The same numbers give the same bytes: no dates, and fixed identifiers inside SVG.
"""

import io
import logging
import textwrap
import threading
from functools import cache

from registry.instruments.base import Label

# Okabe and Ito's colours, one a group in the order of the plan, as in the stylesheet; then again from the first.
GROUP_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2", "#999999")
DASHES = ("-", (0, (6, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
LEVEL_COLOURS = ("#deebf7", "#9ecae1", "#4292c6", "#08519c", "#08264d")  # answers 1 to 5, as in the stylesheet
BETTER, WORSE, SAME = "#0072B2", "#D55E00", "#8a949c"
INK, MUTED, GRID, AMBER = "#1d2b36", "#55636f", "#dde4ea", "#8a5a00"

WIDTH = 7.2  # inches: two columns of a journal
DPI = 300
JAPANESE = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic", "Hiragino Sans", "Yu Gothic")
LATIN = ("Liberation Sans", "Arial", "Helvetica", "DejaVu Sans")
FORMATS = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}
SYNTHETIC = Label("SYNTHETIC DATA: these patients do not exist", "架空データ：実在の患者ではありません")

_DRAWING = threading.Lock()  # matplotlib's settings are the process's own, not the thread's


def color(place):
    return GROUP_COLOURS[place % len(GROUP_COLOURS)]


def dash(place):
    return DASHES[place % len(DASHES)]


@cache
def _installed():
    from matplotlib import font_manager

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a family that is absent is expected
    return {entry.name for entry in font_manager.fontManager.ttflist}


def language_of_drawing(language):
    """`language`, or English where no font of this machine has Japanese characters."""
    if language.startswith("ja") and not _installed().intersection(JAPANESE):
        return "en"
    return language


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


def render(chart, words, format, synthetic=False):
    """A Chart as the bytes of an SVG, a PNG of 300 dpi or a PDF. KeyError for another format.

    words  in the language of the drawing; synthetic  whether to say that the patients are made up
    """
    FORMATS[format]
    import matplotlib

    matplotlib.use("Agg", force=False)
    with _DRAWING, matplotlib.rc_context(_settings(words.language)):
        figure = chart.draw(words)
        if synthetic:
            figure.suptitle(words(SYNTHETIC), x=0.995, ha="right", fontsize=7, fontweight="bold", color=AMBER)
        out = io.BytesIO()
        figure.savefig(out, format=format, dpi=DPI, metadata=_metadata(format, chart))
    return out.getvalue()


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


def note(figure, text, width=150):
    """Small print under the whole figure."""
    figure.supxlabel(wrapped(text, width), x=0.005, ha="left", fontsize=6.5, color=MUTED)


def wrapped(text, width):
    """Broken into lines of `width` Latin characters, or half as many Japanese ones, which need no spaces."""
    if any(ord(letter) > 0x2E80 for letter in text):
        width = max(4, width // 2)
        return "\n".join(text[start : start + width] for start in range(0, len(text), width))
    return "\n".join(textwrap.wrap(text, width, break_long_words=False)) or text


def horizontal_grid(axes):
    axes.grid(axis="y")
    axes.set_axisbelow(True)
