"""Documents as PDF: A4 pages of headings, sentences and tables, with the font that comes along for both languages.

The same content gives the same bytes: nothing in the file says when it was made but what the content says itself.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from registry.analysis.figures import fonts

FONT = "metaspine"


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts below a head; `widths` are shares of the page's width, `numbers` the columns set to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    widths: Sequence[float] = ()
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Lines:
    """Places to write on, each with what goes there: for signatures and remarks."""

    labels: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A drawing as PNG, with what it shows in words; `width` is a share of the page's."""

    png: bytes
    width: float = 1.0


@dataclass(frozen=True)
class Funnel:
    """A funnel in a box of `width` × `height` (`registry.web.quality.scorecard.Funnel`), with the axes in words."""

    drawn: Any
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Together:
    """Blocks that no end of a page divides."""

    blocks: Sequence[Any]


def document(title: str, foot: str, blocks: Iterable[Any], language: str) -> bytes:
    """The document as bytes of a PDF; `foot` stands on every page beside its number n / N."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import SimpleDocTemplate

    style = _styles(language)
    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        title=title, author="Metaspine", invariant=1, lang=language,
    )  # fmt: skip

    class Numbered(Canvas):
        """A canvas that draws a page's foot when the last one is made: only then is it known how many there are."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.made: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802  # the canvas's own name
            self.made.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            pages = self.made
            for number, page in enumerate(pages, 1):
                self.__dict__.update(page)
                self.setFont(FONT, 7.5)
                self.drawString(18 * mm, 10 * mm, foot)
                self.drawRightString(A4[0] - 18 * mm, 10 * mm, f"{number} / {len(pages)}")
                super().showPage()
            super().save()

    flow = [style.paragraph(title, "title")]
    for block in blocks:
        flow += style.flowables(block, template.width)
    template.build(flow, canvasmaker=Numbered)
    return out.getvalue()


def _styles(language: str) -> Any:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, str(fonts.japanese())))
    return _Styles(language)


class _Styles:
    """What each block looks like."""

    SIZES = {"title": 15, "heading": 11, "text": 9, "cell": 8, "number": 8}

    def __init__(self, language: str) -> None:
        from reportlab.lib.enums import TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle

        wrap = "CJK" if language == "ja" else None
        self.styles = {
            name: ParagraphStyle(
                name, fontName=FONT, fontSize=size, leading=size * 1.35, wordWrap=wrap,
                spaceBefore=10 if name == "heading" else 0, spaceAfter=4,
                keepWithNext=name == "heading", **({"alignment": TA_RIGHT} if name == "number" else {}),
            )
            for name, size in self.SIZES.items()
        }  # fmt: skip

    def paragraph(self, text: Any, name: str) -> Any:
        from reportlab.platypus import Paragraph as Flowing

        return Flowing(escape(str(text)).replace("\n", "<br/>"), self.styles[name])

    def flowables(self, block: Any, width: float) -> list:
        if isinstance(block, Heading):
            return [self.paragraph(block.text, "heading")]
        if isinstance(block, Paragraph):
            return [self.paragraph(block.text, "text")]
        if isinstance(block, Picture):
            return [self._picture(block, width)]
        if isinstance(block, Together):
            return [_together([part for inner in block.blocks for part in self.flowables(inner, width)])]
        if isinstance(block, Lines):
            return [self._lines(block, width)]
        if isinstance(block, Funnel):
            return [_funnel(block, width), self.paragraph(block.words, "cell")]
        return [self._table(block, width)]

    def _picture(self, block: Picture, width: float) -> Any:
        from reportlab.platypus import Image

        image = Image(io.BytesIO(block.png))
        scale = block.width * width / image.drawWidth
        image.drawWidth, image.drawHeight = image.drawWidth * scale, image.drawHeight * scale
        return image

    def _lines(self, block: Lines, width: float) -> Any:
        from reportlab.lib import colors
        from reportlab.platypus import Table as Grid

        grid = Grid([[self.paragraph(label, "text"), ""] for label in block.labels], [width * 0.4, width * 0.6], 30)
        grid.setStyle([("LINEBELOW", (1, 0), (1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "BOTTOM")])
        return grid

    def _table(self, block: Table, width: float) -> Any:
        from reportlab.lib import colors
        from reportlab.platypus import Table as Grid

        shares = block.widths or [1 / len(block.head)] * len(block.head)

        def cells(row: Sequence[Any]) -> list:
            return [self.paragraph(text, "number" if i in block.numbers else "cell") for i, text in enumerate(row)]

        grid = Grid([cells(block.head), *map(cells, block.rows)], [share * width for share in shares], repeatRows=1)
        grid.setStyle(
            [
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.lightgrey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
            ]
        )
        return grid


def _together(flow: list) -> Any:
    from reportlab.platypus import KeepTogether

    return KeepTogether(flow)


def _funnel(block: Funnel, width: float) -> Any:
    """The drawing as vectors, as wide as the page; down is down there and up here."""
    from reportlab.graphics.shapes import Circle, Drawing, Line, PolyLine
    from reportlab.lib import colors

    scale = width / block.width
    drawing = Drawing(width, block.height * scale + 8)

    def at(x: float, y: float) -> tuple[float, float]:
        return x * scale, (block.height - y) * scale + 4

    for level, both in block.drawn.limits.items():
        for points in both:
            flat = [value for pair in points.split() for value in at(*map(float, pair.split(",")))]
            dash = None if level == "99.8" else [4, 3]
            drawing.add(PolyLine(flat, strokeColor=colors.grey, strokeWidth=0.6, strokeDashArray=dash))
    left, right = at(0, block.drawn.target), at(block.width, block.drawn.target)
    drawing.add(Line(*left, *right, strokeColor=colors.grey, strokeWidth=0.6))
    for x, y in block.drawn.others:
        drawing.add(Circle(*at(x, y), 2.5, fillColor=colors.lightgrey, strokeColor=colors.grey))
    if block.drawn.own:
        drawing.add(Circle(*at(*block.drawn.own), 4.5, fillColor=colors.HexColor("#005f9e"), strokeColor=colors.white))
    return drawing
