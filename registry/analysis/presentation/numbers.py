"""How a number is printed: as the segment study prints it."""

from registry.analysis.disclosure.small_cells import Few

ABSENT = "–"


def p_value(p):
    """Two decimals from 0.10, three below, "<0.001" and ">0.99" at the ends; a dash for none."""
    if p is None:
        return ABSENT
    if p < 0.001:
        return "<0.001"
    if p > 0.99:
        return ">0.99"
    return f"{p:.3f}" if round(p, 3) < 0.1 else f"{p:.2f}"


def p_phrase(p):
    """As it stands in a sentence: “P = 0.011”, “P < 0.001”."""
    text = p_value(p)
    return f"P {text[0]} {text[1:]}" if text[0] in "<>" else f"P = {text}"


def number(value, decimals):
    """With a true minus sign, and no minus before a zero."""
    if value is None:
        return ABSENT
    if isinstance(value, Few):
        return str(value)
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def mean_sd(cell, decimals):
    """“67.4 ± 11.7” for an entry of a result; the mean alone where one patient has no spread."""
    if cell.mean is None:
        return ABSENT
    if cell.sd is None:
        return number(cell.mean, decimals)
    return f"{number(cell.mean, decimals)} ± {number(cell.sd, decimals)}"


def count_percent(count, n):
    """“17 (55%)”, of the patients whose value is known; no share of a hidden count, as it would tell the count."""
    if isinstance(count, Few) or isinstance(n, Few):
        return str(count)
    return f"{count} ({100 * count / n:.0f}%)" if n else ABSENT


def percent(count, n):
    if isinstance(count, Few) or isinstance(n, Few):
        return ABSENT
    return f"{100 * count / n:.0f}%" if n else ABSENT


def leaves(part, path=()):
    """(path, number or None) of everything in a part of a result that is no text."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(part, (list, tuple)):
        for place, inner in enumerate(part):
            yield from leaves(inner, (*path, str(place)))
    elif not isinstance(part, (str, bool)):
        yield path, part
