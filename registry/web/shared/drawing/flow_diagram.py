"""From enrolled to analysed as a diagram (STROBE, doi:10.1371/journal.pmed.0040296) whose numbers may be links.

Boxes and lines as plain numbers; `flow_diagram.svg.html` draws them without any style of its own.
"""

from urllib.parse import urlencode

from django.urls import reverse

from registry.analysis.figures.canvas import wrapped
from registry.analysis.presentation import screening

WIDTH = 720
LEFT, RIGHT = (8, 330), (388, 712)  # from and to: those who remain, those who leave
LINE, PAD, GAP, NUMBER = 18, 10, 22, 28  # heights: of a line, around the text, between boxes, of the number
LETTERS = 7.2  # width of one Latin letter


def diagram(flow, groups=(), link=lambda step: None, excluded="Excluded: {reason}", before=()):
    """Width, height, boxes and lines of the diagram.

    flow    dicts with label, n and, after the first, excluded and reason, in the language of the page
    groups  (name, n, address of its patients or None) of each group the analysed fall into
    link    (step: its place in the flow, "after" and that place for those who remain, or "analysed") -> address of the
            patients behind a number, or None
    before  the steps of the screening log in front of the flow, behind whose numbers there are no patients
    """
    whole, started = screening.whole(before, flow), max(len(before) - 1, 0)
    boxes, lines, y = [], [], 4
    middle = sum(LEFT) / 2
    for place, step in enumerate(whole, -started):
        if place > -started:
            left = link(place) if place > 0 else None
            out = _box(RIGHT, y + GAP / 2, excluded.format(reason=step["reason"]), step["excluded"], left)
            start, y = y, y + GAP + out["height"]
            level = out["y"] + out["height"] / 2
            lines += [_line((middle, start), (middle, y)), _line((middle, level), (RIGHT[0], level))]
            boxes.append(out)
        box = _box(LEFT, y, step["label"], step["n"], link(_remaining(place, len(flow))) if place >= 0 else None)
        boxes.append(box)
        y += box["height"]
    if groups:
        bottom, (more, y) = y, _groups(groups, y)
        bar = more[0]["y"] - GAP
        lines.append(_line((middle, bottom), (middle, bar), head=False))
        for next_step in more:
            lines.append(_line((middle, next_step["y"] - GAP), (next_step["middle"], next_step["y"] - GAP), head=False))
            lines.append(_line((next_step["middle"], next_step["y"] - GAP), (next_step["middle"], next_step["y"])))
        lines.append(_line((middle, bar), (middle, more[-1]["y"] - GAP), head=False))
        boxes += more
    return {"width": WIDTH, "height": round(y + 6), "boxes": boxes, "lines": lines}


def _remaining(place, steps):
    """What those who are left after a step are called: 0 for all, "analysed" after the last."""
    return place if not place else "analysed" if place == steps - 1 else f"after{place}"


def _groups(groups, y):
    """The groups side by side, several lines of them where there are many; all boxes of a line as high."""
    width = (WIDTH - 16) / min(len(groups), 4)
    boxes, top = [], y + 2 * GAP
    for start in range(0, len(groups), 4):
        some = [
            _box((8 + width * place + 4, 8 + width * (place + 1) - 4), top, name, n, url)
            for place, (name, n, url) in enumerate(groups[start : start + 4])
        ]
        tallest = max(box["height"] for box in some)
        boxes += [box | {"height": tallest} for box in some]
        top += tallest + 2 * GAP
    return boxes, top - 2 * GAP


def _box(span, y, text, n, url):
    width = span[1] - span[0]
    rows = wrapped(text[:1].upper() + text[1:], int((width - 2 * PAD) / LETTERS)).split("\n")
    height = 2 * PAD + LINE * len(rows) + NUMBER
    return {
        "x": span[0],
        "y": y,
        "width": width,
        "height": height,
        "middle": sum(span) / 2,
        "texts": [(row, y + PAD + LINE * (place + 0.75)) for place, row in enumerate(rows)],
        "n": n,
        "n_y": y + PAD + LINE * len(rows) + NUMBER * 0.7,
        "hit_x": sum(span) / 2 - 45,
        "hit_y": y + PAD + LINE * len(rows) + 2,
        "url": url,
    }


def _line(start, end, head=True):
    """A straight line, with the three corners of an arrow's head where it has one."""
    (x1, y1), (x2, y2) = start, end
    corners = ""
    if head:
        points = (
            [(x2, y2), (x2 - 8, y2 - 4), (x2 - 8, y2 + 4)]
            if y1 == y2
            else [(x2, y2), (x2 - 4, y2 - 8), (x2 + 4, y2 - 8)]
        )
        corners = " ".join(f"{x:g},{y:g}" for x, y in points)
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "head": corners}


def lists(query, at="", **more):
    """(step) -> the address of the patients behind a number of the flow of the cohort with this address."""
    more = {name: value for name, value in {"at": at, **more}.items() if value}
    return lambda step: "?".join(
        (reverse("cohort_patients"), "&".join(filter(None, (query, urlencode({"step": step, **more})))))
    )
