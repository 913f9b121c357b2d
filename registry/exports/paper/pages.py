"""Pages of paper: A4 in one font, with a head, numbers n/N and a place that runs down the page.

Lengths are in points from the top left of the printable area, so that whoever draws need not think from below.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from registry.analysis.figures import fonts

FONT = "paper"
WIDTH, HEIGHT = A4
MARGIN = 16 * mm
INNER = WIDTH - 2 * MARGIN
TOP = 31 * mm  # where what is asked begins
BOTTOM = HEIGHT - 15 * mm
LEADING = 1.35  # of the size of the letters
GREY, INK = 0.4, 0.0
QR = 17 * mm
_NO_BREAK_BEFORE = "、。，．）」』：；・？！ー,.)%:;?!"


def _registered() -> None:
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, str(fonts.japanese())))


def width_of(text: str, size: float) -> float:
    """How wide a text is, in points."""
    _registered()
    return pdfmetrics.stringWidth(text, FONT, size)


def _words(text: str) -> list[str]:
    """What a line may be broken between: words with the space behind them, and Japanese characters one by one."""
    words, word = [], ""
    for character in text:
        wide = ord(character) > 0x2E80
        if wide and character not in _NO_BREAK_BEFORE and word:
            words.append(word)
            word = ""
        word += character
        if character == " ":
            words.append(word)
            word = ""
    return [*words, word] if word else words


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of a text that are no wider than `width`; at least one. A word that is wider is broken."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in _words(paragraph):
            if line and width_of((line + word).rstrip(), size) > width:
                lines.append(line.rstrip())
                line = ""
            while width_of(word.rstrip(), size) > width:
                fits = max(1, next(n for n in range(len(word), 0, -1) if n == 1 or width_of(word[:n], size) <= width))
                lines.append(word[:fits])
                word = word[fits:]
            line += word
        lines.append(line.rstrip())
    return lines


@dataclass(frozen=True)
class Head:
    """What stands on top of each page of a form.

    study, title  of the study and of the form
    patient       lines about the patient; a blank form without a patient has rules to write on
    address       of the form in the registry, which the code opens; "" for none
    """

    study: str
    title: str
    patient: Sequence[tuple[str, str]]
    address: str = ""


@dataclass
class Pages:
    """The pages of one document while they are made: what is drawn on each, and how far down the last one is full."""

    language: str
    note: str
    drawn: list[tuple[Head, list[Callable[[Canvas], None]]]] = field(default_factory=list)
    y: float = TOP

    def begin(self, head: Head) -> None:
        """A new page."""
        self.drawn.append((head, []))
        self.y = TOP

    def need(self, height: float) -> None:
        """A new page of the same form, if less than `height` is left of this one."""
        if self.y + height > BOTTOM and self.y > TOP:
            self.begin(self.drawn[-1][0])

    def draw(self, act: Callable[[Canvas], None]) -> None:
        self.drawn[-1][1].append(act)

    def text(self, x: float, y: float, text: str, size: float = 9, grey: float = INK) -> None:
        """One line of text, whose foot is at `y`."""

        def act(canvas: Canvas) -> None:
            canvas.setFillGray(grey)
            canvas.setFont(FONT, size)
            canvas.drawString(MARGIN + x, HEIGHT - y, text)

        self.draw(act)

    def line(self, x: float, y: float, to_x: float, to_y: float, weight: float = 0.5, grey: float = INK) -> None:
        def act(canvas: Canvas) -> None:
            canvas.setStrokeGray(grey)
            canvas.setLineWidth(weight)
            canvas.line(MARGIN + x, HEIGHT - y, MARGIN + to_x, HEIGHT - to_y)

        self.draw(act)

    def box(
        self, x: float, y: float, width: float, height: float, *, round_: bool = False, filled: bool = False
    ) -> None:
        """A rectangle, or a circle, whose top left is at (x, y); `filled` is marked by a cross."""

        def act(canvas: Canvas) -> None:
            canvas.setStrokeGray(INK)
            canvas.setLineWidth(0.6)
            left, low = MARGIN + x, HEIGHT - y - height
            if round_:
                canvas.circle(left + width / 2, low + height / 2, width / 2)
            else:
                canvas.rect(left, low, width, height)
            if filled:
                canvas.setLineWidth(1.2)
                canvas.line(left + 1.2, low + 1.2, left + width - 1.2, low + height - 1.2)
                canvas.line(left + 1.2, low + height - 1.2, left + width - 1.2, low + 1.2)

        self.draw(act)

    def paragraph(self, text: str, size: float = 9, *, x: float = 0, width: float = INNER, grey: float = INK) -> None:
        """Lines of text from where the page is full, which go on on the next page."""
        for line in wrapped(text, size, width):
            self.need(size * LEADING)
            self.y += size * LEADING
            self.text(x, self.y, line, size, grey)

    def finished(self, title: str) -> bytes:
        """The document as PDF."""
        _registered()
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=A4, invariant=True, lang=self.language)
        canvas.setTitle(title)
        for number, (head, acts) in enumerate(self.drawn, 1):
            _draw_head(canvas, head, f"{number} / {len(self.drawn)}", self.note)
            for act in acts:
                act(canvas)
            canvas.showPage()
        canvas.save()
        return out.getvalue()


def _draw_head(canvas: Canvas, head: Head, number: str, note: str) -> None:
    canvas.setFillGray(GREY)
    canvas.setFont(FONT, 7.5)
    canvas.drawString(MARGIN, HEIGHT - 12 * mm, head.study)
    canvas.drawString(MARGIN, 8 * mm, note)
    canvas.setFillGray(INK)
    canvas.drawRightString(WIDTH - MARGIN, 8 * mm, number)
    size = 13 if width_of(head.title, 13) < INNER - QR - 4 * mm else 10
    canvas.setFont(FONT, size)
    canvas.drawString(MARGIN, HEIGHT - 18 * mm, wrapped(head.title, size, INNER - QR - 4 * mm)[0])
    _draw_patient(canvas, head.patient)
    if head.address:
        _draw_code(canvas, head.address)
    canvas.setLineWidth(0.8)
    canvas.setStrokeGray(INK)
    canvas.line(MARGIN, HEIGHT - 27.5 * mm, WIDTH - MARGIN, HEIGHT - 27.5 * mm)


def _draw_patient(canvas: Canvas, patient: Sequence[tuple[str, str]]) -> None:
    x = MARGIN
    for label, value in patient:
        canvas.setFont(FONT, 8)
        canvas.drawString(x, HEIGHT - 24 * mm, label)
        x += width_of(label, 8) + 2 * mm
        if value:
            canvas.setFont(FONT, 11)
            canvas.drawString(x, HEIGHT - 24 * mm, value)
            x += width_of(value, 11) + 6 * mm
        else:
            canvas.line(x, HEIGHT - 24.5 * mm, x + 30 * mm, HEIGHT - 24.5 * mm)
            x += 35 * mm


def _draw_code(canvas: Canvas, address: str) -> None:
    """The address as QR code, with its quiet zone: each run of dark modules of a row is a rectangle of one path."""
    modules = list(segno.make_qr(address, error="m", boost_error=False).matrix_iter(border=4))
    size, path = QR / len(modules), canvas.beginPath()
    for row, line in enumerate(modules, 1):
        start = 0
        for dark, run in groupby(line):
            length = len(list(run))
            if dark:
                path.rect(WIDTH - MARGIN - QR + start * size, HEIGHT - 26.5 * mm + QR - row * size, length * size, size)
            start += length
    canvas.setFillGray(INK)
    canvas.drawPath(path, stroke=0, fill=1)
