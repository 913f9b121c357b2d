"""Ordered codes in files for statistics: which variables have an order, and labels that keep the code in sight."""

import re

# Frankel A to E, Clavien-Dindo I to V: letters and Roman numbers that rise in the order of the choices.
_GRADE = re.compile(r"[A-F]|[IV]{1,4}[ab]?")


def is_ordered(variable):
    """Whether the codes of an Output stand in an order: points, or grades by letters."""
    codes = [choice.code for choice in variable.variable.choices]
    if variable.reason_for:  # why a value lacks has no order, whatever the value has
        return False
    if not codes or {*codes} <= {0, 1}:
        return False
    if all(isinstance(code, int) for code in codes):
        return variable.variable.kind == "integer" and codes in (sorted(codes), sorted(codes, reverse=True))
    return is_graded(codes)


def is_graded(codes):
    """Whether codes are letters or Roman numbers of grades."""
    return all(isinstance(code, str) and _GRADE.fullmatch(code) for code in codes)


def with_code(choice, language):
    """The label of a choice behind its code: 2 up more than half of the day, C motor useless."""
    label = choice.label.in_language(language)
    return label if label.startswith(str(choice.code)) else f"{choice.code} {label}"


def label_of(variable, place, language):
    """The label of the choice at `place` of an Output whose grades may be numbered: with the letter of the grade."""
    known = variable.variable.choices
    if not variable.reason_for and len(known) == len(variable.choices) and is_graded([choice.code for choice in known]):
        return with_code(known[place], language)
    return variable.choices[place].label.in_language(language)
