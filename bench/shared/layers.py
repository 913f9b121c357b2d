"""Layers of the product as an SVG picture, made from its imports: bin/draw-layers.

The rows are the layers that pyproject.toml declares for import-linter, from top to bottom. A line goes from a part to
each part that it imports; the number on a row is how many modules it has. The same imports give the same bytes.
"""

import sys
import tomllib
from html import escape
from pathlib import Path

import grimp

PROJECT = Path(__file__).resolve().parents[2]
WIDTH, ROW, BOX, TOP = 1040, 74, 40, 16
STYLE = (
    "text{font:13px sans-serif;fill:#1d2b36}.rooms{font-size:11px;fill:#55636f}"
    "rect{fill:#eef4f8;stroke:#7d8f9b}path{fill:none;stroke:#0072b2;stroke-opacity:.45;stroke-width:1.3}"
)


def main(output):
    contract = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [[part.strip() for part in layer.split("|")] for layer in contract["layers"]]
    graph = grimp.build_graph("registry", "sites", cache_dir=None)
    Path(output).write_text(picture(layers, graph))


def picture(layers, graph):
    """The SVG of the layers: a list of rows, each a list of packages."""
    places = {part: place for row, parts in enumerate(layers) for part, place in placed(parts, row)}
    arrows = [
        arrow(places[importer], places[imported])
        for importer in places
        for imported in places
        if importer != imported and imports(graph, importer, imported)
    ]
    boxes = [box(part, place, graph) for part, place in places.items()]
    height = TOP * 2 + ROW * (len(layers) - 1) + BOX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Layers of the product and their imports"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" style="fill:#fff;stroke:none"/>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>\n"
    )


def placed(parts, row):
    """(part, (left, top, width)) of the parts of a row, side by side."""
    width = (WIDTH - 20) / len(parts)
    return [(part, (10 + place * width + 6, TOP + row * ROW, width - 12)) for place, part in enumerate(parts)]


def imports(graph, importer, imported):
    """Whether any module of a package imports one of another. A package inside another belongs to itself alone."""
    modules = {importer, *graph.find_descendants(importer)}
    theirs = {imported, *graph.find_descendants(imported)}
    return any(graph.find_modules_directly_imported_by(module) & theirs for module in modules - theirs)


def arrow(start, end):
    x, y = start[0] + start[2] / 2, start[1] + BOX
    to_x, to_y = end[0] + end[2] / 2, end[1]
    middle = (y + to_y) / 2
    return f'<path d="M{x:.0f} {y}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y}"/>'


def box(part, place, graph):
    left, top, width = place
    rooms = sorted(name.removeprefix(f"{part}.") for name in graph.find_children(part))
    modules = len(graph.find_descendants(part)) + 1
    text = ", ".join(rooms)
    room_for = int(width / 5.6)
    text = text if len(text) <= room_for else f"{text[: room_for - 1].rpartition(', ')[0]} …"
    return (
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{BOX}" rx="4"/>'
        f'<text x="{left + 10:.0f}" y="{top + 17}">{escape(part)} ({modules})</text>'
        f'<text class="rooms" x="{left + 10:.0f}" y="{top + 33}">{escape(text)}</text>'
    )


if __name__ == "__main__":
    main(sys.argv[1])
