"""Counts that add up, and what a sum tells of those that are hidden."""

from dataclasses import dataclass
from math import inf

from registry.analysis.disclosure.small_cells import Few
from registry.analysis.results.written import Row


class Cell:
    """One count of a result in its place: a field of a row, or what stands in a dict or a list."""

    def __init__(self, part, name):
        self.part, self.name = part, name

    @property
    def value(self):
        return getattr(self.part, self.name) if isinstance(self.part, Row) else self.part[self.name]

    @property
    def hidden(self):
        return is_few(self.value)

    def hide(self, threshold):
        few = Few(self.value, threshold)
        if isinstance(self.part, Row):
            setattr(self.part, self.name, few)
        else:
            self.part[self.name] = few


@dataclass(frozen=True)
class Relation:
    """Cells that add up to a whole; None for one that every reader knows."""

    parts: list
    whole: Cell | None = None

    @property
    def cells(self):
        return [*self.parts, self.whole] if self.whole else self.parts

    @property
    def tells(self):
        """Whether what is shown leaves a hidden cell one value. A larger one, too: a small one would follow from it."""
        hidden = [cell for cell in self.cells if cell.hidden]
        if len(hidden) < 2 or self.whole in hidden:
            return len(hidden) == 1
        bounds = [_bounds(cell.value) for cell in hidden]
        rest = sum(cell.value for cell in hidden)
        for place, (low, high) in enumerate(bounds):
            least, most = (sum(ends) for ends in zip(*bounds[:place], *bounds[place + 1 :], strict=True))
            if max(low, rest - most) == min(high, rest - least):
                return True
        return False


def _bounds(few):
    """From what to what a hidden count may be, as it is told."""
    return (1, few.threshold - 1) if few < few.threshold else (few.threshold, inf)


def is_few(count):
    return isinstance(count, Few)


def is_small(count):
    """Whether a count is hidden because it is below the threshold itself."""
    return is_few(count) and count < count.threshold


def cells(part):
    """Every count of a dict or a list."""
    return [Cell(part, name) for name in (part if isinstance(part, dict) else range(len(part)))]


def if_whole(parts, whole):
    """The Relation of parts to a whole, where they add up to it."""
    if sum(cell.value for cell in parts) == whole.value:
        yield Relation(parts, whole)
